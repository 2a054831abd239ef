"""Films: a request begins a job at one account, and that account is asked about it later.

Which one it was is remembered for a while (`video-result-auth-cache-ttl`). After that, or after a
restart, accounts that make films are asked until one knows the job.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from tempfile import SpooledTemporaryFile
from typing import IO, Final

from msgspec import structs

from cliproxy import providers
from cliproxy.base import json
from cliproxy.base.errors import BadRequest, GatewayError, NotFound, UpstreamBroken
from cliproxy.dialects import openai_videos, xai_videos
from cliproxy.dialects.openai_videos import About
from cliproxy.ir.film import FilmJob
from cliproxy.ir.loss import Loss
from cliproxy.pipeline.context import Reply, Request, decode_object
from cliproxy.pipeline.gateway import Gateway
from cliproxy.pipeline.run import ask, run
from cliproxy.transport.guard import FetchError

_NATIVE: Final = "xai-videos"
_OPENAI: Final = "openai-videos"
_FILM: Final = "video/mp4"
_IN_MEMORY: Final = 1024 * 1024
_PIECE: Final = 256 * 1024
"""Bytes of a film: more are in a file that has no name; so many are in one write."""
MOST_ASKED: Final = 8
"""Accounts that are asked about a job of which nobody knows whose it is."""


async def begin(gateway: Gateway, request: Request) -> Reply:
    """Begin to make a film. Raises a `GatewayError`."""
    about: About | None = None
    lost: list[str] = []
    # Its answer is read here, so nothing may be written before it is whole.
    asked = structs.replace(request, pinged=True)
    if request.dialect_id == _OPENAI:
        body = request.form.values() if request.form is not None else decode_object(request.body)
        film, about, lost = openai_videos.parse(body, request.model)
        asked = structs.replace(
            asked, dialect_id=_NATIVE, body=json.dumps(xai_videos.build(film)), form=None
        )
    elif request.form is not None:
        raise BadRequest("This route takes JSON, and no forms.", code="invalid_json")
    asked.peeked = None
    reply = await run(gateway, asked)
    request.fidelity = asked.fidelity
    name = xai_videos.read_begun(reply.body)
    if about is not None:
        about = structs.replace(about, created=int(gateway.clock.now()))
        reply.body = openai_videos.render(name, FilmJob("queued"), about)
        reply.losses = tuple(Loss(field, "this upstream has no such field") for field in lost)
        reply.fidelity = request.fidelity = "lossy" if lost else "exact"
    account, ttl = asked.attempts[-1].account, gateway.settings.job_ttl
    gateway.jobs.bind(name, account, ttl, about, client=request.client)
    return reply


async def told(gateway: Gateway, request: Request, *, head: bool = False) -> Reply:
    """Tell how far a film is. Raises a `GatewayError`.

    `head`: whether only the status is asked for.
    """
    if request.dialect_id != _OPENAI:
        return await _asked(gateway, request, head=head)
    asked = structs.replace(request, dialect_id=_NATIVE)
    reply = await _asked(gateway, asked, head=head)
    job = xai_videos.read_job(reply.body)
    reply.status = 200
    reply.body = openai_videos.render(request.resource, job, _about(gateway, request, job))
    reply.fidelity = "exact"
    return reply


async def content(gateway: Gateway, request: Request, variant: str, *, head: bool = False) -> Reply:
    """Return a film itself; for `head` only that it is there. Raises a `GatewayError`."""
    if variant not in ("", "video"):
        raise BadRequest("Only the variant 'video' can be had.", param="variant")
    asked = structs.replace(request, dialect_id=_NATIVE)
    reply = await _asked(gateway, asked, head=head)
    job = xai_videos.read_job(reply.body)
    if job.progress == "failed":
        raise BadRequest(job.message, code=job.code or None)
    if job.progress != "done" or not job.url:
        raise NotFound("The video is not ready yet; ask how far it is.", code="video_not_ready")
    if head:
        return Reply(200, _FILM)
    # By the way that its account is asked.
    accounts = {account.id: account for account in gateway.registry.accounts}
    account = accounts.get(asked.attempts[-1].account)
    proxy = (account.proxy_url if account is not None else None) or gateway.settings.proxy_url
    file = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  # closed when it was read
    try:
        async with gateway.jobs.fetching:
            kind = await gateway.films.fetch_into(file, job.url, proxy=proxy)
    except BaseException as err:
        file.close()
        if isinstance(err, FetchError):
            raise UpstreamBroken(f"The video could not be fetched: {err}.") from err
        raise
    size = str(file.tell())
    file.seek(0)
    kind = kind.partition(";")[0].strip().lower()
    reply = Reply(200, kind if kind.startswith("video/") else _FILM, chunks=_pieces(file))
    reply.headers["content-length"] = size
    reply.abandon = file.close
    return reply


async def _pieces(file: IO[bytes]) -> AsyncGenerator[bytes, None]:
    with file:
        while piece := await asyncio.to_thread(file.read, _PIECE):
            yield piece


async def _asked(gateway: Gateway, request: Request, *, head: bool) -> Reply:
    """Ask the account that a job belongs to, else some that may know it."""
    name = request.resource
    known = gateway.jobs.find(name)
    makers = [
        candidate
        for candidate in gateway.registry.makers("video")
        if _NATIVE in providers.get(candidate.account.provider).speaks(candidate.account)
    ]
    if known is not None and known.client != request.client:
        raise _unknown(name)
    own = [c for c in makers if known is not None and c.account.id == known.account]
    if not makers:
        raise NotFound("No account makes videos.", code="video_not_found")
    if not own and head:
        # Nobody is asked on a guess but by who wants an answer.
        raise _unknown(name)
    try:
        reply = await ask(gateway, request, own or makers[:MOST_ASKED])
    except GatewayError as err:
        if err.status == 404:
            raise _unknown(name) from err
        raise
    if not own:
        about = known.about if known is not None else None
        account = request.attempts[-1].account
        ttl = gateway.settings.job_ttl
        gateway.jobs.bind(name, account, ttl, about, client=request.client)
    return reply


def _unknown(name: str) -> NotFound:
    return NotFound(f"There is no video {name[:80]!r}.", code="video_not_found")


def _about(gateway: Gateway, request: Request, job: FilmJob) -> About:
    known = gateway.jobs.find(request.resource)
    if known is not None and isinstance(known.about, About):
        return known.about
    return About(job.model)

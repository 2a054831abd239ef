"""Asking an account about an interaction that it keeps: to see it, to end it, to forget it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Final

from cliproxy import dialects
from cliproxy.account.model import Account
from cliproxy.base import redact
from cliproxy.base.errors import GatewayError, NotFound, UpstreamBroken
from cliproxy.dialects.sse import last_frame_end
from cliproxy.ir.caps import Caps
from cliproxy.pipeline.answering import JSON, SSE
from cliproxy.pipeline.context import Reply
from cliproxy.pipeline.gateway import Gateway
from cliproxy.pipeline.kept import INTERACTIONS, Kept
from cliproxy.pipeline.upstream import ERROR_LIMIT
from cliproxy.pipeline.withheld import clean, secrets_in
from cliproxy.providers.base import Call
from cliproxy.providers.gemini_interactions import PROVIDER
from cliproxy.routing.resolve import Candidate
from cliproxy.transport.client import UpstreamResponse

_LONGEST: Final = 16 * 1024 * 1024
"""Bytes of one event."""


async def relay(
    gateway: Gateway,
    kept: Kept,
    method: str,
    action: str,
    *,
    query: Mapping[str, str],
    headers: Mapping[str, str],
) -> Reply:
    """Ask the account that keeps an interaction; `action` stands behind its id in the path.

    Raises a `GatewayError` when it refuses, or is not configured any more.
    """
    account = _account(gateway, kept)
    call = Call(
        operation="generate",
        dialect="interactions",
        model="",
        stream=query.get("stream", "").lower() == "true",
        body=b"",
        verbatim=True,
        headers={},
        client_headers=headers,
    )
    http = PROVIDER.stored(method, kept.id + action, query, call, account)
    secrets = secrets_in(http, gateway.settings.proxy_url)
    patience = gateway.settings.patience.of(Candidate(account, "", "", Caps()))
    try:
        response = await gateway.transport.send(http, patience, proxy=gateway.settings.proxy_url)
        try:
            return await _answer(response, secrets)
        except BaseException:
            response.close()
            raise
    except GatewayError as err:
        clean(err, secrets)
        raise


def _account(gateway: Gateway, kept: Kept) -> Account:
    for account in gateway.registry.accounts:
        if account.id == kept.account and account.provider == PROVIDER.name:
            return account
    raise NotFound(
        f"The interaction '{kept.id[:128]}' is kept by an account that is not configured any more.",
        code="interaction_not_found",
        param="id",
    )


async def _answer(response: UpstreamResponse, secrets: set[str]) -> Reply:
    if not 200 <= response.status < 300:
        body = redact.without_bytes(await response.read(ERROR_LIMIT), secrets)
        if response.status < 400:
            raise UpstreamBroken(
                f"The upstream answered {response.status} (redirect), which is not followed."
            )
        raise dialects.get(INTERACTIONS).read_error(response.status, response.headers, body)
    if SSE in response.headers.get("content-type", ""):
        return Reply(200, SSE, chunks=_events(response, secrets), abandon=response.close)
    return Reply(200, JSON, redact.without_bytes(await response.read(), secrets))


async def _events(response: UpstreamResponse, secrets: set[str]) -> AsyncGenerator[bytes, None]:
    """Pass whole events on as they come."""
    held: list[bytes] = []
    size = 0
    try:
        async with aclosing(response.chunks()) as chunks:
            async for chunk in chunks:
                end = last_frame_end(chunk, held)
                if end:
                    yield _without(b"".join([*held, chunk[:end]]), secrets)
                    held, size = [], 0
                    chunk = chunk[end:]  # noqa: PLW2901  # the rest of it
                if chunk:
                    held.append(chunk)
                    size += len(chunk)
                if size > _LONGEST:
                    raise UpstreamBroken("The upstream sent one event that is too large.")
        if held:
            yield _without(b"".join(held), secrets)
    except GatewayError as err:
        clean(err, secrets)
        yield dialects.get(INTERACTIONS).stream_error(err)
    finally:
        response.close()


def _without(frames: bytes, secrets: set[str]) -> bytes:
    return redact.without_bytes(frames, secrets) if b"error" in frames else frames

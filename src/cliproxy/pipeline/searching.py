"""`POST /v1/alpha/search`: Codex's search, which passes as it is to accounts that have it."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from cliproxy import providers
from cliproxy.base.errors import NotBuilt, UpstreamBroken
from cliproxy.dialects.sse import looks_like_json
from cliproxy.pipeline.calls import Prepared
from cliproxy.pipeline.context import Reply, Request
from cliproxy.pipeline.meter import counts, usage_of
from cliproxy.pipeline.upstream import not_the_protocol
from cliproxy.routing.resolve import Candidate
from cliproxy.transport.answer import Answer

MOST: Final = 32 * 1024 * 1024
"""Bytes of an answer."""


def able(request: Request, candidates: list[Candidate]) -> list[Candidate]:
    """Return who can search. Raises `NotBuilt` when nobody can."""
    found = [c for c in candidates if providers.able(c.account, "search")]
    if not found:
        raise NotBuilt(
            f"No account for {request.model!r} has Codex's search: logins of Codex do, and keys "
            "with alpha-search: true.",
            code="search_not_supported",
        )
    if request.peeked is not None:
        # What is searched for belongs to the conversation that it names.
        request.peeked.session_id = _id(request.body)
    return found


class _Named(Struct):
    id: Any = None


_named: Final = msgspec.json.Decoder(_Named)


def _id(body: bytes) -> Any:
    try:
        return _named.decode(body).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


async def found(request: Request, call: Prepared, response: Answer) -> Reply:
    """Read what was found. Raises `UpstreamBroken` when it is nothing that can be passed on."""
    meter = request.meter
    meter.begin(call.dialect.id)
    body = await response.read(MOST + 1)
    if len(body) > MOST:
        # The next account would find as much.
        raise UpstreamBroken(
            f"The upstream's answer is larger than {MOST // 1048576} MiB.", next_account=False
        )
    if not looks_like_json(body[:64]):
        raise not_the_protocol(body)
    meter.usage = usage_of(call.dialect.id, counts(body))
    reply = Reply(200, "application/json", body)
    reply.fidelity = request.fidelity = call.fidelity
    return reply

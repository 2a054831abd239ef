"""Routes over one interaction: to get it, to delete it, to end its work in the background.

They speak of what the client key that asks has asked for through this proxy, and of nothing else.
An interaction that an account keeps is asked for there; others are kept by the proxy alone.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Final

from cliproxy.base import json
from cliproxy.base.errors import BadRequest, GatewayError, NotFound, Unsupported
from cliproxy.ir.usage import IRUsage
from cliproxy.pipeline.answering import JSON
from cliproxy.pipeline.context import Reply
from cliproxy.pipeline.gateway import Gateway
from cliproxy.pipeline.kept import INTERACTIONS, Kept, finished_id
from cliproxy.pipeline.meter import Tap, counts, usage_of
from cliproxy.pipeline.relaying import relay
from cliproxy.server.stored import Asked

_RUNNING: Final = ("in_progress", "requires_action")
_END: Final = b'"interaction.completed"'


Late = Callable[[str, IRUsage], None]
"""Hears what the work of an earlier request used, by that one's id."""


async def serve(gateway: Gateway, asked: Asked, headers: Mapping[str, str], late: Late) -> Reply:
    """Answer a request about an interaction. Raises a `GatewayError`."""
    route, client, query = asked.route, asked.client, asked.query
    found = _find(gateway, client, route.resource or "")
    store = gateway.responses
    assert store is not None
    if route.name == "interaction_cancel":
        if found.account:
            reply = await relay(gateway, found, "POST", "/cancel", query=query, headers=headers)
            return _heard(reply, found, late)
        raise BadRequest("The interaction has ended; only work in the background can be cancelled.")
    if asked.method == "DELETE":
        reply = Reply(200, JSON, b"{}")
        if found.account:
            try:
                reply = await relay(gateway, found, "DELETE", "", query=query, headers=headers)
            except GatewayError as err:
                if err.status != 404:
                    raise
                # Its account has forgotten it before.
        store.delete(client, found.id)
        return reply
    streamed = query.get("stream", "").lower() == "true"
    if found.account and (streamed or not _ended(found)):
        reply = await relay(gateway, found, "GET", "", query=query, headers=headers)
        return _heard(reply, found, late)
    if streamed:
        raise Unsupported(
            "A finished interaction is not streamed again; get it without 'stream'.",
            param="stream",
        )
    body = found.response
    if query.get("include_input", "").lower() == "true":
        body = json.dumps({**json.loads(body), "input": found.input()})
    return Reply(200, JSON, body)


def _heard(reply: Reply, found: Kept, late: Late) -> Reply:
    """Listen for what the work used that a request has begun."""
    if not found.asked:
        return reply
    if reply.chunks is not None:
        reply.chunks = _listening(reply.chunks, found.asked, late)
    elif (json.loads_object(reply.body) or {}).get("status") not in _RUNNING:
        late(found.asked, usage_of(INTERACTIONS, counts(reply.body)))
    return reply


async def _listening(
    chunks: AsyncGenerator[bytes, None], asked: str, late: Late
) -> AsyncGenerator[bytes, None]:
    tap, ended = Tap(INTERACTIONS), False
    try:
        async with aclosing(chunks):
            async for chunk in chunks:
                tap.see(chunk)
                ended = ended or _END in chunk
                yield chunk
    finally:
        if ended:
            late(asked, tap.read())


def _ended(found: Kept) -> bool:
    return found.whole and finished_id(found.response, INTERACTIONS) is not None


def _find(gateway: Gateway, client: str, interaction: str) -> Kept:
    store = gateway.responses
    if store is None:
        raise NotFound(
            "Interactions are not kept by this proxy (responses.store is false).",
            code="responses_not_kept",
        )
    found = store.response(client, interaction, INTERACTIONS)
    if found is None:
        raise NotFound(
            f"The interaction '{interaction[:128]}' was not found. This proxy keeps interactions "
            "in memory, for the key that asked for them and a bounded time (responses.store).",
            code="interaction_not_found",
            param="id",
        )
    return found

"""Writing replies and errors, and noticing when the client goes away.

While a request runs, one task waits for the client's disconnect; when it comes, the work is
cancelled, which closes the upstream connection at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from math import ceil
from typing import Final, TypeVar

from cliproxy import dialects
from cliproxy.base import json
from cliproxy.base.errors import GatewayError, UpstreamRefused
from cliproxy.base.tasks import spawn
from cliproxy.dialects import Framing
from cliproxy.pipeline.context import Reply
from cliproxy.server.asgi import JSON_TYPE, RawHeaders, Receive, Send, answer
from cliproxy.server.bodies import ClientGone
from cliproxy.server.paths import PLAIN

_T = TypeVar("_T")
_log: Final = logging.getLogger(__name__)

_STREAM_HEADERS: Final[RawHeaders] = [
    (b"cache-control", b"no-cache"),
    (b"connection", b"keep-alive"),
    # Tells nginx and its kin not to collect events.
    (b"x-accel-buffering", b"no"),
]
_DROPPED_LIMIT: Final = 1024
_PATIENCE: Final = 0.02
"""Seconds before the client's going away is listened for."""
OVERLOADED: Final = 529
"""Anthropic's own status; clients of the others know 503."""


async def watching(receive: Receive, work: Callable[[], Awaitable[_T]]) -> _T:
    """Do the work; cancel it and raise `ClientGone` when the client disconnects first."""
    current = asyncio.current_task()
    assert current is not None
    gone = False
    watcher: asyncio.Task[None] | None = None

    async def watch() -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = True
        current.cancel()

    def begin() -> None:
        nonlocal watcher
        watcher = spawn(watch(), name="client-disconnect")

    # Most answers that are not streamed are over before a client could go away.
    begun = asyncio.get_running_loop().call_later(_PATIENCE, begin)
    try:
        return await work()
    except asyncio.CancelledError:
        if gone and current.uncancel() == 0:
            raise ClientGone from None
        raise
    finally:
        begun.cancel()
        if watcher is not None:
            watcher.cancel()


async def send_reply(
    send: Send, reply: Reply, headers: RawHeaders, *, dialect: str, framing: Framing = "sse"
) -> None:
    """Write a reply, streamed or whole."""
    headers = [*headers, (b"content-type", reply.content_type.encode())]
    headers += [(k.encode(), v.encode("latin-1", "replace")) for k, v in reply.headers.items()]
    if reply.fidelity:
        headers.append((b"x-cliproxy-fidelity", reply.fidelity.encode()))
    if reply.losses:
        names = ",".join(dict.fromkeys(loss.field for loss in reply.losses))
        headers.append((b"x-cliproxy-dropped", names.encode("ascii", "replace")[:_DROPPED_LIMIT]))
    if reply.chunks is None:
        await answer(send, reply.status, reply.body, headers)
        return
    try:
        await send(
            {
                "type": "http.response.start",
                "status": reply.status,
                "headers": headers + _STREAM_HEADERS,
            }
        )
    except BaseException:
        # A generator that was never begun does not clean up after itself.
        if reply.abandon is not None:
            reply.abandon()
        raise
    try:
        async with aclosing(reply.chunks) as chunks:
            async for chunk in chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
    except asyncio.CancelledError:
        raise
    except Exception:  # noqa: BLE001
        # Our own fault, in the middle of an answer: the client must not take it for an end.
        _log.exception("a stream failed")
        broken = GatewayError("The proxy failed while writing this answer; see its log.")
        await send(
            {
                "type": "http.response.body",
                "body": dialects.get(dialect).stream_error(broken, framing),
                "more_body": True,
            }
        )
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def send_error(
    send: Send, err: GatewayError, dialect: str, headers: RawHeaders, *, head: bool = False
) -> None:
    """Answer with an error in the client's dialect."""
    extra: RawHeaders = [(k.lower().encode(), v.encode()) for k, v in err.headers.items()]
    if err.retry_after is not None:
        extra.append((b"retry-after", str(max(0, ceil(err.retry_after))).encode()))
    body = _plain(err) if dialect == PLAIN else dialects.get(dialect).error(err)
    status = err.status if dialect == "anthropic" or err.status != OVERLOADED else 503
    await answer(send, status, body, [*headers, JSON_TYPE, *extra], head=head)


def _plain(err: GatewayError) -> bytes:
    """Write an error as a sentence; what an upstream said of it passes as it is."""
    if isinstance(err, UpstreamRefused) and err.raw is not None:
        return err.raw
    return json.dumps({"error": err.message})

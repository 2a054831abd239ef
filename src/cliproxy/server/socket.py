"""The Responses API on a websocket: each message is a request, each event of its answer a message.

A turn goes the way of a streamed HTTP request, through the same pipeline; its frames leave without
their SSE framing. One turn runs at a time, those that come meanwhile wait for theirs. A connection
is told the truth about errors and stays open after them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import suppress
from typing import Final, Protocol

from cliproxy.base import ids
from cliproxy.base.clock import Clock
from cliproxy.base.errors import BadRequest, GatewayError, NotBuilt, RateLimited, Unauthenticated
from cliproxy.base.tasks import spawn
from cliproxy.observe.logs import REQUEST
from cliproxy.observe.request_log import Entry
from cliproxy.pipeline.lines import HangUp, Lines
from cliproxy.server.accounting import LEFT, Accounting, Asked
from cliproxy.server.asgi import Message, RawHeaders, Receive, Scope, Send, header_map
from cliproxy.server.asking import client_of, path_of, peer_of, query_of
from cliproxy.server.bodies import ClientGone
from cliproxy.server.inbox import POLICY, Ended, Inbox
from cliproxy.server.paths import Route
from cliproxy.server.respond import send_error
from cliproxy.server.transcript import Memory, Transcript
from cliproxy.server.turn import DIALECT, Generation, error_message, take

_log: Final = logging.getLogger(__name__)
CONNECTIONS: Final = 100
"""That one client key may have open."""
LIFE: Final = 3600.0
"""Seconds that a connection may last; OpenAI's own API ends them after as many."""
LAST_WORDS: Final = 1.0
"""Seconds that saying goodbye may take."""
NORMAL: Final = 1000
RESTART: Final = 1012
_TURN_STATE: Final = "x-codex-turn-state"


class Host(Protocol):
    """The application that a connection belongs to."""

    accounting: Accounting
    clock: Clock
    sockets: Sockets

    @property
    def generation(self) -> Generation:
        """The configuration as it is now."""
        ...

    def log(
        self, scope: Scope, began: float, status: int, told: str = "", *, quiet: bool = False
    ) -> None:
        """Write the line of a request that is over."""
        ...


class Sockets:
    """What all connections share."""

    def __init__(self) -> None:
        self.memory = Memory()
        self.open: Counter[str] = Counter()
        """How many, by the mark of their key."""

    def enter(self, mark: str) -> None:
        """Count a connection. Raises `RateLimited` when there are too many."""
        if self.open[mark] >= CONNECTIONS:
            raise RateLimited(
                f"This key has {CONNECTIONS} websockets open; close one before opening another.",
                code="too_many_connections",
                retry_after=1,
            )
        self.open[mark] += 1

    def leave(self, mark: str) -> None:
        """Count it no longer."""
        self.open[mark] -= 1
        if self.open[mark] <= 0:
            del self.open[mark]


def no_websocket() -> GatewayError:
    """Return what makes Codex fall back to HTTP at once."""
    return NotBuilt(
        "Websockets are not served on this route; use HTTP with stream: true.",
        status=426,
        code="websocket_not_supported",
    )


async def refuse(scope: Scope, send: Send, err: GatewayError, dialect: str) -> None:
    """Answer a handshake with an error, as HTTP where the server can."""
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": POLICY})
        return

    async def renamed(message: Message) -> None:
        await send({**message, "type": f"websocket.{message['type']}"})

    await send_error(renamed, err, dialect, [(b"x-cliproxy-request-id", REQUEST.get().encode())])


async def serve(host: Host, scope: Scope, receive: Receive, send: Send, route: Route) -> None:
    """Serve one connection from its handshake to its end."""
    began = host.clock.monotonic()
    REQUEST.set(ids.request_id())
    # What came by GET is told as GET, in logs and in the usage.
    scope = {**scope, "method": "GET"}
    await receive()
    headers, query = header_map(scope), query_of(scope)
    try:
        client = client_of(host.generation.access, scope, route, headers, query)
        host.sockets.enter(client.mark)
    except GatewayError as err:
        host.log(scope, began, err.status, err.message)
        await refuse(scope, send, err, DIALECT)
        return
    try:
        echoed: RawHeaders = [
            (_TURN_STATE.encode(), value.encode("latin-1", "replace"))
            for name, value in headers.items()
            if name == _TURN_STATE
        ]
        await send({"type": "websocket.accept", "headers": echoed})
        await _Connection(host, scope, receive, send, route).last()
    except (ClientGone, OSError):
        pass
    finally:
        host.sockets.leave(client.mark)
        host.log(scope, began, 101, "the websocket is closed", quiet=True)


class _Connection:
    def __init__(
        self, host: Host, scope: Scope, receive: Receive, send: Send, route: Route
    ) -> None:
        self._host = host
        self._scope = scope
        self._receive = receive
        self._send = send
        self._route = route
        self._headers = _meant(header_map(scope))
        self._query = query_of(scope)
        self._inbox = Inbox(self._limit)
        self._transcript = Transcript(host.sockets.memory, self._limit)
        self._lines = Lines()
        self._gone = False

    def _limit(self) -> int:
        return self._host.generation.max_body

    async def last(self) -> None:
        """Serve turn after turn until either side has enough. Raises `ClientGone`."""
        current = asyncio.current_task()
        assert current is not None
        listener = spawn(self._listen(current), name="websocket-listener")
        end = asyncio.get_running_loop().call_later(LIFE, self._inbox.end, NORMAL, "its time is up")
        try:
            while not isinstance(message := await self._inbox.next(), Ended):
                await self._turn(message)
            listener.cancel()
            await self._goodbye()
        except asyncio.CancelledError:
            if self._gone and current.uncancel() == 0:
                raise ClientGone from None
            listener.cancel()
            self._inbox.end(RESTART, "the server stops")
            await self._goodbye()
            raise
        finally:
            listener.cancel()
            end.cancel()
            self._transcript.forget()
            self._lines.close()

    async def _listen(self, current: asyncio.Task[None]) -> None:
        # Always: a client that goes away in the middle of an answer must be noticed.
        while True:
            message = await self._receive()
            match message["type"]:
                case "websocket.receive":
                    text = message.get("text")
                    self._inbox.put(message["bytes"] if text is None else text.encode())
                case "websocket.leave":
                    # Our own server's word: a turn that runs may finish.
                    self._inbox.end(RESTART, "the server stops")
                case "websocket.disconnect":
                    self._gone = True
                    current.cancel()
                    return

    async def _goodbye(self) -> None:
        code, reason = self._inbox.closing
        with suppress(ClientGone, OSError, TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                if code == NORMAL:
                    text = f"A websocket lasts {LIFE / 60:.0f} minutes; open a new one."
                    await self._say(
                        error_message(BadRequest(text, code="websocket_connection_limit_reached"))
                    )
                await self._send({"type": "websocket.close", "code": code, "reason": reason})

    async def _say(self, data: bytes) -> None:
        try:
            text = data.decode("utf-8", "replace")
            await self._send({"type": "websocket.send", "text": text})
        except OSError:
            raise ClientGone from None

    async def _turn(self, message: bytes | None) -> None:
        host = self._host
        generation = host.generation
        request_id = ids.request_id()
        REQUEST.set(request_id)
        at, began, path = host.clock.now(), host.clock.monotonic(), path_of(self._scope)
        log, entry = generation.request_log, None
        if log is not None:
            query = self._scope.get("query_string", b"").decode("latin-1")
            entry = log.begin(
                request_id, method="GET", path=path, query=query, headers=self._headers
            )
            entry.body, entry.status = message or b"", 200
        status, told = LEFT, "the client went away"
        try:
            access, scope = generation.access, self._scope
            client = client_of(access, scope, self._route, self._headers, self._query)
            asked = Asked(
                id=request_id,
                route=self._route,
                client=client,
                method="GET",
                path=path,
                headers=self._headers,
                peer=peer_of(scope),
                at=at,
                began=began,
            )
            told = await take(
                generation,
                host,
                asked,
                message,
                query=self._query,
                transcript=self._transcript,
                lines=self._lines,
                entry=entry,
                say=self._say,
            )
            status = 200
        except GatewayError as err:
            status, told = err.status, err.message
            if isinstance(err, HangUp):
                if entry is not None:
                    entry.status = status
                self._inbox.end(*err.close)
            else:
                await self._fail(err, entry)
            if isinstance(err, Unauthenticated):
                # The key that opened the connection is no longer one of ours.
                self._inbox.end(POLICY, "the key is not accepted any more")
        except ClientGone:
            raise
        except Exception:  # noqa: BLE001  # the last boundary: logged, and the client is told
            status, told = 500, ""
            _log.exception("request %s failed", request_id)
            fault = GatewayError(
                f"The proxy failed on this request; its log has the details under {request_id}."
            )
            await self._fail(fault, entry)
        finally:
            host.log(self._scope, began, status, told)
            if log is not None and entry is not None:
                await log.finish(entry)

    async def _fail(self, err: GatewayError, entry: Entry | None) -> None:
        data = error_message(err)
        if entry is not None:
            entry.status = err.status
            entry.answer.add(data + b"\n")
        await self._say(data)


def _meant(headers: dict[str, str]) -> dict[str, str]:
    """Return the headers that a turn would have had over HTTP, without those of the handshake."""
    meant = {
        name: value
        for name, value in headers.items()
        if name not in ("upgrade", "connection") and not name.startswith("sec-websocket-")
    }
    beta = [part.strip() for part in meant.pop("openai-beta", "").split(",")]
    kept = [part for part in beta if part and not part.startswith("responses_websockets")]
    if kept:
        meant["openai-beta"] = ", ".join(kept)
    return {**meant, "content-type": "application/json", "accept": "text/event-stream"}

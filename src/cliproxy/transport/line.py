"""Websockets to upstreams: a line that stays open, and is asked one thing after the other.

What comes back looks like an HTTP answer with a stream of events, so that whoever reads answers
need not know how they came: each message is one event, and an error that comes instead of the
first is an answer with its own status. Waits, proxies and errors are those of `client.py`.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Raw, Struct
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.protocol import State

from cliproxy.base import json, redact
from cliproxy.base.errors import UpstreamBroken, UpstreamError, UpstreamTimeout, UpstreamUnreachable
from cliproxy.base.http import HttpRequest, Timeouts
from cliproxy.base.redact import Hidden
from cliproxy.base.tasks import spawn
from cliproxy.transport.answer import Answer
from cliproxy.transport.deadline import Deadlines
from cliproxy.transport.proxy import Proxy

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection, connect

MOST: Final = 64 * 1024 * 1024
"""Bytes of one message."""
_AHEAD: Final = 4
"""Messages read ahead before reading stops until someone takes them."""
_BEAT: Final = 30.0
"""Seconds between signs of life; whether there is any answer is looked at when a line is needed."""
_ANSWERED: Final = 5.0
"""Seconds for the answer to one."""
_GOODBYE: Final = 1.0
_STALE: Final = 10.0
"""Seconds for the beginning of an answer behind what is left of one that was refused."""
TOO_BIG: Final = 1009
_ENDED: Final = ("response.completed", "response.incomplete", "response.done")
_OVER: Final = frozenset({*_ENDED, "response.failed", "response.cancelled", "error"})
_WORDS: Final = tuple(f'"{word}"'.encode() for word in _OVER)
_OVERSIZE: Final = "The upstream sent one event that is too large."
_FAILED: Final = b'"response.failed"'
_NO_CODE: Final = 1006
_ASIDE: Final = b'"codex.'
"""Events that are no part of an answer; one may come before an error that refuses it."""


class Ended(Exception):
    """The line was closed before anything was answered."""

    def __init__(self, code: int) -> None:
        super().__init__(f"closed with {code}")
        self.code = code


class _Error(Hidden, Struct):
    type: Any = None
    status: Any = None
    status_code: Any = None
    headers: Any = None
    response: Raw = Raw(b"null")


class _Response(Struct):
    id: Any = None


_event: Final = msgspec.json.Decoder(_Error)
_response: Final = msgspec.json.Decoder(_Response)


class Said:
    """An answer that is here as a whole: a refusal."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status: Final = status
        self.headers: Final = {k.lower(): v for k, v in headers.items()}
        self.heard: Callable[[bytes], None] | None = None
        self.closed: Callable[[], None] | None = None
        self.spared = False
        self._body = body

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield the body."""
        yield await self.read()

    async def read(self, limit: int | None = None) -> bytes:
        """Return the body."""
        # Whoever listens hears it once, however often it is read.
        heard, self.heard = self.heard, None
        if heard is not None:
            heard(self._body)
        return self._body[:limit]

    def interrupt(self) -> None:
        """Nothing is waited for."""

    def close(self) -> None:
        """Say that nobody reads any more."""
        if self.closed is not None:
            self.closed()


class Line:
    """One open websocket."""

    def __init__(
        self, wire: ClientConnection, headers: dict[str, str], deadlines: Deadlines,
        reading: set[Answer],
    ) -> None:  # fmt: skip
        self._wire = wire
        self._deadlines = deadlines
        self._reading = reading
        self._heard = asyncio.get_running_loop().time()
        self._closing = False
        self._refused = False
        self.headers = headers
        """What the handshake was answered with; told with the first answer only."""
        self.last = ""
        """The response that it can go on from, by its id."""
        self.route = "", ""
        """Where it leads, and through which proxy."""
        self.aside: Callable[[bytes], None] | None = None
        """Hears events that are no part of an answer."""
        self.gone: Callable[[], None] | None = None
        """Hears that it is closed."""

    @property
    def open(self) -> bool:
        """Whether it is open, as far as is known."""
        return self._wire.state is State.OPEN and not self._closing

    async def alive(self) -> bool:
        """Tell whether it is open; after a long silence the other end is asked."""
        if not self.open:
            return False
        now = asyncio.get_running_loop().time()
        if now - self._heard < _BEAT:
            return True
        try:
            with self._deadlines.within(_ANSWERED):
                await (await self._wire.ping())
        except (TimeoutError, WebSocketException, OSError):
            return False
        self._heard = now
        return True

    async def ask(self, message: bytes, timeouts: Timeouts, *, keeps: bool) -> Answer:
        """Send a message and wait for the first event of its answer.

        `keeps`: what is asked next may lean on this answer. Raises `Ended` when the line was closed
        first or is of no use any more, and `UpstreamTimeout`.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeouts.total if timeouts.total else 0.0
        self.last = ""
        first: list[bytes] = []
        late = False
        try:
            with self._deadlines.within(left(timeouts.first, deadline, loop)):
                await self._wire.send(message, text=True)
                await self._begun(first)
                refused, self._refused = self._refused, False
                if refused and _is_failure(first[-1]):
                    # The end of what was refused before, told late.
                    late = True
                    del first[-1]
                    with self._deadlines.within(_STALE):
                        await self._begun(first)
        except TimeoutError:
            self.close()
            if late:
                # Or it was this answer's own: then it comes again.
                raise Ended(_NO_CODE) from None
            raise UpstreamTimeout(
                f"The upstream was silent for {timeouts.first:g} s; the request was given up."
            ) from None
        except ConnectionClosed as err:
            self.close()
            if _too_big(err):
                raise UpstreamBroken(_OVERSIZE) from None
            raise Ended(_code(err)) from None
        except BaseException:
            self.close()
            raise
        headers, self.headers = self.headers, {}
        self._heard = loop.time()
        if (refusal := _refusal(first[-1])) is not None:
            self._refused = True
            return refusal
        return _Events(self, first, timeouts, deadline, headers, keeps=keeps)

    async def _begun(self, first: list[bytes]) -> None:
        while not first or _is_aside(first[-1]):
            first.append(self._told(await self._wire.recv(decode=False)))

    async def next(self, wait: float | None) -> bytes:
        """Return the next message. Raises `TimeoutError` or `ConnectionClosed`."""
        with self._deadlines.within(wait):
            message = await self._wire.recv(decode=False)
        self._heard = asyncio.get_running_loop().time()
        return self._told(message)

    def _told(self, message: bytes) -> bytes:
        if self.aside is not None and _is_aside(message):
            self.aside(message)
        return message

    def enter(self, answer: Answer) -> None:
        """Note that an answer is being read."""
        self._reading.add(answer)

    def leave(self, answer: Answer) -> None:
        """Note that it is read no longer."""
        self._reading.discard(answer)

    def abort(self) -> None:
        """End the connection at once."""
        self._wire.transport.abort()

    def close(self) -> None:
        """Say goodbye, without waiting for it."""
        self.last = ""
        if self.open and not self._closing:
            spawn(self._goodbye(), name="upstream-websocket-goodbye")
        elif not self._closing:
            self._end()
        self._closing = True

    async def _goodbye(self) -> None:
        try:
            with self._deadlines.within(_GOODBYE):
                await self._wire.close()
        except TimeoutError:
            pass
        finally:
            # A stop of the program does not wait either.
            self._end()

    def _end(self) -> None:
        self.abort()
        if self.gone is not None:
            self.gone()


class _Events:
    """An answer that comes event by event."""

    status: Final = 200

    def __init__(
        self, line: Line, first: list[bytes], timeouts: Timeouts, deadline: float,
        headers: dict[str, str], *, keeps: bool,
    ) -> None:  # fmt: skip
        self._line = line
        self._first = first
        self._timeouts = timeouts
        self._deadline = deadline
        self._keeps = keeps
        self._over = False
        self._spoilt = False
        self._interrupted = False
        self.headers: Final = {**headers, "content-type": "text/event-stream"}
        self.heard: Callable[[bytes], None] | None = None
        self.closed: Callable[[], None] | None = None
        self.spared = False

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield the events, framed as in a stream over HTTP."""
        loop = asyncio.get_running_loop()
        wait = self._timeouts.idle
        self._line.enter(self)
        try:
            for message in self._first:
                yield self._framed(message)
            while not self._over:
                try:
                    message = await self._line.next(left(wait, self._deadline, loop))
                except TimeoutError as err:
                    self.close()
                    raise UpstreamTimeout(
                        f"The upstream was silent for {wait:g} s; the request was given up."
                    ) from err
                except ConnectionClosed as err:
                    self.close()
                    raise self._broken(err) from err
                yield self._framed(message)
        finally:
            self._line.leave(self)

    def _framed(self, message: bytes) -> bytes:
        kind = ""
        if any(word in message for word in _WORDS):
            event = _read(message)
            if event is not None and isinstance(event.type, str) and event.type in _OVER:
                kind, self._over = event.type, True
                # What is said behind an error belongs to no answer of this line.
                self._spoilt = kind not in _ENDED
                if self._keeps and kind in _ENDED:
                    self._line.last = _id(event)
        if b"\n" in message or b"\r" in message:
            message = b"\ndata: ".join(message.splitlines())
        named = b"event: error\n" if kind == "error" else b""
        frame = named + b"data: " + message + b"\n\n"
        if self.heard is not None:
            self.heard(frame)
        return frame

    def _broken(self, err: ConnectionClosed) -> UpstreamError:
        if self._interrupted:
            return UpstreamBroken(
                "The proxy was stopped before this answer was complete; ask again."
            )
        if _too_big(err):
            return UpstreamBroken(_OVERSIZE)
        return UpstreamBroken(
            f"The upstream closed its websocket in the middle of its answer ({_code(err)})."
        )

    async def read(self, limit: int | None = None) -> bytes:
        """Return the whole stream, cut after `limit` bytes."""
        parts: list[bytes] = []
        size = 0
        async with aclosing(self.chunks()) as chunks:
            async for chunk in chunks:
                parts.append(chunk)
                size += len(chunk)
                if limit is not None and size >= limit:
                    self.close()
                    break
        return b"".join(parts)

    def interrupt(self) -> None:
        """End the reading with an error, wherever it is."""
        self._interrupted = True
        self._line.abort()

    def close(self) -> None:
        """Let go of it; the line stays open only when the answer came to its proper end."""
        if not self._over or self._spoilt:
            self._line.close()
        if self.closed is not None:
            self.closed()


def _too_big(err: ConnectionClosed) -> bool:
    """Tell whether it was closed from here, over something too big to take."""
    return err.sent is not None and err.sent.code == TOO_BIG and not err.rcvd_then_sent


# ---- opening -------------------------------------------------------------------------------------
@lru_cache(maxsize=1)
def _connect() -> type[connect]:
    from websockets.asyncio.client import connect  # noqa: PLC0415  # few upstreams are asked so

    class Connect(connect):
        def process_redirect(self, exc: Exception) -> Exception | str:
            # It may lead anywhere.
            return exc

    return Connect


async def opened(
    request: HttpRequest, timeouts: Timeouts, via: Proxy | None, deadlines: Deadlines,
    reading: set[Answer],
) -> Line | Said:  # fmt: skip
    """Open a line; return the answer of who refuses. Raises `UpstreamUnreachable`."""
    url = request.url
    options: dict[str, Any] = {"ssl": _trusted()} if url.startswith("wss:") else {}
    try:
        with deadlines.within(timeouts.connect or timeouts.first or None):
            wire = await _connect()(
                url,
                additional_headers=dict(request.headers),
                user_agent_header=None,
                compression=None,
                proxy=_spelled(via),
                open_timeout=None,
                # While nobody reads, an answer to a ping is not read either.
                ping_interval=_BEAT,
                ping_timeout=None,
                close_timeout=_GOODBYE,
                max_size=MOST,
                max_queue=_AHEAD,
                logger=_silent(),
                **options,
            )
    except InvalidStatus as err:
        response = err.response
        return Said(
            response.status_code, dict(response.headers.raw_items()), bytes(response.body or b"")
        )
    except (TimeoutError, WebSocketException, OSError, ValueError, EOFError) as err:
        raise UpstreamUnreachable(
            f"No websocket to {redact.url(url)}: {type(err).__name__}."
        ) from err
    answered = wire.response
    headers = {} if answered is None else {k.lower(): v for k, v in answered.headers.raw_items()}
    return Line(wire, headers, deadlines, reading)


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    # Reading the certificates takes longer than the handshake.
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


@lru_cache(maxsize=1)
def _silent() -> logging.Logger:
    # It would write every header, credentials too.
    logger = logging.getLogger("cliproxy.upstream.websocket")
    logger.setLevel(logging.WARNING)
    return logger


def _spelled(via: Proxy | None) -> str | None:
    """Return a proxy as the library writes it."""
    if via is None or not via.remote_dns:
        return None if via is None else via.url
    scheme, _, rest = via.url.partition("://")
    return f"{scheme}{'h' if scheme == 'socks5' else 'a'}://{rest}"


# ---- messages ------------------------------------------------------------------------------------
def _read(message: bytes) -> _Error | None:
    try:
        return _event.decode(message)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _is_aside(message: bytes) -> bool:
    if _ASIDE not in message:
        return False
    event = _read(message)
    return event is not None and isinstance(event.type, str) and event.type.startswith("codex.")


def _is_failure(message: bytes) -> bool:
    if _FAILED not in message:
        return False
    event = _read(message)
    return event is not None and event.type == "response.failed"


def _refusal(message: bytes) -> Said | None:
    """Return an error that comes first, and has a status, as the answer that it is."""
    if b'"error"' not in message:
        return None
    event = _read(message)
    if event is None or event.type != "error":
        return None
    told = (event.status, event.status_code)
    status = next((n for n in told if isinstance(n, int) and 400 <= n <= 599), 0)
    if not status:
        return None
    headers = event.headers if isinstance(event.headers, dict) else {}
    plain = {k: str(v) for k, v in headers.items() if isinstance(v, str | int | float)}
    whole = json.loads_object(message) or {}
    # As it would be over HTTP: what is beside the error belongs to the event.
    inside = whole["error"] if "error" in whole else {k: whole.get(k) for k in ("code", "message")}
    return Said(status, plain, json.dumps({"error": inside}))


def _id(event: _Error) -> str:
    try:
        found = _response.decode(event.response).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return found if isinstance(found, str) else ""


def _code(err: ConnectionClosed) -> int:
    return _NO_CODE if err.rcvd is None else err.rcvd.code


def left(wait: float, deadline: float, loop: asyncio.AbstractEventLoop) -> float | None:
    """Return how long to wait; None = for ever."""
    if not deadline:
        return wait or None
    rest = max(0.0, deadline - loop.time())
    return min(wait, rest) if wait else rest

"""Sends an answer over a connection, and everything that can go wrong on the way.

What the answer says comes rendered; this module owns bytes and time.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Iterable
from typing import Any, Protocol

import brotli

from tests.sim import errors
from tests.sim.event import Event
from tests.sim.record import Recorded
from tests.sim.script import Events, Failure, Faults, Raw
from tests.sim.wire import Connection

Json = Any
CLOSERS = ("content_block_stop", "response.output_text.done")


class Rendered(Protocol):
    """An answer in one dialect."""

    def whole(self) -> Json: ...
    def events(self) -> list[Event]: ...
    def again(self, sent: int) -> Event: ...
    def so_far(self) -> Json: ...


class Over(Exception):
    """The answer ended the way its faults say; nothing more is to be sent."""


def dump(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


class Delivery:
    """One answer on its way to one client."""

    def __init__(
        self, connection: Connection, record: Recorded, faults: Faults, stopping: asyncio.Event
    ) -> None:
        self._connection = connection
        self._record = record
        self._faults = faults
        self._stopping = stopping
        self._coder = _coder(faults.encoding)
        self._left = faults.cut_bytes

    async def failure(self, failure: Failure) -> None:
        record = self._record
        record.answer = errors.body(record.dialect, failure)
        headers = errors.headers(record.dialect, failure)
        await self._body(failure.status, "application/json", [dump(record.answer)], headers)

    async def raw(self, raw: Raw) -> None:
        await self._body(raw.status, raw.content_type, raw.chunks(), [])

    async def literal(self, answer: Events) -> None:
        found = [
            Event(payload, payload.get("type", "") if self._named(payload) else "")
            for payload in answer.payloads
        ]
        await self._stream(found, status=answer.status)

    def _named(self, payload: Json) -> bool:
        named = self._record.dialect in ("anthropic", "openai-responses")
        return named and isinstance(payload, dict)

    async def whole(self, rendered: Rendered) -> None:
        self._record.answer = rendered.whole()
        await self._body(200, "application/json", [dump(self._record.answer)], [])

    async def streamed(self, rendered: Rendered) -> None:
        faults = self._faults
        found = rendered.events()
        if faults.drop:
            least = 2 if faults.drop == "done" else 1
            found = [event for event in found if event.ending < least]
        if faults.error is not None:
            response = rendered.so_far()
            dialect = self._record.dialect
            said = errors.events(dialect, faults.error, sent=faults.error_at, response=response)
            found = found[: faults.error_at] + said
        if not faults.endless:
            await self._stream(found)
            return
        ends = [i for i, event in enumerate(found) if event.ending or event.name in CLOSERS]
        await self._stream(found[: ends[0]] if ends else found, more=rendered)

    async def _head(
        self,
        status: int,
        content_type: str,
        extra: list[tuple[str, str]],
        *,
        length: int | None,
    ) -> None:
        faults = self._faults
        if faults.cut == "headers":
            await self._cut()
        if faults.hang == "headers":
            await self._silence()
        if faults.gate is not None and faults.gate_at == "headers":
            await self._connection.pause(None, faults.gate.opened(), self._stopping)
        if faults.delay:
            await self._connection.pause(faults.delay)
        headers = [("Content-Type", content_type), *extra, *faults.headers.items()]
        if faults.encoding:
            headers.append(("Content-Encoding", faults.encoding))
        id_name = "request-id" if self._record.dialect == "anthropic" else "x-request-id"
        if id_name not in [name.lower() for name, _ in headers]:
            headers.append((id_name, f"req_sim_{self._record.number}"))
        self._record.status = status
        plain = not (faults.encoding or faults.chunk or faults.until_close)
        await self._connection.start(
            status,
            headers,
            length=length if plain else None,
            until_close=faults.until_close,
        )

    async def _body(
        self,
        status: int,
        content_type: str,
        parts: list[bytes],
        extra: list[tuple[str, str]],
    ) -> None:
        total = sum(map(len, parts)) + len(self._faults.trailing)
        if self._faults.drip:
            await self._head(status, content_type, extra, length=None)
        else:
            await self._head(status, content_type, extra, length=total)
        if self._record.method == "HEAD":
            return
        await self._send(parts)
        await self._finish()

    async def _stream(
        self, events: list[Event], *, status: int = 200, more: Rendered | None = None
    ) -> None:
        record = self._record
        array = record.dialect == "gemini" and record.query.get("alt") != "sse"
        array = array and not self._faults.swap
        kind = "application/json" if array else "text/event-stream"
        extra = [("Cache-Control", "no-cache")]
        await self._head(status, f"{kind}; charset=utf-8", extra, length=None)
        frames = [
            self._element(event, n, len(events)) if array else self._frame(event, n)
            for n, event in enumerate(events)
        ]
        if self._faults.bom and frames:
            frames[0] = b"\xef\xbb\xbf" + frames[0]
        if self._faults.ragged and frames:
            frames[-1] = frames[-1].rstrip(b"\r\n")
        await self._send(frames)
        while more is not None:
            event = more.again(record.events)
            await self._one(self._frame(event, record.events))
            await asyncio.sleep(0)
        await self._finish()

    def _frame(self, event: Event, number: int) -> bytes:
        faults = self._faults
        if number == faults.bad_json_at:
            text = '{"broken":'
        elif isinstance(event.data, str):
            text = event.data
        elif faults.multiline:
            text = json.dumps(event.data, ensure_ascii=False, indent=2)
        else:
            text = dump(event.data).decode()
        colon = ":" if faults.tight else ": "
        lines = [": keep-alive", ""] if faults.comments else []
        if event.name:
            lines.append(f"event{colon}{event.name}")
        lines += [f"data{colon}{line}" for line in text.split("\n")]
        end = "\r\n" if faults.crlf else "\n"
        return (end.join(lines) + end + end).encode(errors="surrogatepass")

    def _element(self, event: Event, number: int, total: int) -> bytes:
        """Return one element of the JSON array that Gemini streams without `alt=sse`."""
        text = b'{"broken":' if number == self._faults.bad_json_at else dump(event.data)
        before = b"[" if number == 0 else b",\r\n"
        return before + text + (b"]" if number == total - 1 else b"")

    async def _send(self, frames: Iterable[bytes]) -> None:
        for number, frame in enumerate(frames):
            if number == 0 and self._faults.first_event_delay:
                await self._connection.pause(self._faults.first_event_delay)
            if number and self._faults.drip:
                await self._connection.pause(self._faults.drip)
            await self._one(frame)
        await self._places()

    async def _one(self, frame: bytes) -> None:
        await self._places()
        if self._coder is not None:
            frame = self._coder.part(frame)
        await self._put(frame)
        self._record.events += 1
        with self._record.changed:
            self._record.changed.notify_all()

    async def _places(self) -> None:
        """Do what the faults say at this place between two events."""
        faults, sent = self._faults, self._record.events
        if faults.gate is not None and faults.gate_at == sent:
            await self._connection.pause(None, faults.gate.opened(), self._stopping)
        if faults.cut == sent:
            await self._cut()
        if faults.hang == sent:
            await self._silence()

    async def _put(self, data: bytes) -> None:
        left = self._left
        if left is not None and left <= len(data):
            await self._connection.write(data[:left], piece=self._faults.chunk)
            await self._cut()
        if left is not None:
            self._left = left - len(data)
        await self._connection.write(data, piece=self._faults.chunk)

    async def _finish(self) -> None:
        await self._put(self._faults.trailing)
        if self._coder is not None:
            await self._put(self._coder.end())
        await self._connection.finish(until_close=self._faults.until_close)

    async def _cut(self) -> None:
        self._record.finished = True  # before the loss, which must not count as the client's
        await self._connection.cut(rst=self._faults.rst)
        raise Over

    async def _silence(self) -> None:
        await self._connection.pause(None, self._stopping)
        self._record.finished = True
        self._connection.transport.abort()
        raise Over


class Coder(Protocol):
    def part(self, data: bytes) -> bytes: ...
    def end(self) -> bytes: ...


class _Zlib:
    def __init__(self, bits: int) -> None:
        self._coder = zlib.compressobj(wbits=bits)

    def part(self, data: bytes) -> bytes:
        return self._coder.compress(data) + self._coder.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        return self._coder.flush()


class _Brotli:
    def __init__(self) -> None:
        self._coder = brotli.Compressor(quality=1)

    def part(self, data: bytes) -> bytes:
        done: bytes = self._coder.process(data) + self._coder.flush()
        return done

    def end(self) -> bytes:
        done: bytes = self._coder.finish()
        return done


def _coder(encoding: str) -> Coder | None:
    match encoding:
        case "gzip":
            return _Zlib(31)
        case "deflate":
            return _Zlib(15)
        case "br":
            return _Brotli()
        case _:
            return None

"""One HTTP/1.1 server connection with nothing hidden: exact bytes, resets, and early closes.

A web framework would tidy up what these tests are about: a response cut in mid-chunk, a reset
before the headers, a client that went away while nobody was writing. What to answer is not
decided here.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast
from urllib.parse import parse_qsl, unquote, urlsplit

from typing_extensions import override

MAX_HEAD = 1 << 20
LINGER_RESET = struct.pack("ii", 1, 0)


class ClientGone(Exception):
    """The client closed the connection before the answer was complete."""


class BadRequest(Exception):
    """What arrived is not HTTP/1.1."""


class Headers:
    """Header fields as they arrived: order, spelling and repetition kept."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self.fields = fields

    def all(self, name: str) -> list[str]:
        wanted = name.lower()
        return [value for key, value in self.fields if key.lower() == wanted]

    def get(self, name: str, default: str = "") -> str:
        """Return the first field of that name, whatever its case."""
        found = self.all(name)
        return found[0] if found else default

    def __getitem__(self, name: str) -> str:
        found = self.all(name)
        if not found:
            raise KeyError(name)
        return found[0]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.all(name))

    def names(self) -> list[str]:
        return [key.lower() for key, _ in self.fields]

    @override
    def __repr__(self) -> str:
        return f"Headers({self.fields!r})"


@dataclass(frozen=True)
class Arrived:
    """A request as read from the socket, the body still encoded."""

    method: str
    target: str
    path: str
    query: dict[str, str]
    headers: Headers
    body: bytes


Handler = Callable[["Connection", Arrived], Awaitable[None]]


class Connection(asyncio.Protocol):
    """Reads requests one after another and hands each to `handler`, which writes the answer."""

    def __init__(
        self, handler: Handler, *, opened: Callable[[Connection], None], number: int
    ) -> None:
        self._handler = handler
        self._opened = opened
        self.number = number
        self.lost = asyncio.Event()
        self.written = 0
        self.on_lost: Callable[[], None] | None = None
        self.on_written: Callable[[int], None] | None = None
        self._buffer = bytearray()
        self._arrived = asyncio.Event()
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._chunked = False
        self.websocket = False  # it was upgraded
        self.task: asyncio.Task[None] | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=1 << 16)
        self.task = asyncio.get_running_loop().create_task(self._serve())
        self._opened(self)

    @override
    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._arrived.set()

    @override
    def eof_received(self) -> bool:
        return False

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()
        self._arrived.set()
        self._may_write.set()
        if self.on_lost is not None:
            self.on_lost()

    @override
    def pause_writing(self) -> None:
        self._may_write.clear()

    @override
    def resume_writing(self) -> None:
        self._may_write.set()

    async def _serve(self) -> None:
        try:
            while (request := await self._read()) is not None:
                await self._handler(self, request)
                if request.headers.get("connection").lower() == "close":
                    break
        except (ClientGone, BadRequest):
            pass
        finally:
            self.on_lost = None
            self.transport.close()

    async def _more(self) -> None:
        if self.lost.is_set():
            raise ClientGone
        self._arrived.clear()
        await self._arrived.wait()

    async def _until(self, mark: bytes) -> bytes:
        while (end := self._buffer.find(mark)) < 0:
            if len(self._buffer) > MAX_HEAD:
                raise BadRequest
            await self._more()
        found = bytes(self._buffer[:end])
        del self._buffer[: end + len(mark)]
        return found

    async def _exactly(self, length: int) -> bytes:
        while len(self._buffer) < length:
            await self._more()
        found = bytes(self._buffer[:length])
        del self._buffer[:length]
        return found

    async def _read(self) -> Arrived | None:
        try:
            head = await self._until(b"\r\n\r\n")
        except ClientGone:
            return None
        lines = head.decode("latin-1").split("\r\n")
        try:
            method, target, version = lines[0].split(" ")
        except ValueError as err:
            raise BadRequest from err
        if not version.startswith("HTTP/1."):
            raise BadRequest
        fields = []
        for line in lines[1:]:
            name, _, value = line.partition(":")
            fields.append((name, value.strip()))
        headers = Headers(fields)
        if headers.get("expect").lower() == "100-continue":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in headers.get("transfer-encoding").lower():
            body = await self._read_chunks()
        else:
            body = await self._exactly(int(headers.get("content-length", "0")))
        url = urlsplit(target)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        return Arrived(method, target, unquote(url.path), query, headers, body)

    async def _read_chunks(self) -> bytes:
        found = bytearray()
        while True:
            size = int((await self._until(b"\r\n")).partition(b";")[0], 16)
            if size == 0:
                while await self._until(b"\r\n"):
                    pass
                return bytes(found)
            found += await self._exactly(size)
            await self._until(b"\r\n")

    async def start(
        self,
        status: int,
        headers: list[tuple[str, str]],
        *,
        length: int | None,
        until_close: bool = False,
    ) -> None:
        """Send the status line and headers; without a length the body is chunked."""
        self._chunked = length is None and not until_close
        if length is not None:
            headers = [*headers, ("Content-Length", str(length))]
        elif until_close:
            headers = [*headers, ("Connection", "close")]
        else:
            headers = [*headers, ("Transfer-Encoding", "chunked")]
        reason = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Odd"
        lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers)]
        await self._put(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    async def write(self, data: bytes, *, piece: int | None = None) -> None:
        """Send body bytes, `piece` bytes per chunk and per write; wait for a slow reader."""
        if not data:
            return
        step = piece or len(data)
        for begin in range(0, len(data), step):
            part = data[begin : begin + step]
            framed = b"%x\r\n%b\r\n" % (len(part), part) if self._chunked else part
            await self._put(framed)
            self.written += len(part)
            if self.on_written is not None:
                self.on_written(len(part))
            if piece:
                await asyncio.sleep(0)

    async def finish(self, *, until_close: bool = False) -> None:
        """End the body."""
        if self._chunked:
            await self._put(b"0\r\n\r\n")
        if until_close:
            self.transport.close()

    async def _put(self, data: bytes) -> None:
        if self.lost.is_set():
            raise ClientGone
        self.transport.write(data)
        if not self._may_write.is_set():
            await self._may_write.wait()
            if self.lost.is_set():
                raise ClientGone

    async def pause(self, seconds: float | None, *others: asyncio.Event) -> None:
        """Wait for the time, for ever with None, or for one of `others`; a lost client ends it."""
        waits = {asyncio.ensure_future(event.wait()) for event in (self.lost, *others)}
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if self.lost.is_set():
            raise ClientGone

    async def cut(self, *, rst: bool) -> None:
        """Drop the connection in the middle of what was said; what was said before arrives."""
        if not rst:
            self.transport.close()
            return
        self.transport.set_write_buffer_limits(high=0)  # calls pause_writing if anything is left
        if self.transport.get_write_buffer_size():
            await self._may_write.wait()
        found: socket.socket | None = self.transport.get_extra_info("socket")
        if found is not None:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
        self.transport.abort()

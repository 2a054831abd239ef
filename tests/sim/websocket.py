"""The Responses API on a websocket, as a simulated provider serves it: bare frames, and faults.

A message is a request like any other: it is recorded, answered from the same script and rendered
by the same dialect. What only this connection remembers is remembered here.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import struct
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tests.sim import errors, strict
from tests.sim.deliver import Delivery, Over, dump
from tests.sim.event import Event
from tests.sim.record import Recorded
from tests.sim.script import Answer, Events, Failure, Raw
from tests.sim.wire import Arrived, ClientGone, Connection

if TYPE_CHECKING:
    from tests.sim.server import Sim

Json = Any
MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


def frame(kind: int, data: bytes = b"") -> bytes:
    """Write one frame, as servers do: unmasked."""
    size = len(data)
    if size < 126:
        head = bytes([0x80 | kind, size])
    elif size < 1 << 16:
        head = bytes([0x80 | kind, 126]) + struct.pack("!H", size)
    else:
        head = bytes([0x80 | kind, 127]) + struct.pack("!Q", size)
    return head + data


def farewell(code: int, reason: str = "") -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason.encode())


def wanted(arrived: Arrived) -> bool:
    return arrived.headers.get("upgrade").lower() == "websocket"


class Spoken(Delivery):
    """An answer whose events are messages."""

    @override
    async def failure(self, failure: Failure) -> None:
        record = self._record
        record.answer = errors.body(record.dialect, failure)
        record.status = failure.status
        told = {"type": "error", "status": failure.status, **record.answer}
        if given := dict(errors.headers(record.dialect, failure)):
            told["headers"] = given
        await self._stream([Event(told, "error")], status=failure.status)

    @override
    async def raw(self, raw: Raw) -> None:
        """Say the body; of a refusal as an error."""
        await self._head(raw.status, "", [], length=None)
        parts = raw.chunks()
        if raw.status >= 400:
            told = json.loads(parts[0])
            error = told.get("error") or {"message": told.get("detail")}
            parts = [dump({"type": "error", "status": raw.status, "error": error})]
        await self._send([frame(TEXT, part) for part in parts])

    @override
    async def _head(self, status: int, content_type: str, extra: Any, *, length: Any) -> None:
        faults = self._faults
        if faults.cut == "headers":
            await self._cut()
        if faults.hang == "headers":
            await self._silence()
        if faults.gate is not None and faults.gate_at == "headers":
            await self._connection.pause(None, faults.gate.opened(), self._stopping)
        if faults.delay:
            await self._connection.pause(faults.delay)
        self._record.status = status

    @override
    def _frame(self, event: Event, number: int) -> bytes:
        if number == self._faults.bad_json_at:
            return frame(TEXT, b'{"broken":')
        data = event.data if isinstance(event.data, str) else None
        return frame(TEXT, data.encode() if data is not None else dump(event.data))

    @override
    async def _finish(self) -> None:
        return

    @override
    async def _cut(self) -> None:
        if not self._faults.close:
            await super()._cut()
        self._record.finished = True
        await self._connection.write(farewell(self._faults.close))
        self._connection.transport.close()
        raise Over


class Socket:
    """One open websocket."""

    def __init__(self, sim: Sim, connection: Connection, arrived: Arrived) -> None:
        self._sim = sim
        self._connection = connection
        self._arrived = arrived
        self._messages: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._last = ""
        self._items: list[Json] = []

    async def serve(self) -> None:
        """Shake hands, or refuse to; then answer message after message."""
        sim, connection, headers = self._sim, self._connection, self._arrived.headers
        record = sim._record(connection, self._arrived)
        sim.handshakes.append(record)
        refusal = sim._refusals.popleft() if sim._refusals else self._refusal(record)
        if refusal is not None:
            delivery = Delivery(connection, record, refusal, sim._stopping)
            if isinstance(refusal, Raw):
                await delivery.raw(refusal)
            else:
                await delivery.failure(refusal)
            record.finished = True
            return
        key = headers["sec-websocket-key"] + MAGIC
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
                 f"Sec-WebSocket-Accept: {accept}",
                 *(f"{k}: {v}" for k, v in sim.handshake_headers.items())]  # fmt: skip
        connection.websocket = True
        connection._chunked = False
        await connection.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        reading = asyncio.ensure_future(self._read())
        try:
            while (message := await self._messages.get()) is not None:
                await self._turn(message)
        finally:
            reading.cancel()

    def _refusal(self, record: Recorded) -> Failure | None:
        keys = self._sim.keys
        if keys and not (strict.presented(record) & keys):
            return strict.unauthorised(record)
        return self._sim.refused_handshake(record)

    async def _read(self) -> None:
        whole = b""
        try:
            while True:
                kind, final, data = await self._next()
                if kind == CLOSE:
                    await self._connection.write(frame(CLOSE, data[:2]))
                    self._connection.transport.close()
                elif kind == PING:
                    await self._connection.write(frame(PONG, data))
                elif kind != PONG:
                    whole += data
                    if final:
                        self._messages.put_nowait(whole)
                        whole = b""
        except ClientGone:
            self._messages.put_nowait(None)

    async def _next(self) -> tuple[int, bool, bytes]:
        take = self._connection._exactly
        first, second = await take(2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", await take(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await take(8))
        assert second & 0x80, "clients mask what they say"
        mask = await take(4)
        data = await take(size)
        long = (mask * (size // 4 + 1))[:size]
        plain = int.from_bytes(data) ^ int.from_bytes(long)
        return first & 0x0F, bool(first & 0x80), plain.to_bytes(size)

    async def _turn(self, message: bytes) -> None:
        headers = self._arrived.headers
        arrived = Arrived("POST", self._arrived.target, self._arrived.path, {}, headers, message)
        with self._sim.recorded(self._connection, arrived, over="websocket") as record:
            try:
                await self._answer(record)
            except Over:
                raise ClientGone from None

    def _faulty(self, record: Recorded) -> Any:
        """Return what the whole request would be refused with, that this message stands for."""
        body = record.body
        own = ("type", "previous_response_id")
        record.body = {k: v for k, v in body.items() if k not in own}
        if isinstance(body.get("input"), list):
            record.body["input"] = record.known
        try:
            return self._sim._refusal(record)
        finally:
            record.body = body

    async def _answer(self, record: Recorded) -> None:
        sim, body = self._sim, record.body
        record.stream = True
        assert isinstance(body, dict)
        given = body.get("input")
        new = given if isinstance(given, list) else [{"role": "user", "content": given}]
        previous, last = body.get("previous_response_id"), self._last
        # Whatever fails, nothing is left to go on from.
        self._last = ""
        reply: Any
        if body.get("type") != "response.create":
            reply = Failure(400, f"unsupported websocket request type: {body.get('type')}")
        elif previous and previous != last:
            reply = Failure(
                400,
                f"Previous response with id '{previous}' not found.",
                code="previous_response_not_found",
                param="previous_response_id",
            )
        else:
            record.known = [*(self._items if previous else ()), *new]
            reply = self._faulty(record) or sim._next(record)
        delivery = Spoken(self._connection, record, reply, sim._stopping)
        match reply:
            case Answer():
                rendered = sim.renderers[record.dialect](reply, record, sim.memory)
                await delivery.streamed(rendered)
                if reply.error is None and not reply.drop:
                    whole = rendered.whole()
                    self._last, self._items = whole["id"], [*record.known, *whole["output"]]
            case Failure():
                await delivery.failure(reply)
            case Raw():
                await delivery.raw(reply)
            case Events():
                await delivery.literal(reply)

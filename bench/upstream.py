"""A provider that costs next to nothing: canned answers in four dialects over raw HTTP/1.1.

The model's name says how it answers. `fast`: at once, a stream as one piece. `late`: the same
after 20 ms. `paced`: one event every 5 ms, stamped with the clock. `hold`: one event every
five seconds until the client goes away.

    python -m bench.upstream PORT
"""

from __future__ import annotations

import asyncio
import re
import sys
import time

import httptools
import uvloop

from bench import wire

MODEL = re.compile(rb'"model"\s*:\s*"bench-([a-z]+)')
STREAM = re.compile(rb'"stream"\s*:\s*true')

HEAD = b"HTTP/1.1 200 OK\r\nserver: bench\r\n"
SSE_HEAD = HEAD + (
    b"content-type: text/event-stream\r\ncache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
LAST_CHUNK = b"0\r\n\r\n"
NOT_FOUND = (
    b"HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
)


def chunked(data: bytes) -> bytes:
    """Frame data as one chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def sized(data: bytes) -> bytes:
    """Frame data as a complete answer."""
    return HEAD + b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(data) + data


WHOLE = {dialect: sized(wire.whole(dialect)) for dialect in wire.DIALECTS}
BURST = {
    (dialect, events): SSE_HEAD + chunked(wire.burst(dialect, events)) + LAST_CHUNK
    for dialect in wire.DIALECTS
    for events in (wire.EVENTS, wire.LATE_EVENTS)
}
STREAM_PARTS = {dialect: wire.stream(dialect) for dialect in wire.DIALECTS}


class Upstream(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        if self.timer is not None:
            self.timer.cancel()

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_begin(self) -> None:
        self.url = b""
        self.body = b""

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        url = self.url
        if url.endswith(b"/chat/completions"):
            dialect = "chat"
        elif b"/messages" in url:
            dialect = "anthropic"
        elif url.endswith(b"/responses"):
            dialect = "responses"
        elif b"enerateContent" in url:
            _, _, rest = url.partition(b"/models/bench-")
            self.answer("gemini", rest.partition(b":")[0], streamed=b":stream" in url)
            return
        else:
            self.transport.write(NOT_FOUND)
            return
        model = MODEL.search(self.body)
        profile = model[1] if model is not None else b"fast"
        self.answer(dialect, profile, streamed=STREAM.search(self.body) is not None)

    def answer(self, dialect: str, profile: bytes, *, streamed: bool) -> None:
        """Answer as the model's profile says."""
        if profile == b"late":
            whole = BURST[dialect, wire.LATE_EVENTS] if streamed else WHOLE[dialect]
            self.timer = self.loop.call_later(wire.LATE_SECONDS, self.transport.write, whole)
        elif not streamed:
            self.transport.write(WHOLE[dialect])
        elif profile == b"fast":
            self.transport.write(BURST[dialect, wire.EVENTS])
        elif profile == b"paced":
            self.start(dialect, wire.PACE_SECONDS, wire.EVENTS)
        else:
            self.start(dialect, wire.HOLD_SECONDS, -1)

    def start(self, dialect: str, pause: float, events: int) -> None:
        """Begin a stream that goes on by the clock; a negative number of events never ends."""
        parts = STREAM_PARTS[dialect]
        self.transport.write(SSE_HEAD + (chunked(parts.head) if parts.head else b""))
        sent: list[bytes] = []

        def go_on() -> None:
            nonlocal events
            if events == 0:
                self.transport.write(chunked(parts.tail(b"".join(sent))) + LAST_CHUNK)
                return
            events -= 1
            text = b"@%d@~" % time.monotonic_ns()
            if events >= 0:
                sent.append(text)
            self.transport.write(chunked(parts.delta(text)))
            self.timer = self.loop.call_later(pause, go_on)

        go_on()


async def main(port: int) -> None:
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Upstream, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))

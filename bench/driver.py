"""A load driver of raw protocols: closed loop to saturate, open loop to time, and held streams.

It looks at bodies only as far as a row needs: that the status is 200, that the end is the end,
when the first text came, and what the stamps in paced events say. It does not judge the text;
`probe` gives a whole body to those who do.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httptools

from bench import wire

TAIL = 2048
"""How much of a stream's end is kept to look for its terminal event."""


@dataclass(slots=True)
class Tally:
    """What a run of requests came to."""

    done: int = 0
    failed: int = 0
    why: str = ""
    seconds: float = 0.0
    first: list[float] = field(default_factory=list)
    """Seconds from sending to the first text of a stream, or to the end of a whole answer."""
    delays: list[float] = field(default_factory=list)
    """Seconds from the upstream's sending of a paced event to its arrival."""

    def fail(self, why: str) -> None:
        """Count a failure and keep the first reason."""
        self.failed += 1
        self.why = self.why or why


class Connection(asyncio.Protocol):
    """One keep-alive connection; `on_done` is called after every answer."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.on_done: Callable[[Connection], None] | None = None
        self.on_first: Callable[[], None] | None = None
        self.body: list[bytes] | None = None
        self.busy = False
        self.closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def connection_lost(self, _exc: Exception | None) -> None:
        if self.busy and not self.closing:
            self.busy = False
            self.job.tally.fail("the connection was closed before the answer ended")
            if self.on_done is not None:
                self.on_done(self)

    def send(self) -> None:
        """Send the job's request."""
        self.parser = httptools.HttpResponseParser(self)
        self.tail = b""
        self.first = 0.0
        self.busy = True
        self.sent = time.monotonic()
        self.transport.write(self.job.request)

    def close(self) -> None:
        """Close without counting what is under way."""
        self.closing = True
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.job.tally.fail(f"not HTTP: {error}")
            self.close()

    def on_body(self, data: bytes) -> None:
        if self.body is not None:
            self.body.append(data)
        if not self.job.streamed:
            return
        if not self.first and b"~" in data:
            self.first = time.monotonic()
            if self.on_first is not None:
                self.on_first()
        if self.job.stamped:
            now = time.monotonic_ns()
            delays = self.job.tally.delays
            for stamp in wire.STAMP.findall(data):
                delays.append((now - int(stamp)) / 1e9)
        self.tail = data if len(data) >= TAIL else (self.tail + data)[-TAIL:]

    def on_message_complete(self) -> None:
        self.busy = False
        tally = self.job.tally
        status = self.parser.get_status_code()
        if status != 200:
            tally.fail(f"status {status}")
        elif self.job.streamed and self.job.terminal not in self.tail:
            tally.fail("a stream ended without its last event")
        else:
            tally.done += 1
            tally.first.append((self.first or time.monotonic()) - self.sent)
        if self.on_done is not None:
            self.on_done(self)


class Job:
    """One kind of request to one server."""

    def __init__(
        self,
        port: int,
        request: wire.Request,
        dialect: str,
        *,
        streamed: bool,
        stamped: bool = False,
    ) -> None:
        lines = [f"POST {request.path} HTTP/1.1", f"host: 127.0.0.1:{port}"]
        lines += [f"{name}: {value}" for name, value in request.headers.items()]
        lines += [f"content-length: {len(request.body)}", "", ""]
        self.port = port
        self.request = "\r\n".join(lines).encode() + request.body
        self.dialect = dialect
        self.terminal = wire.TERMINAL[dialect]
        self.streamed = streamed
        self.stamped = stamped
        self.tally = Tally()

    async def connect(self) -> Connection:
        """Open a connection to the server."""
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: Connection(self), "127.0.0.1", self.port
        )
        return connection

    def restart(self) -> None:
        """Forget what was counted so far."""
        self.tally = Tally()


async def probe(job: Job) -> tuple[int, bytes]:
    """Send one request; give the status and the whole body."""
    connection = await job.connect()
    ended = asyncio.Event()
    connection.body = []
    connection.on_done = lambda _connection: ended.set()
    connection.send()
    try:
        async with asyncio.timeout(15):
            await ended.wait()
        return connection.parser.get_status_code(), b"".join(connection.body)
    finally:
        connection.close()


async def saturate(
    job: Job, *, connections: int, warm: float, seconds: float, window: Callable[[], None]
) -> Tally:
    """Keep every connection busy; count what ends inside the window, whose edges are announced."""
    running = True

    def again(connection: Connection) -> None:
        if running and not connection.transport.is_closing():
            connection.send()

    opened = [await job.connect() for _ in range(connections)]
    for connection in opened:
        connection.on_done = again
        connection.send()
    await asyncio.sleep(warm)
    job.restart()
    window()
    started = time.monotonic()
    await asyncio.sleep(seconds)
    tally = job.tally
    tally.seconds = time.monotonic() - started
    window()
    running = False
    job.restart()  # what still ends belongs to nobody
    for connection in opened:
        connection.close()
    await asyncio.sleep(0.05)
    return tally


async def at_rate(job: Job, *, rate: float, warm: float, seconds: float) -> Tally:
    """Send at a fixed rate whatever the answers do; a new connection when none is idle."""
    idle: list[Connection] = []
    opened: list[Connection] = []
    opening: set[asyncio.Task[None]] = set()

    def release(connection: Connection) -> None:
        if not connection.transport.is_closing():
            idle.append(connection)

    async def open_and_send() -> None:
        connection = await job.connect()
        connection.on_done = release
        opened.append(connection)
        connection.send()

    loop = asyncio.get_running_loop()
    started = loop.time()
    number = 0
    measuring = False
    while (passed := loop.time() - started) < warm + seconds:
        if not measuring and passed >= warm:
            job.restart()
            measuring = True
        if idle:
            idle.pop().send()
        else:
            task = loop.create_task(open_and_send())
            opening.add(task)
            task.add_done_callback(opening.discard)
        number += 1
        await asyncio.sleep(max(0.0, started + number / rate - loop.time()))
    tally = job.tally
    tally.seconds = seconds
    deadline = loop.time() + 5
    while any(c.busy for c in opened) and loop.time() < deadline:  # noqa: ASYNC110  # two owners
        await asyncio.sleep(0.01)
    late = sum(connection.busy for connection in opened)
    if late:
        tally.fail(f"{late} answers took more than five seconds")
    for connection in opened:
        connection.close()
    await asyncio.sleep(0.05)
    return tally


async def hold(jobs: list[Job], *, streams: int, patience: float) -> list[Connection]:
    """Open streams, spread over the jobs, until each has given its first text."""
    begun = 0
    everyone = asyncio.Event()

    def first() -> None:
        nonlocal begun
        begun += 1
        if begun == streams:
            everyone.set()

    opened: list[Connection] = []
    try:
        async with asyncio.timeout(patience):
            for number in range(streams):
                connection = await jobs[number % len(jobs)].connect()
                connection.on_first = first
                opened.append(connection)
                connection.send()
                if number % 50 == 49:  # a person's thousand users do not knock in one instant
                    await asyncio.sleep(0.02)
            await everyone.wait()
    except TimeoutError:
        for connection in opened:
            connection.close()
        why = next((job.tally.why for job in jobs if job.tally.why), "")
        raise RuntimeError(
            f"{begun} of {streams} streams began within {patience:.0f} s {why}"
        ) from None
    return opened

"""A simulated provider on a loopback port, serving all dialects and their envelopes.

Pictures are made by OpenAI's image API, or by the tool of the Responses API; films by xAI's.

    with Sim() as sim:
        sim.script(Answer("Hello"), Failure(429, retry_after=3))
        …  # point a client at sim.url
        assert sim.last.said == "Hi"

Paths are told by how they end, so any prefix works: `/v1`, `/openai/v1`, `/backend-api/codex`,
`/api/provider/claude/v1`. What nobody scripted is answered "You said: …".
"""

from __future__ import annotations

import asyncio
import re
import ssl as tls
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from tests.sim import (
    films,
    render_anthropic,
    render_chat,
    render_gemini,
    render_images,
    render_interactions,
    render_responses,
    strict,
    websocket,
)
from tests.sim.deliver import Delivery, Over, Rendered, dump
from tests.sim.event import Memory, asked_tokens
from tests.sim.models import listing, shown
from tests.sim.record import Recorded, decode, parse, parts
from tests.sim.script import Answer, Call, Events, Failure, Faults, Raw, Reply
from tests.sim.wire import Arrived, ClientGone, Connection

Json = Any
Responder = Callable[[Recorded], Reply | None]

MODELS = ("gpt-5", "claude-sonnet-4-5", "gemini-2.5-pro")
GEMINI = re.compile(r"/models/(.+?):(generateContent|streamGenerateContent|countTokens)$")
ENVELOPE = re.compile(r"/v1internal:(generateContent|streamGenerateContent|countTokens)$")
INTERACTION = re.compile(r"/interactions/[^/]+(/cancel)?$")
MODEL = re.compile(r"/models/([^:]+)$")
ENDINGS = (
    ("/chat/completions", "openai-chat", "generate"),
    ("/responses", "openai-responses", "generate"),
    ("/responses/input_tokens", "openai-responses", "count"),
    ("/responses/compact", "openai-responses", "generate"),
    ("/messages", "anthropic", "generate"),
    ("/messages/count_tokens", "anthropic", "count"),
    ("/images/generations", "openai-images", "generate"),
    ("/images/edits", "openai-image-edits", "generate"),
    ("/interactions", "interactions", "generate"),
)
RENDERERS: dict[str, Callable[[Answer, Recorded, Memory], Rendered]] = {
    "openai-chat": render_chat.Rendered,
    "openai-responses": render_responses.Rendered,
    "anthropic": render_anthropic.Rendered,
    "gemini": render_gemini.Rendered,
    "openai-images": render_images.Rendered,
    "openai-image-edits": render_images.Rendered,
    "interactions": render_interactions.Rendered,
}


def tool_loop(calls: Iterable[Call], final: str | Answer) -> Responder:
    """Answer with `calls` until the last turn brings results, then with `final`."""
    wanted = Answer(tools=tuple(calls))
    end = Answer(final) if isinstance(final, str) else final
    return lambda record: end if record.results else wanted


class Sim:
    """One simulated provider. Every attribute may be changed while it runs."""

    def __init__(
        self,
        *,
        strict: bool = False,
        keys: Collection[str] = (),
        models: Collection[str] = MODELS,
        ssl: tls.SSLContext | None = None,
    ) -> None:
        self.strict = strict  # refuse what the real API refuses
        self.keys = set(keys)  # accepted keys; none: everything is accepted
        self.models = list(models)
        self.only_models = False  # a model that is not listed is 404
        self.renderers = dict(RENDERERS)
        self.requests: list[Recorded] = []
        self.handshakes: list[Recorded] = []  # of websockets
        self.handshake_headers: dict[str, str] = {}
        self.memory = Memory()
        self.films = films.Films()
        self.url = ""
        self.connections = 0  # accepted so far
        self._ssl = ssl
        self._queue: deque[Reply | Responder] = deque()
        self._changed = threading.Condition()
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._live: set[Connection] = set()
        self._refusals: deque[Failure | Raw] = deque()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, name="sim", daemon=True)
        self._thread.start()
        assert self._ready.wait(10), "the simulator did not start"
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)
        assert not self._thread.is_alive(), "the simulator did not stop"

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as err:  # handed to the test
            self._failure = err
        finally:
            self._ready.set()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        server = await self._loop.create_server(
            self._connection, "127.0.0.1", 0, ssl=self._ssl, backlog=1024
        )
        port = server.sockets[0].getsockname()[1]
        self.url = f"{'https' if self._ssl else 'http'}://127.0.0.1:{port}"
        self._ready.set()
        await self._stopping.wait()
        server.close()
        for _ in range(5):  # what was accepted already becomes a connection first
            await asyncio.sleep(0)
        tasks = [live.task for live in self._live if live.task is not None]
        for live in list(self._live):
            live.transport.abort()
        if tasks:
            await asyncio.wait(tasks, timeout=5)
        await asyncio.sleep(0)  # connection_lost of the aborted transports

    def _connection(self) -> Connection:
        self.connections += 1
        return Connection(self._answer, opened=self._opened, number=self.connections)

    def _opened(self, connection: Connection) -> None:
        self._live.add(connection)
        assert connection.task is not None
        connection.task.add_done_callback(lambda _: self._left(connection))

    def _left(self, connection: Connection) -> None:
        self._live.discard(connection)
        with self._changed:
            self._changed.notify_all()

    def script(self, *answers: Reply | Responder) -> Self:
        """Queue answers. A callable stays at the head of the queue and answers from then on."""
        with self._changed:
            self._queue.extend(answers)
        return self

    def refuse(self, *answers: Failure | Raw) -> Self:
        """Answer the next handshakes of websockets with these."""
        self._refusals.extend(answers)
        return self

    def refused_handshake(self, record: Recorded) -> Failure | None:
        """Return what a handshake is refused with, for good."""

    def hang_up(self, code: int = 1000) -> None:
        """Close every websocket."""

        async def closed() -> None:
            for live in [live for live in self._live if live.websocket]:
                await live.write(websocket.farewell(code))
                live.transport.close()

        asyncio.run_coroutine_threadsafe(closed(), self._loop).result(5)

    @property
    def websockets(self) -> int:
        """Return how many websockets are open."""
        return sum(live.websocket for live in self._live)

    def wait_websockets(self, count: int, timeout: float = 20) -> None:
        """Wait until so many websockets are open."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.websockets == count, timeout), (
                f"{self.websockets} websockets open after {timeout} s"
            )

    def reset(self) -> None:
        """Forget scripts, requests and everything issued."""
        with self._changed:
            self._queue.clear()
            self.requests.clear()
            self.memory = Memory()
            self.films = films.Films()
            self.strict = self.only_models = False
            self.keys = set()
            self.models = list(MODELS)

    @property
    def last(self) -> Recorded:
        return self.requests[-1]

    @property
    def pending(self) -> int:
        """Return how many queued answers nobody has asked for."""
        return len(self._queue)

    @property
    def open_connections(self) -> int:
        return len(self._live)

    def wait_requests(self, count: int, timeout: float = 20) -> list[Recorded]:
        """Wait until so many requests have arrived."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.requests) >= count, timeout), (
                f"{len(self.requests)} of {count} requests within {timeout} s"
            )
        return list(self.requests)

    def wait_closed(self, timeout: float = 20, index: int = -1) -> Recorded:
        """Wait until the client has left a request before its answer was complete."""
        if not self.requests:
            self.wait_requests(1, timeout)
        return self.requests[index].wait_closed(timeout)

    def wait_idle(self, timeout: float = 20) -> None:
        """Wait until no request is being answered; raise what went wrong in a script."""
        for record in list(self.requests):
            record.wait_over(timeout)

    def wait_disconnected(self, timeout: float = 20) -> None:
        """Wait until no client holds a connection."""
        with self._changed:
            assert self._changed.wait_for(lambda: not self._live, timeout), (
                f"{len(self._live)} connections open after {timeout} s"
            )

    async def _answer(self, connection: Connection, arrived: Arrived) -> None:
        if websocket.wanted(arrived):
            await websocket.Socket(self, connection, arrived).serve()
            return
        with self.recorded(connection, arrived) as record:
            try:
                await self._reply(connection, record)
            except Over:
                raise ClientGone from None
            except ClientGone:
                raise
            except Exception as err:
                record.failure = err
                failure = Failure(599, f"the simulator failed: {err!r}")
                await Delivery(connection, record, failure, self._stopping).failure(failure)

    @contextmanager
    def recorded(
        self, connection: Connection, arrived: Arrived, over: str = "http"
    ) -> Iterator[Recorded]:
        """Record a request for as long as it is answered."""
        record = self._record(connection, arrived)
        record.over = over

        def lost() -> None:
            if not record.finished:
                record.closed_early = True
                record.closed_at = asyncio.get_running_loop().time()
            notify(record)

        def written(count: int) -> None:
            record.written += count
            notify(record)

        connection.on_lost, connection.on_written = lost, written
        with self._changed:
            self.requests.append(record)
            self._changed.notify_all()
        try:
            yield record
        except ClientGone:
            raise
        except Exception as err:
            record.failure = err
            raise
        finally:
            if not connection.lost.is_set():
                record.finished = True
            connection.on_lost = connection.on_written = None
            notify(record)

    def _record(self, connection: Connection, arrived: Arrived) -> Recorded:
        try:
            content = decode(arrived.headers, arrived.body)
        except Exception:  # an encoding we do not know, or broken: not JSON either way
            content = arrived.body
        record = Recorded(
            number=len(self.requests),
            connection=connection.number,
            method=arrived.method,
            path=arrived.path,
            target=arrived.target,
            query=arrived.query,
            headers=arrived.headers,
            raw=arrived.body,
            content=content,
            body=parse(content),
        )
        record.form = parts(arrived.headers, content)
        if record.form is not None:
            record.body = {name: data.decode() for name, file, data in record.form if file is None}
        _classify(record)
        return record

    async def _reply(self, connection: Connection, record: Recorded) -> None:
        reply = self._refusal(record) or self._next(record)
        faults: Faults = Faults() if isinstance(reply, dict) else reply
        delivery = Delivery(connection, record, faults, self._stopping)
        match reply:
            case Answer():
                rendered = self.renderers[record.dialect](reply, record, self.memory)
                if record.stream != reply.swap:
                    await delivery.streamed(rendered)
                else:
                    await delivery.whole(rendered)
            case Failure():
                await delivery.failure(reply)
            case Raw():
                await delivery.raw(reply)
            case Events():
                await delivery.literal(reply)
            case _:
                record.answer = reply
                await delivery.raw(Raw(body=dump(reply)))

    def _refusal(self, record: Recorded) -> Failure | None:
        """Return what is refused before anything is answered: path, key, model, form."""
        asked = record.endpoint in ("models", "stored", "film", "film file")
        if record.method in ("GET", "HEAD") and not asked:
            return Failure(404, f"Invalid URL ({record.method} {record.path})")
        if not record.endpoint:
            return Failure(404, f"Invalid URL ({record.method} {record.path})")
        if record.endpoint == "film file":
            return None
        if self.keys and not (strict.presented(record) & self.keys):
            return strict.unauthorised(record)
        if asked:
            return None
        if not isinstance(record.body, dict):
            return Failure(400, "We could not parse the JSON body of your request.")
        if self.only_models and record.model not in self.models:
            return strict.unknown_model(record)
        return strict.refusal(record, self.memory) if self.strict else None

    def _next(self, record: Recorded) -> Reply | dict[str, Json]:
        if record.endpoint == "models":
            return self._models(record)
        if record.endpoint == "count":
            return _counted(record)
        if record.endpoint == "film file":
            return films.file()
        with self._changed:
            head = self._queue[0] if self._queue else None
            if head is not None and not callable(head):
                self._queue.popleft()
        reply = head(record) if callable(head) else head
        if reply is not None:
            return reply
        if record.endpoint == "film":
            return self.films.ask(record, self.url)
        if record.endpoint == "films":
            return self.films.begin(record)
        drawn = record.dialect in render_images.KINDS
        return Answer() if drawn else Answer(f"You said: {record.said}")

    def _models(self, record: Recorded) -> Failure | dict[str, Json]:
        if found := MODEL.search(record.path):
            name = found[1].removeprefix("models/")
            record.model = name
            if name not in self.models:
                return strict.unknown_model(record)
            return shown(record.dialect, name)
        return listing(record.dialect, self.models)


def notify(record: Recorded) -> None:
    with record.changed:
        record.changed.notify_all()


def _classify(record: Recorded) -> None:
    """Tell dialect, endpoint, model and stream from the path and the body."""
    body = record.body if isinstance(record.body, dict) else {}
    headers = record.headers
    if found := GEMINI.search(record.path) or ENVELOPE.search(record.path):
        method = found[found.lastindex or 1]
        record.dialect = "gemini"
        record.envelope = ENVELOPE.search(record.path) is not None
        record.endpoint = "count" if method == "countTokens" else "generate"
        record.stream = method == "streamGenerateContent"
        named = body.get("model") if record.envelope else found[1]
        record.model = str(named or "").removeprefix("models/")
        return
    if INTERACTION.search(record.path):
        record.dialect, record.endpoint = "interactions", "stored"
        return
    for ending, dialect, endpoint in ENDINGS:
        if record.path.endswith(ending):
            record.dialect, record.endpoint = dialect, endpoint
            model = str(body.get("model") or body.get("agent") or "")
            record.model = model.removeprefix("models/")
            record.stream = body.get("stream") in (True, "true")
            return
    if record.method == "POST" and films.BEGIN.search(record.path):
        record.dialect, record.endpoint = "xai-videos", "films"
        record.model = str(body.get("model") or "")
        return
    if record.method == "GET" and (record.path == films.FILE or films.ASK.search(record.path)):
        record.dialect = "xai-videos"
        record.endpoint = "film file" if record.path == films.FILE else "film"
        return
    if "/v1beta" in record.path or "x-goog-api-key" in headers:
        record.dialect = "gemini"
    elif "anthropic-version" in headers:
        record.dialect = "anthropic"
    else:
        record.dialect = "openai-chat"
    known = record.path.endswith("/models") or MODEL.search(record.path)
    if record.method == "GET" and known:
        record.endpoint = "models"


def _counted(record: Recorded) -> dict[str, Json]:
    if record.dialect == "gemini" and (inner := record.request.get("generateContentRequest")):
        record.body = inner
    total = asked_tokens(record)
    match record.dialect:
        case "gemini":
            details = [{"modality": "TEXT", "tokenCount": total}]
            return {"totalTokens": total, "promptTokensDetails": details}
        case "anthropic":
            return {"input_tokens": total}
        case _:
            return {"object": "response.input_tokens", "input_tokens": total}

"""One turn of a websocket: a message in, the events of its answer out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from math import ceil
from typing import Final, Protocol

import msgspec
from msgspec import Raw, Struct

from cliproxy import dialects
from cliproxy.base import ids, json
from cliproxy.base.clock import Clock
from cliproxy.base.errors import GatewayError, RateLimited, UpstreamBroken
from cliproxy.base.json import Obj
from cliproxy.dialects.sse import SseDecoder
from cliproxy.ir.events import End, Finish, Start, Usage
from cliproxy.ir.usage import IRUsage
from cliproxy.observe.request_log import Entry, RequestLog
from cliproxy.pipeline import continuing
from cliproxy.pipeline.context import Request
from cliproxy.pipeline.gateway import Gateway
from cliproxy.pipeline.kept import gone
from cliproxy.pipeline.lines import Lines
from cliproxy.pipeline.run import run
from cliproxy.server.access import Access
from cliproxy.server.accounting import LEFT, Accounting, Asked
from cliproxy.server.asking import outcome, read_request
from cliproxy.server.bodies import ClientGone, too_large
from cliproxy.server.respond import OVERLOADED
from cliproxy.server.transcript import Transcript

DIALECT: Final = "openai-responses"
_ITEM: Final = "response.output_item.done"
_TERMINAL: Final = ("response.completed", "response.incomplete")
_WORDS: Final = tuple(word.encode() for word in (_ITEM, *_TERMINAL))
_ANNOUNCED: Final = (b'"response.created"', b'"response.completed"')

Say = Callable[[bytes], Awaitable[None]]


class Generation(Protocol):
    """What one configuration says of how to answer."""

    @property
    def gateway(self) -> Gateway: ...  # noqa: D102
    @property
    def access(self) -> Access: ...  # noqa: D102
    @property
    def request_log(self) -> RequestLog | None: ...  # noqa: D102
    @property
    def max_body(self) -> int: ...  # noqa: D102


class Books(Protocol):
    """Where a turn is noted."""

    accounting: Accounting
    clock: Clock


async def take(
    generation: Generation,
    books: Books,
    asked: Asked,
    message: bytes | None,
    *,
    query: dict[str, str],
    transcript: Transcript,
    lines: Lines,
    entry: Entry | None,
    say: Say,
) -> str:
    """Answer a message; return what the log says of it. Raises `GatewayError` or `ClientGone`.

    `message` is None for one that came when too many were waiting.
    """
    gateway = generation.gateway
    request: Request | None = None
    heard = Heard()

    def over(status: int, error: str = "") -> None:
        books.accounting.over(
            asked,
            request,
            lambda: gateway.registry.accounts,
            now=books.clock.monotonic(),
            status=status,
            error=error,
        )

    def kept(response_id: str) -> bool:
        store = gateway.responses
        return store is not None and store.response(asked.client.mark, response_id) is not None

    async def tell(data: bytes) -> None:
        heard.hear(data)
        if entry is not None:
            entry.answer.add(data + b"\n")
        await say(data)

    try:
        if message is None:
            raise RateLimited(  # noqa: TRY301  # noted below like every other refusal
                "Too many messages wait on this websocket; send the next one after an answer.",
                code="too_many_messages",
            )
        if len(message) > generation.max_body:
            raise too_large(generation.max_body)  # noqa: TRY301  # likewise
        turn = transcript.read(message, kept)
        reading = read_request(asked, query, turn.body)
        reading.pinged, reading.entry, reading.connection = True, entry, transcript.id
        reading.lines, reading.short, reading.previous = lines, turn.short, turn.previous
        if not turn.generate:
            for data in warm_up(gateway, reading, now=asked.at):
                await tell(data)
        else:
            request = reading
            books.accounting.begin(asked, request)
            await _answer(gateway, request, tell)
    except GatewayError as err:
        over(err.status, err.message)
        raise
    except BaseException as err:
        left = isinstance(err, asyncio.CancelledError | ClientGone)
        if left and heard.ended and request is not None:
            # A client may go as soon as it knows the end.
            over(200)
        else:
            over(LEFT if left else 500, type(err).__name__)
        raise
    if heard.ended:
        # A reference in the request may stand for what only the store knows.
        known = reading.continued
        before = known.body["input"] if known is not None and not known.only else None
        transcript.answered(turn, before, heard.response_id, heard.output)
        lines.answered(heard.response_id)
    if request is None:
        return "warmed up"
    over(200)
    return outcome(request, asked.route)


async def _answer(gateway: Gateway, request: Request, tell: Say) -> None:
    reply = await run(gateway, request)
    if reply.chunks is None:
        raise UpstreamBroken("The upstream's answer is no stream.")
    decoder = SseDecoder()
    once = OneEnd()
    async with aclosing(reply.chunks) as chunks:
        async for chunk in chunks:
            for frame in decoder.feed(chunk):
                for data in once.feed(frame.data):
                    await tell(data)
        for frame in decoder.close():
            for data in once.feed(frame.data):
                await tell(data)
        for data in once.close():
            await tell(data)


def warm_up(gateway: Gateway, request: Request, *, now: float) -> list[bytes]:
    """Return the events of an answer that nobody is asked for. Raises a `GatewayError`."""
    gateway.registry.resolve(
        request.model, provider=request.pin_provider, account=request.pin_account
    )
    continuing.continue_from(gateway, request)
    previous = request.peeked.previous_response_id if request.peeked is not None else None
    continued = request.continued
    if previous is not None and (continued is None or continued.only):
        raise gone(str(previous))
    writer = request.dialect.writer(request.ir())
    start = Start(ids.with_prefix("resp_prewarm_"), request.model, int(now))
    nothing = Usage(IRUsage(input_total=0, output_total=0))
    frames = SseDecoder().feed(writer.feed([start, nothing, Finish("stop"), End()]))
    return [frame.data for frame in frames if any(word in frame.data for word in _ANNOUNCED)]


class _Event(Struct):
    type: str = ""
    item: Raw = Raw(b"null")
    response: Raw = Raw(b"null")


class _Response(Struct):
    id: str = ""
    output: list[Raw] = []


_event: Final = msgspec.json.Decoder(_Event)
_response: Final = msgspec.json.Decoder(_Response)


class OneEnd:
    """Lets one event alone tell that an answer failed.

    In a stream of its own an error and a failed response may stand one after the other. Here a
    client that took the first for the end would take the second for its next answer.
    """

    def __init__(self) -> None:
        self._error: bytes | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """Take what an event of a stream says; return what is to be sent now."""
        if data[:1] != b"{":
            # No event: some hosts end their streams with a word.
            return []
        kind = _type(data) if self._error is not None or b'"error"' in data else ""
        held = self.close() if kind != "response.failed" else []
        self._error = None
        if kind == "error":
            self._error = data
            return held
        return [*held, data]

    def close(self) -> list[bytes]:
        """Return what is left when the stream is over."""
        held, self._error = self._error, None
        return [] if held is None else [held]


def _type(data: bytes) -> str:
    try:
        return _event.decode(data).type
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


class Heard:
    """What a conversation goes on from, picked out of the events of an answer."""

    def __init__(self) -> None:
        self.ended = False
        """The answer came to an end that is none of failure."""
        self.response_id = ""
        self.output: list[bytes] = []

    def hear(self, data: bytes) -> None:
        """Take one event."""
        if not any(word in data for word in _WORDS):
            return
        try:
            event = _event.decode(data)
            if event.type == _ITEM:
                self.output.append(bytes(event.item))
            elif event.type in _TERMINAL:
                response = _response.decode(event.response)
                self.ended, self.response_id = True, response.id
                if response.output:
                    # Some upstreams leave the list empty.
                    self.output = [bytes(item) for item in response.output]
        except (msgspec.DecodeError, UnicodeDecodeError):
            # The client may read it otherwise.
            return


def error_message(err: GatewayError) -> bytes:
    """Write an error as an event: what it says is said as over HTTP."""
    status = 503 if err.status == OVERLOADED else err.status
    headers = {name.lower(): value for name, value in err.headers.items()}
    if err.retry_after is not None:
        headers["retry-after"] = str(max(0, ceil(err.retry_after)))
    body = json.loads_object(dialects.get(DIALECT).error(err)) or {}
    found = body.get("error")
    inner: Obj = found if isinstance(found, dict) else body
    told: Obj = {"type": "error", "status": status, "error": inner, "sequence_number": 0}
    if headers:
        # Codex looks for them beside the error, the types of OpenAI's SDKs have them in it.
        told |= {"headers": headers, "error": {**inner, "headers": headers}}
    return json.dumps(told)

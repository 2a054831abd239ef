"""From an upstream's answer to the client's reply: verbatim bytes, or events read and written."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final, TypeVar

from msgspec import structs

from cliproxy import providers
from cliproxy.base.errors import GatewayError, UpstreamRefused
from cliproxy.dialects import Writer
from cliproxy.dialects.sse import looks_like_json
from cliproxy.ir.events import End, Error, Event, Start
from cliproxy.ir.fold import fold, to_exception
from cliproxy.pipeline import continuing, failures, unasked
from cliproxy.pipeline.calls import Prepared
from cliproxy.pipeline.commit import Watch
from cliproxy.pipeline.context import Reply, Request
from cliproxy.pipeline.gateway import Gateway
from cliproxy.pipeline.ledger import WITHOUT, Listener, hear_whole
from cliproxy.pipeline.meter import Meter, Tap, usage_of
from cliproxy.pipeline.passthrough import Passthrough, counts_inside
from cliproxy.pipeline.patient import Patient, kept_alive
from cliproxy.pipeline.upstream import ERROR_LIMIT, Source, not_the_protocol
from cliproxy.pipeline.withheld import clean, secrets_in
from cliproxy.routing.cooldown import about_limits
from cliproxy.routing.resolve import Candidate
from cliproxy.transport.answer import Answer

SSE: Final = "text/event-stream"
JSON: Final = "application/json"
_T = TypeVar("_T")


async def whole(
    gateway: Gateway,
    request: Request,
    candidate: Candidate,
    call: Prepared,
    response: Answer,
) -> Reply:
    """Read a whole answer. Raises a `GatewayError` when it is none."""
    meter = request.meter
    meter.begin(call.dialect.id)
    body = await response.read()
    if call.verbatim and looks_like_json(body[:64]) and (counts := counts_inside(body)) is not None:
        meter.usage = usage_of(call.dialect.id, counts)
        if call.renamed is not None:
            body = call.renamed(body)
        if request.kept:
            continuing.keep_whole(gateway, request, body, _keeper(candidate))
        return Reply(200, JSON, body)
    if not body or not (looks_like_json(body[:64]) or _is_sse(body)):
        raise not_the_protocol(body)
    source = Source(call.dialect, call.caps, call.restore, checked=gateway.settings.checked)
    events = source.whole(body)
    if request.kept:
        events = _anonymous(events)
    answer = fold(events)
    meter.usage = answer.usage
    if request.dialect_id in WITHOUT:
        hear_whole(gateway.ledger, request.client, answer)
    rendered = request.dialect.render(answer, request.ir())
    if request.kept:
        continuing.keep_whole(gateway, request, rendered, "")
    return Reply(200, JSON, rendered)


async def stream(
    gateway: Gateway,
    request: Request,
    candidate: Candidate,
    call: Prepared,
    response: Answer,
) -> Reply:
    """Read a stream up to its commit point. Raises a `GatewayError` when it fails before that."""
    settings = gateway.settings
    meter = request.meter
    meter.begin(call.dialect.id)
    watch = Watch(settings.commit, gateway.clock)

    def secrets() -> set[str]:
        return secrets_in(call.http, settings.proxy_url)

    def failed(error: GatewayError) -> None:
        # Too late for this client; not for those who come next.
        clean(error, secrets())
        if request.lines is not None:
            request.lines.failed(candidate.account.id, error.status)
        attempt = request.attempts[-1]
        if attempt.reason == "failed_in_stream":
            # An upstream that says what is wrong often leaves out the proper end, too.
            return
        attempt.message, attempt.reason = error.message, "failed_in_stream"
        if isinstance(error, UpstreamRefused):
            error = call.provider.judge(error, gateway.clock.now())
        if about_limits(error):
            gateway.pool.report(candidate, error)
        failures.tell(gateway, candidate, error, retryable=False)

    keeper = ""
    if call.verbatim and _is_event_stream(response):
        meter.tap = tap = Tap(call.dialect.id)
        passing = Passthrough(
            call.dialect,
            call.caps,
            request.framing,
            watch,
            failed,
            tap=tap,
            secrets=secrets,
            hide=unasked.hide if call.unasked else None,
            ended=meter.end,
        )
        bytes_held, rest = await _held(passing.stream(response), watch)
        chunks = _resumed(bytes_held, rest)
        if call.renamed is not None:
            chunks = _each(chunks, call.renamed)
        keeper = _keeper(candidate)
    else:
        chunks = await _translated(
            gateway, request, call, response, watch=watch, failed=failed, secrets=secrets
        )
    # All that was awaited is what the client sees first.
    meter.first_token_at = gateway.clock.monotonic()
    if request.kept:
        chunks = continuing.keep_stream(gateway, request, chunks, keeper)
    if settings.keepalive and not request.pinged:
        chunks = kept_alive(chunks, settings.keepalive, request.framing)
    return Reply(200, JSON if request.framing == "array" else SSE, chunks=chunks)


async def counted(request: Request, call: Prepared, response: Answer) -> Reply:
    """Read a token count."""
    body = await response.read()
    if call.verbatim:
        call.dialect.read_count(body)
        return Reply(200, JSON, body)
    return Reply(200, JSON, request.dialect.render_count(call.dialect.read_count(body)))


async def of_job(response: Answer) -> Reply:
    """Read what is said of a job, which may be that it failed."""
    body = await response.read()
    if not looks_like_json(body[:64]):
        raise not_the_protocol(body)
    return Reply(response.status, JSON, body)


async def _translated(
    gateway: Gateway,
    request: Request,
    call: Prepared,
    response: Answer,
    *,
    watch: Watch,
    failed: Callable[[GatewayError], None],
    secrets: Callable[[], set[str]],
) -> AsyncGenerator[bytes, None]:
    if _is_html(response):
        raise not_the_protocol(await response.read(ERROR_LIMIT))
    meter = request.meter
    meter.tap = tap = Tap(call.dialect.id)
    source = Source(
        call.dialect,
        call.caps,
        call.restore,
        checked=gateway.settings.checked,
        tap=tap,
        secrets=secrets,
    )
    batches, rest = await _held(source.stream(response), watch, watch.see)
    pending = [event for batch in batches for event in batch]
    if request.dialect_id in WITHOUT:
        listener = Listener(gateway.ledger, request.client)
        listener.hear(pending)
        rest = _each(rest, listener.hear)
    if request.kept:
        pending = _anonymous(pending)
    writer = request.dialect.writer(request.ir(), request.framing)
    return _written(writer, pending, rest, failed, meter)


async def _held(
    source: AsyncGenerator[_T, None],
    watch: Watch,
    see: Callable[[_T], object] | None = None,
) -> tuple[list[_T], AsyncGenerator[_T, None]]:
    """Return what came up to the commit point, and what is still to come."""
    patient = Patient(source)
    held: list[_T] = []
    try:
        while not watch.committed:
            try:
                item = await patient.next(watch.left())
            except StopAsyncIteration:
                break
            if item is None:
                break
            held.append(item)
            if see is not None:
                see(item)
    except BaseException:
        await patient.aclose()
        raise
    watch.committed = True
    return held, patient.rest()


async def _resumed(
    held: list[bytes], rest: AsyncGenerator[bytes, None]
) -> AsyncGenerator[bytes, None]:
    async with aclosing(rest):
        if held:
            yield held[0] if len(held) == 1 else b"".join(held)
        async for chunk in rest:
            yield chunk


async def _each(
    items: AsyncGenerator[_T, None], change: Callable[[_T], _T]
) -> AsyncGenerator[_T, None]:
    async with aclosing(items):
        async for item in items:
            yield change(item)


async def _written(
    writer: Writer,
    pending: list[Event],
    events: AsyncGenerator[list[Event], None],
    failed: Callable[[GatewayError], None],
    meter: Meter,
) -> AsyncGenerator[bytes, None]:
    async with aclosing(events):
        meter.hear(pending)
        if pending and isinstance(pending[-1], Error):
            failed(to_exception(pending[-1]))
        if data := writer.feed(pending):
            yield data
        if pending and isinstance(pending[-1], End):
            meter.end()
        async for batch in events:
            meter.hear(batch)
            last = batch[-1] if batch else None
            if isinstance(last, Error):
                failed(to_exception(last))
            if data := writer.feed(batch):
                yield data
            if isinstance(last, End):
                meter.end()


def _anonymous(events: list[Event]) -> list[Event]:
    """Take the upstream's id away: what is kept needs one that is unique and cannot be guessed."""
    return [structs.replace(e, id="") if isinstance(e, Start) else e for e in events]


def _keeper(candidate: Candidate) -> str:
    """Return the account whose upstream keeps the answer too, if it does."""
    keeps = providers.able(candidate.account, "keep")
    return candidate.account.id if keeps else ""


def _is_sse(body: bytes) -> bool:
    return body.lstrip(b"\xef\xbb\xbf\r\n ")[:6].startswith(
        (b"data:", b"event:", b":", b"id:", b"retry:")
    )


def _is_event_stream(response: Answer) -> bool:
    return response.headers.get("content-type", "").lower().startswith(SSE)


def _is_html(response: Answer) -> bool:
    return "html" in response.headers.get("content-type", "").lower()

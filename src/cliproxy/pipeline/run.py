"""The whole of a request in one readable place.

`run` tries the planned candidates one after another until one answers. A failure that is the
request's own fault ends it at once; any other moves on, as long as the client has seen nothing.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final

from cliproxy import providers
from cliproxy.base.errors import (
    GatewayError,
    RateLimited,
    Unavailable,
    UpstreamBroken,
    UpstreamError,
)
from cliproxy.dialects import Writer
from cliproxy.dialects.sse import looks_like_json
from cliproxy.ir.events import Error, Event
from cliproxy.ir.fold import fold, to_exception
from cliproxy.pipeline.calls import Prepared, prepare
from cliproxy.pipeline.context import Attempt, Reply, Request, reason_of
from cliproxy.pipeline.gateway import Gateway
from cliproxy.pipeline.passthrough import Passthrough, error_inside
from cliproxy.pipeline.peek import session_of
from cliproxy.pipeline.upstream import ERROR_LIMIT, Source, has_output, not_the_protocol
from cliproxy.routing.affinity import Session
from cliproxy.routing.cooldown import about_account, about_limits
from cliproxy.routing.resolve import Candidate
from cliproxy.tokens.count import estimate
from cliproxy.transport.client import UpstreamResponse

_log: Final = logging.getLogger("cliproxy.request")

SSE: Final = "text/event-stream"
JSON: Final = "application/json"
RETRY_HEADERS: Final = frozenset(
    {
        "retry-after",
        "retry-after-ms",
        "anthropic-ratelimit-unified-reset",
        "anthropic-ratelimit-unified-5h-reset",
        "anthropic-ratelimit-unified-7d-reset",
    }
)
"""Headers that say when to come back."""


async def run(gateway: Gateway, request: Request) -> Reply:
    """Answer a request. Raises a `GatewayError` when no account could."""
    candidates = gateway.registry.resolve(
        request.model, provider=request.pin_provider, account=request.pin_account
    )
    pool = gateway.pool
    session = None
    if pool.sticky and len(candidates) > 1 and request.operation != "count":
        session = session_of(request)
    turn = 0
    while True:
        try:
            return await _round(gateway, request, candidates, session)
        except GatewayError as err:
            if request.operation == "count":
                if isinstance(err, UpstreamError) and not err.next_account:
                    raise
                if not isinstance(err, UpstreamError | RateLimited | Unavailable):
                    raise
                return _estimated(request)
            pause = pool.pause(candidates, turn, err)
            if pause is None:
                raise
            await gateway.clock.sleep(pause)
            turn += 1


async def _round(
    gateway: Gateway, request: Request, candidates: list[Candidate], session: Session | None
) -> Reply:
    """Try every candidate that may answer, once."""
    pool, clock = gateway.pool, gateway.clock
    counting = request.operation == "count"
    failure: GatewayError | None = None
    for candidate in pool.plan(candidates, session):
        attempt = Attempt(
            candidate.account.provider, candidate.account.id, candidate.upstream_model
        )
        request.attempts.append(attempt)
        began = clock.monotonic()
        try:
            reply = await _attempt(gateway, request, candidate)
        except GatewayError as err:
            attempt.status, attempt.reason, attempt.message = (
                err.status,
                reason_of(err),
                err.message,
            )
            _log.info(
                "%s %s on %s failed: %s %s",
                request.id,
                request.model,
                candidate.account.label,
                err.status,
                err.message,
            )
            if counting and not about_account(err):
                # Counting has limits and gaps of its own.
                pool.release(candidate)
                go_on = err.next_account
            else:
                go_on = pool.report(candidate, err, source=attempt.told, session=session)
            if not go_on:
                err.next_account = False
                raise
            failure = err
        except BaseException:
            pool.release(candidate)
            raise
        else:
            attempt.status, attempt.reason = reply.status, "ok"
            if counting:
                pool.release(candidate)
            else:
                pool.report(candidate, session=session, began=began)
            return reply
        finally:
            attempt.seconds = clock.monotonic() - began
    if failure is None:
        raise Unavailable(f"No account can serve {request.model!r} at the moment.")
    if failure.kind == "rate_limit":
        # The last one asked need not be the first to be free again.
        soonest = pool.soonest(candidates)
        failure.retry_after = failure.retry_after if soonest is None else soonest
    raise failure


async def _attempt(gateway: Gateway, request: Request, candidate: Candidate) -> Reply:
    strict = gateway.settings.strict or request.strict
    if request.operation == "count" and not _can_count(candidate):
        return _estimated(request)
    call = prepare(request, candidate, strict=strict)
    response = await gateway.transport.send(
        call.http, gateway.settings.timeouts, proxy=gateway.settings.proxy_url
    )
    try:
        if not 200 <= response.status < 300:
            raise await _refusal(request, call, response)  # noqa: TRY301  # one place closes the answer
        if request.operation == "count":
            return await _counted(request, call, response)
        if request.stream:
            reply = await _stream(gateway, request, candidate, call, response)
        else:
            reply = await _whole(gateway, request, call, response)
    except BaseException:
        response.close()
        raise
    reply.fidelity = call.fidelity
    reply.losses = call.losses
    if gateway.settings.expose_routing:
        reply.headers["x-cliproxy-provider"] = candidate.account.provider
        reply.headers["x-cliproxy-account"] = candidate.account.id
        reply.headers["x-cliproxy-attempts"] = str(len(request.attempts))
    return reply


async def _refusal(request: Request, call: Prepared, response: UpstreamResponse) -> GatewayError:
    body = await response.read(ERROR_LIMIT)
    if any(name in response.headers for name in RETRY_HEADERS):
        request.attempts[-1].told = "header"
    if 300 <= response.status < 400:
        # A redirect may lead anywhere; a base-url should not need one.
        return UpstreamBroken(
            f"The upstream answered {response.status} (redirect), which is not followed; "
            "check its base-url."
        )
    return call.dialect.read_error(response.status, response.headers, body)


async def _whole(
    gateway: Gateway, request: Request, call: Prepared, response: UpstreamResponse
) -> Reply:
    body = await response.read()
    if call.verbatim and looks_like_json(body[:64]) and not error_inside(body):
        return Reply(200, JSON, body)
    if not body or not (looks_like_json(body[:64]) or _is_sse(body)):
        raise not_the_protocol(body)
    source = Source(call.dialect, call.caps, call.restore, checked=gateway.settings.checked)
    answer = fold(source.whole(body))
    return Reply(200, JSON, request.dialect.render(answer, request.ir()))


async def _stream(
    gateway: Gateway,
    request: Request,
    candidate: Candidate,
    call: Prepared,
    response: UpstreamResponse,
) -> Reply:
    content_type = JSON if request.framing == "array" else SSE
    if call.verbatim and _is_event_stream(response):
        passing = Passthrough(call.dialect, call.caps, request.framing)
        chunks = passing.stream(response)
        head = await anext(chunks, b"")
        return Reply(200, content_type, chunks=_resumed(head, chunks))
    if _is_html(response):
        raise not_the_protocol(await response.read(ERROR_LIMIT))
    source = Source(call.dialect, call.caps, call.restore, checked=gateway.settings.checked)
    events = source.stream(response)
    pending: list[Event] = []
    # Nothing is committed until the upstream shows something: until then another account may
    # still answer, and a failure still has its own HTTP status.
    async for batch in events:
        pending += batch
        if pending and isinstance(pending[-1], Error) and not has_output(pending):
            raise to_exception(pending[-1])
        if has_output(batch):
            break

    def failed(error: Error) -> None:
        # Too late for this client; not for those who come next.
        told = to_exception(error)
        if about_limits(told):
            gateway.pool.report(candidate, told)

    writer = request.dialect.writer(request.ir(), request.framing)
    return Reply(200, content_type, chunks=_written(writer, pending, events, failed))


async def _resumed(head: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(rest):
        if head:
            yield head
        async for chunk in rest:
            yield chunk


async def _written(
    writer: Writer,
    pending: list[Event],
    events: AsyncGenerator[list[Event], None],
    failed: Callable[[Error], None],
) -> AsyncGenerator[bytes, None]:
    async with aclosing(events):
        if pending and isinstance(pending[-1], Error):
            failed(pending[-1])
        if data := writer.feed(pending):
            yield data
        async for batch in events:
            if batch and isinstance(batch[-1], Error):
                failed(batch[-1])
            if data := writer.feed(batch):
                yield data


def _can_count(candidate: Candidate) -> bool:
    return providers.get(candidate.account.provider).counts_tokens


async def _counted(request: Request, call: Prepared, response: UpstreamResponse) -> Reply:
    body = await response.read()
    if call.verbatim:
        call.dialect.read_count(body)
        return Reply(200, JSON, body)
    return Reply(200, JSON, request.dialect.render_count(call.dialect.read_count(body)))


def _estimated(request: Request) -> Reply:
    """Count offline; never costs a generation, and says that it is an estimate."""
    tokens = estimate(request.ir())
    reply = Reply(200, JSON, request.dialect.render_count(tokens))
    reply.headers["x-cliproxy-token-count"] = "estimate"
    return reply


def _is_sse(body: bytes) -> bool:
    return body.lstrip(b"\xef\xbb\xbf\r\n ")[:6].startswith(
        (b"data:", b"event:", b":", b"id:", b"retry:")
    )


def _is_event_stream(response: UpstreamResponse) -> bool:
    return response.headers.get("content-type", "").lower().startswith(SSE)


def _is_html(response: UpstreamResponse) -> bool:
    return "html" in response.headers.get("content-type", "").lower()

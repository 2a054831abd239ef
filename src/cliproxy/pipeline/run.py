"""The whole of a request in one readable place.

`run` tries the planned candidates one after another until one answers. A failure that is the
request's own fault ends it at once; any other moves on, as long as the client has seen nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from typing import Final

from msgspec import structs

from cliproxy import providers
from cliproxy.base import redact
from cliproxy.base.errors import (
    GatewayError,
    NotFound,
    RateLimited,
    Unavailable,
    Unsupported,
    UpstreamBroken,
    UpstreamError,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from cliproxy.base.http import HttpRequest
from cliproxy.base.tasks import cancel, own
from cliproxy.ir.request import IRRequest
from cliproxy.ir.thinking import split_suffix
from cliproxy.pipeline import (
    answering,
    continuing,
    failures,
    interacting,
    lines,
    media,
    searching,
    unasked,
)
from cliproxy.pipeline.calls import (
    Prepared,
    Target,
    leaves_out,
    prepare,
    target_of,
    tell_of_omissions,
)
from cliproxy.pipeline.context import Attempt, Reply, Request, reason_of
from cliproxy.pipeline.gateway import Gateway
from cliproxy.pipeline.headers import passed
from cliproxy.pipeline.kept import INTERACTIONS
from cliproxy.pipeline.ledger import WITHOUT
from cliproxy.pipeline.patient import COMMENT, SPACE, alive_until
from cliproxy.pipeline.peek import session_of
from cliproxy.pipeline.upstream import ERROR_LIMIT
from cliproxy.pipeline.withheld import clean, clean_headers, secrets_in
from cliproxy.routing import quota
from cliproxy.routing.affinity import Session
from cliproxy.routing.cooldown import about_account, about_limits
from cliproxy.routing.load import Turn
from cliproxy.routing.resolve import Candidate
from cliproxy.tokens import openai
from cliproxy.tokens.count import estimate
from cliproxy.transport.answer import Answer

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
    """Answer a request. Raises a `GatewayError` when no account could.

    With keep-alives configured, a reply may begin before there is an answer; a failure is then
    told inside it.
    """
    settings = gateway.settings
    every = settings.keepalive if request.stream else settings.whole_keepalive
    if request.pinged:
        every = 0
    if not every or request.operation != "generate" or request.framing == "array":
        return await _answered(gateway, request)
    work = own(_answered(gateway, request))
    try:
        await asyncio.wait((work,), timeout=every)
    except BaseException:
        await cancel(work)
        raise
    if work.done():
        return await work
    sign = COMMENT if request.stream else SPACE
    chunks = alive_until(work, every, sign, lambda done: _finished(request, done))
    return Reply(200, answering.SSE if request.stream else JSON, chunks=chunks)


async def _finished(request: Request, work: Awaitable[Reply]) -> AsyncGenerator[bytes, None]:
    try:
        reply = await work
    except GatewayError as err:
        dialect = request.dialect
        yield dialect.stream_error(err, request.framing) if request.stream else dialect.error(err)
        return
    if reply.chunks is None:
        yield reply.body
        return
    async with aclosing(reply.chunks) as chunks:
        async for chunk in chunks:
            yield chunk


async def _answered(gateway: Gateway, request: Request) -> Reply:
    """Serve the model that was asked for, else what its owner wants tried in its place."""
    try:
        return await _served(gateway, request, request.model, request.pin_provider)
    except GatewayError as err:
        if not _falls_back(err):
            raise
        failure = err
        base, _ = split_suffix(request.model)
        suffix = request.model[len(base) :]
        steps = gateway.registry.instead_of(base)
        if not steps:
            raise
    for step in steps:
        request.serve_as(step.model)
        try:
            pin = step.provider or request.pin_provider
            return await _served(gateway, request, step.model + suffix, pin)
        except GatewayError as err:
            if not _falls_back(err):
                raise
            # A step that does not exist says nothing about why the request failed.
            if not isinstance(err, NotFound):
                failure = err
    raise failure


def _falls_back(err: GatewayError) -> bool:
    """Tell whether another model may do better: this one is missing, or nobody can serve it."""
    if isinstance(err, NotFound):
        return err.code == "model_not_found"
    if isinstance(err, UpstreamError):
        return err.next_account or err.status == 404
    return isinstance(err, RateLimited | Unavailable)


async def _served(gateway: Gateway, request: Request, model: str, provider: str | None) -> Reply:
    if request.agent:
        candidates = gateway.registry.running(
            model, provider=interacting.AGENTS, account=request.pin_account
        )
    else:
        candidates = gateway.registry.resolve(
            model, provider=provider, account=request.pin_account, makes=request.makes
        )
    pool = gateway.pool
    session = None
    if request.operation == "compact":
        candidates = [c for c in candidates if providers.able(c.account, "compact")]
    if request.operation == "search":
        candidates = searching.able(request, candidates)
    elif request.dialect_id in continuing.DIALECTS:
        continuing.continue_from(gateway, request)
        candidates = continuing.able(request, candidates)
        request.kept = continuing.wants_keeping(gateway, request)
        if request.continued is not None:
            session = request.continued.session
    if session is None and pool.sticky and len(candidates) > 1 and request.operation != "count":
        session = session_of(request)
        if session is not None and request.operation == "search":
            # Nobody searches before something was said.
            session = structs.replace(session, going=True)
    request.session = session
    turn = 0
    again = gateway.settings.bootstrap_retries if request.stream else 0
    while True:
        try:
            return await _round(gateway, request, candidates, session)
        except GatewayError as err:
            if request.operation == "count":
                if isinstance(err, UpstreamError) and not err.next_account:
                    raise
                if not isinstance(err, UpstreamError | RateLimited | Unavailable):
                    raise
                return await _counted_here(request, candidates[0])
            if again > 0 and _bootstraps(err):
                again -= 1
                continue
            pause = pool.pause(candidates, turn, err)
            if pause is None:
                raise
            await gateway.clock.sleep(pause)
            turn += 1


def _bootstraps(err: GatewayError) -> bool:
    """Tell whether a stream that failed before its first byte may be begun anew at once."""
    return isinstance(err, UpstreamError) and (
        err.status >= 500 or err.status in (401, 402, 403, 408, 429)
    )


async def _round(
    gateway: Gateway, request: Request, candidates: list[Candidate], session: Session | None
) -> Reply:
    """Try every candidate that may answer, once."""
    pool, clock = gateway.pool, gateway.clock
    beside, searched = request.operation != "generate", request.operation == "search"
    failure: GatewayError | None = None
    websocket = request.lines.websocket(candidates) if request.lines is not None else None
    for candidate in pool.plan(candidates, session, websocket):
        attempt = Attempt(
            candidate.account.provider, candidate.account.id, candidate.upstream_model
        )
        request.attempts.append(attempt)
        began = clock.monotonic()
        turn: Turn | None = None
        reply: Reply | None = None
        try:
            turn = await pool.enter(candidate, request.client)
            reply = await _attempt(gateway, request, candidate, turn)
        except GatewayError as err:
            if request.lines is not None and turn is not None:
                request.lines.failed(candidate.account.id, err.status)
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
            if beside and not (about_limits(err) if searched else about_account(err)):
                # Counting and compacting have limits and gaps of their own.
                pool.release(candidate)
                go_on = err.next_account
            else:
                go_on = pool.report(
                    candidate, err, source=attempt.told, session=session, began=began
                )
            if request.makes == "video" and _may_have_arrived(err):
                # The job may have been begun, and costs much.
                go_on = False
            failures.tell(gateway, candidate, err, retryable=go_on)
            if not go_on:
                err.next_account = False
                raise
            if failure is None or not isinstance(err, Unsupported):
                failure = err
        except BaseException:
            pool.release(candidate)
            raise
        else:
            # A stream may have failed already behind its beginning.
            attempt.status, attempt.reason = reply.status, attempt.reason or "ok"
            if beside:
                pool.release(candidate)
            else:
                pool.report(candidate, session=session, began=began)
            return reply
        finally:
            attempt.seconds = clock.monotonic() - began
            # A stream runs until its upstream is let go of.
            if turn is not None and (reply is None or reply.chunks is None):
                turn.end()
    if failure is None:
        raise Unavailable(f"No account can serve {request.model!r} at the moment.")
    if failure.kind == "rate_limit":
        # The last one asked need not be the first to be free again.
        soonest = pool.soonest(candidates)
        failure.retry_after = failure.retry_after if soonest is None else soonest
    raise failure


async def ask(gateway: Gateway, request: Request, candidates: list[Candidate]) -> Reply:
    """Ask about what one of some accounts has begun, until one knows of it.

    Limits on what an account may be given to do are no matter, and nothing is learnt of them.
    """
    failure: GatewayError | None = None
    for candidate in candidates:
        request.attempts.append(
            Attempt(candidate.account.provider, candidate.account.id, candidate.upstream_model)
        )
        turn = gateway.pool.begin(candidate)
        try:
            return await _attempt(gateway, request, candidate, turn)
        except GatewayError as err:
            if failure is None or failure.status == 404:
                failure = err
            if not err.next_account:
                raise
        finally:
            turn.end()
    raise failure or Unavailable("There is no account to ask.")


def _may_have_arrived(err: GatewayError) -> bool:
    return isinstance(err, UpstreamTimeout | UpstreamBroken) or (
        isinstance(err, UpstreamUnreachable) and err.arrived
    )


async def _attempt(
    gateway: Gateway,
    request: Request,
    candidate: Candidate,
    turn: Turn,
    *,
    renewed: bool = False,
    counts: bool = True,
) -> Reply:
    strict = gateway.settings.strict or request.strict
    if request.operation == "count" and not _can_count(candidate):
        return await _counted_here(request, candidate)
    keeper, login = gateway.keeper, candidate.account.credential
    if keeper is not None and login is not None:
        await keeper.ready(candidate.account)
    counts = counts and candidate.account.id not in gateway.uncounted
    target = target_of(request, candidate, counts=counts)
    asked = await _asked(gateway, request, target)
    call = prepare(request, target, strict=strict, asked=asked, rules=gateway.settings.payload)
    request.attempts[-1].losses = call.losses
    token = candidate.account.token
    said = None
    if request.lines is not None:
        said = await lines.asked(gateway, request, candidate, target, call, strict=strict)
    response: Answer
    if said is not None:
        (response, call), refusal = said, None
        request.attempts[-1].losses = call.losses
    else:
        response, refusal = await _sent(gateway, request, candidate, target, call, strict=strict)
    response.closed = turn.end
    reply: Reply | None = None
    try:
        if 200 <= response.status < 300:
            try:
                reply = await _read(gateway, request, candidate, call, response)
            except UpstreamRefused as told:
                # Some say inside an answer what they refuse.
                err: GatewayError = target.provider.judge(told, gateway.clock.now())
        else:
            err = refusal or await _refusal(gateway, request, call, response)
        if reply is None:
            if gateway.settings.pass_headers:
                err.headers = {**passed(response.headers), **err.headers}
            if call.offended:
                response.closed = None
                response.close()
                reply = await _attempt(
                    gateway, request, candidate, turn, renewed=renewed, counts=False
                )
                # It was that, and nothing else.
                gateway.uncounted.add(candidate.account.id)
                return reply
            if _forgotten(request, candidate, err):
                response.closed = None
                response.close()
                return await _attempt(
                    gateway, request, candidate, turn, renewed=renewed, counts=counts
                )
            if (
                keeper is not None
                and login is not None
                and not renewed
                and isinstance(err, UpstreamRefused)
                and target.provider.stale(err)
                and await keeper.renew(login, spent=token)
            ):
                # The upstream ended the token before its time.
                response.closed = None
                response.close()
                if request.lines is not None:
                    # It was opened with that one.
                    request.lines.drop(candidate.account.id)
                return await _attempt(
                    gateway, request, candidate, turn, renewed=True, counts=counts
                )
            raise err  # noqa: TRY301  # one place closes the answer
    except GatewayError as err:
        response.close()
        clean(err, _secrets(gateway, call.http))
        raise
    except BaseException:
        response.close()
        raise
    if request.operation in ("count", "search"):
        return reply
    if gateway.settings.pass_headers:
        reply.headers |= clean_headers(passed(response.headers), _secrets(gateway, call.http))
    if reply.chunks is not None:
        reply.abandon = response.close
    reply.fidelity = request.fidelity = call.fidelity
    reply.losses = call.losses
    if gateway.settings.expose_routing:
        reply.headers["x-cliproxy-provider"] = candidate.account.provider
        reply.headers["x-cliproxy-account"] = candidate.account.id
        reply.headers["x-cliproxy-attempts"] = str(len(request.attempts))
    return reply


async def _read(
    gateway: Gateway,
    request: Request,
    candidate: Candidate,
    call: Prepared,
    response: Answer,
) -> Reply:
    if request.operation == "count":
        return await answering.counted(request, call, response)
    if request.operation == "search":
        return await searching.found(request, call, response)
    if request.operation == "poll":
        return await answering.of_job(response)
    if request.stream:
        return await answering.stream(gateway, request, candidate, call, response)
    return await answering.whole(gateway, request, candidate, call, response)


async def _sent(
    gateway: Gateway,
    request: Request,
    candidate: Candidate,
    target: Target,
    call: Prepared,
    *,
    strict: bool,
) -> tuple[Answer, GatewayError | None]:
    """Send a call, to the provider's other hosts too where that helps.

    Also without what is refused, unless it is to be carried whole or not at all.

    Returns the answer, and what it refuses where that was read already.
    """
    http: HttpRequest | None = call.http
    while http is not None:
        asked = http
        exchange = None
        if request.entry is not None:
            via = asked.proxy or gateway.settings.proxy_url or ""
            exchange = request.entry.call(asked, candidate.account.label, proxy=via)
        try:
            response = await gateway.transport.send(
                asked, gateway.settings.patience.of(candidate), proxy=gateway.settings.proxy_url
            )
        except UpstreamError as err:
            http = target.provider.elsewhere(asked, err)
            if http is None:
                raise
            continue
        if exchange is not None:
            exchange.status, exchange.answer_headers = response.status, response.headers
            response.heard = exchange.answer.add
        gateway.pool.observe(candidate, quota.read(response.headers, gateway.clock.now()))
        if leaves_out(call.http, asked):
            tell_of_omissions(request, call, asked)
        if 200 <= response.status < 300 or not target.provider.several:
            return response, None
        try:
            refusal = await _refusal(gateway, request, call, response)
        except BaseException:
            response.close()
            raise
        http = (
            target.provider.elsewhere(asked, refusal)
            if isinstance(refusal, UpstreamError)
            else None
        )
        if http is None or (strict and leaves_out(call.http, http)):
            return response, refusal
        response.close()
    raise UpstreamBroken("There is no host to ask.")


async def _asked(gateway: Gateway, request: Request, target: Target) -> IRRequest | None:
    """Return the request to translate; None when the client's own bytes are sent.

    In it is what the client had no place for, and what the upstream could not fetch.
    """
    if target.verbatim is not None:
        return None
    asked = request.ir()
    if request.dialect_id in WITHOUT:
        asked = gateway.ledger.restore(request.client, asked)
    guard = gateway.guard
    if guard is None or b"://" not in request.body:
        return asked
    return await media.inline(
        asked,
        target.caps,
        target.dialect,
        guard,
        known=request.fetched,
        proxy=gateway.settings.proxy_url,
    )


async def _refusal(
    gateway: Gateway, request: Request, call: Prepared, response: Answer
) -> GatewayError:
    body = await response.read(ERROR_LIMIT)
    if any(name in response.headers for name in RETRY_HEADERS):
        request.attempts[-1].told = "header"
    if 300 <= response.status < 400:
        # A redirect may lead anywhere; a base-url should not need one.
        return UpstreamBroken(
            f"The upstream answered {response.status} (redirect), which is not followed; "
            "check its base-url."
        )
    call.offended = call.unasked and unasked.refused(response.status, body)
    # Some upstreams repeat the key that they refuse; their words go to clients and into logs.
    body = redact.without_bytes(body, _secrets(gateway, call.http))
    err = call.dialect.read_error(response.status, response.headers, body)
    return call.provider.judge(err, gateway.clock.now())


def _secrets(gateway: Gateway, http: HttpRequest) -> set[str]:
    return secrets_in(http, gateway.settings.proxy_url)


def _forgotten(request: Request, candidate: Candidate, err: GatewayError) -> bool:
    """Tell whether an account lost what it was to lean on; then it gets it in full."""
    continued = request.continued
    if continued is None or continued.account != candidate.account.id:
        return False
    if continued.only or not (
        err.code == "previous_response_not_found"
        or (request.dialect_id == INTERACTIONS and err.status == 404)
    ):
        return False
    continued.account = ""
    return True


def _can_count(candidate: Candidate) -> bool:
    return providers.able(candidate.account, "count")


async def _counted_here(request: Request, candidate: Candidate) -> Reply:
    """Count offline: never costs a generation, and says when it is an estimate."""
    asked = request.ir()
    found = None
    if openai.speaks(candidate.upstream_model):
        # The first count loads the vocabulary.
        found = await asyncio.to_thread(openai.count, asked)
    tokens, exact = found if found is not None else (estimate(asked), False)
    reply = Reply(200, JSON, request.dialect.render_count(tokens))
    reply.headers["x-cliproxy-token-count"] = "exact" if exact else "estimate"
    return reply

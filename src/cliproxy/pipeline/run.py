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
from cliproxy.base.errors import (
    GatewayError,
    NotFound,
    RateLimited,
    Unavailable,
    Unsupported,
    UpstreamBroken,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from cliproxy.base.tasks import cancel, own
from cliproxy.ir.thinking import split_suffix
from cliproxy.pipeline import (
    answering,
    continuing,
    failures,
    interacting,
    searching,
)
from cliproxy.pipeline.attempt import attempt, counted_here
from cliproxy.pipeline.context import Attempt, Reply, Request, reason_of
from cliproxy.pipeline.gateway import Gateway
from cliproxy.pipeline.patient import COMMENT, SPACE, alive_until
from cliproxy.pipeline.peek import session_of
from cliproxy.routing.affinity import Session
from cliproxy.routing.cooldown import about_account, about_limits
from cliproxy.routing.load import Turn
from cliproxy.routing.resolve import Candidate

_log: Final = logging.getLogger("cliproxy.request")


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
    return Reply(200, answering.SSE if request.stream else answering.JSON, chunks=chunks)


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
                return await counted_here(request, candidates[0])
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
        tried = Attempt(candidate.account.provider, candidate.account.id, candidate.upstream_model)
        request.attempts.append(tried)
        began = clock.monotonic()
        turn: Turn | None = None
        reply: Reply | None = None
        try:
            turn = await pool.enter(candidate, request.client)
            reply = await attempt(gateway, request, candidate, turn)
        except GatewayError as err:
            if request.lines is not None and turn is not None:
                request.lines.failed(candidate.account.id, err.status)
            tried.status, tried.reason, tried.message = (
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
                go_on = pool.report(candidate, err, source=tried.told, session=session, began=began)
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
            tried.status, tried.reason = reply.status, tried.reason or "ok"
            if beside:
                pool.release(candidate)
            else:
                pool.report(candidate, session=session, began=began)
            return reply
        finally:
            tried.seconds = clock.monotonic() - began
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
            return await attempt(gateway, request, candidate, turn)
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

"""One account is asked: its call prepared, sent, and its answer read.

`attempt` is all of it. An account is asked a second time where what it refuses is in our hands: a
token that ended before its time, counts that nobody but us asked for, a conversation it forgot.
"""

from __future__ import annotations

import asyncio
from typing import Final

from cliproxy import providers
from cliproxy.base import redact
from cliproxy.base.errors import (
    GatewayError,
    UpstreamBroken,
    UpstreamError,
    UpstreamRefused,
)
from cliproxy.base.http import HttpRequest
from cliproxy.ir.request import IRRequest
from cliproxy.pipeline import answering, lines, media, searching, unasked
from cliproxy.pipeline.calls import (
    Prepared,
    Target,
    leaves_out,
    prepare,
    target_of,
    tell_of_omissions,
)
from cliproxy.pipeline.context import Reply, Request
from cliproxy.pipeline.gateway import Gateway
from cliproxy.pipeline.headers import passed
from cliproxy.pipeline.kept import INTERACTIONS
from cliproxy.pipeline.ledger import WITHOUT
from cliproxy.pipeline.upstream import ERROR_LIMIT
from cliproxy.pipeline.withheld import clean, clean_headers, secrets_in
from cliproxy.routing import quota
from cliproxy.routing.load import Turn
from cliproxy.routing.resolve import Candidate
from cliproxy.tokens import openai
from cliproxy.tokens.count import estimate
from cliproxy.transport.answer import Answer

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
_LACKS: Final = (400, 413)
"""What is refused with may be refused because something was left out."""


async def attempt(gateway: Gateway, request: Request, candidate: Candidate, turn: Turn) -> Reply:
    """Ask one account. Raises a `GatewayError`.

    `turn` is over when the answer is: the caller ends it only where there is no stream.
    """
    if request.operation == "count" and not providers.able(candidate.account, "count"):
        return await counted_here(request, candidate)
    asking = _Asking(gateway, request, candidate, turn)
    while (reply := await asking.once()) is None:
        pass
    if asking.offended:
        # It was that, and nothing else.
        gateway.uncounted.add(candidate.account.id)
    return reply


class _Asking:
    """One account, and with what it is asked."""

    __slots__ = (
        "candidate", "counts", "gateway", "offended", "over", "renewed", "request", "turn"
    )  # fmt: skip

    def __init__(
        self, gateway: Gateway, request: Request, candidate: Candidate, turn: Turn
    ) -> None:
        self.gateway = gateway
        self.request = request
        self.candidate = candidate
        self.turn = turn
        self.counts = candidate.account.id not in gateway.uncounted
        """Its streams are asked for counts, also where the client does not."""
        self.offended = False
        """It refused to count."""
        self.renewed = False
        """Its token was renewed since it was first asked."""
        self.over = False
        """Nobody reads its answer any more."""

    async def once(self) -> Reply | None:
        """Ask; None when the same account may serve if it is asked once more."""
        gateway, request, candidate = self.gateway, self.request, self.candidate
        strict = gateway.settings.strict or request.strict
        if gateway.keeper is not None and candidate.account.credential is not None:
            await gateway.keeper.ready(candidate.account)
        target = target_of(request, candidate, counts=self.counts)
        asked = await _asked(gateway, request, target)
        call = prepare(request, target, strict=strict, asked=asked, rules=gateway.settings.payload)
        request.attempts[-1].losses = call.losses
        request.meter.dialect = call.dialect.id
        token = candidate.account.token
        said = None
        if request.lines is not None:
            said = await lines.asked(gateway, request, candidate, target, call, strict=strict)
        response: Answer
        told: Reply | GatewayError | None = None
        if said is not None:
            response, call = said
            request.attempts[-1].losses = call.losses
        else:
            response, told = await _sent(gateway, request, candidate, target, call, strict=strict)
        # The place is kept until it is clear that the account is not asked once more.
        self.over, response.closed = False, self._ended
        try:
            if told is None:
                told = await self._told(call, response)
            if isinstance(told, GatewayError):
                if gateway.settings.pass_headers:
                    told.headers = {**passed(response.headers), **told.headers}
                if not await self._mended(call, told, token):
                    raise told  # noqa: TRY301  # one place closes the answer
                response.close()
                return None
        except GatewayError as err:
            response.close()
            clean(err, _secrets(gateway, call.http))
            raise
        except BaseException:
            response.close()
            raise
        if self.over:
            self.turn.end()
        else:
            response.closed = self.turn.end
        if request.operation not in ("count", "search"):
            self._complete(call, response, told)
        return told

    def _ended(self) -> None:
        self.over = True

    async def _told(self, call: Prepared, response: Answer) -> Reply | GatewayError:
        """Read an answer; return what it refuses, wherever it says so."""
        if not 200 <= response.status < 300:
            return await _refusal(self.gateway, self.request, call, response)
        try:
            return await _read(self.gateway, self.request, self.candidate, call, response)
        except UpstreamRefused as told:
            # Some say inside an answer what they refuse.
            return call.provider.judge(told, self.gateway.clock.now())

    async def _mended(self, call: Prepared, err: GatewayError, token: str) -> bool:
        """Tell whether what an account refuses was in our hands, and mend it."""
        if call.offended:
            self.counts, self.offended = False, True
            return True
        if _forgotten(self.request, self.candidate, err):
            return True
        keeper, login = self.gateway.keeper, self.candidate.account.credential
        if keeper is None or login is None or self.renewed or not isinstance(err, UpstreamRefused):
            return False
        if not call.provider.stale(err) or not await keeper.renew(login, spent=token):
            return False
        # The upstream ended the token before its time.
        self.renewed = True
        if self.request.lines is not None:
            # It was opened with that one.
            self.request.lines.drop(self.candidate.account.id)
        return True

    def _complete(self, call: Prepared, response: Answer, reply: Reply) -> None:
        gateway, request = self.gateway, self.request
        if gateway.settings.pass_headers:
            reply.headers |= clean_headers(passed(response.headers), _secrets(gateway, call.http))
        if reply.chunks is not None:
            reply.abandon = response.close
        reply.fidelity = request.fidelity = call.fidelity
        reply.losses = call.losses
        if gateway.settings.expose_routing:
            reply.headers["x-cliproxy-provider"] = self.candidate.account.provider
            reply.headers["x-cliproxy-account"] = self.candidate.account.id
            reply.headers["x-cliproxy-attempts"] = str(len(request.attempts))


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
    known = call.http if strict else gateway.spared.spare(target, call.http)
    http: HttpRequest | None = known
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
        good = 200 <= response.status < 300
        refusal, http = None, None
        if not good and target.provider.several:
            try:
                refusal = await _refusal(gateway, request, call, response)
            except BaseException:
                response.close()
                raise
            if isinstance(refusal, UpstreamError):
                http = target.provider.elsewhere(asked, refusal)
            if http is None and asked is known is not call.http and refusal.status in _LACKS:
                # What was left out may be what it lacks.
                gateway.spared.forget(target)
                http = call.http
        if http is None or (strict and leaves_out(call.http, http)):
            if leaves_out(call.http, asked):
                tell_of_omissions(request, call, asked)
                if good and asked is not known:
                    gateway.spared.learn(target, call.http, asked)
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


async def counted_here(request: Request, candidate: Candidate) -> Reply:
    """Count offline: never costs a generation, and says when it is an estimate."""
    asked = request.ir()
    found = None
    if openai.speaks(candidate.upstream_model):
        # The first count loads the vocabulary.
        found = await asyncio.to_thread(openai.count, asked)
    tokens, exact = found if found is not None else (estimate(asked), False)
    reply = Reply(200, answering.JSON, request.dialect.render_count(tokens))
    reply.headers["x-cliproxy-token-count"] = "exact" if exact else "estimate"
    return reply

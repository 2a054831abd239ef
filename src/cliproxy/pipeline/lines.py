"""Asking over websockets, for a client that came by one.

A client's connection has at most one line to an account. What the account answered last on it can
be gone on from with what is new alone; whenever that cannot be, the conversation is told in full:
over another line, another account, or HTTP, which is always possible. Only what nobody remembers in
full any more cannot be told again, and then the client is asked to.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from msgspec import structs

from cliproxy import providers
from cliproxy.base import json
from cliproxy.base.errors import GatewayError, UpstreamBroken, UpstreamUnreachable
from cliproxy.base.http import HttpRequest
from cliproxy.ir.envelope import may_hold
from cliproxy.pipeline.calls import Prepared, Target, prepare, tell_of_omissions
from cliproxy.pipeline.gateway import Gateway
from cliproxy.pipeline.kept import REFERENCE
from cliproxy.routing import quota
from cliproxy.routing.plan import Websocket
from cliproxy.routing.resolve import Candidate
from cliproxy.transport.answer import Answer
from cliproxy.transport.line import TOO_BIG, Ended, Line, Said

if TYPE_CHECKING:
    from cliproxy.observe.request_log import Exchange
    from cliproxy.pipeline.context import Request

_log: Final = logging.getLogger("cliproxy.request")
MOST: Final = 4
"""Lines of one client's connection; who was silent longest is closed."""
REPLAY: Final = (1012, "upstream requires HTTP replay")
_TOLD: Final = frozenset({401, 402, 403, 408, 429})
"""A handshake that is refused so says what an HTTP request would be told."""
_NO_WEBSOCKETS: Final = frozenset({501, 505})
_UNPINNED: Final = frozenset({401, 402, 403, 408, 429, 502, 503, 504})
_RENEWED: Final = "websocket_connection_limit_reached"
_LOST: Final = "previous_response_not_found"


class HangUp(GatewayError):
    """The client's connection is to be closed, without a word but the code."""

    default_status = 409

    def __init__(self, code: int, reason: str, *, status: int | None = None) -> None:
        super().__init__(f"The websocket is closed: {reason}.", status=status)
        self.close = code, reason


class Lines:
    """The lines of one client's connection, by account."""

    def __init__(self) -> None:
        self._lines: dict[str, Line | None] = {}
        """The last is who answered last; None where the line is lost and the account is not."""
        self._last = ""
        """What was answered last over any line, by its id."""
        self._by_http: set[str] = set()

    def websocket(self, candidates: Sequence[Candidate]) -> Websocket:
        """Tell routing who is asked so already."""
        for account in reversed(self._lines):
            for candidate in candidates:
                if candidate.account.id == account:
                    return Websocket((account, candidate.upstream_model))
        return Websocket()

    def able(self, candidates: list[Candidate], previous: object) -> list[Candidate] | None:
        """Return who can go on from a response that nobody else knows; None = it is not one.

        Raises `HangUp` when it was one.
        """
        for account, line in self._lines.items():
            if line is not None and line.open and line.last and line.last == previous:
                found = [c for c in candidates if c.account.id == account]
                if found:
                    return found
        if previous and previous == self._last:
            raise HangUp(*REPLAY)
        return None

    def spoken(self, account: str) -> bool:
        """Tell whether an account may be asked over a line."""
        return account not in self._by_http

    def silent(self, account: str) -> None:
        """Ask an account over HTTP from now on."""
        self._by_http.add(account)
        self.drop(account)

    async def get(self, account: str) -> Line | None:
        """Return the open line to an account."""
        line = self._lines.get(account)
        if line is None or await line.alive():
            return line
        self.lose(account)
        return None

    def keep(self, account: str, line: Line) -> None:
        """Keep a line."""
        self.drop(account)
        while len(self._lines) >= MOST:
            self.drop(next(iter(self._lines)))
        self._lines[account] = line

    def forget(self, gateway: Gateway) -> None:
        """Let go of accounts that are served no longer."""
        if self._lines:
            served = {account.id for account in gateway.registry.accounts}
            for account in [known for known in self._lines if known not in served]:
                self.drop(account)

    def used(self, account: str) -> None:
        """Note who is answering."""
        if account in self._lines:
            self._lines[account] = self._lines.pop(account)

    def lose(self, account: str) -> None:
        """Close the line to an account, which is asked again all the same."""
        line = self._lines.get(account)
        if line is not None:
            self._lines[account] = None
            line.close()

    def drop(self, account: str) -> None:
        """Let go of an account."""
        line = self._lines.pop(account, None)
        if line is not None:
            line.close()

    def failed(self, account: str, status: int) -> None:
        """Take note that an account failed: most failures mean that another one is to be asked."""
        if status in _UNPINNED:
            self.drop(account)

    def answered(self, response_id: str) -> None:
        """Take note of what was answered last."""
        given = any(line is not None and line.last == response_id for line in self._lines.values())
        self._last = response_id if given else ""

    def close(self) -> None:
        """Close all of them."""
        for account in list(self._lines):
            self.drop(account)


async def asked(
    gateway: Gateway, request: Request, candidate: Candidate, target: Target, call: Prepared, *,
    strict: bool,
) -> tuple[Answer, Prepared] | None:  # fmt: skip
    """Ask over a websocket; None when HTTP is the way.

    Returns the answer, and the call that it answers. Raises a `GatewayError`.
    """
    lines, account = request.lines, candidate.account
    if lines is None or request.operation != "generate" or not request.stream:
        return None
    opening = target.provider.websocket(call.http) if account.websockets else None
    if opening is None or not lines.spoken(account.id):
        _in_full(request, candidate)
        return None
    lines.forget(gateway)
    wanted = call.http
    if not strict and (less := gateway.spared.spare(target, wanted)) is not wanted:
        call = _less(request, call, less)
    route = opening.url, opening.proxy or gateway.settings.proxy_url or ""
    line, fresh, whole = await lines.get(account.id), False, True
    if line is not None and line.route != route:
        # The configuration leads elsewhere now.
        lines.lose(account.id)
        line = None
    while True:
        if line is None:
            made = await _opened(gateway, request, candidate, opening)
            if made is None:
                lines.silent(account.id)
                _in_full(request, candidate)
                return None
            if not isinstance(made, Line):
                if made.status >= 500:
                    lines.silent(account.id)
                return made, call
            made.route = route
            lines.keep(account.id, made)
            line, fresh = made, True
        short = _short(gateway, request, target) if _leans(request, line) else None
        if short is None:
            _in_full(request, candidate)
        used = call if short is None else short
        message = _message(used.http.body, "" if short is None else request.previous)
        sent = structs.replace(opening, body=message)
        answer = await _said(gateway, request, candidate, line, sent, keeps=used.verbatim)
        if answer is None:
            lines.lose(account.id)
            if fresh:
                raise UpstreamBroken("The upstream closed its websocket without answering.")
            line = None
            continue
        if answer.status == 200:
            lines.used(account.id)
            if used is call and not whole:
                gateway.spared.learn(target, wanted, call.http)
            return answer, used
        err = used.dialect.read_error(answer.status, answer.headers, await answer.read())
        if err.code == _RENEWED and not fresh:
            lines.lose(account.id)
            line = None
            continue
        # Whatever comes of the line now, it has spoken.
        fresh = False
        if short is None and whole and not strict:
            again = target.provider.elsewhere(used.http, err)
            if again is not None and again.url == used.http.url:
                call, whole = _less(request, call, again), False
                continue
        if err.code != _LOST or short is None:
            lines.failed(account.id, answer.status)
            return answer, used


def _less(request: Request, call: Prepared, http: HttpRequest) -> Prepared:
    """Return a call without what is refused, as over HTTP."""
    tell_of_omissions(request, call, http)
    return structs.replace(call, http=http)


def _leans(request: Request, line: Line) -> bool:
    """Tell whether a line has heard all that came before, and can go on from it."""
    return bool(line.last) and line.last == request.previous


def _short(gateway: Gateway, request: Request, target: Target) -> Prepared | None:
    """Write the call with nothing but what is new; None where that is not the client's own."""
    body = request.short
    if not body or may_hold(body) or REFERENCE in body or target.candidate.suffix:
        return None
    if target.about.dialect != request.dialect_id:
        return None
    mine = target.provider.verbatim(body, target.about)
    if mine is None:
        return None
    new = structs.replace(target, verbatim=mine)
    return prepare(request, new, strict=False, rules=gateway.settings.payload)


def _in_full(request: Request, candidate: Candidate) -> None:
    """See to it that a request makes sense to who has heard nothing before. Raises `HangUp`."""
    peeked = request.peeked
    if peeked is None or peeked.previous_response_id is None or request.continued is not None:
        return
    if not providers.able(candidate.account, "keep"):
        raise HangUp(*REPLAY)


def _message(body: bytes, previous: str) -> bytes:
    head = b'{"type":"response.create",'
    if previous:
        head += b'"previous_response_id":' + json.dumps(previous) + b","
    return head + body.lstrip()[1:]


async def _opened(
    gateway: Gateway, request: Request, candidate: Candidate, opening: HttpRequest
) -> Line | Said | None:
    """Open a line; return it, or who refused. None: there are no websockets, or who knows."""
    timeouts = gateway.settings.patience.of(candidate)
    try:
        made = await gateway.transport.line(opening, timeouts, proxy=gateway.settings.proxy_url)
    except UpstreamUnreachable as err:
        _log.info("%s: %s HTTP is used.", request.id, err.message)
        return None
    gateway.pool.observe(candidate, quota.read(made.headers, gateway.clock.now()))
    if isinstance(made, Line):
        return made
    noted = _noted(gateway, request, candidate, opening)
    if noted is not None:
        noted.status, noted.answer_headers = made.status, made.headers
        noted.answer.add(await made.read())
    if made.status in _TOLD or (made.status >= 500 and made.status not in _NO_WEBSOCKETS):
        return made
    _log.info("%s: a websocket was refused with %s. HTTP is used.", request.id, made.status)
    return None


async def _said(
    gateway: Gateway, request: Request, candidate: Candidate, line: Line, http: HttpRequest, *,
    keeps: bool,
) -> Answer | None:  # fmt: skip
    """Send a message; return its answer, None when the line was closed instead."""
    pool, clock = gateway.pool, gateway.clock
    line.aside = lambda data: pool.observe(candidate, quota.read_event(data, clock.now()))
    noted = _noted(gateway, request, candidate, http)
    timeouts = gateway.settings.patience.of(candidate)
    try:
        answer = await line.ask(http.body, timeouts, keeps=keeps)
    except Ended as err:
        if err.code == TOO_BIG:
            raise HangUp(TOO_BIG, "message too big", status=413) from None
        return None
    if noted is not None:
        noted.status, noted.answer_headers = answer.status, answer.headers
        answer.heard = noted.answer.add
    return answer


def _noted(
    gateway: Gateway, request: Request, candidate: Candidate, http: HttpRequest
) -> Exchange | None:
    if request.entry is None:
        return None
    via = http.proxy or gateway.settings.proxy_url or ""
    return request.entry.call(http, candidate.account.label, proxy=via)

"""What is noted of every request, once, when it is over."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct, structs

from cliproxy.account.model import Account
from cliproxy.base.redact import Hidden
from cliproxy.ir.usage import IRUsage
from cliproxy.pipeline.context import Request
from cliproxy.server.access import Client
from cliproxy.server.paths import Route
from cliproxy.server.recent import Recent, RecentRequests
from cliproxy.usage.record import LEFT, Record, Who, tokens_of, who
from cliproxy.usage.recorder import Usage

_NOBODY: Final = Who()
_GOING_ON: Final = 1000
_log: Final = logging.getLogger(__name__)


class Asked(Hidden, Struct):
    """Who asked for what, as far as it is known before the request is read."""

    id: str
    route: Route
    client: Client
    method: str
    path: str
    headers: Mapping[str, str]
    peer: str
    at: float
    """Unix seconds when it came."""
    began: float
    """The same moment, monotonic."""


class Accounting:
    """Notes requests that are over: the latest in memory, all of them in the usage database."""

    def __init__(self, recent: RecentRequests) -> None:
        self.recent = recent
        self.usage: Usage | None = None
        self._known: dict[str, Who] = {}
        self._accounts: tuple[Account, ...] = ()
        self._going_on: OrderedDict[str, Record] = OrderedDict()
        """Requests whose work goes on in the background, by their ids."""

    def begin(self, asked: Asked, request: Request) -> None:
        """Note a request that begins."""
        self.recent.begin(request, asked.at)

    def over(
        self,
        asked: Asked,
        request: Request | None,
        accounts: Callable[[], tuple[Account, ...]],
        *,
        now: float,
        status: int,
        error: str = "",
    ) -> None:
        """Note a request that is over. `request` is None when it could not even be read.

        Never raises: its answer was sent.
        """
        self.recent.end(asked.id)
        try:
            self._over(asked, request, accounts, now=now, status=status, error=error)
        except Exception:  # noqa: BLE001  # logged; the request itself is over
            _log.exception("request %s could not be recorded", asked.id)

    def _over(
        self,
        asked: Asked,
        request: Request | None,
        accounts: Callable[[], tuple[Account, ...]],
        *,
        now: float,
        status: int,
        error: str,
    ) -> None:
        seconds = now - asked.began
        usage = self.usage if self.usage is not None and self.usage.enabled else None
        if request is None:
            self.recent.refused(_refused(asked, seconds, status, error))
            if usage is not None:
                usage.add(_unread(asked, seconds, status, error))
            return
        if status == LEFT and request.meter.ended:
            # A client may go as soon as it knows the end.
            status, error = 200, ""
        last = request.attempts[-1] if request.attempts else None
        if last is not None and status == 200 and request.operation == "generate":
            status, error = _inside(last.reason, last.status, last.message)
        self.recent.add(request, at=asked.at, seconds=seconds, status=status, error=error)
        if usage is None:
            return
        first = request.first_token_at
        record = Record(
            id=request.id,
            at=asked.at,
            seconds=seconds,
            client=asked.client.mark,
            who=_NOBODY if last is None else self._who(last.account, last.provider, accounts()),
            model=request.model,
            served="" if last is None else last.model,
            dialect=request.dialect_id,
            upstream=request.meter.dialect,
            endpoint=_endpoint(asked),
            operation=request.operation,
            stream=request.stream,
            status=status,
            attempts=len(request.attempts),
            fidelity=request.fidelity,
            tokens=tokens_of(request.usage),
            first_seconds=None if first is None else first - asked.began,
            error=error,
            address=asked.peer,
            user_agent=asked.headers.get("user-agent", "")[:256],
        )
        usage.add(record)
        if request.dialect_id == "interactions" and _goes_on(request, record):
            self._going_on[record.id] = record
            if len(self._going_on) > _GOING_ON:
                self._going_on.popitem(last=False)

    def told_late(self, request_id: str, told: IRUsage) -> None:
        """Note what work in the background used, once somebody asks for its result."""
        tokens = tokens_of(told)
        if self.usage is None or tokens.quality == "none":
            return
        before = self._going_on.pop(request_id, None)
        if before is not None:
            self.usage.amend(before, structs.replace(before, tokens=tokens))

    def _who(self, account: str, provider: str, accounts: tuple[Account, ...]) -> Who:
        if accounts is not self._accounts:
            self._accounts = accounts
            self._known.clear()
        found = self._known.get(account)
        if found is None:
            folder = self.usage.auth_dir if self.usage is not None else ""
            known = next((one for one in accounts if one.id == account), None)
            found = Who(account, provider) if known is None else who(known, folder)
            self._known[account] = found
        return found


def _goes_on(request: Request, record: Record) -> bool:
    peeked = request.peeked
    if peeked is None or not peeked.background or record.tokens.quality == "complete":
        return False
    return record.status in (200, LEFT)


def _inside(reason: str, status: int, message: str) -> tuple[int, str]:
    """Return how an answer ended that began with 200: it may have failed on its way."""
    if reason in ("ok", ""):
        return 200, ""
    return (status if status >= 400 else 502), message


def _refused(asked: Asked, seconds: float, status: int, error: str) -> Recent:
    route = asked.route
    return Recent(
        id=asked.id,
        at=asked.at,
        seconds=seconds,
        client=asked.client.mark,
        dialect=route.dialect,
        model=(route.model or "")[:256],
        stream=bool(route.stream),
        operation=route.operation,
        status=status,
        fidelity="",
        error=error,
        attempts=[],
    )


def _unread(asked: Asked, seconds: float, status: int, error: str) -> Record:
    route = asked.route
    return Record(
        id=asked.id,
        at=asked.at,
        seconds=seconds,
        client=asked.client.mark,
        who=_NOBODY,
        model=(route.model or "")[:256],
        served="",
        dialect=route.dialect,
        upstream="",
        endpoint=_endpoint(asked),
        operation=route.operation,
        stream=bool(route.stream),
        status=status,
        attempts=0,
        fidelity="",
        error=error,
        address=asked.peer,
        user_agent=asked.headers.get("user-agent", "")[:256],
    )


def _endpoint(asked: Asked) -> str:
    """Return method and path, the model's name left out: it would make a thousand of one."""
    path = asked.path
    if asked.route.model:
        path = path.replace(asked.route.model, "{model}")
    return f"{asked.method} {path[:200]}"


__all__ = ["LEFT", "Accounting", "Asked"]

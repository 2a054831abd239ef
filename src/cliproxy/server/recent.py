"""The last requests and how each was answered, for whoever asks why something failed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import chain, islice
from typing import Any, Final

import msgspec
from msgspec import Struct

from cliproxy.base.clock import SYSTEM_CLOCK, Clock
from cliproxy.base.json import Obj
from cliproxy.pipeline.context import Attempt, Request

MOST: Final = 500


class Recent(Struct, frozen=True):
    """One request. It holds no bodies and no keys."""

    id: str
    at: float
    """Unix seconds when it came."""
    seconds: float
    client: str
    dialect: str
    model: str
    stream: bool
    operation: str
    status: int
    """0 while it runs."""
    fidelity: str
    error: str
    attempts: list[Attempt]
    running: bool = False
    first_seconds: float | None = None
    """When its stream got going; None before, and for whole answers."""


class RecentRequests:
    """Keeps the requests under way and the latest that are over."""

    def __init__(self, most: int = MOST, clock: Clock = SYSTEM_CLOCK) -> None:
        self._kept: deque[Recent] = deque(maxlen=most)
        self._running: dict[str, tuple[Request, float]] = {}
        self._clock = clock

    def begin(self, request: Request, at: float) -> None:
        """Note a request that begins, and when it came."""
        self._running[request.id] = request, at

    def end(self, request_id: str) -> None:
        """Note that a request no longer runs."""
        self._running.pop(request_id, None)

    def add(
        self, request: Request, *, at: float, seconds: float, status: int, error: str = ""
    ) -> None:
        """Note a request that is over."""
        first = self._first(request, seconds)
        self._kept.append(_recent(request, at, seconds, first, status=status, error=error))

    def refused(self, item: Recent) -> None:
        """Note a request that is over and could not even be read."""
        self._kept.append(item)

    def latest(self, count: int, wanted: Callable[[Recent], bool] | None = None) -> list[Obj]:
        """Return those under way, then those that are over, newest first each."""
        found = chain(self._under_way(), reversed(self._kept))
        return [_shown(item) for item in islice(filter(wanted or _any, found), count)]

    def find(self, request_id: str) -> Obj | None:
        """Return one by its id."""
        found = chain(self._under_way(), reversed(self._kept))
        return next((_shown(item) for item in found if item.id == request_id), None)

    def _under_way(self) -> list[Recent]:
        now = self._clock.now()
        found = []
        for request, at in reversed(self._running.values()):
            seconds = max(0.0, now - at)
            found.append(_recent(request, at, seconds, self._first(request, seconds), running=True))
        return found

    def _first(self, request: Request, seconds: float) -> float | None:
        """Return how long a request, that old now, waited for the first piece of its stream."""
        began = request.first_token_at
        return None if began is None else max(0.0, seconds - (self._clock.monotonic() - began))


def _any(item: Recent) -> bool:
    del item
    return True


def _recent(
    request: Request,
    at: float,
    seconds: float,
    first_seconds: float | None,
    *,
    status: int = 0,
    error: str = "",
    running: bool = False,
) -> Recent:
    return Recent(
        id=request.id,
        at=at,
        seconds=seconds,
        client=request.client,
        dialect=request.dialect_id,
        model=request.model,
        stream=request.stream,
        operation=request.operation,
        status=status,
        fidelity=request.fidelity,
        error=error,
        attempts=request.attempts,
        running=running,
        first_seconds=first_seconds,
    )


def _shown(item: Recent) -> Obj:
    value: Any = msgspec.to_builtins(item)
    found: Obj = value
    return found

"""The last requests and how each was answered, for whoever asks why something failed."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

import msgspec
from msgspec import Struct

from cliproxy.base.json import Obj
from cliproxy.pipeline.context import Attempt, Request

MOST: Final = 500


class Recent(Struct, frozen=True):
    """One request that is over. It holds no bodies and no keys."""

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
    fidelity: str
    error: str
    attempts: list[Attempt]


class RecentRequests:
    """Keeps the latest requests, the newest last."""

    def __init__(self, most: int = MOST) -> None:
        self._kept: deque[Recent] = deque(maxlen=most)

    def add(
        self, request: Request, *, at: float, seconds: float, status: int, error: str = ""
    ) -> None:
        """Note a request that is over."""
        self._kept.append(
            Recent(
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
            )
        )

    def latest(self, count: int) -> list[Obj]:
        """Return the latest ones, newest first."""
        return [_shown(item) for item, _ in zip(reversed(self._kept), range(count), strict=False)]

    def find(self, request_id: str) -> Obj | None:
        """Return one by its id."""
        for item in reversed(self._kept):
            if item.id == request_id:
                return _shown(item)
        return None


def _shown(item: Recent) -> Obj:
    value: Any = msgspec.to_builtins(item)
    found: Obj = value
    return found

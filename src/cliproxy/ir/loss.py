"""What could not be carried from one dialect to another, and what was done about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from msgspec import Struct

Severity = Literal["info", "warn", "error"]
Action = Literal["dropped", "approximated", "moved", "synthesised"]


class Loss(Struct, frozen=True):
    """One thing that was not carried as it was.

    `field` is the path in the *client's* body (`logit_bias`, `messages[3].content[1]`);
    `severity` error means the meaning of the request changes (strict mode refuses it).
    """

    field: str
    reason: str
    severity: Severity = "warn"
    action: Action = "dropped"


class Losses:
    """A list that a builder writes to; one entry per field and reason."""

    def __init__(self) -> None:
        self._items: dict[tuple[str, str], Loss] = {}

    def add(
        self, field: str, reason: str, severity: Severity = "warn", action: Action = "dropped"
    ) -> None:
        """Report one loss."""
        field = str(field)  # paths are worked out now
        self._items.setdefault((field, reason), Loss(field, reason, severity, action))

    def extend(self, losses: Iterable[Loss]) -> None:
        """Take over losses reported elsewhere."""
        for loss in losses:
            self._items.setdefault((loss.field, loss.reason), loss)

    def __iter__(self) -> Iterator[Loss]:
        return iter(self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    def tuple(self) -> tuple[Loss, ...]:
        """Return what was reported, in order."""
        return tuple(self._items.values())

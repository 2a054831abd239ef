"""What accounts have refused, so that the next turn of a conversation is not refused for it again.

A conversation repeats what it holds with every turn: reasoning that another account has sealed, a
wish for a longer context. What was left out once, and then was answered, is left out at once for
a while. What it is stands here as a name that tells nothing of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cliproxy.base.clock import SYSTEM_CLOCK, Clock
from cliproxy.base.http import HttpRequest

if TYPE_CHECKING:
    from cliproxy.pipeline.calls import Target

TTL: Final = 3600.0
"""Seconds that a refusal is believed."""
MOST: Final = 16384
"""Things that are remembered; of who was longest without a refusal the oldest are forgotten."""


class Spared:
    """What is left out where. It outlives configurations."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._known: dict[tuple[str, str], dict[str, float]] = {}
        """Until when, by account and model; what was learnt last stands last."""
        self._count = 0

    def learn(self, target: Target, refused: HttpRequest, taken: HttpRequest) -> None:
        """Remember what a call that was refused held, and the one that was answered did not."""
        parts = target.provider.parts(refused) - target.provider.parts(taken)
        if not parts:
            return
        who, until = _who(target), self._clock.monotonic() + TTL
        known = self._known.pop(who, {})
        self._count -= len(known)
        for part in parts:
            known.pop(part, None)
            known[part] = until
        self._known[who] = known
        self._count += len(known)
        while self._count > MOST:
            first, oldest = next(iter(self._known.items()))
            self._drop(first, oldest, next(iter(oldest)))

    def spare(self, target: Target, http: HttpRequest) -> HttpRequest:
        """Return a call without what is known to be refused; the same where that is nothing."""
        if not self._known:
            return http
        who = _who(target)
        known = self._known.get(who)
        if known is None:
            return http
        now = self._clock.monotonic()
        while known and (part := next(iter(known))) and known[part] <= now:
            self._drop(who, known, part)
        return target.provider.without(http, known.keys()) if known else http

    def forget(self, target: Target) -> None:
        """Ask for everything again: what was left out seems to be needed."""
        self._count -= len(self._known.pop(_who(target), ()))

    def __len__(self) -> int:
        return self._count

    def _drop(self, who: tuple[str, str], known: dict[str, float], part: str) -> None:
        del known[part]
        self._count -= 1
        if not known:
            del self._known[who]


def _who(target: Target) -> tuple[str, str]:
    return target.candidate.account.id, target.candidate.upstream_model

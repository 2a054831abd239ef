"""Accounts whose limits are true, whatever they announce."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from cliproxy.account.model import Account, ModelRule
from cliproxy.base.errors import UpstreamError, UpstreamRefused, UpstreamUnreachable
from cliproxy.routing.quota import Quota

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
WEEK = 7 * DAY
EPOCH = 1_800_000_000.0


@dataclass
class Window:
    """So much may be used in so long a time; it begins anew at `phase + n * length`."""

    name: str
    length: float
    capacity: float
    phase: float = 0.0
    lie: float = 0.0
    """The true reset comes so many seconds after the announced one; negative: before it."""
    used: float = 0.0
    turn: int = -1

    def roll(self, now: float) -> None:
        turn = int((now - self.phase - self.lie) // self.length)
        if turn != self.turn:
            self.turn, self.used = turn, 0.0

    def announced(self) -> float:
        return self.phase + (self.turn + 1) * self.length

    def fits(self, cost: float) -> bool:
        return self.used + cost <= self.capacity


@dataclass
class Upstream:
    """One account and the host behind it."""

    name: str
    windows: list[Window]
    weight: int = 1
    seconds: float = 12.0
    """How long an answer takes."""
    errors: float = 0.0
    """Share of requests that fail for no reason."""
    down: tuple[float, float] = (0.0, 0.0)
    """Fails for the second number of seconds out of each of the first."""
    dead: bool = False
    served: float = 0.0
    calls: int = 0
    failures: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def account(self) -> Account:
        rules = (ModelRule("claude-sonnet-x", "m"),)
        return Account(self.name, "claude", self.name, models=rules, weight=self.weight)

    def could(self, now: float, cost: float) -> bool:
        """Tell whether a request would be served: what only the oracle may ask."""
        if self.dead or self._is_down(now):
            return False
        for window in self.windows:
            window.roll(now)
        return all(window.fits(cost) for window in self.windows)

    def slack(self, now: float) -> float:
        """Return the pace of the scarcest long window, by the truth."""
        paces = [
            (1 - w.used / w.capacity) / max(0.005, (w.announced() + w.lie - now) / w.length)
            for w in self.windows
            if w.length > HOUR
        ]
        return min(paces, default=1.0)

    def _is_down(self, now: float) -> bool:
        every, long = self.down
        return every > 0 and now % every < long

    def ask(self, now: float, cost: float) -> tuple[UpstreamError | None, tuple[Quota, ...]]:
        """Serve a request, or refuse it as its kind does."""
        self.calls += 1
        error, quotas = self._ask(now, cost)
        self.failures += error is not None
        return error, quotas

    def _ask(self, now: float, cost: float) -> tuple[UpstreamError | None, tuple[Quota, ...]]:
        if self.dead:
            return UpstreamRefused("x", status=401), ()
        if self._is_down(now):
            return UpstreamUnreachable("x"), ()
        if self.chance.random() < self.errors:
            return UpstreamRefused("x", status=500), ()
        if self.could(now, cost):
            for window in self.windows:
                window.used += cost
            self.served += cost
            return None, self._quotas(0.0)
        waits = [w.announced() - now for w in self.windows if not w.fits(cost)]
        # A window that is late announces a time that is over: then it says nothing.
        wait = max(waits)
        return UpstreamRefused("x", status=429, retry_after=wait if wait > 0 else None), (
            self._quotas(cost)
        )

    def _quotas(self, cost: float) -> tuple[Quota, ...]:
        return tuple(
            Quota(
                w.name,
                w.length,
                min(1.0, w.used / w.capacity),
                EPOCH + w.announced(),
                rejected=cost > 0 and not w.fits(cost),
            )
            for w in self.windows
            if w.length > HOUR
        )


def subscription(
    name: str, size: float = 1.0, phase: float = 0.0, lie: float = 0.0, **more: object
) -> Upstream:
    """Return an account with a minute's, a five hours' and a week's limit."""
    windows = [
        Window("minute", MINUTE, 6 * max(1.0, size)),
        Window("5h", 5 * HOUR, 40 * size, phase % (5 * HOUR), lie),
        Window("7d", WEEK, 700 * size, phase % WEEK - WEEK, lie),
    ]
    return Upstream(name, windows, chance=random.Random(name), **more)  # type: ignore[arg-type]


def roomy() -> list[Upstream]:
    """Twice of what is asked for; everybody tells the truth."""
    return [subscription(f"a{n}", 1.8, n * 41 * HOUR + n * 1700) for n in range(8)]


def tight() -> list[Upstream]:
    """About what is asked for, in accounts of two sizes; everybody tells the truth."""
    sizes = (2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.5)
    return [
        subscription(f"a{n}", size, n * 29 * HOUR + n * 1700, weight=int(size * 2))
        for n, size in enumerate(sizes)
    ]


def rough() -> list[Upstream]:
    """Accounts that are dead, slow, flapping, forgetful, and wrong about when they begin anew."""
    return [
        subscription("big", 2.5, 11 * HOUR, weight=5, errors=0.01),
        subscription("plain", 1.5, 50 * HOUR, weight=3, errors=0.05),
        subscription("early", 1.5, 70 * HOUR, weight=3, lie=-1.5 * HOUR),
        subscription("late", 1.5, 90 * HOUR, weight=3, lie=600.0),
        subscription("slow", 1.5, 110 * HOUR, weight=3, seconds=60.0),
        subscription("flapping", 1.5, 130 * HOUR, weight=3, down=(1500.0, 300.0)),
        subscription("dead", 1.5, 0.0, weight=3, dead=True),
        subscription("dead2", 1.5, 0.0, weight=3, dead=True),
    ]


SCENARIOS = {"roomy": roomy, "tight": tight, "rough": rough}

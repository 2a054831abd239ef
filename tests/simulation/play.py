"""Plays a week to a pool, or to the oracle, and counts."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field

from cliproxy.base.errors import RateLimited
from cliproxy.config.schema import Config
from cliproxy.routing.affinity import Session
from cliproxy.routing.pool import Pool
from cliproxy.routing.resolve import Registry
from tests.simulation.accounts import EPOCH, SCENARIOS, Upstream
from tests.simulation.week import Conversation

REFUSAL = 0.3
"""Seconds that a refusal takes."""
PATIENCE = 60.0
"""Seconds after which a client that was refused asks again."""
TRIES = 6


class Hands:
    """The clock: it shows what it is set to."""

    time = 0.0

    def now(self) -> float:
        return EPOCH + self.time

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody waits here")


@dataclass
class Score:
    """What a week came to."""

    turns: int = 0
    served: int = 0
    lost: int = 0
    work: float = 0.0
    calls: int = 0
    wasted: int = 0
    followed: int = 0
    stayed: int = 0
    fairness: float = 0.0
    attempts: list[int] = field(default_factory=list)

    @property
    def waste(self) -> float:
        return self.wasted / self.calls

    @property
    def cache(self) -> float:
        return self.stayed / self.followed


def jain(values: list[float]) -> float:
    """Return 1 when all are equal, 1/n when one has everything."""
    return sum(values) ** 2 / (len(values) * sum(v * v for v in values))


@contextmanager
def _silence():
    log = logging.getLogger("cliproxy.routing")
    before = log.disabled
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = before


Choose = Callable[[float, str, int, float], tuple[str | None, int]]
"""Time, conversation, number of its turn, cost → who served it, and after how many refusals."""


def _played(conversations: list[Conversation], choose: Choose, clock: Hands) -> Score:
    score = Score()
    where: dict[str, str] = {}
    events = [(c.starts, n, 0, 0, c) for n, c in enumerate(conversations)]
    heapq.heapify(events)
    number = len(events)
    while events:
        now, _, turn, tries, talk = heapq.heappop(events)
        clock.time = now
        score.turns += tries == 0
        chosen, refused = choose(now, talk.key, turn, talk.turns[turn][1])
        score.wasted += refused
        score.calls += refused + (chosen is not None)
        pause = REFUSAL * refused
        if chosen is None:
            if tries + 1 < TRIES:
                number += 1
                heapq.heappush(events, (now + pause + PATIENCE, number, turn, tries + 1, talk))
                continue
            score.lost += 1
        else:
            score.served += 1
            score.work += talk.turns[turn][1]
            score.attempts.append(refused + 1)
            if talk.key in where:
                score.followed += 1
                score.stayed += where[talk.key] == chosen
            where[talk.key] = chosen
            pause += 12.0
        if turn + 1 < len(talk.turns):
            number += 1
            after = now + pause + talk.turns[turn + 1][0]
            heapq.heappush(events, (after, number, turn + 1, 0, talk))
    return score


def play(
    scenario: str, strategy: str, conversations: list[Conversation], *, affinity: bool = True
) -> Score:
    """Let the real pool choose."""
    upstreams = {u.name: u for u in SCENARIOS[scenario]()}
    clock = Hands()
    pool = Pool(strategy, affinity_ttl=3600.0 if affinity else 0.0, clock=clock, chance=lambda: 0.0)
    registry = Registry([u.account() for u in upstreams.values()], Config())
    candidates = registry.resolve("m")
    running: list[tuple[float, int, object, object, object, float]] = []
    count = 0

    def choose(now: float, key: str, turn: int, cost: float) -> tuple[str | None, int]:
        nonlocal count
        # Answers that are complete by now.
        while running and running[0][0] <= now:
            ends, _, place, candidate, session, began = heapq.heappop(running)
            clock.time = ends
            pool.report(candidate, session=session, began=began)
            place.end()
        clock.time = now
        session = Session(key, opening=turn == 0, going=turn > 0) if affinity else None
        try:
            plan = pool.plan(candidates, session)
        except RateLimited:
            return None, 0
        for refused, candidate in enumerate(plan):
            upstream = upstreams[candidate.account.id]
            began = clock.time = now + REFUSAL * refused
            error, quotas = upstream.ask(clock.time, cost)
            place = pool.begin(candidate)
            pool.observe(candidate, quotas)
            if error is None:
                count += 1
                ends = clock.time + upstream.seconds
                heapq.heappush(running, (ends, count, place, candidate, session, began))
                return upstream.name, refused
            place.end()
            if not pool.report(candidate, error, source="header", session=session, began=began):
                return None, refused + 1
        return None, len(plan)

    with _silence():
        score = _played(conversations, choose, clock)
    score.fairness = _fairness(list(upstreams.values()))
    return score


def oracle(scenario: str, conversations: list[Conversation]) -> Score:
    """Let somebody choose who knows all limits: never refused where anybody could serve."""
    upstreams = {u.name: u for u in SCENARIOS[scenario]()}
    bound: dict[str, str] = {}

    def choose(now: float, key: str, turn: int, cost: float) -> tuple[str | None, int]:
        able = [u for u in upstreams.values() if u.could(now, cost)]
        if not able:
            return None, 0
        mine = [u for u in able if u.name == bound.get(key)]
        chosen = mine[0] if mine else max(able, key=lambda u: (u.slack(now), u.name))
        bound[key] = chosen.name
        for window in chosen.windows:
            window.used += cost
        chosen.served += cost
        return chosen.name, 0

    score = _played(conversations, choose, Hands())
    score.fairness = _fairness(list(upstreams.values()))
    return score


def _fairness(upstreams: list[Upstream]) -> float:
    """Compare how much of its week each living account was used for."""
    return jain([u.served / u.windows[-1].capacity for u in upstreams if not u.dead])

"""Who asks what, and when: the same week for everybody who is measured."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from tests.simulation.accounts import DAY, HOUR, WEEK


@dataclass(frozen=True)
class Conversation:
    """Turns of one conversation: pause before each, and what it costs."""

    key: str
    starts: float
    turns: tuple[tuple[float, float], ...]


def _busy(now: float) -> float:
    """Return how likely somebody begins at this time: days and nights, a quiet weekend."""
    hour, day = now % DAY / HOUR, int(now // DAY)
    daylight = math.exp(-(((hour - 14) / 4) ** 2))
    return (0.06 + 0.94 * daylight) * (0.35 if day >= 5 else 1.0)


def week(seed: int = 7, conversations: int = 480) -> list[Conversation]:
    """Return the conversations of a week in the order in which they begin."""
    chance = random.Random(seed)
    found: list[Conversation] = []
    while len(found) < conversations:
        starts = chance.uniform(0, WEEK - 2 * HOUR)
        if chance.random() > _busy(starts):
            continue
        # Now and then an agent sends a swarm of helpers out at the same moment.
        swarm = 6 if chance.random() < 0.04 else 1
        for _ in range(swarm):
            turns = []
            for number in range(min(60, 1 + int(chance.expovariate(1 / 11)))):
                pause = chance.expovariate(1 / (20 if swarm > 1 else 70)) if number else 0.0
                if chance.random() < 0.03:
                    pause += chance.uniform(300, 2400)
                turns.append((pause, chance.uniform(0.4, 1.6)))
            found.append(Conversation(f"c{len(found)}", starts + chance.random(), tuple(turns)))
    return sorted(found, key=lambda c: c.starts)

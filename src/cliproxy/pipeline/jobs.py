"""Which account a job was begun at, and for whom: nobody else can tell, or is told, how it went."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Any, Final

from msgspec import Struct

from cliproxy.base.clock import SYSTEM_CLOCK, Clock

_AT_ONCE: Final = 2
MOST: Final = 4096
"""Jobs that are remembered; those begun longest ago are forgotten first."""


class Job(Struct, frozen=True):
    """A job: whose it is, until when that is believed, and what was asked for."""

    account: str
    client: str
    until: float
    about: Any = None


class Jobs:
    """The jobs of one process. They outlive configurations."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self.fetching: Final = asyncio.Semaphore(_AT_ONCE)
        """Held while what a job made is fetched."""

    def bind(
        self, name: str, account: str, ttl: float, about: Any = None, *, client: str = ""
    ) -> None:
        """Remember whose a job is, for `ttl` seconds."""
        if ttl <= 0:
            return
        self._jobs.pop(name, None)
        self._jobs[name] = Job(account, client, self._clock.monotonic() + ttl, about)
        if len(self._jobs) > MOST:
            self._jobs.popitem(last=False)

    def find(self, name: str) -> Job | None:
        """Return a job that is still remembered."""
        found = self._jobs.get(name)
        if found is not None and found.until <= self._clock.monotonic():
            del self._jobs[name]
            return None
        return found

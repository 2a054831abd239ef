"""How many calls went well and badly on each account, in all and in the last hours."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Any, Final

from msgspec import Struct, field

from cliproxy.base.clock import SYSTEM_CLOCK, Clock
from cliproxy.base.json import Obj
from cliproxy.pipeline.context import Request
from cliproxy.server.recent import RecentRequests

BUCKETS: Final = 20
LENGTH: Final = 600
"""Seconds of one bucket."""
_ACCOUNTS: Final = 20_000


class _Count(Struct):
    success: int = 0
    failed: int = 0


class _Account(Struct):
    total: _Count = field(default_factory=_Count)
    buckets: dict[int, _Count] = field(default_factory=dict)


class Traffic:
    """Counts attempts by account. In memory only."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._accounts: OrderedDict[str, _Account] = OrderedDict()

    def note(self, account: str, *, good: bool) -> None:
        """Count one attempt that is over."""
        found = self._accounts.get(account)
        if found is None:
            found = self._accounts[account] = _Account()
            if len(self._accounts) > _ACCOUNTS:
                self._accounts.popitem(last=False)
        number = int(self._clock.now()) // LENGTH
        if number not in found.buckets:
            for old in [n for n in found.buckets if n <= number - BUCKETS]:
                del found.buckets[old]
            found.buckets[number] = _Count()
        for count in (found.total, found.buckets[number]):
            if good:
                count.success += 1
            else:
                count.failed += 1

    def of(self, *accounts: str) -> Obj:
        """Return the sums of some accounts: `success`, `failed` and twenty `recent_requests`."""
        found = [self._accounts[a] for a in dict.fromkeys(accounts) if a in self._accounts]
        now = int(self._clock.now()) // LENGTH
        recent: list[Obj] = []
        for number in range(now - BUCKETS + 1, now + 1):
            counts = [a.buckets[number] for a in found if number in a.buckets]
            recent.append(
                {
                    "time": f"{_clock_time(number)}-{_clock_time(number + 1)}",
                    "success": sum(c.success for c in counts),
                    "failed": sum(c.failed for c in counts),
                }
            )
        return {
            "success": sum(a.total.success for a in found),
            "failed": sum(a.total.failed for a in found),
            "recent_requests": recent,
        }


class CountingRequests(RecentRequests):
    """The latest requests, counted by account as they end."""

    def __init__(self, traffic: Traffic, clock: Clock = SYSTEM_CLOCK) -> None:
        super().__init__(clock=clock)
        self.traffic = traffic

    def add(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Note a request that is over, and its attempts."""
        super().add(request, *args, **kwargs)
        for attempt in request.attempts:
            # One without a reason was given up by its client.
            if attempt.reason:
                self.traffic.note(attempt.account, good=attempt.reason == "ok")


def _clock_time(number: int) -> str:
    return time.strftime("%H:%M", time.localtime(number * LENGTH))

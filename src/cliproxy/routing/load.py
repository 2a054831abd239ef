"""How many requests each account has running, and who waits for a place."""

from __future__ import annotations

import asyncio
from collections import deque

from cliproxy.base.errors import RateLimited


class Turn:
    """One request that runs on an account. `end` it, however it ends; once is enough."""

    __slots__ = ("_account", "_load")

    def __init__(self, load: Load, account: str) -> None:
        self._load: Load | None = load
        self._account = account

    def end(self) -> None:
        """Give the place back. Does nothing the second time."""
        load, self._load = self._load, None
        if load is not None:
            load.left(self._account)


class Load:
    """Counts, and queues where an account has only so many places. Bounded by what runs."""

    def __init__(self) -> None:
        self._running: dict[str, int] = {}
        self._queues: dict[str, deque[tuple[asyncio.Future[None], int]]] = {}

    def running(self, account: str) -> int:
        """Return how many requests an account has running or waiting."""
        count = self._running.get(account, 0)
        return count + len(self._queues[account]) if account in self._queues else count

    def begin(self, account: str) -> Turn:
        """Count a request, at once and whatever runs already."""
        self._running[account] = self._running.get(account, 0) + 1
        return Turn(self, account)

    async def enter(self, account: str, most: int, patience: float) -> Turn:
        """Count a request when fewer than `most` run; those who wait have their turn in order.

        Raises `RateLimited` when no place is free within `patience` seconds.
        """
        if most <= 0 or self.running(account) < most:
            return self.begin(account)
        place = asyncio.get_running_loop().create_future()
        entry = (place, most)
        self._queues.setdefault(account, deque()).append(entry)
        try:
            async with asyncio.timeout(patience):
                await place
        except BaseException as err:
            if place.done() and not place.cancelled():
                # The place was given in the same moment: it goes to the next one.
                self.left(account)
            else:
                self._forget(account, entry)
            if isinstance(err, TimeoutError):
                raise RateLimited(
                    f"The account has {most} requests running, as many as it may, and none of "
                    f"them ended within {patience:.0f} s.",
                    retry_after=1.0,
                    next_account=True,
                ) from None
            raise
        return Turn(self, account)

    def left(self, account: str) -> None:
        """Give a place back, to whoever waits longest."""
        count = self._running.get(account, 0) - 1
        queue = self._queues.get(account)
        while queue and count < queue[0][1]:
            place, _ = queue.popleft()
            if not place.done():
                place.set_result(None)
                count += 1
        if queue is not None and not queue:
            del self._queues[account]
        if count > 0:
            self._running[account] = count
        else:
            self._running.pop(account, None)

    def _forget(self, account: str, entry: tuple[asyncio.Future[None], int]) -> None:
        queue = self._queues.get(account)
        if queue is not None and entry in queue:
            queue.remove(entry)
            if not queue:
                del self._queues[account]

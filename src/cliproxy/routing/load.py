"""How many requests each account has running, and who waits for a place."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque

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


_Entry = tuple[asyncio.Future[None], int]


class _Line:
    """Who waits for one account: a queue per client, and clients take turns.

    So a client with many requests waits for itself, and not the others for it.
    """

    def __init__(self) -> None:
        self._queues: OrderedDict[str, deque[_Entry]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, client: str, entry: _Entry) -> None:
        """Put a request at the end of its client's queue."""
        self._queues.setdefault(client, deque()).append(entry)
        self._count += 1

    def first(self) -> _Entry | None:
        """Return whose turn it is."""
        for queue in self._queues.values():
            return queue[0]
        return None

    def take(self) -> _Entry:
        """Remove whose turn it is, and let the next client be first."""
        client, queue = self._queues.popitem(last=False)
        entry = queue.popleft()
        if queue:
            self._queues[client] = queue
        self._count -= 1
        return entry

    def drop(self, client: str, entry: _Entry) -> None:
        """Remove a request that waits no more."""
        queue = self._queues.get(client)
        if queue is not None and entry in queue:
            queue.remove(entry)
            self._count -= 1
            if not queue:
                del self._queues[client]


class Load:
    """Counts, and queues where an account has only so many places. Bounded by what runs."""

    def __init__(self) -> None:
        self._running: dict[str, int] = {}
        self._queues: dict[str, _Line] = {}

    def running(self, account: str) -> int:
        """Return how many requests an account has running or waiting."""
        count = self._running.get(account, 0)
        return count + len(self._queues[account]) if account in self._queues else count

    def begin(self, account: str) -> Turn:
        """Count a request, at once and whatever runs already."""
        self._running[account] = self._running.get(account, 0) + 1
        return Turn(self, account)

    async def enter(self, account: str, most: int, patience: float, client: str = "") -> Turn:
        """Count a request when fewer than `most` run; else wait for its turn.

        Clients take turns, and each one's requests keep their order.

        Raises `RateLimited` when no place is free within `patience` seconds.
        """
        if most <= 0 or self.running(account) < most:
            return self.begin(account)
        place = asyncio.get_running_loop().create_future()
        entry = (place, most)
        self._queues.setdefault(account, _Line()).add(client, entry)
        try:
            async with asyncio.timeout(patience):
                await place
        except BaseException as err:
            if place.done() and not place.cancelled():
                # The place was given in the same moment: it goes to the next one.
                self.left(account)
            else:
                self._forget(account, client, entry)
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
        """Give a place back, to whose turn it is."""
        count = self._running.get(account, 0) - 1
        queue = self._queues.get(account)
        while queue and (first := queue.first()) is not None and count < first[1]:
            place, _ = queue.take()
            if not place.done():
                place.set_result(None)
                count += 1
        if queue is not None and not len(queue):
            del self._queues[account]
        if count > 0:
            self._running[account] = count
        else:
            self._running.pop(account, None)

    def _forget(self, account: str, client: str, entry: _Entry) -> None:
        queue = self._queues.get(account)
        if queue is not None:
            queue.drop(client, entry)
            if not len(queue):
                del self._queues[account]

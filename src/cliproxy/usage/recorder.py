"""What the server tells of each request that is over, and who asks about it later."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Final

from cliproxy.base.clock import SYSTEM_CLOCK, Clock
from cliproxy.config.schema import Config, Price
from cliproxy.usage.cost import Prices
from cliproxy.usage.pruning import Limits
from cliproxy.usage.queue import UsageQueue, retention
from cliproxy.usage.record import Marks, Record
from cliproxy.usage.store import NAME, Store

_log: Final = logging.getLogger(__name__)


class Usage:
    """The store and the queue, as one configuration wants them.

    Attributes:
        enabled: whether requests are recorded.
        queued: whether they are also put into the queue: only where somebody can take them out.
        auth_dir: absolute, as management clients' indexes of accounts need it.
        marks: makes what stands for client keys.
    """

    def __init__(self, config: Config, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self.auth_dir = str(Path(config.auth_dir).expanduser().absolute())
        self.clock = clock
        self.marks = Marks(Path(self.auth_dir))
        self.store = Store(Path(self.auth_dir) / NAME, clock=clock)
        self.queue = UsageQueue(clock=clock)
        self.enabled = True
        self.queued = False
        self._prices: Mapping[str, Price] | None = None
        self.apply(config)

    def apply(self, config: Config, *, queued: bool = False) -> None:
        """Go on as another configuration says. The file stays where it is."""
        self.enabled = config.usage_statistics_enabled
        self.queued = queued
        self.queue.seconds = retention(config.redis_usage_queue_retention_seconds)
        if not (queued and self.enabled):
            self.queue.clear()
        kept = config.usage
        self.store.limits = Limits(
            min(max(0, kept.max_requests), 1 << 40),
            kept.requests_ttl,
            kept.hours_ttl,
            int(kept.max_size_mb * 1024 * 1024),
        )
        if config.prices != self._prices:
            self._prices = config.prices
            self.store.prices = Prices(config.prices)

    def add(self, record: Record) -> None:
        """Record a request that is over. Never waits, never raises."""
        if not self.enabled:
            return
        self.store.add(record)
        if self.queued and record.operation != "count":
            self.queue.add(record)

    def amend(self, before: Record, after: Record) -> None:
        """Write tokens that were told after a request was recorded. Never waits, never raises."""
        self.store.submit(lambda writer: writer.amend(before, after)).add_done_callback(_told)

    def close(self) -> None:
        """Write what waits."""
        self.store.close()


def _told(done: Future[None]) -> None:
    if (err := done.exception()) is not None:
        _log.warning("tokens that were told late could not be recorded: %s", err)

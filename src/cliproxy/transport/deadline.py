"""How long a wait may take, for a tenth of what `asyncio.timeout` costs.

Every request waits for an upstream, every streamed event is a wait of its own, and nearly all of
them end in time. So a wait only puts itself into a set; one timer for all of them looks for those
that are over.
"""

from __future__ import annotations

import asyncio
import math
from types import TracebackType
from typing import Final

_EARLY: Final = 0.002
"""Seconds by which a timer may come too early: loops count in milliseconds."""


class Deadlines:
    """The waits of one event loop."""

    def __init__(self) -> None:
        self._waits: set[Wait] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._next = math.inf
        self._loop: asyncio.AbstractEventLoop | None = None

    def within(self, seconds: float | None) -> Wait:
        """Return a context that ends what waits in it with `TimeoutError`; None = never.

        As `asyncio.timeout`, but a plain `with`.
        """
        return Wait(self, seconds)

    def watch(self, wait: Wait) -> None:
        """Have a wait ended when its time is over."""
        if self._loop is not wait.loop:
            # A timer of a loop that has ended never comes.
            self._loop, self._timer, self._next = wait.loop, None, math.inf
        self._waits.add(wait)
        if wait.at < self._next:
            self._set(wait.at, wait.loop)

    def forget(self, wait: Wait) -> None:
        """Have a wait left alone."""
        self._waits.discard(wait)

    def _set(self, at: float, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = at
        self._timer = loop.call_at(at, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer, self._next = None, math.inf
        now = loop.time() + _EARLY
        first = math.inf
        for wait in list(self._waits):
            if wait.at <= now:
                self._waits.discard(wait)
                wait.end()
            elif wait.loop is loop:
                first = min(first, wait.at)
        if first < math.inf:
            self._set(first, loop)


class Wait:
    """One wait: a `with` block whose body is given up when it takes too long."""

    __slots__ = ("_cancelling", "_deadlines", "_over", "_seconds", "_task", "at", "loop")

    def __init__(self, deadlines: Deadlines, seconds: float | None) -> None:
        self._deadlines = deadlines
        self._seconds = seconds
        self._over = False

    def __enter__(self) -> None:
        if self._seconds is None:
            return
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a wait needs a task that can be cancelled")
        self._task = task
        self._cancelling = task.cancelling()
        self.loop: asyncio.AbstractEventLoop = task.get_loop()
        self.at: float = self.loop.time() + self._seconds
        self._deadlines.watch(self)

    def end(self) -> None:
        """Give up: called when the time is over."""
        self._over = True
        self._task.cancel()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._seconds is None:
            return
        self._deadlines.forget(self)
        if not self._over:
            return
        # Cancelled by somebody else as well, it stays cancelled.
        cancelled = self._task.uncancel() > self._cancelling
        if not cancelled and kind is not None and issubclass(kind, asyncio.CancelledError):
            raise TimeoutError from error

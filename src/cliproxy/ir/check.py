"""Asserts the grammar of `events.py` over a stream. For tests and debug mode; changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cliproxy.ir.events import (
    DELTAS,
    BlockStart,
    BlockStop,
    End,
    Error,
    Event,
    Finish,
    Preview,
    Signature,
    Start,
    Usage,
)


class GrammarError(AssertionError):
    """A reader emitted a stream that no writer can be asked to render."""


class Checker:
    """Feed it events; it raises `GrammarError` at the first one out of place."""

    def __init__(self) -> None:
        self._started = False
        self._over = False
        self._next = 0
        self._open: dict[int, BlockStart] = {}
        self._signed: set[int] = set()
        self._finished: set[int] = set()
        self.seen: list[Event] = []

    def feed(self, event: Event) -> None:
        """Take the next event."""
        self.seen.append(event)
        if self._over:
            self._fail(event, "nothing may follow End or Error")
        if isinstance(event, Error):
            self._over = True
            return
        if isinstance(event, Start):
            if self._started:
                self._fail(event, "Start comes once")
            self._started = True
            return
        if not self._started:
            self._fail(event, "Start comes first")
        if isinstance(event, BlockStart):
            self._block(event)
        elif isinstance(event, BlockStop):
            if self._open.pop(event.index, None) is None:
                self._fail(event, "stops a block that is not open")
        elif isinstance(event, Finish):
            if any(b.choice == event.choice for b in self._open.values()):
                self._fail(event, "a block of this choice is still open")
            if event.choice in self._finished:
                self._fail(event, "the choice already finished")
            self._finished.add(event.choice)
        elif isinstance(event, End):
            if not self._finished or self._open:
                self._fail(event, "End needs a Finish and no open block")
            self._over = True
        elif not isinstance(event, Usage | Preview):
            block = self._open.get(event.index)
            if block is None:
                self._fail(event, "delta for a block that is not open")
            elif block.kind not in DELTAS[type(event)]:
                self._fail(event, f"delta does not fit a {block.kind} block")
            if isinstance(event, Signature):
                if event.index in self._signed:
                    self._fail(event, "the block is already signed")
                self._signed.add(event.index)

    def close(self) -> None:
        """Say that no more events come."""
        if not self._over:
            raise GrammarError(f"stream stopped without End or Error after {self.seen[-3:]}")

    def _block(self, event: BlockStart) -> None:
        if event.index != self._next:
            self._fail(event, f"expected block index {self._next}")
        if event.choice in self._finished:
            self._fail(event, "the choice already finished")
        if event.kind in ("tool_call", "server_call") and not (event.id and event.name):
            self._fail(event, "a call needs id and name")
        self._next += 1
        self._open[event.index] = event

    def _fail(self, event: Event, why: str) -> None:
        raise GrammarError(f"{why}: {event!r} after {self.seen[-4:-1]}")


def checked(events: Iterable[Event]) -> Iterator[Event]:
    """Yield the events on, raising at the first fault."""
    checker = Checker()
    for event in events:
        checker.feed(event)
        yield event
    checker.close()


def check(events: Iterable[Event]) -> list[Event]:
    """Return the events as a list after checking them all."""
    return list(checked(events))

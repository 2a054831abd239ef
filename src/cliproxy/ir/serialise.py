"""For writers whose dialect allows one open block at a time (Anthropic, Responses items).

`Serialiser` holds back the events of later blocks until the open one stops, then releases them in
index order. A block's events are never reordered among themselves.
"""

from __future__ import annotations

from collections.abc import Sequence

from cliproxy.ir.events import (
    BlockStart,
    BlockStop,
    End,
    Error,
    Event,
    Finish,
    Preview,
    Start,
    Usage,
)


class Serialiser:
    """Makes blocks strictly sequential."""

    __slots__ = ("_held", "_open", "_waiting")

    def __init__(self) -> None:
        self._open: int | None = None
        self._held: dict[int, list[Event]] = {}
        self._waiting: list[Event] = []
        """`Finish` of one choice while a block of another is still open."""

    def feed(self, events: Sequence[Event]) -> list[Event]:
        """Return the events that may be written now.

        `End` flushes the rest. `Error` drops it: the open block stays open, so that no other may
        begin any more.
        """
        out: list[Event] = []
        for event in events:
            if isinstance(event, Start | Usage | Preview):
                out.append(event)
            elif isinstance(event, Finish):
                self._waiting.append(event)
                self._settle(out)
            elif isinstance(event, Error | End):
                if isinstance(event, End):
                    self._flush(out)
                out.append(event)
            elif isinstance(event, BlockStart):
                if self._open is None:
                    self._open = event.index
                    out.append(event)
                else:
                    self._held[event.index] = [event]
            elif event.index != self._open:
                self._held[event.index].append(event)
            else:
                out.append(event)
                if isinstance(event, BlockStop):
                    self._open = None
                    self._release(out)
                    self._settle(out)
        return out

    def _release(self, out: list[Event]) -> None:
        """Write held blocks in order, up to and including the first that is still open."""
        while self._held and self._open is None:
            index = min(self._held)
            held = self._held.pop(index)
            out += held
            if not isinstance(held[-1], BlockStop):
                self._open = index

    def _settle(self, out: list[Event]) -> None:
        if self._open is None:
            out += self._waiting
            self._waiting.clear()

    def _flush(self, out: list[Event]) -> None:
        for index in sorted(self._held):
            out += self._held[index]
        self._held.clear()
        self._open = None
        self._settle(out)

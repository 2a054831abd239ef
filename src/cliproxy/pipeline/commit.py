"""The commit point: until it, another account may still answer, and nobody will have noticed.

Handshakes and thinking can be taken back as long as they are held back. What the user sees, or a
tool call that is complete, cannot: so the first of these commits, or the passing of a short time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from cliproxy.base.clock import Clock
from cliproxy.ir.events import (
    BlockStart,
    BlockStop,
    Error,
    Event,
    Finish,
    MediaDelta,
    Preview,
    RefusalDelta,
    TextDelta,
)
from cliproxy.ir.fold import to_exception


class CommitPolicy(Struct, frozen=True):
    """When an answer is committed."""

    point: Literal["semantic", "first-byte"] = "semantic"
    timeout: float = 2.0
    """Seconds after the upstream's first event; 0 = as long as it takes."""


class Watch:
    """Watches the events of one answer for the commit point."""

    def __init__(self, policy: CommitPolicy, clock: Clock) -> None:
        self._policy = policy
        self._clock = clock
        self._calls: set[int] = set()
        self._deadline = 0.0
        self.committed = False

    def see(self, events: Sequence[Event]) -> bool:
        """Look at what came; tell whether the answer is committed now.

        Raises a `GatewayError` for a failure before that.
        """
        if not events or self.committed:
            return self.committed
        for event in events:
            if isinstance(event, Error):
                raise to_exception(event)
            if self._commits(event):
                self.committed = True
                return True
        if not self._deadline and self._policy.timeout:
            self._deadline = self._clock.monotonic() + self._policy.timeout
        return False

    def left(self) -> float | None:
        """Return the seconds until the answer commits by itself, None when that is open."""
        if not self._deadline:
            return None
        return max(0.0, self._deadline - self._clock.monotonic())

    def _commits(self, event: Event) -> bool:
        match event:
            case TextDelta() | RefusalDelta():
                return bool(event.text)
            case MediaDelta() | Preview() | Finish():
                return True
            case BlockStart():
                if event.kind == "tool_call":
                    self._calls.add(event.index)
                return self._policy.point == "first-byte" or event.kind.startswith("server_")
            case BlockStop():
                return event.index in self._calls
            case _:
                return False

"""Conversations keep to the account that answered them, so that its prompt cache is of use.

Soft: a binding only says who is asked first. It ends with its time, or when its account refuses
for good.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

from msgspec import Struct

from cliproxy.base.clock import Clock

CAPACITY: Final = 16384
"""Conversations that are remembered; the one that was silent longest is forgotten first."""

Target = tuple[str, str]
"""Account id and upstream model."""


class Session(Struct, frozen=True):
    """Which conversation a request belongs to."""

    key: Hashable
    opening: bool = False
    """It was told from its beginning and nothing came before: it may go anywhere."""


class Affinity:
    """Which conversation is bound to what."""

    def __init__(self, clock: Clock, ttl: float, capacity: int = CAPACITY) -> None:
        self._clock = clock
        self._ttl = ttl
        self._capacity = capacity
        self._bound: OrderedDict[Hashable, tuple[Target, float]] = OrderedDict()

    def inherit(self, older: Affinity) -> None:
        """Take over the bindings of an affinity that this one replaces; both then share them."""
        self._bound = older._bound

    def __len__(self) -> int:
        return len(self._bound)

    def get(self, key: Hashable) -> Target | None:
        """Return what a conversation is bound to; asking keeps the binding alive."""
        found = self._bound.get(key)
        if found is None:
            return None
        now = self._clock.monotonic()
        if found[1] <= now:
            del self._bound[key]
            return None
        self._bound[key] = found[0], now + self._ttl
        self._bound.move_to_end(key)
        return found[0]

    def bind(self, key: Hashable, target: Target) -> None:
        """Bind a conversation, instead of what it was bound to before."""
        self._bound[key] = target, self._clock.monotonic() + self._ttl
        self._bound.move_to_end(key)
        if len(self._bound) > self._capacity:
            self._bound.popitem(last=False)

    def drop(self, key: Hashable, target: Target) -> None:
        """Undo a binding, if it is still to this target."""
        found = self._bound.get(key)
        if found is not None and found[0] == target:
            del self._bound[key]

"""Conversations keep to the account that answered them, so that its prompt cache is of use.

Soft: a binding only says who is asked first. It ends with its time, or when its account refuses
for good. For a conversation that was begun elsewhere, before a restart or on another node, its
name alone decides (`placed`): all nodes come to the same account without talking, and when an
account comes or goes only the conversations of that one move.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from hashlib import blake2b
from math import log
from typing import Final

from msgspec import Struct

from cliproxy.base.clock import Clock
from cliproxy.base.redact import Hidden

CAPACITY: Final = 16384
"""Conversations that are remembered; the one that was silent longest is forgotten first."""

Target = tuple[str, str]
"""Account id and upstream model."""


class Session(Hidden, Struct, frozen=True):
    """Which conversation a request belongs to."""

    key: Hashable
    opening: bool = False
    """It was told from its beginning and nothing came before: it may go anywhere."""
    going: bool = False
    """Something came before. When nobody here knows who answered, its name decides."""

    @property
    def name(self) -> str:
        """What stands for the conversation outside, the same on all nodes: 32 hex digits."""
        return blake2b(repr(self.key).encode(), digest_size=16).hexdigest()


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

    def __bool__(self) -> bool:
        return self._ttl > 0

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

    def peek(self, key: Hashable) -> Target | None:
        """Return what a conversation is bound to, and change nothing."""
        found = self._bound.get(key)
        return None if found is None or found[1] <= self._clock.monotonic() else found[0]

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


def placed(key: Hashable, *place: str, weight: int = 1) -> float:
    """Return the rank of a place for a conversation: the highest is where it belongs.

    Rendezvous hashing: the rank depends on nothing but its arguments, so that any process comes
    to the same; in the long run each place gets a share that follows its weight.
    """
    digest = blake2b(repr((key, place)).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    # 53 bits, as many as a float holds: never 0 and never 1.
    share = ((int.from_bytes(digest, "big") >> 11) + 0.5) / 2**53
    return weight / -log(share)

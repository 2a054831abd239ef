"""Those who want to hear of something the moment it happens."""

from __future__ import annotations

from collections.abc import Callable

Listener = Callable[[bytes], bool]
"""Takes a JSON text, at once and without raising; tells whether it did."""


class Channel:
    """Listeners of one subject. False while there are none, so that nothing is written for nobody.

    Belongs to the thread of the event loop.
    """

    def __init__(self) -> None:
        self._listeners: tuple[Listener, ...] = ()

    def __bool__(self) -> bool:
        return bool(self._listeners)

    def add(self, listener: Listener) -> None:
        """Let somebody hear what comes from now on."""
        self._listeners = (*self._listeners, listener)

    def discard(self, listener: Listener) -> None:
        """Let somebody hear no more."""
        self._listeners = tuple(one for one in self._listeners if one != listener)

    def tell(self, payload: bytes) -> bool:
        """Tell all of them; return whether anybody took it."""
        taken = False
        for listener in self._listeners:
            taken = listener(payload) or taken
        return taken

"""What is known of refreshes whose answer never arrived.

A refresh token that may be spent must not be tried again and again: some providers take a second
use for theft and end the login. Before a refresh a note is put on the disk, after it the note is
gone; a note found later says that an answer was lost, by a cut connection or a killed process.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from typing import Final

from cliproxy.base import json
from cliproxy.base.files import atomic_write

TRIES: Final = 2
"""How often one refresh token is used at most while no answer is known."""


class Journal:
    """Notes about refreshes that run. Without a folder they are kept in memory only."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._kept: dict[str, int] = {}

    def begin(self, name: str, token: str) -> bool:
        """Note that a token is about to be used; False = its fate is unknown, do not use it."""
        mark = _mark(name, token)
        tries = self._tries(mark)
        if tries >= TRIES:
            return False
        self._kept[mark] = tries + 1
        if self._folder is not None:
            with contextlib.suppress(OSError):
                atomic_write(self._folder / f"{mark}.note", json.dumps({"tries": tries + 1}))
        return True

    def end(self, name: str, token: str) -> None:
        """Note that the provider has answered, whatever it said."""
        mark = _mark(name, token)
        self._kept.pop(mark, None)
        if self._folder is not None:
            with contextlib.suppress(OSError):
                (self._folder / f"{mark}.note").unlink()

    def adopt(self, other: Journal, name: str, token: str) -> None:
        """Take over what another journal knows of a token."""
        for _ in range(other.tries(name, token) - self.tries(name, token)):
            self.begin(name, token)

    def tries(self, name: str, token: str) -> int:
        """Return how often a token was used without an answer that is known."""
        return self._tries(_mark(name, token))

    def _tries(self, mark: str) -> int:
        if mark in self._kept or self._folder is None:
            return self._kept.get(mark, 0)
        try:
            value = json.loads((self._folder / f"{mark}.note").read_bytes())
        except (OSError, json.InvalidJson):
            return 0
        tries = value.get("tries") if isinstance(value, dict) else None
        return tries if isinstance(tries, int) else 0


def _mark(name: str, token: str) -> str:
    # A digest, so that the note does not hold the token.
    return hashlib.sha256(f"{name}\0{token}".encode()).hexdigest()[:32]

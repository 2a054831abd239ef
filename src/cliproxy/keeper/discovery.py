"""Models that providers list for an account, beyond the catalogue that comes with cliproxy.

Asked for in the background only, long after the start and then a few times a day; the last answer
is kept on the disk, so that a start needs no network.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cliproxy.account.credential import Credential
from cliproxy.account.model import ModelFound
from cliproxy.base import json
from cliproxy.base.clock import Clock
from cliproxy.base.files import atomic_write
from cliproxy.login.flow import Problem

if TYPE_CHECKING:
    from cliproxy.keeper.keeper import Keeper

_log: Final = logging.getLogger("cliproxy.accounts")
FIRST: Final = 60.0
"""Seconds after the start before anything is asked."""
AGAIN: Final = 1800.0
"""Seconds after which a question that failed is asked again."""
MOST: Final = 2000
"""Models of one account that are kept."""


class Discovery:
    """What was found, per login."""

    def __init__(self, keeper: Keeper, clock: Clock, folder: Path | None) -> None:
        self._keeper = keeper
        self._clock = clock
        self._folder = folder
        self._found: dict[str, tuple[ModelFound, ...]] = {}
        self._next: dict[str, float] = {}
        self._began = clock.monotonic()
        self._busy = False

    def of(self, credential: Credential) -> tuple[ModelFound, ...]:
        """Return the models last listed for a login; () when none ever were."""
        known = self._found.get(credential.name)
        if known is None:
            known = self._found[credential.name] = self._read(credential.name)
        return known

    def due(self, every: float) -> Credential | None:
        """Return a login whose models are to be asked for now. `every` is in seconds; 0 = never."""
        now = self._clock.monotonic()
        if every <= 0 or self._busy or now < self._began + FIRST:
            return None
        for credential in self._keeper.credentials():
            usable = credential.token and not credential.flag("disabled")
            if usable and now >= self._next.get(credential.name, 0.0):
                return credential
        return None

    async def ask(self, credential: Credential, every: float) -> bool:
        """Ask for the models of a login; tell whether they are others than before."""
        name = credential.name
        self._busy = True
        self._next[name] = self._clock.monotonic() + AGAIN
        try:
            listed = await self._keeper.models(credential)
        except Problem as err:
            _log.info("%s does not list its models: %s", name, err.message)
            return False
        finally:
            self._busy = False
        self._next[name] = self._clock.monotonic() + every
        found = tuple(listed or ())[:MOST]
        if not found or found == self.of(credential):
            return False
        self._found[name] = found
        self._write(name, found)
        return True

    def _path(self, name: str) -> Path | None:
        if self._folder is None:
            return None
        return self._folder / f"models-{hashlib.sha256(name.encode()).hexdigest()[:16]}.json"

    def _read(self, name: str) -> tuple[ModelFound, ...]:
        path = self._path(name)
        if path is None:
            return ()
        try:
            return tuple(json.loads_as(path.read_bytes(), list[ModelFound]))
        except FileNotFoundError:
            return ()
        except (OSError, json.InvalidJson) as err:
            _log.info("%s cannot be read: %s", path, err)
            return ()

    def _write(self, name: str, found: tuple[ModelFound, ...]) -> None:
        path = self._path(name)
        if path is None:
            return
        try:
            atomic_write(path, json.dumps(list(found)))
        except OSError as err:
            _log.info("%s cannot be written: %s", path, err)

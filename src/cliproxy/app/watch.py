"""The configuration file while the proxy runs: an edit takes effect without a restart.

The file is looked at once a second, which works on every platform, file system and container
mount. A configuration that cannot be used is reported and the last good one goes on serving.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cliproxy.base.errors import ConfigError
from cliproxy.config.load import Loaded, load_text

_log: Final = logging.getLogger("cliproxy.config")
INTERVAL: Final = 1.0
"""Seconds between two looks."""

_Stamp = tuple[int, int, int]


class ConfigWatch:
    """Calls `apply` with each new, usable content of the file."""

    def __init__(self, path: Path, apply: Callable[[Loaded], None]) -> None:
        self._path = path
        self._apply = apply
        self._stamp = self._look()
        self._digest = self._hash()

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL)
            self.check()

    def check(self) -> bool:
        """Look once; return whether a new configuration was applied."""
        stamp = self._look()
        if stamp is None or stamp == self._stamp:
            # A file that is missing is being replaced, or will be missed by its owner.
            return False
        self._stamp = stamp
        digest = self._hash()
        if digest is None or digest == self._digest:
            return False
        self._digest = digest
        try:
            loaded = load_text(self._path.read_text("utf-8-sig"), path=self._path)
            self._apply(loaded)
        except (ConfigError, OSError, UnicodeDecodeError) as err:
            _log.error("%s; the configuration in use stays", err)  # a user's slip
            return False
        except Exception:  # noqa: BLE001  # a fault of ours must not end the looking
            _log.exception("%s cannot be applied; the configuration in use stays", self._path)
            return False
        for problem in loaded.problems:
            _log.warning("%s", problem)
        _log.info("%s was read again", self._path)
        return True

    def took(self, loaded: Loaded, written: bytes | None = None) -> None:
        """Apply what this process has just written itself; it is not read again.

        With `written` that is said of these bytes alone: what somebody else has put in their place
        since then is seen at the next look.
        """
        if written is None:
            self._stamp, self._digest = self._look(), self._hash()
        else:
            self._stamp, self._digest = None, hashlib.sha256(written).digest()
        self._apply(loaded)

    def _look(self) -> _Stamp | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _hash(self) -> bytes | None:
        try:
            return hashlib.sha256(self._path.read_bytes()).digest()
        except OSError:
            return None

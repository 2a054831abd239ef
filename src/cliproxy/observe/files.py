"""Log files: where they are, how they turn over, and how much of them there may be."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import Final

from cliproxy.base.clock import SYSTEM_CLOCK, Clock

MAIN: Final = "main.log"
TURN_OVER: Final = 10 * 1024 * 1024
"""Bytes after which the main log is put aside and a new one begun."""
_LOOK_EVERY: Final = 60.0
"""Seconds between two looks at how much there is."""


def directory(auth_dir: str, environment: dict[str, str] | None = None) -> Path:
    """Return where logs go: `$WRITABLE_PATH/logs`, else `./logs`, else below the auth directory.

    `./logs` is taken only where it exists or the working directory can be written to.
    """
    writable = (os.environ if environment is None else environment).get("WRITABLE_PATH")
    if writable:
        return Path(writable) / "logs"
    here = Path("logs")
    if os.access(here if here.exists() else Path(), os.W_OK):
        return here.absolute()
    return Path(auth_dir).expanduser() / "logs"


class FileHandler(logging.FileHandler):
    """Writes `main.log`, readable by its owner alone; a full one becomes `main-<time>.log`."""

    def __init__(self, folder: Path, *, keep: Keep) -> None:
        self._folder = folder
        self._keep = keep
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / MAIN
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        super().__init__(path, encoding="utf-8", errors="backslashreplace")
        self._size = path.stat().st_size

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record, turning the file over first when it is full."""
        try:
            line = self.format(record) + self.terminator
            size = len(line.encode("utf-8", "backslashreplace"))
            if self._size and self._size + size > TURN_OVER:
                self._turn_over()
            if self.stream is None:
                self.stream = self._open()
            self.stream.write(line)
            self.flush()
            self._size += size
        except Exception:  # noqa: BLE001  # a full disk must not stop the proxy
            self.handleError(record)
        self._keep.look()

    def _turn_over(self) -> None:
        self.close()
        stamp = time.strftime("%Y-%m-%dT%H%M%S")
        aside = self._folder / f"main-{stamp}.log"
        number = 1
        while aside.exists():
            aside = self._folder / f"main-{stamp}-{number}.log"
            number += 1
        Path(self.baseFilename).rename(aside)
        os.close(os.open(self.baseFilename, os.O_CREAT | os.O_WRONLY, 0o600))
        self._size = 0
        self._keep.look(now=True)


class Keep:
    """Keeps the logs of a folder below a total size: the oldest go first, `main.log` never."""

    def __init__(self, folder: Path, max_bytes: int, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._folder = folder
        self._max = max_bytes
        self._next = 0.0

    def look(self, *, now: bool = False) -> None:
        """Delete what is too much, at most once a minute unless told to `now`."""
        if not self._max:
            return
        moment = self._clock.monotonic()
        if moment < self._next and not now:
            return
        self._next = moment + _LOOK_EVERY
        try:
            self._delete()
        except OSError as err:
            logging.getLogger(__name__).warning("old logs could not be deleted: %s", err)

    def _delete(self) -> None:
        found = [
            (path.stat().st_mtime, path.stat().st_size, path)
            for path in self._folder.iterdir()
            if path.suffix == ".log" or path.name.endswith(".log.gz")
        ]
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self._max:
                return
            if path.name != MAIN:
                path.unlink(missing_ok=True)
                total -= size

"""Log files: where they are, how they turn over, and how much of them there may be."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import time
from pathlib import Path
from typing import Final

from cliproxy.base.clock import SYSTEM_CLOCK, Clock
from cliproxy.base.files import private_folder

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


class LogFile:
    """`main.log`, readable by its owner alone; a full one becomes `main-<time>.log`."""

    def __init__(self, folder: Path, *, keep: Keep) -> None:
        self._folder = folder
        self._keep = keep
        private_folder(folder)
        self._path = folder.absolute() / MAIN
        self._file = self._open()
        self._size = self._path.stat().st_size

    def write(self, text: str) -> None:
        """Write whole lines, turning the file over first when it is full. Raises `OSError`."""
        data = text.encode("utf-8", "backslashreplace")
        if self._size and self._size + len(data) > TURN_OVER:
            self._turn_over()
        self._file.write(data)
        self._size += len(data)
        self._keep.look()

    def close(self) -> None:
        """Write no more."""
        self._file.close()

    def _open(self) -> io.FileIO:
        os.close(os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600))
        return io.FileIO(self._path, "a")

    def _turn_over(self) -> None:
        stamp = time.strftime("%Y-%m-%dT%H%M%S")
        aside = self._folder / f"main-{stamp}.log"
        number = 1
        while aside.exists():
            aside = self._folder / f"main-{stamp}-{number}.log"
            number += 1
        try:
            # Somebody may have put it aside already.
            with contextlib.suppress(FileNotFoundError):
                self._path.rename(aside)
            fresh = self._open()
        except OSError:
            # The old one goes on, and this is tried again when as much has been written to it.
            self._size = 0
            return
        self._file.close()
        self._file, self._size = fresh, 0
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

"""Log lines: one format, that of CLIProxyAPI, so that its readers find their way.

    [2026-01-02 15:04:05] [a1b2c3d4] [info ] [app.py:123] what happened

Where no request is at hand there are dashes in place of its id.
"""

from __future__ import annotations

import logging
import sys
import time
from contextvars import ContextVar
from pathlib import Path
from typing import Final

from cliproxy.observe.files import FileHandler, Keep

_TIME: Final = "%Y-%m-%d %H:%M:%S"
_LEVELS: Final = {"DEBUG": "debug", "INFO": "info ", "WARNING": "warn ", "ERROR": "error",
                  "CRITICAL": "error"}  # fmt: skip
REQUEST: Final[ContextVar[str]] = ContextVar("request", default="--------")
"""The id of the request that is worked on."""


class _Formatter(logging.Formatter):
    """Writes the time of day once a second, however many lines a second has."""

    _second = 0
    _shown = ""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """Return one line, whatever names and paths of strangers hold: no breaks, no commands."""
        level = _LEVELS.get(record.levelname, record.levelname.lower())
        line = (
            f"[{self.formatTime(record)}] [{REQUEST.get()}] [{level}] "
            f"[{record.filename}:{record.lineno}] {record.message}"
        )
        if line.isprintable():
            return line
        return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """Return local time to the second."""
        second = int(record.created)
        if second != self._second:
            self._second = second
            self._shown = time.strftime(datefmt or _TIME, time.localtime(second))
        return self._shown


def configure(*, debug: bool, folder: Path | None = None, max_bytes: int = 0) -> None:
    """Set up logging for a process of ours (never done on import).

    With a `folder` lines go to `main.log` there, and the logs in it stay below `max_bytes` in all
    (0 = any size).
    """
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    if folder is not None:
        try:
            handler = FileHandler(folder, keep=Keep(folder, max_bytes))
        except OSError as err:
            sys.stderr.write(f"logs cannot be written to {folder}: {err}\n")
    handler.setFormatter(_Formatter())
    # Nothing here is in the format, and finding it out costs more than writing the line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger()
    before, root.handlers[:] = list(root.handlers), [handler]
    for old in before:
        if isinstance(old, FileHandler):
            old.close()
    root.setLevel(logging.WARNING)
    logging.getLogger("cliproxy").setLevel(logging.DEBUG if debug else logging.INFO)

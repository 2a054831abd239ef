"""Log lines: one format, to standard error."""

from __future__ import annotations

import logging
import sys
import time
from typing import Final

_TIME: Final = "%Y-%m-%d %H:%M:%S"
_FORMAT: Final = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class _Formatter(logging.Formatter):
    """Writes the time of day once a second, however many lines a second has."""

    _second = 0
    _shown = ""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """Return local time to the second."""
        second = int(record.created)
        if second != self._second:
            self._second = second
            self._shown = time.strftime(datefmt or _TIME, time.localtime(second))
        return self._shown


def configure(*, debug: bool) -> None:
    """Set up logging for a process of ours (never done on import)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(_FORMAT))
    # Nothing here is in the format, and finding it out costs more than writing the line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001  # the documented switch
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("cliproxy").setLevel(logging.DEBUG if debug else logging.INFO)

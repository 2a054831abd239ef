"""Log lines: one format, that of CLIProxyAPI, so that its readers find their way.

    [2026-01-02 15:04:05] [a1b2c3d4] [info ] [app.py:123] what happened

Where no request is at hand there are dashes in place of its id.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import time
from contextvars import ContextVar
from pathlib import Path
from typing import Final, Protocol

from cliproxy.observe.files import Keep, LogFile

_TIME: Final = "%Y-%m-%d %H:%M:%S"
_LEVELS: Final = {"DEBUG": "debug", "INFO": "info ", "WARNING": "warn ", "ERROR": "error",
                  "CRITICAL": "error"}  # fmt: skip
GATHER: Final = 0.05
"""Seconds in which lines gather, so that many of them cost one write."""
_MOST: Final = 256
"""Lines that are not waited with."""
REQUEST: Final[ContextVar[str]] = ContextVar("request", default="--------")
"""The id of the request that is worked on."""


class Sink(Protocol):
    """Takes whole lines."""

    def write(self, text: str) -> object:
        """Write them. Raises `OSError`."""
        ...


class Gathered(logging.Handler):
    """Writes lines a moment after they were said, and what is a warning or worse at once.

    Outside of an event loop nothing comes back to write later: there every line is written at once.
    """

    def __init__(self, sink: Sink) -> None:
        super().__init__()
        self._sink = sink
        self._lines: list[str] = []
        self._due = 0.0
        """Unix seconds by which the lines that wait are written."""

    def emit(self, record: logging.LogRecord) -> None:
        """Take one record."""
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001  # a record that cannot be written as text
            self.handleError(record)
        else:
            self.add(line, record.created, at_once=record.levelno >= logging.WARNING)

    def add(self, line: str, now: float, *, at_once: bool = False) -> None:
        """Take one line. `now` is in Unix seconds."""
        self.acquire()
        try:
            self._lines.append(line)
            if at_once or len(self._lines) >= _MOST:
                self.flush()
            elif not now < self._due <= now + 2 * GATHER:
                # No write is on its way; or it is late, as when the loop that was to do it has
                # ended.
                try:
                    loop = asyncio.get_running_loop()
                except RuntimeError:
                    self.flush()
                else:
                    self._due = now + 2 * GATHER
                    loop.call_later(GATHER, self.flush)
        finally:
            self.release()

    def flush(self) -> None:
        """Write what waits."""
        self.acquire()
        try:
            # What cannot be written is not kept: the disk may be full for days.
            lines, self._lines = self._lines, []
            self._due = 0.0
            if lines:
                self._sink.write("\n".join(lines) + "\n")
        except (OSError, ValueError) as err:
            # A full disk must not stop the proxy.
            with contextlib.suppress(OSError, ValueError):
                _Terminal().write(f"the log cannot be written: {err}\n")
        finally:
            self.release()

    def close(self) -> None:
        """Write what waits, and no more."""
        self.flush()
        if isinstance(self._sink, LogFile):
            self._sink.close()
        super().close()


class _Terminal:
    def write(self, text: str) -> None:
        # There is none in a process that was started without one.
        if sys.stderr is not None:
            sys.stderr.write(text)
            sys.stderr.flush()


class _Formatter(logging.Formatter):
    """Writes the time of day once a second, however many lines a second has."""

    _second = 0
    _shown = ""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """Return one line."""
        place = f"{record.filename}:{record.lineno}"
        return self.line(record.created, record.levelname, place, record.message)

    def line(self, now: float, level: str, place: str, message: str) -> str:
        """Write one line, whatever names and paths of strangers hold: no breaks, no commands."""
        second = int(now)
        if second != self._second:
            self._second = second
            self._shown = time.strftime(_TIME, time.localtime(second))
        word = _LEVELS.get(level) or level.lower()
        line = f"[{self._shown}] [{REQUEST.get()}] [{word}] [{place}] {message}"
        if line.isprintable():
            return line
        return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)


_formatter: Final = _Formatter()


def say(logger: logging.Logger, level: int, message: str, *, place: str, now: float) -> None:
    """Log a message that every request has, in a tenth of the time that `logger.log` takes.

    `place` is the file and line that the message is said to come from, `now` is in Unix seconds.
    The caller has asked `logger.isEnabledFor`.
    """
    handlers = logging.root.handlers
    if len(handlers) == 1 and isinstance(handler := handlers[0], Gathered):
        line = _formatter.line(now, logging.getLevelName(level), place, message)
        handler.add(line, now, at_once=level >= logging.WARNING)
        return
    # Somebody else has set up logging, or listens too.
    file, _, number = place.partition(":")
    logger.handle(logging.LogRecord(logger.name, level, file, int(number), message, None, None))


def configure(*, debug: bool, folder: Path | None = None, max_bytes: int = 0) -> None:
    """Set up logging for a process of ours (never done on import).

    With a `folder` lines go to `main.log` there, and the logs in it stay below `max_bytes` in all
    (0 = any size).
    """
    sink: Sink = _Terminal()
    if folder is not None:
        try:
            sink = LogFile(folder, keep=Keep(folder, max_bytes))
        except OSError as err:
            sys.stderr.write(f"logs cannot be written to {folder}: {err}\n")
    handler = Gathered(sink)
    handler.setFormatter(_formatter)
    # Nothing here is in the format, and finding it out costs more than writing the line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger()
    before, root.handlers[:] = list(root.handlers), [handler]
    for old in before:
        if isinstance(old, Gathered):
            old.close()
    root.setLevel(logging.WARNING)
    logging.getLogger("cliproxy").setLevel(logging.DEBUG if debug else logging.INFO)

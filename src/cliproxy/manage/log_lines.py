"""Reading log lines in pieces, also over files that have turned over meanwhile."""

from __future__ import annotations

import gzip
import hashlib
import re
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from cliproxy.observe.files import MAIN

_HEAD: Final = 256
"""Bytes at the beginning that a file is recognised by."""
_ASIDE: Final = re.compile(r"main(\.log\.\d+(\.gz)?|-[^/]*\.log(\.gz)?)")
_STAMP: Final = re.compile(rb"\[?(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)")
_FORMAT: Final = "%Y-%m-%d %H:%M:%S"
_MOST: Final = 64 * 1024 * 1024
"""Bytes of one file that are read, from its end."""


class Page(Struct):
    """Lines, and where reading goes on."""

    lines: list[str]
    count: int
    latest: int
    file: str = ""
    offset: int = 0
    reset: bool = False


class Files:
    """The log files of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def newest(self, limit: int, latest: int = 0, *, reset: bool = False) -> Page:
        """Return the newest whole lines."""
        main, aside = self._now()
        parts = _whole_lines(main)
        for path in reversed(aside):
            if len(parts) >= limit:
                break
            parts = [*_whole_lines(_content(path)), *parts]
        lines = parts[-limit:]
        return _page(main, lines, len(lines), latest, reset=reset)

    def after(self, moment: int, limit: int) -> Page:
        """Return the lines later than a moment; those without a time follow the one before."""
        main, aside = self._now()
        found: list[bytes] = []
        count, at, latest = 0, 0, moment
        for data in [*map(_content, aside), main]:
            for line in _whole_lines(data):
                count += 1
                at = _moment(line) or at
                latest = max(latest, at)
                if at > moment:
                    found.append(line)
        return _page(main, found[-limit:], count, latest)

    def behind(self, file: str, offset: int, latest: int, limit: int) -> Page:
        """Return the lines behind a place; when it is gone, the newest ones."""
        main, aside = self._now()
        lines: list[bytes] | None = None
        if not file or _is(main, file, offset):
            lines = _whole_lines(main[offset:])
        else:
            # The file has been put aside meanwhile, with others maybe.
            later = main
            for path in reversed(aside):
                data = _content(path)
                if _is(data, file, offset):
                    lines = _whole_lines(data[offset:] + later)
                    break
                later = data + later
        if lines is None:
            return self.newest(limit, latest, reset=True)
        kept = lines[-limit:]
        return _page(main, kept, len(kept), latest)

    def clear(self) -> int | None:
        """Empty the main file and remove the others; None when there is no folder."""
        if not self._folder.is_dir():
            return None
        removed = 0
        for path in self._aside():
            path.unlink(missing_ok=True)
            removed += 1
        main = self._folder / MAIN
        if main.is_file():
            with main.open("r+b") as file:
                file.truncate(0)
            removed += 1
        return removed

    def _now(self) -> tuple[bytes, list[Path]]:
        """Return the main file's content, and the files before it, oldest first."""
        # The main file first: it may be put aside in between, and must then not come twice.
        main = _content(self._folder / MAIN)
        aside = self._aside()
        if aside and main and _is(_content(aside[-1]), _head(main), len(main)):
            aside.pop()
        return main, aside

    def _aside(self) -> list[Path]:
        try:
            found = [p for p in self._folder.iterdir() if _ASIDE.fullmatch(p.name) and p.is_file()]
            return sorted(found, key=lambda p: (p.stat().st_mtime_ns, p.name))
        except OSError:
            return []


def _page(main: bytes, lines: list[bytes], count: int, latest: int, *, reset: bool = False) -> Page:
    for line in lines:
        latest = max(latest, _moment(line) or 0)
    end = main.rfind(b"\n") + 1
    shown = [line.decode("utf-8", "replace") for line in lines]
    return Page(shown, count, latest, _head(main[:end]), end, reset)


def _is(data: bytes, head: str, size: int) -> bool:
    """Tell whether this is the file that had this head when it was so long."""
    return len(data) >= size and _head(data[:size]) == head


def _content(path: Path) -> bytes:
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rb") as file:
                return file.read(_MOST)
        return path.read_bytes()
    except (OSError, EOFError, zlib.error):
        return b""


def _whole_lines(data: bytes) -> list[bytes]:
    end = data.rfind(b"\n")
    return list(_lines(data[:end])) if end >= 0 else []


def _lines(data: bytes) -> Iterator[bytes]:
    for line in data.split(b"\n"):
        yield line.removesuffix(b"\r")


def _head(data: bytes) -> str:
    return hashlib.sha256(data[:_HEAD]).hexdigest()[:16] if data else ""


def _moment(line: bytes) -> int | None:
    found = _STAMP.match(line)
    if found is None:
        return None
    try:
        return int(time.mktime(time.strptime(found[1].decode(), _FORMAT)))
    except (ValueError, OverflowError):
        return None

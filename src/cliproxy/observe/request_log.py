"""One file per request: what came, what was sent on, what came back, what the client got.

Written when `request-log` is on; otherwise for failed requests only, and only where logs go to
files at all. Credentials in headers and addresses are masked; bodies are what they are.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, field

from cliproxy.base import redact
from cliproxy.base.clock import SYSTEM_CLOCK, Clock
from cliproxy.base.http import HttpRequest
from cliproxy.observe.files import Keep

_log: Final = logging.getLogger(__name__)
_ODD: Final = re.compile(r"[^A-Za-z0-9._]+")
MOST: Final = 32 * 1024 * 1024
"""Bytes of one body that are kept."""
MOST_OF_ERRORS: Final = 1024 * 1024
"""The same, where only failed requests are written."""
_CANCELLED: Final = 499

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Body:
    """Bytes as they come, up to a limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, data: bytes) -> None:
        """Keep what still fits."""
        room = self._limit - min(self._size, self._limit)
        if room:
            self._parts.append(data[:room])
        self._size += len(data)

    def bytes(self) -> bytes:
        """Return what was kept, saying what was not."""
        more = self._size - self._limit
        tail = b"\n[%d bytes more]" % more if more > 0 else b""
        return b"".join(self._parts) + tail


class Exchange(Struct):
    """One upstream call and its answer."""

    method: str
    url: str
    account: str
    headers: Mapping[str, str]
    body: bytes
    answer: Body
    status: int = 0
    answer_headers: Mapping[str, str] = {}


class Entry(Struct):
    """One request while it runs."""

    id: str
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    limit: int
    answer: Body
    body: bytes = b""
    status: int = 0
    answer_headers: list[tuple[str, str]] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    began: float = 0.0

    def listen(self, send: Send) -> Send:
        """Return a `send` that also notes what is sent."""

        async def noting(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.answer_headers = [
                    (k.decode("latin-1"), v.decode("latin-1")) for k, v in message["headers"]
                ]
            elif body := message.get("body"):
                self.answer.add(body)
            await send(message)

        return noting

    def call(self, request: HttpRequest, account: str) -> Exchange:
        """Note an upstream call; the caller completes it."""
        made = Exchange(
            request.method,
            request.url,
            account,
            dict(request.headers),
            request.body[: self.limit],
            Body(self.limit),
        )
        self.exchanges.append(made)
        return made


class RequestLog:
    """Writes the files of one configuration."""

    def __init__(
        self,
        folder: Path,
        *,
        every: bool,
        keep_errors: int,
        keep: Keep,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._clock = clock
        self._folder = folder
        self._every = every
        self._keep_errors = keep_errors
        self._keep = keep

    def begin(
        self, request_id: str, *, method: str, path: str, query: str, headers: Mapping[str, str]
    ) -> Entry:
        """Begin an entry."""
        limit = MOST if self._every else MOST_OF_ERRORS
        began = self._clock.now()
        return Entry(request_id, method, path, query, headers, limit, Body(limit), began=began)

    async def finish(self, entry: Entry) -> None:
        """Write the entry, if it is one to be written. Never raises."""
        failed = (entry.status >= 400 and entry.status != _CANCELLED) or any(
            e.status >= 400 for e in entry.exchanges
        )
        if not (self._every or failed):
            return
        error_only = not self._every
        try:
            await asyncio.to_thread(self._write, entry, error_only=error_only)
        except OSError as err:
            _log.warning("the log of request %s could not be written: %s", entry.id, err)

    def _write(self, entry: Entry, *, error_only: bool) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        place = _ODD.sub("-", entry.path).strip("-") or "root"
        stamp = time.strftime("%Y-%m-%dT%H%M%S", time.localtime(entry.began))
        name = f"{'error-' if error_only else ''}{place[:100]}-{stamp}-{entry.id}.log"
        flags = os.O_CREAT | os.O_WRONLY | os.O_TRUNC
        with os.fdopen(os.open(self._folder / name, flags, 0o600), "wb") as file:
            file.write(written(entry))
        if error_only:
            self._drop_old()
        self._keep.look()

    def _drop_old(self) -> None:
        found = sorted(self._folder.glob("error-*.log"), key=lambda p: (p.stat().st_mtime, p.name))
        for path in found[: max(0, len(found) - self._keep_errors)]:
            path.unlink(missing_ok=True)


def written(entry: Entry) -> bytes:
    """Return an entry as its file holds it."""
    query = f"?{entry.query}" if entry.query else ""
    out = [
        b"=== REQUEST INFO ===",
        f"URL: {redact.url(entry.path + query)}".encode(),
        f"Method: {entry.method}".encode(),
        f"Request ID: {entry.id}".encode(),
        f"Timestamp: {_moment(entry.began)}".encode(),
        b"\n=== HEADERS ===",
        *_headers(entry.headers.items()),
        b"\n=== REQUEST BODY ===",
        entry.body[: entry.limit],
    ]
    for number, exchange in enumerate(entry.exchanges, 1):
        out += [
            f"\n=== API REQUEST {number} ===".encode(),
            f"URL: {redact.url(exchange.url)}".encode(),
            f"Method: {exchange.method}".encode(),
            f"Account: {exchange.account}".encode(),
            *_headers(exchange.headers.items()),
            b"",
            exchange.body,
            f"\n=== API RESPONSE {number} ===".encode(),
            f"Status: {exchange.status or 'none'}".encode(),
            *_headers(exchange.answer_headers.items()),
            b"",
            exchange.answer.bytes(),
        ]
    out += [
        b"\n=== RESPONSE ===",
        f"Status: {entry.status or 'none'}".encode(),
        *_headers(entry.answer_headers),
        b"",
        entry.answer.bytes(),
    ]
    return b"\n".join(out) + b"\n"


def _headers(items: Any) -> list[bytes]:
    return [
        f"{name}: {redact.header(name, value)}".encode("utf-8", "replace") for name, value in items
    ]


def _moment(when: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(when)) + f".{int(when % 1 * 1e9):09d}"

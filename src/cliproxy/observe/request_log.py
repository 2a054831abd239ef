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
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any, Final, Literal

from msgspec import Struct, field, structs

from cliproxy.base import redact
from cliproxy.base.clock import SYSTEM_CLOCK, Clock
from cliproxy.base.files import private_folder
from cliproxy.base.http import HttpRequest
from cliproxy.base.redact import Hidden
from cliproxy.base.tasks import whole
from cliproxy.observe.files import Keep

_log: Final = logging.getLogger(__name__)
_ODD: Final = re.compile(r"[^A-Za-z0-9._]+")
MOST: Final = 32 * 1024 * 1024
"""Bytes of one body that are kept."""
MOST_OF_ERRORS: Final = 1024 * 1024
"""The same, where only failed requests are written."""
SHOWN: Final = 256 * 1024
"""Bytes of one body that are shown beside its request."""
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


class Exchange(Hidden, Struct):
    """One upstream call and its answer."""

    method: str
    url: str
    account: str
    headers: Mapping[str, str]
    body: bytes
    answer: Body
    status: int = 0
    answer_headers: Mapping[str, str] = {}
    proxy: str = ""


class Entry(Hidden, Struct):
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

    def call(self, request: HttpRequest, account: str, *, proxy: str = "") -> Exchange:
        """Note an upstream call; the caller completes it."""
        made = Exchange(
            request.method,
            request.url,
            account,
            dict(request.headers),
            request.body[: self.limit],
            Body(self.limit),
            proxy=proxy,
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
        """Write the entry, if it is one to be written. A client that goes away is no hindrance."""
        failed = (entry.status >= 400 and entry.status != _CANCELLED) or any(
            e.status >= 400 for e in entry.exchanges
        )
        if not (self._every or failed):
            return
        error_only = not self._every
        try:
            await whole(asyncio.to_thread(self._write, entry, error_only=error_only))
        except OSError as err:
            _log.warning("the log of request %s could not be written: %s", entry.id, err)

    def _write(self, entry: Entry, *, error_only: bool) -> None:
        private_folder(self._folder)
        place = _ODD.sub("-", entry.path).strip("-") or "root"
        stamp = time.strftime("%Y-%m-%dT%H%M%S", time.localtime(entry.began))
        name = f"{'error-' if error_only else ''}{place[:100]}-{stamp}-{entry.id}.log"
        flags = os.O_CREAT | os.O_WRONLY | os.O_TRUNC
        # Under its name it is whole: somebody may be reading already.
        unfinished = self._folder / f"{name}.part"
        with os.fdopen(os.open(unfinished, flags, 0o600), "wb") as file:
            file.write(written(entry))
        unfinished.replace(self._folder / name)
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
    # Whoever refuses a key may repeat it.
    secrets = redact.secrets_of(f"?{entry.query}", entry.headers)
    for exchange in entry.exchanges:
        secrets |= redact.secrets_of(exchange.url, exchange.headers)
        secrets |= redact.secrets_of(exchange.proxy, {})
    return redact.without_bytes(b"\n".join(out) + b"\n", secrets)


class Logged(Hidden, Struct, frozen=True):
    """One part of a request's file: who sent what."""

    of: Literal["request", "upstream request", "upstream answer", "answer"]
    attempt: int
    """Which of the upstream calls, from 1; 0 = the client's."""
    head: str
    body: str
    """At most `SHOWN` bytes of it."""
    size: int
    """Bytes in the file."""


def find(folder: Path, request_id: str) -> tuple[str, bytes] | None:
    """Return the name and the content of a request's file, None when there is none."""
    try:
        names = [p.name for p in folder.iterdir() if p.name.endswith(f"-{request_id}.log")]
        # The file of all requests says more than that of failed ones.
        name = min(names, key=lambda n: n.startswith("error-"), default=None)
        return None if name is None else (name, content(folder / name))
    except (OSError, ValueError):
        return None


def content(path: Path) -> bytes:
    """Return a log file's content; no link leads out of the folder. Raises `OSError`."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    with os.fdopen(handle, "rb") as file:
        return file.read()


def read(data: bytes) -> list[Logged]:
    """Return the parts of a request's file, with its bodies as text."""
    found: list[Logged] = []
    for number, (name, part) in enumerate(_parts(data)):
        of, _, counted = name.rpartition(" ") if name[-1:].isdigit() else (name, "", "0")
        if of == "REQUEST INFO":
            head, body = part, b""
        elif of == "HEADERS" and number == 1:
            first = found.pop()
            found.append(structs.replace(first, head=f"{first.head}\n{_text(part)}".strip()))
            continue
        elif of == "REQUEST BODY":
            first = found.pop()
            body = part.strip(b"\n")
            found.append(structs.replace(first, body=_text(body[:SHOWN]), size=len(body)))
            continue
        else:
            head, _, body = part.partition(b"\n\n")
        body = body.strip(b"\n")
        found.append(
            Logged(_OF[of], int(counted), _text(head).strip(), _text(body[:SHOWN]), len(body))
        )
    return found


def _parts(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Cut a file at its headings, where the next one can be: a body may hold such lines too."""
    calls, at = 0, 0
    wanted: tuple[str, ...] = ("REQUEST INFO",)
    name = ""
    for match in _HEADING.finditer(data):
        heading = match[1].decode()
        if heading not in wanted:
            continue
        if name:
            yield name, data[at : match.start()]
        name, at = heading, match.end()
        if heading.startswith("API REQUEST"):
            calls += 1
            wanted = (f"API RESPONSE {calls}",)
        else:
            wanted = _NEXT.get(heading, (f"API REQUEST {calls + 1}", "RESPONSE"))
    if name:
        yield name, data[at:]


_HEADING: Final = re.compile(rb"^=== ([A-Z]+(?: [A-Z]+)?(?: \d+)?) ===$", re.MULTILINE)
_NEXT: Final[dict[str, tuple[str, ...]]] = {
    "REQUEST INFO": ("HEADERS",),
    "HEADERS": ("REQUEST BODY",),
    "RESPONSE": (),
}
_OF: Final[dict[str, Literal["request", "upstream request", "upstream answer", "answer"]]] = {
    "REQUEST INFO": "request",
    "API REQUEST": "upstream request",
    "API RESPONSE": "upstream answer",
    "RESPONSE": "answer",
}


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _headers(items: Any) -> list[bytes]:
    return [
        f"{name}: {redact.header(name, value)}".encode("utf-8", "replace") for name, value in items
    ]


def _moment(when: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(when)) + f".{int(when % 1 * 1e9):09d}"

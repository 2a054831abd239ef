"""Log files: read on from where one was, cleared; the files of single requests."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from pathlib import Path
from typing import Final

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from cliproxy.base import json
from cliproxy.base.json import Obj
from cliproxy.manage import shapes
from cliproxy.manage.log_lines import Files, Page
from cliproxy.manage.web import Endpoint, attachment, control_of, reply
from cliproxy.observe import request_log as written
from cliproxy.server.gate import Refused

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MOST: Final = 100_000
"""Lines that one answer holds."""


class Cursor(Struct, frozen=True):
    """Where somebody stopped reading."""

    file: str
    """Digest of the beginning of the file, which stays when it is renamed."""
    offset: int
    latest: int = 0


async def read_logs(request: Request) -> Response:
    """Return lines: the newest, those after a moment, or those behind a cursor."""
    control, query = control_of(request), request.query_params
    if not control.config.logging_to_file:
        raise Refused(400, "logging to file disabled")
    limit = _limit(query.get("limit"))
    after = query.get("after", "").strip()
    moment = int(after) if after.isdecimal() and after.isascii() and len(after) < 15 else 0
    files = Files(control.log_folder)
    if token := query.get("cursor", "").strip():
        cursor = _read_cursor(token)
        page = await asyncio.to_thread(
            files.behind, cursor.file, cursor.offset, cursor.latest, limit
        )
    elif moment > 0:
        page = await asyncio.to_thread(files.after, moment, limit)
    else:
        page = await asyncio.to_thread(files.newest, limit)
    return reply(_shown(page))


def _shown(page: Page) -> Obj:
    told: Obj = {
        "lines": page.lines,
        "line-count": page.count,
        "latest-timestamp": page.latest,
        "next-cursor": _write_cursor(Cursor(page.file, page.offset, page.latest)),
    }
    if page.reset:
        told["cursor-reset"] = True
    return told


def _limit(text: str | None) -> int:
    if text is None or not text.strip():
        return _MOST
    try:
        limit = int(text.strip()[:20])
    except ValueError:
        raise Refused(400, "invalid limit: must be a positive integer") from None
    if limit <= 0:
        raise Refused(400, "invalid limit: must be greater than zero")
    return min(limit, _MOST)


def _write_cursor(cursor: Cursor) -> str:
    data = json.dumps({"f": cursor.file, "o": cursor.offset, "t": cursor.latest})
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _read_cursor(token: str) -> Cursor:
    try:
        raw = base64.urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        found = json.loads(raw)
    except (UnicodeEncodeError, binascii.Error, ValueError):
        found = None
    if isinstance(found, dict):
        file, offset, latest = found.get("f"), found.get("o"), found.get("t")
        if isinstance(file, str) and type(offset) is int and type(latest) is int and offset >= 0:
            return Cursor(file, offset, latest)
    # Whoever lost their place begins anew at the end.
    return Cursor("?", 0)


async def clear_logs(request: Request) -> Response:
    """Empty the log."""
    control = control_of(request)
    if not control.config.logging_to_file:
        raise Refused(400, "logging to file disabled")
    removed = await asyncio.to_thread(Files(control.log_folder).clear)
    if removed is None:
        raise Refused(404, "log directory not found")
    told = {"success": True, "message": "Logs cleared successfully", "removed": removed}
    return reply(told)


async def error_logs(request: Request) -> Response:
    """Return the files of failed requests, the newest first."""
    control = control_of(request)
    if control.config.request_log:
        return reply({"files": []})
    return reply({"files": await asyncio.to_thread(_errors, control.log_folder)})


def _errors(folder: Path) -> list[Obj]:
    found: list[Obj] = []
    for path in _entries(folder):
        if path.name.startswith("error-") and path.name.endswith(".log"):
            try:
                seen = path.stat()
            except OSError:
                continue
            entry = {"name": path.name, "size": seen.st_size, "modified": int(seen.st_mtime)}
            found.append(entry)
    return sorted(found, key=lambda e: (-int(str(e["modified"])), str(e["name"])))


async def error_log(request: Request) -> Response:
    """Return the file of a failed request."""
    name = str(request.path_params["name"])
    if not name.isprintable() or any(c in name for c in "/\\") or ".." in name:
        raise Refused(400, "invalid log file name")
    if not name.startswith("error-") or not name.endswith(".log"):
        raise Refused(404, "log file not found")
    return await _file(control_of(request).log_folder, name)


async def request_log(request: Request) -> Response:
    """Return the file of one request."""
    wanted = str(request.path_params["id"]).strip()
    if not wanted:
        raise Refused(400, "missing request ID")
    if not _ID.fullmatch(wanted):
        raise Refused(400, "invalid request ID")
    folder = control_of(request).log_folder
    if not folder.is_dir():
        raise Refused(404, "log directory not found")
    found = await asyncio.to_thread(written.find, folder, wanted)
    if found is None:
        raise Refused(404, "log file not found for the given request ID")
    return attachment(found[1], found[0], "text/plain")


async def _file(folder: Path, name: str) -> Response:
    try:
        data = await asyncio.to_thread(written.content, folder / name)
    except (OSError, ValueError):
        raise Refused(404, "log file not found") from None
    return attachment(data, name, "text/plain")


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


_FILE: Final = shapes.obj({"name": shapes.TEXT, "size": shapes.WHOLE, "modified": shapes.WHOLE})
ROUTES: Final = [
    Endpoint("GET", "/logs", read_logs, "Lines of the log.",
             shapes.ref("LogPage"),
             query={"after": "Unix seconds.", "limit": "How many at most.",
                    "cursor": "`next-cursor` of the answer before."}),
    Endpoint("DELETE", "/logs", clear_logs, "Empty the log.",
             shapes.obj({"success": shapes.FLAG, "message": shapes.TEXT,
                         "removed": shapes.WHOLE}), refuses=(404,)),
    Endpoint("GET", "/request-error-logs", error_logs, "Files of failed requests.",
             shapes.obj({"files": shapes.items(_FILE)})),
    Endpoint("GET", "/request-error-logs/{name}", error_log, "The file of a failed request.",
             answer_type="text/plain", refuses=(404,)),
    Endpoint("GET", "/request-log-by-id/{id}", request_log, "The file of one request.",
             answer_type="text/plain", refuses=(404,)),
]  # fmt: skip

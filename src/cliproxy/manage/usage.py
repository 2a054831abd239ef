"""What was used: older clients' statistics, newer ones' queue, and our own questions."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cliproxy.base import json
from cliproxy.base.json import Json
from cliproxy.usage import questions, snapshot
from cliproxy.usage.questions import BadQuestion, Span
from cliproxy.usage.recorder import Usage
from cliproxy.usage.snapshot import BadImport
from cliproxy.usage.tables import Writer

if TYPE_CHECKING:
    from cliproxy.usage.record import Record

_T = TypeVar("_T")
_FILTERS: Final = ("provider", "account", "client", "model", "operation")
_ROW_FILTERS: Final = (*_FILTERS, "asked", "dialect", "upstream", "status", "failed")
_SHOWN: Final = 100
_MOST: Final = 1000
_PATIENCE: Final = 60.0


async def get_usage(request: Request) -> Response:
    """Return the statistics in the older shape."""
    found = await _asked(_usage(request), snapshot.snapshot)
    return _reply({"usage": found, "failed_requests": found["failure_count"]})


async def get_export(request: Request) -> Response:
    """Return the statistics with every single request that is kept."""
    usage = _usage(request)
    return _reply(await _asked(usage, lambda db: snapshot.export(db, usage.clock.now())))


async def post_import(request: Request) -> Response:
    """Add an export's requests, those that are there already left out."""
    usage = _usage(request)
    body = await request.body()
    if not body:
        return _reply({"error": "failed to read request body"}, 400)
    try:
        records = await asyncio.to_thread(
            snapshot.read_import, body, usage.clock.now(), usage.marks
        )
    except BadImport as err:
        return _reply({"error": str(err)}, 400)
    try:
        added, skipped, total, failed = await asyncio.wait_for(
            asyncio.wrap_future(usage.store.submit(_merging(records))), _PATIENCE
        )
    except (TimeoutError, sqlite3.Error, OSError):
        return _reply({"error": "usage statistics unavailable"}, 503)
    return _reply(
        {"added": added, "skipped": skipped, "total_requests": total, "failed_requests": failed}
    )


def _merging(records: list[Record]) -> Callable[[Writer], tuple[int, int, int, int]]:
    def work(writer: Writer) -> tuple[int, int, int, int]:
        added, skipped = writer.merge(records)
        return (added, skipped, *writer.totals())

    return work


async def get_queue(request: Request) -> Response:
    """Take the oldest records out of the queue."""
    text = request.query_params.get("count", "").strip()
    if not text:
        count = 1
    elif text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0:
        count = int(text)
    else:
        return _reply({"error": "count must be a positive integer"}, 400)
    if request.method == "HEAD":
        # Nobody would get what is taken out.
        return _reply([])
    return _reply(list[Json](_usage(request).queue.take(count)))


async def get_summary(request: Request) -> Response:
    """Return sums: `from`, `to`, `by` and filters by any dimension."""
    query = request.query_params
    try:
        by = questions.dimensions(query.get("by", ""))
        span = Span(
            questions.moment(query.get("from", ""), "from"),
            questions.moment(query.get("to", ""), "to"),
        )
    except BadQuestion as err:
        return _reply({"error": str(err)}, 400)
    filters = {name: query[name] for name in _FILTERS if name in query}
    usage = _usage(request)

    def question(db: sqlite3.Connection) -> tuple[list[json.Obj], list[json.Obj]]:
        total = questions.summary(db, (), span, filters)
        return total, questions.summary(db, by, span, filters) if by else []

    total, rows = await _asked(usage, question)
    return _reply(
        {"by": list(by), "total": total[0], "rows": list[Json](rows), "enabled": usage.enabled}
    )


async def get_requests(request: Request) -> Response:
    """Return single requests, the newest first: `limit`, `before` and filters."""
    query = request.query_params
    limit, before = query.get("limit", ""), query.get("before", "")
    for name, text in (("limit", limit), ("before", before)):
        if text and not (text.isascii() and text.isdigit() and len(text) < 18):
            return _reply({"error": f"{name} must be a whole number"}, 400)
    filters = {name: query[name] for name in _ROW_FILTERS if name in query}
    found = await _asked(
        _usage(request),
        lambda db: questions.requests(
            db,
            limit=min(int(limit or _SHOWN), _MOST),
            before=int(before) if before else None,
            filters=filters,
        ),
    )
    return _reply(found)


class _Unavailable(Exception):
    """The database cannot be read."""


async def _asked(usage: Usage, question: Callable[[sqlite3.Connection], _T]) -> _T:
    try:
        return await asyncio.to_thread(usage.store.read, question)
    except (sqlite3.Error, OSError) as err:
        raise _Unavailable from err


def _guarded(handler: Callable[[Request], Any]) -> Callable[[Request], Any]:
    async def guarded(request: Request) -> Response:
        try:
            answer: Response = await handler(request)
        except _Unavailable:
            return _reply({"error": "usage statistics unavailable"}, 503)
        return answer

    return guarded


def _usage(request: Request) -> Usage:
    usage: Usage = request.app.state.control.usage
    return usage


def _reply(value: Json, status: int = 200) -> Response:
    return Response(json.dumps(value), status, media_type="application/json")


ROUTES: Final[list[Route]] = [
    Route(path, _guarded(handler), methods=[method])
    for method, path, handler in (
        ("GET", "/usage", get_usage),
        ("GET", "/usage/export", get_export),
        ("POST", "/usage/import", post_import),
        ("GET", "/usage/summary", get_summary),
        ("GET", "/usage/requests", get_requests),
        ("GET", "/usage-queue", get_queue),
    )
]
"""Below the prefix of the management API."""

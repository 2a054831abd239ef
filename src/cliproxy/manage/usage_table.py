"""The table rows of the usage endpoints: what they take and give."""

from __future__ import annotations

from typing import Final

from cliproxy.manage import shapes
from cliproxy.manage.usage import ROUTES as HANDLERS
from cliproxy.manage.web import Endpoint, Handler, Schema

_SUMMARY: Final = shapes.obj(
    {
        "by": shapes.items(shapes.TEXT),
        "total": shapes.ref("UsageSum"),
        "rows": shapes.items(shapes.ref("UsageSum")),
        "enabled": shapes.FLAG,
    }
)
_SNAPSHOT: Final = shapes.obj(
    {
        "total_requests": shapes.WHOLE,
        "success_count": shapes.WHOLE,
        "failure_count": shapes.WHOLE,
        "total_tokens": shapes.WHOLE,
        "apis": shapes.OBJECT,
        **dict.fromkeys(
            ("requests_by_day", "requests_by_hour", "tokens_by_day", "tokens_by_hour"),
            shapes.mapping(shapes.WHOLE),
        ),
    }
)
_IMPORTED: Final = shapes.obj(
    dict.fromkeys(("added", "skipped", "total_requests", "failed_requests"), shapes.WHOLE)
)
_FILTERS: Final = dict.fromkeys(
    ("provider", "account", "client", "model", "operation"), "Only these."
)
_TOLD: Final[dict[str, tuple[str, Schema, Schema | None, dict[str, str]]]] = {
    "GET /usage": (
        "Statistics, as older clients read them.",
        shapes.obj({"usage": _SNAPSHOT, "failed_requests": shapes.WHOLE}), None, {},
    ),
    "GET /usage/export": (
        "Statistics with every request that is kept.",
        shapes.obj({"version": shapes.WHOLE, "exported_at": shapes.TEXT, "usage": _SNAPSHOT}),
        None, {},
    ),
    "POST /usage/import": ("Add an export.", _IMPORTED, shapes.OBJECT, {}),
    "GET /usage/summary": (
        "Sums of usage.", _SUMMARY, None,
        {"from": "Unix seconds or a date.", "to": "The same.",
         "by": "provider, account, client, model, operation, day or hour; several by commas.",
         **_FILTERS},
    ),
    "GET /usage/requests": (
        "Single requests, the newest first.",
        shapes.obj({"requests": shapes.items(shapes.ref("UsageRequest")),
                    "next": shapes.maybe(shapes.WHOLE)}),
        None,
        {"limit": "How many.", "before": "`next` of the answer before.", **_FILTERS,
         "asked": "The model asked for.", "dialect": "The client's.", "upstream": "Its dialect.",
         "status": "Of the answer.", "failed": "1 or 0."},
    ),
    "GET /usage-queue": (
        "Take records out of the queue.", shapes.items(shapes.OBJECT), None,
        {"count": "How many."},
    ),
}  # fmt: skip


def _rows() -> list[Endpoint]:
    rows: list[Endpoint] = []
    for route in HANDLERS:
        for method in sorted((route.methods or set()) - {"HEAD"}):
            summary, answer, body, query = _TOLD[f"{method} {route.path}"]
            handler: Handler = route.endpoint
            rows.append(Endpoint(method, route.path, handler, summary, answer, body, query))
    return rows


ROUTES: Final = _rows()

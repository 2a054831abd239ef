"""What can be asked about what was used. Every function here only reads."""

from __future__ import annotations

import sqlite3
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from msgspec import Struct

from cliproxy.base.json import Obj
from cliproxy.usage.cost import NANO
from cliproxy.usage.tables import SUMS

BY: Final = ("provider", "account", "client", "model", "operation", "day", "hour")
_FIELDS: Final = {
    "provider": "provider",
    "account": "account",
    "client": "client",
    "model": "model",
    "operation": "operation",
    "dialect": "dialect",
    "upstream": "upstream",
    "asked": "asked",
}
_SUMMED: Final = ", ".join(f"coalesce(sum({name}), 0) AS {name}" for name in SUMS)
MOST_ROWS: Final = 10_000
_FIRST: Final = datetime(1970, 1, 2, tzinfo=UTC)
_LAST: Final = datetime(9000, 1, 1, tzinfo=UTC)
"""Nothing was used before or will be after, and a zone more or less is still a date."""


class BadQuestion(ValueError):
    """A parameter makes no sense; the message says which."""


class Span(Struct, frozen=True):
    """From when to when: whole hours, or local days where both ends are dates."""

    begin: datetime | date | None = None
    end: datetime | date | None = None
    """The end is not part of it, but a date means the whole day."""

    @property
    def days(self) -> bool:
        """Whether it is made of whole days."""
        return not any(isinstance(part, datetime) for part in (self.begin, self.end))


def moment(text: str, name: str) -> datetime | date | None:
    """Read Unix seconds, a date, or a date with a time. Raises `BadQuestion`."""
    text = text.strip()
    if not text:
        return None
    try:
        if text.replace(".", "", 1).isdigit():
            return _within_reason(datetime.fromtimestamp(float(text), UTC))
        if len(text) == 10:
            return min(max(date.fromisoformat(text), _FIRST.date()), _LAST.date())
        found = datetime.fromisoformat(text)
        return _within_reason(found if found.tzinfo else found.astimezone())
    except (ValueError, OverflowError, OSError) as err:
        raise BadQuestion(f"{name} must be a date, a time or Unix seconds") from err


def _within_reason(moment: datetime) -> datetime:
    return min(max(moment, _FIRST), _LAST)


def dimensions(text: str) -> tuple[str, ...]:
    """Read a list of dimensions. Raises `BadQuestion`."""
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for name in found:
        if name not in BY:
            raise BadQuestion(f"by must be of {', '.join(BY)}")
    return found


def summary(
    db: sqlite3.Connection,
    by: tuple[str, ...] = (),
    span: Span | None = None,
    filters: dict[str, str] | None = None,
) -> list[Obj]:
    """Return sums, one object for each group, the dearest first; days and hours in order.

    Counted tokens cost nothing and are left out unless `operation` is asked about.
    """
    filters, span = filters or {}, span or Span()
    hourly = "hour" in by or not span.days
    table = "hours" if hourly else "days"
    where, values = _within(span, hourly=hourly)
    if "operation" not in by and "operation" not in filters:
        where.append("operation <> 'count'")
    for name, value in filters.items():
        if name in _FIELDS and name in BY:
            where.append(f"{name} = ?")
            values.append(value)
    keys = [_key(name, hourly=hourly) for name in by]
    condition = f" WHERE {' AND '.join(where)}" if where else ""
    group = f" GROUP BY {', '.join(str(n + 1) for n in range(len(keys)))}" if keys else ""
    timed = [name for name in by if name in ("day", "hour")]
    order = f" ORDER BY {', '.join([*timed, 'cost DESC', 'total DESC'])}" if keys else ""
    rows = db.execute(
        f"SELECT {', '.join([*keys, _SUMMED])} FROM {table}{condition}{group}{order} "  # noqa: S608  # names are ours, values are bound
        f"LIMIT {MOST_ROWS}",
        values,
    ).fetchall()
    sources = accounts(db) if "account" in by else {}
    return [_told(by, row, sources) for row in rows]


def _key(name: str, *, hourly: bool) -> str:
    if name == "hour":
        return "strftime('%Y-%m-%dT%H:00:00Z', hour * 3600, 'unixepoch') AS hour"
    if name == "day" and hourly:
        return "strftime('%Y-%m-%d', hour * 3600, 'unixepoch', 'localtime') AS day"
    return name


def _within(span: Span, *, hourly: bool) -> tuple[list[str], list[Any]]:
    where: list[str] = []
    values: list[Any] = []
    begin, end = span.begin, span.end
    if not hourly:
        if begin is not None:
            where.append("day >= ?")
            values.append(begin.isoformat())
        if end is not None:
            where.append("day <= ?")
            values.append(end.isoformat())
        return where, values
    if begin is not None:
        where.append("hour >= ?")
        values.append(int(_seconds(begin) // 3600))
    if end is not None:
        if not isinstance(end, datetime):
            end += timedelta(days=1)
        where.append("hour < ?")
        values.append(int(-(-_seconds(end) // 3600)))
    return where, values


def _seconds(when: datetime | date) -> float:
    if not isinstance(when, datetime):
        when = datetime(when.year, when.month, when.day).astimezone()
    return when.timestamp()


def _told(by: tuple[str, ...], row: tuple[Any, ...], sources: dict[str, Obj]) -> Obj:
    sums = dict(zip(SUMS, row[len(by) :], strict=True))
    told: Obj = dict(zip(by, row, strict=False))
    if "account" in told:
        known = sources.get(told["account"], {})
        told["source"] = known.get("source", "")
        told["auth_index"] = known.get("auth_index", "")
    requests, firsts = sums["requests"], sums["firsts"]
    return told | {
        "requests": requests,
        "failed": sums["failed"],
        "left": sums["left"],
        "tokens": {
            "input": sums["input"],
            "cached": sums["cached"],
            "cache_write": sums["cache_write"],
            "output": sums["output"],
            "reasoning": sums["reasoning"],
            "total": sums["total"],
        },
        "cost_usd": sums["cost"] / NANO,
        "unpriced": sums["unpriced"],
        "seconds": round(sums["millis"] / 1000 / requests, 3) if requests else None,
        "first_seconds": round(sums["first_millis"] / 1000 / firsts, 3) if firsts else None,
    }


def accounts(db: sqlite3.Connection) -> dict[str, Obj]:
    """Return what is known of the accounts, by id."""
    rows = db.execute("SELECT account, provider, source, auth_index FROM accounts").fetchall()
    return {
        account: {"provider": provider, "source": source, "auth_index": index}
        for account, provider, source, index in rows
    }


_SHOWN: Final = (
    "id", "rid", "at", "millis", "first_millis", "client", "provider", "account", "asked", "model",
    "dialect", "upstream", "endpoint", "operation", "stream", "status", "attempts", "fidelity",
    "error", "input", "cached", "cache_write", "cache_write_1h", "output", "reasoning", "total",
    "quality", "cost",
)  # fmt: skip


def requests(
    db: sqlite3.Connection,
    *,
    limit: int = 100,
    before: int | None = None,
    filters: dict[str, str] | None = None,
) -> Obj:
    """Return the latest single requests, the newest first, and where the next page begins."""
    where: list[str] = []
    values: list[Any] = []
    if before is not None:
        where.append("(at, id) < (SELECT at, id FROM requests WHERE id = ?)")
        values.append(before)
    for name, value in (filters or {}).items():
        if name in _FIELDS:
            where.append(f"{_FIELDS[name]} = ?")
            values.append(value)
        elif name == "status":
            where.append("status = ?")
            values.append(value[:9])
        elif name == "failed":
            where.append(
                "status >= 400" if value.lower() in ("1", "true", "yes") else "status < 400"
            )
    condition = f"WHERE {' AND '.join(where)} " if where else ""
    rows = db.execute(
        f"SELECT {', '.join(_SHOWN)} FROM requests {condition}ORDER BY at DESC, id DESC LIMIT ?",  # noqa: S608  # names are ours, values are bound
        [*values, limit + 1],
    ).fetchall()
    sources = accounts(db)
    shown = [_request(dict(zip(_SHOWN, row, strict=True)), sources) for row in rows[:limit]]
    return {"requests": shown, "next": shown[-1]["row"] if len(rows) > limit else None}


def _request(row: Obj, sources: dict[str, Obj]) -> Obj:
    known = sources.get(row["account"], {})
    first, cost = row["first_millis"], row["cost"]
    return {
        "row": row["id"],
        "id": row["rid"],
        "at": row["at"] / 1e9,
        "seconds": row["millis"] / 1000,
        "first_seconds": None if first is None else first / 1000,
        "client": row["client"],
        "provider": row["provider"],
        "account": row["account"],
        "source": known.get("source", ""),
        "auth_index": known.get("auth_index", ""),
        "model": row["asked"],
        "served": row["model"],
        "dialect": row["dialect"],
        "upstream": row["upstream"],
        "endpoint": row["endpoint"],
        "operation": row["operation"],
        "stream": bool(row["stream"]),
        "status": row["status"],
        "failed": row["status"] >= 400,
        "attempts": row["attempts"],
        "fidelity": row["fidelity"],
        "error": row["error"],
        "tokens": {
            name: row[name]
            for name in (
                "input", "cached", "cache_write", "cache_write_1h", "output", "reasoning", "total",
            )
        }
        | {"quality": row["quality"]},
        "cost_usd": None if cost is None else cost / NANO,
    }  # fmt: skip

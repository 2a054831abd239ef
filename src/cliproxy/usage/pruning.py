"""How much of `usage.db` is kept, and what goes first. The sums stay exact whatever is deleted."""

from __future__ import annotations

import sqlite3
from typing import Any

from msgspec import Struct

from cliproxy.usage.tables import ADD, DIMENSIONS, SUMS, Transaction


class Limits(Struct, frozen=True):
    """How much is kept."""

    max_requests: int = 50_000
    requests_seconds: float = 30 * 86400.0
    hours_seconds: float = 90 * 86400.0
    max_bytes: int = 64 * 1024 * 1024


def prune(db: sqlite3.Connection, limits: Limits, now: float) -> None:
    """Delete what is more than is kept."""
    # Not by their ids: what an import has added is older than what was there.
    gone = db.execute(
        "SELECT at, id FROM requests ORDER BY at DESC, id DESC LIMIT 1 OFFSET ?",
        (max(0, limits.max_requests),),
    ).fetchone()
    oldest = int(max(0.0, now - limits.requests_seconds) * 1e9)
    with Transaction(db):
        _forget(db, "(at, id) <= (?, ?) OR at < ?", (*(gone or (-1, 0)), oldest), limits)
        db.execute(
            "DELETE FROM hours WHERE hour < ?",
            (int(max(0.0, now - limits.hours_seconds) // 3600),),
        )
    for _ in range(40):
        if _size(db) <= limits.max_bytes:
            break
        if not _shrink(db, limits):
            break
    # Not `execute`: that would give back one page.
    db.executescript("PRAGMA incremental_vacuum")


def _shrink(db: sqlite3.Connection, limits: Limits) -> bool:
    """Delete some of what matters least; tell whether there was any."""
    with Transaction(db):
        (count,) = db.execute("SELECT count(*) FROM requests").fetchone()
        if count:
            _forget(
                db,
                "id IN (SELECT id FROM requests ORDER BY at LIMIT ?)",
                (max(100, count // 8),),
                limits,
            )
            return True
        (count,) = db.execute("SELECT count(*) FROM seen").fetchone()
        if count:
            db.execute(
                "DELETE FROM seen WHERE digest IN (SELECT digest FROM seen ORDER BY at LIMIT ?)",
                (max(1000, count // 4),),
            )
            return True
        (first, last) = db.execute("SELECT min(hour), max(hour) FROM hours").fetchone()
        if first is not None:
            db.execute("DELETE FROM hours WHERE hour <= ?", (first + (last - first) // 4,))
            return True
        (first, last) = db.execute("SELECT min(day), max(day) FROM days WHERE day > ''").fetchone()
        if first is None or first == last:
            return False
        # The last resort: the sums stay, their days are forgotten.
        (middle,) = db.execute(
            "SELECT day FROM days WHERE day > '' GROUP BY day ORDER BY day LIMIT 1 OFFSET "
            "(SELECT count(DISTINCT day) / 2 FROM days WHERE day > '')"
        ).fetchone()
        names = ", ".join((*DIMENSIONS, *SUMS))
        db.execute(
            f"INSERT INTO days (day, {names}) SELECT '', {', '.join(DIMENSIONS)}, "  # noqa: S608  # names are ours
            f"{', '.join(f'sum({name})' for name in SUMS)} FROM days "
            f"WHERE day > '' AND day < ? GROUP BY {', '.join(DIMENSIONS)} "
            f"ON CONFLICT (day, {', '.join(DIMENSIONS)}) DO UPDATE SET {ADD}",
            (middle,),
        )
        db.execute("DELETE FROM days WHERE day > '' AND day < ?", (middle,))
        return True


def _forget(db: sqlite3.Connection, which: str, values: tuple[Any, ...], limits: Limits) -> None:
    db.execute(
        f"INSERT OR IGNORE INTO seen SELECT digest, at FROM requests WHERE {which}",  # noqa: S608  # literals
        values,
    )
    if db.execute(f"DELETE FROM requests WHERE {which}", values).rowcount:  # noqa: S608  # literals
        db.execute(
            "DELETE FROM seen WHERE digest IN (SELECT digest FROM seen ORDER BY at DESC "
            "LIMIT -1 OFFSET ?)",
            (max(1000, limits.max_requests * 4),),
        )


def _size(db: sqlite3.Connection) -> int:
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    (free,) = db.execute("PRAGMA freelist_count").fetchone()
    (size,) = db.execute("PRAGMA page_size").fetchone()
    return int((pages - free) * size)

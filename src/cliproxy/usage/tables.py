"""The tables of `usage.db`, and everything that writes to them.

Each request is one row of `requests`, for a limited time, and is added to one row of `hours` and
one of `days` in the same transaction: whatever is deleted later, the sums stay what they were.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, Final

from cliproxy.usage.cost import Prices
from cliproxy.usage.record import LEFT, Record, Tokens, Who

VERSION: Final = 1
_LARGEST: Final = 1 << 53
_LONGEST: Final = 256
DIMENSIONS: Final = ("provider", "account", "client", "model", "operation")
SUMS: Final = (
    "requests", "failed", "left", "input", "cached", "cache_write", "output", "reasoning",
    "total", "cost", "unpriced", "millis", "first_millis", "firsts",
)  # fmt: skip
"""What the sums hold: counts, tokens, nanodollars, requests without a price, milliseconds."""
COLUMNS: Final = (
    "rid", "at", "millis", "first_millis", "client", "provider", "account", "asked", "model",
    "dialect", "upstream", "endpoint", "operation", "stream", "status", "attempts", "fidelity",
    "error", "input", "cached", "cache_write", "cache_write_1h", "output", "reasoning", "total",
    "quality", "cost", "digest",
)  # fmt: skip

_ANSWERS: Final = frozenset({"generate", "compact"})
"""Operations that are paid for by the token."""
_AT: Final = COLUMNS.index("at")
_dimensions: Final = itemgetter(*map(COLUMNS.index, DIMENSIONS))
_SLICE: Final = 32
_QUARTER: Final = 900_000_000_000
"""Nanoseconds."""
_PRIME: Final = (1 << 61) - 1
_FACTOR: Final = 0x9E3779B97F4A7C15


def _rollup(table: str, key: str) -> str:
    dimensions = ", ".join(f"{name} TEXT NOT NULL" for name in DIMENSIONS)
    sums = ", ".join(f"{name} INTEGER NOT NULL" for name in SUMS)
    return (
        f"CREATE TABLE IF NOT EXISTS {table} ({key}, {dimensions}, {sums}, "
        f"PRIMARY KEY ({key.split(maxsplit=1)[0]}, {', '.join(DIMENSIONS)})) WITHOUT ROWID;"
    )


SCHEMA: Final = f"""
CREATE TABLE IF NOT EXISTS requests (
    id INTEGER PRIMARY KEY, rid TEXT NOT NULL, at INTEGER NOT NULL, millis INTEGER NOT NULL,
    first_millis INTEGER, client TEXT NOT NULL, provider TEXT NOT NULL, account TEXT NOT NULL,
    asked TEXT NOT NULL, model TEXT NOT NULL, dialect TEXT NOT NULL, upstream TEXT NOT NULL,
    endpoint TEXT NOT NULL, operation TEXT NOT NULL, stream INTEGER NOT NULL,
    status INTEGER NOT NULL, attempts INTEGER NOT NULL, fidelity TEXT NOT NULL,
    error TEXT NOT NULL, input INTEGER NOT NULL, cached INTEGER NOT NULL,
    cache_write INTEGER NOT NULL, cache_write_1h INTEGER NOT NULL, output INTEGER NOT NULL,
    reasoning INTEGER NOT NULL, total INTEGER NOT NULL, quality TEXT NOT NULL, cost INTEGER,
    digest INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS requests_at ON requests (at);
CREATE TABLE IF NOT EXISTS seen (digest INTEGER PRIMARY KEY, at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS accounts (
    account TEXT PRIMARY KEY, provider TEXT NOT NULL, source TEXT NOT NULL,
    auth_index TEXT NOT NULL) WITHOUT ROWID;
{_rollup("hours", "hour INTEGER NOT NULL")}
{_rollup("days", "day TEXT NOT NULL")}
CREATE TABLE IF NOT EXISTS clock (
    hour INTEGER PRIMARY KEY, requests INTEGER NOT NULL, total INTEGER NOT NULL);
"""
"""`at` is in nanoseconds, `hour` in hours since 1970, `day` a local date, `clock.hour` the local
hour of the day; `seen` remembers rows that are gone, so that an import adds nothing twice."""

_PLACES: Final = ", ".join("?" * len(COLUMNS))
_INSERT: Final = f"INSERT INTO requests ({', '.join(COLUMNS)}) VALUES ({_PLACES})"  # noqa: S608  # names are ours
_TOGETHER: Final = 32
_INSERT_MANY: Final = f"{_INSERT}{f', ({_PLACES})' * (_TOGETHER - 1)}"
ADD: Final = ", ".join(f"{name} = {name} + excluded.{name}" for name in SUMS)


def _upsert(table: str, key: str) -> str:
    names = (key, *DIMENSIONS, *SUMS)
    places = ", ".join("?" * len(names))
    return (
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places}) "  # noqa: S608  # names are ours
        f"ON CONFLICT ({key}, {', '.join(DIMENSIONS)}) DO UPDATE SET {ADD}"
    )


_HOURS: Final = _upsert("hours", "hour")
_DAYS: Final = _upsert("days", "day")
_CLOCK: Final = (
    "INSERT INTO clock (hour, requests, total) VALUES (?, ?, ?) ON CONFLICT (hour) DO UPDATE "
    "SET requests = requests + excluded.requests, total = total + excluded.total"
)
_LATE: Final = COLUMNS[COLUMNS.index("input") :]
_AMEND: Final = (
    f"UPDATE requests SET {', '.join(f'{name} = ?' for name in _LATE)} WHERE at = ? AND rid = ?"  # noqa: S608  # names are ours
)


def _amend(table: str, key: str) -> str:
    sums = ", ".join(f"{name} = {name} + ?" for name in SUMS)
    where = " AND ".join(f"{name} = ?" for name in (key, *DIMENSIONS))
    return f"UPDATE {table} SET {sums} WHERE {where}"  # noqa: S608  # names are ours


_AMEND_HOURS: Final = _amend("hours", "hour")
_AMEND_DAYS: Final = _amend("days", "day")
_ACCOUNTS: Final = "INSERT OR REPLACE INTO accounts VALUES (?, ?, ?, ?)"


def prepare(db: sqlite3.Connection) -> None:
    """Make a connection ready to write, and the tables if there are none."""
    db.execute("PRAGMA busy_timeout = 5000")
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise NewerVersion(f"usage.db was written by a newer version of cliproxy ({version})")
    db.execute("PRAGMA auto_vacuum = INCREMENTAL")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA journal_size_limit = 4194304")
    if version < VERSION:
        db.executescript(SCHEMA)
        db.execute(f"PRAGMA user_version = {VERSION}")


class NewerVersion(Exception):
    """The file was written by a newer program."""


class Writer:
    """Turns records into rows. One instance and one thread per file."""

    def __init__(self, db: sqlite3.Connection, prices: Prices) -> None:
        self.db = db
        self.prices = prices
        self._told: dict[str, Who] = {}
        self._places: dict[int, tuple[int, str, int]] = {}

    def add(self, records: Iterable[Record]) -> None:
        """Write records, all or none."""
        with Transaction(self.db):
            self._add(records)

    def merge(self, records: Iterable[Record]) -> tuple[int, int]:
        """Write records that are not there yet; return how many were added and how many not."""
        added = skipped = 0
        with Transaction(self.db):
            fresh: dict[int, Record] = {}
            for record in records:
                mark = digest(record)
                if mark in fresh or self._known(mark, record.nanoseconds):
                    skipped += 1
                    continue
                fresh[mark] = record
                if len(fresh) >= 1000:
                    added += len(fresh)
                    self._add(fresh.values())
                    fresh.clear()
            added += len(fresh)
            self._add(fresh.values())
        return added, skipped

    def amend(self, before: Record, after: Record) -> None:
        """Write tokens that were told late: the row's, and the difference into its sums.

        What was deleted meanwhile stays so. The two differ in their tokens only.
        """
        old, new = self._row(before), self._row(after)
        hour, day, of_day = self._place(old[_AT] // _QUARTER)
        more = [now - then for now, then in zip(_sums([new]), _sums([old]), strict=True)]
        with Transaction(self.db):
            changed = [new[COLUMNS.index(name)] for name in _LATE]
            self.db.execute(_AMEND, [*changed, old[_AT], old[COLUMNS.index("rid")]])
            self.db.execute(_AMEND_HOURS, [*more, hour, *_dimensions(old)])
            self.db.execute(_AMEND_DAYS, [*more, day, *_dimensions(old)])
            self.db.execute(
                "UPDATE clock SET total = total + ? WHERE hour = ?",
                (more[SUMS.index("total")], of_day),
            )

    def totals(self) -> tuple[int, int]:
        """Return how many requests there are by now, and how many of them failed."""
        requests, failed = self.db.execute(
            "SELECT coalesce(sum(requests), 0), coalesce(sum(failed), 0) FROM days "
            "WHERE operation <> 'count'"
        ).fetchone()
        return requests, failed

    def _known(self, mark: int, at: int) -> bool:
        # Rows are found by their moment: an index of digests would be dear for what it is used.
        found = self.db.execute(
            "SELECT 1 FROM requests WHERE at = ? AND digest = ? "
            "UNION ALL SELECT 1 FROM seen WHERE digest = ?",
            (at, mark, mark),
        ).fetchone()
        return found is not None

    def _add(self, records: Iterable[Record]) -> None:
        rows: list[tuple[Any, ...]] = []
        # Requests of one quarter of an hour, of the same kind, are added up first.
        kinds: dict[tuple[Any, ...], list[tuple[Any, ...]]] = defaultdict(list)
        accounts: dict[str, Who] = {}
        for record in records:
            row = self._row(record)
            rows.append(row)
            if len(rows) % _SLICE == 0:
                # Requests are being served beside this: none of them waits for a whole batch.
                time.sleep(0)
            kinds[(row[_AT] // _QUARTER, *_dimensions(row))].append(row)
            who = record.who
            if self._told.get(who.account) is not who and who.account:
                accounts[who.account] = who
        hours: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0] * len(SUMS))
        days: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0] * len(SUMS))
        clock: dict[int, list[int]] = defaultdict(lambda: [0, 0])
        for (quarter, *dimensions), alike in kinds.items():
            hour, day, of_day = self._place(quarter)
            sums = _sums(alike)
            for into in (hours[hour, *dimensions], days[day, *dimensions]):
                for index, value in enumerate(sums):
                    into[index] += value
            if dimensions[-1] != "count":
                clock[of_day][0] += len(alike)
                clock[of_day][1] += sums[SUMS.index("total")]
        db = self.db
        self._insert(rows)
        db.executemany(_HOURS, [(*key, *sums) for key, sums in hours.items()])
        db.executemany(_DAYS, [(*key, *sums) for key, sums in days.items()])
        db.executemany(_CLOCK, [(hour, *sums) for hour, sums in clock.items()])
        if accounts:
            db.executemany(
                _ACCOUNTS,
                [
                    (_text(w.account), _text(w.provider), _text(w.source), _text(w.auth_index))
                    for w in accounts.values()
                ],
            )
            if len(self._told) > 10_000:
                self._told.clear()
            self._told |= accounts

    def _insert(self, rows: list[tuple[Any, ...]]) -> None:
        """Write rows, many with one statement.

        The interpreter is given away and taken back around each statement, and taking it back from
        a busy event loop costs both threads more than the row itself.
        """
        many = len(rows) - len(rows) % _TOGETHER
        for at in range(0, many, _TOGETHER):
            self.db.execute(_INSERT_MANY, list(chain.from_iterable(rows[at : at + _TOGETHER])))
        self.db.executemany(_INSERT, rows[many:])

    def _row(self, record: Record) -> tuple[Any, ...]:
        # Written for speed: every request has a row, and others wait for the interpreter meanwhile.
        tokens, who = record.tokens, record.who
        if record.served and tokens.quality != "none":
            cost = self.prices.cost(who.provider, record.served, tokens)
        else:
            cost = self._uncounted(record)
        first = record.first_seconds
        return (
            _text(record.id),
            record.nanoseconds,
            _count(record.seconds * 1000),
            None if first is None else _count(first * 1000),
            *_alike(record.client, who.provider, who.account, record.model, record.named),
            record.dialect,
            record.upstream,
            _text(record.endpoint),
            record.operation,
            record.stream,
            record.status,
            record.attempts,
            record.fidelity,
            _text(record.error, 500) if record.error else "",
            *_counts(tokens),
            tokens.quality,
            None if cost is None else _count(cost),
            digest(record),
        )

    def _uncounted(self, record: Record) -> int | None:
        """Return what a request cost whose tokens nobody told: None where it did cost something."""
        if not record.served or record.failed or record.operation not in _ANSWERS:
            return 0
        price = self.prices.find(record.who.provider, record.served)
        free = price is not None and not (price.input or price.output)
        return 0 if free else None

    def _place(self, quarter: int) -> tuple[int, str, int]:
        """Return hour, local day and local hour of the day of a quarter of an hour.

        Local time differs from UTC by whole quarters.
        """
        found = self._places.get(quarter)
        if found is None:
            local = time.localtime(quarter * 900)
            day = f"{local.tm_year:04}-{local.tm_mon:02}-{local.tm_mday:02}"
            if len(self._places) > 1000:
                self._places.clear()
            found = self._places[quarter] = (quarter // 4, day, local.tm_hour)
        return found


class Transaction:
    """Writes all or nothing."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, *_: object) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")


def digest(record: Record) -> int:
    """Return what tells a request from all others, also after an export and an import."""
    who = record.who
    found = _said(record.client, record.named, who.source, who.auth_index) + record.failed
    read, cached, _, _, written, reasoning, total = _counts(record.tokens)
    for value in (record.nanoseconds, read, written, reasoning, cached, total):
        found = found * _FACTOR + value
    return found % _PRIME


@lru_cache(maxsize=1024)
def _alike(*texts: str) -> tuple[str, ...]:
    """Return texts that many requests share as SQLite takes them."""
    return tuple(map(_text, texts))


@lru_cache(maxsize=1024)
def _said(*texts: str) -> int:
    told = "\0".join(texts).encode("utf-8", "replace")
    return int.from_bytes(hashlib.blake2b(told, digest_size=7).digest()) * 2


def _counts(tokens: Tokens) -> tuple[int, ...]:
    """Return counts that SQLite can hold, in the order of the columns."""
    written, spoken = tokens.input, tokens.output
    found = (
        written,
        tokens.cached,
        tokens.cache_write,
        tokens.cache_write_1h,
        spoken,
        tokens.reasoning,
        tokens.stated or written + spoken,
    )
    if min(found) < 0 or max(found) > _LARGEST:
        return tuple(map(_count, found))
    return found


def _sums(rows: list[tuple[Any, ...]]) -> tuple[int, ...]:
    of = dict(zip(COLUMNS, zip(*rows, strict=True), strict=True))
    costs = [cost for cost in of["cost"] if cost is not None]
    firsts = [first for first in of["first_millis"] if first is not None]
    return (
        len(rows),
        sum(status >= 400 for status in of["status"]),
        sum(status == LEFT for status in of["status"]),
        *(
            sum(of[name])
            for name in ("input", "cached", "cache_write", "output", "reasoning", "total")
        ),
        sum(costs),
        len(rows) - len(costs),
        sum(of["millis"]),
        sum(firsts),
        len(firsts),
    )


def _count(value: float) -> int:
    return min(max(0, int(value)), _LARGEST)


def _text(value: str, longest: int = _LONGEST) -> str:
    if value.isascii() and len(value) <= longest:
        return value
    # Half of a surrogate pair may stand in a model's name; SQLite takes none.
    return value[:longest].encode("utf-8", "replace").decode()

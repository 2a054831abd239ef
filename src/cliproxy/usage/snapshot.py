"""The statistics in the shape in which older management clients read, export and import them."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, Generic, TypeVar

import msgspec
from msgspec import Raw, Struct, field

from cliproxy.base import json
from cliproxy.base.json import Obj
from cliproxy.usage.record import NOBODY, Marks, Record, Tokens, Who, is_mark

DETAILS: Final = 500
"""Single requests shown for each client and model; the sums count all."""
_STAMP: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|z|[+-]\d\d:?\d\d)?"
)
_NO_KEY: Final = re.compile(r"(?:GET|POST|PUT) /\S*|unknown|anonymous|this-machine|key-\d+")

_LIKE_A_KEY: Final = re.compile(r"(?:sk-|AIza|xai-|gsk_|AQ\.|ya29)\S{12,}|[A-Za-z0-9_]{32,}")


class BadImport(ValueError):
    """An import that cannot be read; the message is what clients expect."""


def snapshot(db: sqlite3.Connection, details: int | None = DETAILS) -> Obj:
    """Return the whole statistics. `details` None = all single requests that are kept."""
    apis: dict[str, Obj] = {}
    requests = failed = total = 0
    rows = db.execute(
        "SELECT client, model, sum(requests), sum(failed), sum(total) FROM days "
        "WHERE operation <> 'count' GROUP BY client, model ORDER BY client, model"
    )
    for client, model, count, wrong, tokens in rows:
        requests, failed, total = requests + count, failed + wrong, total + tokens
        api = apis.setdefault(client, {"total_requests": 0, "total_tokens": 0, "models": {}})
        api["total_requests"] += count
        api["total_tokens"] += tokens
        api["models"][model] = {"total_requests": count, "total_tokens": tokens, "details": []}
    for client, model, detail in _details(db, details):
        apis[client]["models"][model]["details"].append(detail)
    by_day = db.execute(
        "SELECT day, sum(requests), sum(total) FROM days "
        "WHERE operation <> 'count' AND day > '' GROUP BY day ORDER BY day"
    ).fetchall()
    by_hour = db.execute("SELECT hour, requests, total FROM clock ORDER BY hour").fetchall()
    return {
        "total_requests": requests,
        "success_count": requests - failed,
        "failure_count": failed,
        "total_tokens": total,
        "apis": apis,
        "requests_by_day": {day: count for day, count, _ in by_day},
        "requests_by_hour": {f"{hour:02}": count for hour, count, _ in by_hour},
        "tokens_by_day": {day: tokens for day, _, tokens in by_day},
        "tokens_by_hour": {f"{hour:02}": tokens for hour, _, tokens in by_hour},
    }


def _details(db: sqlite3.Connection, most: int | None) -> list[tuple[str, str, Obj]]:
    rows = db.execute(
        "SELECT client, model, at, millis, source, auth_index, input, output, reasoning, cached, "
        "total, status FROM (SELECT r.*, a.source, a.auth_index, row_number() OVER "
        "(PARTITION BY client, model ORDER BY at DESC) AS place FROM requests r "
        "LEFT JOIN accounts a USING (account) WHERE operation <> 'count') "
        "WHERE ? IS NULL OR place <= ? ORDER BY at",
        (most, most),
    )
    return [
        (
            client,
            model,
            {
                "timestamp": timestamp(at),
                "latency_ms": millis,
                "source": source or "",
                "auth_index": index or "",
                "tokens": {
                    "input_tokens": input_tokens,
                    "output_tokens": output,
                    "reasoning_tokens": reasoning,
                    "cached_tokens": cached,
                    "total_tokens": total,
                },
                "failed": status >= 400,
            },
        )
        for (client, model, at, millis, source, index, input_tokens, output, reasoning, cached,
             total, status) in rows
    ]  # fmt: skip


def export(db: sqlite3.Connection, now: float) -> Obj:
    """Return the document that `read_import` takes, with every single request that is kept."""
    return {
        "version": 1,
        "exported_at": timestamp(int(now) * 1_000_000_000),
        "usage": snapshot(db, None),
    }


def timestamp(nanoseconds: int) -> str:
    """Write a moment as RFC 3339 in UTC, with as many digits as it has."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    digits = f".{rest:09}".rstrip("0") if rest else ""
    return f"{text}{digits}Z"


class _Tokens(Struct):
    input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cached_tokens: int = 0
    total_tokens: int = 0


class _Detail(Struct):
    timestamp: str = ""
    latency_ms: float = 0
    source: str = ""
    auth_index: str | int = ""
    tokens: _Tokens = field(default_factory=_Tokens)
    failed: bool = False


_T = TypeVar("_T")


class _Model(Struct, Generic[_T]):
    details: list[_T] | None = None


class _Api(Struct, Generic[_T]):
    models: dict[str, _Model[_T]] | None = None


class _Usage(Struct, Generic[_T]):
    apis: dict[str, _Api[_T]] | None = None


class _Document(Struct, Generic[_T]):
    version: int = 0
    usage: _Usage[_T] = field(default_factory=_Usage)
    data: str = ""
    """Where one client puts all the rest, as text."""


_outline: Final = msgspec.json.Decoder(_Document[Raw])


def read_import(body: bytes, now: float, marks: Marks) -> list[Record]:
    """Read an exported document into records. Raises `BadImport`.

    Sums in it are ignored: the single requests say what they are. Keys of clients are replaced by
    what stands for them here.
    """
    try:
        document = _read(body)
        if document.data:
            document = _read(document.data.encode("utf-8", "surrogatepass"))
        if document.version not in (0, 1):
            raise BadImport("unsupported version")
        return list(_records(document, now, marks))
    except (json.InvalidJson, msgspec.ValidationError) as err:
        raise BadImport("invalid json") from err


def _read(body: bytes) -> _Document[Raw] | _Document[_Detail]:
    """Read a document; its single requests one by one later, where that can be."""
    try:
        # All at once nobody else would get at the interpreter for seconds.
        return _outline.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # It may be half characters in a name.
        return msgspec.convert(json.loads(body), _Document[_Detail])


def _records(
    document: _Document[Raw] | _Document[_Detail], now: float, marks: Marks
) -> Iterator[Record]:
    for api, models in (document.usage.apis or {}).items():
        name = api.strip()
        if not name:
            continue
        client = name if is_mark(name) or _NO_KEY.fullmatch(name) else marks(name)
        for model, listed in (models.models or {}).items():
            for item in listed.details or ():
                detail = item if isinstance(item, _Detail) else _detail(item)
                yield _record(client, model.strip(), detail, now, marks)


def _detail(raw: Raw) -> _Detail:
    return msgspec.convert(json.loads(bytes(raw)), _Detail)


def _record(client: str, model: str, detail: _Detail, now: float, marks: Marks) -> Record:
    at = _nanoseconds(detail.timestamp) or int(now * 1e9)
    read = {name: max(0, getattr(detail.tokens, name)) for name in _Tokens.__struct_fields__}
    total = read["total_tokens"] or (
        read["input_tokens"] + read["output_tokens"] + read["reasoning_tokens"]
    )
    index = str(detail.auth_index)
    return Record(
        id="",
        at=at / 1e9,
        at_ns=at,
        seconds=max(0.0, detail.latency_ms / 1000),
        client=client,
        who=_who(detail.source, index, marks),
        model=model or NOBODY,
        served=model or NOBODY,
        dialect="",
        upstream="",
        endpoint="",
        operation="generate",
        stream=False,
        status=500 if detail.failed else 200,
        attempts=1,
        fidelity="",
        tokens=Tokens(
            input=read["input_tokens"],
            cached=read["cached_tokens"],
            output=read["output_tokens"],
            reasoning=read["reasoning_tokens"],
            quality="complete" if total else "none",
            stated=total or read["cached_tokens"],
        ),
    )


def _who(source: str, index: str, marks: Marks) -> Who:
    if not source and not index:
        return Who()
    # Elsewhere the source of a key is the key.
    shown = marks(source) if _LIKE_A_KEY.fullmatch(source) else source
    digest = hashlib.sha256(f"{shown}\0{index}".encode("utf-8", "replace")).hexdigest()[:12]
    return Who(f"imported:{digest}", "", shown, index, "")


def _nanoseconds(text: str) -> int | None:
    found = _STAMP.fullmatch(text.strip())
    if found is None or text.startswith("0001-"):
        return None
    day, clock, digits, zone = found.groups()
    zone = "+00:00" if zone in (None, "Z", "z") else zone
    try:
        seconds = int(datetime.fromisoformat(f"{day}T{clock}{zone}").timestamp())
    except (ValueError, OverflowError):
        return None
    if not 0 < seconds < 1 << 33:
        return None
    return seconds * 1_000_000_000 + int((digits or "0").ljust(9, "0"))

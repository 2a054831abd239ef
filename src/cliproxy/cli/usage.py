"""`cliproxy usage`."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

from msgspec import Struct
from rich.console import Console
from rich.table import Table

from cliproxy.base import json
from cliproxy.base.errors import ConfigError
from cliproxy.base.json import Obj
from cliproxy.cli.config import loaded_or_empty
from cliproxy.cli.server import NoServer, ask, certificate, key_or_environment, local_url
from cliproxy.cli.tables import plain
from cliproxy.config.schema import Config
from cliproxy.usage import questions
from cliproxy.usage.questions import BadQuestion, Span
from cliproxy.usage.store import NAME, open_to_read


class Question(Struct, frozen=True):
    """What is asked, as it was written."""

    by: str = "model"
    since: str = ""
    until: str = ""

    @property
    def span(self) -> Span:
        """From when to when. Raises `BadQuestion`."""
        return Span(questions.moment(self.since, "since"), questions.moment(self.until, "until"))


def command(
    question: Question,
    config_path: str | None,
    url: str | None,
    key: str | None,
    *,
    as_json: bool,
) -> None:
    """Print what was used, by model, account, client or time. Raises `ConfigError`."""
    key = key_or_environment(key)
    try:
        questions.dimensions(question.by)
        _ = question.span
    except BadQuestion as err:
        raise ConfigError(f"This cannot be asked: {err}.") from err
    if url is not None:
        try:
            found = _from_server(url, key, question)
        except NoServer as err:
            raise ConfigError(f"There is no proxy at {url}: {err}.") from err
    else:
        found = _local(loaded_or_empty(config_path), key, question)
    if as_json:
        sys.stdout.write(json.dumps_str(found) + "\n")
    else:
        _print(found)


def _local(config: Config, key: str, question: Question) -> Obj:
    """Ask the proxy of this machine; its file when it does not run, or when there is no key."""
    if key:
        try:
            return _from_server(local_url(config), key, question, certificate(config))
        except NoServer:
            pass
    path = Path(config.auth_dir).expanduser() / NAME
    dimensions, span = questions.dimensions(question.by), question.span
    try:
        with closing(open_to_read(path)) as db:
            (total,) = questions.summary(db, (), span)
            rows = questions.summary(db, dimensions, span) if dimensions else []
    except sqlite3.Error as err:
        raise ConfigError(f"{path} cannot be read: {err}.") from err
    return {"by": list(dimensions), "total": total, "rows": rows}


def _from_server(url: str, key: str, question: Question, trusted: str = "") -> Obj:
    asked = {"by": question.by, "from": question.since, "to": question.until}
    return ask(url, key, f"usage/summary?{urlencode(asked)}", holding="rows", trusted=trusted)


def _print(found: Obj) -> None:
    # Whoever reads through a pipe wants whole names.
    width = None if sys.stdout.isatty() else 240
    console = Console(file=sys.stdout, highlight=False, markup=False, width=width)
    if not found["total"]["requests"]:
        console.print("Nothing was used.")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    by = found["by"] or ["total"]
    for name in by:
        table.add_column(name.upper(), no_wrap=True)
    for name in ("REQUESTS", "FAILED", "INPUT", "CACHED", "OUTPUT", "USD", "FIRST", "WHOLE"):
        table.add_column(name, justify="right", no_wrap=True)
    rows = found["rows"]
    for row in rows:
        table.add_row(*[_name(row, name) for name in by], *_numbers(row))
    if found["by"]:
        table.add_row(*["total", *[""] * (len(by) - 1)], *_numbers(found["total"]), style="bold")
    else:
        table.add_row("total", *_numbers(found["total"]))
    console.print(table)
    if unpriced := found["total"]["unpriced"]:
        console.print(
            f"{unpriced:,} of the requests have no known price (see `prices`), or no known tokens."
        )


def _name(row: Obj, name: str) -> str:
    if name == "account":
        return plain(str(row.get("source") or row["account"] or "-"))
    return plain(str(row[name] or "-")).replace("\n", " ")


def _numbers(row: Obj) -> list[str]:
    tokens = row["tokens"]
    first, whole = row["first_seconds"], row["seconds"]
    return [
        f"{row['requests']:,}",
        f"{row['failed']:,}",
        f"{tokens['input']:,}",
        f"{tokens['cached']:,}",
        f"{tokens['output']:,}",
        f"{row['cost_usd']:,.4f}",
        "-" if first is None else f"{first:.2f} s",
        "-" if whole is None else f"{whole:.2f} s",
    ]


def days_ago(days: int) -> str:
    """Return the date so many days ago, today being the first."""
    today = datetime.now(UTC).astimezone().date()
    return (today - timedelta(days=max(0, days - 1))).isoformat()

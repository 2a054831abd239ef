"""`cliproxy accounts`."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec
from rich.console import Console
from rich.table import Table

from cliproxy.app.runtime import Runtime
from cliproxy.app.source import Source, source_at_hand
from cliproxy.base import json, redact
from cliproxy.base.errors import ConfigError
from cliproxy.base.json import Obj
from cliproxy.cli.server import NoServer, ask, certificate, key_or_environment, local_url
from cliproxy.config.schema import Config
from cliproxy.login.flow import Problem
from cliproxy.manage.accounts import every_account
from cliproxy.stores.base import StoreError


def command(
    config_path: str | None, url: str | None, key: str | None, *, quota: bool, as_json: bool
) -> None:
    """Print every account, its settings, its state and what is left. Raises `ConfigError`."""
    key = key_or_environment(key)
    if url is not None:
        try:
            found = _from_server(url, key, quota=quota)
        except NoServer as err:
            raise ConfigError(f"There is no proxy at {url}: {err}.") from err
    else:
        found = _local(source_at_hand(config_path), key, quota=quota)
    if as_json:
        sys.stdout.write(json.dumps_str(found) + "\n")
    elif not found:
        sys.stdout.write("There is no account. Add one: cliproxy login claude\n")
    else:
        _print(found)


def _from_server(url: str, key: str, *, quota: bool, trusted: str = "") -> list[Obj]:
    def asked(path: str, holding: str) -> Any:
        return ask(url, key, path, holding=holding, trusted=trusted)[holding]

    accounts: list[Obj] = asked("accounts", "accounts")
    rests: dict[str, Obj] = {}
    for row in asked("cooldowns", "cooldowns"):
        if row.get("state") == "cooling":
            rests.setdefault(row["account"], row)
    for account in accounts:
        rest = rests.get(account["id"])
        if rest is not None and not account.get("cooldown"):
            # It rests for some of its models.
            account["resting_model"] = {k: rest.get(k) for k in ("model", "reason", "until")}
        if quota and account.get("file"):
            path = f"auth-files/quota?name={quote(account['file'], safe='')}"
            with contextlib.suppress(ConfigError):
                account["quota"] = asked(path, "quota")
    return [_safe(account) for account in accounts]


def _local(source: Source | None, key: str, *, quota: bool) -> list[Obj]:
    """Ask the proxy of this machine; look at the files when it does not run, or without a key."""
    config = source.load().config if source is not None else Config()
    if key:
        with contextlib.suppress(NoServer):
            return _from_server(local_url(config), key, quota=quota, trusted=certificate(config))
    return asyncio.run(_from_files(config, quota=quota, source=source))


async def _from_files(config: Config, *, quota: bool, source: Source | None = None) -> list[Obj]:
    # Who asks may have to renew a login, of which a store must then know before others do so too.
    mirror = source.mirror() if quota and source is not None else None
    if mirror is not None:
        try:
            await mirror.bootstrap()
        except (StoreError, TimeoutError, OSError) as err:
            sys.stderr.write(
                f"What is left is not asked, as tokens could not be renewed safely: {_plain(err)}\n"
            )
            await mirror.close()
            mirror, quota = None, False
    try:
        runtime = Runtime(config, mirror=mirror)
    except BaseException:
        if mirror is not None:
            await mirror.close()
        raise
    try:
        found = [_safe(account) for account in every_account(runtime.control)]
        for row in found:
            credential = runtime.keeper.find(str(row["file"]))
            if quota and credential is not None and row["state"] not in ("disabled", "not used"):
                try:
                    report = await runtime.keeper.quota(credential)
                    row["quota"] = msgspec.to_builtins(report)
                except Problem as err:
                    row["problem"] = err.message
        return found
    finally:
        await runtime.close()


def _safe(account: Obj) -> Obj:
    base = account.get("base_url")
    return {**account, "base_url": redact.url(base) if base else ""}


def _print(found: list[Obj]) -> None:
    # Whoever reads through a pipe wants whole names.
    console = Console(
        file=sys.stdout, highlight=False, markup=False, width=None if sys.stdout.isatty() else 200
    )
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("ACCOUNT", "PROVIDER", "LABEL", "STATE", "PRIO", "WEIGHT", "TOKEN ENDS", "LEFT"):
        table.add_column(name, no_wrap=True)
    for row in found:
        table.add_row(
            *(_plain(row.get(k)) for k in ("id", "provider", "label")),
            _shown_state(row),
            *(_plain(row.get(k)) for k in ("priority", "weight")),
            _time(row.get("expires")),
            _left(row.get("quota")),
        )
    console.print(table)
    for row in found:
        if row.get("problem"):
            console.print(f"{_plain(row['id'])}: {_plain(row['problem'])}")


def _shown_state(row: Obj) -> str:
    rest, model = row.get("cooldown"), row.get("resting_model")
    if isinstance(rest, dict):
        return f"rests ({_plain(rest.get('reason'))}) until {_time(rest.get('until'))}"
    state = _plain(row.get("state")).replace("_", " ")
    if isinstance(model, dict):
        return f"{state}; {_plain(model.get('model'))} rests until {_time(model.get('until'))}"
    return state


def _left(quota: Any) -> str:
    if not isinstance(quota, dict):
        return "-"
    parts = [
        f"{window['label']} {100 - window['used_percent']:.0f} %"
        for window in quota.get("windows") or ()
        if isinstance(window.get("used_percent"), int | float)
    ]
    return _plain(", ".join(parts))


def _time(at: Any) -> str:
    if not isinstance(at, int | float):
        return "-"
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"


def _plain(value: Any) -> str:
    """Return text without what a terminal would obey: labels come from files and from providers."""
    if value is None or value == "":
        return "-"
    return "".join(c if c.isprintable() else "?" for c in str(value))

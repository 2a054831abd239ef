"""`cliproxy accounts`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from cliproxy.account.model import Account
from cliproxy.app.runtime import Runtime
from cliproxy.base import json, redact
from cliproxy.cli.config import loaded_or_empty
from cliproxy.cli.tables import table


def command(config_path: str | None, *, as_json: bool) -> None:
    """Print every account, its settings and the state of its login. Raises `ConfigError`."""
    config = loaded_or_empty(config_path)
    runtime = Runtime(config)
    accounts = list(runtime.accounts)
    used = {a.credential.name for a in accounts if a.credential is not None}
    unused = [c for c in runtime.keeper.credentials() if c.name not in used]
    if as_json:
        rows = [_entry(account) for account in accounts]
        rows += [{"id": c.name, "provider": c.provider, "used": False} for c in unused]
        sys.stdout.write(json.dumps_str(rows) + "\n")
        return
    if not accounts and not unused:
        sys.stdout.write("There is no account. Add one: cliproxy login claude\n")
        return
    rows_of = [_row(account) for account in accounts]
    rows_of += [(c.name, c.provider, c.label, "not used", "-", "-", "-") for c in unused]
    head = ("ACCOUNT", "PROVIDER", "LABEL", "STATE", "PRIORITY", "WEIGHT", "TOKEN ENDS")
    sys.stdout.write(table(head, rows_of))


def _row(account: Account) -> tuple[str, ...]:
    return (
        account.id,
        account.provider,
        account.label,
        _state(account),
        str(account.priority),
        str(account.weight),
        _ends(account),
    )


def _state(account: Account) -> str:
    if account.credential is None:
        return "key" if account.secret else "no key"
    return account.credential.state if account.token else "no token"


def _ends(account: Account) -> str:
    at = account.credential.expires if account.credential is not None else None
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC" if at is not None else "-"


def _entry(account: Account) -> json.Obj:
    credential = account.credential
    return {
        "id": account.id,
        "provider": account.provider,
        "kind": account.kind,
        "label": account.label,
        "state": _state(account),
        "used": True,
        "prefix": account.prefix or None,
        "priority": account.priority,
        "weight": account.weight,
        "project": account.project or None,
        "base_url": redact.url(account.base_url) if account.base_url else None,
        "expires": credential.expires if credential is not None else None,
        "problem": (credential.problem or None) if credential is not None else None,
    }

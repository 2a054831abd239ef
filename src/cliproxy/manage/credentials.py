"""Credential files as clients of the management API see them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from starlette.requests import Request

from cliproxy.account import index
from cliproxy.account.credential import Credential, claims, moment
from cliproxy.account.model import Account
from cliproxy.base.json import Json, Obj
from cliproxy.base.redact import mask
from cliproxy.keeper.keeper import Keeper
from cliproxy.keeper.linked import CLI, linked_file
from cliproxy.manage.control import Control
from cliproxy.manage.web import control_of
from cliproxy.routing.plan import Fate
from cliproxy.server.gate import Refused

_STATES: Final = {
    "ok": "active",
    "refreshing": "refreshing",
    "network": "error",
    "limited": "error",
    "needs_login": "error",
    "revoked": "error",
}
_ENDED: Final = frozenset({"needs_login", "revoked"})
_NUMBERS: Final = ("priority", "weight", "request_retry")
_TEXTS: Final = ("prefix", "proxy_url", "note")
_PROVIDERS: Final = {"gemini-cli": "gemini"}
"""What clients of older versions call a provider."""
DISABLED: Final = "disabled via management API"
_LONGEST: Final = 10.0 * 365 * 86400
"""Seconds of the longest rest that is told."""


def folder_of(control: Control) -> Path | None:
    """Return where credential files are; None when they are in no folder."""
    folder = getattr(control.keeper.store, "folder", None) if control.keeper else None
    return Path(folder).absolute() if folder is not None else None


def path_of(control: Control, credential: Credential) -> Path | None:
    """Return where a credential's file is; None when it is in no folder."""
    folder = folder_of(control)
    return folder / credential.name if folder is not None else None


def index_of_file(control: Control, credential: Credential) -> str:
    """Return the stable index of a credential file."""
    return index.index_of_file(credential, folder_of(control))


def index_of_account(control: Control, account: Account) -> str:
    """Return the stable index of an account."""
    return index.auth_index(account, folder_of(control))


def state_of(credential: Credential, *, used: bool) -> str:
    """Return in a word how a login stands: `ok`, or why it serves nobody now."""
    if credential.flag("disabled"):
        return "disabled"
    if not used:
        return "not used"
    return credential.state if credential.token else "no token"


def keeper_of(request: Request) -> Keeper:
    """Return the keeper of logins. Raises `Refused` where there is none."""
    keeper = control_of(request).keeper
    if keeper is None:
        raise Refused(503, "core auth manager unavailable")
    return keeper


def by_index(control: Control, wanted: str) -> Credential | None:
    """Return the credential file with an index."""
    found = control.keeper.credentials() if control.keeper else []
    return next((c for c in found if index_of_file(control, c) == wanted), None)


def by_name(control: Control, name: str, wanted: str = "") -> Credential | None:
    """Return a credential by its id, its file name or the last part of it."""
    if control.keeper is None or not name:
        return None
    found = control.keeper.find(name)
    if found is None:
        same = [c for c in control.keeper.credentials() if c.name.rpartition("/")[2] == name]
        if wanted:
            same = [c for c in same if index_of_file(control, c) == wanted]
        found = same[0] if same else None
    return found


def accounts_of(control: Control, credential: Credential) -> list[Account]:
    """Return the accounts that use a credential."""
    return [
        a
        for a in control.accounts
        if a.credential is not None and a.credential.name == credential.name
    ]


def _fates(control: Control) -> dict[tuple[str, str], Fate]:
    """Return what is believed of every model of every account that is served."""
    gateway = control.gateway
    return {
        (fate.candidate.account.id, fate.candidate.upstream_model): fate
        for listed in gateway.registry.list_models()
        for fate in gateway.pool.preview(gateway.registry.serving(listed.id)).fates
    }


def cooldowns(control: Control) -> list[Obj]:
    """Return what is believed of accounts that are left alone, each with its end."""
    return [
        {
            "account": account,
            "label": fate.candidate.account.label,
            "model": model,
            "state": fate.code,
            "reason": fate.reason,
            "source": fate.source,
            "until": fate.until,
        }
        for (account, model), fate in _fates(control).items()
        if fate.until is not None
    ]


def resting(control: Control) -> dict[str, Obj]:
    """Return the accounts that are not asked for any model now: why, and until when at least."""
    found: dict[str, Fate] = {}
    awake: set[str] = set()
    now = control.clock.now()
    for (account, _), fate in _fates(control).items():
        # A single request now and then, which finds out, does not end the rest.
        if fate.code not in ("cooling", "probe") or fate.until is None or fate.until <= now:
            awake.add(account)
        elif account not in found or fate.until < (found[account].until or 0.0):
            found[account] = fate
    return {
        account: {"reason": fate.reason, "until": fate.until}
        for account, fate in found.items()
        if account not in awake
    }


def listed(control: Control, credentials: Iterable[Credential]) -> list[Obj]:
    """Return credentials as entries of the list, by name."""
    rests: defaultdict[str, list[Obj]] = defaultdict(list)
    for belief in cooldowns(control):
        rests[str(belief["account"])].append(belief)
    serving: defaultdict[str, list[Account]] = defaultdict(list)
    for account in control.accounts:
        if account.credential is not None:
            serving[account.credential.name].append(account)
    now = control.clock.now()
    shown = [
        _shown(control, c, serving[c.name], [b for a in serving[c.name] for b in rests[a.id]], now)
        for c in credentials
    ]
    return sorted(shown, key=lambda entry: str(entry["name"]).lower())


def problem_of(control: Control, credential: Credential) -> str:
    """Return what is wrong with a login, or with where it is kept; "" = nothing."""
    keeper = control.keeper
    return keeper.remark(credential) if keeper is not None else credential.problem


def _shown(
    control: Control,
    credential: Credential,
    accounts: list[Account],
    rests: list[Obj],
    now: float,
) -> Obj:
    path = path_of(control, credential)
    disabled = credential.flag("disabled")
    problem = problem_of(control, credential)
    status = "disabled" if disabled else _STATES[credential.state]
    kind = credential.text("type").lower() or "unknown"
    kind = _PROVIDERS.get(kind, kind)
    entry: Obj = {
        "id": credential.name,
        "auth_index": index_of_file(control, credential),
        "name": credential.name.rpartition("/")[2],
        "type": kind,
        "provider": kind,
        "label": credential.text("email") or kind,
        "status": status,
        "status_message": DISABLED if disabled else problem,
        "disabled": disabled,
        "unavailable": not disabled and credential.state in _ENDED,
        "runtime_only": False,
        "state": state_of(credential, used=bool(accounts)),
        "problem": problem,
        "linked": linked_file(credential.fields) is not None,
        "source": "memory",
        "size": 0,
        **control.traffic.of(*(a.id for a in accounts)),
    }
    _add_file(entry, path)
    oauth = bool(credential.access_token or credential.refresh_token)
    entry["account_type"] = "oauth" if oauth or not credential.token else "api_key"
    _put(entry, "email", credential.text("email"))
    _put(entry, "account", credential.text("email") if oauth else mask(credential.token))
    _put(entry, "project_id", credential.text("project_id"))
    _put(entry, "plan", credential.text("plan_type"))
    _put(entry, "linked_cli", credential.text(CLI))
    _add_moments(entry, credential, rests)
    if kind == "codex" and (token := id_token(credential)):
        entry["id_token"] = token
    for name in _TEXTS:
        _put(entry, name, credential.text(name) or credential.text(name.replace("_", "-")))
    for name in _NUMBERS:
        if (value := _number(credential, name)) is not None:
            entry[name] = value
    if isinstance(credential.fields.get("websockets"), bool):
        entry["websockets"] = credential.fields["websockets"]
    # An empty list says that nothing rests; without one it would not be known.
    entry["cooldowns"] = [_timed(rest, now) for rest in rests]
    return entry


def _timed(rest: Obj, now: float) -> Obj:
    """Return a rest with the fields that other programs count down by: all of them or none."""
    until = float(rest["until"])
    return {
        **rest,
        "scope": "model",
        "model_key": rest["model"],
        "retry_at": date(until),
        "remaining_seconds": max(1, math.ceil(min(until - now, _LONGEST))),
    }


def _add_file(entry: Obj, path: Path | None) -> None:
    if path is None:
        return
    try:
        seen = path.stat()
    except OSError:
        return
    entry |= {
        "source": "file",
        "path": str(path),
        "size": seen.st_size,
        "modtime": date(seen.st_mtime),
        "updated_at": date(seen.st_mtime),
    }


def _add_moments(entry: Obj, credential: Credential, rests: list[Obj]) -> None:
    created = moment(credential.fields.get("created_at"))
    ends = [float(b["until"]) for b in rests]
    retry = credential.retry_at or min(ends, default=0.0)
    for name, at in (
        ("created_at", created),
        ("last_refresh", credential.refreshed),
        ("expires_at", credential.expires),
        ("next_retry_after", retry or None),
    ):
        if at is not None:
            entry[name] = date(at)


def id_token(credential: Credential) -> Obj:
    """Return what a stored id token says of a subscription, without the token."""
    said = claims(credential.text("id_token"))
    auth = said.get("https://api.openai.com/auth")
    auth = auth if isinstance(auth, dict) else {}
    out: Obj = {}
    names = {
        "chatgpt_account_id": "chatgpt_account_id",
        "plan_type": "chatgpt_plan_type",
        "chatgpt_subscription_active_start": "chatgpt_subscription_active_start",
        "chatgpt_subscription_active_until": "chatgpt_subscription_active_until",
    }
    for ours, theirs in names.items():
        value = auth.get(theirs)
        if "active" in ours:
            at = moment(value)
            value = date(at) if at is not None else ""
        if isinstance(value, str) and value:
            out[ours] = value
    if "chatgpt_account_id" not in out:
        _put(out, "chatgpt_account_id", credential.text("account_id"))
    if "plan_type" not in out:
        _put(out, "plan_type", credential.text("plan_type"))
    return out


def _number(credential: Credential, name: str) -> Json:
    value = credential.fields.get(name, credential.fields.get(name.replace("_", "-")))
    if isinstance(value, str) and value.strip().lstrip("-").isdecimal() and len(value) < 16:
        value = int(value)
    return value if type(value) is int else None


def _put(entry: Obj, name: str, value: str) -> None:
    if value:
        entry[name] = value


def date(at: float) -> str:
    """Return a moment as text, in UTC."""
    try:
        found = datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError, OSError):
        return "1970-01-01T00:00:00Z"
    return found.isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""Logins of other programs on this machine: where they keep them, and what is in there.

The places and field names are those of the programs' own documentation and files. Nothing is ever
written to them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from cliproxy.account.credential import claims, moment, written
from cliproxy.base import json
from cliproxy.base.files import read_file
from cliproxy.base.json import Obj, text_in

_MOST: Final = 4 * 1024 * 1024
"""Bytes of one file that are read."""


class Cli(Struct, frozen=True):
    """One program that logs in by itself."""

    name: str
    provider: str
    """The `type` of the credential file."""
    title: str
    path: Callable[[Path, Mapping[str, str]], Path]
    """Where its login is, from the home folder and the environment."""
    read: Callable[[Obj, Path], Obj | None]
    """What a credential file of ours would hold; None when there is no login in it."""
    shared: bool = True
    """A refresh by us would log the program out: its refresh token is good for one use."""


def _home(variable: str, usual: str, inside: str) -> Callable[[Path, Mapping[str, str]], Path]:
    def path(home: Path, env: Mapping[str, str]) -> Path:
        named = env.get(variable, "") if variable else ""
        return (Path(named) if named else home / usual) / inside

    return path


def _claude(found: Obj, path: Path) -> Obj | None:
    login = found.get("claudeAiOauth")
    if not isinstance(login, dict) or not text_in(login, "accessToken"):
        return None
    fields: Obj = {"access_token": text_in(login, "accessToken")}
    _put(fields, "refresh_token", text_in(login, "refreshToken"))
    _put_moment(fields, "expired", login.get("expiresAt"))
    _put(fields, "plan_type", text_in(login, "subscriptionType"))
    # Who it is stands in another file: beside the folder, or in it when it was moved.
    for beside in (path.parent.parent / ".claude.json", path.parent / ".claude.json"):
        account = _object(beside).get("oauthAccount")
        if isinstance(account, dict):
            _put(fields, "email", text_in(account, "emailAddress"))
            _put(fields, "account_uuid", text_in(account, "accountUuid"))
            _put(fields, "organization_uuid", text_in(account, "organizationUuid"))
            _put(fields, "organization_name", text_in(account, "organizationName"))
            break
    return fields


def _codex(found: Obj, path: Path) -> Obj | None:  # noqa: ARG001
    tokens = found.get("tokens")
    if not isinstance(tokens, dict) or not text_in(tokens, "access_token"):
        return None
    fields: Obj = {}
    for key in ("access_token", "refresh_token", "id_token", "account_id"):
        _put(fields, key, text_in(tokens, key))
    who = claims(text_in(tokens, "id_token"))
    _put(fields, "email", text_in(who, "email"))
    auth = who.get("https://api.openai.com/auth")
    if isinstance(auth, dict) and "account_id" not in fields:
        _put(fields, "account_id", text_in(auth, "chatgpt_account_id"))
    _put_moment(fields, "expired", claims(text_in(tokens, "access_token")).get("exp"))
    _put(fields, "last_refresh", text_in(found, "last_refresh"))
    return fields


def _gemini(found: Obj, path: Path) -> Obj | None:
    if not text_in(found, "access_token", "refresh_token"):
        return None
    token: Obj = {"token_type": text_in(found, "token_type") or "Bearer"}
    for key in ("access_token", "refresh_token"):
        _put(token, key, text_in(found, key))
    _put_moment(token, "expiry", found.get("expiry_date"))
    fields: Obj = {"token": token, "auto": True}
    who = text_in(_object(path.parent / "google_accounts.json"), "active")
    _put(fields, "email", who or text_in(claims(text_in(found, "id_token")), "email"))
    return fields


def _qwen(found: Obj, path: Path) -> Obj | None:  # noqa: ARG001
    if not text_in(found, "access_token"):
        return None
    fields: Obj = {}
    for key in ("access_token", "refresh_token", "resource_url"):
        _put(fields, key, text_in(found, key))
    _put_moment(fields, "expired", found.get("expiry_date"))
    return fields


def _kimi(found: Obj, path: Path) -> Obj | None:
    if not text_in(found, "access_token"):
        return None
    fields: Obj = {}
    for key in ("access_token", "refresh_token", "token_type", "scope"):
        _put(fields, key, text_in(found, key))
    _put_moment(fields, "expired", found.get("expires_at"))
    with contextlib.suppress(OSError, UnicodeDecodeError):
        device = read_file(path.parent.parent / "device_id", 4096)
        _put(fields, "device_id", device.decode("utf-8").strip())
    return fields


def _grok(found: Obj, path: Path) -> Obj | None:  # noqa: ARG001
    for key, entry in found.items():
        if (
            key.startswith("https://auth.x.ai")
            and isinstance(entry, dict)
            and text_in(entry, "key")
        ):
            fields: Obj = {"access_token": text_in(entry, "key"), "auth_kind": "oauth"}
            _put(fields, "refresh_token", text_in(entry, "refresh_token"))
            _put_moment(fields, "expired", entry.get("expires_at"))
            _put(fields, "email", text_in(entry, "email"))
            return fields
    return None


def _iflow(found: Obj, path: Path) -> Obj | None:  # noqa: ARG001
    if not text_in(found, "apiKey"):
        return None
    fields: Obj = {"api_key": text_in(found, "apiKey")}
    for key in ("access_token", "refresh_token", "token_type", "scope"):
        _put(fields, key, text_in(found, key))
    _put_moment(fields, "expired", found.get("expiry_date"))
    _put(fields, "email", text_in(found, "userName"))
    return fields


CLIS: Final = (
    Cli("claude-code", "claude", "Claude Code",
        _home("CLAUDE_CONFIG_DIR", ".claude", ".credentials.json"), _claude),
    Cli("codex", "codex", "Codex CLI", _home("CODEX_HOME", ".codex", "auth.json"), _codex),
    # Google's refresh tokens may be used by several programs.
    Cli("gemini-cli", "gemini", "Gemini CLI",
        lambda home, env: Path(env.get("GEMINI_CLI_HOME") or home) / ".gemini/oauth_creds.json",
        _gemini, shared=False),
    Cli("qwen-code", "qwen", "Qwen Code", _home("", ".qwen", "oauth_creds.json"), _qwen),
    Cli("kimi-cli", "kimi", "Kimi CLI",
        _home("KIMI_SHARE_DIR", ".kimi", "credentials/kimi-code.json"), _kimi),
    Cli("grok", "xai", "Grok Build", _home("", ".grok", "auth.json"), _grok),
    Cli("iflow-cli", "iflow", "iFlow CLI", _home("", ".iflow", "oauth_creds.json"), _iflow),
)  # fmt: skip


def of_name(name: str) -> Cli | None:
    """Return a program by its name."""
    return next((cli for cli in CLIS if cli.name == name), None)


def read_login(cli: Cli, path: Path) -> Obj | None:
    """Return what a program's file holds, in our fields; None when it holds no login."""
    found = _object(path)
    return cli.read(found, path) if found else None


def _object(path: Path) -> Obj:
    try:
        return json.loads_object(read_file(path, _MOST)) or {}
    except OSError:
        return {}


def _put(fields: Obj, key: str, value: str) -> None:
    if value:
        fields[key] = value


def _put_moment(fields: Obj, key: str, value: object) -> None:
    at = moment(value)
    if at is not None:
        fields[key] = written(at)

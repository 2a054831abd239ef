"""What credentials of the configuration look like once they are in order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cliproxy.account.index import index_of_key
from cliproxy.account.model import Account
from cliproxy.base import json
from cliproxy.base.json import Json, Obj, text_in
from cliproxy.server.gate import Refused

_NEEDS_BASE: Final = frozenset({"codex-api-key", "xai-api-key", "openai-compatibility"})
_COLLAPSED: Final = frozenset({"gemini-api-key", "interactions-api-key"})
_ANY_ENTRY: Final = frozenset({"weight", "disable-cooling", "request-retry"})
"""Fields that a PATCH of any list may set."""
_PLACEMENT: Final = ("api-key", "base-url", "proxy-url", "prefix", "headers")


def unwanted(name: str, entry: Obj, path: str) -> None:
    """Refuse what cannot be saved. Raises `Refused`."""
    if name == "vertex-api-key" and not _text(entry, "api-key"):
        raise Refused(400, f"{path}.api-key is required")


def clean(name: str, entries: Iterable[Obj]) -> list[Obj]:
    """Return entries in order, without those that mean nothing."""
    found: list[Obj] = []
    seen: set[bytes] = set()
    for entry in entries:
        neat = normal(entry)
        if name in _NEEDS_BASE and not neat.get("base-url"):
            continue
        if name in _COLLAPSED:
            what = json.dumps([neat.get(key) or None for key in _PLACEMENT])
            if what in seen:
                continue
            seen.add(what)
        found.append(neat)
    return found


def normal(entry: Obj) -> Obj:
    """Return an entry with its text trimmed, its prefix and its lists in order."""
    out = {k: v.strip() if isinstance(v, str) else v for k, v in entry.items()}
    if isinstance(out.get("prefix"), str):
        prefix = out["prefix"].strip("/")
        out["prefix"] = "" if "/" in prefix else prefix
    headers = out.get("headers")
    if isinstance(headers, dict):
        pairs = ((k.strip(), v.strip()) for k, v in headers.items() if isinstance(v, str))
        out["headers"] = {k: v for k, v in pairs if k and v}
    excluded = out.get("excluded-models")
    if isinstance(excluded, list):
        out["excluded-models"] = patterns(excluded)
    return out


def patterns(values: Iterable[Json]) -> list[str]:
    """Return patterns of model names trimmed, in lower case, each once."""
    names = (str(v).strip().lower() for v in values)
    return list(dict.fromkeys(name for name in names if name))


def patched(entry: Obj, change: Obj, own: tuple[str, ...]) -> Obj:
    """Return an entry with the fields that a PATCH may set; null takes one away."""
    allowed = {k: v for k, v in normal(change).items() if k in _ANY_ENTRY or k in own}
    merged = {**entry, **allowed}
    return {k: v for k, v in merged.items() if v is not None}


def indexed(name: str, entries: list[Obj], accounts: Iterable[Account]) -> list[Obj]:
    """Return entries with the `auth-index` of those that are in use."""
    live = {(a.token, a.base_url) for a in accounts if a.credential is None}
    out: list[Obj] = []
    for entry in entries:
        base = _text(entry, "base-url").rstrip("/")
        shown: Obj = dict(entry)
        rows = entry.get("api-key-entries")
        if name == "openai-compatibility":
            shown.setdefault("disabled", False)
            if isinstance(rows, list) and rows:
                shown["api-key-entries"] = [
                    {**row, "auth-index": index_of_key(name, base, _text(row, "api-key"))}
                    if (_text(row, "api-key"), base) in live
                    else row
                    for row in rows
                ]
            elif ("", base) in live:
                shown["auth-index"] = index_of_key(name, base, "")
        elif (_text(entry, "api-key"), base) in live:
            shown["auth-index"] = index_of_key(name, base, _text(entry, "api-key"))
        out.append(shown)
    return out


def _text(entry: Json, key: str) -> str:
    return text_in(entry, key) if isinstance(entry, dict) else ""

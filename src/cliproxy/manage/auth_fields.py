"""What a request to set fields of a credential file means."""

from __future__ import annotations

import re
from typing import Any, Final

from cliproxy.base.json import Json, Obj
from cliproxy.manage.entries import patterns
from cliproxy.server.gate import Refused

_TRIMMED: Final = frozenset({"prefix", "proxy_url", "note"})
_FLAGS: Final = frozenset({"disabled", "websockets", "disable_cooling", "using_api"})
_DASHED: Final = frozenset(
    {"api-key", "base-url", "disable-cooling", "excluded-models", "fingerprint-profile",
     "model-aliases", "proxy-url", "request-retry", "request-scoped-errors",
     "tool-prefix-disabled"}
)  # fmt: skip
_ABOUT: Final = frozenset({"name", "filename", "auth_index"})
_WHOLE: Final = re.compile(r"-?[0-9]{1,9}")
_RESERVED: Final = frozenset({"type", "linked_cli", "linked_file"})
"""What a credential is may not be changed behind its back."""


def changes_of(known: Obj, body: Obj) -> Obj:
    """Return the fields to set, by their top-level names; None removes one. Raises `Refused`."""
    changes: Obj = {}
    for path, value in _named(body).items():
        name, *rest = path.split(".")
        if not name or not all(rest) or name in _RESERVED:
            raise Refused(400, f"invalid field {path[:100]}")
        if rest:
            if name in ("weight", "request_retry", "priority"):
                raise Refused(400, f"{name} does not support nested fields")
            base = changes.get(name, known.get(name))
            changes[name] = _nested(base, rest, value)
        else:
            changes[name] = _value(name, value, changes.get(name, known.get(name)))
    if not changes:
        raise Refused(400, "no fields to update")
    return changes


def _named(body: Obj) -> Obj:
    out: Obj = {}
    dashed: set[str] = set()
    for path, value in body.items():
        if path in _ABOUT:
            continue
        if not path.strip():
            raise Refused(400, "field name is required")
        first, dot, rest = path.partition(".")
        if first not in _DASHED:
            out[path] = value
            continue
        name = first.replace("-", "_") + dot + rest
        if name in dashed:
            raise Refused(400, f"invalid field {path[:100]}")
        dashed.add(name)
        if name not in body:
            out[name] = value
    return out


def _value(name: str, value: Json, known: Json) -> Json:
    if name in _TRIMMED:
        if not isinstance(value, str | None):
            raise Refused(400, f"invalid field {name}")
        return (value or "").strip() or None
    if name == "headers":
        return _headers(value, known)
    if name == "weight":
        if value is not None and type(value) is not int:
            raise Refused(400, "weight must be an integer")
        if value is not None and value > 1_000_000:
            raise Refused(400, "weight must not exceed 1000000")
        return value
    if name == "priority":
        if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
            value = int(value)
        if value is not None and (type(value) is not int or abs(value) > 10**9):
            raise Refused(400, "invalid field priority")
        return value or None
    if name == "request_retry":
        if value is not None and type(value) is not int:
            raise Refused(400, "request_retry must be an integer or null")
        return None if value is None or value < 0 else value
    if name in _FLAGS:
        return _flag(name, value)
    if name == "excluded_models":
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise Refused(400, f"invalid field {name}")
        return list(patterns(value)) or None
    return value


def _flag(name: str, value: Json) -> Json:
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    if isinstance(value, bool | None):
        return value
    raise Refused(400, f"invalid field {name}")


def _headers(value: Json, known: Json) -> Json:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise Refused(400, "invalid field headers")
    if not all(isinstance(v, str) for v in value.values()):
        return value
    merged: dict[str, Any] = dict(known) if isinstance(known, dict) else {}
    for name, text in value.items():
        if name.strip() and text.strip():
            merged[name.strip()] = text.strip()
        else:
            merged.pop(name.strip(), None)
    return merged or None


def _nested(base: Json, path: list[str], value: Json) -> Obj:
    out: Obj = dict(base) if isinstance(base, dict) else {}
    first, *rest = path
    inner = _nested(out.get(first), rest, value) if rest else value
    if inner is None:
        out.pop(first, None)
    else:
        out[first] = inner
    return out

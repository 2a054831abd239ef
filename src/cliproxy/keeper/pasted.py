"""What a person pastes after logging in: the address their browser ended at, or a part of it."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct

from cliproxy.base.redact import Hidden


class Pasted(Hidden, Struct, frozen=True):
    """What a callback said; `error` when the login was refused."""

    code: str = ""
    state: str = ""
    error: str = ""


def read_callback(text: str) -> Pasted | None:
    """Read a callback address in any shape people paste it; None when it is none.

    A whole URL, `host/path?code=…`, `?code=…`, `code=…&state=…`, values after `#`, and Claude's
    `CODE#STATE`.
    """
    text = text.strip().strip("\"'<>")
    if not text:
        return None
    fields: dict[str, str] = {}
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    for piece in (parts.query, parts.fragment, text.lstrip("?#") if "=" in text else ""):
        for key, value in parse_qsl(piece):
            if key in {"code", "state", "error", "error_description"}:
                fields.setdefault(key, value)
    if not fields and "#" in text and not any(c in text for c in "/?= "):
        code, _, state = text.partition("#")
        return Pasted(code, state) if code and state else None
    return read_fields(fields)


def read_fields(fields: dict[str, str]) -> Pasted | None:
    """Read the query of a callback."""
    if error := fields.get("error_description") or fields.get("error"):
        return Pasted("", fields.get("state", ""), error)
    code, state = fields.get("code", ""), fields.get("state", "")
    if "#" in code:
        # Claude shows both joined; the state after the mark is the one that counts.
        code, _, state = code.partition("#")
    return Pasted(code, state) if code else None

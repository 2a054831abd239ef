"""Keeping secrets out of sight."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, urlsplit, urlunsplit

_SECRET_QUERY: Final = ("key", "token", "secret", "password", "code", "auth")
_SECRET_HEADERS: Final = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "x-api-key",
        "x-goog-api-key",
        "cookie",
        "set-cookie",
        "x-management-key",
        "x-local-password",
    }
)


def mask(secret: str) -> str:
    """Show enough of a secret to recognise it: `sk-a…9f3c`; short ones not at all."""
    if len(secret) < 16:
        return "…"
    return f"{secret[:4]}…{secret[-4:]}"


def header(name: str, value: str) -> str:
    """Return a header value fit for a log."""
    return mask(value) if name.lower() in _SECRET_HEADERS else value


def url(value: str) -> str:
    """Return a URL without user info and without the values of secret-looking query fields."""
    try:
        parts = urlsplit(value)
        host = parts.hostname or ""
        if parts.port:
            host = f"{host}:{parts.port}"
    except ValueError:
        return "<unreadable URL>"
    if parts.username or parts.password:
        host = f"…@{host}"
    query = "&".join(
        f"{k}={'…' if any(s in k.lower() for s in _SECRET_QUERY) else v}"
        for k, v in parse_qsl(parts.query, keep_blank_values=True)
    )
    return urlunsplit((parts.scheme, host, parts.path, query, ""))


class Secret:
    """A string that never prints itself. Read it with `reveal()`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the secret."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return f"Secret({mask(self._value)})"

    __str__ = __repr__

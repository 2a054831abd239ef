"""A login as its file holds it: JSON fields that several programs have written in their own ways.

The object lives as long as the file: refreshed tokens are put into it, so that whoever holds the
account uses the newest one. Field names and their older spellings are those of CLIProxyAPI's
auth directory.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final, Literal

from cliproxy.base import json
from cliproxy.base.json import Obj, text_in

State = Literal["ok", "refreshing", "network", "limited", "needs_login", "revoked"]
"""How the last refresh ended; the last two need the owner."""

_EXPIRY: Final = ("expired", "expire", "expires_at", "expiresAt", "expiry", "expires")
_REFRESHED: Final = ("last_refresh", "lastRefresh", "last_refreshed_at")
_INTERVAL: Final = (
    "refresh_interval_seconds", "refresh_interval", "refreshIntervalSeconds", "refreshInterval",
)  # fmt: skip
_PROVIDERS: Final = {"gemini": "gemini-cli"}
"""What a file calls its provider, where we call it otherwise."""
_CHINA: Final = timezone(timedelta(hours=8))
_LATEST: Final = 253402300799
"""The last second of the year 9999; what is later is no moment that anybody meant."""


class Credential:
    """One login.

    Attributes:
        name: the file's path inside its store, with `/`; the identity of the login.
        fields: the file's JSON object, unknown fields included. Replaced as a whole, never edited.
        version: what the store says of the content last read or written.
        state: how the last refresh ended.
        problem: a sentence about it for the owner, "" when all is well.
    """

    __slots__ = ("fields", "name", "problem", "retry_at", "state", "version")

    def __init__(self, name: str, fields: Obj, version: str = "") -> None:
        self.name = name
        self.fields = fields
        self.version = version
        self.state: State = "ok"
        self.problem = ""
        self.retry_at = 0.0
        """Unix seconds before which no refresh is tried again."""

    def __repr__(self) -> str:
        return f"Credential({self.name!r}, {self.provider!r}, {self.state!r})"

    @property
    def provider(self) -> str:
        """The provider key; the file's `type`."""
        written = self.text("type").lower()
        return _PROVIDERS.get(written, written)

    @property
    def token(self) -> str:
        """What calls are made with: iFlow's key, else the access token."""
        return self.text("api_key") or self.text("api-key") or self.access_token

    @property
    def access_token(self) -> str:
        """The OAuth access token; "" when there is none."""
        return _nested(self.fields).get("access_token") or self.text("access_token")

    @property
    def refresh_token(self) -> str:
        """The OAuth refresh token; "" when there is none."""
        return (
            _nested(self.fields).get("refresh_token")
            or self.text("refresh_token")
            or self.text("refreshToken")
        )

    @property
    def label(self) -> str:
        """How people tell it from others: its address, else its file."""
        return self.text("email") or self.text("label") or self.name.removesuffix(".json")

    @property
    def expires(self) -> float | None:
        """When the access token ends, in Unix seconds; None when nobody says."""
        return expiry_of(self.fields)

    @property
    def refreshed(self) -> float | None:
        """When it was last refreshed, in Unix seconds; None when nobody says."""
        return next((t for k in _REFRESHED if (t := moment(self.fields.get(k))) is not None), None)

    @property
    def refresh_interval(self) -> float | None:
        """How often its owner wants it refreshed, in seconds; None = as is usual."""
        for key in _INTERVAL:
            value = self.fields.get(key)
            if isinstance(value, str) and value.strip().isdecimal() and len(value) < 10:
                value = int(value)
            if isinstance(value, bool) or not isinstance(value, int | float):
                continue
            if 0 < value <= _LATEST:
                return float(value)
        return None

    def text(self, key: str) -> str:
        """Return a field that is text, trimmed; "" when it is missing or something else."""
        return text_in(self.fields, key)

    def flag(self, key: str) -> bool:
        """Return a field that is yes or no; a missing one is no."""
        value = self.fields.get(key)
        if isinstance(value, str):
            return value.strip().lower() in {"true", "1", "yes", "on"}
        return bool(value)


def _nested(fields: Mapping[str, Any]) -> dict[str, str]:
    # Gemini's files keep what belongs to OAuth in an object of its own.
    token = fields.get("token", fields.get("Token"))
    if not isinstance(token, Mapping):
        return {}
    return {k: v.strip() for k, v in token.items() if isinstance(v, str)}


def expiry_of(fields: Mapping[str, Any]) -> float | None:
    """Return when the access token of a file's fields ends, in Unix seconds, if anything says."""
    token = fields.get("token", fields.get("Token"))
    for place in (fields, token):
        if isinstance(place, Mapping):
            for key in _EXPIRY:
                at = moment(place.get(key))
                if at is not None:
                    return at
    since, lasts = moment(fields.get("timestamp")), fields.get("expires_in")
    if since is not None and isinstance(lasts, int | float) and abs(lasts) <= _LATEST:
        return since + lasts
    return None


def moment(value: object) -> float | None:
    """Read a moment: RFC 3339, `YYYY-MM-DD HH:MM` (China's time), Unix seconds or milliseconds."""
    if isinstance(value, bool) or value in (None, "", 0):
        return None
    if isinstance(value, int | float):
        if not 0 < value <= _LATEST * 1000:
            return None
        return value / 1000 if value > 1e11 else float(value)
    if not isinstance(value, str):
        return None
    text = value.strip()
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return moment(float(text))
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    if read.tzinfo is None:
        read = read.replace(tzinfo=_CHINA if len(text) == 16 else UTC)
    # Year 1 is how Go writes that there is no date.
    return read.timestamp() if read.year > 1 else None


def written(at: float) -> str:
    """Return a moment as files hold it: RFC 3339 in UTC, whole seconds, of the years 1970 to 9999.

    How long a token lasts is what a provider says, and some say it wrongly: never a reason to fail.
    """
    sane = int(min(max(at, 0.0), _LATEST))
    return datetime.fromtimestamp(sane, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def claims(token: str) -> Obj:
    """Return what a JWT says, unverified: it came from its issuer, over TLS. {} when it is none."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        read = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
    except ValueError:
        return {}
    return json.loads_object(read) or {}

"""Kimi Code logins: a device code, as the public source of Kimi's own CLI has it.

The service binds a login to a machine: an id made at login goes with every request, beside our own
name and version.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from cliproxy.account.credential import moment, written
from cliproxy.account.device import device_of, kimi_headers, new_device
from cliproxy.base.json import Json, Obj, text_in
from cliproxy.login import grants
from cliproxy.login.flow import (
    Answer,
    LoggedIn,
    ModelFound,
    Problem,
    Report,
    Setting,
    Talk,
    TokenLogin,
    Window,
    bearer,
    get,
    post_form,
)

HOST: Final = "https://auth.kimi.com"
DEVICE: Final = f"{HOST}/api/oauth/device_authorization"
TOKEN: Final = f"{HOST}/api/oauth/token"  # an address
API: Final = "https://api.kimi.com/coding"
CLIENT: Final = "17e5f671-d194-4dfb-9706-5516cb48c098"
LASTS: Final = 900.0
_WHO: Final = "Kimi"
_PACE: Final = grants.Pace()
_FINAL: Final = frozenset({400, 401, 403})
_WEEK: Final = 604800.0
_UNITS: Final = {"SECOND": 1.0, "MINUTE": 60.0, "HOUR": 3600.0, "DAY": 86400.0, "WEEK": _WEEK}


class Kimi(TokenLogin):
    """Logins of Kimi Code."""

    provider: str = "kimi"
    ways: tuple[Literal["browser", "device", "cookie"], ...] = ("device",)
    lead: float = 300.0

    def login(self, setting: Setting, way: str) -> Talk[LoggedIn]:
        """Log in with a device code."""
        device = new_device()
        headers, client = kimi_headers(device), setting.client.id or CLIENT
        asked = post_form(setting.url("device", DEVICE), {"client_id": client}, headers)
        code = yield from grants.device(_WHO, asked, setting)
        poll = post_form(
            setting.url("token", TOKEN),
            {"client_id": client, "device_code": code.code, "grant_type": grants.DEVICE},
            headers,
        )
        told = yield from grants.confirmed(_WHO, code, poll, setting, _PACE)
        if not text_in(told, "refresh_token"):
            raise Problem("refused", "Kimi gave no refresh token; log in again.")
        millis = int(setting.now * 1000)
        fields: Obj = {
            "type": "kimi",
            **_fresh(told, setting),
            "device_id": device,
            "timestamp": millis,
        }
        # Nothing tells whose login it is.
        alias = setting.options.get("alias", "").strip()
        if alias:
            fields["label"] = alias
        return LoggedIn(f"kimi-{grants.in_name(alias) or millis}.json", fields)

    def refresh(self, fields: Obj, setting: Setting) -> Talk[Obj]:
        """Get a new access token; the refresh token is exchanged as well."""
        spent = text_in(fields, "refresh_token")
        if not spent:
            raise Problem("needs_login", "There is no refresh token; log in again.")
        device = text_in(fields, "device_id")
        new = {} if device else {"device_id": device_of(spent)}
        request = post_form(
            setting.url("token", TOKEN),
            {
                "client_id": setting.client.id or CLIENT,
                "grant_type": "refresh_token",
                "refresh_token": spent,
            },
            kimi_headers(device or new["device_id"]),
        )
        told = yield from grants.renewed(_WHO, request, setting, final=_FINAL)
        return {**_fresh(told, setting), "timestamp": int(setting.now * 1000), **new}

    def quota(self, fields: Obj, setting: Setting) -> Talk[Report] | None:
        """Ask what is left of the week and of the shorter windows."""
        return _quota(fields, setting)

    def models(self, fields: Obj, setting: Setting) -> Talk[list[ModelFound]] | None:
        """Ask for the account's models."""
        return _models(fields, setting)


def _fresh(told: Obj, setting: Setting) -> Obj:
    access, refresh, ends = grants.fresh(told, setting, LASTS)
    fields: Obj = {
        "access_token": access,
        "token_type": text_in(told, "token_type") or "Bearer",
        "expired": written(ends),
        "last_refresh": written(setting.now),
    }
    if refresh:
        fields["refresh_token"] = refresh
    if scope := text_in(told, "scope"):
        fields["scope"] = scope
    return fields


# ---- what the API tells -------------------------------------------------------------------------
def _asked(fields: Obj, setting: Setting, name: str, path: str) -> Talk[Obj]:
    own = text_in(fields, "base_url") or setting.endpoints.get("api") or API
    base = own.rstrip("/").removesuffix("/v1")
    token = text_in(fields, "access_token")
    device = text_in(fields, "device_id") or device_of(token)
    headers = {**bearer(token), **kimi_headers(device)}
    answer: Answer = yield get(setting.url(name, base + path), headers)
    if not answer.ok:
        raise grants.refusal(_WHO, answer, setting)
    told: Obj = answer.object()
    return told


def _quota(fields: Obj, setting: Setting) -> Talk[Report]:
    told = yield from _asked(fields, setting, "quota", "/v1/usages")
    windows: list[Window] = []
    usage = told.get("usage")
    if isinstance(usage, dict):
        label = text_in(usage, "name") or "Week"
        windows.append(_window("week", label, usage, _WEEK, setting))
    limits = told.get("limits")
    for place, row in enumerate(limits if isinstance(limits, list) else ()):
        if isinstance(row, dict):
            windows.append(_limit(place, row, setting))
    return Report(_plan(told), tuple(windows))


def _plan(told: Obj) -> str:
    user = told.get("user")
    membership = user.get("membership") if isinstance(user, dict) else told.get("membership")
    level = text_in(membership, "level") if isinstance(membership, dict) else ""
    return level.removeprefix("LEVEL_").lower()


def _limit(place: int, row: Obj, setting: Setting) -> Window:
    spoken, detail = row.get("window"), row.get("detail")
    period: float | None = None
    if isinstance(spoken, dict):
        unit = text_in(spoken, "timeUnit").upper().removeprefix("TIME_UNIT_")
        length = grants.number(spoken.get("duration"))
        period = length * _UNITS.get(unit, 60.0) if length else None
    named = text_in(row, "name", "title", "scope")
    short = _short(period) if period else ""
    return _window(
        short or named or f"limit-{place + 1}",
        named or short or f"Limit {place + 1}",
        detail if isinstance(detail, dict) else row,
        period,
        setting,
    )


def _short(period: float) -> str:
    for letter, seconds in (("d", 86400.0), ("h", 3600.0), ("m", 60.0)):
        if period >= seconds and period % seconds == 0:
            return f"{int(period / seconds)}{letter}"
    return f"{int(period)}s"


def _window(name: str, label: str, row: Obj, period: float | None, setting: Setting) -> Window:
    limit = grants.number(row.get("limit"))
    used = grants.number(row.get("used"))
    remaining = grants.number(row.get("remaining"))
    if remaining is None and limit is not None and used is not None:
        remaining = max(0.0, limit - used)
    if used is None and limit is not None and remaining is not None:
        used = max(0.0, limit - remaining)
    percent = min(100.0, used / limit * 100) if limit and used is not None else None
    return Window(name, label, percent, remaining, limit, _reset(row, setting.now), period)


def _reset(row: Obj, now: float) -> float | None:
    for key in ("resetTime", "reset_time", "reset_at", "resetAt"):
        if (at := moment(row.get(key))) is not None:
            return at
    for key in ("reset_in", "resetIn", "ttl"):
        if (seconds := grants.number(row.get(key))) is not None:
            return now + seconds
    return None


def _models(fields: Obj, setting: Setting) -> Talk[list[ModelFound]]:
    told = yield from _asked(fields, setting, "models", "/v1/models")
    return list(_listed(told.get("data")))


def _listed(rows: Json) -> Iterator[ModelFound]:
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and (name := text_in(row, "id")):
            yield ModelFound(
                name,
                text_in(row, "display_name") or name,
                int(grants.number(row.get("context_length")) or 0),
                owned_by=text_in(row, "owned_by") or "moonshot",
                created=int(grants.number(row.get("created")) or 0),
            )


LOGIN: Final = Kimi()

"""Codex: logins with a ChatGPT subscription.

The protocol is that of OpenAI's Codex CLI, whose source and authentication guide are public: OAuth
2.0 with PKCE (RFC 7636) in a browser, or a code that is typed on any device. Its OAuth client is
public and has no secret. The file is the one that CLIProxyAPI keeps.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final, Literal
from urllib.parse import urlencode

from cliproxy.account.credential import Credential, claims, moment, written
from cliproxy.base.json import Obj, text_in
from cliproxy.login.flow import (
    Answer,
    LoggedIn,
    ModelFound,
    Problem,
    Report,
    Setting,
    Show,
    Talk,
    TokenLogin,
    Unreachable,
    Visit,
    Wait,
    Window,
    bearer,
    get,
    name_part,
    new_pkce,
    new_state,
    post_form,
    post_json,
)

ISSUER: Final = "https://auth.openai.com"
AUTHORIZE: Final = f"{ISSUER}/oauth/authorize"
TOKEN: Final = f"{ISSUER}/oauth/token"
DEVICE: Final = f"{ISSUER}/api/accounts/deviceauth"
"""Below it: `/usercode` and `/token`."""
PAGE: Final = f"{ISSUER}/codex/device"
DEVICE_REDIRECT: Final = f"{ISSUER}/deviceauth/callback"
API: Final = "https://chatgpt.com/backend-api/codex"
CLIENT: Final = "app_EMoamEEZ73f0CkXaXp7hrann"
SCOPES: Final = "openid profile email offline_access"
PORT: Final = 1455
PATH: Final = "/auth/callback"
REDIRECT: Final = f"http://localhost:{PORT}{PATH}"
"""Registered with the client: another port is for a listener behind a tunnel."""
PROTOCOL: Final = "0.169.0"
"""The release of Codex whose published model list is understood here. The endpoint demands one,
and lists the models that such a release can use."""
_AUTH: Final = "https://api.openai.com/auth"
_PROFILE: Final = "https://api.openai.com/profile"
_DEVICE_SECONDS: Final = 900.0
_INTERVAL: Final = 5.0
_SPENT: Final = {
    "refresh_token_expired": ("needs_login", "The login has ended; log in again."),
    "refresh_token_reused": (
        "needs_login",
        "Its refresh token was used by another program, which has the newer one; log in again.",
    ),
    "refresh_token_invalidated": ("revoked", "The login was revoked; log in again."),
    "invalid_grant": ("needs_login", "The login is no longer accepted; log in again."),
}


class Codex(TokenLogin):
    """Logins of Codex."""

    provider: str = "codex"
    ways: tuple[Literal["browser", "device", "cookie"], ...] = ("browser", "device")
    lead: float = 5 * 86400.0

    def login(self, setting: Setting, way: str) -> Talk[LoggedIn]:
        """Log in with a browser, or with a code that is typed on another device.

        Options: `workspace` (the only ChatGPT workspace that may be logged in to).
        """
        return _by_device(setting) if way == "device" else _by_browser(setting)

    def refresh(self, fields: Obj, setting: Setting) -> Talk[Obj]:
        """Get new tokens. A refresh token is good for one use."""
        credential = Credential("", fields)
        if not credential.refresh_token:
            raise Problem("needs_login", "There is no refresh token; log in again.")
        try:
            answer = yield post_form(
                setting.url("token", TOKEN),
                {
                    "client_id": setting.client.id or CLIENT,
                    "grant_type": "refresh_token",
                    "refresh_token": credential.refresh_token,
                    "scope": "openid profile email",
                },
            )
        except Unreachable as err:
            if err.sent:
                raise Problem("unknown_outcome", str(err)) from err
            raise Problem("network", str(err)) from err
        told = answer.object()
        # Each of the three may be missing: then the old one stays.
        fresh = {k: told[k] for k in _TOKENS if isinstance(told.get(k), str) and told[k]}
        if not answer.ok or not fresh:
            raise _refused(answer)
        changes: Obj = {**fresh, "last_refresh": written(setting.now)}
        if "access_token" in fresh:
            changes["expired"] = written(_ends(told, setting))
        if "id_token" in fresh:
            who = _who(fresh["id_token"])
            changes |= {k: v for k, v in who.items() if v and not credential.text(k)}
        return changes

    def quota(self, fields: Obj, setting: Setting) -> Talk[Report] | None:
        """Ask how much of each window is used."""
        return _quota(fields, setting)

    def models(self, fields: Obj, setting: Setting) -> Talk[list[ModelFound]] | None:
        """Ask which models there are."""
        return _models(fields, setting)


_TOKENS: Final = ("id_token", "access_token", "refresh_token")


# ---- logging in ---------------------------------------------------------------------------------
def _by_browser(setting: Setting) -> Talk[LoggedIn]:
    verifier, challenge = new_pkce()
    state = new_state()
    asked = {
        "client_id": setting.client.id or CLIENT,
        "response_type": "code",
        "redirect_uri": REDIRECT,
        "scope": SCOPES,
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "prompt": "login",
        "id_token_add_organizations": "true",
        "codex_cli_simplified_flow": "true",
    }
    if workspace := setting.options.get("workspace", "").strip():
        asked["allowed_workspace_id"] = workspace
    url = f"{setting.url('authorize', AUTHORIZE)}?{urlencode(asked)}"
    back = yield Visit(url, state, setting.redirect_port or PORT, PATH)
    if not back.code or back.state not in ("", state):
        raise Problem("refused", "What came back belongs to another login; begin again.")
    return (yield from _exchanged(back.code, verifier, REDIRECT, setting))


def _by_device(setting: Setting) -> Talk[LoggedIn]:
    base = setting.url("device", DEVICE).rstrip("/")
    answer = yield post_json(f"{base}/usercode", {"client_id": setting.client.id or CLIENT})
    if answer.status == 404:
        raise Problem(
            "refused",
            "OpenAI does not offer device codes for this account. They are switched on in the "
            "security settings of ChatGPT; or log in with a browser.",
        )
    told = answer.object()
    device, code = text_in(told, "device_auth_id"), text_in(told, "user_code", "usercode")
    if not answer.ok or not device or not code:
        raise _refused(answer, login=True)
    left = _lasts(told, setting)
    yield Show(setting.url("device_page", PAGE), code, expires=left)
    pause = max(1.0, _seconds(told.get("interval")) or _INTERVAL)
    while left > 0:
        yield Wait(pause)
        left -= pause
        try:
            answer = yield post_json(f"{base}/token", {"device_auth_id": device, "user_code": code})
        except Unreachable:
            continue
        if answer.ok:
            given = answer.object()
            found = text_in(given, "authorization_code"), text_in(given, "code_verifier")
            if not all(found):
                raise Problem("network", "OpenAI's answer to the device code is not understood.")
            redirect = setting.url("device_redirect", DEVICE_REDIRECT)
            return (yield from _exchanged(*found, redirect, setting))
        error = _code(answer)
        if error in ("access_denied", "authorization_declined"):
            raise Problem("cancelled", "The login was declined.")
        if error == "expired_token":
            break
        if answer.status == 429 or error == "slow_down":
            pause += _INTERVAL
        elif answer.status not in (403, 404) and answer.status < 500:
            raise _refused(answer, login=True)
    raise Problem("cancelled", "Nobody typed the code in time; begin again.")


def _exchanged(code: str, verifier: str, redirect: str, setting: Setting) -> Talk[LoggedIn]:
    answer = yield post_form(
        setting.url("token", TOKEN),
        {
            "grant_type": "authorization_code",
            "client_id": setting.client.id or CLIENT,
            "code": code,
            "redirect_uri": redirect,
            "code_verifier": verifier,
        },
    )
    told = answer.object()
    if not answer.ok or not text_in(told, "access_token") or not text_in(told, "refresh_token"):
        raise _refused(answer, login=True)
    who = _who(text_in(told, "id_token"))
    fields: Obj = {
        "type": "codex",
        **{key: text_in(told, key) for key in _TOKENS},
        **who,
        "last_refresh": written(setting.now),
        "expired": written(_ends(told, setting)),
    }
    auth = claims(fields["id_token"]).get(_AUTH)
    plan = text_in(auth, "chatgpt_plan_type") if isinstance(auth, dict) else ""
    return LoggedIn(_file_name(fields, plan), fields)


def _file_name(fields: Obj, plan: str) -> str:
    """Return the file's name: one for each workspace and plan of a person."""
    email = name_part(fields["email"])
    account = fields["account_id"]
    parts = [
        hashlib.sha256(account.encode()).hexdigest()[:8] if account else "",
        email or ("" if account else _digest(fields)),
        re.sub(r"[^a-z0-9]+", "-", plan.lower()).strip("-"),
    ]
    return "-".join(["codex", *(part for part in parts if part)]) + ".json"


def _digest(fields: Obj) -> str:
    return hashlib.sha256(fields["access_token"].encode()).hexdigest()[:8]


# ---- answers ------------------------------------------------------------------------------------
def _refused(answer: Answer, *, login: bool = False) -> Problem:
    """Tell what a refusal of the token endpoint means."""
    code, said = _code(answer), _said(answer)
    because = f": {said}" if said else "."
    if login:
        if code == "access_denied":
            return Problem("cancelled", f"Access was denied{because}")
        if answer.status in (400, 401, 403):
            return Problem("refused", f"OpenAI does not accept the login{because}")
    elif code in _SPENT:
        kind, text = _SPENT[code]
        return Problem(kind, text)  # type: ignore[arg-type]
    elif answer.status == 401:
        return Problem("needs_login", f"OpenAI no longer accepts the login{because}")
    if answer.status == 429:
        return Problem("limited", f"OpenAI asks to wait{because}", retry_after=_wait(answer))
    if code in ("invalid_client", "unauthorized_client"):
        return Problem("refused", f"OpenAI does not accept the OAuth client{because}")
    return Problem("network", f"OpenAI's login answered with status {answer.status}{because}")


def _code(answer: Answer) -> str:
    """Return the error's code: `error.code`, `error`, `detail.code` or `code`."""
    told = answer.object()
    error = told.get("error") or told.get("detail")
    if isinstance(error, dict):
        error = error.get("code") or error.get("type")
    error = error or told.get("code")
    return error.lower() if isinstance(error, str) else ""


def _said(answer: Answer) -> str:
    told = answer.object()
    error = told.get("error")
    found = [told.get("error_description"), told.get("message"), told.get("detail")]
    if isinstance(error, dict):
        found.insert(0, error.get("message"))
    return next((text[:300] for text in found if isinstance(text, str) and text), "")


def _wait(answer: Answer) -> float | None:
    return _seconds(answer.headers.get("retry-after"))


def _ends(told: Obj, setting: Setting) -> float:
    """Return when a new access token ends: the answer says, else the token itself."""
    lasts = _seconds(told.get("expires_in"))
    if lasts:
        return setting.now + lasts
    return moment(claims(text_in(told, "access_token")).get("exp")) or setting.now + 3600.0


def _lasts(told: Obj, setting: Setting) -> float:
    at = moment(told.get("expires_at"))
    left = at - setting.now if at is not None else _seconds(told.get("expires_in")) or 0.0
    return min(left, _DEVICE_SECONDS) if left > 0 else _DEVICE_SECONDS


def _who(id_token: str) -> Obj:
    """Return whose it is, as fields of the file."""
    told = claims(id_token)
    auth, profile = told.get(_AUTH), told.get(_PROFILE)
    email = text_in(told, "email") or (
        text_in(profile, "email") if isinstance(profile, dict) else ""
    )
    account = text_in(auth, "chatgpt_account_id") if isinstance(auth, dict) else ""
    return {"email": email, "account_id": account}


def account_of(fields: Mapping[str, Any]) -> str:
    """Return the ChatGPT account that a login's requests are for: the file says, else its token."""
    return text_in(fields, "account_id") or str(_who(text_in(fields, "id_token"))["account_id"])


def _seconds(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if value >= 0 else None
    if isinstance(value, str) and value.strip().replace(".", "", 1).isdigit():
        return float(value)
    return None


# ---- what is left, and which models -------------------------------------------------------------
def _headers(fields: Obj) -> dict[str, str]:
    account = account_of(fields)
    found = bearer(Credential("", fields).access_token)
    return {**found, "chatgpt-account-id": account} if account else found


def _quota(fields: Obj, setting: Setting) -> Talk[Report]:
    backend = (setting.endpoints.get("api") or API).rstrip("/").removesuffix("/codex")
    answer = yield get(setting.url("quota", f"{backend}/wham/usage"), _headers(fields))
    if not answer.ok:
        raise _problem(answer, "OpenAI does not tell what is left")
    told = answer.object()
    windows = _windows(told.get("rate_limit"), setting)
    windows += _windows(told.get("code_review_rate_limit"), setting, "code review")
    extra = told.get("additional_rate_limits")
    for row in extra if isinstance(extra, list) else ():
        if isinstance(row, dict):
            name = text_in(row, "limit_name", "metered_feature")
            windows += _windows(row.get("rate_limit"), setting, name or "more")
    kept = {k: told[k] for k in ("credits", "rate_limit_reset_credits") if told.get(k)}
    return Report(plan=text_in(told, "plan_type"), windows=tuple(windows), credits=kept)


def _windows(limit: object, setting: Setting, of: str = "") -> list[Window]:
    """Read the windows of one limit. Which is which is told by their length, not by their place."""
    found: list[Window] = []
    for key in ("primary_window", "secondary_window"):
        window = limit.get(key) if isinstance(limit, dict) else None
        if not isinstance(window, dict):
            continue
        period = _seconds(window.get("limit_window_seconds"))
        name, label = _span(period) if period else (key.removesuffix("_window"),) * 2
        reset = moment(window.get("reset_at"))
        after = _seconds(window.get("reset_after_seconds"))
        if reset is None and after is not None:
            reset = setting.now + after
        model = of.lower() if re.match(r"(gpt|codex|o\d)-", of.lower()) else ""
        found.append(
            Window(
                f"{re.sub(r'[^a-z0-9.]+', '_', of.lower())}_{name}" if of else name,
                f"{label}, {of}" if of else label,
                used_percent=_seconds(window.get("used_percent")),
                reset_at=reset,
                period_seconds=period,
                models=(model,) if model else (),
            )
        )
    return found


def _span(seconds: float) -> tuple[str, str]:
    """Return a window's short name and its label."""
    hours = round(seconds / 3600)
    if hours >= 24 and hours % 24 == 0:
        days = hours // 24
        return f"{days}d", f"{days} days" if days > 1 else "1 day"
    if hours >= 1:
        return f"{hours}h", f"{hours} hours" if hours > 1 else "1 hour"
    minutes = max(1, round(seconds / 60))
    return f"{minutes}m", f"{minutes} minutes" if minutes > 1 else "1 minute"


def _models(fields: Obj, setting: Setting) -> Talk[list[ModelFound]]:
    url = setting.endpoints.get("models") or setting.api(API, "/models")
    answer = yield get(f"{url}?{urlencode({'client_version': PROTOCOL})}", _headers(fields))
    if not answer.ok:
        raise _problem(answer, "OpenAI does not tell which models there are")
    rows = answer.object().get("models")
    found: dict[str, ModelFound] = {}
    for row in rows if isinstance(rows, list) else ():
        if not isinstance(row, dict) or row.get("visibility") == "hide":
            continue
        if name := text_in(row, "slug"):
            found[name] = ModelFound(
                name,
                display_name=text_in(row, "display_name"),
                context_length=int(_seconds(row.get("context_window")) or 0),
                owned_by="openai",
            )
    return list(found.values())


def _problem(answer: Answer, what: str) -> Problem:
    """Tell what a refusal of the backend means."""
    said = _said(answer)
    because = f"{what}: {said}" if said else f"{what} (status {answer.status})."
    match answer.status:
        case 401:
            return Problem("needs_login", because)
        case 402 | 403 if _code(answer) == "deactivated_workspace":
            return Problem("revoked", f"{what}: the workspace is deactivated.")
        case 429:
            return Problem("limited", because, retry_after=_wait(answer))
        case 403 if not answer.object():
            # A page of the network in front of it, which says nothing about the account.
            return Problem("network", because)
        case status if 400 <= status < 500 and status != 408:
            return Problem("refused", because)
        case _:
            return Problem("network", because)


LOGIN: Final = Codex()

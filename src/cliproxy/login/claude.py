"""Claude: logins with a Claude subscription, and setup tokens.

The protocol is OAuth 2.0 with PKCE (RFC 6749, RFC 7636) as Anthropic's Claude Code documents and
uses it; its OAuth client is public and has no secret. The file is the one that CLIProxyAPI keeps.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal
from urllib.parse import urlencode

from cliproxy.account.credential import Credential, moment, written
from cliproxy.base.json import Obj
from cliproxy.login.flow import (
    Answer,
    Kind,
    LoggedIn,
    ModelFound,
    Problem,
    Report,
    Setting,
    Talk,
    TokenLogin,
    Unreachable,
    Visit,
    Window,
    bearer,
    get,
    new_pkce,
    new_state,
    post_json,
)

AUTHORIZE: Final = "https://claude.ai/oauth/authorize"
TOKENS: Final = (
    "https://platform.claude.com/v1/oauth/token",
    "https://api.anthropic.com/v1/oauth/token",
    "https://console.anthropic.com/v1/oauth/token",
)
"""The token endpoint, and the addresses it had before, for when the newest is not there."""
API: Final = "https://api.anthropic.com"
CLIENT: Final = "9d1c250a-e61b-44d9-88ed-5944d1962f5e"
SCOPES: Final = (
    "user:profile user:inference user:sessions:claude_code user:mcp_servers user:file_upload"
)
PORT: Final = 54545
PATH: Final = "/callback"
REDIRECT: Final = f"http://localhost:{PORT}{PATH}"
"""Registered with the client: another port is for a listener behind a tunnel."""
PAGE: Final = "https://platform.claude.com/oauth/code/callback"
"""Shows the code to whoever logs in from a machine without a browser."""
LASTS: Final = 28800.0
"""Seconds a token is good for when the answer does not say."""
SETUP: Final = "sk-ant-oat"
"""How tokens of logins begin; those of `claude setup-token` too."""
VERSIONED: Final = {"anthropic-version": "2023-06-01", "anthropic-beta": "oauth-2025-04-20"}
_NOT_HERE: Final = frozenset({404, 405})
_WAIT: Final = (5.0, 300.0)
"""Least and most seconds that a refusal to refresh is heeded."""
_PAGES: Final = 20
_GONE: Final = re.compile(r"\brevoked\b|\bdisabled\b|\bsuspended\b", re.IGNORECASE)


class Claude(TokenLogin):
    """Logins of Claude."""

    provider: str = "claude"
    ways: tuple[Literal["browser", "device", "cookie"], ...] = ("browser",)
    lead: float = 4 * 3600.0

    def renewable(self, fields: Obj) -> bool:
        """Look for a refresh token; setup tokens have none."""
        return bool(_refresh_token(fields))

    def login(self, setting: Setting, way: str) -> Talk[LoggedIn]:
        """Log in with a browser.

        Options: `paste` (the vendor's page shows the code instead of a redirect), `setup_token`
        (take the token that `claude setup-token` printed; nothing is asked).
        """
        if told := setting.options.get("setup_token", "").strip():
            return _set_up(told, setting)
        return _logged_in(setting)

    def refresh(self, fields: Obj, setting: Setting) -> Talk[Obj]:
        """Get a new access token. The refresh token may be replaced too."""
        spent = _refresh_token(fields)
        if not spent:
            raise Problem(
                "needs_login",
                "There is no refresh token: make a new setup token with `claude setup-token`, or "
                "log in.",
            )
        asked: Obj = {
            "client_id": setting.client.id or CLIENT,
            "grant_type": "refresh_token",
            "refresh_token": spent,
            "scope": _granted(fields) or SCOPES,
        }
        try:
            answer = yield from _asked(asked, setting)
            if _code(answer) == "invalid_scope":
                # It was given for less, at a time when less was asked for.
                answer = yield from _asked({k: asked[k] for k in asked if k != "scope"}, setting)
        except Unreachable as err:
            if err.sent:
                raise Problem("unknown_outcome", str(err)) from err
            raise Problem("network", str(err)) from err
        told = _tokens(answer)
        # Whose it is must not be asked now: until this is written, the new tokens are nowhere.
        changes = {**_kept(told, setting), **{k: v for k, v in _who(told).items() if v}}
        if not changes.get("refresh_token"):
            changes.pop("refresh_token", None)
        return changes

    def quota(self, fields: Obj, setting: Setting) -> Talk[Report] | None:
        """Ask how much of each window is used. Setup tokens may not."""
        return None if _is_setup(fields) else _quota(_token(fields), setting)

    def models(self, fields: Obj, setting: Setting) -> Talk[list[ModelFound]] | None:
        """Ask which models there are."""
        return _models(_token(fields), setting)


def profile(token: str, setting: Setting) -> Talk[Obj]:
    """Return whose token it is, as fields of the file; {} when that cannot be known.

    Setup tokens are good for messages only: they are told nothing.
    """
    url = setting.endpoints.get("profile") or setting.api(API, "/api/oauth/profile")
    try:
        answer = yield get(url, {**bearer(token), **VERSIONED})
    except Unreachable:
        return {}
    return {k: v for k, v in _who(answer.object()).items() if v} if answer.ok else {}


# ---- logging in ---------------------------------------------------------------------------------
def _logged_in(setting: Setting) -> Talk[LoggedIn]:
    verifier, challenge = new_pkce()
    state = new_state()
    paste = bool(setting.options.get("paste"))
    redirect = PAGE if paste else REDIRECT
    client = setting.client.id or CLIENT
    asked = {
        "code": "true",
        "client_id": client,
        "response_type": "code",
        "redirect_uri": redirect,
        "scope": SCOPES,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "state": state,
    }
    back = yield Visit(
        f"{setting.url('authorize', AUTHORIZE)}?{urlencode(asked)}",
        state,
        0 if paste else setting.redirect_port or PORT,
        "" if paste else PATH,
    )
    # The vendor's page shows both in one line.
    code, _, shown = back.code.partition("#")
    if not code or {shown or state, back.state or state} != {state}:
        raise Problem("refused", "What came back belongs to another login; begin again.")
    answer = yield from _asked(
        {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect,
            "client_id": client,
            "code_verifier": verifier,
            "state": state,
        },
        setting,
    )
    told = _tokens(answer, login=True)
    who = _who(told)
    found = yield from profile(told["access_token"], setting)
    who = {**found, **{k: v for k, v in who.items() if v}}
    fields: Obj = {
        "type": "claude",
        "id_token": "",
        "email": "",
        "account_uuid": "",
        "organization_uuid": "",
        "organization_name": "",
        **who,
        **_kept(told, setting),
    }
    name = fields["email"] or fields["account_uuid"] or _digest(told["access_token"])
    return LoggedIn(f"claude-{_in_name(name)}.json", fields)


def _set_up(told: str, setting: Setting) -> Talk[LoggedIn]:
    if not told.startswith(SETUP) or not told.isprintable() or " " in told:
        raise Problem("refused", f"A setup token begins with {SETUP}; this is something else.")
    found = yield from profile(told, setting)
    fields: Obj = {
        "type": "claude",
        "id_token": "",
        "access_token": told,
        "refresh_token": "",
        "last_refresh": written(setting.now),
        "is_setup_token": True,
        **found,
    }
    who = fields.get("email") or _digest(told)
    return LoggedIn(f"claude-setup-{_in_name(str(who))}.json", fields)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()[:8]


def _in_name(text: str) -> str:
    return re.sub(r"[^\w@.+-]", "_", text)


# ---- the token endpoint -------------------------------------------------------------------------
def _asked(body: Obj, setting: Setting) -> Talk[Answer]:
    """Ask the token endpoint, wherever it is."""
    own = setting.endpoints.get("token")
    answer = Answer(404, {}, b"")
    for url in (own,) if own else TOKENS:
        answer = yield post_json(url, body)
        if answer.status not in _NOT_HERE:
            break
    return answer


def _tokens(answer: Answer, *, login: bool = False) -> Obj:
    """Read an answer of the token endpoint. Raises `Problem`."""
    told = answer.object()
    if answer.ok and isinstance(told.get("access_token"), str) and told["access_token"]:
        return told
    code, said = _code(answer), _said(answer)
    because = f": {said}" if said else "."
    if answer.status == 429 or code == "rate_limit_error":
        wait = min(max(_wait(answer) or 0.0, _WAIT[0]), _WAIT[1])
        raise Problem("limited", f"Anthropic asks to wait{because}", retry_after=wait)
    if code == "access_denied":
        raise Problem("cancelled", f"Access was denied{because}")
    if code in ("invalid_client", "unauthorized_client"):
        raise Problem("refused", f"Anthropic does not accept the OAuth client{because}")
    if answer.status in (400, 401) or code == "invalid_grant":
        if login:
            raise Problem("refused", f"Anthropic does not accept the code; log in again{because}")
        kind: Kind = "revoked" if _GONE.search(said) else "needs_login"
        raise Problem(kind, f"Anthropic no longer accepts the login{because}")
    if answer.status == 403 and code:
        raise Problem("refused", f"Anthropic refuses ({code}){because}")
    raise Problem("network", f"Anthropic's token endpoint answered with status {answer.status}.")


def _kept(told: Obj, setting: Setting) -> Obj:
    """Return the fields that every new token changes."""
    lasts = told.get("expires_in")
    good = isinstance(lasts, int | float) and not isinstance(lasts, bool) and lasts > 0
    refresh = told.get("refresh_token")
    return {
        "access_token": told["access_token"],
        "refresh_token": refresh if isinstance(refresh, str) else "",
        "last_refresh": written(setting.now),
        "expired": written(setting.now + (lasts if good else LASTS)),  # type: ignore[operator]
    }


def _code(answer: Answer) -> str:
    """Return the error's code, in OAuth's form or the API's."""
    error = answer.object().get("error")
    if isinstance(error, dict):
        error = error.get("code") or error.get("type")
    return error if isinstance(error, str) else ""


def _said(answer: Answer) -> str:
    told = answer.object()
    error = told.get("error")
    found = [told.get("error_description"), told.get("message")]
    if isinstance(error, dict):
        found.insert(0, error.get("message"))
    return next((text[:300] for text in found if isinstance(text, str) and text), "")


def _wait(answer: Answer) -> float | None:
    """Return for how many seconds the answer asks to wait."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = answer.headers.get(name, "").strip()
        if value.replace(".", "", 1).isdigit():
            return float(value) / unit
        seconds = _between(answer.headers.get("date", ""), value)
        if seconds is not None:
            return seconds
    return None


def _between(sent: str, until: str) -> float | None:
    """Return the seconds between two dates of one answer: both are of the same clock."""
    try:
        first, last = parsedate_to_datetime(sent), parsedate_to_datetime(until)
    except ValueError:
        return None
    span = _aware(last).timestamp() - _aware(first).timestamp()
    return max(0.0, span)


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)


# ---- who it is ----------------------------------------------------------------------------------
def _refresh_token(fields: Obj) -> str:
    return Credential("", fields).refresh_token


def _token(fields: Obj) -> str:
    return Credential("", fields).access_token


def _is_setup(fields: Obj) -> bool:
    marks = ("is_setup_token", "setup_token", "skip_account_profile")
    credential = Credential("", fields)
    return any(credential.flag(mark) for mark in marks) or not credential.refresh_token


def _granted(fields: Obj) -> str:
    """Return what the login was given for, where the file says."""
    scopes = fields.get("scopes", fields.get("scope"))
    if isinstance(scopes, list):
        return " ".join(s for s in scopes if isinstance(s, str))
    return scopes if isinstance(scopes, str) else ""


def _who(told: Obj) -> Obj:
    """Return whose it is, from the token's answer or the profile's."""
    account, organization = _object(told, "account"), _object(told, "organization")
    return {
        "email": _text(account, "email_address") or _text(account, "email"),
        "account_uuid": _text(account, "uuid"),
        "organization_uuid": _text(organization, "uuid"),
        "organization_name": _text(organization, "name"),
        "plan_type": _plan(account, organization),
    }


def _plan(account: Mapping[str, Any], organization: Mapping[str, Any]) -> str:
    if account.get("has_claude_max") is True:
        return "max"
    if account.get("has_claude_pro") is True:
        return "pro"
    kind = _text(organization, "organization_type")
    if kind == "claude_enterprise":
        return "enterprise"
    if kind == "claude_team" and organization.get("subscription_status") == "active":
        return "team"
    return "free" if "has_claude_max" in account and "has_claude_pro" in account else ""


def _object(value: Mapping[str, Any], key: str) -> Obj:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _text(value: Mapping[str, Any], key: str) -> str:
    found = value.get(key)
    return found.strip() if isinstance(found, str) else ""


# ---- what is left, and which models -------------------------------------------------------------
_WINDOWS: Final[dict[str, tuple[str, str, float, tuple[str, ...]]]] = {
    "five_hour": ("5h", "5 hours", 18000.0, ()),
    "seven_day": ("7d", "7 days", 604800.0, ()),
    "seven_day_opus": ("7d_opus", "7 days, Opus", 604800.0, ("*opus*",)),
    "seven_day_sonnet": ("7d_sonnet", "7 days, Sonnet", 604800.0, ("*sonnet*",)),
    "seven_day_oauth_apps": ("7d_oauth_apps", "7 days, other apps", 604800.0, ()),
    "seven_day_cowork": ("7d_cowork", "7 days, Cowork", 604800.0, ()),
}
_KINDS: Final = {"session": "five_hour", "weekly_all": "seven_day"}


def _quota(token: str, setting: Setting) -> Talk[Report]:
    url = setting.endpoints.get("quota") or setting.api(API, "/api/oauth/usage")
    answer = yield get(url, {**bearer(token), **VERSIONED})
    if not answer.ok:
        raise _problem(answer, "Anthropic does not tell what is left")
    told = answer.object()
    who = yield from profile(token, setting)
    return Report(plan=who.get("plan_type", ""), windows=_windows(told), credits=_credits(told))


def _windows(told: Obj) -> tuple[Window, ...]:
    found: dict[str, Window] = {}
    for key, value in told.items():
        if not isinstance(value, dict) or "utilization" not in value or key == "extra_usage":
            continue
        week = key.startswith("seven_day_")
        named = key.removeprefix("seven_day_").replace("_", " ")
        name, label, period, models = _WINDOWS.get(
            key,
            (f"7d_{key.removeprefix('seven_day_')}", f"7 days, {named}", 604800.0, ())
            if week
            else (key, named, None, ()),
        )
        used = _number(value.get("utilization"))
        reset = moment(value.get("resets_at"))
        found[name] = Window(
            name, label, used_percent=used, reset_at=reset, period_seconds=period, models=models
        )
    limits = told.get("limits")
    for row in limits if isinstance(limits, list) else ():
        if isinstance(row, dict) and (window := _scoped(row)) is not None:
            found.setdefault(window.id, window)
    return tuple(found.values())


def _scoped(row: Obj) -> Window | None:
    """Read a row of the newer list, which knows weekly limits of single models."""
    kind = _text(row, "kind")
    used, reset = _number(row.get("percent")), moment(row.get("resets_at"))
    if kind in _KINDS:
        name, label, period, models = _WINDOWS[_KINDS[kind]]
    elif kind == "weekly_scoped":
        model = _object(_object(row, "scope"), "model")
        title = _text(model, "display_name") or _text(model, "id") or _text(row, "group")
        if not title:
            return None
        name, label = f"7d_{_in_name(title.lower()).strip('_')}", f"7 days, {title}"
        known = _text(model, "id")
        period, models = 604800.0, (known,) if known else (f"*{title.lower()}*",)
    else:
        return None
    return Window(
        name, label, used_percent=used, reset_at=reset, period_seconds=period, models=models
    )


def _credits(told: Obj) -> Obj:
    extra = _object(told, "extra_usage")
    return {"extra_usage": extra} if extra else {}


def _number(value: object) -> float | None:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if good else None  # type: ignore[arg-type]


def _models(token: str, setting: Setting) -> Talk[list[ModelFound]]:
    base = setting.endpoints.get("models") or setting.api(API, "/v1/models")
    found: dict[str, ModelFound] = {}
    after = ""
    for _ in range(_PAGES):
        query = {"limit": "1000", **({"after_id": after} if after else {})}
        answer = yield get(f"{base}?{urlencode(query)}", {**bearer(token), **VERSIONED})
        if not answer.ok:
            raise _problem(answer, "Anthropic does not tell which models there are")
        told = answer.object()
        rows = told.get("data")
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict) and (name := _text(row, "id")):
                found[name] = ModelFound(
                    name,
                    display_name=_text(row, "display_name"),
                    context_length=int(_number(row.get("max_input_tokens")) or 0),
                    max_output_tokens=int(_number(row.get("max_tokens")) or 0),
                    owned_by="anthropic",
                    created=int(moment(row.get("created_at")) or 0),
                )
        last = _text(told, "last_id")
        if told.get("has_more") is not True or not last or last == after:
            break
        after = last
    return list(found.values())


def _problem(answer: Answer, what: str) -> Problem:
    """Tell what a refusal means."""
    said = _said(answer)
    because = f"{what}: {said}" if said else f"{what} (status {answer.status})."
    match answer.status:
        case 401:
            return Problem("needs_login", because)
        case 403:
            return Problem("revoked" if _GONE.search(said) else "refused", because)
        case 429:
            return Problem("limited", because, retry_after=_wait(answer))
        case 400 | 404 | 405:
            return Problem("refused", because)
        case _:
            return Problem("network", because)


LOGIN: Final = Claude()

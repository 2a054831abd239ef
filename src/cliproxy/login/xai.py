"""xAI logins: a device code or a browser, with the public OAuth client of the Grok command line.

Addresses come from xAI's OpenID discovery document, and none outside xAI's own domain is believed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal
from urllib.parse import urlencode, urlsplit

from cliproxy.account.credential import claims, moment, written
from cliproxy.base.json import Json, Obj, text_in
from cliproxy.login import grants
from cliproxy.login.flow import (
    USER_AGENT,
    Answer,
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
    post_form,
)

DISCOVERY: Final = "https://auth.x.ai/.well-known/openid-configuration"
API: Final = "https://api.x.ai/v1"
BILLING: Final = "https://cli-chat-proxy.grok.com/v1/billing"
CLIENT: Final = "b1a00492-073a-47ea-816f-4c329264a828"
SCOPE: Final = "openid profile email offline_access grok-cli:access api:access"
PORT: Final = 56121
PATH: Final = "/callback"
LASTS: Final = 3600.0
_WHO: Final = "xAI"
_PACE: Final = grants.Pace(at_once=True, total=1800.0)
_NAMES: Final = {
    "device": "device_authorization_endpoint",
    "token": "token_endpoint",
    "authorize": "authorization_endpoint",
}
_DAY: Final = 86400.0


class XAI(TokenLogin):
    """Logins of xAI."""

    provider: str = "xai"
    ways: tuple[Literal["browser", "device", "cookie"], ...] = ("device", "browser")
    lead: float = 300.0

    def login(self, setting: Setting, way: str) -> Talk[LoggedIn]:
        """Log in with a device code, or with a browser on this machine."""
        return _with_browser(setting) if way == "browser" else _with_device(setting)

    def refresh(self, fields: Obj, setting: Setting) -> Talk[Obj]:
        """Get a new access token; every refresh token is good for one use."""
        spent = text_in(fields, "refresh_token")
        if not spent:
            raise Problem("needs_login", "There is no refresh token; log in again.")
        url = setting.endpoints.get("token") or text_in(fields, "token_endpoint")
        new: Obj = {}
        if not url or not _trusted(url, setting):
            url = (yield from _found(("token",), setting))["token"]
            new = {"token_endpoint": url}
        form = {
            "grant_type": "refresh_token",
            "client_id": setting.client.id or CLIENT,
            "refresh_token": spent,
        }
        told = yield from grants.renewed(_WHO, post_form(url, form), setting)
        return {**_fresh(told, setting), **new}

    def quota(self, fields: Obj, setting: Setting) -> Talk[Report] | None:
        """Ask what is left of the week and of the month."""
        return _quota(fields, setting)

    def models(self, fields: Obj, setting: Setting) -> Talk[list[ModelFound]] | None:
        """Ask for the account's models."""
        return _models(fields, setting)


# ---- addresses ----------------------------------------------------------------------------------
def _found(names: tuple[str, ...], setting: Setting) -> Talk[dict[str, str]]:
    """Return the addresses of some endpoints: the owner's, else those xAI publishes."""
    own = {name: url for name in names if (url := setting.endpoints.get(name))}
    if len(own) == len(names):
        return own
    try:
        answer: Answer = yield get(setting.url("discovery", DISCOVERY))
    except Unreachable as err:
        raise Problem("network", str(err)) from err
    if not answer.ok:
        raise grants.refusal(_WHO, answer, setting)
    told = answer.object()
    for name in names:
        url = own.get(name) or text_in(told, _NAMES[name])
        if not url or (name not in own and not _trusted(url, setting)):
            raise Problem("refused", f"xAI publishes no {_NAMES[name]} of its own.")
        own[name] = url
    return own


def _trusted(url: str, setting: Setting) -> bool:
    """Tell whether tokens may be sent to an address: xAI's, or where the owner put discovery."""
    split = urlsplit(url)
    if url == setting.endpoints.get("token"):
        return True
    if own := setting.endpoints.get("discovery"):
        mine = urlsplit(own)
        if (split.scheme, split.netloc) == (mine.scheme, mine.netloc):
            return True
    host = (split.hostname or "").lower()
    return split.scheme == "https" and (host == "x.ai" or host.endswith(".x.ai"))


# ---- logging in ---------------------------------------------------------------------------------
def _with_device(setting: Setting) -> Talk[LoggedIn]:
    at = yield from _found(("device", "token"), setting)
    client = setting.client.id or CLIENT
    asked = post_form(at["device"], {"client_id": client, "scope": SCOPE})
    code = yield from grants.device(_WHO, asked, setting)
    poll = post_form(
        at["token"],
        {"grant_type": grants.DEVICE, "device_code": code.code, "client_id": client},
    )
    told = yield from grants.confirmed(_WHO, code, poll, setting, _PACE)
    return _logged_in(told, at["token"], setting)


def _with_browser(setting: Setting) -> Talk[LoggedIn]:
    at = yield from _found(("authorize", "token"), setting)
    client = setting.client.id or CLIENT
    verifier, challenge = new_pkce()
    state, port = new_state(), setting.redirect_port or PORT
    redirect = f"http://127.0.0.1:{port}{PATH}"
    asked = {
        "response_type": "code",
        "client_id": client,
        "redirect_uri": redirect,
        "scope": SCOPE,
        "state": state,
        "nonce": new_state(),
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "plan": "generic",
        "referrer": "cliproxy",
    }
    back = yield Visit(f"{at['authorize']}?{urlencode(asked)}", state, port, PATH)
    form = {
        "grant_type": "authorization_code",
        "code": back.code,
        "redirect_uri": redirect,
        "client_id": client,
        "code_verifier": verifier,
    }
    answer: Answer = yield post_form(at["token"], form)
    told = answer.object()
    if not answer.ok or not text_in(told, "access_token"):
        raise grants.refusal(_WHO, answer, setting)
    new = _logged_in(told, at["token"], setting)
    return LoggedIn(new.name, {**new.fields, "redirect_uri": redirect})


def _logged_in(told: Obj, token_endpoint: str, setting: Setting) -> LoggedIn:
    if not text_in(told, "refresh_token"):
        raise Problem("refused", "xAI gave no refresh token; log in again.")
    who = claims(text_in(told, "id_token"))
    email, sub = text_in(who, "email"), text_in(who, "sub")
    fields: Obj = {
        "type": "xai",
        **_fresh(told, setting),
        "email": email,
        "sub": sub,
        "base_url": setting.url("api", API),
        "token_endpoint": token_endpoint,
        "auth_kind": "oauth",
    }
    named = grants.in_name(email or sub) or str(int(setting.now * 1000))
    return LoggedIn(f"xai-{named}.json", fields)


def _fresh(told: Obj, setting: Setting) -> Obj:
    access, refresh, ends = grants.fresh(told, setting, LASTS)
    fields: Obj = {
        "access_token": access,
        "token_type": text_in(told, "token_type") or "Bearer",
        "expires_in": int(ends - setting.now),
        "expired": written(ends),
        "last_refresh": written(setting.now),
    }
    for name, value in (("refresh_token", refresh), ("id_token", text_in(told, "id_token"))):
        if value:
            fields[name] = value
    return fields


# ---- what is left -------------------------------------------------------------------------------
def _quota(fields: Obj, setting: Setting) -> Talk[Report]:
    api = setting.endpoints.get("api")
    url = setting.url("quota", api.rstrip("/") + "/billing" if api else BILLING)
    headers = {
        **bearer(text_in(fields, "access_token")),
        # Says which kind of token the bearer is.
        "x-xai-token-auth": "xai-grok-cli",
        "x-grok-client-version": _client_version(fields),
    }
    if sub := text_in(fields, "sub"):
        headers["x-userid"] = sub
    windows: list[Window] = []
    money: Obj = {}
    problem: Problem | None = None
    for address in (f"{url}?format=credits", url):
        try:
            answer: Answer = yield get(address, headers)
            config = _config(answer, setting)
        except Problem as err:
            problem = problem or err
            continue
        windows += [w for w in _windows(config) if all(w.id != known.id for known in windows)]
        money |= _money(config)
    if problem is not None and not windows:
        raise problem
    return Report("", tuple(windows), money)


def _client_version(fields: Obj) -> str:
    headers = fields.get("headers")
    for name, value in headers.items() if isinstance(headers, dict) else ():
        if str(name).lower() == "x-grok-client-version" and isinstance(value, str) and value:
            return value
    return USER_AGENT


def _config(answer: Answer, setting: Setting) -> Obj:
    if answer.status == 426:
        raise Problem(
            "refused",
            "xAI tells this only to versions of its own client that it names. The header "
            "x-grok-client-version can be set among the login's headers.",
        )
    if not answer.ok:
        raise grants.refusal(_WHO, answer, setting)
    told = answer.object()
    config = told.get("config")
    return config if isinstance(config, dict) else told


def _windows(config: Obj) -> Iterator[Window]:
    period = _of(config, "currentPeriod")
    percent = grants.number(_of(config, "creditUsagePercent"))
    if percent is not None:
        period = period if isinstance(period, dict) else {}
        kind = text_in(period, "type").upper()
        start, end = moment(_of(period, "start")), moment(_of(period, "end"))
        name, label = ("month", "Month") if kind.endswith("MONTHLY") else ("week", "Week")
        length = end - start if start is not None and end is not None else None
        if length is None and name == "week":
            length = 7 * _DAY
        yield Window(name, label, min(100.0, percent), reset_at=end, period_seconds=length)
    rows = _of(config, "productUsage")
    for row in rows if isinstance(rows, list) else ():
        if not isinstance(row, dict) or not (product := text_in(row, "product")):
            continue
        used = grants.number(_of(row, "usagePercent"))
        if used is not None:
            yield Window(f"product:{product}", product, min(100.0, used))
    limit, spent = _cents(config, "monthlyLimit"), _cents(config, "used")
    if limit:
        start = moment(_of(config, "billingPeriodStart"))
        end = moment(_of(config, "billingPeriodEnd"))
        yield Window(
            "spending",
            "Month, US cents",
            None if spent is None else min(100.0, spent / limit * 100),
            None if spent is None else max(0.0, limit - spent),
            limit,
            end,
            end - start if start is not None and end is not None else None,
        )


def _money(config: Obj) -> Obj:
    names = {"on_demand_cap": "onDemandCap", "on_demand_used": "onDemandUsed", "used": "used"}
    found = {
        name: value for name, key in names.items() if (value := _cents(config, key)) is not None
    }
    return {**found, "unit": "cents"} if found else {}


def _cents(config: Obj, key: str) -> float | None:
    value = _of(config, key)
    return grants.number(value.get("val") if isinstance(value, dict) else value)


def _of(place: Json, key: str) -> Json:
    """Return a member by its name, or by the same with underscores."""
    if not isinstance(place, dict):
        return None
    snake = re.sub(r"[A-Z]", lambda found: "_" + found[0].lower(), key)
    return place.get(key, place.get(snake))


# ---- models -------------------------------------------------------------------------------------
def _models(fields: Obj, setting: Setting) -> Talk[list[ModelFound]]:
    own = text_in(fields, "base_url").rstrip("/")
    base = setting.endpoints.get("api") or (own if own != API else "") or API
    url = setting.url("models", base.rstrip("/") + "/models")
    answer: Answer = yield get(url, bearer(text_in(fields, "access_token")))
    if not answer.ok:
        raise grants.refusal(_WHO, answer, setting)
    rows = answer.object().get("data")
    return list(_listed(rows))


def _listed(rows: Json) -> Iterator[ModelFound]:
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and (name := text_in(row, "id")):
            context = grants.number(row.get("context_length") or row.get("max_prompt_length"))
            yield ModelFound(
                name,
                name,
                int(context or 0),
                owned_by=text_in(row, "owned_by") or "xai",
                created=int(grants.number(row.get("created")) or 0),
            )


LOGIN: Final = XAI()

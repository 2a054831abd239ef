"""iFlow logins: an authorization code or a browser's cookie, either of which leads to an API key.

The steps are those of iFlow's own command line client, whose service its vendor has announced to
be closed since 2026-04-17. Calls are made with the key alone.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Final, Literal
from urllib.parse import urlencode

from cliproxy.account.credential import moment, written
from cliproxy.base.json import Json, Obj, text_in
from cliproxy.login import grants
from cliproxy.login.flow import (
    Answer,
    Client,
    LoggedIn,
    ModelFound,
    Problem,
    Setting,
    Talk,
    TokenLogin,
    Unreachable,
    Visit,
    bearer,
    get,
    has_refresh_token,
    new_state,
    post_form,
    post_json,
)

AUTHORIZE: Final = "https://iflow.cn/oauth"
TOKEN: Final = "https://iflow.cn/oauth/token"  # noqa: S105  # an address
PROFILE: Final = "https://iflow.cn/api/oauth/getUserInfo"
KEYS: Final = "https://platform.iflow.cn/api/openapi/apikey"
API: Final = "https://apis.iflow.cn/v1"
CLIENT: Final = "10009311001"
SECRET: Final = "IFLOW_OAUTH_CLIENT_SECRET"  # noqa: S105  # a name
PORT: Final = 11451
PATH: Final = "/oauth2callback"
LASTS: Final = 172800.0
COOKIE_LEAD: Final = 172800.0
"""Seconds before its end that a key got with a cookie is replaced."""
_WHO: Final = "iFlow"
_BXAUTH: Final = re.compile(r"(?:^|[;\s])BXAuth=([^;\s]+)")


class IFlow(TokenLogin):
    """Logins of iFlow."""

    provider: str = "iflow"
    ways: tuple[Literal["browser", "device", "cookie"], ...] = ("browser", "cookie")
    lead: float = 86400.0

    def renewable(self, fields: Obj) -> bool:
        """Look for a refresh token, or for the cookie that a key was got with."""
        return has_refresh_token(fields) or bool(bxauth(text_in(fields, "cookie")))

    def ahead(self, fields: Obj) -> float:
        """Replace keys that a cookie brought earlier: they cannot be replaced once they ended."""
        return self.lead if has_refresh_token(fields) else COOKIE_LEAD

    def login(self, setting: Setting, way: str) -> Talk[LoggedIn]:
        """Log in with a browser, or with `options["cookie"]`."""
        return _with_cookie(setting) if way == "cookie" else _with_browser(setting)

    def refresh(self, fields: Obj, setting: Setting) -> Talk[Obj]:
        """Get new tokens and the key they stand for; or a new key, with the cookie."""
        if has_refresh_token(fields):
            return _renewed(fields, setting)
        return _rekeyed(fields, setting)

    def complete(self, fields: Obj, setting: Setting) -> Talk[Obj] | None:
        """Find the key of a login that has only tokens."""
        token = text_in(fields, "access_token")
        if text_in(fields, "api_key") or not token:
            return None
        return _completed(token, setting)

    def models(self, fields: Obj, setting: Setting) -> Talk[list[ModelFound]] | None:
        """Ask for the models of the key."""
        return _models(fields, setting)


# ---- OAuth --------------------------------------------------------------------------------------
def _client(setting: Setting, fields: Mapping[str, Json] = {}) -> Client:
    secret = setting.client.secret or text_in(fields, "client_secret")
    if not secret:
        raise Problem(
            "refused",
            "iFlow wants the client secret of its command line client, which is not part of this "
            "program. Put it into oauth-clients.iflow.secret in the configuration or into the "
            f"environment variable {SECRET}, or install the official iflow-cli on this machine. "
            "A login by cookie needs none.",
        )
    return Client(setting.client.id or CLIENT, secret)


def _basic(who: Client) -> dict[str, str]:
    return {
        "authorization": "Basic " + base64.b64encode(f"{who.id}:{who.secret}".encode()).decode()
    }


def _with_browser(setting: Setting) -> Talk[LoggedIn]:
    who, state, port = _client(setting), new_state(), setting.redirect_port or PORT
    redirect = f"http://localhost:{port}{PATH}"
    asked = {
        "loginMethod": "phone",
        "type": "phone",
        "redirect": redirect,
        "state": state,
        "client_id": who.id,
    }
    url = f"{setting.url('authorize', AUTHORIZE)}?{urlencode(asked)}"
    back = yield Visit(url, state, port, PATH)
    form = {
        "grant_type": "authorization_code",
        "code": back.code,
        "redirect_uri": redirect,
        "client_id": who.id,
        "client_secret": who.secret,
    }
    answer: Answer = yield post_form(setting.url("token", TOKEN), form, _basic(who))
    told = answer.object()
    if not answer.ok or not text_in(told, "access_token"):
        raise grants.refusal(_WHO, answer, setting)
    key, email = yield from _profile(text_in(told, "access_token"), setting)
    fields: Obj = {"type": "iflow", **_fresh(told, setting), "api_key": key, "email": email}
    stamp = email or str(int(setting.now))
    return LoggedIn(f"iflow-{grants.in_name(stamp)}.json", fields)


def _profile(token: str, setting: Setting) -> Talk[tuple[str, str]]:
    """Return the key that a token stands for, and whose it is."""
    url = f"{setting.url('profile', PROFILE)}?{urlencode({'accessToken': token})}"
    answer: Answer = yield get(url)
    told = answer.object()
    data = told.get("data")
    if not answer.ok or told.get("success") is not True or not isinstance(data, dict):
        if answer.ok and answer.object():
            raise Problem("needs_login", f"iFlow does not tell the account's key{_why(told)}")
        raise grants.refusal(_WHO, answer, setting)
    key = text_in(data, "apiKey")
    if not key:
        raise Problem("needs_login", "iFlow has no API key for this account; log in again.")
    return key, text_in(data, "email", "phone")


def _completed(token: str, setting: Setting) -> Talk[Obj]:
    key, email = yield from _profile(token, setting)
    return {"api_key": key, **({"email": email} if email else {})}


def _renewed(fields: Obj, setting: Setting) -> Talk[Obj]:
    who = _client(setting, fields)
    form = {
        "grant_type": "refresh_token",
        "refresh_token": text_in(fields, "refresh_token"),
        "client_id": who.id,
        "client_secret": who.secret,
    }
    request = post_form(setting.url("token", TOKEN), form, _basic(who))
    told = yield from grants.renewed(_WHO, request, setting)
    changes = _fresh(told, setting)
    try:
        key, _ = yield from _profile(changes["access_token"], setting)
    except (Problem, Unreachable) as err:
        if isinstance(err, Problem) and err.kind in ("needs_login", "revoked"):
            raise
        # The tokens are new and the old ones spent: they must not be lost with the key.
        return changes
    return {**changes, "api_key": key}


def _fresh(told: Obj, setting: Setting) -> Obj:
    access, refresh, ends = grants.fresh(told, setting, LASTS)
    fields: Obj = {
        "access_token": access,
        "token_type": text_in(told, "token_type") or "bearer",
        "last_refresh": written(setting.now),
        "expired": written(ends),
    }
    if refresh:
        fields["refresh_token"] = refresh
    if scope := text_in(told, "scope"):
        fields["scope"] = scope
    return fields


# ---- cookies ------------------------------------------------------------------------------------
def bxauth(cookie: str) -> str:
    """Return the part of a browser's cookie that is the login; "" when it holds none."""
    found = _BXAUTH.search(" ".join(cookie.split()))
    return f"BXAuth={found[1]};" if found else ""


def _with_cookie(setting: Setting) -> Talk[LoggedIn]:
    cookie = bxauth(setting.options.get("cookie", ""))
    if not cookie:
        raise Problem("refused", "The cookie holds no BXAuth=…; copy it from platform.iflow.cn.")
    answer: Answer = yield get(setting.url("keys", KEYS), {"cookie": cookie})
    name = text_in(_key_data(answer, setting), "name")
    if not name:
        raise Problem("refused", "iFlow does not tell the name of the account's key.")
    fields: Obj = {"type": "iflow", "cookie": cookie, "email": name}
    fields |= yield from _new_key(cookie, name, setting)
    safe = re.sub(r"[^A-Za-z0-9_@.-]", "", name.replace("*", "x")).lstrip(".-")[:100]
    return LoggedIn(f"iflow-{safe or 'cookie'}-{int(setting.now)}.json", fields)


def _rekeyed(fields: Obj, setting: Setting) -> Talk[Obj]:
    cookie, name = bxauth(text_in(fields, "cookie")), text_in(fields, "email")
    if not cookie or not name:
        raise Problem("needs_login", "There is neither refresh token nor cookie; log in again.")
    try:
        return (yield from _new_key(cookie, name, setting))
    except Problem as err:
        if err.kind == "refused":
            raise Problem("needs_login", f"{err.message} Log in with a new cookie.") from err
        raise


def _new_key(cookie: str, name: str, setting: Setting) -> Talk[Obj]:
    url = setting.url("keys", KEYS)
    site = "/".join(url.split("/")[:3])
    headers = {"cookie": cookie, "origin": site, "referer": f"{site}/"}
    answer: Answer = yield post_json(url, {"name": name}, headers)
    data = _key_data(answer, setting)
    key, until = text_in(data, "apiKey"), text_in(data, "expireTime")
    if not key or "*" in key:
        raise Problem("refused", "iFlow gave no API key.")
    if moment(until) is None:
        raise Problem("refused", "iFlow does not tell until when the API key is good.")
    return {"api_key": key, "expired": until, "last_refresh": written(setting.now)}


def _key_data(answer: Answer, setting: Setting) -> Obj:
    told = answer.object()
    data = told.get("data")
    if answer.status in (401, 403) or 300 <= answer.status < 400:
        raise Problem("needs_login", "iFlow no longer accepts the cookie; log in again.")
    if answer.ok and told and (told.get("success") is not True or not isinstance(data, dict)):
        raise Problem("refused", f"iFlow does not accept the cookie{_why(told)}")
    if not answer.ok or not isinstance(data, dict):
        raise grants.refusal(_WHO, answer, setting)
    return data


def _why(told: Obj) -> str:
    said = text_in(told, "message", "msg")
    return f": {said[:300]}." if said else "."


# ---- models -------------------------------------------------------------------------------------
def _models(fields: Obj, setting: Setting) -> Talk[list[ModelFound]]:
    base = text_in(fields, "base_url") or setting.endpoints.get("api") or API
    key = text_in(fields, "api_key", "access_token")
    answer: Answer = yield get(setting.url("models", base.rstrip("/") + "/models"), bearer(key))
    if not answer.ok:
        raise grants.refusal(_WHO, answer, setting)
    return list(_listed(answer.object().get("data")))


def _listed(rows: Json) -> Iterator[ModelFound]:
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and (name := text_in(row, "id")):
            created = int(grants.number(row.get("created")) or 0)
            owner = text_in(row, "owned_by") or "iflow"
            yield ModelFound(name, name, owned_by=owner, created=created)


LOGIN: Final = IFlow()

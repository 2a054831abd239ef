"""Logins: begun, watched, ended by a callback from wherever it comes, given up."""

from __future__ import annotations

import contextlib
import hashlib
import re
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from cliproxy import login
from cliproxy.base.json import Obj, text_in
from cliproxy.keeper.logins import CallbackRefused, Logins, Pending
from cliproxy.keeper.pasted import Pasted, read_callback, read_fields
from cliproxy.login.flow import LOGIN_SECONDS, Problem
from cliproxy.manage import shapes
from cliproxy.manage.door import LANDINGS
from cliproxy.manage.web import (
    OK,
    Endpoint,
    Handler,
    StatusFault,
    control_of,
    object_of,
    reply,
)

_STATE: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
STARTS: Final = {
    "anthropic": "claude",
    "claude": "claude",
    "codex": "codex",
    "gemini-cli": "gemini-cli",
    "antigravity": "antigravity",
    "qwen": "qwen",
    "kimi": "kimi",
    "iflow": "iflow",
    "xai": "xai",
}
"""The word in the route → the provider."""
_ALSO: Final = {"i-flow": "iflow"}
_OPTIONS: Final = ("project_id", "alias", "label")


def _start(provider: str) -> Handler:
    async def start(request: Request) -> Response:
        query = request.query_params
        attend = query.get("is_webui", "").strip().lower() in _TRUE
        options = {k: v for k in _OPTIONS if (v := query.get(k, "").strip())}
        way = query.get("way", "").strip()
        pending = await _begun(request, provider, way, options, attend=attend)
        return reply(_started(pending))

    return start


async def _begun(
    request: Request, provider: str, way: str, options: dict[str, str], *, attend: bool
) -> Pending:
    logins = _logins(request)
    try:
        ways: tuple[str, ...] = login.get(provider).ways
    except (KeyError, ImportError):
        raise StatusFault(404, "unsupported provider") from None
    if way and way not in ways:
        raise StatusFault(400, f"{provider} has no such way to log in; use {', '.join(ways)}")
    try:
        return await logins.start(provider, way, options, attend=attend)
    except Problem as err:
        status = 429 if err.kind == "limited" else 502 if err.kind == "network" else 400
        raise StatusFault(status, err.message) from None


def _started(pending: Pending) -> Obj:
    told: Obj = {
        **OK,
        "url": pending.complete or pending.url,
        "state": pending.state,
        "expires_in": int(LOGIN_SECONDS),
    }
    if pending.user_code:
        told |= {"flow": "device", "user_code": pending.user_code}
    if pending.notice:
        told["notice"] = pending.notice
    return told


async def iflow_cookie(request: Request) -> Response:
    """Log in at iFlow by a cookie."""
    body = await object_of(request)
    cookie = text_in(body, "cookie")
    if not cookie:
        raise StatusFault(400, "cookie is required")
    control, logins = control_of(request), _logins(request)
    if (same := _same_cookie(request, cookie)) is not None:
        duplicate = {"status": "error", "error": "duplicate BXAuth found", "existing_file": same}
        return reply(duplicate, 409)
    pending = await _begun(request, "iflow", "cookie", {"cookie": cookie}, attend=False)
    await logins.wait(pending)
    if pending.status != "ok":
        raise StatusFault(400, pending.error or "Failed to exchange token")
    found = control.keeper.find(pending.name) if control.keeper else None
    told: Obj = {**OK, "saved_path": pending.name, "type": "iflow"}
    told["email"] = found.text("email") if found else ""
    told["expired"] = found.text("expired") if found else ""
    return reply(told)


def _same_cookie(request: Request, cookie: str) -> str | None:
    def token(text: str) -> str:
        found = re.search(r"BXAuth=([^;\s]+)", text)
        return hashlib.sha256(found[1].encode("utf-8", "replace")).hexdigest() if found else ""

    keeper, wanted = control_of(request).keeper, token(cookie)
    for credential in keeper.credentials() if keeper and wanted else []:
        if credential.provider == "iflow" and token(credential.text("cookie")) == wanted:
            return credential.name
    return None


async def status(request: Request) -> Response:
    """Tell how a login goes."""
    state = text_in(request.query_params, "state", "session_id")
    if not state:
        return reply(OK)
    if not _sound(state):
        raise StatusFault(400, "invalid state")
    pending = _logins(request).status(state)
    if pending is None:
        return reply({"status": "error", "error": "unknown or expired state"})
    told: Obj = {"status": pending.status, "provider": pending.provider}
    if pending.status == "error":
        told["error"] = pending.error or "Authentication failed"
    if pending.name:
        told["name"] = pending.name
    return reply(told)


async def callback(request: Request) -> Response:
    """Take what a browser brought back, typed or pasted by its person."""
    fields: dict[str, Any] = dict(request.query_params)
    if request.method == "POST":
        try:
            fields = await object_of(request)
        except Exception as err:
            raise StatusFault(400, "invalid body") from err
    if not all(isinstance(v, str | None) for v in fields.values()):
        raise StatusFault(400, "invalid body")
    given = {k: v.strip() for k, v in fields.items() if v}
    heard = _heard(given)
    provider = given.get("provider", "").lower()
    provider = _ALSO.get(provider, provider)
    if provider and login.named(provider) is None:
        raise StatusFault(400, "unsupported provider")
    logins = _logins(request)
    try:
        logins.callback(heard, provider=provider or None)
    except CallbackRefused as err:
        raise _refused(logins, heard.state, err) from None
    return reply(OK)


def _heard(given: dict[str, str]) -> Pasted:
    parts: dict[str, str] = {}
    if url := given.get("redirect_url"):
        pasted = read_callback(url)
        if pasted is None and not given.get("state"):
            raise StatusFault(400, "invalid redirect_url")
        if pasted is not None:
            parts = {"code": pasted.code, "state": pasted.state, "error": pasted.error}
    names = ("code", "state", "error", "error_description")
    parts |= {k: v for k in names if (v := given.get(k))}
    state = parts.get("state", "")
    if not state and "#" not in parts.get("code", ""):
        raise StatusFault(400, "state is required")
    heard = read_fields(parts)
    if state and not _sound(state):
        raise StatusFault(400, "invalid state")
    if heard is None:
        raise StatusFault(400, "code or error is required")
    # A state that was given wins over the one that hangs on the code.
    return Pasted(heard.code, state or heard.state, heard.error)


def _refused(logins: Logins, state: str, err: CallbackRefused) -> StatusFault:
    match err.why:
        case "unknown":
            return StatusFault(404, "unknown or expired state")
        case "provider":
            return StatusFault(400, "provider does not match state")
        case "invalid":
            return StatusFault(400, "state is required")
    pending = logins.status(state)
    if pending is not None and pending.status == "error":
        return StatusFault(409, pending.error or "oauth flow is not pending")
    if pending is not None and pending.status == "ok":
        return StatusFault(409, "oauth flow is already completed")
    return StatusFault(409, "oauth flow is not pending")


async def cancel(request: Request) -> Response:
    """Give a login up."""
    state = text_in(request.query_params, "state", "session_id")
    if not state:
        raise StatusFault(400, "missing state")
    if not _sound(state):
        raise StatusFault(400, "invalid state")
    logins = _logins(request)
    pending = logins.status(state)
    waiting = pending is not None and pending.status == "wait"
    gone = await logins.cancel(state)
    return reply({**OK, "cancelled": waiting and gone})


async def ways(request: Request) -> Response:
    """Tell which providers can be logged in at, and how."""
    found: list[Obj] = []
    routes = {provider: word for word, provider in reversed(STARTS.items())}
    for provider in login.providers():
        try:
            known = list(login.get(provider).ways)
        except ImportError:
            continue
        found.append({"provider": provider, "ways": known, "route": routes.get(provider, "")})
    logins = control_of(request).logins
    waiting = [_waiting(p) for p in logins.waiting()] if logins else []
    return reply({"providers": found, "waiting": waiting})


def _waiting(pending: Pending) -> Obj:
    return {
        "provider": pending.provider,
        "state": pending.state,
        "url": pending.url,
        "user_code": pending.user_code,
        "listening": pending.listening,
    }


async def landing(request: Request) -> Response:
    """Take a callback that a browser was sent to, and say so."""
    provider = LANDINGS[request.url.path.removeprefix(request.scope.get("root_path", ""))]
    heard = read_fields(dict(request.query_params))
    logins = control_of(request).logins
    if heard is not None and _sound(heard.state) and logins is not None:
        # The page says nothing of a refusal: whoever asks may be a stranger.
        with contextlib.suppress(CallbackRefused):
            logins.callback(heard, provider=provider)
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
        "frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return HTMLResponse(_PAGE, 200, headers)


_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>cliproxy</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:30rem;margin:20vh auto;padding:0 1rem}
</style></head><body><h1>Authentication successful</h1>
<p>You can close this window; cliproxy finishes the login.</p></body></html>
"""


def _sound(state: str) -> bool:
    return bool(_STATE.fullmatch(state)) and ".." not in state


def _logins(request: Request) -> Logins:
    logins = control_of(request).logins
    if logins is None:
        raise StatusFault(503, "core auth manager unavailable")
    return logins


_STATE_QUERY: Final = {"state": "What the login was begun with."}
_CALLBACK: Final = shapes.obj(
    {},
    optional=dict.fromkeys(("provider", "redirect_url", "code", "state", "error"), shapes.TEXT),
)
ROUTES: Final = [
    *(
        Endpoint("GET", f"/{word}-auth-url", _start(provider), f"Begin a login at {provider}.",
                 shapes.ref("LoginStarted"),
                 query={"is_webui": "Listen for the browser on this machine.",
                        "way": "browser or device.", "project_id": "The cloud project.",
                        "label": "A name for the account."}, refuses=(404, 429, 502))
        for word, provider in STARTS.items()
    ),
    Endpoint("POST", "/iflow-auth-url", iflow_cookie, "Log in at iFlow by a cookie.",
             shapes.obj({"status": shapes.TEXT, "saved_path": shapes.TEXT, "email": shapes.TEXT,
                         "expired": shapes.TEXT, "type": shapes.TEXT}),
             shapes.obj({"cookie": shapes.TEXT}), refuses=(404, 409, 429, 502)),
    Endpoint("GET", "/get-auth-status", status, "How a login goes.",
             shapes.ref("LoginStatus"), query=_STATE_QUERY),
    Endpoint("GET", "/oauth-callback", callback, "End a login.", shapes.ref("Status"),
             query=dict.fromkeys(("provider", "code", "state", "error", "redirect_url"), ""),
             refuses=(404, 409), open=True),
    Endpoint("POST", "/oauth-callback", callback, "End a login by what was pasted.",
             shapes.ref("Status"), _CALLBACK, refuses=(404, 409), open=True),
    Endpoint("DELETE", "/oauth-session", cancel, "Give a login up.",
             shapes.obj({"status": shapes.TEXT, "cancelled": shapes.FLAG}), query=_STATE_QUERY),
    Endpoint("GET", "/logins", ways, "Where one can log in, and which logins wait.",
             shapes.obj({
                 "providers": shapes.items(shapes.obj(
                     {"provider": shapes.TEXT, "ways": shapes.items(shapes.TEXT),
                      "route": shapes.TEXT})),
                 "waiting": shapes.items(shapes.obj(
                     {"provider": shapes.TEXT, "state": shapes.TEXT, "url": shapes.TEXT,
                      "user_code": shapes.TEXT, "listening": shapes.FLAG})),
             })),
]  # fmt: skip

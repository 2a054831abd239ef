"""Claude: logins with a Claude subscription, and setup tokens.

The protocol is OAuth 2.0 with PKCE (RFC 6749, RFC 7636) as Anthropic's Claude Code documents and
uses it; its OAuth client is public and has no secret. The file is the one that CLIProxyAPI keeps.
"""

from __future__ import annotations

import hashlib
from typing import Final, Literal
from urllib.parse import urlencode

from cliproxy.account.credential import Credential, written
from cliproxy.base.json import Obj
from cliproxy.login.claude import limits
from cliproxy.login.claude.answers import GONE, code_of, profile, said_in, wait_in, who_in
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
    name_part,
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
_NOT_HERE: Final = frozenset({404, 405})
_WAIT: Final = (5.0, 300.0)
"""Least and most seconds that a refusal to refresh is heeded."""


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
            if code_of(answer) == "invalid_scope":
                # It was given for less, at a time when less was asked for.
                answer = yield from _asked({k: asked[k] for k in asked if k != "scope"}, setting)
        except Unreachable as err:
            if err.sent:
                raise Problem("unknown_outcome", str(err)) from err
            raise Problem("network", str(err)) from err
        told = _tokens(answer)
        # Whose it is must not be asked now: until this is written, the new tokens are nowhere.
        changes = {**_kept(told, setting), **{k: v for k, v in who_in(told).items() if v}}
        if not changes.get("refresh_token"):
            changes.pop("refresh_token", None)
        return changes

    def quota(self, fields: Obj, setting: Setting) -> Talk[Report] | None:
        """Ask how much of each window is used. Setup tokens may not."""
        return None if _is_setup(fields) else limits.quota(_token(fields), setting)

    def models(self, fields: Obj, setting: Setting) -> Talk[list[ModelFound]] | None:
        """Ask which models there are."""
        return limits.models(_token(fields), setting)


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
    who = who_in(told)
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
    return LoggedIn(f"claude-{name_part(name)}.json", fields)


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
    return LoggedIn(f"claude-setup-{name_part(str(who))}.json", fields)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()[:8]


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
    code, said = code_of(answer), said_in(answer)
    because = f": {said}" if said else "."
    if answer.status == 429 or code == "rate_limit_error":
        wait = min(max(wait_in(answer) or 0.0, _WAIT[0]), _WAIT[1])
        raise Problem("limited", f"Anthropic asks to wait{because}", retry_after=wait)
    if code == "access_denied":
        raise Problem("cancelled", f"Access was denied{because}")
    if code in ("invalid_client", "unauthorized_client"):
        raise Problem("refused", f"Anthropic does not accept the OAuth client{because}")
    if answer.status in (400, 401) or code == "invalid_grant":
        if login:
            raise Problem("refused", f"Anthropic does not accept the code; log in again{because}")
        kind: Kind = "revoked" if GONE.search(said) else "needs_login"
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


LOGIN: Final = Claude()

"""Qwen Code logins: a device code with PKCE, as Qwen Code's own documentation and source have it.

The vendor ended the free tier of these logins on 2026-04-15. The service may still let people log
in, and refuses their calls afterwards; what is kept here serves accounts that are paid for.
"""

from __future__ import annotations

from typing import Final, Literal

from cliproxy.account.credential import written
from cliproxy.base.http import is_sealed
from cliproxy.base.json import Obj, text_in
from cliproxy.login import grants
from cliproxy.login.flow import (
    LoggedIn,
    Problem,
    Setting,
    Talk,
    TokenLogin,
    new_pkce,
    post_form,
)

HOST: Final = "https://chat.qwen.ai"
DEVICE: Final = f"{HOST}/api/v1/oauth2/device/code"
TOKEN: Final = f"{HOST}/api/v1/oauth2/token"  # an address
CLIENT: Final = "f0304373b74a44d2b584a3fb70ca9e56"
SCOPE: Final = "openid profile email model.completion"
LASTS: Final = 21600.0
ENDED: Final = (
    "Qwen ended the free tier of these logins on 2026-04-15: a login may succeed and its calls be "
    "refused all the same. A Model Studio (DashScope) key goes into openai-compatibility."
)
_WHO: Final = "Qwen"
_PACE: Final = grants.Pace(factor=1.5, added=0.0, most=10.0, total=300.0)


class Qwen(TokenLogin):
    """Logins of Qwen Code."""

    provider: str = "qwen"
    ways: tuple[Literal["browser", "device", "cookie"], ...] = ("device",)
    lead: float = 10800.0

    def login(self, setting: Setting, way: str) -> Talk[LoggedIn]:
        """Log in with a device code. Nothing tells whose login it is: `options` may name it."""
        verifier, challenge = new_pkce(32)
        client = setting.client.id or CLIENT
        asked = {
            "client_id": client,
            "scope": SCOPE,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        code = yield from grants.device(
            _WHO, post_form(setting.url("device", DEVICE), asked), setting
        )
        poll = post_form(
            setting.url("token", TOKEN),
            {
                "grant_type": grants.DEVICE,
                "client_id": client,
                "device_code": code.code,
                "code_verifier": verifier,
            },
        )
        told = yield from grants.confirmed(_WHO, code, poll, setting, _PACE)
        if not text_in(told, "refresh_token"):
            raise Problem("refused", "Qwen gave no refresh token; log in again.")
        named = setting.options.get("email") or setting.options.get("alias") or ""
        email = named.strip() or str(int(setting.now * 1000))
        fields: Obj = {"type": "qwen", **_fresh(told, setting), "email": email}
        return LoggedIn(f"qwen-{grants.in_name(email) or 'login'}.json", fields)

    def refresh(self, fields: Obj, setting: Setting) -> Talk[Obj]:
        """Get a new access token; the refresh token is exchanged as well."""
        spent = text_in(fields, "refresh_token")
        if not spent:
            raise Problem("needs_login", "There is no refresh token; log in again.")
        asked = {
            "grant_type": "refresh_token",
            "refresh_token": spent,
            "client_id": setting.client.id or CLIENT,
        }
        request = post_form(setting.url("token", TOKEN), asked)
        try:
            told = yield from grants.renewed(_WHO, request, setting)
        except Problem as err:
            if err.kind in ("needs_login", "revoked"):
                raise Problem(err.kind, f"{err.message} {ENDED}") from err
            raise
        return _fresh(told, setting)


def _fresh(told: Obj, setting: Setting) -> Obj:
    access, refresh, ends = grants.fresh(told, setting, LASTS)
    fields: Obj = {
        "access_token": access,
        "last_refresh": written(setting.now),
        "expired": written(ends),
    }
    if refresh:
        fields["refresh_token"] = refresh
    host = text_in(told, "resource_url")
    if host and is_sealed(host if "://" in host else f"https://{host}"):
        fields["resource_url"] = host
    return fields


LOGIN: Final = Qwen()

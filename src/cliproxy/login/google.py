"""What logins with a Google account share: OAuth for installed apps, and Code Assist's projects.

The protocol is that of Google's documentation "OAuth 2.0 for iOS & Desktop Apps"; what stands
behind `/v1internal` is public in the source of Google's Gemini CLI.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from msgspec import Struct

from cliproxy.account.credential import claims, moment
from cliproxy.base.json import Obj
from cliproxy.login.flow import (
    Answer,
    Client,
    Kind,
    Problem,
    Setting,
    Talk,
    Visit,
    Window,
    bearer,
    get,
    new_pkce,
    new_state,
    post_form,
    post_json,
)

AUTHORIZE: Final = "https://accounts.google.com/o/oauth2/v2/auth"
TOKEN: Final = "https://oauth2.googleapis.com/token"  # noqa: S105  # an address
PROFILE: Final = "https://www.googleapis.com/oauth2/v2/userinfo?alt=json"
CODE_ASSIST: Final = "https://cloudcode-pa.googleapis.com"
CLOUD: Final = "https://www.googleapis.com/auth/cloud-platform"
SCOPES: Final = (
    CLOUD,
    "https://www.googleapis.com/auth/userinfo.email",
    "https://www.googleapis.com/auth/userinfo.profile",
)
LASTS: Final = 3599.0
"""Seconds a token is good for when Google does not say."""


class App(Struct, frozen=True):
    """An installed app that is registered with Google."""

    provider: str
    """As in the configuration."""
    title: str
    client_id: str
    secret_variable: str
    """The environment variable that may hold its secret."""
    scopes: tuple[str, ...]
    port: int
    path: str


# ---- OAuth --------------------------------------------------------------------------------------
def client_of(app: App, setting: Setting, fields: Mapping[str, Any] = {}) -> Client:
    """Return the OAuth client to be. A refresh token is good only with the client that got it.

    Raises `Problem` when nobody has told its secret.
    """
    usual = setting.client.id or app.client_id
    own = _told(fields, "client_id") or usual
    secret = setting.client.secret if own == usual else ""
    secret = secret or _told(fields, "client_secret")
    if not secret:
        raise Problem(
            "refused",
            f"Google wants the client secret of {app.title}, which is not part of this program. "
            f"Put it into oauth-clients.{app.provider}.secret in the configuration or into the "
            f"environment variable {app.secret_variable}, or install {app.title} on this machine.",
        )
    return Client(own, secret)


def _told(fields: Mapping[str, Any], key: str) -> str:
    for place in (fields.get("token"), fields):
        value = place.get(key) if isinstance(place, Mapping) else None
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""


def authorized(app: App, setting: Setting, *, page: str = "") -> Talk[Obj]:
    """Let the person agree; return what the token endpoint says.

    `page`: an address of the vendor's that shows the code for copying; otherwise the browser
    brings it to this machine.
    """
    who = client_of(app, setting)
    verifier, challenge = new_pkce()
    state = new_state()
    port = 0 if page else setting.redirect_port or app.port
    redirect = page or f"http://localhost:{port}{app.path}"
    asked = {
        "client_id": who.id,
        "response_type": "code",
        "redirect_uri": redirect,
        "scope": " ".join(app.scopes),
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "access_type": "offline",
        # Without it Google gives a refresh token only the first time.
        "prompt": "consent",
    }
    url = f"{setting.url('authorize', AUTHORIZE)}?{urlencode(asked)}"
    back = yield Visit(url, state, port, "" if page else app.path)
    answer = yield post_form(
        setting.url("token", TOKEN),
        {
            "grant_type": "authorization_code",
            "code": back.code,
            "redirect_uri": redirect,
            "client_id": who.id,
            "client_secret": who.secret,
            "code_verifier": verifier,
        },
    )
    told = tokens(answer, app)
    scope = told.get("scope")
    if isinstance(scope, str) and CLOUD not in scope.split():
        raise Problem(
            "refused", "The permission to use Google Cloud was not given; log in again and tick it."
        )
    if not told.get("refresh_token"):
        raise Problem("refused", "Google gave no refresh token; log in again.")
    return told


def renewed(app: App, fields: Obj, setting: Setting) -> Talk[Obj]:
    """Return what the token endpoint says to a refresh. Google's refresh tokens do not rotate."""
    spent = _told(fields, "refresh_token")
    if not spent:
        raise Problem("needs_login", "There is no refresh token; log in again.")
    who = client_of(app, setting, fields)
    answer = yield post_form(
        setting.url("token", TOKEN),
        {
            "grant_type": "refresh_token",
            "refresh_token": spent,
            "client_id": who.id,
            "client_secret": who.secret,
        },
    )
    return tokens(answer, app)


def tokens(answer: Answer, app: App | None = None) -> Obj:
    """Read an answer of the token endpoint. Raises `Problem`."""
    told = answer.object()
    if answer.ok and isinstance(told.get("access_token"), str) and told["access_token"]:
        return told
    error = told.get("error")
    said = told.get("error_description")
    because = f": {said}" if isinstance(said, str) and said else "."
    match error:
        case "invalid_grant":
            gone = re.search(r"disabled|deleted", because, re.IGNORECASE)
            kind: Kind = "revoked" if gone else "needs_login"
            raise Problem(kind, f"Google no longer accepts the login{because}")
        case "invalid_client" | "unauthorized_client" | "deleted_client" | "disabled_client":
            where = f" Look at oauth-clients.{app.provider} in the configuration." if app else ""
            raise Problem("refused", f"Google does not accept the OAuth client{because}{where}")
        case "access_denied":
            raise Problem("cancelled", f"Access was denied{because}")
        case _:
            pass
    if answer.status == 429 or error in ("rate_limit_exceeded", "slow_down"):
        raise Problem("limited", f"Google asks to wait{because}", retry_after=_wait(answer))
    if isinstance(error, str) and 400 <= answer.status < 500:
        raise Problem("refused", f"Google refuses ({error}){because}")
    raise Problem("network", f"Google's token endpoint answered with status {answer.status}.")


def lasts(told: Obj) -> float:
    """Return for how many seconds a new access token is good."""
    seconds = told.get("expires_in")
    if isinstance(seconds, str) and seconds.isdigit():
        seconds = int(seconds)
    good = isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds > 0
    return float(seconds) if good else LASTS  # type: ignore[arg-type]


def email_of(told: Obj, setting: Setting) -> Talk[str]:
    """Return whose login it is."""
    known = claims(told["id_token"]).get("email") if isinstance(told.get("id_token"), str) else ""
    if isinstance(known, str) and known:
        return known
    answer = yield get(setting.url("profile", PROFILE), bearer(told["access_token"]))
    if not answer.ok:
        raise problem(answer, "Google does not say whose login it is")
    email = answer.object().get("email")
    if not isinstance(email, str) or not email:
        raise Problem("refused", "Google does not say whose login it is.")
    return email


# ---- Google's APIs ------------------------------------------------------------------------------
def asked(url: str, body: Obj, token: str, what: str) -> Talk[Obj]:
    """Post JSON; return the answer's object. Raises `Problem`, which begins with `what`."""
    answer = yield post_json(url, body, bearer(token))
    if not answer.ok:
        raise problem(answer, what)
    told: Obj = answer.object()
    return told


def error_in(answer: Answer) -> Obj:
    """Return the error object of an answer; {} when it holds none."""
    error = answer.object().get("error")
    return error if isinstance(error, dict) else {}


def reason_in(error: Obj) -> str:
    """Return the machine-readable reason of an error."""
    for detail in _details(error):
        if isinstance(detail.get("reason"), str):
            return str(detail["reason"])
    return ""


def link_in(error: Obj) -> str:
    """Return the page that an error asks the person to open; "" = none."""
    found: list[object] = []
    for detail in _details(error):
        metadata = detail.get("metadata")
        if isinstance(metadata, dict):
            found.append(metadata.get("validation_link") or metadata.get("validationLink"))
    for detail in _details(error):
        links = detail.get("links")
        if isinstance(links, list):
            found += [link.get("url") for link in links if isinstance(link, dict)]
    return next((x for x in found if isinstance(x, str) and x.startswith("https://")), "")


def _details(error: Obj) -> list[Obj]:
    details = error.get("details")
    return [d for d in details if isinstance(d, dict)] if isinstance(details, list) else []


def problem(answer: Answer, what: str) -> Problem:
    """Tell what a refusal means."""
    error = error_in(answer)
    said = error.get("message")
    because = f"{what}: {said}" if isinstance(said, str) and said else f"{what}."
    if reason_in(error) == "VALIDATION_REQUIRED":
        link = link_in(error)
        where = f" Open {link} and try again." if link else ""
        return Problem("refused", f"Google wants the account to be verified first.{where}")
    match answer.status:
        case 401:
            return Problem("needs_login", because)
        case 403 if "violation of terms of service" in because.lower():
            return Problem("revoked", because)
        case 429:
            return Problem("limited", because, retry_after=_wait(answer))
        case 408 | 499:
            return Problem("network", because)
        case status if status >= 500:
            return Problem("network", because)
        case _:
            return Problem("refused", because)


_SECONDS: Final = re.compile(r"(\d+(?:\.\d+)?)s")


def _wait(answer: Answer) -> float | None:
    header = answer.headers.get("retry-after", "")
    if header.isdigit():
        return float(header)
    for detail in _details(error_in(answer)):
        found = _SECONDS.fullmatch(str(detail.get("retryDelay")))
        if found:
            return float(found[1])
    return None


# ---- Code Assist --------------------------------------------------------------------------------
def project_in(told: Obj) -> str:
    """Return the project an answer names, in any of the forms in which it is named."""
    for key in ("cloudaicompanionProject", "projectId", "project"):
        value = told.get(key)
        value = value.get("id") if isinstance(value, dict) else value
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""


def default_tier(loaded: Obj) -> Obj | None:
    """Return the tier that a new user gets; None = nothing is said about it."""
    allowed = loaded.get("allowedTiers")
    for tier in allowed if isinstance(allowed, list) else ():
        if isinstance(tier, dict) and tier.get("isDefault") is True:
            return tier
    return None


def refusals(loaded: Obj) -> str:
    """Return in words why an account may not use Code Assist; "" = nothing is said."""
    told = loaded.get("ineligibleTiers")
    rows = [t for t in told if isinstance(t, dict)] if isinstance(told, list) else []
    texts = [str(t.get("reasonMessage") or t.get("reasonCode") or "") for t in rows]
    links = [t["validationUrl"] for t in rows if isinstance(t.get("validationUrl"), str)]
    words = " ".join(dict.fromkeys(t for t in texts if t))
    return " ".join([words, *(f"Open {u} and try again." for u in links[:1])]).strip()


def subscription(loaded: Obj) -> tuple[str, Obj]:
    """Return the plan's name and the credits, as `loadCodeAssist` tells them."""
    credit: Obj = {}
    plan = ""
    for key in ("paidTier", "currentTier"):
        tier = loaded.get(key)
        if not isinstance(tier, dict):
            continue
        plan = plan or str(tier.get("name") or tier.get("id") or "")
        rows = tier.get("availableCredits")
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict) and isinstance(row.get("creditType"), str):
                credit.setdefault(
                    row["creditType"], {k: v for k, v in row.items() if v is not None}
                )
    return plan, credit


def fraction(value: object) -> float | None:
    """Read a share, 0 to 1, written as a number or as `n%`."""
    if isinstance(value, str):
        text = value.strip()
        share = text.endswith("%")
        try:
            number = float(text.removesuffix("%")) / (100 if share else 1)
        except ValueError:
            return None
    elif isinstance(value, bool) or not isinstance(value, int | float):
        return None
    else:
        number = float(value)
    return min(1.0, max(0.0, number)) if number == number else None  # noqa: PLR0124  # not NaN


def window(
    name: str,
    label: str,
    told: Obj,
    *,
    models: tuple[str, ...] = (),
    period: float | None = None,
) -> Window | None:
    """Read one limit; None when nothing is said about it."""
    left = fraction(told.get("remainingFraction", told.get("remaining_fraction")))
    reset = moment(told.get("resetTime", told.get("reset_time")))
    if left is None:
        if reset is None:
            return None
        # A number that is zero is left out.
        left = 0.0
    amount = told.get("remainingAmount", told.get("remaining_amount"))
    try:
        remaining = float(amount) if isinstance(amount, str | int | float) else None
    except ValueError:
        remaining = None
    return Window(
        id=name,
        label=label,
        used_percent=round((1.0 - left) * 100, 2),
        remaining=remaining,
        reset_at=reset,
        period_seconds=period,
        models=models,
    )

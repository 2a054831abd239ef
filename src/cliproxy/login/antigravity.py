"""Antigravity: a Google login for the service behind Google's editor of that name.

OAuth is Google's own for installed apps; the file is the one that CLIProxyAPI keeps.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal

from cliproxy.account.credential import written
from cliproxy.base.json import Json, Obj, text_in
from cliproxy.login import google
from cliproxy.login.flow import (
    LoggedIn,
    ModelFound,
    Problem,
    Report,
    Setting,
    Talk,
    TokenLogin,
    Unreachable,
    Wait,
    Window,
    name_part,
)

APP: Final = google.App(
    provider="antigravity",
    title="Antigravity",
    client_id="1071006060591-tmhssin2h21lcre235vtolojh4g403ep.apps.googleusercontent.com",
    secret_variable="ANTIGRAVITY_OAUTH_CLIENT_SECRET",  # noqa: S106  # a name
    scopes=(
        *google.SCOPES,
        "https://www.googleapis.com/auth/cclog",
        "https://www.googleapis.com/auth/experimentsandconfigs",
    ),
    port=51121,
    path="/oauth-callback",
)
DAILY: Final = "https://daily-cloudcode-pa.googleapis.com"
SANDBOX: Final = "https://daily-cloudcode-pa.sandbox.googleapis.com"
_TRIES: Final = 5
_PAUSE: Final = 2.0
_NOT_TOLD: Final = "Antigravity does not say what is left"


class Antigravity(TokenLogin):
    """Logins of Antigravity."""

    provider: str = "antigravity"
    ways: tuple[Literal["browser", "device", "cookie"], ...] = ("browser",)
    lead: float = 300.0

    def login(self, setting: Setting, way: str) -> Talk[LoggedIn]:
        """Log in with a browser and find the project."""
        told = yield from google.authorized(APP, setting)
        email = yield from google.email_of(told, setting)
        try:
            project = yield from _project({}, told["access_token"], setting)
        except (Problem, Unreachable) as err:
            if isinstance(err, Problem) and err.kind not in ("network", "limited"):
                raise
            # The login is good; the project is looked for again before the first call.
            project = ""
        fields: Obj = {
            "type": "antigravity",
            **_fresh(told, setting),
            "refresh_token": told["refresh_token"],
            "email": email,
            "project_id": project,
        }
        return LoggedIn(f"antigravity-{name_part(email)}.json", fields)

    def refresh(self, fields: Obj, setting: Setting) -> Talk[Obj]:
        """Get a new access token."""
        told = yield from google.renewed(APP, fields, setting)
        return _fresh(told, setting)

    def complete(self, fields: Obj, setting: Setting) -> Talk[Obj] | None:
        """Find the project, when the file names none."""
        return None if text_in(fields, "project_id") else _completed(fields, setting)

    def quota(self, fields: Obj, setting: Setting) -> Talk[Report] | None:
        """Ask what is left of each group of models."""
        return _quota(fields, setting)

    def models(self, fields: Obj, setting: Setting) -> Talk[list[ModelFound]] | None:
        """Ask for the account's models."""
        return _models(fields, setting)


def _fresh(told: Obj, setting: Setting) -> Obj:
    seconds = google.lasts(told)
    fresh: Obj = {
        "access_token": told["access_token"],
        "expires_in": int(seconds),
        "timestamp": int(setting.now * 1000),
        "expired": written(setting.now + seconds),
    }
    if told.get("refresh_token"):
        fresh["refresh_token"] = told["refresh_token"]
    return fresh


def _bases(fields: Obj, setting: Setting, *usual: str) -> list[str]:
    """Return the hosts to ask in turn; an owner's stands for all of them."""
    own = text_in(fields, "base_url") or setting.endpoints.get("api", "")
    return [own.rstrip("/")] if own else list(usual)


# ---- the project --------------------------------------------------------------------------------
def _completed(fields: Obj, setting: Setting) -> Talk[Obj]:
    project = yield from _project(fields, text_in(fields, "access_token"), setting)
    return {"project_id": project}


def _load(fields: Obj, token: str, setting: Setting) -> Talk[Obj]:
    base = _bases(fields, setting, google.CODE_ASSIST)[0]
    # The type selects the product whose account is asked about.
    body: Obj = {"metadata": {"ideType": "ANTIGRAVITY"}}
    what = "Antigravity does not say how the account stands"
    loaded: Obj = yield from google.asked(f"{base}/v1internal:loadCodeAssist", body, token, what)
    return loaded


def _project(fields: Obj, token: str, setting: Setting) -> Talk[str]:
    loaded = yield from _load(fields, token, setting)
    if project := google.project_in(loaded):
        return project
    default, current = google.default_tier(loaded), loaded.get("currentTier")
    why = google.refusals(loaded)
    if default is None and not isinstance(current, dict) and why:
        raise Problem("refused", f"Google does not let this account use Antigravity: {why}")
    tier = default or (current if isinstance(current, dict) else {})
    body: Obj = {
        "tier_id": str(tier.get("id") or "free-tier"),
        "metadata": {"ide_type": "ANTIGRAVITY"},
    }
    base = _bases(fields, setting, DAILY)[0]
    for number in range(_TRIES):
        if number:
            yield Wait(_PAUSE)
        work = yield from google.asked(
            f"{base}/v1internal:onboardUser", body, token, "Antigravity does not take the account"
        )
        if isinstance(error := work.get("error"), dict):
            raise Problem(
                "refused", f"Antigravity does not take the account: {error.get('message')}"
            )
        if work.get("done") is True:
            done = work.get("response")
            if isinstance(done, dict) and (project := google.project_in(done)):
                return project
            raise Problem(
                "refused", f"Antigravity provides no project for this account. {why}".strip()
            )
    raise Problem("network", "Antigravity is still setting up the account; try again later.")


# ---- what is left -------------------------------------------------------------------------------
def _asked(
    method: str, fields: Obj, setting: Setting, usual: tuple[str, ...], what: str
) -> Talk[Obj]:
    """Ask one host after another."""
    project = text_in(fields, "project_id")
    body: Obj = {"project": project} if project else {}
    failure: Problem | Unreachable | None = None
    for base in _bases(fields, setting, *usual):
        try:
            told: Obj = yield from google.asked(
                f"{base}/v1internal:{method}", body, text_in(fields, "access_token"), what
            )
        except (Problem, Unreachable) as err:
            if isinstance(err, Problem) and err.kind == "needs_login":
                raise
            failure = failure or err
        else:
            return told
    assert failure is not None
    raise failure


def _quota(fields: Obj, setting: Setting) -> Talk[Report]:
    hosts = (DAILY, SANDBOX, google.CODE_ASSIST)
    try:
        told = yield from _asked("retrieveUserQuotaSummary", fields, setting, hosts, _NOT_TOLD)
        windows = list(_groups(told))
    except (Problem, Unreachable) as err:
        if isinstance(err, Problem) and err.kind == "needs_login":
            raise
        windows = []
    if not windows:
        told = yield from _available(fields, setting, _NOT_TOLD)
        windows = list(_each(told))
    try:
        loaded = yield from _load(fields, text_in(fields, "access_token"), setting)
    except (Problem, Unreachable):
        return Report(windows=tuple(windows))
    plan, credit = google.subscription(loaded)
    return Report(plan=plan, windows=tuple(windows), credits=credit)


_PERIOD: Final = re.compile(r"(\d+)\s*([mhdw])\w*", re.IGNORECASE)
_UNITS: Final = {"m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PERIODS: Final = {"hourly": 3600.0, "daily": 86400.0, "weekly": 604800.0, "monthly": 2592000.0}


def _period(word: str) -> float | None:
    found = _PERIOD.fullmatch(word.strip())
    return int(found[1]) * _UNITS[found[2].lower()] if found else _PERIODS.get(word.lower())


def _either(told: Obj, *keys: str) -> Json:
    return next((told[key] for key in keys if told.get(key) is not None), None)


def _rows(value: Json) -> list[Obj]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _groups(told: Obj) -> Iterator[Window]:
    for number, group in enumerate(_rows(told.get("groups"))):
        title = str(_either(group, "displayName", "display_name") or f"Group {number + 1}")
        for bucket in _rows(group.get("buckets")):
            span = str(bucket.get("window") or "")
            label = str(_either(bucket, "displayName", "display_name") or span)
            name = str(_either(bucket, "bucketId", "bucket_id") or f"{title}:{span}")
            one = google.window(
                name, f"{title}: {label}" if label else title, bucket, period=_period(span)
            )
            if one is not None:
                yield one


def _available(fields: Obj, setting: Setting, what: str) -> Talk[Obj]:
    hosts = (DAILY, google.CODE_ASSIST)
    return (yield from _asked("fetchAvailableModels", fields, setting, hosts, what))


def _listed(told: Obj) -> Iterator[tuple[str, Obj]]:
    models = told.get("models")
    for name, row in (models if isinstance(models, dict) else {}).items():
        if isinstance(row, dict):
            yield name, row


def _each(told: Obj) -> Iterator[Window]:
    for name, row in _listed(told):
        left = _either(row, "quotaInfo", "quota_info")
        label = str(_either(row, "displayName", "display_name") or name)
        if isinstance(left, dict) and (one := google.window(name, label, left, models=(name,))):
            yield one


def _models(fields: Obj, setting: Setting) -> Talk[list[ModelFound]]:
    told = yield from _available(fields, setting, "Antigravity does not list its models")
    return [
        ModelFound(
            name,
            display_name=str(_either(row, "displayName", "display_name") or ""),
            context_length=_number(_either(row, "maxTokens", "max_tokens")),
            max_output_tokens=_number(_either(row, "maxOutputTokens", "max_output_tokens")),
            owned_by=_owner(row),
        )
        for name, row in _listed(told)
    ]


def _number(value: Json) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _owner(row: Obj) -> str:
    told = str(_either(row, "modelProvider", "model_provider") or "")
    return told.removeprefix("MODEL_PROVIDER_").lower()


LOGIN: Final = Antigravity()

"""Gemini CLI: a Google login whose requests are made in a Google Cloud project (Code Assist).

Protocol and project discovery are those of Google's Gemini CLI, whose source is public; the file
is the one that CLIProxyAPI 6 keeps.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Literal
from urllib.parse import quote

from cliproxy.account.credential import written
from cliproxy.base.json import Obj
from cliproxy.login import google
from cliproxy.login.flow import (
    LoggedIn,
    Problem,
    Report,
    Setting,
    Talk,
    TokenLogin,
    Unreachable,
    Wait,
    Window,
    bearer,
    get,
    name_part,
    post_json,
)

APP: Final = google.App(
    provider="gemini-cli",
    title="Gemini CLI",
    client_id="681255809395-oo8ft2oprdrnp9e3aqf6av3hmdib135j.apps.googleusercontent.com",
    secret_variable="GEMINI_OAUTH_CLIENT_SECRET",  # noqa: S106  # a name
    scopes=google.SCOPES,
    port=8085,
    path="/oauth2callback",
)
PAGE: Final = "https://codeassist.google.com/authcode"
"""Shows the code to whoever logs in from a machine without a browser."""
PROJECTS: Final = "https://cloudresourcemanager.googleapis.com/v1/projects"
SERVICES: Final = "https://serviceusage.googleapis.com/v1"
_API: Final = "cloudaicompanion.googleapis.com"
_POLLS: Final = 24
_PAUSE: Final = 5.0
_FREE: Final = "free-tier"
_LEGACY: Final = "legacy-tier"

_GROUPS: Final = (
    ("flash-lite", "Flash-Lite", re.compile(r"flash-lite")),
    ("flash", "Flash", re.compile(r"flash")),
    ("pro", "Pro", re.compile(r"-pro")),
)
"""Models that draw on one limit."""


class NoProject(Problem):
    """The account's tier wants a project of its owner's."""

    def __init__(self, why: str = "") -> None:
        text = "This account needs a Google Cloud project: name one as project_id."
        super().__init__("refused", f"{text} {why}".strip())


class GeminiCli(TokenLogin):
    """Logins of Gemini CLI."""

    provider: str = "gemini-cli"
    ways: tuple[Literal["browser", "device", "cookie"], ...] = ("browser",)
    lead: float = 0.0

    def login(self, setting: Setting, way: str) -> Talk[LoggedIn]:
        """Log in with a browser and find the projects.

        Options: `project_id` (an id, several with commas, `ALL`, or `GOOGLE_ONE` for the one that
        Google provides), `paste` (the vendor's page shows the code instead of a redirect).
        """
        told = yield from google.authorized(
            APP, setting, page=PAGE if setting.options.get("paste") else ""
        )
        token: str = told["access_token"]
        email = yield from google.email_of(told, setting)
        wanted = setting.options.get("project_id", "").strip()
        projects, auto = yield from _projects(wanted, token, setting)
        name = projects[0] if len(projects) == 1 and wanted.upper() != "ALL" else "all"
        scopes = told.get("scope")
        fields: Obj = {
            "type": "gemini",
            "email": email,
            "project_id": ",".join(projects),
            "auto": auto,
            "checked": True,
            "token": {
                "access_token": token,
                "token_type": told.get("token_type") or "Bearer",
                "refresh_token": told["refresh_token"],
                "expiry": written(setting.now + google.lasts(told)),
                "token_uri": google.TOKEN,
                "client_id": google.client_of(APP, setting).id,
                "scopes": scopes.split() if isinstance(scopes, str) else list(APP.scopes),
                "universe_domain": "googleapis.com",
            },
        }
        return LoggedIn(f"gemini-{name_part(email)}-{name_part(name)}.json", fields)

    def refresh(self, fields: Obj, setting: Setting) -> Talk[Obj]:
        """Get a new access token."""
        told = yield from google.renewed(APP, fields, setting)
        fresh: Obj = {
            "access_token": told["access_token"],
            "token_type": told.get("token_type") or "Bearer",
            "expiry": written(setting.now + google.lasts(told)),
        }
        if told.get("refresh_token"):
            fresh["refresh_token"] = told["refresh_token"]
        nested = fields.get("token")
        if not isinstance(nested, dict):
            return fresh
        # Some programs keep a second copy at the top; an old one there would be believed.
        copies = {k: v for k, v in fresh.items() if k in fields}
        return {**copies, "token": {**nested, **fresh}}

    def complete(self, fields: Obj, setting: Setting) -> Talk[Obj] | None:
        """Find a project, when the file names none."""
        return None if _named(fields) else _completed(fields, setting)

    def quota(self, fields: Obj, setting: Setting) -> Talk[Report] | None:
        """Ask what is left of each group of models, in each project."""
        return _quota(fields, setting)


def _named(fields: Obj) -> list[str]:
    """Return the projects that a file names."""
    value = fields.get("project_id")
    return [p.strip() for p in value.split(",") if p.strip()] if isinstance(value, str) else []


def _token(fields: Obj) -> str:
    nested = fields.get("token")
    for place in (nested, fields):
        if isinstance(place, dict) and isinstance(place.get("access_token"), str):
            return str(place["access_token"])
    return ""


def _completed(fields: Obj, setting: Setting) -> Talk[Obj]:
    wanted = setting.options.get("project_id", "").strip()
    projects, auto = yield from _projects(wanted, _token(fields), setting)
    return {"project_id": ",".join(projects), "auto": auto, "checked": True}


# ---- projects -----------------------------------------------------------------------------------
def _projects(wanted: str, token: str, setting: Setting) -> Talk[tuple[list[str], bool]]:
    """Return the projects to use, made ready, and whether we have chosen them."""
    match wanted.upper():
        case "ALL":
            return (yield from _all(token, setting)), False
        case "GOOGLE_ONE":
            project = yield from _ready("", token, setting)
            return [project], False
        case "":
            pass
        case _:
            found = []
            for one in dict.fromkeys(p.strip() for p in wanted.split(",") if p.strip()):
                project = yield from _ready(one, token, setting)
                found.append(project)
            return list(dict.fromkeys(found)), False
    try:
        project = yield from _ready("", token, setting)
    except NoProject as none:
        listed = yield from _listed(token, setting)
        if not listed:
            raise none from None
        project = yield from _ready(listed[0], token, setting)
    return [project], True


def _all(token: str, setting: Setting) -> Talk[list[str]]:
    """Make every project ready that can be."""
    failure: Problem | None = None
    found = []
    for one in (yield from _listed(token, setting)):
        try:
            found.append((yield from _ready(one, token, setting)))
        except Problem as err:
            if err.kind != "refused":
                raise
            failure = err
    if not found:
        raise failure or NoProject()
    return list(dict.fromkeys(found))


def _listed(token: str, setting: Setting) -> Talk[list[str]]:
    answer = yield get(setting.url("projects", PROJECTS), bearer(token))
    if not answer.ok:
        raise google.problem(answer, "The Google Cloud projects cannot be listed")
    rows = answer.object().get("projects")
    return [
        row["projectId"]
        for row in (rows if isinstance(rows, list) else ())
        if isinstance(row, dict)
        and isinstance(row.get("projectId"), str)
        and row.get("lifecycleState", "ACTIVE") == "ACTIVE"
    ]


def _about(project: str) -> Obj:
    metadata: Obj = {
        "ideType": "IDE_UNSPECIFIED",
        "platform": "PLATFORM_UNSPECIFIED",
        "pluginType": "GEMINI",
    }
    if not project:
        return {"metadata": metadata}
    return {"cloudaicompanionProject": project, "metadata": {**metadata, "duetProject": project}}


def _load(project: str, token: str, setting: Setting) -> Talk[Obj]:
    """Ask how the account stands with Code Assist."""
    url = setting.api(google.CODE_ASSIST, "/v1internal:loadCodeAssist")
    answer = yield post_json(url, _about(project), bearer(token))
    if answer.ok:
        loaded: Obj = answer.object()
        return loaded
    if google.reason_in(google.error_in(answer)) == "SECURITY_POLICY_VIOLATED":
        # Inside a service perimeter the question is not answered; such accounts are paid for.
        return {"currentTier": {"id": "standard-tier"}}
    raise google.problem(answer, "Code Assist does not say how the account stands")


def _ready(wanted: str, token: str, setting: Setting) -> Talk[str]:
    """Make a project ready, "" = the one that Google provides. Return the one to use."""
    if wanted.isdigit():
        raise Problem("refused", f"{wanted} is a project's number; its id is wanted.")
    loaded = yield from _load(wanted, token, setting)
    current, why = loaded.get("currentTier"), google.refusals(loaded)
    if isinstance(current, dict):
        tier = str(current.get("id") or "")
        given = google.project_in(loaded)
        if not given and not wanted:
            raise NoProject(why)
    else:
        tier, given = yield from _onboard(loaded, wanted, token, setting)
    project = _preferred(wanted, given, tier)
    if not project:
        raise NoProject(why)
    if project == wanted:
        yield from _enable(project, token, setting)
    return project


def _preferred(wanted: str, given: str, tier: str) -> str:
    """Choose between what the owner named and what Google provides.

    Only in the provided one do free users get all models.
    """
    if not wanted or not given:
        return wanted or given
    free = tier in (_FREE, _LEGACY) or wanted.startswith("gen-lang-client-")
    return given if free else wanted


def _onboard(loaded: Obj, wanted: str, token: str, setting: Setting) -> Talk[tuple[str, str]]:
    """Sign up; return the tier and the project that Google provides."""
    default = google.default_tier(loaded)
    why = google.refusals(loaded)
    if default is None and why and not loaded.get("allowedTiers"):
        raise Problem("refused", f"Google does not let this account use Code Assist: {why}")
    chosen = default or {"id": _LEGACY, "userDefinedCloudaicompanionProject": True}
    tier = str(chosen.get("id") or _LEGACY)
    if tier == _FREE:
        # The free tier has a project of its own, and refuses others.
        body: Obj = {"tierId": tier, **_about("")}
    else:
        if not wanted and chosen.get("userDefinedCloudaicompanionProject"):
            raise NoProject(why)
        body = {"tierId": tier, **_about(wanted)}
    what = "Code Assist does not take the account"
    url = setting.api(google.CODE_ASSIST, "/v1internal:onboardUser")
    work = yield from google.asked(url, body, token, what)
    for _ in range(_POLLS):
        if work.get("done") is True:
            break
        yield Wait(_PAUSE)
        name = work.get("name")
        if isinstance(name, str) and name:
            path = f"/v1internal/{quote(name, safe='/')}"
            answer = yield get(setting.api(google.CODE_ASSIST, path), bearer(token))
            if not answer.ok:
                raise google.problem(answer, what)
            work = answer.object()
        else:
            work = yield from google.asked(url, body, token, what)
    else:
        raise Problem("network", "Code Assist is still setting up the account; try again later.")
    if isinstance(error := work.get("error"), dict):
        raise Problem("refused", f"{what}: {error.get('message') or 'no reason was given'}")
    done = work.get("response")
    return tier, google.project_in(done) if isinstance(done, dict) else ""


def _enable(project: str, token: str, setting: Setting) -> Talk[None]:
    """Have the API enabled in an owner's project."""
    base = setting.url("services", SERVICES).rstrip("/")
    url = f"{base}/projects/{quote(project, safe='')}/services/{_API}"
    answer = yield get(url, bearer(token))
    if answer.ok and answer.object().get("state") == "ENABLED":
        return
    answer = yield post_json(f"{url}:enable", {}, bearer(token))
    said = str(google.error_in(answer).get("message") or "")
    if answer.ok or (answer.status == 400 and "already enabled" in said.lower()):
        return
    raise google.problem(answer, f"The Gemini API must be activated in the project {project}")


# ---- what is left -------------------------------------------------------------------------------
def _quota(fields: Obj, setting: Setting) -> Talk[Report]:
    token, projects = _token(fields), _named(fields) or [""]
    url = setting.url("quota", setting.api(google.CODE_ASSIST, "/v1internal:retrieveUserQuota"))
    windows: list[Window] = []
    for project in projects:
        body: Obj = {"project": project} if project else {}
        told = yield from google.asked(url, body, token, "Google does not say what is left")
        rows = told.get("buckets")
        found = _windows(r for r in (rows if isinstance(rows, list) else ()) if isinstance(r, dict))
        windows += found if len(projects) == 1 else [_of(project, one) for one in found]
    try:
        loaded = yield from _load(projects[0], token, setting)
    except (Problem, Unreachable):
        return Report(windows=tuple(windows))
    plan, credit = google.subscription(loaded)
    return Report(plan=plan, windows=tuple(windows), credits=credit)


def _of(project: str, one: Window) -> Window:
    return Window(
        id=f"{project}:{one.id}",
        label=f"{one.label} ({project})",
        used_percent=one.used_percent,
        remaining=one.remaining,
        reset_at=one.reset_at,
        models=one.models,
    )


def _windows(buckets: Iterable[Obj]) -> list[Window]:
    """Join the buckets of models that draw on one limit."""
    grouped: dict[str, tuple[str, list[str], Obj]] = {}
    for bucket in buckets:
        model = str(bucket.get("modelId") or "").removesuffix("_vertex")
        if not model or model.startswith("gemini-2.0-flash"):
            continue
        group, label = next(((g, w) for g, w, p in _GROUPS if p.search(model)), (model, model))
        known = grouped.setdefault(group, (label, [], bucket))
        if model not in known[1]:
            known[1].append(model)
    found = [
        google.window(group, label, bucket, models=tuple(models))
        for group, (label, models, bucket) in grouped.items()
    ]
    return [one for one in found if one is not None]


LOGIN: Final = GeminiCli()

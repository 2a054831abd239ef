"""What Anthropic's answers to a login say: whose it is, and what a refusal means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from cliproxy.base.json import Obj, text_in
from cliproxy.login.flow import Answer, Problem, Setting, Talk, Unreachable, bearer, get

API: Final = "https://api.anthropic.com"
VERSIONED: Final = {"anthropic-version": "2023-06-01", "anthropic-beta": "oauth-2025-04-20"}
GONE: Final = re.compile(r"\brevoked\b|\bdisabled\b|\bsuspended\b", re.IGNORECASE)


def profile(token: str, setting: Setting) -> Talk[Obj]:
    """Return whose token it is, as fields of the file; {} when that cannot be known.

    Setup tokens are good for messages only: they are told nothing.
    """
    url = setting.endpoints.get("profile") or setting.api(API, "/api/oauth/profile")
    try:
        answer = yield get(url, {**bearer(token), **VERSIONED})
    except Unreachable:
        return {}
    return {k: v for k, v in who_in(answer.object()).items() if v} if answer.ok else {}


def who_in(told: Obj) -> Obj:
    """Return whose it is, from the token's answer or the profile's."""
    account, organization = object_in(told, "account"), object_in(told, "organization")
    return {
        "email": text_in(account, "email_address", "email"),
        "account_uuid": text_in(account, "uuid"),
        "organization_uuid": text_in(organization, "uuid"),
        "organization_name": text_in(organization, "name"),
        "plan_type": _plan(account, organization),
    }


def _plan(account: Mapping[str, Any], organization: Mapping[str, Any]) -> str:
    if account.get("has_claude_max") is True:
        return "max"
    if account.get("has_claude_pro") is True:
        return "pro"
    kind = text_in(organization, "organization_type")
    if kind == "claude_enterprise":
        return "enterprise"
    if kind == "claude_team" and organization.get("subscription_status") == "active":
        return "team"
    return "free" if "has_claude_max" in account and "has_claude_pro" in account else ""


def object_in(value: Mapping[str, Any], key: str) -> Obj:
    """Return a member that is an object; {} when it is missing or something else."""
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def code_of(answer: Answer) -> str:
    """Return the error's code, in OAuth's form or the API's."""
    error = answer.object().get("error")
    if isinstance(error, dict):
        error = error.get("code") or error.get("type")
    return error if isinstance(error, str) else ""


def said_in(answer: Answer) -> str:
    """Return the sentence of an error; "" when there is none."""
    told = answer.object()
    error = told.get("error")
    found = [told.get("error_description"), told.get("message")]
    if isinstance(error, dict):
        found.insert(0, error.get("message"))
    return next((text[:300] for text in found if isinstance(text, str) and text), "")


def wait_in(answer: Answer) -> float | None:
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


def problem(answer: Answer, what: str) -> Problem:
    """Tell what a refusal means."""
    said = said_in(answer)
    because = f"{what}: {said}" if said else f"{what} (status {answer.status})."
    match answer.status:
        case 401:
            return Problem("needs_login", because)
        case 403:
            return Problem("revoked" if GONE.search(said) else "refused", because)
        case 429:
            return Problem("limited", because, retry_after=wait_in(answer))
        case 400 | 404 | 405:
            return Problem("refused", because)
        case _:
            return Problem("network", because)

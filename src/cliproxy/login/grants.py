"""OAuth without a browser of ours: device codes (RFC 8628) and refresh tokens (RFC 6749, 6).

Providers differ in how fast they may be asked, and in what they call things; the rest is here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from msgspec import Struct

from cliproxy.base.http import HttpRequest
from cliproxy.base.json import Json, Obj, text_in
from cliproxy.base.redact import Hidden
from cliproxy.login.flow import Answer, Problem, Setting, Show, Talk, Unreachable, Wait

DEVICE: Final = "urn:ietf:params:oauth:grant-type:device_code"
_UNANSWERED: Final = 5
"""How many polls in a row may go unanswered."""
_SPENT: Final = frozenset(
    {"invalid_grant", "invalid_token", "token_expired", "expired_token", "refresh_token_expired",
     "refresh_token_reused", "refresh_token_invalidated", "invalid_refresh_token", "unauthorized"}
)  # fmt: skip
_CLIENT: Final = frozenset({"invalid_client", "unauthorized_client"})
_LONGEST: Final = 300


class Pace(Struct, frozen=True):
    """How often a provider may be asked whether the person has agreed."""

    every: float = 5.0
    """Seconds between two polls, at least."""
    at_once: bool = False
    """The first poll waits for nothing."""
    factor: float = 1.0
    added: float = 5.0
    """What `slow_down` does to the interval: times `factor`, plus `added`."""
    most: float = 0.0
    """The longest interval; 0 = any."""
    total: float = 900.0
    """Seconds after which nobody waits any more."""

    def slower(self, interval: float) -> float:
        """Return the interval after a `slow_down`."""
        interval = interval * self.factor + self.added
        return min(interval, self.most) if self.most else interval


# ---- device codes -------------------------------------------------------------------------------
class Device(Hidden, Struct, frozen=True):
    """A device code that a person is asked to confirm."""

    code: str
    user_code: str
    url: str
    complete: str
    expires: float
    interval: float


def device(who: str, request: HttpRequest, setting: Setting) -> Talk[Device]:
    """Get a device code. Raises `Problem`."""
    answer: Answer = yield request
    told = answer.object()
    code, user_code = text_in(told, "device_code"), text_in(told, "user_code")
    complete = text_in(told, "verification_uri_complete")
    url = text_in(told, "verification_uri", "verification_url") or complete
    if not answer.ok or not code or not url:
        raise refusal(who, answer, setting)
    return Device(
        code,
        user_code,
        url,
        complete,
        number(told.get("expires_in")) or 600.0,
        number(told.get("interval")) or 0.0,
    )


def confirmed(
    who: str, code: Device, request: HttpRequest, setting: Setting, pace: Pace
) -> Talk[Obj]:
    """Show a device code and wait until it is confirmed; return the token answer.

    Raises `Problem`: `cancelled` when the person said no, `needs_login` when the code ran out.
    """
    left = min(code.expires, pace.total)
    yield Show(code.url, code.user_code, code.complete, left)
    interval = max(code.interval, pace.every)
    wait = 0.0 if pace.at_once else interval
    unanswered = 0
    while True:
        if wait > left:
            raise _ran_out(who)
        if wait:
            yield Wait(wait)
        left -= wait
        wait = interval
        try:
            answer: Answer = yield request
        except Unreachable as err:
            unanswered += 1
            if unanswered >= _UNANSWERED:
                raise Problem("network", f"{who} cannot be reached: {err}") from err
            continue
        told = answer.object()
        if answer.ok and text_in(told, "access_token"):
            return told
        word = _word(told)
        if word == "slow_down" or (answer.status == 429 and word != "access_denied"):
            interval = wait = pace.slower(interval)
        elif word == "access_denied":
            raise Problem("cancelled", f"The login at {who} was declined.")
        elif word in ("expired_token", "expired"):
            raise _ran_out(who)
        elif answer.status >= 500:
            unanswered += 1
            if unanswered >= _UNANSWERED:
                raise refusal(who, answer, setting)
            continue
        elif word not in ("authorization_pending", "pending"):
            raise refusal(who, answer, setting)
        unanswered = 0


def _ran_out(who: str) -> Problem:
    return Problem("needs_login", f"The code for {who} was not confirmed in time; log in again.")


# ---- refresh tokens -----------------------------------------------------------------------------
def renewed(
    who: str,
    request: HttpRequest,
    setting: Setting,
    *,
    final: frozenset[int] = frozenset({400, 401}),
) -> Talk[Obj]:
    """Spend a refresh token that is good for one use; return the token answer.

    `final` are the statuses that end the login. Raises `Problem`.
    """
    try:
        answer: Answer = yield request
    except Unreachable as err:
        if err.sent:
            raise Problem(
                "unknown_outcome", f"{who}'s answer to a refresh was lost: {err}"
            ) from err
        raise Problem("network", str(err)) from err
    told = answer.object()
    if answer.ok and text_in(told, "access_token"):
        return told
    raise refused(who, answer, setting, final=final)


def refused(
    who: str, answer: Answer, setting: Setting, *, final: frozenset[int] = frozenset({400, 401})
) -> Problem:
    """Tell what an answer to a refresh without a token in it means."""
    told = answer.object()
    word, said = _word(told), _said(told)
    because = f": {said}" if said else "."
    if re.search(r"\brevoked\b", f"{word} {said}", re.IGNORECASE):
        return Problem("revoked", f"{who} has revoked the login{because}")
    if word in _CLIENT:
        return Problem("refused", f"{who} does not accept the OAuth client{because}")
    if answer.status in (408, 425, 429) or answer.status >= 500 or word == "slow_down":
        return refusal(who, answer, setting)
    if word in _SPENT or answer.status in final:
        return Problem("needs_login", f"{who} no longer accepts the login{because} Log in again.")
    if answer.ok and not word and not _page(answer):
        # Something was granted, and what it is was lost on the way.
        return Problem("unknown_outcome", f"{who} answered a refresh without an access token.")
    return refusal(who, answer, setting)


# ---- answers ------------------------------------------------------------------------------------
def fresh(told: Obj, setting: Setting, lasts: float) -> tuple[str, str, float]:
    """Return access token, refresh token ("" = keep the old one) and when the first ends."""
    seconds = number(told.get("expires_in")) or lasts
    return text_in(told, "access_token"), text_in(told, "refresh_token"), setting.now + seconds


def refusal(who: str, answer: Answer, setting: Setting) -> Problem:
    """Tell what an answer that is not the one wanted means."""
    told = answer.object()
    said = _said(told) or _word(told)
    because = f": {said}" if said else "."
    if answer.status == 429:
        wait = retry_after(answer.headers, setting.now)
        return Problem("limited", f"{who} asks to wait{because}", retry_after=wait)
    if answer.status >= 500 or answer.status in (408, 425):
        wait = retry_after(answer.headers, setting.now)
        text = f"{who} answered with status {answer.status}{because}"
        return Problem("network", text, retry_after=wait)
    if _page(answer):
        return Problem("network", f"{who} answered with a web page (status {answer.status}).")
    if _word(told) in _CLIENT:
        return Problem("refused", f"{who} does not accept the OAuth client{because}")
    if answer.status == 401:
        return Problem("needs_login", f"{who} no longer accepts the login{because}")
    if answer.ok and not said:
        return Problem("network", f"{who} answered something else than was asked for.")
    return Problem("refused", f"{who} refuses (status {answer.status}){because}")


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds that a `Retry-After` header asks for."""
    value = headers.get("retry-after", "").strip()
    if value.isdigit():
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, when.timestamp() - now)


def number(value: Json) -> float | None:
    """Return a number, also one that is written as text; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            value = float(value.strip())
        except ValueError:
            return None
    try:
        found = float(value)
    except (OverflowError, TypeError, ValueError):
        return None
    return found if abs(found) < float("inf") else None


def in_name(wanted: str) -> str:
    """Return text as it may stand in a file's name."""
    return re.sub(r"[^A-Za-z0-9@._-]", "-", wanted.strip()).lstrip(".-")[:120]


def _word(told: Obj) -> str:
    """Return the machine-readable word of an OAuth error."""
    error = told.get("error")
    if isinstance(error, dict):
        return text_in(error, "code", "type")
    return text_in(told, "error") or (text_in(told, "code") if "device_code" not in told else "")


def _said(told: Obj) -> str:
    error = told.get("error")
    place = error if isinstance(error, dict) else told
    found = text_in(place, "error_description", "message", "detail", "msg")
    found = (found or text_in(told, "message"))[:_LONGEST]
    return found if not found or found.endswith((".", "!")) else f"{found}."


def _page(answer: Answer) -> bool:
    return answer.body.lstrip()[:1] == b"<"

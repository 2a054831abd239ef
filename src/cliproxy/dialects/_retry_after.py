"""When an upstream that refuses may be asked again, however it says so."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from cliproxy.base.json import Json, Obj

_UNIFIED: Final = "anthropic-ratelimit-unified-"
_UNIX: Final = 1_000_000_000
"""Numbers above are points in time, those below are spans."""
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_ONE: Final = (
    r"(\d{1,12}(?:\.\d{1,12})?)\s{0,2}"
    r"(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)(?![a-z])"
)
_PART: Final = re.compile(_ONE, re.IGNORECASE)
_DURATION: Final = re.compile(f"(?:{_ONE}(?:, ?| and | )?)+", re.IGNORECASE)
_SPOKEN: Final = re.compile(
    r"(?:(?:try again|retry|retrying|resets?|available again) (?:in|after)|wait(?: for)?) "
    r"(?:about )?(" + _DURATION.pattern + ")",
    re.IGNORECASE,
)


def retry_after(
    headers: Mapping[str, str], error: Obj, message: str = "", *, status: int = 0
) -> float | None:
    """Return the seconds to wait: from the headers, else the body, else the message's words."""
    sent = _header(headers, "date")
    if (told := _headers_say(headers, sent, status)) is not None:
        return told
    if seconds := _moment(error.get("resets_at"), sent):
        return seconds
    for key in ("retry_after", "retry_after_seconds", "resets_in_seconds"):
        if (seconds := _seconds(error.get(key))) is not None:
            return seconds
    if (seconds := _enclosed(error, sent)) is not None:
        return seconds
    if (seconds := _google(error)) is not None:
        return seconds
    return _spoken(message)


def _headers_say(headers: Mapping[str, str], sent: str | None, status: int) -> float | None:
    if (millis := _seconds(_header(headers, "retry-after-ms"))) is not None:
        return millis / 1000
    found: list[float] = []
    if value := _header(headers, "retry-after"):
        # A span by the book; hosts write moments and durations into it, too.
        seconds = _moment(value, sent)
        if seconds is not None:
            found.append(seconds)
    found += _used_up(headers, sent)
    if not found and status == 429:
        found = _none_left(headers, sent) or _whenever(headers, sent)
    # Several limits may have been hit: the last of them to open again counts.
    return max(found, default=None)


def _used_up(headers: Mapping[str, str], sent: str | None) -> list[float]:
    """Read the windows of an Anthropic subscription that are rejected."""
    found = []
    for key, value in headers.items():
        name = key.lower()
        if not (name.startswith(_UNIFIED) and name.endswith("status")) or "overage" in name:
            continue
        if value.strip().lower() == "rejected":
            reset = _header(headers, f"{name[: -len('status')]}reset")
            if (seconds := _moment(reset, sent)) is not None:
                found.append(seconds)
    return found


def _whenever(headers: Mapping[str, str], sent: str | None) -> list[float]:
    """Read when a subscription is reset whose windows are not told one by one."""
    if any(
        name.lower().startswith(_UNIFIED) and name.lower().endswith("status") for name in headers
    ):
        return []
    seconds = _moment(_header(headers, f"{_UNIFIED}reset"), sent)
    return [] if seconds is None else [seconds]


def _none_left(headers: Mapping[str, str], sent: str | None) -> list[float]:
    """Read the limits of which nothing remains."""
    found = []
    for key, value in headers.items():
        name = key.lower()
        if "ratelimit" in name and "remaining" in name and _seconds(value) == 0:
            reset = _header(headers, name.replace("remaining", "reset"))
            if (seconds := _moment(reset, sent)) is not None:
                found.append(seconds)
    return found


def _header(headers: Mapping[str, str], name: str) -> str | None:
    value = headers.get(name)
    if value is not None:
        return value
    return next((v for k, v in headers.items() if k.lower() == name), None)


def _seconds(value: Json) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _moment(value: Json, sent: str | None) -> float | None:
    """Read a Unix time (in s or ms), a date, or a duration, as seconds from now."""
    number = _seconds(value)
    if number is None:
        if not isinstance(value, str):
            return None
        spelled = _DURATION.fullmatch(value.strip())
        return _duration(value) if spelled else _until(value, sent)
    if number < _UNIX:
        return number
    seconds = number / 1000 if number > _UNIX * 1000 else number
    return max(0.0, seconds - _time(sent).timestamp())


def _until(value: str, sent: str | None) -> float | None:
    when = _date(value)
    return None if when is None else max(0.0, (when - _time(sent)).total_seconds())


def _time(sent: str | None) -> datetime:
    # Measured against the answer's own Date, so that a wrong clock on either side does not matter.
    return (_date(sent) if sent else None) or datetime.now(UTC)


def _date(value: str) -> datetime | None:
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            when = read(value.strip())
        except (ValueError, OverflowError):
            continue
        return when if when.tzinfo else when.replace(tzinfo=UTC)
    return None


def _enclosed(error: Obj, sent: str | None) -> float | None:
    """Read the headers that OpenRouter puts into the body: whoever answered it had sent them."""
    metadata = error.get("metadata")
    inner = metadata.get("headers") if isinstance(metadata, dict) else None
    if not isinstance(inner, dict):
        return None
    headers = {name.lower(): str(value) for name, value in inner.items()}
    seconds = _headers_say(headers, sent, 429)
    if seconds is None and "x-ratelimit-remaining" not in headers:
        seconds = _moment(headers.get("x-ratelimit-reset"), sent)
    return seconds


def _google(error: Obj) -> float | None:
    """Read Google's RetryInfo, which also comes through its OpenAI-compatible endpoint."""
    details = error.get("details")
    rows = [d for d in details if isinstance(d, dict)] if isinstance(details, list) else []
    for row in rows:
        delay = row.get("retryDelay")
        if isinstance(delay, str) and _DURATION.fullmatch(delay.strip()):
            return _duration(delay)
    for row in rows:
        metadata = row.get("metadata")
        delay = metadata.get("quotaResetDelay") if isinstance(metadata, dict) else None
        if isinstance(delay, str) and _DURATION.fullmatch(delay.strip()):
            return _duration(delay)
    return None


def _spoken(message: str) -> float | None:
    """Read OpenAI's "Please try again in 6m0.5s." and its relatives."""
    found = _SPOKEN.search(message)
    return _duration(found.group(1)) if found else None


def _duration(text: str) -> float:
    total = 0.0
    for number, unit in _PART.findall(text):
        word = unit.lower()
        total += float(number) * _UNITS["ms" if word.startswith(("ms", "mil")) else word[0]]
    return total

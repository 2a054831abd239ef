"""What accounts say is left of their limits, read from the headers of any answer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from math import isfinite
from typing import Final, Literal

import msgspec
from msgspec import Struct, structs

from cliproxy.routing.resolve import Candidate

Scope = Literal["account", "model"]

SHORT: Final = 900.0
"""Windows up to these seconds fill again by themselves: only whether they are empty matters."""
MOST_WINDOWS: Final = 32
"""Windows remembered of one account."""
TOLD: Final = "told:"
"""How the names of limits begin that a provider told when it was asked."""
FLOOR: Final = 0.01
"""Pace of an account of which nothing is left: behind all others."""
CEILING: Final = 20.0


class Quota(Struct, frozen=True):
    """One limit of an account, as its upstream told it.

    Attributes:
        name: what the upstream calls it (`5h`, `7d_opus`, `tokens`, `primary`…).
        window: its length in seconds; 0 = unknown.
        used: share of it that is used up, 0 to 1.
        resets: when it begins anew, in seconds since the epoch; 0 = unknown.
        scope: whether it is the account's, or that of some models.
        family: the models it is about, as a part of their names; empty = the one asked.
        rejected: whether the upstream refuses because of it.
    """

    name: str
    window: float
    used: float
    resets: float
    scope: Scope = "account"
    family: str = ""
    rejected: bool = False


class Quotas:
    """What is known of all accounts' limits. False when nothing is."""

    def __init__(self) -> None:
        self._known: dict[str, dict[tuple[str, str], Quota]] = {}

    def __bool__(self) -> bool:
        return bool(self._known)

    def observe(self, candidate: Candidate, quotas: Iterable[Quota]) -> None:
        """Remember the newest word on each limit."""
        rows = self._known.setdefault(candidate.account.id, {})
        for quota in quotas:
            about = "" if quota.scope == "account" else quota.family or family(candidate)
            if (quota.name, about) in rows or len(rows) < MOST_WINDOWS:
                rows[quota.name, about] = quota

    def tell(self, account: str, told: Iterable[tuple[str, Quota]]) -> None:
        """Take what a provider says when it is asked, in place of what it said before.

        Each limit comes with the family or model it is about; "" = all of the account.
        """
        rows = self._known.setdefault(account, {})
        new = {(quota.name, family_of(about) if about else ""): quota for about, quota in told}
        for key in [k for k in rows if k[0].startswith(TOLD) and k not in new]:
            del rows[key]
        for key, quota in new.items():
            if key in rows or len(rows) < MOST_WINDOWS:
                rows[key] = quota

    def of(self, candidate: Candidate) -> list[Quota]:
        """Return the limits that a candidate is subject to."""
        rows = self._known.get(candidate.account.id)
        if not rows:
            return []
        mine = ("", family(candidate))
        return [quota for (_, about), quota in rows.items() if about in mine]

    def pace(self, candidate: Candidate, now: float) -> float:
        """Return how far a candidate's limits lag behind their time; 1 = even, or unknown.

        For each window: the share that is left, over the share of its time that is left. Above 1
        something is lost if the account stays idle; below 1 it will not last. The scarcest window
        counts. One that has begun anew since is not known.
        """
        lowest: float | None = None
        for quota in self.of(candidate):
            left = quota.resets - now
            if quota.resets and left <= 0:
                continue
            rest = 0.0 if quota.rejected else 1.0 - quota.used
            if rest <= FLOOR:
                return FLOOR
            if quota.window <= SHORT or not quota.resets:
                continue
            pace = rest / max(min(1.0, left / quota.window), 1 / (CEILING * 10))
            lowest = pace if lowest is None else min(lowest, pace)
        return 1.0 if lowest is None else min(max(lowest, FLOOR), CEILING)

    def refusing(self, candidate: Candidate, now: float) -> tuple[float, float]:
        """Return until when its account, and its family of models, are refused; 0 = not."""
        whole = some = 0.0
        for quota in self.of(candidate):
            if quota.rejected and quota.resets > now:
                if quota.scope == "account":
                    whole = max(whole, quota.resets)
                else:
                    some = max(some, quota.resets)
        return whole, some

    def clear(self, account: str | None = None) -> None:
        """Forget what is known, of one account or of all."""
        if account is None:
            self._known.clear()
        else:
            self._known.pop(account, None)


# ---- families ---------------------------------------------------------------------------------
_FAMILIES: Final = ("opus", "sonnet", "haiku", "fable", "mythos")


def family(candidate: Candidate) -> str:
    """Return what shares a weekly limit with the candidate's model: its family, else itself."""
    return family_of(candidate.upstream_model)


@lru_cache(maxsize=1024)
def family_of(model: str) -> str:
    """Return what shares a weekly limit with a model: its family, else itself."""
    lowered = model.lower()
    if "claude" in lowered:
        for word in _FAMILIES:
            if word in lowered:
                return word
    return model


# ---- headers ----------------------------------------------------------------------------------
_ANTHROPIC: Final = "anthropic-ratelimit-"
_UNIFIED: Final = "anthropic-ratelimit-unified-"
_OPENAI: Final = "x-ratelimit-"
_CODEX: Final = "x-codex-"
_STARTS: Final = (_ANTHROPIC, _OPENAI, _CODEX)
_CLAIM: Final = re.compile(r"(\d{1,4})([mhd])(?:_(\w{1,32}))?")
_UNITS: Final = {"m": 60.0, "h": 3600.0, "d": 86400.0}
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SPANS: Final = {"ms": 0.001, "s": 1.0, **_UNITS}
_COUNTED: Final = ("requests", "tokens", "input-tokens", "output-tokens")
_LONGEST: Final = 366 * 86400.0
_EPOCH: Final = 1_000_000_000
"""Numbers above are points in time, those below are spans."""


def read(headers: Mapping[str, str], now: float) -> tuple[Quota, ...]:
    """Read what the headers of an upstream's answer say about its limits.

    `now` is the time of the answer, in seconds since the epoch.
    """
    told = {name: headers[key] for key in headers if (name := key.lower()).startswith(_STARTS)}
    if not told:
        return ()
    found: list[Quota] = []
    names = "\n".join(told)
    if _UNIFIED in names:
        found += _unified(told, now)
    if "remaining" in names:
        found += _counted(told, now, _ANTHROPIC + "{name}-{what}")
        found += _counted(told, now, _OPENAI + "{what}-{name}")
    if _CODEX in names:
        found += _codex(told, now)
    return tuple(found)


class _Window(Struct):
    used_percent: float | None = None
    window_minutes: float | None = None
    reset_at: float | None = None
    resets_at: float | None = None
    reset_after_seconds: float | None = None


class _Windows(Struct):
    primary: _Window | None = None
    secondary: _Window | None = None


class _Credits(Struct):
    has_credits: bool | None = None
    unlimited: bool | None = None


class _Limits(Struct):
    type: str = ""
    rate_limits: _Windows | None = None
    credits: _Credits | None = None


_limits: Final = msgspec.json.Decoder(_Limits)


def read_event(data: bytes, now: float) -> tuple[Quota, ...]:
    """Read what Codex's backend says in an event, where its headers were told long ago."""
    try:
        event = _limits.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ()
    if event.type != "codex.rate_limits" or event.rate_limits is None:
        return ()
    told: dict[str, str] = {}
    for start, part in (
        ("primary-", event.rate_limits.primary),
        ("secondary-", event.rate_limits.secondary),
        ("credits-", event.credits),
    ):
        for name, value in structs.asdict(part).items() if part is not None else ():
            if value is not None:
                told[_CODEX + start + name.replace("_", "-")] = str(value)
    return tuple(_codex(told, now))


def _unified(told: Mapping[str, str], now: float) -> Iterable[Quota]:
    start = _UNIFIED
    claims = dict.fromkeys(
        name[len(start) :].rpartition("-")[0] for name in told if name.startswith(start)
    )
    for claim in claims:
        known = _CLAIM.fullmatch(claim)
        if known is None:
            continue
        status = told.get(f"{start}{claim}-status", "").strip().lower()
        used = _number(told.get(f"{start}{claim}-utilization"))
        rejected = status == "rejected"
        if used is None and not rejected:
            continue
        part = known[3] or ""
        yield Quota(
            claim,
            int(known[1]) * _UNITS[known[2]],
            1.0 if used is None else min(1.0, used),
            _moment(told.get(f"{start}{claim}-reset"), now),
            "model" if part else "account",
            part if part in _FAMILIES else "",
            rejected,
        )


def _counted(told: Mapping[str, str], now: float, form: str) -> Iterable[Quota]:
    for name in _COUNTED:
        most = _number(told.get(form.format(name=name, what="limit")))
        left = _number(told.get(form.format(name=name, what="remaining")))
        if most and left is not None:
            resets = _moment(told.get(form.format(name=name, what="reset")), now)
            yield Quota(name, 60.0, 1.0 - min(1.0, left / most), resets, "model")


def _codex(told: Mapping[str, str], now: float) -> Iterable[Quota]:
    # Bought credits go on where the window ends.
    paid = any(
        told.get(f"{_CODEX}credits-{what}", "").strip().lower() == "true"
        for what in ("has-credits", "unlimited")
    )
    for name in ("primary", "secondary"):
        start = f"{_CODEX}{name}-"
        used = _number(told.get(start + "used-percent"))
        if used is None:
            continue
        resets = 0.0
        for last in ("resets-at", "reset-at", "reset-after-seconds", "resets-in-seconds"):
            if resets := _moment(told.get(start + last), now):
                break
        minutes = _number(told.get(start + "window-minutes")) or 0.0
        share = min(1.0, used / 100)
        over = share >= 1.0 and not paid
        yield Quota(name, min(minutes * 60, _LONGEST), share, resets, rejected=over)


def _number(value: str | None) -> float | None:
    try:
        number = float(value) if value is not None else None
    except ValueError:
        return None
    return None if number is None or not isfinite(number) else max(0.0, number)


def _moment(value: str | None, now: float) -> float:
    """Read a Unix time (in s or ms), a date, seconds or a span as `6m0s`; 0 = none of them."""
    if value is None:
        return 0.0
    number = _number(value)
    if number is not None:
        if number < _EPOCH:
            return now + number
        return number / 1000 if number > _EPOCH * 1000 else number
    value = value.strip()
    if _SPAN.match(value) and not _SPAN.sub("", value):
        return now + sum(float(n) * _SPANS[unit] for n, unit in _SPAN.findall(value))
    try:
        when = datetime.fromisoformat(value)
    except ValueError:
        return 0.0
    return when.timestamp() if when.tzinfo is not None else 0.0

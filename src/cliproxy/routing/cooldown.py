"""Beliefs about accounts: which of them would refuse now, why, and until when.

A belief is about one model of one account, or about the whole account when its key or its bill is
at fault. It has a source: what a header said, what a body said, or a guess from the tables below.
A *hard* belief keeps the account from being asked; a *soft* one (a host that stumbled, a model it
did not know) only puts it behind all others. When its time is over, one request tries; until that
has its answer the others go elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, Literal

from msgspec import Struct

from cliproxy.base.clock import Clock
from cliproxy.base.errors import GatewayError, UpstreamError, UpstreamRefused
from cliproxy.routing.resolve import Candidate

Source = Literal["header", "body", "guess"]
Reason = Literal["rate_limit", "authentication", "billing", "permission", "not_found", "transient"]

GUESSES: Final[dict[Reason, float]] = {
    "authentication": 1800.0,
    "billing": 1800.0,
    "permission": 1800.0,
    "not_found": 43200.0,
}
"""Seconds when the upstream says nothing. Limits double from one second; stumbles have a key."""
LIMIT_FIRST: Final = 1.0
LIMIT_MOST: Final = 1800.0
TRANSIENT: Final = 60.0
FORCED: Final = 60.0
"""The least that an `…-and-cooldown` rule means."""
PROBE_LEASE: Final = 60.0
"""Seconds after which a probe whose end nobody reported no longer keeps others from trying."""

RETRIED: Final = frozenset({403, 408, 425, 429, 500, 502, 503, 504, 529})
"""Statuses after which all accounts may be tried once more."""

_WHOLE_ACCOUNT: Final = frozenset({"authentication", "billing"})
_SOFT: Final = frozenset({"transient", "permission", "not_found"})
_FAULTS: Final = frozenset({400, 405, 406, 409, 411, 413, 414, 415, 422})
"""The request's own faults, which say nothing about an account."""
_BILLING: Final = frozenset(
    {"insufficient_quota", "insufficient_balance", "billing_error", "billing_not_active",
     "billing_hard_limit_reached", "credit_balance_too_low"}
)  # fmt: skip
_WHOLE_LIMIT: Final = frozenset({"usage_limit_reached", "usage_not_included"})
"""Limits of a subscription, whatever the model."""
_OTHER_THINGS: Final = re.compile(
    r"\b(items?|responses?|conversations?|files?|containers?|cached ?contents?)\b", re.IGNORECASE
)


class ErrorRule(Struct, frozen=True):
    """What the owner wants done about some errors of an account."""

    status: int
    stop: bool
    cool: bool
    words: tuple[str, ...] = ()
    patterns: tuple[re.Pattern[str], ...] = ()

    def covers(self, error: GatewayError) -> bool:
        """Tell whether the rule is about this error."""
        if error.status != self.status:
            return False
        if not self.words and not self.patterns:
            return True
        raw = error.raw if isinstance(error, UpstreamRefused) else None
        text = error.message if raw is None else raw.decode("utf-8", "replace")
        return any(w in text for w in self.words) or any(p.search(text) for p in self.patterns)


class Rule(Struct, frozen=True):
    """Settings of one account."""

    cooling: bool = True
    retries: int = 0
    """Further rounds in which it may be asked again."""
    errors: tuple[ErrorRule, ...] = ()


class Limits(Struct, frozen=True):
    """Settings of all accounts."""

    most: float = 43200.0
    """No belief lasts longer."""
    transient: float = TRANSIENT
    """Seconds after a stumble; 0 = none."""
    interval: float = 30.0
    """Longest pause before another round."""
    credentials: int = 0
    """How many accounts a round may ask; 0 = all."""
    rule: Rule = Rule()
    rules: dict[str, Rule] = {}
    """By account id, where they differ from `rule`."""

    def of(self, account: str) -> Rule:
        """Return the settings of an account."""
        return self.rules.get(account, self.rule)


class Belief(Struct):
    """What is thought about one model of one account, or about all of it."""

    reason: Reason
    source: Source
    until: float
    """On the monotonic clock."""
    failures: int = 1
    """In a row."""
    since: float = 0.0
    """When the failure was seen."""
    probing: float = 0.0
    """Until when a request that tries it keeps others away; 0 = nobody tries."""

    @property
    def hard(self) -> bool:
        """Whether asking is pointless, rather than merely unlikely to help."""
        return self.reason not in _SOFT or self.source != "guess"


class Cooldowns:
    """All beliefs. False when there are none."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self._clock = clock
        self._limits = limits
        self._beliefs: dict[tuple[str, str], Belief] = {}

    def __bool__(self) -> bool:
        return bool(self._beliefs)

    def inherit(self, older: Cooldowns) -> None:
        """Take over the beliefs of cooldowns that these replace; both then share them."""
        self._beliefs = older._beliefs

    def about(self, candidate: Candidate) -> Belief | None:
        """Return the belief that decides about a candidate, in force or run out."""
        account = candidate.account.id
        whole = self._beliefs.get((account, ""))
        model = self._beliefs.get((account, candidate.upstream_model))
        if whole is None or model is None:
            return whole or model
        return max((whole, model), key=lambda b: (b.hard and b.until > self.now(), b.until))

    def now(self) -> float:
        """Return the time on the clock that beliefs are measured by."""
        return self._clock.monotonic()

    def succeeded(self, candidate: Candidate, began: float | None = None) -> None:
        """Forget what an answer has disproved: not what came to pass after it was asked for."""
        for model in ("", candidate.upstream_model):
            key = candidate.account.id, model
            belief = self._beliefs.get(key)
            if belief is not None and (began is None or began >= belief.since):
                del self._beliefs[key]

    def released(self, candidate: Candidate) -> None:
        """Let others try what a request left without an answer."""
        for model in ("", candidate.upstream_model):
            if belief := self._beliefs.get((candidate.account.id, model)):
                belief.probing = 0.0

    def failed(
        self, candidate: Candidate, error: GatewayError, source: Source, *, forced: bool = False
    ) -> Belief | None:
        """Learn from a failure. Returns the belief it led to, if any."""
        self.released(candidate)
        reason = reason_for(error)
        if not forced and (reason is None or not self._limits.of(candidate.account.id).cooling):
            return None
        reason = reason or "transient"
        key = candidate.account.id, "" if _is_whole(reason, error) else candidate.upstream_model
        now = self.now()
        known = self._beliefs.get(key)
        if known is not None and known.until > now:
            # Requests that were on their way together tell the same thing once.
            failures = known.failures
        else:
            failures = known.failures + 1 if known is not None else 1
        told = error.retry_after
        if told is not None and told > 0:
            seconds = told
        else:
            source = "guess"
            seconds = self._guess(reason, failures)
        if forced:
            seconds = max(seconds, FORCED)
        until = now + min(seconds, self._limits.most)
        if until <= now:
            return None
        belief = Belief(reason, source, until, failures, since=now)
        if known is not None and known.until > now:
            # What holds longer or stronger stays; a guess does not prolong.
            later = known.until >= until or source == "guess"
            if known.hard > belief.hard or (known.hard == belief.hard and later and not forced):
                return known
        self._beliefs[key] = belief
        return belief

    def _guess(self, reason: Reason, failures: int) -> float:
        if reason == "rate_limit":
            return min(LIMIT_FIRST * 2.0 ** min(failures - 1, 30), LIMIT_MOST)
        return GUESSES.get(reason, self._limits.transient)


def reason_for(error: GatewayError) -> Reason | None:
    """Name what a failure says about the account; None when it says nothing."""
    if not isinstance(error, UpstreamError) or error.status in _FAULTS:
        return None
    if error.status == 402 or (error.code or "").lower() in _BILLING:
        return "billing"
    match error.status:
        case 401:
            return "authentication"
        case 403:
            return "permission"
        case 404:
            # Something else than the model was looked for: another request will find its own.
            elsewhere = error.code != "model_not_found" and _OTHER_THINGS.search(error.message)
            return None if elsewhere else "not_found"
        case 429:
            return "rate_limit"
        case _:
            return "transient"


def about_account(error: GatewayError) -> bool:
    """Tell whether a failure is that of the whole account, whatever was asked of it."""
    return reason_for(error) in _WHOLE_ACCOUNT


def about_limits(error: GatewayError) -> bool:
    """Tell whether a failure is more than a stumble."""
    return reason_for(error) in _WHOLE_ACCOUNT | {"rate_limit"}


def error_rules(written: Iterable[Any]) -> tuple[ErrorRule, ...]:
    """Read the `request-scoped-errors` of an entry; what is not a rule is left out."""
    rules = []
    for row in written:
        if not isinstance(row, dict):
            continue
        action = str(row.get("action", "stop")).strip().lower()
        try:
            status = int(row.get("status", 0))
        except (TypeError, ValueError):
            continue
        rules.append(
            ErrorRule(
                status,
                stop=action.startswith("stop"),
                cool=action.endswith("-and-cooldown"),
                words=_texts(row.get("match")),
                patterns=tuple(_pattern(text) for text in _texts(row.get("match-regexr"))),
            )
        )
    return tuple(rules)


def _is_whole(reason: Reason, error: GatewayError) -> bool:
    return reason in _WHOLE_ACCOUNT or (
        reason == "rate_limit" and (error.code or "").lower() in _WHOLE_LIMIT
    )


def _texts(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list | tuple) else [value]
    return tuple(str(item) for item in items if item)


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error:
        return re.compile(re.escape(text))

"""Beliefs about accounts: which of them would refuse now, why, and until when.

A belief is about one model of one account, about a family of models that share a limit, or about
the whole account when its key, its bill or its subscription is at fault. It has a source: what a
header said, what a body said, or a guess from the tables below. A *hard* belief keeps the account
from being asked; a *soft* one (a host that stumbled, a model it did not know) only puts it behind
all others. When its time is over, one request tries; until that has its answer the others go
elsewhere. Of a long wait that was announced, one request now and then finds out whether it is over
before its time.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Final, Literal

from msgspec import Struct

from cliproxy.base.clock import Clock
from cliproxy.base.errors import GatewayError
from cliproxy.routing.quota import Quotas, family
from cliproxy.routing.reasons import (
    PASSING,
    RETRIED,
    ErrorRule,
    Reason,
    about_account,
    about_limits,
    error_rules,
    is_whole,
    reason_for,
)
from cliproxy.routing.resolve import Candidate

__all__ = [
    "RETRIED",
    "Belief",
    "Cooldowns",
    "ErrorRule",
    "Limits",
    "Reason",
    "Rule",
    "Source",
    "about_account",
    "about_limits",
    "error_rules",
    "reason_for",
]

Source = Literal["header", "body", "guess"]

GUESSES: Final[dict[Reason, float]] = {
    "authentication": 1800.0,
    "billing": 1800.0,
    "permission": 1800.0,
    "not_found": 43200.0,
}
"""Seconds when the upstream says nothing. Limits double from one second; stumbles have a key."""
LIMIT_FIRST: Final = 1.0
LIMIT_MOST: Final = 1800.0
CHALLENGE_LEAST: Final = 10.0
TRANSIENT: Final = 60.0
FORCED: Final = 60.0
"""The least that an `…-and-cooldown` rule means."""
PROBE_LEASE: Final = 60.0
"""Seconds after which a probe whose end nobody reported no longer keeps others from trying."""
EARLY: Final = 60.0
"""Seconds between two requests that try whether an announced wait is over before its time."""
STRIKES: Final = 3
"""Stumbles in a row after which also the conversations of an account leave it for a while."""

_SOFT: Final = PASSING | {"permission", "not_found"}
_EARLY: Final = frozenset({"rate_limit"})
"""Reasons that are known to end before their time."""
_SELDOM: Final = 0.25
"""Where others can answer: share of the time it rests already, between two such tries."""
_QUIET: Final = 30.0
"""Waits shorter than this are not worth more than a line for those who look closely."""

_log: Final = logging.getLogger("cliproxy.routing")


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
    """Longest pause before another round, and longest wait for a place on a busy account."""
    credentials: int = 0
    """How many accounts a round may ask; 0 = all."""
    early: float = EARLY
    """Seconds between two tries of announced waits; 0 = none is tried before its time."""
    rule: Rule = Rule()
    rules: dict[str, Rule] = {}
    """By account id, where they differ from `rule`."""

    def of(self, account: str) -> Rule:
        """Return the settings of an account."""
        return self.rules.get(account, self.rule)


class Belief(Struct):
    """What is thought about one model of one account, about a family, or about all of it."""

    reason: Reason
    source: Source
    until: float
    """On the monotonic clock."""
    failures: int = 1
    """In a row; what fails together counts once."""
    since: float = 0.0
    """When the failure was seen."""
    probing: float = 0.0
    """Until when a request that tries it keeps others away; 0 = nobody tries."""
    began: float = 0.0
    """When the first of the failures was seen that made it rest."""
    tried: float = 0.0
    """When a request last tried it before its time."""
    strikes: int = 1
    """Failures without an answer in between, each of them."""

    @property
    def hard(self) -> bool:
        """Whether asking is pointless, rather than merely unlikely to help."""
        return self.reason not in _SOFT or self.source != "guess"

    @property
    def passing(self) -> bool:
        """Whether conversations stay with their account meanwhile."""
        return self.reason in PASSING


class Kept(Struct, frozen=True):
    """A belief as it is kept while nothing runs."""

    account: str
    model: str
    """The upstream's model, `~` and a family, or "" for all of the account."""
    reason: Reason
    source: Source
    until: float
    """Unix seconds, whole."""
    failures: int = 1


class Cooldowns:
    """All beliefs. False when there are none."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self._clock = clock
        self._limits = limits
        self._beliefs: dict[tuple[str, str], Belief] = {}
        self._quiet = 0.0

    def __bool__(self) -> bool:
        return bool(self._beliefs)

    def inherit(self, older: Cooldowns) -> None:
        """Take over the beliefs of cooldowns that these replace; both then share them."""
        self._beliefs, self._quiet = older._beliefs, older._quiet

    def kept(self) -> list[Kept]:
        """Return what is worth remembering: what an upstream said and is in force."""
        now = self.now()
        return [
            Kept(account, place, b.reason, b.source, float(round(self.date(b.until))), b.failures)
            for (account, place), b in self._beliefs.items()
            if b.source != "guess" and b.hard and b.until > now
        ]

    def believe(self, kept: Kept) -> bool:
        """Take over a belief of before, unless something newer is known; tell whether it was."""
        key, now = (kept.account, kept.model), self.now()
        left = min(kept.until - self._clock.now(), self._limits.most)
        if left <= 0 or key in self._beliefs:
            return False
        self._beliefs[key] = Belief(
            kept.reason, kept.source, now + left, kept.failures, since=now, began=now
        )
        return True

    def resting(self, account: str) -> bool:
        """Tell whether an account is at a limit that its upstream announced."""
        now = self.now()
        return any(
            key[0] == account and b.reason == "rate_limit" and b.source != "guess" and b.until > now
            for key, b in self._beliefs.items()
        )

    def relieve(self, account: str) -> int:
        """Forget the limits of an account; returns how many were in force."""
        now = self.now()
        over = [k for k, b in self._beliefs.items() if k[0] == account and b.reason == "rate_limit"]
        return sum(self._beliefs.pop(key).until > now for key in over)

    def clear(self, account: str | None = None) -> int:
        """Forget what is believed of an account, or of all. Returns how many beliefs that were."""
        keys = [key for key in self._beliefs if account is None or key[0] == account]
        for key in keys:
            del self._beliefs[key]
        return len(keys)

    def about(self, candidate: Candidate) -> Belief | None:
        """Return the belief that decides about a candidate, in force or run out."""
        found: Belief | None = None
        for key in _keys(candidate):
            belief = self._beliefs.get(key)
            if belief is not None and (found is None or self._rank(belief) > self._rank(found)):
                found = belief
        return found

    def _rank(self, belief: Belief) -> tuple[bool, float]:
        return belief.hard and belief.until > self.now(), belief.until

    def now(self) -> float:
        """Return the time on the clock that beliefs are measured by."""
        return self._clock.monotonic()

    def date(self, moment: float) -> float:
        """Return a moment of that clock in seconds since the epoch."""
        return self._clock.now() + moment - self.now()

    def overdue(self, belief: Belief, now: float, *, pressing: bool) -> float | None:
        """Return since when a wait may be tried before its end; None = it may not, or not yet.

        Where nobody else can answer, that is `pressing`, as often as may be; else the more seldom
        the longer it lasts.
        """
        every = self._limits.early
        if every <= 0 or now < self._quiet or belief.reason not in _EARLY or belief.probing > now:
            return None
        if not pressing:
            every = max(every, (now - belief.began) * _SELDOM)
        since = max(belief.since, belief.tried) + every
        return since if since <= now < belief.until else None

    def probe(self, belief: Belief) -> None:
        """Keep others from trying what a request is about to try."""
        now = self.now()
        belief.probing = now + PROBE_LEASE
        if belief.until > now:
            belief.tried = now
            self._quiet = now + self._limits.early

    def succeeded(self, candidate: Candidate, began: float | None = None) -> None:
        """Forget what an answer has disproved: not what came to pass after it was asked for."""
        for key in _keys(candidate):
            belief = self._beliefs.get(key)
            if belief is not None and (began is None or began >= belief.since):
                del self._beliefs[key]
                if belief.tried:
                    # Limits are often reset for all: the others may be tried at once.
                    self._quiet = 0.0

    def released(self, candidate: Candidate) -> None:
        """Let others try what a request left without an answer."""
        for key in _keys(candidate):
            if belief := self._beliefs.get(key):
                belief.probing = 0.0

    def failed(
        self,
        candidate: Candidate,
        error: GatewayError,
        source: Source,
        *,
        forced: bool = False,
        began: float | None = None,
        quotas: Quotas | None = None,
    ) -> None:
        """Learn from a failure, and from the limits that its answer named."""
        now = self.now()
        account, reason = candidate.account, reason_for(error)
        probed = {k for k in _keys(candidate) if (b := self._beliefs.get(k)) and b.probing > now}
        self.released(candidate)
        # That it does not serve a model is no matter of cooling.
        lacking = reason == "not_found" and error.status in {400, 422}
        cooling = lacking or self._limits.of(account.id).cooling
        if not forced and (reason is None or not cooling):
            return
        reason = reason or "transient"
        told = error.retry_after or 0.0
        whole = some = 0.0
        if reason == "rate_limit" and quotas:
            whole, some = quotas.refusing(candidate, self._clock.now())
        where = "" if is_whole(reason, error) else candidate.upstream_model
        rows: list[tuple[str, float, Source]] = []
        if whole or some:
            date = self._clock.now()
            if some:
                hint = 0.0 if whole else told
                rows.append((f"~{family(candidate)}", max(some - date, hint), "header"))
            if whole:
                hint = 0.0 if some else told
                rows.append(("", max(whole - date, hint), "header"))
        else:
            rows.append((where, told, source if told > 0 else "guess"))
        for place, seconds, said in rows:
            key = account.id, place
            self._learn(
                candidate,
                key,
                reason,
                said,
                seconds=seconds,
                forced=forced,
                began=began,
                probed=key in probed,
            )

    def _learn(
        self,
        candidate: Candidate,
        key: tuple[str, str],
        reason: Reason,
        source: Source,
        *,
        seconds: float,
        forced: bool,
        began: float | None,
        probed: bool,
    ) -> None:
        now = self.now()
        known = self._beliefs.get(key)
        held = known is not None and known.until > now
        failures = strikes = 1
        if known is not None:
            # Requests that were on their way together tell the same thing once.
            failures = known.failures if held else known.failures + 1
            newer = began is None or began >= known.since
            known.strikes = strikes = known.strikes + newer
        if source == "guess":
            seconds = self._guess(reason, failures)
        if forced:
            seconds = max(seconds, FORCED)
        until = now + min(seconds, self._limits.most)
        if until <= now:
            return
        belief = Belief(reason, source, until, failures, since=now, strikes=strikes, began=now)
        if known is not None and held:
            belief.began = known.began
            # What holds longer or stronger stays; a guess does not prolong. But who tried before
            # the time was over knows better what is left of it.
            later = known.until >= until or source == "guess"
            kept = known.hard == belief.hard and later and not forced
            if known.hard > belief.hard or (kept and not (probed and source != "guess")):
                return
        self._beliefs[key] = belief
        if known is None or not held or belief.hard > known.hard:
            self._tell(candidate, belief, key[1])

    def _tell(self, candidate: Candidate, belief: Belief, place: str) -> None:
        seconds = belief.until - self.now()
        _log.log(
            logging.WARNING if belief.hard and seconds >= _QUIET else logging.INFO,
            "%s (%s) %s %s until %s UTC: %s (%s)",
            candidate.account.label,
            candidate.account.id,
            "rests" if belief.hard else "comes last",
            f"for {place.removeprefix('~')}" if place else "for all models",
            f"{datetime.fromtimestamp(self.date(belief.until), UTC):%Y-%m-%d %H:%M:%S}",
            belief.reason,
            "guessed" if belief.source == "guess" else f"its {belief.source} said so",
        )

    def _guess(self, reason: Reason, failures: int) -> float:
        if reason in {"rate_limit", "challenge"}:
            seconds = min(LIMIT_FIRST * 2.0 ** min(failures - 1, 30), LIMIT_MOST)
            return max(seconds, CHALLENGE_LEAST) if reason == "challenge" else seconds
        return GUESSES.get(reason, self._limits.transient)


def _keys(candidate: Candidate) -> tuple[tuple[str, str], ...]:
    account, model = candidate.account.id, candidate.upstream_model
    return (account, ""), (account, model), (account, f"~{family(candidate)}")

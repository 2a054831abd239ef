"""The order of attempts for one request, and what is learnt from them.

Priority tiers, each ordered by the policy; before that whoever the conversation is bound to; who
would refuse is left out.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from cliproxy.base.clock import SYSTEM_CLOCK, Clock
from cliproxy.base.errors import GatewayError, RateLimited, UpstreamError
from cliproxy.routing.affinity import Affinity, Session
from cliproxy.routing.cooldown import PROBE_LEASE, RETRIED, Cooldowns, Limits, Source, reason_for
from cliproxy.routing.policy import policy
from cliproxy.routing.resolve import Candidate

_BACKOFF: Final = 0.5
"""Seconds before the second round after a stumble; doubled for each further one."""
_JITTER: Final = 2.0
_WORDS: Final[dict[str, str]] = {
    "rate_limit": "at its limit",
    "authentication": "with a key that was refused",
    "billing": "without credit",
}


class Pool:
    """Plans attempts and remembers how they ended."""

    def __init__(
        self,
        strategy: str,
        *,
        limits: Limits | None = None,
        affinity_ttl: float = 0.0,
        clock: Clock = SYSTEM_CLOCK,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._policy = policy(strategy)
        self._rings: dict[tuple[str, str], int] = {}
        self._clock = clock
        self._chance = chance
        self._limits = limits or Limits()
        self._cooldowns = Cooldowns(clock, self._limits)
        self._affinity = Affinity(clock, affinity_ttl)
        self.sticky: Final = affinity_ttl > 0
        """Whether conversations are worth recognising."""

    def inherit(self, older: Pool) -> None:
        """Go on with what another pool has learnt, which this one replaces."""
        self._cooldowns.inherit(older._cooldowns)
        self._affinity.inherit(older._affinity)

    def plan(
        self, candidates: Sequence[Candidate], session: Session | None = None
    ) -> list[Candidate]:
        """Return the candidates in the order they are to be tried; higher priority first.

        The policy orders accounts. Several models of one account behind one name are a ring: all
        of them are tried before the next account, and each use begins with the next one.
        Raises `RateLimited` when every candidate is known to refuse.
        """
        if self._cooldowns:
            plan = self._careful(candidates, session)
        else:
            plan = self._planned(candidates, session)
        most = self._limits.credentials
        if most > 0:
            asked = list(dict.fromkeys(c.account.id for c in plan))[:most]
            plan = [c for c in plan if c.account.id in asked]
        return plan

    def report(
        self,
        candidate: Candidate,
        error: GatewayError | None = None,
        *,
        source: Source = "body",
        session: Session | None = None,
        began: float | None = None,
    ) -> bool:
        """Learn how an attempt ended.

        `source` is where an error's `retry_after` stood, `began` when the attempt was made.
        Returns whether another account is to be tried.
        """
        target = candidate.account.id, candidate.upstream_model
        if error is None:
            if self._cooldowns:
                self._cooldowns.succeeded(candidate, began)
            if session is not None and (session.opening or self._affinity.get(session.key) is None):
                self._affinity.bind(session.key, target)
            return False
        on, cool, forced = error.next_account, True, False
        if isinstance(error, UpstreamError):
            for rule in self._limits.of(candidate.account.id).errors:
                if rule.covers(error):
                    on, cool, forced = not rule.stop, rule.cool, rule.cool
                    break
        if cool:
            self._cooldowns.failed(candidate, error, source, forced=forced)
        else:
            self._cooldowns.released(candidate)
        if session is not None and reason_for(error) not in (None, "transient"):
            self._affinity.drop(session.key, target)
        return on

    def release(self, candidate: Candidate) -> None:
        """Take note that an attempt was given up without an outcome."""
        if self._cooldowns:
            self._cooldowns.released(candidate)

    def soonest(self, candidates: Sequence[Candidate]) -> float | None:
        """Return the seconds until the first of the candidates may be asked again."""
        now = self._cooldowns.now()
        waits = [
            max(0.0, belief.until - now)
            for c in candidates
            if (belief := self._cooldowns.about(c)) is not None
        ]
        return min(waits, default=None)

    def pause(
        self, candidates: Sequence[Candidate], turn: int, error: GatewayError
    ) -> float | None:
        """Return the seconds to wait before another round, None when there is to be none."""
        if error.status not in RETRIED:
            return None
        if not isinstance(error, RateLimited) and not (
            isinstance(error, UpstreamError) and error.next_account
        ):
            return None
        limits, now = self._limits, self._cooldowns.now()
        waits: list[float] = []
        for candidate in candidates:
            if limits.of(candidate.account.id).retries <= turn:
                continue
            belief = self._cooldowns.about(candidate)
            if belief is not None and belief.hard:
                waits.append(max(0.0, belief.until - now))
            elif belief is None or belief.reason != "not_found":
                waits.append(min(_BACKOFF * 2.0 ** min(turn, 30), limits.interval))
        wait = min(waits, default=None)
        if wait is None or wait > limits.interval:
            return None
        spread = min(wait / 4, _JITTER, limits.interval - wait)
        return wait + spread * self._chance()

    def _careful(self, candidates: Sequence[Candidate], session: Session | None) -> list[Candidate]:
        """Plan around those that would refuse."""
        about, now = self._cooldowns.about, self._cooldowns.now()
        free: list[Candidate] = []
        stumbled: list[Candidate] = []
        waiting: list[Candidate] = []
        for candidate in candidates:
            belief = about(candidate)
            if belief is None or belief.until <= now:
                free.append(candidate)
                continue
            if belief.hard:
                waiting.append(candidate)
            else:
                stumbled.append(candidate)
            if session is not None and belief.reason != "transient":
                target = candidate.account.id, candidate.upstream_model
                self._affinity.drop(session.key, target)
        if not free and not stumbled:
            raise self._all_cooling(waiting)
        plan = self._planned(free, session) if free else []
        # Whoever's time is over is tried by one request. All others, and that one for its second
        # choice, take those first that are known to answer.
        probes = [c for c in plan if about(c) is not None]
        if probes:
            first = plan[0]
            belief = about(first)
            keep = belief is not None and belief.probing <= now
            if belief is not None and keep:
                belief.probing = now + PROBE_LEASE
                probes.remove(first)
            plan = [c for c in plan if c not in probes] + probes
        # Weight 0 means never, whatever happens to the others.
        stumbled = [c for c in stumbled if c.account.weight > 0]
        stumbled.sort(key=lambda c: (-c.account.priority, self._until(c)))
        return plan + stumbled

    def _until(self, candidate: Candidate) -> float:
        belief = self._cooldowns.about(candidate)
        return belief.until if belief is not None else 0.0

    def _all_cooling(self, candidates: Sequence[Candidate]) -> RateLimited:
        wait = self.soonest(candidates) or 0.0
        reasons: dict[str, str] = {}
        for candidate in candidates:
            belief = self._cooldowns.about(candidate)
            if belief is not None and (
                candidate.account.id not in reasons or belief.reason == "rate_limit"
            ):
                reasons[candidate.account.id] = _WORDS.get(belief.reason, "failing")
        counts = {why: list(reasons.values()).count(why) for why in reasons.values()}
        count = len(reasons)
        who = "The only account" if count == 1 else f"All {count} accounts"
        verb = "is" if count == 1 else "are"
        told = ", ".join(why if count == 1 else f"{n} {why}" for why, n in counts.items())
        at = datetime.fromtimestamp(self._clock.now() + wait, UTC)
        return RateLimited(
            f"{who} for {candidates[0].client_model!r} {verb} cooling down ({told}) until "
            f"{at:%Y-%m-%d %H:%M:%S} UTC, {_spoken(wait)} from now.",
            retry_after=wait,
        )

    def _planned(self, candidates: Sequence[Candidate], session: Session | None) -> list[Candidate]:
        if session is not None and not session.opening:
            target = self._affinity.get(session.key)
            if target is not None:
                for candidate in candidates:
                    if (candidate.account.id, candidate.upstream_model) == target:
                        others = self._ordered(candidates, used=False)
                        return [candidate, *(c for c in others if c is not candidate)]
        return self._ordered(candidates)

    def _ordered(self, candidates: Sequence[Candidate], *, used: bool = True) -> list[Candidate]:
        tiers: dict[int, dict[str, list[Candidate]]] = {}
        for candidate in candidates:
            accounts = tiers.setdefault(candidate.account.priority, {})
            accounts.setdefault(candidate.account.id, []).append(candidate)
        plan: list[Candidate] = []
        for priority in sorted(tiers, reverse=True):
            accounts = tiers[priority]
            order = self._policy.order(
                f"{candidates[0].client_model}\0{priority}",
                [ring[0] for ring in accounts.values()],
                used=used,
            )
            for candidate in order:
                # Only the account that is tried first has used its turn.
                plan += self._turned(accounts[candidate.account.id], used=used and not plan)
        return plan

    def _turned(self, ring: list[Candidate], *, used: bool) -> list[Candidate]:
        if len(ring) == 1:
            return ring
        key = (ring[0].account.id, ring[0].client_model)
        start = self._rings.get(key, 0) % len(ring)
        if used:
            self._rings[key] = start + 1
        return [*ring[start:], *ring[:start]]


def _spoken(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 1 else "less than a second"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"

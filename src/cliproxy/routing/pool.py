"""The order of attempts for one request, and what is learnt from them.

Priority tiers, each ordered by the policy; before that whoever the conversation is bound to; who
would refuse is left out.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from cliproxy.base.clock import SYSTEM_CLOCK, Clock
from cliproxy.base.errors import GatewayError, RateLimited, UpstreamError
from cliproxy.routing.affinity import Affinity, Session
from cliproxy.routing.cooldown import Belief, Cooldowns, Kept, Limits, Source
from cliproxy.routing.load import Turn
from cliproxy.routing.plan import Planner, Preview, Websocket
from cliproxy.routing.policy import policy
from cliproxy.routing.quota import Quota, Quotas
from cliproxy.routing.rate import PER_MINUTE, Rates
from cliproxy.routing.reasons import PASSING, RETRIED, goes_on, reason_for
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
        max_in_flight: int = 0,
        clock: Clock = SYSTEM_CLOCK,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._clock = clock
        self._strategy = strategy
        self._chance = chance
        self._limits = limits or Limits()
        self._cooldowns = Cooldowns(clock, self._limits)
        self._affinity = Affinity(clock, affinity_ttl)
        self._quotas = Quotas()
        self._rates = Rates()
        self._planner = Planner(
            policy(strategy, self),
            self._cooldowns,
            self._affinity,
            credentials=self._limits.credentials,
        )
        self._planner.most = max(0, max_in_flight)
        self.sticky: Final = affinity_ttl > 0
        """Whether conversations are worth recognising."""

    def inherit(self, older: Pool) -> None:
        """Go on with what another pool has learnt, which this one replaces."""
        self._cooldowns.inherit(older._cooldowns)
        self._affinity.inherit(older._affinity)
        self._quotas, self._rates = older._quotas, older._rates
        self._planner.load = older._planner.load

    # ---- before an attempt --------------------------------------------------------------------
    def plan(
        self,
        candidates: Sequence[Candidate],
        session: Session | None = None,
        websocket: Websocket | None = None,
    ) -> list[Candidate]:
        """Return the candidates in the order they are to be tried; higher priority first.

        The policy orders accounts. Several models of one account behind one name are a ring: all
        of them are tried before the next account, and each use begins with the next one.
        Raises `RateLimited` when every candidate is known to refuse.
        """
        draft = self._planner.draft(candidates, session, websocket)
        if not draft.plan and draft.refusing:
            if session is not None and draft.lost is not None:
                self._affinity.drop(session.key, draft.lost)
            raise self._all_cooling(draft.refusing)
        self._planner.begin(draft, session)
        return draft.plan

    def preview(self, candidates: Sequence[Candidate], session: Session | None = None) -> Preview:
        """Return what `plan` would return now, and why, and change nothing.

        The plan is empty where `plan` would raise.
        """
        draft = self._planner.draft(candidates, session)
        return Preview(tuple(draft.plan), self._planner.fates(candidates, draft))

    def begin(self, candidate: Candidate) -> Turn:
        """Count an attempt as running. `end` the turn when the last byte was read, or at failure.

        The place is taken whether or not there is one; `enter` waits for it.
        """
        return self._planner.load.begin(candidate.account.id)

    async def enter(self, candidate: Candidate, client: str = "") -> Turn:
        """Wait until the account may run one more request, and count it; clients take turns.

        Raises `RateLimited` (another account may be asked) when that takes longer than the longest
        pause between two rounds, or when the account has had its requests of this minute.
        """
        planner = self._planner
        if (most := PER_MINUTE.get(candidate.account.provider)) is not None:
            self._rates.count(candidate.account.id, most, self._clock.monotonic())
        return await planner.load.enter(
            candidate.account.id, planner.most, self._limits.interval, client
        )

    def running(self, account: str) -> int:
        """Return how many requests an account has running or waiting."""
        return self._planner.load.running(account)

    def pace(self, candidate: Candidate) -> float:
        """Return how far a candidate's limits lag behind their time; 1 = even, or unknown."""
        return self._quotas.pace(candidate, self._clock.now()) if self._quotas else 1.0

    # ---- after it -----------------------------------------------------------------------------
    def observe(self, candidate: Candidate, quotas: Iterable[Quota]) -> None:
        """Learn what an answer, good or bad, says is left; of a bad one before its `report`."""
        if quotas:
            self._quotas.observe(candidate, quotas)

    @property
    def by_quota(self) -> bool:
        """Whether accounts are chosen by what is left of them."""
        return self._strategy == "quota-aware"

    def rests(self, account: str) -> bool:
        """Tell whether an account is at a limit that its upstream announced."""
        return self._cooldowns.resting(account)

    def tell(self, account: str, told: Iterable[tuple[str, Quota]]) -> None:
        """Learn what a provider says is left of an account when it is asked."""
        self._quotas.tell(account, told)

    def relieve(self, account: str) -> int:
        """Let an account be asked again that has something left; returns how many limits held."""
        return self._cooldowns.relieve(account)

    def quotas(self, candidate: Candidate) -> list[Quota]:
        """Return what is known of a candidate's limits."""
        return self._quotas.of(candidate)

    def beliefs(self) -> list[Kept]:
        """Return what upstreams have said and is worth remembering over a restart."""
        return self._cooldowns.kept()

    def believe(self, kept: Iterable[Kept]) -> int:
        """Go on with what was known before a restart; return how much of it is news."""
        return sum(self._cooldowns.believe(belief) for belief in kept)

    def clear(self, account: str | None = None) -> int:
        """Forget what is believed of an account, or of all: its next request finds out.

        Returns how many beliefs that were. What runs, and which conversations are bound, stays.
        """
        self._quotas.clear(account)
        return self._cooldowns.clear(account)

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

        `source` is where an error's `retry_after` stood, `began` when the attempt was made (on
        the monotonic clock), so that an answer to something older disproves nothing newer.
        Returns whether another account is to be tried.
        """
        target = candidate.account.id, candidate.upstream_model
        if error is None:
            if self._cooldowns:
                self._cooldowns.succeeded(candidate, began)
            if session is not None and (session.opening or self._affinity.get(session.key) is None):
                self._affinity.bind(session.key, target)
            return False
        on, cool, forced = goes_on(error), True, False
        if isinstance(error, UpstreamError):
            for rule in self._limits.of(candidate.account.id).errors:
                if rule.covers(error):
                    on, cool, forced = not rule.stop, rule.cool, rule.cool
                    break
        if cool:
            self._cooldowns.failed(
                candidate, error, source, forced=forced, began=began, quotas=self._quotas
            )
        else:
            self._cooldowns.released(candidate)
        if session is not None:
            reason = reason_for(error)
            if reason is not None and reason not in PASSING:
                self._affinity.drop(session.key, target)
        return on

    def release(self, candidate: Candidate) -> None:
        """Take note that an attempt was given up without an outcome."""
        if self._cooldowns:
            self._cooldowns.released(candidate)

    def resting(self, candidate: Candidate) -> tuple[Belief, float] | None:
        """Return what keeps a candidate back now, and until when, in seconds since the epoch."""
        belief = self._cooldowns.about(candidate)
        if belief is None or belief.until <= self._cooldowns.now():
            return None
        return belief, self._cooldowns.date(belief.until)

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


def _spoken(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 1 else "less than a second"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"

"""Who is asked in which order, worked out without changing anything.

A `Draft` is what would be done now; `Pool.plan` carries it out, `Pool.preview` only shows it.
Both go through `Planner.draft`, so they cannot differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from cliproxy.routing.affinity import Affinity, Session, Target, placed
from cliproxy.routing.cooldown import STRIKES, Belief, Cooldowns
from cliproxy.routing.load import Load
from cliproxy.routing.policy import Policy
from cliproxy.routing.resolve import Candidate

Code = Literal[
    "ready", "bound", "placed", "probe", "unproven", "stumbled", "full", "cooling", "spared",
    "weightless",
]  # fmt: skip
"""Why a candidate stands where it does:

ready: it may be asked. bound: the conversation's own account. placed: the conversation was begun
elsewhere and belongs here by its name. probe: this request finds out whether its wait is over.
unproven: its time is over, another request finds out. stumbled: it failed lately, so it comes
last. full: as many requests run as may. cooling: it would refuse; not asked. spared: behind as
many accounts as a round may ask. weightless: weight 0; not asked.
"""


class Fate(Struct, frozen=True):
    """What would become of one candidate."""

    candidate: Candidate
    code: Code
    until: float | None = None
    """When what is believed of it ends, in seconds since the epoch."""
    reason: str = ""
    """What is believed of it (`rate_limit`, `billing`, `transient`…)."""
    source: str = ""
    """Who said so: `header`, `body` or `guess`."""
    running: int = 0
    """Requests of its account that run or wait."""


class Preview(Struct, frozen=True):
    """The plan that would be made now, and why; no plan when all would refuse."""

    plan: tuple[Candidate, ...]
    fates: tuple[Fate, ...]
    """Of every candidate: those of the plan in its order, then the others."""


class Draft(Struct):
    """A plan that was not begun yet, and what beginning it changes."""

    plan: list[Candidate]
    refusing: list[Candidate]
    """Who is known to refuse."""
    probe: Belief | None = None
    """What the first of the plan puts to the test."""
    lost: Target | None = None
    """The conversation's account, when that refuses for good."""
    first: tuple[str, list[Candidate], Candidate] | None = None
    """Tier, its accounts and the one whose turn is used up."""
    ring: tuple[str, str] | None = None
    """The account whose next model is to begin next time."""
    kind: Code = "ready"
    """How the first came to be the first."""


class Websocket(Struct, frozen=True):
    """A client that came by websocket."""

    pinned: Target | None = None
    """Who is asked by a websocket of its own already."""


class Planner:
    """Orders candidates by priority, policy, conversation, load and belief."""

    def __init__(
        self, policy: Policy, cooldowns: Cooldowns, affinity: Affinity, *, credentials: int
    ) -> None:
        self.load = Load()
        self.most = 0
        """How many requests an account may run at a time; 0 = any number."""
        self._policy = policy
        self._cooldowns = cooldowns
        self._affinity = affinity
        self._credentials = credentials
        self._rings: dict[tuple[str, str], int] = {}

    def draft(
        self,
        candidates: Sequence[Candidate],
        session: Session | None,
        websocket: Websocket | None = None,
    ) -> Draft:
        """Work out the plan for a request."""
        if self._policy.weighted:
            candidates = [c for c in candidates if c.account.weight > 0]
        if len(candidates) < 2 and not self._cooldowns:
            return Draft(list(candidates), [])
        bound = None if session is None else self._affinity.peek(session.key)
        if websocket is not None and websocket.pinned is not None:
            bound = websocket.pinned
        if not self._cooldowns:
            draft = self._ordered(candidates, session, bound, websocket)
            self._shortened(draft)
            return draft
        return self._careful(candidates, session, bound, websocket)

    def begin(self, draft: Draft, session: Session | None) -> None:
        """Take note that a draft is being carried out."""
        if session is not None:
            if draft.lost is not None:
                self._affinity.drop(session.key, draft.lost)
            elif self._affinity:
                self._affinity.get(session.key)
        if draft.probe is not None:
            self._cooldowns.probe(draft.probe)
        if draft.first is not None:
            self._policy.took(*draft.first)
        if draft.ring is not None:
            self._rings[draft.ring] = self._rings.get(draft.ring, 0) + 1

    def fates(self, candidates: Sequence[Candidate], draft: Draft) -> tuple[Fate, ...]:
        """Tell what a draft means for each candidate."""
        now, planned = self._cooldowns.now(), {id(c) for c in draft.plan}
        rest = [c for c in candidates if id(c) not in planned]
        return tuple(self._fate(c, draft, now) for c in [*draft.plan, *rest])

    def _fate(self, candidate: Candidate, draft: Draft, now: float) -> Fate:
        belief = self._cooldowns.about(candidate)
        running = self.load.running(candidate.account.id)
        forced = belief is not None and belief.until > now
        code: Code = "ready"
        if all(c is not candidate for c in draft.plan):
            weightless = self._policy.weighted and candidate.account.weight <= 0
            code = "weightless" if weightless else "spared"
            if any(c is candidate for c in draft.refusing):
                code = "cooling"
        elif candidate is draft.plan[0] and draft.kind != "ready":
            code = draft.kind
        elif forced:
            code = "stumbled"
        elif 0 < self.most <= running:
            code = "full"
        elif belief is not None:
            code = "unproven"
        if belief is None:
            return Fate(candidate, code, running=running)
        until = self._cooldowns.date(belief.until) if forced else None
        return Fate(candidate, code, until, belief.reason, belief.source, running)

    # ---- with beliefs -------------------------------------------------------------------------
    def _careful(
        self,
        candidates: Sequence[Candidate],
        session: Session | None,
        bound: Target | None,
        websocket: Websocket | None,
    ) -> Draft:
        """Plan around those that would refuse."""
        about, now = self._cooldowns.about, self._cooldowns.now()
        free: list[Candidate] = []
        over: list[Candidate] = []
        stumbled: list[tuple[Candidate, Belief]] = []
        waiting: list[Candidate] = []
        lost: Target | None = None
        for candidate in candidates:
            belief = about(candidate)
            if belief is None or belief.until <= now:
                free.append(candidate)
                if belief is not None:
                    over.append(candidate)
                continue
            mine = bound == (candidate.account.id, candidate.upstream_model)
            if mine and not belief.passing:
                lost = bound
            if belief.hard:
                waiting.append(candidate)
            elif mine and belief.passing and belief.strikes < STRIKES:
                # Its cache is worth more than a single stumble.
                free.append(candidate)
            else:
                stumbled.append((candidate, belief))
        early = self._early(waiting, now, pressing=not free and not stumbled)
        if lost is not None:
            bound = None
        draft = self._ordered(free, session, bound, websocket) if free else Draft([], [])
        draft.refusing, draft.lost = waiting, lost
        if over:
            self._probing(draft, over, now, alone=early is None)
        stumbled.sort(key=lambda row: (-row[0].account.priority, row[1].until))
        draft.plan += [candidate for candidate, _ in stumbled]
        self._shortened(draft)
        if early is not None:
            draft.plan.insert(0, early[0])
            draft.probe, draft.first, draft.ring, draft.kind = early[1], None, None, "probe"
        return draft

    def _early(
        self, waiting: list[Candidate], now: float, *, pressing: bool
    ) -> tuple[Candidate, Belief] | None:
        """Return who is to be tried before its time is over: who was left alone longest."""
        found: tuple[Candidate, Belief] | None = None
        best = (0, 0.0)
        for candidate in waiting:
            belief = self._cooldowns.about(candidate)
            if belief is None:
                continue
            since = self._cooldowns.overdue(belief, now, pressing=pressing)
            if since is not None:
                rank = (-candidate.account.priority, since)
                if found is None or rank < best:
                    found, best = (candidate, belief), rank
        return found

    def _probing(self, draft: Draft, over: list[Candidate], now: float, *, alone: bool) -> None:
        """Let one request try whoever's time is over.

        All others, and that one for its second choice, take those first that are known to answer.
        """
        first = draft.plan[0]
        behind = {id(c) for c in over}
        if alone and id(first) in behind:
            belief = self._cooldowns.about(first)
            if belief is not None and belief.probing <= now:
                behind.discard(id(first))
                draft.probe, draft.kind = belief, "probe"
        draft.plan = [
            *(c for c in draft.plan if id(c) not in behind),
            *(c for c in draft.plan if id(c) in behind),
        ]
        self._retaken(draft, first)

    def _retaken(self, draft: Draft, before: Candidate) -> None:
        """Charge the turn to whoever is first now."""
        now_first = draft.plan[0]
        if now_first is before:
            return
        draft.ring, draft.kind = None, "ready"
        if draft.first is not None:
            tier, accounts, _ = draft.first
            mine = [c for c in accounts if c.account.id == now_first.account.id]
            draft.first = (tier, accounts, mine[0]) if mine else None

    def _shortened(self, draft: Draft) -> None:
        """Leave out accounts beyond those that a round may ask."""
        most = self._credentials
        if most > 0:
            # A probe has others behind it, so that nobody but us feels it.
            most += draft.probe is not None
            asked = list(dict.fromkeys(c.account.id for c in draft.plan))[:most]
            draft.plan = [c for c in draft.plan if c.account.id in asked]

    # ---- without ------------------------------------------------------------------------------
    def _ordered(
        self,
        candidates: Sequence[Candidate],
        session: Session | None,
        bound: Target | None,
        websocket: Websocket | None,
    ) -> Draft:
        tiers: dict[int, dict[str, list[Candidate]]] = {}
        for candidate in candidates:
            rank = 2 * candidate.account.priority
            if websocket is not None and candidate.account.websockets:
                # Of equals, who speaks as the client does.
                rank += 1
            accounts = tiers.setdefault(rank, {})
            accounts.setdefault(candidate.account.id, []).append(candidate)
        draft = Draft([], [])
        elsewhere = (
            session is not None
            and session.going
            and bound is None
            and bool(self._affinity)
            and self._policy.spreads
        )
        for priority in sorted(tiers, reverse=True):
            accounts = tiers[priority]
            if elsewhere and session is not None:
                draft.plan += self._placed(session, accounts)
                draft.kind = "placed"
                continue
            tier = f"{candidates[0].client_model}\0{priority}"
            heads = [ring[0] for ring in accounts.values()]
            order = self._policy.order(tier, heads) if len(heads) > 1 else heads
            if not draft.plan and order:
                draft.first = (tier, heads, order[0])
            for head in order:
                ring = accounts[head.account.id]
                if len(ring) > 1:
                    key = head.account.id, head.client_model
                    start = self._rings.get(key, 0) % len(ring)
                    if not draft.plan:
                        # Only the account that is tried first has used its turn.
                        draft.ring = key
                    ring = [*ring[start:], *ring[:start]]
                draft.plan += ring
        if bound is not None:
            pinned = websocket is not None and websocket.pinned is not None
            if pinned or (session is not None and not session.opening):
                self._own_first(draft, bound)
        if self.most > 0:
            self._unfilled(draft)
        return draft

    def _placed(self, session: Session, accounts: dict[str, list[Candidate]]) -> list[Candidate]:
        weighted, key = self._policy.weighted, session.key
        rings = sorted(
            accounts.values(),
            key=lambda ring: placed(
                key, ring[0].account.id, weight=ring[0].account.weight if weighted else 1
            ),
            reverse=True,
        )
        plan: list[Candidate] = []
        for ring in rings:
            if len(ring) > 1:
                ring.sort(key=lambda c: placed(key, c.account.id, c.upstream_model), reverse=True)
            plan += ring
        return plan

    def _own_first(self, draft: Draft, bound: Target) -> None:
        for candidate in draft.plan:
            if (candidate.account.id, candidate.upstream_model) == bound:
                draft.plan = [candidate, *(c for c in draft.plan if c is not candidate)]
                draft.kind, draft.first, draft.ring = "bound", None, None
                return

    def _unfilled(self, draft: Draft) -> None:
        """Put those behind that run as many requests as they may, the least busy first."""
        first = draft.plan[0]
        load = [(c, self.load.running(c.account.id)) for c in draft.plan]
        full = sorted((row for row in load if row[1] >= self.most), key=lambda row: row[1])
        if full:
            draft.plan = [c for c, n in load if n < self.most] + [c for c, _ in full]
            self._retaken(draft, first)

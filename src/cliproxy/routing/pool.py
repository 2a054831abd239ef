"""The order of attempts for one request: priority tiers, each ordered by the policy."""

from __future__ import annotations

from collections.abc import Sequence

from cliproxy.routing.policy import policy
from cliproxy.routing.resolve import Candidate


class Pool:
    """Plans attempts."""

    def __init__(self, strategy: str) -> None:
        self._policy = policy(strategy)
        self._rings: dict[tuple[str, str], int] = {}

    def plan(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Return the candidates in the order they are to be tried; higher priority first.

        The policy orders accounts. Several models of one account behind one name are a ring: all
        of them are tried before the next account, and each use begins with the next one.
        """
        tiers: dict[int, dict[str, list[Candidate]]] = {}
        for candidate in candidates:
            accounts = tiers.setdefault(candidate.account.priority, {})
            accounts.setdefault(candidate.account.id, []).append(candidate)
        plan: list[Candidate] = []
        for priority in sorted(tiers, reverse=True):
            accounts = tiers[priority]
            order = self._policy.order(
                f"{candidates[0].client_model}\0{priority}", [ring[0] for ring in accounts.values()]
            )
            for candidate in order:
                # Only the account that is tried first has used its turn.
                plan += self._turned(accounts[candidate.account.id], used=not plan)
        return plan

    def _turned(self, ring: list[Candidate], *, used: bool) -> list[Candidate]:
        if len(ring) == 1:
            return ring
        key = (ring[0].account.id, ring[0].client_model)
        start = self._rings.get(key, 0) % len(ring)
        if used:
            self._rings[key] = start + 1
        return [*ring[start:], *ring[:start]]

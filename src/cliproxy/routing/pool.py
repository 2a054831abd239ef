"""The order of attempts for one request: priority tiers, each ordered by the policy."""

from __future__ import annotations

from collections.abc import Sequence

from cliproxy.routing.policy import policy
from cliproxy.routing.resolve import Candidate


class Pool:
    """Plans attempts."""

    def __init__(self, strategy: str) -> None:
        self._policy = policy(strategy)

    def plan(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Return the candidates in the order they are to be tried; higher priority first."""
        if len(candidates) == 1:
            return list(candidates)
        tiers: dict[int, list[Candidate]] = {}
        for candidate in candidates:
            tiers.setdefault(candidate.account.priority, []).append(candidate)
        return [
            candidate
            for priority in sorted(tiers, reverse=True)
            for candidate in self._policy.order(
                f"{candidates[0].client_model}\0{priority}", tiers[priority]
            )
        ]

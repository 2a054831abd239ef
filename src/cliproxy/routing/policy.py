"""In which order accounts of one priority are tried: one class each, one method.

A policy keeps a cursor per model and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from cliproxy.routing.resolve import Candidate


class Policy(Protocol):
    """Orders the candidates of one priority tier: one of each account."""

    def order(
        self, model: str, candidates: Sequence[Candidate], *, used: bool = True
    ) -> list[Candidate]:
        """Return all candidates, first choice first; `used`: the first is really asked first."""
        ...


class RoundRobin:
    """Each request begins with the next account."""

    def __init__(self) -> None:
        self._next: dict[str, int] = {}

    def order(
        self, model: str, candidates: Sequence[Candidate], *, used: bool = True
    ) -> list[Candidate]:
        """Return all candidates, first choice first."""
        start = self._next.get(model, 0) % len(candidates)
        if used:
            self._next[model] = start + 1
        return [*candidates[start:], *candidates[:start]]


class FillFirst:
    """Use the first account until it cannot."""

    def order(
        self,
        model: str,  # noqa: ARG002
        candidates: Sequence[Candidate],
        *,
        used: bool = True,  # noqa: ARG002
    ) -> list[Candidate]:
        """Return all candidates, first choice first."""
        return list(candidates)


class WeightedRoundRobin:
    """Smooth weighted round-robin: shares follow the weights, evenly spread; weight 0 = never."""

    def __init__(self) -> None:
        self._credit: dict[str, dict[str, int]] = {}

    def order(
        self, model: str, candidates: Sequence[Candidate], *, used: bool = True
    ) -> list[Candidate]:
        """Return the candidates with a weight, first choice first."""
        eligible = [c for c in candidates if c.account.weight > 0]
        credit = self._credit.setdefault(model, {})
        if not used:
            return sorted(eligible, key=lambda c: -(credit.get(c.account.id, 0) + c.account.weight))
        for candidate in eligible:
            key = candidate.account.id
            credit[key] = credit.get(key, 0) + candidate.account.weight
        ranked = sorted(eligible, key=lambda c: -credit[c.account.id])
        if ranked:
            credit[ranked[0].account.id] -= sum(c.account.weight for c in eligible)
        return ranked


_NAMES: Final[dict[str, type[Policy]]] = {
    "round-robin": RoundRobin,
    "roundrobin": RoundRobin,
    "rr": RoundRobin,
    "fill-first": FillFirst,
    "fillfirst": FillFirst,
    "ff": FillFirst,
    "weighted-round-robin": WeightedRoundRobin,
    "weightedroundrobin": WeightedRoundRobin,
    "wrr": WeightedRoundRobin,
}


def policy(name: str) -> Policy:
    """Return a new policy by its configured name; an unknown name means round-robin."""
    return _NAMES.get(name.strip().lower(), RoundRobin)()

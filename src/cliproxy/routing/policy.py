"""In which order accounts of one priority are tried: one class each.

A policy answers without changing anything; that an account was really asked first it is told
afterwards. So a plan can be looked at before it is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Final, Protocol

from cliproxy.routing.resolve import Candidate


class View(Protocol):
    """What a policy may know about the moment."""

    def running(self, account: str) -> int:
        """Return how many requests an account has running or waiting."""
        ...

    def pace(self, candidate: Candidate) -> float:
        """Return how far an account's limits lag behind their time; 1 = even, or unknown."""
        ...


class Policy(Protocol):
    """Orders the candidates of one priority tier: one of each account."""

    @property
    def spreads(self) -> bool:
        """Whether it shares work out: a conversation begun elsewhere then goes by its name."""
        ...

    @property
    def weighted(self) -> bool:
        """Whether weights count; weight 0 is then never asked."""
        ...

    def order(self, model: str, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Return all candidates, first choice first."""
        ...

    def took(self, model: str, candidates: Sequence[Candidate], first: Candidate) -> None:
        """Take note that of these candidates this one is asked first."""
        ...


class RoundRobin:
    """Each request begins with the next account."""

    spreads: ClassVar[bool] = True
    weighted: ClassVar[bool] = False

    def __init__(self) -> None:
        self._next: dict[str, int] = {}

    def order(self, model: str, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Return all candidates, first choice first."""
        start = self._next.get(model, 0) % len(candidates)
        return [*candidates[start:], *candidates[:start]]

    def took(self, model: str, candidates: Sequence[Candidate], first: Candidate) -> None:
        """Go on behind the one that was asked."""
        self._next[model] = candidates.index(first) + 1


class FillFirst:
    """Use the first account until it cannot."""

    spreads: ClassVar[bool] = False
    weighted: ClassVar[bool] = False

    def order(
        self,
        model: str,  # noqa: ARG002
        candidates: Sequence[Candidate],
    ) -> list[Candidate]:
        """Return all candidates, first choice first."""
        return list(candidates)

    def took(self, model: str, candidates: Sequence[Candidate], first: Candidate) -> None:
        """Remember nothing."""


class WeightedRoundRobin:
    """Smooth weighted round-robin: shares follow the weights, evenly spread; weight 0 = never."""

    spreads: ClassVar[bool] = True
    weighted: ClassVar[bool] = True

    def __init__(self) -> None:
        self._credit: dict[str, dict[str, int]] = {}

    def order(self, model: str, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Return the candidates with a weight, first choice first."""
        credit = self._credit.get(model, {})
        eligible = [c for c in candidates if c.account.weight > 0]
        eligible.sort(key=lambda c: -(credit.get(c.account.id, 0) + c.account.weight))
        return eligible

    def took(self, model: str, candidates: Sequence[Candidate], first: Candidate) -> None:
        """Give each its weight, and take all of them from the one that was asked."""
        credit = self._credit.setdefault(model, {})
        total = 0
        for candidate in candidates:
            weight = max(0, candidate.account.weight)
            total += weight
            credit[candidate.account.id] = credit.get(candidate.account.id, 0) + weight
        credit[first.account.id] -= total


class LeastInFlight(RoundRobin):
    """Whoever has the fewest requests running; among equals the next one."""

    def __init__(self, view: View) -> None:
        super().__init__()
        self._view = view

    def order(self, model: str, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Return all candidates, first choice first."""
        ring = super().order(model, candidates)
        ring.sort(key=lambda c: self._view.running(c.account.id))
        return ring


class QuotaAware(RoundRobin):
    """Whoever would lose most of its limits if it stayed idle until they begin anew.

    Requests under way count against an account, so that a burst is spread before the first
    answer has told what is left.
    """

    def __init__(self, view: View) -> None:
        super().__init__()
        self._view = view

    def order(self, model: str, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Return all candidates, first choice first."""
        view, ring = self._view, super().order(model, candidates)
        ring.sort(key=lambda c: -view.pace(c) / (1 + view.running(c.account.id)))
        return ring


class _Blind:
    """Knows nothing."""

    def running(self, account: str) -> int:  # noqa: ARG002
        return 0

    def pace(self, candidate: Candidate) -> float:  # noqa: ARG002
        return 1.0


_BLIND: Final = _Blind()
_NAMES: Final[dict[str, Callable[[View], Policy]]] = {
    "round-robin": lambda _: RoundRobin(),
    "roundrobin": lambda _: RoundRobin(),
    "rr": lambda _: RoundRobin(),
    "fill-first": lambda _: FillFirst(),
    "fillfirst": lambda _: FillFirst(),
    "ff": lambda _: FillFirst(),
    "weighted-round-robin": lambda _: WeightedRoundRobin(),
    "weightedroundrobin": lambda _: WeightedRoundRobin(),
    "wrr": lambda _: WeightedRoundRobin(),
    "least-in-flight": LeastInFlight,
    "quota-aware": QuotaAware,
}


def policy(name: str, view: View = _BLIND) -> Policy:
    """Return a new policy by its configured name; an unknown name means round-robin."""
    return _NAMES.get(name.strip().lower(), _NAMES["round-robin"])(view)

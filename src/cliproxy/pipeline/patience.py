"""How long to wait for whom: the general times, and what providers and models differ in."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import structs

from cliproxy.base.http import Timeouts
from cliproxy.base.wildcard import matches
from cliproxy.routing.resolve import Candidate


class Patience:
    """Times by provider and model.

    `special` maps `provider`, `provider/model` or `*/model` (`*` allowed) to the times that differ,
    by the names of `Timeouts`; of several that fit the later one counts.
    """

    def __init__(
        self,
        general: Timeouts | None = None,
        special: Mapping[str, Mapping[str, float]] | None = None,
    ) -> None:
        self._general = general or Timeouts()
        self._special = [(*_parts(pattern), times) for pattern, times in (special or {}).items()]
        self._known: dict[tuple[str, str], Timeouts] = {}

    def of(self, candidate: Candidate) -> Timeouts:
        """Return the times for a candidate."""
        if not self._special:
            return self._general
        key = candidate.account.id, candidate.upstream_model
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._work_out(candidate)
        return found

    def _work_out(self, candidate: Candidate) -> Timeouts:
        account = candidate.account
        found = self._general
        for provider, model, times in self._special:
            if not matches(model, candidate.upstream_model, ignore_case=True) and not matches(
                model, candidate.client_model, ignore_case=True
            ):
                continue
            if any(
                matches(provider, n, ignore_case=True) for n in (account.provider, *account.names)
            ):
                found = structs.replace(found, **times)
        return found


def _parts(pattern: str) -> tuple[str, str]:
    provider, slash, model = pattern.partition("/")
    return provider.strip() or "*", model.strip() if slash else "*"

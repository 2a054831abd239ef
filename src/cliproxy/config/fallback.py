"""What is tried when a model can serve nobody: other models, or other providers of the same one.

Written as one chain (`fallback: [a, b]`), several chains (`[[a, b], [c, d]]`), or chains by the
model asked for (`{a: [b, c]}`, `*` allowed). An entry is a model's name or a provider's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from cliproxy.base.wildcard import matches


class Step(Struct, frozen=True):
    """One thing to try: a model, or the same model at one provider."""

    model: str
    provider: str | None = None


class Fallbacks:
    """The chains of one configuration. `is_provider` tells which names are providers'."""

    def __init__(self, written: Any, is_provider: Callable[[str], bool]) -> None:
        self._is_provider = is_provider
        self._chains: list[list[str]] = []
        self._by_model: list[tuple[str, list[str]]] = []
        match written:
            case dict():
                for model, chain in written.items():
                    self._by_model.append((str(model), _names(chain)))
            case list() if any(isinstance(item, list) for item in written):
                self._chains = [_names(item) for item in written]
            case str() | list():
                self._chains = [_names(written)]
            case _:
                pass

    def after(self, model: str) -> list[Step]:
        """Return what to try, in order, after a model (without thinking suffix) failed."""
        for pattern, chain in self._by_model:
            if matches(pattern, model, ignore_case=True):
                return self._steps(model, chain)
        for chain in self._chains:
            if model in chain:
                return self._steps(model, chain[chain.index(model) + 1 :])
        if len(self._chains) == 1:
            return self._steps(model, self._chains[0])
        return []

    def _steps(self, model: str, chain: list[str]) -> list[Step]:
        steps = [
            Step(model, name) if self._is_provider(name) else Step(name)
            for name in chain
            if name != model
        ]
        return list(dict.fromkeys(steps))


def problems(written: Any) -> list[str]:
    """Return what is wrong with a `fallback` as it was written, in sentences."""
    found: list[str] = []
    chains: list[Any]
    match written:
        case None | "":
            return []
        case dict():
            chains = list(written.values())
        case list() if any(isinstance(item, list) for item in written):
            chains = list(written)
        case str() | list():
            chains = [written]
        case _:
            return ["must be a list of models or providers, a list of such lists, or a map"]
    for chain in chains:
        wrong = [x for x in (chain if isinstance(chain, list) else [chain]) if not _is_name(x)]
        # Not shown: what stands in a wrong place may be a key.
        found += ["holds what is not the name of a model or provider"] * len(wrong)
    return found


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _names(chain: Any) -> list[str]:
    items = chain if isinstance(chain, list) else [chain]
    return [item.strip() for item in items if _is_name(item)]

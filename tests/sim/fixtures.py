"""Fixtures for simulated providers: `sim` is one, `start_sim` starts as many as a test wants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.sim.server import Sim

__all__ = ["sim", "start_sim"]


@pytest.fixture
def start_sim() -> Iterator[Callable[..., Sim]]:
    """Start simulated providers; `start_sim(strict=True, keys={"k"})` as for `Sim`."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(Sim(**options))


@pytest.fixture
def sim() -> Iterator[Sim]:
    """One simulated provider, fresh for every test."""
    with Sim() as running:
        yield running

"""Shared fixtures: the simulators, and a real proxy on a real port."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.proxy import Proxy
from tests.sim.fixtures import *  # noqa: F403  # fixtures


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def start_proxy() -> Iterator[Callable[..., Proxy]]:
    """Start proxies from configuration text; all are stopped at the end."""
    running: list[Proxy] = []

    def start(config: str) -> Proxy:
        proxy = Proxy(config)
        running.append(proxy)
        return proxy.__enter__()

    yield start
    for proxy in running:
        proxy.__exit__(None, None, None)

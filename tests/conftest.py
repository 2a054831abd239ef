"""Shared fixtures: the simulators, and a real proxy on a real port."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator

import pytest
from hypothesis import settings

from tests.proxy import Proxy
from tests.sim.fixtures import *  # noqa: F403  # fixtures

# What decides whether a change lands must not roll dice; every other run looks at new examples.
# None is a measurement: a machine that is busy is no fault.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("new", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "new")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Have a worker not wait 40 ms before each test.

    What counts reruns sends two small messages in a row over a socket; without this the second
    waits until the other end has acknowledged the first.
    """
    line = getattr(getattr(config, "failures_db", None), "sock", None)
    if line is not None:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def start_proxy() -> Iterator[Callable[..., Proxy]]:
    """Start proxies from configuration text; all are stopped at the end."""
    running: list[Proxy] = []

    def start(config: str, **options: bool) -> Proxy:
        proxy = Proxy(config, **options)
        running.append(proxy)
        return proxy.__enter__()

    yield start
    for proxy in running:
        proxy.__exit__(None, None, None)

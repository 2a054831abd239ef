"""A proxy whose configuration is a file, and a client with the management key."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from cliproxy.app.control import LiveControl
from cliproxy.config.load import load_text
from cliproxy.manage.door import Management
from tests.proxy import Proxy

KEY = "management-key-0123456789"
CLIENT_KEY = "test-client-key"
HEAD = f"""\
# My proxy.
api-keys:
  - {CLIENT_KEY} # the laptop
remote-management:
  secret-key: {KEY}
"""


class Managed:
    """One proxy; paths are below the management prefix unless they begin with `//`."""

    def __init__(self, proxy: Proxy, file: Path, auth: Path) -> None:
        self.proxy, self.file, self.auth = proxy, file, auth
        self.control = proxy.runtime.control
        self.client = httpx.Client(base_url=proxy.url, timeout=30, trust_env=False)

    def ask(
        self, method: str, path: str, body: Any = None, *, key: str | None = KEY, **headers: str
    ) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if key:
            sent["authorization"] = f"Bearer {key}"
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        url = path[1:] if path.startswith("//") else f"/v0/management{path}"
        return self.client.request(method, url, content=content, headers=sent)

    def get(self, path: str, **headers: Any) -> Any:
        answer = self.ask("GET", path, **headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    @property
    def text(self) -> str:
        return self.file.read_text()


class Shared:
    """One proxy for many tests, as good as new for each."""

    def __init__(self) -> None:
        self.proxy: Proxy | None = None
        self.taken = False

    def take(self, whole: str) -> Proxy | None:
        """Give the proxy to a test, serving a configuration; None when it is not free."""
        if self.taken:
            return None
        self.taken = True
        if self.proxy is None:
            self.proxy = Proxy("debug: false")
            self.proxy.__enter__()

        async def renew(proxy: Proxy) -> None:
            runtime = proxy.runtime
            runtime.control = LiveControl(runtime)
            runtime.app.management = Management(runtime.control)
            await runtime.logins.close()
            runtime.reload(load_text(whole, path=Path("config.yaml")).config)
            runtime.app.generation.gateway.pool.clear()

        asyncio.run_coroutine_threadsafe(renew(self.proxy), self.proxy.loop).result(30)
        return self.proxy


@pytest.fixture(scope="session")
def shared() -> Iterator[Shared]:
    found = Shared()
    yield found
    if found.proxy is not None:
        found.proxy.__exit__(None, None, None)


@pytest.fixture
def manage(tmp_path: Path, shared: Shared) -> Iterator[Callable[..., Managed]]:
    """Start a proxy from configuration text that is added to the usual head."""
    running: list[Proxy] = []
    clients: list[httpx.Client] = []

    def start(text: str = "", *, head: str = HEAD, file: bool = True) -> Managed:
        auth = tmp_path / f"auth-{len(clients)}"
        auth.mkdir()
        whole = f"{head}auth-dir: {auth}\n{text}"
        path = tmp_path / f"config-{len(clients)}" / "config.yaml"
        path.parent.mkdir()
        path.write_text(whole)
        proxy = shared.take(whole)
        if proxy is None:
            proxy = Proxy(whole)
            running.append(proxy)
            proxy.__enter__()
        if file:
            proxy.runtime.control.config_path = path
        found = Managed(proxy, path, auth)
        clients.append(found.client)
        return found

    yield start
    shared.taken = False
    for client in clients:
        client.close()
    for proxy in running:
        proxy.__exit__(None, None, None)


@pytest.fixture
def managed(manage: Callable[..., Managed]) -> Managed:
    return manage()

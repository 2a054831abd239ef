"""A proxy whose configuration is a file, and a client with the management key."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

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


@pytest.fixture
def manage(tmp_path: Path) -> Iterator[Callable[..., Managed]]:
    """Start a proxy from configuration text that is added to the usual head."""
    running: list[Proxy] = []
    clients: list[httpx.Client] = []

    def start(text: str = "", *, head: str = HEAD, file: bool = True) -> Managed:
        auth = tmp_path / f"auth-{len(running)}"
        auth.mkdir()
        whole = f"{head}auth-dir: {auth}\n{text}"
        path = tmp_path / f"config-{len(running)}" / "config.yaml"
        path.parent.mkdir()
        path.write_text(whole)
        proxy = Proxy(whole)
        running.append(proxy)
        proxy.__enter__()
        if file:
            proxy.runtime.control.config_path = path
        found = Managed(proxy, path, auth)
        clients.append(found.client)
        return found

    yield start
    for client in clients:
        client.close()
    for proxy in running:
        proxy.__exit__(None, None, None)


@pytest.fixture
def managed(manage: Callable[..., Managed]) -> Managed:
    return manage()

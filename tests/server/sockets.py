"""A websocket client of the Responses API, bare enough to see every message."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.proxy import KEY, Proxy

OVER = ("response.completed", "response.incomplete", "response.failed", "error")
PATH = "/v1/responses"


class Socket:
    """One connection."""

    def __init__(self, wire: ClientConnection) -> None:
        self.wire = wire

    def say(self, **fields: Any) -> None:
        """Send a message; `response.create` unless it says what it is."""
        self.wire.send(json.dumps({"type": "response.create", **fields}))

    def hear(self) -> dict[str, Any]:
        """Return the next message."""
        return json.loads(self.wire.recv(timeout=10))

    def turn(self, **fields: Any) -> list[dict[str, Any]]:
        """Send a message and return all that it is answered with."""
        self.say(**fields)
        return self.rest()

    def rest(self) -> list[dict[str, Any]]:
        """Return the messages up to the end of an answer."""
        heard = [self.hear()]
        while heard[-1]["type"] not in OVER:
            heard.append(self.hear())
        return heard

    def ask(self, **fields: Any) -> dict[str, Any]:
        """Take a turn that comes to its end; return the response object."""
        last = self.turn(**fields)[-1]
        assert last["type"] == "response.completed", last
        return last["response"]

    def refusal(self, **fields: Any) -> tuple[int, dict[str, Any]]:
        """Take a turn that is refused; return the status and the error."""
        (last,) = self.turn(**fields)
        assert last["type"] == "error", last
        return last["status"], last["error"]


@contextmanager
def opened(
    proxy: Proxy, path: str = PATH, *, key: str | None = KEY, headers: dict[str, str] | None = None,
    **options: Any,
) -> Iterator[Socket]:  # fmt: skip
    """Open a connection."""
    given = {**(headers or {}), **({"authorization": f"Bearer {key}"} if key else {})}
    address = proxy.url.replace("http", "ws", 1) + path
    with connect(address, additional_headers=given, proxy=None, max_size=None, **options) as wire:
        yield Socket(wire)

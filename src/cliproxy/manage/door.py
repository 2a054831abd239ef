"""The door to everything that is not inference: what there is, and who may come in.

Under the prefix there is nothing without a key, and nobody comes in without it, except to bring a
login's callback. Bodies are limited. Behind it is the application of `app.py`, which is loaded when
somebody knocks for the first time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Final

from cliproxy import __version__
from cliproxy.manage.control import Control
from cliproxy.server import bodies
from cliproxy.server.asgi import (
    JSON_TYPE,
    Message,
    Receive,
    Scope,
    Send,
    answer,
    header_map,
    json_body,
)
from cliproxy.server.gate import Refused
from cliproxy.transport.proxy import is_loopback

Application = Callable[[Scope, Receive, Send], Awaitable[None]]
PREFIX: Final = "/v0/management"
PAGE: Final = "/management.html"
ASSETS: Final = "/panel/"
LANDINGS: Final = {
    "/anthropic/callback": "claude",
    "/codex/callback": "codex",
    "/google/callback": "gemini-cli",
    "/antigravity/callback": "antigravity",
    "/iflow/callback": "iflow",
    "/xai/callback": "xai",
}
"""Pages where a browser may end up after logging in, and whose login that is."""
_CALLBACK: Final = f"{PREFIX}/oauth-callback"
_IDENTITY: Final = [
    (b"x-cpa-version", f"v{__version__}".encode()),
    (b"x-cpa-commit", b"none"),
    (b"x-cpa-build-date", b"unknown"),
    (b"x-cpa-support-plugin", b"0"),
]


class Management:
    """The ASGI application, and which paths are its own."""

    def __init__(self, control: Control) -> None:
        self.control = control
        self._inner: Application | None = None
        self._loading = asyncio.Lock()

    def owns(self, path: str, headers: dict[str, str]) -> bool:
        """Tell whether a path is answered here; browsers also get the home page."""
        if path.startswith((PREFIX, ASSETS)) or path == PAGE or path in LANDINGS:
            return True
        return path == "/" and self._is_browser(headers)

    def _is_browser(self, headers: dict[str, str]) -> bool:
        wants = "text/html" in headers.get("accept", "")
        return wants and not self.control.config.remote_management.disable_control_panel

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        path = _path(scope)
        inside = path.startswith(PREFIX)

        async def tell(message: Message) -> None:
            if inside and message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_IDENTITY]
            await send(message)

        if inside and not self.control.keys.exist:
            await answer(send, 404, b"", ())
            return
        if inside and path.rstrip("/") != _CALLBACK:
            try:
                await self._check(scope)
            except Refused as err:
                head = scope["method"] == "HEAD"
                told = json_body({"error": err.error})
                await answer(tell, err.status, told, [JSON_TYPE], head=head)
                return
        inner = self._inner or await self._load()
        await inner(_trimmed(scope), _limited(receive, self.control.max_body), tell)

    async def _load(self) -> Application:
        # Most proxies run for days without anybody managing them; and whoever does so first must
        # not hold up everybody else for a third of a second.
        async with self._loading:
            if self._inner is None:
                module = await asyncio.to_thread(import_module, "cliproxy.manage.app")
                self._inner = module.application(self.control)
        return self._inner

    async def _check(self, scope: Scope) -> None:
        headers = header_map(scope)
        client = scope.get("client")
        peer = str(client[0]) if client else ""
        # A page of somebody else can make a browser knock here. Such knocks are counted apart,
        # so that no page can have this machine's owner banned.
        caller = f"{peer} (pages elsewhere)" if _is_foreign(headers) else peer
        await self.control.gate.check(
            self.control.keys, headers, peer=caller, loopback=is_loopback(peer)
        )


# ---- scope and body -----------------------------------------------------------------------------
def _path(scope: Scope) -> str:
    root: str = scope.get("root_path", "")
    path: str = scope["path"]
    return path[len(root) :] if root and path.startswith(root) else path


def _trimmed(scope: Scope) -> Scope:
    """Take slashes off the end of a path."""
    path: str = scope["path"]
    return {**scope, "path": path.rstrip("/") or "/"} if path.endswith("/") else scope


def _limited(receive: Receive, limit: int) -> Receive:
    size = 0

    async def read() -> Message:
        nonlocal size
        message = await receive()
        if message["type"] == "http.request":
            size += len(message.get("body", b""))
            if size > limit:
                raise bodies.too_large(limit)
        return message

    return read


def _is_foreign(headers: dict[str, str]) -> bool:
    """Tell whether a browser sends this for a page of another origin."""
    if headers.get("sec-fetch-site", "") in ("cross-site", "same-site"):
        return True
    origin = headers.get("origin", "")
    return bool(origin) and origin.partition("://")[2] != headers.get("host", "")

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
from cliproxy.server.gate import ManagementKeys, Refused
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
RESOURCES: Final = "/v0/resource/plugins/"
"""Where elsewhere plugins show pages of their own."""
KEEP_ALIVE: Final = "/keep-alive"
"""Where the program that started this one says that it is still there."""
_HERE: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_NAMES: Final = (
    "The management API answers to localhost, 127.0.0.1 and its configured host alone; for other "
    "names set remote-management.allow-remote."
)
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
        if path.startswith(RESOURCES):
            return self.control.keys.exist
        if path == KEEP_ALIVE:
            return bool(self.control.keys.local)
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

        if path == KEEP_ALIVE:
            await self._keep_alive(scope, send)
            return
        if inside and not self.control.keys.exist:
            await answer(send, 404, b"", ())
            return
        if inside and not self._is_ours(header_map(scope).get("host", "")):
            told = json_body({"error": "unknown host", "message": _NAMES})
            await answer(tell, 403, told, [JSON_TYPE], head=scope["method"] == "HEAD")
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

    def _is_ours(self, host: str) -> bool:
        """Tell whether a name may be called by; a page elsewhere may give this machine any name."""
        config, keys = self.control.config, self.control.keys
        if not host or not is_loopback(config.host) or config.trusted_proxies:
            return True
        if keys.allow_remote or keys.environment:
            return True
        name = host.lower()
        if not name.endswith("]"):
            name = name.rpartition(":")[0] or name
        return name.rstrip(".") in _HERE | {config.host.lower(), f"[{config.host.lower()}]"}

    async def _keep_alive(self, scope: Scope, send: Send) -> None:
        """Answer whoever has the password of this start, and note that they are there."""
        headers = header_map(scope)
        given = headers.get("authorization") or f"Bearer {headers.get('x-local-password', '')}"
        client = scope.get("client")
        peer = str(client[0]) if client else ""
        status, told = 200, {"status": "ok"}
        try:
            await self.control.gate.check(
                ManagementKeys(local=self.control.keys.local),
                {"authorization": given},
                peer=self._caller(peer, headers),
                loopback=is_loopback(peer),
            )
            self.control.kept_alive()
        except Refused as err:
            status = err.status
            told = {"error": "invalid password" if status == 401 else err.error}
        await answer(send, status, json_body({**told}), [JSON_TYPE])

    def _caller(self, peer: str, headers: dict[str, str]) -> str:
        # A page of somebody else can make a browser knock here. Such knocks are counted apart,
        # so that no page can have this machine's owner banned.
        return f"{peer} (pages elsewhere)" if _is_foreign(headers) else peer

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
        await self.control.gate.check(
            self.control.keys,
            headers,
            peer=self._caller(peer, headers),
            loopback=is_loopback(peer),
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

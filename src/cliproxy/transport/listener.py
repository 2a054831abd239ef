"""A listener on this machine for the one request by which a browser ends a login."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from aiohttp import web

PAGE: Final = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>cliproxy</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;display:grid;place-items:center;min-height:90vh;
color-scheme:light dark}}main{{max-width:34rem;padding:1rem}}h1{{font-size:1.3rem}}</style></head>
<body><main><h1>{title}</h1><p>{text}</p></main></body></html>"""


def page(title: str, text: str) -> str:
    """Return a small page. Both are plain text of ours."""
    return PAGE.format(title=title, text=text)


class Listener:
    """Listens on loopback while a login runs; close it."""

    def __init__(self, runner: web.AppRunner) -> None:
        self._runner = runner

    async def close(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()


async def listen(
    port: int, path: str, heard: Callable[[dict[str, str]], Awaitable[str]]
) -> Listener:
    """Listen for `GET path` on this machine only. Raises `OSError` when the port is taken.

    `heard` gets the query and returns the page that is shown.
    """
    from aiohttp import web  # noqa: PLC0415  # a twentieth of the start, which few ever need

    async def answer(request: web.Request) -> web.Response:
        text = await heard(dict(request.query))
        return web.Response(
            text=text, content_type="text/html", headers={"referrer-policy": "no-referrer"}
        )

    app = web.Application()
    app.router.add_get(path, answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
    except OSError:
        await runner.cleanup()
        raise
    with contextlib.suppress(OSError):
        # A browser may take `localhost` for ::1.
        await web.TCPSite(runner, "::1", port).start()
    return Listener(runner)

"""A provider of accounts for tests: its token server, and how cliproxy talks to it.

The server rotates: every refresh token is good for one use, and a second use is counted as theft.
"""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Final, Self
from urllib.parse import parse_qs

from aiohttp import web

from cliproxy.account.credential import written
from cliproxy.base.json import Obj
from cliproxy.login import flow
from cliproxy.login.flow import Answer, LoggedIn, ModelFound, Problem, Report, Setting, Talk


class TokenServer:
    """Gives out tokens; runs in a thread of its own."""

    def __init__(self, *, lasts: float = 3600.0) -> None:
        self.lasts = lasts
        self.calls = 0
        self.reused = 0
        self.live: set[str] = {"r0"}
        self.spent: set[str] = set()
        self.cut = 0  # how many answers are lost after the token was rotated
        self.status = 0  # answer this instead
        self.retry_after = ""
        self.gate: threading.Event | None = None  # answers wait for it
        self.asked = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)
        self._thread.start()
        assert self._started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application()
        app.router.add_post("/token", self._token)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{port}/token"
        self._started.set()
        await self._stop.wait()
        await runner.cleanup()

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = {k: v[0] for k, v in parse_qs(await request.text()).items()}
        self.calls += 1
        self.asked.set()
        if self.gate is not None:
            await asyncio.to_thread(self.gate.wait, 20)
        if self.status:
            headers = {"retry-after": self.retry_after} if self.retry_after else {}
            return web.json_response({"error": "temporary"}, status=self.status, headers=headers)
        token = form.get("refresh_token", "")
        if token in self.spent:
            self.reused += 1
            return web.json_response({"error": "invalid_grant"}, status=400)
        if token not in self.live:
            return web.json_response({"error": "invalid_grant"}, status=400)
        self.live.discard(token)
        self.spent.add(token)
        fresh = f"r{len(self.spent)}"
        self.live.add(fresh)
        if self.cut > 0:
            self.cut -= 1
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return web.json_response(
            {
                "access_token": f"a{len(self.spent)}",
                "refresh_token": fresh,
                "expires_in": self.lasts,
            }
        )


class FakeLogin:
    """How accounts of the fake provider are got and kept."""

    provider = "codex"
    ways = ("browser", "device")
    lead = 300.0

    def renewable(self, fields: Obj) -> bool:
        return flow.has_refresh_token(fields)

    def ahead(self, fields: Obj) -> float:
        return self.lead

    def login(self, setting: Setting, way: str) -> Talk[LoggedIn]:
        if way == "device":
            yield flow.Show("https://login.test/device", "ABCD-1234")
            yield flow.Wait(5)
            return LoggedIn("codex-device.json", {"type": "codex", "access_token": "d1"})
        state = flow.new_state()
        url = f"https://login.test/authorize?state={state}"
        callback = yield flow.Visit(url, state, setting.redirect_port or 1455, "/auth/callback")
        return LoggedIn(
            "codex-me.json", {"type": "codex", "access_token": callback.code, "refresh_token": "r0"}
        )

    def refresh(self, fields: Obj, setting: Setting) -> Talk[Obj]:
        try:
            answer: Answer = yield flow.post_form(
                setting.url("token", "http://127.0.0.1:9/token"),
                {"grant_type": "refresh_token", "refresh_token": str(fields["refresh_token"])},
            )
        except flow.Unreachable as err:
            kind: flow.Kind = "unknown_outcome" if err.sent else "network"
            raise Problem(kind, str(err)) from err
        said = answer.object()
        if answer.status == 400:
            raise Problem("needs_login", f"The provider says {said.get('error')}.")
        if answer.status == 429:
            wait = float(answer.headers.get("retry-after", 60))
            raise Problem("limited", "Asked too often.", retry_after=wait)
        if not answer.ok:
            raise Problem("network", f"The provider answered {answer.status}.")
        return {
            "access_token": said["access_token"],
            "refresh_token": said["refresh_token"],
            "expired": written(setting.now + float(str(said["expires_in"]))),
            "last_refresh": written(setting.now),
        }

    def complete(self, fields: Obj, setting: Setting) -> Talk[Obj] | None:
        return None

    def quota(self, fields: Obj, setting: Setting) -> Talk[Report] | None:
        return None

    def models(self, fields: Obj, setting: Setting) -> Talk[list[ModelFound]] | None:
        return None


LOGIN: Final = FakeLogin()
PLACE: Final = "tests.unit.keeper.fake:LOGIN"


def put(folder: Path, name: str = "codex-me.json", **fields: object) -> Path:
    """Write a credential file whose access token has ended."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    told = {"type": "codex", "access_token": "a0", "refresh_token": "r0", "expired": written(1000)}
    path.write_text(json.dumps(told | fields))
    return path

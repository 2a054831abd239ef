"""Looks at every stream a proxy under test writes: none may break its dialect's grammar."""

from __future__ import annotations

from typing import Any

from cliproxy.server.paths import match
from tests.sim.grammar import GrammarError, check


class Witness:
    """An ASGI application in front of another; remembers what was wrong in `faults`.

    Verbatim streams are the upstream's own and are not judged; a stream that its client left is
    judged only as far as it can be: not at all.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self.faults: list[str] = []
        self.streams = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen: list[bytes] = []
        headers: dict[bytes, bytes] = {}

        async def watched(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers.update(message["headers"])
            elif _judged(headers):
                seen.append(message.get("body", b""))
                if not message.get("more_body"):
                    self._judge(scope["path"], b"".join(seen))
            await send(message)

        await self._app(scope, receive, watched)

    def _judge(self, path: str, body: bytes) -> None:
        route = match(path)
        if route is None or route.dialect == "openai-completions":
            return
        self.streams += 1
        try:
            envelope = route.dialect == "code-assist"
            check("gemini" if envelope else route.dialect, body, envelope=envelope)
        except GrammarError as err:
            self.faults.append(f"{path}: {err}\n{body.decode(errors='replace')[-3000:]}")


def _judged(headers: dict[bytes, bytes]) -> bool:
    streamed = headers.get(b"content-type", b"").startswith(b"text/event-stream")
    return streamed and headers.get(b"x-cliproxy-fidelity") in (b"exact", b"lossy")

"""The least a Python proxy of this stack can do: uvicorn in front, aiohttp behind.

It checks the bearer key, reads the JSON body, rewrites the model's name and sends it on. Of the
answer it parses every event, changes it and writes it again; asked with `x-bench-pass: 1` it
hands the bytes through unread. Whatever arrives together leaves together. It translates nothing,
picks no account, retries nothing, counts nothing: it is the yardstick, not a product.

    python -m bench.baseline PORT UPSTREAM_PORT KEY
"""

from __future__ import annotations

import hmac
import sys
from typing import Any

import aiohttp
import msgspec
import uvicorn

decode = msgspec.json.Decoder().decode
encode = msgspec.json.Encoder().encode

SEPARATOR = b"\n\n"
JSON_HEADERS = [(b"content-type", b"application/json")]
SSE_HEADERS = [(b"content-type", b"text/event-stream")]


def change(event: bytes) -> bytes:
    """Parse one event, put the client's name for the model into it, and write it again."""
    if not event.startswith(b"data: ") or event.endswith(b"[DONE]"):
        return event
    value = decode(event[6:])
    value["model"] = "chat"
    return b"data: " + encode(value)


class Baseline:
    """The ASGI application."""

    def __init__(self, upstream: str, key: str) -> None:
        self.upstream = upstream
        self.authorization = f"Bearer {key}".encode()
        self.session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        if self.session is None:
            self.session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60),
                read_bufsize=2**18,
                auto_decompress=False,
            )
        headers = dict(scope["headers"])
        if not hmac.compare_digest(headers.get(b"authorization", b""), self.authorization):
            await self.answer(send, 401, b"{}")
            return
        body = b""
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)

        value = decode(body)
        value["model"] = value["model"].replace("chat-", "bench-")
        async with self.session.post(
            self.upstream + scope["path"],
            data=encode(value),
            headers={"authorization": "Bearer upstream", "content-type": "application/json"},
        ) as response:
            passing = b"x-bench-pass" in headers
            if value.get("stream"):
                await self.stream(send, response, passing=passing)
                return
            answer = await response.read()
            if not passing:
                whole = decode(answer)
                whole["model"] = "chat"
                answer = encode(whole)
            await self.answer(send, response.status, answer)

    async def stream(self, send: Any, response: Any, *, passing: bool) -> None:
        """Hand a stream on, one write for each read."""
        start = {"type": "http.response.start", "status": response.status, "headers": SSE_HEADERS}
        await send(start)
        rest = b""
        async for data in response.content.iter_any():
            if passing:
                out = data
            else:
                *events, rest = (rest + data).split(SEPARATOR)
                out = b"".join([change(event) + SEPARATOR for event in events])
            if out:
                await send({"type": "http.response.body", "body": out, "more_body": True})
        await send({"type": "http.response.body", "body": rest, "more_body": False})

    async def answer(self, send: Any, status: int, body: bytes) -> None:
        """Send a complete answer."""
        headers = [*JSON_HEADERS, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    uvicorn.run(
        Baseline(f"http://127.0.0.1:{sys.argv[2]}", sys.argv[3]),
        port=int(sys.argv[1]),
        http="httptools",
        loop="uvloop",
        lifespan="off",
        access_log=False,
        log_level="warning",
        backlog=4096,
    )

"""The plainest client of all dialects, to test simulators and bytes with: stdlib sockets.

It sends the smallest request a dialect has and hands back what came, undecoded but for chunks.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

Json = Any
DIALECTS = ("openai-chat", "openai-responses", "anthropic", "gemini", "interactions")


@dataclass
class Got:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Json:
        return json.loads(self.body)


def asked(
    dialect: str, text: str = "Hello?", *, model: str = "m", stream: bool = False
) -> tuple[str, Json]:
    """Return path and body of the smallest request."""
    message = {"role": "user", "content": text}
    match dialect:
        case "openai-chat":
            body: Json = {"model": model, "messages": [message]}
            if stream:
                body |= {"stream": True, "stream_options": {"include_usage": True}}
            return "/v1/chat/completions", body
        case "openai-responses":
            include = ["reasoning.encrypted_content"]
            body = {"model": model, "input": text, "include": include, "stream": stream}
            return "/v1/responses", body
        case "anthropic":
            body = {"model": model, "max_tokens": 64, "messages": [message], "stream": stream}
            return "/v1/messages", body
        case "interactions":
            return "/v1beta/interactions", {"model": model, "input": text, "stream": stream}
        case _:
            method = "streamGenerateContent?alt=sse" if stream else "generateContent"
            contents = [{"role": "user", "parts": [{"text": text}]}]
            return f"/v1beta/models/{model}:{method}", {"contents": contents}


class Client:
    """One connection; `open` sends, `read` receives, leaving early is `close`."""

    def __init__(self, url: str, *, timeout: float = 10) -> None:
        parts = urlsplit(url)
        self._wire = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._wire.close()

    def open(
        self,
        path: str,
        body: Json = None,
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "POST",
    ) -> http.client.HTTPResponse:
        """Send a request and wait for the headers of the answer."""
        given = {"Content-Type": "application/json", "anthropic-version": "2023-06-01"}
        if "/v1/models" in path:
            del given["anthropic-version"]
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        self._wire.request(method, path, data, {**given, **(headers or {})})
        return self._wire.getresponse()


def fetch(
    url: str,
    path: str,
    body: Json = None,
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "POST",
) -> Got:
    """Send one request over a connection of its own and read all of the answer."""
    with Client(url) as client:
        answer = client.open(path, body, headers, method=method)
        with answer:
            return Got(answer.status, dict(answer.getheaders()), answer.read())


def ask(url: str, dialect: str, text: str = "Hello?", *, stream: bool = False) -> Got:
    """Ask the smallest question of a dialect."""
    path, body = asked(dialect, text, stream=stream)
    return fetch(url, path, body)

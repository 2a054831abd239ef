"""Plain HTTP against a running proxy, and the dialects' smallest good requests."""

from __future__ import annotations

import copy
import json
from typing import Any

import httpx2 as httpx

from tests.proxy import KEY, Proxy

MODEL = "m"
TURN = [{"role": "user", "content": "Hi"}]
PATHS = {
    "openai-chat": "/v1/chat/completions",
    "openai-completions": "/v1/completions",
    "openai-responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/{model}:generateContent",
    "interactions": "/v1beta/interactions",
}
BODIES: dict[str, dict[str, Any]] = {
    "openai-chat": {"messages": TURN},
    "openai-completions": {"prompt": "Hi"},
    "openai-responses": {"input": "Hi"},
    "anthropic": {"messages": TURN, "max_tokens": 64},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
    "interactions": {"input": "Hi"},
}
SHAPES = tuple(PATHS)


def request(
    dialect: str, model: str = MODEL, *, stream: bool = False, **fields: Any
) -> tuple[str, dict[str, Any]]:
    """Return path and body of a request in a dialect; `fields` are added to the body."""
    path, body = PATHS[dialect], copy.deepcopy(BODIES[dialect])
    if dialect == "gemini":
        path = path.format(model=model)
        if stream:
            path = path.replace(":generate", ":streamGenerate") + "?alt=sse"
    else:
        body["model"] = model
        if stream:
            body["stream"] = True
    return path, {**body, **fields}


def post(
    proxy: Proxy,
    path: str,
    body: Any = None,
    headers: dict[str, str] | None = None,
    *,
    key: str | None = KEY,
    method: str = "POST",
) -> httpx.Response:
    """Send one request; a body that is not bytes goes as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"content-type": "application/json", **(headers or {})}
    if key:
        sent["authorization"] = f"Bearer {key}"
    with httpx.Client(base_url=proxy.url, timeout=30, trust_env=False, verify=False) as client:
        return client.request(method, path, content=content, headers=sent)


def get(
    proxy: Proxy, path: str, headers: dict[str, str] | None = None, *, key: str | None = KEY
) -> httpx.Response:
    return post(proxy, path, b"", headers, key=key, method="GET")


def error_of(dialect: str, response: httpx.Response) -> tuple[str, str]:
    """Return (message, kind) of an error, having checked that its shape is the dialect's own."""
    assert response.headers["content-type"].startswith("application/json")
    body = response.json()
    assert b"Traceback" not in response.content
    match dialect:
        case "anthropic":
            assert body["type"] == "error"
            assert set(body["error"]) >= {"type", "message"}
            found = body["error"]["message"], body["error"]["type"]
        case "gemini":
            assert body["error"]["code"] == response.status_code
            found = body["error"]["message"], body["error"]["status"]
        case "interactions":
            assert set(body) == {"error"}
            assert set(body["error"]) == {"message", "code"}
            found = body["error"]["message"], body["error"]["code"]
        case _:
            assert set(body["error"]) >= {"message", "type", "param", "code"}
            found = body["error"]["message"], body["error"]["type"]
    assert found[0]
    assert found[1]
    return found

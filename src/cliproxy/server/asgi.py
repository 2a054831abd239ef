"""ASGI types, and the two ways of answering that everything else uses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final

from cliproxy.base import json

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
RawHeaders = list[tuple[bytes, bytes]]

JSON_TYPE: Final = (b"content-type", b"application/json")


async def answer(
    send: Send,
    status: int,
    body: bytes | None,
    headers: Iterable[tuple[bytes, bytes]],
    *,
    head: bool = False,
) -> None:
    """Send a whole answer; for HEAD without its body, which need not be known (None)."""
    told = list(headers)
    if body is not None:
        told.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": told})
    await send({"type": "http.response.body", "body": body if body and not head else b""})


def json_body(value: json.Json) -> bytes:
    """Encode an answer."""
    return json.dumps(value)


def header_map(scope: Scope) -> dict[str, str]:
    """Return the request's headers with lower-case names; repeated ones joined by a comma."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name = raw_name.decode("latin-1")
        value = raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def text_of(value: str) -> str:
    """Return what a header says where it is more than ASCII: most programs write UTF-8."""
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        # Browsers write Latin-1.
        return value

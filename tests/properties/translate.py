"""One answer from an upstream's bytes to a client's, without a network between them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from cliproxy import dialects
from cliproxy.base import json
from cliproxy.dialects import ParseMeta
from cliproxy.dialects.sse import SseDecoder
from cliproxy.ir.caps import Caps
from cliproxy.ir.check import check
from cliproxy.ir.events import Event
from cliproxy.ir.fold import fold
from cliproxy.ir.request import IRRequest

BODIES: dict[str, dict[str, Any]] = {
    "openai-chat": {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream_options": {"include_usage": True},
    },
    "openai-responses": {
        "model": "m",
        "input": "Hi",
        "include": ["reasoning.encrypted_content"],
    },
    "anthropic": {
        "model": "m",
        "max_tokens": 64,
        "messages": [{"role": "user", "content": "Hi"}],
        "thinking": {"type": "adaptive"},
    },
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
    "interactions": {"model": "m", "input": "Hi"},
}


@cache
def request(client: str) -> IRRequest:
    """Return a small streaming request that asks to be told everything."""
    body = {**BODIES[client], "stream": True}
    return dialects.get(client).parse(body, ParseMeta(model="m", stream=True))


def read(upstream: str, stream: Iterable[bytes]) -> list[list[Event]]:
    """Return the events of a stream, as many together as came with one piece of it."""
    decoder, reader = SseDecoder(), dialects.get(upstream).reader(Caps())
    found = [
        [event for data, name in decoder.feed(piece) for event in reader.feed(data, name)]
        for piece in stream
    ]
    found.append([event for data, name in decoder.close() for event in reader.feed(data, name)])
    found.append(reader.close())
    check([event for batch in found for event in batch])
    return found


def read_whole(upstream: str, body: Any) -> list[Event]:
    """Return the events of a body that is not a stream."""
    found = dialects.get(upstream).reader(Caps()).whole(json.dumps(body))
    return list(check(found))


def streamed(client: str, batches: Iterable[list[Event]]) -> bytes:
    """Write events as the client's stream."""
    writer = dialects.get(client).writer(request(client), "sse")
    return b"".join(writer.feed(batch) for batch in batches)


def whole(client: str, events: Iterable[Event]) -> bytes:
    """Write events as the client's whole body."""
    return dialects.get(client).render(fold(events), request(client))

"""Looking into a body without taking it apart: model, stream flag, and changing the model.

The verbatim path forwards the client's own bytes, so nothing is re-serialised; only the value of
the top-level `model` is exchanged in place when the upstream knows the model by another name.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from msgspec import Struct

from cliproxy.base import json
from cliproxy.base.errors import BadRequest
from cliproxy.pipeline.context import json_type


class Peeked(Struct):
    """The two fields routing needs."""

    model: Any = None
    stream: Any = None


_peek: Final = msgspec.json.Decoder(Peeked)
_TOKENS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)


def peek(body: bytes) -> Peeked:
    """Read `model` and `stream`. Raises `BadRequest` when the body is not a JSON object."""
    try:
        return _peek.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    # Slow lane: either a broken body (say so) or one with a lone surrogate (legal, rare).
    try:
        value = json.loads(body)
    except json.InvalidJson as err:
        raise BadRequest(
            f"The request body is not valid JSON: {err}" if body else "The request body is empty.",
            code="invalid_json",
        ) from err
    if not isinstance(value, dict):
        raise BadRequest(
            f"The request body must be a JSON object, not {json_type(value)}.", code="invalid_json"
        )
    return Peeked(value.get("model"), value.get("stream"))


def replace_model(body: bytes, model: str) -> bytes:
    """Return the body with its top-level `model` exchanged, every other byte as it was."""
    value = json.dumps(model)
    spans = [m.span(1) for m in _MODEL.finditer(body)]
    if len(spans) > 1:
        spans = [span for span in spans if _depth(body, span[0]) == 1]
    if not spans:
        return body
    # JSON decoders take the last of duplicate keys; so do we.
    start, end = spans[-1]
    return body[:start] + value + body[end:]


_MODEL: Final = re.compile(rb'"model"\s*:\s*("(?:[^"\\]|\\.)*")', re.DOTALL)


def _depth(body: bytes, position: int) -> int:
    depth = 0
    for match in _TOKENS.finditer(body, 0, position):
        token = match.group()
        if token in (b"{", b"["):
            depth += 1
        elif token in (b"}", b"]"):
            depth -= 1
    return depth

"""The answer fields of the installed official SDKs, as dotted paths.

A whole answer's fields have no prefix. `chunk` is a streamed piece of a chat answer, `event[…]` an
event of the other streams, `failure` the body of an error status. What an event repeats of a whole
answer (the answer itself, an item, a block) is one field here: its own fields have their rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from tests.unit.compat.compat_sdk import STRUCTURE, _members, _objects, _tags

REPEATED = frozenset({"response", "item", "message", "content_block"})
"""Members of events that hold what a whole answer consists of."""

# The official clients of Gemini have no type for an error: they read these members.
GEMINI_ERROR = ("code", "message", "status", "details")


@cache
def paths(dialect: str) -> frozenset[str]:
    """Return every answer field of one dialect's official SDK."""
    return frozenset(_paths(dialect))


def _paths(dialect: str) -> Iterator[str]:
    match dialect:
        case "openai-chat":
            from openai.types import chat, shared  # noqa: PLC0415

            yield from _walk(chat.ChatCompletion, "", ())
            yield from _walk(chat.ChatCompletionChunk, "chunk", ())
            yield from _walk(shared.ErrorObject, "failure.error", ())
        case "openai-responses":
            from openai.types import responses, shared  # noqa: PLC0415

            yield from _walk(responses.Response, "", ())
            yield from _events(responses.ResponseStreamEvent)
            yield from _walk(shared.ErrorObject, "failure.error", ())
        case "anthropic":
            from anthropic import types  # noqa: PLC0415
            from anthropic.types import beta, shared  # noqa: PLC0415

            for whole, events, error in (
                (types.Message, types.RawMessageStreamEvent, shared.ErrorResponse),
                (beta.BetaMessage, beta.BetaRawMessageStreamEvent, types.BetaErrorResponse),
            ):
                yield from _walk(whole, "", ())
                yield from _events(events)
                yield from _walk(error, "failure", ())
        case _:
            from google.genai import types as genai  # noqa: PLC0415

            yield from _walk(genai.GenerateContentResponse, "", ())
            yield from (f"failure.error.{name}" for name in GEMINI_ERROR)


def _events(union: Any) -> Iterator[str]:
    for one in _objects(union):
        for tag in _tags(one):
            yield from _walk(one, f"event[{tag}]", (one,))


def _walk(cls: type, path: str, above: tuple[type, ...]) -> Iterator[str]:
    tagged = bool(_tags(cls))
    for name, kind in _members(cls).items():
        if tagged and name in STRUCTURE:
            continue
        here = f"{path}.{name}" if path else name
        objects = list(dict.fromkeys(_objects(kind)))
        if not objects or (path.startswith("event[") and name in REPEATED):
            yield here
            continue
        for one in objects:
            for tag in [f"[{tag}]" for tag in _tags(one)] or [""]:
                inner = [] if one in above else list(_walk(one, here + tag, (*above, one)))
                yield from inner or [here + tag]

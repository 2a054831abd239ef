"""Counts that a Chat Completions client did not ask for, asked for all the same.

An upstream counts a stream only with `stream_options.include_usage`; without it nobody would know
what a request used. So it is asked for, and what only this brings into the answer is taken out
again: the client sees the stream that it asked for.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from cliproxy.base import json
from cliproxy.base.json import Obj
from cliproxy.providers import quirks

_NAME: Final = "stream_options"
_QUOTED: Final = b'"stream_options"'
_ASKED: Final = b'{"stream_options":{"include_usage":true},'
_EVENT: Final = re.compile(rb"(\r?\n\r?\n)")
_EMPTY: Final = (b'"choices":[]', b'"choices": []')
_NOTHING: Final = b',"usage":null'


class _Chunk(Struct):
    choices: list[Any] | None = None
    usage: Obj | None = None


_chunk: Final = msgspec.json.Decoder(_Chunk)


def ask(body: bytes) -> bytes:
    """Return a streaming request that asks for counts; the same object where it does already.

    All of the client's own values stay byte for byte.
    """
    if _QUOTED not in body:
        start = body.find(b"{") + 1
        return body[: start - 1] + _ASKED + body[start:]
    members = quirks.members(body)
    if members is None:
        return body
    try:
        options = json.loads(bytes(members.get(_NAME, Raw(b"null")))) or {}
    except json.InvalidJson:
        return body
    if not isinstance(options, dict) or options.get("include_usage", False) is not False:
        # Asked for, or no request that an upstream takes: what is wrong, it says itself.
        return body
    members[_NAME] = Raw(json.dumps({**options, "include_usage": True}))
    return msgspec.json.encode(members)


def hide(events: bytes) -> bytes:
    """Return whole events without the one that holds only counts, and without empty counts."""
    # Inside JSON text a quote is escaped: none of this is the model's own words.
    events = events.replace(_NOTHING, b"")
    if not any(mark in events for mark in _EMPTY):
        return events
    parts = _EVENT.split(events)
    for n in range(0, len(parts) - 1, 2):
        if _only_counts(parts[n]):
            parts[n] = parts[n + 1] = b""
    return b"".join(parts)


def _only_counts(event: bytes) -> bool:
    if not event.startswith(b"data:"):
        return False
    try:
        told = _chunk.decode(event[5:])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return told.choices == [] and told.usage is not None


def refused(status: int, body: bytes) -> bool:
    """Tell whether an upstream took offence at being asked for counts.

    Hosts name the field in their message, beside it or deep inside; a refusal that only repeats the
    request is taken for one of them, and costs one attempt.
    """
    return status in (400, 422) and _NAME.encode() in body

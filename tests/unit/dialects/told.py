"""Answers as events, written down the way a test wants to read them; and values to spoil."""

from __future__ import annotations

import copy

from cliproxy.ir.events import (
    ArgsDelta,
    BlockStart,
    BlockStop,
    End,
    Finish,
    Signature,
    Start,
    TextDelta,
    ThinkingDelta,
)
from cliproxy.ir.request import Sig

CLAUDE = Sig("EqQB", "claude")
GEMINI = Sig("CvGE", "gemini")


def text(index, *pieces, choice=0):
    """Yield a block of text."""
    yield BlockStart(index, "text", choice)
    for piece in pieces:
        yield TextDelta(index, piece)
    yield BlockStop(index)


def thinking(index, *pieces, sig=None, **more):
    """Yield a block of reasoning."""
    yield BlockStart(index, "thinking", **more)
    for piece in pieces:
        yield ThinkingDelta(index, piece)
    if sig:
        yield Signature(index, sig)
    yield BlockStop(index)


def tool(index, call_id, name, *pieces, late=None, **more):
    """Yield a call; `late` is a signature that follows the arguments."""
    yield BlockStart(index, "tool_call", id=call_id, name=name, **more)
    for piece in pieces:
        yield ArgsDelta(index, piece)
    if late:
        yield Signature(index, late)
    yield BlockStop(index)


def answer(counts, *parts, finish="stop", usage=True, **more):
    """Return a whole answer; `counts` is its usage event."""
    events = [Start("abc", "upstream-name", 77)]
    for part in parts:
        events.extend(part)
    if usage:
        events.append(counts)
    return [*events, Finish(finish, **more), End()]


def places(value, path=()):
    """Yield the path of every node of a JSON value but the root."""
    if path:
        yield path
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from places(inner, (*path, key))


def put(body, place, new):
    """Set one node of a JSON value. Raises as indexing does where there is no such place."""
    target = body
    for key in place[:-1]:
        target = target[key]
    if isinstance(target, dict) and not isinstance(place[-1], str):
        raise KeyError(place[-1])  # JSON has no such key
    target[place[-1]] = copy.deepcopy(new)

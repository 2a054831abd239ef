"""Answers as events, written down the way a test wants to read them."""

from __future__ import annotations

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

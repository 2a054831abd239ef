"""Random answers of everything the events can say."""

from __future__ import annotations

from hypothesis import strategies as st
from tests.unit.dialects.told import CLAUDE, text, thinking, tool

from cliproxy.ir.events import (
    ArgsDelta,
    BlockStart,
    BlockStop,
    Citation,
    End,
    Finish,
    MediaDelta,
    RefusalDelta,
    Start,
    ThinkingBreak,
)

PAGES = {"results": [{"url": "https://x", "title": "X"}]}
ARGS = ("", "{}", '{"a":"ü"}', '{"a":{"b":[1,2.5,null]}}')
CITED = {"kind": "url", "url": "https://x", "title": "X", "start": 0, "end": 1}
KINDS = ("text", "thinking", "tool", "redacted", "refusal", "image")


def unsigned(draw, sig):
    """Draw what is signed of a call: nothing."""
    return {}


@st.composite
def answers(draw, counts, sigs, *more, words=(), args=ARGS, signing=unsigned, interleaved=True):
    """Draw an answer.

    Args:
        counts: Its usage event.
        sigs: Signatures, of which every block may have one.
        more: Kinds of blocks besides `KINDS`: `custom`, `search`, `found`.
        words: Categories of characters that do not occur.
        args: Arguments of calls.
        signing: Draws what is signed of a call.
        interleaved: Whether blocks run side by side.
    """
    words = st.text(st.characters(exclude_categories=words), min_size=1, max_size=8)
    blocks, called = [], False
    for index in range(draw(st.integers(0, 6))):
        kind = draw(st.sampled_from([*KINDS, *more]))
        pieces = draw(st.lists(words, min_size=1, max_size=3))
        sig = draw(st.sampled_from([None, *sigs]))
        called = called or kind in ("tool", "custom")
        match kind:
            case "text":
                block = [*text(index, *pieces)]
                if draw(st.booleans()):
                    block.insert(-1, Citation(index, CITED))
            case "thinking":
                block = [*thinking(index, *pieces, sig=sig)]
                if draw(st.booleans()):
                    block.insert(2, ThinkingBreak(index))
            case "tool":
                said = draw(st.sampled_from(args))
                cut = draw(st.integers(0, len(said)))
                signed = signing(draw, sig)
                block = [*tool(index, f"call_{index}", "f", said[:cut], said[cut:], **signed)]
            case "custom":
                block = [*tool(index, f"call_{index}", "q", *pieces, tool_kind="custom")]
            case "redacted":
                block = [BlockStart(index, "redacted", signature=sig or CLAUDE)]
            case "refusal":
                block = [BlockStart(index, "refusal"), *(RefusalDelta(index, p) for p in pieces)]
            case "search":
                search = {"id": f"ws_{index}", "name": "web_search", "server_kind": "web_search"}
                block = [
                    BlockStart(index, "server_call", **search),
                    ArgsDelta(index, '{"query":"q"}'),
                ]
            case "found":
                found = {"id": f"ws_{index}", "server_kind": "web_search", "payload": PAGES}
                block = [BlockStart(index, "server_result", **found)]
            case _:
                block = [BlockStart(index, "image", mime="image/png"), MediaDelta(index, "AAAA")]
        if not isinstance(block[-1], BlockStop):
            block.append(BlockStop(index))
        blocks.append(block)
    events = [Start("abc", "up", 7)]
    started = 0
    while any(blocks):
        # A block may start only once all before it have.
        ready = [n for n, block in enumerate(blocks) if block and n <= started]
        n = draw(st.sampled_from(ready)) if interleaved else ready[0]
        events.append(blocks[n].pop(0))
        started = max(started, n + 1)
    if draw(st.booleans()):
        events.append(counts)
    plain = draw(st.sampled_from(["stop", "length", "content_filter"]))
    return [*events, Finish("tool_calls" if called else plain), End()]

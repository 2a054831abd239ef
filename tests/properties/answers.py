"""Answers a model may give, and the bytes in which each dialect gives them."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from tests.sim import (
    render_anthropic,
    render_chat,
    render_gemini,
    render_interactions,
    render_responses,
)
from tests.sim.event import Event, Memory
from tests.sim.record import Recorded
from tests.sim.script import Answer, Call, Image, Part, Refusal, Text, Thinking, Usage
from tests.sim.wire import Headers

Json = Any
DIALECTS = ("openai-chat", "openai-responses", "anthropic", "gemini", "interactions")
RENDERED = {
    "openai-chat": render_chat.Rendered,
    "openai-responses": render_responses.Rendered,
    "anthropic": render_anthropic.Rendered,
    "gemini": render_gemini.Rendered,
    "interactions": render_interactions.Rendered,
}
ASKED: dict[str, Json] = {
    # What makes an upstream tell everything it can.
    "openai-chat": {"stream_options": {"include_usage": True}},
    "openai-responses": {"include": ["reasoning.encrypted_content"]},
    "anthropic": {},
    "gemini": {},
    "interactions": {},
}
WITH_IMAGES = ("openai-chat", "openai-responses", "gemini", "interactions")
WITH_REFUSALS = ("openai-chat", "openai-responses")
PICTURE = b"\x89PNG\r\n\x1a\n"
ODD = (
    " ", "\n", "\n\n", "\u2028", "\u0085", "é", "🙂", '"', "\\", "</think>", "<think>", "data: {}",
    "[DONE]", "event: x", "\t", "\x00", "\x7f", "{", "}", "0", "\\u0041", "﻿", "a", "Hello",
)  # fmt: skip

pieces = st.lists(st.sampled_from(ODD) | st.text(min_size=1, max_size=6), min_size=1, max_size=4)
names = st.sampled_from(["get_weather", "f", "mcp__server__tool", "a-b", "Read"])
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from([2**53 + 1, 10**25, -(2**63)])
    | st.sampled_from([0.5, -1.25, 1e-7])
    | st.text(max_size=5)
    | st.sampled_from(ODD)
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
arguments = st.dictionaries(st.sampled_from(["city", "n", "ö", "a b", ""]), values, max_size=3)


@st.composite
def cut(draw: Any, text: str) -> list[str]:
    """Cut a text into one to four fragments, some perhaps empty."""
    at = sorted(draw(st.lists(st.integers(0, len(text)), max_size=3)))
    return [text[a:b] for a, b in zip([0, *at], [*at, len(text)], strict=True)]


@st.composite
def calls(draw: Any, number: int) -> Call:
    text = json.dumps(draw(arguments), ensure_ascii=draw(st.booleans()))
    return Call(draw(names), id=f"call_{number}", pieces=draw(cut(text)))


@st.composite
def usages(draw: Any) -> Usage:
    cached, written, fresh = (draw(st.integers(0, 40)) for _ in range(3))
    reasoning, visible = draw(st.integers(0, 40)), draw(st.integers(1, 40))
    return Usage(cached + written + fresh, visible + reasoning, cached, written, reasoning)


@st.composite
def parts_of(draw: Any, dialect: str) -> list[Part]:
    """Draw what one answer consists of, in an order the dialect's models could produce."""
    kinds = ["text", "text", "thinking", "call", "call"]
    kinds += ["image"] if dialect in WITH_IMAGES else []
    found: list[Part] = []
    for number, kind in enumerate(draw(st.lists(st.sampled_from(kinds), max_size=5))):
        match kind:
            case "text":
                signed = dialect == "gemini" and draw(st.booleans())
                found.append(Text(draw(pieces), _signature(number) if signed else ""))
            case "thinking":
                found.append(_thinking(draw, dialect, number))
            case "call":
                call = draw(calls(number))
                nameless = dialect == "gemini" and draw(st.booleans())
                found.append(replace(call, id=None) if nameless else call)
            case _:
                found.append(Image(PICTURE + bytes([number]), "image/png"))
    if dialect in WITH_REFUSALS and not found and draw(st.booleans()):
        found.append(Refusal(draw(pieces)))
    return found


def _thinking(draw: Any, dialect: str, number: int) -> Thinking:
    if dialect == "anthropic" and draw(st.booleans()):
        return Thinking([], redacted=_signature(number))
    signed = draw(st.booleans()) or dialect == "anthropic"
    return Thinking(draw(pieces), _signature(number) if signed else "")


def _signature(number: int) -> str:
    return base64.b64encode(b"signature %d" % number).decode()


@dataclass(frozen=True, repr=False)
class Said(Answer):
    """An answer whose counterexamples can be read: only what is not as usual is shown."""

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: FBT001  # Hypothesis calls
        shown = ("parts", "usage", "without_usage", "finish", "stop_sequence", "pings")
        printer.text(f"Said({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})")


@st.composite
def answers(draw: Any, dialect: str) -> Said:
    """Draw an answer that a model behind this dialect may give."""
    parts = draw(parts_of(dialect))
    called = any(isinstance(part, Call) for part in parts)
    finish, sequence = "", None
    if not called:
        finish = draw(st.sampled_from(["", "length", "content_filter"]))
        if not finish and dialect == "anthropic" and draw(st.booleans()):
            sequence = "HALT"
    elif draw(st.integers(0, 4)) == 0 and dialect != "openai-responses":
        finish = "length"
    usage = draw(usages())
    if not parts:
        usage = replace(usage, output=1, reasoning=0)  # more, and something would be missing
    if dialect in ("gemini", "interactions"):
        usage = Usage(usage.input, usage.output, usage.cached, 0, usage.reasoning)
    return Said(
        parts=parts,
        usage=usage,
        without_usage=dialect != "anthropic" and draw(st.integers(0, 5)) == 0,
        finish=finish,
        stop_sequence=sequence,
        pings=draw(st.booleans()),
    )


def rendered(dialect: str, answer: Answer) -> tuple[list[Event], Json]:
    """Return an answer as the events of a stream and as a whole body."""
    record = Recorded(
        number=0,
        connection=0,
        method="POST",
        path="/",
        target="/",
        query={},
        headers=Headers([]),
        raw=b"",
        content=b"",
        body=ASKED[dialect],
        dialect=dialect,
        endpoint="generate",
        model="upstream-model",
        stream=True,
    )
    found = RENDERED[dialect](answer, record, Memory())
    return found.events(), found.whole()


def sse(events: list[Event], newline: bytes = b"\n") -> bytes:
    """Write events as a stream."""
    out = bytearray()
    for event in events:
        if event.name:
            out += b"event: " + event.name.encode() + newline
        shown = event.data if isinstance(event.data, str) else json.dumps(event.data)
        out += b"data: " + shown.encode() + newline * 2
    return bytes(out)

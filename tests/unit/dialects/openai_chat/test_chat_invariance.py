"""The same upstream bytes give the same answer however the network cuts them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cliproxy.dialects.openai_chat import DIALECT
from cliproxy.dialects.sse import SseDecoder
from cliproxy.ir.caps import Caps
from cliproxy.ir.check import check
from cliproxy.ir.fold import fold


def chunk(delta, finish=None, **more):
    return {
        "id": "chatcmpl-1",
        "created": 5,
        "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        **more,
    }


BODIES = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"reasoning_content": "Grübel…\u2028 \u0085"}),
    chunk({"content": "Zürich 🙂"}),
    chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}]}),
    chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"x": "é'}}]}),
    chunk({"tool_calls": [{"index": 0, "function": {"arguments": '"}'}}]}),
    chunk({}, "tool_calls"),
    {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 3}},
]


def render(newline: bytes, space: bytes, *, done: bool) -> bytes:
    out = [b"\xef\xbb\xbf", b": hello" + newline * 2]
    for body in BODIES:
        data = json.dumps(body, ensure_ascii=False).encode()
        out.append(b"data:" + space + data + newline * 2)
    if done:
        out.append(b"data:" + space + b"[DONE]")  # and no blank line after it
    return b"".join(out)


STREAMS = [
    render(b"\n", b" ", done=True),
    render(b"\r\n", b"", done=True),
    render(b"\r", b" ", done=False),
]


def read(pieces):
    decoder, reader = SseDecoder(), DIALECT.reader(Caps())
    events = []
    for piece in pieces:
        for frame in decoder.feed(piece):
            events += reader.feed(frame.data, frame.event)
    for frame in decoder.close():
        events += reader.feed(frame.data, frame.event)
    return check(events + reader.close())


EXPECTED = read([STREAMS[0]])


def test_the_reference_answer_is_what_was_sent():
    answer = fold(EXPECTED)
    assert [(b.kind, b.text) for b in answer.blocks] == [
        ("thinking", "Grübel…\u2028 \u0085"),
        ("text", "Zürich 🙂"),
        ("tool_call", '{"x": "é"}'),
    ]
    assert answer.finish.reason == "tool_calls"
    assert answer.usage.total == 8


@pytest.mark.parametrize("stream", STREAMS)
def test_edges_161_to_167_a_cut_at_every_byte_changes_nothing(stream):
    for at in range(1, len(stream)):
        assert read([stream[:at], stream[at:]]) == EXPECTED


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(STREAMS), st.lists(st.integers(1, 40), min_size=1))
def test_any_chunking_changes_nothing(stream, sizes):
    pieces, at, n = [], 0, 0
    while at < len(stream):
        size = sizes[n % len(sizes)]
        pieces.append(stream[at : at + size])
        at, n = at + size, n + 1
    assert read(pieces) == EXPECTED


@given(st.integers(0, len(BODIES) - 3))
def test_a_stream_cut_before_its_finish_never_ends_normally(count):
    reader = DIALECT.reader(Caps())
    events = []
    for body in BODIES[:count]:
        events += reader.feed(json.dumps(body).encode())
    assert type(check(events + reader.close())[-1]).__name__ == "Error"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["choices", "delta", "content", "tool_calls", "function", "index", "id", "name", "usage",
             "arguments", "finish_reason", "message", "reasoning", "annotations", "images", "audio",
             "url", "image_url", "prompt_tokens", "extra_content", "logprobs", "custom", "refusal",
             "function_call", "citations", "created", "x_groq", "url_citation", "type"]
        ),
        inner,
        max_size=5,
    ),
    max_leaves=25,
)  # fmt: skip
DELTA = st.dictionaries(
    st.sampled_from(
        ["content", "tool_calls", "reasoning", "images", "audio", "annotations", "refusal"]
    ),
    JSON,
    max_size=4,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(JSON | DELTA.map(chunk), max_size=5), st.booleans())
def test_no_payload_ever_raises_or_breaks_the_grammar(bodies, done):
    reader = DIALECT.reader(Caps())
    events = []
    for body in bodies:
        events += reader.feed(json.dumps(body).encode())
    if done:
        events += reader.feed(b"[DONE]")
    check(events + reader.close())
    for body in bodies:
        check(DIALECT.reader(Caps()).whole(json.dumps(body).encode()))

"""Bodies with any value in any place: refused by name or read, never a crash."""

from __future__ import annotations

import copy
import json
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.dialects.spoilt import (
    VALUES,
    faults_of,
    named,
    places,
    put,
    refusal,
    some_spoilt,
    spoilt,
)

from cliproxy.dialects import ParseMeta
from cliproxy.dialects.anthropic import DIALECT
from cliproxy.ir.caps import Caps, ThinkingCaps
from cliproxy.ir.check import check
from cliproxy.ir.events import Error
from cliproxy.ir.fold import fold

TEXT = {"type": "text", "text": "x"}
REQUEST = {
    "model": "m",
    "max_tokens": 5000,
    "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
    "messages": [
        {"role": "user", "content": [
            {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
            {"type": "image", "source": {"type": "url", "url": "https://x"}},
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "d"},
             "title": "t", "context": "c", "citations": {"enabled": True}},
            {"type": "document", "source": {"type": "content", "content": [TEXT]}},
            {"type": "document", "source": {"type": "file", "file_id": "f"}},
            {"type": "search_result", "source": "s", "title": "t", "content": [TEXT]},
        ]},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "t", "signature": "E"},
            {"type": "redacted_thinking", "data": "D"},
            {"type": "text", "text": "b", "citations": [{"type": "char_location", "cited_text": "c"}]},
            {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}},
            {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [
                {"type": "web_search_result", "url": "u", "title": "t", "encrypted_content": "e"}]},
            {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t1", "is_error": True, "content": [TEXT]},
            {"type": "tool_result", "tool_use_id": "t2", "content": "x"}]},
        {"role": "system", "content": "mid"},
        {"role": "user", "content": "q"},
    ],
    "tools": [
        {"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {}}, "strict": True,
         "cache_control": {"type": "ephemeral"}},
        {"type": "web_search_20250305", "name": "web_search", "allowed_domains": ["x"],
         "user_location": {"type": "approximate", "city": "c"}},
        {"type": "bash_20250124", "name": "bash"},
    ],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    "thinking": {"type": "enabled", "budget_tokens": 2000, "display": "omitted"},
    "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}},
    "metadata": {"user_id": "u"},
    "cache_control": {"type": "ephemeral"},
    "stop_sequences": ["a"], "temperature": 1, "top_p": 0.5, "top_k": 4, "stream": True, "service_tier": "auto",
    "betas": ["x"], "mcp_servers": [{"name": "n"}],
}  # fmt: skip
TARGETS = (
    Caps(model="u"),
    Caps(model="u", known=True, thinking=ThinkingCaps(levels=("low", "high")), prefill=False),
    Caps(model="u", known=True, thinking=ThinkingCaps(min=1024, max=9000)),
)
refused = partial(refusal, DIALECT, TARGETS)


def test_the_body_that_is_broken_below_is_sound():
    assert refused(REQUEST) is None


@pytest.mark.parametrize(
    ("place", "values"),
    [
        (("model",), (None, 1, "")),
        (("max_tokens",), (None, "5", 1.5, True, [])),
        (("messages",), (None, "x", {}, [])),
        (("messages", 0), (None, 1, [], "x")),
        (("messages", 0, "role"), (None, 1, "tool", "")),
        (("messages", 0, "content"), (None, 1, True)),
        (("messages", 0, "content", 0), (None, 1, [])),
        (("messages", 0, "content", 0, "type"), (None, 1, "")),
        (("messages", 0, "content", 0, "text"), (None, 1, [])),
        (("messages", 0, "content", 0, "cache_control"), (1, "x", [])),
        (("messages", 0, "content", 1, "source"), (None, 1, "x")),
        (("messages", 0, "content", 1, "source", "type"), (None, 1, "x")),
        (("messages", 0, "content", 1, "source", "data"), (None, 1, "!", "A")),
        (("messages", 0, "content", 2, "source", "url"), (None, 1)),
        (("messages", 0, "content", 3, "title"), (1, [])),
        (("messages", 0, "content", 3, "citations"), (1, "x")),
        (("messages", 0, "content", 3, "citations", "enabled"), (1, "x")),
        (("messages", 0, "content", 4, "source", "content"), (1, {"a": 1})),
        (("messages", 0, "content", 5, "source", "file_id"), (None, 1)),
        (("messages", 1, "content", 0, "thinking"), (None, 1)),
        (("messages", 1, "content", 0, "signature"), (1, [])),
        (("messages", 1, "content", 1, "data"), (None, 1, "")),
        (("messages", 1, "content", 2, "citations"), (1, "x", {})),
        (("messages", 1, "content", 2, "citations", 0), (1, "x", None)),
        (("messages", 1, "content", 3, "name"), (None, 1)),
        (("messages", 1, "content", 5, "id"), (None, 1, "")),
        (("messages", 1, "content", 5, "name"), (None, 1, "")),
        (("messages", 2, "content", 0, "tool_use_id"), (1, [])),
        (("messages", 2, "content", 0, "is_error"), (1, "x")),
        (("messages", 2, "content", 0, "content"), (1, True)),
        (("system",), (1, {}, True)),
        (("system", 0), (1, None, [])),
        (("system", 0, "text"), (None, 1)),
        (("tools",), (1, "x", {})),
        (("tools", 0), (1, None, "x")),
        (("tools", 0, "name"), (None, 1, "")),
        (("tools", 0, "description"), (1, [])),
        (("tools", 0, "input_schema"), (1, "x", [])),
        (("tools", 0, "strict"), (1, "x")),
        (("tools", 1, "type"), (1, [])),
        (("tool_choice",), (1, "auto", [])),
        (("tool_choice", "type"), (None, 1, "x")),
        (("tool_choice", "disable_parallel_tool_use"), (1, "x")),
        (("thinking",), (1, "x", [])),
        (("thinking", "type"), (None, 1, "x")),
        (("thinking", "budget_tokens"), ("x", 1.5, True)),
        (("thinking", "display"), (1, [])),
        (("output_config",), (1, "x")),
        (("output_config", "effort"), (1, [])),
        (("output_config", "format"), (1, "x")),
        (("output_config", "format", "type"), (None, 1, "text")),
        (("output_config", "format", "schema"), (1, "x")),
        (("metadata",), (1, "x")),
        (("metadata", "user_id"), (1, [])),
        (("cache_control",), (1, "x")),
        (("cache_control", "ttl"), (1, [])),
        (("stop_sequences",), (1, {}, [1])),
        (("temperature",), ("1", [], True)),
        (("top_p",), ("1", [], True)),
        (("top_k",), ("1", [], True, 1.5)),
        (("stream",), (1, "x")),
        (("service_tier",), (1, [])),
    ],
    ids=lambda v: named(v) if isinstance(v, tuple) and all(isinstance(k, str | int) for k in v) and v and isinstance(v[0], str) and len(v[0]) > 1 else "",
)  # fmt: skip
def test_a_wrong_type_is_refused_naming_the_field(place, values):
    for value in values:
        found = refused(spoilt(REQUEST, (place, value)))
        assert found is not None, f"{value!r} was taken"
        assert found.startswith(named(place)), f"{value!r}: {found}"


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(list(places(REQUEST))), st.sampled_from(VALUES))
def test_any_value_in_any_place_is_read_or_refused_by_name(place, value):
    body = spoilt(REQUEST, (place, value))
    before = json.dumps(body)
    assert refused(body) != "nameless"
    assert json.dumps(body) == before


@settings(max_examples=150, deadline=None)
@given(faults_of(REQUEST))
def test_several_faults_at_once_are_no_worse(faults):
    assert refused(spoilt(REQUEST, *faults)) != "nameless"


def test_deep_nesting_is_no_crash():
    deep = {"type": "object"}
    for _ in range(200):
        deep = {"type": "object", "properties": {"a": deep}}
    assert refused({**REQUEST, "tools": [{"name": "f", "input_schema": deep}]}) is None


# ---- answers ----------------------------------------------------------------------------------
EVENTS = [
    {"type": "message_start", "message": {"id": "m", "model": "x", "usage": {
        "input_tokens": 1, "output_tokens": 1, "cache_creation": {"ephemeral_5m_input_tokens": 1}}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "a", "citations": [{}]}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": {"type": "c"}}},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{}"}},
    {"type": "content_block_start", "index": 2, "content_block": {"type": "thinking", "thinking": "a", "signature": "s"}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "thinking_delta", "thinking": "x"}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "signature_delta", "signature": "x"}},
    {"type": "content_block_start", "index": 3, "content_block": {
        "type": "web_search_tool_result", "tool_use_id": "t", "content": [{"url": "u", "title": "t"}]}},
    {"type": "content_block_start", "index": 4, "content_block": {"type": "redacted_thinking", "data": "d"}},
    {"type": "content_block_start", "index": 5, "content_block": {"type": "server_tool_use", "id": "s", "name": "web_search"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": "x", "stop_details": {"type": "refusal"}},
     "usage": {"output_tokens": 5, "server_tool_use": {"web_search_requests": 1}, "output_tokens_details": {"thinking_tokens": 1}}},
    {"type": "message_stop"},
    {"type": "ping"},
    {"type": "error", "error": {"type": "overloaded_error", "message": "m"}},
    {"type": "message", "id": "m", "content": [{"type": "text", "text": "a"}], "stop_reason": "end_turn", "usage": {}},
]  # fmt: skip


def request():
    return DIALECT.parse(
        {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}, ParseMeta()
    )


@settings(max_examples=500, deadline=None)
@given(some_spoilt(EVENTS))
def test_no_payload_ever_raises_or_breaks_the_grammar(payloads):
    reader = DIALECT.reader(Caps())
    events = []
    for payload in payloads:
        events += reader.feed(json.dumps(payload).encode())
    events = check(events + reader.close())
    assert DIALECT.writer(request()).feed(events)
    if not isinstance(events[-1], Error):
        assert DIALECT.render(fold(events), request())


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_whole_answer_ever_raises_or_breaks_the_grammar(data):
    blocks = [copy.deepcopy(e["content_block"]) for e in EVENTS if "content_block" in e]
    body = {"type": "message", "id": "m", "model": "x", "content": blocks, "stop_reason": "end_turn",
            "stop_sequence": None, "stop_details": {}, "usage": {"input_tokens": 1, "output_tokens": 1}}  # fmt: skip
    put(body, data.draw(st.sampled_from(list(places(body)))), data.draw(st.sampled_from(VALUES)))
    events = check(DIALECT.reader(Caps()).whole(json.dumps(body).encode()))
    if not isinstance(events[-1], Error):
        assert DIALECT.render(fold(events), request())

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
from cliproxy.dialects.openai_responses import DIALECT
from cliproxy.ir.caps import Caps, ThinkingCaps
from cliproxy.ir.check import check
from cliproxy.ir.events import Error
from cliproxy.ir.fold import fold

REQUEST = {
    "model": "m",
    "instructions": "i",
    "input": [
        {"role": "system", "content": [{"type": "input_text", "text": "s"}]},
        {"type": "message", "role": "user", "content": [
            {"type": "input_text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}},
            {"type": "input_image", "image_url": "https://x", "detail": "low"},
            {"type": "input_image", "file_id": "f"},
            {"type": "input_file", "filename": "a.pdf", "file_data": "AAAA"},
            {"type": "input_file", "file_url": "https://x"},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        ]},
        {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "t"}], "encrypted_content": "g",
         "content": [{"type": "reasoning_text", "text": "r"}]},
        {"type": "message", "id": "msg", "role": "assistant", "phase": "p", "content": [
            {"type": "output_text", "text": "b", "annotations": [{"type": "url_citation", "url": "u"}]},
            {"type": "refusal", "refusal": "n"}]},
        {"type": "function_call", "id": "fc", "call_id": "c", "name": "f", "arguments": "{}", "namespace": "n"},
        {"type": "custom_tool_call", "call_id": "d", "name": "q", "input": "x"},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "t"}]},
        {"type": "custom_tool_call_output", "call_id": "d", "output": "x", "name": "q"},
        {"type": "web_search_call", "id": "ws", "action": {"type": "search", "query": "q", "sources": [{"url": "u"}]}},
        {"type": "additional_tools", "tools": [{"type": "function", "name": "late"}]},
        {"role": "user", "content": "q"},
    ],
    "tools": [
        {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True},
        {"type": "custom", "name": "q", "format": {"type": "grammar", "syntax": "lark", "definition": "x"}},
        {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "f"}]},
        {"type": "web_search", "filters": {"allowed_domains": ["x"]}, "user_location": {"city": "c"}, "search_context_size": "low"},
        {"type": "mcp", "server_label": "s"},
    ],
    "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [
        {"type": "function", "name": "f"}, {"type": "custom", "name": "q"}, {"type": "mcp", "server_label": "s"}]},
    "reasoning": {"effort": "low", "summary": "auto"},
    "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}, "verbosity": "low"},
    "conversation": {"id": "c"}, "include": ["x"], "metadata": {"a": "b"}, "max_output_tokens": 5, "temperature": 1, "top_p": 0.5,
    "top_logprobs": 2, "parallel_tool_calls": True, "store": False, "stream": True, "user": "u", "safety_identifier": "s",
    "service_tier": "auto", "prompt_cache_key": "k", "background": False, "truncation": "auto",
}  # fmt: skip
TARGETS = (
    Caps(model="u"),
    Caps(model="u", codex=True),
    Caps(model="u", known=True, thinking=ThinkingCaps(levels=("low", "high"))),
)
refused = partial(refusal, DIALECT, TARGETS)


def test_the_body_that_is_broken_below_is_sound():
    assert refused(REQUEST) is None


WRONG = [
    (("model",), (None, 1, "")),
    (("instructions",), (1, [])),
    (("input",), (1, {}, True)),
    (("input", 1), (None, 1, [])),
    (("input", 1, "type"), (1, [])),
    (("input", 1, "role"), (None, 1, "tool")),
    (("input", 1, "content"), (1, True)),
    (("input", 1, "content", 0), (None, 1, [])),
    (("input", 1, "content", 0, "type"), (None, 1, "")),
    (("input", 1, "content", 0, "text"), (None, 1)),
    (("input", 1, "content", 1, "image_url"), (None, 1, "x", [])),
    (("input", 1, "content", 1, "detail"), (1, [])),
    (("input", 1, "content", 3, "file_data"), (1, "!", None)),
    (("input", 1, "content", 3, "filename"), (1,)),
    (("input", 1, "content", 4, "file_url"), (1, [])),
    (("input", 1, "content", 5, "input_audio"), (1, "x")),
    (("input", 1, "content", 5, "input_audio", "data"), (None, 1, "!")),
    (("input", 1, "content", 5, "input_audio", "format"), (1,)),
    (("input", 2, "id"), (1, [])),
    (("input", 2, "summary"), (1, {})),
    (("input", 2, "summary", 0), (1, None)),
    (("input", 2, "summary", 0, "text"), (1, [])),
    (("input", 2, "content"), (1, {})),
    (("input", 2, "encrypted_content"), (1, [])),
    (("input", 3, "id"), (1, [])),
    (("input", 3, "content", 0, "annotations"), (1, {})),
    (("input", 3, "content", 0, "annotations", 0), (1, None)),
    (("input", 3, "content", 1, "refusal"), (1, [])),
    (("input", 4, "name"), (None, 1, "")),
    (("input", 4, "call_id"), (1, [])),
    (("input", 4, "namespace"), (1, [])),
    (("input", 5, "name"), (None, 1, "")),
    (("input", 6, "call_id"), (1, [])),
    (("input", 6, "output"), (1, True)),
    (("input", 8, "action"), (1, "x")),
    (("input", 9, "tools"), (1, "x")),
    (("input", 9, "tools", 0), (1, None)),
    (("tools",), (1, "x", {})),
    (("tools", 0), (1, None, "x")),
    (("tools", 0, "type"), (1, [])),
    (("tools", 0, "name"), (None, 1, "")),
    (("tools", 0, "description"), (1,)),
    (("tools", 0, "parameters"), (1, "x", [])),
    (("tools", 0, "strict"), (1, "x")),
    (("tools", 1, "format"), (1, "x")),
    (("tools", 2, "name"), (None, 1)),
    (("tools", 2, "tools"), (1, "x")),
    (("tools", 2, "tools", 0, "name"), (None, 1)),
    (("tools", 3, "filters"), (1, "x")),
    (("tools", 3, "user_location"), (1, "x")),
    (("tools", 3, "search_context_size"), (1,)),
    (("tool_choice",), (1, "x", [])),
    (("tool_choice", "type"), (None, 1)),
    (("tool_choice", "mode"), (1, [])),
    (("tool_choice", "tools"), (1, "x")),
    (("tool_choice", "tools", 0), (1, None)),
    (("tool_choice", "tools", 0, "name"), (None, 1, [])),
    (("tool_choice", "tools", 2, "type"), (None, 1, [])),
    (("reasoning",), (1, "x")),
    (("reasoning", "effort"), (1, [])),
    (("reasoning", "summary"), (1, [])),
    (("text",), (1, "x")),
    (("text", "verbosity"), (1,)),
    (("text", "format"), (1, "x")),
    (("text", "format", "type"), (None, 1, "x")),
    (("text", "format", "name"), (1,)),
    (("text", "format", "schema"), (1, "x")),
    (("text", "format", "strict"), (1,)),
    (("conversation",), (1, [])),
    (("conversation", "id"), (None, 1)),
    (("include",), (1, "x", {})),
    (("metadata",), (1, "x")),
    (("max_output_tokens",), ("1", 1.5, [])),
    (("temperature",), ("1", [])),
    (("top_p",), ("1", [])),
    (("top_logprobs",), ("1", 1.5)),
    (("parallel_tool_calls",), (1, "x")),
    (("store",), (1, "x")),
    (("stream",), (1, "x")),
    (("user",), (1,)),
    (("safety_identifier",), (1, [])),
    (("service_tier",), (1,)),
    (("prompt_cache_key",), (1,)),
    (("background",), (1, "x", True)),
]  # fmt: skip


@pytest.mark.parametrize(("place", "values"), WRONG, ids=[named(place) for place, _ in WRONG])
def test_a_wrong_type_is_refused_naming_the_field(place, values):
    for value in values:
        body = spoilt(REQUEST, (place, value))
        if place == ("user",):
            del body["safety_identifier"]
        found = refused(body)
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


# ---- answers ----------------------------------------------------------------------------------
ITEMS = [
    {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "t"}], "encrypted_content": "g",
     "content": [{"type": "reasoning_text", "text": "r"}]},
    {"id": "msg_1", "type": "message", "role": "assistant", "content": [
        {"type": "output_text", "text": "x", "annotations": [{"type": "url_citation", "url": "u", "start_index": 0, "end_index": 1}]},
        {"type": "refusal", "refusal": "n"}]},
    {"id": "fc_1", "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
    {"id": "ctc_1", "type": "custom_tool_call", "call_id": "d", "name": "q", "input": "x"},
    {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "q", "sources": [{"url": "u"}]}},
    {"id": "ig_1", "type": "image_generation_call", "result": "AAAA", "output_format": "jpeg"},
    {"id": "ci_1", "type": "code_interpreter_call", "code": "1", "outputs": [{"type": "logs", "logs": "a"}]},
    {"id": "zz_1", "type": "of_the_future", "status": "completed"},
]  # fmt: skip
RESPONSE = {"id": "resp_1", "object": "response", "created_at": 5, "model": "x", "status": "completed", "output": ITEMS,
            "error": None, "incomplete_details": None,
            "usage": {"input_tokens": 1, "input_tokens_details": {"cached_tokens": 1}, "output_tokens": 1,
                      "output_tokens_details": {"reasoning_tokens": 1}}}  # fmt: skip
EVENTS = [
    {"type": "response.created", "response": {**RESPONSE, "output": [], "status": "in_progress"}},
    *({"type": "response.output_item.added", "output_index": n, "item": item} for n, item in enumerate(ITEMS)),
    *({"type": "response.output_item.done", "output_index": n, "item": item} for n, item in enumerate(ITEMS)),
    {"type": "response.content_part.added", "item_id": "msg_1", "output_index": 1, "content_index": 0, "part": {"type": "output_text"}},
    {"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 1, "content_index": 0, "delta": "a"},
    {"type": "response.output_text.done", "item_id": "msg_1", "output_index": 1, "content_index": 0, "text": "ab"},
    {"type": "response.output_text.annotation.added", "item_id": "msg_1", "output_index": 1, "annotation": {"type": "file_citation"}},
    {"type": "response.refusal.delta", "item_id": "msg_1", "output_index": 1, "content_index": 1, "delta": "n"},
    {"type": "response.refusal.done", "item_id": "msg_1", "output_index": 1, "content_index": 1, "refusal": "no"},
    {"type": "response.content_part.done", "item_id": "msg_1", "output_index": 1, "content_index": 0, "part": ITEMS[1]["content"][0]},
    {"type": "response.reasoning_summary_text.delta", "item_id": "rs_1", "output_index": 0, "summary_index": 0, "delta": "t"},
    {"type": "response.reasoning_summary_text.done", "item_id": "rs_1", "output_index": 0, "summary_index": 1, "text": "t"},
    {"type": "response.reasoning_text.delta", "item_id": "rs_1", "output_index": 0, "content_index": 0, "delta": "t"},
    {"type": "response.function_call_arguments.delta", "item_id": "fc_1", "output_index": 2, "delta": "{"},
    {"type": "response.function_call_arguments.done", "item_id": "fc_1", "output_index": 2, "arguments": "{}"},
    {"type": "response.custom_tool_call_input.delta", "item_id": "ctc_1", "output_index": 3, "delta": "x"},
    {"type": "response.custom_tool_call_input.done", "item_id": "ctc_1", "output_index": 3, "input": "x"},
    {"type": "response.completed", "response": RESPONSE},
    {"type": "response.incomplete", "response": {**RESPONSE, "status": "incomplete", "incomplete_details": {"reason": "content_filter"}}},
    {"type": "response.failed", "response": {**RESPONSE, "status": "failed", "error": {"code": "server_error", "message": "m"}}},
    {"type": "error", "code": "server_error", "message": "m", "param": None},
    RESPONSE,
]  # fmt: skip


def request():
    return DIALECT.parse({"model": "m", "input": "x"}, ParseMeta())


@settings(max_examples=600, deadline=None)
@given(some_spoilt(EVENTS, 12))
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
@given(st.sampled_from(list(places(RESPONSE))), st.sampled_from(VALUES))
def test_no_whole_answer_ever_raises_or_breaks_the_grammar(place, value):
    body = copy.deepcopy(RESPONSE)
    put(body, place, value)
    events = check(DIALECT.reader(Caps()).whole(json.dumps(body).encode()))
    if not isinstance(events[-1], Error):
        assert DIALECT.render(fold(events), request())

"""Chat answers of upstreams, good and bad, as events."""

from __future__ import annotations

import json

import pytest

from cliproxy.dialects.openai_chat import DIALECT
from cliproxy.ir.caps import Caps
from cliproxy.ir.check import check
from cliproxy.ir.events import BlockStart, Citation, End, Error, Finish, Signature, Start, Usage
from cliproxy.ir.fold import fold

DONE = b"[DONE]"


def chunk(delta=None, finish=None, index=0, **more):
    body = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 5, "model": "m"}
    body["choices"] = [{"index": index, "delta": delta or {}, "finish_reason": finish}]
    return {**body, **more}


def call(index=0, id=None, name=None, args=None, **more):
    entry = {**more}
    if index is not None:
        entry["index"] = index
    if id is not None:
        entry["id"] = id
    function = {}
    if name is not None:
        function["name"] = name
    if args is not None:
        function["arguments"] = args
    if function:
        entry["function"] = function
    return {"tool_calls": [entry]}


def events_of(*payloads, close=True):
    reader = DIALECT.reader(Caps())
    events = []
    for payload in payloads:
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        events += reader.feed(data)
    if close:
        events += reader.close()
    return check(events)


def answer_of(*payloads):
    return fold(events_of(*payloads))


def blocks(answer):
    return [(b.kind, b.text) for b in answer.blocks]


def calls(answer):
    return [(b.start.id, b.start.name, b.text) for b in answer.blocks if b.kind == "tool_call"]


# ---- the documented grammar -------------------------------------------------------------------
def test_a_documented_stream_reads_as_thinking_text_two_calls_and_usage():
    answer = answer_of(
        chunk({"role": "assistant", "content": ""}),
        chunk({"reasoning_content": "Need weather."}),
        chunk({"content": "Check"}),
        chunk({"content": "ing."}),
        chunk(call(0, "call_A", "get_weather", "", type="function")),
        chunk(call(0, args='{"city":')),
        chunk(call(0, args='"A"}')),
        chunk(call(1, "call_B", "get_weather", "", type="function")),
        chunk(call(1, args='{"city":"B"}')),
        chunk({}, "tool_calls"),
        {
            **chunk(),
            "choices": [],
            "usage": {
                "prompt_tokens": 100,
                "completion_tokens": 30,
                "total_tokens": 130,
                "prompt_tokens_details": {"cached_tokens": 60},
                "completion_tokens_details": {"reasoning_tokens": 10},
            },
        },
        DONE,
    )
    assert answer.start == Start("chatcmpl-1", "m", 5)
    assert blocks(answer)[:2] == [("thinking", "Need weather."), ("text", "Checking.")]
    assert calls(answer) == [
        ("call_A", "get_weather", '{"city":"A"}'),
        ("call_B", "get_weather", '{"city":"B"}'),
    ]
    assert answer.finish.reason == "tool_calls"
    assert (answer.usage.input_total, answer.usage.cache_read) == (100, 60)
    assert (answer.usage.output_total, answer.usage.reasoning) == (30, 10)


def test_a_whole_answer_gives_the_events_its_stream_would():
    body = {
        "id": "chatcmpl-1",
        "created": 5,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Hi",
                    "reasoning_content": "hm",
                    "tool_calls": [
                        {
                            "id": "a",
                            "type": "function",
                            "function": {"name": "f", "arguments": "{}"},
                        },
                        {
                            "id": "b",
                            "type": "function",
                            "function": {"name": "f", "arguments": '{"x":1}'},
                        },
                    ],
                },
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    }
    answer = fold(check(DIALECT.reader(Caps()).whole(json.dumps(body).encode())))
    assert blocks(answer)[:2] == [("thinking", "hm"), ("text", "Hi")]
    assert calls(answer) == [("a", "f", "{}"), ("b", "f", '{"x":1}')]
    assert answer.finish.reason == "tool_calls"
    assert answer.usage.total == 3


# ---- edge cases A -----------------------------------------------------------------------------
def test_edge_1_usage_after_finish_makes_one_finish_and_one_end():
    events = events_of(
        chunk({"content": "x"}),
        chunk({}, "stop"),
        {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1}},
        DONE,
    )
    assert [type(e) for e in events[-2:]] == [Finish, End]
    assert sum(isinstance(e, Usage) for e in events) == 1
    assert sum(isinstance(e, Finish) for e in events) == 1


def test_edge_2_a_null_name_on_a_later_piece_is_ignored():
    later = {
        "tool_calls": [{"index": 0, "id": None, "function": {"name": None, "arguments": "1}"}}]
    }
    answer = answer_of(
        chunk(call(0, "c", "f", '{"a":')), chunk(later), chunk({}, "tool_calls"), DONE
    )
    assert calls(answer) == [("c", "f", '{"a":1}')]


def test_edge_3_a_call_that_never_gets_a_name_is_given_one_at_the_end():
    answer = answer_of(
        chunk(call(0, "c", "", '{"a":')),
        chunk(call(0, name="", args="1}")),
        chunk({}, "tool_calls"),
    )
    assert calls(answer) == [("c", "tool_0", '{"a":1}')]


def test_edge_4_an_entry_that_says_nothing_is_no_call():
    answer = answer_of(
        chunk({"content": "hi"}), chunk(call(0, "", "", "")), chunk({}, "tool_calls"), DONE
    )
    assert calls(answer) == []
    assert answer.finish.reason == "stop"


def test_edge_5_a_name_on_every_piece_is_one_call():
    answer = answer_of(
        chunk(call(0, "c", "f", '{"a"')),
        chunk(call(0, "c", "f", ":1")),
        chunk(call(0, "c", "f", "}")),
        chunk({}, "tool_calls"),
    )
    assert calls(answer) == [("c", "f", '{"a":1}')]


@pytest.mark.parametrize(
    "pieces",
    [
        [call(0, "", "f", '{"a"'), call(0, "real", None, ":1}")],
        [call(0, None, "f", '{"a":1}'), {"tool_calls": [{"index": 0, "id": "real"}]}],
        [{"tool_calls": [{"index": 0, "id": "real"}]}, call(0, None, "f", '{"a":1}')],
        [call(0, None, None, '{"a":'), call(0, "real", "f", "1}")],
    ],
)
def test_edge_6_a_late_id_or_name_defers_the_start(pieces):
    answer = answer_of(*[chunk(p) for p in pieces], chunk({}, "tool_calls"))
    assert calls(answer) == [("real", "f", '{"a":1}')]


def test_edge_7_a_call_without_any_id_gets_one():
    answer = answer_of(chunk(call(0, None, "f", "{}")), chunk({}, "tool_calls"))
    [(call_id, name, args)] = calls(answer)
    assert call_id.startswith("call_")
    assert len(call_id) == 29
    assert (name, args) == ("f", "{}")
    assert answer.finish.reason == "tool_calls"


def test_edge_8_deferred_calls_come_in_upstream_index_order():
    answer = answer_of(
        chunk(call(1, None, "second", "{}")),
        chunk(call(0, None, "first", "{}")),
        chunk({}, "tool_calls"),
    )
    assert [name for _, name, _ in calls(answer)] == ["first", "second"]
    assert [b.start.index for b in answer.blocks] == [0, 1]


def test_edge_9_nothing_follows_done():
    reader = DIALECT.reader(Caps())
    payload = json.dumps(chunk({"content": "x"}, "stop")).encode()
    events = reader.feed(payload) + reader.feed(DONE)
    assert isinstance(events[-1], End)
    assert reader.feed(payload) == []
    assert reader.close() == []


def test_edge_10_tool_calls_without_a_tool_is_a_stop():
    assert answer_of(chunk({"content": "x"}, "tool_calls")).finish.reason == "stop"


def test_edge_11_stop_with_tools_is_tool_calls():
    answer = answer_of(chunk(call(0, "c", "f", "{}"), "stop"))
    assert (answer.finish.reason, answer.finish.native) == ("tool_calls", "stop")


def test_edge_12_a_first_chunk_may_carry_calls_and_no_role():
    events = events_of(chunk(call(0, "c", "f", "{}")), chunk({}, "tool_calls"))
    assert isinstance(events[0], Start)
    assert isinstance(events[1], BlockStart)


def test_edge_13_interleaved_calls_keep_their_own_arguments():
    answer = answer_of(
        chunk(call(0, "a", "f", "")),
        chunk(call(1, "b", "g", "")),
        chunk(call(1, args='{"b"')),
        chunk(call(0, args='{"a"')),
        chunk(call(1, args=":2}")),
        chunk(call(0, args=":1}")),
        chunk({}, "tool_calls"),
    )
    assert calls(answer) == [("a", "f", '{"a":1}'), ("b", "g", '{"b":2}')]


# ---- other ways upstreams differ --------------------------------------------------------------
def test_edge_27_reasoning_and_text_in_one_chunk_are_two_blocks():
    answer = answer_of(chunk({"reasoning_content": "r", "content": "c"}, "stop"))
    assert blocks(answer) == [("thinking", "r"), ("text", "c")]


def test_edge_40_parallel_calls_that_all_claim_index_0_stay_apart():
    answer = answer_of(
        chunk(call(0, "a", "f", '{"x":1}')),
        chunk(call(0, "b", "f", '{"x":')),
        chunk(call(0, args="2}")),
        chunk({}, "tool_calls"),
    )
    assert calls(answer) == [("a", "f", '{"x":1}'), ("b", "f", '{"x":2}')]


def test_calls_without_any_index_are_told_apart_by_id():
    answer = answer_of(
        chunk(call(None, "a", "f", '{"x":')),
        chunk(call(None, None, None, "1}")),
        chunk(call(None, "b", "f", "{}")),
        chunk({}, "tool_calls"),
    )
    assert calls(answer) == [("a", "f", '{"x":1}'), ("b", "f", "{}")]


def test_several_entries_in_one_chunk_are_several_calls():
    both = {
        "tool_calls": call(0, "a", "f", "{}")["tool_calls"] + call(1, "b", "g", "{}")["tool_calls"]
    }
    assert [c[0] for c in calls(answer_of(chunk(both), chunk({}, "tool_calls")))] == ["a", "b"]


def test_an_empty_object_before_the_real_arguments_is_not_doubled():
    answer = answer_of(
        chunk(call(0, "a", "f", "{}")), chunk(call(0, args='{"x":1}')), chunk({}, "tool_calls")
    )
    assert calls(answer) == [("a", "f", '{"x":1}')]


def test_arguments_may_be_an_object():
    answer = answer_of(chunk(call(0, "a", "f", {"x": 1})), chunk({}, "tool_calls"))
    assert calls(answer) == [("a", "f", '{"x":1}')]


def test_a_complete_call_closes_when_the_next_begins():
    reader = DIALECT.reader(Caps())
    reader.feed(json.dumps(chunk(call(0, "a", "f", '{"x":1}'))).encode())
    events = reader.feed(json.dumps(chunk(call(1, "b", "f", ""))).encode())
    assert [type(e).__name__ for e in events] == ["BlockStop", "BlockStart"]


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_content": "why"},
        {"reasoning": "why"},
        {"reasoning_text": "why"},
        {"reasoning": [{"text": "w"}, {"text": "hy"}]},
        {"reasoning_content": "why", "reasoning": "why"},
        {"reasoning": "", "reasoning_details": [{"type": "reasoning.text", "text": "why"}]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "why"}]}]},
    ],
)
def test_reasoning_is_found_under_every_spelling(delta):
    answer = answer_of(chunk(delta), chunk({"content": "so"}, "stop"))
    assert blocks(answer) == [("thinking", "why"), ("text", "so")]


@pytest.mark.parametrize(
    "odd",
    [
        {"choices": None},
        {"id": "x"},
        {"choices": [{"index": 0, "delta": None, "finish_reason": None}]},
        {"choices": [{"index": 0}]},
        {"choices": [None]},
        {"choices": [], "usage": None},
        {"type": "ping"},
    ],
)
def test_chunks_without_content_are_skipped(odd):
    answer = answer_of(chunk({"content": "a"}), odd, chunk({"content": "b"}, "stop"))
    assert blocks(answer) == [("text", "ab")]


def test_edge_60_done_may_be_absent_after_a_finish():
    assert answer_of(chunk({"content": "x"}, "stop")).finish.reason == "stop"


def test_edge_169_a_stream_without_finish_or_done_is_an_error():
    events = events_of(chunk({"role": "assistant"}), chunk({"content": "half"}))
    assert isinstance(events[-1], Error)
    assert events[-1].status == 502
    assert not any(isinstance(e, Finish) for e in events)


def test_done_without_a_finish_reason_is_a_stop():
    assert answer_of(chunk({"content": "x"}), DONE).finish.reason == "stop"
    assert answer_of(chunk(call(0, "c", "f", "{}")), DONE).finish.reason == "tool_calls"


@pytest.mark.parametrize("payloads", [[], [DONE], [{"choices": []}, DONE]])
def test_a_stream_that_says_nothing_is_an_error(payloads):
    events = events_of(*payloads)
    assert isinstance(events[-1], Error)


def test_tokens_counted_and_none_sent_is_an_error():
    usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    events = events_of(chunk({}, "stop"), {"choices": [], "usage": usage}, DONE)
    assert isinstance(events[-1], Error)
    assert "7 tokens" in events[-1].message


def test_a_budget_spent_on_hidden_reasoning_is_a_length_stop_not_an_error():
    usage = {"completion_tokens": 7, "completion_tokens_details": {"reasoning_tokens": 7}}
    assert answer_of(chunk({}, "length"), {"choices": [], "usage": usage}).finish.reason == "length"


@pytest.mark.parametrize(
    ("native", "args", "reason"),
    [
        ("length", '{"x":', "length"),
        ("length", '{"x":1}', "tool_calls"),
        ("function_call", "{}", "tool_calls"),
        ("content_filter", "{}", "content_filter"),
        ("banana", "{}", "tool_calls"),
    ],
)
def test_finish_reasons_with_a_call(native, args, reason):
    assert answer_of(chunk(call(0, "c", "f", args), native)).finish.reason == reason


@pytest.mark.parametrize(
    ("native", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("max_tokens", "length"),
        ("content_filter", "content_filter"),
        ("banana", "stop"),
    ],
)
def test_finish_reasons_with_text(native, reason):
    finish = answer_of(chunk({"content": "x"}, native)).finish
    assert (finish.reason, finish.native) == (reason, native)


def test_content_after_the_finish_reason_still_counts():
    answer = answer_of(chunk({"content": "a"}, "stop"), chunk({"content": "b"}, "stop"), DONE)
    assert blocks(answer) == [("text", "ab")]


def test_several_choices_keep_apart():
    answer = answer_of(
        chunk({"content": "a"}),
        chunk({"content": "b"}, index=1),
        chunk({}, "stop"),
        chunk({}, "length", index=1),
        DONE,
    )
    assert [(b.start.choice, b.text) for b in answer.blocks] == [(0, "a"), (1, "b")]
    assert {k: f.reason for k, f in answer.finishes.items()} == {0: "stop", 1: "length"}


def test_a_refusal_is_a_block_and_a_reason():
    answer = answer_of(chunk({"refusal": "I "}), chunk({"refusal": "won't."}, "stop"))
    assert blocks(answer) == [("refusal", "I won't.")]
    assert answer.finish.reason == "refusal"


def test_the_deprecated_function_call_is_a_tool_call():
    answer = answer_of(
        chunk({"function_call": {"name": "f", "arguments": ""}}),
        chunk({"function_call": {"arguments": '{"a":1}'}}),
        chunk({}, "function_call"),
    )
    [(call_id, name, args)] = calls(answer)
    assert call_id
    assert (name, args) == ("f", '{"a":1}')


def test_a_custom_call_keeps_its_kind_and_its_text():
    first = {"index": 0, "id": "c", "type": "custom", "custom": {"name": "sql", "input": ""}}
    answer = answer_of(
        chunk({"tool_calls": [first]}),
        chunk({"tool_calls": [{"index": 0, "custom": {"input": "SELECT\n2"}}]}),
        chunk({}, "tool_calls"),
    )
    assert answer.blocks[0].start.tool_kind == "custom"
    assert calls(answer) == [("c", "sql", "SELECT\n2")]


def test_a_gemini_signature_on_a_call_is_kept():
    entry = call(0, "c", "f", "{}", extra_content={"google": {"thought_signature": "S"}})
    events = events_of(chunk(entry), chunk({}, "tool_calls"))
    [signature] = [e for e in events if isinstance(e, Signature)]
    assert (signature.sig.value, signature.sig.family) == ("S", "gemini")


def test_images_become_image_blocks():
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    answer = answer_of(chunk({"content": "see"}), chunk({"images": [image]}, "stop"))
    assert blocks(answer) == [("text", "see"), ("image", "iVBORw0KGgo=")]
    assert answer.blocks[1].start.mime == "image/png"


def test_annotations_are_citations_with_positions_in_their_block():
    note = {
        "type": "url_citation",
        "url_citation": {"url": "https://a", "title": "A", "start_index": 0, "end_index": 6},
    }
    events = events_of(chunk({"content": "Zürich"}), chunk({"annotations": [note]}, "stop"))
    [citation] = [e for e in events if isinstance(e, Citation)]
    assert citation.value == {"kind": "url", "url": "https://a", "title": "A", "start": 0, "end": 6}


def test_a_bare_list_of_sources_is_cited():
    events = events_of(chunk({"content": "x"}, "stop", citations=["https://a", "https://b"]))
    assert [e.value["url"] for e in events if isinstance(e, Citation)] == ["https://a", "https://b"]


def test_audio_is_transcript_text_and_one_block_of_sound():
    answer = answer_of(
        chunk({"audio": {"id": "audio_1", "transcript": "Hel"}}),
        chunk({"audio": {"transcript": "lo", "data": "AAAA"}}),
        chunk({"audio": {"data": "BBBB"}}, "stop"),
    )
    assert blocks(answer) == [("text", "Hello"), ("audio", "AAAABBBB")]


def test_log_probabilities_leave_with_the_finish():
    body = chunk({"content": "a"})
    body["choices"][0]["logprobs"] = {"content": [{"token": "a", "logprob": -0.1}]}
    finish = answer_of(body, chunk({}, "stop")).finish
    assert finish.details == {"logprobs": {"content": [{"token": "a", "logprob": -0.1}]}}


# ---- usage ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 0}, (9, None, None, 0, None)),
        ({"prompt_tokens": 9, "prompt_cache_hit_tokens": 4}, (9, 4, None, None, None)),
        (
            {
                "prompt_tokens": 9,
                "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            },
            (9, 0, 0, None, None),
        ),
        (
            {"prompt_tokens": 9, "prompt_tokens_details": {"cached_creation_tokens": 3}},
            (9, None, 3, None, None),
        ),
        (  # a host whose completion_tokens leave reasoning out
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": 22,
                "completion_tokens_details": {"reasoning_tokens": 7},
            },
            (10, None, None, 12, 7),
        ),
    ],
)
def test_usage_is_read_field_by_field(usage, expected):
    found = answer_of(chunk({"content": "x"}, "stop", usage=usage)).usage
    assert (
        found.input_total,
        found.cache_read,
        found.cache_write,
        found.output_total,
        found.reasoning,
    ) == expected


def test_usage_on_every_chunk_is_a_snapshot_never_a_sum():
    answer = answer_of(
        chunk({"content": "a"}, usage={"prompt_tokens": 5, "completion_tokens": 1}),
        chunk({"content": "b"}, usage={"prompt_tokens": 5, "completion_tokens": 2}),
        chunk({}, "stop", usage={"prompt_tokens": 5, "completion_tokens": 2}),
    )
    assert answer.usage.total == 7


@pytest.mark.parametrize("where", ["x_groq", "choice"])
def test_usage_is_found_where_some_hosts_hide_it(where):
    last = chunk({}, "stop")
    usage = {"prompt_tokens": 5, "completion_tokens": 1}
    if where == "x_groq":
        last["x_groq"] = {"usage": usage}
    else:
        last["choices"][0]["usage"] = usage
    assert answer_of(chunk({"content": "a"}), last).usage.total == 6


# ---- errors -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("payload", "status", "message"),
    [
        ({"error": {"message": "slow down", "type": "rate_limit_error"}}, 429, "slow down"),
        ({"error": {"message": "no", "code": 400}}, 400, "no"),
        ({"error": "boom"}, 502, "boom"),
        ({"object": "error", "message": "bad", "code": 400}, 400, "bad"),
        ({"detail": "nope"}, 502, "nope"),
        ([{"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}], 503, "busy"),
    ],
)
def test_an_error_inside_a_200_is_an_error_event(payload, status, message):
    [event] = events_of(payload)
    assert isinstance(event, Error)
    assert (event.status, event.message) == (status, message)
    [event] = check(DIALECT.reader(Caps()).whole(json.dumps(payload).encode()))
    assert (event.status, event.message) == (status, message)


def test_an_error_in_mid_stream_ends_it():
    events = events_of(
        chunk({"content": "a"}),
        {"error": {"message": "overloaded", "type": "overloaded_error"}},
        DONE,
    )
    assert isinstance(events[-1], Error)
    assert (events[-1].status, events[-1].kind) == (529, "overloaded")


def test_a_finish_reason_of_error_is_an_error():
    last = chunk({}, "error")
    last["choices"][0]["error"] = {"code": 502, "message": "provider died"}
    events = events_of(chunk({"content": "a"}), last)
    assert isinstance(events[-1], Error)
    assert events[-1].message == "provider died"


def test_an_unreadable_first_payload_is_an_error_and_a_later_one_is_skipped():
    [event] = events_of(b"<html><title>Just a moment...</title></html>")
    assert isinstance(event, Error)
    assert "<" not in event.message
    answer = answer_of(chunk({"content": "a"}), b"{oops", chunk({"content": "b"}, "stop"))
    assert blocks(answer) == [("text", "ab")]


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"choices":[]}', b"<html></html>", b"42"])
def test_a_whole_body_that_is_no_answer_is_an_error(body):
    [event] = check(DIALECT.reader(Caps()).whole(body))
    assert isinstance(event, Error)


def test_half_an_emoji_passes_as_it_came():
    events = events_of(
        b'{"choices":[{"index":0,"delta":{"content":"\\ud83d"}}]}',
        b'{"choices":[{"index":0,"delta":{"content":"\\ude00"},"finish_reason":"stop"}]}',
    )
    assert "".join(e.text for e in events if hasattr(e, "text")) == "\ud83d\ude00"

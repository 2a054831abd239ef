"""Messages answers of upstreams, good and bad, as events."""

from __future__ import annotations

import json

import pytest

from cliproxy.dialects.anthropic import DIALECT
from cliproxy.dialects.sse import SseDecoder
from cliproxy.ir.caps import Caps
from cliproxy.ir.check import check
from cliproxy.ir.envelope import wrap
from cliproxy.ir.events import BlockStart, Citation, End, Error, Finish, Signature, Start, Usage
from cliproxy.ir.fold import fold
from cliproxy.ir.request import Sig


def start(**usage):
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [],
    }
    return {
        "type": "message_start",
        "message": {**message, "usage": usage or {"input_tokens": 4, "output_tokens": 1}},
    }


def begin(index, **block):
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index, **value):
    return {"type": "content_block_delta", "index": index, "delta": value}


def stop(index):
    return {"type": "content_block_stop", "index": index}


def finish(reason="end_turn", sequence=None, usage=None, **more):
    return {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": sequence, **more},
            "usage": usage or {"output_tokens": 9}}  # fmt: skip


STOP = {"type": "message_stop"}
PING = {"type": "ping"}


def text(index, *pieces):
    return [
        begin(index, type="text", text=""),
        *(delta(index, type="text_delta", text=p) for p in pieces),
        stop(index),
    ]


def tool(index, *pieces, **more):
    block = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}, **more}
    return [
        begin(index, **block),
        *(delta(index, type="input_json_delta", partial_json=p) for p in pieces),
        stop(index),
    ]


def thinking(index, *pieces, signature="EqQB"):
    signed = [delta(index, type="signature_delta", signature=signature)] if signature else []
    return [begin(index, type="thinking", thinking="", signature=""),
            *(delta(index, type="thinking_delta", thinking=p) for p in pieces), *signed, stop(index)]  # fmt: skip


def events_of(*payloads, caps=None):
    reader = DIALECT.reader(caps or Caps())
    events = []
    for payload in payloads:
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        events += reader.feed(data)
    return check(events + reader.close())


def answer_of(*payloads):
    return fold(events_of(*payloads))


def whole_of(content, reason="end_turn", **more):
    body = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": content,
            "stop_reason": reason, "stop_sequence": None, "usage": {"input_tokens": 4, "output_tokens": 9}, **more}  # fmt: skip
    return check(DIALECT.reader(Caps()).whole(json.dumps(body).encode()))


def blocks(answer):
    return [(b.kind, b.text) for b in answer.blocks]


# ---- the documented grammar -------------------------------------------------------------------
FULL = [
    start(input_tokens=40, cache_read_input_tokens=60, cache_creation_input_tokens=0, output_tokens=1),
    PING,
    *thinking(0, "Need ", "weather."),
    *text(1, "Check", "ing."),
    PING,
    *tool(2, "", '{"city":', '"A"}'),
    *tool(3, '{"city":"B"}', id="toolu_2"),
    finish("tool_use", usage={"output_tokens": 30, "output_tokens_details": {"thinking_tokens": 10}}),
    STOP,
]  # fmt: skip


def test_a_documented_stream_reads_as_thinking_text_two_calls_and_usage():
    answer = answer_of(*FULL)
    assert answer.start == Start("msg_1", "claude")
    assert blocks(answer) == [
        ("thinking", "Need weather."),
        ("text", "Checking."),
        ("tool_call", '{"city":"A"}'),
        ("tool_call", '{"city":"B"}'),
    ]
    assert answer.blocks[0].signature == Sig("EqQB", "claude")
    assert [b.start.id for b in answer.blocks[2:]] == ["toolu_1", "toolu_2"]
    assert answer.finish == Finish("tool_calls", "tool_use")
    usage = answer.usage
    assert (usage.input_total, usage.cache_read, usage.output_total, usage.reasoning) == (
        100,
        60,
        30,
        10,
    )


@pytest.mark.parametrize("cut", range(len(FULL) - 2))
def test_edge_169_a_stream_cut_before_its_reason_never_ends_normally(cut):
    events = events_of(*FULL[:cut])
    assert isinstance(events[-1], Error)
    assert events[-1].status == 502


def test_a_missing_farewell_after_the_reason_is_a_normal_end():
    assert isinstance(events_of(*FULL[:-1])[-1], End)


def test_a_farewell_without_a_reason_is_an_error():
    assert isinstance(events_of(start(), *text(0, "x"), STOP)[-1], Error)


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        ("end_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "context_full"),
        ("refusal", "content_filter"),
        ("pause_turn", "pause"),
        ("stop_sequence", "stop_sequence"),
        ("tool_use", "stop"),
        ("a_reason_of_the_future", "stop"),
    ],
)
def test_reasons_to_stop(wire, reason):
    assert answer_of(start(), *text(0, "x"), finish(wire), STOP).finish == Finish(reason, wire)
    assert fold(whole_of([{"type": "text", "text": "x"}], wire)).finish == Finish(reason, wire)


@pytest.mark.parametrize(
    ("wire", "reason"),
    [("end_turn", "tool_calls"), ("tool_use", "tool_calls"), ("max_tokens", "length")],
    ids=["edge-11", "plain", "cut"],
)
def test_reasons_to_stop_with_a_call(wire, reason):
    assert answer_of(start(), *tool(0, "{}"), finish(wire), STOP).finish.reason == reason


def test_edge_37_the_stop_sequence_is_kept_with_its_newlines():
    answer = answer_of(start(), *text(0, "x"), finish("stop_sequence", "\n\nH:"), STOP)
    assert answer.finish.stop_sequence == "\n\nH:"


def test_the_details_of_a_refusal_are_kept():
    details = {"type": "refusal", "category": "cyber", "explanation": "no"}
    answer = answer_of(start(), finish("refusal", stop_details=details), STOP)
    assert answer.finish.details == details
    assert fold(whole_of([], "refusal", stop_details=details)).finish.details == details


# ---- blocks -----------------------------------------------------------------------------------
def test_redacted_thinking_comes_whole():
    answer = answer_of(
        start(), begin(0, type="redacted_thinking", data="D"), stop(0), finish(), STOP
    )
    assert answer.blocks[0].start.signature == Sig("D", "claude")


def test_thinking_that_is_not_shown_still_has_its_signature():
    answer = answer_of(start(), *thinking(0), finish(), STOP)
    assert blocks(answer) == [("thinking", "")]
    assert answer.blocks[0].signature == Sig("EqQB", "claude")


def test_a_signature_is_told_once_and_its_last_value_counts():
    events = events_of(
        start(),
        begin(0, type="thinking", thinking="a", signature="early"),
        delta(0, type="signature_delta", signature="one"),
        delta(0, type="thinking_delta", thinking="b"),
        delta(0, type="signature_delta", signature="two"),
        stop(0),
        finish(),
        STOP,
    )
    assert [e for e in events if isinstance(e, Signature)] == [Signature(0, Sig("two", "claude"))]
    assert blocks(fold(events)) == [("thinking", "ab")]


@pytest.mark.parametrize("signature", ["", None])
def test_edge_24_thinking_without_a_signature_has_none(signature):
    answer = answer_of(start(), *thinking(0, "x", signature=signature), finish(), STOP)
    assert answer.blocks[0].signature is None


def test_a_wrapped_signature_gets_its_family_back():
    wrapped = wrap(Sig("G", "gemini"))
    answer = answer_of(start(), *thinking(0, "x", signature=wrapped), finish(), STOP)
    assert answer.blocks[0].signature == Sig("G", "gemini")


def test_another_familys_host_signs_in_its_own_name():
    events = events_of(start(), *thinking(0, "x"), finish(), STOP, caps=Caps(family="kimi"))
    assert fold(events).blocks[0].signature == Sig("EqQB", "kimi")


def test_a_block_that_begins_with_content_counts_it():
    answer = answer_of(
        start(),
        begin(0, type="text", text="a", citations=[{"type": "char_location", "cited_text": "c"}]),
        delta(0, type="text_delta", text="b"),
        stop(0),
        begin(1, type="tool_use", id="t", name="f", input={"a": 1}),
        stop(1),
        begin(2, type="tool_use", id="u", name="f", input={"a": 1}),
        delta(2, type="input_json_delta", partial_json='{"b":2}'),
        stop(2),
        finish("tool_use"),
        STOP,
    )
    assert blocks(answer) == [("text", "ab"), ("tool_call", '{"a":1}'), ("tool_call", '{"b":2}')]
    assert answer.blocks[0].citations[0]["cited_text"] == "c"


def test_an_empty_input_stays_empty():
    answer = answer_of(start(), *tool(0, ""), finish("tool_use"), STOP)
    assert blocks(answer) == [("tool_call", "")]


def test_a_call_without_id_or_name_gets_them():
    answer = answer_of(start(), *tool(0, "{}", id="", name=None), finish("tool_use"), STOP)
    assert answer.blocks[0].start.id.startswith("toolu_")
    assert answer.blocks[0].start.name == "unknown"


def test_search_call_result_and_citation():
    result = {"type": "web_search_tool_result", "tool_use_id": "s", "content": [
        {"type": "web_search_result", "url": "u", "title": "t", "encrypted_content": "e", "page_age": None}]}  # fmt: skip
    cited = {
        "type": "web_search_result_location",
        "url": "u",
        "title": "t",
        "encrypted_index": "i",
        "cited_text": "c",
    }
    events = events_of(
        start(),
        begin(0, type="server_tool_use", id="s", name="web_search", input={}),
        delta(0, type="input_json_delta", partial_json='{"query":"q"}'),
        stop(0),
        begin(1, **result),
        stop(1),
        begin(2, type="text", text=""),
        delta(2, type="citations_delta", citation=cited),
        delta(2, type="text_delta", text="x"),
        stop(2),
        finish(usage={"output_tokens": 5, "server_tool_use": {"web_search_requests": 2}}),
        STOP,
    )
    answer = fold(events)
    call, found, _ = answer.blocks
    assert (call.start.kind, call.start.server_kind, call.text) == (
        "server_call",
        "web_search",
        '{"query":"q"}',
    )
    assert found.start.payload == {
        "results": [{"url": "u", "title": "t", "encrypted_content": "e"}]
    }
    assert found.start.native == result
    [citation] = [e.value for e in events if isinstance(e, Citation)]
    assert (citation["kind"], citation["url"], citation["native"]) == ("url", "u", cited)
    assert answer.finish.reason == "stop"
    assert answer.usage.web_searches == 2


def test_a_failed_search_says_why():
    block = {"type": "web_search_tool_result", "tool_use_id": "s",
             "content": {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"}}  # fmt: skip
    assert fold(whole_of([block])).blocks[0].start.payload == {
        "results": [],
        "error": "max_uses_exceeded",
    }


@pytest.mark.parametrize(
    ("block", "kind", "server_kind"),
    [
        ({"type": "bash_code_execution_tool_result", "tool_use_id": "s", "content": {"stdout": "a"}},
         "server_result", "code_execution"),
        ({"type": "server_tool_use", "id": "s", "name": "tool_search_tool_bm25", "input": {}}, "server_call", "tool_search"),
        ({"type": "mcp_tool_use", "id": "s", "name": "n", "server_name": "x", "input": {}}, "server_call", "mcp"),
        ({"type": "container_upload", "file_id": "f"}, "opaque", ""),
    ],
)  # fmt: skip
def test_other_blocks_of_the_provider(block, kind, server_kind):
    [found] = fold(whole_of([block])).blocks
    assert (found.start.kind, found.start.server_kind) == (kind, server_kind)
    assert found.start.dialect == "anthropic"


# ---- usage ------------------------------------------------------------------------------------
def test_edge_46_47_later_counts_overwrite_and_missing_ones_stay():
    events = events_of(
        start(input_tokens=10, cache_creation_input_tokens=30, cache_read_input_tokens=60, output_tokens=1,
              cache_creation={"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10}),
        *text(0, "x"),
        finish(usage={"output_tokens": 25, "input_tokens": None, "cache_read_input_tokens": 60}),
        STOP,
    )  # fmt: skip
    usage = fold(events).usage
    assert (usage.input_total, usage.cache_read, usage.cache_write, usage.output_total) == (
        100,
        60,
        30,
        25,
    )
    assert (usage.cache_write_5m, usage.cache_write_1h) == (20, 10)
    assert len([e for e in events if isinstance(e, Usage)]) == 2


def test_reason_and_counts_may_come_in_two_events():
    answer = answer_of(
        start(),
        *text(0, "x"),
        finish("max_tokens"),
        {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 12}},
        STOP,
    )
    assert (answer.finish.reason, answer.usage.output_total) == ("length", 12)


def test_an_answer_that_counts_tokens_and_says_nothing_is_an_error():
    assert isinstance(events_of(start(), finish(usage={"output_tokens": 50}), STOP)[-1], Error)
    assert isinstance(events_of(start(), finish(usage={"output_tokens": 1}), STOP)[-1], End)


# ---- what compatible hosts do -----------------------------------------------------------------
def test_events_without_a_type_are_known_by_their_name():
    reader = DIALECT.reader(Caps())
    events = []
    for payload in (start(), *text(0, "x"), finish(), STOP):
        kind = payload.pop("type") if "type" in payload else ""
        events += reader.feed(json.dumps(payload).encode(), kind)
        payload["type"] = kind
    assert blocks(fold(check(events + reader.close()))) == [("text", "x")]


def test_unknown_events_deltas_and_damaged_payloads_are_skipped():
    answer = answer_of(
        start(),
        {"type": "of_the_future"},
        b"{broken",
        b"[DONE]",
        b"7",
        begin(0, type="text", text=""),
        delta(0, type="future_delta", text="no"),
        delta(0, type="input_json_delta", partial_json="no"),
        delta(0, type="text_delta", text="x"),
        delta(7, type="signature_delta", signature="no"),
        stop(9),
        stop(0),
        finish(),
        STOP,
        delta(0, type="text_delta", text="late"),
    )
    assert blocks(answer) == [("text", "x")]


def test_an_unreadable_first_event_is_an_error():
    assert isinstance(events_of(b"<html>")[-1], Error)
    assert isinstance(events_of(b"")[-1], Error)


def test_a_block_nobody_announced_and_one_nobody_closed():
    answer = answer_of(start(), delta(0, type="text_delta", text="x"), finish(), STOP)
    assert blocks(answer) == [("text", "x")]
    reopened = answer_of(start(), *text(0, "a")[:-1], *text(0, "b"), finish(), STOP)
    assert blocks(reopened) == [("text", "a"), ("text", "b")]


def test_a_missing_message_start_is_made_up():
    assert blocks(answer_of(*text(0, "x"), finish(), STOP)) == [("text", "x")]


def test_edge_168_a_whole_message_as_the_only_event():
    body = {"id": "m", "type": "message", "content": [{"type": "text", "text": "x"}], "stop_reason": "end_turn",
            "usage": {"output_tokens": 1}}  # fmt: skip
    assert blocks(answer_of(body)) == [("text", "x")]
    assert blocks(answer_of(start(), *text(0, "a")[:-1], body)) == [("text", "a"), ("text", "x")]


# ---- errors -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("wire", "status", "kind", "message"),
    [
        ({"type": "overloaded_error", "message": "busy"}, 529, "overloaded", "busy"),
        ({"type": "rate_limit_error", "message": "slow"}, 429, "rate_limit", "slow"),
        ({"type": "invalid_request_error", "message": "bad"}, 400, "invalid_request", "bad"),
        ({"type": "authentication_error", "message": "key"}, 401, "authentication", "key"),
        ({"type": "api_error"}, 500, "server", "api_error"),
        ({"type": "unheard_of", "message": "x"}, 500, "server", "x"),
        ("words", 500, "server", "words"),
        ({"type": "api_error", "message": '{"error":{"message":"inner"}}'}, 500, "server", "inner"),
    ],
)  # fmt: skip
def test_edge_34_error_events(wire, status, kind, message):
    for payloads in ([], [start(), *text(0, "x")[:-1]]):
        last = events_of(*payloads, {"type": "error", "error": wire}, STOP)[-1]
        assert isinstance(last, Error)
        assert (last.status, last.kind, last.message) == (status, kind, message)


def test_an_error_of_another_shape_is_one_too():
    last = events_of(start(), {"error": {"message": "boom", "type": "api_error"}})[-1]
    assert isinstance(last, Error)
    assert last.message == "boom"


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"7", b"{}", b'{"content": 5}', b'{"type":"error","error":{"type":"api_error","message":"x"}}',
     b'{"error":{"message":"x"}}'],
)  # fmt: skip
def test_a_whole_answer_that_is_none_is_an_error(body):
    events = check(DIALECT.reader(Caps()).whole(body))
    assert [type(e) for e in events] == [Error]


# ---- whole and streamed -----------------------------------------------------------------------
def test_whole_answers_say_the_same_as_streams():
    content = [
        {"type": "thinking", "thinking": "Need weather.", "signature": "EqQB"},
        {"type": "text", "text": "Checking."},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"city": "A"}},
        {"type": "tool_use", "id": "toolu_2", "name": "f", "input": {"city": "B"}},
    ]
    usage = {"input_tokens": 40, "cache_read_input_tokens": 60, "cache_creation_input_tokens": 0,
             "output_tokens": 30, "output_tokens_details": {"thinking_tokens": 10}}  # fmt: skip
    assert fold(whole_of(content, "tool_use", usage=usage)) == answer_of(*FULL)


# ---- however the bytes come -------------------------------------------------------------------
def sse(payloads, newline=b"\n", space=b" ", *, pretty=False, named=True, last=True):
    out = [b"\xef\xbb\xbf", b": hello" + newline, b"retry: 5" + newline, b"id: 1" + newline * 2]
    for payload in payloads:
        data = json.dumps(payload, ensure_ascii=False, indent=1 if pretty else None).encode()
        if named:
            out.append(b"event:" + space + payload["type"].encode() + newline)
        out += [b"data:" + space + line + newline for line in data.split(b"\n")]
        out.append(newline)
    joined = b"".join(out)
    return joined if last else joined[: -len(newline)]


RICH = [
    *FULL[:-2],
    *thinking(4, "Grübel…\u2028\u0085", "🙂"),
    begin(5, type="redacted_thinking", data="D"),
    stop(5),
    *FULL[-2:],
]
STREAMS = [
    sse(RICH),
    sse(RICH, b"\r\n", b"", pretty=True),
    sse(RICH, b"\r", named=False),
    sse(RICH, pretty=True, last=False),
]  # fmt: skip


def read(pieces):
    decoder, reader = SseDecoder(), DIALECT.reader(Caps())
    events = []
    for piece in pieces:
        for frame in decoder.feed(piece):
            events += reader.feed(frame.data, frame.event)
    for frame in decoder.close():
        events += reader.feed(frame.data, frame.event)
    return check(events + reader.close())


EXPECTED = events_of(*RICH)


@pytest.mark.parametrize(
    "stream", STREAMS, ids=["plain", "crlf-pretty", "cr-nameless", "no-last-line"]
)
def test_edges_161_to_167_a_cut_at_every_byte_changes_nothing(stream):
    assert fold(EXPECTED).blocks[4].text == "Grübel…\u2028\u0085🙂"
    for at in range(len(stream)):
        assert read([stream[:at], stream[at:]]) == EXPECTED


@pytest.mark.parametrize(
    "stream", STREAMS, ids=["plain", "crlf-pretty", "cr-nameless", "no-last-line"]
)
def test_byte_by_byte_changes_nothing(stream):
    assert read([stream[n : n + 1] for n in range(len(stream))]) == EXPECTED


def test_the_kinds_of_blocks_are_started_in_order():
    starts = [e for e in EXPECTED if isinstance(e, BlockStart)]
    assert [s.index for s in starts] == list(range(6))

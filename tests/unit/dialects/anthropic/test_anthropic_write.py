"""Events as Messages answers, judged by the official SDK's own accumulator and by the grammar."""

from __future__ import annotations

import json
from functools import partial

import pytest
from anthropic._models import construct_type
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message, RawMessageStreamEvent
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sim import grammar
from tests.unit.dialects.drawn import answers
from tests.unit.dialects.told import CLAUDE, GEMINI, answer, text, thinking, tool

from cliproxy.dialects import ParseMeta
from cliproxy.dialects.anthropic import DIALECT
from cliproxy.dialects.sse import SseDecoder
from cliproxy.ir.caps import Caps
from cliproxy.ir.check import check
from cliproxy.ir.envelope import FOREIGN, unwrap, wrap
from cliproxy.ir.events import (
    ArgsDelta,
    BlockStart,
    BlockStop,
    Citation,
    End,
    Error,
    Finish,
    MediaDelta,
    RefusalDelta,
    Signature,
    Start,
    TextDelta,
    ThinkingBreak,
    ThinkingDelta,
    Usage,
)
from cliproxy.ir.fold import fold
from cliproxy.ir.request import Sig, Text, Thinking, ToolCall
from cliproxy.ir.usage import IRUsage

USAGE = Usage(
    IRUsage(input_total=100, cache_read=60, cache_write=30, output_total=25, reasoning=10)
)
stream = partial(answer, USAGE)


def request(**more):
    body = {"model": "alias", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    return DIALECT.parse({**body, **more}, ParseMeta())


def wire(events, *, one_by_one=True):
    events = check(events)
    writer = DIALECT.writer(request())
    if one_by_one:
        return b"".join(writer.feed([e]) for e in events)
    return writer.feed(events)


def payloads(data):
    decoder = SseDecoder()
    return [json.loads(frame.data) for frame in decoder.feed(data)]


def sdk(events):
    """Feed the stream to the SDK's accumulator and return the message it ends up with."""
    data = wire(events)
    grammar.check("anthropic", data)
    snapshot, buffers = None, {}
    for value in payloads(data):
        if value["type"] == "ping":
            continue
        event = construct_type(type_=RawMessageStreamEvent, value=value)
        snapshot = accumulate_event(event=event, current_snapshot=snapshot, json_bufs=buffers)
    return snapshot


def whole(events):
    body = json.loads(DIALECT.render(fold(check(events)), request()))
    Message.model_validate(body)
    grammar.whole_summary("anthropic", body)
    return body


def without_nulls(value):
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    return [without_nulls(v) for v in value] if isinstance(value, list) else value


def both(events):
    """Return the content of the whole answer, having seen that the streamed one is the same."""
    body = whole(events)
    streamed = sdk(events).to_dict(mode="json")
    assert without_nulls(streamed["content"]) == without_nulls(body["content"])
    assert streamed["stop_reason"] == body["stop_reason"]
    assert streamed["stop_sequence"] == body["stop_sequence"]
    return body["content"]


# ---- the stream -------------------------------------------------------------------------------
def test_a_full_answer_in_the_documented_order():
    events = stream(
        thinking(0, "Need ", "weather.", sig=CLAUDE),
        text(1, "Check", "ing."),
        tool(2, "toolu_A", "get_weather", '{"city":', '"A"}'),
        tool(3, "toolu_B", "get_weather", '{"city":"B"}'),
        finish="tool_calls",
    )
    assert [p["type"].removeprefix("content_") for p in payloads(wire(events))] == [
        "message_start",
        "block_start", "block_delta", "block_delta", "block_delta", "block_stop",
        "block_start", "block_delta", "block_delta", "block_stop",
        "block_start", "block_delta", "block_delta", "block_stop",
        "block_start", "block_delta", "block_stop",
        "message_delta", "message_stop",
    ]  # fmt: skip
    assert both(events) == [
        {"type": "thinking", "thinking": "Need weather.", "signature": "EqQB"},
        {"type": "text", "text": "Checking."},
        {"type": "tool_use", "id": "toolu_A", "name": "get_weather", "input": {"city": "A"}},
        {"type": "tool_use", "id": "toolu_B", "name": "get_weather", "input": {"city": "B"}},
    ]
    message = sdk(events)
    assert (message.id, message.model, message.stop_reason) == ("msg_abc", "alias", "tool_use")


def test_edge_13_14_interleaved_blocks_are_serialised():
    events = [
        Start("a"),
        BlockStart(0, "tool_call", id="t0", name="f"),
        BlockStart(1, "tool_call", id="t1", name="g"),
        ArgsDelta(1, '{"b":'),
        BlockStart(2, "text"),
        TextDelta(2, "meanwhile"),
        ArgsDelta(0, '{"a":1}'),
        ArgsDelta(1, "2}"),
        BlockStop(2),
        BlockStop(1),
        BlockStop(0),
        Finish("tool_calls"),
        End(),
    ]
    found = both(events)
    assert [b.get("input", b.get("text")) for b in found] == [{"a": 1}, {"b": 2}, "meanwhile"]


def test_several_texts_are_several_blocks():
    assert [b["text"] for b in both(stream(text(0, "a"), text(1, "b")))] == ["a", "b"]


@pytest.mark.parametrize("pieces", [(), ("",), (" ",), ("{}",), ("{", "}"), ("\n", "{}")])
def test_edge_73_empty_arguments_are_an_empty_object(pieces):
    [call] = both(stream(tool(0, "t", "f", *pieces), finish="tool_calls"))
    assert call["input"] == {}


def test_arguments_that_are_no_object_are_shown_in_whole_answers():
    [call] = whole(stream(tool(0, "t", "f", "[1]"), finish="tool_calls"))["content"]
    assert call["input"] == {"_raw": "[1]"}


def test_edge_97_ids_are_made_legal():
    [call] = both(stream(tool(0, "functions.Bash:0", "f", "{}"), finish="tool_calls"))
    assert call["id"].startswith("functions_Bash_0_")


def test_an_answer_without_content():
    assert both(stream()) == []
    assert both(stream(text(0))) == [{"type": "text", "text": ""}]


def test_paragraphs_are_parted_by_a_blank_line_and_only_where_there_are_two():
    block = [
        BlockStart(0, "thinking"),
        ThinkingBreak(0),
        ThinkingDelta(0, "one"),
        ThinkingBreak(0),
        ThinkingBreak(0),
        ThinkingDelta(0, "two"),
        ThinkingBreak(0),
        BlockStop(0),
    ]
    assert both(stream(block)) == [
        {"type": "thinking", "thinking": "one\n\ntwo", "signature": wrap(FOREIGN)}
    ]


def test_edge_23_thinking_without_text_keeps_its_signature():
    assert both(stream(thinking(0, sig=CLAUDE), text(1, "x")))[0] == {
        "type": "thinking",
        "thinking": "",
        "signature": "EqQB",
    }


def test_a_foreign_signature_is_wrapped():
    [block, _] = both(stream(thinking(0, "t", sig=Sig("gAAA", "gpt")), text(1, "x")))
    assert unwrap(block["signature"], "claude") == Sig("gAAA", "gpt")


@pytest.mark.parametrize("sig", [CLAUDE, Sig("gAAA", "gpt")])
def test_redacted_thinking(sig):
    block = [BlockStart(0, "redacted", signature=sig), BlockStop(0)]
    [found] = both(stream(block))
    assert found["type"] == "redacted_thinking"
    assert unwrap(found["data"], "claude") == sig


def test_edge_31_signatures_of_calls_and_texts_travel_beside_them_and_come_back():
    events = stream(
        text(0, "a"),
        [BlockStart(1, "text"), TextDelta(1, "b"), Signature(1, GEMINI), BlockStop(1)],
        tool(2, "t1", "f", "{}", signature=Sig("one", "gemini")),
        tool(3, "t2", "f", "{}"),
        tool(4, "t3", "f", "{}", late=Sig("two", "gemini")),
        tool(5, "t4", "f", "{}"),
        finish="tool_calls",
    )
    content = both(events)
    assert [b["type"] for b in content] == [
        "text", "text", "thinking", "thinking", "tool_use", "tool_use", "tool_use", "thinking", "tool_use",
    ]  # fmt: skip
    turn = {"role": "assistant", "content": content}
    req = DIALECT.parse(
        {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}, turn]},
        ParseMeta(),
    )
    assert [(type(p), p.signature) for p in req.messages[1].parts] == [
        (Text, None),
        (Text, GEMINI),
        (ToolCall, Sig("one", "gemini")),
        (ToolCall, None),
        (ToolCall, Sig("two", "gemini")),
        (ToolCall, None),
    ]


def test_a_lone_signature_stays_reasoning():
    content = both(stream(thinking(0, sig=GEMINI), text(1, "x")))
    req = DIALECT.parse(
        {"model": "m", "max_tokens": 1, "messages": [{"role": "assistant", "content": content}]},
        ParseMeta(),
    )
    assert req.messages[0].parts[0] == Thinking(signature=GEMINI)
    assert content[0]["signature"] == wrap(GEMINI)


def test_a_refusal_is_text_with_its_reason():
    block = [
        BlockStart(0, "refusal"),
        RefusalDelta(0, "I "),
        RefusalDelta(0, "won't"),
        BlockStop(0),
    ]
    events = stream(block)
    assert both(events) == [{"type": "text", "text": "I won't"}]
    assert whole(events)["stop_reason"] == "refusal"


def test_pictures_and_sound_have_no_block_here():
    picture = [BlockStart(0, "image", mime="image/png"), MediaDelta(0, "AAAA"), BlockStop(0)]
    sound = [BlockStart(1, "audio", mime="audio/wav"), MediaDelta(1, "AAAA"), BlockStop(1)]
    assert both(stream(picture, sound, text(2, "x"))) == [{"type": "text", "text": "x"}]


def test_only_the_first_choice_is_written():
    events = [
        Start("a"), *text(0, "b", choice=1), *text(1, "a"), *tool(2, "t", "f", "{}", choice=1),
        Finish("tool_calls", choice=1), Finish("length"), End(),
    ]  # fmt: skip
    assert both(events) == [{"type": "text", "text": "a"}]
    assert whole(events)["stop_reason"] == "max_tokens"


# ---- search -----------------------------------------------------------------------------------
def test_edge_35_36_a_foreign_search_is_a_call_a_result_and_citations():
    call = [
        BlockStart(0, "server_call", id="ws_1", name="web_search", server_kind="web_search"),
        ArgsDelta(0, '{"query":"q"}'),
        BlockStop(0),
    ]
    results = [
        {"url": "https://x", "title": "X"},
        {"url": "https://x"},
        {"url": ""},
        {"url": "https://y"},
    ]
    result = [
        BlockStart(
            1, "server_result", id="ws_1", server_kind="web_search", payload={"results": results}
        ),
        BlockStop(1),
    ]
    cited = [
        BlockStart(2, "text"),
        TextDelta(2, "Zürich liegt"),
        Citation(2, {"kind": "url", "url": "https://x", "title": "X", "start": 0, "end": 6}),
        Citation(2, {"kind": "file", "native": {}, "dialect": "openai-responses"}),
        BlockStop(2),
    ]
    events = stream(call, result, cited)
    used, found, said = both(events)
    assert used["id"] == found["tool_use_id"] == "srvtoolu_ws_1"
    assert used["input"] == {"query": "q"}
    assert [r["url"] for r in found["content"]] == ["https://x", "https://y"]
    assert said["citations"] == [
        {
            "type": "web_search_result_location",
            "url": "https://x",
            "title": "X",
            "encrypted_index": "",
            "cited_text": "Zürich",
        }
    ]
    assert whole(events)["stop_reason"] == "end_turn"


def test_claudes_own_blocks_leave_as_they_came():
    native_call = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_fetch"}
    native = {
        "type": "web_fetch_tool_result",
        "tool_use_id": "srvtoolu_1",
        "content": {"type": "web_fetch_tool_result_error", "error_code": "unavailable"},
    }
    cite = {"type": "char_location", "document_index": 0, "document_title": None, "start_char_index": 0,
            "end_char_index": 1, "cited_text": "c"}  # fmt: skip
    events = stream(
        [BlockStart(0, "server_call", id="srvtoolu_1", name="web_fetch", server_kind="web_fetch", native=native_call, dialect="anthropic"),
         ArgsDelta(0, '{"url":"u"}'), BlockStop(0)],
        [BlockStart(1, "server_result", id="srvtoolu_1", server_kind="web_fetch", native=native, dialect="anthropic"), BlockStop(1)],
        [BlockStart(2, "opaque", native={"type": "container_upload", "file_id": "f"}, dialect="anthropic"), BlockStop(2)],
        [BlockStart(3, "text"), TextDelta(3, "x"), Citation(3, {"kind": "document", "native": cite, "dialect": "anthropic"}), BlockStop(3)],
    )  # fmt: skip
    content = both(events)
    assert content[0] == {**native_call, "input": {"url": "u"}}
    assert content[1] == native
    assert content[2]["type"] == "container_upload"
    assert content[3]["citations"] == [cite]


def test_edge_70_hidden_tools_leave_no_gap():
    events = stream(
        [BlockStart(0, "server_call", id="c", name="file_search", server_kind="file_search"), ArgsDelta(0, "{}"), BlockStop(0)],
        [BlockStart(1, "server_result", id="c", server_kind="file_search", payload={}), BlockStop(1)],
        [BlockStart(2, "opaque", native={"x": 1}, dialect="gemini"), BlockStop(2)],
        text(3, "x"),
    )  # fmt: skip
    assert both(events) == [{"type": "text", "text": "x"}]


# ---- the end ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("stop", "end_turn"), ("length", "max_tokens"), ("context_full", "model_context_window_exceeded"),
        ("content_filter", "refusal"), ("refusal", "refusal"), ("pause", "pause_turn"), ("malformed_tool", "end_turn"),
        ("stop_sequence", "stop_sequence"), ("tool_calls", "end_turn"),
    ],
)  # fmt: skip
def test_edge_10_reasons_to_stop(finish, reason):
    events = stream(text(0, "x"), finish=finish)
    both(events)
    assert whole(events)["stop_reason"] == reason


def test_the_stop_sequence_is_told_only_with_its_reason():
    hit = stream(text(0, "x"), finish="stop_sequence", stop_sequence="\nH:")
    both(hit)
    assert whole(hit)["stop_sequence"] == "\nH:"
    assert whole(stream(text(0, "x"), stop_sequence="\nH:"))["stop_sequence"] is None


def test_details_are_told_only_of_a_refusal_and_only_if_they_are_its_own():
    details = {"type": "refusal", "category": "cyber", "explanation": "no"}
    refused = stream(finish="content_filter", details=details)
    assert sdk(refused).stop_details.category == "cyber"
    assert whole(refused)["stop_details"] == details
    other = stream(finish="content_filter", details={"logprobs": {}})
    assert "stop_details" not in whole(other)
    both(other)


def test_edge_1_late_usage_is_in_the_one_message_delta():
    events = [Start("a"), *text(0, "x"), Finish("stop"), USAGE, End()]
    found = payloads(wire(events))
    assert [p["type"] for p in found[-2:]] == ["message_delta", "message_stop"]
    assert sum(p["type"] == "message_delta" for p in found) == 1
    assert found[-2]["usage"]["output_tokens"] == 25


def test_usage_leaves_out_of_the_input_what_the_cache_gave():
    usage = whole(stream(text(0, "x")))["usage"]
    assert (
        usage["input_tokens"],
        usage["cache_read_input_tokens"],
        usage["cache_creation_input_tokens"],
    ) == (10, 60, 30)
    assert usage["output_tokens_details"] == {"thinking_tokens": 10}
    message = sdk(stream(text(0, "x")))
    assert (message.usage.input_tokens, message.usage.output_tokens) == (10, 25)


def test_edge_32_unknown_usage_is_zero():
    usage = whole(stream(text(0, "x"), usage=False))["usage"]
    assert (usage["input_tokens"], usage["output_tokens"]) == (0, 0)
    assert sdk(stream(text(0, "x"), usage=False)).usage.output_tokens == 0


def test_details_of_usage():
    events = [Start("a"), *text(0, "x"), Usage(IRUsage(input_total=9, cache_write=5, cache_write_5m=3, cache_write_1h=2,
              output_total=1, web_searches=2)), Finish("stop"), End()]  # fmt: skip
    usage = whole(events)["usage"]
    assert usage["cache_creation"] == {
        "ephemeral_5m_input_tokens": 3,
        "ephemeral_1h_input_tokens": 2,
    }
    assert usage["server_tool_use"]["web_search_requests"] == 2
    both(events)


# ---- errors and keep-alives -------------------------------------------------------------------
@pytest.mark.parametrize(
    "before", [[], [Start("a")], [Start("a"), BlockStart(0, "text"), TextDelta(0, "x")]]
)
def test_an_error_is_the_last_thing_written(before):
    events = [*before, Error(529, "overloaded", "busy")]
    summary = grammar.check("anthropic", wire(events))
    assert summary.error == {"type": "overloaded_error", "message": "busy"}


def test_blocks_held_back_are_shown_before_an_error():
    events = [
        Start("a"),
        BlockStart(0, "text"),
        TextDelta(0, "x"),
        BlockStart(1, "text"),
        TextDelta(1, "y"),
        Error(500, "server", "e"),
    ]
    data = wire(events)
    assert payloads(data)[-1]["type"] == "error"


def test_nothing_follows_an_error_or_the_end():
    writer = DIALECT.writer(request())
    writer.feed([Error(500, "server", "x")])
    assert writer.feed([End()]) == b""


def test_a_ping_is_a_comment_until_the_message_has_begun():
    writer = DIALECT.writer(request())
    assert writer.ping().startswith(b":")
    writer.feed([Start("a")])
    assert writer.ping().startswith(b":")
    said = writer.feed([BlockStart(0, "text"), TextDelta(0, "x")])
    rest = writer.ping() + writer.feed([BlockStop(0), Finish("stop"), End()])
    assert b"event: ping" in rest
    grammar.check("anthropic", said + rest)


# ---- properties -------------------------------------------------------------------------------
def signing(draw, sig):
    """Draw what is signed of a call: its start, or its end."""
    return {"signature" if draw(st.booleans()) else "late": GEMINI} if sig is GEMINI else {}


ANSWERS = answers(USAGE, [CLAUDE, GEMINI, Sig("gA", "gpt")], "search", "found", signing=signing)


@settings(max_examples=150, deadline=None)
@given(ANSWERS)
def test_whole_and_streamed_answers_say_the_same(events):
    both(events)


@settings(max_examples=80, deadline=None)
@given(ANSWERS)
def test_how_events_are_batched_does_not_change_the_meaning(events):
    assert payloads(wire(events)) == payloads(wire(events, one_by_one=False))


def said(answer):
    """Return what this dialect can say of an answer."""
    out = []
    for block in answer.blocks:
        kind = "text" if block.kind == "refusal" else block.kind
        if kind == "image":
            continue
        body = block.text
        if kind in ("tool_call", "server_call"):
            body = json.loads(block.text or "{}")
        shown = block.signature or block.start.signature
        shown = None if shown == FOREIGN else shown
        out.append(
            (kind, body, shown if kind in ("thinking", "redacted") else None, len(block.citations))
        )
    return out


@settings(max_examples=150, deadline=None)
@given(ANSWERS)
def test_our_own_reader_understands_our_own_answers(events):
    reader = DIALECT.reader(Caps())
    found = []
    for value in payloads(wire(events)):
        found += reader.feed(json.dumps(value).encode())
    found = check(found + reader.close())
    if isinstance(found[-1], Error):
        assert not said(fold(events))
        return  # tokens were counted and nothing was said, which a reader may call an error
    carriers = {wrap(GEMINI), wrap(Sig("^" + GEMINI.value, "gemini"))}
    mine = [
        b
        for b in said(fold(found))
        if not (b[0] == "thinking" and not b[1] and b[2] and wrap(b[2]) in carriers)
    ]
    theirs = [
        b for b in said(fold(events)) if not (b[0] == "thinking" and not b[1] and b[2] == GEMINI)
    ]
    assert mine == theirs
    again = fold(check(DIALECT.reader(Caps()).whole(DIALECT.render(fold(events), request()))))
    assert said(again) == said(fold(found))
    assert again.finish == fold(found).finish

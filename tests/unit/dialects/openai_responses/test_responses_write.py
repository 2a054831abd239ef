"""Events as Responses, judged by the official SDK's own accumulator and by the grammar."""

from __future__ import annotations

import json
from functools import partial

import pytest
from hypothesis import given, settings
from openai import omit
from openai._models import construct_type
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent
from tests.sim import grammar
from tests.unit.dialects.drawn import ARGS, answers
from tests.unit.dialects.told import CLAUDE, GEMINI, answer, text, thinking, tool

from cliproxy.dialects import ParseMeta
from cliproxy.dialects.openai_responses import DIALECT
from cliproxy.dialects.sse import SseDecoder
from cliproxy.ir.caps import Caps
from cliproxy.ir.check import check
from cliproxy.ir.envelope import FOREIGN, unwrap
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

USAGE = Usage(IRUsage(input_total=100, cache_read=60, output_total=30, reasoning=10))
stream = partial(answer, USAGE)
GPT = Sig("gAAA", "gpt")


def request(**more):
    return DIALECT.parse({"model": "alias", "input": "hi", **more}, ParseMeta())


def wire(events, req=None, *, one_by_one=True):
    events = check(events)
    writer = DIALECT.writer(req or request())
    if one_by_one:
        return b"".join(writer.feed([e]) for e in events)
    return writer.feed(events)


def payloads(data):
    return [json.loads(frame.data) for frame in SseDecoder().feed(data)]


def sdk(events, req=None):
    """Feed the stream to the SDK's accumulator and return the response it ends up with."""
    data = wire(events, req)
    grammar.check("openai-responses", data)
    state = ResponseStreamState(input_tools=omit, text_format=omit)
    final = None
    for value in payloads(data):
        for told in state.handle_event(construct_type(type_=ResponseStreamEvent, value=value)):
            if told.type in ("response.completed", "response.incomplete"):
                final = told.response
    return final


def whole(events, req=None):
    body = json.loads(DIALECT.render(fold(check(events)), req or request()))
    Response.model_validate(body)
    grammar.whole_summary("openai-responses", body)
    return body


def plain(value):
    """Drop what differs between any two answers: ids that were made up, and times."""
    if isinstance(value, dict):
        keep = {
            k: plain(v) for k, v in value.items() if k not in ("id", "completed_at", "created_at")
        }
        return {k: v for k, v in keep.items() if v is not None}
    return [plain(v) for v in value] if isinstance(value, list) else value


def both(events, req=None):
    """Return the output of the whole answer, having seen that the streamed one is the same."""
    body = whole(events, req)
    sdk(events, req)
    last = payloads(wire(events, req))[-1]["response"]
    assert plain(last) == plain(body)
    return body["output"]


# ---- the stream -------------------------------------------------------------------------------
FULL = stream(
    thinking(0, "Need ", "weather.", sig=GPT),
    text(1, "Check", "ing."),
    tool(2, "call_A", "get_weather", '{"city":', '"A"}'),
    tool(3, "call_B", "get_weather", '{"city":"B"}'),
    finish="tool_calls",
)


def test_edge_78_a_full_answer_in_the_documented_order():
    assert [p["type"].removeprefix("response.") for p in payloads(wire(FULL))] == [
        "created", "in_progress",
        "output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta", "reasoning_summary_text.delta",
        "reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done",
        "output_item.added", "content_part.added", "output_text.delta", "output_text.delta", "output_text.done",
        "content_part.done", "output_item.done",
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.delta",
        "function_call_arguments.done", "output_item.done",
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done",
        "completed",
    ]  # fmt: skip
    output = both(FULL)
    assert [plain(i) for i in output] == [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Need weather."}], "status": "completed",
         "encrypted_content": "gAAA"},
        {"type": "message", "status": "completed", "role": "assistant",
         "content": [{"type": "output_text", "text": "Checking.", "annotations": [], "logprobs": []}]},
        {"type": "function_call", "status": "completed", "call_id": "call_A", "name": "get_weather", "arguments": '{"city":"A"}'},
        {"type": "function_call", "status": "completed", "call_id": "call_B", "name": "get_weather", "arguments": '{"city":"B"}'},
    ]  # fmt: skip


def test_edge_77_every_snapshot_carries_the_clients_model_and_one_id():
    found = [p["response"] for p in payloads(wire(FULL)) if "response" in p]
    assert {(r["model"], r["id"], r["created_at"]) for r in found} == {("alias", "resp_abc", 77)}
    assert [r["status"] for r in found] == ["in_progress", "in_progress", "completed"]


def test_the_snapshot_repeats_what_was_asked():
    req = request(instructions="I", temperature=0.5, tools=[{"type": "function", "name": "f", "parameters": {}, "strict": False}],
                  tool_choice="auto", metadata={"a": "b"}, reasoning={"effort": "low"}, text={"verbosity": "low"}, store=True)  # fmt: skip
    body = whole(stream(text(0, "x")), req)
    assert (body["instructions"], body["temperature"], body["metadata"]) == ("I", 0.5, {"a": "b"})
    assert body["reasoning"]["effort"] == "low"
    assert body["text"] == {"format": {"type": "text"}, "verbosity": "low"}
    assert body["tools"][0]["name"] == "f"
    assert body["store"] is False
    assert (body["truncation"], body["parallel_tool_calls"], body["background"]) == (
        "disabled",
        True,
        False,
    )


def test_edge_67_there_is_no_output_text_on_the_wire():
    assert "output_text" not in whole(FULL)


def test_edge_13_interleaved_blocks_are_serialised():
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
    assert [i.get("arguments", i["type"]) for i in both(events)] == [
        '{"a":1}',
        '{"b":2}',
        "message",
    ]


def test_edge_69_68_neighbouring_texts_share_a_message_and_others_do_not():
    events = stream(
        text(0, "a"), text(1, "b"), tool(2, "c", "f", "{}"), text(3, "d"), finish="tool_calls"
    )
    output = both(events)
    assert [i["type"] for i in output] == ["message", "function_call", "message"]
    assert output[0]["content"][0]["text"] == "ab"
    assert output[0]["id"] != output[2]["id"]


@pytest.mark.parametrize("pieces", [(), ("",), (" ",), ("{}",), ("{", "}"), ("\n", "{}")])
def test_edge_73_empty_arguments_are_an_empty_object(pieces):
    [item] = both(stream(tool(0, "c", "f", *pieces), finish="tool_calls"))
    assert item["arguments"] == "{}"


def test_arguments_that_are_no_json_are_shown_as_they_are():
    [item] = both(stream(tool(0, "c", "f", "{bad"), finish="tool_calls"))
    assert item["arguments"] == "{bad"


def test_edge_75_76_custom_calls_and_namespaces():
    events = stream(
        tool(0, "c", "sql", "SELECT", "\n2", tool_kind="custom", namespace="db"),
        tool(1, "d", "f", "{}", namespace="ns"),
    )
    kinds = [p["type"] for p in payloads(wire(events))]
    assert "response.custom_tool_call_input.delta" in kinds
    for item in both(events):
        assert item["namespace"] in ("db", "ns")
    added = [p["item"] for p in payloads(wire(events)) if p["type"] == "response.output_item.added"]
    assert [(i["type"], i["namespace"]) for i in added] == [
        ("custom_tool_call", "db"),
        ("function_call", "ns"),
    ]
    assert both(events)[0]["input"] == "SELECT\n2"


def test_edge_98_long_ids_are_shortened():
    [item] = both(stream(tool(0, "c" * 80, "f", "{}"), finish="tool_calls"))
    assert len(item["call_id"]) <= 64


def test_the_upstreams_item_ids_are_kept_where_they_can_be():
    events = stream(thinking(0, "a", item_id="rs_1"), thinking(1, "b", item_id="rs_1"), thinking(2, "c", item_id="odd"),
                    tool(3, "c", "f", "{}", item_id="fc_9"))  # fmt: skip
    found = [i["id"] for i in both(events)]
    assert (found[0], found[3]) == ("rs_1", "fc_9")
    assert len(set(found)) == 4
    assert all(i.startswith("rs_") for i in found[:3])


def test_an_answer_without_content():
    assert both(stream()) == []
    [item] = both(stream(text(0)))
    assert item["content"][0]["text"] == ""


def test_paragraphs_are_summary_parts():
    block = [BlockStart(0, "thinking"), ThinkingBreak(0), ThinkingDelta(0, "one"), ThinkingBreak(0), ThinkingBreak(0),
             ThinkingDelta(0, "two"), ThinkingBreak(0), BlockStop(0)]  # fmt: skip
    [item] = both(stream(block))
    assert [p["text"] for p in item["summary"]] == ["one", "two"]
    # Without a signature of its own it is marked, so that no vendor takes it for its own.
    assert unwrap(item["encrypted_content"], "gpt") == FOREIGN


# ---- signatures -------------------------------------------------------------------------------
def parts_after(output):
    req = DIALECT.parse(
        {"model": "m", "input": [{"role": "user", "content": "x"}, *output]}, ParseMeta()
    )
    return [p for m in req.messages[1:] for p in m.parts]


def test_edge_71_a_foreign_signature_is_wrapped_and_comes_back():
    [item, _] = both(stream(thinking(0, "t", sig=CLAUDE), text(1, "x")))
    assert unwrap(item["encrypted_content"], "gpt") == CLAUDE
    assert parts_after([item])[0].signature == CLAUDE


def test_edge_72_redacted_and_hidden_thinking_come_back_as_what_they_were():
    redacted = [BlockStart(0, "redacted", signature=CLAUDE), BlockStop(0)]
    output = both(stream(redacted, thinking(1, sig=Sig("Ehid", "claude")), text(2, "x")))
    assert [i["summary"] for i in output[:2]] == [[], []]
    first, second, _ = parts_after(output)
    assert (first.redacted, first.signature) == (True, CLAUDE)
    assert (second.redacted, second.signature) == (False, Sig("Ehid", "claude"))


def test_signatures_of_calls_and_texts_travel_beside_them_and_come_back():
    events = stream(
        text(0, "a"),
        [BlockStart(1, "text"), TextDelta(1, "b"), Signature(1, GEMINI), BlockStop(1)],
        tool(2, "t1", "f", "{}", signature=Sig("one", "gemini")),
        tool(3, "t2", "f", "{}"),
        tool(4, "t3", "f", "{}", late=Sig("two", "gemini")),
        tool(5, "t4", "f", "{}"),
        thinking(6, sig=Sig("lone", "gemini")),
        finish="tool_calls",
    )
    assert [(type(p), p.signature and p.signature.value) for p in parts_after(both(events))] == [
        (Text, "CvGE"), (ToolCall, "one"), (ToolCall, None), (ToolCall, "two"), (ToolCall, None), (Thinking, "lone"),
    ]  # fmt: skip


# ---- other blocks -----------------------------------------------------------------------------
def test_a_refusal_is_a_part_of_its_own():
    block = [
        BlockStart(1, "refusal"),
        RefusalDelta(1, "I "),
        RefusalDelta(1, "won't"),
        BlockStop(1),
    ]
    [item] = both(stream(text(0, "a"), block, text(2, "b")))
    assert [p.get("refusal", p.get("text")) for p in item["content"]] == ["a", "I won't", "b"]


def test_edge_59_a_picture_is_an_item_with_its_format():
    events = stream(
        [BlockStart(0, "image", mime="image/jpeg"), MediaDelta(0, "AAAA"), BlockStop(0)],
        text(1, "x"),
    )
    assert plain(both(events)[0]) == {
        "type": "image_generation_call", "status": "completed", "result": "AAAA", "output_format": "jpeg",
    }  # fmt: skip


def test_edge_70_hidden_blocks_leave_no_gap():
    events = stream(
        [BlockStart(0, "audio", mime="audio/wav"), MediaDelta(0, "AAAA"), BlockStop(0)],
        [
            BlockStart(1, "server_call", id="c", name="x", server_kind="tool_search"),
            ArgsDelta(1, "{}"),
            BlockStop(1),
        ],
        [
            BlockStart(2, "server_result", id="c", server_kind="tool_search", payload={}),
            BlockStop(2),
        ],
        [BlockStart(3, "opaque", native={"x": 1}, dialect="gemini"), BlockStop(3)],
        text(4, "x"),
    )
    assert [i["type"] for i in both(events)] == ["message"]


def test_edge_35_a_search_and_its_citations():
    search = [BlockStart(0, "server_call", id="srvtoolu_1", name="web_search", server_kind="web_search"),
              ArgsDelta(0, '{"query":"q"}'), BlockStop(0)]  # fmt: skip
    cited = [
        BlockStart(2, "text"), TextDelta(2, "Zürich liegt"),
        Citation(2, {"kind": "url", "url": "https://z", "title": "Z", "start": 0, "end": 6}),
        Citation(2, {"kind": "url", "url": "https://y", "cited_text": "c"}),
        Citation(2, {"kind": "document", "native": {}, "dialect": "anthropic"}), BlockStop(2),
    ]  # fmt: skip
    found = both(stream(search, text(1, "So: "), cited))
    assert plain(found[0]) == {
        "type": "web_search_call",
        "status": "completed",
        "action": {"type": "search", "query": "q"},
    }
    assert found[1]["content"][0]["annotations"] == [
        {
            "type": "url_citation",
            "start_index": 4,
            "end_index": 10,
            "url": "https://z",
            "title": "Z",
        },
        {
            "type": "url_citation",
            "start_index": 4,
            "end_index": 16,
            "url": "https://y",
            "title": "",
        },
    ]


def test_its_own_items_leave_as_they_came():
    native = {
        "id": "ws_1",
        "type": "web_search_call",
        "status": "completed",
        "action": {"type": "search", "query": "q", "sources": []},
    }
    cite = {"type": "url_citation", "start_index": 1, "end_index": 2, "url": "u", "title": "t"}
    other = {"type": "compaction", "encrypted_content": "E"}
    events = stream(
        [BlockStart(0, "server_call", id="ws_1", name="web_search", server_kind="web_search", native=native, dialect="openai-responses"),
         ArgsDelta(0, "{}"), BlockStop(0)],
        [BlockStart(1, "server_result", id="ws_1", server_kind="web_search", native=native, dialect="openai-responses"), BlockStop(1)],
        [BlockStart(2, "opaque", native=other, dialect="openai-responses"), BlockStop(2)],
        text(3, "ab"),
        [BlockStart(4, "text"), TextDelta(4, "cd"), Citation(4, {"kind": "url", "native": cite, "dialect": "openai-responses"}), BlockStop(4)],
    )  # fmt: skip
    found = both(events)
    assert found[0] == native
    assert plain(found[1]) == plain(other)
    assert found[2]["content"][0]["annotations"] == [{**cite, "start_index": 3, "end_index": 4}]


def test_its_own_code_leaves_as_it_came_and_is_told_in_the_events_of_the_api():
    native = {
        "id": "ci_1",
        "type": "code_interpreter_call",
        "status": "completed",
        "code": "print(2)",
        "container_id": "cntr_1",
        "outputs": [{"type": "image", "url": "https://x"}],
    }
    own = {"server_kind": "code_execution", "native": native, "dialect": "openai-responses"}
    events = stream(
        [BlockStart(0, "server_call", id="ci_1", name="code_execution", **own), BlockStop(0)],
        [BlockStart(1, "server_result", id="ci_1", payload={}, **own), BlockStop(1)],
    )
    assert both(events) == [native]
    begun, *steps, done = payloads(wire(events))[2:-1]
    assert begun["item"] == {**native, "status": "in_progress", "code": "", "outputs": None}
    assert [step["type"].removeprefix("response.code_interpreter_call") for step in steps] == [
        ".in_progress", "_code.delta", "_code.done", ".interpreting", ".completed",
    ]  # fmt: skip
    assert done["item"] == native


def test_edge_74_several_choices_are_several_items():
    events = [Start("a"), *text(0, "b", choice=1), *tool(1, "t", "f", "{}"), *tool(2, "u", "f", "{}", choice=1),
              Finish("tool_calls", choice=1), Finish("length"), End()]  # fmt: skip
    assert [i["type"] for i in both(events)] == ["message", "function_call", "function_call"]
    assert whole(events)["status"] == "incomplete"


# ---- the end ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("finish", "status", "reason"),
    [
        ("stop", "completed", None), ("stop_sequence", "completed", None), ("tool_calls", "completed", None),
        ("refusal", "completed", None), ("pause", "completed", None), ("malformed_tool", "completed", None),
        ("length", "incomplete", "max_output_tokens"), ("context_full", "incomplete", "max_output_tokens"),
        ("content_filter", "incomplete", "content_filter"),
    ],
)  # fmt: skip
def test_edge_65_how_it_ends(finish, status, reason):
    events = stream(text(0, "x"), finish=finish)
    [item] = both(events)
    body = whole(events)
    assert (body["status"], (body["incomplete_details"] or {}).get("reason")) == (status, reason)
    assert item["status"] == status
    assert sdk(events).status == status


def test_edge_62_late_usage_is_in_the_one_terminal_event():
    events = [Start("a"), *text(0, "x"), Finish("stop"), USAGE, End()]
    found = payloads(wire(events))
    assert [p["type"] for p in found].count("response.completed") == 1
    assert found[-1]["response"]["usage"] == {
        "input_tokens": 100, "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 0},
        "output_tokens": 30, "output_tokens_details": {"reasoning_tokens": 10}, "total_tokens": 130,
    }  # fmt: skip
    assert payloads(wire(stream(text(0, "x"), usage=False)))[-1]["response"]["usage"] is None


# ---- errors and keep-alives -------------------------------------------------------------------
@pytest.mark.parametrize("before", [[], [Start("a")]])
def test_an_error_before_anything_was_said_is_an_error_event(before):
    found = payloads(wire([*before, Error(429, "rate_limit", "slow", param="p")]))
    flat = {"code": "rate_limit_exceeded", "message": "slow", "param": "p"}
    nested = {"type": "rate_limit_error", **flat}
    assert found == [{"type": "error", **flat, "error": nested, "sequence_number": 0}]
    grammar.check("openai-responses", wire([*before, Error(429, "rate_limit", "slow")]))


def test_edge_64_an_error_after_it_is_a_failed_response_with_what_was_done():
    events = [
        Start("a"),
        *text(0, "x"),
        *tool(1, "c", "f", "{}"),
        BlockStart(2, "text"),
        TextDelta(2, "y"),
        Error(529, "overloaded", "busy"),
    ]
    data = wire(events)
    assert grammar.check("openai-responses", data).error == {
        "code": "server_is_overloaded",
        "message": "busy",
    }
    told, last = payloads(data)[-2:]
    assert (told["type"], last["type"]) == ("error", "response.failed")
    assert [i["type"] for i in last["response"]["output"]] == ["message", "function_call"]


def test_nothing_follows_an_error():
    writer = DIALECT.writer(request())
    writer.feed([Error(500, "server", "x")])
    assert writer.feed([End()]) == b""


def test_a_ping_is_a_comment_anywhere():
    writer = DIALECT.writer(request())
    data = writer.ping() + writer.feed([Start("a"), BlockStart(0, "text")]) + writer.ping()
    data += writer.feed([TextDelta(0, "x"), BlockStop(0), Finish("stop"), End()])
    grammar.check("openai-responses", data)


# ---- properties -------------------------------------------------------------------------------
ANSWERS = answers(USAGE, [GPT, CLAUDE], "custom", "search", args=(*ARGS, "{bad"))


@settings(max_examples=120, deadline=None)
@given(ANSWERS)
def test_whole_and_streamed_answers_say_the_same(events):
    both(events)


@settings(max_examples=60, deadline=None)
@given(ANSWERS)
def test_how_events_are_batched_does_not_change_the_meaning(events):
    one, other = payloads(wire(events)), payloads(wire(events, one_by_one=False))
    assert [p["type"] for p in one] == [p["type"] for p in other]
    assert plain(one[-1]) == plain(other[-1])


def meaning(answer):
    """Return what this dialect can say of an answer, neighbouring texts joined."""
    out = []
    for block in answer.blocks:
        kind, body = block.kind, block.text
        shown = block.signature or block.start.signature
        if kind == "redacted":
            kind = "thinking"
        if kind == "server_result":
            continue
        if kind == "tool_call" and block.start.tool_kind == "function" and not body.strip():
            body = "{}"
        if kind == "text" and out and out[-1][0] == "text":
            out[-1] = ("text", out[-1][1] + body, "", out[-1][3] + len(block.citations))
            continue
        family = shown.family if shown and shown != FOREIGN else ""
        out.append((kind, body, family, len(block.citations)))
    return out


@settings(max_examples=120, deadline=None)
@given(ANSWERS)
def test_our_own_reader_understands_our_own_answers(events):
    reader = DIALECT.reader(Caps())
    found = []
    for value in payloads(wire(events)):
        found += reader.feed(json.dumps(value).encode())
    found = check(found + reader.close())
    theirs = [m for m in meaning(fold(events)) if m != ("text", "", "", 0)]
    if isinstance(found[-1], Error):
        assert not theirs
        return  # tokens were counted and nothing was said, which a reader may call an error
    assert [m for m in meaning(fold(found)) if m != ("text", "", "", 0)] == theirs
    again = fold(check(DIALECT.reader(Caps()).whole(DIALECT.render(fold(events), request()))))
    assert meaning(again) == meaning(fold(found))
    assert again.finish == fold(found).finish

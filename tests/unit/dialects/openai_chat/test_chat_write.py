"""Events as chat answers, judged by the official SDK's own accumulator."""

from __future__ import annotations

import json
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai._models import construct_type
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from tests.unit.dialects.told import answer, text, thinking, tool

from cliproxy.base.errors import RateLimited, UpstreamBroken
from cliproxy.dialects import ParseMeta
from cliproxy.dialects.openai_chat import DIALECT
from cliproxy.ir.caps import Caps
from cliproxy.ir.check import check
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
from cliproxy.ir.request import Sig
from cliproxy.ir.usage import IRUsage

USAGE = Usage(IRUsage(input_total=100, cache_read=60, output_total=30, reasoning=10))
stream = partial(answer, USAGE)


def request(**more):
    body = {"model": "alias", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    return DIALECT.parse({**body, **more}, ParseMeta())


def wire(events, req=None, *, one_by_one=True):
    events = check(events)
    writer = DIALECT.writer(req or request())
    if one_by_one:
        return b"".join(writer.feed([e]) for e in events)
    return writer.feed(events)


def payloads(data):
    assert data.endswith(b"\n\n")
    frames = data[:-2].split(b"\n\n")
    assert all(f.startswith(b"data: ") and b"\n" not in f for f in frames)
    return [f[6:] for f in frames]


def chunks(events, req=None):
    found = payloads(wire(events, req))
    assert found[-1] == b"[DONE]"
    return [json.loads(p) for p in found[:-1]]


def sdk(events, req=None, *, final=True):
    """Feed the stream to the SDK's accumulator and return the completion it ends up with."""
    state = ChatCompletionStreamState()
    for body in chunks(events, req):
        # Built as the SDK builds them: its types know no streamed custom calls, its client does.
        chunk = construct_type(type_=ChatCompletionChunk, value=body)
        for _ in state.handle_chunk(chunk):
            pass
    # get_final_completion() refuses length stops and trips over custom calls: its own limits.
    return state.get_final_completion() if final else state.current_completion_snapshot


FULL = stream(
    thinking(0, "Need ", "weather."),
    text(1, "Check", "ing."),
    tool(2, "call_A", "get_weather", '{"city":', '"A"}'),
    tool(3, "call_B", "get_weather", '{"city":"B"}'),
    finish="tool_calls",
)


# ---- the stream -------------------------------------------------------------------------------
def test_the_stream_follows_the_documented_grammar():
    req = request(stream_options={"include_usage": True})
    found = chunks(FULL, req)
    assert [ChatCompletionChunk.model_validate(c) for c in found]
    deltas = [c["choices"][0]["delta"] for c in found[:-1]]
    assert deltas == [
        {"role": "assistant", "content": ""},
        {"reasoning_content": "Need "},
        {"reasoning_content": "weather."},
        {"content": "Check"},
        {"content": "ing."},
        {
            "tool_calls": [
                {
                    "index": 0,
                    "id": "call_A",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": ""},
                }
            ]
        },
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"city":'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '"A"}'}}]},
        {
            "tool_calls": [
                {
                    "index": 1,
                    "id": "call_B",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": ""},
                }
            ]
        },
        {"tool_calls": [{"index": 1, "function": {"arguments": '{"city":"B"}'}}]},
        {},
    ]
    assert [c["choices"][0]["finish_reason"] for c in found[:-1]] == [None] * 10 + ["tool_calls"]
    assert found[-1]["choices"] == []
    assert found[-1]["usage"] == {
        "prompt_tokens": 100,
        "completion_tokens": 30,
        "total_tokens": 130,
        "prompt_tokens_details": {"cached_tokens": 60},
        "completion_tokens_details": {"reasoning_tokens": 10},
    }
    assert all("usage" in c and c["usage"] is None for c in found[:-1])
    assert {(c["id"], c["object"], c["created"], c["model"]) for c in found} == {
        ("chatcmpl-abc", "chat.completion.chunk", 77, "alias")
    }


def test_usage_is_absent_unless_asked_for():
    assert all("usage" not in c for c in chunks(FULL))


def test_unknown_usage_makes_no_usage_chunk():
    req = request(stream_options={"include_usage": True})
    assert all(c["choices"] for c in chunks(stream(text(0, "x"), usage=False), req))


def test_edge_38_and_39_the_sdk_accumulates_each_string_once_with_dense_indices():
    done = sdk(FULL, request(stream_options={"include_usage": True}))
    message = done.choices[0].message
    assert message.role == "assistant"
    assert message.content == "Checking."
    assert message.reasoning_content == "Need weather."
    assert [(c.id, c.function.name, c.function.arguments) for c in message.tool_calls] == [
        ("call_A", "get_weather", '{"city":"A"}'),
        ("call_B", "get_weather", '{"city":"B"}'),
    ]
    assert done.choices[0].finish_reason == "tool_calls"
    assert done.usage.prompt_tokens_details.cached_tokens == 60


def test_interleaved_calls_are_accepted_by_the_sdk():
    events = [
        Start("abc"),
        BlockStart(0, "tool_call", id="a", name="f"),
        BlockStart(1, "tool_call", id="b", name="g"),
        ArgsDelta(1, '{"b"'),
        ArgsDelta(0, '{"a"'),
        ArgsDelta(1, ":2}"),
        ArgsDelta(0, ":1}"),
        BlockStop(1),
        BlockStop(0),
        Finish("tool_calls"),
        End(),
    ]
    found = [c.function.arguments for c in sdk(events).choices[0].message.tool_calls]
    assert found == ['{"a":1}', '{"b":2}']


def test_several_choices_are_accepted_by_the_sdk():
    events = [
        Start("abc"),
        *text(0, "a"),
        *text(1, "b", choice=1),
        Finish("stop"),
        Finish("length", choice=1),
        End(),
    ]
    done = sdk(events, final=False)
    assert [(c.message.role, c.message.content, c.finish_reason) for c in done.choices] == [
        ("assistant", "a", "stop"),
        ("assistant", "b", "length"),
    ]


def test_a_call_without_arguments_has_an_empty_object():
    events = stream(tool(0, "c", "f"), finish="tool_calls")
    assert sdk(events).choices[0].message.tool_calls[0].function.arguments == "{}"
    whole = json.loads(DIALECT.render(fold(events), request()))
    assert whole["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == "{}"


def test_edge_55_a_custom_call_is_written_as_the_sdk_types_define_it():
    events = stream(tool(0, "c", "sql", "SELECT", "\n2", tool_kind="custom"), finish="tool_calls")
    deltas = [c["choices"][0]["delta"].get("tool_calls") for c in chunks(events)]
    assert [d for d in deltas if d] == [
        [{"index": 0, "id": "c", "type": "custom", "custom": {"name": "sql", "input": ""}}],
        [{"index": 0, "custom": {"input": "SELECT"}}],
        [{"index": 0, "custom": {"input": "\n2"}}],
    ]
    done = sdk(events, final=False).choices[0].message.tool_calls[0]
    assert done.to_dict()["custom"]["input"] == "SELECT\n2"
    whole = ChatCompletion.model_validate_json(DIALECT.render(fold(events), request()))
    assert whole.choices[0].message.tool_calls[0].custom.input == "SELECT\n2"


def test_edge_43_only_the_last_chunk_has_a_finish_reason():
    found = chunks(stream(tool(0, "c", "f", "{}"), finish="tool_calls"))
    reasons = [c["choices"][0]["finish_reason"] for c in found]
    assert reasons == [None] * (len(reasons) - 1) + ["tool_calls"]


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("stop", "stop"),
        ("stop_sequence", "stop"),
        ("length", "length"),
        ("context_full", "length"),
        ("content_filter", "content_filter"),
        ("refusal", "content_filter"),
        ("pause", "stop"),
        ("tool_calls", "stop"),
    ],
)
def test_edge_44_and_51_finish_reasons_are_words_of_this_dialect(reason, word):
    events = stream(text(0, "x"), finish=reason)
    assert chunks(events)[-1]["choices"][0]["finish_reason"] == word
    whole = json.loads(DIALECT.render(fold(events), request()))
    assert whole["choices"][0]["finish_reason"] == word


def test_a_refusal_in_words_is_a_stop():
    refusal = [BlockStart(0, "refusal"), RefusalDelta(0, "No."), BlockStop(0)]
    done = sdk(stream(refusal, finish="refusal"))
    assert done.choices[0].message.refusal == "No."
    assert done.choices[0].finish_reason == "stop"
    whole = json.loads(DIALECT.render(fold(stream(refusal, finish="refusal")), request()))
    assert whole["choices"][0]["message"]["content"] is None
    assert whole["choices"][0]["message"]["refusal"] == "No."


def test_edge_45_a_malformed_call_and_nothing_else_is_an_error():
    events = [Start("a"), Finish("malformed_tool", "MALFORMED_FUNCTION_CALL"), End()]
    last = json.loads(payloads(wire(events))[-1])
    assert "MALFORMED_FUNCTION_CALL" in last["error"]["message"]
    with pytest.raises(UpstreamBroken):
        DIALECT.render(fold(events), request())


def test_edge_49_redacted_reasoning_is_not_shown():
    redacted = [BlockStart(0, "redacted", signature=Sig("secret", "claude")), BlockStop(0)]
    assert b"secret" not in wire(stream(redacted, text(1, "x")))


def test_edge_50_and_52_no_keys_that_say_nothing():
    data = wire(stream(text(0, "x"), tool(1, "c", "f", "{}"), finish="tool_calls"))
    assert b"reasoning_content" not in data
    assert b'"content":null' not in data


def test_edge_59_images_are_delta_images_and_message_images():
    image = [BlockStart(0, "image", mime="image/png"), MediaDelta(0, "QUJD"), BlockStop(0)]
    other = [BlockStart(1, "image", mime="image/png"), MediaDelta(1, "REVG"), BlockStop(1)]
    events = stream(image, other)
    assert [i["image_url"]["url"] for i in sdk(events).choices[0].message.images] == [
        "data:image/png;base64,QUJD",
        "data:image/png;base64,REVG",
    ]
    message = json.loads(DIALECT.render(fold(events), request()))["choices"][0]["message"]
    assert [i["index"] for i in message["images"]] == [0, 1]


def test_server_tools_stay_hidden_and_leave_their_sources():
    search = [
        BlockStart(0, "server_call", id="s", name="web_search", server_kind="web_search"),
        ArgsDelta(0, '{"query":"q"}'),
        BlockStop(0),
        BlockStart(1, "server_result", id="s", server_kind="web_search", payload={"results": []}),
        BlockStop(1),
    ]
    cited = [
        BlockStart(3, "text"),
        TextDelta(3, "Zürich liegt"),
        Citation(3, {"kind": "url", "url": "https://z", "title": "Z", "start": 0, "end": 6}),
        Citation(3, {"kind": "url", "url": "https://y"}),
        BlockStop(3),
    ]
    events = stream(search, text(2, "So: "), cited)
    assert b"web_search" not in wire(events)
    streamed = sdk(events).choices[0].message
    whole = ChatCompletion.model_validate_json(DIALECT.render(fold(events), request()))
    for message in (streamed, whole.choices[0].message):
        assert message.content == "So: Zürich liegt"
        first, second = [a if isinstance(a, dict) else a.model_dump() for a in message.annotations]
        assert first["url_citation"] == {
            "start_index": 4,
            "end_index": 10,
            "title": "Z",
            "url": "https://z",
        }
        assert second["url_citation"]["end_index"] == 16


def test_a_gemini_signature_on_a_call_reaches_the_client_and_others_do_not():
    call = [
        BlockStart(0, "tool_call", id="c", name="f"),
        ArgsDelta(0, '{"a":1}'),
        Signature(0, Sig("S", "gemini")),
        BlockStop(0),
    ]
    events = stream(call, finish="tool_calls")
    done = sdk(events).choices[0].message.tool_calls[0]
    assert done.extra_content == {"google": {"thought_signature": "S"}}
    assert done.function.arguments == '{"a":1}'
    whole = json.loads(DIALECT.render(fold(events), request()))
    call_ = whole["choices"][0]["message"]["tool_calls"][0]
    assert call_["extra_content"] == {"google": {"thought_signature": "S"}}
    foreign = [
        e if not isinstance(e, Signature) else Signature(0, Sig("T", "claude")) for e in events
    ]
    assert b"extra_content" not in wire(foreign)


def test_summary_parts_are_separated_by_a_blank_line_in_both_forms():
    block = [
        BlockStart(0, "thinking"),
        ThinkingDelta(0, "one"),
        ThinkingBreak(0),
        ThinkingDelta(0, "two"),
        BlockStop(0),
    ]
    events = stream(block, thinking(1, "three"), text(2, "x"))
    assert sdk(events).choices[0].message.reasoning_content == "one\n\ntwo\n\nthree"
    whole = json.loads(DIALECT.render(fold(events), request()))
    assert whole["choices"][0]["message"]["reasoning_content"] == "one\n\ntwo\n\nthree"


def test_the_deprecated_functions_get_the_deprecated_function_call():
    req = request(functions=[{"name": "f"}])
    events = stream(tool(0, "c", "f", '{"a":1}'), finish="tool_calls")
    done = sdk(events, req).choices[0]
    assert done.message.function_call.arguments == '{"a":1}'
    assert done.finish_reason == "function_call"
    whole = json.loads(DIALECT.render(fold(events), req))["choices"][0]
    assert whole["message"]["function_call"] == {"name": "f", "arguments": '{"a":1}'}


def test_log_probabilities_are_accepted_by_the_sdk():
    logprobs = {"content": [{"token": "x", "logprob": -0.1, "bytes": None, "top_logprobs": []}]}
    events = [Start("a"), *text(0, "x"), Finish("stop", details={"logprobs": logprobs}), End()]
    assert sdk(events).choices[0].logprobs.content[0].token == "x"


# ---- errors and keep-alives -------------------------------------------------------------------
def test_an_error_event_is_the_last_thing_written():
    events = [
        Start("a"),
        BlockStart(0, "text"),
        TextDelta(0, "x"),
        Error(529, "overloaded", "busy"),
    ]
    found = payloads(wire(events))
    assert json.loads(found[-1]) == {
        "error": {
            "message": "busy",
            "type": "server_error",
            "param": None,
            "code": "internal_server_error",
        }
    }
    assert b"[DONE]" not in found


def test_nothing_follows_an_error():
    writer = DIALECT.writer(request())
    writer.feed([Error(500, "server", "x")])
    assert writer.feed([End()]) == b""


def test_a_stream_error_is_one_frame():
    frame = DIALECT.stream_error(RateLimited("later"))
    assert json.loads(payloads(frame)[0])["error"]["code"] == "rate_limit_exceeded"


def test_a_ping_is_a_comment():
    assert DIALECT.writer(request()).ping().startswith(b":")


# ---- whole ------------------------------------------------------------------------------------
def test_a_whole_answer_is_a_valid_completion():
    body = json.loads(DIALECT.render(fold(FULL), request()))
    ChatCompletion.model_validate(body)
    assert body["model"] == "alias"
    message = body["choices"][0]["message"]
    assert message["reasoning_content"] == "Need weather."
    assert message["content"] == "Checking."
    assert body["usage"]["total_tokens"] == 130


def test_content_is_null_with_only_calls_and_empty_with_nothing_else():
    only_calls = stream(tool(0, "c", "f", "{}"), finish="tool_calls")
    assert (
        json.loads(DIALECT.render(fold(only_calls), request()))["choices"][0]["message"]["content"]
        is None
    )
    nothing = [Start("a"), Finish("stop"), End()]
    body = json.loads(DIALECT.render(fold(nothing), request()))
    assert body["choices"][0]["message"]["content"] == ""
    assert "usage" not in body


def test_edge_48_an_omitted_output_count_is_zero():
    events = [Start("a"), *text(0, "x"), Usage(IRUsage(input_total=3)), Finish("stop"), End()]
    usage = json.loads(DIALECT.render(fold(events), request()))["usage"]
    assert usage == {"prompt_tokens": 3, "completion_tokens": 0, "total_tokens": 3}


def test_edge_57_cache_writes_are_written_when_known_even_if_zero():
    events = [Start("a"), Usage(IRUsage(input_total=3, cache_write=0)), Finish("stop"), End()]
    usage = json.loads(DIALECT.render(fold(events), request()))["usage"]
    assert usage["prompt_tokens_details"] == {"cache_write_tokens": 0}


# ---- properties -------------------------------------------------------------------------------
TEXT = st.text(st.characters(exclude_categories=()), min_size=1, max_size=8)


@st.composite
def answers(draw):
    parts = []
    count = draw(st.integers(0, 5))
    called = False
    for index in range(count):
        kind = draw(st.sampled_from(["text", "thinking", "tool"]))
        pieces = draw(st.lists(TEXT, min_size=1, max_size=3))
        if kind == "text":
            parts.append(text(index, *pieces))
        elif kind == "thinking":
            parts.append(thinking(index, *pieces))
        else:
            called = True
            parts.append(tool(index, f"call_{index}", "f", *pieces))
    return stream(*parts, finish="tool_calls" if called else "stop", usage=draw(st.booleans()))


@settings(max_examples=60, deadline=None)
@given(answers())
def test_whole_and_streamed_answers_say_the_same(events):
    req = request(stream_options={"include_usage": True})
    streamed = sdk(events, req)
    whole = ChatCompletion.model_validate(json.loads(DIALECT.render(fold(events), req)))
    one, two = streamed.choices[0], whole.choices[0]
    assert (one.message.content or "") == (two.message.content or "")
    thoughts = [getattr(m.message, "reasoning_content", None) for m in (one, two)]
    assert thoughts[0] == thoughts[1]
    found = [
        [(c.id, c.function.name, c.function.arguments) for c in m.message.tool_calls or []]
        for m in (one, two)
    ]
    assert found[0] == found[1]
    assert one.finish_reason == two.finish_reason
    assert streamed.usage == whole.usage


@settings(max_examples=60, deadline=None)
@given(answers())
def test_how_events_are_batched_does_not_change_the_bytes(events):
    assert wire(events) == wire(events, one_by_one=False)


@settings(max_examples=60, deadline=None)
@given(answers())
def test_our_own_reader_understands_our_own_stream(events):
    reader = DIALECT.reader(Caps())
    found = []
    for payload in payloads(wire(events, request(stream_options={"include_usage": True}))):
        found += reader.feed(payload)
    if not any(isinstance(e, BlockStart) for e in events):
        return  # nothing was said, which a reader may call an error
    mine, theirs = fold(check(found)), fold(events)
    for kind in ("text", "tool_call"):
        assert "".join(b.text for b in mine.blocks if b.kind == kind) == "".join(
            b.text for b in theirs.blocks if b.kind == kind
        )
    assert mine.finish.reason == theirs.finish.reason

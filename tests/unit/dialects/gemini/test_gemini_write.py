"""Events as Gemini answers, judged by the official SDK's own types and by the grammar."""

from __future__ import annotations

import base64
import json
from functools import partial

import pytest
from google.genai.types import GenerateContentResponse
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sim import grammar
from tests.unit.dialects.drawn import answers
from tests.unit.dialects.told import CLAUDE, answer, text, thinking, tool

from cliproxy.dialects import ParseMeta
from cliproxy.dialects.gemini import DIALECT
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
from cliproxy.ir.request import Sig
from cliproxy.ir.usage import IRUsage

USAGE = Usage(IRUsage(input_total=100, cache_read=60, output_total=30, reasoning=10, tool_prompt=5))
stream = partial(answer, USAGE)
GEMINI = Sig(base64.b64encode(b"sign").decode(), "gemini")


def request():
    return DIALECT.parse({"contents": "hi"}, ParseMeta(model="alias", stream=True))


def wire(events, framing="sse", *, one_by_one=True):
    events = check(events)
    writer = DIALECT.writer(request(), framing)
    if one_by_one:
        return b"".join(writer.feed([e]) for e in events)
    return writer.feed(events)


def payloads(data):
    return [json.loads(frame.data) for frame in SseDecoder().feed(data)]


def whole(events):
    body = json.loads(DIALECT.render(fold(check(events)), request()))
    GenerateContentResponse.model_validate(body)
    grammar.whole_summary("gemini", body)
    return body


def joined(parts):
    """Join neighbouring texts, as a client does; a signature ends a run."""
    out = []
    for part in parts:
        if "text" not in part:
            out.append(part)
            continue
        last = out[-1] if out else {}
        if (
            "text" in last
            and last.get("thought") == part.get("thought")
            and "thoughtSignature" not in last
        ):
            out[-1] = {**last, **part, "text": last["text"] + part["text"]}
        elif part["text"] or "thoughtSignature" in part:
            out.append(part)
    return out


def parts_of(values):
    found = {}
    for value in values:
        for candidate in value.get("candidates", ()):
            found.setdefault(candidate["index"], []).extend(candidate["content"]["parts"])
    return {n: joined(parts) for n, parts in found.items()}


def both(events):
    """Return the parts of the whole answer, having seen that the streamed ones are the same."""
    data = wire(events)
    summary = grammar.check("gemini", data)
    values = payloads(data)
    for value in values:
        GenerateContentResponse.model_validate(value)
    body = whole(events)
    assert parts_of(values) == parts_of([body])
    last = values[-1]
    assert last.get("usageMetadata") == body.get("usageMetadata")
    assert [c.get("groundingMetadata") for c in last["candidates"]] == [
        c.get("groundingMetadata") for c in body["candidates"]
    ]
    assert [c["finishReason"] for c in last["candidates"]] == [
        c["finishReason"] for c in body["candidates"]
    ]
    array = json.loads(wire(events, "array"))
    assert array == values
    assert grammar.check("gemini", wire(events, "array"), array=True).told == summary.told
    return parts_of([body])[0]


FULL = stream(
    thinking(0, "Need ", "weather.", sig=GEMINI),
    text(1, "Check", "ing."),
    tool(2, "a1", "get_weather", '{"city":', '"A"}', signature=GEMINI),
    tool(3, "b2", "get_weather", '{"city":"B"}'),
    finish="tool_calls",
)


# ---- the stream -------------------------------------------------------------------------------
def test_edges_79_80_a_full_answer():
    assert both(FULL) == [
        {"text": "Need weather.", "thought": True, "thoughtSignature": GEMINI.value},
        {"text": "Checking."},
        {
            "functionCall": {"id": "a1", "name": "get_weather", "args": {"city": "A"}},
            "thoughtSignature": GEMINI.value,
        },
        {"functionCall": {"id": "b2", "name": "get_weather", "args": {"city": "B"}}},
    ]
    values = payloads(wire(FULL))
    assert {(v["modelVersion"], v["responseId"]) for v in [*values, whole(FULL)]} == {
        ("alias", "abc")
    }
    assert [v["candidates"][0].get("finishReason") for v in values] == [None] * (
        len(values) - 1
    ) + ["STOP"]


def test_interleaved_calls_come_whole():
    events = [
        Start("a"),
        BlockStart(0, "tool_call", id="t0", name="f"),
        BlockStart(1, "tool_call", id="t1", name="g"),
        ArgsDelta(1, '{"b":'),
        ArgsDelta(0, '{"a":1}'),
        ArgsDelta(1, "2}"),
        BlockStop(0),
        BlockStop(1),
        Finish("tool_calls"),
        End(),
    ]
    assert [p["functionCall"]["args"] for p in both(events)] == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize("pieces", [(), ("",), (" ",), ("{}",), ("{", "}")])
def test_edge_73_empty_arguments_are_an_empty_object(pieces):
    [part] = both(stream(tool(0, "c", "f", *pieces), finish="tool_calls"))
    assert part["functionCall"]["args"] == {}


def test_arguments_that_are_no_object_are_shown():
    [part] = both(stream(tool(0, "c", "f", "{bad"), finish="tool_calls"))
    assert part["functionCall"]["args"] == {"_raw": "{bad"}


def test_paragraphs_are_parted_by_a_blank_line_and_only_where_there_are_two():
    block = [BlockStart(0, "thinking"), ThinkingBreak(0), ThinkingDelta(0, "one"), ThinkingBreak(0), ThinkingBreak(0),
             ThinkingDelta(0, "two"), ThinkingBreak(0), BlockStop(0)]  # fmt: skip
    assert both(stream(block)) == [{"text": "one\n\ntwo", "thought": True}]


def test_an_answer_without_content():
    assert both(stream()) == []
    assert both(stream(text(0))) == []
    assert both(stream(thinking(0))) == []


def test_signatures_of_other_families_are_wrapped_and_redacted_ones_marked():
    redacted = [BlockStart(1, "redacted", signature=CLAUDE), BlockStop(1)]
    hidden, sealed, _ = both(stream(thinking(0, sig=CLAUDE), redacted, text(2, "x")))
    assert unwrap(hidden["thoughtSignature"], "gemini") == CLAUDE
    assert unwrap(sealed["thoughtSignature"], "gemini") == Sig("~EqQB", "claude")
    contents = [
        {"role": "user", "parts": [{"text": "x"}]},
        {"role": "model", "parts": [hidden, sealed]},
    ]
    one, other = DIALECT.parse({"contents": contents}, ParseMeta(model="m")).messages[1].parts
    assert (one.redacted, one.signature) == (False, CLAUDE)
    assert (other.redacted, other.signature) == (True, CLAUDE)


def test_signed_text_stays_text_and_late_signatures_reach_their_call():
    block = [BlockStart(0, "text"), TextDelta(0, "a"), Signature(0, GEMINI), BlockStop(0)]
    events = stream(block, text(1, "b"), tool(2, "c", "f", "{}", late=GEMINI), finish="tool_calls")
    assert both(events) == [
        {"text": "a", "thoughtSignature": GEMINI.value},
        {"text": "b"},
        {"functionCall": {"id": "c", "name": "f", "args": {}}, "thoughtSignature": GEMINI.value},
    ]


def test_a_refusal_is_text():
    block = [
        BlockStart(0, "refusal"),
        RefusalDelta(0, "I "),
        RefusalDelta(0, "won't"),
        BlockStop(0),
    ]
    assert both(stream(block, finish="refusal")) == [{"text": "I won't"}]


def test_edge_82_media():
    picture = [BlockStart(0, "image", mime="image/jpeg"), MediaDelta(0, "AAAA"), BlockStop(0)]
    sound = [BlockStart(1, "audio", mime=""), MediaDelta(1, "BBBB"), BlockStop(1)]
    assert both(stream(picture, sound)) == [
        {"inlineData": {"mimeType": "image/jpeg", "data": "AAAA"}},
        {"inlineData": {"mimeType": "audio/wav", "data": "BBBB"}},
    ]


def test_its_own_parts_leave_as_they_came_and_foreign_ones_are_hidden():
    code = {"executableCode": {"language": "PYTHON", "code": "1"}}
    result = {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}
    events = stream(
        [BlockStart(0, "server_call", id="c", name="x", server_kind="code_execution", native=code, dialect="gemini"), ArgsDelta(0, "{}"), BlockStop(0)],
        [BlockStart(1, "server_result", id="c", server_kind="code_execution", native=result, dialect="gemini"), BlockStop(1)],
        [BlockStart(2, "server_call", id="d", name="x", server_kind="web_search"), ArgsDelta(2, "{}"), BlockStop(2)],
        [BlockStart(3, "server_result", id="d", server_kind="web_search", payload={"results": []}), BlockStop(3)],
        [BlockStart(4, "opaque", native={"fileData": {"fileUri": "u"}}, dialect="gemini"), BlockStop(4)],
        [BlockStart(5, "opaque", native={"y": 1}, dialect="anthropic"), BlockStop(5)],
    )  # fmt: skip
    assert both(events) == [code, result, {"fileData": {"fileUri": "u"}}]


def test_edge_36_citations_are_grounding_in_bytes_of_the_whole_text():
    cited = [
        BlockStart(1, "text"), TextDelta(1, "Zürich liegt"),
        Citation(1, {"kind": "url", "url": "https://z", "title": "Z", "start": 0, "end": 6}),
        Citation(1, {"kind": "url", "url": "https://z", "start": 7, "end": 12}),
        Citation(1, {"kind": "url", "url": "https://y"}),
        Citation(1, {"kind": "document", "native": {}, "dialect": "anthropic"}), BlockStop(1),
    ]  # fmt: skip
    events = stream(text(0, "Sö: "), cited, text(2, "."))
    both(events)
    metadata = whole(events)["candidates"][0]["groundingMetadata"]
    assert [c["web"]["uri"] for c in metadata["groundingChunks"]] == ["https://z", "https://y"]
    data = "Sö: Zürich liegt.".encode()
    found = [
        (data[s["segment"]["startIndex"] : s["segment"]["endIndex"]].decode(), s["segment"]["text"])
        for s in metadata["groundingSupports"]
    ]
    # A source that names no place is one of its whole block.
    cited = ["Zürich", "liegt", "Zürich liegt"]
    assert found == [(text, text) for text in cited]


def test_several_candidates():
    events = [
        Start("a"),
        *text(0, "a"),
        *text(1, "b", choice=1),
        Finish("length", choice=1),
        Finish("stop"),
        End(),
    ]
    for value in (whole(events), payloads(wire(events))[-1]):
        reasons = {c["index"]: c["finishReason"] for c in value["candidates"]}
        assert reasons == {0: "STOP", 1: "MAX_TOKENS"}
    assert (
        parts_of(payloads(wire(events)))
        == parts_of([whole(events)])
        == {0: [{"text": "a"}], 1: [{"text": "b"}]}
    )


# ---- the end ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("stop", "STOP"), ("stop_sequence", "STOP"), ("tool_calls", "STOP"), ("length", "MAX_TOKENS"),
        ("context_full", "MAX_TOKENS"), ("content_filter", "SAFETY"), ("refusal", "SAFETY"), ("pause", "STOP"),
        ("malformed_tool", "MALFORMED_FUNCTION_CALL"),
    ],
)  # fmt: skip
def test_edge_81_reasons_to_stop(finish, reason):
    events = stream(text(0, "x"), finish=finish)
    both(events)
    assert whole(events)["candidates"][0]["finishReason"] == reason


def test_usage_leaves_thoughts_out_of_the_answer_and_tools_out_of_the_prompt():
    events = [Start("a"), *text(0, "x"), Finish("stop"), USAGE, End()]
    both(events)
    assert payloads(wire(events))[-1]["usageMetadata"] == {
        "promptTokenCount": 95, "cachedContentTokenCount": 60, "candidatesTokenCount": 20, "thoughtsTokenCount": 10,
        "toolUsePromptTokenCount": 5, "totalTokenCount": 130,
    }  # fmt: skip
    assert "usageMetadata" not in whole(stream(text(0, "x"), usage=False))


# ---- errors, arrays and keep-alives -----------------------------------------------------------
@pytest.mark.parametrize(
    "before", [[], [Start("a")], [Start("a"), BlockStart(0, "text"), TextDelta(0, "x")]]
)
def test_an_error_is_the_last_thing_written_in_both_framings(before):
    events = [*before, Error(529, "overloaded", "busy")]
    expected = {"code": 503, "message": "busy", "status": "UNAVAILABLE"}
    assert grammar.check("gemini", wire(events)).error == expected
    array = json.loads(wire(events, "array"))
    assert array[-1] == {"error": expected}
    assert len(array) == len(payloads(wire(events)))


@pytest.mark.parametrize("framing", ["sse", "array"])
def test_nothing_follows_an_error(framing):
    writer = DIALECT.writer(request(), framing)
    said = writer.feed([Start("a"), Error(500, "server", "x")])
    assert writer.feed([End()]) == b""
    if framing == "array":
        assert len(json.loads(said)) == 1


def test_an_array_is_valid_at_its_end_however_it_was_kept_alive():
    writer = DIALECT.writer(request(), "array")
    data = writer.ping()
    for event in FULL:
        data += writer.feed([event]) + writer.ping()
    assert json.loads(data) == payloads(wire(FULL))
    assert json.loads(wire(stream(), "array"))


def test_a_ping_is_a_comment_in_a_stream():
    writer = DIALECT.writer(request())
    assert writer.ping().startswith(b":")


# ---- properties -------------------------------------------------------------------------------
# This dialect has no blocks on the wire: they come one after another, as its readers say them.
ANSWERS = answers(
    USAGE, [GEMINI, CLAUDE], words=("Cs",), signing=lambda _, sig: {"late": sig}, interleaved=False
)


@settings(max_examples=120, deadline=None)
@given(ANSWERS)
def test_whole_and_streamed_answers_say_the_same(events):
    both(events)


@settings(max_examples=60, deadline=None)
@given(ANSWERS, st.sampled_from(["sse", "array"]))
def test_how_events_are_batched_does_not_change_the_bytes(events, framing):
    assert wire(events, framing) == wire(events, framing, one_by_one=False)


def meaning(answer):
    """Return what this dialect can say of an answer, neighbouring texts joined."""
    out = []
    for block in answer.blocks:
        kind = {"refusal": "text", "redacted": "thinking"}.get(block.kind, block.kind)
        if kind in ("server_call", "server_result"):
            continue
        body = json.loads(block.text or "{}") if kind == "tool_call" else block.text
        shown = block.signature or block.start.signature
        family = shown.family if shown and shown != FOREIGN else ""
        if kind in ("text", "thinking") and out and out[-1][0] == kind and not out[-1][2]:
            out[-1] = (kind, out[-1][1] + body, family)
        else:
            out.append((kind, body, family))
    return out


@settings(max_examples=120, deadline=None)
@given(ANSWERS)
def test_our_own_reader_understands_our_own_answers(events):
    reader = DIALECT.reader(Caps())
    found = []
    for value in payloads(wire(events)):
        found += reader.feed(json.dumps(value).encode())
    found = check(found + reader.close())
    theirs = meaning(fold(events))
    if isinstance(found[-1], Error):
        assert not theirs
        return  # tokens were counted and nothing was said, which a reader may call an error
    assert meaning(fold(found)) == theirs
    again = fold(check(DIALECT.reader(Caps()).whole(DIALECT.render(fold(events), request()))))
    assert meaning(again) == theirs
    assert again.finish.reason == fold(found).finish.reason
    cited = any(isinstance(e, Citation) for e in events)
    assert any(b.start.server_kind == "web_search" for b in again.blocks) is cited


def test_the_first_call_of_an_answer_says_that_it_is_foreign():
    calls = [tool(n, f"c{n}", "f", "{}") for n in range(2)]
    first, second = both(stream(*calls, finish="tool_calls"))
    assert unwrap(first["thoughtSignature"], "gemini") == FOREIGN
    assert "thoughtSignature" not in second

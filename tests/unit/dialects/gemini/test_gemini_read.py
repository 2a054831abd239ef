"""Gemini answers of upstreams, good and bad, as events."""

from __future__ import annotations

import json

import pytest

from cliproxy.dialects.gemini import DIALECT
from cliproxy.dialects.sse import SseDecoder
from cliproxy.ir.caps import Caps
from cliproxy.ir.check import check
from cliproxy.ir.envelope import wrap
from cliproxy.ir.events import BlockStart, Citation, End, Error, Finish, Start, Usage
from cliproxy.ir.fold import fold
from cliproxy.ir.request import Sig


def chunk(*parts, reason=None, index=0, usage=None, **more):
    candidate = {"index": index, **more}
    if parts:
        candidate["content"] = {"role": "model", "parts": list(parts)}
    if reason:
        candidate["finishReason"] = reason
    value = {"candidates": [candidate], "modelVersion": "gemini", "responseId": "r1"}
    return {**value, "usageMetadata": usage} if usage else value


def call(name="f", args=None, **more):
    return {"functionCall": {"name": name, "args": args or {}, **more}}


def events_of(*payloads, caps=None):
    reader = DIALECT.reader(caps or Caps())
    events = []
    for payload in payloads:
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        events += reader.feed(data)
    return check(events + reader.close())


def answer_of(*payloads):
    return fold(events_of(*payloads))


def whole_of(value):
    return check(DIALECT.reader(Caps()).whole(json.dumps(value).encode()))


def blocks(answer):
    return [(b.kind, b.text) for b in answer.blocks]


STOP = chunk({"text": ""}, reason="STOP")

# ---- the documented grammar -------------------------------------------------------------------
FULL = [
    chunk({"text": "Need ", "thought": True}, usage={"promptTokenCount": 100, "totalTokenCount": 110, "thoughtsTokenCount": 10}),
    chunk({"text": "weather.", "thought": True}),
    chunk({"text": "Check"}),
    chunk({"text": "ing."}),
    chunk({**call("get_weather", {"city": "A"}, id="a1"), "thoughtSignature": "Cv=="}, call("get_weather", {"city": "B"}, id="b2")),
    chunk({"text": ""}, reason="STOP", usage={
        "promptTokenCount": 100, "cachedContentTokenCount": 60, "candidatesTokenCount": 20, "thoughtsTokenCount": 10, "totalTokenCount": 130}),
]  # fmt: skip


def test_a_documented_stream_reads_as_thinking_text_two_calls_and_usage():
    answer = answer_of(*FULL)
    assert answer.start == Start("r1", "gemini")
    assert blocks(answer) == [
        ("thinking", "Need weather."),
        ("text", "Checking."),
        ("tool_call", '{"city":"A"}'),
        ("tool_call", '{"city":"B"}'),
    ]
    assert [(b.start.id, b.signature) for b in answer.blocks[2:]] == [
        ("a1", Sig("Cv==", "gemini")),
        ("b2", None),
    ]
    assert answer.finish == Finish("tool_calls", "STOP")
    usage = answer.usage
    assert (usage.input_total, usage.cache_read, usage.output_total, usage.reasoning) == (
        100,
        60,
        30,
        10,
    )


@pytest.mark.parametrize("cut", range(len(FULL)))
def test_edge_169_a_stream_cut_before_its_reason_never_ends_normally(cut):
    events = events_of(*FULL[:cut])
    assert isinstance(events[-1], Error)
    assert events[-1].status == 502


def test_whole_answers_and_arrays_say_the_same_as_streams():
    parts = [p for c in FULL for p in c["candidates"][0]["content"]["parts"]]
    merged = chunk(
        {"text": "Need weather.", "thought": True},
        {"text": "Checking."},
        *parts[4:6],
        reason="STOP",
        usage=FULL[-1]["usageMetadata"],
    )
    expected = answer_of(*FULL)
    assert fold(whole_of(merged)) == expected
    assert fold(whole_of(FULL)) == expected
    assert answer_of(FULL) == expected
    assert answer_of(*({"response": c, "traceId": "t"} for c in FULL)) == expected


def test_a_whole_answer_without_a_reason_has_ended_and_an_array_has_not():
    assert blocks(fold(whole_of(chunk({"text": "x"})))) == [("text", "x")]
    assert isinstance(whole_of([chunk({"text": "x"})])[-1], Error)


# ---- signatures -------------------------------------------------------------------------------
def test_edge_31_signed_text_stays_text():
    answer = answer_of(chunk({"text": "a", "thoughtSignature": "S"}), chunk({"text": "b"}), STOP)
    assert [(b.kind, b.text, b.signature) for b in answer.blocks] == [
        ("text", "a", Sig("S", "gemini")),
        ("text", "b", None),
    ]


@pytest.mark.parametrize("part", [{"text": "", "thoughtSignature": "S"}, {"thoughtSignature": "S"}])
def test_edge_30_a_signature_alone_belongs_to_what_was_said_last(part):
    answer = answer_of(chunk({"text": "a"}), chunk(part, reason="STOP"))
    assert [(b.kind, b.text, b.signature) for b in answer.blocks] == [
        ("text", "a", Sig("S", "gemini"))
    ]
    after_call = answer_of(chunk(call(id="c")), chunk(part, reason="STOP"))
    assert [(b.kind, b.signature) for b in after_call.blocks] == [
        ("tool_call", None),
        ("thinking", Sig("S", "gemini")),
    ]


def test_a_signed_thought_without_words_is_none_of_the_text_before_it():
    part = {"text": "", "thought": True, "thoughtSignature": "S"}
    answer = answer_of(chunk({"text": "a"}), chunk(part), STOP)
    assert [(b.kind, b.signature) for b in answer.blocks] == [
        ("text", None),
        ("thinking", Sig("S", "gemini")),
    ]


def test_a_signed_thought():
    answer = answer_of(
        chunk({"text": "t", "thought": True, "thoughtSignature": "S"}), chunk({"text": "x"}), STOP
    )
    assert answer.blocks[0].signature == Sig("S", "gemini")


def test_a_wrapped_signature_gets_its_family_back_and_a_host_signs_in_its_own_name():
    wrapped = wrap(Sig("E", "claude"))
    answer = answer_of(chunk({"text": "t", "thought": True, "thoughtSignature": wrapped}), STOP)
    assert answer.blocks[0].signature == Sig("E", "claude")
    claude = events_of(
        chunk({"text": "t", "thought": True, "thoughtSignature": "S"}),
        STOP,
        caps=Caps(family="claude"),
    )
    assert fold(claude).blocks[0].signature == Sig("S", "claude")


# ---- calls ------------------------------------------------------------------------------------
def test_calls_without_ids_get_distinct_ones():
    ids = [b.start.id for b in answer_of(chunk(call(), call()), STOP).blocks]
    assert len(set(ids)) == 2
    assert all(i.startswith("call_") for i in ids)


@pytest.mark.parametrize("args", [None, {}, [], "x"])
def test_edge_73_arguments_that_are_none(args):
    [block] = answer_of(chunk({"functionCall": {"name": "f", "args": args}}), STOP).blocks
    assert block.text in ("", '"x"')


def test_edge_131_numbers_keep_every_digit():
    data = b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"a":12345678901234567890,"b":1.10}}}]},"finishReason":"STOP"}]}'
    assert answer_of(data).blocks[0].text == '{"a":12345678901234567890,"b":1.10}'


def test_arguments_in_pieces():
    def pieces(*values, more=True, **fields):
        return chunk(
            {"functionCall": {**fields, "partialArgs": list(values), "willContinue": more}}
        )

    answer = answer_of(
        pieces(name="f", id="c1"),
        pieces({"jsonPath": "$.city", "stringValue": "Os", "willContinue": True}),
        pieces(
            {"jsonPath": "$.city", "stringValue": "lo"},
            {"jsonPath": "$.days[1].n", "numberValue": 2},
        ),
        pieces(
            {"jsonPath": "$['a b']", "boolValue": True},
            {"jsonPath": "$.none", "nullValue": "NULL_VALUE"},
            more=False,
        ),
        pieces({"jsonPath": "$.x", "numberValue": 1}, name="g", id="c2"),
        pieces({"jsonPath": "$.y", "numberValue": 2}, name="h", id="c3"),
        chunk({"functionCall": {}}),
        STOP,
    )
    assert [(b.start.name, json.loads(b.text)) for b in answer.blocks] == [
        ("f", {"city": "Oslo", "days": [None, {"n": 2}], "a b": True, "none": None}),
        ("g", {"x": 1}),
        ("h", {"y": 2}),
    ]


@pytest.mark.parametrize("path", ["$.a[1000000000]", "$", "", "a..b", "$[", "$.a[x]", 5, "$['a"])
def test_a_path_that_makes_no_sense_does_no_harm(path):
    piece = {"functionCall": {"name": "f", "partialArgs": [{"jsonPath": path, "stringValue": "x"}]}}
    [block] = answer_of(chunk(piece), STOP).blocks
    assert isinstance(json.loads(block.text), dict)


# ---- media and code ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("part", "kinds"),
    [
        ({"inlineData": {"mimeType": "image/png", "data": "-_8="}}, [("image", "+/8=")]),
        ({"inlineData": {"mimeType": "audio/L16;rate=24000", "data": "AAAA"}}, [("audio", "AAAA")]),
        ({"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}}, [("opaque", "")]),
        (
            {"inlineData": {"mimeType": "image/png", "data": "AAAA"}, "thought": True},
            [("opaque", "")],
        ),
        ({"inlineData": {"mimeType": "image/png"}}, []),
        ({"ofTheFuture": 1}, [("opaque", "")]),
    ],
    ids=["edge-82", "sound", "film", "a picture of a thought", "nothing", "future"],
)
def test_media(part, kinds):
    assert blocks(answer_of(chunk(part, {"text": "x"}), STOP)) == [*kinds, ("text", "x")]


def test_code_and_its_result():
    answer = answer_of(
        chunk({"executableCode": {"language": "PYTHON", "code": "1+1"}}, {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2"}}),
        chunk({"text": "two"}), STOP,
    )  # fmt: skip
    code, result, _ = answer.blocks
    assert (code.kind, code.text) == ("server_call", '{"code":"1+1"}')
    assert (result.kind, result.start.id) == ("server_result", code.start.id)
    assert result.start.payload == {"stdout": "2", "stderr": "", "return_code": 0}
    assert answer.finish.reason == "stop"


# ---- grounding --------------------------------------------------------------------------------
GROUNDING = {
    "webSearchQueries": ["q"],
    "groundingChunks": [{"web": {"uri": "https://a", "title": "A"}}, {"web": {"uri": "https://a", "title": "A"}}, {"maps": {}}, {"web": {"uri": ""}}],
    "groundingSupports": [
        {"segment": {"endIndex": 7, "text": "Zürich"}, "groundingChunkIndices": [0]},
        {"segment": {"startIndex": 8, "endIndex": 13}, "groundingChunkIndices": [0, 2, 9]},
    ],
}  # fmt: skip


def test_edge_36_grounding_becomes_citations_in_characters_and_one_search():
    events = events_of(
        chunk({"text": "Zürich "}),
        chunk({"text": "liegt"}),
        chunk({"text": ""}, reason="STOP", groundingMetadata=GROUNDING),
        chunk(reason="STOP", groundingMetadata=GROUNDING),
    )
    cited = [
        (e.value["url"], e.value["start"], e.value["end"], e.value["cited_text"])
        for e in events
        if isinstance(e, Citation)
    ]
    assert cited == [("https://a", 0, 6, "Zürich"), ("https://a", 7, 12, "liegt")]
    _, search, result = fold(events).blocks
    assert (search.start.server_kind, search.text) == ("web_search", '{"query":"q"}')
    assert result.start.payload == {"results": [{"url": "https://a", "title": "A"}]}


@pytest.mark.parametrize(
    "metadata",
    [{"groundingChunks": 5}, {"webSearchQueries": 5}, {"webSearchQueries": [5]}, {"groundingChunks": [5, {"web": 5}], "groundingSupports": 5},
     {**GROUNDING, "groundingSupports": [5, {"segment": 5}, {"segment": {"startIndex": "x"}, "groundingChunkIndices": 5}]}],
)  # fmt: skip
def test_grounding_of_any_shape_does_no_harm(metadata):
    answer = answer_of(chunk({"text": "x"}, groundingMetadata=metadata), STOP)
    assert answer.blocks[0].text == "x"


# ---- usage ------------------------------------------------------------------------------------
def test_edge_32_counts_that_are_left_out_later_stay():
    answer = answer_of(
        chunk(
            {"text": "x"},
            usage={"promptTokenCount": 5, "candidatesTokenCount": 7, "totalTokenCount": 12},
        ),
        chunk(
            reason="STOP",
            usage={"promptTokenCount": 5, "thoughtsTokenCount": 2, "totalTokenCount": 14},
        ),
    )
    assert (answer.usage.output_total, answer.usage.reasoning) == (9, 2)
    none = answer_of(chunk({"text": "x"}, reason="STOP", usage={"promptTokenCount": 5}))
    assert (none.usage.input_total, none.usage.output_total) == (5, 0)


def test_a_chunk_of_usage_alone_after_the_end_counts():
    answer = answer_of(
        chunk({"text": "x"}, reason="STOP"),
        {
            "usageMetadata": {
                "promptTokenCount": 3,
                "candidatesTokenCount": 1,
                "toolUsePromptTokenCount": 4,
            }
        },
    )
    assert (answer.usage.input_total, answer.usage.tool_prompt, answer.usage.output_total) == (
        7,
        4,
        1,
    )


@pytest.mark.parametrize("usage", [{"promptTokenCount": "x"}, {"promptTokenCount": True}, {"x": 1}])
def test_usage_that_is_none_stays_unknown(usage):
    assert not any(
        isinstance(e, Usage) for e in events_of(chunk({"text": "x"}, reason="STOP", usage=usage))
    )


# ---- the end ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("native", "reason"),
    [
        ("STOP", "stop"), ("MAX_TOKENS", "length"), ("SAFETY", "content_filter"), ("RECITATION", "content_filter"),
        ("LANGUAGE", "content_filter"), ("BLOCKLIST", "content_filter"), ("PROHIBITED_CONTENT", "content_filter"),
        ("SPII", "content_filter"), ("IMAGE_SAFETY", "content_filter"), ("MODEL_ARMOR", "content_filter"),
        ("MALFORMED_FUNCTION_CALL", "malformed_tool"), ("UNEXPECTED_TOOL_CALL", "malformed_tool"), ("OTHER", "stop"),
        ("OF_THE_FUTURE", "stop"),
    ],
)  # fmt: skip
def test_reasons_to_stop(native, reason):
    assert answer_of(chunk({"text": "x"}), chunk(reason=native)).finish == Finish(reason, native)


@pytest.mark.parametrize(
    ("native", "reason"),
    [("STOP", "tool_calls"), ("MAX_TOKENS", "length"), ("MALFORMED_FUNCTION_CALL", "tool_calls")],
)
def test_edge_43_reasons_to_stop_with_a_call(native, reason):
    assert answer_of(chunk(call(id="c")), chunk(reason=native)).finish.reason == reason


@pytest.mark.parametrize("native", ["MALFORMED_FUNCTION_CALL", "MISSING_THOUGHT_SIGNATURE"])
def test_edge_45_a_malformed_call_and_nothing_else_is_an_error(native):
    last = events_of(chunk(reason=native, finishMessage="bad call"))[-1]
    assert isinstance(last, Error)
    assert native in last.message
    assert "bad call" in last.message


def test_edge_33_an_empty_answer_is_one_unless_tokens_were_counted():
    assert isinstance(events_of(chunk(reason="STOP", usage={"promptTokenCount": 5}))[-1], End)
    assert isinstance(
        events_of(chunk(reason="STOP", usage={"promptTokenCount": 5, "candidatesTokenCount": 50}))[
            -1
        ],
        Error,
    )


def test_a_blocked_prompt_is_a_filtered_answer():
    value = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 4}}
    for answer in (answer_of(value), fold(whole_of(value))):
        assert answer.finish == Finish("content_filter", "SAFETY")
        assert answer.usage.input_total == 4


def test_several_candidates():
    events = events_of(
        chunk({"text": "a"}),
        chunk({"text": "b"}, index=1),
        chunk({"text": "c"}),
        chunk(reason="STOP"),
        chunk(reason="MAX_TOKENS", index=1),
    )
    answer = fold(events)
    assert ["".join(b.text for b in answer.of_choice(n)) for n in (0, 1)] == ["ac", "b"]
    assert {n: f.reason for n, f in answer.finishes.items()} == {0: "stop", 1: "length"}
    assert [e.index for e in events if isinstance(e, BlockStart)] == list(range(len(answer.blocks)))


# ---- errors and odd payloads ------------------------------------------------------------------
@pytest.mark.parametrize(
    ("payload", "status", "message"),
    [
        ({"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}, 503, "busy"),
        (
            [{"error": {"code": 429, "message": "slow", "status": "RESOURCE_EXHAUSTED"}}],
            429,
            "slow",
        ),
        ({"error": {"status": "INVALID_ARGUMENT"}}, 400, "INVALID_ARGUMENT"),
        ({"error": "words"}, 502, "words"),
        ({"response": {"error": {"code": 500, "message": "inner"}}}, 500, "inner"),
    ],
)
def test_edge_170_errors_in_a_stream(payload, status, message):
    for before in ([], FULL[:3]):
        last = events_of(*before, payload, STOP)[-1]
        assert isinstance(last, Error)
        assert (last.status, last.message) == (status, message)


def test_the_wait_an_error_asks_for_is_kept():
    error = {"code": 429, "message": "x", "details": [{"@type": "RetryInfo", "retryDelay": "3s"}]}
    assert events_of({"error": error})[-1].retry_after == 3


def test_unknown_and_damaged_payloads_are_skipped():
    answer = answer_of(
        chunk({"text": "x"}), b"{broken", b"7", b"", b"[DONE]", {"of": "the future"}, [5], STOP, b""
    )
    assert blocks(answer) == [("text", "x")]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"7",
        b"{}",
        b"[5]",
        b'{"candidates": 5}',
        b'{"error":{"code":500,"message":"x"}}',
    ],
)
def test_a_whole_answer_that_is_none_is_an_error(body):
    assert isinstance(check(DIALECT.reader(Caps()).whole(body))[-1], Error)


def test_an_unreadable_first_event_is_an_error():
    assert isinstance(events_of(b"<html>")[-1], Error)
    assert isinstance(events_of()[-1], Error)


# ---- however the bytes come -------------------------------------------------------------------
def sse(payloads, newline=b"\n", space=b" ", *, pretty=False, last=True):
    out = [b"\xef\xbb\xbf", b": hello" + newline, b"retry: 5" + newline, b"id: 1" + newline * 2]
    for payload in payloads:
        data = json.dumps(payload, ensure_ascii=False, indent=1 if pretty else None).encode()
        out += [b"data:" + space + line + newline for line in data.split(b"\n")]
        out.append(newline)
    joined = b"".join(out)
    return joined if last else joined[: -len(newline)]


RICH = [chunk({"text": "ü🙂", "thought": True}), chunk({"text": "Grüß\u2028\u0085"}), chunk({"text": "!"}),
        chunk({**call("f", {"é": 1}, id="c"), "thoughtSignature": "S"}), *FULL[-1:]]  # fmt: skip
STREAMS = [sse(RICH), sse(RICH, b"\r\n", b"", pretty=True), sse(RICH, b"\r"), sse(RICH, last=False)]
EXPECTED = events_of(*RICH)


def read(pieces):
    decoder, reader = SseDecoder(), DIALECT.reader(Caps())
    events = []
    for piece in pieces:
        for frame in decoder.feed(piece):
            events += reader.feed(frame.data, frame.event)
    for frame in decoder.close():
        events += reader.feed(frame.data, frame.event)
    return check(events + reader.close())


@pytest.mark.parametrize("stream", STREAMS, ids=["plain", "crlf-pretty", "cr", "no-last-line"])
def test_edges_161_to_167_a_cut_at_every_byte_changes_nothing(stream):
    assert blocks(fold(EXPECTED)) == [
        ("thinking", "ü🙂"),
        ("text", "Grüß\u2028\u0085!"),
        ("tool_call", '{"é":1}'),
    ]
    for at in range(len(stream)):
        assert read([stream[:at], stream[at:]]) == EXPECTED


@pytest.mark.parametrize("stream", STREAMS, ids=["plain", "crlf-pretty", "cr", "no-last-line"])
def test_byte_by_byte_changes_nothing(stream):
    assert read([stream[n : n + 1] for n in range(len(stream))]) == EXPECTED

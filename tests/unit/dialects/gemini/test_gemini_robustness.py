"""Bodies with any value in any place: refused by name or read, never a crash."""

from __future__ import annotations

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
    refusal,
    some_spoilt,
    spoilt,
)

from cliproxy.dialects import ParseMeta
from cliproxy.dialects.gemini import DIALECT
from cliproxy.ir.caps import Caps, ThinkingCaps
from cliproxy.ir.check import check
from cliproxy.ir.events import Error
from cliproxy.ir.fold import fold

REQUEST = {
    "systemInstruction": {"parts": [{"text": "s"}]},
    "contents": [
        {"role": "user", "parts": [
            {"text": "a", "partMetadata": {"a": 1}},
            {"inlineData": {"mimeType": "image/png", "data": "AAAA", "displayName": "n"}},
            {"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}, "videoMetadata": {"fps": 1}},
            {"fileData": {"fileUri": "gs://x", "mimeType": "application/pdf"}},
        ]},
        {"role": "model", "parts": [
            {"text": "t", "thought": True, "thoughtSignature": "S"},
            {"functionCall": {"id": "a", "name": "f", "args": {"x": 1}}, "thoughtSignature": "S"},
            {"executableCode": {"language": "PYTHON", "code": "1", "id": "c"}},
            {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
        ]},
        {"role": "user", "parts": [{"functionResponse": {"id": "a", "name": "f", "response": {"output": "x"},
                                                         "parts": [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]}}]},
        {"role": "user", "parts": [{"text": "q"}]},
    ],
    "tools": [
        {"functionDeclarations": [
            {"name": "f", "description": "d", "parametersJsonSchema": {"type": "object", "properties": {"a": {"type": "string"}}}},
            {"name": "g", "parameters": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}, "response": {"type": "STRING"}}]},
        {"googleSearch": {"excludeDomains": ["x"]}},
    ],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f", "g"]}, "retrievalConfig": {"a": 1}},
    "safetySettings": [{"category": "C", "threshold": "T"}],
    "generationConfig": {
        "temperature": 1, "topP": 0.5, "topK": 4, "maxOutputTokens": 5, "candidateCount": 1, "stopSequences": ["a"], "seed": 1,
        "presencePenalty": 0.5, "frequencyPenalty": 0.5, "responseLogprobs": True, "logprobs": 1,
        "responseMimeType": "application/json", "responseJsonSchema": {"type": "object"}, "responseModalities": ["TEXT"],
        "thinkingConfig": {"thinkingBudget": 200, "includeThoughts": True}},
    "labels": {"a": "b"}, "serviceTier": "x", "cachedContent": "c",
}  # fmt: skip
TARGETS = (
    Caps(model="gemini-3-pro"),
    Caps(
        model="u",
        known=True,
        thinking=ThinkingCaps(levels=("low", "high")),
        json_schema_params=False,
        tool_images=True,
    ),
    Caps(model="u", known=True, thinking=ThinkingCaps(min=128, max=9000)),
)
refused = partial(refusal, DIALECT, TARGETS, model="m")


def test_the_body_that_is_broken_below_is_sound():
    assert refused(REQUEST) is None


CONFIG = ("generationConfig",)
PARTS = ("contents", 0, "parts")
WRONG = [
    (("contents",), (None, 1, True, [])),
    (("contents", 0), (None, 1, [])),
    (("contents", 0, "role"), (1, [], "tool")),
    (PARTS, (1, True)),
    ((*PARTS, 0), (None, 1, [], {})),
    ((*PARTS, 0, "text"), (1, [])),
    ((*PARTS, 1, "inlineData"), (1, "x", [])),
    ((*PARTS, 1, "inlineData", "data"), (None, 1, "!", "A")),
    ((*PARTS, 1, "inlineData", "mimeType"), (1, [])),
    ((*PARTS, 3, "fileData"), (1, "x")),
    ((*PARTS, 3, "fileData", "fileUri"), (None, 1, "")),
    (("contents", 1, "parts", 0, "thought"), (1, "x")),
    (("contents", 1, "parts", 0, "thoughtSignature"), (1, [])),
    (("contents", 1, "parts", 1, "functionCall"), (1, "x")),
    (("contents", 1, "parts", 1, "functionCall", "name"), (None, 1, "")),
    (("contents", 1, "parts", 1, "functionCall", "id"), (1, [])),
    (("contents", 1, "parts", 1, "functionCall", "args"), (1, "x", [])),
    (("contents", 1, "parts", 2, "executableCode"), (1, "x")),
    (("contents", 1, "parts", 3, "codeExecutionResult"), (1, "x")),
    (("contents", 2, "parts", 0, "functionResponse"), (1, "x")),
    (("contents", 2, "parts", 0, "functionResponse", "name"), (1, [])),
    (("contents", 2, "parts", 0, "functionResponse", "id"), (1, [])),
    (("contents", 2, "parts", 0, "functionResponse", "parts"), (1, "x", {})),
    (("contents", 2, "parts", 0, "functionResponse", "parts", 0), (1, None)),
    (("systemInstruction",), (1, True)),
    (("systemInstruction", "parts"), (1, True)),
    (("systemInstruction", "parts", 0), (1, None)),
    (("systemInstruction", "parts", 0, "text"), (1, [])),
    (("tools",), (1, "x")),
    (("tools", 0), (1, None, "x")),
    (("tools", 0, "functionDeclarations"), (1, "x", {})),
    (("tools", 0, "functionDeclarations", 0), (1, None)),
    (("tools", 0, "functionDeclarations", 0, "name"), (None, 1, "")),
    (("tools", 0, "functionDeclarations", 0, "description"), (1,)),
    (("tools", 0, "functionDeclarations", 0, "parametersJsonSchema"), (1, "x", [])),
    (("tools", 0, "functionDeclarations", 1, "parameters"), (1, "x")),
    (("tools", 0, "functionDeclarations", 1, "response"), (1, "x")),
    (("toolConfig",), (1, "x")),
    (("toolConfig", "functionCallingConfig"), (1, "x")),
    (("toolConfig", "functionCallingConfig", "mode"), (1, "x")),
    (("toolConfig", "functionCallingConfig", "allowedFunctionNames"), (1, {}, [1])),
    (("safetySettings",), (1, {})),
    (("safetySettings", 0), (1, None)),
    (CONFIG, (1, "x", [])),
    ((*CONFIG, "temperature"), ("x", [])),
    ((*CONFIG, "topP"), ("x", True)),
    ((*CONFIG, "topK"), ("x", 1.5)),
    ((*CONFIG, "maxOutputTokens"), ("x", 1.5)),
    ((*CONFIG, "candidateCount"), ("x",)),
    ((*CONFIG, "stopSequences"), (1, [1])),
    ((*CONFIG, "seed"), ("x",)),
    ((*CONFIG, "responseLogprobs"), ("x", 1)),
    ((*CONFIG, "responseMimeType"), (1,)),
    ((*CONFIG, "responseJsonSchema"), (1, "x")),
    ((*CONFIG, "responseModalities"), (1, [1])),
    ((*CONFIG, "thinkingConfig"), (1, "x")),
    ((*CONFIG, "thinkingConfig", "thinkingBudget"), ("x", 1.5)),
    ((*CONFIG, "thinkingConfig", "includeThoughts"), (1, "x")),
    ((*CONFIG, "thinkingConfig", "thinkingLevel"), (1,)),
    (("labels",), (1, "x")),
    (("serviceTier",), (1,)),
]  # fmt: skip


@pytest.mark.parametrize(("place", "values"), WRONG, ids=[named(place) for place, _ in WRONG])
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


# ---- answers ----------------------------------------------------------------------------------
def chunk(*parts, **more):
    return {
        "candidates": [{"index": 0, "content": {"role": "model", "parts": list(parts)}, **more}],
        "responseId": "r",
        "modelVersion": "m",
    }


CHUNKS = [
    chunk({"text": "a"}), chunk({"text": "t", "thought": True, "thoughtSignature": "S"}), chunk({"text": "", "thoughtSignature": "S"}),
    chunk({"functionCall": {"id": "i", "name": "f", "args": {"a": 1}}, "thoughtSignature": "S"}),
    chunk({"functionCall": {"name": "f", "willContinue": True, "partialArgs": [{"jsonPath": "$.a[0].b", "stringValue": "x"}]}}),
    chunk({"functionCall": {"partialArgs": [{"jsonPath": "$.a[0].b", "stringValue": "y", "willContinue": True}], "willContinue": False}}),
    chunk({"inlineData": {"mimeType": "image/png", "data": "AAAA"}}), chunk({"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}}),
    chunk({"executableCode": {"language": "PYTHON", "code": "1"}}), chunk({"codeExecutionResult": {"outcome": "O", "output": "1"}}),
    chunk({"ofTheFuture": {"a": 1}}),
    chunk({"text": "x"}, groundingMetadata={
        "webSearchQueries": ["q"], "groundingChunks": [{"web": {"uri": "u", "title": "t"}}],
        "groundingSupports": [{"segment": {"startIndex": 0, "endIndex": 1}, "groundingChunkIndices": [0]}]}),
    {**chunk(finishReason="STOP", finishMessage="m"), "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "thoughtsTokenCount": 1}},
    {"promptFeedback": {"blockReason": "SAFETY"}}, {"response": chunk({"text": "a"}), "traceId": "t"},
    {"error": {"code": 503, "message": "m", "status": "UNAVAILABLE", "details": [{"@type": "RetryInfo", "retryDelay": "1s"}]}},
]  # fmt: skip


def request():
    return DIALECT.parse({"contents": "x"}, ParseMeta(model="m"))


@settings(max_examples=600, deadline=None)
@given(some_spoilt(CHUNKS), st.booleans())
def test_no_payload_ever_raises_or_breaks_the_grammar(payloads, ended):
    reader = DIALECT.reader(Caps())
    events = []
    for payload in [*payloads, *([CHUNKS[12]] if ended else [])]:
        events += reader.feed(json.dumps(payload).encode())
    events = check(events + reader.close())
    for framing in ("sse", "array"):
        assert DIALECT.writer(request(), framing).feed(events)
    if not isinstance(events[-1], Error):
        assert DIALECT.render(fold(events), request())


@settings(max_examples=300, deadline=None)
@given(some_spoilt(CHUNKS))
def test_no_whole_answer_ever_raises_or_breaks_the_grammar(payloads):
    for body in (payloads, *payloads):
        events = check(DIALECT.reader(Caps()).whole(json.dumps(body).encode()))
        if not isinstance(events[-1], Error):
            assert DIALECT.render(fold(events), request())

"""generateContent requests: read, and written again for a Gemini upstream, they mean the same."""

from __future__ import annotations

import base64
import copy
import json

import pytest

from cliproxy.base.errors import BadRequest, Unsupported
from cliproxy.dialects import ParseMeta, get
from cliproxy.dialects.gemini import DIALECT
from cliproxy.ir.caps import Caps, ThinkingCaps
from cliproxy.ir.envelope import wrap
from cliproxy.ir.request import (
    Audio,
    Cache,
    Custom,
    Document,
    FileId,
    Function,
    Image,
    Inline,
    IRRequest,
    Message,
    Meta,
    Opaque,
    OutputFormat,
    PlainText,
    Refusal,
    Sampling,
    ServerTool,
    Sig,
    SystemText,
    Text,
    Thinking,
    ThinkingConfig,
    ToolCall,
    ToolChoice,
    ToolKey,
    ToolResult,
    Url,
    Video,
)

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n\xfb\xff\xfe0").decode()
PDF = base64.b64encode(b"%PDF-1.7").decode()
OPEN = Caps(model="gemini-2.5-flash")
MIXED = Caps(model="m")
USER = {"role": "user", "parts": [{"text": "hi"}]}


def body(contents=None, **more):
    return {"contents": contents or [USER], **more}


def parse(contents=None, meta=None, **more):
    return DIALECT.parse(body(contents, **more), meta or ParseMeta(model="m"))


def built(req, caps=OPEN, operation="generate"):
    return DIALECT.build(req, caps, operation)


def foreign(*messages, source="openai-chat", **more):
    found = messages or (Message("user", (Text("hi"),)),)
    return IRRequest(model="m", source=source, messages=found, **more)


def losses_of(req, caps=OPEN):
    return {loss.field: (loss.severity, loss.action) for loss in built(req, caps).losses}


def contents_of(*messages, caps=OPEN, **more):
    return built(foreign(*messages, **more), caps).body["contents"]


def user(*parts):
    return Message("user", parts)


def assistant(*parts):
    return Message("assistant", parts)


# ---- the same dialect on both sides -----------------------------------------------------------
WEATHER = {
    "name": "get_weather",
    "description": "W",
    "parametersJsonSchema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
CALL = {"functionCall": {"id": "a1", "name": "get_weather", "args": {"city": "Oslo"}}}
RESULT = {"functionResponse": {"id": "a1", "name": "get_weather", "response": {"output": "5C"}}}
MODEL = {"role": "model", "parts": [{"text": "yo"}]}
SAME = {
    "a word": {},
    "instructions": {"systemInstruction": {"parts": [{"text": "A"}, {"text": "B", "partMetadata": {"a": 1}}]}},
    "sampling": {"generationConfig": {
        "temperature": 0.5, "topP": 0.9, "topK": 5, "maxOutputTokens": 9, "candidateCount": 2, "stopSequences": ["a", "b"],
        "seed": 1, "presencePenalty": 0.1, "frequencyPenalty": 0.2, "responseLogprobs": True, "logprobs": 3,
        "mediaResolution": "MEDIA_RESOLUTION_LOW", "speechConfig": {"a": 1}}},
    "a conversation": {"contents": [USER, MODEL, USER]},
    "every medium": {"contents": [{"role": "user", "parts": [
        {"text": "a", "partMetadata": {"a": 1}},
        {"inlineData": {"mimeType": "image/png", "data": PNG, "displayName": "n"}, "mediaResolution": {"level": "LOW"}},
        {"inlineData": {"mimeType": "application/pdf", "data": PDF}},
        {"inlineData": {"mimeType": "text/csv", "data": "YSxi"}},
        {"inlineData": {"mimeType": "audio/mpeg", "data": "AAAA"}},
        {"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}, "videoMetadata": {"fps": 2}},
        {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/x", "mimeType": "image/png"}},
        {"fileData": {"fileUri": "gs://x/y.pdf", "mimeType": "application/pdf", "displayName": "y"}},
        {"fileData": {"fileUri": "https://www.youtube.com/watch?v=1"}, "videoMetadata": {"startOffset": "1s"}},
        {"ofTheFuture": {"depth": [1]}, "partMetadata": {"a": 1}},
    ]}]},
    "a tool round": {"tools": [{"functionDeclarations": [WEATHER]}], "contents": [
        USER,
        {"role": "model", "parts": [{"text": "hm", "thought": True, "thoughtSignature": "T"}, {"text": "wait"},
                                    {**CALL, "thoughtSignature": "Cv=="}, {"functionCall": {"id": "b2", "name": "get_weather", "args": {}}}]},
        {"role": "user", "parts": [{"functionResponse": {**RESULT["functionResponse"], "willContinue": True}},
                                   {"functionResponse": {"id": "b2", "name": "get_weather", "response": {"error": "no"}}}]}]},
    "responses of all shapes": {"tools": [{"functionDeclarations": [WEATHER]}], "contents": [
        USER, {"role": "model", "parts": [CALL, {"functionCall": {"id": "b", "name": "f", "args": {}}}, {"functionCall": {"id": "c", "name": "f", "args": {}}}]},
        {"role": "user", "parts": [
            {"functionResponse": {"id": "a1", "name": "get_weather", "response": {"temp": 5, "unit": "C"}, "parts": [
                {"inlineData": {"mimeType": "image/png", "data": PNG}}, {"ofTheFuture": 1}]}},
            {"functionResponse": {"id": "b", "name": "f", "response": {"error": {"code": 5}}}},
            {"functionResponse": {"id": "c", "name": "f", "response": {"output": "x"}}}]}]},
    "signatures on every kind of part": {"contents": [
        USER, {"role": "model", "parts": [
            {"text": "a", "thoughtSignature": "S1"}, {"inlineData": {"mimeType": "image/png", "data": PNG}, "thoughtSignature": "S2"},
            {"text": "", "thoughtSignature": "S3"}, {"text": "not signed", "thought": True}]}, USER]},
    "code": {"tools": [{"codeExecution": {}}], "contents": [
        USER, {"role": "model", "parts": [{"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "S"},
                                          {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}, {"text": "one"}]}, USER]},
    "every tool": {"tools": [
        {"functionDeclarations": [
            WEATHER, {"name": "old", "parameters": {"type": "OBJECT", "properties": {"a": {"type": "STRING", "nullable": True}}},
                      "response": {"type": "STRING"}, "behavior": "BLOCKING"},
            {"name": "none"}, {"name": "new", "responseJsonSchema": {"type": "string"}}]},
        {"googleSearch": {"excludeDomains": ["x"]}}, {"urlContext": {}}, {"codeExecution": {}}, {"googleMaps": {"a": 1}},
        {"fileSearch": {"fileSearchStoreNames": ["s"]}}, {"computerUse": {"environment": "E"}}, {"ofTheFuture": {"a": 1}}]},
    "auto": {"tools": [{"functionDeclarations": [WEATHER]}], "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}}},
    "none": {"tools": [{"functionDeclarations": [WEATHER]}], "toolConfig": {"functionCallingConfig": {"mode": "NONE"}}},
    "any": {"tools": [{"functionDeclarations": [WEATHER]}], "toolConfig": {
        "functionCallingConfig": {"mode": "ANY", "streamFunctionCallArguments": True}, "retrievalConfig": {"languageCode": "en"}}},
    "one": {"tools": [{"functionDeclarations": [WEATHER]}], "toolConfig": {
        "functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["get_weather"]}}},
    "some": {"tools": [{"functionDeclarations": [WEATHER, {"name": "f"}, {"name": "g"}]}], "toolConfig": {
        "functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["get_weather", "f"]}}},
    "validated": {"tools": [{"functionDeclarations": [WEATHER]}], "toolConfig": {"functionCallingConfig": {"mode": "VALIDATED"}}},
    "some, validated": {"tools": [{"functionDeclarations": [WEATHER, {"name": "f"}]}], "toolConfig": {
        "functionCallingConfig": {"mode": "VALIDATED", "allowedFunctionNames": ["f"]}}},
    "a budget": {"generationConfig": {"thinkingConfig": {"thinkingBudget": 2048, "includeThoughts": True, "new": 1}}},
    "a dynamic budget": {"generationConfig": {"thinkingConfig": {"thinkingBudget": -1}}},
    "no budget": {"generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}},
    "a level": {"generationConfig": {"thinkingConfig": {"thinkingLevel": "HIGH", "includeThoughts": False}}},
    "only seeing thoughts": {"generationConfig": {"thinkingConfig": {"includeThoughts": True}}},
    "json": {"generationConfig": {"responseMimeType": "application/json"}},
    "text": {"generationConfig": {"responseMimeType": "text/plain"}},
    "a schema": {"generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": {"type": "object"}}},
    "an old schema": {"generationConfig": {"responseMimeType": "application/json", "responseSchema": {"type": "OBJECT"}}},
    "an enumeration": {"generationConfig": {"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["a"]}}},
    "modalities": {"generationConfig": {"responseModalities": ["TEXT", "IMAGE"], "imageConfig": {"aspectRatio": "1:1"}}},
    "the rest": {"safetySettings": [{"category": "C", "threshold": "T"}], "cachedContent": "cachedContents/x", "labels": {"a": "b"},
                 "serviceTier": "flex", "new": {"a": [1]}},
}  # fmt: skip


@pytest.mark.parametrize("more", SAME.values(), ids=SAME)
def test_a_request_is_rebuilt_with_the_same_meaning(more):
    given = {**body(), **more}
    before = json.dumps(given)
    result = built(DIALECT.parse(given, ParseMeta(model="m")))
    assert result.body == given
    assert result.losses == ()
    assert json.dumps(given) == before, "the client's body was changed"


def snake(value):
    """Write every key of the wire in snake_case; names, data and schemas stay."""
    if isinstance(value, list):
        return [snake(v) for v in value]
    if not isinstance(value, dict):
        return value
    data = (
        "args",
        "response",
        "parametersJsonSchema",
        "parameters",
        "responseJsonSchema",
        "responseSchema",
        "labels",
    )
    return {
        "".join("_" + c.lower() if c.isupper() else c for c in k): v if k in data else snake(v)
        for k, v in value.items()
    }


KNOWN = [
    n
    for n in SAME
    if n
    not in (
        "every medium",
        "every tool",
        "responses of all shapes",
        "sampling",
        "any",
        "code",
        "a tool round",
        "modalities",
    )
]


@pytest.mark.parametrize("name", KNOWN)
def test_edge_128_snake_case_is_the_same(name):
    given = {**body(), **SAME[name]}
    one, other = parse_both(given, snake(given))
    assert built(one).body == built(other).body


def test_edge_128_snake_case_in_parts():
    contents = [
        {"role": "user", "parts": [{"inline_data": {"mime_type": "image/png", "data": PNG}}, {"file_data": {"file_uri": "gs://x", "mime_type": "image/png"}}]},
        {"role": "model", "parts": [{"function_call": {"name": "f", "args": {"a_b": 1}}, "thought_signature": "S"}]},
        {"role": "user", "parts": [{"function_response": {"name": "f", "response": {"c_d": 1}}}]},
    ]  # fmt: skip
    req = parse(contents, tools=[{"function_declarations": [{"name": "f", "parameters_json_schema": {"type": "object", "x_y": 1}}]}],
                generation_config={"max_output_tokens": 5, "thinking_config": {"thinking_budget": 9}}, system_instruction="S")  # fmt: skip
    assert req.messages[0].parts == (
        Image(Inline("image/png", PNG)),
        Image(Url("gs://x", "image/png")),
    )
    assert req.messages[1].parts[0].args == '{"a_b":1}'
    assert req.messages[1].parts[0].signature == Sig("S", "gemini")
    assert req.messages[2].parts[0].parts == (Text('{"c_d":1}'),)
    assert req.tools[0].schema == {"type": "object", "x_y": 1}
    assert (req.sampling.max_output, req.thinking.budget) == (5, 9)
    assert req.system == (SystemText("S"),)


def parse_both(*bodies):
    return [DIALECT.parse(b, ParseMeta(model="m")) for b in bodies]


def objects(value, path=()):
    found = [path] if isinstance(value, dict) else []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        if isinstance(inner, dict | list):
            found += objects(inner, (*path, key))
    return found


@pytest.mark.parametrize("more", SAME.values(), ids=SAME)
def test_no_unknown_member_anywhere_is_dropped_silently(more):
    given = {**body(), **more}
    for place in objects(given):
        if place and place[-1] in ("systemInstruction", "properties"):
            continue  # a content whose parts alone count; schemas by name
        changed = copy.deepcopy(given)
        target = changed
        for key in place:
            target = target[key]
        target["xNew"] = "new-value-7531"
        result = built(DIALECT.parse(changed, ParseMeta(model="m")))
        told = json.dumps(result.body) + str(result.losses)
        assert "xNew" in told, f"xNew at {place} is lost"


# ---- reading ----------------------------------------------------------------------------------
def test_loose_forms_are_understood():
    [message] = DIALECT.parse({"contents": "hi"}, ParseMeta(model="m")).messages
    assert message == Message("user", (Text("hi"),))
    req = DIALECT.parse({"model": "models/x", "contents": {"parts": {"text": "a"}}, "systemInstruction": ["A", {"text": "B"}],
                         "tools": {"googleSearch": {}}}, ParseMeta())  # fmt: skip
    assert req.model == "x"
    assert req.messages == (Message("user", (Text("a"),)),)
    assert [s.text for s in req.system] == ["A", "B"]
    assert req.tools[0].kind == "web_search"
    assert parse([{"text": "a"}]).messages[0].parts == (Text("a"),)


def test_edge_121_what_is_no_text_in_the_instructions_is_named():
    req = parse(
        systemInstruction={
            "parts": [
                {"text": "A"},
                {"inlineData": {"mimeType": "image/png", "data": PNG}},
                {"text": ""},
            ]
        }
    )
    assert [s.text for s in req.system] == ["A", "[inlineData left out]"]


@pytest.mark.parametrize(
    "data",
    [
        PNG,
        PNG.replace("+", "-").replace("/", "_"),
        PNG.replace("+", "-").replace("/", "_").rstrip("="),
    ],
)
@pytest.mark.parametrize("target", ["openai-chat", "openai-responses", "anthropic", "gemini"])
def test_urlsafe_base64_becomes_standard_for_every_target(data, target):
    assert "+" in PNG or "/" in PNG
    req = parse([{"parts": [{"inlineData": {"mimeType": "image/png", "data": data}}]}])
    assert req.messages[0].parts == (Image(Inline("image/png", PNG)),)
    assert PNG in json.dumps(get(target).build(req, Caps(model="up")).body)


@pytest.mark.parametrize(
    ("mime", "kind"),
    [
        ("image/png", Image),
        ("audio/mpeg", Audio),
        ("video/mp4", Video),
        ("application/pdf", Document),
        ("text/plain", Document),
    ],
)
def test_edge_127_media_by_their_type(mime, kind):
    [part] = (
        parse([{"parts": [{"inlineData": {"mimeType": mime, "data": "AAAA"}}]}]).messages[0].parts
    )
    assert isinstance(part, kind)
    assert part.media == Inline(mime, "AAAA")


@pytest.mark.parametrize(
    ("file", "media"),
    [
        ({"fileUri": "https://x/a.png"}, Url("https://x/a.png", "image/png")),
        ({"fileUri": "HTTPS://x/a.png"}, Url("HTTPS://x/a.png", "image/png")),
        ({"fileUri": "GS://x/a.png"}, Url("GS://x/a.png", "image/png")),
        ({"fileUri": "https://x/generativelanguage.googleapis.com"},
         Url("https://x/generativelanguage.googleapis.com", "image/png")),
        ({"fileUri": "files/https"}, FileId("files/https", "gemini", "image/png")),
        ({"fileUri": "HTTPS://GenerativeLanguage.googleapis.com/v1beta/files/x"},
         FileId("HTTPS://GenerativeLanguage.googleapis.com/v1beta/files/x", "gemini", "image/png")),
        ({"fileUri": f"data:image/png;base64,{PNG}"}, Inline("image/png", PNG)),
        ({"fileUri": f"DATA:image/png;base64,{PNG}"}, Inline("image/png", PNG)),
        ({"fileUri": "data:;base64,AAAA"}, Inline("image/png", "AAAA")),
    ],
)  # fmt: skip
def test_a_file_is_an_address_its_data_or_the_name_of_one_that_google_has(file, media):
    part = {"fileData": {**file, "mimeType": "image/png"}}
    assert parse([{"role": "user", "parts": [part]}]).messages[0].parts[0] == Image(media)


def test_data_in_place_of_a_files_address_is_named_where_it_is_none():
    part = {"fileData": {"fileUri": "data:image/png;base64", "mimeType": "image/png"}}
    with pytest.raises(BadRequest) as err:
        parse([{"role": "user", "parts": [part]}])
    assert err.value.param == "contents[0].parts[0].fileData.fileUri"


def test_a_missing_type_is_found():
    [part] = parse([{"parts": [{"inlineData": {"data": PDF}}]}]).messages[0].parts
    assert part.media.mime == "application/pdf"


@pytest.mark.parametrize(
    "blob", [{}, {"mimeType": "image/png"}, {"mimeType": "image/png", "data": ""}]
)
def test_edge_107_pictures_without_data_are_refused_by_name(blob):
    with pytest.raises(BadRequest) as caught:
        parse([{"parts": [{"inlineData": blob}]}])
    assert caught.value.param == "contents[0].parts[0].inlineData.data"


# ---- calls and results without ids ------------------------------------------------------------
def called(name, args=None, call_id=None, **more):
    call = {"name": name, "args": args or {}}
    return {"functionCall": {**call, **({"id": call_id} if call_id else {})}, **more}


def answered(name, text, call_id=None):
    response = {"name": name, "response": {"output": text}}
    return {"functionResponse": {**response, **({"id": call_id} if call_id else {})}}


def pairs(*turns):
    """Return (arguments of the call, text of the result) as an upstream sees them paired."""
    contents = [{"role": role, "parts": parts} for role, parts in turns]
    result = built(parse([USER, *contents]), OPEN).body["contents"]
    calls, results = {}, []
    for content in result:
        for part in content["parts"]:
            if call := part.get("functionCall"):
                calls[call["id"]] = call["args"]
            if answer := part.get("functionResponse"):
                results.append((calls[answer["id"]], answer["response"].get("output")))
    return results


def test_edge_95_results_without_ids_find_their_calls_by_name_and_order():
    found = pairs(
        ("model", [called("f", {"n": 1}), called("g", {"n": 2}), called("f", {"n": 3})]),
        ("user", [answered("g", "two"), answered("f", "one"), answered("f", "three")]),
    )
    assert found == [({"n": 1}, "one"), ({"n": 2}, "two"), ({"n": 3}, "three")]


def test_edge_95_explicit_ids_are_respected_in_any_order():
    found = pairs(
        ("model", [called("f", {"n": 1}, "a"), called("f", {"n": 2}, "b")]),
        ("user", [answered("f", "two", "b"), answered("f", "one", "a")]),
    )
    assert found == [({"n": 1}, "one"), ({"n": 2}, "two")]


def test_edge_94_ids_only_on_one_side():
    assert pairs(
        ("model", [called("f", {"n": 1})]), ("user", [answered("f", "one", "made-up")])
    ) == [({"n": 1}, "one")]
    assert pairs(("model", [called("f", {"n": 1}, "a")]), ("user", [answered("f", "one")])) == [
        ({"n": 1}, "one")
    ]


def test_edge_93_a_call_nobody_answered_takes_no_later_result():
    found = pairs(
        ("model", [called("f", {"n": 1})]),
        ("user", [{"text": "never mind"}]),
        ("model", [called("f", {"n": 2})]),
        ("user", [answered("f", "two")]),
    )
    assert found[-1] == ({"n": 2}, "two")
    assert found[0] == ({"n": 1}, None)


def test_edge_96_names_are_filled_in_and_superfluous_results_dropped():
    req = parse([USER, {"role": "model", "parts": [called("f", {"n": 1})]},
                 {"role": "function", "parts": [{"functionResponse": {"response": {"output": "x"}}}, answered("f", "y")]}])  # fmt: skip
    parts = built(req).body["contents"][2]["parts"]
    assert [p["functionResponse"]["name"] for p in parts] == ["f"]
    assert built(req).losses


def test_edge_95_ids_are_the_same_every_time_and_distinct():
    contents = [USER, {"role": "model", "parts": [called("f"), called("f")]}]
    one, other = parse(contents), parse(copy.deepcopy(contents))
    ids = [p.id for p in one.messages[1].parts]
    assert ids == [p.id for p in other.messages[1].parts]
    assert len(set(ids)) == 2


@pytest.mark.parametrize("target", ["openai-chat", "openai-responses", "anthropic"])
def test_calls_without_ids_are_paired_for_every_target(target):
    req = parse([USER, {"role": "model", "parts": [called("f", {"n": 1}), called("f", {"n": 2})]},
                 {"role": "user", "parts": [answered("f", "one"), answered("f", "two")]}])  # fmt: skip
    result = get(target).build(req, Caps(model="up"))
    assert not [loss for loss in result.losses if "result" in loss.field]
    text = json.dumps(result.body)
    assert all(text.count(p.id) == 2 for p in req.messages[1].parts)


# ---- signatures -------------------------------------------------------------------------------
def test_edge_140_the_signature_of_a_call_survives_every_client():
    """A call signed by Gemini goes out to a client of each dialect and comes back signed."""
    from cliproxy.ir.events import ArgsDelta, BlockStart, BlockStop, End, Finish, Start
    from cliproxy.ir.fold import fold

    events = [Start("a"), BlockStart(0, "tool_call", id="call_1", name="f", signature=Sig("CvGE", "gemini")),
              ArgsDelta(0, '{"a":1}'), BlockStop(0), BlockStart(1, "tool_call", id="call_2", name="f"), BlockStop(1),
              Finish("tool_calls"), End()]  # fmt: skip
    turns = {
        "anthropic": ({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}, "messages",
                      lambda a: [{"role": "assistant", "content": a["content"]}]),
        "openai-responses": ({"model": "m", "input": [{"role": "user", "content": "x"}]}, "input", lambda a: a["output"]),
        "gemini": ({"contents": [USER]}, "contents", lambda a: [a["candidates"][0]["content"]]),
    }  # fmt: skip
    for name, (asked, field, turn) in turns.items():
        dialect, meta = get(name), ParseMeta(model="m")
        answer = json.loads(dialect.render(fold(events), dialect.parse(asked, meta)))
        again = dialect.parse({**asked, field: [*asked[field], *turn(answer)]}, meta)
        parts = built(again, Caps(model="gemini-3-pro")).body["contents"][1]["parts"]
        assert [p.get("thoughtSignature") for p in parts] == ["CvGE", None], name


@pytest.mark.parametrize(
    ("model", "calls", "signed"),
    [
        (
            "gemini-3-pro",
            (ToolCall("a", "f"), ToolCall("b", "f")),
            ["skip_thought_signature_validator", None],
        ),
        (
            "gemini-3-pro",
            (ToolCall("a", "f", signature=Sig("S", "gemini")), ToolCall("b", "f")),
            ["S", None],
        ),
        (
            "gemini-3-pro",
            (ToolCall("a", "f", signature=Sig("E", "claude")),),
            ["skip_thought_signature_validator"],
        ),
        ("gemini-2.5-pro", (ToolCall("a", "f"),), [None]),
        ("models/gemini-3.5-flash", (ToolCall("a", "f"),), ["skip_thought_signature_validator"]),
    ],
)
def test_edge_140_only_the_first_call_of_a_step_is_signed(model, calls, signed):
    contents = contents_of(
        user(Text("x")),
        assistant(*calls),
        user(*(ToolResult(c.id) for c in calls)),
        caps=Caps(model=model),
    )
    assert [p.get("thoughtSignature") for p in contents[1]["parts"]] == signed


def test_redacted_and_hidden_thinking_of_claude_come_back_as_what_they_were():
    def thought(value):
        return {"text": "", "thought": True, "thoughtSignature": wrap(Sig(value, "claude"))}

    req = parse(
        [
            USER,
            {"role": "model", "parts": [thought("~Edata"), thought("Esig"), {"text": "x"}]},
            USER,
        ]
    )
    content = get("anthropic").build(req, Caps(model="up")).body["messages"][1]["content"]
    assert content[:2] == [
        {"type": "redacted_thinking", "data": "Edata"},
        {"type": "thinking", "thinking": "", "signature": "Esig"},
    ]


def test_edge_132_only_its_own_thoughts_are_replayed():
    contents = contents_of(
        user(Text("x")),
        assistant(Thinking("a"), Thinking("b", Sig("E", "claude")), Thinking("c", Sig("S", "gemini")), Text("t", signature=Sig("E", "claude"))),
        user(Text("y")),
    )  # fmt: skip
    assert contents[1]["parts"] == [
        {"text": "c", "thought": True, "thoughtSignature": "S"},
        {"text": "t"},
    ]


# ---- what other dialects become ---------------------------------------------------------------
def test_edge_85_86_results_of_a_turn_are_one_content():
    contents = contents_of(
        user(Text("hi")),
        assistant(ToolCall("a", "f", '{"x":1}'), Text("wait"), ToolCall("b", "g")),
        user(ToolResult("b", (Text("2"),), is_error=True)),
        user(Text("so?"), ToolResult("a", (Text("1"),))),
    )
    assert [c["role"] for c in contents] == ["user", "model", "user"]
    assert contents[1]["parts"] == [
        {"text": "wait"},
        {"functionCall": {"id": "a", "name": "f", "args": {"x": 1}}},
        {"functionCall": {"id": "b", "name": "g", "args": {}}},
    ]
    assert contents[2]["parts"] == [
        {"functionResponse": {"id": "a", "name": "f", "response": {"output": "1"}}},
        {"functionResponse": {"id": "b", "name": "g", "response": {"error": "2"}}},
        {"text": "so?"},
    ]


def test_edge_91_92_orphans_are_dropped_and_open_calls_answered():
    req = foreign(
        user(Text("hi"), ToolResult("ghost", (Text("x"),))),
        assistant(ToolCall("a", "f")),
        user(Text("no")),
    )
    contents = built(req).body["contents"]
    assert contents[0]["parts"] == [{"text": "hi"}]
    assert contents[2]["parts"][0]["functionResponse"]["response"] == {"error": "[no result]"}
    assert set(losses_of(req)) == {"tool_result(ghost)", "tool_call(a)"}


@pytest.mark.parametrize(
    ("args", "value"),
    [("", {}), ('{"a":1}', {"a": 1}), ("[1]", {}), ("{bad", {"_raw": "{bad"})],
)
def test_edge_102_arguments_are_always_an_object(args, value):
    contents = contents_of(
        user(Text("x")), assistant(ToolCall("a", "f", args)), user(ToolResult("a"))
    )
    assert contents[1]["parts"][0]["functionCall"]["args"] == value


def test_edge_105_106_media_in_results_reach_the_model_beside_their_own_call():
    parts = (Text("a"), Image(Inline("image/png", PNG)), Document(PlainText("d"), title="T"))
    turn = (user(Text("x")), assistant(ToolCall("a", "f")), user(ToolResult("a", parts)))
    beside = contents_of(*turn)[2]["parts"]
    assert beside[0]["functionResponse"]["response"] == {"output": "a\nT\n\nd"}
    assert beside[1:] == [
        {"text": "Returned by tool call a:"},
        {"inlineData": {"mimeType": "image/png", "data": PNG}},
    ]
    [inside] = contents_of(*turn, caps=Caps(model="m", tool_images=True))[2]["parts"]
    assert inside["functionResponse"]["parts"] == [
        {"inlineData": {"mimeType": "image/png", "data": PNG}}
    ]


@pytest.mark.parametrize(
    ("part", "wire"),
    [
        (Image(Inline("image/jpeg", PNG)), {"inlineData": {"mimeType": "image/png", "data": PNG}}),
        (Image(Url("https://x/a.gif?b")), {"fileData": {"fileUri": "https://x/a.gif?b", "mimeType": "image/gif"}}),
        (Document(Inline("application/pdf", PDF)), {"inlineData": {"mimeType": "application/pdf", "data": PDF}}),
        (Document(Inline("text/markdown", "w7w=")), {"text": "ü"}),
        (Document(PlainText("b"), title="T", context="C"), {"text": "T\nC\n\nb"}),
        (Document(Url("https://x.pdf", "application/pdf")), {"fileData": {"fileUri": "https://x.pdf", "mimeType": "application/pdf"}}),
        (Audio(Inline("audio/mpeg", "AAAA")), {"inlineData": {"mimeType": "audio/mpeg", "data": "AAAA"}}),
        (Video(Url("https://v", "video/mp4"), {"fps": 1}), {"fileData": {"fileUri": "https://v", "mimeType": "video/mp4"}, "videoMetadata": {"fps": 1}}),
        (Refusal("no"), {"text": "no"}),
    ],
)  # fmt: skip
def test_media_of_other_dialects(part, wire):
    assert contents_of(user(part)) == [{"role": "user", "parts": [wire]}]


@pytest.mark.parametrize(
    ("part", "severity"),
    [
        (Image(FileId("f", "anthropic")), "error"),
        (Document(FileId("f", "openai-chat")), "error"),
        (Opaque("anthropic", {}, "x"), "warn"),
    ],
)
def test_what_cannot_be_taken_is_reported(part, severity):
    assert losses_of(foreign(user(Text("hi"), part))) == {
        "messages[0].content[1]": (severity, "dropped")
    }
    fetches_nothing = Caps(model="m", remote_images=False)
    assert losses_of(foreign(user(Text("hi"), Image(Url("https://x")))), fetches_nothing) == {
        "messages[0].content[1]": ("error", "dropped")
    }


def test_edge_118_later_instructions():
    turn = (user(Text("u")), assistant(Text("a")), Message("system", (Text("B"),)), user(Text("v")))
    chat = built(foreign(*turn, system=(SystemText("A"),))).body
    assert chat["systemInstruction"] == {"parts": [{"text": "A"}, {"text": "B"}]}
    claude = built(foreign(*turn, source="anthropic")).body
    assert "systemInstruction" not in claude
    assert claude["contents"][2]["parts"] == [
        {"text": "<system-reminder>\nB\n</system-reminder>"},
        {"text": "v"},
    ]


def test_edge_119_123_the_conversation_begins_and_ends_with_the_user():
    alone = IRRequest(model="m", source="openai-chat", messages=(), system=(SystemText("A"),))
    assert built(alone).body == {"contents": [{"role": "user", "parts": [{"text": "A"}]}]}
    req = foreign(assistant(Text("a")), user(Text("b")), assistant(Text("begun")))
    assert [c["role"] for c in built(req).body["contents"]] == ["user", "model", "user"]
    assert set(losses_of(req)) == {"messages", "messages[0]"}


def test_edge_122_blank_text_is_left_out():
    assert contents_of(user(Text(" "), Text("x")), assistant(Text(""))) == [
        {"role": "user", "parts": [{"text": "x"}]}
    ]


# ---- tools ------------------------------------------------------------------------------------
def test_tools_of_other_dialects():
    req = foreign(
        tools=(
            Function("9lives/get it", "d", {"type": "object", "properties": {"a": {"type": "string"}}, "$schema": "x"}, strict=True, cache=Cache()),
            Function("none", schema={"type": "object", "properties": {}}),
            Custom("sql", format={"type": "grammar", "syntax": "lark", "definition": "x"}),
            ServerTool("web_search", "web_search", "anthropic", {"max_uses": 2}),
            ServerTool("web_fetch", "web_fetch", "anthropic"),
            ServerTool("bash", "bash", "anthropic", native={"type": "bash_20250124"}),
            ServerTool("file_search", "file_search", "openai-responses"),
            Function("none"),
        ),
        tool_choice=ToolChoice("named", (ToolKey("9lives/get it"),)),
    )  # fmt: skip
    result = built(req, MIXED)
    functions, *native = result.body["tools"]
    first, none, sql, bash = functions["functionDeclarations"]
    assert first["name"] == "_9lives_get_it"
    assert result.restore.tools["_9lives_get_it"].name == "9lives/get it"
    assert "$schema" not in first["parametersJsonSchema"]
    assert none == {"name": "none"}
    assert sql["parametersJsonSchema"]["required"] == ["input"]
    assert result.restore.tools["sql"].custom
    assert bash["name"] == "bash"
    assert native == [{"googleSearch": {}}, {"urlContext": {}}]
    assert result.body["toolConfig"] == {
        "functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["_9lives_get_it"]}
    }
    assert losses_of(req, MIXED) == {
        "tools[0].strict": ("info", "dropped"), "tools[0].cache_control": ("info", "dropped"),
        "tools[2].format": ("warn", "approximated"), "tools[3].max_uses": ("warn", "dropped"),
        "tools[5]": ("info", "approximated"), "tools[6]": ("error", "dropped"), "tools[7]": ("warn", "dropped"),
    }  # fmt: skip


def test_edge_141_enumerations_of_numbers_become_text_and_come_back():
    schema = {"type": "object", "properties": {"level": {"enum": [1, 2], "type": "integer"}}}
    result = built(
        foreign(tools=(Function("f", schema=schema),)), Caps(model="m", json_schema_params=False)
    )
    [declared] = result.body["tools"][0]["functionDeclarations"]
    assert declared["parameters"]["properties"]["level"] == {"type": "string", "enum": ["1", "2"]}
    assert result.restore.tools["f"].types == schema


@pytest.mark.parametrize(
    ("choice", "calling"),
    [
        (ToolChoice("auto"), {"mode": "AUTO"}),
        (ToolChoice("none"), {"mode": "NONE"}),
        (ToolChoice("required"), {"mode": "ANY"}),
        (ToolChoice("named", (ToolKey("f"),)), {"mode": "ANY", "allowedFunctionNames": ["f"]}),
        (
            ToolChoice("allowed", (ToolKey("f"),), required_one=True),
            {"mode": "ANY", "allowedFunctionNames": ["f"]},
        ),
        (ToolChoice("allowed", (ToolKey("f"),)), {"mode": "AUTO"}),
        (ToolChoice("named", (ToolKey("web_search", None, "server"),)), None),
    ],
)
def test_edge_110_the_choice_of_a_tool(choice, calling):
    tools = (Function("f"), Function("g"), ServerTool("web_search", "web_search", "anthropic"))
    result = built(foreign(tools=tools, tool_choice=choice), MIXED).body
    assert result.get("toolConfig", {}).get("functionCallingConfig") == calling
    declared = [d["name"] for d in result["tools"][0]["functionDeclarations"]]
    assert declared == (
        ["f"] if choice.mode == "allowed" and not choice.required_one else ["f", "g"]
    )
    assert ({"googleSearch": {}} in result["tools"]) is (choice.mode != "none")


def test_a_model_that_refuses_functions_beside_its_own_tools_gets_the_functions():
    req = foreign(
        tools=(Function("f"), ServerTool("web_search", "web_search", "anthropic")),
        source="anthropic",
    )
    assert built(req).body["tools"] == [{"functionDeclarations": [{"name": "f"}]}]
    assert losses_of(req) == {"tools[1]": ("error", "dropped")}


def test_edge_109_without_tools_there_is_no_choice():
    req = foreign(tool_choice=ToolChoice("required"))
    assert not {"tools", "toolConfig"} & built(req).body.keys()
    assert losses_of(req) == {"tool_choice": ("warn", "dropped")}


# ---- scalars ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "more",
    [
        {"meta": Meta(previous_response_id="r")},
        {"meta": Meta(conversation="c")},
        {"extras": {"prompt": {"id": "p"}}},
    ],
)
def test_what_another_provider_keeps_cannot_be_resolved(more):
    with pytest.raises(Unsupported):
        built(foreign(source="openai-responses", **more))


def test_what_this_api_has_no_field_for_is_reported():
    req = foreign(
        user(Text("hi", cache=Cache("1h"), citations=({"kind": "url"},), extras={"x": 1}),
             Document(Inline("application/pdf", PDF), context="c", citations_enabled=True), Image(Url("https://x"), "high")),
        sampling=Sampling(logit_bias={}, stop=tuple("abcdef")),
        output=OutputFormat("text", verbosity="low"),
        meta=Meta(metadata={"a": "b"}, service_tier="auto", end_user="u", store=True, prompt_cache_key="k"),
        parallel_tools=False,
        tools=(Function("f"),),
        cache=Cache(),
        extras={"prediction": 1},
    )  # fmt: skip
    assert set(losses_of(req)) == {
        "logit_bias", "stop", "verbosity", "metadata", "service_tier", "user", "store", "prompt_cache_key", "parallel_tool_calls",
        "cache_control", "prediction", "messages[0].content[0].x", "messages[0].content[0].citations", "messages[0].content[1].context",
        "messages[0].content[1].citations", "messages[0].content[2].image_url.detail",
    }  # fmt: skip


BUDGET = Caps(
    model="m",
    known=True,
    thinking=ThinkingCaps(min=0, max=24576, zero_allowed=True, dynamic_allowed=True),
)
PRO = Caps(model="m", known=True, thinking=ThinkingCaps(min=128, max=32768, dynamic_allowed=True))
LEVELS = Caps(model="m", known=True, thinking=ThinkingCaps(levels=("low", "high")))


@pytest.mark.parametrize(
    ("config", "caps", "wire"),
    [
        (ThinkingConfig(), BUDGET, None),
        (ThinkingConfig("off"), BUDGET, {"thinkingBudget": 0}),
        (ThinkingConfig("off", visible=True), PRO, {"thinkingBudget": 128}),
        (ThinkingConfig("off"), LEVELS, {"thinkingLevel": "LOW"}),
        (ThinkingConfig("auto"), BUDGET, {"thinkingBudget": -1}),
        (ThinkingConfig("level", level="high"), BUDGET, {"thinkingBudget": 24576}),
        (ThinkingConfig("level", level="max"), LEVELS, {"thinkingLevel": "HIGH"}),
        (
            ThinkingConfig("budget", budget=2048, visible=True),
            PRO,
            {"thinkingBudget": 2048, "includeThoughts": True},
        ),
        (ThinkingConfig("level", level="low"), Caps(model="m", known=True), None),
    ],
    ids=["unset", "off", "edge-157", "edge-158", "auto", "level", "edge-155", "budget", "edge-159"],
)
def test_how_much_gemini_is_told_to_think(config, caps, wire):
    req = foreign(source="openai-responses", thinking=config)
    assert built(req, caps).body.get("generationConfig", {}).get("thinkingConfig") == wire


@pytest.mark.parametrize("level", ["THINKING_LEVEL_HIGH", "high", "HIGH"])
def test_levels_are_read_in_any_spelling(level):
    req = parse(generationConfig={"thinkingConfig": {"thinkingLevel": level}})
    assert req.thinking == ThinkingConfig("level", level="high")
    unspecified = parse(
        generationConfig={"thinkingConfig": {"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}}
    )
    assert unspecified.thinking == ThinkingConfig()


def test_edge_130_schemas_of_other_dialects():
    wish = OutputFormat(
        "json_schema",
        schema={
            "type": "object",
            "properties": {"a": {"type": ["string", "null"]}},
            "$schema": "x",
        },
    )
    new = built(foreign(output=wish)).body["generationConfig"]
    assert new["responseMimeType"] == "application/json"
    assert "$schema" not in new["responseJsonSchema"]
    old = built(foreign(output=wish), Caps(model="m", json_schema_params=False)).body[
        "generationConfig"
    ]
    assert old["responseSchema"]["properties"]["a"] == {"type": "string", "nullable": True}
    assert "responseJsonSchema" not in old


# ---- counting ---------------------------------------------------------------------------------
def test_counting():
    assert built(parse(), operation="count").body == body()
    asked = {
        "generateContentRequest": {
            "model": "models/x",
            "contents": [USER],
            "systemInstruction": "S",
        }
    }
    req = DIALECT.parse(asked, ParseMeta(model="m", operation="count"))
    assert built(req, operation="count").body == {
        "generateContentRequest": {
            "model": "models/gemini-2.5-flash",
            "contents": [USER],
            "systemInstruction": {"parts": [{"text": "S"}]},
        }
    }
    assert json.loads(DIALECT.render_count(7))["totalTokens"] == 7
    assert DIALECT.read_count(b'{"totalTokens": 7}') == 7


# ---- what is left -----------------------------------------------------------------------------
def test_small_things_of_other_dialects_are_reported():
    req = foreign(
        Message("user", (Text("hi"),), name="ann", extras={"x": 1}),
        assistant(
            Text("a", extras={"y": 1}), ToolCall("a", "f", "{}", signature=Sig("E", "claude"))
        ),
        user(ToolResult("a", (Text("1"),))),
        tools=(Function("f", output_schema={"type": "string"}, extras={"z": 1}),),
    )
    assert set(losses_of(req)) == {
        "messages.name", "messages[0].x", "messages[1].content[0].y", "messages[1].tool_calls[0].extra_content", "tools[0].output_schema", "tools[0].z",
    }  # fmt: skip


def test_documents_of_blocks_are_said_in_order():
    document = Document(
        PlainText("a"), title="T", context="C", blocks=(Text("a"), Image(Inline("image/png", PNG)))
    )
    assert contents_of(user(document))[0]["parts"] == [
        {"text": "T\nC"},
        {"text": "a"},
        {"inlineData": {"mimeType": "image/png", "data": PNG}},
    ]


@pytest.mark.parametrize(
    ("level", "config"),
    [("none", ThinkingConfig("off")), ("auto", ThinkingConfig("auto")), ("", ThinkingConfig())],
)
def test_levels_that_are_none(level, config):
    assert parse(generationConfig={"thinkingConfig": {"thinkingLevel": level}}).thinking == config


@pytest.mark.parametrize(
    ("config", "caps", "wire"),
    [
        (ThinkingConfig("level", level="low"), OPEN, {"thinkingBudget": 1024}),
        (ThinkingConfig("budget", budget=9000), LEVELS, {"thinkingLevel": "HIGH"}),
    ],
)
def test_thinking_in_the_form_a_model_takes(config, caps, wire):
    req = foreign(source="openai-responses", thinking=config)
    assert built(req, caps).body["generationConfig"]["thinkingConfig"] == wire


def test_clients_that_expect_thoughts_get_them():
    req = foreign(source="anthropic", thinking=ThinkingConfig("budget", budget=2000))
    assert built(req).body["generationConfig"]["thinkingConfig"] == {
        "thinkingBudget": 2000,
        "includeThoughts": True,
    }


def test_a_model_is_needed():
    with pytest.raises(BadRequest) as caught:
        DIALECT.parse({"contents": "x"}, ParseMeta())
    assert caught.value.param == "model"


@pytest.mark.parametrize("response", ["{not json", '{"a":1}', "plain"])
def test_a_response_in_text_is_told_as_it_was(response):
    req = parse([USER, {"role": "model", "parts": [CALL]}, {"role": "user", "parts": [
        {"functionResponse": {"id": "a1", "name": "get_weather", "response": {"output": response}}}]}])  # fmt: skip
    told = built(req).body["contents"][2]["parts"][0]["functionResponse"]["response"]
    assert told == (json.loads(response) if response == '{"a":1}' else {"output": response})


def test_fields_that_have_a_neutral_form_are_no_extras():
    req = parse(
        model="x", systemInstruction="s", tools=[], safetySettings=[], labels={}, serviceTier="flex",
        toolConfig={"functionCallingConfig": {"mode": "AUTO"}}, generationConfig=SAME["sampling"]["generationConfig"] | {
            "responseMimeType": "text/plain", "responseModalities": ["TEXT"], "thinkingConfig": {"thinkingBudget": 1}},
    )  # fmt: skip
    assert req.extras == {
        "generationConfig": {"mediaResolution": "MEDIA_RESOLUTION_LOW", "speechConfig": {"a": 1}}
    }
    assert DIALECT.id == "gemini"


def test_tools_that_are_null_are_none():
    req = parse(tools=[{"googleSearch": None, "codeExecution": {}, "functionDeclarations": None}])
    assert [t.kind for t in req.tools] == ["code_execution"]


@pytest.mark.parametrize(
    "part",
    [
        {"inlineData": {"mimeType": "application/pdf", "data": PDF, "displayName": "a.pdf"}},
        {
            "fileData": {
                "fileUri": "https://x.example/a",
                "mimeType": "application/pdf",
                "displayName": "a",
            }
        },
    ],
)
def test_the_name_of_a_document_is_its_title_and_stays_its_name(part):
    req = parse([{"role": "user", "parts": [part]}])
    document = req.messages[0].parts[0]
    assert document.title == next(iter(part.values()))["displayName"]
    assert document.extras is None
    assert built(req).body["contents"][0]["parts"] == [part]


def test_a_response_is_named_as_its_namespaced_call():
    req = foreign(
        Message("assistant", (ToolCall("c1", "find", "{}", namespace="crm"),)),
        Message("user", (ToolResult("c1", (Text("ok"),)),)),
        source="openai-responses",
    )
    call, result = (c["parts"][0] for c in built(req).body["contents"][1:])
    assert call["functionCall"]["name"] == "crm__find"
    assert result["functionResponse"]["name"] == "crm__find"

"""Responses requests: read, and written again for a Responses upstream, they mean the same."""

from __future__ import annotations

import base64
import copy
import json

import pytest

from cliproxy.base.errors import BadRequest, Unsupported
from cliproxy.dialects import ParseMeta, get
from cliproxy.dialects.openai_responses import DIALECT
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

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n0000").decode()
PDF = base64.b64encode(b"%PDF-1.7").decode()
OPEN = Caps(model="up")


def body(given="hi", **more):
    return {"model": "m", "input": given, **more}


def parse(given="hi", **more):
    return DIALECT.parse(body(given, **more), ParseMeta())


def built(req, caps=OPEN, operation="generate"):
    return DIALECT.build(req, caps, operation)


def foreign(*messages, source="anthropic", **more):
    found = messages or (Message("user", (Text("hi"),)),)
    return IRRequest(model="m", source=source, messages=found, **more)


def losses_of(req, caps=OPEN):
    return {loss.field: (loss.severity, loss.action) for loss in built(req, caps).losses}


def items_of(*messages, caps=OPEN, **more):
    return built(foreign(*messages, **more), caps).body["input"]


def user(*parts):
    return Message("user", parts)


def assistant(*parts):
    return Message("assistant", parts)


def canonical(value):
    """Say short forms in full so that bodies compare by meaning."""
    value = copy.deepcopy(value)
    if isinstance(value.get("input"), str):
        value["input"] = [{"role": "user", "content": value["input"]}]
    for item in value.get("input", ()):
        if "role" in item:
            item["type"] = "message"
        item.pop("status", None)
        if item.get("type") == "message":
            if isinstance(item["content"], str):
                kind = "output_text" if item["role"] == "assistant" else "input_text"
                item["content"] = [{"type": kind, "text": item["content"]}]
            for part in item["content"]:
                if part["type"] == "output_text" and not part.get("annotations"):
                    part.pop("annotations", None)
        for part in item["content"] if item.get("type") == "message" else item.get("output") or ():
            if isinstance(part, dict) and part["type"] == "input_image":
                part.setdefault("detail", "auto")
    return value


# ---- the same dialect on both sides -----------------------------------------------------------
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "W",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
SQL = {
    "type": "custom",
    "name": "sql",
    "description": "S",
    "format": {"type": "grammar", "syntax": "lark", "definition": "x"},
}
CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "get_weather",
    "arguments": '{"city": "Oslo"}',
    "status": "completed",
}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "5C"}
ASKED = {"role": "user", "content": "hi"}
SAID = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "phase": "commentary",
    "content": [{"type": "output_text", "text": "wait", "annotations": []}],
}
THOUGHT = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
    "encrypted_content": "gAAA",
}
SAME = {
    "a word": {},
    "items": {"input": [ASKED, {"role": "assistant", "content": "yo"}, ASKED]},
    "instructions and items": {"instructions": "be kind", "input": [
        {"role": "system", "content": "A"}, {"role": "developer", "content": "B", "x": 1}, ASKED,
        {"role": "developer", "content": "mind", "phase": "p"}, ASKED]},
    "every medium": {"input": [{"role": "user", "content": [
        {"type": "input_text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}},
        {"type": "input_image", "image_url": "https://x/y.png", "detail": "high"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}",
         "prompt_cache_breakpoint": {"mode": "explicit"}},
        {"type": "input_image", "file_id": "file-1", "detail": "original"},
        {"type": "input_file", "filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"},
        {"type": "input_file", "file_url": "https://x/y.pdf", "detail": "low"},
        {"type": "input_file", "file_id": "file-2", "filename": "b.pdf"},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
        {"type": "input_of_the_future", "depth": [1]},
        {"type": "of_the_future", "depth": [1]},
    ]}]},
    "a tool round": {"tools": [WEATHER, SQL], "input": [
        ASKED, THOUGHT, SAID, CALL,
        {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_2", "name": "sql", "input": "SELECT\n2"},
        OUTPUT, {"type": "custom_tool_call_output", "call_id": "call_2", "output": "2", "name": "sql"},
        {**SAID, "id": "msg_2", "phase": "final_answer"}, ASKED]},
    "results with media": {"tools": [WEATHER], "input": [
        ASKED, CALL, {**OUTPUT, "output": [
            {"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"},
            {"type": "input_image", "image_url": "https://x"},
            {"type": "input_file", "filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}]}]},
    "results in any order": {"tools": [WEATHER], "input": [
        ASKED, CALL, {**CALL, "id": "fc_2", "call_id": "call_2"}, {**OUTPUT, "call_id": "call_2"}, OUTPUT]},
    "a result whose call the API keeps": {"input": [OUTPUT], "previous_response_id": "resp_1"},
    "nothing new": {"input": None, "previous_response_id": "resp_1"},
    "a prompt": {"input": None, "prompt": {"id": "pmpt_1", "variables": {"a": "b"}}},
    "a conversation": {"conversation": {"id": "conv_1"}},
    "provider items": {"input": [
        ASKED, {"type": "web_search_call", "id": "ws_1", "action": {"type": "search", "query": "q", "sources": [{"type": "url", "url": "u"}]}},
        {"type": "message", "id": "msg_1", "role": "assistant", "content": [
            {"type": "output_text", "text": "so", "annotations": [
                {"type": "url_citation", "start_index": 0, "end_index": 2, "url": "u", "title": "t"},
                {"type": "file_citation", "file_id": "f", "filename": "n", "index": 1}]},
            {"type": "refusal", "refusal": "no"}]},
        {"type": "item_reference", "id": "x"}, {"type": "compaction", "encrypted_content": "E"},
        {"type": "local_shell_call", "id": "l", "call_id": "c", "action": {"type": "exec", "command": ["ls"]}},
        {"type": "local_shell_call_output", "id": "l", "output": "x"},
        {"type": "mcp_approval_response", "approval_request_id": "a", "approve": True},
        {"type": "of_the_future", "depth": [1]}, ASKED]},
    "reasoning in full": {"input": [
        ASKED, {**THOUGHT, "content": [{"type": "reasoning_text", "text": "raw"}]}, SAID,
        {**THOUGHT, "id": "rs_2", "summary": []}, {**SAID, "id": "msg_2"},
        {"type": "reasoning", "id": "rs_3", "summary": [], "content": [{"type": "reasoning_text", "text": "raw"}]},
        {**SAID, "id": "msg_3"},
        {"type": "reasoning", "id": "rs_4", "summary": [], "content": [{"type": "reasoning_text", "text": "raw"}], "encrypted_content": "g"},
        ASKED]},
    "every tool": {"tools": [
        WEATHER, {"type": "function", "name": "plain", "parameters": {"type": "object", "properties": {}}, "defer_loading": True,
                  "output_schema": {"type": "object"}},
        SQL, {"type": "custom", "name": "free"},
        {"type": "web_search", "filters": {"allowed_domains": ["x"]}, "search_context_size": "low",
         "user_location": {"type": "approximate", "city": "Oslo"}, "external_web_access": True},
        {"type": "file_search", "vector_store_ids": ["v"]}, {"type": "code_interpreter", "container": {"type": "auto"}},
        {"type": "image_generation", "quality": "low"}, {"type": "mcp", "server_label": "s", "server_url": "https://x"},
        {"type": "local_shell"}, {"type": "shell"}, {"type": "apply_patch"}, {"type": "computer_use_preview", "display_width": 1},
        {"type": "tool_search"}, {"type": "of_the_future", "x": 1}]},
    "auto": {"tools": [WEATHER], "tool_choice": "auto", "parallel_tool_calls": False},
    "required": {"tools": [WEATHER], "tool_choice": "required", "parallel_tool_calls": True},
    "none": {"tools": [WEATHER], "tool_choice": "none"},
    "one": {"tools": [WEATHER], "tool_choice": {"type": "function", "name": "get_weather"}},
    "one of another kind": {"tools": [SQL], "tool_choice": {"type": "custom", "name": "sql"}},
    "one of the provider's": {"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}], "tool_choice": {"type": "code_interpreter"}},
    "one of an mcp server": {"tools": [{"type": "mcp", "server_label": "s"}], "tool_choice": {"type": "mcp", "server_label": "s", "name": "n"}},
    "some": {"tools": [WEATHER, SQL], "tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [
        {"type": "function", "name": "get_weather"}, {"type": "custom", "name": "sql"}, {"type": "mcp", "server_label": "s"},
        {"type": "web_search_preview"}]}},
    "sampling": {"max_output_tokens": 9, "temperature": 0.5, "top_p": 0.9, "top_logprobs": 3,
                 "include": ["message.output_text.logprobs", "reasoning.encrypted_content"]},
    "reasoning": {"reasoning": {"effort": "high", "summary": "detailed", "context": "all_turns", "mode": "pro"}},
    "no reasoning": {"reasoning": {"effort": "none"}},
    "text": {"text": {"format": {"type": "text"}, "verbosity": "low"}},
    "json": {"text": {"format": {"type": "json_object"}}},
    "a schema": {"text": {"format": {"type": "json_schema", "name": "n", "description": "d", "strict": True,
                                     "schema": {"type": "object"}, "new": 1}, "new": 2}},
    "who and how": {"user": "u", "metadata": {"a": "b"}, "service_tier": "flex", "store": False, "prompt_cache_key": "k",
                    "truncation": "auto", "max_tool_calls": 3, "prompt_cache_retention": "24h"},
    "who, newly": {"safety_identifier": "u", "store": True},
    "who, both ways": {"safety_identifier": "u", "user": "v"},
    "fields of the future": {"client_metadata": {"a": 1}, "context_management": [{"type": "compaction"}], "new": {"a": [1]}},
}  # fmt: skip


@pytest.mark.parametrize("more", SAME.values(), ids=SAME)
def test_a_request_is_rebuilt_with_the_same_meaning(more):
    given = {k: v for k, v in {**body(), **more}.items() if v is not None}
    before = json.dumps(given)
    result = built(DIALECT.parse(given, ParseMeta()))
    assert canonical(result.body) == canonical({**given, "model": "up"})
    assert json.dumps(given) == before, "the client's body was changed"
    assert result.losses == ()


def objects(value, path=()):
    found = [path] if isinstance(value, dict) else []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        if isinstance(inner, dict | list):
            found += objects(inner, (*path, key))
    return found


@pytest.mark.parametrize("more", SAME.values(), ids=SAME)
def test_no_unknown_member_anywhere_is_dropped_silently(more):
    given = {k: v for k, v in {**body(), **more}.items() if v is not None}
    for place in objects(given):
        if place and (place[-1] == "prompt_cache_breakpoint" or place[-2:-1] == ("summary",)):
            continue  # fixed forms, kept by their meaning
        changed = copy.deepcopy(given)
        target = changed
        for key in place:
            target = target[key]
        if target.get("type") in ("reasoning_text", "refusal"):
            continue  # fixed forms too
        target["x_new"] = "new-value-7531"
        result = built(DIALECT.parse(changed, ParseMeta()))
        told = json.dumps(result.body) + str(result.losses)
        assert "x_new" in told, f"x_new at {place} is lost"


def test_older_shapes_are_understood():
    req = parse(
        [{"role": "user", "content": [
            {"type": "text", "text": "a"},
            {"type": "image_url", "image_url": {"url": "https://x", "detail": "low"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": PDF}},
            "b"]}],
        tools=[{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}},
               {"type": "custom", "custom": {"name": "c", "format": {"type": "grammar", "grammar": {"syntax": "regex", "definition": "x"}}}}],
        tool_choice={"type": "function", "function": {"name": "f"}},
    )  # fmt: skip
    assert req.messages[0].parts == (
        Text("a"),
        Image(Url("https://x"), "low"),
        Document(Inline("application/pdf", PDF), title="a.pdf"),
        Text("b"),
    )
    assert req.tools == (
        Function("f", schema={"type": "object"}),
        Custom("c", format={"type": "grammar", "syntax": "regex", "definition": "x"}),
    )
    assert req.tool_choice == ToolChoice("named", (ToolKey("f"),))


def test_edge_113_76_namespaces_and_added_tools_are_flattened_and_restored():
    child = {"type": "function", "name": "read", "parameters": {"type": "object", "properties": {}}}
    req = parse(
        [{"type": "additional_tools", "role": "developer", "tools": [{**child, "name": "late"}]}, ASKED,
         {"type": "function_call", "call_id": "c", "name": "read", "namespace": "fs", "arguments": "{}"},
         {"type": "function_call_output", "call_id": "c", "output": "x"}],
        tools=[{"type": "namespace", "name": "fs", "description": "files", "tools": [child]}],
    )  # fmt: skip
    assert [(t.name, t.namespace) for t in req.tools] == [("read", "fs"), ("late", None)]
    result = built(req)
    assert [t["name"] for t in result.body["tools"]] == ["fs__read", "late"]
    assert result.body["input"][1]["name"] == "fs__read"
    assert (result.restore.tools["fs__read"].name, result.restore.tools["fs__read"].namespace) == (
        "read",
        "fs",
    )
    assert [loss.field for loss in result.losses] == ["tools[0].description"]


def test_items_become_messages():
    req = parse(
        [
            {"role": "system", "content": "A"},
            ASKED,
            THOUGHT,
            CALL,
            OUTPUT,
            {"role": "system", "content": "B"},
        ],
        instructions="I",
    )
    assert req.system == (SystemText("I", instructions=True), SystemText("A"))
    assert [m.parts for m in req.messages] == [
        (Text("hi"),),
        (Thinking("a\n\nb", Sig("gAAA", "gpt"), paragraphs=("a", "b"), item_id="rs_1"),),
        (ToolCall("call_1", "get_weather", '{"city": "Oslo"}', item_id="fc_1"),),
        (ToolResult("call_1", (Text("5C"),)),),
        (Text("B"),),
    ]
    assert req.messages[-1].role == "system"


@pytest.mark.parametrize(
    ("output", "parts"),
    [
        (None, ()), ("", ()), ("x", (Text("x"),)), ({"a": 1}, (Text('{"a":1}'),)), ([1, 2], (Text("[1,2]"),)),
        ([{"a": 1}], (Text('[{"a":1}]'),)), ([{"type": "input_text", "text": "x"}], (Text("x"),)),
    ],
)  # fmt: skip
def test_edge_103_the_forms_of_an_output(output, parts):
    req = parse([ASKED, CALL, {**OUTPUT, "output": output}])
    assert req.messages[2].parts == (ToolResult("call_1", parts),)


def test_signatures_of_calls_and_text_come_back_to_where_they_were():
    def sealed(value, family="gemini"):
        return {"type": "reasoning", "summary": [], "encrypted_content": wrap(Sig(value, family))}

    req = parse(
        [
            ASKED,
            SAID,
            sealed("^G2"),
            sealed("G1"),
            CALL,
            {**CALL, "call_id": "call_2"},
            sealed("lone"),
        ]
    )
    assert [(type(p), p.signature) for m in req.messages[1:] for p in m.parts] == [
        (Text, Sig("G2", "gemini")),
        (ToolCall, Sig("G1", "gemini")),
        (ToolCall, None),
        (Thinking, Sig("lone", "gemini")),
    ]


def test_hidden_thinking_and_redacted_thinking_of_claude_are_told_apart():
    def sealed(value):
        return {"type": "reasoning", "summary": [], "encrypted_content": wrap(Sig(value, "claude"))}

    req = parse([ASKED, sealed("Esig"), SAID, sealed("~Edata"), SAID])
    claude = get("anthropic").build(req, OPEN).body["messages"]
    assert [b for b in claude[1]["content"] if "thinking" in b["type"]] == [
        {"type": "thinking", "thinking": "", "signature": "Esig"},
        {"type": "redacted_thinking", "data": "Edata"},
    ]


@pytest.mark.parametrize(
    ("reasoning", "config"),
    [
        ({}, ThinkingConfig()),
        ({"effort": "none"}, ThinkingConfig("off")),
        ({"effort": "auto"}, ThinkingConfig("auto")),
        (
            {"effort": "HIGH", "summary": "auto"},
            ThinkingConfig("level", level="high", visible=True, detail="auto"),
        ),
        ({"summary": None}, ThinkingConfig(visible=False)),
        ({"summary": "none"}, ThinkingConfig(visible=False)),
        ({"generate_summary": "concise"}, ThinkingConfig(visible=True, detail="concise")),
    ],
)
def test_how_much_to_think(reasoning, config):
    assert parse(reasoning=reasoning).thinking == config


# ---- state the API keeps ----------------------------------------------------------------------
def test_background_responses_are_refused():
    with pytest.raises(Unsupported) as caught:
        parse(background=True)
    assert caught.value.param == "background"
    assert parse(background=False)


@pytest.mark.parametrize("target", ["openai-chat", "anthropic", "gemini"])
@pytest.mark.parametrize(
    "more",
    [
        {"previous_response_id": "resp_1"},
        {"conversation": "conv_1"},
        {"conversation": {"id": "conv_1"}},
    ],
)
def test_what_the_api_keeps_cannot_be_resolved_elsewhere(target, more):
    with pytest.raises(Unsupported) as caught:
        get(target).build(parse(**more), OPEN)
    assert caught.value.status == 400
    assert caught.value.param == next(iter(more))


@pytest.mark.parametrize("target", ["anthropic", "gemini"])
@pytest.mark.parametrize(
    "more", [{"prompt": {"id": "p"}}, {"given": [ASKED, {"type": "item_reference", "id": "x"}]}]
)
def test_references_cannot_be_resolved_elsewhere(target, more):
    with pytest.raises(Unsupported):
        get(target).build(parse(**more), OPEN)


# ---- what other dialects become ---------------------------------------------------------------
def test_a_foreign_conversation_in_the_documented_order():
    items = items_of(
        user(Text("hi")),
        assistant(Thinking("t", Sig("g", "gpt"), paragraphs=("t",)), Text("wait"), ToolCall("a", "f", ""), ToolCall("b", "g", '{"x":1}')),
        user(Text("so?"), ToolResult("b", (Text("2"),)), ToolResult("a", (Text("1"),), is_error=True)),
    )  # fmt: skip
    assert items == [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        {
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "t"}],
            "encrypted_content": "g",
        },
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "wait"}],
        },
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "b", "name": "g", "arguments": '{"x":1}'},
        {"type": "function_call_output", "call_id": "a", "output": "1"},
        {"type": "function_call_output", "call_id": "b", "output": "2"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "so?"}]},
    ]


def test_edge_101_a_turn_of_calls_has_no_empty_message():
    items = items_of(
        user(Text("hi")), assistant(Text(""), ToolCall("a", "f")), user(ToolResult("a"))
    )
    assert [i["type"] for i in items] == ["message", "function_call", "function_call_output"]
    assert items[2]["output"] == ""


def test_the_name_of_a_turn_of_calls_is_reported():
    named = Message("assistant", (ToolCall("c1", "f", "{}"),), name="ann")
    answered = Message("user", (ToolResult("c1", (Text("5C"),)),))
    req = foreign(named, answered, source="openai-chat")
    assert losses_of(req) == {"messages.name": ("info", "dropped")}


def test_edge_91_92_orphans_are_dropped_and_open_calls_answered():
    req = foreign(
        user(Text("hi"), ToolResult("ghost", (Text("x"),))),
        assistant(ToolCall("a", "f")),
        user(Text("no")),
    )
    assert [i["type"] for i in built(req).body["input"]] == [
        "message",
        "function_call",
        "function_call_output",
        "message",
    ]
    assert set(losses_of(req)) == {"tool_result(ghost)", "tool_call(a)"}


@pytest.mark.parametrize("call_id", ["x" * 80, "a|b", ""])
def test_edge_98_ids_are_made_legal_alike_on_both_sides(call_id):
    items = items_of(
        user(Text("hi")), assistant(ToolCall(call_id, "f")), user(ToolResult(call_id, (Text("1"),)))
    )
    assert items[1]["call_id"] == items[2]["call_id"]
    assert 0 < len(items[1]["call_id"]) <= 64


def test_instructions_of_other_dialects():
    req = foreign(source="anthropic", system=(SystemText("A"), SystemText("B")))
    assert built(req).body["instructions"] == "A\n\nB"
    chat = foreign(source="openai-chat", system=(SystemText("A"), SystemText("B", developer=True)))
    assert "instructions" not in built(chat).body
    assert [i["role"] for i in built(chat).body["input"]] == ["system", "developer", "user"]
    assert [i["role"] for i in built(chat, Caps(codex=True)).body["input"]] == [
        "developer",
        "developer",
        "user",
    ]


def test_edge_119_instructions_alone_are_answered():
    req = IRRequest(model="m", source="anthropic", messages=(), system=(SystemText("A"),))
    assert built(req).body["input"] == [{"type": "message", "role": "user", "content": "A"}]
    assert losses_of(req) == {"messages": ("info", "synthesised")}


@pytest.mark.parametrize(
    ("part", "wire"),
    [
        (Image(Inline("image/png", PNG)), {"type": "input_image", "detail": "auto", "image_url": f"data:image/png;base64,{PNG}"}),
        (Image(Url("https://x"), "low"), {"type": "input_image", "detail": "low", "image_url": "https://x"}),
        (Image(FileId("f", "openai-chat")), {"type": "input_image", "detail": "auto", "file_id": "f"}),
        (Document(Inline("application/pdf", PDF)),
         {"type": "input_file", "filename": "document.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}),
        (Document(Url("https://x.pdf")), {"type": "input_file", "file_url": "https://x.pdf"}),
        (Document(PlainText("body"), title="T", context="C"), {"type": "input_text", "text": "T\nC\n\nbody"}),
        (Document(PlainText("in"), blocks=(Text("in"),)), {"type": "input_text", "text": "in"}),
        (Audio(Inline("audio/wav", "AAAA")), {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}),
    ],
)  # fmt: skip
def test_media_of_other_dialects(part, wire):
    [item] = items_of(user(part))
    assert item["content"] == [wire]


@pytest.mark.parametrize(
    ("part", "severity"),
    [
        (Image(FileId("f", "gemini")), "error"),
        (Document(FileId("f", "anthropic")), "error"),
        (Audio(Inline("audio/ogg", "AAAA")), "error"),
        (Audio(Url("https://x")), "error"),
        (Video(Url("https://v")), "error"),
        (Opaque("gemini", {"x": 1}, "x"), "warn"),
    ],
)
def test_what_cannot_be_taken_is_reported(part, severity):
    assert losses_of(foreign(user(Text("hi"), part))) == {
        "messages[0].content[1]": (severity, "dropped")
    }


def test_edge_105_media_in_results_reach_the_model():
    parts = (Text("a"), Image(Inline("image/png", PNG)), Document(PlainText("d")))
    items = items_of(user(Text("hi")), assistant(ToolCall("a", "f")), user(ToolResult("a", parts)))
    assert [p["type"] for p in items[2]["output"]] == ["input_text", "input_image", "input_text"]


@pytest.mark.parametrize(
    ("thinking", "kept"),
    [
        (Thinking("t", Sig("g", "gpt")), True),
        (Thinking("t"), False),
        (Thinking("t", Sig("E", "claude")), False),
        (Thinking(signature=Sig("g", "gpt")), True),
    ],
)
def test_edge_138_only_its_own_reasoning_is_replayed(thinking, kept):
    items = items_of(user(Text("a")), assistant(thinking, Text("b")), user(Text("c")))
    assert [i["type"] for i in items] == [
        "message",
        *(["reasoning"] if kept else []),
        "message",
        "message",
    ]
    if kept:
        assert items[1]["summary"] == []


def test_refusals_are_replayed_as_such():
    items = items_of(user(Text("a")), assistant(Refusal("no")), user(Text("c")))
    assert items[1]["content"] == [{"type": "refusal", "refusal": "no"}]


def test_tools_of_other_dialects():
    loose = {"type": "object", "properties": {"a": {"type": "STRING"}}}
    req = foreign(
        tools=(
            Function("f", schema=loose),
            Function("g", cache=Cache()),
            ServerTool("web_search", "web_search", "anthropic", {"allowed_domains": ["x"], "max_uses": 2, "user_location": {"city": "o"}}),
            ServerTool("bash", "bash", "anthropic", native={"type": "bash_20250124"}),
            ServerTool("code_execution", "code_execution", "anthropic"),
            ServerTool("web_fetch", "web_fetch", "anthropic"),
            Function("f"),
        )
    )  # fmt: skip
    tools = built(req).body["tools"]
    assert [t.get("name", t["type"]) for t in tools] == [
        "f",
        "g",
        "web_search",
        "bash",
        "code_interpreter",
    ]
    assert tools[0]["strict"] is False
    assert tools[0]["parameters"]["properties"]["a"]["type"] == "string"
    assert tools[1]["parameters"] == {"type": "object", "properties": {}}
    assert tools[2] == {
        "type": "web_search",
        "filters": {"allowed_domains": ["x"]},
        "user_location": {"type": "approximate", "city": "o"},
    }
    assert losses_of(req) == {
        "tools[1].cache_control": ("info", "dropped"),
        "tools[2].max_uses": ("warn", "dropped"),
        "tools[3]": ("info", "approximated"),
        "tools[5]": ("error", "dropped"),
        "tools[6]": ("warn", "dropped"),
    }


@pytest.mark.parametrize(
    ("choice", "wire"),
    [
        (ToolChoice("auto"), "auto"),
        (ToolChoice("none"), "none"),
        (ToolChoice("required"), "required"),
        (ToolChoice("named", (ToolKey("f"),)), {"type": "function", "name": "f"}),
        (ToolChoice("named", (ToolKey("c", None, "custom"),)), {"type": "custom", "name": "c"}),
        (ToolChoice("named", (ToolKey("web_search"),)), {"type": "web_search"}),
        (ToolChoice("named", (ToolKey("web_search", None, "server"),)), {"type": "web_search"}),
        (ToolChoice("named", (ToolKey("maps", None, "server"),)), None),
        (ToolChoice("allowed", (ToolKey("f"),), required_one=True),
         {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]}),
    ],
)  # fmt: skip
def test_edge_110_the_choice_of_a_tool(choice, wire):
    tools = (Function("f"), Custom("c"), ServerTool("web_search", "web_search", "anthropic"))
    assert built(foreign(tools=tools, tool_choice=choice)).body.get("tool_choice") == wire


def test_edge_109_without_tools_there_is_no_choice():
    req = foreign(tool_choice=ToolChoice("required"), parallel_tools=False)
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & built(req).body.keys()
    assert losses_of(req) == {"tool_choice": ("warn", "dropped")}


def test_edge_99_long_names_are_shortened_and_restored():
    long = "mcp__" + "x" * 80 + "__find"
    result = built(
        foreign(tools=(Function(long),), tool_choice=ToolChoice("named", (ToolKey(long),)))
    )
    [tool] = result.body["tools"]
    assert tool["name"] == result.body["tool_choice"]["name"]
    assert len(tool["name"]) <= 64
    assert result.restore.tools[tool["name"]].name == long


def test_what_this_api_has_no_field_for_is_reported():
    req = foreign(
        user(Text("hi", cache=Cache("1h"), citations=({"kind": "url"},), extras={"x": 1}), Document(PlainText("d"), citations_enabled=True)),
        sampling=Sampling(top_k=1, seed=1, n=2, presence_penalty=0.1, frequency_penalty=0.1, logit_bias={}, stop=("a",)),
        output=OutputFormat(modalities=("text", "audio")),
        meta=Meta(metadata={"a": "b"}, service_tier="auto"),
        safety=({"category": "x"},),
        cache=Cache(),
        extras={"container": 1},
    )  # fmt: skip
    assert set(losses_of(req)) == {
        "top_k", "seed", "n", "presence_penalty", "frequency_penalty", "logit_bias", "stop_sequences", "modalities", "metadata",
        "service_tier", "safetySettings", "cache_control", "container", "messages[0].content[0].citations",
        "messages[0].content[0].x", "messages[0].content[1].citations",
    }  # fmt: skip


def test_answers_to_other_dialects_are_not_stored_and_their_reasoning_comes_along():
    result = built(foreign()).body
    assert result["store"] is False
    assert result["include"] == ["reasoning.encrypted_content"]
    assert "store" not in built(parse()).body


@pytest.mark.parametrize(
    ("config", "reasoning"),
    [
        (ThinkingConfig(), None),
        (ThinkingConfig("off"), {"effort": "none"}),
        (ThinkingConfig("auto"), {"effort": "medium", "summary": "auto"}),
        (ThinkingConfig("auto", adaptive=True), {"summary": "auto"}),
        (ThinkingConfig("level", level="max"), {"effort": "max", "summary": "auto"}),
        (ThinkingConfig("budget", budget=8192), {"effort": "medium", "summary": "auto"}),
        (ThinkingConfig("level", level="low", visible=False), {"effort": "low"}),
    ],
)
def test_edge_160_thinking_of_other_dialects(config, reasoning):
    assert built(foreign(thinking=config)).body.get("reasoning") == reasoning


def test_thinking_is_clamped_to_the_model_and_stripped_where_it_cannot():
    levels = Caps(model="up", known=True, thinking=ThinkingCaps(levels=("low", "medium", "high")))
    req = foreign(thinking=ThinkingConfig("level", level="max"))
    assert built(req, levels).body["reasoning"]["effort"] == "high"
    assert "reasoning" not in built(req, Caps(model="up", known=True)).body


def test_a_schema_of_another_dialect_gets_a_name_and_no_strictness_it_was_not_made_for():
    req = foreign(
        output=OutputFormat(
            "json_schema", schema={"type": "object", "properties": {"a": {"type": "string"}}}
        )
    )
    form = built(req).body["text"]["format"]
    assert (form["type"], form["name"], form["strict"]) == ("json_schema", "response", False)


# ---- the Codex backend ------------------------------------------------------------------------
def test_edge_137_what_codex_demands_and_refuses():
    req = parse(
        [{"role": "system", "content": [{"type": "input_text", "text": "A", "prompt_cache_breakpoint": {"mode": "explicit"}}]}, ASKED],
        tools=[{"type": "web_search_preview"}], tool_choice={"type": "web_search_preview"},
        max_output_tokens=5, temperature=1, top_p=1, truncation="auto", user="u", metadata={"a": "b"},
        prompt_cache_retention="24h", prompt_cache_key="k", previous_response_id="r", service_tier="flex", include=["x"],
    )  # fmt: skip
    result = built(req, Caps(model="up", codex=True))
    assert result.body == {
        "model": "up",
        "instructions": "",
        "input": [
            {
                "type": "message",
                "role": "developer",
                "content": [{"type": "input_text", "text": "A"}],
            },
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        ],
        "tools": [{"type": "web_search"}],
        "tool_choice": {"type": "web_search"},
        "prompt_cache_key": "k",
        "stream": True,
        "store": False,
        "parallel_tool_calls": True,
        "include": ["x", "reasoning.encrypted_content"],
    }
    assert {"temperature", "truncation", "service_tier", "metadata", "cache_control"} <= {
        loss.field for loss in result.losses
    }
    assert req.raw["include"] == ["x"]
    assert req.raw["tools"] == [{"type": "web_search_preview"}]


# ---- counting ---------------------------------------------------------------------------------
def test_counting_keeps_only_what_the_endpoint_takes():
    req = parse(instructions="I", temperature=1, stream=True, tools=[WEATHER])
    assert built(req, operation="count").body.keys() == {"model", "input", "instructions", "tools"}
    assert json.loads(DIALECT.render_count(7)) == {
        "object": "response.input_tokens",
        "input_tokens": 7,
    }
    assert DIALECT.read_count(b'{"input_tokens": 7}') == 7


@pytest.mark.parametrize("given", ["data:image/png;base64,!!", "ftp://x", "x"])
def test_edge_107_pictures_that_are_none_are_refused_by_name(given):
    with pytest.raises(BadRequest) as caught:
        parse([{"role": "user", "content": [{"type": "input_image", "image_url": given}]}])
    assert caught.value.param == "input[0].content[0].image_url"


@pytest.mark.parametrize(
    ("part", "mime"),
    [
        ({"filename": "a.pdf", "file_data": PDF}, "application/pdf"),
        ({"file_data": PDF}, "application/pdf"),
        ({"filename": "a.csv", "file_data": "YSxi"}, "text/csv"),
        ({"file_data": "AAAA"}, "application/octet-stream"),
    ],
)
def test_edge_129_files_with_raw_base64(part, mime):
    [message] = parse([{"role": "user", "content": [{"type": "input_file", **part}]}]).messages
    assert message.parts[0].media.mime == mime


# ---- what is left -----------------------------------------------------------------------------
def test_small_things_of_other_dialects_are_reported():
    req = foreign(
        Message("user", (Text("hi"), Document(Inline("application/pdf", PDF), context="c")), name="ann"),
        assistant(
            Image(Url("https://x")), Text("t", signature=Sig("S", "gemini")),
            ToolCall("s", "web_search", "{}", kind="server", server_kind="web_search"),
            ToolCall("a", "f", "{}", signature=Sig("S", "gemini")),
        ),
        user(ToolResult("a", (Text("1"),), is_error=True)),
        tools=(Function("f", extras={"x": 1}), Custom("f")),
        output=OutputFormat("json_schema", schema={"type": "object", "properties": {"a": {"type": "string"}}}, strict=True),
    )  # fmt: skip
    assert set(losses_of(req)) == {
        "messages.name", "messages[0].content[1].context", "messages[1].content[0]", "messages[1].content[1].signature",
        "messages[1].content[2]", "messages[1].content[3].signature", "messages[2].content[0].is_error", "tools[0].x", "tools[1]",
        "output_config.format",
    }  # fmt: skip


def test_chat_tools_are_not_strict_unless_asked_and_its_log_probabilities_come_along():
    req = foreign(source="openai-chat", tools=(Function("f"), Function("g", strict=True)),
                  sampling=Sampling(logprobs=True, top_logprobs=2))  # fmt: skip
    result = built(req).body
    assert [t["strict"] for t in result["tools"]] == [False, True]
    assert result["include"][0] == "message.output_text.logprobs"
    assert result["top_logprobs"] == 2


def test_the_size_of_a_search_is_kept():
    tool = ServerTool("web_search", "web_search", "openai-chat", {"context_size": "low"})
    assert built(foreign(tools=(tool,))).body["tools"] == [
        {"type": "web_search", "search_context_size": "low"}
    ]


def test_a_tool_of_the_provider_is_chosen_by_its_type():
    tools = (ServerTool("code_execution", "code_execution", "anthropic"),)
    req = foreign(tools=tools, tool_choice=ToolChoice("named", (ToolKey("code_execution"),)))
    assert built(req).body["tool_choice"] == {"type": "code_interpreter"}


def test_efforts_the_model_does_not_take_are_clamped():
    req = foreign(thinking=ThinkingConfig("level", level="xhigh"))
    assert (
        built(req, Caps(model="up", efforts=("low", "medium"))).body["reasoning"]["effort"]
        == "medium"
    )


def test_pictures_in_instructions_and_in_files():
    req = parse(
        [{"role": "system", "content": [{"type": "input_text", "text": "A"}, {"type": "input_image", "image_url": "https://x"}]},
         {"role": "user", "content": [{"type": "input_file", "filename": "a.png", "file_data": PNG}]}]
    )  # fmt: skip
    assert req.system == (SystemText("A"),)
    assert [m.parts for m in req.messages] == [
        (Image(Url("https://x")),),
        (Image(Inline("image/png", PNG)),),
    ]
    assert [m.role for m in req.messages] == ["user", "user"]


def test_signatures_that_fit_nowhere_stay_where_they_are():
    def sealed(value):
        return {"type": "reasoning", "summary": [], "encrypted_content": wrap(Sig(value, "gemini"))}

    req = parse([sealed("^a"), sealed("b"), sealed("c"), CALL, sealed("d"), SAID])
    assert [
        (type(p), p.signature and p.signature.value) for m in req.messages for p in m.parts
    ] == [
        (Thinking, "a"),
        (Thinking, "b"),
        (ToolCall, "c"),
        (Thinking, "d"),
        (Text, None),
    ]


def test_a_model_and_some_input_are_needed():
    for given, param in (({"input": "x"}, "model"), ({"model": "m"}, "input")):
        with pytest.raises(BadRequest) as caught:
            DIALECT.parse(given, ParseMeta())
        assert caught.value.param == param


def test_fields_that_have_a_neutral_form_are_no_extras():
    req = parse(
        instructions="I", max_output_tokens=1, temperature=1, top_p=1, top_logprobs=1, reasoning={"effort": "low", "summary": "auto"},
        text={"format": {"type": "text"}, "verbosity": "low"}, tools=[], tool_choice="auto", parallel_tool_calls=True, store=False,
        metadata={}, service_tier="auto", safety_identifier="u", user="u", prompt_cache_key="k", stream=True,
        previous_response_id="r", conversation="c",
    )  # fmt: skip
    assert req.extras == {}
    assert (req.meta.previous_response_id, req.meta.conversation, req.meta.session) == (
        "r",
        "c",
        "k",
    )


def test_whose_turn_each_item_is():
    custom = {"type": "custom_tool_call", "call_id": "c", "name": "q", "input": "x"}
    items = [ASKED, THOUGHT, CALL, OUTPUT, custom, {"type": "custom_tool_call_output", "call_id": "c", "output": "y"},
             {"type": "local_shell_call", "id": "l"}, {"type": "local_shell_call_output", "id": "l"},
             {"type": "mcp_approval_response", "id": "m"}, {"type": "web_search_call", "id": "w"}]  # fmt: skip
    assert [m.role for m in parse(items).messages] == [
        "user", "assistant", "assistant", "user", "assistant", "user", "assistant", "user", "user", "assistant",
    ]  # fmt: skip


# ---- what only this API says ------------------------------------------------------------------
def test_other_settings_of_reasoning_stay_without_an_effort():
    req = parse("hi", reasoning={"mode": "deep"})
    assert built(req).body["reasoning"] == {"mode": "deep"}
    assert not losses_of(req)
    thoughtless = Caps(model="m", known=True)
    assert "reasoning" not in built(req, thoughtless).body
    assert "reasoning" in losses_of(req, thoughtless)


def test_a_cache_hint_of_sound_stays_with_it():
    part = {
        "type": "input_audio",
        "input_audio": {"data": "SUQzBAAAAAAA", "format": "mp3"},
        "prompt_cache_breakpoint": {"mode": "explicit"},
    }
    req = parse([{"role": "user", "content": [part]}])
    assert built(req).body["input"][0]["content"] == [part]


@pytest.mark.parametrize(
    "include", [["message.output_text.logprobs"], ["x", "message.output_text.logprobs"]]
)
def test_asking_for_logprobs_is_understood_and_said_again(include):
    req = parse("hi", include=include, top_logprobs=2)
    assert req.sampling.logprobs is True
    assert built(req).body["include"] == include

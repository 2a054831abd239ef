"""Messages requests: read, and written again for a Claude upstream, they mean the same."""

from __future__ import annotations

import base64
import copy
import json

import pytest

from cliproxy.base.errors import Unsupported
from cliproxy.dialects import ParseMeta
from cliproxy.dialects.anthropic import DIALECT
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

USER = {"role": "user", "content": "hi"}
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n0000").decode()
JPEG = base64.b64encode(b"\xff\xd8\xff\xe0000").decode()
PDF = base64.b64encode(b"%PDF-1.7").decode()
OPEN = Caps(model="up")
EPHEMERAL = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}


def body(messages=None, **more):
    return {"model": "m", "max_tokens": 100, "messages": messages or [USER], **more}


def parse(value=None, meta=None, **more):
    value = body(value, **more) if not isinstance(value, dict) else value
    return DIALECT.parse(value, meta or ParseMeta())


def built(req, caps=OPEN, operation="generate"):
    return DIALECT.build(req, caps, operation)


def foreign(*messages, source="openai-chat", **more):
    found = messages or (Message("user", (Text("hi"),)),)
    return IRRequest(model="m", source=source, messages=found, **more)


def losses_of(req, caps=OPEN):
    return {loss.field: (loss.severity, loss.action) for loss in built(req, caps).losses}


def wire_of(*messages, caps=OPEN, **more):
    return built(foreign(*messages, **more), caps).body["messages"]


def user(*parts):
    return Message("user", parts)


def assistant(*parts):
    return Message("assistant", parts)


def canonical(value):
    """Say short forms in full, and defaults not at all, so that bodies compare by meaning."""
    value = copy.deepcopy(value)
    value.pop("stream", None)
    if isinstance(value.get("system"), str):
        value["system"] = [{"type": "text", "text": value["system"]}]
    for message in value["messages"]:
        if isinstance(message["content"], str):
            message["content"] = [{"type": "text", "text": message["content"]}]
        for block in message["content"]:
            if block["type"] == "tool_result" and isinstance(block.get("content"), str):
                block["content"] = [{"type": "text", "text": block["content"]}]
    for tool in value.get("tools", ()):
        if tool.get("type") == "custom":
            del tool["type"]
    return value


# ---- the same dialect on both sides -----------------------------------------------------------
WEATHER = {
    "name": "get_weather",
    "description": "Weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Oslo"}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "5C"}
SEARCH = {
    "type": "server_tool_use",
    "id": "srvtoolu_1",
    "name": "web_search",
    "input": {"query": "q"},
}
FOUND = {
    "type": "web_search_tool_result",
    "tool_use_id": "srvtoolu_1",
    "content": [
        {
            "type": "web_search_result",
            "url": "https://x",
            "title": "X",
            "encrypted_content": "E",
            "page_age": None,
        }
    ],
}
CITED = {
    "type": "text",
    "text": "so",
    "citations": [
        {
            "type": "web_search_result_location",
            "url": "https://x",
            "title": "X",
            "encrypted_index": "I",
            "cited_text": "c",
        },
        {
            "type": "char_location",
            "document_index": 0,
            "document_title": None,
            "start_char_index": 0,
            "end_char_index": 2,
            "cited_text": "ab",
        },
    ],
}
THOUGHT = {"type": "thinking", "thinking": " Hmm …\n", "signature": "EqQB"}
SAME = {
    "a word": {},
    "instructions": {"system": "be kind"},
    "instruction blocks with hints": {"system": [
        {"type": "text", "text": "A"}, {"type": "text", "text": "B", "cache_control": HOUR}]},
    "sampling": {"temperature": 0.5, "top_p": 0.9, "top_k": 5, "stop_sequences": ["a", "\nb"]},
    "no tokens at all, to warm the cache": {"max_tokens": 0},
    "a conversation": {"messages": [USER, {"role": "assistant", "content": "yo"}, USER]},
    "instructions in place": {"messages": [
        USER, {"role": "assistant", "content": "yo"}, {"role": "system", "content": "mind"}, USER]},
    "every medium": {"messages": [{"role": "user", "content": [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}, "cache_control": EPHEMERAL},
        {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
         "title": "T", "context": "C", "citations": {"enabled": True}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "plain"}},
        {"type": "document", "source": {"type": "url", "url": "https://x/y.pdf"}},
        {"type": "document", "source": {"type": "file", "file_id": "file_2"}},
        {"type": "document", "source": {"type": "content", "content": [
            {"type": "text", "text": "in"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}]}},
        {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "x"}]},
        {"type": "container_upload", "file_id": "file_3"},
    ]}]},
    "a tool round": {"tools": [WEATHER], "messages": [
        USER, {"role": "assistant", "content": [THOUGHT, {"type": "text", "text": "wait"}, CALL]},
        {"role": "user", "content": [{**RESULT, "is_error": False, "cache_control": EPHEMERAL},
                                     {"type": "text", "text": "and?"}]}]},
    "results with media": {"tools": [WEATHER], "messages": [
        USER, {"role": "assistant", "content": [CALL]},
        {"role": "user", "content": [{**RESULT, "is_error": True, "content": [
            {"type": "text", "text": "a"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "d"}},
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}},
            {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "x"}]},
            {"type": "tool_reference", "tool_name": "get_weather"}]}]}]},
    "an empty result": {"tools": [WEATHER], "messages": [
        USER, {"role": "assistant", "content": [CALL]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1"}]}]},
    "parallel calls": {"tools": [WEATHER], "messages": [
        USER, {"role": "assistant", "content": [CALL, {**CALL, "id": "toolu_2", "input": {}}]},
        {"role": "user", "content": [RESULT, {**RESULT, "tool_use_id": "toolu_2"}]}]},
    "the provider's own tools": {
        "tools": [
            {"type": "web_search_20260318", "name": "web_search", "max_uses": 3, "allowed_domains": ["x"],
             "user_location": {"type": "approximate", "city": "Oslo"}, "response_inclusion": "full"},
            {"type": "web_fetch_20260318", "name": "web_fetch", "citations": {"enabled": True}},
            {"type": "code_execution_20260521", "name": "code_execution"},
            {"type": "bash_20250124", "name": "bash"},
            {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool", "max_characters": 9},
            {"type": "memory_20250818", "name": "memory"},
            {"type": "computer_20250124", "name": "computer", "display_width_px": 9, "display_height_px": 9},
            {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"},
            {"type": "mcp_toolset", "name": "mcp_toolset", "mcp_server_name": "s"},
            {"type": "of_the_future_20990101", "name": "future", "size": 4},
        ],
        "messages": [USER, {"role": "assistant", "content": [
            SEARCH, FOUND, CITED,
            {"type": "server_tool_use", "id": "srvtoolu_2", "name": "bash_code_execution", "input": {"command": "ls"}},
            {"type": "bash_code_execution_tool_result", "tool_use_id": "srvtoolu_2", "content": {
                "type": "bash_code_execution_result", "stdout": "a", "stderr": "", "return_code": 0, "content": []}},
            {"type": "mcp_tool_use", "id": "mcptoolu_1", "name": "n", "server_name": "s", "input": {}},
            {"type": "mcp_tool_result", "tool_use_id": "mcptoolu_1", "is_error": False, "content": []},
            {"type": "of_the_future", "depth": [1, {"x": 2}]},
        ]}, USER]},
    "redacted thinking": {"messages": [
        USER, {"role": "assistant", "content": [{"type": "redacted_thinking", "data": "EmwK"},
                                                {"type": "thinking", "thinking": "", "signature": "Es"},
                                                {"type": "text", "text": "x"}]}, USER]},
    "a tool in full": {"tools": [{**WEATHER, "type": "custom", "strict": True, "cache_control": HOUR, "defer_loading": True,
                                  "input_examples": [{"city": "A"}], "eager_input_streaming": True,
                                  "allowed_callers": ["direct"]}]},
    "auto": {"tools": [WEATHER], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
    "any": {"tools": [WEATHER], "tool_choice": {"type": "any", "disable_parallel_tool_use": False}},
    "one": {"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "get_weather"}},
    "none": {"tools": [WEATHER], "tool_choice": {"type": "none"}},
    "thinking by budget": {"max_tokens": 9000, "thinking": {"type": "enabled", "budget_tokens": 2048, "display": "omitted"}},
    "adaptive thinking": {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "max"}},
    "thinking between tools": {"thinking": {"type": "between_tools"}},
    "no thinking": {"thinking": {"type": "disabled"}},
    "effort beside a budget": {"max_tokens": 9000, "thinking": {"type": "enabled", "budget_tokens": 2048},
                               "output_config": {"effort": "low"}},
    "effort without thinking": {"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}},
    "effort alone": {"output_config": {"effort": "low"}},
    "a schema": {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}, "name": "n"},
                                   "effort": "high", "task_budget": {"type": "tokens", "total": 5}}},
    "who and how": {"metadata": {"user_id": "u", "more": "x"}, "service_tier": "standard_only", "cache_control": HOUR},
    "fields of the future": {"container": {"id": "c"}, "speed": "fast", "inference_geo": "eu",
                             "mcp_servers": [{"type": "url", "url": "https://x", "name": "s"}],
                             "context_management": {"edits": [{"type": "clear_thinking_20251015"}]}, "new": {"a": [1]}},
}  # fmt: skip


@pytest.mark.parametrize("more", SAME.values(), ids=SAME)
def test_a_request_is_rebuilt_with_the_same_meaning(more):
    given = {**body(), **more}
    before = json.dumps(given)
    result = built(parse(given))
    assert canonical(result.body) == canonical({**given, "model": "up"})
    assert json.dumps(given) == before, "the client's body was changed"


@pytest.mark.parametrize("more", SAME.values(), ids=SAME)
def test_building_twice_gives_the_same_bytes(more):
    req = parse({**body(), **more})
    assert json.dumps(built(req).body) == json.dumps(built(req).body)


def marked(value, path=()):
    """Yield (body with an unknown member in one object, where)."""
    places = [path] if isinstance(value, dict) else []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        if isinstance(inner, dict | list):
            places += marked(inner, (*path, key))
    return places


@pytest.mark.parametrize("more", SAME.values(), ids=SAME)
def test_no_unknown_member_anywhere_is_dropped_silently(more):
    given = {**body(), **more}
    for place in marked(given):
        if place and place[-1] == "cache_control":
            continue  # a fixed form, kept by its meaning
        changed = copy.deepcopy(given)
        target = changed
        for key in place:
            target = target[key]
        target["x_new"] = "new-value-7531"
        result = built(parse(changed))
        told = json.dumps(result.body) + str(result.losses)
        assert "x_new" in told, f"x_new at {place} is lost"


def test_stream_is_written_when_asked_for():
    assert built(parse(stream=True)).body["stream"] is True
    assert "stream" not in built(parse(stream=True), operation="count").body


def test_beta_flags_of_the_client_are_kept_and_those_of_the_body_added():
    meta = ParseMeta(headers={"anthropic-beta": "one, two,one"})
    req = parse(meta=meta, context_management={"edits": []}, betas=["three", 5])
    result = built(req)
    assert result.headers == {"anthropic-beta": "one,two,three,context-management-2025-06-27"}
    assert "betas" not in result.body
    assert built(parse()).headers == {}


def test_counting_keeps_only_what_the_endpoint_takes():
    req = DIALECT.parse(
        {"model": "m", "messages": [USER], "system": "s", "temperature": 1, "new": 1},
        ParseMeta(operation="count"),
    )
    assert built(req, operation="count").body == {
        "model": "up",
        "system": [{"type": "text", "text": "s"}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
    }
    assert json.loads(DIALECT.render_count(7)) == {"input_tokens": 7}
    assert DIALECT.read_count(b'{"input_tokens": 7}') == 7


def test_edge_131_numbers_in_arguments_keep_every_digit():
    given = body([USER, {"role": "assistant", "content": [
        {**CALL, "input": {"a": 12345678901234567890, "b": [True, None]}}]}, {"role": "user", "content": [RESULT]}])  # fmt: skip
    call = built(parse(given)).body["messages"][1]["content"][0]
    assert call["input"] == {"a": 12345678901234567890, "b": [True, None]}


# ---- reading ----------------------------------------------------------------------------------
def test_blocks_become_parts():
    req = parse(
        [
            {"role": "user", "content": [
                {"type": "text", "text": "a", "cache_control": HOUR},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
                {"type": "image", "source": {"type": "url", "url": "https://x"}},
                {"type": "document", "title": "t", "source": {"type": "text", "media_type": "text/plain", "data": "d"}},
                {"type": "document", "source": {"type": "file", "file_id": "f"}},
            ]},
            {"role": "assistant", "content": [THOUGHT, {"type": "redacted_thinking", "data": "D"}, CALL]},
            {"role": "user", "content": [RESULT]},
        ]
    )  # fmt: skip
    first, second, third = (m.parts for m in req.messages)
    assert first == (
        Text("a", cache=Cache("1h")),
        Image(Inline("image/png", PNG)),
        Image(Url("https://x")),
        Document(PlainText("d"), title="t"),
        Document(FileId("f", "anthropic")),
    )
    assert second == (
        Thinking(" Hmm …\n", Sig("EqQB", "claude"), paragraphs=(" Hmm …\n",)),
        Thinking(signature=Sig("D", "claude"), redacted=True),
        ToolCall("toolu_1", "get_weather", '{"city":"Oslo"}'),
    )
    assert third == (ToolResult("toolu_1", (Text("5C"),)),)


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (None, ()),
        ("", ()),
        ("x", (Text("x"),)),
        (["x"], (Text("x"),)),
        ({"a": 1}, (Text('{"a":1}'),)),
        ({"type": "text", "text": "x"}, (Text("x"),)),
        ([{"type": "text", "text": ""}], (Text(""),)),
    ],
    ids=["edge-104-null", "edge-104-empty", "text", "texts", "edge-103-object", "block", "blank"],
)
def test_the_forms_of_a_tool_result(content, parts):
    req = parse([USER, {"role": "assistant", "content": [CALL]},
                 {"role": "user", "content": [{**RESULT, "content": content}]}])  # fmt: skip
    assert req.messages[2].parts == (ToolResult("toolu_1", parts),)


def test_edge_107_a_picture_without_data_is_refused_by_name():
    from cliproxy.base.errors import BadRequest

    with pytest.raises(BadRequest) as caught:
        parse([{"role": "user", "content": [{"type": "image", "source": {"type": "base64"}}]}])
    assert caught.value.param == "messages[0].content[0].source.data"


@pytest.mark.parametrize(
    "data", [PNG.rstrip("="), PNG.replace("+", "-").replace("/", "_"), PNG[:4] + "\n" + PNG[4:]]
)
def test_base64_is_cleaned_and_its_type_found(data):
    block = {"type": "image", "source": {"type": "base64", "data": data}}
    [message] = parse([{"role": "user", "content": [block]}]).messages
    assert message.parts == (Image(Inline("image/png", PNG)),)


def test_the_session_is_found_in_both_forms_of_the_user_id():
    plain = parse(metadata={"user_id": "user_abc_account__session_123"})
    made = parse(metadata={"user_id": json.dumps({"device_id": "d", "session_id": "s"})})
    assert (plain.meta.session, made.meta.session) == ("123", "s")
    assert parse(metadata={"user_id": "bob"}).meta.session is None
    assert parse(metadata={"user_id": "{bad"}).meta.session is None


@pytest.mark.parametrize(
    ("more", "config"),
    [
        ({}, ThinkingConfig()),
        ({"thinking": {"type": "disabled"}}, ThinkingConfig("off")),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, ThinkingConfig("budget", budget=2000)),
        ({"thinking": {"type": "enabled", "budget_tokens": -1}}, ThinkingConfig("auto")),
        ({"thinking": {"type": "enabled", "budget_tokens": 0}}, ThinkingConfig("off")),
        ({"thinking": {"type": "enabled"}}, ThinkingConfig("auto")),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, ThinkingConfig("auto", visible=False, adaptive=True)),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
         ThinkingConfig("level", level="low", adaptive=True)),
        ({"output_config": {"effort": "high"}}, ThinkingConfig("level", level="high", effort_only=True)),
    ],
)  # fmt: skip
def test_edge_160_how_much_to_think(more, config):
    assert parse(**more).thinking == config


def test_signatures_of_calls_and_text_come_back_to_where_they_were():
    def block(sig):
        return {"type": "thinking", "thinking": "", "signature": sig}

    before = wrap(Sig("G1", "gemini"))
    after = wrap(Sig("^G2", "gemini"))
    texts = {"type": "text", "text": "a"}
    req = parse([USER, {"role": "assistant", "content": [
        texts, block(after), block(before), CALL, {**CALL, "id": "toolu_2"}]}])  # fmt: skip
    assert req.messages[1].parts == (
        Text("a", signature=Sig("G2", "gemini")),
        ToolCall("toolu_1", "get_weather", '{"city":"Oslo"}', signature=Sig("G1", "gemini")),
        ToolCall("toolu_2", "get_weather", '{"city":"Oslo"}'),
    )
    lone = parse([USER, {"role": "assistant", "content": [block(before), texts, block(before)]}])
    assert lone.messages[1].parts == (
        Thinking(signature=Sig("G1", "gemini")), Text("a"), Thinking(signature=Sig("G1", "gemini")),
    )  # fmt: skip
    own = parse([USER, {"role": "assistant", "content": [block("Eown"), CALL]}])
    assert own.messages[1].parts[0] == Thinking(signature=Sig("Eown", "claude"))


# ---- what the API demands ---------------------------------------------------------------------
def test_edge_83_results_come_first_in_the_users_turn():
    messages = [
        USER,
        {"role": "assistant", "content": [CALL]},
        {"role": "user", "content": [{"type": "text", "text": "before"}, RESULT, {"type": "text", "text": "after"}]},
    ]  # fmt: skip
    kinds = [b["type"] for b in built(parse(messages)).body["messages"][2]["content"]]
    assert kinds == ["tool_result", "text", "text"]


def test_edge_84_calls_come_last_in_the_assistants_turn():
    turn = [{"type": "text", "text": "a"}, CALL, {"type": "text", "text": "b"}]
    messages = [USER, {"role": "assistant", "content": turn}, {"role": "user", "content": [RESULT]}]
    content = built(parse(messages)).body["messages"][1]["content"]
    assert [b.get("text", b.get("id")) for b in content] == ["a", "b", "toolu_1"]


def test_edge_85_86_results_of_parallel_calls_and_the_next_words_share_a_turn():
    wire = wire_of(
        user(Text("hi")),
        assistant(ToolCall("a", "f", "{}"), ToolCall("b", "g", "{}")),
        user(ToolResult("a", (Text("1"),))),
        user(ToolResult("b", (Text("2"),))),
        user(Text("so?")),
    )
    assert [m["role"] for m in wire] == ["user", "assistant", "user"]
    assert [b.get("tool_use_id", b.get("text")) for b in wire[2]["content"]] == ["a", "b", "so?"]


def test_edge_92_a_call_nobody_answered_gets_a_result_and_is_reported():
    req = foreign(user(Text("hi")), assistant(ToolCall("a", "f", "{}")), user(Text("never mind")))
    content = built(req).body["messages"][2]["content"]
    assert content[0] == {
        "type": "tool_result",
        "tool_use_id": "a",
        "is_error": True,
        "content": "[no result]",
    }
    assert losses_of(req) == {"tool_call(a)": ("warn", "synthesised")}


def test_edge_91_a_result_without_a_call_is_told_as_text():
    [message] = wire_of(user(ToolResult("ghost", (Text("boo"),)), Text("hi")))
    assert [b["text"] for b in message["content"]] == ["Result of tool call ghost:", "boo", "hi"]


@pytest.mark.parametrize("call_id", ["functions.Bash:0", "a|b", "x" * 80, ""])
def test_edge_97_98_ids_are_made_legal_alike_on_both_sides(call_id):
    wire = wire_of(
        user(Text("hi")),
        assistant(ToolCall(call_id, "f", "{}")),
        user(ToolResult(call_id, (Text("1"),))),
    )
    used = wire[1]["content"][0]["id"]
    assert used == wire[2]["content"][0]["tool_use_id"]
    assert used
    assert used.replace("_", "").replace("-", "").isalnum()
    assert len(used) <= 64


def test_edge_99_100_long_and_colliding_names_are_told_apart_and_restored():
    long, one, other = "x" * 80, "a.b", "a:b"
    tools = tuple(Function(name) for name in (long, one, other))
    req = foreign(tools=tools, tool_choice=ToolChoice("named", (ToolKey(other),)))
    result = built(req)
    names = [tool["name"] for tool in result.body["tools"]]
    assert len(set(names)) == 3
    assert all(len(name) <= 64 and "." not in name and ":" not in name for name in names)
    assert result.body["tool_choice"]["name"] == names[2]
    assert [result.restore.tools[name].name for name in names] == [long, one, other]


@pytest.mark.parametrize(
    ("args", "value"),
    [("", {}), ("  ", {}), ('{"a":1}', {"a": 1}), ("[1]", {}), ("{bad", {"_raw": "{bad"})],
)  # fmt: skip
def test_edge_102_arguments_are_always_an_object(args, value):
    wire = wire_of(
        user(Text("hi")), assistant(ToolCall("a", "f", args)), user(ToolResult("a", (Text("1"),)))
    )
    assert wire[1]["content"][0]["input"] == value


def test_edge_112_a_freeform_tool_becomes_a_function_and_is_restored():
    tool = Custom("sql", "Run", {"type": "grammar", "syntax": "lark", "definition": "start: X"})
    req = foreign(
        user(Text("hi")),
        assistant(ToolCall("a", "sql", "SELECT\n2", kind="custom")),
        user(ToolResult("a", (Text("1"),), kind="custom")),
        tools=(tool,),
    )
    result = built(req)
    [declared] = result.body["tools"]
    assert declared["input_schema"]["required"] == ["input"]
    assert "start: X" in declared["description"]
    assert result.body["messages"][1]["content"][0]["input"] == {"input": "SELECT\n2"}
    assert result.restore.tools["sql"].custom
    assert losses_of(req) == {"tools[0].format": ("warn", "approximated")}


def test_edge_117_leading_instructions_are_separate_blocks():
    req = foreign(system=(SystemText("A"), SystemText(" "), SystemText("B", developer=True)))
    assert [b["text"] for b in built(req).body["system"]] == ["A", "B"]


def test_edge_118_later_instructions_go_to_the_top_unless_the_model_takes_them_in_place():
    messages = (
        user(Text("u")),
        assistant(Text("a")),
        Message("system", (Text("B"),)),
        user(Text("v")),
    )
    moved = built(foreign(*messages)).body
    assert [b["text"] for b in moved["system"]] == ["B"]
    assert [m["role"] for m in moved["messages"]] == ["user", "assistant", "user"]
    kept = built(foreign(*messages), Caps(model="up", mid_system=True)).body
    assert "system" not in kept
    assert [m["role"] for m in kept["messages"]] == ["user", "assistant", "system", "user"]


@pytest.mark.parametrize(
    ("system", "said", "left"),
    [(("A",), ".", ["A"]), (("A", "B"), "B", ["A"])],
    ids=["edge-119-one", "edge-119-two"],
)
def test_instructions_alone_are_answered(system, said, left):
    req = IRRequest(
        model="m", source="openai-chat", messages=(), system=tuple(SystemText(s) for s in system)
    )
    result = built(req).body
    assert result["messages"] == [{"role": "user", "content": [{"type": "text", "text": said}]}]
    assert [b["text"] for b in result["system"]] == left


def test_a_conversation_begins_with_the_user():
    req = foreign(assistant(Text("hello")), user(Text("hi")))
    assert [m["role"] for m in built(req).body["messages"]] == ["user", "assistant", "user"]
    assert losses_of(req) == {"messages[0]": ("info", "synthesised")}


def test_edge_122_blank_text_is_left_out_everywhere():
    wire = wire_of(
        user(Text(""), Text(" \n"), Text("hi")),
        assistant(Text("\t")),
        user(Text("again")),
    )
    assert wire == [{"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "text", "text": "again"}]}]  # fmt: skip


def test_a_begun_answer_loses_its_trailing_blanks_or_is_dropped_where_refused():
    req = foreign(user(Text("hi")), assistant(Text("Well, ")))
    assert built(req).body["messages"][1]["content"][0]["text"] == "Well,"
    caps = Caps(model="up", prefill=False)
    assert [m["role"] for m in built(req, caps).body["messages"]] == ["user"]
    assert "messages" in losses_of(req, caps)


def test_edge_133_only_claudes_own_thinking_is_replayed_and_an_empty_turn_goes():
    req = foreign(
        user(Text("a")),
        assistant(Thinking("x")),
        user(Text("b")),
        assistant(Thinking("y", Sig("G", "gemini")), Text("c")),
        assistant(Thinking("z", Sig("E", "claude"))),
        user(Text("d")),
    )
    wire = built(req).body["messages"]
    assert [m["role"] for m in wire] == ["user", "assistant", "user"]
    assert [b["type"] for b in wire[1]["content"]] == ["text", "thinking"]
    assert wire[1]["content"][1] == {"type": "thinking", "thinking": "z", "signature": "E"}
    assert all(severity == "info" for severity, _ in losses_of(req).values())


# ---- media ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("part", "block"),
    [
        (Image(Inline("image/jpg", JPEG)),
         {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": JPEG}}),
        (Image(Inline("image/jpeg", PNG)),
         {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}),
        (Image(Url("https://x")), {"type": "image", "source": {"type": "url", "url": "https://x"}}),
        (Document(Inline("application/pdf", PDF), title="a.pdf"),
         {"type": "document", "title": "a.pdf",
          "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}}),
        (Document(Inline("text/csv", base64.b64encode("ü,1".encode()).decode())),
         {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "ü,1"}}),
        (Document(Url("https://x.pdf")), {"type": "document", "source": {"type": "url", "url": "https://x.pdf"}}),
        (Refusal("no"), {"type": "text", "text": "no"}),
    ],
)  # fmt: skip
def test_media_of_other_dialects(part, block):
    [message] = wire_of(user(part))
    assert message["content"] == [block]


@pytest.mark.parametrize(
    ("part", "severity"),
    [
        (Image(Inline("image/svg+xml", "AAAA")), "error"),
        (Image(FileId("f", "gemini")), "error"),
        (Image(Url("gs://x")), "error"),
        (Audio(Inline("audio/wav", "AAAA")), "error"),
        (Video(Url("https://v")), "error"),
        (Document(Inline("application/zip", "AAAA")), "error"),
        (Document(FileId("f", "openai-chat")), "error"),
        (Document(Url("gs://x")), "error"),
        (Opaque("gemini", {"x": 1}, "x"), "warn"),
    ],
)
def test_what_claude_cannot_take_is_reported(part, severity):
    req = foreign(user(Text("hi"), part))
    assert losses_of(req) == {"messages[0].content[1]": (severity, "dropped")}
    assert len(built(req).body["messages"][0]["content"]) == 1


def test_edge_105_documents_and_pictures_in_results_reach_the_model():
    parts = (
        Text("a"),
        Image(Inline("image/png", PNG)),
        Document(PlainText("text"), title="n.txt"),
        Document(Inline("application/pdf", PDF)),
    )
    wire = wire_of(user(Text("hi")), assistant(ToolCall("a", "f")), user(ToolResult("a", parts)))
    content = wire[2]["content"][0]["content"]
    assert [b["type"] for b in content] == ["text", "image", "document", "document"]
    assert content[2]["source"] == {"type": "text", "media_type": "text/plain", "data": "text"}
    assert content[3]["source"]["media_type"] == "application/pdf"


# ---- tools ------------------------------------------------------------------------------------
def test_edge_149_152_schemas_get_an_object_at_the_root():
    tools = (
        Function(
            "a", schema={"anyOf": [{"type": "object", "properties": {"x": {"type": "string"}}}]}
        ),
        Function("b", schema={"type": "OBJECT", "properties": {"y": {"type": "STRING"}}}),
        Function("c"),
    )
    schemas = [t["input_schema"] for t in built(foreign(tools=tools)).body["tools"]]
    assert [s["type"] for s in schemas] == ["object"] * 3
    assert "anyOf" not in schemas[0]
    assert schemas[0]["properties"] == {"x": {"type": "string"}}
    assert schemas[1]["properties"]["y"]["type"] == "string"


@pytest.mark.parametrize(
    ("choice", "parallel", "wire"),
    [
        (ToolChoice("auto"), None, {"type": "auto"}),
        (ToolChoice("none"), False, {"type": "none"}),
        (ToolChoice("required"), True, {"type": "any", "disable_parallel_tool_use": False}),
        (ToolChoice("named", (ToolKey("f"),)), False, {"type": "tool", "name": "f", "disable_parallel_tool_use": True}),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (None, True, None),
        (ToolChoice("named", (ToolKey("code_execution", None, "server"),)), None, None),
    ],
    ids=["auto", "none", "edge-110", "edge-110-one", "edge-111", "nothing", "of a tool that is not there"],
)  # fmt: skip
def test_the_choice_of_a_tool(choice, parallel, wire):
    req = foreign(tools=(Function("f"),), tool_choice=choice, parallel_tools=parallel)
    assert built(req).body.get("tool_choice") == wire


def test_a_set_of_allowed_tools_is_all_that_is_declared():
    req = foreign(
        tools=(Function("f"), Function("g")),
        tool_choice=ToolChoice("allowed", (ToolKey("g"),), required_one=True),
    )
    result = built(req).body
    assert [t["name"] for t in result["tools"]] == ["g"]
    assert result["tool_choice"] == {"type": "any"}


def test_edge_109_without_tools_there_is_no_choice():
    req = foreign(tool_choice=ToolChoice("required"), parallel_tools=False)
    result = built(req)
    assert "tool_choice" not in result.body
    assert losses_of(req) == {"tool_choice": ("warn", "dropped")}


def test_edge_114_web_search_of_other_dialects():
    config = {
        "allowed_domains": ["a"],
        "blocked_domains": ["b"],
        "user_location": {"city": "Oslo"},
        "context_size": "low",
    }
    req = foreign(tools=(ServerTool("web_search", "web_search", "openai-chat", config),))
    assert built(req).body["tools"] == [
        {
            "type": "web_search_20250305",
            "name": "web_search",
            "allowed_domains": ["a"],
            "user_location": {"type": "approximate", "city": "Oslo"},
        }
    ]
    other = foreign(tools=(ServerTool("file_search", "file_search", "openai-responses"),))
    assert losses_of(other) == {"tools[0]": ("error", "dropped")}


def test_a_second_tool_of_the_same_name_is_reported():
    req = foreign(tools=(Function("f", "one"), Function("f", "two")))
    assert [t["description"] for t in built(req).body["tools"]] == ["one"]
    assert losses_of(req) == {"tools[1]": ("warn", "dropped")}


# ---- scalars ----------------------------------------------------------------------------------
def test_max_tokens_is_invented_only_where_the_client_was_silent():
    assert built(foreign()).body["max_tokens"] == 32000
    assert built(foreign(), Caps(model="up", max_output=8192)).body["max_tokens"] == 8192
    assert built(foreign(sampling=Sampling(max_output=5))).body["max_tokens"] == 5


def test_edge_125_sampling_within_what_the_model_takes():
    req = foreign(sampling=Sampling(temperature=1.7, top_p=0.5, top_k=3))
    assert {k: v for k, v in built(req).body.items() if k.startswith("t")} == {
        "temperature": 1, "top_p": 0.5, "top_k": 3,
    }  # fmt: skip
    narrow = built(req, Caps(model="up", sampling=False))
    assert not {"temperature", "top_p", "top_k"} & narrow.body.keys()
    assert {loss.field for loss in narrow.losses} == {"temperature", "top_p", "top_k"}
    assert "top_p" not in built(req, Caps(model="up", exclusive_temp_top_p=True)).body


def test_what_this_api_has_no_field_for_is_reported():
    req = foreign(
        sampling=Sampling(seed=1, n=2, presence_penalty=0.1, logprobs=True, stop=(" ", "a"), logit_bias={"1": 1}),
        output=OutputFormat("json", verbosity="low", modalities=("text", "audio")),
        meta=Meta(metadata={"a": "b"}, store=True, prompt_cache_key="k", service_tier="flex"),
        safety=({"category": "x"},),
        extras={"prediction": 1},
    )  # fmt: skip
    assert set(losses_of(req)) == {
        "seed", "n", "presence_penalty", "logprobs", "stop", "logit_bias", "response_format", "verbosity",
        "modalities", "metadata", "store", "prompt_cache_key", "service_tier", "safetySettings", "prediction",
    }  # fmt: skip
    assert built(req).body["stop_sequences"] == ["a"]


@pytest.mark.parametrize(
    "more",
    [
        {"meta": Meta(previous_response_id="resp_1")},
        {"meta": Meta(conversation="conv_1")},
        {"extras": {"prompt": {"id": "p"}}},
    ],
)
def test_what_another_provider_keeps_cannot_be_resolved(more):
    with pytest.raises(Unsupported):
        built(foreign(source="openai-responses", **more))


def test_a_reference_to_an_item_kept_elsewhere_cannot_be_resolved():
    reference = Opaque("openai-responses", {"type": "item_reference", "id": "x"}, "item_reference")
    with pytest.raises(Unsupported):
        built(foreign(assistant(reference), source="openai-responses"))


@pytest.mark.parametrize(
    ("tier", "fields"),
    [("auto", {"service_tier": "auto"}), ("default", {"service_tier": "standard_only"}), ("priority", {"speed": "fast"})],
)  # fmt: skip
def test_service_tiers(tier, fields):
    result = built(foreign(meta=Meta(service_tier=tier)))
    assert fields.items() <= result.body.items()
    assert bool(result.headers) is ("speed" in fields)


def test_a_schema_travels_in_output_config():
    req = foreign(
        output=OutputFormat("json_schema", name="n", schema={"type": "object"}, strict=True)
    )
    assert built(req).body["output_config"] == {
        "format": {
            "type": "json_schema",
            "schema": {"type": "object", "additionalProperties": False},
        }
    }


def test_open_objects_of_an_answer_are_closed_and_reported():
    schema = {"type": "object", "additionalProperties": {"type": "string"}}
    req = foreign(output=OutputFormat("json_schema", schema=schema))
    assert built(req).body["output_config"]["format"]["schema"] == {
        "type": "object",
        "additionalProperties": False,
    }
    assert set(losses_of(req)) == {"response_format.schema"}


def test_extras_of_other_dialects_are_reported_part_by_part():
    req = foreign(user(Text("hi", extras={"video_metadata": 1}, citations=({"kind": "url"},))))
    assert set(losses_of(req)) == {
        "messages[0].content[0].video_metadata",
        "messages[0].content[0].citations",
    }


# ---- cache hints ------------------------------------------------------------------------------
def hints(wire):
    blocks = [
        *wire.get("tools", ()),
        *wire.get("system", ()),
        *(b for m in wire["messages"] for b in m["content"]),
    ]
    return [b["cache_control"].get("ttl", "5m") if "cache_control" in b else "" for b in blocks]


@pytest.mark.parametrize(
    ("tools", "system", "blocks", "kept"),
    [
        (1, 1, 2, ["5m", "5m", "5m", "5m"]),
        (2, 1, 4, ["", "5m", "5m", "", "", "5m", "5m"]),
        (4, 0, 2, ["", "", "", "5m", "5m", "5m"]),
        (0, 0, 6, ["", "", "5m", "5m", "5m", "5m"]),
        (5, 0, 1, ["", "", "", "", "5m", "5m"]),
    ],
)
def test_edge_136_at_most_four_hints_the_latest_stay(tools, system, blocks, kept):
    given = body(
        [{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": EPHEMERAL}] * blocks}],
        tools=[{"name": f"t{n}", "input_schema": {"type": "object"}, "cache_control": EPHEMERAL} for n in range(tools)],
        system=[{"type": "text", "text": "s", "cache_control": EPHEMERAL}] * system,
    )  # fmt: skip
    assert hints(built(parse(given)).body) == kept


def test_an_hour_after_five_minutes_becomes_five_minutes_and_the_clients_body_stays():
    text = {"type": "text", "text": "x"}
    search = {
        "type": "search_result",
        "source": "s",
        "title": "t",
        "content": [text],
        "cache_control": dict(HOUR),
    }
    given = body(
        [
            {
                "role": "user",
                "content": [
                    {**text, "cache_control": HOUR},
                    {**text, "cache_control": EPHEMERAL},
                    search,
                ],
            }
        ]
    )
    before = json.dumps(given)
    result = built(parse(given))
    assert hints(result.body) == ["1h", "5m", "5m"]
    assert [loss.field for loss in result.losses] == ["cache_control.ttl"]
    assert json.dumps(given) == before


@pytest.mark.parametrize(
    ("ttl", "wire"),
    [(None, EPHEMERAL), ("5m", {**EPHEMERAL, "ttl": "5m"}), ("1h", HOUR), ("12h", HOUR)],
)
def test_hints_of_other_dialects(ttl, wire):
    [message] = wire_of(user(Text("x", cache=Cache(ttl))))
    assert message["content"][0]["cache_control"] == wire


# ---- thinking ---------------------------------------------------------------------------------
BUDGET = Caps(
    model="up", known=True, thinking=ThinkingCaps(min=1024, max=128000, zero_allowed=True)
)
LEVELS = Caps(
    model="up", known=True, thinking=ThinkingCaps(levels=("low", "medium", "high", "max"))
)
NONE = Caps(model="up", known=True)


@pytest.mark.parametrize(
    ("config", "limit", "caps", "wire", "effort"),
    [
        (ThinkingConfig("level", level="medium"), 20000, BUDGET, {"type": "enabled", "budget_tokens": 8192}, None),
        (ThinkingConfig("level", level="high"), 4096, BUDGET, {"type": "enabled", "budget_tokens": 4095}, None),
        (ThinkingConfig("level", level="high"), 900, BUDGET, None, None),
        (ThinkingConfig("level", level="xhigh"), 900, LEVELS, {"type": "adaptive"}, "max"),
        (ThinkingConfig("auto"), 20000, BUDGET, {"type": "enabled", "budget_tokens": 19999}, None),
        (ThinkingConfig("off"), 20000, LEVELS, {"type": "adaptive"}, "low"),
        (ThinkingConfig("off"), 20000, BUDGET, {"type": "disabled"}, None),
        (ThinkingConfig("level", level="high"), 20000, NONE, None, None),
        (ThinkingConfig("budget", budget=5), 20000, OPEN, {"type": "enabled", "budget_tokens": 1024}, None),
    ],
    ids=["medium", "edge-156-cut", "edge-156-off", "edge-155", "auto", "edge-157", "off", "edge-159", "unknown"],
)  # fmt: skip
def test_how_much_claude_is_told_to_think(config, limit, caps, wire, effort):
    req = foreign(source="gemini", sampling=Sampling(max_output=limit), thinking=config)
    result = built(req, caps).body
    assert result.get("thinking") == wire
    assert result.get("output_config", {}).get("effort") == effort


def test_room_is_made_for_thinking_where_the_limit_is_ours():
    req = foreign(source="gemini", thinking=ThinkingConfig("budget", budget=40000))
    result = built(req, BUDGET).body
    assert result["max_tokens"] > result["thinking"]["budget_tokens"] == 40000


def test_edge_135_a_forced_call_excludes_thinking():
    req = foreign(
        tools=(Function("f"),),
        tool_choice=ToolChoice("required"),
        thinking=ThinkingConfig("level", level="high"),
    )
    result = built(req, LEVELS)
    assert "thinking" not in result.body
    assert "output_config" not in result.body
    assert "reasoning_effort" in {loss.field for loss in result.losses}


@pytest.mark.parametrize("thought", [True, False])
def test_edge_134_a_pending_call_without_its_thinking_excludes_thinking(thought):
    turn = (*([Thinking("t", Sig("E", "claude"))] if thought else []), ToolCall("a", "f"))
    req = foreign(
        user(Text("hi")),
        assistant(*turn),
        user(ToolResult("a", (Text("1"),))),
        thinking=ThinkingConfig("level", level="high"),
    )
    assert ("thinking" in built(req, LEVELS).body) is thought


def test_sampling_gives_way_to_thinking():
    req = foreign(
        sampling=Sampling(temperature=0.5, top_k=4, top_p=0.96),
        thinking=ThinkingConfig("level", level="high"),
    )
    result = built(req, LEVELS)
    assert "temperature" not in result.body
    assert "top_k" not in result.body
    assert result.body["top_p"] == 0.96


# ---- what is left -----------------------------------------------------------------------------
def test_small_things_of_other_dialects_are_reported():
    req = foreign(
        Message("user", (Text("hi"), Image(Url("https://x"), "high")), name="ann"),
        assistant(Image(Url("https://x")), ToolCall("a", "f", "{}", signature=Sig("S", "gemini"))),
        user(ToolResult("a", (Text("1"),))),
        tools=(Function("f", schema={"type": "object"}, strict=True, output_schema={"type": "string"}, extras={"x": 1}),),
        output=OutputFormat("json_schema", schema={"type": "object"}, strict=False),
    )  # fmt: skip
    assert set(losses_of(req)) == {
        "messages[0].content[1].image_url.detail", "messages.name", "messages[1].content[0]", "messages[1].tool_calls[0].extra_content",
        "tools[0].strict", "tools[0].output_schema", "tools[0].x", "response_format.strict",
    }  # fmt: skip


def test_strictness_a_schema_is_made_for_is_kept():
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    [tool] = built(foreign(tools=(Function("f", schema=schema, strict=True),))).body["tools"]
    assert tool["strict"] is True


def test_a_picture_sent_as_a_document_is_a_picture():
    [message] = wire_of(user(Document(Inline("image/png", PNG))))
    assert message["content"][0]["type"] == "image"


def test_a_tier_of_the_future_is_kept_for_claude():
    assert built(parse(service_tier="batch")).body["service_tier"] == "batch"


def test_blocked_domains_and_uses_of_a_search():
    tool = ServerTool(
        "web_search", "web_search", "gemini", {"blocked_domains": ["b"], "max_uses": 3}
    )
    assert built(foreign(tools=(tool,))).body["tools"] == [
        {
            "type": "web_search_20250305",
            "name": "web_search",
            "blocked_domains": ["b"],
            "max_uses": 3,
        }
    ]


@pytest.mark.parametrize(
    ("thinking", "caps", "wire"),
    [
        (ThinkingConfig("auto"), OPEN, {"type": "enabled", "budget_tokens": 8192}),
        (ThinkingConfig("level", level="low"), OPEN, {"type": "enabled", "budget_tokens": 1024}),
        (ThinkingConfig("auto", adaptive=True), OPEN, {"type": "adaptive"}),
        (ThinkingConfig(visible=True), LEVELS, {"type": "adaptive", "display": "summarized"}),
        (ThinkingConfig(visible=True), BUDGET, None),
        (
            ThinkingConfig("level", level="low", visible=False),
            LEVELS,
            {"type": "adaptive", "display": "omitted"},
        ),
    ],
)
def test_thinking_for_models_known_and_unknown(thinking, caps, wire):
    req = foreign(source="openai-responses", thinking=thinking)
    assert built(req, caps).body.get("thinking") == wire


def test_who_asks_for_effort_in_chat_sees_the_thoughts():
    req = foreign(source="openai-chat", thinking=ThinkingConfig("level", level="high"))
    assert built(req, LEVELS).body["thinking"] == {"type": "adaptive", "display": "summarized"}


def test_nothing_but_a_begun_answer_where_it_is_refused():
    req = foreign(assistant(Text("Well")))
    [message] = built(req, Caps(model="up", prefill=False)).body["messages"]
    assert message == {"role": "user", "content": [{"type": "text", "text": "."}]}


def test_signatures_that_fit_nowhere_stay_where_they_are():
    def block(value):
        return {"type": "thinking", "thinking": "", "signature": wrap(Sig(value, "gemini"))}

    [message] = parse(
        [{"role": "assistant", "content": [block("^a"), block("b"), block("c"), CALL]}]
    ).messages
    assert [(type(p), p.signature.value) for p in message.parts] == [
        (Thinking, "a"),
        (Thinking, "b"),
        (ToolCall, "c"),
    ]


def test_the_providers_own_calls_and_results_are_neutral_too():
    req = parse([USER, {"role": "assistant", "content": [SEARCH, FOUND]}, USER])
    call, found = req.messages[1].parts
    assert (call.kind, call.server_kind, call.args) == ("server", "web_search", '{"query":"q"}')
    assert (found.call_id, found.kind) == ("srvtoolu_1", "web_search")
    assert found.payload == {
        "results": [{"url": "https://x", "title": "X", "encrypted_content": "E"}]
    }


def test_fields_that_have_a_neutral_form_are_no_extras():
    req = parse(
        system="s", stop_sequences=["a"], stream=True, temperature=1, top_p=1, top_k=1, thinking={"type": "adaptive"}, tools=[],
        output_config={"effort": "low"}, tool_choice={"type": "auto"}, metadata={"user_id": "u"}, cache_control=EPHEMERAL,
        service_tier="auto", output_format={"type": "json_schema", "schema": {}},
    )  # fmt: skip
    assert req.extras == {}
    assert req.output.kind == "json_schema"
    assert DIALECT.id == "anthropic"


def test_a_budget_of_tokens_stays_without_an_effort():
    config = {"task_budget": {"type": "tokens", "total": 50000}}
    req = parse(output_config=config)
    assert built(req).body["output_config"] == config
    assert not losses_of(req)


def test_a_budget_is_raised_no_further_than_the_model_goes():
    caps = Caps(
        model="m",
        known=True,
        max_output=64000,
        thinking=ThinkingCaps(min=1024, max=128000, zero_allowed=True),
    )
    body = built(foreign(thinking=ThinkingConfig("level", level="max")), caps).body
    assert body["max_tokens"] == 64000
    assert body["thinking"]["budget_tokens"] == 63999


@pytest.mark.parametrize(
    ("first", "thinks"),
    [([], False), ([{"type": "thinking", "thinking": "Hm.", "signature": "EsSig"}], True)],
    ids=["not-thought-of", "thought-of"],
)
def test_edge_134_every_part_of_an_open_turn_counts(first, thinks):
    """The turn reaches back over its results to what the user said last."""

    def called(number, before):
        call = {"type": "tool_use", "id": f"toolu_{number}", "name": "f", "input": {}}
        result = {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": "r"}
        return [
            {"role": "assistant", "content": [*before, call]},
            {"role": "user", "content": [result]},
        ]

    thought = [{"type": "thinking", "thinking": "Ah.", "signature": "EsSig2"}]
    body = {
        "model": "m",
        "max_tokens": 9000,
        "thinking": {"type": "enabled", "budget_tokens": 2048},
        "tools": [{"name": "f", "input_schema": {"type": "object", "properties": {}}}],
        "messages": [
            {"role": "user", "content": "Go."},
            *called(1, first),
            *called(2, thought),
        ],
    }
    built = DIALECT.build(DIALECT.parse(body, ParseMeta()), Caps(model="claude-sonnet-4-5"))
    assert (built.body.get("thinking", {}).get("type") == "enabled") is thinks

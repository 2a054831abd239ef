"""Neutral requests as bodies for chat upstreams."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET, structs

from cliproxy.base import json
from cliproxy.base.errors import NotBuilt, Unsupported
from cliproxy.dialects import ParseMeta
from cliproxy.dialects.openai_chat import DIALECT
from cliproxy.ir.caps import Caps, ThinkingCaps
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
)

USER = {"role": "user", "content": "hi"}
OPEN = Caps(model="up", custom_tools=True, tool_images=False)
OFFICIAL = Caps(
    model="up",
    base_is_official=True,
    custom_tools=True,
    max_tokens_field="max_completion_tokens",
    system_role="developer",
)
PDF = Inline("application/pdf", "JVBERi0=")
PNG = Inline("image/png", "iVBORw0KGgo=")


def chat(messages=None, **more):
    body = {"model": "m", "messages": [USER] if messages is None else messages, **more}
    return DIALECT.parse(body, ParseMeta())


def foreign(*messages, source="anthropic", **more):
    found = messages or (Message("user", (Text("hi"),)),)
    return IRRequest(model="m", source=source, messages=found, **more)


def body_of(req, caps=OPEN):
    return DIALECT.build(req, caps).body


def messages_of(*messages, caps=OPEN, **more):
    return body_of(foreign(*messages, **more), caps)["messages"]


def losses_of(req, caps=OPEN):
    return {loss.field: loss.severity for loss in DIALECT.build(req, caps).losses}


def assistant(*parts):
    return Message("assistant", parts)


def user(*parts):
    return Message("user", parts)


# ---- round trip -------------------------------------------------------------------------------
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
CUSTOM_CALL = {"id": "call_2", "type": "custom", "custom": {"name": "sql", "input": "SELECT"}}
DOCUMENTED = [
    {"messages": [USER]},
    {"messages": [{"role": "system", "content": "A"}, {"role": "system", "content": "B"}, USER]},
    {"messages": [{"role": "system", "content": [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]}, USER]},
    {"messages": [USER, {"role": "assistant", "content": "a"}, {"role": "system", "content": "mid"}, USER]},
    {"messages": [{"role": "user", "name": "ann", "content": [
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "high"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
        {"type": "file", "file": {"file_id": "file-1"}},
    ]}]},
    {"messages": [
        USER,
        {"role": "assistant", "content": "x", "tool_calls": [CALL, CUSTOM_CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "5C"},
        {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        USER,
    ]},
    {"messages": [USER, {"role": "assistant", "content": None, "tool_calls": [CALL]},
                  {"role": "tool", "tool_call_id": "call_1", "content": ""}]},
    {"messages": [USER, {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}, USER]},
    {"messages": [USER], "tools": [
        {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}, "strict": True}},
        {"type": "function", "function": {"name": "bare"}},
        {"type": "custom", "custom": {"name": "sql", "description": "d", "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "x"}}}},
        {"google_search": {}},
    ], "tool_choice": {"type": "function", "function": {"name": "f"}}, "parallel_tool_calls": False},
    {"messages": [USER], "tools": [{"type": "custom", "custom": {"name": "sql"}}],
     "tool_choice": {"type": "custom", "custom": {"name": "sql"}}},
    {"messages": [USER], "tools": [{"type": "function", "function": {"name": "f"}}],
     "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]}}},
    {"messages": [USER], "web_search_options": {"search_context_size": "low"}},
    {"messages": [USER], "max_tokens": 5, "temperature": 0.5, "top_p": 0.9, "n": 2, "stop": "x", "seed": 1,
     "frequency_penalty": 1, "presence_penalty": -1, "logit_bias": {"5": -100}, "logprobs": True, "top_logprobs": 2},
    {"messages": [USER], "stop": ["a", "b"], "reasoning_effort": "high", "verbosity": "low", "modalities": ["text"]},
    {"messages": [USER], "response_format": {"type": "json_schema", "json_schema": {"name": "n", "description": "d", "schema": {"type": "object"}, "strict": True}}},
    {"messages": [USER], "response_format": {"type": "json_object"}},
    {"messages": [USER], "response_format": {"type": "text"}},
    {"messages": [USER], "metadata": {"a": "b"}, "store": True, "service_tier": "flex", "user": "u", "prompt_cache_key": "k"},
    {"messages": [USER], "safety_identifier": "s", "prompt_cache_retention": "24h", "prediction": {"type": "content", "content": "x"},
     "audio": {"format": "wav", "voice": "ash"}, "moderation": {"model": "m"}, "prompt_cache_options": {"mode": "explicit"}},
    {"messages": [USER], "stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False}},
    {"messages": [USER], "thinking": {"type": "enabled", "budget_tokens": 2000, "odd": 1}},
    {"messages": [USER], "top_k": 5, "min_p": 0.1},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]}]},
    {"messages": [USER, {"role": "assistant", "content": None, "tool_calls": [CALL]},
                  {"role": "tool", "tool_call_id": "call_1", "content": "5C"},
                  {"role": "user", "content": "and now?", "name": "ann"}]},
]  # fmt: skip


@pytest.mark.parametrize("body", DOCUMENTED)
def test_parse_then_build_is_the_identity_on_documented_bodies(body):
    full = {"model": "up", **body}
    before = json.dumps(full)
    built = DIALECT.build(DIALECT.parse(full, ParseMeta()), OPEN)
    assert built.body == full
    assert json.dumps(full) == before
    assert not [loss for loss in built.losses if loss.severity != "info"]


def test_building_twice_gives_the_same_bytes():
    req = chat(DOCUMENTED[5]["messages"], tools=DOCUMENTED[8]["tools"])
    assert json.dumps(body_of(req)) == json.dumps(body_of(req))


TEXT = st.text(max_size=6)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["user", "assistant", "system"]), TEXT), min_size=1, max_size=6
    )
)
def test_plain_conversations_survive_a_round_trip(turns):
    body = {"model": "up", "messages": [{"role": r, "content": t} for r, t in turns]}
    assert body_of(DIALECT.parse(body, ParseMeta())) == body


# ---- messages from other dialects -------------------------------------------------------------
def test_edge_83_and_w1_a_tool_round():
    found = messages_of(
        user(Text("go")),
        assistant(Text("checking"), ToolCall("toolu_1", "get_weather", '{"city":"Oslo"}')),
        user(Text("before"), ToolResult("toolu_1", (Text("5C"),)), Text("after")),
    )
    assert found[1:] == [
        {
            "role": "assistant",
            "content": "checking",
            "tool_calls": [
                {
                    "id": "toolu_1",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"city":"Oslo"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "toolu_1", "content": "5C"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "before"}, {"type": "text", "text": "after"}],
        },
    ]


def test_edge_84_text_around_a_call_is_one_assistant_message():
    found = messages_of(
        assistant(Text("a"), ToolCall("c", "f", "{}"), Text("b")),
        user(ToolResult("c", (Text("x"),))),
    )
    assert found[0]["content"] == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert len(found[0]["tool_calls"]) == 1


def test_edge_105_and_w2_images_in_parallel_results_follow_all_tool_messages():
    found = messages_of(
        assistant(ToolCall("t1", "f", "{}"), ToolCall("t2", "f", "{}")),
        user(
            ToolResult("t1", (Text("first"), Image(PNG))),
            ToolResult("t2", (Text("second"),)),
            Text("go on"),
        ),
    )
    assert [m["role"] for m in found] == ["assistant", "tool", "tool", "user"]
    assert [m["content"] for m in found[1:3]] == ["first", "second"]
    assert found[3]["content"] == [
        {"type": "text", "text": "Image returned by tool call t1:"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
        {"type": "text", "text": "go on"},
    ]


def test_a_result_of_only_an_image_says_where_it_is():
    found = messages_of(assistant(ToolCall("t", "f", "{}")), user(ToolResult("t", (Image(PNG),))))
    assert "next user message" in found[1]["content"]
    caps = structs.replace(OPEN, tool_images=True)
    found = messages_of(
        assistant(ToolCall("t", "f", "{}")), user(ToolResult("t", (Image(PNG),))), caps=caps
    )
    assert found[1]["content"][0]["type"] == "image_url"
    assert len(found) == 2


def test_edge_88_a_user_message_between_call_and_result_comes_after():
    found = messages_of(
        assistant(ToolCall("t", "f", "{}")), user(Text("wait")), user(ToolResult("t", (Text("x"),)))
    )
    assert [m["role"] for m in found] == ["assistant", "tool", "user"]


def test_edge_91_and_92_orphans_are_dropped_and_missing_results_made():
    req = foreign(
        user(ToolResult("ghost", (Text("boo"),)), Text("hi")),
        assistant(ToolCall("t", "f", "{}")),
        user(Text("never mind")),
    )
    built = DIALECT.build(req, OPEN)
    found = built.body["messages"]
    assert [m["role"] for m in found] == ["user", "assistant", "tool", "user"]
    assert found[2] == {"role": "tool", "tool_call_id": "t", "content": "[no result]"}
    assert len(built.losses) >= 2


def test_edge_98_long_ids_are_shortened_alike_on_both_sides():
    long = "x" * 90
    found = messages_of(assistant(ToolCall(long, "f", "{}")), user(ToolResult(long, (Text("x"),))))
    call_id = found[0]["tool_calls"][0]["id"]
    assert len(call_id) <= 64
    assert found[1]["tool_call_id"] == call_id


@pytest.mark.parametrize("call_id", ["functions.Bash:0", "call_1", "a|b"])
def test_ids_that_chat_upstreams_issue_themselves_pass(call_id):
    found = messages_of(
        assistant(ToolCall(call_id, "f", "{}")), user(ToolResult(call_id, (Text("x"),)))
    )
    assert found[1]["tool_call_id"] == call_id


@pytest.mark.parametrize(("args", "wire"), [("", "{}"), ("  ", "{}"), ("{broken", "{broken")])
def test_arguments_are_text_and_never_blank(args, wire):
    found = messages_of(assistant(ToolCall("c", "f", args)), user(ToolResult("c")))
    assert found[0]["tool_calls"][0]["function"]["arguments"] == wire


def test_edge_99_long_and_illegal_names_are_mapped_everywhere_and_restored():
    name = "mcp__server__" + "x" * 80
    req = foreign(
        assistant(ToolCall("c", name, "{}")),
        user(ToolResult("c", (Text("x"),))),
        tools=(Function(name), Function("get it")),
        tool_choice=ToolChoice("named", (ToolKey(name),)),
    )
    built = DIALECT.build(req, OPEN)
    wire = built.body["tools"][0]["function"]["name"]
    assert len(wire) <= 64
    assert built.body["messages"][0]["tool_calls"][0]["function"]["name"] == wire
    assert built.body["tool_choice"]["function"]["name"] == wire
    assert built.restore.tools[wire].name == name


def test_several_system_texts_of_another_dialect_are_one_message():
    found = messages_of(system=(SystemText("A", cache=Cache()), SystemText("B")))
    assert found[0] == {"role": "system", "content": "A\n\nB"}
    found = messages_of(system=(SystemText("A"),), caps=OFFICIAL)
    assert found[0]["role"] == "developer"


def test_edge_118_a_system_message_in_place_stays_there():
    found = messages_of(user(Text("u")), Message("system", (Text("B"),)), user(Text("v")))
    assert [m["role"] for m in found] == ["user", "system", "user"]


def test_reasoning_goes_back_only_where_it_is_wanted():
    turn = assistant(Thinking("hm", Sig("S", "claude")), Text("x"))
    assert "reasoning_content" not in messages_of(turn)[0]
    assert losses_of(foreign(turn)) == {"messages[0].content[0]": "info"}
    caps = structs.replace(OPEN, echo_reasoning=True)
    assert messages_of(turn, caps=caps)[0]["reasoning_content"] == "hm"


def test_edge_133_a_turn_of_only_dropped_reasoning_disappears():
    found = messages_of(user(Text("a")), assistant(Thinking("hm")), user(Text("b")))
    assert [m["role"] for m in found] == ["user", "user"]


def test_documents_become_files_or_text():
    note = Inline("text/markdown", "IyBI")
    [message] = messages_of(
        user(
            Document(PDF, title="a.pdf"),
            Document(PlainText("body"), title="T", context="C"),
            Document(note),
            Document(PlainText(""), blocks=(Text("one"), Image(PNG))),
        )
    )
    found = message["content"]
    assert found[0] == {
        "type": "file",
        "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
    }
    assert found[1] == {"type": "text", "text": "T\nC\n\nbody"}
    assert found[2] == {"type": "text", "text": "# H"}
    assert found[3]["text"] == "one"
    assert found[4]["type"] == "image_url"


@pytest.mark.parametrize(
    "part",
    [
        Image(FileId("f", "anthropic")),
        Image(Url("gs://bucket/x.png")),
        Document(FileId("f", "gemini")),
        Document(Url("https://x/a.pdf")),
        Audio(Inline("audio/ogg", "AAAA")),
    ],
)
def test_media_nobody_here_can_take_is_an_error_loss_under_the_clients_path(part):
    req = foreign(user(Text("a")), user(Text("b"), part))
    assert losses_of(req) == {"messages[1].content[1]": "error"}


def test_losses_name_the_clients_own_paths():
    part = Opaque("anthropic", {"type": "x"}, "x")
    gemini = foreign(user(Text("a"), part), source="gemini")
    assert list(losses_of(gemini)) == ["contents[0].parts[1]"]
    req = chat(
        [
            {"role": "system", "content": "S"},
            USER,
            {"role": "assistant", "content": "a", "reasoning_content": "r"},
        ]
    )
    assert list(losses_of(req)) == ["messages[2].reasoning_content"]


# ---- tools ------------------------------------------------------------------------------------
def test_edge_109_choice_and_parallel_flag_need_tools():
    req = foreign(tool_choice=ToolChoice("auto"), parallel_tools=False)
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & body_of(req).keys()


def test_edge_112_custom_tools_are_functions_where_nothing_else_is_known():
    tool = Custom(
        "sql", "Run SQL.", {"type": "grammar", "syntax": "lark", "definition": "start: x"}
    )
    req = foreign(
        assistant(ToolCall("c", "sql", "SELECT\n2", kind="custom")),
        user(ToolResult("c", (Text("2"),))),
        tools=(tool,),
        tool_choice=ToolChoice("named", (ToolKey("sql", kind="custom"),)),
        source="openai-responses",
    )
    built = DIALECT.build(req, Caps(model="up"))
    function = built.body["tools"][0]["function"]
    assert function["parameters"]["required"] == ["input"]
    assert "start: x" in function["description"]
    assert json.loads(built.body["messages"][0]["tool_calls"][0]["function"]["arguments"]) == {
        "input": "SELECT\n2"
    }
    assert built.body["tool_choice"] == {"type": "function", "function": {"name": "sql"}}
    assert built.restore.tools["sql"].custom
    assert [loss.field for loss in built.losses] == ["tools[0].format"]


def test_edge_113_a_name_is_declared_once():
    req = foreign(tools=(Function("f", "one"), Function("f", "two")))
    assert [t["function"]["description"] for t in body_of(req)["tools"]] == ["one"]
    assert losses_of(req) == {"tools[1]": "warn"}


def test_edge_151_and_152_schemas_are_cleaned():
    req = foreign(tools=(Function("f", schema={"type": "OBJECT"}),))
    assert body_of(req)["tools"][0]["function"]["parameters"] == {
        "type": "object",
        "properties": {},
    }


def test_strict_that_breaks_the_rules_is_switched_off():
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    req = foreign(tools=(Function("f", schema=schema, strict=True),))
    assert body_of(req)["tools"][0]["function"]["strict"] is False
    assert losses_of(req) == {"tools[0].strict": "info"}


def test_typed_client_tools_become_functions_of_the_same_name():
    native = {"type": "bash_20250124", "name": "bash"}
    req = foreign(tools=(ServerTool("bash", "bash", "anthropic", native=native),))
    [tool] = body_of(req)["tools"]
    assert tool["function"]["name"] == "bash"
    assert "command" in tool["function"]["parameters"]["properties"]


def test_a_built_in_tool_without_a_counterpart_is_an_error_loss():
    req = foreign(
        tools=(ServerTool("code_execution", "code_execution", "anthropic"),),
        tool_choice=ToolChoice("required"),
    )
    assert "tools" not in body_of(req)
    assert losses_of(req) == {"tools[0]": "error", "tool_choice": "warn"}


def test_web_search_of_another_dialect():
    config = {
        "context_size": "low",
        "allowed_domains": ["a.com"],
        "user_location": {"city": "Oslo"},
    }
    req = foreign(tools=(ServerTool("web_search", "web_search", "anthropic", config),))
    assert body_of(req)["web_search_options"] == {
        "search_context_size": "low",
        "user_location": {"type": "approximate", "approximate": {"city": "Oslo"}},
    }
    assert losses_of(req)["tools[0].allowed_domains"] == "warn"


def test_allowed_tools_are_filtered_for_hosts_that_do_not_know_the_word():
    req = foreign(
        tools=(Function("f"), Function("g")),
        tool_choice=ToolChoice("allowed", (ToolKey("g"),), required_one=True),
    )
    body = body_of(req)
    assert [t["function"]["name"] for t in body["tools"]] == ["g"]
    assert body["tool_choice"] == "required"
    assert len(body_of(req, OFFICIAL)["tools"]) == 2
    assert body_of(req, OFFICIAL)["tool_choice"]["type"] == "allowed_tools"


def test_edge_111_one_call_at_a_time():
    req = foreign(tools=(Function("f"),), parallel_tools=False)
    assert body_of(req)["parallel_tool_calls"] is False
    caps = structs.replace(OPEN, parallel_flag=False)
    assert "parallel_tool_calls" not in body_of(req, caps)
    assert losses_of(req, caps) == {"tool_choice.disable_parallel_tool_use": "warn"}


def test_a_gemini_signature_goes_to_gemini_only():
    turn = assistant(ToolCall("c", "f", "{}", signature=Sig("S", "gemini")))
    result = user(ToolResult("c", (Text("x"),)))
    caps = structs.replace(OPEN, family="gemini")
    [call] = messages_of(turn, result, caps=caps)[0]["tool_calls"]
    assert call["extra_content"] == {"google": {"thought_signature": "S"}}
    [call] = messages_of(turn, result)[0]["tool_calls"]
    assert "extra_content" not in call


# ---- scalars ----------------------------------------------------------------------------------
def test_the_limit_is_spelled_as_the_upstream_wants_it():
    req = foreign(sampling=Sampling(max_output=9))
    assert body_of(req)["max_tokens"] == 9
    assert body_of(req, OFFICIAL)["max_completion_tokens"] == 9
    caps = structs.replace(OPEN, max_output=5)
    assert body_of(req, caps)["max_tokens"] == 5
    assert losses_of(req, caps) == {"max_tokens": "info"}


def test_usage_is_always_asked_for_when_streaming():
    req = foreign(stream=True)
    assert body_of(req)["stream_options"] == {"include_usage": True}
    caps = structs.replace(OPEN, stream_usage_flag=False)
    assert "stream_options" not in body_of(req, caps)
    assert "stream" not in body_of(foreign())


def test_sampling_that_the_model_does_not_take_is_reported():
    req = foreign(sampling=Sampling(temperature=1.5, top_k=4), source="gemini")
    assert losses_of(req, structs.replace(OPEN, temperature_max=1.0)) == {
        "generationConfig.temperature": "info"
    }
    assert losses_of(req, OFFICIAL) == {"generationConfig.topK": "warn"}
    assert "temperature" not in body_of(req, structs.replace(OPEN, sampling=False))


def test_only_four_stop_sequences_travel():
    req = foreign(sampling=Sampling(stop=("a", "b", "c", "d", "e")))
    assert body_of(req)["stop"] == ["a", "b", "c", "d"]
    assert losses_of(req) == {"stop_sequences": "warn"}


def test_structured_output_of_another_dialect():
    schema = {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}
    req = foreign(output=OutputFormat("json_schema", schema=schema), source="gemini")
    assert body_of(req)["response_format"] == {
        "type": "json_schema",
        "json_schema": {
            "name": "response",
            "schema": {"type": "object", "properties": {"a": {"type": "string"}}},
        },
    }
    caps = structs.replace(OPEN, structured_output=False)
    assert body_of(req, caps)["response_format"] == {"type": "json_object"}
    assert losses_of(req, caps) == {"generationConfig.responseSchema": "warn"}


def test_state_kept_elsewhere_is_refused():
    req = foreign(meta=Meta(previous_response_id="resp_1"), source="openai-responses")
    with pytest.raises(Unsupported) as caught:
        body_of(req)
    assert caught.value.param == "previous_response_id"


def test_fields_without_a_place_are_reported():
    req = foreign(
        meta=Meta(service_tier="auto", metadata={"a": "b"}, end_user="u"),
        extras={"context_management": {}},
        safety=({"category": "x"},),
        cache=Cache(),
    )
    assert losses_of(req) == {
        "service_tier": "info",
        "metadata": "info",
        "context_management": "warn",
        "safetySettings": "warn",
        "cache_control": "info",
    }
    assert body_of(req)["user"] == "u"


def test_a_legacy_clients_suffix_is_reported_and_not_sent():
    req = foreign(source="openai-completions", extras={"suffix": "x", "min_p": 0.1})
    assert "suffix" not in body_of(req)
    assert body_of(req)["min_p"] == 0.1
    assert losses_of(req) == {"suffix": "error"}


def test_there_is_no_counting():
    with pytest.raises(NotBuilt):
        DIALECT.build(foreign(), OPEN, "count")


# ---- thinking ---------------------------------------------------------------------------------
GPT = Caps(
    model="gpt",
    known=True,
    thinking=ThinkingCaps(levels=("low", "medium", "high", "xhigh")),
    efforts=("none", "low", "medium", "high", "xhigh"),
)


@pytest.mark.parametrize(
    ("config", "caps", "effort"),
    [
        (ThinkingConfig("budget", budget=8192), GPT, "medium"),
        (ThinkingConfig("level", "max", adaptive=True), GPT, "xhigh"),
        (ThinkingConfig("off"), GPT, "none"),
        (ThinkingConfig("off"), structs.replace(GPT, efforts=("low", "high")), "low"),
        (ThinkingConfig("auto"), GPT, "medium"),
        (ThinkingConfig("auto", adaptive=True), GPT, None),
        (ThinkingConfig("level", "high"), Caps(model="gpt", known=True), None),
        (ThinkingConfig("level", "high"), Caps(model="x"), "high"),
        (ThinkingConfig("budget", budget=1024), Caps(model="x"), "low"),
        (ThinkingConfig(), GPT, None),
    ],
)
def test_w6_thinking_is_an_effort(config, caps, effort):
    assert body_of(foreign(thinking=config), caps).get("reasoning_effort") == effort


def test_a_suffix_beats_the_clients_own_spelling():
    body = {"model": "m(high)", "messages": [USER], "reasoning": {"effort": "low"}}
    found = body_of(DIALECT.parse(body, ParseMeta()))
    assert found["reasoning_effort"] == "high"
    assert "reasoning" not in found


def test_nothing_is_invented():
    req = foreign()
    assert req.sampling.temperature is UNSET
    assert body_of(req) == {"model": "up", "messages": [{"role": "user", "content": "hi"}]}


def test_a_cache_hint_of_sound_stays_with_it():
    part = {
        "type": "input_audio",
        "input_audio": {"data": "SUQzBAAAAAAA", "format": "mp3"},
        "prompt_cache_breakpoint": {"mode": "explicit"},
    }
    req = chat([{"role": "user", "content": [part]}])
    assert body_of(req, OFFICIAL)["messages"][0]["content"] == [part]


def test_top_logprobs_are_not_asked_for_alone():
    req = foreign(source="openai-responses", sampling=Sampling(top_logprobs=3))
    assert "top_logprobs" not in body_of(req)
    assert losses_of(req) == {"top_logprobs": "info"}
    both = foreign(source="openai-responses", sampling=Sampling(top_logprobs=3, logprobs=True))
    assert body_of(both)["top_logprobs"] == 3

"""Chat request bodies as neutral requests."""

from __future__ import annotations

import typing

import pytest
from openai.types.chat.completion_create_params import CompletionCreateParamsBase

from cliproxy.base import json
from cliproxy.base.errors import BadRequest
from cliproxy.dialects import ParseMeta
from cliproxy.dialects.openai_chat import DIALECT
from cliproxy.dialects.openai_chat.wire import EXTENSIONS, KEPT, MAPPED
from cliproxy.ir.request import (
    Audio,
    Cache,
    Custom,
    Document,
    FileId,
    Function,
    Image,
    Inline,
    Opaque,
    Refusal,
    ServerTool,
    Sig,
    SystemText,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolKey,
    ToolResult,
    Url,
    Video,
)

USER = {"role": "user", "content": "hi"}
PNG = "iVBORw0KGgo="


def parse(messages=None, meta=None, **more):
    body = {"model": "m", "messages": [USER] if messages is None else messages, **more}
    return DIALECT.parse(json.loads(json.dumps(body)), meta or ParseMeta())


def parts(content, role="user"):
    [message] = parse([{"role": role, "content": content}]).messages
    return message.parts


def test_every_field_of_the_official_types_is_classified():
    documented = set(typing.get_type_hints(CompletionCreateParamsBase)) | {"stream"}
    assert documented <= MAPPED | KEPT
    assert not (MAPPED & KEPT)
    assert not (EXTENSIONS & (MAPPED | KEPT))


# ---- roles ------------------------------------------------------------------------------------
def test_edge_117_leading_instructions_are_separate_and_later_ones_stay_in_place():
    req = parse(
        [
            {"role": "system", "content": "A"},
            {"role": "developer", "content": [{"type": "text", "text": "B"}]},
            USER,
            {"role": "system", "content": "C"},
            USER,
        ]
    )
    assert req.system == (SystemText("A"), SystemText("B", developer=True))
    assert [m.role for m in req.messages] == ["user", "system", "user"]


def test_an_assistant_turn_is_reasoning_text_and_calls_in_that_order():
    [_, message, result] = parse(
        [
            USER,
            {
                "role": "assistant",
                "content": "checking",
                "reasoning_content": "hm",
                "tool_calls": [
                    {
                        "id": "c1",
                        "type": "function",
                        "function": {"name": "f", "arguments": '{"a": 1}'},
                    },
                    {"id": "c2", "type": "custom", "custom": {"name": "sql", "input": "SELECT"}},
                ],
            },
            {"role": "tool", "tool_call_id": "c2", "content": "1"},
        ]
    ).messages
    assert message.parts == (
        Thinking("hm"),
        Text("checking"),
        ToolCall("c1", "f", '{"a": 1}'),
        ToolCall("c2", "sql", "SELECT", kind="custom"),
    )
    assert result.parts == (ToolResult("c2", (Text("1"),), kind="custom"),)


@pytest.mark.parametrize("content", [None, ""])
def test_edge_101_a_turn_of_calls_has_no_empty_text(content):
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    [message] = parse([{"role": "assistant", "content": content, "tool_calls": [call]}]).messages
    assert message.parts == (ToolCall("c", "f", "{}"),)


def test_a_gemini_signature_in_history_is_kept_on_its_call():
    call = {
        "id": "c",
        "function": {"name": "f", "arguments": "{}"},
        "extra_content": {"google": {"thought_signature": "S"}},
    }
    [message] = parse([{"role": "assistant", "tool_calls": [call]}]).messages
    assert message.parts == (ToolCall("c", "f", "{}", signature=Sig("S", "gemini")),)


def test_edge_94_calls_without_ids_get_the_same_ones_every_time():
    history = [
        USER,
        {
            "role": "assistant",
            "tool_calls": [
                {"type": "function", "function": {"name": "f", "arguments": "{}"}},
                {"type": "function", "function": {"name": "f", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "content": "x"},
    ]
    first, second = parse(history), parse(history)
    ids = [part.id for part in first.messages[1].parts]
    assert ids == [part.id for part in second.messages[1].parts]
    assert len(set(ids)) == 2
    assert first.messages[2].parts[0].call_id == ""


def test_the_deprecated_function_roles_are_a_call_and_a_result():
    req = parse(
        [
            USER,
            {
                "role": "assistant",
                "content": None,
                "function_call": {"name": "f", "arguments": "{}"},
            },
            {"role": "function", "name": "f", "content": "5"},
        ],
        functions=[{"name": "f", "parameters": {"type": "object", "properties": {}}}],
        function_call={"name": "f"},
    )
    [call] = req.messages[1].parts
    assert (call.name, call.args) == ("f", "{}")
    assert req.messages[2].parts == (ToolResult("", (Text("5"),), name="f"),)
    assert req.tools[0].name == "f"
    assert req.tool_choice == ToolChoice("named", (ToolKey("f"),))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("text", (Text("text"),)),
        ("", ()),
        (None, ()),
        ({"temp": 5}, (Text('{"temp":5}'),)),
        ([{"temp": 5}], (Text('[{"temp":5}]'),)),
        ([{"type": "text", "text": "a"}], (Text("a"),)),
        ('["a"]', (Text('["a"]'),)),
    ],
)
def test_edge_103_and_104_tool_content_is_data(content, expected):
    [message] = parse([{"role": "tool", "tool_call_id": "c", "content": content}]).messages
    assert message.parts[0].parts == expected


# ---- content parts ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "text", "text": "a"}, Text("a")),
        ({"type": "input_text", "text": "a"}, Text("a")),
        (
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}},
            Image(Inline("image/png", PNG), "low"),
        ),
        ({"type": "image_url", "image_url": "https://x/y.png"}, Image(Url("https://x/y.png"))),
        (
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
            Audio(Inline("audio/mpeg", "AAAA")),
        ),
        (
            {"type": "file", "file": {"file_id": "file-1"}},
            Document(FileId("file-1", "openai-chat")),
        ),
        (
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
            Document(Inline("application/pdf", "JVBERi0="), title="a.pdf"),
        ),
        ({"type": "video_url", "video_url": {"url": "https://x/y.mp4"}}, Video(Url("https://x/y.mp4"))),
        ({"type": "refusal", "refusal": "no"}, Refusal("no")),
    ],
)  # fmt: skip
def test_parts_are_read(part, expected):
    assert parts([part]) == (expected,)


def test_edge_129_raw_base64_files_are_told_by_their_bytes_or_name():
    def media(file):
        [part] = parts([{"type": "file", "file": file}])
        return part.media.mime

    assert media({"filename": "x", "file_data": "JVBERi0xLjQ="}) == "application/pdf"
    assert media({"filename": "x.csv", "file_data": "YSxi"}) == "text/csv"


def test_content_may_be_one_part_without_its_list():
    assert parts({"type": "text", "text": "a"}) == (Text("a"),)


def test_an_unknown_part_is_kept_as_it_is():
    value = {"type": "hologram", "data": 1}
    assert parts([value]) == (Opaque("openai-chat", value, "hologram"),)


def test_edge_136_cache_hints_on_parts_messages_and_tools():
    hint = {"type": "ephemeral", "ttl": "1h"}
    req = parse(
        [
            {"role": "system", "content": [{"type": "text", "text": "A", "cache_control": hint}]},
            {"role": "user", "cache_control": {"type": "ephemeral"}, "content": [
                {"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "user", "cache_control": hint, "content": [
                {"type": "text", "text": "c", "cache_control": {"type": "ephemeral"}}]},
            {"role": "user", "content": [
                {"type": "text", "text": "d", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}}]},
        ],
        tools=[
            {"type": "function", "function": {"name": "f"}, "cache_control": hint},
            {"type": "function", "function": {"name": "g", "cache_control": hint}},
        ],
    )  # fmt: skip
    assert req.system[0].cache == Cache("1h")
    first, second, third = (m.parts for m in req.messages)
    assert [p.cache for p in first] == [None, Cache()]
    assert second[0].cache == Cache()
    assert third[0].cache == Cache("30m")
    assert [t.cache for t in req.tools] == [Cache("1h"), Cache("1h")]


# ---- tools ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        (
            {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True}},
            Function("f", "d", {"type": "object"}, True),
        ),
        ({"type": "function", "name": "f", "parameters": {}}, Function("f", schema={})),
        ({"function": {"name": "f"}}, Function("f")),
        ({"name": "f", "input_schema": {"type": "object"}}, Function("f", schema={"type": "object"})),
        (
            {"type": "custom", "custom": {"name": "c", "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "x"}}}},
            Custom("c", format={"type": "grammar", "syntax": "lark", "definition": "x"}),
        ),
        ({"type": "custom", "name": "c", "format": {"type": "text"}}, Custom("c", format={"type": "text"})),
    ],
)  # fmt: skip
def test_tools_are_read(tool, expected):
    assert parse(tools=[tool]).tools == (expected,)


@pytest.mark.parametrize(
    ("tool", "kind"),
    [
        ({"google_search": {}}, "web_search"),
        ({"googleSearch": {}}, "web_search"),
        ({"code_execution": {}}, "code_execution"),
        ({"url_context": {}}, "web_fetch"),
        ({"type": "web_search"}, "web_search"),
        ({"type": "web_search_2025_08_26"}, "web_search"),
        ({"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"}, "text_editor"),
        ({"type": "something_new"}, "something_new"),
    ],
)
def test_built_in_tools_are_known_by_type_or_by_key(tool, kind):
    [found] = parse(tools=[tool]).tools
    assert isinstance(found, ServerTool)
    assert (found.kind, found.native) == (kind, tool)


def test_web_search_options_are_a_web_search_tool():
    options = {
        "search_context_size": "low",
        "user_location": {"type": "approximate", "approximate": {"city": "Oslo", "country": "NO"}},
    }
    [tool] = parse(web_search_options=options).tools
    assert tool.kind == "web_search"
    assert tool.config == {
        "context_size": "low",
        "user_location": {"city": "Oslo", "country": "NO"},
    }


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", ToolChoice("auto")),
        ("required", ToolChoice("required")),
        ({"type": "function", "function": {"name": "f"}}, ToolChoice("named", (ToolKey("f"),))),
        ({"type": "function", "name": "f"}, ToolChoice("named", (ToolKey("f"),))),
        ({"type": "custom", "custom": {"name": "c"}}, ToolChoice("named", (ToolKey("c", kind="custom"),))),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}]}},
            ToolChoice("allowed", (ToolKey("f"),), required_one=True),
        ),
    ],
)  # fmt: skip
def test_edge_110_tool_choices_are_read(choice, expected):
    assert parse(tools=[{"function": {"name": "f"}}], tool_choice=choice).tool_choice == expected


# ---- scalars ----------------------------------------------------------------------------------
def test_edge_124_either_spelling_of_the_limit_and_the_newer_one_wins():
    assert parse(max_tokens=5).sampling.max_output == 5
    assert parse(max_completion_tokens=6).sampling.max_output == 6
    assert parse(max_tokens=5, max_completion_tokens=6).sampling.max_output == 6


def test_edge_126_stop_is_a_string_or_a_list():
    assert parse(stop="a").sampling.stop == ("a",)
    assert parse(stop=["a", "b"]).sampling.stop == ("a", "b")


def test_null_means_not_said():
    req = parse(temperature=None, tools=None, stop=None, n=None)
    assert (req.sampling, req.tools) == (parse().sampling, ())


def test_edge_131_numbers_keep_their_spelling():
    body = json.loads(b'{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":0.10,'
                      b'"seed":12345678901234567890}')  # fmt: skip
    req = DIALECT.parse(body, ParseMeta())
    assert (
        json.dumps([req.sampling.temperature, req.sampling.seed]) == b"[0.10,12345678901234567890]"
    )


def test_streaming_and_usage_flags():
    req = parse(stream=True, stream_options={"include_usage": True, "include_obfuscation": False})
    assert (req.stream, req.stream_usage) == (True, True)
    assert req.extras == {"stream_options": {"include_obfuscation": False}}
    assert parse(stream=False, meta=ParseMeta(stream=True)).stream


def test_unknown_fields_are_extras():
    req = parse(min_p=0.1, prediction={"type": "content", "content": "x"})
    assert req.extras == {"min_p": 0.1, "prediction": {"type": "content", "content": "x"}}


def test_edge_130_response_formats():
    schema = {"type": "object"}
    output = parse(
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "n", "schema": schema, "strict": True},
        }
    ).output
    assert (output.kind, output.name, output.schema, output.strict) == (
        "json_schema",
        "n",
        schema,
        True,
    )
    assert parse(response_format={"type": "json_object"}).output.kind == "json"
    assert parse(response_format={"type": "text"}).output.kind == "text"


# ---- thinking ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("fields", "mode", "level", "budget", "visible"),
    [
        ({}, "unset", None, None, None),
        ({"reasoning_effort": "none"}, "off", None, None, None),
        ({"reasoning_effort": "auto"}, "auto", None, None, True),
        ({"reasoning_effort": "HIGH"}, "level", "high", None, True),
        ({"reasoning": {"effort": "low", "exclude": True}}, "level", "low", None, False),
        ({"reasoning": {"max_tokens": 2000}}, "budget", None, 2000, True),
        ({"reasoning": {"enabled": False}}, "off", None, None, None),
        ({"reasoning_effort": "low", "include_reasoning": False}, "level", "low", None, False),
        ({"thinking": {"type": "enabled", "budget_tokens": 4096}}, "budget", None, 4096, True),
        ({"thinking": {"type": "disabled"}}, "off", None, None, None),
        ({"thinking": {"type": "enabled"}}, "auto", None, None, True),
        (
            {"extra_body": {"google": {"thinking_config": {"thinking_budget": 0, "include_thoughts": False}}}},
            "off", None, None, False,
        ),
        ({"google": {"thinking_config": {"thinking_level": "LOW", "include_thoughts": True}}}, "level", "low", None, True),
        ({"extra_body": {"google": {"thinking_config": {"thinking_budget": -1}}}}, "auto", None, None, True),
    ],
)  # fmt: skip
def test_thinking_in_every_spelling(fields, mode, level, budget, visible):
    config = parse(**fields).thinking
    assert (config.mode, config.level, config.budget, config.visible) == (
        mode,
        level,
        budget,
        visible,
    )


def test_what_stands_beside_a_thinking_config_is_an_extra():
    req = parse(extra_body={"google": {"thinking_config": {}, "cached_content": "x"}, "other": 1})
    assert req.extras == {"extra_body": {"other": 1, "google": {"cached_content": "x"}}}


# ---- faults -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"model": 5}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": ["hi"]}, "messages[0]"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [USER, {"role": "user", "content": [{"type": "text"}]}]}, "messages[1].content[0].text"),
        ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages[0].content[0].type"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": 5}}]}]},
            "messages[0].content[0].image_url.url",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,@@"}}]}]},
            "messages[0].content[0].image_url.url",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AAAA"}}]}]},
            "messages[0].content[0].input_audio.format",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "c", "function": {"arguments": "{}"}}]}]},
            "messages[0].tool_calls[0].function.name",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": 5}}]}]},
            "messages[0].tool_calls[0].function.arguments",
        ),
        ({"temperature": "hot"}, "temperature"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"stream": "yes"}, "stream"),
        ({"stop": [1]}, "stop[0]"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": []}}]}, "tools[0].function.parameters"),
        ({"tool_choice": "maybe"}, "tool_choice"),
        ({"tool_choice": 5}, "tool_choice"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"reasoning_effort": 5}, "reasoning_effort"),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
    ],
)  # fmt: skip
def test_a_fault_names_its_field(fields, param):
    body = {"model": "m", "messages": [USER], **fields}
    with pytest.raises(BadRequest) as caught:
        DIALECT.parse(body, ParseMeta())
    assert caught.value.param == param
    assert param in caught.value.message

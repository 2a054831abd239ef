"""Losses go by the names and places the client itself used."""

import pytest

from cliproxy.dialects import ParseMeta, get, where
from cliproxy.dialects._listed import unlisted
from cliproxy.ir.request import Image, Inline, Text, ToolResult, Url

PNG = "iVBORw0KGgr7//4w"
CHAT_CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CLIENTS = {
    "openai-chat": {
        "model": "m",
        "messages": [
            {"role": "system", "content": "S"},
            {"role": "user", "content": [{"type": "text", "text": "a"}]},
            {
                "role": "assistant",
                "reasoning_content": "hm",
                "content": "b",
                "tool_calls": [CHAT_CALL, {**CHAT_CALL, "id": "c2"}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "r"}]},
        ],
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "functions": [{"name": "g"}],
        "web_search_options": {},
    },
    "openai-responses": {
        "model": "m",
        "input": [
            {"role": "developer", "content": "S"},
            {"type": "additional_tools", "role": "developer", "tools": [{"type": "function", "name": "h"}]},
            {"role": "user", "content": [{"type": "input_text", "text": "a"}]},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "r"}]},
        ],
        "tools": [
            {"type": "function", "name": "f"},
            {"type": "namespace", "name": "ns", "tools": [{"type": "function", "name": "g"}]},
        ],
    },
    "anthropic": {
        "model": "m",
        "max_tokens": 9,
        "messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": [{"type": "text", "text": "b"}, {"type": "tool_use", "id": "c1", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "r"}]}]},
        ],
        "tools": [{"name": "f", "input_schema": {"type": "object"}}],
    },
    "gemini": {
        "contents": [
            {"role": "user", "parts": [{"text": "a"}]},
            {"role": "model", "parts": [{"functionCall": {"id": "c1", "name": "f", "args": {}}}]},
            {"role": "user", "parts": [{"functionResponse": {"id": "c1", "name": "f", "response": {"output": "r"}}}]},
        ],
        "tools": [{"functionDeclarations": [{"name": "f"}, {"name": "g"}]}, {"googleSearch": {}}],
    },
}  # fmt: skip


def parsed(dialect, body=None):
    return get(dialect).parse(body or CLIENTS[dialect], ParseMeta(model="m"))


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        (
            "openai-chat",
            [
                "messages[1].content[0]", "messages[2].reasoning_content",
                "messages[2].content[0]", "messages[2].tool_calls[0]",
                "messages[2].tool_calls[1]", "messages[3]",
            ],
        ),
        ("openai-responses", ["input[2].content[0]", "input[3]", "input[4]"]),
        (
            "anthropic",
            [
                "messages[0].content[0]", "messages[1].content[0]",
                "messages[1].content[1]", "messages[2].content[0]",
            ],
        ),
        ("gemini", ["contents[0].parts[0]", "contents[1].parts[0]", "contents[2].parts[0]"]),
    ],
)  # fmt: skip
def test_every_part_has_the_clients_own_path(dialect, expected):
    req = parsed(dialect)
    paths = where.Paths(req)
    assert [str(paths.of(part, "?")) for m in req.messages for part in m.parts] == expected


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        ("openai-chat", "messages[3].content[0]"),
        ("openai-responses", "input[4].output[0]"),
        ("anthropic", "messages[2].content[0].content[0]"),
        ("gemini", "contents[2].parts[0].functionResponse.parts[0]"),
    ],
)
def test_so_has_every_part_of_a_result(dialect, expected):
    req = parsed(dialect)
    result = req.messages[-1].parts[0]
    assert isinstance(result, ToolResult)
    assert str(where.Paths(req).of(result.parts[0], "?")) == expected


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        ("openai-chat", ["tools[0]", "functions[0]", "web_search_options"]),
        ("openai-responses", ["tools[0]", "tools[1].tools[0]", "input[1].tools[0]"]),
        ("anthropic", ["tools[0]"]),
        (
            "gemini",
            ["tools[0].functionDeclarations[0]", "tools[0].functionDeclarations[1]", "tools[1]"],
        ),
    ],
)
def test_every_tool_has_the_clients_own_path(dialect, expected):
    assert where.tools(parsed(dialect)) == expected


def test_a_part_the_client_did_not_send_has_the_path_its_builder_gives():
    req = parsed("anthropic")
    assert str(where.Paths(req).of(Text("made up"), "messages")) == "messages"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            '[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"https://x.example/a.png"}}]',
            (Text("see"), Image(Url("https://x.example/a.png"))),
        ),
        (
            f'[{{"type":"image","source":{{"type":"base64","media_type":"image/png","data":"{PNG}"}}}}]',
            (Image(Inline("image/png", PNG)),),
        ),
        (
            f'[{{"type":"image","mimeType":"image/png","data":"{PNG}"}}]',
            (Image(Inline("image/png", PNG)),),
        ),
    ],
)
def test_edge_108_a_result_that_lists_pictures_in_text_holds_pictures(text, parts):
    assert unlisted(ToolResult("c", (Text(text),))).parts == parts


@pytest.mark.parametrize(
    "text",
    [
        "[image]",
        '[{"type":"text","text":"an \\"image\\" of it"}]',
        '[{"type":"image","alt":"x"}]',
        '[{"type":"image_url","image_url":{"url":"nonsense"}}]',
        '[{"type":"image","source":{"media_type":"image/png","data":"%%%"}}]',
        '[{"type":"image_url","image_url":{"url":"https://x.example/a.png"}},{"type":"chart"}]',
        '{"type":"image"}',
    ],
)
def test_edge_108_any_other_text_stays_text(text):
    result = ToolResult("c", (Text(text),))
    assert unlisted(result) is result

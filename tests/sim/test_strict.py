"""The strict simulator refuses what the real APIs refuse, naming the field, and nothing else."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.sim import Answer, Call, Sim, Thinking, Usage
from tests.sim.client import DIALECTS, Got, asked, fetch

Json = Any

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CHAT: Json = {
    "model": "m",
    "tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}],
    "messages": [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": [{"type": "text", "text": "weather?"}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                {"id": "b", "type": "function", "function": {"name": "f", "arguments": "bad{"}},
            ],
        },
        {"role": "tool", "tool_call_id": "b", "content": "7C"},
        {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "5C"}]},
        {"role": "user", "content": "and now?"},
        {"role": "user", "content": "hm?"},
    ],
}
RESPONSES: Json = {
    "model": "m",
    "instructions": "be kind",
    "tools": [{"type": "function", "name": "f", "parameters": SCHEMA, "strict": False}],
    "input": [
        {"role": "user", "content": "weather?"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "x"}]},
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "b", "name": "f", "arguments": "{}", "id": "fc_1"},
        {"type": "function_call_output", "call_id": "a", "output": "5C"},
        {"type": "function_call_output", "call_id": "b", "output": [{"type": "input_text", "text": "7"}]},
    ],
}  # fmt: skip
ANTHROPIC: Json = {
    "model": "m",
    "max_tokens": 4096,
    "system": [{"type": "text", "text": "be kind", "cache_control": {"type": "ephemeral"}}],
    "tools": [{"name": "f", "input_schema": SCHEMA}],
    "messages": [
        {"role": "user", "content": "weather?"},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "let me see"},
                {"type": "tool_use", "id": "a", "name": "f", "input": {}},
                {"type": "tool_use", "id": "b", "name": "f", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "b", "content": "7C"},
                {"type": "tool_result", "tool_use_id": "a"},
                {"type": "text", "text": "and now?"},
            ],
        },
    ],
}
GEMINI: Json = {
    "system_instruction": {"parts": [{"text": "be kind"}]},
    "tools": [{"functionDeclarations": [{"name": "f", "parameters": SCHEMA}]}],
    "generationConfig": {"temperature": 1, "thinkingConfig": {"thinkingBudget": -1}},
    "contents": [
        {"parts": [{"text": "weather?"}]},
        {
            "role": "model",
            "parts": [
                {"functionCall": {"name": "f", "args": {}}},
                {"functionCall": {"name": "f", "args": {}, "id": "b"}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"name": "f", "response": {"output": "5C"}}},
                {"function_response": {"name": "f", "response": {}, "id": "b"}},
            ],
        },
    ],
}
INTERACTIONS: Json = {
    "model": "m",
    "system_instruction": "be kind",
    "tools": [{"type": "function", "name": "f", "parameters": SCHEMA}],
    "generation_config": {"temperature": 1, "thinking_level": "low", "tool_choice": "auto"},
    "input": [
        {"type": "user_input", "content": [{"type": "text", "text": "weather?"}]},
        {"type": "function_call", "id": "a", "name": "f", "arguments": {}},
        {"type": "function_call", "id": "b", "name": "f", "arguments": {}},
        {"type": "function_result", "call_id": "a", "name": "f", "result": "5C"},
        {"type": "function_result", "call_id": "b", "name": "f", "result": {"degrees": 7}},
    ],
}
GOOD = {
    "openai-chat": CHAT,
    "openai-responses": RESPONSES,
    "anthropic": ANTHROPIC,
    "gemini": GEMINI,
    "interactions": INTERACTIONS,
}


def send(sim: Sim, dialect: str, body: Json, *, path: str = "") -> Got:
    return fetch(sim.url, path or asked(dialect)[0], body)


@pytest.fixture
def strict(sim: Sim) -> Sim:
    sim.strict = True
    return sim


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_faultless_request_is_answered(strict: Sim, dialect: str) -> None:
    got = send(strict, dialect, GOOD[dialect])
    assert got.status == 200, got.body
    assert strict.last.system == "be kind"
    assert strict.last.tools == ["f"]
    assert [role for role, _ in strict.last.turns] == ["user", "assistant", "user"]
    calls = [piece for piece in strict.last.turns[1][1] if piece[0] == "call"]
    assert [call[2] for call in calls] == ["f", "f"]


def m(body: Json, number: int) -> Json:
    """Return a message, item or content."""
    return (body.get("messages") or body.get("input") or body["contents"])[number]


BAD: list[tuple[str, str, Any]] = [
    ("openai-chat", "messages", lambda b: b.update(messages=[])),
    ("openai-chat", "model", lambda b: b.pop("model")),
    ("openai-chat", "top_k", lambda b: b.update(top_k=1)),
    ("openai-chat", "did not have response messages: a", lambda b: b["messages"].pop(4)),
    ("openai-chat", "did not have response messages", lambda b: b["messages"].insert(3, b["messages"][1])),
    ("openai-chat", "preceeding message", lambda b: b["messages"].append(m(b, 3))),
    ("openai-chat", "tool_call_id", lambda b: m(b, 3).update(tool_call_id="zz")),
    ("openai-chat", "got null", lambda b: m(b, 1).update(content=None)),
    ("openai-chat", "too long", lambda b: m(b, 2)["tool_calls"][0].update(id="x" * 65)),
    ("openai-chat", "tool_calls", lambda b: m(b, 2).update(tool_calls=[], content="x")),
    ("openai-chat", "tools[0].function.name", lambda b: b["tools"][0]["function"].update(name="a.b")),
    ("openai-chat", "tools", lambda b: b.update(tools=[])),
    ("openai-chat", "tool_choice", lambda b: b.update(tools=None, tool_choice="auto")),
    ("openai-chat", "stream_options", lambda b: b.update(stream_options={"include_usage": True})),
    ("openai-chat", "max_tokens", lambda b: b.update(max_tokens=1, max_completion_tokens=1)),
    ("openai-chat", "image_url", lambda b: m(b, 3).update(content=[{"type": "image_url", "image_url": {"url": "x"}}])),
    ("openai-chat", "temperature", lambda b: b.update(temperature=3)),
    ("openai-chat", "role", lambda b: m(b, 0).update(role="model")),
    ("openai-responses", "stop", lambda b: b.update(stop=["x"])),
    ("openai-responses", "No tool output found for function call b", lambda b: b["input"].pop()),
    ("openai-responses", "No tool call found", lambda b: b["input"].pop(2)),
    ("openai-responses", "output_text", lambda b: m(b, 1)["content"][0].update(type="input_text")),
    ("openai-responses", "input[1].content[0].text", lambda b: m(b, 1)["content"][0].pop("text")),
    ("openai-responses", "begins with 'fc'", lambda b: m(b, 3).update(id="toolu_1")),
    ("openai-responses", "too long", lambda b: m(b, 2).update(call_id="x" * 65)),
    ("openai-responses", "tools[0].name", lambda b: b["tools"][0].pop("name")),
    ("openai-responses", "previous_response_id", lambda b: b.update(previous_response_id="resp_x")),
    ("openai-responses", "summary", lambda b: b["input"].insert(2, {"type": "reasoning"})),
    ("openai-responses", "not found", lambda b: b["input"].insert(2, {"type": "reasoning", "id": "rs_1", "summary": []})),
    ("openai-responses", "encrypted", lambda b: b["input"].insert(2, {"type": "reasoning", "summary": [], "encrypted_content": "zz"})),
    ("openai-responses", "required following item", lambda b: b["input"].append({"type": "reasoning", "summary": []})),
    ("anthropic", "max_tokens: Field required", lambda b: b.pop("max_tokens")),
    ("anthropic", "seed: Extra inputs", lambda b: b.update(seed=1)),
    ("anthropic", "at least one message", lambda b: b.update(messages=[])),
    ("anthropic", "first message", lambda b: b["messages"].pop(0)),
    ("anthropic", "without `tool_result` blocks immediately after: a", lambda b: m(b, 2)["content"].pop(1)),
    ("anthropic", "immediately after", lambda b: b["messages"].pop()),
    ("anthropic", "unexpected `tool_use_id`", lambda b: m(b, 2)["content"].insert(0, {"type": "tool_result", "tool_use_id": "z"})),
    ("anthropic", "come first", lambda b: m(b, 2)["content"].reverse()),
    ("anthropic", "unique", lambda b: m(b, 1)["content"][2].update(id="a")),
    ("anthropic", "tool_use.id", lambda b: m(b, 1)["content"][1].update(id="a|b")),
    ("anthropic", "input", lambda b: m(b, 1)["content"][1].update(input="{}")),
    ("anthropic", "non-empty", lambda b: m(b, 1)["content"][0].update(text="")),
    ("anthropic", "non-whitespace", lambda b: m(b, 1)["content"][0].update(text=" \n")),
    ("anthropic", "non-empty content", lambda b: m(b, 0).update(content="")),
    ("anthropic", "trailing whitespace", lambda b: b["messages"].append({"role": "assistant", "content": "so "})),
    ("anthropic", "Invalid `signature`", lambda b: m(b, 1)["content"].insert(0, {"type": "thinking", "thinking": "x", "signature": "EqQB"})),
    ("anthropic", "signature: Field required", lambda b: m(b, 1)["content"].insert(0, {"type": "thinking", "thinking": "x"})),
    ("anthropic", "Expected `thinking`", lambda b: (b.update(thinking={"type": "enabled", "budget_tokens": 1024}), m(b, 2)["content"].pop())),
    ("anthropic", "budget_tokens", lambda b: b.update(thinking={"type": "enabled", "budget_tokens": 100})),
    ("anthropic", "greater than", lambda b: b.update(thinking={"type": "enabled", "budget_tokens": 4096})),
    ("anthropic", "forces tool use", lambda b: b.update(thinking={"type": "adaptive"}, tool_choice={"type": "any"})),
    ("anthropic", "temperature", lambda b: b.update(thinking={"type": "adaptive"}, temperature=0.5)),
    ("anthropic", "cache_control", lambda b: [t.update(cache_control={"type": "ephemeral"}) for t in [b["tools"][0], *m(b, 1)["content"], m(b, 2)["content"][2]]]),
    ("anthropic", "tools.0.custom.name", lambda b: b["tools"][0].update(name="a b")),
    ("anthropic", "unique", lambda b: b["tools"].append(b["tools"][0])),
    ("anthropic", "input_schema", lambda b: b["tools"][0].update(input_schema={"anyOf": [], "type": "object"})),
    ("anthropic", "tool_choice", lambda b: b.update(tools=[], tool_choice={"type": "auto"})),
    ("interactions", "Exactly one", lambda b: b.update(agent="a")),
    ("interactions", "Unknown parameter 'messages'", lambda b: b.update(messages=[])),
    ("interactions", "previous interaction", lambda b: b.update(previous_interaction_id="v1_x")),
    ("interactions", "must be a string", lambda b: b.update(system_instruction={})),
    ("interactions", "have no result", lambda b: b["input"].pop()),
    ("interactions", "answers no function call", lambda b: b["input"].pop(1)),
    ("interactions", "must be an object", lambda b: m(b, 1).update(arguments="{}")),
    ("interactions", "not be empty", lambda b: m(b, 0).update(content=[])),
    ("interactions", "contents or steps", lambda b: b["input"].append({"type": "text", "text": "x"})),
    ("interactions", "data or uri", lambda b: m(b, 0)["content"].append({"type": "image"})),
    ("interactions", "Corrupted", lambda b: b["input"].insert(1, {"type": "thought", "signature": "eHh4"})),
    ("interactions", "own step", lambda b: b["input"].append({"type": "model_output", "content": [{"type": "text", "text": "x"}]})),
    ("interactions", "invalid, or taken", lambda b: b["tools"].append(b["tools"][0])),
    ("interactions", "Unknown parameter 'top_k'", lambda b: b["generation_config"].update(top_k=1)),
    ("interactions", "not declared", lambda b: b["generation_config"].update(tool_choice={"allowed_tools": {"tools": ["g"]}})),
    ("gemini", "contents is not specified", lambda b: b.update(contents=[])),
    ("gemini", 'Unknown name "id" at \'contents[0]\'', lambda b: m(b, 0).update(id="x")),
    ("gemini", 'Unknown name "messages"', lambda b: b.update(messages=[])),
    ("gemini", 'Unknown name "$schema"', lambda b: b["tools"][0]["functionDeclarations"][0]["parameters"].update({"$schema": "x"})),
    ("gemini", "parts must not be empty", lambda b: m(b, 0).update(parts=[])),
    ("gemini", "required oneof field 'data'", lambda b: m(b, 0).update(parts=[{"thought": True}])),
    ("gemini", "valid role", lambda b: m(b, 1).update(role="assistant")),
    ("gemini", "number of function response parts", lambda b: m(b, 2)["parts"].pop()),
    ("gemini", "number of function response parts", lambda b: b["contents"].insert(2, m(b, 0))),
    ("gemini", "function response turn comes immediately after", lambda b: b["contents"].append(m(b, 2))),
    ("gemini", "function call turn comes immediately after", lambda b: b["contents"].insert(1, {"role": "model", "parts": [{"text": "x"}]})),
    ("gemini", "ends with a user turn", lambda b: b["contents"].append({"role": "model", "parts": [{"text": "x"}]})),
    ("gemini", "google.protobuf.Struct", lambda b: m(b, 2)["parts"][0]["functionResponse"].update(response="5C")),
    ("gemini", "Name cannot be empty", lambda b: m(b, 2)["parts"][0]["functionResponse"].update(name="")),
    ("gemini", "Corrupted thought signature", lambda b: m(b, 1)["parts"][0].update(thoughtSignature="QUJD")),
    ("gemini", "Base64 decoding failed", lambda b: m(b, 1)["parts"][0].update(thoughtSignature="rs_1!")),
    ("gemini", "thinking budget and thinking level", lambda b: b["generationConfig"]["thinkingConfig"].update(thinkingLevel="LOW")),
    ("gemini", "Invalid function name", lambda b: b["tools"][0]["functionDeclarations"][0].update(name="1f")),
    ("gemini", "TYPE_STRING", lambda b: b["tools"][0]["functionDeclarations"][0]["parameters"]["properties"]["city"].update(enum=[1])),
    ("gemini", "type", lambda b: b["tools"][0]["functionDeclarations"][0]["parameters"]["properties"]["city"].update(type=["string", "null"])),
    ("gemini", "property is not defined", lambda b: b["tools"][0]["functionDeclarations"][0]["parameters"].update(required=["zip"])),
    ("gemini", "response_mime_type", lambda b: b["generationConfig"].update(responseSchema={"type": "STRING"})),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "words", "spoil"), BAD, ids=[f"{b[0]}: {b[1]}" for b in BAD])
def test_what_the_api_refuses_is_refused(strict: Sim, dialect: str, words: str, spoil: Any) -> None:
    body = copy.deepcopy(GOOD[dialect])
    spoil(body)
    got = send(strict, dialect, body)
    assert got.status == 400, got.body
    error = got.json["error"]
    assert words in error["message"] or words in (error.get("param") or "")
    strict.strict = False
    assert send(strict, dialect, body).status == 200, "lenient by default"


def test_anthropic_takes_back_its_own_thinking_only_unchanged(strict: Sim) -> None:
    strict.script(Answer(thinking="Hm.", tools=[Call("f", {"city": "A"})]))
    body = {**ANTHROPIC, "messages": ANTHROPIC["messages"][:1]}
    body["thinking"] = {"type": "enabled", "budget_tokens": 1024}
    content = send(strict, "anthropic", body).json["content"]
    result = {"type": "tool_result", "tool_use_id": content[1]["id"], "content": "5C"}
    body["messages"] = [
        *body["messages"],
        {"role": "assistant", "content": content},
        {"role": "user", "content": [result]},
    ]
    del content[0]["signature"], content[0]["type"]
    content[0] = {"type": "thinking", **content[0]}
    assert send(strict, "anthropic", body).status == 400
    content[0]["signature"] = next(key[1] for key in strict.memory.issued)
    assert send(strict, "anthropic", body).status == 200
    content[0]["thinking"] = "Hm!"
    assert "Invalid `signature`" in send(strict, "anthropic", body).json["error"]["message"]


def test_a_signature_of_another_account_is_foreign(strict: Sim, start_sim: Any) -> None:
    other = start_sim(strict=True)
    strict.script(Answer("x", thinking="Hm."))
    body = {**ANTHROPIC, "messages": [{"role": "user", "content": "hi"}]}
    content = send(strict, "anthropic", body).json["content"]
    body["messages"] = [
        *body["messages"],
        {"role": "assistant", "content": content},
        {"role": "user", "content": "go on"},
    ]
    assert send(strict, "anthropic", body).status == 200
    assert send(other, "anthropic", body).status == 400


def test_responses_takes_back_its_own_reasoning(strict: Sim) -> None:
    strict.script(Answer("x", thinking="Hm."))
    include = ["reasoning.encrypted_content"]
    body: Json = {"model": "m", "input": "hi", "store": False, "include": include}
    output = send(strict, "openai-responses", body).json["output"]
    assert output[0]["encrypted_content"]
    body["input"] = [{"role": "user", "content": "hi"}, *output, {"role": "user", "content": "on"}]
    assert send(strict, "openai-responses", body).status == 200
    output[0]["id"] = "rs_other"
    assert send(strict, "openai-responses", body).status == 200
    output[0]["encrypted_content"] = "cGxhY2Vob2xkZXI="
    refused = send(strict, "openai-responses", body)
    assert refused.json["error"]["code"] == "invalid_encrypted_content"


def test_gemini_3_wants_the_signature_of_the_first_call(strict: Sim) -> None:
    path = "/v1beta/models/gemini-3-pro:generateContent"
    body = copy.deepcopy(GEMINI)
    refused = send(strict, "gemini", body, path=path)
    assert "missing a thought_signature" in refused.json["error"]["message"]
    strict.script(Answer(tools=[Call("f", {}), Call("f", {})]))
    first = {**body, "contents": body["contents"][:1]}
    content = send(strict, "gemini", first, path=path).json["candidates"][0]["content"]
    assert ["thoughtSignature" in part for part in content["parts"]] == [True, False]
    body["contents"][1] = content
    assert send(strict, "gemini", body, path=path).status == 200
    content["parts"][0]["thoughtSignature"] = "skip_thought_signature_validator"
    assert send(strict, "gemini", body, path=path).status == 200


@pytest.mark.parametrize("name", ["max_output_tokens", "temperature", "previous_response_id"])
def test_the_codex_backend_is_stricter(strict: Sim, name: str) -> None:
    path = "/backend-api/codex/responses"
    body = {**RESPONSES, "stream": True, "store": False}
    assert send(strict, "openai-responses", body, path=path).status == 200
    refused = send(strict, "openai-responses", {**body, name: 1}, path=path)
    assert f"Unsupported parameter: {name}" in refused.json["error"]["message"]
    refused = send(strict, "openai-responses", {**body, "store": True}, path=path)
    assert "Store must be set to false" in refused.json["error"]["message"]


@pytest.mark.parametrize(
    ("dialect", "header"),
    [
        ("openai-chat", {"Authorization": "Bearer good"}),
        ("openai-responses", {"Authorization": "Bearer good"}),
        ("anthropic", {"x-api-key": "good"}),
        ("anthropic", {"Authorization": "Bearer good"}),
        ("gemini", {"x-goog-api-key": "good"}),
        ("gemini", {"Authorization": "Bearer good"}),
    ],
)
def test_keys_are_checked_where_the_vendor_looks(
    sim: Sim, dialect: str, header: dict[str, str]
) -> None:
    sim.keys = {"good"}
    path, body = asked(dialect)
    assert fetch(sim.url, path, body, header).status == 200
    refused = fetch(sim.url, path, body, {name: "Bearer bad" for name in header})
    assert refused.status == 401
    assert refused.json["error"]["message"]
    assert fetch(sim.url, path, body).status == 401


def test_gemini_takes_its_key_from_the_query_too(sim: Sim) -> None:
    sim.keys = {"good"}
    path, body = asked("gemini")
    assert fetch(sim.url, f"{path}?key=good", body).status == 200


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_model_nobody_has_is_404(sim: Sim, dialect: str) -> None:
    sim.only_models = True
    path, body = asked(dialect, model="gpt-0")
    refused = fetch(sim.url, path, body)
    assert refused.status == 404
    assert "gpt-0" in refused.json["error"]["message"]
    path, body = asked(dialect, model=sim.models[0])
    assert fetch(sim.url, path, body).status == 200


def test_explicit_signatures_are_the_simulators_own(strict: Sim) -> None:
    strict.script(Answer("x", parts=[Thinking("t", signature="c2ln")], usage=Usage(1, 1)))
    body = {**ANTHROPIC, "messages": [{"role": "user", "content": "hi"}]}
    assert send(strict, "anthropic", body).json["content"][0]["signature"] == "c2ln"
    block = {"type": "thinking", "thinking": "t", "signature": "c2ln"}
    text = {"type": "text", "text": "x"}
    body["messages"] = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [block, text]},
        {"role": "user", "content": "on"},
    ]
    assert send(strict, "anthropic", body).status == 200

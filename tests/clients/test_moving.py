"""A conversation that moves from one provider to another in the middle of its tool calls.

The upstreams are strict about signatures, ids and pairing: nothing that one of them issued may
make another refuse.
"""

from __future__ import annotations

import json

import pytest

from tests.clients.sdk import DIALECTS
from tests.clients.upstreams import config
from tests.server.raw import post, request
from tests.sim import Answer, Call

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}
CALLS = (Call("get_weather", {"city": "A"}), Call("get_weather", {"city": "B"}))
FIRST = Answer("Let me see.", thinking=["Need ", "weather."], tools=CALLS)

TOOLS = {
    "openai-chat": [
        {"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}
    ],
    "openai-responses": [{"type": "function", "name": "get_weather", "parameters": PARAMETERS}],
    "anthropic": [{"name": "get_weather", "input_schema": PARAMETERS}],
    "gemini": [{"functionDeclarations": [{"name": "get_weather", "parameters": PARAMETERS}]}],
    "interactions": [{"type": "function", "name": "get_weather", "parameters": PARAMETERS}],
}
EXTRA = {
    "openai-chat": {"reasoning_effort": "high"},
    "openai-responses": {
        "reasoning": {"effort": "high", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "store": False,
    },
    "anthropic": {
        "thinking": {"type": "enabled", "budget_tokens": 2048},
        "max_tokens": 8192,
    },
    "gemini": {"generationConfig": {"thinkingConfig": {"includeThoughts": True}}},
    "interactions": {"generation_config": {"thinking_summaries": "auto"}, "store": False},
}
FIELD = {"openai-responses": "input", "gemini": "contents", "interactions": "input"}


def start(client):
    """Return the history's first turn."""
    match client:
        case "gemini":
            return [{"role": "user", "parts": [{"text": "Weather?"}]}]
        case "openai-responses":
            return [{"type": "message", "role": "user", "content": "Weather?"}]
        case "interactions":
            return [{"type": "user_input", "content": [{"type": "text", "text": "Weather?"}]}]
        case _:
            return [{"role": "user", "content": "Weather?"}]


def follow(client, history, answer, word):
    """Append the answer as it came, and a result for each of its calls."""
    match client:
        case "openai-chat":
            message = answer["choices"][0]["message"]
            history.append(message)
            for call in message.get("tool_calls") or []:
                history.append({"role": "tool", "tool_call_id": call["id"], "content": word})
        case "openai-responses":
            history += answer["output"]
            for item in answer["output"]:
                if item["type"] == "function_call":
                    result = {"type": "function_call_output", "call_id": item["call_id"]}
                    history.append({**result, "output": word})
        case "interactions":
            history += answer["steps"]
            for step in answer["steps"]:
                if step["type"] == "function_call":
                    result = {"type": "function_result", "call_id": step["id"]}
                    history.append({**result, "name": step["name"], "result": word})
        case "anthropic":
            history.append({"role": "assistant", "content": answer["content"]})
            history.append(
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": block["id"], "content": word}
                        for block in answer["content"]
                        if block["type"] == "tool_use"
                    ],
                }
            )
        case _:
            content = answer["candidates"][0]["content"]
            history.append(content)
            parts = []
            for part in content["parts"]:
                if call := part.get("functionCall"):
                    result = {"name": call["name"], "response": {"output": word}}
                    if "id" in call:
                        result["id"] = call["id"]
                    parts.append({"functionResponse": result})
            history.append({"role": "user", "parts": parts})


@pytest.fixture
def strict(start_sim):
    return start_sim(
        strict=True, keys={"chat-key", "codex-key", "claude-key", "gemini-key", "interactions-key"}
    )


@pytest.mark.parametrize("first", DIALECTS)
@pytest.mark.parametrize("second", DIALECTS)
@pytest.mark.parametrize("client", DIALECTS)
def test_there_and_back_again(strict, start_proxy, client, first, second):
    proxy = start_proxy(config(strict))
    history = start(client)
    for turn, upstream in enumerate((first, second, first, second)):
        strict.script(FIRST)
        path, body = request(client, f"to-{upstream}")
        body.pop("contents", None)
        body |= {"tools": TOOLS[client], **EXTRA[client], FIELD.get(client, "messages"): history}
        answer = post(proxy, path, body)
        assert answer.status_code == 200, (upstream, answer.text, json.dumps(strict.last.body))
        follow(client, history, answer.json(), f"result {turn}")
    seen = strict.last
    calls = [piece for _, pieces in seen.turns for piece in pieces if piece[0] == "call"]
    results = [piece for _, pieces in seen.turns for piece in pieces if piece[0] == "result"]
    assert [call[3] for call in calls] == [{"city": "A"}, {"city": "B"}] * 3
    assert [result[2] for result in results] == [f"result {n}" for n in (0, 0, 1, 1, 2, 2)]
    # Reasoning that this upstream issued comes back to it: from turn three on there is some.
    if second in ("anthropic", "openai-responses", "interactions"):
        kept = [p for _, pieces in seen.turns for p in pieces if p[0] == "thinking" and p[2]]
        assert kept


def test_what_only_another_provider_keeps_is_refused_by_name(strict, start_proxy):
    proxy = start_proxy(config(strict))
    path, body = request("openai-responses", "to-gemini")
    for field, value, status in (
        ("previous_response_id", "resp_1", 400),
        ("conversation", "conv_1", 404),
    ):
        answer = post(proxy, path, {**body, field: value})
        assert answer.status_code == status
        assert answer.json()["error"]["param"] == field
    path, body = request("anthropic", "to-gemini")
    thread = {"type": "continue", "previous_message_id": "msg_1"}
    answer = post(proxy, path, {**body, "thread": thread})
    assert answer.status_code == 404
    assert answer.json()["error"]["details"] == {"error_code": "thread_not_found"}
    assert strict.requests == []


@pytest.mark.parametrize(
    ("client", "field"),
    [
        ("openai-chat", '"max_tokens"'),
        ("openai-responses", '"max_output_tokens"'),
        ("anthropic", '"max_tokens"'),
        ("gemini", '"generationConfig":{"maxOutputTokens"'),
    ],
)
def test_a_number_of_a_million_digits_is_refused_at_once(strict, start_proxy, client, field):
    proxy = start_proxy(config(strict))
    path, body = request(
        client, "to-openai-responses" if client != "openai-responses" else "to-gemini"
    )
    body.pop("max_tokens", None)
    end = "}}" if "{" in field else "}"
    data = (json.dumps(body)[:-1] + f",{field}:1e3000000{end}").encode()
    answer = post(proxy, path, data)
    assert answer.status_code == 400
    assert strict.requests == []

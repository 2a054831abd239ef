"""Which service an answer was given, told by every upstream and to every client."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.properties.translate import read, read_whole, request, streamed

from cliproxy.dialects import ParseMeta, get
from cliproxy.ir.fold import fold

USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}


def chat(tier: str) -> Any:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}}
    return {"id": "c", "choices": [choice], "usage": USAGE, "service_tier": tier}


def responses(tier: str) -> Any:
    said = {"type": "output_text", "text": "Hi", "annotations": []}
    item = {"type": "message", "id": "msg_1", "role": "assistant", "content": [said]}
    counts = {"input_tokens": 1, "output_tokens": 1}
    answer = {"id": "resp_1", "object": "response", "status": "completed", "output": [item]}
    return {**answer, "usage": counts, "service_tier": tier}


def claude(tier: str) -> Any:
    counts = {"input_tokens": 1, "output_tokens": 1, "service_tier": tier}
    content = [{"type": "text", "text": "Hi"}]
    return {"id": "msg_1", "type": "message", "content": content, "usage": counts}


def gemini(tier: str) -> Any:
    candidate = {"content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP"}
    counts = {"promptTokenCount": 1, "candidatesTokenCount": 1, "trafficType": tier}
    return {"candidates": [candidate], "usageMetadata": counts}


UPSTREAMS = {
    "openai-chat": chat, "openai-responses": responses, "anthropic": claude, "gemini": gemini,
}  # fmt: skip
WORDS = {
    "openai-chat": {"plain": "default", "priority": "priority", "flex": "flex"},
    "openai-responses": {"plain": "default", "priority": "priority", "flex": "flex"},
    "anthropic": {"plain": "standard", "priority": "priority"},
    "gemini": {
        "plain": "ON_DEMAND", "priority": "ON_DEMAND_PRIORITY", "flex": "ON_DEMAND_FLEX",
    },
}  # fmt: skip


def told(client: str, body: Any) -> Any:
    """Return the tier in a whole answer."""
    match client:
        case "anthropic":
            return body["usage"].get("service_tier")
        case "gemini":
            return body["usageMetadata"].get("trafficType")
        case _:
            return body.get("service_tier")


@pytest.mark.parametrize("tier", ["plain", "priority", "flex"])
@pytest.mark.parametrize("client", UPSTREAMS)
@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_the_tier_of_an_answer_is_told_in_the_clients_words(upstream, client, tier):
    if tier not in WORDS[upstream]:
        pytest.skip("the upstream has no such tier")
    events = read_whole(upstream, UPSTREAMS[upstream](WORDS[upstream][tier]))
    body = json.loads(get(client).render(fold(events), request(client)))
    assert told(client, body) == WORDS[client].get(tier)


@pytest.mark.parametrize("client", UPSTREAMS)
@pytest.mark.parametrize(
    ("upstream", "word"), [("openai-chat", "auto"), ("openai-responses", "auto")]
)
def test_what_was_asked_for_is_not_told_as_what_was_given(upstream, word, client):
    events = read_whole(upstream, UPSTREAMS[upstream](word))
    body = json.loads(get(client).render(fold(events), request(client)))
    assert told(client, body) is None


def test_a_responses_client_is_not_told_what_it_asked_for():
    req = get("openai-responses").parse(
        {"model": "m", "input": "Hi", "service_tier": "priority"}, ParseMeta()
    )
    body = json.loads(get("openai-responses").render(fold(read_whole("gemini", gemini(""))), req))
    assert "service_tier" not in body


CHUNK = {"id": "c", "service_tier": "priority"}
STREAM = b"".join(
    b"data: " + json.dumps(chunk).encode() + b"\n\n"
    for chunk in (
        {**CHUNK, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hi"}}]},
        {**CHUNK, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {**CHUNK, "choices": [], "usage": USAGE},
    )
)


@pytest.mark.parametrize(
    ("client", "said"),
    [
        ("openai-chat", b'"service_tier":"priority"'),
        ("openai-responses", b'"service_tier":"priority"'),
        ("anthropic", b'"service_tier":"priority"'),
        ("gemini", b'"trafficType":"ON_DEMAND_PRIORITY"'),
    ],
)
def test_the_tier_is_in_a_stream_once(client, said):
    out = streamed(client, read("openai-chat", [STREAM, b"data: [DONE]\n\n"]))
    assert out.count(said) == 1

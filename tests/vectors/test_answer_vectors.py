"""What an upstream of one dialect says, a client of another is told, streamed or whole."""

from __future__ import annotations

import json

import pytest
from anthropic.types import Message
from anthropic.types.beta import BetaMessage
from google.genai.interactions import Interaction
from google.genai.types import GenerateContentResponse
from openai.types.chat import ChatCompletion
from openai.types.responses import Response
from pydantic import TypeAdapter
from tests.sim.grammar import frames
from tests.vectors import answers_runner as runner
from tests.vectors.answers_runner import Vector

OFFICIAL = {
    "openai-chat": TypeAdapter(ChatCompletion),
    "openai-responses": TypeAdapter(Response),
    "anthropic": TypeAdapter(Message),
    "gemini": TypeAdapter(GenerateContentResponse),
    "interactions": TypeAdapter(Interaction),
}
BETA = TypeAdapter(BetaMessage)
"""Of Anthropic's answers with calls to MCP servers, which only its beta API has."""


@pytest.mark.parametrize("vector", runner.vectors(), ids=lambda vector: vector.id)
def test_an_answer_is_told_as_the_vector_says(vector: Vector) -> None:
    spec = vector.spec
    told = runner.run(vector, [runner.body_of(vector)])
    runner.judged(vector, told)
    names: dict[str, str] = {}
    if "error" in spec:
        assert told.error is not None, told.whole
        assert not runner.differs(spec["error"], told.error, names)
    else:
        assert told.error is None, told.error
    if "whole" in spec:
        shown = runner.shown_whole(vector.client, told.whole)
        assert not runner.differs(spec["whole"], shown, names)
    if "stream" in spec:
        shown = runner.shown_stream(vector.client, told.stream)
        assert not runner.differs(spec["stream"], shown, names, "stream")


@pytest.mark.parametrize("vector", runner.vectors(), ids=lambda vector: vector.id)
def test_an_answer_that_comes_byte_by_byte_is_the_same(vector: Vector) -> None:
    body = runner.body_of(vector)
    at_once = runner.run(vector, [body])
    in_bytes = runner.run(vector, [body[n : n + 1] for n in range(len(body))])
    runner.judged(vector, in_bytes)
    shown = [runner.shown_stream(vector.client, told.stream) for told in (at_once, in_bytes)]
    assert runner.numbered(shown[0]) == runner.numbered(shown[1])
    assert len(frames(at_once.stream)) == len(frames(in_bytes.stream))


def test_every_whole_answer_is_of_the_official_type() -> None:
    for vector in runner.vectors():
        whole = runner.run(vector, [runner.body_of(vector)]).whole
        if whole is not None:
            blocks = whole["content"] if vector.client == "anthropic" else ()
            beta = any(block["type"].startswith("mcp_") for block in blocks)
            official = BETA if beta else OFFICIAL[vector.client]
            official.validate_json(json.dumps(whole))


@pytest.mark.parametrize("client", ["openai-chat", "openai-responses", "anthropic", "gemini"])
def test_one_line_of_many_mebibytes_is_one_event_edge_166(client: str) -> None:
    upstream = "gemini" if client != "gemini" else "openai-chat"
    text = "é🙂" * 700_000
    if upstream == "gemini":
        candidate = {"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}
        payloads = [{"candidates": [candidate]}]
    else:
        payloads = [{"choices": [{"delta": {"content": text}, "finish_reason": "stop"}]}]
    vector = Vector(client, upstream, {"name": "a long line", "upstream": payloads})
    body = runner.body_of(vector)
    assert len(body) > 4 << 20
    told = runner.run(vector, [body[n : n + 65536] for n in range(0, len(body), 65536)])
    assert runner.judged(vector, told).text == text
    assert json.dumps(told.whole, ensure_ascii=False).count(text) == 1


def test_a_vector_uses_only_members_that_mean_something() -> None:
    told = {"stream", "whole", "error"}
    sent = {"upstream", "upstream_text", "upstream_whole"}
    for vector in runner.vectors():
        keys = vector.spec.keys()
        assert len(keys & sent) == 1, vector.id
        assert keys & told, vector.id
        assert keys <= told | sent | {"name", "edges", "request", "caps"}, vector.id


def test_no_two_vectors_of_a_pair_have_one_name() -> None:
    names = [(v.client, v.upstream, v.spec["name"]) for v in runner.vectors()]
    assert not {name for name in names if names.count(name) > 1}

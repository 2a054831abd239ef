"""Every client dialect onto every upstream dialect, told through the official SDKs.

The upstreams are strict: they refuse what the real APIs refuse. What the upstream received is
checked as well as what the client got.
"""

from __future__ import annotations

import base64

import pytest

from tests.clients.sdk import DIALECTS, PNG, Scenario, Turn, ask
from tests.clients.upstreams import config
from tests.sim.script import Answer, Call, Usage

pytestmark = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
both = pytest.mark.parametrize("upstream", DIALECTS)
clients = pytest.mark.parametrize("client", DIALECTS)
USAGE = Usage(input=100, output=30, cached=60, reasoning=10)


@pytest.fixture
def strict(start_sim):
    return start_sim(
        strict=True, keys={"chat-key", "codex-key", "claude-key", "gemini-key", "interactions-key"}
    )


@pytest.fixture
def go(strict, start_proxy):
    proxy = start_proxy(config(strict))

    def run(client, upstream, scenario, stream):
        result = ask(client, proxy.url, proxy.key, f"to-{upstream}", scenario, stream=stream)
        assert strict.last.failure is None
        return result

    return run


@clients
@both
def test_text_with_system_turns_and_usage(go, strict, client, upstream, stream):
    strict.script(Answer(["Grüße ", "aus ", "Øslo \u2028 🙂"], usage=USAGE))
    scenario = Scenario(
        system="Be brief.",
        turns=[Turn("First?", "One."), Turn("Second?", "Two.")],
        question="Third?",
        max_tokens=500,
    )
    result = go(client, upstream, scenario, stream)
    assert result.text == "Grüße aus Øslo \u2028 🙂"
    assert result.finish == "stop"
    assert (result.input, result.output, result.cached) == (100, 30, 60)
    seen = strict.last
    assert seen.dialect == upstream
    assert seen.stream is stream
    assert seen.system == "Be brief."
    assert [role for role, _ in seen.turns] == ["user", "assistant", "user", "assistant", "user"]
    assert seen.said == "Third?"
    if client != upstream:
        assert result.model == f"to-{upstream}"


@clients
@both
def test_parallel_tool_calls_and_their_results(go, strict, client, upstream, stream):
    calls = (
        Call("get_weather", {"city": "Ålesund", "days": 3}),
        Call("get_weather", {"city": "B"}),
        Call("get_news", {"city": "C"}, pieces=['{"ci', 'ty": "', "C", '"}']),
    )
    strict.script(Answer("Checking.", tools=calls, usage=USAGE))
    scenario = Scenario(question="Weather?", tools=True, tool_choice="auto")
    first = go(client, upstream, scenario, stream)
    assert first.finish == "tool_calls"
    assert first.text == "Checking."
    assert [(n, a) for _, n, a in first.calls] == [
        ("get_weather", {"city": "Ålesund", "days": 3}),
        ("get_weather", {"city": "B"}),
        ("get_news", {"city": "C"}),
    ]
    ids = [i for i, _, _ in first.calls]
    assert len(set(ids)) == 3
    assert strict.last.tools == ["get_weather", "get_news"]

    strict.script(Answer("5C, 7C, none."))
    after = Scenario(
        turns=[Turn("Weather?", "Checking.", first.calls, ["5C", "7C", "no news"])],
        question="",
        tools=True,
    )
    last = go(client, upstream, after, stream)
    assert last.text == "5C, 7C, none."
    results = strict.last.results
    assert [text for _, text in results] == ["5C", "7C", "no news"]


@clients
@both
@pytest.mark.parametrize("choice", ["none", "required", "get_news"])
def test_tool_choice(go, strict, client, upstream, stream, choice):
    strict.script(Answer("ok"))
    go(client, upstream, Scenario(tools=True, tool_choice=choice), stream)
    body = strict.last.body
    match upstream:
        case "openai-chat":
            named = {"type": "function", "function": {"name": "get_news"}}
            assert body["tool_choice"] == (named if choice == "get_news" else choice)
        case "openai-responses":
            named = {"type": "function", "name": "get_news"}
            assert body["tool_choice"] == (named if choice == "get_news" else choice)
        case "anthropic":
            wire = {"none": {"type": "none"}, "required": {"type": "any"}}
            assert body["tool_choice"] == wire.get(choice, {"type": "tool", "name": "get_news"})
        case "interactions":
            named = {"allowed_tools": {"mode": "any", "tools": ["get_news"]}}
            wire = {"none": "none", "required": "any"}
            assert body["generation_config"]["tool_choice"] == wire.get(choice, named)
        case _:
            calling = body["toolConfig"]["functionCallingConfig"]
            assert calling["mode"] == {"none": "NONE"}.get(choice, "ANY")
            assert calling.get("allowedFunctionNames") == (
                ["get_news"] if choice == "get_news" else None
            )


@clients
@both
def test_images_reach_the_model(go, strict, client, upstream, stream):
    strict.script(Answer("A pixel."))
    result = go(client, upstream, Scenario(question="What is this?", image=PNG), stream)
    assert result.text == "A pixel."
    pieces = strict.last.turns[-1][1]
    assert [piece[0] for piece in pieces] == ["text", "image"]
    # Google's SDK writes base64 in the other alphabet.
    sent = strict.last.content.replace(b"-", b"+").replace(b"_", b"/")
    assert base64.b64encode(PNG).replace(b"_", b"/") in sent


@clients
@both
def test_sampling_and_stop_parameters(go, strict, client, upstream, stream):
    strict.script(Answer("ok"))
    scenario = Scenario(max_tokens=77, temperature=0.5, stop=["END"])
    go(client, upstream, scenario, stream)
    body = strict.last.body
    config = body.get("generationConfig") or body.get("generation_config") or body
    limit = {
        "openai-chat": "max_tokens",
        "openai-responses": "max_output_tokens",
        "anthropic": "max_tokens",
        "gemini": "maxOutputTokens",
        "interactions": "max_output_tokens",
    }
    assert config[limit[upstream]] == 77
    assert config["temperature"] == 0.5
    stops = {
        "openai-chat": "stop",
        "anthropic": "stop_sequences",
        "gemini": "stopSequences",
        "interactions": "stop_sequences",
    }
    if client != "openai-responses" and upstream != "openai-responses":
        assert config[stops[upstream]] == ["END"]


@clients
@both
@pytest.mark.parametrize("finish", ["length", "content_filter"])
def test_finish_reasons(go, strict, client, upstream, stream, finish):
    strict.script(Answer("Half an answ", finish=finish))
    result = go(client, upstream, Scenario(), stream)
    assert result.text == "Half an answ"
    # An interaction that was cut off says no more than that.
    plain = "interactions" in (client, upstream)
    assert result.finish == ("length" if plain else finish)


@clients
@both
def test_reasoning_is_shown_in_each_dialects_own_way(go, strict, client, upstream, stream):
    strict.script(Answer("Yes.", thinking=["Let me ", "think."], usage=USAGE))
    result = go(client, upstream, Scenario(), stream)
    assert result.text == "Yes."
    assert result.thinking == "Let me think."


@clients
@both
def test_a_call_without_arguments(go, strict, client, upstream, stream):
    strict.script(Answer(tools=(Call("get_news", {}),)))
    result = go(client, upstream, Scenario(tools=True), stream)
    assert [(n, a) for _, n, a in result.calls] == [("get_news", {})]
    assert result.finish == "tool_calls"

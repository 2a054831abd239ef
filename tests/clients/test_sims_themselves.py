"""The simulators are honest: the official SDKs, pointed straight at them, are content."""

from __future__ import annotations

import pytest

from tests.clients.sdk import DIALECTS, PNG, Scenario, Turn, ask
from tests.sim import Answer, Call, Usage

pytestmark = [
    pytest.mark.parametrize("dialect", DIALECTS),
    pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"]),
]


@pytest.fixture
def go(start_sim):
    sim = start_sim(strict=True)
    return sim, lambda dialect, scenario, stream: ask(
        dialect, sim.url, "any", "some-model", scenario, stream=stream
    )


def test_words_and_usage(go, dialect, stream):
    sim, run = go
    sim.script(Answer(["Grüße ", "🙂"], usage=Usage(100, 30, 60, reasoning=10)))
    result = run(dialect, Scenario(system="Be brief.", image=PNG, question="What?"), stream)
    assert (result.text, result.finish) == ("Grüße 🙂", "stop")
    assert (result.input, result.output, result.cached) == (100, 30, 60)


def test_a_tool_loop_with_thinking(go, dialect, stream):
    sim, run = go
    calls = (Call("get_weather", {"city": "A"}), Call("get_news", {"city": "B"}))
    sim.script(Answer("Checking.", thinking="Hm.", tools=calls))
    first = run(dialect, Scenario(question="Weather?", tools=True), stream)
    assert [(name, args) for _, name, args in first.calls] == [
        ("get_weather", {"city": "A"}),
        ("get_news", {"city": "B"}),
    ]
    assert first.finish == "tool_calls"
    sim.script(Answer("Done."))
    turn = Turn("Weather?", "Checking.", first.calls, ["5C", "none"])
    last = run(dialect, Scenario(turns=[turn], question="", tools=True), stream)
    assert last.text == "Done."
    assert [text for _, text in sim.last.results] == ["5C", "none"]


@pytest.mark.parametrize("finish", ["length", "content_filter"])
def test_finish_reasons(go, dialect, stream, finish):
    sim, run = go
    sim.script(Answer("Half an answ", finish=finish))
    result = run(dialect, Scenario(), stream)
    # The Interactions API has one word for all that cuts an answer off.
    told = "length" if dialect == "interactions" else finish
    assert (result.text, result.finish) == ("Half an answ", told)

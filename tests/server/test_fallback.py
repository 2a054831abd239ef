"""When a model can serve nobody, what its owner named in its place does."""

from __future__ import annotations

import pytest

from cliproxy.config.fallback import Fallbacks, Step, problems
from tests.server.raw import PATHS, post, request
from tests.sim import Answer, Failure, Sim
from tests.sim.grammar import check

SHAPES = [shape for shape in PATHS if shape != "openai-completions"]


def entries(first, second):
    return f"""
claude-api-key: [{{api-key: k, base-url: "{first.url}", models: [{{name: big}}]}}]
openai-compatibility:
  - {{name: other, base-url: "{second.url}/v1", models: [{{name: small}}, {{name: big}}]}}
disable-cooling: true
"""


@pytest.fixture
def pair():
    with Sim() as first, Sim() as second:
        yield first, second


def steps(written, model, providers=()):
    return Fallbacks(written, lambda name: name in providers).after(model)


class TestChains:
    def test_one_chain_serves_every_model(self):
        assert steps(["a", "b"], "x") == [Step("a"), Step("b")]
        # A model of the chain goes on after itself and never comes again.
        assert steps(["a", "b", "c"], "b") == [Step("c")]

    def test_several_chains_serve_their_own_models(self):
        written = [["a", "b"], ["c", "d"]]
        assert steps(written, "c") == [Step("d")]
        assert steps(written, "x") == []

    def test_chains_by_model_take_patterns(self):
        written = {"gpt-5*": ["a", "gpt-5", "b"], "*": "c"}
        assert steps(written, "GPT-5") == [Step("a"), Step("gpt-5"), Step("b")]
        assert steps(written, "gpt-5") == [Step("a"), Step("b")]
        assert steps(written, "x") == [Step("c")]

    def test_a_provider_serves_the_same_model(self):
        assert steps(["claude", "b"], "x", {"claude"}) == [Step("x", "claude"), Step("b")]

    @pytest.mark.parametrize("written", [None, "", [], {}, 7])
    def test_nothing_is_tried_without_a_chain(self, written):
        assert steps(written, "x") == []

    @pytest.mark.parametrize(
        ("written", "count"), [(None, 0), (["a"], 0), ({"a": "b"}, 0), (7, 1), (["a", 1, ""], 2)]
    )
    def test_what_is_wrong_is_said(self, written, count):
        assert len(problems(written)) == count


@pytest.mark.parametrize("failure", [Failure(404, "no such model"), Failure(429), Failure(500)])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_next_model_answers_in_its_own_name(pair, start_proxy, shape, stream, failure):
    first, second = pair
    first.script(failure)
    second.script(Answer("From the small one."))
    proxy = start_proxy(entries(*pair) + "fallback: [big, small]\n")
    path, body = request(shape, "claude/big", stream=stream)
    answer = post(proxy, path, body)
    assert answer.status_code == 200, answer.text
    assert "From the small one." in answer.text
    assert second.last.model == "small"
    assert "small" in answer.text
    if stream:
        check(shape, answer.content)


def test_a_provider_in_the_chain_serves_the_same_model(pair, start_proxy):
    first, second = pair
    first.script(Failure(500))
    proxy = start_proxy(entries(*pair) + "fallback: [claude, other]\n")
    answer = post(proxy, *request("anthropic", "claude/big"))
    assert answer.status_code == 200
    assert second.last.model in ("big", "claude/big")


def test_a_request_at_fault_is_not_tried_elsewhere(pair, start_proxy):
    first, second = pair
    first.script(Failure(400, "too silly"))
    proxy = start_proxy(entries(*pair) + "fallback: [big, small]\n")
    assert post(proxy, *request("anthropic", "claude/big")).status_code == 400
    assert not second.requests


def test_the_last_failure_is_told_when_the_chain_ends(pair, start_proxy):
    first, second = pair
    first.script(Failure(500, "one"))
    second.script(Failure(503, "two"))
    proxy = start_proxy(entries(*pair) + "fallback: [big, small, nothing]\n")
    answer = post(proxy, *request("anthropic", "claude/big"))
    assert answer.status_code in (503, 529)
    assert "two" in answer.text


def test_a_model_nobody_knows_is_replaced_too(pair, start_proxy):
    proxy = start_proxy(entries(*pair) + "fallback: {unheard-*: [small]}\n")
    assert post(proxy, *request("openai-chat", "unheard-of")).status_code == 200
    assert post(proxy, *request("openai-chat", "unknown")).status_code == 404


def test_plain_aliases_hold_for_every_provider(pair, start_proxy):
    proxy = start_proxy(entries(*pair) + "oauth-model-alias: {Nick: small}\n")
    assert post(proxy, *request("openai-chat", "nick")).status_code == 200
    assert pair[1].last.model == "small"

"""Counting tokens never costs a generation, and says how sure it is."""

from __future__ import annotations

import pytest

from tests.clients.upstreams import FAMILIES, config
from tests.server.raw import post

TURN = [{"role": "user", "content": "Hello world"}]


@pytest.fixture
def proxy(sim, start_proxy):
    return start_proxy(
        config(
            sim,
            "local-model: {enable: false}",
        )
    )


def count(proxy, model):
    answer = post(
        proxy, "/v1/messages/count_tokens", {"model": model, "messages": TURN, "max_tokens": 1}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["input_tokens"], answer.headers.get("x-cliproxy-token-count")


@pytest.mark.parametrize("upstream", FAMILIES)
def test_nothing_is_generated(sim, proxy, upstream):
    count(proxy, f"to-{upstream}")
    assert all(request.endpoint == "count" for request in sim.requests)


@pytest.mark.parametrize("upstream", ["anthropic", "gemini"])
def test_an_upstream_that_counts_is_asked(sim, proxy, upstream):
    tokens, how = count(proxy, f"to-{upstream}")
    assert tokens > 0
    assert how is None
    assert sim.last.endpoint == "count"


def test_openais_models_are_counted_exactly_without_asking(sim, proxy):
    assert count(proxy, "to-openai-responses") == (3 + 3 + 1 + 2, "exact")
    assert not sim.requests


def test_anything_else_is_an_estimate_and_says_so(sim, proxy):
    tokens, how = count(proxy, "to-openai-chat")
    assert tokens > 0
    assert how == "estimate"
    assert not sim.requests

"""Codex's search route: the request as it came, to accounts that can search, and what they found."""

from __future__ import annotations

import json

import pytest

from cliproxy.pipeline import searching
from cliproxy.server import bodies
from tests.proxy import KEY
from tests.server import raw
from tests.server.test_usage import rows
from tests.sim import Raw
from tests.sim.beside import Beside

FOUND = b'{ "output":"Oslo: 9", "encrypted_output":"gAAA", "results":[1.10] }'
LIMIT = {"error": {"type": "usage_limit_reached", "message": "Used up", "resets_in_seconds": 600}}
BODY = {"id": "thread-1", "model": "gpt-5.5", "commands": {"search_query": [{"q": "Oslo"}]}}
PATHS = ("/v1/alpha/search", "/backend-api/codex/alpha/search")


class Searching(Beside):
    def routes(self):
        return {("POST", "/v1/alpha/search"): lambda record: Raw(FOUND)}


@pytest.fixture
def sim():
    with Searching() as running:
        yield running


def config(sim, *keys, extra=""):
    entries = "\n".join(
        f"  - {{api-key: {key}, base-url: '{sim.url}/v1', models: [{{name: gpt-5.5}}], {more}}}"
        for key, more in keys
    )
    return f"codex-api-key:\n{entries}\n{extra}"


def search(proxy, body=BODY, path=PATHS[0], **headers):
    return raw.post(proxy, path, body, headers=headers)


def keys_of(sim):
    return [r.headers["authorization"].removeprefix("Bearer ") for r in sim.requests]


@pytest.mark.parametrize("path", PATHS)
def test_what_is_asked_and_found_passes_as_it_is(sim, start_proxy, path):
    proxy = start_proxy(config(sim, ("a", "alpha-search: true")))
    body = b'{ "model":"gpt-5.5", "id":"thread-1","commands":{"search_query":[{"q":"1.10"}]} }'
    answer = raw.post(proxy, path, body, headers={"x-codex-window-id": "w"})
    assert (answer.status_code, answer.content) == (200, FOUND)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-cliproxy-fidelity"] == "verbatim"
    assert sim.last.raw == body
    assert sim.last.path == "/v1/alpha/search"
    assert sim.last.headers["x-codex-window-id"] == "w"
    assert keys_of(sim) == ["a"]


def test_names_of_prompt_caches_are_taken_out(sim, start_proxy):
    proxy = start_proxy(config(sim, ("a", "alpha-search: true")))
    search(proxy, {**BODY, "prompt_cache_key": "k", "prompt_cache_retention": "24h"})
    assert sim.last.body == BODY


def test_only_accounts_that_can_search_are_asked(sim, start_proxy):
    proxy = start_proxy(config(sim, ("a", "priority: 9"), ("b", "alpha-search: true")))
    assert search(proxy).status_code == 200
    assert keys_of(sim) == ["b"]


def test_a_used_up_account_rests_and_another_one_searches(sim, start_proxy):
    proxy = start_proxy(
        config(sim, ("a", "alpha-search: true, priority: 9"), ("b", "alpha-search: true"))
    )
    sim.instead("/v1/alpha/search", Raw(json.dumps(LIMIT).encode(), 429))
    assert [search(proxy).content for _ in range(2)] == [FOUND, FOUND]
    assert keys_of(sim) == ["a", "b", "b"]


def test_searches_of_one_conversation_keep_their_account(sim, start_proxy):
    proxy = start_proxy(
        config(sim, ("a", "alpha-search: true"), ("b", "alpha-search: true"),
               extra="routing: {session-affinity: true}")
    )  # fmt: skip
    for _ in range(4):
        search(proxy)
    assert len(set(keys_of(sim))) == 1
    for number in range(8):
        search(proxy, {**BODY, "id": f"other-{number}"})
    assert set(keys_of(sim)) == {"a", "b"}


@pytest.mark.parametrize(
    ("answer", "status", "told"),
    [
        (Raw(json.dumps(LIMIT).encode(), 400), 400, LIMIT),
        (Raw(b'{"detail":"No such route"}', 404), 404, {"error": "No such route"}),
        (Raw(b"<html>", content_type="text/html"), 502, None),
    ],
    ids=["own words", "other shape", "page"],
)
def test_a_refusal_is_told(sim, start_proxy, answer, status, told):
    proxy = start_proxy(config(sim, ("a", "alpha-search: true")))
    sim.instead("/v1/alpha/search", answer)
    answered = search(proxy)
    assert answered.status_code == status
    if told is not None:
        assert answered.json() == told
    assert answered.json()["error"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"id": "t"}, 400, "'model'"),
        (b"{", 400, "not valid JSON"),
        ({**BODY, "model": "nothing"}, 404, "nothing"),
    ],
    ids=["model", "json", "unknown"],
)
def test_a_request_at_fault_is_told_so_in_a_sentence(sim, start_proxy, body, status, words):
    proxy = start_proxy(config(sim, ("a", "alpha-search: true")))
    answer = search(proxy, body)
    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert sim.requests == []


def test_without_an_account_that_can_search_that_is_said(sim, start_proxy):
    proxy = start_proxy(config(sim, ("a", "alpha-search: false")))
    answer = search(proxy)
    assert answer.status_code == 501
    assert "alpha-search: true" in answer.json()["error"]


def test_requests_and_answers_have_bounds(sim, start_proxy, monkeypatch):
    proxy = start_proxy(config(sim, ("a", "alpha-search: true"), ("b", "alpha-search: true")))
    monkeypatch.setattr(bodies, "MOST_SEARCHED", 4096)
    answer = search(proxy, {**BODY, "input": "x" * 4096})
    assert answer.status_code == 413
    assert "max-body-size" not in answer.json()["error"]
    assert sim.requests == []
    monkeypatch.setattr(searching, "MOST", len(FOUND) - 1)
    assert search(proxy).status_code == 502
    assert len(sim.requests) == 1, "nobody else is asked for as much"


def test_a_search_is_a_request_in_the_usage(sim, start_proxy):
    proxy = start_proxy(config(sim, ("a", "alpha-search: true")))
    search(proxy)
    (row,) = rows(proxy)
    assert (row["operation"], row["endpoint"], row["status"], row["attempts"]) == (
        "search", "POST /v1/alpha/search", 200, 1,
    )  # fmt: skip


def test_a_search_wants_a_clients_key(sim, start_proxy):
    proxy = start_proxy(config(sim, ("a", "alpha-search: true")))
    answer = raw.post(proxy, PATHS[0], BODY, key=f"{KEY}x")
    assert answer.status_code == 401
    assert isinstance(answer.json()["error"], str)

"""Counts of Chat Completions streams whose clients did not ask for any."""

from __future__ import annotations

import json

import pytest

from tests.clients.upstreams import config
from tests.server.raw import post, request
from tests.server.test_reload import reload
from tests.server.test_usage import rows
from tests.sim import Answer, Failure, Raw, Usage
from tests.sim.grammar import check

TOLD = Usage(input=30, output=9)
ASKED = {"include_usage": True}
REFUSAL = Failure(422, "Extra inputs are not permitted: body.stream_options")


@pytest.fixture
def proxy(sim, start_proxy):
    return start_proxy(config(sim))


def chat(model="to-openai-chat", client="openai-chat", **fields):
    return request(client, model, stream=True, **fields)


@pytest.mark.parametrize("chunk", [None, 1, 7, 64])
def test_the_upstream_counts_and_the_client_does_not_see_it(proxy, sim, chunk):
    sim.script(Answer("Hi there", usage=TOLD, chunk=chunk))
    answer = post(proxy, *chat())
    assert check("openai-chat", answer.content, include_usage=False).text == "Hi there"
    assert b"usage" not in answer.content
    assert answer.content.endswith(b"data: [DONE]\n\n")
    assert answer.headers["x-cliproxy-fidelity"] == "verbatim"
    assert sim.last.body["stream_options"] == ASKED
    assert rows(proxy)[0]["tokens"]["total"] == 39


@pytest.mark.parametrize(
    ("own", "sent"),
    [
        ({"include_usage": False}, ASKED),
        ({"include_obfuscation": False}, {"include_obfuscation": False, **ASKED}),
        ({}, ASKED),
        (None, ASKED),
    ],
)
def test_other_options_of_a_stream_stay(proxy, sim, own, sent):
    sim.script(Answer("Hi there", usage=TOLD))
    answer = post(proxy, *chat(stream_options=own))
    assert b"usage" not in answer.content
    assert sim.last.body["stream_options"] == sent
    assert rows(proxy)[0]["tokens"]["total"] == 39


def test_every_other_byte_of_the_request_is_the_clients_own(proxy, sim):
    path, _ = chat()
    body = b'{ "model":"to-openai-chat", "stream" : true,"x":1e400,"messages":[{"role":"user",\
"content":"say \\"stream_options\\" \\u00e9"}] }'
    assert post(proxy, path, body).status_code == 200
    beginning = b'{"stream_options":{"include_usage":true}, "model":"'
    assert sim.last.raw.startswith(beginning)
    assert sim.last.raw.endswith(body[body.index(b'", "stream"') :])


def test_who_asks_sees_the_counts(proxy, sim):
    sim.script(Answer("Hi there", usage=TOLD))
    answer = post(proxy, *chat(stream_options=ASKED))
    assert check("openai-chat", answer.content, include_usage=True).usage is not None
    assert sim.last.raw.count(b"stream_options") == 1


@pytest.mark.parametrize("client", ["openai-chat", "anthropic", "gemini", "openai-responses"])
def test_an_upstream_that_cannot_count_is_asked_without_from_then_on(proxy, sim, client):
    sim.script(REFUSAL, Answer("one"), Answer("two"))
    for said in (b"one", b"two"):
        answer = post(proxy, *chat(client=client))
        assert answer.status_code == 200
        assert said in answer.content
    assert ["stream_options" in asked.body for asked in sim.requests] == [True, False, False]
    assert [row["attempts"] for row in rows(proxy, 2)] == [1, 1]


@pytest.mark.parametrize(
    "body",
    [
        {"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"],
                     "msg": "Extra inputs are not permitted"}]},
        {"errors": [{"path": "stream_options", "detail": "unknown"}]},
    ],
)  # fmt: skip
def test_wherever_the_refusal_names_it(proxy, sim, body):
    refusal = Raw(json.dumps(body).encode(), status=422, content_type="application/json")
    sim.script(refusal, Answer("one"), Answer("two"))
    assert [post(proxy, *chat()).status_code for _ in range(2)] == [200, 200]
    assert ["stream_options" in asked.body for asked in sim.requests] == [True, False, False]


def test_who_repeats_the_request_is_not_taken_for_one_that_cannot_count(proxy, sim):
    echo = {"detail": [{"loc": ["body", "messages"], "input": {"stream_options": ASKED}}]}
    refusal = Raw(json.dumps(echo).encode(), status=422, content_type="application/json")
    sim.script(refusal, refusal, Answer("fine", usage=TOLD))
    assert post(proxy, *chat()).status_code == 422
    assert post(proxy, *chat()).status_code == 200
    assert sim.last.body["stream_options"] == ASKED


def test_it_is_remembered_when_the_configuration_changes(proxy, sim):
    sim.script(REFUSAL, Answer("one"), Answer("two"))
    assert post(proxy, *chat()).status_code == 200
    reload(proxy, config(sim, "request-retry: 1"))
    assert post(proxy, *chat()).status_code == 200
    assert len(sim.requests) == 3


def test_who_asked_hears_the_refusal(proxy, sim):
    sim.script(REFUSAL)
    answer = post(proxy, *chat(stream_options=ASKED))
    assert answer.status_code == 422
    assert "stream_options" in json.loads(answer.content)["error"]["message"]
    assert len(sim.requests) == 1


def test_a_refusal_of_something_else_is_no_reason_to_ask_again(proxy, sim):
    sim.script(Failure(400, "temperature: too hot"))
    assert post(proxy, *chat()).status_code == 400
    assert len(sim.requests) == 1


@pytest.mark.parametrize("wrong", [5, "yes", [1], {"include_usage": "maybe"}])
def test_what_is_wrong_the_upstream_says_itself(proxy, sim, wrong):
    sim.script(Failure(400, "stream_options: wrong"))
    assert post(proxy, *chat(stream_options=wrong)).status_code == 400
    assert [asked.body["stream_options"] for asked in sim.requests] == [wrong]

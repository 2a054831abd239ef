"""The Code Assist routes: Gemini in an envelope, for programs on this machine."""

from __future__ import annotations

import json

import httpx2 as httpx
import pytest

from tests.clients.upstreams import FAMILIES, MODELS, config
from tests.proxy import KEY
from tests.server.raw import post
from tests.sim import Answer, Call, Failure, Usage
from tests.sim.grammar import check

UPSTREAMS = tuple(FAMILIES)
TURN = {"role": "user", "parts": [{"text": "Hi"}]}
USAGE = Usage(input=9, output=4)


def body(upstream, **inner):
    return {
        "model": f"to-{upstream}",
        "project": "somebody-elses",
        "user_prompt_id": "p1",
        "request": {"contents": [TURN], "session_id": "s1", **inner},
    }


@pytest.fixture
def proxy(sim, start_proxy):
    return start_proxy(config(sim))


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_an_answer_comes_in_the_envelope(sim, proxy, upstream):
    sim.script(Answer(text="Hello", usage=USAGE))
    given = body(upstream, systemInstruction={"parts": [{"text": "Be kind."}]})
    answer = post(proxy, "/v1internal:generateContent", given)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"response"}
    inner = answer.json()["response"]
    assert inner["candidates"][0]["content"]["parts"] == [{"text": "Hello"}]
    assert inner["usageMetadata"]["totalTokenCount"] == 13
    assert sim.last.model == MODELS[upstream]
    assert sim.last.system == "Be kind."
    assert sim.last.said == "Hi"
    sent = json.dumps(sim.last.body)
    assert "somebody-elses" not in sent
    assert "session_id" not in sent


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_a_stream_comes_in_envelopes(sim, proxy, upstream):
    sim.script(Answer(text=["Hel", "lo"], tools=[Call("look", {"at": "x"})], usage=USAGE))
    given = body(
        upstream,
        tools=[
            {
                "functionDeclarations": [
                    {"name": "look", "parameters": {"type": "OBJECT", "properties": {}}}
                ]
            }
        ],
    )
    answer = post(proxy, "/v1internal:streamGenerateContent?alt=sse", given)
    told = check("gemini", answer.content, envelope=True).told
    assert "Hello" in str(told)
    assert "look" in str(told)


def test_an_error_stands_outside_the_envelope(sim, proxy):
    sim.script(Failure(400, "No."))
    answer = post(proxy, "/v1internal:generateContent", body("anthropic"))
    assert answer.status_code == 400
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"
    sim.script(Answer(text=["Hello", " you"], cut=5))
    answer = post(proxy, "/v1internal:streamGenerateContent?alt=sse", body("anthropic"))
    last = json.loads(answer.text.strip().split("\n")[-1][6:])
    assert set(last) == {"error"}


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_counting_names_its_model_inside(proxy, upstream):
    given = {"request": {"model": f"models/to-{upstream}", "contents": [TURN]}}
    answer = post(proxy, "/v1internal:countTokens", given)
    assert answer.status_code == 200, answer.text
    assert answer.json()["totalTokens"] > 0


@pytest.mark.parametrize(
    ("given", "field"),
    [({"model": "to-gemini"}, "request"), ({"model": "to-gemini", "request": 1}, "request")],
)
def test_a_missing_request_is_named(proxy, given, field):
    answer = post(proxy, "/v1internal:generateContent", given)
    assert answer.status_code == 400
    assert field in answer.json()["error"]["message"]


def test_other_methods_say_that_they_are_not_there(proxy):
    answer = post(proxy, "/v1internal:loadCodeAssist", {})
    assert answer.status_code == 501
    assert "generateContent" in answer.json()["error"]["message"]


class TestAccess:
    """Gemini CLI cannot be given a key; what merely looks local must bring one."""

    def ask(self, proxy, headers=None, key=None):
        path = "/v1internal:generateContent"
        return post(proxy, path, body("gemini"), headers, key=key).status_code

    def test_a_program_on_this_machine_needs_no_key(self, proxy):
        assert self.ask(proxy) == 200
        assert self.ask(proxy, {"authorization": "Bearer ya29.its-own-login"}) == 200

    @pytest.mark.parametrize("name", ["origin", "x-forwarded-for", "forwarded", "x-real-ip"])
    def test_what_comes_from_elsewhere_needs_one(self, proxy, name):
        assert self.ask(proxy, {name: "http://example.com"}) == 403
        assert self.ask(proxy, {name: "http://example.com"}, key=KEY) == 200

    def test_the_other_routes_still_want_a_key(self, proxy):
        with httpx.Client(base_url=proxy.url, trust_env=False) as client:
            answer = client.post("/v1beta/models/to-gemini:generateContent", json={})
        assert answer.status_code == 401

    def test_its_own_login_is_not_taken_for_a_guess_at_a_key(self, proxy):
        for _ in range(30):
            assert self.ask(proxy, {"authorization": "Bearer ya29.its-own-login"}) == 200
        answer = post(proxy, "/v1internal:generateContent", body("gemini"), key=KEY)
        assert answer.status_code == 200

    def test_guesses_from_elsewhere_are_counted(self, proxy):
        told = {"x-forwarded-for": "203.0.113.9"}
        seen = [self.ask(proxy, told, key="wrong") for _ in range(22)]
        assert seen[0] == 403
        assert seen[-1] == 429

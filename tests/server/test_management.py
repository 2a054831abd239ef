"""The management API: there with a key only, and telling why a request failed."""

from __future__ import annotations

import json

import pytest

from tests.clients.upstreams import config
from tests.server.raw import get, post, request
from tests.sim import Answer, Failure

KEY = "management-key-0123456789"
WITH_KEY = f"remote-management: {{secret-key: {KEY}}}"


@pytest.fixture
def proxy(sim, start_proxy):
    return start_proxy(config(sim, WITH_KEY))


@pytest.mark.parametrize("path", ["/v0/management", "/v0/management/requests", "/v0/management/x"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_a_key_there_is_none(sim, start_proxy, path, method):
    answer = post(start_proxy(config(sim)), path, {}, method=method, key=KEY)
    assert (answer.status_code, answer.content) == (404, b"")


def test_the_environment_can_bring_the_key(sim, start_proxy, monkeypatch):
    monkeypatch.setenv("MANAGEMENT_PASSWORD", KEY)
    proxy = start_proxy(config(sim))
    assert get(proxy, "/v0/management/requests", key=KEY).json() == {"requests": []}


@pytest.mark.parametrize(("key", "status"), [(None, 401), ("wrong", 401), ("test-client-key", 401)])
def test_a_client_key_is_no_management_key(proxy, key, status):
    answer = get(proxy, "/v0/management/requests", key=key)
    assert answer.status_code == status
    assert set(answer.json()) == {"error"}


def test_the_management_key_is_no_client_key(proxy):
    assert post(proxy, *request("openai-chat", "to-gemini"), key=KEY).status_code == 401


def test_five_wrong_keys_close_the_gate(proxy):
    for _ in range(5):
        get(proxy, "/v0/management/requests", key="wrong")
    answer = get(proxy, "/v0/management/requests", key=KEY)
    assert answer.status_code == 403
    assert "banned" in answer.json()["error"]


def test_an_unknown_route_is_not_there(proxy):
    assert get(proxy, "/v0/management/nothing", key=KEY).status_code == 404


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"model": 1}', b'{"model":"m","body":1}'])
def test_a_body_that_makes_no_sense_is_refused(proxy, body):
    answer = post(proxy, "/v0/management/explain", body, key=KEY)
    assert answer.status_code == 400
    assert answer.json()["error"]


def explain(proxy, **asked):
    return post(proxy, "/v0/management/explain", asked, key=KEY)


def test_explain_tells_the_upstream_request_without_sending_it(sim, proxy):
    told = explain(
        proxy,
        model="to-anthropic",
        body={"messages": [{"role": "user", "content": "Hi"}], "seed": 7, "max_tokens": 9},
    ).json()
    (choice,) = told["choices"]
    assert choice["url"] == f"{sim.url}/v1/messages"
    assert choice["body"]["messages"][0]["role"] == "user"
    assert [loss["field"] for loss in choice["losses"]] == ["seed"]
    assert "claude-key" not in json.dumps(told)
    assert not sim.requests


def test_explain_names_what_is_wrong(proxy):
    answer = explain(proxy, model="nothing-like-it")
    assert answer.status_code == 404
    assert answer.json()["error"] == "model_not_found"
    assert explain(proxy, model="to-gemini", dialect="klingon").status_code == 400


class TestRequests:
    def test_every_attempt_of_a_request_is_told(self, start_sim, start_proxy):
        first, second = start_sim(), start_sim()
        first.script(Failure(429, "slow down", retry_after=60))
        proxy = start_proxy(f"""
{WITH_KEY}
openai-compatibility:
  - {{name: a, base-url: "{first.url}/v1", models: [{{name: m}}], priority: 2}}
  - {{name: b, base-url: "{second.url}/v1", models: [{{name: m}}]}}
""")
        answer = post(proxy, *request("anthropic", "m", top_k=5, mcp_servers=[]))
        told = get(
            proxy, f"/v0/management/requests/{answer.headers['x-cliproxy-request-id']}", key=KEY
        ).json()
        assert (told["model"], told["dialect"], told["status"]) == ("m", "anthropic", 200)
        assert [(a["status"], a["reason"]) for a in told["attempts"]][1] == (200, "ok")
        assert told["attempts"][0]["status"] == 429
        assert "slow down" in told["attempts"][0]["message"]
        assert told["fidelity"] in ("exact", "lossy")
        assert "mcp_servers" in json.dumps(told["attempts"][1]["losses"])

    @pytest.mark.parametrize("stream", [False, True])
    def test_failed_ones_are_told_too(self, sim, proxy, stream):
        sim.script(Failure(400, "bad moon"))
        post(proxy, *request("openai-chat", "to-gemini", stream=stream))
        (told,) = get(proxy, "/v0/management/requests", key=KEY).json()["requests"]
        assert told["status"] == 400
        assert "bad moon" in told["error"]

    def test_a_failure_in_mid_stream_is_told(self, sim, proxy):
        sim.script(Answer(["one", "two"], cut=5))
        post(proxy, *request("openai-chat", "to-anthropic", stream=True))
        (told,) = get(proxy, "/v0/management/requests", key=KEY).json()["requests"]
        assert told["attempts"][0]["reason"] == "failed_in_stream"

    def test_the_newest_come_first(self, proxy):
        for model in ("to-gemini", "to-anthropic", "to-openai-chat"):
            post(proxy, *request("openai-chat", model))
        told = get(proxy, "/v0/management/requests?limit=2", key=KEY).json()["requests"]
        assert [entry["model"] for entry in told] == ["to-openai-chat", "to-anthropic"]

    def test_an_unknown_one_is_not_found(self, proxy):
        assert get(proxy, "/v0/management/requests/00000000", key=KEY).status_code == 404


class TestCooldowns:
    @pytest.fixture
    def limited(self, sim, start_proxy):
        sim.script(Failure(429, "slow down", retry_after=600))
        proxy = start_proxy(config(sim, WITH_KEY))
        assert post(proxy, *request("anthropic", "to-anthropic")).status_code == 429
        return proxy

    def test_they_are_told_with_their_reason_and_end(self, limited):
        (told,) = get(limited, "/v0/management/cooldowns", key=KEY).json()["cooldowns"]
        assert told["state"] == "cooling"
        assert (told["reason"], told["source"]) == ("rate_limit", "header")
        assert told["until"] > 1_600_000_000
        (choice,) = explain(limited, model="to-anthropic").json()["choices"]
        assert (choice["state"], choice["because"]) == ("cooling", "rate_limit")

    def test_one_call_clears_them(self, limited):
        answer = post(limited, "/v0/management/cooldowns", b"", key=KEY, method="DELETE")
        assert answer.json()["cleared"] >= 1
        assert get(limited, "/v0/management/cooldowns", key=KEY).json() == {"cooldowns": []}
        assert post(limited, *request("anthropic", "to-anthropic")).status_code == 200

    def test_an_unknown_account_is_named(self, limited):
        path = "/v0/management/cooldowns?account=nobody"
        assert post(limited, path, b"", key=KEY, method="DELETE").status_code == 404

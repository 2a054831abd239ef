"""Every account: how it stands, whether it rests, and which logins are not used."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from cliproxy.manage import trial
from tests.manage.conftest import CLIENT_KEY
from tests.sim import Answer, Failure, Usage
from tests.sim.accounts_claude import ClaudeAccounts

LOGIN = {"type": "claude", "email": "me@example.com", "access_token": "at", "refresh_token": "rt",
         "expired": "2099-01-01T00:00:00Z"}  # fmt: skip


def listed(managed):
    return {a["id"]: a for a in managed.get("/accounts")["accounts"]}


@pytest.mark.parametrize(
    ("fields", "state", "disabled"),
    [
        ({}, "ok", False),
        ({"disabled": True}, "disabled", True),
        ({"type": "netscape"}, "not used", False),
        ({"access_token": ""}, "no token", False),
    ],
)
def test_a_login_tells_how_it_stands(managed, fields, state, disabled):
    managed.ask("POST", "/auth-files?name=a.json", {**LOGIN, **fields})
    told = listed(managed)["a.json"]
    assert (told["state"], told["disabled"]) == (state, disabled)
    assert (told["problem"], told["file"], told["label"]) == ("", "a.json", "me@example.com")
    assert told["expires"] == 4070908800.0
    assert told["cooldown"] is None
    (entry,) = managed.get("/auth-files")["files"]
    assert told["auth_index"] == entry["auth_index"]
    assert (entry["state"], entry["problem"], entry["linked"]) == (state, "", False)


def test_used_and_unused_ones_have_the_same_fields(managed):
    managed.ask("POST", "/auth-files?name=a.json", LOGIN)
    managed.ask("POST", "/auth-files?name=b.json", {**LOGIN, "disabled": True})
    a, b = listed(managed)["a.json"], listed(managed)["b.json"]
    assert set(a) == set(b)


def test_models_for_pictures_and_films_are_shown_and_rest_like_others(manage, sim):
    managed = manage(f"""
codex-api-key: [{{api-key: k, base-url: "{sim.url}/v1"}}]
xai-api-key: [{{api-key: x, base-url: "{sim.url}/v1"}}]
""")
    found = {m["id"]: m for m in managed.get("/models")["models"]}
    for model in ("gpt-image-2", "grok-imagine-image", "grok-imagine-video"):
        assert [a["model"] for a in found[model]["accounts"]] == [model]
    sim.script(Failure(429, retry_after=600))
    headers = {"key": CLIENT_KEY, "content_type": "application/json"}
    body = {"model": "gpt-image-2", "prompt": "A sea"}
    assert managed.ask("POST", "//v1/images/generations", body, **headers).status_code == 429
    (rest,) = managed.get("/cooldowns")["cooldowns"]
    assert rest["model"] == "gpt-image-2"
    (told,) = [r for r in managed.get("/requests")["requests"] if r["status"] == 429]
    assert told["dialect"] == "openai-images"


def test_an_account_that_rests_tells_until_when(manage, sim):
    managed = manage(f"""
openai-compatibility:
  - name: Sim
    base-url: "{sim.url}/v1"
    api-key-entries: [{{api-key: sk-sim}}]
    models: [{{name: m}}, {{name: other}}]
""")
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}

    def rest():
        (account,) = (a for a in listed(managed).values() if a["label"] == "Sim")
        return account["cooldown"]

    sim.script(Failure(429, "slow down", headers={"retry-after": "1000"}))
    managed.ask("POST", "//v1/chat/completions", body, key=CLIENT_KEY)
    assert rest() is None, "one of two models rests"
    sim.script(Failure(429, "slow down", headers={"retry-after": "500"}))
    managed.ask("POST", "//v1/chat/completions", {**body, "model": "other"}, key=CLIENT_KEY)
    told = rest()
    assert told["reason"] == "rate_limit"
    assert 490 < told["until"] - managed.control.clock.now() <= 500
    managed.ask("DELETE", "/cooldowns")
    assert rest() is None


class TestRefresh:
    def test_a_token_is_renewed_on_demand(self, manage):
        with ClaudeAccounts() as provider:
            managed = manage(provider.config())
            login = {**provider.file(), "expired": "2099-01-01T00:00:00Z"}
            managed.ask("POST", "/auth-files?name=a.json", login)
            answer = managed.ask("POST", "/auth-files/refresh?name=a.json")
            told = answer.json()
            assert answer.status_code == 200
            assert (told["status"], told["renewed"], told["state"]) == ("ok", True, "ok")
            assert provider.refreshes == 1
            after = managed.ask("GET", "/auth-files/download?name=a.json").json()
            assert after["access_token"] != login["access_token"]
            assert told["expires"] < 4070908800.0

    def test_a_refusal_is_told_as_the_new_state(self, manage):
        with ClaudeAccounts() as provider:
            managed = manage(provider.config())
            managed.ask("POST", "/auth-files?name=a.json", provider.file())
            provider.revoke()
            told = managed.ask("POST", "/auth-files/refresh?name=a.json").json()
            assert (told["renewed"], told["problem"] != "") == (False, True)
            assert told["state"] in ("needs_login", "revoked")
            assert listed(managed)["a.json"]["state"] == told["state"]

    @pytest.mark.parametrize(
        ("query", "status", "error"),
        [("", 400, "name is required"), ("?name=x.json", 404, "auth file not found"),
         ("?name=a.json", 409, "not_refreshable")],
    )  # fmt: skip
    def test_what_cannot_be_renewed_is_refused(self, managed, query, status, error):
        fields = {"type": "claude", "access_token": "at"}
        managed.ask("POST", "/auth-files?name=a.json", fields)
        answer = managed.ask("POST", f"/auth-files/refresh{query}")
        assert (answer.status_code, answer.json()["error"]) == (status, error)


class TestTrial:
    """One short real question, pinned to one account."""

    HOSTS = """
openai-compatibility:
  - name: one
    base-url: "{url}/v1"
    priority: 5
    api-key-entries: [{{api-key: sk-one}}]
    models: [{{name: gpt-5}}, {{name: gpt-5-mini}}]
  - name: two
    base-url: "{url}/v1"
    api-key-entries: [{{api-key: sk-two}}]
    models: [{{name: gpt-5}}]
"""

    @pytest.fixture
    def hosts(self, manage, sim):
        return manage(self.HOSTS.format(url=sim.url))

    def account(self, managed, label):
        return next(a["id"] for a in listed(managed).values() if a["label"] == label)

    def ask(self, managed, label="two", **more):
        body = {"account": self.account(managed, label), **more}
        answer = managed.ask("POST", "/accounts/test", body)
        assert answer.status_code == 200
        return answer.json()

    def test_it_is_this_account_that_answers(self, hosts, sim):
        sim.script(Answer("ready", usage=Usage(9, 1)))
        told = self.ask(hosts)
        assert (told["ok"], told["status"], told["answer"]) == (True, 200, "ready")
        assert (told["label"], told["model"], told["served"]) == ("two", "gpt-5", "gpt-5")
        assert (told["error"], told["reason"], told["cure"]) == ("", "", "")
        (sent,) = sim.requests
        assert sent.headers.get("authorization") == "Bearer sk-two"
        assert sent.body["max_tokens"] == 64

    def test_the_smallest_of_its_models_is_asked_unless_one_is_named(self, hosts):
        assert self.ask(hosts, "one")["model"] == "gpt-5-mini"
        assert self.ask(hosts, "one", model="gpt-5")["model"] == "gpt-5"

    @pytest.mark.parametrize(
        ("names", "cheapest"),
        [
            (["gemini-2.5-pro", "gemini-2.5-flash", "gemini-3-pro-preview"], "gemini-2.5-flash"),
            (["MiniMax-M2", "glm-4.5-flash"], "glm-4.5-flash"),
            (["gemini-2.5-flash", "gemini-2.5-flash-lite"], "gemini-2.5-flash-lite"),
            (["claude-opus-4-5", "claude-haiku-4-5"], "claude-haiku-4-5"),
            (["gpt-5", "gpt-5-mini", "gpt-5-nano"], "gpt-5-nano"),
        ],
    )
    def test_the_names_of_models_are_read_by_words(self, names, cheapest):
        listed = [SimpleNamespace(id=name, output_modalities=None) for name in names]
        registry = SimpleNamespace(list_models=lambda: listed, resolve=lambda *_, **__: [])
        control = SimpleNamespace(gateway=SimpleNamespace(registry=registry))
        assert trial.cheapest(control, SimpleNamespace(id="a")) == cheapest

    def test_it_is_seen_and_counted_as_any_other_request(self, hosts, sim):
        sim.script(Answer("ready", usage=Usage(9, 1)))
        told = self.ask(hosts)
        (seen,) = hosts.get("/requests")["requests"]
        assert (seen["id"], seen["client"], seen["status"]) == (told["request"], "management", 200)
        assert listed(hosts)[told["account"]]["success"] == 1
        hosts.control.usage.store.flush()
        rows = {row["id"]: row for row in hosts.get("/usage/requests")["requests"]}
        row = rows[told["request"]]
        assert (row["client"], row["source"], row["tokens"]["total"]) == ("management", "two", 10)

    @pytest.mark.parametrize(
        ("failure", "reason", "cure"),
        [
            (Failure(401, "No such key."), "authentication", "another key"),
            (Failure(429, "Slow down.", retry_after=90), "rate_limit", "Nothing needs to be done"),
            (Failure(402, "No credit."), "billing", "Add credit"),
            (Failure(403, "Not you."), "permission", "what the account may use"),
            (Failure(404, "The model does not exist."), "not_found", "another model"),
            (Failure(503, "Too much."), "transient", "in a minute"),
            (Failure(400, "What?"), "request", "another model"),
        ],
    )
    def test_a_failure_is_told_with_its_cure(self, hosts, sim, failure, reason, cure):
        sim.script(failure)
        told = self.ask(hosts)
        assert (told["ok"], told["status"], told["reason"]) == (False, failure.status, reason)
        assert failure.message in told["error"]
        assert cure in told["cure"]
        (seen,) = hosts.get("/requests")["requests"]
        assert seen["status"] == failure.status
        assert len(sim.requests) == 1, "no other account is asked instead"

    def test_an_account_that_rests_says_so(self, hosts, sim):
        sim.script(Failure(429, "Slow down.", retry_after=900))
        assert self.ask(hosts)["retry_after"] == pytest.approx(900, abs=20)
        told = self.ask(hosts)
        assert (told["status"], told["reason"]) == (429, "resting")
        assert 880 < told["retry_after"] <= 900
        assert len(sim.requests) == 1

    def test_a_host_that_is_not_there_is_told(self, manage):
        managed = manage(self.HOSTS.format(url="http://127.0.0.1:9"))
        told = self.ask(managed)
        assert (told["status"], told["reason"]) == (502, "unreachable")
        assert "base-url" in told["cure"]

    def test_a_sign_of_life_is_no_answer(self, manage, sim):
        head = "nonstream-keepalive-interval: 0.05\n"
        managed = manage(head + self.HOSTS.format(url=sim.url))
        sim.script(Failure(401, "No such key.", delay=0.3))
        assert self.ask(managed)["reason"] == "authentication"

    def test_a_login_is_named_by_its_file_too(self, manage):
        with ClaudeAccounts() as provider:
            managed = manage(provider.config())
            login = {**provider.file(), "expired": "2099-01-01T00:00:00Z"}
            managed.ask("POST", "/auth-files?name=a.json", login)
            told = managed.ask("POST", "/accounts/test", {"account": "a.json"}).json()
            assert (told["ok"], told["provider"]) == (True, "claude")

    @pytest.mark.parametrize(
        ("body", "status", "error"),
        [({}, 400, "account is required"), ({"account": "nobody"}, 404, "account not found")],
    )
    def test_what_names_no_account_is_refused(self, managed, body, status, error):
        answer = managed.ask("POST", "/accounts/test", body)
        assert (answer.status_code, answer.json()["error"]) == (status, error)

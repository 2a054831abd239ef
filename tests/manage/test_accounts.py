"""Every account: how it stands, whether it rests, and which logins are not used."""

from __future__ import annotations

import pytest

from tests.manage.conftest import CLIENT_KEY
from tests.sim import Failure
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

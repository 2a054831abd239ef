"""Logins by the management API: begun, watched, ended from anywhere, given up."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from cliproxy.login import NOTICES
from cliproxy.manage.oauth import STARTS

SECRETS = "oauth-clients: {antigravity: {secret: s}, gemini: {secret: s}, iflow: {secret: s}}\n"
STATE_WRONG = ["a/b", "a\\b", "a..b", "x" * 129, "a b", "ä"]


def begin(managed, provider="anthropic", query=""):
    told = managed.get(f"/{provider}-auth-url{query}")
    assert told["status"] == "ok"
    return told


@pytest.mark.parametrize(
    ("provider", "host"),
    [
        ("anthropic", "claude.ai"), ("codex", "auth.openai.com"),
        ("gemini-cli", "accounts.google.com"), ("antigravity", "accounts.google.com"),
        ("iflow", "iflow.cn"),
    ],
)  # fmt: skip
def test_a_login_by_browser_begins_with_an_address(manage, provider, host):
    managed = manage(SECRETS)
    told = begin(managed, provider)
    url = urlsplit(told["url"])
    assert url.hostname == host
    assert parse_qs(url.query)["state"] == [told["state"]]
    assert managed.get(f"/get-auth-status?state={told['state']}")["status"] == "wait"
    assert told["expires_in"] == 600
    # What a provider's terms say of it is told before anybody goes there.
    assert told.get("notice", "") == NOTICES.get(STARTS[provider], "")


def test_an_unknown_way_is_refused(managed):
    answer = managed.ask("GET", "/anthropic-auth-url?way=pigeon")
    assert answer.status_code == 400
    assert answer.json()["status"] == "error"


@pytest.mark.parametrize("key", ["state", "session_id"])
def test_a_state_that_nobody_knows_is_an_error(managed, key):
    told = managed.get(f"/get-auth-status?{key}=deadbeef")
    assert told == {"status": "error", "error": "unknown or expired state"}


def test_without_a_state_all_is_well(managed):
    assert managed.get("/get-auth-status") == {"status": "ok"}


@pytest.mark.parametrize("state", STATE_WRONG)
def test_a_state_that_cannot_be_one_is_refused(managed, state):
    for method, path in (
        ("GET", "/get-auth-status"),
        ("DELETE", "/oauth-session"),
        ("GET", "/oauth-callback"),
    ):
        request = managed.client.build_request(
            method, f"/v0/management{path}", params={"state": state, "code": "c"},
            headers={"authorization": "Bearer management-key-0123456789"},
        )  # fmt: skip
        answer = managed.client.send(request)
        assert answer.status_code == 400
        assert answer.json() == {"status": "error", "error": "invalid state"}


class TestCallback:
    @pytest.mark.parametrize("form", ["url", "fields", "query"])
    @pytest.mark.parametrize("provider", ["anthropic", "claude", None])
    def test_it_needs_no_key_and_works_once(self, managed, form, provider):
        state = begin(managed)["state"]
        known = {"provider": provider} if provider else {}
        url = f"http://localhost:54545/callback?error=access_denied&state={state}"
        if form == "query":
            query = "".join(f"&{k}={v}" for k, v in known.items())
            path = f"/oauth-callback?state={state}&error=access_denied{query}"
            answer = managed.ask("GET", path, key=None)
        else:
            fields = {"redirect_url": url} if form == "url" else {"state": state, "error": "x"}
            answer = managed.ask("POST", "/oauth-callback", {**fields, **known}, key=None)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        told = managed.get(f"/get-auth-status?state={state}")
        assert told["status"] in ("wait", "error")
        answer = managed.ask("POST", "/oauth-callback", {"redirect_url": url}, key=None)
        assert answer.status_code == 409

    @pytest.mark.parametrize(
        ("body", "status", "error"),
        [
            (b"{", 400, "invalid body"),
            ({"state": 5}, 400, "invalid body"),
            ({"redirect_url": "not an address"}, 400, "invalid redirect_url"),
            ({"provider": "claude", "code": "c"}, 400, "state is required"),
            ({"state": "abc"}, 400, "code or error is required"),
            ({"state": "abc", "code": "c", "provider": "myspace"}, 400, "unsupported provider"),
            ({"state": "abc", "code": "c"}, 404, "unknown or expired state"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, managed, body, status, error):
        answer = managed.ask("POST", "/oauth-callback", body, key=None)
        assert answer.status_code == status
        assert answer.json() == {"status": "error", "error": error}

    def test_the_state_of_another_provider_is_no_use(self, managed):
        state = begin(managed)["state"]
        body = {"provider": "codex", "state": state, "code": "c"}
        answer = managed.ask("POST", "/oauth-callback", body, key=None)
        assert answer.json() == {"status": "error", "error": "provider does not match state"}
        assert managed.get(f"/get-auth-status?state={state}")["status"] == "wait"

    def test_a_landing_page_ends_the_login_of_its_provider_alone(self, managed):
        state = begin(managed)["state"]
        managed.ask("GET", f"//codex/callback?state={state}&error=no", key=None)
        assert managed.get(f"/get-auth-status?state={state}")["status"] == "wait"
        managed.ask("GET", f"//anthropic/callback?state={state}&error=no", key=None)
        answer = managed.ask("POST", "/oauth-callback", {"state": state, "code": "c"}, key=None)
        assert answer.status_code == 409


class TestCancel:
    def test_a_login_is_given_up_once(self, managed):
        state = begin(managed)["state"]
        path = f"/oauth-session?state={state}"
        assert managed.ask("DELETE", path).json() == {"status": "ok", "cancelled": True}
        assert managed.ask("DELETE", path).json() == {"status": "ok", "cancelled": False}
        answer = managed.ask("POST", "/oauth-callback", {"state": state, "code": "c"}, key=None)
        assert answer.status_code == 404

    def test_a_state_is_needed(self, managed):
        answer = managed.ask("DELETE", "/oauth-session")
        assert (answer.status_code, answer.json()["error"]) == (400, "missing state")


def test_a_cookie_is_needed(managed):
    answer = managed.ask("POST", "/iflow-auth-url", {})
    assert (answer.status_code, answer.json()["error"]) == (400, "cookie is required")


def test_the_same_cookie_is_not_added_twice(managed):
    fields = {"type": "iflow", "cookie": "BXAuth=one;", "api_key": "k"}
    managed.ask("POST", "/auth-files?name=iflow-me.json", fields)
    answer = managed.ask("POST", "/iflow-auth-url", {"cookie": "a=b; BXAuth=one;"})
    assert answer.status_code == 409
    assert answer.json() == {
        "status": "error", "error": "duplicate BXAuth found", "existing_file": "iflow-me.json",
    }  # fmt: skip


def test_what_waits_is_listed(managed):
    state = begin(managed)["state"]
    told = managed.get("/logins")
    assert [entry["state"] for entry in told["waiting"]] == [state]
    ways = {entry["provider"]: entry["ways"] for entry in told["providers"]}
    assert "browser" in ways["claude"]

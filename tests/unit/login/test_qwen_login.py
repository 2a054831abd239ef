"""Logins of Qwen Code."""

from __future__ import annotations

import base64
import hashlib

import pytest
from tests.unit.login.drive import Reply, drive

from cliproxy.login.flow import Client, Setting, Unreachable
from cliproxy.login.qwen import LOGIN

NOW = 1_800_000_000.0
SETTING = Setting(now=NOW)
DEVICE = {
    "device_code": "dev",
    "user_code": "WXYZ",
    "verification_uri": "https://chat.qwen.ai/authorize",
    "verification_uri_complete": "https://chat.qwen.ai/authorize?user_code=WXYZ",
    "expires_in": 900,
}
TOKEN = {
    "access_token": "acc",
    "refresh_token": "ref",
    "token_type": "Bearer",
    "expires_in": 21600,
    "resource_url": "portal.qwen.ai",
}
FILE = {"type": "qwen", "access_token": "old", "refresh_token": "ref", "email": "me"}


def test_a_login_asks_with_pkce_and_writes_the_known_file():
    heard = drive(
        LOGIN.login(SETTING, "device"),
        DEVICE,
        Reply(400, {"error": "authorization_pending"}),
        TOKEN,
    )
    device, _, poll = heard.asked
    assert device.line == "POST https://chat.qwen.ai/api/v1/oauth2/device/code"
    assert device.form["scope"] == "openid profile email model.completion"
    assert device.form["code_challenge_method"] == "S256"
    assert poll.line == "POST https://chat.qwen.ai/api/v1/oauth2/token"
    assert poll.form["grant_type"] == "urn:ietf:params:oauth:grant-type:device_code"
    assert (poll.form["device_code"], poll.form["client_id"]) == ("dev", device.form["client_id"])
    hashed = hashlib.sha256(poll.form["code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(hashed).rstrip(b"=").decode() == device.form["code_challenge"]
    assert heard.shows[0].complete.endswith("user_code=WXYZ")
    assert heard.shows[0].expires == 300.0
    assert device.headers["user-agent"].startswith("cliproxy/")
    assert heard.result.name == "qwen-1800000000000.json"
    assert heard.result.fields == {
        "type": "qwen",
        "access_token": "acc",
        "refresh_token": "ref",
        "last_refresh": "2027-01-15T08:00:00Z",
        "resource_url": "portal.qwen.ai",
        "email": "1800000000000",
        "expired": "2027-01-15T14:00:00Z",
    }


@pytest.mark.parametrize(
    ("options", "name", "email"),
    [
        ({"email": "a@b.c"}, "qwen-a@b.c.json", "a@b.c"),
        ({"alias": "my work"}, "qwen-my-work.json", "my work"),
        ({"alias": "../../x"}, "qwen-x.json", "../../x"),
    ],
)
def test_the_owner_may_name_a_login(options, name, email):
    setting = Setting(now=NOW, options=options)
    new = drive(LOGIN.login(setting, "device"), DEVICE, TOKEN).result
    assert (new.name.replace("---", ""), new.fields["email"]) == (name, email)


def test_slow_down_makes_polls_rarer_up_to_ten_seconds():
    slow = Reply(429, {"error": "slow_down"})
    heard = drive(LOGIN.login(SETTING, "device"), DEVICE, slow, slow, slow, TOKEN)
    assert heard.waited == [5.0, 7.5, 10.0, 10.0]


def test_a_login_without_refresh_token_is_refused():
    assert drive(LOGIN.login(SETTING, "device"), DEVICE, {"access_token": "a"}).kind == "refused"


def test_a_refresh_exchanges_both_tokens():
    told = {"access_token": "acc", "refresh_token": "ref2", "expires_in": "60"}
    heard = drive(LOGIN.refresh(FILE, SETTING), told)
    assert heard.asked[0].form == {
        "grant_type": "refresh_token",
        "refresh_token": "ref",
        "client_id": "f0304373b74a44d2b584a3fb70ca9e56",
    }
    assert heard.result == {
        "access_token": "acc",
        "refresh_token": "ref2",
        "last_refresh": "2027-01-15T08:00:00Z",
        "expired": "2027-01-15T08:01:00Z",
    }


def test_what_the_answer_does_not_name_stays():
    changes = drive(LOGIN.refresh(FILE, SETTING), {"access_token": "acc"}).result
    assert "refresh_token" not in changes
    assert "resource_url" not in changes


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(400, {"error": "invalid_grant"}), "needs_login"),
        (Reply(401, b""), "needs_login"),
        (Reply(200, {"error": "invalid_grant"}), "needs_login"),
        (Reply(504, b""), "network"),
        (Unreachable("reset", sent=True), "unknown_outcome"),
    ],
)
def test_a_refresh_that_fails_says_why(reply, kind):
    assert drive(LOGIN.refresh(FILE, SETTING), reply).kind == kind


def test_the_end_of_the_free_tier_is_said_where_a_login_ends():
    heard = drive(LOGIN.refresh(FILE, SETTING), Reply(401, b""))
    assert "2026-04-15" in heard.problem.message


def test_without_a_refresh_token_a_login_is_needed():
    assert drive(LOGIN.refresh({"type": "qwen"}, SETTING)).kind == "needs_login"
    assert (LOGIN.renewable(FILE), LOGIN.renewable({})) == (True, False)


def test_the_owner_s_client_and_addresses_are_used():
    setting = Setting(
        now=NOW,
        client=Client("mine"),
        endpoints={"device": "http://127.0.0.1:1/d", "token": "http://127.0.0.1:1/t"},
    )
    heard = drive(LOGIN.login(setting, "device"), DEVICE, TOKEN)
    assert heard.lines == ["POST http://127.0.0.1:1/d", "POST http://127.0.0.1:1/t"]
    assert {asked.form["client_id"] for asked in heard.asked} == {"mine"}


def test_nothing_else_is_told():
    assert LOGIN.complete(FILE, SETTING) is None
    assert LOGIN.quota(FILE, SETTING) is None
    assert LOGIN.models(FILE, SETTING) is None

"""Logins of xAI."""

from __future__ import annotations

import base64
import json

import pytest
from tests.unit.login.drive import CODE, Reply, drive, query

from cliproxy.login.flow import ModelFound, Setting, Unreachable, Window
from cliproxy.login.xai import LOGIN

NOW = 1_800_000_000.0
SETTING = Setting(now=NOW)
FOUND = {
    "device_authorization_endpoint": "https://auth.x.ai/oauth2/device/code",
    "token_endpoint": "https://auth.x.ai/oauth2/token",
    "authorization_endpoint": "https://auth.x.ai/oauth2/auth",
}
DEVICE = {
    "device_code": "dev",
    "user_code": "GROK",
    "verification_uri": "https://x.ai/d",
    "interval": 5,
}


def jwt(**claims):
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{body}.sig"


ID = jwt(email="a@b.c", sub="user-1")
TOKEN = {"access_token": "acc", "refresh_token": "ref", "id_token": ID, "expires_in": 7200}
FILE = {
    "type": "xai",
    "access_token": "old",
    "refresh_token": "ref",
    "sub": "user-1",
    "token_endpoint": "https://auth.x.ai/oauth2/token",
    "base_url": "https://api.x.ai/v1",
}


def test_a_device_login_asks_at_once_and_writes_the_known_file():
    pending = Reply(400, {"error": "authorization_pending"})
    slow = Reply(400, {"error": "slow_down"})
    heard = drive(LOGIN.login(SETTING, "device"), FOUND, DEVICE, pending, slow, TOKEN)
    discovery, device, poll, *_ = heard.asked
    assert discovery.line == "GET https://auth.x.ai/.well-known/openid-configuration"
    assert device.line == "POST https://auth.x.ai/oauth2/device/code"
    assert device.form == {
        "client_id": "b1a00492-073a-47ea-816f-4c329264a828",
        "scope": "openid profile email offline_access grok-cli:access api:access",
    }
    assert poll.line == "POST https://auth.x.ai/oauth2/token"
    assert heard.waited == [5.0, 10.0]
    assert heard.result.name == "xai-a@b.c.json"
    assert heard.result.fields == {
        "type": "xai",
        "access_token": "acc",
        "refresh_token": "ref",
        "id_token": ID,
        "token_type": "Bearer",
        "expires_in": 7200,
        "expired": "2027-01-15T10:00:00Z",
        "last_refresh": "2027-01-15T08:00:00Z",
        "email": "a@b.c",
        "sub": "user-1",
        "base_url": "https://api.x.ai/v1",
        "token_endpoint": "https://auth.x.ai/oauth2/token",
        "auth_kind": "oauth",
    }


def test_a_browser_login_proves_itself():
    heard = drive(LOGIN.login(SETTING, "browser"), FOUND, TOKEN)
    (visit,) = heard.visits
    asked = query(visit.url)
    assert visit.url.startswith("https://auth.x.ai/oauth2/auth?")
    assert asked["redirect_uri"] == "http://127.0.0.1:56121/callback"
    assert (asked["code_challenge_method"], asked["plan"], asked["referrer"]) == (
        "S256",
        "generic",
        "cliproxy",
    )
    assert asked["nonce"] != asked["state"]
    form = heard.asked[-1].form
    assert (form["code"], form["redirect_uri"]) == (CODE, asked["redirect_uri"])
    assert len(form["code_verifier"]) == 128
    assert heard.result.fields["redirect_uri"] == asked["redirect_uri"]


@pytest.mark.parametrize(
    ("id_token", "name"),
    [
        (jwt(email="a b@c.d"), "xai-a-b@c.d.json"),
        (jwt(sub="user/1"), "xai-user-1.json"),
        ("", "xai-1800000000000.json"),
        ("not.a.jwt", "xai-1800000000000.json"),
    ],
)
def test_the_file_is_named_by_whom_it_belongs_to(id_token, name):
    told = {**TOKEN, "id_token": id_token}
    assert drive(LOGIN.login(SETTING, "device"), FOUND, DEVICE, told).result.name == name


@pytest.mark.parametrize(
    "endpoint",
    ["http://auth.x.ai/t", "https://x.ai.evil.example/t", "https://evilx.ai/t", "", "file:///x"],
)
def test_no_address_outside_xai_is_believed(endpoint):
    told = {**FOUND, "token_endpoint": endpoint}
    assert drive(LOGIN.login(SETTING, "device"), told).kind == "refused"


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ([Reply(503, b"")], "network"),
        ([Unreachable("x", sent=False)], "network"),
        ([FOUND, DEVICE, Reply(400, {"error": "access_denied"})], "cancelled"),
        ([FOUND, DEVICE, Reply(400, {"error": "expired_token"})], "needs_login"),
        ([FOUND, DEVICE, {"access_token": "acc"}], "refused"),
    ],
)
def test_a_login_that_fails_says_why(given, kind):
    assert drive(LOGIN.login(SETTING, "device"), *given).kind == kind


def test_a_refresh_goes_where_the_login_came_from():
    heard = drive(LOGIN.refresh(FILE, SETTING), {**TOKEN, "refresh_token": "ref2"})
    assert heard.lines == ["POST https://auth.x.ai/oauth2/token"]
    assert heard.asked[0].form == {
        "grant_type": "refresh_token",
        "client_id": "b1a00492-073a-47ea-816f-4c329264a828",
        "refresh_token": "ref",
    }
    assert heard.result["refresh_token"] == "ref2"
    assert heard.result["expired"] == "2027-01-15T10:00:00Z"


@pytest.mark.parametrize("endpoint", ["", "https://evil.example/token"])
def test_a_refresh_finds_the_address_where_the_file_has_no_good_one(endpoint):
    heard = drive(LOGIN.refresh({**FILE, "token_endpoint": endpoint}, SETTING), FOUND, TOKEN)
    assert heard.lines[-1] == "POST https://auth.x.ai/oauth2/token"
    assert heard.result["token_endpoint"] == "https://auth.x.ai/oauth2/token"


def test_the_owner_s_addresses_are_used():
    mine = Setting(
        now=NOW,
        endpoints={
            "device": "http://127.0.0.1:1/d",
            "token": "http://127.0.0.1:1/t",
            "api": "http://127.0.0.1:1/v1",
        },
    )
    heard = drive(LOGIN.login(mine, "device"), DEVICE, TOKEN)
    assert heard.lines == ["POST http://127.0.0.1:1/d", "POST http://127.0.0.1:1/t"]
    assert heard.result.fields["base_url"] == "http://127.0.0.1:1/v1"
    assert drive(LOGIN.refresh(heard.result.fields, mine), TOKEN).lines == [
        "POST http://127.0.0.1:1/t"
    ]
    where = Setting(now=NOW, endpoints={"discovery": "http://127.0.0.1:1/openid"})
    told = {name: f"http://127.0.0.1:1/{name}" for name in FOUND}
    assert drive(LOGIN.login(where, "device"), told, DEVICE, TOKEN).result


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(400, {"error": "invalid_grant"}), "needs_login"),
        (Reply(401, b""), "needs_login"),
        (
            Reply(400, {"error": "invalid_grant", "error_description": "Token has been revoked"}),
            "revoked",
        ),
        (Reply(500, b""), "network"),
        (Unreachable("reset", sent=True), "unknown_outcome"),
    ],
)
def test_a_refresh_that_fails_says_why(reply, kind):
    assert drive(LOGIN.refresh(FILE, SETTING), reply).kind == kind


WEEK = {
    "config": {
        "currentPeriod": {
            "type": "PERIOD_WEEKLY",
            "start": "2027-01-11T00:00:00Z",
            "end": "2027-01-18T00:00:00Z",
        },
        "creditUsagePercent": "12.5",
        "productUsage": [{"product": "grok-code", "usagePercent": 30}, {"product": ""}],
    }
}
MONTH = {
    "config": {
        "monthly_limit": {"val": 5000},
        "used": {"val": "1000"},
        "on_demand_cap": {"val": 0},
        "on_demand_used": {"val": 0},
        "billing_period_start": "2027-01-01T00:00:00Z",
        "billing_period_end": "2027-02-01T00:00:00Z",
    }
}


def test_what_is_left_of_week_and_month():
    heard = drive(LOGIN.quota(FILE, SETTING), WEEK, MONTH)
    assert heard.lines == [
        "GET https://cli-chat-proxy.grok.com/v1/billing?format=credits",
        "GET https://cli-chat-proxy.grok.com/v1/billing",
    ]
    sent = heard.asked[0].headers
    assert sent["x-xai-token-auth"] == "xai-grok-cli"
    assert sent["x-grok-client-version"].startswith("cliproxy/")
    assert sent["x-userid"] == "user-1"
    assert heard.result.windows == (
        Window("week", "Week", 12.5, reset_at=1800230400.0, period_seconds=604800.0),
        Window("product:grok-code", "grok-code", 30.0),
        Window("spending", "Month, US cents", 20.0, 4000.0, 5000.0, 1801440000.0, 2678400.0),
    )
    assert heard.result.credits == {
        "on_demand_cap": 0.0,
        "on_demand_used": 0.0,
        "used": 1000.0,
        "unit": "cents",
    }


def test_one_of_the_two_is_enough():
    assert [
        w.id for w in drive(LOGIN.quota(FILE, SETTING), Reply(500, b""), MONTH).result.windows
    ] == ["spending"]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [(Reply(401, b""), "needs_login"), (Reply(426, b""), "refused"), (Reply(503, b""), "network")],
)
def test_a_quota_that_is_not_told_is_a_problem(reply, kind):
    assert drive(LOGIN.quota(FILE, SETTING), reply, reply).kind == kind


def test_the_owner_may_say_which_version_to_be():
    fields = {**FILE, "headers": {"X-Grok-Client-Version": "1.0.4"}}
    sent = drive(LOGIN.quota(fields, SETTING), WEEK, MONTH).asked[0].headers
    assert sent["x-grok-client-version"] == "1.0.4"


def test_the_models_are_listed():
    told = {
        "data": [{"id": "grok-4.6", "created": 2, "owned_by": "xai", "context_length": "256000"}]
    }
    heard = drive(LOGIN.models(FILE, SETTING), told)
    assert heard.lines == ["GET https://api.x.ai/v1/models"]
    assert heard.result == [ModelFound("grok-4.6", "grok-4.6", 256000, owned_by="xai", created=2)]
    assert LOGIN.complete(FILE, SETTING) is None

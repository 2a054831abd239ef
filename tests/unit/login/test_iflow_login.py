"""Logins of iFlow: by browser and by cookie."""

from __future__ import annotations

import base64

import pytest
from tests.unit.login.drive import CODE, Reply, drive, query

from cliproxy.account.credential import Credential
from cliproxy.login.flow import Client, ModelFound, Setting, Unreachable
from cliproxy.login.iflow import LOGIN, bxauth

NOW = 1_800_000_000.0
SETTING = Setting(now=NOW, client=Client("", "shh"))
TOKEN = {
    "access_token": "acc",
    "refresh_token": "ref",
    "expires_in": 172800,
    "token_type": "bearer",
    "scope": "read",
}
PROFILE = {"success": True, "data": {"apiKey": "sk-1", "email": "a@b.c", "phone": "123"}}
FILE = {"type": "iflow", "access_token": "old", "refresh_token": "ref", "api_key": "sk-0"}
KEY = {
    "success": True,
    "data": {"name": "u***r", "apiKey": "sk-new", "expireTime": "2027-01-22 10:30"},
}
COOKIE_FILE = {"type": "iflow", "cookie": "BXAuth=abc;", "email": "u***r", "api_key": "sk-0"}
BASIC = "Basic " + base64.b64encode(b"10009311001:shh").decode()


def test_a_browser_login_fetches_the_key():
    heard = drive(LOGIN.login(SETTING, "browser"), TOKEN, PROFILE)
    (visit,) = heard.visits
    assert visit.url.startswith(
        "https://iflow.cn/oauth?loginMethod=phone&type=phone&redirect=http%3A"
    )
    asked = query(visit.url)
    assert asked["redirect"] == "http://localhost:11451/oauth2callback"
    assert (asked["client_id"], asked["state"]) == ("10009311001", visit.state)
    assert (visit.port, visit.path) == (11451, "/oauth2callback")
    token, profile = heard.asked
    assert token.line == "POST https://iflow.cn/oauth/token"
    assert token.headers["authorization"] == BASIC
    assert token.form == {
        "grant_type": "authorization_code",
        "code": CODE,
        "redirect_uri": "http://localhost:11451/oauth2callback",
        "client_id": "10009311001",
        "client_secret": "shh",
    }
    assert profile.line == "GET https://iflow.cn/api/oauth/getUserInfo?accessToken=acc"
    assert heard.result.name == "iflow-a@b.c.json"
    assert heard.result.fields == {
        "type": "iflow",
        "access_token": "acc",
        "refresh_token": "ref",
        "last_refresh": "2027-01-15T08:00:00Z",
        "expired": "2027-01-17T08:00:00Z",
        "api_key": "sk-1",
        "email": "a@b.c",
        "token_type": "bearer",
        "scope": "read",
    }


def test_another_port_moves_the_callback():
    setting = Setting(now=NOW, client=Client("", "shh"), redirect_port=9)
    heard = drive(LOGIN.login(setting, "browser"), TOKEN, PROFILE)
    assert query(heard.visits[0].url)["redirect"] == "http://localhost:9/oauth2callback"


def test_a_phone_stands_in_for_an_address():
    told = {"success": True, "data": {"apiKey": "k", "phone": "123"}}
    assert drive(LOGIN.login(SETTING, "browser"), TOKEN, told).result.name == "iflow-123.json"


@pytest.mark.parametrize("talk", [LOGIN.login(Setting(now=NOW), "browser"),
                                  LOGIN.refresh(FILE, Setting(now=NOW))])  # fmt: skip
def test_without_the_client_s_secret_the_ways_to_tell_it_are_named(talk):
    heard = drive(talk)
    assert heard.kind == "refused"
    for way in ("oauth-clients.iflow.secret", "IFLOW_OAUTH_CLIENT_SECRET", "iflow-cli", "cookie"):
        assert way in heard.problem.message


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ([Reply(400, {"error": "invalid_grant"})], "refused"),
        ([Reply(401, {"error": "invalid_client"})], "refused"),
        ([Reply(502, b"")], "network"),
        ([TOKEN, Reply(200, {"success": False, "message": "no"})], "needs_login"),
        ([TOKEN, Reply(200, {"success": True, "data": {"apiKey": ""}})], "needs_login"),
        ([TOKEN, Reply(503, b"")], "network"),
        ([Unreachable("x", sent=False)], "network"),
    ],
)
def test_a_browser_login_that_fails_says_why(given, kind):
    assert drive(LOGIN.login(SETTING, "browser"), *given).kind == kind


def test_a_refresh_brings_tokens_and_the_key():
    heard = drive(LOGIN.refresh(FILE, SETTING), {**TOKEN, "refresh_token": "ref2"}, PROFILE)
    assert heard.asked[0].headers["authorization"] == BASIC
    assert heard.asked[0].form["grant_type"] == "refresh_token"
    assert (heard.result["refresh_token"], heard.result["api_key"]) == ("ref2", "sk-1")


@pytest.mark.parametrize("reply", [Reply(503, b""), Unreachable("reset", sent=True)])
def test_new_tokens_are_kept_when_the_key_cannot_be_read(reply):
    heard = drive(LOGIN.refresh(FILE, SETTING), {**TOKEN, "refresh_token": "ref2"}, reply)
    assert heard.result["refresh_token"] == "ref2"
    assert "api_key" not in heard.result


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ([Reply(400, {"error": "invalid_grant"})], "needs_login"),
        ([TOKEN, {"success": True, "data": {"apiKey": ""}}], "needs_login"),
        ([Unreachable("reset", sent=True)], "unknown_outcome"),
        ([Reply(429, b"")], "limited"),
    ],
)
def test_a_refresh_that_fails_says_why(given, kind):
    assert drive(LOGIN.refresh(FILE, SETTING), *given).kind == kind


# ---- cookies ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("cookie", "kept"),
    [
        ("BXAuth=abc", "BXAuth=abc;"),
        ("a=1;  BXAuth=abc;\n b=2", "BXAuth=abc;"),
        ("notBXAuth=abc", ""),
        ("BXAuth=", ""),
        ("", ""),
    ],
)
def test_of_a_cookie_only_the_login_is_kept(cookie, kept):
    assert bxauth(cookie) == kept


def test_a_cookie_login_gets_a_key_of_its_own():
    setting = Setting(now=NOW, options={"cookie": " a=1; BXAuth=abc "})
    shown = {"success": True, "data": {"name": "u***r", "apiKey": "sk-***", "hasExpired": False}}
    heard = drive(LOGIN.login(setting, "cookie"), shown, KEY)
    first, second = heard.asked
    assert first.line == "GET https://platform.iflow.cn/api/openapi/apikey"
    assert second.line == "POST https://platform.iflow.cn/api/openapi/apikey"
    assert first.headers["cookie"] == second.headers["cookie"] == "BXAuth=abc;"
    assert second.json == {"name": "u***r"}
    assert second.headers["origin"] == "https://platform.iflow.cn"
    assert second.headers["referer"] == "https://platform.iflow.cn/"
    assert heard.result.name == "iflow-uxxxr-1800000000.json"
    assert heard.result.fields == {
        "type": "iflow",
        "cookie": "BXAuth=abc;",
        "email": "u***r",
        "api_key": "sk-new",
        "expired": "2027-01-22 10:30",
        "last_refresh": "2027-01-15T08:00:00Z",
    }


def test_the_end_of_a_key_is_in_china_s_time():
    new = drive(LOGIN.refresh(COOKIE_FILE, Setting(now=NOW)), KEY).result
    assert Credential("x.json", new).expires == 1800585000.0


@pytest.mark.parametrize(
    ("cookie", "given", "kind"),
    [
        ("a=1", [], "refused"),
        ("BXAuth=a", [Reply(401, b"")], "needs_login"),
        ("BXAuth=a", [Reply(302, b"")], "needs_login"),
        ("BXAuth=a", [{"success": False, "message": "not logged in"}], "refused"),
        ("BXAuth=a", [{"success": True, "data": {}}], "refused"),
        ("BXAuth=a", [Reply(500, b"")], "network"),
        ("BXAuth=a", [KEY, {"success": True, "data": {"apiKey": "sk-***", "expireTime": "2027-01-22 10:30"}}], "refused"),
        ("BXAuth=a", [KEY, {"success": True, "data": {"apiKey": "k", "expireTime": "soon"}}], "refused"),
    ],
)  # fmt: skip
def test_a_cookie_login_that_fails_says_why(cookie, given, kind):
    setting = Setting(now=NOW, options={"cookie": cookie})
    assert drive(LOGIN.login(setting, "cookie"), *given).kind == kind


def test_a_key_is_renewed_with_its_cookie():
    heard = drive(LOGIN.refresh(COOKIE_FILE, Setting(now=NOW)), KEY)
    assert heard.asked[0].json == {"name": "u***r"}
    assert heard.result["api_key"] == "sk-new"


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ({"success": False, "message": "login expired"}, "needs_login"),
        (Reply(403, b""), "needs_login"),
        (Reply(503, b""), "network"),
        (Unreachable("reset", sent=True), "network"),
    ],
)
def test_a_key_that_cannot_be_renewed_says_why(reply, kind):
    assert drive(LOGIN.refresh(COOKIE_FILE, Setting(now=NOW)), reply).kind == kind


@pytest.mark.parametrize(
    ("fields", "yes"),
    [(FILE, True), (COOKIE_FILE, True), ({"api_key": "k"}, False), ({"cookie": "a=1"}, False)],
)
def test_what_can_be_renewed(fields, yes):
    assert LOGIN.renewable(fields) is yes


def test_tokens_without_a_key_are_completed():
    assert LOGIN.complete(FILE, SETTING) is None
    assert LOGIN.complete({"type": "iflow"}, SETTING) is None
    assert drive(LOGIN.complete({"access_token": "acc"}, SETTING), PROFILE).result == {
        "api_key": "sk-1",
        "email": "a@b.c",
    }


def test_models_are_listed_with_the_key():
    told = {"object": "list", "data": [{"id": "glm-4.6", "created": 1, "owned_by": "iflow"}]}
    heard = drive(LOGIN.models(FILE, SETTING), told)
    assert heard.lines == ["GET https://apis.iflow.cn/v1/models"]
    assert heard.asked[0].headers["authorization"] == "Bearer sk-0"
    assert heard.result == [ModelFound("glm-4.6", "glm-4.6", owned_by="iflow", created=1)]
    assert LOGIN.quota(FILE, SETTING) is None

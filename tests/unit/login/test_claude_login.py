"""Logging in to Claude, keeping the login, and asking about it."""

from __future__ import annotations

import base64
import hashlib
import re
from urllib.parse import urlsplit

import pytest
from tests.unit.login.drive import CODE, Reply, drive, query

from cliproxy import login
from cliproxy.login import claude
from cliproxy.login.flow import USER_AGENT, Callback, Client, ModelFound, Setting, Unreachable

NOW = 1_800_000_000.0
SETTING = Setting(now=NOW)
LOGIN = login.get("claude")
TOKENS = {
    "access_token": "sk-ant-oat01-new",
    "refresh_token": "sk-ant-ort01-new",
    "token_type": "Bearer",
    "expires_in": 28800,
    "organization": {"uuid": "org-1", "name": "Ada's"},
    "account": {"uuid": "acc-1", "email_address": "ada@example.com"},
}
PROFILE = {
    "account": {
        "uuid": "acc-1", "email": "ada@example.com", "has_claude_max": True, "has_claude_pro": False
    },
    "organization": {"uuid": "org-1", "name": "Ada's", "organization_type": "claude_max"},
}  # fmt: skip
FILE = {
    "type": "claude",
    "access_token": "sk-ant-oat01-old",
    "refresh_token": "sk-ant-ort01-old",
    "email": "ada@example.com",
    "expired": "2026-01-01T00:00:00Z",
}
LOST = Unreachable("the answer was lost", sent=True)
AWAY = Unreachable("no connection", sent=False)


def told(error, status=400, text=None, **headers):
    body = {"error": error, **({"error_description": text} if text else {})}
    return Reply(status, body, {k.replace("_", "-"): v for k, v in headers.items()})


# ---- logging in ---------------------------------------------------------------------------------
def test_a_browser_login_makes_the_file_that_others_read_too():
    heard = drive(LOGIN.login(SETTING, "browser"), TOKENS, PROFILE)
    assert heard.result.name == "claude-ada@example.com.json"
    assert heard.result.fields == {
        "type": "claude",
        "id_token": "",
        "access_token": "sk-ant-oat01-new",
        "refresh_token": "sk-ant-ort01-new",
        "last_refresh": "2027-01-15T08:00:00Z",
        "email": "ada@example.com",
        "account_uuid": "acc-1",
        "organization_uuid": "org-1",
        "organization_name": "Ada's",
        "plan_type": "max",
        "expired": "2027-01-15T16:00:00Z",
    }


def test_the_browser_is_sent_with_pkce_and_the_verifier_follows():
    heard = drive(LOGIN.login(SETTING, "browser"), TOKENS, PROFILE)
    visit, exchange = heard.visits[0], heard.asked[0]
    asked = query(visit.url)
    assert visit.url.startswith("https://claude.ai/oauth/authorize?")
    assert (visit.port, visit.path) == (54545, "/callback")
    assert {k: asked[k] for k in ("code", "client_id", "response_type", "redirect_uri")} == {
        "code": "true",
        "client_id": "9d1c250a-e61b-44d9-88ed-5944d1962f5e",
        "response_type": "code",
        "redirect_uri": "http://localhost:54545/callback",
    }
    assert asked["scope"].split() == [
        "user:profile", "user:inference", "user:sessions:claude_code", "user:mcp_servers",
        "user:file_upload",
    ]  # fmt: skip
    assert asked["state"] == visit.state
    assert exchange.line == "POST https://platform.claude.com/v1/oauth/token"
    assert exchange.headers["user-agent"] == USER_AGENT
    body = exchange.json
    digest = hashlib.sha256(body.pop("code_verifier").encode()).digest()
    assert asked["code_challenge"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert asked["code_challenge_method"] == "S256"
    assert body == {
        "grant_type": "authorization_code",
        "code": CODE,
        "redirect_uri": "http://localhost:54545/callback",
        "client_id": "9d1c250a-e61b-44d9-88ed-5944d1962f5e",
        "state": visit.state,
    }


def test_another_port_moves_the_listener_and_not_the_registered_address():
    heard = drive(LOGIN.login(Setting(now=NOW, redirect_port=9999), "browser"), TOKENS, PROFILE)
    assert heard.visits[0].port == 9999
    assert query(heard.visits[0].url)["redirect_uri"] == "http://localhost:54545/callback"


def test_the_vendors_page_may_show_the_code_instead():
    setting = Setting(now=NOW, options={"paste": "1"})
    talk = LOGIN.login(setting, "browser")
    visit = talk.send(None)
    assert (visit.port, visit.path) == (0, "")
    redirect = query(visit.url)["redirect_uri"]
    assert urlsplit(redirect).hostname == "platform.claude.com"
    exchange = talk.send(Callback(f"abc#{visit.state}"))
    assert b'"code":"abc"' in exchange.body
    assert visit.state.encode() in exchange.body
    assert redirect.encode() in exchange.body


@pytest.mark.parametrize(
    "back",
    [
        Callback("abc#another"),
        Callback("abc", "another"),
        Callback("#x"),
        Callback(""),
    ],
)
def test_a_code_of_another_login_is_not_used(back):
    heard = drive(LOGIN.login(SETTING, "browser"), back)
    assert heard.kind == "refused"
    assert heard.asked == []


def test_the_client_and_all_addresses_can_be_others():
    setting = Setting(
        now=NOW,
        client=Client("mine"),
        endpoints={"authorize": "http://a/auth", "token": "http://a/tok", "profile": "http://a/me"},
    )
    heard = drive(LOGIN.login(setting, "browser"), TOKENS, PROFILE)
    assert heard.visits[0].url.startswith("http://a/auth?")
    assert query(heard.visits[0].url)["client_id"] == "mine"
    assert heard.lines == ["POST http://a/tok", "GET http://a/me"]
    assert heard.asked[0].json["client_id"] == "mine"


@pytest.mark.parametrize("missing", [AWAY, LOST, Reply(500), Reply(403, b"<html>")])
def test_a_login_does_not_need_the_profile(missing):
    heard = drive(LOGIN.login(SETTING, "browser"), TOKENS, missing)
    assert heard.result.fields["email"] == "ada@example.com"
    assert heard.result.fields["organization_name"] == "Ada's"


def test_a_login_nobody_is_named_in_has_a_file_name_all_the_same():
    bare = {k: TOKENS[k] for k in ("access_token", "refresh_token")}
    heard = drive(LOGIN.login(SETTING, "browser"), bare, Reply(403))
    assert re.fullmatch("claude-[0-9a-f]{8}.json", heard.result.name)
    assert heard.result.fields["email"] == ""
    # Eight hours, when nothing is said.
    assert heard.result.fields["expired"] == "2027-01-15T16:00:00Z"


def test_an_address_cannot_lead_out_of_the_folder():
    evil = {**TOKENS, "account": {"email_address": "../../x@y/z"}}
    heard = drive(LOGIN.login(SETTING, "browser"), evil, Reply(403))
    assert heard.result.name == "claude-.._.._x@y_z.json"


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (told("invalid_grant"), "refused"),
        (told("invalid_client", 401), "refused"),
        (told("access_denied", 403), "cancelled"),
        (told({"type": "rate_limit_error", "message": "slow"}, 429), "limited"),
        (Reply(502, b"bad gateway"), "network"),
        (Reply(200, {"token_type": "Bearer"}), "network"),
        (AWAY, "network"),
        (LOST, "network"),
    ],
)
def test_what_a_refused_code_comes_to(reply, kind):
    assert drive(LOGIN.login(SETTING, "browser"), reply).kind == kind


# ---- setup tokens -------------------------------------------------------------------------------
def test_a_setup_token_is_kept_as_it_is():
    setting = Setting(now=NOW, options={"setup_token": " sk-ant-oat01-abc "})
    heard = drive(LOGIN.login(setting, "browser"), Reply(403))
    assert heard.visits == []
    assert heard.result.name == "claude-setup-e4eed51b.json"
    assert heard.result.fields == {
        "type": "claude",
        "id_token": "",
        "access_token": "sk-ant-oat01-abc",
        "refresh_token": "",
        "last_refresh": "2027-01-15T08:00:00Z",
        "is_setup_token": True,
    }


def test_a_setup_token_that_may_say_whose_it_is_does():
    setting = Setting(now=NOW, options={"setup_token": "sk-ant-oat01-abc"})
    heard = drive(LOGIN.login(setting, "browser"), PROFILE)
    assert heard.result.name == "claude-setup-ada@example.com.json"


@pytest.mark.parametrize("token", ["sk-ant-api03-abc", "abc", "sk-ant-oat01-a b"])
def test_something_else_is_no_setup_token(token):
    heard = drive(LOGIN.login(Setting(now=NOW, options={"setup_token": token}), "browser"))
    assert heard.kind == "refused"
    assert token not in heard.problem.message


def test_a_setup_token_is_never_refreshed():
    fields = {"type": "claude", "access_token": "sk-ant-oat01-abc"}
    assert not LOGIN.renewable(fields)
    assert drive(LOGIN.refresh(fields, SETTING)).kind == "needs_login"
    assert LOGIN.quota(fields, SETTING) is None


@pytest.mark.parametrize("flag", ["is_setup_token", "setup_token", "skip_account_profile"])
def test_a_file_may_say_that_its_token_is_for_messages_only(flag):
    assert LOGIN.quota({**FILE, flag: True}, SETTING) is None
    assert LOGIN.quota({**FILE, flag: False}, SETTING) is not None


# ---- refreshing ---------------------------------------------------------------------------------
def test_a_refresh_changes_what_it_brings():
    heard = drive(LOGIN.refresh(FILE, SETTING), {k: TOKENS[k] for k in list(TOKENS)[:4]})
    assert heard.result == {
        "access_token": "sk-ant-oat01-new",
        "refresh_token": "sk-ant-ort01-new",
        "last_refresh": "2027-01-15T08:00:00Z",
        "expired": "2027-01-15T16:00:00Z",
    }
    assert heard.asked[0].json == {
        "client_id": "9d1c250a-e61b-44d9-88ed-5944d1962f5e",
        "grant_type": "refresh_token",
        "refresh_token": "sk-ant-ort01-old",
        "scope": claude.SCOPES,
    }
    # New tokens are written before anything else is asked: they could be lost.
    assert len(heard.asked) == 1


@pytest.mark.parametrize("silent", [{}, {"refresh_token": ""}, {"refresh_token": None}])
def test_without_a_new_refresh_token_the_old_one_stays(silent):
    heard = drive(LOGIN.refresh(FILE, SETTING), {"access_token": "a", "expires_in": 60, **silent})
    assert "refresh_token" not in heard.result


def test_the_older_spelling_of_the_refresh_token_is_read():
    fields = {"access_token": "a", "refreshToken": "sk-ant-ort01-old"}
    assert LOGIN.renewable(fields)
    heard = drive(LOGIN.refresh(fields, SETTING), TOKENS)
    assert heard.asked[0].json["refresh_token"] == "sk-ant-ort01-old"


@pytest.mark.parametrize("granted", ["user:inference", ["user:inference"]])
def test_no_more_is_asked_for_than_was_given(granted):
    heard = drive(LOGIN.refresh({**FILE, "scopes": granted}, SETTING), TOKENS)
    assert heard.asked[0].json["scope"] == "user:inference"


def test_a_login_from_before_is_refreshed_for_what_it_has():
    heard = drive(LOGIN.refresh(FILE, SETTING), told("invalid_scope"), TOKENS)
    assert heard.result["access_token"] == "sk-ant-oat01-new"
    assert "scope" not in heard.asked[1].json


@pytest.mark.parametrize("gone", [404, 405])
def test_the_token_endpoint_is_looked_for_where_it_was_before(gone):
    heard = drive(LOGIN.refresh(FILE, SETTING), Reply(gone), Reply(gone), TOKENS)
    assert heard.lines == [
        "POST https://platform.claude.com/v1/oauth/token",
        "POST https://api.anthropic.com/v1/oauth/token",
        "POST https://console.anthropic.com/v1/oauth/token",
    ]
    assert heard.result["access_token"] == "sk-ant-oat01-new"


def test_an_owners_token_endpoint_is_the_only_one():
    setting = Setting(now=NOW, endpoints={"token": "http://a/t"})
    heard = drive(LOGIN.refresh(FILE, setting), Reply(404))
    assert (heard.lines, heard.kind) == (["POST http://a/t"], "network")


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (told("invalid_grant"), "needs_login"),
        (told("invalid_grant", 401), "needs_login"),
        (told({"type": "authentication_error", "message": "no"}, 401), "needs_login"),
        (told({"type": "invalid_request_error", "message": "no"}), "needs_login"),
        (told("invalid_grant", 400, "Refresh token has been revoked"), "revoked"),
        (told("invalid_client", 401), "refused"),
        (told({"type": "permission_error", "message": "disabled"}, 403), "refused"),
        (Reply(403, b"<html>Just a moment...</html>"), "network"),
        (Reply(500, b""), "network"),
        (Reply(529, {"error": {"type": "overloaded_error"}}), "network"),
        (Reply(200, b"<html>"), "network"),
        (AWAY, "network"),
        (LOST, "unknown_outcome"),
    ],
)
def test_what_a_refused_refresh_comes_to(reply, kind):
    assert drive(LOGIN.refresh(FILE, SETTING), reply).kind == kind


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "60"}, 60),
        ({"retry-after": "1"}, 5),
        ({"retry-after": "86400"}, 300),
        ({"retry-after-ms": "90000", "retry-after": "7"}, 90),
        (
            {
                "date": "Fri, 15 Jan 2027 08:00:00 GMT",
                "retry-after": "Fri, 15 Jan 2027 08:02:00 GMT",
            },
            120,
        ),
        ({"retry-after": "soon"}, 5),
        ({}, 5),
    ],
)
def test_a_refresh_that_comes_too_often_waits_between_five_seconds_and_five_minutes(
    headers, seconds
):
    heard = drive(LOGIN.refresh(FILE, SETTING), Reply(429, {}, headers))
    assert (heard.kind, heard.problem.retry_after) == ("limited", seconds)


def test_no_token_is_told_in_a_problem():
    reply = told("invalid_grant", 400, "no such grant")
    heard = drive(LOGIN.refresh(FILE, SETTING), reply)
    assert "sk-ant" not in heard.problem.message


# ---- what is left -------------------------------------------------------------------------------
USAGE = {
    "five_hour": {"utilization": 12.5, "resets_at": "2027-01-15T10:00:00+00:00"},
    "seven_day": {"utilization": 80, "resets_at": None},
    "seven_day_oauth_apps": None,
    "seven_day_opus": {"utilization": 99.0, "resets_at": "2027-01-18T08:00:00Z"},
    "seven_day_cowork": None,
    "iguana_necktie": {"utilization": 3, "resets_at": None},
    "seven_day_novel": {"utilization": 4, "resets_at": None},
    "limits": [
        {"kind": "session", "percent": 13, "resets_at": None},
        {"kind": "weekly_all", "percent": 81, "resets_at": None},
        {
            "kind": "weekly_scoped",
            "percent": 40,
            "resets_at": "2027-01-19T08:00:00Z",
            "scope": {"model": {"id": "claude-fable-5", "display_name": "Fable"}},
        },
        {"kind": "weekly_scoped", "percent": 1, "scope": {"model": {"display_name": "Opus"}}},
        {"kind": "weekly_scoped", "percent": 1, "scope": None},
        {"kind": "of the future", "percent": 1},
        "no object",
    ],
    "extra_usage": {"is_enabled": True, "monthly_limit": 50, "used_credits": 7, "utilization": 14},
}


def test_what_is_left_is_told_by_window():
    heard = drive(LOGIN.quota(FILE, SETTING), USAGE, PROFILE)
    assert heard.lines == [
        "GET https://api.anthropic.com/api/oauth/usage",
        "GET https://api.anthropic.com/api/oauth/profile",
    ]
    assert heard.asked[0].headers["authorization"] == "Bearer sk-ant-oat01-old"
    assert heard.asked[0].headers["anthropic-beta"] == "oauth-2025-04-20"
    report = heard.result
    assert report.plan == "max"
    assert report.credits == {"extra_usage": USAGE["extra_usage"]}
    assert [
        (w.id, w.used_percent, w.reset_at, w.period_seconds, w.models) for w in report.windows
    ] == [
        ("5h", 12.5, NOW + 7200, 18000, ()),
        ("7d", 80.0, None, 604800, ()),
        ("7d_opus", 99.0, NOW + 3 * 86400, 604800, ("*opus*",)),
        ("iguana_necktie", 3.0, None, None, ()),
        ("7d_novel", 4.0, None, 604800, ()),
        ("7d_fable", 40.0, NOW + 4 * 86400, 604800, ("claude-fable-5",)),
    ]


def test_the_newer_list_alone_is_enough():
    heard = drive(LOGIN.quota(FILE, SETTING), {"limits": USAGE["limits"][:2]}, Reply(500))
    assert [(w.id, w.used_percent) for w in heard.result.windows] == [("5h", 13.0), ("7d", 81.0)]
    assert heard.result.plan == ""


@pytest.mark.parametrize(
    ("account", "organization", "plan"),
    [
        ({"has_claude_max": True, "has_claude_pro": True}, {}, "max"),
        ({"has_claude_max": False, "has_claude_pro": True}, {}, "pro"),
        ({"has_claude_max": False, "has_claude_pro": False}, {}, "free"),
        (
            {"has_claude_max": False, "has_claude_pro": False},
            {"organization_type": "claude_team", "subscription_status": "active"},
            "team",
        ),
        (
            {"has_claude_max": False, "has_claude_pro": False},
            {"organization_type": "claude_team", "subscription_status": "canceled"},
            "free",
        ),
        ({}, {"organization_type": "claude_enterprise"}, "enterprise"),
        ({}, {}, ""),
    ],
)
def test_the_plan_is_read_from_the_profile(account, organization, plan):
    profile = {"account": account, "organization": organization}
    assert drive(LOGIN.quota(FILE, SETTING), {}, profile).result.plan == plan


REFUSALS = [
    (Reply(401, {"error": {"message": "OAuth token has expired"}}), "needs_login"),
    (Reply(403, {"error": {"message": "scope user:profile"}}), "refused"),
    (Reply(403, {"error": {"message": "OAuth token has been revoked."}}), "revoked"),
    (Reply(429, {}, {"retry-after": "9"}), "limited"),
    (Reply(404), "refused"),
    (Reply(503), "network"),
    (AWAY, "network"),
    (LOST, "network"),
]


@pytest.mark.parametrize(("reply", "kind"), REFUSALS)
def test_what_a_refusal_to_tell_comes_to(reply, kind):
    assert drive(LOGIN.quota(FILE, SETTING), reply).kind == kind
    heard = drive(LOGIN.models(FILE, SETTING), reply)
    assert heard.kind == kind
    if kind == "limited":
        assert heard.problem.retry_after == 9


# ---- models -------------------------------------------------------------------------------------
def test_models_are_read_page_by_page():
    first = {
        "data": [
            {
                "type": "model",
                "id": "claude-opus-4-8",
                "display_name": "Claude Opus 4.8",
                "created_at": "2027-01-15T08:00:00Z",
                "max_input_tokens": 1000000,
                "max_tokens": 128000,
            },
            {"id": ""},
            "no object",
        ],
        "has_more": True,
        "last_id": "claude-opus-4-8",
    }
    second = {"data": [{"id": "claude-haiku-5"}], "has_more": False, "last_id": "claude-haiku-5"}
    heard = drive(LOGIN.models(FILE, SETTING), first, second)
    assert heard.lines == [
        "GET https://api.anthropic.com/v1/models?limit=1000",
        "GET https://api.anthropic.com/v1/models?limit=1000&after_id=claude-opus-4-8",
    ]
    assert heard.asked[0].headers["anthropic-version"] == "2023-06-01"
    assert heard.result == [
        ModelFound("claude-opus-4-8", "Claude Opus 4.8", 1000000, 128000, "anthropic", int(NOW)),
        ModelFound("claude-haiku-5", owned_by="anthropic"),
    ]


def test_a_list_that_never_ends_is_ended():
    same = {"data": [], "has_more": True, "last_id": "x"}
    assert len(drive(LOGIN.models(FILE, SETTING), forever=same).asked) == 2


def test_all_is_asked_of_the_owners_api():
    setting = Setting(now=NOW, endpoints={"api": "http://a/"})
    assert drive(LOGIN.quota(FILE, setting), {}, {}).lines == [
        "GET http://a/api/oauth/usage",
        "GET http://a/api/oauth/profile",
    ]
    assert drive(LOGIN.models(FILE, setting), {}).lines == ["GET http://a/v1/models?limit=1000"]


def test_nothing_is_missing_from_a_login():
    assert LOGIN.complete(FILE, SETTING) is None
    assert LOGIN.lead == 4 * 3600
    assert LOGIN.renewable(FILE)

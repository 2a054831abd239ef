"""Logging in to Codex, keeping the login, and asking about it."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from tests.unit.login.drive import CODE, Reply, drive, query

from cliproxy import login
from cliproxy.login.flow import USER_AGENT, Callback, Client, ModelFound, Setting, Unreachable

NOW = 1_800_000_000.0
SETTING = Setting(now=NOW)
LOGIN = login.get("codex")
AUTH = "https://api.openai.com/auth"
CLIENT = "app_EMoamEEZ73f0CkXaXp7hrann"
LOST = Unreachable("the answer was lost", sent=True)
AWAY = Unreachable("no connection", sent=False)


def jwt(**claims):
    parts = [{"alg": "RS256"}, claims]
    texts = [base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=").decode() for p in parts]
    return ".".join([*texts, "signature"])


def id_token(email="ada@example.com", account="acc-1", plan="plus"):
    auth = {"chatgpt_account_id": account, "chatgpt_plan_type": plan, "chatgpt_user_id": "u"}
    return jwt(email=email, **{AUTH: {k: v for k, v in auth.items() if v}})


ACCESS = jwt(exp=int(NOW) + 864000)
TOKENS = {
    "id_token": id_token(),
    "access_token": ACCESS,
    "refresh_token": "rt-new",
    "token_type": "Bearer",
    "expires_in": 864000,
}
FILE = {
    "type": "codex",
    "id_token": id_token(),
    "access_token": "at-old",
    "refresh_token": "rt-old",
    "account_id": "acc-1",
    "email": "ada@example.com",
}


# ---- logging in with a browser ------------------------------------------------------------------
def test_a_browser_login_makes_the_file_that_others_read_too():
    heard = drive(LOGIN.login(SETTING, "browser"), TOKENS)
    assert heard.result.name == f"codex-{sha8('acc-1')}-ada@example.com-plus.json"
    assert heard.result.fields == {
        "type": "codex",
        "id_token": id_token(),
        "access_token": ACCESS,
        "refresh_token": "rt-new",
        "account_id": "acc-1",
        "last_refresh": "2027-01-15T08:00:00Z",
        "email": "ada@example.com",
        "expired": "2027-01-25T08:00:00Z",
    }


def sha8(text):
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def test_the_browser_is_sent_with_pkce_and_the_verifier_follows():
    heard = drive(LOGIN.login(SETTING, "browser"), TOKENS)
    visit, exchange = heard.visits[0], heard.asked[0]
    asked = query(visit.url)
    assert visit.url.startswith("https://auth.openai.com/oauth/authorize?")
    assert (visit.port, visit.path) == (1455, "/auth/callback")
    challenge = asked.pop("code_challenge")
    assert asked == {
        "client_id": CLIENT,
        "response_type": "code",
        "redirect_uri": "http://localhost:1455/auth/callback",
        "scope": "openid profile email offline_access",
        "state": visit.state,
        "code_challenge_method": "S256",
        "prompt": "login",
        "id_token_add_organizations": "true",
        "codex_cli_simplified_flow": "true",
    }
    assert exchange.line == "POST https://auth.openai.com/oauth/token"
    assert exchange.headers["content-type"] == "application/x-www-form-urlencoded"
    assert exchange.headers["user-agent"] == USER_AGENT
    form = exchange.form
    digest = hashlib.sha256(form.pop("code_verifier").encode()).digest()
    assert challenge == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert form == {
        "grant_type": "authorization_code",
        "client_id": CLIENT,
        "code": CODE,
        "redirect_uri": "http://localhost:1455/auth/callback",
    }


def test_one_workspace_can_be_asked_for():
    heard = drive(LOGIN.login(Setting(now=NOW, options={"workspace": "w"}), "browser"), TOKENS)
    assert query(heard.visits[0].url)["allowed_workspace_id"] == "w"


def test_another_port_moves_the_listener_and_not_the_registered_address():
    heard = drive(LOGIN.login(Setting(now=NOW, redirect_port=9999), "browser"), TOKENS)
    assert heard.visits[0].port == 9999
    assert query(heard.visits[0].url)["redirect_uri"] == "http://localhost:1455/auth/callback"


def test_the_client_and_all_addresses_can_be_others():
    endpoints = {"authorize": "http://a/auth", "token": "http://a/tok"}
    setting = Setting(now=NOW, client=Client("mine"), endpoints=endpoints)
    heard = drive(LOGIN.login(setting, "browser"), TOKENS)
    assert heard.visits[0].url.startswith("http://a/auth?client_id=mine&")
    assert heard.lines == ["POST http://a/tok"]
    assert heard.asked[0].form["client_id"] == "mine"


@pytest.mark.parametrize("back", [Callback("abc", "another"), Callback("")])
def test_a_code_of_another_login_is_not_used(back):
    heard = drive(LOGIN.login(SETTING, "browser"), back)
    assert (heard.kind, heard.asked) == ("refused", [])


@pytest.mark.parametrize(
    ("token", "name"),
    [
        (id_token(), f"codex-{sha8('acc-1')}-ada@example.com-plus.json"),
        (id_token(plan="Self Serve  Business"),
         f"codex-{sha8('acc-1')}-ada@example.com-self-serve-business.json"),
        (id_token(plan=""), f"codex-{sha8('acc-1')}-ada@example.com.json"),
        (id_token(account=""), "codex-ada@example.com-plus.json"),
        (id_token(account="", plan=""), "codex-ada@example.com.json"),
        (id_token(email="", plan=""), f"codex-{sha8('acc-1')}.json"),
        (id_token(email="../x/y", account="", plan=""), "codex-.._x_y.json"),
        ("no token", f"codex-{sha8(ACCESS)}.json"),
    ],
)  # fmt: skip
def test_the_file_is_named_by_person_workspace_and_plan(token, name):
    heard = drive(LOGIN.login(SETTING, "browser"), {**TOKENS, "id_token": token})
    assert heard.result.name == name


def test_the_address_may_stand_in_the_profile():
    token = jwt(**{"https://api.openai.com/profile": {"email": "ada@example.com"}})
    heard = drive(LOGIN.login(SETTING, "browser"), {**TOKENS, "id_token": token})
    assert heard.result.fields["email"] == "ada@example.com"


@pytest.mark.parametrize(
    ("answer", "ends"),
    [
        ({"expires_in": 3600}, "2027-01-15T09:00:00Z"),
        ({"expires_in": None}, "2027-01-25T08:00:00Z"),
        ({"expires_in": None, "access_token": "opaque"}, "2027-01-15T09:00:00Z"),
    ],
)
def test_the_end_is_told_by_the_answer_else_by_the_token(answer, ends):
    heard = drive(LOGIN.login(SETTING, "browser"), {**TOKENS, **answer})
    assert heard.result.fields["expired"] == ends


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(400, {"error": "invalid_grant"}), "refused"),
        (Reply(401, {"error": {"code": "invalid_client", "message": "no"}}), "refused"),
        (Reply(403, {"error": "access_denied"}), "cancelled"),
        (Reply(429, {}, {"retry-after": "3"}), "limited"),
        (Reply(502, b"bad gateway"), "network"),
        (Reply(200, {"access_token": "a"}), "network"),
        (AWAY, "network"),
        (LOST, "network"),
    ],
)
def test_what_a_refused_code_comes_to(reply, kind):
    assert drive(LOGIN.login(SETTING, "browser"), reply).kind == kind


# ---- logging in with a device code --------------------------------------------------------------
STARTED = {"device_auth_id": "dev-1", "user_code": "ABCD-EFGH", "interval": "5"}
GIVEN = {"authorization_code": "code-1", "code_verifier": "ver-1", "code_challenge": "x"}


def test_a_code_is_shown_and_asked_about_until_it_was_typed():
    heard = drive(LOGIN.login(SETTING, "device"), STARTED, Reply(403), Reply(404), GIVEN, TOKENS)
    show = heard.shows[0]
    assert (show.url, show.code) == ("https://auth.openai.com/codex/device", "ABCD-EFGH")
    assert show.expires == 900
    assert heard.waited == [5, 5, 5]
    base = "POST https://auth.openai.com/api/accounts/deviceauth"
    assert heard.lines == [
        f"{base}/usercode", f"{base}/token", f"{base}/token", f"{base}/token",
        "POST https://auth.openai.com/oauth/token",
    ]  # fmt: skip
    assert heard.asked[0].json == {"client_id": CLIENT}
    assert heard.asked[1].json == {"device_auth_id": "dev-1", "user_code": "ABCD-EFGH"}
    assert heard.asked[-1].form == {
        "grant_type": "authorization_code",
        "client_id": CLIENT,
        "code": "code-1",
        "redirect_uri": "https://auth.openai.com/deviceauth/callback",
        "code_verifier": "ver-1",
    }
    assert heard.result.fields["refresh_token"] == "rt-new"


@pytest.mark.parametrize(
    ("started", "code", "waits", "expires"),
    [
        ({"usercode": "X", "interval": 7}, "X", 7, 900),
        ({"user_code": "X"}, "X", 5, 900),
        ({"user_code": "X", "interval": "0"}, "X", 5, 900),
        ({"user_code": "X", "interval": 0.5}, "X", 1, 900),
        ({"user_code": "X", "expires_at": "2027-01-15T08:10:00Z"}, "X", 5, 600),
        ({"user_code": "X", "expires_in": 300}, "X", 5, 300),
        ({"user_code": "X", "expires_at": "2027-01-16T08:10:00Z"}, "X", 5, 900),
    ],
)
def test_a_device_code_is_told_in_several_forms(started, code, waits, expires):
    started = {"device_auth_id": "d", **started}
    heard = drive(LOGIN.login(SETTING, "device"), started, GIVEN, TOKENS)
    assert (heard.shows[0].code, heard.shows[0].expires) == (code, expires)
    assert heard.waited[0] == waits


def test_asking_too_often_makes_it_ask_less_often():
    heard = drive(
        LOGIN.login(SETTING, "device"),
        STARTED, Reply(429), Reply(403, {"error": "slow_down"}), GIVEN, TOKENS,
    )  # fmt: skip
    assert heard.waited == [5, 10, 15]


def test_a_stumble_while_waiting_is_no_end():
    heard = drive(LOGIN.login(SETTING, "device"), STARTED, LOST, AWAY, Reply(502), GIVEN, TOKENS)
    assert heard.result.fields["access_token"] == ACCESS


def test_nobody_waits_longer_than_the_code_is_good():
    heard = drive(LOGIN.login(SETTING, "device"), STARTED, forever=Reply(403))
    assert heard.kind == "cancelled"
    assert sum(heard.waited) == 900


@pytest.mark.parametrize(
    ("replies", "kind"),
    [
        ([Reply(404)], "refused"),
        ([Reply(403, {"error": {"code": "x"}})], "refused"),
        ([Reply(429)], "limited"),
        ([Reply(500)], "network"),
        ([Reply(200, {"user_code": "x"})], "network"),
        ([AWAY], "network"),
        ([STARTED, Reply(403, {"error": "access_denied"})], "cancelled"),
        ([STARTED, Reply(400, {"error": "expired_token"})], "cancelled"),
        ([STARTED, Reply(400, {"error": {"code": "odd"}})], "refused"),
        ([STARTED, Reply(200, {"authorization_code": "a"})], "network"),
        ([STARTED, GIVEN, Reply(400, {"error": "invalid_grant"})], "refused"),
    ],
)
def test_what_a_refused_device_comes_to(replies, kind):
    assert drive(LOGIN.login(SETTING, "device"), *replies).kind == kind


def test_the_device_endpoints_can_be_others():
    endpoints = {"device": "http://a/d/", "device_page": "http://a/page", "token": "http://a/t"}
    setting = Setting(now=NOW, endpoints=endpoints)
    heard = drive(LOGIN.login(setting, "device"), STARTED, GIVEN, TOKENS)
    assert heard.lines == ["POST http://a/d/usercode", "POST http://a/d/token", "POST http://a/t"]
    assert heard.shows[0].url == "http://a/page"


# ---- refreshing ---------------------------------------------------------------------------------
def test_a_refresh_changes_what_it_brings():
    heard = drive(LOGIN.refresh(FILE, SETTING), TOKENS)
    assert heard.result == {
        "id_token": id_token(),
        "access_token": ACCESS,
        "refresh_token": "rt-new",
        "last_refresh": "2027-01-15T08:00:00Z",
        "expired": "2027-01-25T08:00:00Z",
    }
    assert heard.asked[0].form == {
        "client_id": CLIENT,
        "grant_type": "refresh_token",
        "refresh_token": "rt-old",
        "scope": "openid profile email",
    }


@pytest.mark.parametrize(
    ("told", "changed"),
    [
        ({"access_token": "a", "expires_in": 60}, {"access_token", "expired", "last_refresh"}),
        ({"refresh_token": "r"}, {"refresh_token", "last_refresh"}),
        ({"access_token": "a", "refresh_token": ""}, {"access_token", "expired", "last_refresh"}),
        ({"id_token": id_token()}, {"id_token", "last_refresh"}),
    ],
)
def test_what_a_refresh_does_not_bring_stays(told, changed):
    assert drive(LOGIN.refresh(FILE, SETTING), told).result.keys() == changed


def test_a_file_that_does_not_say_whose_it_is_learns_it():
    fields = {"access_token": "a", "refresh_token": "r"}
    heard = drive(LOGIN.refresh(fields, SETTING), TOKENS)
    assert (heard.result["email"], heard.result["account_id"]) == ("ada@example.com", "acc-1")


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(400, {"error": {"code": "refresh_token_expired"}}), "needs_login"),
        (Reply(401, {"error": {"code": "refresh_token_reused"}}), "needs_login"),
        (Reply(401, {"error": "refresh_token_invalidated"}), "revoked"),
        (Reply(400, {"code": "refresh_token_invalidated"}), "revoked"),
        (Reply(400, {"error": "invalid_grant"}), "needs_login"),
        (Reply(401, b""), "needs_login"),
        (Reply(400, {"error": {"code": "something"}}), "network"),
        (Reply(400, {"error": "invalid_client"}), "refused"),
        (Reply(403, b"<html>Just a moment...</html>"), "network"),
        (Reply(429, {}), "limited"),
        (Reply(500, b""), "network"),
        (Reply(200, {}), "network"),
        (Reply(200, b"<html>"), "network"),
        (AWAY, "network"),
        (LOST, "unknown_outcome"),
    ],
)
def test_what_a_refused_refresh_comes_to(reply, kind):
    heard = drive(LOGIN.refresh(FILE, SETTING), reply)
    assert heard.kind == kind
    assert "rt-old" not in heard.problem.message


def test_the_wait_of_a_refusal_is_handed_on():
    heard = drive(LOGIN.refresh(FILE, SETTING), Reply(429, {}, {"retry-after": "40"}))
    assert heard.problem.retry_after == 40


def test_without_a_refresh_token_there_is_no_refresh():
    fields = {"access_token": "a"}
    assert not LOGIN.renewable(fields)
    assert drive(LOGIN.refresh(fields, SETTING)).kind == "needs_login"


# ---- what is left -------------------------------------------------------------------------------
def window(used, seconds, **more):
    return {"used_percent": used, "limit_window_seconds": seconds, **more}


USAGE = {
    "plan_type": "plus",
    "rate_limit": {
        "allowed": True,
        "limit_reached": False,
        "primary_window": window(12, 18000, reset_after_seconds=600, reset_at=int(NOW) + 600),
        "secondary_window": window(34, 604800, reset_after_seconds=86400),
    },
    "code_review_rate_limit": {"primary_window": window(5, 604800), "secondary_window": None},
    "additional_rate_limits": [
        {
            "limit_name": "GPT-5.3-Codex-Spark",
            "metered_feature": "codex_bengalfox",
            "rate_limit": {"primary_window": window(50, 18000), "secondary_window": None},
        },
        {"metered_feature": "pictures", "rate_limit": {"primary_window": window(1, 2592000)}},
        "no object",
    ],
    "credits": {"has_credits": True, "unlimited": False, "balance": "5.00"},
    "rate_limit_reset_credits": {"available_count": 1},
}


def test_what_is_left_is_told_by_window():
    heard = drive(LOGIN.quota(FILE, SETTING), USAGE)
    assert heard.lines == ["GET https://chatgpt.com/backend-api/wham/usage"]
    assert heard.asked[0].headers["authorization"] == "Bearer at-old"
    assert heard.asked[0].headers["chatgpt-account-id"] == "acc-1"
    report = heard.result
    assert report.plan == "plus"
    assert report.credits == {
        "credits": USAGE["credits"],
        "rate_limit_reset_credits": {"available_count": 1},
    }
    assert [
        (w.id, w.label, w.used_percent, w.reset_at, w.period_seconds, w.models)
        for w in report.windows
    ] == [
        ("5h", "5 hours", 12, NOW + 600, 18000, ()),
        ("7d", "7 days", 34, NOW + 86400, 604800, ()),
        ("code_review_7d", "7 days, code review", 5, None, 604800, ()),
        (
            "gpt_5.3_codex_spark_5h", "5 hours, GPT-5.3-Codex-Spark", 50, None, 18000,
            ("gpt-5.3-codex-spark",),
        ),
        ("pictures_30d", "30 days, pictures", 1, None, 2592000, ()),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("limit", "ids"),
    [
        # A free plan has one window, and it is not the short one.
        ({"primary_window": window(1, 604800), "secondary_window": None}, ["7d"]),
        ({"primary_window": window(1, 604800), "secondary_window": window(1, 18000)},
         ["7d", "5h"]),
        ({"primary_window": window(1, 3600)}, ["1h"]),
        ({"primary_window": window(1, 900)}, ["15m"]),
        ({"primary_window": window(1, 86400)}, ["1d"]),
        ({"primary_window": {"used_percent": 1}}, ["primary"]),
        (None, []),
    ],
)  # fmt: skip
def test_which_window_it_is_is_told_by_its_length(limit, ids):
    heard = drive(LOGIN.quota(FILE, SETTING), {"rate_limit": limit})
    assert [w.id for w in heard.result.windows] == ids


def test_the_account_is_read_from_the_token_where_the_file_does_not_say():
    fields = {k: v for k, v in FILE.items() if k != "account_id"}
    heard = drive(LOGIN.quota(fields, SETTING), {})
    assert heard.asked[0].headers["chatgpt-account-id"] == "acc-1"
    heard = drive(LOGIN.quota({"access_token": "a"}, SETTING), {})
    assert "chatgpt-account-id" not in heard.asked[0].headers


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(401, {"detail": "token expired"}), "needs_login"),
        (Reply(402, {"detail": {"code": "deactivated_workspace"}}), "revoked"),
        (Reply(403, {"error": {"code": "deactivated_workspace"}}), "revoked"),
        (Reply(403, {"detail": "no"}), "refused"),
        (Reply(403, b"<html>Just a moment...</html>"), "network"),
        (Reply(429, {}), "limited"),
        (Reply(404, {}), "refused"),
        (Reply(500, {}), "network"),
        (AWAY, "network"),
    ],
)
def test_what_a_refusal_to_tell_comes_to(reply, kind):
    assert drive(LOGIN.quota(FILE, SETTING), reply).kind == kind
    assert drive(LOGIN.models(FILE, SETTING), reply).kind == kind


# ---- models -------------------------------------------------------------------------------------
def test_models_are_those_that_are_listed():
    rows = [
        {"slug": "gpt-5.5", "display_name": "GPT-5.5", "context_window": 272000,
         "visibility": "list"},
        {"slug": "secret", "visibility": "hide"},
        {"slug": "gpt-5.4-mini"},
        {"display_name": "nameless"},
        "no object",
    ]  # fmt: skip
    heard = drive(LOGIN.models(FILE, SETTING), {"models": rows})
    assert heard.asked[0].request.url.startswith(
        "https://chatgpt.com/backend-api/codex/models?client_version="
    )
    assert heard.asked[0].headers["user-agent"] == USER_AGENT
    assert heard.result == [
        ModelFound("gpt-5.5", "GPT-5.5", 272000, owned_by="openai"),
        ModelFound("gpt-5.4-mini", owned_by="openai"),
    ]


@pytest.mark.parametrize("api", ["http://a/backend-api/codex", "http://a/backend-api/codex/"])
def test_all_is_asked_of_the_owners_api(api):
    setting = Setting(now=NOW, endpoints={"api": api})
    assert drive(LOGIN.quota(FILE, setting), {}).lines == ["GET http://a/backend-api/wham/usage"]
    models = drive(LOGIN.models(FILE, setting), {}).lines[0]
    assert models.startswith("GET http://a/backend-api/codex/models?")


def test_nothing_is_missing_from_a_login():
    assert LOGIN.complete(FILE, SETTING) is None
    assert LOGIN.lead == 5 * 86400
    assert LOGIN.ways == ("browser", "device")

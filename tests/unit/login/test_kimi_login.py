"""Logins of Kimi Code."""

from __future__ import annotations

import pytest
from tests.unit.login.drive import Reply, drive

from cliproxy import __version__
from cliproxy.login.flow import ModelFound, Setting, Unreachable, Window
from cliproxy.login.kimi import LOGIN

NOW = 1_800_000_000.0
SETTING = Setting(now=NOW)
DEVICE = {
    "device_code": "dev",
    "user_code": "KIMI",
    "verification_uri": "https://www.kimi.com/code/authorize_device",
    "expires_in": 1800,
    "interval": 3,
}
TOKEN = {
    "access_token": "acc",
    "refresh_token": "ref",
    "token_type": "Bearer",
    "expires_in": 900.0,
    "scope": "kimi-code",
}
FILE = {"type": "kimi", "access_token": "old", "refresh_token": "ref", "device_id": "0" * 32}


def test_a_login_names_the_machine_and_writes_the_known_file():
    heard = drive(LOGIN.login(SETTING, "device"), DEVICE, TOKEN)
    device, poll = heard.asked
    assert device.line == "POST https://auth.kimi.com/api/oauth/device_authorization"
    assert device.form == {"client_id": "17e5f671-d194-4dfb-9706-5516cb48c098"}
    assert poll.line == "POST https://auth.kimi.com/api/oauth/token"
    assert poll.form["device_code"] == "dev"
    fields = heard.result.fields
    for asked in heard.asked:
        assert asked.headers["x-msh-device-id"] == fields["device_id"]
        assert asked.headers["x-msh-platform"] == "cliproxy"
        assert asked.headers["x-msh-version"] == __version__
        assert all(value.isascii() for value in asked.headers.values())
    assert len(fields.pop("device_id")) == 32
    assert heard.result.name == "kimi-1800000000000.json"
    assert fields == {
        "type": "kimi",
        "access_token": "acc",
        "refresh_token": "ref",
        "token_type": "Bearer",
        "scope": "kimi-code",
        "expired": "2027-01-15T08:15:00Z",
        "last_refresh": "2027-01-15T08:00:00Z",
        "timestamp": 1800000000000,
    }
    assert heard.waited == [5.0]
    assert heard.shows[0].expires == 900.0


def test_two_logins_are_two_machines():
    ids = {
        drive(LOGIN.login(SETTING, "device"), DEVICE, TOKEN).result.fields["device_id"]
        for _ in "ab"
    }
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(400, {"error": "expired_token"}), "needs_login"),
        (Reply(400, {"error": "access_denied"}), "cancelled"),
        (Reply(500, b""), "network"),
    ],
)
def test_a_login_that_fails_says_why(reply, kind):
    assert drive(LOGIN.login(SETTING, "device"), DEVICE, forever=reply).kind == kind


def test_a_refresh_keeps_to_the_machine():
    heard = drive(LOGIN.refresh(FILE, SETTING), {**TOKEN, "refresh_token": "ref2"})
    (asked,) = heard.asked
    assert asked.form == {
        "client_id": "17e5f671-d194-4dfb-9706-5516cb48c098",
        "grant_type": "refresh_token",
        "refresh_token": "ref",
    }
    assert asked.headers["x-msh-device-id"] == "0" * 32
    assert heard.result["refresh_token"] == "ref2"
    assert heard.result["expired"] == "2027-01-15T08:15:00Z"
    assert "device_id" not in heard.result


def test_a_file_without_a_machine_gets_one_that_stays():
    heard = drive(LOGIN.refresh({"refresh_token": "ref"}, SETTING), TOKEN)
    assert heard.result["device_id"] == heard.asked[0].headers["x-msh-device-id"] != ""


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(401, {"error": "invalid_grant"}), "needs_login"),
        (Reply(403, {"message": "no"}), "needs_login"),
        (Reply(429, b"", {"retry-after": "5"}), "limited"),
        (Reply(502, b""), "network"),
        (Unreachable("reset", sent=True), "unknown_outcome"),
        (Unreachable("refused", sent=False), "network"),
    ],
)
def test_a_refresh_that_fails_says_why(reply, kind):
    assert drive(LOGIN.refresh(FILE, SETTING), reply).kind == kind


USAGES = {
    "user": {"membership": {"level": "LEVEL_INTERMEDIATE"}},
    "usage": {"limit": "100", "used": "25", "remaining": "75", "resetTime": "2027-01-20T00:00:00Z"},
    "limits": [
        {
            "window": {"duration": 300, "timeUnit": "TIME_UNIT_MINUTE"},
            "detail": {"limit": 40, "remaining": 10, "reset_in": 600},
        },
        {
            "name": "Burst",
            "window": {"duration": 90},
            "detail": {"limit": 0, "used": 3, "ttl": "30"},
        },
        {"title": "Month", "detail": {"used": 5, "resetAt": 1800000100}},
        "nonsense",
    ],
}


def test_what_is_left_is_read_from_any_of_the_spellings():
    heard = drive(LOGIN.quota(FILE, SETTING), USAGES)
    assert heard.lines == ["GET https://api.kimi.com/coding/v1/usages"]
    assert heard.asked[0].headers["authorization"] == "Bearer old"
    assert heard.result.plan == "intermediate"
    assert heard.result.windows == (
        Window("week", "Week", 25.0, 75.0, 100.0, 1800403200.0, 604800.0),
        Window("5h", "5h", 75.0, 10.0, 40.0, NOW + 600, 18000.0),
        Window("90m", "Burst", None, 0.0, 0.0, NOW + 30, 5400.0),
        Window("Month", "Month", None, None, None, 1800000100.0, None),
    )


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(401, {"error": {"message": "expired"}}), "needs_login"),
        (Reply(402, {"error": {"message": "unable to verify your membership"}}), "refused"),
        (Reply(500, b""), "network"),
        (Unreachable("x", sent=True), "network"),
    ],
)
def test_a_quota_that_is_not_told_is_a_problem(reply, kind):
    assert drive(LOGIN.quota(FILE, SETTING), reply).kind == kind


def test_an_empty_answer_is_an_empty_report():
    assert drive(LOGIN.quota(FILE, SETTING), {}).result.windows == ()


def test_the_models_are_listed():
    told = {
        "data": [{"id": "kimi-for-coding", "context_length": 262144, "created": 5}, {"id": ""}, 3]
    }
    heard = drive(LOGIN.models(FILE, SETTING), told)
    assert heard.lines == ["GET https://api.kimi.com/coding/v1/models"]
    assert heard.result == [
        ModelFound("kimi-for-coding", "kimi-for-coding", 262144, owned_by="moonshot", created=5)
    ]


@pytest.mark.parametrize("own", ["http://127.0.0.1:1/coding", "http://127.0.0.1:1/coding/v1"])
def test_the_owner_s_host_is_asked(own):
    setting = Setting(now=NOW, endpoints={"api": own})
    assert drive(LOGIN.quota(FILE, setting), {}).lines == [
        "GET http://127.0.0.1:1/coding/v1/usages"
    ]
    assert drive(LOGIN.quota({**FILE, "base_url": own}, SETTING), {}).lines == [
        "GET http://127.0.0.1:1/coding/v1/usages"
    ]


def test_an_alias_names_the_file_and_the_account():
    named = Setting(now=NOW, options={"alias": "at work"})
    made = drive(LOGIN.login(named, "device"), DEVICE, TOKEN).result
    assert (made.name, made.fields["label"]) == ("kimi-at-work.json", "at work")

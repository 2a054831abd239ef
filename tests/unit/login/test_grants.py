"""Device codes and refresh tokens, as all providers of these grants have them."""

from __future__ import annotations

import pytest
from tests.unit.login.drive import Reply, drive

from cliproxy.login import grants
from cliproxy.login.flow import Setting, Unreachable, post_form

SETTING = Setting(now=1_800_000_000.0)
POLL = post_form("https://login.example/token", {"a": "b"})
TOKEN = {"access_token": "new", "refresh_token": "next"}
PENDING = Reply(400, {"error": "authorization_pending"})
SLOWER = Reply(400, {"error": "slow_down"})
CODE = grants.Device("dev", "ABCD", "https://login.example/go", "", 900.0, 0.0)


def poll(*given, pace=grants.Pace(), code=CODE, forever=None):
    return drive(grants.confirmed("Somebody", code, POLL, SETTING, pace), *given, forever=forever)


@pytest.mark.parametrize(
    ("told", "device"),
    [
        (
            {"device_code": "d", "user_code": "U", "verification_uri": "https://x", "interval": 7},
            grants.Device("d", "U", "https://x", "", 600.0, 7.0),
        ),
        (
            {
                "device_code": "d",
                "user_code": "U",
                "verification_uri_complete": "https://x?c=U",
                "expires_in": "120",
            },
            grants.Device("d", "U", "https://x?c=U", "https://x?c=U", 120.0, 0.0),
        ),
    ],
    ids=["standard", "only the complete address"],
)
def test_a_device_code_is_read(told, device):
    assert drive(grants.device("Somebody", POLL, SETTING), told).result == device


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(400, {"error": "invalid_client"}), "refused"),
        (Reply(429, {"error": "slow"}, {"retry-after": "9"}), "limited"),
        (Reply(503, b"busy"), "network"),
        (Reply(200, b"<html>check</html>"), "network"),
        (Reply(200, {"device_code": "d"}), "network"),
        (Unreachable("no route", sent=False), "network"),
    ],
)
def test_no_device_code_is_a_problem(reply, kind):
    assert drive(grants.device("Somebody", POLL, SETTING), reply).kind == kind


def test_the_code_is_shown_and_asked_about_at_its_pace():
    heard = poll(PENDING, SLOWER, PENDING, TOKEN)
    assert heard.result == TOKEN
    assert heard.waited == [5.0, 5.0, 10.0, 10.0]
    assert (heard.shows[0].url, heard.shows[0].code) == ("https://login.example/go", "ABCD")


@pytest.mark.parametrize(
    ("pace", "waited"),
    [
        (grants.Pace(factor=1.5, added=0.0, most=10.0), [5.0, 7.5, 10.0, 10.0]),
        (grants.Pace(at_once=True), [10.0, 15.0, 20.0]),
    ],
    ids=["half as much again, to a limit", "the first at once"],
)
def test_slow_down_is_obeyed(pace, waited):
    assert poll(SLOWER, SLOWER, SLOWER, TOKEN, pace=pace).waited == waited


def test_status_429_without_a_word_means_slow_down():
    assert poll(Reply(429, b""), TOKEN).waited == [5.0, 10.0]


def test_the_provider_s_longer_interval_counts():
    code = grants.Device("dev", "ABCD", "https://login.example/go", "", 900.0, 12.0)
    assert poll(TOKEN, code=code).waited == [12.0]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(400, {"error": "access_denied"}), "cancelled"),
        (Reply(200, {"error": "access_denied"}), "cancelled"),
        (Reply(400, {"error": "expired_token"}), "needs_login"),
        (Reply(400, {"error": "invalid_grant", "error_description": "what"}), "refused"),
        (Reply(401, {"error": "invalid_client"}), "refused"),
        (Reply(200, {}), "network"),
    ],
)
def test_the_end_of_waiting_has_its_reason(reply, kind):
    assert poll(reply).kind == kind


def test_nobody_waits_for_ever():
    heard = poll(forever=PENDING, pace=grants.Pace(total=60.0))
    assert heard.kind == "needs_login"
    assert sum(heard.waited) == 60.0


def test_a_few_lost_polls_are_borne_and_many_are_not():
    lost = Unreachable("reset", sent=True)
    assert poll(lost, Reply(502, b""), lost, TOKEN).result == TOKEN
    assert poll(*[lost] * 5).kind == "network"
    assert poll(*[Reply(500, b"")] * 5).kind == "network"


@pytest.mark.parametrize(
    ("reply", "kind", "wait"),
    [
        (Unreachable("reset", sent=True), "unknown_outcome", None),
        (Unreachable("refused", sent=False), "network", None),
        (Reply(200, b""), "unknown_outcome", None),
        (Reply(200, b'{"access_tok'), "unknown_outcome", None),
        (Reply(200, b"<html>"), "network", None),
        (Reply(200, {"error": "invalid_grant"}), "needs_login", None),
        (Reply(400, {"error": "invalid_grant"}), "needs_login", None),
        (Reply(400, {"error": "refresh_token_reused"}), "needs_login", None),
        (Reply(401, b""), "needs_login", None),
        (
            Reply(400, {"error": "invalid_grant", "error_description": "was revoked"}),
            "revoked",
            None,
        ),
        (Reply(401, {"error": "invalid_client"}), "refused", None),
        (Reply(429, b"", {"retry-after": "30"}), "limited", 30.0),
        (Reply(503, b"", {"retry-after": "Fri, 15 Jan 2027 08:01:00 GMT"}), "network", 60.0),
        (Reply(500, {"error": {"message": "oops"}}), "network", None),
        (Reply(403, b"<html>"), "network", None),
        (Reply(404, {"message": "no such"}), "refused", None),
    ],
)
def test_a_refresh_that_fails_says_why(reply, kind, wait):
    heard = drive(grants.renewed("Somebody", POLL, SETTING), reply)
    assert heard.kind == kind
    assert heard.problem.retry_after == wait


def test_secrets_are_not_part_of_what_is_said():
    heard = drive(
        grants.renewed("Somebody", POLL, SETTING),
        Reply(400, {"error": "x", "refresh_token": "s3cret"}),
    )
    assert "s3cret" not in heard.problem.message


@pytest.mark.parametrize(
    ("value", "number"),
    [(3, 3.0), ("4.5", 4.5), (" 7 ", 7.0), (True, None), (None, None), ("x", None), ([], None),
     (float("inf"), None)],
)  # fmt: skip
def test_numbers_may_be_written_as_text(value, number):
    assert grants.number(value) == number


@pytest.mark.parametrize(
    ("wanted", "name"),
    [("a@b.c", "a@b.c"), ("../x", "x"), ("ü/y z", "-y-z"), ("", ""), (".hidden", "hidden")],
)
def test_names_are_fit_for_files(wanted, name):
    assert grants.in_name(wanted).lstrip("-") == name.lstrip("-")
    assert "/" not in grants.in_name(wanted)

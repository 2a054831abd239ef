"""What Google's two logins share: the browser flow, refusals of the token endpoint, API errors."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import urlsplit

import pytest
from tests.unit.login.drive import CODE, Reply, drive, query

from cliproxy.login import google
from cliproxy.login.antigravity import APP as ANTIGRAVITY
from cliproxy.login.flow import Answer, Client, Problem, Setting, Unreachable, name_part
from cliproxy.login.gemini_cli import APP as GEMINI

NOW = 1_800_000_000.0
SECRET = "dummy-secret"
SETTING = Setting(now=NOW, client=Client("", SECRET))
TOKENS = {
    "access_token": "at",
    "refresh_token": "rt",
    "expires_in": 3599,
    "scope": " ".join(google.SCOPES),
    "token_type": "Bearer",
}
APPS = pytest.mark.parametrize("app", [GEMINI, ANTIGRAVITY], ids=lambda a: a.provider)


class TestBrowser:
    @APPS
    def test_the_person_is_sent_to_google_and_the_code_is_exchanged(self, app):
        heard = drive(google.authorized(app, SETTING), TOKENS)
        assert heard.result == TOKENS
        (visit,) = heard.visits
        told = query(visit.url)
        assert visit.url.startswith("https://accounts.google.com/o/oauth2/v2/auth?")
        assert (visit.port, visit.path) == (app.port, app.path)
        assert told["redirect_uri"] == f"http://localhost:{app.port}{app.path}"
        assert told["state"] == visit.state
        assert told["access_type"] == "offline"
        assert told["prompt"] == "consent"
        assert set(told["scope"].split()) == set(app.scopes)
        (asked,) = heard.asked
        assert asked.line == "POST https://oauth2.googleapis.com/token"
        verifier = asked.form.pop("code_verifier")
        assert asked.form == {
            "grant_type": "authorization_code",
            "code": CODE,
            "redirect_uri": told["redirect_uri"],
            "client_id": app.client_id,
            "client_secret": SECRET,
            "code_verifier": verifier,
        }
        digest = hashlib.sha256(verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        assert (told["code_challenge"], told["code_challenge_method"]) == (challenge, "S256")

    @APPS
    def test_another_port_is_another_redirect(self, app):
        setting = Setting(now=NOW, client=Client("", SECRET), redirect_port=9999)
        heard = drive(google.authorized(app, setting), TOKENS)
        assert heard.visits[0].port == 9999
        assert query(heard.visits[0].url)["redirect_uri"] == f"http://localhost:9999{app.path}"

    def test_addresses_and_client_can_be_the_owners(self):
        setting = Setting(
            now=NOW,
            endpoints={"authorize": "http://127.0.0.1:1/a", "token": "http://127.0.0.1:1/t"},
            client=Client("own-id", SECRET),
        )
        heard = drive(google.authorized(GEMINI, setting), TOKENS)
        assert heard.visits[0].url.startswith("http://127.0.0.1:1/a?")
        assert heard.asked[0].request.url == "http://127.0.0.1:1/t"
        assert heard.asked[0].form["client_id"] == "own-id"
        assert query(heard.visits[0].url)["client_id"] == "own-id"

    @APPS
    def test_without_the_secret_nothing_begins(self, app):
        heard = drive(google.authorized(app, Setting(now=NOW)))
        assert heard.kind == "refused"
        assert not heard.steps
        for way in (f"oauth-clients.{app.provider}.secret", app.secret_variable, app.title):
            assert way in heard.problem.message

    @pytest.mark.parametrize(
        ("told", "words"),
        [
            ({**TOKENS, "scope": "https://www.googleapis.com/auth/userinfo.email"}, "permission"),
            ({k: v for k, v in TOKENS.items() if k != "refresh_token"}, "no refresh token"),
        ],
        ids=["the person unticked what is needed", "no refresh token"],
    )
    def test_half_a_permission_is_none(self, told, words):
        heard = drive(google.authorized(GEMINI, SETTING), told)
        assert heard.kind == "refused"
        assert words in heard.problem.message

    def test_states_and_verifiers_are_new_each_time(self):
        one, two = (drive(google.authorized(GEMINI, SETTING), TOKENS) for _ in range(2))
        assert one.visits[0].state != two.visits[0].state
        assert one.asked[0].form["code_verifier"] != two.asked[0].form["code_verifier"]


REFUSED = [
    (400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."},
     "needs_login"),
    (400, {"error": "invalid_grant", "error_description": "reauth related error (invalid_rapt)"},
     "needs_login"),
    (400, {"error": "invalid_grant", "error_description": "Account has been deleted"}, "revoked"),
    (400, {"error": "invalid_grant", "error_description": "The user account is disabled."},
     "revoked"),
    (401, {"error": "invalid_client", "error_description": "Unauthorized"}, "refused"),
    (401, {"error": "deleted_client"}, "refused"),
    (400, {"error": "invalid_request", "error_description": "client_secret is missing."},
     "refused"),
    (403, {"error": "access_denied"}, "cancelled"),
    (400, {"error": "admin_policy_enforced"}, "refused"),
    (429, {"error": "rate_limit_exceeded"}, "limited"),
    (429, b"", "limited"),
    (500, {"error": "internal_failure"}, "network"),
    (503, b"<html>", "network"),
    (403, b"<html>a portal of some network</html>", "network"),
    (200, b"<html>a portal of some network</html>", "network"),
    (200, {}, "network"),
    (200, {"access_token": ""}, "network"),
]  # fmt: skip


class TestRefresh:
    FIELDS = {"refresh_token": "old"}

    def test_the_refresh_token_is_exchanged(self):
        heard = drive(google.renewed(GEMINI, self.FIELDS, SETTING), TOKENS)
        assert heard.result == TOKENS
        assert heard.lines == ["POST https://oauth2.googleapis.com/token"]
        assert heard.asked[0].form == {
            "grant_type": "refresh_token",
            "refresh_token": "old",
            "client_id": GEMINI.client_id,
            "client_secret": SECRET,
        }

    @pytest.mark.parametrize(("status", "body", "kind"), REFUSED)
    def test_a_refusal_says_what_can_be_done(self, status, body, kind):
        heard = drive(google.renewed(GEMINI, self.FIELDS, SETTING), Reply(status, body))
        assert heard.kind == kind
        assert "old" not in heard.problem.message
        assert SECRET not in heard.problem.message

    def test_the_wait_is_passed_on(self):
        reply = Reply(429, {"error": "slow_down"}, {"retry-after": "17"})
        heard = drive(google.renewed(GEMINI, self.FIELDS, SETTING), reply)
        assert heard.problem.retry_after == 17

    @pytest.mark.parametrize("sent", [False, True])
    def test_a_lost_answer_loses_nothing_as_these_tokens_do_not_rotate(self, sent):
        heard = drive(google.renewed(GEMINI, self.FIELDS, SETTING), Unreachable("cut", sent=sent))
        assert heard.kind == "network"

    def test_without_a_refresh_token_the_person_must_log_in(self):
        heard = drive(google.renewed(GEMINI, {}, SETTING))
        assert heard.kind == "needs_login"
        assert not heard.steps

    OWN = {"token": {"client_id": "theirs", "client_secret": "its-own", "refresh_token": "r"}}

    @pytest.mark.parametrize(
        ("fields", "client", "used"),
        [
            (FIELDS, Client("", "s"), (GEMINI.client_id, "s")),
            (FIELDS, Client("mine", "s"), ("mine", "s")),
            (OWN, Client("", ""), ("theirs", "its-own")),
            (OWN, Client("", "s"), ("theirs", "its-own")),
            (OWN, Client("theirs", "s"), ("theirs", "s")),
            ({**FIELDS, "client_secret": "flat"}, Client(""), (GEMINI.client_id, "flat")),
            ({**FIELDS, "client_id": "theirs"}, Client("", "s"), None),
            (FIELDS, Client(""), None),
        ],
        ids=[
            "the usual client",
            "the owner's client",
            "the file's own client",
            "the file's own client although another's secret is configured",
            "the file's client with the owner's secret",
            "a secret at the top of the file",
            "the secret of another client is not sent",
            "no secret anywhere",
        ],
    )
    def test_the_client_is_the_one_that_got_the_token(self, fields, client, used):
        talk = google.renewed(GEMINI, fields, Setting(now=NOW, client=client))
        heard = drive(talk) if used is None else drive(talk, TOKENS)
        if used is None:
            assert heard.kind == "refused"
            assert not heard.steps
        else:
            form = heard.asked[0].form
            assert (form["client_id"], form["client_secret"]) == used


@pytest.mark.parametrize(
    ("given", "seconds"),
    [(3599, 3599), ("3600", 3600), (None, 3599), (0, 3599), (True, 3599), ("soon", 3599)],
)
def test_a_life_nobody_tells_is_an_hour(given, seconds):
    assert google.lasts({"expires_in": given}) == seconds


def jwt(**claims):
    import json

    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"h.{body}.s"


class TestWho:
    def test_the_id_token_says_it(self):
        told = {**TOKENS, "id_token": jwt(email="a@b.c")}
        assert drive(google.email_of(told, SETTING)).result == "a@b.c"

    def test_else_the_profile_does(self):
        heard = drive(google.email_of(TOKENS, SETTING), {"email": "a@b.c"})
        assert heard.result == "a@b.c"
        assert heard.asked[0].request.url == google.PROFILE
        assert heard.asked[0].headers["authorization"] == "Bearer at"

    @pytest.mark.parametrize("reply", [{}, {"email": ""}, Reply(403, {"error": {"code": 403}})])
    def test_nobody_is_not_logged_in(self, reply):
        assert drive(google.email_of(TOKENS, SETTING), reply).kind == "refused"


def refusal(status, message="No.", **detail):
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", **detail}] if detail else []
    return Reply(status, {"error": {"code": status, "message": message, "details": details}})


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (refusal(401), "needs_login", "It fails: No."),
        (refusal(403), "refused", "It fails: No."),
        (
            refusal(403, "Disabled in this account for violation of Terms of Service."),
            "revoked",
            "Terms of Service",
        ),
        (refusal(429), "limited", "It fails: No."),
        (refusal(499), "network", "It fails: No."),
        (refusal(503), "network", "It fails: No."),
        (Reply(502, b"<html>"), "network", "It fails."),
        (
            refusal(
                403,
                reason="VALIDATION_REQUIRED",
                metadata={"validation_link": "https://accounts.google.com/verify"},
            ),
            "refused",
            "https://accounts.google.com/verify",
        ),
        (refusal(403, reason="VALIDATION_REQUIRED"), "refused", "verified first."),
    ],
)
def test_a_refusal_of_an_api_is_told(reply, kind, words):
    heard = drive(google.asked("https://x/y", {}, "at", "It fails"), reply)
    assert heard.kind == kind
    assert words in heard.problem.message


def test_the_help_link_serves_where_no_other_is_given():
    links = {"@type": "type.googleapis.com/google.rpc.Help", "links": [{"url": "https://help"}]}
    reason = {"reason": "VALIDATION_REQUIRED"}
    reply = Reply(403, {"error": {"details": [reason, links]}})
    heard = drive(google.asked("https://x/y", {}, "at", "It fails"), reply)
    assert "https://help" in heard.problem.message


def test_the_wait_stands_in_the_details_too():
    answer = refusal(429, retryDelay="30s").answer()
    assert google.problem(answer, "x").retry_after == 30


def test_an_answer_that_is_no_json_has_no_error():
    assert google.error_in(Answer(500, {}, b"oh")) == {}


@pytest.mark.parametrize(
    ("told", "project"),
    [
        ({"cloudaicompanionProject": "p"}, "p"),
        ({"cloudaicompanionProject": {"id": "p", "name": "n"}}, "p"),
        ({"projectId": "p"}, "p"),
        ({"project": " p "}, "p"),
        ({"cloudaicompanionProject": {}}, ""),
        ({}, ""),
    ],
)
def test_a_project_is_named_in_several_ways(told, project):
    assert google.project_in(told) == project


@pytest.mark.parametrize(
    ("given", "share"),
    [(0.25, 0.25), (1, 1.0), ("0.5", 0.5), ("40%", 0.4), (7, 1.0), (-1, 0.0), ("x", None),
     (True, None), (None, None), ("nan", None)],
)  # fmt: skip
def test_a_share_is_read_however_it_is_written(given, share):
    assert google.fraction(given) == share


def test_what_is_left_out_beside_a_reset_is_zero():
    one = google.window("w", "W", {"resetTime": "2027-01-15T08:00:00Z"})
    assert (one.used_percent, one.reset_at) == (100.0, 1_800_000_000.0)
    assert google.window("w", "W", {}) is None


def test_the_plan_is_what_is_paid_for_and_credits_are_listed():
    loaded = {
        "currentTier": {"id": "standard-tier", "name": "Standard"},
        "paidTier": {
            "name": "Pro",
            "availableCredits": [{"creditType": "GOOGLE_ONE_AI", "creditAmount": "12"}],
        },
    }
    plan, credit = google.subscription(loaded)
    assert plan == "Pro"
    assert credit == {"GOOGLE_ONE_AI": {"creditType": "GOOGLE_ONE_AI", "creditAmount": "12"}}


def test_a_name_of_a_file_holds_nothing_that_leads_elsewhere():
    assert name_part("../a b@c.d") == ".._a_b@c.d"
    assert urlsplit(google.TOKEN).scheme == "https"


def test_the_secret_is_no_part_of_this_program():
    with pytest.raises(Problem):
        google.client_of(GEMINI, Setting(now=NOW))

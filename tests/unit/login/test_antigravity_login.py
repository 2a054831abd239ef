"""Antigravity: files, the project, refresh, quota, models."""

from __future__ import annotations

import pytest
from tests.unit.login.drive import Reply, drive

from cliproxy.account.credential import Credential
from cliproxy.login import get
from cliproxy.login.flow import Client, ModelFound, Setting, Unreachable

NOW = 1_800_000_000.0
LATER = "2027-01-15T08:59:59Z"
LOGIN = get("antigravity")
DAILY = "https://daily-cloudcode-pa.googleapis.com/v1internal"
SANDBOX = "https://daily-cloudcode-pa.sandbox.googleapis.com/v1internal"
PROD = "https://cloudcode-pa.googleapis.com/v1internal"
TOKENS = {"access_token": "at", "refresh_token": "rt", "expires_in": 3599}
WHO = {"email": "me@example.com"}
SETTING = Setting(now=NOW, client=Client("", "dummy-secret"))
LOADED = {"cloudaicompanionProject": "proj-1", "currentTier": {"id": "free-tier", "name": "Free"}}
DONE = {"done": True, "response": {"cloudaicompanionProject": {"id": "proj-2"}}}
GONE = Unreachable("gone", sent=False)


def login(*replies):
    return drive(LOGIN.login(SETTING, "browser"), TOKENS, WHO, *replies)


class TestLogin:
    def test_the_file_holds_what_the_reference_reads(self):
        heard = login(LOADED)
        assert heard.result.name == "antigravity-me@example.com.json"
        assert heard.result.fields == {
            "type": "antigravity",
            "access_token": "at",
            "refresh_token": "rt",
            "expires_in": 3599,
            "timestamp": 1_800_000_000_000,
            "expired": LATER,
            "email": "me@example.com",
            "project_id": "proj-1",
        }
        kept = Credential(heard.result.name, heard.result.fields)
        assert (kept.provider, kept.token, kept.expires) == ("antigravity", "at", NOW + 3599)
        assert LOGIN.renewable(heard.result.fields)

    def test_the_product_is_named_and_nothing_else_is_claimed(self):
        heard = login(LOADED)
        assert heard.lines[2] == f"POST {PROD}:loadCodeAssist"
        assert heard.asked[2].json == {"metadata": {"ideType": "ANTIGRAVITY"}}
        for asked in heard.asked:
            assert asked.headers["user-agent"].startswith("cliproxy/")

    @pytest.mark.parametrize("reply", [Reply(503), Reply(429), GONE])
    def test_a_project_can_be_found_later(self, reply):
        heard = login(reply)
        assert heard.result.fields["project_id"] == ""

    def test_a_refusal_ends_the_login(self):
        heard = login({"ineligibleTiers": [{"reasonMessage": "Not here."}]})
        assert heard.kind == "refused"
        assert "Not here." in heard.problem.message


class TestProject:
    FIELDS = {"access_token": "at"}

    def complete(self, *replies, **more):
        return drive(LOGIN.complete({**self.FIELDS, **more}, SETTING), *replies)

    def test_what_is_there_is_not_looked_for(self):
        assert LOGIN.complete({"project_id": "p"}, SETTING) is None

    def test_what_is_provided_is_taken(self):
        assert self.complete(LOADED).result == {"project_id": "proj-1"}

    @pytest.mark.parametrize(
        ("loaded", "tier"),
        [
            ({"allowedTiers": [{"id": "a"}, {"id": "b", "isDefault": True}]}, "b"),
            ({"currentTier": {"id": "standard-tier"}}, "standard-tier"),
            ({}, "free-tier"),
        ],
    )
    def test_else_the_account_signs_up(self, loaded, tier):
        heard = self.complete(loaded, {"done": False}, {}, DONE)
        assert heard.result == {"project_id": "proj-2"}
        assert heard.lines[1:] == [f"POST {DAILY}:onboardUser"] * 3
        assert heard.waited == [2, 2]
        assert heard.asked[1].json == {"tier_id": tier, "metadata": {"ide_type": "ANTIGRAVITY"}}

    def test_signing_up_is_tried_five_times(self):
        heard = self.complete({}, *[{"done": False}] * 5)
        assert heard.kind == "network"
        assert len(heard.asked) == 6

    @pytest.mark.parametrize(
        ("replies", "kind"),
        [
            ([{}, {"done": True, "response": {}}], "refused"),
            ([{}, {"done": True, "error": {"message": "No."}}], "refused"),
            ([Reply(401)], "needs_login"),
            ([{}, Reply(429)], "limited"),
            ([GONE], "network"),
        ],
    )
    def test_what_fails_is_told(self, replies, kind):
        assert self.complete(*replies).kind == kind

    def test_a_host_in_the_file_stands_for_all(self):
        heard = self.complete({}, DONE, base_url="http://127.0.0.1:1/")
        assert all(a.request.url.startswith("http://127.0.0.1:1/v1internal:") for a in heard.asked)

    def test_so_does_one_in_the_configuration(self):
        own = Setting(now=NOW, endpoints={"api": "http://127.0.0.1:1"})
        heard = drive(LOGIN.complete(self.FIELDS, own), {}, DONE)
        assert all(a.request.url.startswith("http://127.0.0.1:1/v1internal:") for a in heard.asked)


def test_a_refresh_changes_the_token_and_its_times():
    told = {"access_token": "new", "expires_in": 3599}
    heard = drive(LOGIN.refresh({"refresh_token": "rt", "email": "x"}, SETTING), told)
    assert heard.result == {
        "access_token": "new",
        "expires_in": 3599,
        "timestamp": 1_800_000_000_000,
        "expired": LATER,
    }
    told["refresh_token"] = "second"
    heard = drive(LOGIN.refresh({"refresh_token": "rt"}, SETTING), told)
    assert heard.result["refresh_token"] == "second"


SUMMARY = {
    "groups": [
        {
            "displayName": "Gemini",
            "buckets": [
                {"bucketId": "g5", "displayName": "5 hours", "window": "5h",
                 "remainingFraction": 0.25, "resetTime": "2027-01-15T08:00:00Z"},
                {"bucketId": "gw", "window": "weekly", "remainingFraction": "90%"},
            ],
        },
        {
            "display_name": "Others",
            "buckets": [{"bucket_id": "o5", "window": "5h", "remaining_fraction": 1,
                         "reset_time": "2027-01-15T08:00:00Z"}],
        },
        "nonsense",
    ]
}  # fmt: skip
MODELS = {
    "models": {
        "claude-sonnet-4-6": {
            "displayName": "Claude Sonnet",
            "quotaInfo": {"remainingFraction": 0.5, "resetTime": "2027-01-15T08:00:00Z"},
            "maxTokens": 200000,
            "maxOutputTokens": 64000,
            "modelProvider": "MODEL_PROVIDER_ANTHROPIC",
        },
        "gemini-3-flash": {"quotaInfo": {"resetTime": "2027-01-15T08:00:00Z"}},
        "chat_internal": {},
        "broken": 7,
    },
    "webSearchModelIds": ["gemini-3-flash"],
}


class TestQuota:
    FIELDS = {"access_token": "at", "project_id": "p1"}

    def quota(self, *replies, **more):
        return drive(LOGIN.quota({**self.FIELDS, **more}, SETTING), *replies)

    def test_groups_have_their_windows(self):
        heard = self.quota(SUMMARY, LOADED)
        assert heard.lines == [
            f"POST {DAILY}:retrieveUserQuotaSummary",
            f"POST {PROD}:loadCodeAssist",
        ]
        assert heard.asked[0].json == {"project": "p1"}
        rows = [(w.id, w.label, w.used_percent, w.period_seconds) for w in heard.result.windows]
        assert rows == [
            ("g5", "Gemini: 5 hours", 75.0, 18000.0),
            ("gw", "Gemini: weekly", 10.0, 604800.0),
            ("o5", "Others: 5h", 0.0, 18000.0),
        ]
        assert heard.result.windows[0].reset_at == NOW
        assert heard.result.plan == "Free"

    def test_one_host_after_another_is_asked(self):
        heard = self.quota(Reply(503), GONE, SUMMARY, LOADED)
        assert [line.split("/v1internal")[0] for line in heard.lines[:3]] == [
            "POST " + host.removesuffix("/v1internal") for host in (DAILY, SANDBOX, PROD)
        ]
        assert heard.result.windows

    def test_an_older_list_says_it_too(self):
        heard = self.quota(Reply(404), Reply(404), Reply(404), MODELS, LOADED)
        assert heard.lines[3] == f"POST {DAILY}:fetchAvailableModels"
        rows = [(w.id, w.label, w.used_percent, w.models) for w in heard.result.windows]
        assert rows == [
            ("claude-sonnet-4-6", "Claude Sonnet", 50.0, ("claude-sonnet-4-6",)),
            ("gemini-3-flash", "gemini-3-flash", 100.0, ("gemini-3-flash",)),
        ]

    def test_an_empty_summary_is_none(self):
        assert self.quota({"groups": []}, MODELS, LOADED).result.windows

    def test_a_token_that_is_refused_is_not_tried_elsewhere(self):
        heard = self.quota(Reply(401))
        assert heard.kind == "needs_login"

    def test_the_first_refusal_is_told(self):
        first = Reply(403, {"error": {"message": "First."}})
        heard = self.quota(Reply(500), Reply(500), Reply(500), first, Reply(500))
        assert "First." in heard.problem.message

    def test_an_owners_host_is_the_only_one(self):
        heard = self.quota(Reply(500), Reply(500), base_url="http://127.0.0.1:1")
        assert heard.kind == "network"
        assert len(heard.asked) == 2


class TestModels:
    def test_they_are_those_of_the_account(self):
        heard = drive(LOGIN.models({"access_token": "at", "project_id": "p1"}, SETTING), MODELS)
        assert heard.result == [
            ModelFound("claude-sonnet-4-6", "Claude Sonnet", 200000, 64000, "anthropic"),
            ModelFound("gemini-3-flash"),
            ModelFound("chat_internal"),
        ]

    def test_without_a_project_none_is_named(self):
        heard = drive(LOGIN.models({"access_token": "at"}, SETTING), MODELS)
        assert heard.asked[0].json == {}

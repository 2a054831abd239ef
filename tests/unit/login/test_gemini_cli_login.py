"""Gemini CLI: files, project discovery, refresh, quota."""

from __future__ import annotations

import pytest
from tests.unit.login.drive import Reply, drive, query

from cliproxy.account.credential import Credential
from cliproxy.login import get
from cliproxy.login.flow import Client, Setting, Unreachable

NOW = 1_800_000_000.0
LATER = "2027-01-15T08:59:59Z"
LOGIN = get("gemini-cli")
API = "https://cloudcode-pa.googleapis.com/v1internal"
PROJECTS = "https://cloudresourcemanager.googleapis.com/v1/projects"
SERVICES = "https://serviceusage.googleapis.com/v1/projects"
CLOUD = "https://www.googleapis.com/auth/cloud-platform"
TOKENS = {
    "access_token": "at",
    "refresh_token": "rt",
    "expires_in": 3599,
    "token_type": "Bearer",
    "scope": f"{CLOUD} https://www.googleapis.com/auth/userinfo.email",
}
WHO = {"email": "me@example.com"}
ENABLED = {"state": "ENABLED"}
FREE = {"allowedTiers": [{"id": "legacy-tier"}, {"id": "free-tier", "isDefault": True}]}
PAID = {
    "allowedTiers": [
        {"id": "standard-tier", "isDefault": True, "userDefinedCloudaicompanionProject": True}
    ]
}
METADATA = {
    "ideType": "IDE_UNSPECIFIED",
    "platform": "PLATFORM_UNSPECIFIED",
    "pluginType": "GEMINI",
}


def setting(**options):
    return Setting(now=NOW, client=Client("", "dummy-secret"), options=options)


def refusal(status, message, **detail):
    return Reply(status, {"error": {"code": status, "message": message, "details": [detail]}})


def current(tier, project=None):
    told = {"currentTier": {"id": tier}}
    return {**told, "cloudaicompanionProject": project} if project else told


def done(project):
    return {"done": True, "response": {"cloudaicompanionProject": {"id": project}}}


def login(*replies, **options):
    return drive(LOGIN.login(setting(**options), "browser"), TOKENS, WHO, *replies)


def test_the_login_is_known_by_all_its_names():
    assert LOGIN.provider == "gemini-cli"
    assert LOGIN.ways == ("browser",)
    assert LOGIN.lead == 0


class TestLogin:
    def test_the_file_holds_what_the_reference_reads(self):
        heard = login(current("free-tier", "provided-1"))
        assert heard.result.name == "gemini-me@example.com-provided-1.json"
        assert heard.result.fields == {
            "type": "gemini",
            "email": "me@example.com",
            "project_id": "provided-1",
            "auto": True,
            "checked": True,
            "token": {
                "access_token": "at",
                "token_type": "Bearer",
                "refresh_token": "rt",
                "expiry": LATER,
                "token_uri": "https://oauth2.googleapis.com/token",
                "client_id": LOGIN_CLIENT,
                "scopes": TOKENS["scope"].split(),
                "universe_domain": "googleapis.com",
            },
        }
        kept = Credential(heard.result.name, heard.result.fields)
        assert (kept.provider, kept.token, kept.refresh_token) == ("gemini-cli", "at", "rt")
        assert kept.expires == NOW + 3599
        assert LOGIN.renewable(heard.result.fields)

    def test_no_secret_is_written(self):
        heard = login(current("free-tier", "provided-1"))
        assert "dummy-secret" not in str(heard.result.fields)

    def test_everything_is_asked_with_the_new_token_under_our_own_name(self):
        heard = login(current("free-tier", "provided-1"))
        for asked in heard.asked[1:]:
            assert asked.headers["authorization"] == "Bearer at"
            assert asked.headers["user-agent"].startswith("cliproxy/")

    def test_a_code_can_be_pasted_from_the_vendors_page(self):
        heard = login(current("free-tier", "provided-1"), paste="1")
        (visit,) = heard.visits
        page = "https://codeassist.google.com/authcode"
        assert query(visit.url)["redirect_uri"] == heard.asked[0].form["redirect_uri"] == page
        assert (visit.port, visit.path) == (0, "")

    @pytest.mark.parametrize(
        ("wanted", "names", "project"),
        [("p1", "p1", "p1"), ("p1, p2", "all", "p1,p2"), ("p1,p1", "p1", "p1")],
    )
    def test_projects_can_be_named(self, wanted, names, project):
        replies = []
        for one in project.split(","):
            replies += [current("standard-tier", one), ENABLED]
        heard = login(*replies, project_id=wanted)
        assert heard.result.name == f"gemini-me@example.com-{names}.json"
        assert heard.result.fields["project_id"] == project
        assert heard.result.fields["auto"] is False

    def test_all_projects_are_those_that_can_be_made_ready(self):
        listed = {
            "projects": [
                {"projectId": "p1", "lifecycleState": "ACTIVE"},
                {"projectId": "p2", "lifecycleState": "DELETE_REQUESTED"},
                {"projectId": "p3"},
                {"projectId": "p4"},
                "nonsense",
            ]
        }
        heard = login(
            listed,
            current("standard-tier", "p1"),
            ENABLED,
            refusal(403, "Not allowed."),
            current("standard-tier", "p4"),
            ENABLED,
            project_id="all",
        )
        assert heard.result.fields["project_id"] == "p1,p4"
        assert heard.result.name == "gemini-me@example.com-all.json"

    def test_all_of_nothing_is_refused(self):
        assert login({"projects": []}, project_id="ALL").kind == "refused"
        both = [{"projects": [{"projectId": "p1"}]}, refusal(403, "Not allowed.")]
        heard = login(*both, project_id="ALL")
        assert heard.kind == "refused"
        assert "Not allowed." in heard.problem.message

    def test_a_broken_network_is_no_refusal_of_a_project(self):
        listed = {"projects": [{"projectId": "p1"}, {"projectId": "p2"}]}
        assert login(listed, Reply(503), project_id="ALL").kind == "network"

    def test_the_project_google_provides_can_be_asked_for(self):
        heard = login(current("free-tier", "provided-1"), project_id="GOOGLE_ONE")
        assert heard.result.fields["project_id"] == "provided-1"
        assert heard.result.fields["auto"] is False
        heard = login(current("standard-tier"), project_id="GOOGLE_ONE")
        assert heard.kind == "refused"

    def test_a_number_is_no_project(self):
        heard = login(project_id="123456789")
        assert heard.kind == "refused"
        assert "number" in heard.problem.message


LOGIN_CLIENT = "681255809395-oo8ft2oprdrnp9e3aqf6av3hmdib135j.apps.googleusercontent.com"


class TestDiscovery:
    def complete(self, *replies, wanted=""):
        fields = {"type": "gemini", "token": {"access_token": "at"}}
        return drive(LOGIN.complete(fields, setting(project_id=wanted)), *replies)

    def test_a_named_project_is_not_looked_for(self):
        assert LOGIN.complete({"project_id": "p"}, setting()) is None
        assert LOGIN.complete({"project_id": "p1,p2"}, setting()) is None

    def test_who_has_a_tier_has_a_project(self):
        heard = self.complete(current("free-tier", "provided-1"))
        assert heard.result == {"project_id": "provided-1", "auto": True, "checked": True}
        assert heard.lines == [f"POST {API}:loadCodeAssist"]
        assert heard.asked[0].json == {"metadata": METADATA}

    def test_a_named_project_is_told(self):
        heard = self.complete(current("standard-tier", "p1"), ENABLED, wanted="p1")
        assert heard.asked[0].json == {
            "cloudaicompanionProject": "p1",
            "metadata": {**METADATA, "duetProject": "p1"},
        }
        assert heard.lines[1] == f"GET {SERVICES}/p1/services/cloudaicompanion.googleapis.com"

    def test_the_free_tier_is_given_its_own_project_and_told_of_no_other(self):
        heard = self.complete(FREE, done("provided-1"), wanted="p1")
        assert heard.result["project_id"] == "provided-1"
        assert heard.lines[1] == f"POST {API}:onboardUser"
        assert heard.asked[1].json == {"tierId": "free-tier", "metadata": METADATA}

    def test_other_tiers_sign_up_with_the_owners_project(self):
        heard = self.complete(PAID, done("p1"), ENABLED, wanted="p1")
        assert heard.result["project_id"] == "p1"
        assert heard.asked[1].json == {
            "tierId": "standard-tier",
            "cloudaicompanionProject": "p1",
            "metadata": {**METADATA, "duetProject": "p1"},
        }

    def test_the_first_project_is_taken_when_one_is_needed_and_none_is_named(self):
        listed = {"projects": [{"projectId": "p1"}, {"projectId": "p2"}]}
        heard = self.complete(PAID, listed, PAID, done("p1"), ENABLED)
        assert heard.result == {"project_id": "p1", "auto": True, "checked": True}
        assert heard.lines[1] == f"GET {PROJECTS}"

    def test_without_any_project_the_owner_is_asked_for_one(self):
        heard = self.complete(PAID, {"projects": []})
        assert heard.kind == "refused"
        assert "project_id" in heard.problem.message

    def test_without_a_default_tier_it_is_the_old_one(self):
        heard = self.complete({}, done("p1"), ENABLED, wanted="p1")
        assert heard.asked[1].json["tierId"] == "legacy-tier"

    @pytest.mark.parametrize(
        ("wanted", "given", "tier", "used"),
        [
            ("mine", "provided", "standard-tier", "mine"),
            ("mine", "provided", "free-tier", "provided"),
            ("mine", "provided", "legacy-tier", "provided"),
            ("gen-lang-client-1", "provided", "standard-tier", "provided"),
            ("mine", None, "standard-tier", "mine"),
            ("mine", {"id": "provided"}, "free-tier", "provided"),
        ],
    )
    def test_between_two_projects_the_one_with_all_models_is_taken(self, wanted, given, tier, used):
        enabled = [ENABLED] if used == wanted else []
        heard = self.complete(current(tier, given), *enabled, wanted=wanted)
        assert heard.result["project_id"] == used

    def test_signing_up_is_waited_for(self):
        running = {"name": "operations/7", "done": False}
        heard = self.complete(FREE, running, running, done("provided-1"))
        assert heard.result["project_id"] == "provided-1"
        assert heard.waited == [5, 5]
        assert heard.lines[2:] == [f"GET {API}/operations/7"] * 2

    def test_work_without_a_name_is_asked_for_again(self):
        heard = self.complete(FREE, {"done": False}, done("provided-1"))
        assert heard.lines[1:] == [f"POST {API}:onboardUser"] * 2

    def test_signing_up_is_not_waited_for_forever(self):
        running = {"name": "operations/7"}
        talk = LOGIN.complete({"token": {"access_token": "at"}}, setting())
        heard = drive(talk, FREE, forever=running)
        assert heard.kind == "network"
        assert sum(heard.waited) == 120

    def test_signing_up_can_fail(self):
        heard = self.complete(FREE, {"done": True, "error": {"message": "Too many."}})
        assert heard.kind == "refused"
        assert "Too many." in heard.problem.message

    def test_where_nothing_is_provided_the_owners_projects_are_looked_at(self):
        nothing = {"done": True, "response": {}}
        assert self.complete(FREE, nothing, {"projects": []}).kind == "refused"
        heard = self.complete(FREE, nothing, ENABLED, wanted="p1")
        assert heard.result["project_id"] == "p1"

    @pytest.mark.parametrize(
        ("tiers", "words"),
        [
            ([{"reasonCode": "RESTRICTED_AGE", "reasonMessage": "Too young."}], "Too young."),
            ([{"reasonCode": "UNSUPPORTED_LOCATION"}], "UNSUPPORTED_LOCATION"),
            (
                [{"reasonCode": "VALIDATION_REQUIRED", "validationUrl": "https://v/1"}],
                "Open https://v/1 and try again.",
            ),
        ],
    )
    def test_who_may_not_is_told_why(self, tiers, words):
        heard = self.complete({"ineligibleTiers": tiers})
        assert heard.kind == "refused"
        assert words in heard.problem.message
        assert len(heard.asked) == 1

    def test_an_account_to_be_verified_is_told_where(self):
        detail = {"reason": "VALIDATION_REQUIRED", "metadata": {"validation_link": "https://v/2"}}
        heard = self.complete(refusal(403, "Verify.", **detail))
        assert heard.kind == "refused"
        assert "https://v/2" in heard.problem.message

    def test_inside_a_service_perimeter_the_tier_is_the_standard_one(self):
        inside = refusal(403, "Perimeter.", reason="SECURITY_POLICY_VIOLATED")
        heard = self.complete(inside, ENABLED, wanted="p1")
        assert heard.result["project_id"] == "p1"

    @pytest.mark.parametrize(
        ("replies", "kind"),
        [
            ([Reply(404), {"name": "operations/1"}], ""),
            ([{"state": "DISABLED"}, {"name": "operations/1"}], ""),
            ([{"state": "DISABLED"}, refusal(400, "Service is already enabled.")], ""),
            ([{"state": "DISABLED"}, refusal(403, "Permission denied.")], "refused"),
            ([{"state": "DISABLED"}, Reply(503)], "network"),
        ],
    )
    def test_the_service_is_switched_on_in_the_owners_project(self, replies, kind):
        heard = self.complete(current("standard-tier", "p1"), *replies, wanted="p1")
        assert heard.kind == kind
        assert heard.lines[-1].endswith("/services/cloudaicompanion.googleapis.com:enable")
        if kind == "refused":
            assert "activated in the project p1: Permission denied." in heard.problem.message

    @pytest.mark.parametrize(
        ("reply", "kind"),
        [
            (Reply(401, {}), "needs_login"),
            (Reply(429, {}), "limited"),
            (Reply(500, {}), "network"),
            (Unreachable("no", sent=False), "network"),
        ],
    )
    def test_what_fails_is_told(self, reply, kind):
        assert self.complete(reply).kind == kind

    def test_the_hosts_can_be_the_owners(self):
        own = Setting(
            now=NOW,
            endpoints={
                "api": "http://127.0.0.1:1",
                "projects": "http://127.0.0.1:1/v1/projects",
                "services": "http://127.0.0.1:1/v1",
            },
        )
        listed = {"projects": [{"projectId": "p1"}]}
        talk = LOGIN.complete({"token": {"access_token": "at"}}, own)
        heard = drive(talk, PAID, listed, PAID, done("p1"), ENABLED)
        assert all(asked.request.url.startswith("http://127.0.0.1:1/") for asked in heard.asked)


class TestRefresh:
    NEW = {"access_token": "new", "expires_in": 3599, "token_type": "Bearer"}

    def refresh(self, fields):
        return drive(LOGIN.refresh(fields, setting()), self.NEW).result

    def test_the_token_object_keeps_what_else_it_holds(self):
        token = {"access_token": "old", "refresh_token": "rt", "scopes": ["a"], "client_id": ""}
        changed = self.refresh({"token": token})
        assert changed == {
            "token": {**token, "access_token": "new", "token_type": "Bearer", "expiry": LATER}
        }

    def test_copies_at_the_top_are_renewed_where_there_are_any(self):
        token = {"access_token": "old", "refresh_token": "rt"}
        fields = {"token": token, "access_token": "old", "expiry": "2020-01-01T00:00:00Z"}
        changed = self.refresh(fields)
        assert changed["access_token"] == "new"
        assert changed["expiry"] == LATER
        kept = Credential("x", {**fields, **changed})
        assert (kept.token, kept.expires) == ("new", NOW + 3599)

    def test_a_flat_file_stays_flat(self):
        changed = self.refresh({"access_token": "old", "refresh_token": "rt"})
        assert changed == {"access_token": "new", "token_type": "Bearer", "expiry": LATER}

    @pytest.mark.parametrize("told", [{}, {"refresh_token": ""}, {"refresh_token": "second"}])
    def test_a_new_refresh_token_replaces_the_old_one(self, told):
        fields = {"token": {"refresh_token": "first", "access_token": "old"}}
        changed = drive(LOGIN.refresh(fields, setting()), {**self.NEW, **told}).result
        assert changed["token"]["refresh_token"] == (told.get("refresh_token") or "first")

    def test_a_secret_in_the_file_stays_and_none_is_added(self):
        token = {"refresh_token": "rt", "client_id": "c", "client_secret": "dummy"}
        talk = LOGIN.refresh({"token": token}, Setting(now=NOW))
        assert drive(talk, self.NEW).result["token"]["client_secret"] == "dummy"
        assert "client_secret" not in self.refresh({"token": {"refresh_token": "rt"}})["token"]


BUCKETS = {
    "buckets": [
        {"modelId": "gemini-2.5-pro", "remainingFraction": 0.75, "resetTime": "2027-01-15T08:00:00Z",
         "tokenType": "REQUESTS", "remainingAmount": "750"},
        {"modelId": "gemini-3-pro-preview_vertex", "remainingFraction": 0.75},
        {"modelId": "gemini-2.5-flash", "remainingFraction": 1},
        {"modelId": "gemini-3-flash-preview", "remainingFraction": 1},
        {"modelId": "gemini-2.5-flash-lite", "resetTime": "2027-01-15T08:00:00Z"},
        {"modelId": "gemini-2.0-flash", "remainingFraction": 0.1},
        {"modelId": "something-else", "remainingFraction": 0.5},
        {"remainingFraction": 0.5},
        7,
    ]
}  # fmt: skip


class TestQuota:
    FIELDS = {"project_id": "p1", "token": {"access_token": "at"}}

    def test_models_that_share_a_limit_are_shown_together(self):
        loaded = {"currentTier": {"id": "free-tier", "name": "Free"}}
        heard = drive(LOGIN.quota(self.FIELDS, setting()), BUCKETS, loaded)
        assert heard.lines[0] == f"POST {API}:retrieveUserQuota"
        assert heard.asked[0].json == {"project": "p1"}
        found = {w.id: (w.used_percent, w.models) for w in heard.result.windows}
        assert found == {
            "pro": (25.0, ("gemini-2.5-pro", "gemini-3-pro-preview")),
            "flash": (0.0, ("gemini-2.5-flash", "gemini-3-flash-preview")),
            "flash-lite": (100.0, ("gemini-2.5-flash-lite",)),
            "something-else": (50.0, ("something-else",)),
        }
        pro = heard.result.windows[0]
        assert (pro.remaining, pro.reset_at) == (750.0, 1_800_000_000.0)
        assert heard.result.plan == "Free"

    def test_each_project_has_its_own(self):
        fields = {**self.FIELDS, "project_id": "p1,p2"}
        one = {"buckets": [{"modelId": "gemini-2.5-pro", "remainingFraction": 0.5}]}
        heard = drive(LOGIN.quota(fields, setting()), one, one, {})
        assert [w.id for w in heard.result.windows] == ["p1:pro", "p2:pro"]

    def test_what_is_left_is_told_although_the_plan_is_not(self):
        lost = Unreachable("gone", sent=True)
        for failure in (Reply(500), lost):
            heard = drive(LOGIN.quota(self.FIELDS, setting()), BUCKETS, failure)
        assert heard.result.plan == ""
        assert heard.result.windows

    @pytest.mark.parametrize(("status", "kind"), [(401, "needs_login"), (429, "limited")])
    def test_a_refusal_is_told(self, status, kind):
        assert drive(LOGIN.quota(self.FIELDS, setting()), Reply(status)).kind == kind


def test_there_is_no_list_of_models():
    assert LOGIN.models({}, setting()) is None

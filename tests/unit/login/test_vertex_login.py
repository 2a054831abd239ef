"""Vertex AI: key files as people have them, and tokens made with their keys."""

from __future__ import annotations

import json
import textwrap

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from tests.unit.login.drive import Reply, drive

from cliproxy.account.credential import Credential
from cliproxy.login import get
from cliproxy.login.flow import Problem, Setting, Unreachable
from cliproxy.login.vertex import imported

NOW = 1_800_000_000.0
LOGIN = get("vertex")
KEY = rsa.generate_private_key(65537, 2048)
PLAIN = serialization.NoEncryption()


def pem(key=KEY, form=serialization.PrivateFormat.PKCS8):
    return key.private_bytes(serialization.Encoding.PEM, form, PLAIN).decode()


def file(**changes):
    fields = {
        "type": "service_account",
        "project_id": "proj-1",
        "private_key_id": "kid-1",
        "private_key": pem(),
        "client_email": "robot@proj-1.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
        "universe_domain": "googleapis.com",
        **changes,
    }
    return json.dumps({k: v for k, v in fields.items() if v is not None}).encode()


class TestImport:
    def test_the_file_holds_what_the_reference_reads(self):
        new = imported(file())
        assert new.name == "vertex-proj-1.json"
        assert new.fields == {
            "type": "vertex",
            "service_account": json.loads(file()),
            "project_id": "proj-1",
            "email": "robot@proj-1.iam.gserviceaccount.com",
            "location": "us-central1",
            "label": "proj-1 (robot@proj-1.iam.gserviceaccount.com)",
        }
        assert Credential(new.name, new.fields).provider == "vertex"
        assert LOGIN.renewable(new.fields)
        assert not LOGIN.renewable({"service_account": {}})

    @pytest.mark.parametrize(
        ("prefix", "name", "kept"),
        [
            ("team", "vertex-team-proj-1.json", "team"),
            ("/my team/", "vertex-my-team-proj-1.json", "my team"),
            ("a/b:c\\d", "vertex-a_b_c_d-proj-1.json", "a/b:c\\d"),
        ],
    )
    def test_a_prefix_is_part_of_the_name(self, prefix, name, kept):
        new = imported(file(), prefix=prefix, location="global")
        assert (new.name, new.fields["prefix"]) == (name, kept)
        assert new.fields["location"] == "global"

    @pytest.mark.parametrize(
        "damaged",
        [
            pem().replace("\n", "\r\n"),
            pem().replace("\n", "\\n"),
            pem(form=serialization.PrivateFormat.TraditionalOpenSSL),
            pem().replace("\n", " "),
            "\x1b[32m" + pem() + "\x1b[0m",
            textwrap.indent(pem(), "    "),
            pem().replace("\n", "\n\u00a0", 3),
            pem().replace("=", ""),
        ],
        ids=["crlf", "escaped", "pkcs1", "spaces", "colours", "indented", "no-break", "unpadded"],
    )
    def test_a_damaged_key_is_mended(self, damaged):
        new = imported(file(private_key=damaged))
        assert new.fields["service_account"]["private_key"] == pem()

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            (b"{", "not JSON"),
            (b"[]", "not the key file"),
            (file(type="authorized_user"), "not the key file"),
            (file(project_id=None), "project_id"),
            (file(private_key=None), "no RSA private key"),
            (file(private_key="nonsense"), "no RSA private key"),
            (file(private_key=pem()[:400] + pem()[600:]), "cannot be read"),
            (file(private_key=pem(ec.generate_private_key(ec.SECP256R1()))), "not an RSA key"),
        ],
    )
    def test_what_is_no_key_file_is_refused(self, given, words):
        with pytest.raises(Problem) as caught:
            imported(given)
        assert caught.value.kind == "refused"
        assert words in caught.value.message
        assert "BEGIN" not in caught.value.message

    def test_an_address_may_be_missing(self):
        new = imported(file(client_email=None))
        assert (new.fields["email"], new.fields["label"]) == ("", "proj-1")


class TestRefresh:
    FIELDS = imported(file()).fields
    SETTING = Setting(now=NOW)
    TOLD = {"access_token": "at", "expires_in": 3599, "token_type": "Bearer"}

    def test_the_key_proves_who_we_are(self):
        heard = drive(LOGIN.refresh(self.FIELDS, self.SETTING), self.TOLD)
        assert heard.lines == ["POST https://oauth2.googleapis.com/token"]
        form = heard.asked[0].form
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        claims = jwt.decode(
            form["assertion"],
            KEY.public_key(),
            algorithms=["RS256"],
            audience="https://oauth2.googleapis.com/token",
            options={"verify_iat": False, "verify_exp": False},
        )
        assert claims == {
            "iss": "robot@proj-1.iam.gserviceaccount.com",
            "aud": "https://oauth2.googleapis.com/token",
            "scope": "https://www.googleapis.com/auth/cloud-platform",
            "iat": int(NOW),
            "exp": int(NOW) + 3600,
        }
        assert jwt.get_unverified_header(form["assertion"])["kid"] == "kid-1"
        assert heard.result == {
            "access_token": "at",
            "token_type": "Bearer",
            "expired": "2027-01-15T08:59:59Z",
        }

    def test_the_files_token_address_is_asked_and_named(self):
        account = {**self.FIELDS["service_account"], "token_uri": "https://example.com/t"}
        talk = LOGIN.refresh({"service_account": account}, self.SETTING)
        heard = drive(talk, self.TOLD)
        assert heard.asked[0].request.url == "https://example.com/t"
        told = jwt.decode(heard.asked[0].form["assertion"], options={"verify_signature": False})
        assert told["aud"] == "https://example.com/t"

    @pytest.mark.parametrize(
        ("reply", "kind"),
        [
            (Reply(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}),
             "needs_login"),
            (Reply(400, {"error": "invalid_grant", "error_description": "account not found; deleted"}),
             "revoked"),
            (Reply(401, {"error": "unauthorized_client"}), "refused"),
            (Reply(429, {}), "limited"),
            (Reply(503, b"oh"), "network"),
            (Unreachable("gone", sent=True), "network"),
        ],
    )  # fmt: skip
    def test_a_refusal_says_what_can_be_done(self, reply, kind):
        assert drive(LOGIN.refresh(self.FIELDS, self.SETTING), reply).kind == kind

    @pytest.mark.parametrize("missing", ["private_key", "client_email"])
    def test_half_a_key_file_is_none(self, missing):
        account = {k: v for k, v in self.FIELDS["service_account"].items() if k != missing}
        heard = drive(LOGIN.refresh({"service_account": account}, self.SETTING))
        assert heard.kind == "needs_login"
        assert not heard.steps


def test_nobody_logs_in_with_a_browser():
    assert LOGIN.ways == ()
    assert drive(LOGIN.login(Setting(now=NOW), "browser")).kind == "refused"


def test_nothing_more_is_known_of_it():
    fields = {"type": "vertex"}
    setting = Setting(now=NOW)
    assert LOGIN.complete(fields, setting) is None
    assert LOGIN.quota(fields, setting) is None
    assert LOGIN.models(fields, setting) is None

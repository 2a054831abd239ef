"""What holds for any input: nothing that people paste or files hold makes a reader fail."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cliproxy.account.credential import Credential, claims, expiry_of, moment, written
from cliproxy.base import redact
from cliproxy.keeper.clis import CLIS, read_login
from cliproxy.keeper.pasted import read_callback
from cliproxy.keeper.store import merged

NUMBERS = st.integers() | st.integers(-(10**400), 10**400) | st.floats(allow_nan=False)
TEXTS = st.text() | st.sampled_from(["²", "1" * 400, "9999-12-31T23:59:59-23:59", "1e999", "a.b.c"])
LEAVES = st.none() | st.booleans() | NUMBERS | TEXTS
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
KEYS = st.sampled_from(
    [
        "type", "token", "Token", "access_token", "refresh_token", "refreshToken", "id_token",
        "expired", "expire", "expires_at", "expiresAt", "expiry", "timestamp", "expires_in",
        "last_refresh", "email", "label", "disabled", "claudeAiOauth", "tokens", "accessToken",
        "https://auth.x.ai/x", "key", "apiKey", "expiry_date", "oauthAccount", "exp",
    ]
)  # fmt: skip
FIELDS = st.dictionaries(KEYS, JSON | st.dictionaries(KEYS, JSON, max_size=5), max_size=8)
OBJECTS = st.dictionaries(
    st.sampled_from("abcd"),
    st.integers(0, 2) | st.dictionaries(st.sampled_from("xyz"), st.integers(0, 2), max_size=3),
    max_size=4,
)


@given(JSON)
def test_a_moment_is_read_from_anything_and_written_again(value):
    at = moment(value)
    assert at is None or (math.isfinite(at) and written(at))


@given(FIELDS)
def test_a_credential_is_made_of_any_fields(fields):
    credential = Credential("x.json", fields)
    assert all(
        isinstance(text, str)
        for text in (credential.token, credential.refresh_token, credential.label,
                     credential.provider, repr(credential))
    )  # fmt: skip
    expires = expiry_of(fields)
    assert expires is None or math.isfinite(expires)
    assert credential.refreshed is None or math.isfinite(credential.refreshed)
    assert credential.flag("disabled") in (True, False)


@given(
    st.text() | JSON.map(json.dumps).map(lambda t: base64.urlsafe_b64encode(t.encode()).decode())
)
def test_claims_are_an_object_whatever_the_token_is(text):
    assert isinstance(claims(text), dict)
    assert isinstance(claims(f"a.{text}.c"), dict)


@given(st.text() | st.text("?#&=/:[]@%code state.error", max_size=60))
def test_whatever_is_pasted_is_read_or_refused(text):
    found = read_callback(text)
    assert found is None or found.code or found.error


@given(code=st.text(min_size=1), state=st.text())
def test_what_a_callback_says_survives_its_address(code, state):
    from urllib.parse import urlencode

    from cliproxy.keeper.pasted import Pasted

    if "#" in code or not code.isprintable():
        return
    address = f"http://localhost:1455/cb?{urlencode({'code': code, 'state': state})}"
    assert read_callback(address) == Pasted(code, state)


@given(base=OBJECTS, ours=OBJECTS, theirs=OBJECTS)
def test_what_two_have_changed_is_brought_together(base, ours, theirs):
    assert merged(base, base, theirs) == theirs
    assert merged(base, ours, base) == ours
    assert merged(base, ours, ours) == ours
    once = merged(base, ours, theirs)
    assert merged(base, ours, once) == once


@given(base=OBJECTS, ours=OBJECTS, theirs=OBJECTS)
def test_edits_of_different_fields_both_survive(base, ours, theirs):
    mine = {k: v for k, v in ours.items() if k in "ab"} | {
        k: v for k, v in base.items() if k in "cd"
    }
    other = {k: v for k, v in theirs.items() if k in "cd"} | {
        k: v for k, v in base.items() if k in "ab"
    }
    wanted = {k: v for k, v in mine.items() if k in "ab"} | {
        k: v for k, v in other.items() if k in "cd"
    }
    assert merged(base, mine, other) == wanted


@pytest.mark.parametrize("cli", CLIS, ids=lambda cli: cli.name)
@given(fields=FIELDS)
def test_the_login_of_another_program_is_read_or_is_none(cli, fields):
    found = cli.read(fields, Path("/nonexistent/a/b"))
    assert found is None or isinstance(found, dict)


@pytest.mark.parametrize("cli", CLIS, ids=lambda cli: cli.name)
@pytest.mark.parametrize("path", ["a\0b", "\ud800", "/", "/dev/zero", "/nonexistent", "x" * 5000])
def test_a_file_that_is_none_holds_no_login(cli, path):
    assert read_login(cli, Path(path)) is None


@given(st.text(min_size=8), st.text(), st.text())
def test_no_secret_is_left_in_a_text(secret, before, after):
    assert secret not in redact.without(f"{before}{secret}{after}", {secret}) or secret in (
        redact.HIDDEN
    )


@pytest.mark.parametrize(
    "written",
    [
        'sk/a+b c=é"\\d', r"sk\/a+b c=é\"\\d", r"sk\u002Fa\u002bb c=\u00e9\u0022\\d",
        r"sk\\/a\\u002Bb c=é\\\"\\\\d", "sk%2Fa%2Bb%20c%3D%C3%A9%22%5Cd",
        "sk%2fa%2bb+c%3d%c3%a9%22%5cd",
    ],
)  # fmt: skip
def test_a_secret_is_known_in_every_spelling(written):
    secrets = {'sk/a+b c=é"\\d'}
    assert redact.without(f"<{written}>", secrets) == "<…>"
    assert redact.without_bytes(f"<{written}>".encode(), secrets) == "<…>".encode()


@pytest.mark.parametrize("secret", ["sk-0123456789abcdefghij", "sk/0123456789+abcdefghij"])
def test_half_a_secret_is_too_much(secret):
    for size in range(len(secret) // 2 + 1, len(secret) + 1):
        text = f"Bad key {secret[:size]}"
        assert redact.without(text, {secret}) == "Bad key …"
        assert redact.without_bytes(f"{text}'".encode(), {secret}) == "Bad key …'".encode()
    assert redact.without(f"Bad key {secret[:6]}", {secret}) == f"Bad key {secret[:6]}"


def test_a_text_full_of_escapes_takes_no_time():
    for secret in ("\\" * 40, "\\/" * 20, "\\/+" * 20, "é" * 40):
        text = "\\" * 20_000
        assert redact.without(text + "x", {secret})


@given(st.text(min_size=8), st.text(), st.text())
def test_no_secret_is_left_in_bytes(secret, before, after):
    data = f"{before}{secret}{after}".encode("utf-8", "surrogatepass")
    needle = secret.encode("utf-8", "surrogatepass")
    assert needle not in redact.without_bytes(data, {secret}) or needle in redact.HIDDEN.encode()


@given(st.text(min_size=8))
@example("0000000%")
@example("%%25%2525")
def test_a_secret_is_found_in_json_and_in_addresses(secret):
    for once in (json.dumps(secret), json.dumps(secret, ensure_ascii=False)):
        assert redact.without(once, {secret}) == f'"{redact.HIDDEN}"'
        assert set(redact.without(json.dumps(once), {secret})) == {'"', "\\", redact.HIDDEN}
    coded = quote(secret, "")
    assert redact.without(coded, {secret}) == redact.HIDDEN
    assert redact.without(quote_plus(secret), {secret}) == redact.HIDDEN


@given(st.dictionaries(st.text(), st.text()), st.text(), st.binary())
def test_secrets_are_looked_for_in_anything(headers, address, body):
    assert all(len(found) >= 8 for found in redact.secrets_of(address, headers, body))

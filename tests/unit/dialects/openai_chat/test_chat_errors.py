"""Error bodies of OpenAI-style hosts, read and written."""

from __future__ import annotations

import json

import pytest

from cliproxy.base.errors import (
    BadRequest,
    Forbidden,
    NotFound,
    RateLimited,
    Unauthenticated,
    Unavailable,
    UpstreamRefused,
)
from cliproxy.dialects.openai_chat import DIALECT


def read(status, body, **headers):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {k.replace("_", "-"): v for k, v in headers.items()}
    return DIALECT.read_error(status, named, data)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": {"message": "plain"}}, "plain"),
        ([{"error": {"code": 400, "message": "array"}}], "array"),
        ({"error": {"message": '{"error":{"message":"inner"}}'}}, "inner"),
        ({"error": "text"}, "text"),
        ({"detail": "nope"}, "nope"),
        ({"detail": [{"loc": ["body"], "msg": "bad field"}, {"msg": "other"}]}, "bad field; other"),
        ({"message": "flat"}, "flat"),
        ({"error": {"message": "Provider returned error", "metadata": {"raw": '{"error":{"message":"why"}}'}}},
         "Provider returned error: why"),
        (b"just words", "just words"),
        (b"", "The upstream answered with status 500 and no explanation."),
        ({"error": {}}, "The upstream answered with status 500 and no explanation."),
    ],
)  # fmt: skip
def test_edge_170_the_message_is_found_in_whatever_shape(body, message):
    assert read(500, body).message == message


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (b"<!DOCTYPE html><title>Just a moment...</title>", "bot-check"),
        (b"<html><h1>502 Bad Gateway</h1><hr>nginx</html>", "gateway"),
        (b"<html><title>Sign in</title></html>", "login"),
        (b"<html>hello</html>", "web page"),
    ],
)
def test_html_is_named_and_never_shown(page, words):
    err = read(502, page)
    assert words in err.message
    assert "<" not in err.message
    assert err.raw is None


@pytest.mark.parametrize(
    ("status", "tries"),
    [(400, False), (413, False), (422, False), (401, True), (402, True), (403, True), (404, True),
     (408, True), (429, True), (500, True), (503, True), (529, True)],
)  # fmt: skip
def test_what_another_account_could_do_better(status, tries):
    assert read(status, {"error": {"message": "x"}}).next_account is tries


@pytest.mark.parametrize(
    ("headers", "message", "seconds"),
    [
        ({"retry_after": "7"}, "x", 7),
        ({"retry_after": "1.5"}, "x", 1.5),
        ({"retry_after_ms": "250", "retry_after": "9"}, "x", 0.25),
        ({"retry_after": "Wed, 21 Oct 2015 07:28:10 GMT", "date": "Wed, 21 Oct 2015 07:28:00 GMT"}, "x", 10),
        ({"retry_after": "Wed, 21 Oct 2015 07:27:00 GMT", "date": "Wed, 21 Oct 2015 07:28:00 GMT"}, "x", 0),
        ({"retry_after": "soon"}, "x", None),
        ({"retry_after": "nan"}, "x", None),
        ({}, "Rate limit reached. Please try again in 6m0.5s. Visit", 360.5),
        ({}, "Please try again in 120ms.", 0.12),
        ({}, "Please try again in a while.", None),
        ({}, "x", None),
    ],
)  # fmt: skip
def test_when_to_come_back(headers, message, seconds):
    assert read(429, {"error": {"message": message}}, **headers).retry_after == seconds


def test_header_names_may_be_in_any_case():
    err = DIALECT.read_error(429, {"Retry-After": "3"}, b"{}")
    assert err.retry_after == 3


def test_code_and_param_are_kept():
    err = read(
        400, {"error": {"message": "x", "code": "context_length_exceeded", "param": "messages"}}
    )
    assert (err.code, err.param, err.kind) == (
        "context_length_exceeded",
        "messages",
        "invalid_request",
    )


def test_an_official_body_passes_unchanged_and_another_is_rewritten():
    official = b'{"error": {"message": "x", "type": "t", "extra": 1}}'
    assert DIALECT.error(read(400, official)) == official
    assert json.loads(DIALECT.error(read(429, {"detail": "slow"}))) == {
        "error": {
            "message": "slow",
            "type": "rate_limit_error",
            "param": None,
            "code": "rate_limit_exceeded",
        }
    }


def test_a_foreign_dialects_body_is_never_passed_on():
    err = UpstreamRefused("slow down", status=429, raw=b'{"type":"error"}', raw_dialect="anthropic")
    assert json.loads(DIALECT.error(err))["error"]["message"] == "slow down"


@pytest.mark.parametrize(
    ("err", "kind", "code"),
    [
        (BadRequest("x"), "invalid_request_error", None),
        (Unauthenticated("x"), "authentication_error", "invalid_api_key"),
        (Forbidden("x"), "permission_error", "insufficient_quota"),
        (NotFound("x", code="model_not_found"), "invalid_request_error", "model_not_found"),
        (RateLimited("x"), "rate_limit_error", "rate_limit_exceeded"),
        (Unavailable("x"), "server_error", "no_account_available"),
        (UpstreamRefused("x", status=500), "server_error", "internal_server_error"),
        (UpstreamRefused("x", status=529), "server_error", "internal_server_error"),
    ],
)
def test_types_and_codes_by_status(err, kind, code):
    body = json.loads(DIALECT.error(err))["error"]
    assert (body["type"], body["code"], body["param"]) == (kind, code, None)

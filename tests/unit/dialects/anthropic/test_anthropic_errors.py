"""Errors of the Messages API, read and written."""

from __future__ import annotations

import json

import pytest
from tests.sim.grammar import check

from cliproxy.base.errors import (
    BadRequest,
    Forbidden,
    NotFound,
    RateLimited,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UpstreamBroken,
    UpstreamRefused,
    UpstreamTimeout,
)
from cliproxy.dialects.anthropic import DIALECT


def read(status, body, **headers):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return DIALECT.read_error(status, {k.replace("_", "-"): v for k, v in headers.items()}, data)


def official(kind, message="m", **more):
    return {"type": "error", "error": {"type": kind, "message": message}, **more}


@pytest.mark.parametrize(
    ("err", "kind"),
    [
        (BadRequest("x"), "invalid_request_error"),
        (Unauthenticated("x"), "authentication_error"),
        (UpstreamRefused("x", status=402), "billing_error"),
        (Forbidden("x"), "permission_error"),
        (NotFound("x"), "not_found_error"),
        (UpstreamRefused("x", status=409), "conflict_error"),
        (TooLarge("x"), "request_too_large"),
        (BadRequest("x", status=422), "invalid_request_error"),
        (RateLimited("x"), "rate_limit_error"),
        (UpstreamRefused("x", status=499), "api_error"),
        (UpstreamRefused("x", status=500), "api_error"),
        (UpstreamRefused("x", status=501), "api_error"),
        (UpstreamBroken("x"), "api_error"),
        (Unavailable("x"), "overloaded_error"),
        (UpstreamTimeout("x"), "timeout_error"),
        (UpstreamRefused("x", status=529), "overloaded_error"),
    ],
)
def test_types_by_status(err, kind):
    expected = official(kind, "x")
    assert json.loads(DIALECT.error(err)) == expected
    frame = DIALECT.stream_error(err)
    assert frame.startswith(b"event: error\ndata: ")
    assert check("anthropic", frame).error == expected["error"]


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        (400, "invalid_request_error", "invalid_request"),
        (401, "authentication_error", "authentication"),
        (403, "permission_error", "permission"),
        (404, "not_found_error", "not_found"),
        (413, "request_too_large", "too_large"),
        (429, "rate_limit_error", "rate_limit"),
        (500, "api_error", "server"),
        (503, "overloaded_error", "overloaded"),
        (529, "overloaded_error", "overloaded"),
    ],
)
def test_an_official_body_is_read_and_passes_unchanged(status, kind, expected):
    body = json.dumps(official(kind, "why", request_id="r")).encode()
    err = read(status, body)
    assert (err.status, err.kind, err.code, err.message) == (status, expected, kind, "why")
    assert DIALECT.error(err) == body


@pytest.mark.parametrize(
    ("kind", "status"),
    [("invalid_request_error", 400), ("authentication_error", 401), ("billing_error", 402), ("permission_error", 403),
     ("not_found_error", 404), ("conflict_error", 409), ("request_too_large", 413), ("rate_limit_error", 429),
     ("api_error", 500), ("timeout_error", 504), ("overloaded_error", 529), ("new", 502)],
)  # fmt: skip
def test_an_error_inside_a_success_gets_the_status_of_its_type(kind, status):
    assert read(200, official(kind)).status == status


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": {"message": "plain"}}, "plain"),
        ([{"error": {"message": "array"}}], "array"),
        ({"type": "error", "error": "text"}, "text"),
        ({"type": "error", "error": {"type": "api_error", "message": 5}}, "The upstream answered with status 500"),
        ({"detail": "nope"}, "nope"),
        (b"just words", "just words"),
        (b"", "The upstream answered with status 500 and no explanation."),
        ({"type": "error", "error": None}, "The upstream answered with status 500"),
        ({"type": ["error"], "error": {"type": {}, "message": "odd"}}, "odd"),
        (b"<html><h1>502 Bad Gateway</h1></html>", "gateway"),
    ],
)  # fmt: skip
def test_edge_170_the_message_is_found_in_whatever_shape(body, message):
    err = read(500, body)
    assert message in err.message
    assert "<" not in err.message
    assert json.loads(DIALECT.error(err))["type"] == "error"


def test_a_body_of_another_shape_is_never_passed_on():
    assert json.loads(DIALECT.error(read(429, {"error": {"message": "slow"}}))) == official(
        "rate_limit_error", "slow"
    )
    other = UpstreamRefused("slow", status=429, raw=b'{"error":{}}', raw_dialect="openai-chat")
    assert json.loads(DIALECT.error(other)) == official("rate_limit_error", "slow")


@pytest.mark.parametrize(
    ("status", "tries"),
    [(400, False), (401, True), (403, True), (413, False), (429, True), (500, True), (529, True)],
)
def test_what_another_account_could_do_better(status, tries):
    assert read(status, official("api_error")).next_account is tries


def test_when_to_come_back():
    assert read(429, official("rate_limit_error"), retry_after="7").retry_after == 7
    assert read(429, official("rate_limit_error")).retry_after is None


def test_a_count_that_is_none_is_an_upstreams_fault():
    for body in (
        b"",
        b"x",
        b"[]",
        b"{}",
        b'{"input_tokens":"7"}',
        b'{"input_tokens":null}',
        b'{"input_tokens":true}',
    ):
        with pytest.raises(UpstreamBroken):
            DIALECT.read_count(body)

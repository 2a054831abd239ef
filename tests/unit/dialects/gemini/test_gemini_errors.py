"""Errors of the Gemini API, read and written."""

from __future__ import annotations

import json

import pytest
from tests.sim.grammar import check

from cliproxy.base.errors import (
    BadRequest,
    Forbidden,
    NotBuilt,
    NotFound,
    RateLimited,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UpstreamBroken,
    UpstreamRefused,
    UpstreamTimeout,
)
from cliproxy.dialects.gemini import DIALECT


def read(status, body, **headers):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return DIALECT.read_error(status, {k.replace("_", "-"): v for k, v in headers.items()}, data)


def official(code=429, status="RESOURCE_EXHAUSTED", message="m", **more):
    return {"error": {"code": code, "message": message, "status": status, **more}}


@pytest.mark.parametrize(
    ("err", "code", "status"),
    [
        (BadRequest("x"), 400, "INVALID_ARGUMENT"),
        (Unauthenticated("x"), 401, "UNAUTHENTICATED"),
        (UpstreamRefused("x", status=402), 402, "FAILED_PRECONDITION"),
        (Forbidden("x"), 403, "PERMISSION_DENIED"),
        (NotFound("x"), 404, "NOT_FOUND"),
        (UpstreamRefused("x", status=409), 409, "ABORTED"),
        (TooLarge("x"), 413, "INVALID_ARGUMENT"),
        (RateLimited("x"), 429, "RESOURCE_EXHAUSTED"),
        (UpstreamRefused("x", status=499), 499, "CANCELLED"),
        (UpstreamRefused("x", status=500), 500, "INTERNAL"),
        (NotBuilt("x"), 501, "UNIMPLEMENTED"),
        (UpstreamBroken("x"), 502, "INTERNAL"),
        (Unavailable("x"), 503, "UNAVAILABLE"),
        (UpstreamTimeout("x"), 504, "DEADLINE_EXCEEDED"),
        (UpstreamRefused("x", status=529), 503, "UNAVAILABLE"),
    ],
)
def test_names_by_status(err, code, status):
    expected = official(code, status, "x")
    assert json.loads(DIALECT.error(err)) == expected
    assert check("gemini", DIALECT.stream_error(err)).error == expected["error"]
    assert json.loads(DIALECT.stream_error(err, "array")) == [expected]


def test_an_official_body_is_read_and_passes_unchanged():
    body = json.dumps(official(details=[{"@type": "x", "reason": "RATE_LIMIT_EXCEEDED"}])).encode()
    err = read(429, body)
    assert (err.status, err.kind, err.code, err.message) == (
        429,
        "rate_limit",
        "RATE_LIMIT_EXCEEDED",
        "m",
    )
    assert DIALECT.error(err) == body


def test_edge_170_an_error_in_an_array_is_found_and_unwrapped():
    err = read(400, [official(400, "INVALID_ARGUMENT", "bad")])
    assert (err.message, err.code) == ("bad", "INVALID_ARGUMENT")
    assert json.loads(DIALECT.error(err)) == official(400, "INVALID_ARGUMENT", "bad")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": {"message": "plain"}}, "plain"),
        ({"error": "text"}, "text"),
        ({"status": "INTERNAL", "message": "flat"}, "flat"),
        ({"error": {"message": '{"error":{"message":"inner"}}'}}, "inner"),
        ({"error": {"code": "x", "message": 5, "status": [], "details": {"a": 1}}}, "status 500"),
        ({"error": {"message": "m", "details": ["x", 5, {"reason": 5}]}}, "m"),
        (b"just words", "just words"),
        (b"", "no explanation"),
        (b"<html><h1>502 Bad Gateway</h1></html>", "gateway"),
    ],
)
def test_the_message_is_found_in_whatever_shape(body, message):
    err = read(500, body)
    assert message in err.message
    assert "<" not in err.message
    assert json.loads(DIALECT.error(err))["error"]["code"] == 500


@pytest.mark.parametrize("reason", ["API_KEY_INVALID", "API_KEY_EXPIRED"])
def test_a_bad_key_is_the_accounts_fault_although_google_says_400(reason):
    err = read(400, official(400, "INVALID_ARGUMENT", "key", details=[{"reason": reason}]))
    assert (err.status, err.kind, err.next_account) == (401, "authentication", True)


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        (
            official(
                details=[{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12s"}]
            ),
            12,
        ),
        (
            official(
                details=[
                    {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.5s"}
                ]
            ),
            1.5,
        ),
        (official(details=[{"metadata": {"quotaResetDelay": "1h2m3s"}}]), 3723),
        (official(message="Your quota will reset after 2m5s."), 125),
        (official(message="Please retry in 3.5s."), 3.5),
        (official(details=[{"@type": "RetryInfo", "retryDelay": "soon"}]), None),
        (official(), None),
    ],
)
def test_when_to_come_back(body, seconds):
    assert read(429, body).retry_after == seconds
    assert read(429, body, retry_after="7").retry_after == 7


def test_a_body_of_another_dialect_is_never_passed_on():
    other = UpstreamRefused("slow", status=429, raw=b'{"type":"error"}', raw_dialect="anthropic")
    assert json.loads(DIALECT.error(other)) == official(message="slow")


@pytest.mark.parametrize(
    ("status", "tries"),
    [(400, False), (401, True), (403, True), (404, True), (429, True), (500, True), (503, True)],
)
def test_what_another_account_could_do_better(status, tries):
    assert read(status, official()).next_account is tries


def test_an_error_inside_a_success_gets_its_own_status():
    assert read(200, official(503, "UNAVAILABLE")).status == 503
    assert read(200, {"error": {"status": "PERMISSION_DENIED", "message": "x"}}).status == 403


def test_a_count_that_is_none_is_an_upstreams_fault():
    for body in (b"", b"x", b"[]", b"{}", b'{"totalTokens":"7"}', b'{"totalTokens":true}'):
        with pytest.raises(UpstreamBroken):
            DIALECT.read_count(body)

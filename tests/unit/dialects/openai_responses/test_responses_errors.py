"""Errors of the Responses API, read and written."""

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
from cliproxy.dialects.openai_responses import DIALECT


@pytest.mark.parametrize(
    ("err", "kind", "streamed"),
    [
        (BadRequest("x", param="input", code="invalid_type"), "invalid_request_error", "invalid_prompt"),
        (Unauthenticated("x"), "authentication_error", "invalid_api_key"),
        (UpstreamRefused("x", status=402), "insufficient_quota", "insufficient_quota"),
        (Forbidden("x"), "permission_error", "insufficient_quota"),
        (NotFound("x"), "invalid_request_error", "model_not_found"),
        (TooLarge("x"), "invalid_request_error", "invalid_prompt"),
        (RateLimited("x"), "rate_limit_error", "rate_limit_exceeded"),
        (UpstreamRefused("x", status=500), "server_error", "server_error"),
        (UpstreamBroken("x"), "server_error", "server_error"),
        (Unavailable("x"), "server_error", "server_is_overloaded"),
        (UpstreamTimeout("x"), "server_error", "server_error"),
        (UpstreamRefused("x", status=529), "server_error", "server_is_overloaded"),
        (UpstreamRefused("x", status=400, code="context_length_exceeded"), "invalid_request_error", "context_length_exceeded"),
    ],
)  # fmt: skip
def test_types_and_codes(err, kind, streamed):
    body = json.loads(DIALECT.error(err))["error"]
    assert (body["type"], body["message"], body["param"]) == (kind, "x", err.param)
    frame = DIALECT.stream_error(err)
    assert frame.startswith(b"event: error\ndata: ")
    told = check("openai-responses", frame).error
    assert (told["code"], told["message"], told["param"]) == (streamed, "x", err.param)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": {"message": "plain"}}, "plain"),
        ([{"error": {"message": "array"}}], "array"),
        ({"error": "text"}, "text"),
        ({"detail": "nope"}, "nope"),
        (b"just words", "just words"),
        (b"", "The upstream answered with status 500 and no explanation."),
        ({"error": {"message": 5}}, "The upstream answered with status 500"),
        (b"<html><h1>502 Bad Gateway</h1></html>", "gateway"),
    ],
)
def test_edge_170_the_message_is_found_in_whatever_shape(body, message):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    err = DIALECT.read_error(500, {}, data)
    assert message in err.message
    assert "<" not in err.message
    assert json.loads(DIALECT.error(err))["error"]


def test_an_official_body_passes_unchanged_also_from_the_other_openai_apis():
    body = b'{"error": {"message": "x", "type": "t", "code": null, "param": null, "more": 1}}'
    assert DIALECT.error(DIALECT.read_error(400, {}, body)) == body
    assert DIALECT.error(UpstreamRefused("x", raw=body, raw_dialect="openai-chat")) == body
    foreign = UpstreamRefused("x", status=429, raw=b'{"type":"error"}', raw_dialect="anthropic")
    assert json.loads(DIALECT.error(foreign))["error"]["message"] == "x"


@pytest.mark.parametrize(
    ("status", "tries"),
    [(400, False), (401, True), (403, True), (422, False), (429, True), (500, True), (529, True)],
)
def test_what_another_account_could_do_better(status, tries):
    assert DIALECT.read_error(status, {}, b"{}").next_account is tries


def test_when_to_come_back():
    assert DIALECT.read_error(429, {"retry-after": "7"}, b"{}").retry_after == 7
    said = b'{"error":{"message":"Please try again in 1.5s."}}'
    assert DIALECT.read_error(429, {}, said).retry_after == 1.5


def test_a_count_that_is_none_is_an_upstreams_fault():
    for body in (b"", b"x", b"[]", b"{}", b'{"input_tokens":"7"}', b'{"input_tokens":true}'):
        with pytest.raises(UpstreamBroken):
            DIALECT.read_count(body)

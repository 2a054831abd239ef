"""What the proxy itself refuses: the dialect's own error object, the right status, a useful word."""

from __future__ import annotations

import gzip

import pytest

from tests.clients.upstreams import config
from tests.server.raw import PATHS, SHAPES, error_of, get, post, request

every = pytest.mark.parametrize("dialect", SHAPES)


@pytest.fixture
def proxy(sim, start_proxy):
    return start_proxy(config(sim, "max-body-size: 1"))


def path_of(dialect):
    return PATHS[dialect].format(model="to-gemini")


@every
@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"model": "x", }', b"[1]", b'"text"', b"null", b"\xff\xfe", b"{" * 5000]
)
def test_a_body_that_is_not_a_json_object(proxy, sim, dialect, body):
    answer = post(proxy, path_of(dialect), body)
    assert answer.status_code == 400
    error_of(dialect, answer)
    assert sim.requests == []


@pytest.mark.parametrize("dialect", [d for d in SHAPES if d != "gemini"])
@pytest.mark.parametrize("model", [None, 3, "", ["x"], {}])
def test_a_model_that_is_missing_or_no_name(proxy, dialect, model):
    path, body = request(dialect)
    body["model"] = model
    answer = post(proxy, path, body)
    assert answer.status_code == 400
    message, _ = error_of(dialect, answer)
    assert "model" in message


@every
def test_an_unknown_model_is_named_with_those_that_exist(proxy, dialect):
    path, body = request(dialect, "no-such-model")
    answer = post(proxy, path, body)
    assert answer.status_code == 404
    message, _ = error_of(dialect, answer)
    assert "no-such-model" in message
    assert "to-anthropic" in message


WRONG = {
    "openai-chat": [
        ("messages", 3), ("messages", [3]), ("messages", [{"role": "user", "content": 3}]),
        ("messages", [{"role": 7, "content": "x"}]), ("temperature", "hot"), ("stop", {"a": 1}),
        ("tools", {"a": 1}), ("tools", [{"type": "function", "function": 4}]), ("max_tokens", "9"),
        ("stream_options", 3), ("tool_choice", 5), ("response_format", "json"), ("n", "two"),
    ],
    "openai-completions": [("prompt", 3.5), ("temperature", "hot"), ("max_tokens", []), ("stop", 3)],
    "openai-responses": [
        ("input", 3), ("input", [3]), ("instructions", 3), ("tools", "x"), ("tools", [3]),
        ("reasoning", "high"), ("text", 3), ("max_output_tokens", "many"), ("tool_choice", 4),
        ("input", [{"type": "function_call_output", "call_id": 4, "output": "x"}]),
    ],
    "anthropic": [
        ("messages", "x"), ("messages", [{"role": "user", "content": 3}]), ("system", 4),
        ("messages", [{"role": "user", "content": [{"type": "text", "text": 4}]}]),
        ("messages", [{"role": "user", "content": [{"type": "image", "source": 4}]}]),
        ("tools", 4), ("tools", [4]), ("thinking", True), ("stop_sequences", 3),
        ("tool_choice", "auto"), ("metadata", 4), ("max_tokens", "x"),
    ],
    "gemini": [
        ("contents", 3), ("contents", [3]), ("contents", [{"parts": 3}]),
        ("contents", [{"parts": [{"text": 4}]}]), ("systemInstruction", 3), ("tools", 3),
        ("generationConfig", "x"), ("generationConfig", {"temperature": "x"}), ("toolConfig", []),
    ],
}  # fmt: skip
OTHER = {"anthropic": "to-openai-chat", "gemini": "to-anthropic"}


@pytest.mark.parametrize(
    ("dialect", "field", "value"),
    [(dialect, field, value) for dialect, cases in WRONG.items() for field, value in cases],
    ids=str,
)
def test_a_wrong_type_is_refused_by_name_when_translated(proxy, sim, dialect, field, value):
    path, body = request(dialect, OTHER.get(dialect, "to-anthropic"))
    answer = post(proxy, path, {**body, field: value})
    assert answer.status_code == 400, answer.text
    message, _ = error_of(dialect, answer)
    assert field in message
    assert sim.requests == []


@every
def test_stream_must_be_a_boolean(proxy, dialect):
    if dialect == "gemini":
        pytest.skip("the path says it")
    path, body = request(dialect, "to-anthropic", stream=False)
    answer = post(proxy, path, {**body, "stream": "yes"})
    assert answer.status_code == 400
    assert "stream" in error_of(dialect, answer)[0]


@every
@pytest.mark.parametrize("key", [None, "wrong-key"])
def test_a_missing_or_wrong_key(proxy, sim, dialect, key):
    path, body = request(dialect, "to-gemini")
    answer = post(proxy, path, body, key=key)
    assert answer.status_code == 401
    message, kind = error_of(dialect, answer)
    words = ("authentication_error", "UNAUTHENTICATED", "invalid_request_error", "unauthenticated")
    assert kind in words
    assert "wrong-key" not in answer.text
    assert sim.requests == []


@every
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_a_wrong_method_names_the_right_one(proxy, dialect, method):
    answer = post(proxy, path_of(dialect), b"", method=method)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert "POST" in error_of(dialect, answer)[0]


def test_posting_to_a_list_names_get(proxy):
    answer = post(proxy, "/v1/models", {})
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]


@every
def test_too_large_a_body_also_when_it_was_compressed(proxy, sim, dialect):
    path, body = request(dialect, "to-gemini", padding="x" * 1_200_000)
    plain = post(proxy, path, body)
    assert plain.status_code == 413
    assert "MiB" in error_of(dialect, plain)[0]
    packed = gzip.compress(plain.request.content)
    small = post(proxy, path, packed, {"content-encoding": "gzip"})
    assert small.status_code == 413
    error_of(dialect, small)
    assert sim.requests == []


@every
def test_an_unknown_content_encoding(proxy, dialect):
    path, _ = request(dialect, "to-gemini")
    answer = post(proxy, path, b"uryyb", {"content-encoding": "rot13"})
    assert answer.status_code == 415
    assert "rot13" in error_of(dialect, answer)[0]
    broken = post(proxy, path, b"not gzip", {"content-encoding": "gzip"})
    assert broken.status_code == 400
    error_of(dialect, broken)


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("/v1/nothing", "openai-chat"),
        ("/v1/messages/batches", "anthropic"),
        ("/v1beta/nothing", "gemini"),
        ("/favicon.ico", "openai-chat"),
        ("/v1/responses/resp_1/nothing", "openai-responses"),
    ],
)
def test_an_unknown_path_is_a_404_in_the_callers_dialect(proxy, path, dialect):
    answer = get(proxy, path)
    assert answer.status_code == 404
    assert path in error_of(dialect, answer)[0]


def test_a_server_without_websockets_says_so_at_once_so_that_codex_falls_back(sim, start_proxy):
    proxy = start_proxy(config(sim), websockets=False)
    headers = {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        "openai-beta": "responses_websockets=2026-02-06",
    }
    answer = get(proxy, "/v1/responses", headers)
    assert answer.status_code == 426
    assert answer.headers.get("upgrade") is None


@every
def test_a_name_of_any_length_is_refused_and_not_remembered(proxy, dialect):
    path, body = request(dialect, "n" * 600)
    answer = post(proxy, path, body)
    assert answer.status_code == 400
    message, _ = error_of(dialect, answer)
    assert "longer than 512" in message
    assert "nnnnnn" not in message

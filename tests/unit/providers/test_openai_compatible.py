"""Hosts that speak OpenAI Chat Completions, OpenRouter among them."""

from __future__ import annotations

import json
import uuid

import pytest
from tests.unit.providers.hosts import SESSION, USER, key, send

from cliproxy.dialects import get
from cliproxy.dialects.sse import SseDecoder
from cliproxy.ir.caps import Caps
from cliproxy.ir.events import Error, Finish, TextDelta

ROUTER = "https://openrouter.ai/api/v1"


def host(**more):
    return key("openai-compatible-openrouter", ROUTER, **more)


def asked(**more):
    return {"model": "x/y", "messages": USER, **more}


def test_the_conversation_is_named_only_for_hosts_that_take_it():
    assert "prompt_cache_key" not in send(host(), asked(), session=SESSION).body
    named = send(host(prompt_cache_key=True), asked(), session=SESSION).body["prompt_cache_key"]
    assert uuid.UUID(named).version == 5
    assert SESSION not in named


def test_the_name_is_stable_and_a_conversation_s_own():
    def of(session, model="x/y", provider="openai-compatible-openrouter"):
        account = key(provider, ROUTER, prompt_cache_key=True)
        return send(account, asked() | {"model": model}, session=session).body["prompt_cache_key"]

    assert of(SESSION) == of(SESSION)
    assert (
        len(
            {
                of(SESSION),
                of("f" * 32),
                of(SESSION, "x/z"),
                of(SESSION, provider="openai-compatible-b"),
            }
        )
        == 4
    )


@pytest.mark.parametrize("dialect", ["openai-chat", "openai-responses"])
def test_the_client_s_own_name_wins(dialect):
    body = asked(prompt_cache_key="mine") if dialect == "openai-chat" else {
        "model": "x/y", "input": "Hi", "prompt_cache_key": "mine"}  # fmt: skip
    sent = send(host(prompt_cache_key=True), body, session=SESSION, dialect=dialect).body
    assert sent["prompt_cache_key"] == "mine"


def test_a_translated_request_is_named_too():
    body = {"model": "x/y", "max_tokens": 5, "messages": USER}
    sent = send(host(prompt_cache_key=True), body, session=SESSION, dialect="anthropic").body
    assert uuid.UUID(sent["prompt_cache_key"])


@pytest.mark.parametrize(
    "account", [host(), host(prompt_cache_key=True)], ids=["off", "no session"]
)
def test_otherwise_bytes_pass(account):
    body = json.dumps(asked(n=1, x={"y": 1.10}), indent=3).encode()
    assert send(account, body).http.body == body


def test_nobody_is_told_who_asks_unless_the_owner_wants_it():
    given = {
        "http-referer": "https://client.example",
        "x-title": "Client",
        "referer": "https://client.example",
    }
    silent = send(host(), asked(), headers=given).headers
    assert not {"http-referer", "x-title", "referer"} & silent.keys()
    shown = send(
        host(headers={"HTTP-Referer": "https://me.example", "X-Title": "$X-Title"}),
        asked(),
        headers=given,
    )
    assert (shown.headers["http-referer"], shown.headers["x-title"]) == (
        "https://me.example",
        "Client",
    )


# ---- streams ------------------------------------------------------------------------------------
def read(raw: str):
    reader = get("openai-chat").reader(Caps())
    decoder = SseDecoder()
    events = []
    for frame in [*decoder.feed(raw.encode()), *decoder.close()]:
        events += reader.feed(frame.data, frame.event)
    return events + reader.close()


TEXT = 'data: {"id":"g","model":"m","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
STOP = 'data: {"id":"g","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'


def test_comments_are_not_part_of_the_answer():
    events = read(
        f": OPENROUTER PROCESSING\n\n{TEXT}: OPENROUTER PROCESSING\n\n{STOP}data: [DONE]\n\n"
    )
    assert [e.text for e in events if isinstance(e, TextDelta)] == ["Hi"]
    assert any(isinstance(e, Finish) and e.reason == "stop" for e in events)


@pytest.mark.parametrize("before", ["", TEXT], ids=["at once", "midway"])
@pytest.mark.parametrize(
    ("frame", "status", "message"),
    [
        ('data: {"error":{"code":502,"message":"down"}}\n\n', 502, "down"),
        ('data: {"id":"g","error":{"code":429,"message":"slow"},"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}\n\n', 429, "slow"),
        ('event: error\ndata: {"code":"rate_limit_exceeded","message":"slow"}\n\n', 429, "slow"),
        ('data: {"code":400,"message":"bad"}\n\n', 400, "bad"),
        ('data: {"error":{"status":403,"message":"no"}}\n\n', 403, "no"),
        ('data: {"type":"response.failed","message":"gone"}\n\n', 502, "gone"),
        ('data: {"error":{\ndata: "message":"in two lines","status_code":503}}\n\n', 503, "in two lines"),
    ],
    ids=["object", "openrouter", "event", "bare", "status", "responses", "two lines"],
)  # fmt: skip
def test_an_error_inside_a_stream_is_one(before, frame, status, message):
    last = read(before + frame)[-1]
    assert isinstance(last, Error)
    assert (last.status, last.message) == (status, message)


def test_a_stream_without_done_is_whole_if_it_said_how_it_ended():
    assert not isinstance(read(TEXT + STOP)[-1], Error)
    cut = read(TEXT)[-1]
    assert isinstance(cut, Error)
    assert cut.status == 502


def test_chunks_of_other_kinds_are_no_errors():
    events = read(TEXT + 'data: {"type":"ping"}\n\n' + STOP)
    assert not any(isinstance(e, Error) for e in events)

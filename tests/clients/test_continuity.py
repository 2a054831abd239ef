"""Long conversations: they may switch their provider anywhere, and else keep their prefix.

A prompt cache is worth something only as long as each request begins with the very bytes of the
one before, and a switch of provider must never make the new one refuse what the old one issued.
"""

from __future__ import annotations

import itertools
import json

import pytest

from tests.clients.sdk import DIALECTS
from tests.clients.test_moving import EXTRA, FIELD, TOOLS, follow, start
from tests.clients.upstreams import config
from tests.proxy import KEY, Proxy
from tests.server.raw import post, request
from tests.sim import Answer, Call, Sim

KEYS = {"chat-key", "codex-key", "claude-key", "gemini-key", "interactions-key"}
TURNS = 40
LAST = 5
"""Turns of a conversation that switches."""


@pytest.fixture(scope="module")
def strict():
    with Sim(strict=True, keys=KEYS) as running:
        yield running


@pytest.fixture(scope="module")
def proxy(strict):
    with Proxy(config(strict, f"api-keys: [{KEY}]")) as running:
        yield running


def ask(proxy, client, upstream, history, *, tools, thinking):
    path, body = request(client, f"to-{upstream}")
    body.pop("contents", None)
    if tools:
        body["tools"] = TOOLS[client]
    if thinking:
        body |= EXTRA[client]
    elif client in ("openai-responses", "interactions"):
        body["store"] = False
    body[FIELD.get(client, "messages")] = history
    return post(proxy, path, body)


def say(client, history, text):
    """Append what the user says, in the client's own form."""
    match client:
        case "gemini":
            history.append({"role": "user", "parts": [{"text": text}]})
        case "openai-responses":
            history.append({"type": "message", "role": "user", "content": text})
        case "interactions":
            content = [{"type": "text", "text": text}]
            history.append({"type": "user_input", "content": content})
        case _:
            history.append({"role": "user", "content": text})


@pytest.mark.parametrize("second", DIALECTS)
@pytest.mark.parametrize("first", DIALECTS)
@pytest.mark.parametrize("client", DIALECTS)
def test_no_switch_at_any_turn_is_refused(strict, proxy, client, first, second):
    strict.reset()
    for at, tools, thinking in itertools.product(range(1, LAST), (True, False), (True, False)):
        history = start(client)
        for turn in range(LAST):
            upstream = first if turn < at else second
            calls = (Call("get_weather", {"city": f"c{turn}"}), Call("get_weather", {"city": "B"}))
            answer = Answer(
                f"Turn {turn}.",
                thinking=["Hm, ", f"{turn}."] if thinking else "",
                tools=calls if tools else (),
            )
            strict.script(answer)
            got = ask(proxy, client, upstream, history, tools=tools, thinking=thinking)
            assert got.status_code == 200, (at, tools, thinking, turn, got.text)
            if tools:
                follow(client, history, got.json(), f"result {turn}")
            else:
                before = len(history)
                follow(client, history, got.json(), "")
                # Without calls there are no results: the user speaks instead.
                if client in ("anthropic", "gemini"):
                    del history[before + 1 :]
                say(client, history, f"Go on {turn}.")


def unmarked(value):
    """Take the cache marks out, which move along as the conversation grows."""
    if isinstance(value, dict):
        return {k: unmarked(v) for k, v in value.items() if k != "cache_control"}
    if isinstance(value, list):
        return [unmarked(item) for item in value]
    return value


def turns_of(body):
    for field in ("messages", "input", "contents"):
        if field in body:
            return [json.dumps(unmarked(turn)) for turn in body[field]]
    raise AssertionError(body.keys())


@pytest.mark.parametrize("upstream", DIALECTS)
@pytest.mark.parametrize("client", DIALECTS)
def test_forty_turns_keep_their_prefix_byte_for_byte(strict, proxy, client, upstream):
    strict.reset()
    history = start(client)
    for turn in range(TURNS):
        calls = (Call("get_weather", {"city": f"Zürich {turn}", "n": turn}),)
        if turn % 7 == 3:
            calls += (Call("get_weather", {}),)
        strict.script(
            Answer(
                f"Turn {turn}." if turn % 3 else "",
                thinking=[f"Step {turn}."],
                tools=calls,
            )
        )
        got = ask(proxy, client, upstream, history, tools=True, thinking=True)
        assert got.status_code == 200, (turn, got.text)
        follow(client, history, got.json(), f"result {turn}")
    bodies = [request.body for request in strict.requests]
    assert len(bodies) == TURNS
    # What comes before the conversation never changes, its order included.
    heads = set()
    for body in bodies:
        head = {k: v for k, v in body.items() if k not in ("messages", "input", "contents")}
        heads.add(json.dumps(unmarked(head)))
    assert len(heads) == 1
    for shorter, longer in itertools.pairwise(bodies):
        before, after = turns_of(shorter), turns_of(longer)
        assert len(before) < len(after)
        assert after[: len(before)] == before


def marks(body):
    """Return where the cache marks stand: on tools, instructions, or the turn with a number."""
    found = []
    for field in ("tools", "system"):
        found += [field for block in body.get(field, []) if block.get("cache_control")]
    for number, message in enumerate(body["messages"]):
        blocks = message["content"] if isinstance(message["content"], list) else []
        found += [number for block in blocks if block.get("cache_control")]
    return found


@pytest.mark.parametrize("client", [dialect for dialect in DIALECTS if dialect != "anthropic"])
def test_claude_is_told_what_to_cache_for_clients_that_cannot_say_it(strict, proxy, client):
    strict.reset()
    history = start(client)
    for turn in range(4):
        strict.script(Answer("", tools=(Call("get_weather", {"city": f"c{turn}"}),)))
        got = ask(proxy, client, "anthropic", history, tools=True, thinking=False)
        follow(client, history, got.json(), "r")
    # Each request reads what the one before wrote: its last mark is the next one's last but one.
    assert [marks(request.body) for request in strict.requests] == [
        ["tools", 0],
        ["tools", 0, 2],
        ["tools", 2, 4],
        ["tools", 4, 6],
    ]


def test_a_single_question_is_not_marked_but_its_instructions_are(strict, proxy):
    body = {"messages": [{"role": "system", "content": "Be kind."}, *start("openai-chat")]}
    assert post(proxy, *request("openai-chat", "to-anthropic", **body)).is_success
    assert marks(strict.last.body) == ["system"]


def test_a_clients_own_marks_are_left_alone(strict, proxy):
    part = {"type": "text", "text": "Weather?", "cache_control": {"type": "ephemeral"}}
    body = {"messages": [{"role": "user", "content": [part]}], "tools": TOOLS["openai-chat"]}
    assert post(proxy, *request("openai-chat", "to-anthropic", **body)).is_success
    assert marks(strict.last.body) == [0]


def test_an_anthropic_client_marks_for_itself(strict, proxy):
    body = {"messages": start("anthropic"), "tools": TOOLS["anthropic"]}
    assert post(proxy, *request("anthropic", "to-anthropic", **body)).is_success
    assert marks(strict.last.body) == []


@pytest.mark.parametrize(
    ("setting", "expected"),
    [("{breakpoints: false}", None), ("{ttl: 1h}", {"type": "ephemeral", "ttl": "1h"})],
)
def test_marks_are_configured(sim, start_proxy, setting, expected):
    proxy = start_proxy(config(sim, f"prompt-caching: {setting}"))
    body = {"messages": start("openai-chat"), "tools": TOOLS["openai-chat"]}
    assert post(proxy, *request("openai-chat", "to-anthropic", **body)).is_success
    assert sim.last.body["tools"][-1].get("cache_control") == expected

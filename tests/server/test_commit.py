"""Until an answer is committed, another account takes over and the client never knows."""

from __future__ import annotations

import json

import httpx2 as httpx
import pytest

from tests.clients.sdk import DIALECTS
from tests.clients.upstreams import MODELS
from tests.proxy import KEY, Proxy
from tests.server.raw import post
from tests.sim import Answer, Call, Failure, Gate, Sim, Usage
from tests.sim.client import asked
from tests.sim.grammar import check

FULL = {
    "thinking": ["Let ", "me ", "think."],
    "text": ["Hel", "lo ", "you."],
    "tools": [Call("get_weather", {"city": "Oslo"})],
    "usage": Usage(input=9, output=7),
}
SECOND = Answer(text="Somebody else.", usage=Usage(input=9, output=7))
OPEN = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}


def entries(first, second):
    """Return a configuration in which each dialect's model has a first choice and a second."""

    def both(line):
        return "\n".join(
            f"  - {line.format(url=sim.url)[:-1]}, priority: {priority}}}"
            for sim, priority in ((first, 2), (second, 1))
        )

    chat = "\n".join(
        f"  - {{name: {name}, base-url: {sim.url}/v1, priority: {priority}, "
        f"models: [{{name: {MODELS['openai-chat']}, alias: to-openai-chat}}]}}"
        for name, sim, priority in (("a", first, 2), ("b", second, 1))
    )
    lists = {
        "codex": ("openai-responses", "/v1"),
        "claude": ("anthropic", ""),
        "gemini": ("gemini", ""),
        "interactions": ("interactions", ""),
    }
    text = f"openai-compatibility:\n{chat}\n"
    for name, (dialect, path) in lists.items():
        line = (
            f"{{{{api-key: k, base-url: '{{url}}{path}', "
            f"models: [{{{{name: {MODELS[dialect]}, alias: to-{dialect}}}}}]}}}}"
        )
        text += f"{name}-api-key:\n{both(line)}\n"
    return text


@pytest.fixture(scope="module")
def pair():
    with Sim() as first, Sim() as second:
        yield first, second


@pytest.fixture(scope="module")
def proxy(pair):
    extra = "streaming: {commit-timeout: 0}\ndisable-cooling: true\n"
    with Proxy(entries(*pair) + extra) as running:
        yield running


def stream(proxy, client, upstream):
    path, body = asked(client, model=f"to-{upstream}", stream=True)
    return post(proxy, path, body)


@pytest.mark.parametrize("upstream", DIALECTS)
@pytest.mark.parametrize("client", DIALECTS)
def test_a_cut_at_any_event_is_hidden_or_well_told(pair, proxy, client, upstream):
    first, second = pair
    second.reset()
    hidden = told = 0
    for at in range(40):
        first.reset()
        first.script(Answer(**FULL, cut=at))
        second.script(SECOND)
        got = stream(proxy, client, upstream)
        assert got.status_code == 200, (at, got.text)
        said = check(client, got.content)
        if first.last.finished and first.last.events < at:
            # Nothing was left to cut.
            second.reset()
            break
        if second.requests:
            assert said.error is None, at
            assert said.text == "Somebody else.", at
            assert not said.thinking
            hidden += 1
        else:
            assert b"Hel" in got.content, at
            assert said.error is not None or said.finish, at
            told += 1
        second.reset()
    # Up to the first visible text nobody notices; from there on the client is told.
    assert hidden >= 3
    assert told >= 1


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("at", [1, 4, 5, 6])
@pytest.mark.parametrize("cut", [False, True], ids=["ended", "cut"])
def test_an_upstreams_own_late_error_is_the_last_that_is_said(pair, proxy, dialect, at, cut):
    first, second = pair
    first.reset()
    second.reset()
    failure = Failure(429, "The only error.")
    first.script(Answer(["a", "b", "c"], error=failure, error_at=at, until_close=cut))
    second.script(Failure(429, "The only error."))
    said = stream(proxy, dialect, dialect).content
    assert said.count(b"The only error.") == 1
    assert b"stopped before its end" not in said
    assert b"[DONE]" not in said
    assert b"message_stop" not in said


@pytest.mark.parametrize("upstream", DIALECTS)
@pytest.mark.parametrize("client", DIALECTS)
@pytest.mark.parametrize("at", [1, 2, 3])
def test_an_error_told_in_the_handshake_is_hidden(pair, proxy, client, upstream, at):
    first, second = pair
    first.reset()
    second.reset()
    first.script(Answer(**FULL, error=Failure(503, "overloaded"), error_at=at))
    second.script(SECOND)
    said = check(client, stream(proxy, client, upstream).content)
    assert (said.text, said.error) == ("Somebody else.", None)


def lines(proxy, client, upstream):
    """Open a stream and yield its lines as they come."""
    path, body = asked(client, model=f"to-{upstream}", stream=True)
    with (
        httpx.Client(base_url=proxy.url, trust_env=False, timeout=20, headers=OPEN) as http,
        http.stream("POST", path, content=json.dumps(body)) as response,
    ):
        assert response.status_code == 200
        yield from response.iter_lines()


@pytest.mark.parametrize(
    "settings", ["{commit-timeout: 0.02}", "{commit: first-byte}"], ids=["time", "first-byte"]
)
@pytest.mark.parametrize(
    ("client", "upstream"),
    [("anthropic", "anthropic"), ("openai-chat", "anthropic"), ("gemini", "openai-responses")],
)
def test_thinking_flows_when_nothing_holds_it_back(start_sim, client, upstream, settings):
    first, second = start_sim(), start_sim()
    gate = Gate()
    # The answer stands still after its first thoughts until the client has seen them.
    first.script(Answer(**FULL, gate=gate, gate_at=5))
    with Proxy(entries(first, second) + f"streaming: {settings}\n") as running:
        seen = []
        for line in lines(running, client, upstream):
            seen.append(line)
            if "Let" in line:
                gate.open()
        assert gate.opened
        assert any("Let" in line for line in seen)
        assert any("Hel" in line for line in seen)
    assert not second.requests


class TestSignsOfLife:
    @pytest.mark.parametrize("client", DIALECTS)
    @pytest.mark.parametrize("at", ["headers", 2, 8])
    def test_a_silent_stream_shows_that_it_lives(self, start_sim, client, at):
        sim, gate = start_sim(), Gate()
        sim.script(Answer(**FULL, gate=gate, gate_at=at))
        with Proxy(entries(sim, sim) + "streaming: {keepalive-seconds: 0.05}\n") as running:
            seen = []
            for line in lines(running, client, "anthropic"):
                seen.append(line)
                if line == ": keep-alive":
                    gate.open()
        assert ": keep-alive" in seen
        said = check(client, "\n".join(seen).encode() + b"\n\n")
        assert said.text == "Hello you."

    @pytest.mark.parametrize("client", DIALECTS)
    def test_a_failure_after_a_sign_of_life_is_told_in_the_stream(self, start_sim, client):
        sim, gate = start_sim(), Gate()
        sim.script(Failure(400, "No such thing.", gate=gate, gate_at="headers"))
        with Proxy(entries(sim, sim) + "streaming: {keepalive-seconds: 0.05}\n") as running:
            seen = []
            for line in lines(running, client, "anthropic"):
                seen.append(line)
                if line == ": keep-alive":
                    gate.open()
        assert "No such thing." in seen[-1] + seen[-2]

    @pytest.mark.parametrize("client", DIALECTS)
    def test_a_whole_answer_shows_that_it_is_being_made(self, start_sim, client):
        sim, gate = start_sim(), Gate()
        sim.script(Answer(**FULL, gate=gate, gate_at="headers"))
        path, body = asked(client, model="to-anthropic")
        with Proxy(entries(sim, sim) + "nonstream-keepalive-interval: 0.05\n") as running:
            with (
                httpx.Client(base_url=running.url, trust_env=False, headers=OPEN) as http,
                http.stream("POST", path, content=json.dumps(body)) as response,
            ):
                got = b""
                for chunk in response.iter_raw():
                    got += chunk
                    gate.open()
        assert got.startswith(b"\n")
        assert "Hello you." in json.dumps(json.loads(got))

    def test_a_client_that_leaves_meanwhile_is_not_waited_for(self, start_sim):
        sim, gate = start_sim(), Gate()
        sim.script(Answer(**FULL, gate=gate, gate_at="headers"))
        with Proxy(entries(sim, sim) + "streaming: {keepalive-seconds: 0.05}\n") as running:
            for line in lines(running, "anthropic", "anthropic"):
                if line == ": keep-alive":
                    break
            sim.wait_closed()


def test_a_stream_that_failed_before_its_first_byte_is_begun_anew(start_sim, start_proxy):
    sim = start_sim()
    sim.script(Failure(500, "no"), Failure(503, "no"), SECOND)
    proxy = start_proxy(f"""
claude-api-key: [{{api-key: k, base-url: "{sim.url}", models: [{{name: m}}]}}]
streaming: {{bootstrap-retries: 2}}
disable-cooling: true
""")
    path, body = asked("anthropic", model="m", stream=True)
    assert check("anthropic", post(proxy, path, body).content).text == "Somebody else."
    assert len(sim.requests) == 3

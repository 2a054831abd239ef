"""What clients are shown of upstreams: their headers, and how their models are called."""

from __future__ import annotations

import pytest

from tests.server.raw import post, request
from tests.sim import Answer, Failure
from tests.sim.grammar import check

VISIBLE = {"openai-processing-ms": "7", "anthropic-ratelimit-requests-remaining": "5"}
HIDDEN = {
    "set-cookie": "a=b",
    "x-litellm-model": "m",
    "access-control-allow-origin": "https://x",
    "x-private": "1",
    "connection": "x-private",
}
UPSTREAMS = {
    "openai-chat": "openai-compatibility: [{{name: c, base-url: '{url}/v1', models: [{model}]}}]",
    "openai-responses": "codex-api-key: [{{api-key: k, base-url: '{url}/v1', models: [{model}]}}]",
    "anthropic": "claude-api-key: [{{api-key: k, base-url: '{url}', models: [{model}]}}]",
    "gemini": "gemini-api-key: [{{api-key: k, base-url: '{url}', models: [{model}]}}]",
}


def config(sim, upstream, model="{name: m}"):
    return UPSTREAMS[upstream].format(url=sim.url, model=model)


@pytest.mark.parametrize("how", ["whole", "stream", "error"])
@pytest.mark.parametrize("client", ["anthropic", "openai-chat"])
def test_the_upstreams_headers_are_shown_on_request(sim, start_proxy, client, how):
    proxy = start_proxy(config(sim, "anthropic") + "\npassthrough-headers: true")
    headers = VISIBLE | HIDDEN
    sim.script(Failure(400, headers=headers) if how == "error" else Answer("Hi", headers=headers))
    answer = post(proxy, *request(client, "m", stream=how == "stream"))
    for name, value in VISIBLE.items():
        assert answer.headers[name] == value
    assert answer.headers["access-control-allow-origin"] == "*"
    assert not {"set-cookie", "x-litellm-model", "x-private"} & set(answer.headers)
    assert answer.headers.get_list("content-type") == [answer.headers["content-type"]]


def test_they_are_not_shown_by_default(sim, start_proxy):
    proxy = start_proxy(config(sim, "anthropic"))
    sim.script(Answer("Hi", headers=VISIBLE))
    answer = post(proxy, *request("anthropic", "m"))
    assert not set(VISIBLE) & set(answer.headers)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_a_forced_alias_is_shown_where_bytes_pass_unread(sim, start_proxy, upstream, stream):
    model = "{name: real-name, alias: nick, force-mapping: true}"
    proxy = start_proxy(config(sim, upstream, model))
    sim.script(Answer('It said "model":"real-name" once.', model="real-name-2026-01-01"))
    answer = post(proxy, *request(upstream, "nick", stream=stream))
    assert answer.headers["x-cliproxy-fidelity"] == "verbatim"
    assert '"real-name' not in answer.text.replace('\\"real-name', "")
    assert '"nick"' in answer.text
    # What the model said stays what it said.
    assert '\\"model\\":\\"real-name\\"' in answer.text
    if stream:
        assert check(upstream, answer.content).model == "nick"


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_otherwise_the_upstreams_name_shows(sim, start_proxy, upstream):
    proxy = start_proxy(config(sim, upstream, "{name: real-name, alias: nick}"))
    answer = post(proxy, *request(upstream, "nick"))
    assert '"real-name' in answer.text

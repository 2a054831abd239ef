"""Payload rules and headers of accounts, as the upstream sees them."""

from __future__ import annotations

import json

import pytest

from tests.clients.upstreams import FAMILIES, MODELS, config
from tests.server.raw import PATHS, post, request

UPSTREAMS = tuple(FAMILIES)
CLIENTS = tuple(PATHS)
PROTOCOLS = {
    "openai-chat": "openai",
    "openai-responses": "codex",
    "anthropic": "claude",
    "gemini": "gemini",
    "interactions": "interactions",
}
EXTRA = {
    "openai-chat": "seed",
    "openai-responses": "prompt_cache_key",
    "anthropic": "top_k",
    "gemini": "generationConfig.seed",
    "interactions": "generation_config.seed",
}
"""A field of each upstream that no request here has."""


def at(body, path):
    for key in path.split("."):
        body = body.get(key) if isinstance(body, dict) else None
    return body


def value_of(upstream):
    return "k" if upstream == "openai-responses" else 5


def rule(upstream, kind="default"):
    value = json.dumps({EXTRA[upstream]: value_of(upstream)})
    models = json.dumps([{"name": MODELS[upstream], "protocol": PROTOCOLS[upstream]}])
    return f"payload:\n  {kind}:\n    - {{models: {models}, params: {value}}}\n"


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_rule_reaches_every_upstream_from_every_client(
    sim, start_proxy, client, upstream, stream
):
    proxy = start_proxy(config(sim, rule(upstream)))
    assert proxy.loaded.problems == []
    path, body = request(client, f"to-{upstream}", stream=stream)
    answer = post(proxy, path, body)
    assert answer.status_code == 200, answer.text
    assert at(sim.last.body, EXTRA[upstream]) == value_of(upstream)
    assert sim.last.said == "Hi"
    assert answer.headers["x-cliproxy-fidelity"] in ("exact", "lossy")


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_a_rule_for_another_protocol_changes_no_byte(sim, start_proxy, upstream):
    other = "gemini" if upstream == "anthropic" else "anthropic"
    proxy = start_proxy(config(sim, rule(other).replace(MODELS[other], "*")))
    path, body = request(upstream, f"to-{upstream}")
    sent = json.dumps(body, indent=1).encode()
    answer = post(proxy, path, sent)
    assert answer.headers["x-cliproxy-fidelity"] == "verbatim"
    assert sim.last.content == sent.replace(f"to-{upstream}".encode(), MODELS[upstream].encode())


def test_a_verbatim_request_keeps_all_that_no_rule_names(sim, start_proxy):
    proxy = start_proxy(
        config(sim, 'payload: {override: [{models: ["*"], params: {temperature: 0.5}}]}')
    )
    path, body = request("anthropic", "to-anthropic", metadata={"user_id": "u"}, temperature=1)
    answer = post(proxy, path, body)
    assert answer.headers["x-cliproxy-fidelity"] == "exact"
    assert sim.last.body == {**body, "model": MODELS["anthropic"], "temperature": 0.5}
    assert list(sim.last.body) == list(body)


ORDER = """
payload:
  filter:
    - {models: ["*"], params: [top_p]}
  override-raw:
    - {models: ["*"], params: {metadata: '{"user_id": "raw"}'}}
  override:
    - {models: ["*"], params: {metadata: {user_id: plain}, temperature: 0.25}}
  default-raw:
    - {models: ["*"], params: {top_k: "9", max_tokens: "9"}}
  default:
    - {models: ["*"], params: {top_k: 8, top_p: 0.5, temperature: 1}}
"""


@pytest.mark.parametrize("client", ["anthropic", "openai-chat"])
def test_defaults_then_overrides_then_filters(sim, start_proxy, client):
    proxy = start_proxy(config(sim, ORDER))
    path, body = request(client, "to-anthropic", max_tokens=7)
    assert post(proxy, path, body).status_code == 200
    seen = sim.last.body
    assert seen["top_k"] == 8
    assert seen["max_tokens"] == 7
    assert seen["temperature"] == 0.25
    assert seen["metadata"] == {"user_id": "raw"}
    assert "top_p" not in seen


@pytest.mark.parametrize(
    ("client", "headers", "hit"),
    [
        ("openai-chat", {"user-agent": "tool/1", "X-Tier": "gold"}, True),
        ("openai-chat", {"user-agent": "tool/1"}, False),
        ("openai-chat", {"user-agent": "other", "X-Tier": "gold"}, False),
        ("anthropic", {"user-agent": "tool/1", "X-Tier": "gold"}, False),
    ],
)
def test_conditions_on_the_clients_headers_and_protocol(sim, start_proxy, client, headers, hit):
    extra = """
payload:
  override:
    - models: [{from-protocol: openai, headers: {User-Agent: "tool/*", x-tier: gold}}]
      params: {top_k: 3}
"""
    proxy = start_proxy(config(sim, extra))
    path, body = request(client, "to-anthropic")
    assert post(proxy, path, body, headers).status_code == 200
    assert ("top_k" in sim.last.body) == hit


@pytest.mark.parametrize(
    ("name", "asked", "hit"),
    [
        ("gpt-5.5", "to-openai-responses", True),
        ("to-*", "to-openai-responses", True),
        ("*(low)", "to-openai-responses(low)", True),
        ("*(low)", "to-openai-responses", False),
        ("gpt-5", "to-openai-responses", False),
    ],
)
def test_a_rule_knows_a_model_by_all_its_names(sim, start_proxy, name, asked, hit):
    params = "{prompt_cache_key: k}"
    extra = f'payload: {{override: [{{models: [{{name: "{name}"}}], params: {params}}}]}}'
    proxy = start_proxy(config(sim, extra))
    for client in ("openai-chat", "openai-responses"):
        path, body = request(client, asked)
        assert post(proxy, path, body).status_code == 200
        assert (sim.last.body.get("prompt_cache_key") == "k") == hit


def test_a_tool_is_found_by_its_type(sim, start_proxy):
    extra = """
payload:
  override:
    - models: [{exist: ['tools.#(type=="web_search")']}]
      params: {'tools.#(type=="web_search").type': web_search_preview}
"""
    proxy = start_proxy(config(sim, extra))
    tools = [
        {"type": "function", "name": "f", "parameters": {"type": "object"}},
        {"type": "web_search"},
    ]
    path, body = request("openai-responses", "to-openai-responses", tools=tools)
    assert post(proxy, path, body).status_code == 200
    assert sim.last.body["tools"] == [tools[0], {"type": "web_search_preview"}]


def test_counting_is_left_alone(sim, start_proxy):
    proxy = start_proxy(config(sim, rule("anthropic", "override")))
    path, body = request("anthropic", "to-anthropic")
    del body["max_tokens"]
    assert post(proxy, f"{path}/count_tokens", body).status_code == 200
    assert sim.last.endpoint == "count"
    assert "top_k" not in sim.last.body


def test_a_rule_cannot_lead_elsewhere(sim, start_proxy):
    extra = 'payload: {override: [{models: ["*"], params: {model: dear, stream: true}}]}'
    proxy = start_proxy(config(sim, extra))
    assert len(proxy.loaded.problems) == 2
    path, body = request("openai-chat", "to-openai-chat")
    assert post(proxy, path, body).status_code == 200
    assert sim.last.model == MODELS["openai-chat"]
    assert not sim.last.stream


@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("client", ["openai-chat", "anthropic"])
def test_headers_of_an_account_reach_every_upstream(sim, start_proxy, upstream, client):
    headers = 'headers: {X-Team: blue, X-Copy: $X-Tag, X-None: $X-Missing, User-Agent: "mine/1"}'
    text = config(sim).replace("models: [{name", f"{headers}\n    models: [{{name")
    proxy = start_proxy(text)
    path, body = request(client, f"to-{upstream}")
    assert post(proxy, path, body, {"x-tag": "t-1"}).status_code == 200
    seen = sim.last.headers
    assert (seen["x-team"], seen["x-copy"], seen["user-agent"]) == ("blue", "t-1", "mine/1")
    assert "x-none" not in seen

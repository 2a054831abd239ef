"""What the configuration says about an account is what its upstream sees."""

from __future__ import annotations

import json

import pytest

from tests.server.raw import get, post
from tests.sim import Answer, Failure

CHAT = {"messages": [{"role": "user", "content": "Hi"}]}


def ask(proxy, model, headers=None):
    return post(proxy, "/v1/chat/completions", {"model": model, **CHAT}, headers)


def models(proxy):
    return {entry["id"] for entry in get(proxy, "/v1/models").json()["data"]}


def test_the_short_form_reaches_every_kind_of_provider(sim, start_proxy):
    proxy = start_proxy(f"""
providers:
  - {{name: a, type: openai, key: chat-key, base-url: "{sim.url}/v1", models: [gpt-x]}}
  - {{name: b, type: codex, key: codex-key, base-url: "{sim.url}/v1", models: [gpt-y]}}
  - {{name: c, type: claude, key: claude-key, base-url: "{sim.url}", models: [claude-z]}}
  - {{name: d, type: gemini, key: gemini-key, base-url: "{sim.url}", models: [gemini-w]}}
""")
    seen = []
    for model in ("gpt-x", "gpt-y", "claude-z", "gemini-w"):
        assert ask(proxy, model).status_code == 200, model
        seen.append((sim.last.dialect, sim.last.model))
    assert seen == [
        ("openai-chat", "gpt-x"),
        ("openai-responses", "gpt-y"),
        ("anthropic", "claude-z"),
        ("gemini", "gemini-w"),
    ]


def test_a_user_in_the_address_is_sent_where_no_token_is(sim, start_proxy):
    address = sim.url.replace("//", "//me:secret-word@")
    proxy = start_proxy(f"""
gemini-api-key: [{{api-key: k-gemini, base-url: "{address}", models: [m-gemini]}}]
openai-compatibility: [{{name: c, base-url: "{address}/v1", models: [m-chat]}}]
""")
    for model in ("m-gemini", "m-chat"):
        assert ask(proxy, model).status_code == 200
        assert sim.last.headers["authorization"] == "Basic bWU6c2VjcmV0LXdvcmQ="


def test_a_user_in_the_address_beside_a_logins_token_is_explained(sim, start_proxy, tmp_path):
    address = sim.url.replace("//", "//me:secret-word@")
    login = {"type": "kimi", "access_token": "t", "expired": "2099-01-01T00:00:00Z"}
    (tmp_path / "kimi.json").write_text(json.dumps(login | {"base_url": address}))
    proxy = start_proxy(f"auth-dir: {tmp_path}\n")
    answer = ask(proxy, "kimi-k2.5")
    assert answer.status_code == 502
    assert "holds a user and a password" in answer.text
    assert "secret-word" not in answer.text
    assert sim.requests == []


def test_credentials_go_where_each_api_wants_them(sim, start_proxy):
    proxy = start_proxy(f"""
openai-compatibility:
  - name: c
    base-url: "{sim.url}/v1"
    api-key-entries: [{{api-key: k-chat}}]
    models: [{{name: m-chat}}]
codex-api-key: [{{api-key: k-codex, base-url: "{sim.url}/v1", models: [{{name: m-codex}}]}}]
claude-api-key: [{{api-key: k-claude, base-url: "{sim.url}", models: [{{name: m-claude}}]}}]
gemini-api-key: [{{api-key: k-gemini, base-url: "{sim.url}", models: [{{name: m-gemini}}]}}]
""")
    for name in ("chat", "codex", "claude", "gemini"):
        assert ask(proxy, f"m-{name}").status_code == 200
        headers = sim.last.headers
        assert f"k-{name}" in str(headers.fields)
        assert headers["user-agent"].startswith("cliproxy/")
        assert "test-client-key" not in str(headers.fields) + sim.last.target
    assert "x-goog-api-key" in headers
    assert "anthropic-version" in sim.requests[2].headers


def test_headers_of_an_account_are_added_and_may_copy_the_clients(sim, start_proxy):
    proxy = start_proxy(f"""
openai-compatibility:
  - name: c
    base-url: "{sim.url}/v1"
    headers: {{X-Title: my tool, X-Trace: $x-request-tag}}
    api-key-entries: [{{api-key: k}}]
    models: [{{name: m}}]
""")
    ask(proxy, "m", {"x-request-tag": "t-7"})
    assert sim.last.headers["x-title"] == "my tool"
    assert sim.last.headers["x-trace"] == "t-7"
    ask(proxy, "m")
    assert "x-trace" not in sim.last.headers


def test_aliases_prefixes_and_exclusions(sim, start_proxy):
    proxy = start_proxy(f"""
gemini-api-key:
  - api-key: k
    base-url: "{sim.url}"
    prefix: team
    excluded-models: ["*-lite*"]
    models:
      - {{name: gemini-2.5-flash, alias: quick}}
      - {{name: gemini-2.5-flash-lite}}
""")
    listed = models(proxy)
    assert {"quick", "team/quick"} & listed
    assert not any("lite" in name for name in listed)
    assert ask(proxy, "team/quick").status_code == 200
    assert sim.last.model == "gemini-2.5-flash"
    refused = ask(proxy, "gemini-2.5-flash-lite")
    assert refused.status_code == 404
    assert "quick" in refused.json()["error"]["message"]


def test_a_thinking_suffix_of_the_client_or_of_the_configuration(sim, start_proxy):
    proxy = start_proxy(f"""
codex-api-key:
  - api-key: k
    base-url: "{sim.url}/v1"
    models: [{{name: gpt-5.5}}, {{name: gpt-5.5(high), alias: deep}}, {{name: "odd (one)"}}]
""")
    for asked, name, effort in (
        ("gpt-5.5", "gpt-5.5", None),
        ("gpt-5.5(low)", "gpt-5.5", "low"),
        ("deep", "gpt-5.5", "high"),
        ("deep(low)", "gpt-5.5", "high"),
        ("odd (one)", "odd (one)", None),
    ):
        assert ask(proxy, asked).status_code == 200
        assert sim.last.model == name
        assert sim.last.body.get("reasoning", {}).get("effort") == effort


def test_a_path_or_a_header_pins_the_provider(start_sim, start_proxy):
    one, two = start_sim(), start_sim()
    proxy = start_proxy(f"""
openai-compatibility:
  - {{name: one, base-url: "{one.url}/v1", api-key-entries: [{{api-key: k}}], models: [{{name: m}}]}}
  - {{name: two, base-url: "{two.url}/v1", api-key-entries: [{{api-key: k}}], models: [{{name: m}}]}}
""")
    for _ in range(3):
        assert ask(proxy, "m", {"x-cliproxy-provider": "two"}).status_code == 200
        path = "/api/provider/two/v1/chat/completions"
        assert post(proxy, path, {"model": "m", **CHAT}).status_code == 200
    assert len(two.requests) == 6
    assert one.requests == []
    unknown = ask(proxy, "m", {"x-cliproxy-provider": "three"})
    assert unknown.status_code == 400
    assert "three" in unknown.json()["error"]["message"]


@pytest.mark.parametrize("status", [401, 402, 403, 404, 429, 500, 503])
def test_another_account_takes_over_when_one_fails(start_sim, start_proxy, status):
    bad, good = start_sim(), start_sim()
    bad.script(*[Failure(status=status)] * 9)
    good.script(*[Answer("Here.")] * 9)
    proxy = start_proxy(f"""
openai-compatibility:
  - {{name: bad, base-url: "{bad.url}/v1", api-key-entries: [{{api-key: k}}], models: [{{name: m}}]}}
  - {{name: good, base-url: "{good.url}/v1", api-key-entries: [{{api-key: k}}], models: [{{name: m}}]}}
""")
    for _ in range(4):
        answer = ask(proxy, "m")
        assert answer.json()["choices"][0]["message"]["content"] == "Here."
    assert bad.requests


def test_a_request_at_fault_is_not_tried_elsewhere(start_sim, start_proxy):
    sims = start_sim(), start_sim()
    for sim in sims:
        sim.script(*[Failure(status=400, message="Bad moon")] * 3)
    proxy = start_proxy("openai-compatibility:" + "".join(f"""
  - name: n{number}
    base-url: "{sim.url}/v1"
    api-key-entries: [{{api-key: k}}]
    models: [{{name: m}}]
""" for number, sim in enumerate(sims)))  # fmt: skip
    assert ask(proxy, "m").status_code == 400
    assert sum(len(sim.requests) for sim in sims) == 1


def test_routing_headers_only_when_the_owner_wants_them(sim, start_proxy):
    text = f"""
openai-compatibility:
  - {{name: c, base-url: "{sim.url}/v1", api-key-entries: [{{api-key: k}}], models: [{{name: m}}]}}
"""
    quiet = ask(start_proxy(text), "m")
    assert "x-cliproxy-provider" not in quiet.headers
    shown = ask(start_proxy(text + "expose-routing-headers: true\n"), "m")
    assert shown.headers["x-cliproxy-attempts"] == "1"
    assert shown.headers["x-cliproxy-provider"]
    assert "k" != shown.headers["x-cliproxy-account"]

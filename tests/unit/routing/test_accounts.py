"""Configuration entries → accounts."""

from pathlib import Path

import pytest
from msgspec import structs

from cliproxy.account.model import Account, ModelRule, ThinkingRule
from cliproxy.app.runtime import Runtime
from cliproxy.config.load import load_text
from cliproxy.config.schema import Config
from cliproxy.routing.accounts import accounts_from_config, local_account


def accounts(text: str) -> list[Account]:
    return accounts_from_config(load_text(text, path=Path("config.yaml")).config)


def one(text: str) -> Account:
    (account,) = accounts(text)
    return account


def test_no_entry_is_no_account():
    assert accounts("") == []


@pytest.mark.parametrize(
    ("text", "provider", "label"),
    [
        ("gemini-api-key: [k]", "gemini", "gemini-apikey"),
        ("claude-api-key: [k]", "claude", "claude-apikey"),
        ("codex-api-key: [{api-key: k, base-url: 'http://h'}]", "codex", "codex-apikey"),
        (
            "openai-compatibility: [{name: ' Open Router ', base-url: 'http://h'}]",
            "openai-compatible-open router",
            "Open Router",
        ),
        ("providers: [{name: mine, type: gemini, key: k}]", "gemini", "mine"),
    ],
)
def test_each_list_has_its_provider(text, provider, label):
    account = one(text)
    assert (account.provider, account.label, account.kind) == (provider, label, "key")


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("claude-api-key: [k1, k2]", ["claude-apikey #1", "claude-apikey #2"]),
        (
            "claude-api-key: [{api-key: k1, disabled: true}, {api-key: k2}, {api-key: k3}]",
            ["claude-apikey #2", "claude-apikey #3"],
        ),
        ("claude-api-key: [k1]\ngemini-api-key: [k2]", ["gemini-apikey", "claude-apikey"]),
        (
            "providers: [{name: mine, type: gemini, key: k1}, {type: gemini, key: k2}]",
            ["mine", "gemini-apikey"],
        ),
        (
            """openai-compatibility:
  - {name: Router, base-url: 'http://h', api-key-entries: [{api-key: k1}, {api-key: k2}]}
""",
            ["Router #1", "Router #2"],
        ),
    ],
)
def test_keys_without_names_are_told_apart_by_their_place_in_the_list(text, labels):
    assert [account.label for account in accounts(text)] == labels


def test_every_setting_of_an_entry_reaches_the_account():
    account = one(
        "claude-api-key:\n"
        "  - api-key: ' k '\n    base-url: 'https://h/v1/'\n    proxy-url: direct\n"
        "    headers: {' X-A ': ' b ', X-Empty: '', ' ': c}\n    prefix: /team/\n    priority: 3\n"
        "    weight: 5\n    excluded-models: [' Claude-3-* ', claude-3-*, '', b]\n    name: mine\n"
        "    models:\n      - {name: ' up ', alias: ' nick ', display-name: Nick,\n"
        "         max-context-length: 7, thinking: {min: 1, max: 2, levels: [LOW]}}\n"
        "      - {name: ' '}\n"
    )
    assert account.secret.reveal() == "k"
    assert (account.base_url, account.proxy_url) == ("https://h/v1", "direct")
    assert account.headers == {"X-A": "b"}
    assert (account.prefix, account.priority, account.weight) == ("team", 3, 5)
    assert account.excluded == ("b", "claude-3-*")
    assert account.names == ("mine",)
    assert account.models == (
        ModelRule("up", "nick", "Nick", 7, thinking=ThinkingRule(1, 2, levels=("low",))),
    )


@pytest.mark.parametrize(
    ("prefix", "kept"), [("a", "a"), ("/a/", "a"), (" a ", "a"), ("a/b", ""), ("/", ""), ("", "")]
)
def test_a_prefix_has_no_slash(prefix, kept):
    assert one(f"claude-api-key: [{{api-key: k, prefix: '{prefix}'}}]").prefix == kept


HOST = "{name: Host, base-url: 'http://h/', weight: 1, "


def test_each_key_of_a_host_is_an_account():
    found = accounts(
        "openai-compatibility: [{name: Host, base-url: 'http://h/', prefix: p, priority: 2,"
        " headers: {A: b}, models: [m], excluded-models: [X],"
        " api-key-entries: [{api-key: a}, {api-key: b, proxy-url: direct, weight: 7}]}]"
    )
    assert [(a.secret.reveal(), a.proxy_url, a.weight) for a in found] == [
        ("a", None, 1),
        ("b", "direct", 7),
    ]
    for account in found:
        assert (account.base_url, account.prefix, account.priority) == ("http://h", "p", 2)
        assert (account.names, account.excluded, account.headers) == (("host",), ("x",), {"A": "b"})
        assert account.models == (ModelRule("m"),)


def test_a_host_without_keys_is_one_account_without_secret():
    account = one("openai-compatibility: [{name: h, base-url: 'http://h'}]")
    assert not account.secret


def test_a_disabled_host_is_no_account():
    assert accounts("openai-compatibility: [{name: h, base-url: 'http://h', disabled: yes}]") == []


BASE = {"api-key": "k"}


@pytest.mark.parametrize(
    ("extra", "same"),
    [
        ("priority: 3", True),
        ("weight: 3", True),
        ("models: [m]", True),
        ("name: other", True),
        ("base-url: 'http://h'", False),
        ("proxy-url: direct", False),
        ("prefix: p", False),
        ("headers: {A: b}", False),
    ],
)
def test_an_id_follows_what_identifies_the_account(extra, same):
    plain = one("claude-api-key: [{api-key: k}]")
    assert (one(f"claude-api-key: [{{api-key: k, {extra}}}]").id == plain.id) is same


def test_an_id_does_not_depend_on_its_place():
    first = {a.id for a in accounts("claude-api-key: [a, b]\ngemini-api-key: [a]")}
    second = {a.id for a in accounts("gemini-api-key: [a]\nclaude-api-key: [b, a]")}
    assert first == second
    assert len(first) == 3


def test_entries_with_the_same_identity_get_distinct_ids():
    found = accounts(
        "claude-api-key: [{api-key: k}, {api-key: k, models: [m]}, {api-key: k, weight: 2}]"
    )
    plain = one("claude-api-key: [k]").id
    assert [a.id for a in found] == [plain, f"{plain}-1", f"{plain}-2"]


def test_the_embedded_model_is_an_account_of_last_resort():
    account = local_account(Config())
    assert (account.kind, account.models[0].visible) == ("local", "local/smollm2")
    assert account.priority < 0
    config = structs.replace(
        Config(), local_model=structs.replace(Config().local_model, model="/m")
    )
    assert local_account(config).models[0].visible == "local/model"
    assert local_account(config).id != account.id


@pytest.mark.parametrize(("written", "first"), [(0, "aaaa"), (1, "abca"), (2, "aabb")])
def test_how_many_requests_an_account_may_run_comes_from_the_configuration(written, first):
    text = "local-model: {enable: false}\n"
    text += f"routing: {{strategy: fill-first, max-in-flight: {written}}}\nopenai-compatibility:\n"
    for name in "abc":
        text += f"  - {{name: {name}, base-url: 'http://h', models: [{{name: m}}]}}\n"
    gateway = Runtime(load_text(text, path=Path("c.yaml")).config).app.generation.gateway
    asked = ""
    for _ in range(4):
        candidate = gateway.pool.plan(gateway.registry.resolve("m"))[0]
        gateway.pool.begin(candidate)
        asked += candidate.account.label
    assert asked == first

"""What a credential file and the configuration say of an account, together."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from cliproxy import providers
from cliproxy.account.credential import Credential
from cliproxy.config.load import load_text
from cliproxy.routing.accounts import accounts_from_config, limits_from_config
from cliproxy.routing.logins import accounts_of
from cliproxy.routing.resolve import Registry


def config(text=""):
    loaded = load_text(text or "{}", path=Path("config.yaml"))
    return loaded.config


def login(name="claude-me.json", **fields):
    return Credential(name, {"type": "claude", "access_token": "t", "email": "me@x"} | fields)


def test_settings_of_the_file_are_the_accounts():
    (account,) = accounts_of(
        login(
            priority="7", weight=3, prefix="/team/", proxy_url="socks5://p:1", note="n",
            headers={"X-A": " a ", "X-Empty": ""}, excluded_models=["Claude-3-*", ""],
            base_url="https://gw/", unknown=1,
        ),
        config(),
    )  # fmt: skip
    assert (account.id, account.label, account.kind) == ("claude-me.json", "me@x", "oauth")
    assert (account.priority, account.weight, account.prefix) == (7, 3, "team")
    assert (account.proxy_url, account.base_url) == ("socks5://p:1", "https://gw")
    assert account.headers == {"X-A": "a"}
    assert account.excluded == ("claude-3-*",)
    assert account.token == "t"


def test_older_spellings_hold_and_the_newer_wins():
    (account,) = accounts_of(
        login(**{"proxy-url": "direct", "excluded-models": ["a"], "base-url": "https://old"}),
        config(),
    )
    assert (account.proxy_url, account.excluded, account.base_url) == (
        "direct", ("a",), "https://old",
    )  # fmt: skip
    (account,) = accounts_of(
        login(**{"proxy-url": "direct", "proxy_url": "http://new", "excluded-models": ["a"],
                 "excluded_models": ["b"]}),
        config(),
    )  # fmt: skip
    assert (account.proxy_url, account.excluded) == ("http://new", ("b",))


@pytest.mark.parametrize("weight", [0, -1, 1_000_001, "x", 1.5, True])
def test_a_weight_that_is_none_leaves_the_login_out(weight, caplog):
    assert accounts_of(login(weight=weight), config()) == []
    assert "claude-me.json" in caplog.text


@pytest.mark.parametrize("disabled", [True, "true"])
def test_disabled_logins_are_not_used(disabled):
    assert accounts_of(login(disabled=disabled), config()) == []


def test_unknown_types_are_not_used():
    assert accounts_of(login(type="something-new"), config()) == []


def test_one_login_in_several_projects_is_several_accounts():
    if not providers.known("gemini-cli"):
        pytest.skip("no such provider")
    google = login("gemini-me-all.json", type="gemini", project_id="p1, p 2,p1")
    first, second = accounts_of(google, config())
    assert (first.id, first.project) == ("gemini-me-all.json::p1", "p1")
    assert (second.id, second.project) == ("gemini-me-all.json::p_2", "p 2")
    assert first.credential is second.credential is google
    (only,) = accounts_of(google, config("quota-exceeded: {switch-project: false}"))
    assert (only.id, only.project) == ("gemini-me-all.json", "p1")


def test_one_user_in_three_workspaces_is_three_accounts():
    files = [login(f"codex-{i}-me@x-team.json", type="codex", account_id=str(i)) for i in range(3)]
    accounts = accounts_from_config(config(), files)
    assert len({a.id for a in accounts}) == 3


def names(registry):
    return [m.id for m in registry.list_models()]


def registry(text, *files):
    read = config(text)
    return Registry(accounts_from_config(read, files), read)


ALIAS = """
oauth-model-alias:
  Claude:
    - {name: claude-sonnet-4-5-20250929, alias: sonnet}
    - {name: claude-opus-4-1-20250805, alias: opus, fork: true, display-name: Opus}
    - {name: claude-opus-4-1-20250805, alias: opus2}
    - {name: x, alias: X}
    - {name: "", alias: y}
"""


def test_aliases_of_a_provider_rename_or_fork():
    found = registry(ALIAS, login())
    listed = names(found)
    assert "sonnet" in listed
    assert "claude-sonnet-4-5-20250929" not in listed
    assert {"opus", "opus2", "claude-opus-4-1-20250805"} <= set(listed)
    assert "y" not in listed
    (candidate,) = found.resolve("opus")
    assert candidate.upstream_model == "claude-opus-4-1-20250805"


def test_aliases_of_a_file_beat_those_of_its_provider():
    found = registry(
        ALIAS, login(model_aliases=[{"name": "claude-opus-4-1-20250805", "alias": "sonnet"}])
    )
    assert found.resolve("sonnet")[0].upstream_model == "claude-opus-4-1-20250805"


def test_aliases_are_not_for_keys():
    found = registry(f"{ALIAS}\nclaude-api-key: [{{api-key: k}}]")
    assert "sonnet" not in names(found)


def test_models_can_be_left_out_for_a_provider_or_a_file():
    found = registry(
        "oauth-excluded-models: {claude: ['*OPUS*']}", login(excluded_models=["*haiku*"])
    )
    listed = names(found)
    assert listed
    assert not [m for m in listed if "opus" in m or "haiku" in m]


def jwt(plan):
    told = {"https://api.openai.com/auth": {"chatgpt_plan_type": plan}}
    part = base64.urlsafe_b64encode(json.dumps(told).encode()).rstrip(b"=").decode()
    return f"e30.{part}.x"


def test_a_plan_decides_which_models_there_are():
    lists = {
        plan: set(names(registry("", login(type="codex", id_token=jwt(plan)))))
        for plan in ("free", "plus", "pro", "enterprise", "team", "brand-new")
    }
    assert lists["free"] < lists["pro"]
    assert lists["enterprise"] == lists["team"]
    assert lists["brand-new"] == lists["pro"]


def test_settings_about_failures_hold_per_login():
    read = config(
        "request-retry: 1\noauth-request-scoped-errors: {claude: [{status: 418, action: continue}]}"
    )
    limits = limits_from_config(
        read,
        [
            login("a.json", disable_cooling=True, request_retry=4),
            login("b.json", request_retry=-1),
            login("c.json", request_scoped_errors=[{"status": 419, "action": "stop"}]),
        ],
    )
    assert not limits.of("a.json").cooling
    assert limits.of("a.json").retries == 4
    assert (limits.of("b.json").cooling, limits.of("b.json").retries) == (True, 1)
    assert [e.status for e in limits.of("c.json").errors] == [419, 418]


def test_mirrors_hold_for_keys_and_logins_without_their_own():
    text = "endpoints: {claude: {api: 'https://gw.example/'}}\nclaude-api-key: [{api-key: k}]"
    read = config(text)
    key, file = accounts_from_config(read, [login()])
    assert (key.base_url, file.base_url) == ("https://gw.example", "https://gw.example")
    (own,) = accounts_of(login(base_url="https://mine"), read)
    assert own.base_url == "https://mine"
    assert accounts_from_config(config("claude-api-key: [{api-key: k}]"))[0].id == key.id


def test_previews_are_tried_where_the_owner_wants_it():
    text = """
gemini-api-key: [{api-key: k, models: [{name: m}, {name: m-preview-05-06}, {name: m-preview-06-05}]}]
quota-exceeded: {switch-preview-model: true}
"""
    found = registry(text)
    assert [s.model for s in found.instead_of("m")] == ["m-preview-06-05", "m-preview-05-06"]
    assert found.instead_of("m-preview-06-05") == []
    assert registry(text.replace("true", "false")).instead_of("m") == []


def test_a_forked_alias_of_a_key_keeps_the_models_own_name():
    models = "[{name: m, alias: a, fork: true}, {name: n, alias: b}]"
    found = registry(f"claude-api-key: [{{api-key: k, models: {models}}}]")
    assert names(found) == ["a", "m", "b"]
    assert found.resolve("m")[0].upstream_model == "m"

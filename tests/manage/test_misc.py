"""Everything else: catalogue, models, accounts, counters, version, plugins."""

from __future__ import annotations

import pytest

from cliproxy import __version__
from tests.manage.conftest import CLIENT_KEY
from tests.sim import Failure


def test_nobody_is_asked_for_the_version(managed):
    assert managed.get("/latest-version") == {"latest-version": f"v{__version__}"}
    assert managed.ask("GET", "/config").headers["x-cpa-version"] == f"v{__version__}"


def test_there_are_no_plugins(managed):
    told = {"plugins_enabled": False, "plugins_dir": "plugins", "plugins": []}
    assert managed.get("/plugins") == told


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/plugin-store"),
        ("POST", "/plugin-store/x/install?source=s&version=1"),
        ("DELETE", "/plugins/x"),
        ("PATCH", "/plugins/x/enabled"),
        ("GET", "/plugins/x/config"),
        ("PUT", "/plugins/x/config"),
        ("PATCH", "/plugins/x/config"),
        ("GET", "//v0/resource/plugins/x/index.html"),
    ],
)
@pytest.mark.parametrize("body", [None, {"enabled": True}, b"no json"])
def test_nothing_can_be_done_with_plugins(managed, method, path, body):
    answer = managed.ask(method, path, body)
    assert answer.status_code == 501
    assert answer.json() == {
        "error": "plugins_unsupported",
        "message": "This proxy has no plugins.",
    }


def test_pages_of_plugins_need_no_key_and_are_not_there_without_management(manage):
    path = "//v0/resource/plugins/x/index.html"
    managed = manage()
    assert managed.ask("GET", path, key=None).status_code == 501
    assert managed.ask("POST", path, {}, key=None).status_code == 405
    assert managed.ask("GET", "//v0/resource/plugin", key=None).status_code == 404
    assert manage(head="api-keys: [k]\n").ask("GET", path, key=None).status_code == 404


@pytest.mark.parametrize(
    "channel",
    ["claude", "gemini", "gemini-interactions", "vertex", "aistudio", "codex", "kimi",
     "antigravity", "xai", "x-ai", "grok", "gemini-cli", "qwen", "iflow", "Claude"],
)  # fmt: skip
def test_the_catalogue_of_a_channel(managed, channel):
    told = managed.get(f"/model-definitions/{channel}")
    assert told["channel"] == channel.lower()
    assert told["models"]
    for model in told["models"]:
        assert {"id", "object", "created", "owned_by", "type", "display_name"} <= set(model)


def test_an_unknown_channel_is_named(managed):
    answer = managed.ask("GET", "/model-definitions/foo")
    assert answer.status_code == 400
    assert answer.json() == {"error": "unknown channel", "channel": "foo"}
    assert managed.ask("GET", "/model-definitions").status_code == 404


def test_traffic_is_counted_by_key(manage, sim):
    managed = manage(f"""
openai-compatibility:
  - name: Sim
    base-url: "{sim.url}/v1"
    api-key-entries: [{{api-key: sk-sim}}]
    models: [{{name: m}}]
""")
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    sim.script(Failure(400, "bad moon"))
    for status in (400, 200, 200):
        answer = managed.ask("POST", "//v1/chat/completions", body, key=CLIENT_KEY)
        assert answer.status_code == status
    found = managed.get("/api-key-usage")["sim"][f"{sim.url}/v1|sk-sim"]
    assert (found["success"], found["failed"], len(found["recent_requests"])) == (2, 1, 20)
    assert sum(bucket["success"] for bucket in found["recent_requests"]) == 2
    assert set(found["recent_requests"][0]) == {"time", "success", "failed"}
    (account,) = [a for a in managed.get("/accounts")["accounts"] if a["label"] == "Sim"]
    assert (account["success"], account["failed"], account["running"]) == (2, 1, 0)
    assert "sk-sim" not in str(account)


def test_models_tell_who_serves_them(manage):
    managed = manage("claude-api-key: [{api-key: k, name: mine, models: [{name: a, alias: b}]}]\n")
    (model,) = [m for m in managed.get("/models")["models"] if m["id"] == "b"]
    (account,) = model["accounts"]
    assert (account["label"], account["provider"], account["model"]) == ("mine", "claude", "a")


def test_a_quota_is_asked_for_by_name(managed):
    assert managed.ask("GET", "/auth-files/quota").json() == {"error": "name is required"}
    assert managed.ask("GET", "/auth-files/quota?name=x.json").status_code == 404

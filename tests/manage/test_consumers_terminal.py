"""The terminal client `cli-anything-cliproxyapi` itself, against a running proxy."""

from __future__ import annotations

import json

import pytest

from tests.manage.conftest import CLIENT_KEY, KEY

tool = pytest.importorskip("cli_anything.cliproxyapi.cliproxyapi_cli")
testing = pytest.importorskip("click.testing")

OK = {"status": "ok"}
LOGIN = json.dumps({"type": "codex", "access_token": "x"})
ALIASES = json.dumps({"codex": [{"name": "gpt-5", "alias": "fast"}]})
STEPS = [
    ("server status", OK),
    ("config debug", False), ("config debug true", OK), ("config debug", True),
    ("config proxy-url", ""), ("config proxy-url direct", OK), ("config proxy-url", "direct"),
    ("config routing", "round-robin"), ("config routing fill-first", OK),
    ("config routing", "fill-first"),
    ("config retry 2", OK), ("config retry", 2),
    ("config max-retry-interval 7", OK), ("config max-retry-interval", 7),
    ("config force-model-prefix true", OK), ("config force-model-prefix", True),
    ("config force-model-prefix false", OK),
    ("config ws-auth false", OK), ("config ws-auth", False),
    ("config quota-switch-project false", OK), ("config quota-switch-project", False),
    ("config quota-switch-preview true", OK), ("config quota-switch-preview", True),
    ("auth upload up.json --content", LOGIN, OK),
    ("auth status up.json true", {**OK, "disabled": True}),
    ("auth status up.json false", {**OK, "disabled": False}),
    ("auth fields up.json --set note hello", OK), ("auth fields up.json --set priority 3", OK),
    ("auth delete up.json", OK), ("auth list", None), ("auth list --disabled", None),
    ("auth definitions codex", None), ("auth codex-quota", None),
    ("keys list", [CLIENT_KEY]), ("keys add k2", OK), ("keys list", [CLIENT_KEY, "k2"]),
    ("keys delete k2", OK), ("keys list", [CLIENT_KEY]),
    (f"keys set {CLIENT_KEY} k3", OK), ("keys list", [CLIENT_KEY, "k3"]),
    *((f"keys {kind} {rest}", OK) for kind in ("gemini", "claude", "codex", "vertex")
      for rest in ("add --api-key new --base-url http://127.0.0.1:9", "delete new")),
    ("keys gemini list", []), ("keys claude list", []), ("keys codex list", []),
    ("keys vertex list", []),
    ("keys openai-compat add --name n --base-url http://127.0.0.1:9 --api-key o", OK),
    ("keys openai-compat delete n", OK), ("keys openai-compat list", []),
    (f"models list --api-key {CLIENT_KEY}", None),
    ("models aliases --set", ALIASES, OK), ("models aliases --delete codex fast", OK),
    ("models aliases", {"oauth-model-alias": {}, "value": {}}),
    ("models excluded --set", '{"codex": ["a", "b"]}', OK),
    ("models excluded --delete codex a", OK),
    ("models excluded", {"oauth-excluded-models": {"codex": ["b"]}, "value": {"codex": ["b"]}}),
    ("usage stats", None), ("usage export", None),
    ("usage import", '{"version": 1, "usage": {"apis": {}}}', None),
    ("logs request true", OK), ("logs request", {"request-log": True, "value": True}),
    ("logs request false", OK), ("logs errors", {"files": []}),
    ("amp config", None), ("amp upstream-url http://127.0.0.1:9", OK),
    ("amp upstream-url", "http://127.0.0.1:9"), ("amp upstream-url --delete", OK),
    ("amp upstream-api-key k", OK), ("amp upstream-api-key --delete", OK),
    ("amp model-mappings --set", '[{"from": "a", "to": "b"}]', OK),
    ("amp model-mappings --add", '{"from": "c", "to": "d"}', OK),
    ("amp model-mappings --delete a", OK),
    ("amp model-mappings", [{"from": "c", "to": "d"}]),
    ("amp force-model-mappings true", OK), ("amp force-model-mappings", True),
    ("oauth login anthropic", None), ("oauth login codex --no-browser", None),
    ("oauth status none", {"status": "error", "error": "unknown or expired state"}),
    ("config get", None),
]  # fmt: skip


def test_its_commands_do_what_they_say(managed, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    runner = testing.CliRunner()
    for step in STEPS:
        command, *rest = step
        words = command.split() + rest[:-1]
        given = ["--url", managed.proxy.url, "--key", KEY, "--json", *words]
        done = runner.invoke(tool.main, given)
        assert done.exit_code == 0, (words, done.output)
        if rest[-1] is not None:
            assert json.loads(done.output) == rest[-1], words
    yaml = managed.text.replace("debug: true", "debug: false")
    done = runner.invoke(
        tool.main, ["--url", managed.proxy.url, "--key", KEY, "--json", "config", "set-yaml", yaml]
    )
    assert (done.exit_code, managed.get("/config")["debug"]) == (0, False)

"""The commands that only read the configuration, run as a user runs them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from cliproxy.app.snippets import CLIENTS, snippet, snippets

CONFIG = """
port: 9321
api-keys: [sk-mine]
gemini-api-key: [{api-key: g, models: [{name: gemini-2.5-flash, alias: quick}]}]
openai-compatibility:
  - {name: o, base-url: "http://h/v1", api-key-entries: [{api-key: k}], models: [{name: big}]}
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG)

    def command(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "cliproxy", *arguments],
            cwd=tmp_path,
            env={"HOME": str(tmp_path), "PATH": ""},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return command


def test_models_are_listed_for_people_and_for_programs(run):
    table = run("models")
    assert table.returncode == 0, table.stderr
    assert table.stdout.splitlines()[0].split() == [
        "MODEL", "OWNER", "CONTEXT", "OUTPUT", "THINKS",
    ]  # fmt: skip
    assert "quick" in table.stdout
    assert "big" in table.stdout
    entries = json.loads(run("models", "--json").stdout)
    assert {entry["id"] for entry in entries} == {"quick", "big"}


def test_connect_fills_in_url_key_and_model(run):
    told = run("connect", "claude-code", "--model", "big")
    assert told.returncode == 0, told.stderr
    assert "ANTHROPIC_BASE_URL=http://127.0.0.1:9321 ANTHROPIC_AUTH_TOKEN=sk-mine" in told.stdout
    assert "ANTHROPIC_MODEL=big" in told.stdout
    far = run("connect", "codex", "--url", "https://gate.example/")
    assert 'base_url = "https://gate.example/v1"' in far.stdout


def test_an_unknown_client_is_answered_with_those_there_are(run):
    told = run("connect", "netscape")
    assert told.returncode == 1
    assert "claude-code" in told.stderr
    assert "Traceback" not in told.stderr


def test_without_a_configuration_the_cure_is_named(tmp_path, run):
    (tmp_path / "config.yaml").unlink()
    told = run("models")
    assert told.returncode == 1
    assert "cliproxy serve" in told.stderr


def test_one_dash_is_enough(run):
    assert run("models", "-json").returncode == 0


def test_every_clients_lines_hold_what_they_need():
    for client in CLIENTS:
        text = snippet(client, "http://b", "KEY", "MODEL")
        assert "http://b" in text
        assert "KEY" in text
        assert "MODEL" in text
        assert "{" not in text or client not in ("claude-code", "gemini-cli", "qwen-code", "aider")
    everything = snippets("http://b", "KEY", "MODEL")
    assert "Claude Code\n  ANTHROPIC_BASE_URL=http://b" in everything


def test_explain_shows_the_upstream_request_without_its_secrets(run, tmp_path):
    (tmp_path / "config.yaml").write_text("""
claude-api-key:
  - {api-key: sk-ant-very-secret-key-0001, base-url: "http://one", models: [{name: claude-x}]}
openai-compatibility:
  - name: o
    base-url: "http://two/v1"
    api-key-entries: [{api-key: sk-other-secret-key-0002}]
    models: [{name: big, alias: claude-x}]
""")
    (tmp_path / "body.json").write_text(
        '{"max_tokens": 9, "inference_geo": "us", "messages": [{"role": "user", "content": "Hi"}]}'
    )
    told = run("explain", "claude-x", "--from", "anthropic", "--body", "body.json")
    assert told.returncode == 0, told.stderr
    assert "secret-key" not in told.stdout
    assert "verbatim: POST http://one/v1/messages" in told.stdout
    assert "POST http://two/v1/chat/completions" in told.stdout
    assert "lost: inference_geo" in told.stdout
    choices = json.loads(run("explain", "claude-x", "--from", "anthropic", "--json").stdout)
    assert [choice["fidelity"] for choice in choices] == ["verbatim", "exact"]
    assert choices[1]["body"]["model"] == "big"


@pytest.mark.parametrize("dialect", ["openai-chat", "anthropic"])
def test_explain_shows_the_request_as_the_payload_rules_leave_it(run, tmp_path, dialect):
    (tmp_path / "config.yaml").write_text("""
claude-api-key:
  - {api-key: k, base-url: "http://one", models: [{name: claude-x}]}
payload:
  default: [{models: [claude-x], params: {top_k: 3, max_tokens: 1}}]
  override: [{models: [{protocol: claude}], params: {metadata.user_id: me}}]
  filter: [{models: [{from-protocol: openai}], params: [top_k]}]
""")
    (body,) = [
        choice["body"]
        for choice in json.loads(run("explain", "claude-x", "--from", dialect, "--json").stdout)
    ]
    assert body["metadata"] == {"user_id": "me"}
    assert body["max_tokens"] > 1
    assert body.get("top_k") == (None if dialect == "openai-chat" else 3)


def test_explain_says_why_a_request_would_be_refused(run):
    told = run("explain", "none-such")
    assert told.returncode == 1
    assert "404" in told.stderr
    assert "quick" in told.stderr
    assert "no dialect" in run("explain", "big", "--from", "latin").stderr

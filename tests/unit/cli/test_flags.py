"""CLIProxyAPI's flags mean what they mean there."""

from __future__ import annotations

import pytest

from cliproxy.cli.flags import translated
from cliproxy.cli.main import _double_dashes

CASES = [
    ("-claude-login", "login claude"),
    ("--claude-login", "login claude"),
    ("-codex-login -no-browser", "login codex --no-browser"),
    ("-codex-device-login", "login codex --device"),
    ("-config c.yaml -login -project_id p1", "login gemini --config c.yaml --project p1"),
    ("-login -project_id=ALL", "login gemini --project ALL"),
    ("-antigravity-login -oauth-callback-port 9", "login antigravity --callback-port 9"),
    ("-qwen-login", "login qwen"),
    ("-iflow-login", "login iflow"),
    ("-iflow-cookie", "login iflow --cookie"),
    ("-kimi-login", "login kimi"),
    ("-xai-login", "login xai"),
    ("-vertex-import k.json", "login vertex k.json"),
    ("-vertex-import k.json -vertex-import-prefix v", "login vertex k.json --prefix v"),
    ("-vertex-import k.json -claude-login", "login vertex k.json"),
    ("-claude-login -codex-login", "login codex"),
    ("-config c.yaml", "--config c.yaml"),
    ("-config=c.yaml -local-model", "--config c.yaml"),
    ("serve --config c.yaml", "serve --config c.yaml"),
    ("login claude --no-browser", "login claude --no-browser"),
    ("-no-browser", ""),
    ("", ""),
    ("--help", "--help"),
]


@pytest.mark.parametrize(("given", "wanted"), CASES, ids=[c[0] or "none" for c in CASES])
def test_the_flags_become_our_commands(given, wanted):
    assert translated(_double_dashes(given.split())) == wanted.split()

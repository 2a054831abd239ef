"""The doctor finds what is wrong and says how to cure it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from tests.clock import FakeClock
from tests.files import Files

from cliproxy.app.doctor import examine
from cliproxy.config.load import load

pytestmark = pytest.mark.anyio
KEY = "api-keys: [a-long-enough-client-key]\n"


@pytest.fixture
def found(tmp_path):
    async def look(text, mode=0o600, clock=None):
        path = tmp_path / "config.yaml"
        path.write_text(text)
        path.chmod(mode)
        loaded = load(path)
        findings = await (examine(loaded, path, clock=clock) if clock else examine(loaded, path))
        return [(f.level, f.what, f.cure) for f in findings]

    return look


def account(sim, name="o", model="m", alias=""):
    alias = f", alias: {alias}" if alias else ""
    return f"""  - name: {name}
    base-url: "{sim.url}/v1"
    models: [{{name: {model}{alias}}}]
"""


def told(findings, level):
    return " ".join(what for found, what, _ in findings if found == level)


async def test_a_good_set_up_has_nothing_wrong(sim, found):
    findings = await found(KEY + "openai-compatibility:\n" + account(sim))
    assert not told(findings, "error")
    assert not told(findings, "warning")
    assert "answers" in told(findings, "ok")


async def test_a_file_that_others_can_read_is_told(sim, found):
    findings = await found(KEY + "openai-compatibility:\n" + account(sim), mode=0o644)
    assert "read by others" in told(findings, "warning")
    assert any("chmod 600" in cure for *_, cure in findings)


async def test_a_host_that_is_not_there_is_told(found):
    text = (
        "openai-compatibility: [{name: o, base-url: 'http://127.0.0.1:9', models: [{name: m}]}]\n"
    )
    findings = await found(KEY + text)
    assert "127.0.0.1:9" in told(findings, "error")


async def test_a_wrong_clock_is_told(found):
    with Files() as host:
        findings = await found(KEY + "openai-compatibility:\n" + account(host), clock=FakeClock())
    assert "clock" in told(findings, "warning")


async def test_names_that_mean_different_models_are_told(sim, found):
    text = (
        KEY
        + "openai-compatibility:\n"
        + account(sim, "one", "big", "nick")
        + account(sim, "two", "small", "nick")
    )
    findings = await found(text)
    assert "nick means different models" in told(findings, "note")


@pytest.mark.parametrize(
    ("text", "level", "word"),
    [
        ("", "note", "no client keys"),
        ("api-keys: [short]\n", "warning", "guessed"),
        (KEY + "host: 0.0.0.0\n", "warning", "without encryption"),
        (KEY + "local-model: {enable: false}\n", "error", "no account"),
        (KEY + "unknown-key: 1\n", "warning", "unknown-key"),
    ],
)
async def test_each_trouble_has_its_word(found, text, level, word):
    assert word in told(await found(text), level)


def test_the_command_ends_with_status_one_when_something_is_wrong(tmp_path):
    (tmp_path / "config.yaml").write_text(KEY + "local-model: {enable: false}\n")
    done = subprocess.run(
        [sys.executable, "-m", "cliproxy", "doctor", "--json"],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1, done.stderr
    assert any(finding["level"] == "error" for finding in json.loads(done.stdout))

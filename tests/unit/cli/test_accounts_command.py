"""`cliproxy accounts`, run as a user runs it: over the files, and over a running proxy."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from tests.proxy import KEY, Proxy
from tests.server.raw import post, request
from tests.sim import Failure

MANAGEMENT = "management-key-0123456789"
LOGIN = {"type": "claude", "email": "me@example.com", "access_token": "at-secret",
         "refresh_token": "rt-secret", "expired": "2099-01-01T00:00:00Z"}  # fmt: skip


@pytest.fixture
def world(tmp_path, sim):
    """A configuration with a key, and a folder with logins that are used and that are not."""
    auth = tmp_path / "auth"
    auth.mkdir()
    for name, more in (
        ("good.json", {}), ("off.json", {"disabled": True}), ("odd.json", {"type": "netscape"}),
    ):  # fmt: skip
        (auth / name).write_text(json.dumps({**LOGIN, **more}))
    config = f"""\
port: 1
auth-dir: "{auth}"
api-keys: [{KEY}]
remote-management: {{secret-key: {MANAGEMENT}}}
openai-compatibility:
  - name: Sim
    base-url: "{sim.url}/v1"
    api-key-entries: [{{api-key: sk-secret-0123456789}}]
    models: [{{name: m}}]
"""
    (tmp_path / "config.yaml").write_text(config)
    return config


@pytest.fixture
def run(tmp_path):
    def command(*arguments, **environment):
        return subprocess.run(
            [sys.executable, "-m", "cliproxy", "accounts", *arguments],
            cwd=tmp_path,
            env={"HOME": str(tmp_path), "PATH": "", **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return command


STATES = {"good.json": "ok", "off.json": "disabled", "odd.json": "not used"}


def states(told):
    assert told.returncode == 0, told.stderr
    rows = json.loads(told.stdout)
    assert "secret" not in told.stdout
    assert [row["state"] for row in rows if row["label"] == "Sim"] == ["ok"]
    return {row["id"]: row["state"] for row in rows if row["label"] == "me@example.com"}


def test_the_files_are_read_when_no_proxy_runs(world, run):
    assert states(run("--json")) == STATES
    assert states(run("--json", MANAGEMENT_PASSWORD="k")) == STATES
    table = run().stdout
    assert "disabled" in table
    assert "2099-01-01 00:00 UTC" in table


def test_a_running_proxy_tells_the_same_and_who_rests(world, run, sim):
    with Proxy(world) as proxy:
        where = ("--url", proxy.url, "--key", MANAGEMENT)
        assert states(run(*where, "--json")) == STATES
        sim.script(Failure(429, "slow down", headers={"retry-after": "1000"}))
        post(proxy, *request("openai-chat", "m"))
        (row,) = (r for r in json.loads(run(*where, "--json").stdout) if r["label"] == "Sim")
        assert row["cooldown"]["reason"] == "rate_limit"
        assert "rests (rate_limit) until 2" in run(*where).stdout


def test_a_wrong_key_is_one_sentence(world, run):
    with Proxy(world) as proxy:
        told = run("--url", proxy.url, "--key", "wrong")
    assert told.returncode == 1
    assert "refused the management key" in told.stderr
    assert "Traceback" not in told.stderr

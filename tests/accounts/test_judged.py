"""Refusals that mean something else than their status says, through the whole proxy."""

from __future__ import annotations

import json
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest

from cliproxy.account.credential import written
from tests.accounts.suite import Running
from tests.proxy import Proxy
from tests.sim.accounts_devices import KimiServer, QwenServer, XAIServer
from tests.sim.script import Failure


@pytest.fixture
def run():
    """Start a proxy with one account of a provider."""
    open_ones = []

    def start(kind) -> Running:
        servers = kind()
        servers.__enter__()
        folder = tempfile.TemporaryDirectory()
        fields = servers.file(0) | {
            "expired": written(time.time() + 3600),
            "last_refresh": written(time.time()),
        }
        (Path(folder.name) / "one.json").write_text(json.dumps(fields))
        proxy = Proxy(f"auth-dir: {folder.name}\n{servers.config()}")
        proxy.__enter__()
        open_ones.append((proxy, servers, folder))
        return Running(servers, Path(folder.name), proxy)

    yield start
    for proxy, servers, folder in open_ones:
        proxy.__exit__(None, None, None)
        servers.__exit__(None, None, None)
        folder.cleanup()


def test_qwens_used_up_quota_is_a_limit(run):
    running = run(QwenServer)
    running.provider.upstream.script(running.provider.used_up())
    status, _, body = running.refused()
    assert status == 429
    assert "2026-04-15" in json.dumps(body)
    status, headers, _ = running.refused()
    assert status == 429
    assert int(headers["retry-after"]) > 0


def test_xais_free_usage_is_a_long_limit(run):
    running = run(XAIServer)
    running.provider.upstream.script(
        Failure(429, "included free usage", code="free-usage-exhausted")
    )
    running.refused()
    status, headers, _ = running.refused()
    assert status == 429
    assert int(headers["retry-after"]) > 40_000


def test_a_token_that_xai_no_longer_knows_is_renewed(run):
    running = run(XAIServer)
    running.provider.upstream.script(
        Failure(403, "The access token could not be validated", code="bad-credentials")
    )
    assert running.ask().text == "You said: Hello?"
    assert running.provider.refreshes == 1


def test_kimi_is_asked_by_its_own_name_of_a_model_and_answers_by_the_clients(run):
    running = run(KimiServer)
    body = {"model": "kimi-k2.5", "messages": [{"role": "user", "content": "Hi"}]}
    request = urllib.request.Request(
        f"{running.proxy.url}/v1/chat/completions",
        json.dumps(body).encode(),
        {"authorization": f"Bearer {running.proxy.key}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert json.loads(answer.read())["model"] == "kimi-k2.5"
    assert running.provider.upstream.last.model == "k2.5"

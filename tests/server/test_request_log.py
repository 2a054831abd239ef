"""One file tells what came, what went on, what came back, and what the client got."""

from __future__ import annotations

import json

import pytest

from tests.clients.upstreams import config
from tests.proxy import KEY
from tests.server.raw import post, request
from tests.sim import Answer, Failure

UPSTREAM_KEY = "claude-upstream-key-0123456789"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("WRITABLE_PATH", str(tmp_path))
    return tmp_path / "logs"


def start(sim, start_proxy, settings):
    entry = f"""
claude-api-key:
  - {{api-key: {UPSTREAM_KEY}, base-url: "{sim.url}", models: [{{name: m}}]}}
disable-cooling: true
"""
    return start_proxy(entry + settings)


def logged(proxy, folder):
    """Return the files there are once the proxy is done with its last request."""
    proxy.settle()
    return sorted(path for path in folder.glob("*.log") if path.name != "main.log")


def sections(path):
    found, name = {}, ""
    for line in path.read_text().split("\n"):
        if line.startswith("=== "):
            name = line.strip("= ")
        found.setdefault(name, []).append(line)
    return {name: "\n".join(lines) for name, lines in found.items()}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("client", ["anthropic", "openai-chat"])
def test_a_request_is_told_from_end_to_end(sim, start_proxy, folder, client, stream):
    proxy = start(sim, start_proxy, "request-log: true")
    sim.script(Answer("The answer."))
    path, body = request(client, "m", stream=stream)
    answer = post(proxy, path, body)
    (file,) = logged(proxy, folder)
    told = sections(file)
    name = path.strip("/").replace("/", "-")
    assert file.name.startswith(name)
    assert file.name.endswith(f"{answer.headers['x-cliproxy-request-id']}.log")
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.dumps(body) in told["REQUEST BODY"]
    assert f"{sim.url}/v1/messages" in told["API REQUEST 1"]
    assert '"Hi"' in told["API REQUEST 1"]
    assert "The answer." in told["API RESPONSE 1"]
    assert "The answer." in told["RESPONSE"]
    assert "Status: 200" in told["RESPONSE"]
    assert KEY not in file.read_text()
    assert UPSTREAM_KEY not in file.read_text()


def test_every_attempt_is_told(start_sim, start_proxy, folder):
    first, second = start_sim(), start_sim()
    first.script(Failure(500, "broken moon"))
    proxy = start_proxy(f"""
request-log: true
openai-compatibility:
  - {{name: a, base-url: "{first.url}/v1", models: [{{name: m}}], priority: 2}}
  - {{name: b, base-url: "{second.url}/v1", models: [{{name: m}}]}}
""")
    assert post(proxy, *request("openai-chat", "m")).status_code == 200
    (file,) = logged(proxy, folder)
    told = sections(file)
    assert "broken moon" in told["API RESPONSE 1"]
    assert second.url in told["API REQUEST 2"]


def test_a_call_that_is_made_again_without_what_was_refused_is_told_twice(sim, start_proxy, folder):
    proxy = start(sim, start_proxy, "request-log: true")
    sim.script(Failure(400, "The long context beta is not for you."), Answer("The answer."))
    flags = {"anthropic-beta": "context-1m-2025-08-07"}
    answer = post(proxy, *request("anthropic", "m"), flags)
    assert (answer.status_code, answer.headers["x-cliproxy-dropped"]) == (200, "anthropic-beta")
    (file,) = logged(proxy, folder)
    told = sections(file)
    assert "context-1m-2025-08-07" in told["API REQUEST 1"]
    assert "The long context beta is not for you." in told["API RESPONSE 1"]
    assert "context-1m-2025-08-07" not in told["API REQUEST 2"]
    assert "The answer." in told["API RESPONSE 2"]


class TestOnlyErrors:
    """With logs in files, but not of every request."""

    def test_a_failure_is_told(self, sim, start_proxy, folder):
        proxy = start(sim, start_proxy, "logging-to-file: true")
        sim.script(Failure(400, "bad moon"))
        post(proxy, *request("anthropic", "m"))
        (file,) = logged(proxy, folder)
        assert file.name.startswith("error-v1-messages-")
        assert "bad moon" in file.read_text()

    def test_a_success_is_not(self, sim, start_proxy, folder):
        proxy = start(sim, start_proxy, "logging-to-file: true")
        post(proxy, *request("anthropic", "m"))
        assert logged(proxy, folder) == []

    def test_the_newest_are_kept(self, sim, start_proxy, folder):
        proxy = start(sim, start_proxy, "logging-to-file: true\nerror-logs-max-files: 2")
        for _ in range(4):
            post(proxy, "/v1/messages", b"{")
        assert len(logged(proxy, folder)) == 2


@pytest.mark.parametrize("settings", ["", "request-log: true\ncommercial-mode: true"])
def test_nothing_is_written_unless_it_is_wanted(sim, start_proxy, folder, settings):
    proxy = start_proxy(config(sim, settings))
    post(proxy, "/v1/messages", b"{")
    assert not folder.exists()

"""`cliproxy usage`, run as a user runs it: over a file, and over a server."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from tests.unit.usage.rows import record, store_at


@pytest.fixture
def run(tmp_path):
    (tmp_path / "config.yaml").write_text(f'port: 1\nauth-dir: "{tmp_path}"\n')

    def command(*arguments, **environment):
        return subprocess.run(
            [sys.executable, "-m", "cliproxy", "usage", *arguments],
            cwd=tmp_path,
            env={"HOME": str(tmp_path), "PATH": "", **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return command


def test_without_a_file_nothing_was_used(run):
    told = run()
    assert (told.returncode, told.stdout) == (0, "Nothing was used.\n")


def test_the_file_is_read_when_no_server_runs(run, tmp_path):
    store = store_at(tmp_path / "usage.db")
    store.add(record(1))
    store.add(record(2, served="unheard-of"))
    store.close()
    for environment in ({}, {"MANAGEMENT_PASSWORD": "k"}):
        told = run(**environment)
        assert told.returncode == 0, told.stderr
        assert "claude-sonnet-4-5-20250929" in told.stdout
        assert "1 of the requests have no known price" in told.stdout
    accounts = json.loads(run("--by", "account,day", "--json").stdout)
    assert [row["source"] for row in accounts["rows"]] == ["me@example.com"]
    assert accounts["total"]["tokens"]["total"] == 300
    assert run("--days", "1").stdout == "Nothing was used.\n"


@pytest.mark.parametrize("arguments", [["--by", "colour"], ["--since", "x"], ["--url", "ftp://x"]])
def test_a_bad_question_is_one_sentence(run, arguments):
    told = run(*arguments)
    assert told.returncode == 1
    assert told.stderr.startswith("cliproxy: ")
    assert "Traceback" not in told.stderr


class Answering(BaseHTTPRequestHandler):
    asked: list[tuple[str, str]] = []

    def do_GET(self):
        self.asked.append((self.path, self.headers.get("authorization", "")))
        good = self.headers["authorization"] == "Bearer right"
        body = b'{"by":["day"],"rows":[],"total":{"requests":0}}' if good else b'{"error":"no"}'
        self.send_response(200 if good else 401)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    Answering.asked = []
    with HTTPServer(("127.0.0.1", 0), Answering) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()
        thread.join()


def test_a_server_is_asked_with_the_key(run, server):
    told = run("--url", server, "--by", "day", "--since", "2026-01-02", MANAGEMENT_PASSWORD="right")
    assert told.returncode == 0, told.stderr
    ((path, _),) = Answering.asked
    assert path == "/v0/management/usage/summary?by=day&from=2026-01-02&to="
    assert run("--url", server, "--key", "right", "--json").returncode == 0
    refused = run("--url", server, "--key", "wrong")
    assert refused.returncode == 1
    assert "management key" in refused.stderr


def test_a_server_that_is_not_there_is_told(run):
    told = run("--url", "http://127.0.0.1:1", "--key", "k")
    assert told.returncode == 1
    assert "There is no proxy at http://127.0.0.1:1" in told.stderr

"""Requests in the name of an account go to its provider, and nowhere else."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

FAR = "2099-01-01T00:00:00Z"


@pytest.fixture
def upstream():
    """A server that tells what it was sent; `/to?u=` redirects."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            size = int(self.headers.get("content-length") or 0)
            seen.append((self.command, self.path, dict(self.headers), self.rfile.read(size)))
            if self.path.startswith("/to?u="):
                self.send_response(302)
                self.send_header("location", self.path[6:])
                self.end_headers()
                return
            body = b'{"limit": 7}'
            self.send_response(418)
            self.send_header("content-type", "application/json")
            self.send_header("set-cookie", "a=1")
            self.send_header("set-cookie", "b=2")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    server.url = f"http://127.0.0.1:{server.server_port}"
    server.seen = seen
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def owner(manage, upstream):
    """A proxy with one login and one key at the upstream; returns it and both indexes."""
    managed = manage(
        f"endpoints: {{claude: {{api: '{upstream.url}'}}}}\n"
        f"claude-api-key: [{{api-key: sk-key, base-url: '{upstream.url}'}}]\n"
    )
    fields = {"type": "claude", "access_token": "at-secret", "expired": FAR}
    managed.ask("POST", "/auth-files?name=claude-me.json", fields)
    (file,) = managed.get("/auth-files")["files"]
    (entry,) = managed.get("/claude-api-key")["claude-api-key"]
    return managed, file["auth_index"], entry["auth-index"]


def call(managed, url, index=None, header=None, **more):
    body = {"method": "get", "url": url, "header": header or {}, **more}
    if index is not None:
        body["auth_index"] = index
    return managed.ask("POST", "/api-call", body)


WITH_TOKEN = {"Authorization": "Bearer $TOKEN$"}


@pytest.mark.parametrize("key", ["auth_index", "authIndex", "AuthIndex"])
def test_the_token_goes_where_it_belongs(owner, upstream, key):
    managed, index, _ = owner
    answer = call(managed, f"{upstream.url}/usage?x=1", header=WITH_TOKEN, **{key: index})
    told = answer.json()
    assert (answer.status_code, told["status_code"]) == (200, 418)
    assert json.loads(told["body"]) == {"limit": 7}
    assert told["header"]["Content-Type"] == ["application/json"]
    assert told["header"]["Set-Cookie"] == ["a=1", "b=2"]
    (_, path, headers, _) = upstream.seen[0]
    assert (path, headers["Authorization"]) == ("/usage?x=1", "Bearer at-secret")


def test_a_key_of_the_configuration_is_a_token_too(owner, upstream):
    managed, _, index = owner
    call(managed, upstream.url, index, {"x-api-key": "$TOKEN$"}, method="POST", data="body")
    (method, _, headers, body) = upstream.seen[0]
    assert (method, headers["x-api-key"], body) == ("POST", "sk-key", b"body")


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "https://api.anthropic.com.evil.example/",
        "https://evil.example/#api.anthropic.com",
        "https://api.anthropic.com@evil.example/",
        "http://api.anthropic.com/",
        "https://chatgpt.com/backend-api/wham/usage",
    ],
)
def test_a_token_goes_nowhere_else(owner, upstream, url):
    managed, index, _ = owner
    answer = call(managed, url, index, WITH_TOKEN)
    assert (answer.status_code, answer.json()["error"]) == (403, "url not allowed")
    assert "at-secret" not in answer.text
    assert upstream.seen == []


def test_a_key_for_an_owners_host_does_not_go_to_the_vendor(owner):
    managed, _, index = owner
    answer = call(managed, "https://api.anthropic.com/v1/models", index, {"x-api-key": "$TOKEN$"})
    assert answer.status_code == 403


def test_a_redirect_takes_no_token_elsewhere(owner, upstream):
    managed, index, _ = owner
    told = call(managed, f"{upstream.url}/to?u=https://evil.example/", index, WITH_TOKEN).json()
    assert told["status_code"] == 302
    assert len(upstream.seen) == 1


def test_for_an_unknown_account_the_word_stays_a_word(owner, upstream):
    managed, _, _ = owner
    call(managed, upstream.url, "0000000000000000", WITH_TOKEN)
    assert upstream.seen[0][2]["Authorization"] == "Bearer $TOKEN$"


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/", "http://169.254.169.254/latest/meta-data/", "http://[::1]/",
     "http://10.0.0.1/", "http://0.0.0.0/"],
)  # fmt: skip
def test_nobody_reaches_into_the_network(managed, url):
    answer = call(managed, url)
    assert (answer.status_code, answer.json()["error"]) == (502, "request failed")
    assert "private network" in answer.json()["message"]


def test_nobody_is_led_into_the_network(owner, upstream):
    managed, _, _ = owner
    answer = call(managed, f"{upstream.url}/to?u=http://10.0.0.1/")
    assert answer.status_code == 502


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"{", "invalid body"),
        ({"url": "https://x"}, "missing method"),
        ({"method": "GET"}, "missing url"),
        ({"method": "GET", "url": "ftp://x/"}, "invalid url"),
        ({"method": "GET", "url": "//x/"}, "invalid url"),
        ({"method": "GET", "url": "https://x:99999/"}, "invalid url"),
        ({"method": "GET", "url": "https://x/", "proxy_url": "gopher://x"}, "invalid proxy_url"),
        ({"method": "BREW", "url": "https://x/"}, "failed to build request"),
        ({"method": "GET", "url": "https://x/", "header": {"a\nb": "c"}},
         "failed to build request"),
        ({"method": "GET", "url": "https://x/", "header": {"a": "b\r\nc: d"}},
         "failed to build request"),
        ({"method": "GET", "url": "https://x/", "header": {"a": 1}}, "invalid body"),
        ({"method": "GET", "url": "https://x/", "data": 1}, "invalid body"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(managed, body, error):
    answer = managed.ask("POST", "/api-call", body)
    assert (answer.status_code, answer.json()) == (400, {"error": error})


def test_an_account_without_a_token_is_told(managed):
    managed.ask("POST", "/auth-files?name=claude-me.json", {"type": "claude"})
    (file,) = managed.get("/auth-files")["files"]
    answer = call(managed, "https://api.anthropic.com/", file["auth_index"], WITH_TOKEN)
    assert (answer.status_code, answer.json()) == (400, {"error": "auth token not found"})

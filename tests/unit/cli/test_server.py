"""What somebody is told who asks a proxy from the command line and is not answered."""

from __future__ import annotations

import json
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import trustme

from cliproxy.base.errors import ConfigError
from cliproxy.cli.server import NoServer, ask, key_or_environment


@contextmanager
def serving(answers, context=None):
    """Serve answers by the last part of the path: status, body and headers."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append((self.path, self.headers["authorization"]))
            status, body, headers = answers.get(self.path.rpartition("/")[2], (404, "", {}))
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        scheme = "http" if context is None else "https"
        try:
            yield f"{scheme}://127.0.0.1:{server.server_port}", seen
        finally:
            server.shutdown()
            thread.join()


def told(url, key="k", path="accounts", **more):
    with pytest.raises(ConfigError) as caught:
        ask(url, key, path, holding="accounts", **more)
    return str(caught.value)


GOOD = (200, '{"accounts": []}', {})


@pytest.mark.parametrize("behind", ["", "/", "/v0/management", "/management.html#/accounts"])
def test_any_address_of_a_proxy_will_do(behind):
    with serving({"accounts": GOOD}) as (url, seen):
        assert ask(url + behind, "k", "accounts", holding="accounts") == {"accounts": []}
    assert seen == [("/v0/management/accounts", "Bearer k")]


def test_a_key_may_be_of_any_letters():
    with serving({"accounts": GOOD}) as (url, seen):
        ask(url, key_or_environment("ключ\n"), "accounts", holding="accounts")
    assert seen[0][1].encode("latin-1").decode() == "Bearer ключ"


def test_nobody_is_asked_without_a_key():
    with serving({}) as (url, seen):
        assert "--key" in told(url, key="")
    assert seen == []


def test_a_key_is_sent_nowhere_else():
    with serving({"accounts": GOOD}) as (other, asked):
        moved = {"location": f"{other}/v0/management/accounts"}
        with serving({"accounts": (302, "", moved)}) as (url, _):
            assert other in told(url)
    assert asked == []


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        ((401, '{"error": "invalid management key"}', {}), "--key"),
        ((403, '{"error": "remote management disabled"}', {}), "allow-remote"),
        ((403, '{"error": "unknown host"}', {}), "localhost"),
        ((403, '{"error": "IP banned, try again in 29m"}', {}), "29m"),
        ((404, "404 page not found", {}), "secret-key"),
        ((502, "<html>", {}), "502"),
        ((200, "<html>", {}), "did not answer as cliproxy does"),
        ((200, '{"accounts": 7}', {}), "did not answer as cliproxy does"),
    ],
)
def test_a_refusal_is_told_with_what_helps(answer, word):
    with serving({"accounts": answer}) as (url, _):
        assert word in told(url)


def test_another_program_is_told_from_one_without_a_key():
    with serving({"debug": (200, json.dumps({"debug": False}), {})}) as (url, _):
        assert "CLIProxyAPI" in told(url, path="accounts?x=1")


def test_nobody_there_is_no_refusal():
    with pytest.raises(NoServer):
        ask("http://127.0.0.1:1", "k", "accounts", holding="accounts")


def test_tls_that_fails_is_told_as_such(tmp_path):
    issued = trustme.CA().issue_cert("proxy.example")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    issued.configure_cert(context)
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    with serving({"accounts": GOOD}, context) as (url, _):
        assert "SSL_CERT_FILE" in told(url)
        # The proxy of this machine shows the certificate that its configuration names.
        assert ask(url, "k", "accounts", holding="accounts", trusted=str(tmp_path / "cert.pem"))
    with serving({"accounts": GOOD}) as (url, _):
        assert "http://" in told(url.replace("http:", "https:"))

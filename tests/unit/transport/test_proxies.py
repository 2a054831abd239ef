"""Outbound proxies: the URL reader, and real proxy servers in between."""

import asyncio
import os
import shutil
import socket
import subprocess
import textwrap

import pytest

from cliproxy.base.errors import UpstreamUnreachable
from cliproxy.base.http import HttpRequest, Timeouts
from cliproxy.transport.client import Transport
from cliproxy.transport.proxy import from_environment, parse

FAST = Timeouts(connect=5, first=5, idle=5)


@pytest.mark.parametrize(
    ("value", "url", "socks", "remote"),
    [
        ("http://p:1", "http://p:1", False, False),
        ("https://u:s@p:1", "https://u:s@p:1", False, False),
        ("socks5://p:1", "socks5://p:1", True, False),
        ("socks5h://u:s@p:1", "socks5://u:s@p:1", True, True),
        ("socks4a://p:1", "socks4://p:1", True, True),
    ],
)
def test_proxy_urls_are_read(value, url, socks, remote):
    proxy = parse(value)
    assert proxy is not None
    assert (proxy.url, proxy.socks, proxy.remote_dns) == (url, socks, remote)


def test_direct_and_none_mean_no_proxy():
    assert parse("direct") is None
    assert parse(" None ") is None


@pytest.mark.parametrize("value", ["p:1", "ftp://p:1", "http://", "socks5://:1"])
def test_unreadable_proxy_urls_are_refused(value):
    with pytest.raises(ValueError, match="proxy-url"):
        parse(value)


def test_the_environment_never_applies_to_this_machine(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://outside:3128")
    monkeypatch.setenv("no_proxy", "internal.example")
    assert from_environment("http://api.example/")
    assert from_environment("http://127.0.0.1:9/") is None
    assert from_environment("http://localhost:9/") is None
    assert from_environment("http://internal.example/") is None


def find(program):
    path = shutil.which(program)
    if path is None:
        message = f"{program} (Debian package of that name) is not installed"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(command, port):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            # Polls readiness of a real process; bounded.
            import time

            time.sleep(0.02)
    return process


@pytest.fixture
def socks():
    port = free_port()
    command = [find("microsocks"), "-i", "127.0.0.1", "-p", str(port), "-u", "me", "-P", "pass"]
    process = start(command, port)
    yield port
    process.terminate()
    process.wait(10)


@pytest.fixture
def http_proxy(tmp_path):
    port = free_port()
    config = tmp_path / "tinyproxy.conf"
    config.write_text(
        textwrap.dedent(f"""
        Port {port}
        Listen 127.0.0.1
        Timeout 30
        MaxClients 10
        BasicAuth me pass
        """)
    )
    process = start([find("tinyproxy"), "-d", "-c", str(config)], port)
    yield port
    process.terminate()
    process.wait(10)


async def serve():
    seen = []

    async def behave(reader, writer):
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(behave, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1], seen


async def through(proxy, host="127.0.0.1"):
    server, port, seen = await serve()
    transport = Transport()
    try:
        request = HttpRequest("POST", f"http://{host}:{port}/x", {}, b"{}", proxy)
        response = await transport.send(request, FAST)
        body = await response.read()
        return response.status, body, seen
    finally:
        await transport.close()
        server.close()


@pytest.mark.anyio
@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
async def test_a_real_socks_server_carries_requests(socks, scheme):
    status, body, _ = await through(f"{scheme}://me:pass@127.0.0.1:{socks}", "localhost")
    assert (status, body) == (200, b"ok")


@pytest.mark.anyio
async def test_a_socks_server_that_refuses_is_told_plainly(socks):
    with pytest.raises(UpstreamUnreachable, match="proxy") as caught:
        await through(f"socks5://me:wrong-secret@127.0.0.1:{socks}")
    assert "wrong-secret" not in str(caught.value)


@pytest.mark.anyio
async def test_socks5h_resolves_names_on_the_proxys_side(socks, no_names):
    status, body, _ = await through(f"socks5h://me:pass@127.0.0.1:{socks}", "localhost")
    assert (status, body) == (200, b"ok")
    with pytest.raises(UpstreamUnreachable, match="does not resolve") as caught:
        await through(f"socks5://me:pass@127.0.0.1:{socks}", "localhost")
    assert not caught.value.arrived


@pytest.mark.anyio
async def test_a_real_http_proxy_carries_requests(http_proxy):
    status, body, seen = await through(f"http://me:pass@127.0.0.1:{http_proxy}")
    assert (status, body) == (200, b"ok")
    assert b"Via" in seen[0] or b"via" in seen[0]


@pytest.mark.anyio
async def test_a_proxy_that_wants_other_credentials_is_told_plainly(http_proxy):
    status, _, seen = await through(f"http://me:wrong@127.0.0.1:{http_proxy}")
    assert status in (401, 407)
    assert not seen

"""The debug endpoint shows what the process does, on this machine only."""

from __future__ import annotations

import asyncio

import pytest

from cliproxy.app.debug import DebugServer

pytestmark = pytest.mark.anyio


@pytest.fixture
async def server():
    running = DebugServer()
    await running.apply(enable=True, address="127.0.0.1:0")
    yield running
    await running.close()


async def get(server, path, method="GET"):
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(f"{method} {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    data = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    head, _, body = data.partition("\r\n\r\n")
    return int(head.split(" ")[1]), body


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("/debug/tasks", "tasks"),
        ("/debug/threads", "MainThread"),
        ("/debug/memory/", "dict"),
        ("/debug/profile?seconds=0.05", "main;"),
    ],
)
async def test_a_page_is_shown(server, path, word):
    status, body = await get(server, path)
    assert status == 200
    assert word in body


@pytest.mark.parametrize(("path", "method"), [("/", "GET"), ("/debug/tasks", "POST")])
async def test_anything_else_names_the_pages(server, path, method):
    status, body = await get(server, path, method)
    assert status == 404
    assert "/debug/profile" in body


@pytest.mark.parametrize("address", ["0.0.0.0:8316", "example.com:1", "127.0.0.1", ":x", "[::]:1"])
async def test_only_this_machine_is_served(address, caplog):
    running = DebugServer()
    await running.apply(enable=True, address=address)
    assert running.port == 0
    assert "loopback" in caplog.text


async def test_it_follows_the_configuration(server):
    await server.apply(enable=False, address="127.0.0.1:0")
    assert server.port == 0
    await server.apply(enable=True, address="127.0.0.1:0")
    assert (await get(server, "/debug/tasks"))[0] == 200


async def test_a_taken_port_is_told(server, caplog):
    other = DebugServer()
    await other.apply(enable=True, address=f"127.0.0.1:{server.port}")
    assert other.port == 0
    assert "cannot listen" in caplog.text

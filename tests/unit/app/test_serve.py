"""What becomes of connections when the server stops."""

from __future__ import annotations

import asyncio
import signal
import ssl
from types import SimpleNamespace

import aiohttp
import pytest
import trustme
import uvicorn

from cliproxy.app import serve as serving
from cliproxy.app.runtime import Runtime
from cliproxy.app.serve import abort_idle
from cliproxy.config.schema import Config


class Aborted:
    def __init__(self):
        self.aborted = False

    def abort(self):
        self.aborted = True


@pytest.mark.parametrize(
    ("cycle", "ends"),
    [
        (None, True),
        (SimpleNamespace(response_complete=True), True),
        (SimpleNamespace(response_complete=False), False),
    ],
    ids=["never-asked", "answered", "being-answered"],
)
def test_only_a_connection_on_which_nothing_runs_is_ended(cycle, ends):
    connection = SimpleNamespace(cycle=cycle, transport=Aborted())
    abort_idle({id(connection): connection}.values())
    assert connection.transport.aborted is ends


def test_one_that_has_said_nothing_yet_is_ended():
    connection = SimpleNamespace(transport=Aborted())
    abort_idle([connection])
    assert connection.transport.aborted


@pytest.mark.anyio
async def test_the_servers_own_connections_have_what_is_looked_at(tmp_path):
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "c")

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    context = ssl.create_default_context()
    authority.configure_trust(context)
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, lifespan="off", log_config=None, ssl_certfile=tmp_path / "c")
    )
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup()
    port = server.servers[0].sockets[0].getsockname()[1]
    async with aiohttp.ClientSession() as client:
        async with client.get(f"https://127.0.0.1:{port}/", ssl=context) as answer:
            assert answer.status == 204
        (connection,) = server.server_state.connections
        assert connection.cycle.response_complete
        abort_idle(server.server_state.connections)
        assert connection.transport.is_closing()
    await server.shutdown()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_when_all_is_written(tmp_path, monkeypatch, number):
    """The server's own library would send itself the signal again as soon as nobody is served."""
    seen = []
    close = Runtime.close

    async def closed(runtime):
        await close(runtime)
        seen.append("closed")

    monkeypatch.setattr(Runtime, "close", closed)
    monkeypatch.setattr(serving, "_settle_memory", lambda: None)
    monkeypatch.setattr(serving.logging, "shutdown", lambda: seen.append("logged"))
    before = signal.signal(number, lambda *_: seen.append("ended"))
    try:
        serving.serve(
            Config(host="127.0.0.1", port=0, auth_dir=str(tmp_path)),
            announce=lambda _: signal.raise_signal(number),
        )
    finally:
        signal.signal(number, before)
    assert seen == ["closed", "logged", "ended"]


async def test_requests_that_outlast_the_server_come_to_an_end():
    server = serving._Server(uvicorn.Config("nothing", log_config=None), print)
    noted = []

    async def request():
        try:
            await asyncio.Event().wait()
        finally:
            noted.append("over")

    server.server_state.tasks.add(asyncio.create_task(request()))
    await asyncio.sleep(0)
    await server.leave()
    assert noted == ["over"]

"""Clients that leave, and clients that read slowly: the upstream notices, the memory does not."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.clients.sdk import DIALECTS
from tests.clients.upstreams import config
from tests.server.raw import request
from tests.sim import Answer

OWN = 512 * 1024
"""Bytes of one answer that the proxy may hold itself."""


def kernel_bound():
    """Return how much the system may hold: two send buffers, and the proxy's receive buffer."""
    receive, send = (
        int(Path(f"/proc/sys/net/ipv4/tcp_{name}").read_text().split()[-1])
        for name in ("rmem", "wmem")
    )
    return receive + 2 * send


@pytest.fixture
def proxy(sim, start_proxy):
    return start_proxy(config(sim))


def opened(proxy, client, upstream, *, stream=True, small=False):
    """Send a request on a plain socket and return the socket."""
    parts = urlsplit(proxy.url)
    wire = socket.socket()
    if small:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    wire.connect((parts.hostname, parts.port))
    path, body = request(client, f"to-{upstream}", stream=stream)
    data = json.dumps(body).encode()
    wire.sendall(
        f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {proxy.key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n".encode()
        + data
    )
    return wire


every = pytest.mark.parametrize("upstream", DIALECTS)
clients = pytest.mark.parametrize("client", DIALECTS)


@clients
@every
@pytest.mark.parametrize("when", ["before the headers", "before an event", "in mid-stream"])
def test_the_upstream_is_closed_when_the_client_goes(proxy, sim, client, upstream, when):
    place = {"before the headers": "headers", "before an event": 0, "in mid-stream": 8}[when]
    sim.script(Answer(["word "] * 12, hang=place))
    wire = opened(proxy, client, upstream)
    if when == "in mid-stream":
        assert wire.recv(1)
        sim.last.wait_events(8)
    else:
        sim.wait_requests(1)
    wire.close()
    sim.last.wait_closed()


@clients
@every
def test_also_when_the_answer_is_not_streamed(proxy, sim, client, upstream):
    sim.script(Answer("Never.", hang="headers"))
    wire = opened(proxy, client, upstream, stream=False)
    sim.wait_requests(1)
    wire.close()
    sim.last.wait_closed()


@pytest.mark.parametrize(
    ("client", "upstream"),
    # Holding back is the work of the two ends, each of its own, and of passing verbatim.
    [(client, DIALECTS[n - other]) for n, client in enumerate(DIALECTS) for other in (0, 1)],
)
def test_a_slow_reader_holds_the_upstream_back(proxy, sim, client, upstream):
    sim.script(Answer(["x" * 2000] * 3, endless=True))
    with opened(proxy, client, upstream, small=True) as wire:
        assert wire.recv(100)
        stopped = sim.last.wait_quiet()
        assert stopped < kernel_bound() + OWN
        until = time.monotonic() + 20
        # On a busy machine it may not have read yet what the upstream has written.
        while not (most := max(one.transport.get_write_buffer_size() for one in proxy.connections)):
            assert time.monotonic() < until
        assert most < OWN
        # It goes on as soon as somebody reads.
        while sim.last.written <= stopped:
            assert wire.recv(65536)
    sim.last.wait_closed()

"""A proxy that is stopped lets answers finish, and tells those that cannot."""

from __future__ import annotations

import pytest

from tests.clients.sdk import DIALECTS
from tests.clients.upstreams import config
from tests.server.test_leaving import opened
from tests.sim import Answer

MARK = {
    "openai-chat": b'"error"',
    "openai-responses": b"response.failed",
    "anthropic": b"event: error",
    "gemini": b'"error"',
    "interactions": b"event: error",
}


def rest(wire):
    wire.settimeout(10)
    told = b""
    while not told.endswith(b"0\r\n\r\n") and (data := wire.recv(65536)):
        told += data
    return told


@pytest.mark.parametrize("client", DIALECTS)
@pytest.mark.parametrize("upstream", ["anthropic", "openai-chat"])
def test_no_stream_is_cut_without_a_word(sim, start_proxy, client, upstream):
    """T7: what still runs when the time is over ends with an error, and as HTTP says."""
    proxy = start_proxy(config(sim))
    count = 25
    for _ in range(count):
        sim.script(Answer(["word "] * 12, hang=8))
    wires = [opened(proxy, client, upstream) for _ in range(count)]
    for number, recorded in enumerate(sim.wait_requests(count)):
        recorded.wait_events(8)
        assert wires[number].recv(1)
    proxy.loop.call_soon_threadsafe(proxy.runtime.interrupt)
    for wire in wires:
        told = rest(wire)
        assert b"word" in told
        assert MARK[client] in told
        assert told.endswith(b"0\r\n\r\n"), "the end that HTTP knows"
        wire.close()


def test_an_answer_that_is_nearly_done_is_finished(sim, start_proxy):
    from tests.sim.script import Gate

    proxy = start_proxy(config(sim))
    gate = Gate()
    sim.script(Answer(["word "] * 12, gate=gate, gate_at=8))
    wire = opened(proxy, "anthropic", "anthropic")
    gate.wait_reached()
    proxy.stop()
    gate.open()
    told = rest(wire)
    wire.close()
    assert b"message_stop" in told
    assert b"event: error" not in told

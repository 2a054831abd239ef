"""The witness that stands before every proxy under test really looks."""

from __future__ import annotations

import asyncio

from tests.clients.upstreams import config
from tests.server.raw import post, request
from tests.witness import Witness


def test_translated_streams_are_judged_and_verbatim_ones_are_not(sim, start_proxy):
    proxy = start_proxy(config(sim))
    for model, seen in (("to-openai-chat", 1), ("to-gemini", 2), ("to-anthropic", 2)):
        path, body = request("anthropic", model, stream=True)
        assert post(proxy, path, body).status_code == 200
        assert proxy.witness.streams == seen
    assert proxy.witness.faults == []


def test_a_broken_stream_is_a_fault():
    async def broken(scope, receive, send):
        await send(
            {
                "type": "http.response.start",
                "headers": [
                    (b"content-type", b"text/event-stream"),
                    (b"x-cliproxy-fidelity", b"exact"),
                ],
            }
        )
        await send({"type": "http.response.body", "body": b'data: {"type":"ping"}\n\n'})

    async def send(message):
        pass

    witness = Witness(broken)
    asyncio.run(witness({"type": "http", "path": "/v1/messages"}, None, send))
    assert len(witness.faults) == 1

"""Writing replies: what happens when nobody takes them."""

from __future__ import annotations

import asyncio

import pytest

from cliproxy.pipeline.context import Reply
from cliproxy.server.respond import send_reply

pytestmark = pytest.mark.anyio


async def test_a_stream_whose_beginning_cannot_be_sent_lets_go_of_its_upstream():
    let_go = []

    async def chunks():
        yield b"never asked for"

    async def send(message):
        raise asyncio.CancelledError

    reply = Reply(200, "text/event-stream", chunks=chunks(), abandon=lambda: let_go.append(True))
    with pytest.raises(asyncio.CancelledError):
        await send_reply(send, reply, [], dialect="anthropic")
    assert let_go == [True]


async def test_a_stream_that_is_left_in_the_middle_cleans_up_itself():
    closed = []

    async def chunks():
        try:
            yield b"one"
            yield b"two"
        finally:
            closed.append(True)

    sent = []

    async def send(message):
        sent.append(message)
        if message.get("body") == b"one":
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await send_reply(
            send, Reply(200, "text/event-stream", chunks=chunks()), [], dialect="anthropic"
        )
    assert closed == [True]

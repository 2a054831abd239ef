"""A head and what follows it are one write; nothing else is held or changes its order."""

from __future__ import annotations

import asyncio

import pytest

from cliproxy.app.head_first import HeadFirst

pytestmark = pytest.mark.anyio
HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


class Wire:
    """Remembers what is written, and how."""

    def __init__(self):
        self.writes = []
        self.closed = False
        self.protocol = None

    def write(self, data):
        self.writes.append(bytes(data))

    def writelines(self, pieces):
        self.writes.append(tuple(map(bytes, pieces)))

    def close(self):
        self.closed = True

    def is_closing(self):
        return self.closed

    def set_protocol(self, protocol):
        self.protocol = (protocol, list(self.writes))

    def get_extra_info(self, name):
        return name.upper()


@pytest.fixture
async def made():
    wire = Wire()
    return wire, HeadFirst(wire, asyncio.get_running_loop())


async def test_head_and_body_are_one_write(made):
    wire, transport = made
    transport.write(HEAD)
    transport.write(b"body")
    assert wire.writes == [HEAD + b"body"]


async def test_a_head_alone_leaves_at_the_end_of_the_turn(made):
    wire, transport = made
    transport.write(HEAD)
    assert wire.writes == []
    await asyncio.sleep(0)
    assert wire.writes == [HEAD]


async def test_what_is_streamed_is_not_held(made):
    wire, transport = made
    transport.write(HEAD)
    for chunk in (b"1", b"2", b"3"):
        transport.write(chunk)
    assert wire.writes == [HEAD + b"1", b"2", b"3"]
    await asyncio.sleep(0)
    assert len(wire.writes) == 3


async def test_a_large_body_is_not_copied(made):
    wire, transport = made
    body = b"x" * 100_000
    transport.write(HEAD)
    transport.write(body)
    assert wire.writes == [(HEAD, body)]


async def test_answers_one_after_the_other_keep_their_order(made):
    wire, transport = made
    for number in (b"1", b"2"):
        transport.write(HEAD)
        transport.write(number)
    assert b"".join(wire.writes) == HEAD + b"1" + HEAD + b"2"


@pytest.mark.parametrize("text", [HEAD, b"HTTP/1.1 is a protocol"])
async def test_a_body_that_looks_like_a_head_comes_out_as_it_is(made, text):
    wire, transport = made
    transport.write(HEAD)
    transport.write(b"a")
    transport.write(text)
    transport.write(b"b")
    await asyncio.sleep(0)
    assert b"".join(wire.writes) == HEAD + b"a" + text + b"b"


async def test_closing_writes_what_is_held(made):
    wire, transport = made
    transport.write(HEAD)
    transport.close()
    assert (wire.writes, wire.closed, transport.is_closing()) == ([HEAD], True, True)


async def test_another_protocol_gets_the_connection_after_what_is_held(made):
    wire, transport = made
    transport.write(HEAD)
    transport.set_protocol("other")
    assert wire.protocol == ("other", [HEAD])


async def test_all_else_is_the_real_ones(made):
    _, transport = made
    assert transport.get_extra_info("peername") == "PEERNAME"

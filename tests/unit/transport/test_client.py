"""The transport against raw sockets that misbehave in every way a server can."""

import asyncio
import gzip

import pytest

from cliproxy.base.errors import UpstreamBroken, UpstreamTimeout, UpstreamUnreachable
from cliproxy.base.http import HttpRequest, Timeouts
from cliproxy.transport.client import Transport

pytestmark = pytest.mark.anyio

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


class Server:
    """Answers each connection with a coroutine of the test's choosing."""

    def __init__(self, behave):
        self.behave = behave
        self.closed = asyncio.Event()
        self.head = b""

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *exc):
        self.server.close()
        self.server.close_clients()
        await self.server.wait_closed()

    async def _serve(self, reader, writer):
        try:
            self.head = await reader.readuntil(b"\r\n\r\n")
            await self.behave(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self.closed.set()


# asyncio's server closes its clients only from Python 3.13 on.
if not hasattr(asyncio.Server, "close_clients"):
    asyncio.base_events.Server.close_clients = lambda self: None


@pytest.fixture
async def transport():
    transport = Transport()
    yield transport
    await transport.close()


def get(url, **kwargs):
    return HttpRequest("POST", url, kwargs.pop("headers", {}), kwargs.pop("body", b"{}"), **kwargs)


FAST = Timeouts(connect=5, first=5, idle=5)
SHORT = Timeouts(connect=0.2, first=0.2, idle=0.2)


async def test_a_whole_answer_is_read_and_its_connection_reused(transport):
    async def behave(reader, writer):
        while True:
            await reader.readexactly(2)
            writer.write(OK + b"X-Seen: yes\r\nContent-Length: 5\r\n\r\nhello")
            await writer.drain()
            await reader.readuntil(b"\r\n\r\n")

    async with Server(behave) as server:
        for _ in range(2):
            response = await transport.send(get(server.url + "/a", headers={"x-one": "1"}), FAST)
            assert (response.status, response.headers["x-seen"]) == (200, "yes")
            assert await response.read() == b"hello"
        assert b"x-one: 1" in server.head
        assert b"User-Agent" not in server.head


async def test_chunks_arrive_as_they_are_sent(transport):
    go = asyncio.Event()

    async def behave(reader, writer):
        writer.write(OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        await go.wait()
        writer.write(b"3\r\ntwo\r\n0\r\n\r\n")
        await writer.drain()

    async with Server(behave) as server:
        response = await transport.send(get(server.url), FAST)
        chunks = response.chunks()
        assert await anext(chunks) == b"one"
        go.set()
        assert [c async for c in chunks] == [b"two"]


async def test_compressed_answers_are_decoded(transport):
    body = gzip.compress(b"hello" * 100)

    async def behave(reader, writer):
        head = OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
        writer.write(head + body)
        await writer.drain()

    async with Server(behave) as server:
        response = await transport.send(get(server.url), FAST)
        assert await response.read() == b"hello" * 100


async def test_a_server_that_hangs_before_headers_times_out(transport):
    async def behave(reader, writer):
        await reader.read(10_000)
        await reader.read()

    async with Server(behave) as server:
        with pytest.raises(UpstreamTimeout) as caught:
            await transport.send(get(server.url), SHORT)
        assert caught.value.status == 504
        await asyncio.wait_for(server.closed.wait(), 5)


async def test_a_server_that_falls_silent_times_out(transport):
    async def behave(reader, writer):
        writer.write(OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        await writer.drain()
        await reader.read(10_000)
        await reader.read()

    async with Server(behave) as server:
        response = await transport.send(get(server.url), SHORT)
        chunks = response.chunks()
        assert await anext(chunks) == b"one"
        with pytest.raises(UpstreamTimeout):
            await anext(chunks)
        await asyncio.wait_for(server.closed.wait(), 5)


async def test_the_total_limit_ends_a_stream_that_never_stops(transport):
    async def behave(reader, writer):
        writer.write(OK + b"Transfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1\r\nx\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with Server(behave) as server:
        response = await transport.send(get(server.url), Timeouts(total=0.3))
        with pytest.raises(UpstreamTimeout):
            async for _ in response.chunks():
                pass


@pytest.mark.parametrize("where", ["before", "headers", "body"])
async def test_a_cut_connection_is_told_apart_by_where_it_was_cut(transport, where):
    async def behave(reader, writer):
        if where == "headers":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-")
        if where == "body":
            writer.write(OK + b"Content-Length: 10\r\n\r\nhel")
        await writer.drain()

    async with Server(behave) as server:
        if where == "body":
            response = await transport.send(get(server.url), FAST)
            with pytest.raises(UpstreamBroken):
                await response.read()
        else:
            with pytest.raises(UpstreamUnreachable):
                await transport.send(get(server.url), FAST)


async def test_unreachable_hosts_are_named_without_their_secrets(transport, no_names):
    async with Server(None) as server:
        url = server.url
    with pytest.raises(UpstreamUnreachable, match="127.0.0.1") as caught:
        await transport.send(get(url + "/v1?key=hunter2-hunter2"), FAST)
    assert "hunter2" not in str(caught.value)
    with pytest.raises(UpstreamUnreachable, match="resolve"):
        await transport.send(get("http://a-host.example/"), FAST)
    with pytest.raises(UpstreamUnreachable):
        await transport.send(get("http://"), FAST)
    with pytest.raises(UpstreamUnreachable, match="proxy-url"):
        await transport.send(get(url, proxy="ftp://u:hunter2-hunter2@h"), FAST)


async def test_redirects_are_not_followed(transport):
    async def behave(reader, writer):
        writer.write(
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
        )
        await writer.drain()

    async with Server(behave) as server:
        response = await transport.send(get(server.url), FAST)
        assert response.status == 302
        response.close()


async def test_closing_early_closes_the_connection(transport):
    async def behave(reader, writer):
        writer.write(OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        await writer.drain()
        await reader.read(10_000)
        await reader.read()

    async with Server(behave) as server:
        response = await transport.send(get(server.url), FAST)
        assert await anext(response.chunks()) == b"one"
        response.close()
        await asyncio.wait_for(server.closed.wait(), 5)


async def test_nothing_is_read_ahead_beyond_a_small_window(transport):
    written = 0
    blocked = asyncio.Event()

    async def behave(reader, writer):
        nonlocal written
        writer.transport.set_write_buffer_limits(high=64 * 1024)
        writer.write(OK + b"Transfer-Encoding: chunked\r\n\r\n")
        block = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        while written < 256 * 1024 * 1024:
            writer.write(block)
            written += len(block)
            try:
                async with asyncio.timeout(0.5):
                    await writer.drain()
            except TimeoutError:
                blocked.set()
                return

    async with Server(behave) as server:
        response = await transport.send(get(server.url), FAST)
        await anext(response.chunks())
        await asyncio.wait_for(blocked.wait(), 20)
        # Kernel socket buffers on both sides, aiohttp's window, asyncio's write buffer.
        assert written < 16 * 1024 * 1024
        response.close()


async def test_what_came_before_a_connection_broke_is_read_all_the_same(sim):
    """Also when both are there before anybody reads."""
    from tests.sim.script import Raw

    sim.script(Raw(b"said before", cut_bytes=6))
    transport = Transport()
    try:
        request = HttpRequest(
            "POST", f"{sim.url}/v1/chat/completions", {"content-type": "application/json"}, b"{}"
        )
        response = await transport.send(request, Timeouts())
        while response._response.content.exception() is None:
            await asyncio.sleep(0)
        chunks = response.chunks()
        assert await anext(chunks) == b"said b"
        with pytest.raises(UpstreamBroken):
            await anext(chunks)
    finally:
        await transport.close()


async def test_stopping_ends_what_is_read_but_not_what_must_not_be_lost(transport):
    go_on = asyncio.Event()

    async def behave(reader, writer):
        writer.write(OK + b"Content-Length: 4\r\n\r\nto")
        await writer.drain()
        await go_on.wait()
        writer.write(b"ld")
        await writer.drain()

    async with Server(behave) as server:
        plain = await transport.send(get(server.url), FAST)
        spared = await transport.send(get(server.url), FAST)
        spared.spared = True
        reading = [asyncio.create_task(answer.read()) for answer in (plain, spared)]
        await asyncio.sleep(0)
        transport.interrupt()
        go_on.set()
        with pytest.raises(UpstreamBroken, match="stopped"):
            await reading[0]
        assert await reading[1] == b"told"

"""Websockets to upstreams go the ways that HTTP goes, and look like answers of HTTP."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl

import pytest
import trustme
from msgspec import structs
from tests.sim import Answer, Events, Failure, Raw, Sim
from tests.unit.transport.test_proxies import http_proxy, socks  # noqa: F401  # fixtures

from cliproxy.base.errors import UpstreamBroken, UpstreamTimeout, UpstreamUnreachable
from cliproxy.base.http import HttpRequest, Timeouts
from cliproxy.transport import line as lines
from cliproxy.transport.client import Transport
from cliproxy.transport.line import Ended, Line, Said

FAST = Timeouts(connect=5, first=5, idle=5)
MESSAGE = b'{"type":"response.create","model":"m","input":"Hi"}'
SECRET = "a-secret-of-the-upstream"


@pytest.fixture
async def transport():
    made = Transport()
    yield made
    await made.close()


def opening(sim, proxy=None):
    headers = {"authorization": f"Bearer {SECRET}"}
    return HttpRequest("GET", f"ws{sim.url[4:]}/v1/responses", headers, b"", proxy)


async def open_to(transport, sim, proxy=None, timeouts=FAST):
    made = await transport.line(opening(sim, proxy), timeouts)
    assert isinstance(made, Line)
    return made


async def said(line, timeouts=FAST, **options):
    answer = await line.ask(MESSAGE, timeouts, **{"keeps": True, **options})
    return answer, await answer.read()


@pytest.mark.anyio
async def test_an_answer_looks_like_a_stream_of_events(transport, sim):
    sim.handshake_headers = {"X-Told": "once"}
    line = await open_to(transport, sim)
    answer, body = await said(line)
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["x-told"] == "once"
    frames = [json.loads(frame[6:]) for frame in body.decode().split("\n\n") if frame]
    assert frames[0]["type"] == "response.created"
    assert frames[-1]["type"] == "response.completed"
    assert line.last == frames[-1]["response"]["id"]
    answer, _ = await said(line, keeps=False)
    assert "x-told" not in answer.headers
    assert (line.last, line.open) == ("", True)


@pytest.mark.anyio
@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
async def test_a_real_socks_server_carries_it(transport, sim, socks, scheme):  # noqa: F811
    line = await open_to(transport, sim, f"{scheme}://me:pass@127.0.0.1:{socks}")
    assert b"response.completed" in (await said(line))[1]


@pytest.mark.anyio
async def test_names_are_resolved_where_http_resolves_them(
    transport, sim, socks, no_names  # noqa: F811
):  # fmt: skip
    asked = opening(sim, f"socks5h://me:pass@127.0.0.1:{socks}")
    asked = structs.replace(asked, url=asked.url.replace("127.0.0.1", "localhost"))
    made = await transport.line(asked, FAST)
    assert isinstance(made, Line)
    with pytest.raises(UpstreamUnreachable, match="gaierror"):
        await transport.line(structs.replace(asked, proxy=asked.proxy.replace("5h", "5")), FAST)


@pytest.mark.anyio
async def test_a_real_http_proxy_carries_it(transport, sim, http_proxy):  # noqa: F811
    line = await open_to(transport, sim, f"http://me:pass@127.0.0.1:{http_proxy}")
    assert b"response.completed" in (await said(line))[1]


@pytest.mark.anyio
@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_proxy_that_refuses_is_told_without_its_password(
    transport, sim, http_proxy, socks, scheme  # noqa: F811
):  # fmt: skip
    port = http_proxy if scheme == "http" else socks
    with pytest.raises(UpstreamUnreachable) as caught:
        await open_to(transport, sim, f"{scheme}://me:wrong-secret@127.0.0.1:{port}")
    assert "wrong-secret" not in str(caught.value)
    assert sim.handshakes == []


@pytest.mark.anyio
async def test_the_certificate_must_be_good(transport, monkeypatch, tmp_path):
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with Sim(ssl=context) as sim:
        lines._trusted.cache_clear()
        try:
            with pytest.raises(UpstreamUnreachable, match="SSL"):
                await open_to(transport, sim)
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
            lines._trusted.cache_clear()
            line = await open_to(transport, sim)
            assert b"response.completed" in (await said(line))[1]
        finally:
            lines._trusted.cache_clear()


@pytest.mark.anyio
async def test_a_refusal_is_an_answer_with_its_body(transport, sim):
    sim.refuse(Raw(b'{"error":1}', 429, headers={"Retry-After": "7"}))
    made = await transport.line(opening(sim), FAST)
    assert isinstance(made, Said)
    assert (made.status, made.headers["retry-after"]) == (429, "7")
    assert await made.read() == b'{"error":1}'


@pytest.mark.anyio
async def test_a_redirect_is_not_followed(transport, sim, start_sim):
    other = start_sim()
    sim.refuse(Raw(b"", 307, headers={"Location": f"ws{other.url[4:]}/v1/responses"}))
    made = await transport.line(opening(sim), FAST)
    assert isinstance(made, Said)
    assert (made.status, other.handshakes) == (307, [])


@pytest.mark.anyio
async def test_a_host_that_does_not_answer_is_given_up_in_time(transport, sim):
    sim.refuse(Raw(b"", hang="headers"))
    with pytest.raises(UpstreamUnreachable, match="TimeoutError"):
        await open_to(transport, sim, timeouts=Timeouts(connect=0.2))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("event", "status", "error"),
    [
        ({"status": 429, "error": {"message": "m", "code": "c"}}, 429, {"message": "m", "code": "c"}),
        ({"status_code": 503, "error": {"message": "m"}}, 503, {"message": "m"}),
        ({"status": 400, "code": "c", "message": "m"}, 400, {"code": "c", "message": "m"}),
    ],
)  # fmt: skip
async def test_an_error_that_comes_first_is_a_refusal(transport, sim, event, status, error):
    aside = {"type": "codex.rate_limits"}
    told = {"type": "error", "headers": {"Retry-After": 7, "x": None}, **event}
    sim.script(Events([aside, told]))
    line = await open_to(transport, sim)
    answer, body = await said(line)
    assert (answer.status, answer.headers) == (status, {"retry-after": "7"})
    assert json.loads(body) == {"error": error}
    assert line.open


@pytest.mark.anyio
@pytest.mark.parametrize("status", [None, 200, 700, "429"])
def test_an_error_without_a_status_is_an_event(status):
    event = json.dumps({"type": "error", "status": status, "error": {"message": "m"}}).encode()
    assert lines._refusal(event) is None


@pytest.mark.anyio
async def test_after_a_long_silence_the_other_end_is_asked(transport, sim, monkeypatch):
    line = await open_to(transport, sim)
    assert await line.alive()
    monkeypatch.setattr(lines, "_BEAT", 0.0)
    assert await line.alive()
    monkeypatch.setattr(lines, "_ANSWERED", -1.0)
    assert not await line.alive()


@pytest.mark.anyio
async def test_a_line_that_was_closed_is_known_to_be(transport, sim):
    line = await open_to(transport, sim)
    sim.hang_up(1001)
    with pytest.raises(Ended) as caught:
        await line.ask(MESSAGE, FAST, keeps=True)
    assert caught.value.code == 1001
    assert not line.open


@pytest.mark.anyio
async def test_a_message_that_is_too_long_ends_the_answer(transport, sim, monkeypatch):
    monkeypatch.setattr(lines, "MOST", 4096)
    sim.script(Answer(["one ", "x" * 5000]))
    line = await open_to(transport, sim)
    with pytest.raises(UpstreamBroken, match="too large"):
        await said(line)


@pytest.mark.anyio
@pytest.mark.parametrize("place", ["headers", 2])
async def test_silence_is_given_up(transport, sim, place):
    sim.script(Answer("one", hang=place))
    line = await open_to(transport, sim)
    with pytest.raises(UpstreamTimeout):
        await said(line, Timeouts(first=0.2, idle=0.2))
    assert not line.open


@pytest.mark.anyio
async def test_an_interrupted_answer_says_why(transport, sim):
    sim.script(Answer(["one "] * 9, hang=6))
    line = await open_to(transport, sim)
    answer = await line.ask(MESSAGE, FAST, keeps=True)
    chunks = answer.chunks()
    await anext(chunks)
    transport.interrupt()
    with pytest.raises(UpstreamBroken, match="stopped"):
        async for _ in chunks:
            pass


@pytest.mark.anyio
async def test_whoever_does_not_read_slows_the_upstream_down(transport, sim):
    sim.script(Answer(["x" * 65536], endless=True))
    line = await open_to(transport, sim)
    answer = await line.ask(MESSAGE, FAST, keeps=True)
    chunks = answer.chunks()
    await anext(chunks)
    written = await asyncio.to_thread(sim.last.wait_quiet)
    assert 0 < written < 64 * 1024 * 1024
    await chunks.aclose()
    answer.close()


@pytest.mark.anyio
async def test_nothing_of_a_handshake_reaches_the_log(transport, sim, caplog):
    caplog.set_level(logging.DEBUG)
    sim.refuse(Failure(401, "no"))
    await transport.line(opening(sim), FAST)
    line = await open_to(transport, sim)
    await said(line)
    assert SECRET not in caplog.text


@pytest.mark.anyio
async def test_a_closed_transport_opens_nothing_and_leaves_nothing_open(sim):
    transport = Transport()
    await open_to(transport, sim)
    await transport.close()
    sim.wait_websockets(0)
    with pytest.raises(UpstreamUnreachable, match="stopped"):
        await transport.line(opening(sim), FAST)

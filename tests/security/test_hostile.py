"""Servers, clients and files that mean harm: what they say is never obeyed."""

from __future__ import annotations

import gzip
import io
import json
import logging
import socket
import tracemalloc

import aiohttp
import pytest
from aiohttp import web

from cliproxy.base.clock import SYSTEM_CLOCK
from cliproxy.base.http import HttpRequest
from cliproxy.cli import tables
from cliproxy.cli import usage as usage_command
from cliproxy.keeper.logins import Logins
from cliproxy.keeper.talking import converse
from cliproxy.login import vertex
from cliproxy.login.flow import LoggedIn, Problem, Setting, post_form, post_json
from cliproxy.observe.logs import _Formatter
from cliproxy.transport.client import Transport
from cliproxy.transport.listener import page
from tests.clock import FakeClock
from tests.server import raw
from tests.sim.script import Raw
from tests.sim.server import Sim

SECRET = "s3cret-0123456789-abcdef"


@pytest.fixture
async def transport():
    found = Transport()
    yield found
    await found.close()


@pytest.fixture
async def serve():
    """Start servers from handlers; return their addresses."""
    runners: list[web.AppRunner] = []

    async def start(handler):
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield start
    for runner in runners:
        await runner.cleanup()


def asking(request):
    answer = yield request
    if not answer.ok:
        raise Problem("refused", f"It says: {answer.body.decode()}")
    return answer


# ---- talks --------------------------------------------------------------------------------------
@pytest.mark.parametrize("form", [True, False])
async def test_a_server_that_repeats_a_token_is_not_quoted(transport, serve, form):
    async def echo(request):
        return web.Response(text=f"no: {await request.text()} {SECRET}", status=400)

    url = await serve(echo)
    fields = {"refresh_token": SECRET, "grant_type": "refresh_token"}
    asked = post_form(url, fields) if form else post_json(url, fields)
    with pytest.raises(Problem) as caught:
        await converse(asking(asked), transport, SYSTEM_CLOCK)
    assert SECRET not in f"{caught.value} {caught.value.message} {caught.value!r}"
    assert "grant_type" in caught.value.message


async def test_a_redirect_is_not_followed(transport, serve):
    reached = []

    async def inside(request):
        reached.append(await request.text())
        return web.json_response({"access_token": "x"})

    target = await serve(inside)

    async def away(request):
        raise web.HTTPTemporaryRedirect(f"{target}/latest/meta-data")

    url = await serve(away)
    with pytest.raises(Problem):
        await converse(asking(post_form(url, {"refresh_token": SECRET})), transport, SYSTEM_CLOCK)
    assert not reached


async def test_an_answer_that_swells_is_cut(transport, serve):
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb") as file:
        for _ in range(512):
            file.write(bytes(1024 * 1024))

    async def bomb(request):
        return web.Response(
            body=packed.getvalue(), headers={"content-encoding": "gzip"}, content_type="text/plain"
        )

    url = await serve(bomb)
    tracemalloc.start()
    try:
        answer = await converse(asking(HttpRequest("GET", url, {})), transport, SYSTEM_CLOCK)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(answer.body) < 16 * 1024 * 1024
    assert most < 64 * 1024 * 1024


@pytest.mark.parametrize(
    "headers",
    [{"x-a": "b\r\nx-evil: 1"}, {"x-a\r\nx-evil": "1"}, {"x-a": "b\0c"}, {"x-a": "b\nc"}],
)
async def test_a_header_with_a_line_break_is_never_sent(transport, serve, headers):
    heard = []

    async def listen(request):
        heard.append(dict(request.headers))
        return web.Response()

    url = await serve(listen)
    with pytest.raises(Problem) as caught:
        await converse(asking(HttpRequest("GET", url, headers)), transport, SYSTEM_CLOCK)
    assert caught.value.kind == "network"
    assert not heard


async def test_an_answer_that_makes_no_sense_costs_no_second_use(transport, serve, caplog):
    async def odd(request):
        return web.json_response({"access_token": SECRET, "expires_in": SECRET})

    def talk(url):
        answer = yield post_form(url, {})
        return float(answer.object()["expires_in"])

    with pytest.raises(Problem) as caught:
        await converse(talk(await serve(odd)), transport, SYSTEM_CLOCK)
    assert caught.value.kind == "unknown_outcome"
    assert SECRET not in caplog.text + caught.value.message


@pytest.mark.parametrize(
    "uri", ["http://169.254.169.254/latest", "http://localhost/", "file:///etc/passwd", "ftp://x"]
)
def test_the_key_file_of_a_service_account_does_not_lead_inside(uri):
    account = {"client_email": "a@b", "private_key": "-----BEGIN", "token_uri": uri}
    talk = vertex.LOGIN.refresh({"service_account": account}, Setting(1.0))
    with pytest.raises(Problem, match="token_uri"):
        next(talk)


async def test_a_login_that_breaks_comes_to_an_end(tmp_path, transport, monkeypatch):
    from cliproxy import login
    from cliproxy.keeper.directory import DirectoryStore
    from cliproxy.keeper.keeper import Keeper
    from tests.unit.keeper import fake

    class Odd(fake.FakeLogin):
        def login(self, setting, way):
            yield from ()
            return LoggedIn("../../odd\0.json", {"type": "codex"})

    monkeypatch.setattr(fake, "LOGIN", Odd())
    monkeypatch.setitem(login._TABLE, "codex", fake.PLACE)
    keeper = Keeper(DirectoryStore(tmp_path), transport, clock=FakeClock())
    logins = Logins(lambda: keeper, transport, FakeClock())
    pending = await logins.start("codex")
    assert pending.status == "error"
    assert pending.error
    await logins.close()


async def test_a_browser_page_repeats_nothing_it_was_asked(tmp_path, transport, monkeypatch):
    from cliproxy import login
    from cliproxy.keeper.directory import DirectoryStore
    from cliproxy.keeper.keeper import Keeper
    from tests.unit.keeper import fake

    monkeypatch.setitem(login._TABLE, "codex", fake.PLACE)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    keeper = Keeper(DirectoryStore(tmp_path), transport, clock=FakeClock())
    logins = Logins(lambda: keeper, transport, FakeClock())
    pending = await logins.start("codex", port=port, attend=True)
    url = f"http://127.0.0.1:{port}/auth/callback"
    evil = "<script>alert(1)</script>"
    async with aiohttp.ClientSession() as browser:
        for query in (
            {"code": evil, "state": evil},
            {"error": evil, "error_description": evil, "state": "0" * 32},
            {"code": "c"},
            {},
        ):
            async with browser.get(url, params=query) as answer:
                assert await answer.text() == page(
                    "This is not the login that was begun", "Start it again."
                )
            assert pending.status == "wait"
        async with browser.get(url, params={"error": evil, "state": pending.state}) as answer:
            assert "<script" not in await answer.text()
    await logins.wait(pending)
    assert pending.status == "error"
    await logins.close()


# ---- proxies ------------------------------------------------------------------------------------
@pytest.mark.parametrize("scheme", ["http", "socks5", "socks5h", "socks4"])
def test_a_proxy_that_is_not_there_is_an_error_of_the_upstream(start_proxy, scheme):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    proxy = start_proxy(
        "openai-compatibility: [{name: h, base-url: 'http://upstream.invalid/v1', api-key-entries: "
        f"[{{api-key: k, proxy-url: '{scheme}://u:{SECRET}@127.0.0.1:{port}'}}], "
        "models: [{name: m, alias: m}]}]"
    )
    answer = raw.post(proxy, *raw.request("openai-chat"))
    assert answer.status_code == 502
    assert SECRET not in answer.text


# ---- what upstreams say -------------------------------------------------------------------------
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", raw.SHAPES)
def test_an_upstream_that_repeats_its_key_is_not_quoted(start_proxy, dialect, stream, caplog):
    caplog.set_level(logging.DEBUG, "cliproxy")
    told = json.dumps({"error": {"message": f"Incorrect API key: {SECRET}", "code": SECRET}})
    with Sim() as sim:
        sim.script(Raw(told.encode(), 401))
        proxy = start_proxy(
            f"openai-compatibility: [{{name: h, base-url: '{sim.url}', api-key-entries: "
            f"[{{api-key: {SECRET}}}], models: [{{name: m, alias: m}}]}}]"
        )
        answer = raw.post(proxy, *raw.request(dialect, stream=stream))
    assert answer.status_code == 401
    assert "Incorrect API key" in answer.text
    latest = proxy.runtime.app.recent.latest(1)
    assert SECRET not in answer.text + caplog.text + json.dumps(latest)


# ---- logs and terminals -------------------------------------------------------------------------
def test_a_log_line_is_one_line_whoever_is_named_in_it():
    record = logging.LogRecord(
        "cliproxy", logging.INFO, "", 0, "%s went away", ("me\r\n2026 ERROR \x1b[2J\u2028x",), None
    )
    line = _Formatter().format(record)
    assert line.isprintable()
    assert r"me\r\n2026 ERROR \x1b[2J\u2028x went away" in line


def test_a_stranger_cannot_write_lines_into_the_log(start_proxy, tmp_path):
    path = tmp_path / "log"
    handler = logging.FileHandler(path)
    handler.setFormatter(_Formatter())
    log = logging.getLogger("cliproxy.access")
    before = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        proxy = start_proxy("request-retry: 0")
        raw.get(proxy, "/v1/x%0a2026-01-01%2000:00:00%20ERROR%20forged%1b[2J", key=None)
        # Its line is written behind the answer.
        proxy.settle()
    finally:
        log.removeHandler(handler)
        log.setLevel(before)
        handler.close()
    (line,) = path.read_text().splitlines()
    assert "forged" in line
    assert "\x1b" not in line


def test_tables_hold_nothing_that_a_terminal_obeys(capsys):
    evil = "a\x1b]0;x\x07\x1b[31m\r\nb\u202e"
    text = tables.table(("X",), [(evil,)])
    assert not {"\x1b", "\x07", "\r", "\u202e"} & set(text)
    assert len(text.splitlines()) == 2
    numbers = {"input": 1, "cached": 1, "output": 1}
    row = {"requests": 1, "failed": 0, "tokens": numbers, "cost_usd": 0.0, "first_seconds": None,
           "seconds": None, "unpriced": 0, "model": f"[red]{evil}"}  # fmt: skip
    usage_command._print({"by": ["model"], "rows": [row], "total": row})
    shown = capsys.readouterr().out
    assert not {"\x1b", "\x07", "\r", "\u202e"} & set(shown)
    assert "[red]a" in shown

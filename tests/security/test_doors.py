"""Who gets in, what leads out, and what is left readable: tried by every trick that is known."""

from __future__ import annotations

import ast
import asyncio
import hmac
import http.client
import ipaddress
import itertools
import os
import re
import stat
from pathlib import Path

import pytest

import cliproxy
from cliproxy.app.runtime import check_binding
from cliproxy.base.errors import ConfigError, GatewayError
from cliproxy.config.load import load_text
from cliproxy.keeper.directory import BadName, DirectoryStore
from cliproxy.login.flow import LOGIN_SECONDS, new_pkce, new_state
from cliproxy.observe.files import Keep, LogFile
from cliproxy.server import gate
from cliproxy.server.access import Access, Failures
from cliproxy.transport.guard import FetchError, Guard
from tests.clock import FakeClock
from tests.proxy import KEY
from tests.server import raw
from tests.sim.server import Sim

MANAGED = "management-key-0123456789"
SETTINGS = f"""
remote-management: {{secret-key: {MANAGED}}}
openai-compatibility:
  - {{name: h, base-url: "%s", api-key-entries: [{{api-key: k}}], models: [{{name: m, alias: m}}]}}
"""


@pytest.fixture
def proxy(start_proxy):
    with Sim() as sim:
        yield start_proxy(SETTINGS % sim.url)


def send(proxy, method, target, headers=()):
    """Send a request whose target nobody tidies up."""
    host, port = proxy.url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=20)
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        sent = dict(headers)
        for name, value in ({"Host": f"{host}:{port}"} | sent).items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    finally:
        connection.close()


# ---- paths and names ----------------------------------------------------------------------------
PLAIN = "/v0/management/config"
TRICKS = [
    "//v0/management/config", "/v0//management/config", "/v0/management//config",
    "/v0/./management/config", "/x/../v0/management/config", "/v0/%6danagement/config",
    "/v0/management%2fconfig", "/v0%2fmanagement%2fconfig", "/%2e%2e/v0/management/config",
    "/v0/management/%2e%2e/management/config", "/v0/management;x=y/config",
    "/v0/management/config;.css", "/V0/MANAGEMENT/CONFIG", "/v0/management/config%00",
    "/v0/management/config%20", "/v0/management/config.", "/v0/%256danagement/config",
    "/v0\\management\\config", "/v0/management/config?x=/../..", "/v0/management/config#x",
    "http://127.0.0.1/v0/management/config", "http://evil.example/v0/management/config",
    "/panel/../v0/management/config", "/panel/%2e%2e/v0/management/config",
    "/management.html/../v0/management/config", "/healthz/../v0/management/config",
    "/v1/../v0/management/config", "/v0/management/oauth-callback/../config",
    "/v0/management/oauth-callback%2f..%2fconfig", "/v0/management/oauth-callback/%2e%2e/config",
    "/anthropic/callback/../../v0/management/config", "/openai/v1/../../v0/management/config",
]  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS"])
@pytest.mark.parametrize("target", TRICKS)
def test_no_spelling_of_a_path_leads_past_the_key(proxy, target, method):
    for headers in ({}, {"Authorization": f"Bearer {KEY}"}, {"X-Api-Key": KEY}):
        status, body = send(proxy, method, target, headers)
        assert status in (204, 400, 401, 403, 404, 405) or method == "OPTIONS"
        assert "secret-key" not in body
        assert MANAGED not in body


@pytest.mark.parametrize(
    "host",
    ["x/#@y", "127.0.0.1/#@evil.example", "evil.example#127.0.0.1", "127.0.0.1@evil.example",
     "evil.example:80@127.0.0.1", "127.0.0.1.", "LOCALHOST.evil.example", "127.1", "0.0.0.0",
     "[::ffff:127.0.0.1]", "2130706433", "127.0.0.1%00.evil.example", "localhost\t.x", ""],
)  # fmt: skip
def test_no_name_of_this_machine_changes_what_a_path_means(proxy, host):
    status, body = send(proxy, "GET", PLAIN, {"Host": host})
    assert status in (400, 401, 403)
    assert "secret-key" not in body
    # A path that is open stays the same path.
    status, body = send(proxy, "GET", "/healthz", {"Host": host})
    assert status in (200, 400)
    assert "secret-key" not in body


# ---- keys ---------------------------------------------------------------------------------------
ROUTES = [
    ("GET", "/v1/models"), ("GET", "/v1/models/m"), ("GET", "/v1beta/models"),
    ("GET", "/v1beta/models/m"), ("POST", "/v1/chat/completions"), ("POST", "/v1/completions"),
    ("POST", "/v1/responses"), ("POST", "/v1/responses/compact"),
    ("POST", "/v1/responses/input_tokens"), ("GET", "/v1/responses/r"),
    ("DELETE", "/v1/responses/r"), ("GET", "/v1/responses/r/input_items"),
    ("POST", "/v1/responses/r/cancel"), ("POST", "/v1/conversations"),
    ("GET", "/v1/conversations/c"), ("POST", "/v1/conversations/c"),
    ("DELETE", "/v1/conversations/c"), ("GET", "/v1/conversations/c/items"),
    ("GET", "/v1/conversations/c/items/i"), ("POST", "/v1/messages"),
    ("POST", "/v1/images/generations"), ("POST", "/v1/images/edits"),
    ("POST", "/v1/videos"), ("POST", "/v1/videos/generations"), ("POST", "/v1/videos/edits"),
    ("POST", "/v1/videos/extensions"), ("GET", "/v1/videos/v"), ("POST", "/openai/v1/videos"),
    ("GET", "/openai/v1/videos/v"), ("GET", "/openai/v1/videos/v/content"),
    ("POST", "/v1/messages/count_tokens"), ("POST", "/v1beta/models/m:generateContent"),
    ("POST", "/v1beta/models/m:streamGenerateContent"), ("POST", "/v1beta/models/m:countTokens"),
    ("POST", "/api/provider/openai/v1/chat/completions"), ("GET", "/backend-api/codex/models"),
    ("POST", "/backend-api/codex/responses"), ("POST", "/v1/alpha/search"),
    ("POST", "/backend-api/codex/alpha/search"), ("POST", "/v1beta/interactions"),
    ("GET", "/v1beta/interactions/i"), ("DELETE", "/v1beta/interactions/i"),
    ("POST", "/v1beta/interactions/i/cancel"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), ROUTES, ids=[" ".join(r) for r in ROUTES])
@pytest.mark.parametrize("key", [None, "wrong", MANAGED, f"{KEY}x", KEY[:-1]], ids=str)
def test_every_route_wants_a_clients_key(proxy, method, path, key):
    # One address may be wrong only so many times.
    proxy.runtime._failures._seen.clear()
    answer = raw.post(proxy, path, {"model": "m"}, key=key, method=method)
    assert answer.status_code == 401, answer.text
    assert "m" not in [row.get("id") for row in answer.json().get("data", [])]


def test_all_keys_are_compared_however_early_one_fits(monkeypatch):
    compared = []
    same = hmac.compare_digest

    def compare(left, right):
        compared.append((len(left), len(right)))
        return same(left, right)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    access = Access(["first", "second", "a much longer third one"], Failures(FakeClock()))
    for key in ("first", "second", "a much longer third one", "none", "f", "firs"):
        compared.clear()
        try:
            access.check({"x-api-key": key}, {}, peer="p", loopback=True)
        except GatewayError:
            pass
        assert compared == [(64, 64)] * 3, "digests of one length, all of them"
    compared.clear()
    assert gate._same("short", "a much longer one") is False
    assert compared == [(32, 32)]


def test_there_is_no_client_but_by_its_key():
    """Nothing makes a client except what looks at keys."""
    made = []
    for path in Path(cliproxy.__file__).parent.rglob("*.py"):
        text = path.read_text()
        if "server.access import" not in text and path.name != "access.py":
            continue
        for node in ast.walk(ast.parse(text)):
            called = node.func.id if isinstance(node, ast.Call) and hasattr(node.func, "id") else ""
            if called == "Client":
                made.append(path.name)
    assert set(made) == {"access.py"}


def test_a_key_that_is_taken_away_ends_at_once(proxy):
    assert raw.get(proxy, "/v1/models").status_code == 200
    config = load_text(
        f"api-keys: [another]\nauth-dir: {proxy.loaded.config.auth_dir}", path=Path("c.yaml")
    ).config

    async def reload():
        proxy.runtime.reload(config)

    asyncio.run_coroutine_threadsafe(reload(), proxy.loop).result(20)
    assert raw.get(proxy, "/v1/models").status_code == 401
    assert raw.get(proxy, "/v1/models", key="another").status_code == 200


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "192.168.1.5", "proxy.example"])
def test_strangers_are_not_served_without_a_key(host):
    def config(more=""):
        return load_text(f"host: '{host}'\n{more}", path=Path("c.yaml")).config

    with pytest.raises(ConfigError, match="api-keys"):
        check_binding(config())
    check_binding(config("allow-unauthenticated: true"))
    check_binding(config("api-keys: [k]"))


@pytest.mark.parametrize(
    "header", ["x-forwarded-for", "forwarded", "x-real-ip", "cf-connecting-ip"]
)
def test_nobody_escapes_the_wait_by_another_name(proxy, header):
    for number in range(21):
        raw.get(proxy, "/v1/models", {header: f"10.0.0.{number}"}, key="wrong")
    assert raw.get(proxy, "/v1/models", {header: "10.9.9.9"}, key="wrong").status_code == 429


def test_the_key_of_the_management_is_in_a_header_no_form_can_set(proxy):
    for target in (f"{PLAIN}?key={MANAGED}", f"{PLAIN}?auth_token={MANAGED}"):
        assert send(proxy, "GET", target)[0] == 401
    assert send(proxy, "GET", PLAIN, {"Cookie": f"key={MANAGED}"})[0] == 401
    status, _ = send(proxy, "GET", PLAIN, {"Authorization": f"Bearer {MANAGED}"})
    assert status == 200


# ---- logins -------------------------------------------------------------------------------------
def test_a_login_cannot_be_guessed_and_does_not_wait_for_ever():
    states = {new_state() for _ in range(200)}
    assert len(states) == 200
    assert all(len(bytes.fromhex(state)) * 8 >= 128 for state in states)
    verifiers = {new_pkce()[0] for _ in range(200)}
    assert len(verifiers) == 200
    assert all(re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", verifier) for verifier in verifiers)
    assert LOGIN_SECONDS <= 600


# ---- where requests lead ------------------------------------------------------------------------
INSIDE = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255",
    "172.16.0.1", "172.31.255.255", "192.168.0.1", "169.254.169.254", "169.254.170.2",
    "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.1", "192.0.0.192", "198.18.0.1", "224.0.0.1",
    "240.0.0.1", "255.255.255.255",
]  # fmt: skip
INSIDE6 = ["::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1",
           "2001::1", "fec0::1", "100::1"]  # fmt: skip


def spellings(address):
    whole = int(ipaddress.IPv4Address(address))
    a, b, c, d = address.split(".")
    high, low = whole >> 16, whole & 0xFFFF
    yield address
    yield f"{address}."
    yield str(whole)
    yield hex(whole)
    yield f"0{whole:o}"
    yield ".".join(hex(int(part)) for part in (a, b, c, d))
    yield ".".join(f"0{int(part):o}" for part in (a, b, c, d))
    yield f"{a}.{b}.{int(c) * 256 + int(d)}"
    yield f"{a}.{whole & 0xFFFFFF}"
    yield f"[::ffff:{address}]"
    yield f"[::ffff:{high:x}:{low:x}]"
    yield f"[::{address}]"
    yield f"[64:ff9b::{high:x}:{low:x}]"
    yield f"[2002:{high:x}:{low:x}::1]"
    yield f"1.1.1.1@{address}"
    yield f"1.1.1.1%2f@{address}"


HOSTS = [*itertools.chain.from_iterable(map(spellings, INSIDE)), *(f"[{a}]" for a in INSIDE6)]
ODD = [
    "file:///etc/passwd", "gopher://127.0.0.1:6379/_x", "ftp://127.0.0.1/", "dict://127.0.0.1:1/",
    "data:text/plain,x", "javascript:1", "unix:///var/run/docker.sock", "http:///etc/passwd",
    "http://", "//127.0.0.1/", "jar:http://127.0.0.1!/", "http://[::1", "http://127.0.0.1:99999/",
    "http://localhost/", "http://LOCALHOST./", "http://x.localhost/", "http:\\\\127.0.0.1\\",
    "http://①②⑦.⓪.⓪.①/", "http://127。0。0。1/", "http://0/", "http://0x0/", "http://0177.1/",
]  # fmt: skip


@pytest.fixture
def connections(monkeypatch):
    """What is connected to; nothing is."""
    made = []

    def refuse(self, sock, address):
        made.append(address)
        raise OSError("not in a test")

    monkeypatch.setattr(asyncio.SelectorEventLoop, "sock_connect", refuse)
    return made


def test_no_spelling_of_an_address_leads_inside(connections):
    assert len(HOSTS) + len(ODD) >= 200

    async def all_of_them():
        found = []
        for url in (*(f"http://{host}/x" for host in HOSTS), *ODD):
            for ask in (
                lambda url=url: Guard(patience=5).fetch(url),
                lambda url=url: Guard(patience=5).call("POST", url, {"authorization": "x"}),
            ):
                try:
                    await ask()
                    found.append(url)
                except FetchError:
                    pass
        return found

    assert not asyncio.run(all_of_them())
    assert not connections


def test_a_public_address_would_be_connected_to(connections):
    async def ask():
        with pytest.raises(FetchError):
            await Guard(patience=5).fetch("http://93.184.216.34/x")

    asyncio.run(ask())
    assert connections == [("93.184.216.34", 80)]


# ---- files --------------------------------------------------------------------------------------
LOGIN = {"type": "claude", "access_token": "a", "refresh_token": "r"}
NAMES = [
    "．．/x.json", "‥/x.json", "a/．．/x.json", "%2e%2e/x.json", "x.json::$DATA", "CON.json",
    "nul.json", "x.json ", " x.json", "x.json.", "~/x.json", "$HOME/x.json", "a/b/c/d.json",
    "x|y.json", "x;y.json", "`x`.json", "-rf.json", "*.json", "C:\\x.json", "\\\\host\\x.json",
    "x.JSON", "ｘ.json", "../auth-evil/x.json", "../../etc/x.json", "x/../../y.json",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
async def test_no_name_of_a_login_leads_out_of_its_folder(tmp_path, name):
    folder = tmp_path / "auth"
    folder.mkdir(mode=0o700)
    (tmp_path / "auth-evil").mkdir()
    store = DirectoryStore(folder)
    try:
        await store.put(name, dict(LOGIN), None)
    except (BadName, OSError):
        pass
    outside = [p for p in tmp_path.rglob("*") if p.is_file() and folder not in p.parents]
    assert not outside


async def test_names_that_differ_by_case_are_two_logins_or_one_is_refused(tmp_path):
    store = DirectoryStore(tmp_path)
    await store.put("me.json", {**LOGIN, "email": "small"}, None)
    try:
        await store.put("ME.json", {**LOGIN, "email": "large"}, None)
    except (BadName, OSError):
        return
    emails = [stored.fields["email"] for stored in store.snapshot()]
    assert sorted(emails) == ["large", "small"]


async def test_a_folder_that_turns_into_a_link_is_not_written_through(tmp_path):
    folder, elsewhere = tmp_path / "auth", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (folder / "team").mkdir(parents=True)
    store = DirectoryStore(folder)
    stored = await store.put("team/x.json", dict(LOGIN), None)
    assert stored
    (folder / "team" / "x.json").unlink()
    (folder / "team").rmdir()
    (folder / "team").symlink_to(elsewhere)
    with pytest.raises((BadName, OSError)):
        await store.put("team/x.json", dict(LOGIN), None)
    assert not list(elsewhere.iterdir())


async def test_what_is_written_is_its_owners_alone_whatever_the_mask(tmp_path, monkeypatch):
    before = os.umask(0)
    try:
        folder = tmp_path / "auth"
        await DirectoryStore(folder).put("team/x.json", dict(LOGIN), None)
        LogFile(tmp_path / "logs", keep=Keep(tmp_path / "logs", 0)).close()
    finally:
        os.umask(before)
    modes = {
        path.relative_to(tmp_path).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in tmp_path.rglob("*")
    }
    assert {"auth/team/x.json", "logs/main.log"} <= set(modes)
    assert not {name: oct(mode) for name, mode in modes.items() if mode & 0o077}

"""The usage queue and its channels over the protocol of Redis, on the port of everything else."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import ssl
import sys
from urllib.parse import urlsplit

import httpx2 as httpx
import pytest
import redis
import trustme
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.protocols.http.h11_impl import H11Protocol

from cliproxy.app import first_byte
from cliproxy.manage import redis_port, resp
from tests import proxy as proxy_module
from tests.clock import FakeClock
from tests.manage.conftest import CLIENT_KEY, HEAD, KEY
from tests.proxy import Proxy
from tests.sim import Answer, Failure
from tests.sim.script import Raw
from tests.unit.usage.rows import record

GREETING = '{"support_refresh":true}'
CHAT = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
NOAUTH = b"-NOAUTH Authentication required.\r\n"


def words(*given):
    """Return a request as clients send it."""
    parts = [word.encode() if isinstance(word, str) else word for word in given]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)


class Wire:
    """A plain connection."""

    def __init__(self, url, *, small=False, trusted=None):
        parts = urlsplit(url)
        self.socket = socket.socket()
        if small:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(20)
        self.socket.connect((parts.hostname, parts.port))
        if trusted:
            context = ssl.create_default_context(cafile=trusted)
            self.socket = context.wrap_socket(self.socket, server_hostname=parts.hostname)
        self.file = self.socket.makefile("rb")

    def send(self, data):
        self.socket.sendall(data)

    def ask(self, *given):
        """Send a request and return the first line of its reply."""
        self.send(words(*given))
        return self.file.readline()

    def message(self):
        """Return channel and payload of what is heard next."""
        count, *parts = [self.file.readline()]
        assert count == b"*3\r\n", count
        for _ in range(3):
            size = int(self.file.readline()[1:])
            parts.append(self.file.read(size + 2)[:-2])
        assert parts[0] == b"message"
        return parts[1].decode(), json.loads(parts[2])

    def ended(self):
        """Wait until the other side has closed; return what it said until then."""
        said = b""
        with contextlib.suppress(ConnectionError):
            while more := self.file.read1():
                said += more
        return said

    def close(self):
        self.file.close()
        self.socket.close()


@pytest.fixture
def opened():
    """Open plain connections; all are closed at the end."""
    with contextlib.ExitStack() as stack:

        def open_(url, **options):
            wire = Wire(url, **options)
            stack.callback(wire.close)
            return wire

        yield open_


@pytest.fixture
def client():
    """Make official clients; all are closed at the end."""
    with contextlib.ExitStack() as stack:

        def make(proxy, **options):
            parts = urlsplit(proxy.url)
            settings = {"password": KEY, "protocol": 2, "decode_responses": True, **options}
            settings = {"retry": None, "socket_timeout": 20, **settings}
            made = redis.Redis(parts.hostname, parts.port, **settings)
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def managed(manage):
    found = manage()
    found.proxy.runtime.usage.queue.clear()
    return found


def inside(proxy, work):
    """Do something where the proxy does its own work, and return what came of it."""

    async def do():
        return work()

    return asyncio.run_coroutine_threadsafe(do(), proxy.loop).result(20)


def used(proxy, *numbers, **changed):
    """Let requests have ended."""
    for number in numbers:
        inside(proxy, lambda number=number: proxy.runtime.usage.add(record(number, **changed)))


def ids(items):
    return [json.loads(item)["request_id"] for item in items]


def heard(listener):
    """Return what a subscriber hears next, in the official client's form."""
    found = listener.get_message(timeout=20)
    assert found is not None, "nothing was heard"
    return found["type"], found["channel"], found["data"]


# ---- the official client ------------------------------------------------------------------------
class TestTaking:
    @pytest.mark.parametrize("user", [None, "default", "anybody"])
    def test_the_password_is_the_management_key(self, managed, client, user):
        used(managed.proxy, 0)
        assert ids([client(managed.proxy, username=user).lpop("usage")]) == ["r0"]

    @pytest.mark.parametrize("name", ["lpop", "rpop"])
    def test_the_oldest_are_taken_from_either_end(self, managed, client, name):
        used(managed.proxy, 0, 1, 2, 3)
        take = getattr(client(managed.proxy), name)
        assert ids([take("usage")]) == ["r0"]
        assert ids(take("usage", 2)) == ["r1", "r2"]
        assert ids(take("usage", 10000)) == ["r3"]
        assert take("usage") is None
        assert take("usage", 5) == []

    def test_a_record_is_that_of_the_queue_over_http(self, managed, client):
        used(managed.proxy, 0, 0)
        (over_http,) = managed.get("/usage-queue")
        assert json.loads(client(managed.proxy).lpop("usage")) == over_http

    @pytest.mark.parametrize("name", ["queue", "errors", "x\r\n+OK"])
    def test_another_queue_is_refused_by_name(self, managed, client, name):
        told = name.replace("\r\n", "??")
        with pytest.raises(redis.ResponseError, match="unsupported channel") as caught:
            client(managed.proxy).lpop(name)
        assert str(caught.value) == f"unsupported channel '{told}'"

    @pytest.mark.parametrize("count", [0, -1, "many", "1" * 10, "²"])
    def test_a_count_is_a_positive_number(self, managed, client, count):
        with pytest.raises(redis.ResponseError, match="not an integer or out of range"):
            client(managed.proxy).execute_command("LPOP", "usage", count)

    def test_a_pipeline_is_answered_in_order(self, managed, client):
        used(managed.proxy, 0, 1)
        pipeline = client(managed.proxy).pipeline(transaction=False)
        for _ in range(3):
            pipeline.lpop("usage")
        first, second, third = pipeline.execute()
        assert (ids([first, second]), third) == (["r0", "r1"], None)

    def test_a_wrong_password_is_told(self, managed, client):
        with pytest.raises(redis.ResponseError, match="invalid management key"):
            client(managed.proxy, password="wrong").lpop("usage")

    def test_a_client_that_insists_on_version_3_is_told_why(self, managed, client):
        with pytest.raises(redis.ResponseError, match="unknown command 'HELLO'"):
            client(managed.proxy, protocol=3).lpop("usage")

    def test_a_record_of_a_real_request(self, manage, client, sim):
        managed = manage(hosts(sim))
        assert managed.ask("POST", "//v1/chat/completions", CHAT, key=CLIENT_KEY).status_code == 200
        managed.proxy.settle()
        told = json.loads(client(managed.proxy).lpop("usage"))
        assert (told["model"], told["failed"]) == ("m", False)


class TestListening:
    def test_usage_is_heard_as_it_comes(self, managed, client):
        listener = client(managed.proxy).pubsub()
        listener.subscribe("usage")
        assert heard(listener) == ("subscribe", "usage", 1)
        assert heard(listener) == ("message", "usage", GREETING)
        used(managed.proxy, 0, 1)
        assert ids([heard(listener)[2], heard(listener)[2]]) == ["r0", "r1"]

    def test_both_channels_on_one_connection(self, managed, client):
        listener = client(managed.proxy).pubsub()
        listener.subscribe("errors")
        assert heard(listener) == ("subscribe", "errors", 1)
        listener.subscribe("usage")
        assert heard(listener) == ("subscribe", "usage", 2)
        assert heard(listener) == ("message", "usage", GREETING)
        listener.unsubscribe("errors")
        assert heard(listener) == ("unsubscribe", "errors", 1)
        used(managed.proxy, 0)
        assert heard(listener)[1] == "usage"
        listener.unsubscribe()
        assert heard(listener) == ("unsubscribe", "usage", 0)

    def test_a_subscriber_is_alive(self, managed, client):
        listener = client(managed.proxy).pubsub()
        listener.subscribe("errors")
        assert heard(listener)[0] == "subscribe"
        listener.ping()
        assert heard(listener) == ("pong", None, "")
        listener.ping("are you there")
        assert heard(listener) == ("pong", None, "are you there")

    def test_every_subscriber_hears_all_and_the_queue_gets_nothing(self, managed, client):
        listeners = [client(managed.proxy).pubsub() for _ in range(2)]
        for listener in listeners:
            listener.subscribe("usage")
            assert [heard(listener)[0], heard(listener)[2]] == ["subscribe", GREETING]
        used(managed.proxy, 0)
        assert [ids([heard(listener)[2]]) for listener in listeners] == [["r0"], ["r0"]]
        assert managed.get("/usage-queue?count=10") == []

    def test_what_waited_before_can_still_be_taken(self, managed, client):
        used(managed.proxy, 0)
        listener = client(managed.proxy).pubsub()
        listener.subscribe("usage")
        assert [heard(listener)[0], heard(listener)[2]] == ["subscribe", GREETING]
        assert ids([client(managed.proxy).lpop("usage")]) == ["r0"]

    def test_records_wait_again_when_the_last_listener_has_gone(self, managed, client):
        listener = client(managed.proxy).pubsub()
        listener.subscribe("usage")
        assert heard(listener)[0] == "subscribe"
        listener.unsubscribe("usage")
        while heard(listener)[0] != "unsubscribe":
            pass
        used(managed.proxy, 0)
        assert [r["request_id"] for r in managed.get("/usage-queue")] == ["r0"]

    def test_a_listener_that_breaks_off_takes_nothing_more(self, managed, opened):
        wire = opened(managed.proxy.url)
        assert (wire.ask("AUTH", KEY), wire.ask("SUBSCRIBE", "usage")) == (b"+OK\r\n", b"*3\r\n")
        usage = managed.proxy.runtime.usage
        assert inside(managed.proxy, lambda: bool(usage.queue.live))
        wire.socket.shutdown(socket.SHUT_RDWR)
        assert until(managed.proxy, lambda: not usage.queue.live)
        used(managed.proxy, 0)
        assert len(managed.get("/usage-queue")) == 1

    def test_a_misspelt_channel_subscribes_to_none(self, managed, opened):
        wire = opened(managed.proxy.url)
        assert wire.ask("AUTH", KEY) == b"+OK\r\n"
        assert wire.ask("SUBSCRIBE", "usage", "x") == b"-ERR unsupported channel 'x'\r\n"
        assert wire.ask("SUBSCRIBE") == (
            b"-ERR wrong number of arguments for 'subscribe' command\r\n"
        )
        assert wire.ask("LPOP", "usage") == b"$-1\r\n"


def until(proxy, condition):
    """Wait until something is so, turn by turn of the proxy's loop."""

    async def wait():
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0)
        return True

    return asyncio.run_coroutine_threadsafe(wait(), proxy.loop).result(30)


# ---- failed attempts ----------------------------------------------------------------------------
def hosts(sim, keys=("sk-simulated-0123456789",)):
    rows = ", ".join(f"{{api-key: {key}}}" for key in keys)
    return f"""
openai-compatibility:
  - name: Sim
    base-url: "{sim.url}/v1"
    api-key-entries: [{rows}]
    models: [{{name: m}}]
"""


class TestErrors:
    @pytest.fixture
    def world(self, manage, client, sim):
        managed = manage(hosts(sim))
        listener = client(managed.proxy).pubsub()
        listener.subscribe("errors")
        assert heard(listener)[0] == "subscribe"
        managed.listener, managed.sim = listener, sim
        return managed

    def ask(self, world, **more):
        return world.ask("POST", "//v1/chat/completions", {**CHAT, **more}, key=CLIENT_KEY)

    def test_a_limit_is_told_with_its_end(self, world):
        world.sim.script(Failure(429, "slow down", code="rate_limit_exceeded", retry_after=60))
        assert self.ask(world).status_code == 429
        told = json.loads(heard(world.listener)[2])
        assert list(told) == [
            "timestamp", "provider", "model", "auth_id", "auth_index", "status_code", "body",
            "code", "retryable", "auth_status",
        ]  # fmt: skip
        (entry,) = world.get("/openai-compatibility")["openai-compatibility"]
        assert told["auth_index"] == entry["api-key-entries"][0]["auth-index"]
        assert (told["provider"], told["model"]) == ("openai-compatible-sim", "m")
        assert (told["status_code"], told["code"]) == (429, "rate_limit_exceeded")
        assert told["retryable"] is True
        assert "slow down" in told["body"]
        # What the upstream calls the failure is no secret, although its member is called `code`.
        assert '"rate_limit_exceeded"' in told["body"]
        standing = told["auth_status"]
        assert list(standing) == [
            "status", "status_message", "disabled", "unavailable", "next_retry_after", "quota",
            "model",
        ]  # fmt: skip
        assert standing["quota"]["exceeded"] is True
        assert standing["quota"]["next_recover_at"] > told["timestamp"]
        assert standing["quota"]["backoff_level"] == 0
        model = standing["model"]
        assert (model["name"], model["status"], model["unavailable"]) == ("m", "error", True)
        assert model["next_retry_after"] == standing["quota"]["next_recover_at"]

    def test_a_refused_key_rests_the_whole_account(self, world):
        world.sim.script(Failure(401, "who are you"))
        self.ask(world)
        told = json.loads(heard(world.listener)[2])
        standing = told["auth_status"]
        assert (standing["status"], standing["unavailable"]) == ("error", True)
        assert standing["status_message"] == "authentication"
        assert standing["next_retry_after"] > told["timestamp"]
        assert standing["quota"]["exceeded"] is False

    def test_a_fault_of_the_request_leaves_the_account_as_it_is(self, world):
        world.sim.script(Failure(400, "bad moon"))
        assert self.ask(world).status_code == 400
        told = json.loads(heard(world.listener)[2])
        assert (told["status_code"], told["retryable"]) == (400, False)
        assert (told["auth_status"]["status"], told["auth_status"]["model"]["status"]) == (
            "active", "active",
        )  # fmt: skip

    def test_every_attempt_is_told(self, manage, client, sim):
        managed = manage(hosts(sim, ("sk-one-0123456789", "sk-two-0123456789")))
        listener = client(managed.proxy).pubsub()
        listener.subscribe("errors")
        assert heard(listener)[0] == "subscribe"
        sim.script(Failure(503, "down"), Failure(502, "out"))
        managed.ask("POST", "//v1/chat/completions", CHAT, key=CLIENT_KEY)
        told = [json.loads(heard(listener)[2]) for _ in range(2)]
        assert [one["status_code"] for one in told] == [503, 502]
        assert told[0]["auth_index"] != told[1]["auth_index"]

    def test_a_stream_that_breaks_is_told_once(self, world):
        world.sim.script(Answer(["Half ", "an answer"], error=Failure(503, "gone"), error_at=3))
        self.ask(world, stream=True)
        world.sim.script(Failure(400, "the next"))
        self.ask(world)
        told = [json.loads(heard(world.listener)[2]) for _ in range(2)]
        assert "gone" in told[0]["body"]
        assert told[0]["retryable"] is False
        assert "the next" in told[1]["body"]

    def test_no_secret_is_told(self, world):
        key = "sk-simulated-0123456789"
        said = {"error": {"message": f"{key} is bad"}, "access_token": "at-0123456789"}
        world.sim.script(Raw(json.dumps(said).encode(), 401))
        self.ask(world)
        told = heard(world.listener)[2]
        assert "is bad" in told
        assert key not in told
        assert "at-0123456789" not in told

    def test_a_long_body_is_cut(self, world):
        world.sim.script(Raw(json.dumps({"error": {"message": "é" * 100_000}}).encode(), 500))
        self.ask(world)
        told = json.loads(heard(world.listener)[2])
        assert len(told["body"]) == 4096

    def test_nothing_is_written_for_nobody(self, manage, sim, monkeypatch):
        managed = manage(hosts(sim))
        monkeypatch.setattr("cliproxy.pipeline.failures.told_of", None)
        sim.script(Failure(400, "bad moon"))
        answer = managed.ask("POST", "//v1/chat/completions", CHAT, key=CLIENT_KEY)
        assert answer.status_code == 400


# ---- as other clients talk ----------------------------------------------------------------------
def test_a_client_falls_back_to_version_2(managed, opened):
    """As Go's client does: HELLO with the key first, and the older AUTH when that is refused."""
    used(managed.proxy, 0)
    wire = opened(managed.proxy.url)
    refused = b"-ERR unknown command 'HELLO'\r\n"
    for _ in range(10):
        assert wire.ask("HELLO", "3", "AUTH", "default", "wrong") == refused
    assert wire.ask("hello", "3", "AUTH", "default", KEY) == refused.replace(b"HELLO", b"hello")
    assert wire.ask("AUTH", "default", KEY) == b"+OK\r\n"
    wire.send(words("CLIENT", "SETINFO", "LIB-NAME", "x") + words("client", "setinfo", "b", "y"))
    assert wire.file.readline() == b"-ERR unknown command 'CLIENT'\r\n"
    assert wire.file.readline() == b"-ERR unknown command 'client'\r\n"
    assert wire.ask("SELECT", "0") == b"+OK\r\n"
    assert wire.ask("LPOP", "usage", "100") == b"*1\r\n"


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        (words("LPOP", "usage"), NOAUTH),
        (words("SUBSCRIBE", "usage"), NOAUTH),
        (words("PING"), NOAUTH),
        (words("NONSENSE"), NOAUTH),
        (words("CLIENT", "SETINFO", "LIB-NAME", "x"), NOAUTH),
        (words("AUTH"), b"-ERR wrong number of arguments for 'auth' command\r\n"),
        (words("AUTH", "a", "b", "c"), b"-ERR wrong number of arguments for 'auth' command\r\n"),
        (words("AUTH", ""), b"-ERR missing management key\r\n"),
        (words("AUTH", b"\xff\x00\n"), b"-ERR invalid management key\r\n"),
        (words("AUTH", "k" * 8000), b"-ERR invalid management key\r\n"),
        (b"+PING\r\n", NOAUTH),
        (b"-1\r\n", NOAUTH),
        (b":1 2 3\n", NOAUTH),
        (b"$4\r\n", NOAUTH),
        (b"*0\r\n*-1\r\n\r\nPING\r\n", NOAUTH),
    ],
)
def test_without_the_key_nothing_is_told(managed, opened, request_, reply):
    wire = opened(managed.proxy.url)
    wire.send(request_)
    assert wire.file.readline() == reply
    # It may still show the key.
    assert wire.ask("AUTH", KEY) == b"+OK\r\n"


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        (words("PING"), b"-ERR unknown command 'PING'\r\n"),
        (words("GET", "usage"), b"-ERR unknown command 'GET'\r\n"),
        (words("FLUSHALL"), b"-ERR unknown command 'FLUSHALL'\r\n"),
        (words("PSUBSCRIBE", "*"), b"-ERR unknown command 'PSUBSCRIBE'\r\n"),
        (words(""), b"-ERR unknown command ''\r\n"),
        (words(b"\r\n+OK\r\n\x1b[2J"), b"-ERR unknown command '??+OK???[2J'\r\n"),
        (words("x" * 5000), b"-ERR unknown command '%s'\r\n" % (b"x" * 120)),
        (words("LPOP"), b"-ERR wrong number of arguments for 'lpop' command\r\n"),
        (words("RPOP", "a", "1", "2"), b"-ERR wrong number of arguments for 'rpop' command\r\n"),
        (words("SELECT"), b"-ERR wrong number of arguments for 'select' command\r\n"),
        (words("SELECT", "1"), b"-ERR DB index is out of range\r\n"),
        (b"lpop USAGE\r\n", b"$-1\r\n"),
        (words("UNSUBSCRIBE"), b"*3\r\n"),
        (words("AUTH", KEY), b"+OK\r\n"),
        (words("QUIT"), b"+OK\r\n"),
    ],
)
def test_everything_is_answered(managed, opened, request_, reply):
    wire = opened(managed.proxy.url)
    assert wire.ask("AUTH", KEY) == b"+OK\r\n"
    wire.send(request_)
    assert wire.file.readline() == reply


def test_a_subscriber_may_do_little_else(managed, opened):
    wire = opened(managed.proxy.url)
    wire.send(words("AUTH", KEY) + words("SUBSCRIBE", "errors") + words("LPOP", "usage"))
    wire.send(words("PING", "a", "b") + words("SUBSCRIBE", "errors") + words("UNSUBSCRIBE", "x"))
    wire.send(words("UNSUBSCRIBE") + words("UNSUBSCRIBE") + words("LPOP", "usage") + words("QUIT"))
    assert wire.ended() == (
        b"+OK\r\n"
        b"*3\r\n$9\r\nsubscribe\r\n$6\r\nerrors\r\n:1\r\n"
        b"-ERR Can't execute 'lpop': only SUBSCRIBE / UNSUBSCRIBE / PING / QUIT are allowed in "
        b"this context\r\n"
        b"-ERR wrong number of arguments for 'ping' command\r\n"
        b"*3\r\n$9\r\nsubscribe\r\n$6\r\nerrors\r\n:1\r\n"
        b"*3\r\n$11\r\nunsubscribe\r\n$1\r\nx\r\n:1\r\n"
        b"*3\r\n$11\r\nunsubscribe\r\n$6\r\nerrors\r\n:0\r\n"
        b"*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n"
        b"$-1\r\n"
        b"+OK\r\n"
    )


# ---- those that mean harm -----------------------------------------------------------------------
@pytest.mark.parametrize(
    "sent",
    [
        b"*33\r\n",
        b"*999999999\r\n",
        b"*99999999999999999999\r\n",
        b"*x\r\n",
        b"*\r\n",
        b"*1\n",
        b"*1\r\n+PING\r\n",
        b"*1\r\n$-1\r\n",
        b"*1\r\n$8193\r\n",
        b"*1\r\n$1e3\r\n",
        b"*1\r\n$4\r\nPING!!",
        b"*" + b"1" * 64,
        b"+" + b"x" * 4096,
        b"+" + b"x " * 40 + b"\r\n",
        b"*3\r\n" + b"$8000\r\n%s\r\n" % (b"x" * 8000) * 2 + b"$1000\r\n",
        b"$" + b"x" * 20_000,
    ],
)
def test_what_breaks_the_rules_ends_the_connection(managed, opened, sent):
    wire = opened(managed.proxy.url)
    with contextlib.suppress(ConnectionError):
        wire.send(sent)
    assert wire.ended().startswith(b"-ERR Protocol error: ")
    assert managed.ask("GET", "/debug").status_code == 200


def test_before_the_key_not_even_good_requests_may_be_many_at_once(managed, opened):
    wire = opened(managed.proxy.url)
    with contextlib.suppress(ConnectionError):
        # In one piece, behind a request whose key takes a while to be looked at.
        wire.send(words("AUTH", "wrong") + words("PING") * 5000)
    assert b"-ERR Protocol error: the request is too large\r\n" in wire.ended()


@pytest.mark.parametrize(
    "sent", [b"*1\r\n", b"*2\r\n$4\r\nAUTH\r\n$40\r\n", words("PING"), words("HELLO", "3")]
)
def test_whoever_shows_no_key_is_let_go(managed, opened, monkeypatch, sent):
    monkeypatch.setattr(redis_port, "PATIENCE", 0.05)
    wire = opened(managed.proxy.url)
    wire.send(sent)
    assert wire.ended() in (b"", NOAUTH, b"-ERR unknown command 'HELLO'\r\n")


def test_half_a_request_is_not_waited_for(managed, opened, monkeypatch):
    wire = opened(managed.proxy.url)
    monkeypatch.setattr(redis_port, "PATIENCE", 0.05)
    wire.send(words("AUTH", KEY) + b"*2\r\n$4\r\nLPOP\r\n")
    assert wire.ended() == b"+OK\r\n"


def test_between_two_requests_a_client_may_be_silent(managed, opened, monkeypatch):
    wire = opened(managed.proxy.url)
    assert wire.ask("AUTH", KEY) == b"+OK\r\n"
    assert wire.ask("LPOP", "usage") == b"$-1\r\n"
    (one,) = [c for c in managed.proxy.connections if isinstance(c, redis_port.RedisConnection)]
    assert inside(managed.proxy, lambda: one._timer) is None


def test_a_silent_connection_is_let_go(managed, opened, monkeypatch):
    monkeypatch.setattr(first_byte, "PATIENCE", 0.05)
    assert opened(managed.proxy.url).ended() == b""


def test_a_subscriber_that_does_not_read_is_let_go_at_a_bound(managed, opened):
    wire = opened(managed.proxy.url, small=True)
    assert wire.ask("AUTH", KEY) == b"+OK\r\n"
    assert wire.ask("SUBSCRIBE", "usage") == b"*3\r\n"
    usage, held = managed.proxy.runtime.usage, []
    (one,) = [c for c in managed.proxy.connections if isinstance(c, redis_port.RedisConnection)]

    def say():
        held.append(one.transport.get_write_buffer_size())
        return usage.queue.live.tell(b'"%s"' % (b"x" * 100_000))

    for _ in range(1000):
        if not inside(managed.proxy, say):
            break
    assert redis_port.BACKLOG < max(held) < redis_port.BACKLOG + 200_000
    # What it did not take is there for others.
    used(managed.proxy, 7)
    assert [r["request_id"] for r in managed.get("/usage-queue")] == ["r7"]
    assert until(managed.proxy, lambda: one not in managed.proxy.connections)


def test_who_does_not_read_replies_is_not_read_either(managed, opened):
    wire = opened(managed.proxy.url, small=True)
    assert wire.ask("AUTH", KEY) == b"+OK\r\n"
    (one,) = [c for c in managed.proxy.connections if isinstance(c, redis_port.RedisConnection)]
    wire.socket.settimeout(0.2)
    asked = words("x" * 100) * 1000
    with contextlib.suppress(TimeoutError):
        while True:
            wire.send(asked)
    assert inside(managed.proxy, one.transport.get_write_buffer_size) < 256 * 1024
    # Nor is it taken for one that leaves a request half sent.
    assert inside(managed.proxy, lambda: one._timer) is None
    wire.socket.settimeout(20)
    assert wire.file.readline() == b"-ERR unknown command '%s'\r\n" % (b"x" * 100)


# ---- the same gate ------------------------------------------------------------------------------
class TestGate:
    def test_wrong_keys_here_ban_there(self, managed, opened):
        for _ in range(5):
            wire = opened(managed.proxy.url)
            assert wire.ask("AUTH", "wrong") == b"-ERR invalid management key\r\n"
        answer = managed.ask("GET", "/debug")
        assert answer.status_code == 403
        assert answer.json()["error"].startswith("IP banned")

    def test_wrong_keys_there_ban_here(self, managed, opened):
        for _ in range(5):
            assert managed.ask("GET", "/debug", key="wrong").status_code == 401
        wire = opened(managed.proxy.url)
        wire.send(words("AUTH", KEY) + words("LPOP", "usage"))
        said = wire.ended()
        assert said.startswith(b"-ERR IP banned due to too many failed attempts. Try again in ")
        assert said.count(b"\r\n") == 1

    def test_a_right_key_here_forgives_there(self, managed, opened):
        for _ in range(4):
            assert managed.ask("GET", "/debug", key="wrong").status_code == 401
        assert opened(managed.proxy.url).ask("AUTH", KEY) == b"+OK\r\n"
        assert managed.ask("GET", "/debug", key="wrong").status_code == 401
        assert managed.ask("GET", "/debug").status_code == 200

    def test_a_ban_ends(self, managed, opened, monkeypatch):
        clock = FakeClock()
        monkeypatch.setattr(managed.control.gate, "_clock", clock)
        wire = opened(managed.proxy.url)
        for _ in range(5):
            assert wire.ask("AUTH", "wrong") == b"-ERR invalid management key\r\n"
        clock.time += 1801
        assert wire.ask("AUTH", KEY) == b"+OK\r\n"

    def test_a_key_counts_also_when_its_client_did_not_wait(self, managed, opened):
        for _ in range(5):
            wire = opened(managed.proxy.url)
            wire.send(words("AUTH", "wrong"))
            wire.close()
        seen = managed.control.gate._seen
        assert until(managed.proxy, lambda: any(one.banned for one in seen.values()))

    def test_from_elsewhere_as_the_configuration_says(self, managed, opened, monkeypatch):
        monkeypatch.setattr(redis_port, "is_loopback", lambda _: False)
        wire = opened(managed.proxy.url)
        wire.send(words("AUTH", KEY))
        assert wire.ended() == b"-ERR remote management disabled\r\n"

    def test_a_client_key_is_none(self, managed, opened):
        wire = opened(managed.proxy.url)
        assert wire.ask("AUTH", CLIENT_KEY) == b"-ERR invalid management key\r\n"

    @pytest.mark.parametrize("sent", [words("AUTH", KEY), words("PING"), b"$", b":x\r\n"])
    def test_without_a_key_there_is_nothing(self, manage, opened, sent):
        managed = manage(head="api-keys: [k]\n")
        wire = opened(managed.proxy.url)
        wire.send(sent)
        assert wire.ended() == b""
        assert managed.ask("GET", "//healthz").status_code == 200

    @pytest.mark.parametrize("subscribed", [True, False])
    @pytest.mark.parametrize("key", ["", "another-key-0123456789"])
    def test_a_key_that_is_taken_away_ends_what_it_opened(self, managed, opened, key, subscribed):
        wire = opened(managed.proxy.url)
        assert wire.ask("AUTH", KEY) == b"+OK\r\n"
        if subscribed:
            assert wire.ask("SUBSCRIBE", "errors") == b"*3\r\n"
        text = managed.text.replace(f"secret-key: {KEY}", f'secret-key: "{key}"')
        assert managed.ask("PUT", "/config.yaml", text.encode()).status_code == 200
        said = wire.ended()
        assert said == (b"$9\r\nsubscribe\r\n$6\r\nerrors\r\n:1\r\n" if subscribed else b"")

    def test_another_setting_ends_nothing(self, managed, opened):
        # The first change puts a hash in the place of the key.
        assert managed.ask("PUT", "/debug", {"value": False}).status_code == 200
        wire = opened(managed.proxy.url)
        assert wire.ask("AUTH", KEY) == b"+OK\r\n"
        assert managed.ask("PUT", "/request-retry", {"value": 2}).status_code == 200
        assert wire.ask("LPOP", "usage") == b"$-1\r\n"


# ---- the port -----------------------------------------------------------------------------------
class Looped(Proxy):
    """A proxy on the loop of a real process, with either of uvicorn's protocols."""

    def __init__(self, config, *, fast, http=None):
        super().__init__(config)
        self._fast, self._http = fast, http

    def _run(self):
        factory = None
        if self._fast:
            import uvloop

            factory = uvloop.new_event_loop
        by = first_byte.by_first_byte
        made = (lambda control: by(control, self._http)) if self._http else by
        try:
            with pytest.MonkeyPatch.context() as patch, asyncio.Runner(loop_factory=factory) as run:
                patch.setattr(proxy_module, "by_first_byte", made)
                run.run(self._serve())
        except BaseException as err:
            self._error = err
        finally:
            self._ready.set()


LOOPS = pytest.mark.parametrize(
    "fast",
    [
        pytest.param(False, id="asyncio"),
        pytest.param(
            True, id="uvloop", marks=pytest.mark.skipif(sys.platform == "win32", reason="no uvloop")
        ),
    ],
)
TLS = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])


@pytest.fixture
def start(tmp_path):
    with contextlib.ExitStack() as stack:

        def run(*, tls=False, **options):
            text = HEAD
            authority = trustme.CA()
            trusted = tmp_path / "ca.pem"
            authority.cert_pem.write_to_path(trusted)
            if tls:
                issued = authority.issue_cert("127.0.0.1")
                cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
                issued.cert_chain_pems[0].write_to_path(cert)
                issued.private_key_pem.write_to_path(key)
                text += f"tls: {{enable: true, cert: {cert}, key: {key}}}\n"
            proxy = stack.enter_context(Looped(text, **options))
            proxy.trusted = str(trusted)
            return proxy

        yield run


@LOOPS
@TLS
def test_one_port_speaks_both(start, client, fast, tls):
    proxy = start(fast=fast, tls=tls)
    options = {"ssl": True, "ssl_ca_certs": proxy.trusted} if tls else {}
    listener = client(proxy, **options).pubsub()
    listener.subscribe("usage")
    assert [heard(listener)[0], heard(listener)[2]] == ["subscribe", GREETING]
    used(proxy, 0)
    assert ids([heard(listener)[2]]) == ["r0"]
    verify = ssl.create_default_context(cafile=proxy.trusted) if tls else True
    with httpx.Client(base_url=proxy.url, verify=verify, trust_env=False) as http:
        for _ in range(2):
            assert http.get("/healthz").json() == {"status": "ok"}
        found = http.get("/v0/management/usage-queue", headers={"x-management-key": KEY})
        assert found.json() == []
    listener.unsubscribe()
    while heard(listener)[0] != "unsubscribe":
        pass
    used(proxy, *range(500))
    taken = client(proxy, **options).lpop("usage", 10000)
    assert ids(taken) == [f"r{n}" for n in range(500)]


@pytest.mark.parametrize("http", [None, H11Protocol], ids=["usual", "h11"])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_http_may_come_in_pieces(start, opened, http, size):
    proxy = start(fast=False, http=http)
    wire = opened(proxy.url)
    wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
    last = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    sent = request * 2 + last
    for at in range(0, len(sent), size):
        wire.send(sent[at : at + size])
    said = wire.ended()
    assert (said.count(b"200 OK"), said.count(b'{"status":"ok"}')) == (3, 3)


@pytest.mark.parametrize("first", [b"*", b"$", b"+", b"-", b":"])
def test_these_first_bytes_are_of_redis(managed, opened, first):
    wire = opened(managed.proxy.url)
    wire.send(first + b"1\r\n$4\r\nPING\r\n")
    assert wire.file.readline() == NOAUTH


@pytest.mark.parametrize("first", [b"{", b"\x16\x03\x01", b"\x00", b"#", b"(", b",", b"/", b"1"])
def test_all_others_are_of_http(managed, opened, first):
    wire = opened(managed.proxy.url)
    wire.send(first + b"1\r\n$4\r\nPING\r\n")
    assert wire.ended().startswith(b"HTTP/1.1 400 ")


@LOOPS
@TLS
def test_a_stop_ends_every_connection(start, client, opened, caplog, fast, tls):
    caplog.set_level(logging.INFO, "uvicorn.error")
    proxy = start(fast=fast, tls=tls)
    options = {"ssl": True, "ssl_ca_certs": proxy.trusted} if tls else {}
    idle = client(proxy, **options)
    assert idle.lpop("usage") is None
    listener = client(proxy, **options).pubsub()
    listener.subscribe("errors")
    assert heard(listener)[0] == "subscribe"
    silent = opened(proxy.url, trusted=proxy.trusted if tls else None)
    assert until(proxy, lambda: len(proxy.connections) == 3)
    proxy.__exit__(None, None, None)
    with pytest.raises(redis.ConnectionError):
        assert listener.get_message(timeout=20) is None, "it is still served"
    with contextlib.suppress(ssl.SSLEOFError):
        assert silent.ended() == b""
    assert "exceeded" not in caplog.text
    proxy.url = ""


# ---- the reader ---------------------------------------------------------------------------------
PIECES = st.lists(
    st.one_of(
        st.lists(st.binary(max_size=20), max_size=6).map(lambda given: words(*given)),
        st.sampled_from(
            [
                b"PING\r\n", b"a b  c\n", b"\r\n", b"\n", b"*0\r\n", b"*-1\r\n", b"*2\r\n",
                b"$3\r\nabc\r\n", b"$3\r\nabcd\r\n", b"*1\n", b"*x\r\n", b"*40\r\n", b"*+1\r\n",
                b"*1\r\n$9000\r\n", b"*" + b"1" * 30, b"x" * 5000, b"x " * 33 + b"\n",
                words(b"y" * 8000), words(b"y" * 8000, b"y" * 8000), words(*[b"z" * 4000] * 5),
            ]
        ),
        st.binary(max_size=30),
    ),
    max_size=6,
).map(b"".join)  # fmt: skip


def read(pieces):
    """Return the requests in some pieces, and what is wrong at their end."""
    reader, found = resp.Reader(), []
    for piece in pieces:
        reader.feed(piece)
        assert len(reader) <= resp.REQUEST + len(piece)
        try:
            while (request := reader.take()) is not None:
                found.append(request)
        except resp.Malformed as err:
            return found, str(err)
    return found, None


@given(data=PIECES, cuts=st.lists(st.integers(0, 20_000), max_size=8))
def test_it_does_not_matter_how_bytes_are_split(data, cuts):
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[a:b] for a, b in zip(edges, edges[1:], strict=False)]
    assert read(pieces) == read([data])


@given(data=PIECES.filter(lambda data: len(data) < 2000))
def test_it_does_not_matter_when_bytes_come_one_by_one(data):
    assert read([data[n : n + 1] for n in range(len(data))]) == read([data])


@given(st.lists(st.lists(st.binary(max_size=100), min_size=1, max_size=32), max_size=5))
def test_what_clients_send_is_read_as_it_was_meant(requests):
    assert read([b"".join(words(*request) for request in requests)]) == (requests, None)


@pytest.mark.parametrize(
    ("reply", "wire"),
    [
        (resp.error("ERR x"), b"-ERR x\r\n"),
        (resp.bulk(b"a\r\nb"), b"$4\r\na\r\nb\r\n"),
        (resp.bulk(None), b"$-1\r\n"),
        (resp.array([]), b"*0\r\n"),
        (resp.array([b"a", b""]), b"*2\r\n$1\r\na\r\n$0\r\n\r\n"),
        (resp.pong(b""), b"*2\r\n$4\r\npong\r\n$0\r\n\r\n"),
        (
            resp.message(b"usage", b"{}"),
            b"*3\r\n$7\r\nmessage\r\n$5\r\nusage\r\n$2\r\n{}\r\n",
        ),
        (
            resp.changed(b"subscribe", b"usage", 1),
            b"*3\r\n$9\r\nsubscribe\r\n$5\r\nusage\r\n:1\r\n",
        ),
    ],
)
def test_a_reply_on_the_wire(reply, wire):
    assert reply == wire

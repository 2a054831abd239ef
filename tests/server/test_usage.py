"""Every request leaves exactly one row, with the tokens its upstream told."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
import time
from contextlib import closing

import httpx2 as httpx
import pytest

from cliproxy.usage import questions
from tests.clients.upstreams import MODELS, config
from tests.proxy import KEY
from tests.server.raw import post, request
from tests.sim import Answer, Failure, Gate, Usage

DIALECTS = tuple(MODELS)
TOLD = Usage(input=30, output=9, cached=10, cache_write=4, reasoning=3)
OPEN = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
clients = pytest.mark.parametrize("client", DIALECTS)
upstreams = pytest.mark.parametrize("upstream", DIALECTS)
streams = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@pytest.fixture
def proxy(sim, start_proxy):
    return start_proxy(config(sim))


def turn(proxy):
    """Let the server's loop come round once."""
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), proxy.loop).result(5)


def rows(proxy, count=1, **filters):
    """Return the rows, once there are so many: a client has its answer before it is noted."""
    until = time.monotonic() + 20
    while True:
        turn(proxy)
        found = proxy.runtime.usage.store.read(
            lambda db: questions.requests(db, filters=filters)["requests"]
        )
        if len(found) >= count or time.monotonic() > until:
            assert len(found) == count
            return found


def expected(upstream):
    tokens = {
        "input": 30, "cached": 10, "cache_write": 4, "cache_write_1h": 0, "output": 9,
        "reasoning": 3, "total": 39, "quality": "complete",
    }  # fmt: skip
    # Gemini has no word for what is written to a cache.
    return tokens | ({"cache_write": 0} if upstream in ("gemini", "interactions") else {})


@clients
@upstreams
@streams
def test_tokens_are_those_the_upstream_told(proxy, sim, client, upstream, stream):
    sim.script(Answer("Hi there", thinking="hm", usage=TOLD))
    answer = post(proxy, *request(client, f"to-{upstream}", stream=stream))
    assert answer.status_code == 200
    (row,) = rows(proxy)
    assert row["tokens"] == expected(upstream)
    assert (row["status"], row["failed"], row["attempts"], row["stream"]) == (200, False, 1, stream)
    assert (row["dialect"], row["upstream"]) == (client, upstream)
    assert (row["model"], row["served"]) == (f"to-{upstream}", MODELS[upstream])
    assert (row["first_seconds"] is not None) is stream
    assert row["seconds"] >= (row["first_seconds"] or 0)


@pytest.mark.parametrize("upstream", ["gemini", "anthropic"])
def test_also_in_a_streamed_array(proxy, sim, upstream):
    sim.script(Answer(["Hi ", "there"], usage=TOLD))
    path, body = request("gemini", f"to-{upstream}", stream=True)
    assert post(proxy, path.removesuffix("?alt=sse"), body).json()
    assert rows(proxy)[0]["tokens"] == expected(upstream)


@upstreams
@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_also_when_bytes_come_in_any_pieces(proxy, sim, upstream, chunk):
    sim.script(Answer("Hi there", usage=TOLD, chunk=chunk))
    body = request(upstream, f"to-{upstream}", stream=True)
    assert post(proxy, *body).status_code == 200
    assert rows(proxy)[0]["tokens"] == expected(upstream)


def test_a_chat_stream_that_nobody_counted_has_none(proxy, sim):
    sim.script(Answer("Hi there", without_usage=True))
    post(proxy, *request("openai-chat", "to-openai-chat", stream=True))
    (row,) = rows(proxy)
    assert (row["tokens"]["quality"], row["tokens"]["total"]) == ("none", 0)


@clients
@upstreams
def test_a_stream_cut_by_its_upstream_is_one_failed_row(proxy, sim, client, upstream):
    sim.script(Answer(["one "] * 12, usage=TOLD, cut=9))
    answer = post(proxy, *request(client, f"to-{upstream}", stream=True))
    assert answer.status_code == 200
    (row,) = rows(proxy)
    assert row["failed"]
    assert row["status"] == 502
    assert row["error"]
    if upstream in ("anthropic", "gemini"):
        # These tell at the beginning what was read.
        assert row["tokens"]["input"] == 30


@clients
@upstreams
def test_a_stream_its_client_left_is_one_row(proxy, sim, client, upstream):
    gate = Gate()
    sim.script(Answer(["one "] * 12, usage=TOLD, gate=gate, gate_at=8))
    path, body = request(client, f"to-{upstream}", stream=True)
    with (
        httpx.Client(base_url=proxy.url, trust_env=False, headers=OPEN) as http,
        http.stream("POST", path, content=json.dumps(body)) as response,
    ):
        next(response.iter_raw())
    (row,) = rows(proxy)
    assert (row["status"], row["failed"]) == (499, True)
    if upstream in ("anthropic", "gemini"):
        assert row["tokens"]["input"] == 30
    (total,) = proxy.runtime.usage.store.read(questions.summary)
    assert (total["requests"], total["failed"], total["left"]) == (1, 1, 1)


LAST = {
    "openai-chat": b"[DONE]",
    "openai-responses": b"response.completed",
    "anthropic": b"message_stop",
    "gemini": b"finishReason",
    "interactions": b"[DONE]",
}


@pytest.mark.parametrize(
    ("client", "upstream", "events"),
    [
        ("openai-chat", "openai-chat", 6),
        ("openai-responses", "openai-responses", 10),
        ("anthropic", "anthropic", 8),
        ("gemini", "gemini", 3),
        ("interactions", "interactions", 8),
        ("openai-chat", "anthropic", 8),
        ("anthropic", "openai-chat", 6),
    ],
)
def test_a_client_that_leaves_at_the_end_had_its_answer(proxy, sim, client, upstream, events):
    """Many go as soon as they have read the last event, and some upstreams do not close then."""
    sim.script(Answer(["one "] * 2, usage=TOLD, hang=events))
    path, body = request(client, f"to-{upstream}", stream=True)
    with (
        httpx.Client(base_url=proxy.url, trust_env=False, headers=OPEN, timeout=5) as http,
        http.stream("POST", path, content=json.dumps(body)) as response,
    ):
        told = b""
        for chunk in response.iter_raw():
            told += chunk
            if LAST[client] in told:
                break
    (row,) = rows(proxy)
    assert (row["status"], row["failed"], row["tokens"]["total"]) == (200, False, 39)
    assert [r["status"] for r in proxy.runtime.app.recent.latest(9)] == [200]


@clients
@upstreams
@streams
def test_a_failure_is_one_row(proxy, sim, client, upstream, stream):
    sim.script(Failure(400, "no"))
    answer = post(proxy, *request(client, f"to-{upstream}", stream=stream))
    (row,) = rows(proxy)
    assert row["status"] == answer.status_code == 400
    assert "no" in row["error"]
    assert row["tokens"]["quality"] == "none"


def test_attempts_on_several_accounts_are_one_row(start_sim, start_proxy):
    bad, good = start_sim(), start_sim()
    bad.script(Failure(500, "down"))
    good.script(Answer("Hi", usage=TOLD))
    proxy = start_proxy(f"""
claude-api-key:
  - {{api-key: a, name: first, base-url: "{bad.url}", models: [{{name: m}}], priority: 2}}
  - {{api-key: b, name: second, base-url: "{good.url}", models: [{{name: m}}]}}
""")
    assert post(proxy, *request("anthropic", "m")).status_code == 200
    (row,) = rows(proxy)
    assert (row["attempts"], row["source"], row["provider"]) == (2, "second", "claude")
    assert row["tokens"]["total"] == 39


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/chat/completions", {"messages": []}, 400),
        ("/v1/chat/completions", {"model": "nothing-like-it", "messages": []}, 404),
        ("/v1/messages", b"{", 400),
        ("/v1/messages", {"model": "to-gemini", "messages": 1, "max_tokens": 1}, 400),
    ],
)
def test_a_request_that_reaches_nobody_is_one_row(proxy, path, body, status):
    assert post(proxy, path, body).status_code == status
    (row,) = rows(proxy)
    assert (row["status"], row["failed"]) == (status, True)
    assert row["tokens"]["total"] == 0
    assert row["endpoint"] == f"POST {path}"


def test_who_has_no_key_leaves_no_row(proxy):
    assert post(proxy, *request("openai-chat", "to-gemini"), key="wrong").status_code == 401
    post(proxy, *request("openai-chat", "to-gemini"))
    rows(proxy, 1)


def test_counting_tokens_is_no_request_in_the_sums(proxy, sim):
    body = {"model": "to-anthropic", "messages": [{"role": "user", "content": "Hi"}]}
    assert post(proxy, "/v1/messages/count_tokens", body).status_code == 200
    (row,) = rows(proxy)
    assert row["operation"] == "count"
    (total,) = proxy.runtime.usage.store.read(questions.summary)
    assert total["requests"] == 0


def test_a_compacted_conversation_is_one_row(proxy, sim):
    sim.script(Answer("Summary", usage=TOLD))
    body = {"model": "to-anthropic", "input": "Hi"}
    assert post(proxy, "/v1/responses/compact", body).status_code == 200
    (row,) = rows(proxy)
    assert (row["operation"], row["tokens"]["total"]) == ("compact", 39)
    assert row["fidelity"] == "exact"


def test_the_key_of_a_client_is_nowhere_in_the_file(sim, start_proxy):
    keys = ["sk-first-1234567890-abcdef", "sk-second-1234567890-abcdef"]
    proxy = start_proxy(f"api-keys: {json.dumps(keys)}\n{config(sim)}")
    for key in keys:
        assert post(proxy, *request("gemini", "to-gemini"), key=key).status_code == 200
    marks = {row["client"] for row in rows(proxy, 2)}
    assert len(marks) == 2
    assert all(mark.startswith("sk-") for mark in marks)
    proxy.runtime.usage.store.close()
    written = proxy.runtime.usage.store.path.read_bytes()
    for secret in (*keys, "claude-key", "gemini-key", "chat-key"):
        assert secret.encode() not in written


def test_the_mark_of_a_key_stays_when_keys_change_places(sim, start_proxy, tmp_path):
    key = "sk-mine-1234567890-abcdef"
    found = set()
    for keys in ([key], ["sk-other-1234567890-abcdef", key]):
        proxy = start_proxy(f'auth-dir: "{tmp_path}"\napi-keys: {json.dumps(keys)}\n{config(sim)}')
        post(proxy, *request("gemini", "to-gemini"), key=key)
        found |= {row["client"] for row in rows(proxy, len(keys))}
    assert len(found) == 1


def test_nothing_is_recorded_when_it_is_switched_off(sim, start_proxy):
    proxy = start_proxy(config(sim, "usage-statistics-enabled: false"))
    assert post(proxy, *request("gemini", "to-gemini")).status_code == 200
    turn(proxy)
    assert not proxy.runtime.usage.store.path.exists()


def test_recording_can_be_switched_while_it_runs(sim, start_proxy):
    from msgspec import structs

    proxy = start_proxy(config(sim))

    def switch(on):
        now = structs.replace(proxy.runtime.config, usage_statistics_enabled=on)
        proxy.loop.call_soon_threadsafe(proxy.runtime.reload, now)
        turn(proxy)

    switch(False)
    post(proxy, *request("gemini", "to-gemini"))
    turn(proxy)
    switch(True)
    post(proxy, *request("anthropic", "to-gemini"))
    assert rows(proxy)[0]["dialect"] == "anthropic"


def test_the_owners_prices_count(sim, start_proxy):
    prices = "prices: {some-*: {input: 1, cached: 0.5, cache-write: 2, output: 10}}"
    proxy = start_proxy(config(sim, prices))
    sim.script(Answer("Hi", usage=TOLD))
    post(proxy, *request("anthropic", "to-openai-chat"))
    # 16 plain, 10 cached, 4 written, 9 out.
    assert rows(proxy)[0]["cost_usd"] == pytest.approx((16 + 5 + 8 + 90) / 1e6)


def test_what_nobody_counted_has_no_price(sim, start_proxy):
    prices = "prices: {some-*: {input: 1, output: 10}, claude-*: {input: 0, output: 0}}"
    proxy = start_proxy(config(sim, prices))
    for upstream in ("openai-chat", "anthropic"):
        sim.script(Answer("Hi", without_usage=True))
        post(proxy, *request("openai-chat", f"to-{upstream}", stream=True))
    sim.script(Failure(400, "no"))
    post(proxy, *request("openai-chat", "to-openai-chat"))
    # What failed cost nothing, and what is free does so uncounted.
    found = [row["cost_usd"] for row in rows(proxy, 3)]
    assert found == [0, 0, None]


def test_who_failed_is_told_with_what_it_speaks(proxy, sim):
    sim.script(Failure(400, "no"))
    post(proxy, *request("openai-chat", "to-anthropic"))
    assert (rows(proxy)[0]["upstream"], rows(proxy)[0]["status"]) == ("anthropic", 400)


def test_a_broken_file_is_put_aside_and_requests_are_served(sim, start_proxy, tmp_path):
    (tmp_path / "usage.db").write_bytes(b"this is not a database, and long enough" * 100)
    proxy = start_proxy(f'auth-dir: "{tmp_path}"\n{config(sim)}')
    assert post(proxy, *request("gemini", "to-gemini")).status_code == 200
    # The row is on its way to the broken file, and not still to come.
    proxy.settle()
    until = time.monotonic() + 10
    while not proxy.runtime.usage.store.flush(1) and time.monotonic() < until:
        pass
    rows(proxy)
    assert list(tmp_path.glob("usage.db.broken-*"))


def test_many_at_once_are_all_there(proxy, sim):
    sim.script(lambda record: Answer("Hi", usage=TOLD))

    def ask():
        for dialect in DIALECTS:
            post(proxy, *request(dialect, "to-anthropic"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    asked = 8 * len(DIALECTS)
    rows(proxy, asked)
    (total,) = proxy.runtime.usage.store.read(questions.summary)
    assert (total["requests"], total["tokens"]["total"]) == (asked, asked * 39)


def test_what_waits_is_written_when_the_proxy_stops(sim, start_proxy, tmp_path):
    proxy = start_proxy(f'auth-dir: "{tmp_path}"\n{config(sim)}')
    post(proxy, *request("gemini", "to-gemini"))
    proxy.__exit__(None, None, None)
    with closing(sqlite3.connect(tmp_path / "usage.db")) as db:
        assert db.execute("SELECT count(*) FROM requests").fetchone() == (1,)
    assert (tmp_path / "usage.db").stat().st_mode & 0o777 == 0o600
    # It is stopped again when the test ends.
    proxy.url = ""

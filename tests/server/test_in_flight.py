"""How much runs on an account: counted from its first byte to its last, and limited."""

from __future__ import annotations

import json
import threading

import httpx2 as httpx
import pytest

from tests.proxy import KEY
from tests.server.raw import post, request
from tests.sim import Answer, Failure, Gate

OPEN = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}


def start(sim, start_proxy, settings=""):
    return start_proxy(f"""
claude-api-key: [{{api-key: k, base-url: "{sim.url}", models: [{{name: m}}]}}]
{settings}
""")


def running(proxy):
    pool = proxy.runtime.app.generation.gateway.pool
    (account,) = (a for a in proxy.runtime.accounts if a.provider == "claude")
    return pool.running(account.id)


@pytest.mark.parametrize("client", ["anthropic", "openai-chat"])
@pytest.mark.parametrize(
    "answer",
    [Answer("Hi"), Answer(["a", "b"], cut=4), Failure(400, "no"), Failure(500, "no")],
    ids=["good", "cut", "refused", "failed"],
)
@pytest.mark.parametrize("stream", [False, True])
def test_nothing_runs_when_all_is_over(sim, start_proxy, client, answer, stream):
    proxy = start(sim, start_proxy)
    sim.script(answer)
    post(proxy, *request(client, "m", stream=stream))
    assert running(proxy) == 0


def test_a_stream_runs_until_its_client_leaves(sim, start_proxy):
    proxy = start(sim, start_proxy)
    gate = Gate()
    sim.script(Answer(["one ", "two"], gate=gate, gate_at=4))
    path, body = request("anthropic", "m", stream=True)
    with (
        httpx.Client(base_url=proxy.url, trust_env=False, headers=OPEN) as http,
        http.stream("POST", path, content=json.dumps(body)) as response,
    ):
        for line in response.iter_lines():
            if "one" in line:
                assert running(proxy) == 1
                break
    sim.wait_closed()
    # The next request is served by the same loop, after the stream's end was seen to.
    post(proxy, *request("anthropic", "m"))
    assert running(proxy) == 0


def test_a_request_waits_for_its_turn(sim, start_proxy):
    proxy = start(sim, start_proxy, "routing: {max-in-flight: 1}")
    gate = Gate()
    sim.script(Answer("first", gate=gate, gate_at="headers"), Answer("second"))
    answers = []

    def ask():
        answers.append(post(proxy, *request("anthropic", "m")))

    first, second = threading.Thread(target=ask), threading.Thread(target=ask)
    first.start()
    gate.wait_reached()
    second.start()
    assert len(sim.requests) == 1
    gate.open()
    first.join(10)
    second.join(10)
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(sim.requests) == 2


def test_another_account_serves_what_one_has_no_room_for(start_sim, start_proxy):
    busy, free = start_sim(), start_sim()
    gate = Gate()
    busy.script(Answer("slow", gate=gate, gate_at="headers"))
    proxy = start_proxy(f"""
routing: {{max-in-flight: 1, strategy: fill-first}}
claude-api-key:
  - {{api-key: a, base-url: "{busy.url}", models: [{{name: m}}], priority: 2}}
  - {{api-key: b, base-url: "{free.url}", models: [{{name: m}}]}}
""")
    first = threading.Thread(target=lambda: post(proxy, *request("anthropic", "m")))
    first.start()
    gate.wait_reached()
    assert post(proxy, *request("anthropic", "m")).status_code == 200
    assert len(free.requests) == 1
    gate.open()
    first.join(10)


def test_what_an_account_says_is_left_decides_who_is_asked(start_sim, start_proxy):
    nearly, fresh = start_sim(), start_sim()

    def left(used):
        return {
            "anthropic-ratelimit-unified-5h-utilization": str(used),
            "anthropic-ratelimit-unified-5h-status": "allowed",
            "anthropic-ratelimit-unified-5h-reset": "4000000000",
        }

    nearly.script(*[Answer("x", headers=left(0.97))] * 20)
    fresh.script(*[Answer("x", headers=left(0.02))] * 20)
    proxy = start_proxy(f"""
routing: {{strategy: quota-aware, session-affinity: false}}
claude-api-key:
  - {{api-key: a, base-url: "{nearly.url}", models: [{{name: m}}]}}
  - {{api-key: b, base-url: "{fresh.url}", models: [{{name: m}}]}}
""")
    for _ in range(12):
        assert post(proxy, *request("anthropic", "m")).status_code == 200
    assert len(fresh.requests) > len(nearly.requests)

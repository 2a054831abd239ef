"""A new configuration takes over from the old one under load."""

from __future__ import annotations

import asyncio
import gc
import threading
from pathlib import Path

from cliproxy.config.load import load_text
from cliproxy.routing.resolve import Registry
from tests.clients.upstreams import config
from tests.server.raw import get, post, request
from tests.sim import Answer, Failure, Gate


def _config(proxy, text):
    return f"auth-dir: {proxy.folder}\napi-keys: [{proxy.key}]\n{text}"


def reload(proxy, text):
    reload_whole(proxy, _config(proxy, text))


def reload_whole(proxy, text):
    done = threading.Event()
    loaded = load_text(text, path=Path("config.yaml"))

    def swap():
        proxy.runtime.reload(loaded.config)
        done.set()

    proxy.loop.call_soon_threadsafe(swap)
    assert done.wait(5)


def test_new_names_serve_at_once_and_old_ones_are_gone(sim, start_proxy):
    proxy = start_proxy(config(sim))
    reload(proxy, config(sim).replace("to-openai-chat", "renamed"))
    names = {entry["id"] for entry in get(proxy, "/v1/models").json()["data"]}
    assert "renamed" in names
    assert "to-openai-chat" not in names
    path, body = request("openai-chat", "renamed")
    assert post(proxy, path, body).status_code == 200


def test_a_running_stream_ends_by_the_configuration_it_began_with(sim, start_proxy):
    proxy = start_proxy(config(sim))
    gate = Gate()
    sim.script(Answer(["one ", "two"], gate=gate, gate_at=2))
    answers = []
    path, body = request("anthropic", "to-openai-chat", stream=True)
    asking = threading.Thread(target=lambda: answers.append(post(proxy, path, body)))
    asking.start()
    gate.wait_reached()
    reload(proxy, "")
    gate.open()
    asking.join(10)
    assert "message_stop" in answers[0].text
    assert "two" in answers[0].text
    assert post(proxy, path, body).status_code == 404


def registries():
    return sum(isinstance(item, Registry) for item in gc.get_objects())


def test_a_thousand_reloads_lose_no_request_and_leave_nothing_behind(sim, start_proxy):
    proxy = start_proxy(config(sim))
    texts = [config(sim), config(sim, "request-retry: 1")]
    plans = [load_text(_config(proxy, text), path=Path("c.yaml")) for text in texts]
    stop = threading.Event()
    failed = []
    gc.collect()
    # Of whatever else runs in this process.
    before = registries()

    def ask(*, stream):
        path, body = request("openai-chat", "to-gemini", stream=stream)
        while not stop.is_set():
            answer = post(proxy, path, body)
            if answer.status_code != 200 or (stream and "[DONE]" not in answer.text):
                failed.append(answer.text)

    workers = [
        threading.Thread(target=ask, kwargs={"stream": stream}) for stream in (False, True, False)
    ]
    for worker in workers:
        worker.start()
    done = threading.Event()

    async def swap():
        for number in range(1000):
            proxy.runtime.reload(plans[number % 2].config)
            # Requests run between any two.
            await asyncio.sleep(0)
        done.set()

    asyncio.run_coroutine_threadsafe(swap(), proxy.loop)
    assert done.wait(60)
    stop.set()
    for worker in workers:
        worker.join(10)
    assert failed == []
    gc.collect()
    # The one in use, and at most those that the last requests still hold.
    assert registries() - before < 8


def test_what_is_known_about_accounts_outlives_a_reload(start_sim, start_proxy):
    limited, free = start_sim(), start_sim()
    limited.script(*[Failure(status=429, retry_after=600)] * 3)
    text = "openai-compatibility:" + "".join(
        f"""
  - name: {name}
    base-url: "{one.url}/v1"
    api-key-entries: [{{api-key: k}}]
    models: [{{name: m}}]
"""
        for name, one in (("limited", limited), ("free", free))
    )
    proxy = start_proxy(text)
    path, body = request("openai-chat", "m")
    for _ in range(3):
        assert post(proxy, path, body).status_code == 200
    assert len(limited.requests) == 1
    reload(proxy, text + "debug: false\n")
    for _ in range(3):
        assert post(proxy, path, body).status_code == 200
    assert len(limited.requests) == 1

"""What is kept for a client key is that key's, wherever it stands in the configuration."""

from __future__ import annotations

import json

import pytest

from tests.clients.upstreams import config
from tests.server.raw import get, post
from tests.server.test_reload import reload_whole
from tests.sim import Answer

MEDIA = "media: {allow-hosts: [127.0.0.1]}\n"


def text(proxy_folder, keys, sim):
    films = f"xai-api-key: [{{api-key: xai-key-number-0, base-url: '{sim.url}/v1'}}]\n"
    return f"auth-dir: {proxy_folder}\napi-keys: [{keys}]\n{config(sim)}\n{films}{MEDIA}"


@pytest.fixture
def proxy(sim, start_proxy, tmp_path):
    return start_proxy(text(tmp_path, "first-key, second-key", sim))


def kept(proxy, sim, key):
    """Have something kept of each kind; return where."""
    sim.script(Answer("one"), Answer("two"))
    asked = {"model": "to-anthropic", "input": "mine alone"}
    response = post(proxy, "/v1/responses", asked, key=key).json()["id"]
    interaction = post(proxy, "/v1beta/interactions", asked, key=key).json()["id"]
    conversation = post(proxy, "/v1/conversations", {"items": []}, key=key).json()["id"]
    film = post(
        proxy, "/v1/videos", {"model": "grok-imagine-video", "prompt": "A sea"}, key=key
    ).json()["request_id"]
    return [
        f"/v1/responses/{response}", f"/v1/responses/{response}/input_items",
        f"/v1beta/interactions/{interaction}", f"/v1/conversations/{conversation}",
        f"/v1/videos/{film}", f"/v1/videos/{film}/content",
    ]  # fmt: skip


def statuses(proxy, places, key):
    found = [get(proxy, place, key=key) for place in places]
    assert key == "first-key" or all("mine alone" not in answer.text for answer in found)
    return [answer.status_code for answer in found]


def test_another_key_sees_nothing_of_it(proxy, sim):
    places = kept(proxy, sim, "first-key")
    assert statuses(proxy, places, "second-key") == [404] * len(places)
    assert statuses(proxy, places, "first-key")[:5] == [200] * 5


def test_a_key_that_takes_the_place_of_another_does_not_inherit(proxy, sim, tmp_path):
    places = kept(proxy, sim, "first-key")
    reload_whole(proxy, text(tmp_path, "second-key", sim))
    assert statuses(proxy, places, "second-key") == [404] * len(places)
    reload_whole(proxy, text(tmp_path, "second-key, first-key", sim))
    assert statuses(proxy, places, "second-key") == [404] * len(places)
    assert statuses(proxy, places, "first-key")[:5] == [200] * 5


def test_nobody_goes_on_from_what_is_anothers(proxy, sim):
    sim.script(Answer("one"))
    body = {"model": "to-anthropic", "input": "mine alone"}
    first = json.loads(post(proxy, "/v1/responses", body, key="first-key").content)["id"]
    sim.requests.clear()
    answer = post(proxy, "/v1/responses", {**body, "previous_response_id": first}, key="second-key")
    assert answer.status_code == 400
    assert "mine alone" not in answer.text
    assert not sim.requests

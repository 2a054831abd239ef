"""Requests under way and those that are over, searched, and with their bodies."""

from __future__ import annotations

import threading

import pytest

from tests.manage.conftest import CLIENT_KEY
from tests.sim import Answer, Failure, Gate


@pytest.fixture
def asking(manage, sim, tmp_path, monkeypatch):
    monkeypatch.setenv("WRITABLE_PATH", str(tmp_path / "w"))
    managed = manage(f"""
request-log: true
disable-cooling: true
openai-compatibility:
  - name: First
    base-url: "{sim.url}/v1"
    api-key-entries: [{{api-key: sk-upstream-secret-0123456789}}]
    models: [{{name: m, alias: one}}, {{name: n, alias: two}}]
""")

    def ask(model="one", content="Hi"):
        body = {"model": model, "messages": [{"role": "user", "content": content}]}
        answer = managed.ask("POST", "//v1/chat/completions", body, key=CLIENT_KEY)
        return answer.headers["x-cliproxy-request-id"]

    managed.chat = ask
    return managed


def found(managed, query=""):
    return managed.get(f"/requests{query}")["requests"]


def test_a_request_under_way_is_there_and_marked(asking, sim):
    over = asking.chat()
    gate = Gate()
    sim.script(Answer("late", gate=gate, gate_at="headers"))
    thread = threading.Thread(target=asking.chat, args=("two",))
    thread.start()
    gate.wait_reached()
    try:
        first, second = found(asking)
        assert (first["model"], first["running"], first["status"]) == ("two", True, 0)
        assert first["seconds"] >= 0
        assert first["first_seconds"] is None
        assert (second["id"], second["running"], second["status"]) == (over, False, 200)
        assert asking.get(f"/requests/{first['id']}")["running"] is True
    finally:
        gate.open()
        thread.join()
    asking.proxy.settle()
    assert [r["running"] for r in found(asking)] == [False, False]


def test_one_whose_client_went_away_no_longer_runs(asking, sim):
    sim.script(Answer(["one", "two"], gate=Gate(), gate_at=3))
    body = {"model": "one", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    key = {"authorization": f"Bearer {CLIENT_KEY}"}
    with asking.client.stream("POST", "/v1/chat/completions", json=body, headers=key) as answer:
        lines = answer.iter_lines()
        next(lines)
        (now,) = found(asking)
        assert now["running"]
        assert 0 <= now["first_seconds"] <= now["seconds"]
    asking.proxy.settle()
    (only,) = found(asking)
    assert (only["running"], only["status"]) == (False, 499)


def test_one_that_failed_on_its_way_is_none_that_went_well(asking, sim):
    sim.script(Answer(["one "] * 12, cut=9))
    body = {"model": "one", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    asking.ask("POST", "//v1/chat/completions", body, key=CLIENT_KEY)
    asking.proxy.settle()
    (only,) = found(asking)
    assert only["status"] == 502
    assert only["error"] == only["attempts"][0]["message"] != ""


@pytest.mark.parametrize(
    ("path", "body", "status", "dialect"),
    [
        ("//v1/chat/completions", b"{", 400, "openai-chat"),
        ("//v1/messages", {"messages": []}, 400, "anthropic"),
        ("//v1/images/edits", b"no form", 400, "openai-image-edits"),
    ],
)
def test_one_that_could_not_be_read_is_there_with_its_reason(asking, path, body, status, dialect):
    told = asking.ask("POST", path, body, key=CLIENT_KEY)
    asking.proxy.settle()
    (only,) = found(asking, "?q=" + told.headers["x-cliproxy-request-id"])
    assert (only["status"], only["dialect"], only["attempts"]) == (status, dialect, [])
    assert only["error"]


@pytest.mark.parametrize(
    ("word", "models"),
    [("", ["two", "one"]), ("ONE", ["one"]), ("first", ["two", "one"]), ("bad%20moon", ["two"]),
     ("none-such", [])],
)  # fmt: skip
def test_they_are_searched_by_what_people_know_them_by(asking, sim, word, models):
    sim.script(Answer("fine"), Failure(400, "bad moon"))
    ids = [asking.chat("one"), asking.chat("two")]
    assert [r["model"] for r in found(asking, f"?q={word}")] == models
    assert [r["id"] for r in found(asking, f"?q={ids[0][:6]}&limit=5")] == ids[:1]


def test_its_bodies_are_told_in_order_and_without_secrets(asking, sim):
    sim.script(Answer("The answer."))
    request_id = asking.chat(content="=== RESPONSE ===\nnot a heading")
    asking.proxy.settle()
    bodies = asking.get(f"/requests/{request_id}")["bodies"]
    assert [(b["of"], b["attempt"]) for b in bodies] == [
        ("request", 0), ("upstream request", 1), ("upstream answer", 1), ("answer", 0),
    ]  # fmt: skip
    request, sent, came, answer = bodies
    assert '"model": "one"' in request["body"]
    assert '"m"' in sent["body"]
    assert f"{sim.url}/v1/chat/completions" in sent["head"]
    assert "The answer." in came["body"]
    assert "The answer." in answer["body"]
    assert all(b["size"] == len(b["body"].encode()) for b in bodies)
    assert "sk-upstream-secret-0123456789" not in str(bodies)
    assert CLIENT_KEY not in str(bodies)


def test_without_a_file_there_are_no_bodies(manage, sim, tmp_path, monkeypatch):
    monkeypatch.setenv("WRITABLE_PATH", str(tmp_path / "w"))
    managed = manage(f"""
openai-compatibility: [{{name: A, base-url: "{sim.url}/v1", models: [{{name: m}}]}}]
""")
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    managed.ask("POST", "//v1/chat/completions", body, key=CLIENT_KEY)
    (only,) = found(managed)
    assert "bodies" not in managed.get(f"/requests/{only['id']}")
    assert managed.ask("GET", "/requests/none").status_code == 404

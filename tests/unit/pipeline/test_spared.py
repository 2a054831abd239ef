"""What is left out of calls is remembered for a time, and not without end."""

from __future__ import annotations

from types import SimpleNamespace

from tests.clock import FakeClock

from cliproxy.base.http import HttpRequest
from cliproxy.pipeline import spared
from cliproxy.pipeline.spared import Spared


class Provider:
    """One whose calls hold what their bodies say, word by word."""

    def parts(self, request):
        return frozenset(request.body.decode().split())

    def without(self, request, parts):
        left = [word for word in request.body.decode().split() if word not in parts]
        return call(" ".join(left))


def call(words):
    return HttpRequest("POST", "http://x", {}, words.encode())


def target(account="a", model="m"):
    candidate = SimpleNamespace(account=SimpleNamespace(id=account), upstream_model=model)
    return SimpleNamespace(candidate=candidate, provider=Provider())


def left(memory, words="one two three", **who):
    return memory.spare(target(**who), call(words)).body.decode()


def test_what_made_the_difference_is_left_out_of_that_account_and_model_alone():
    memory = Spared(FakeClock())
    memory.learn(target(), call("one two three"), call("two"))
    assert left(memory) == "two"
    assert left(memory, account="b") == left(memory, model="n") == "one two three"


def test_a_refusal_is_believed_for_a_time():
    clock = FakeClock()
    memory = Spared(clock)
    memory.learn(target(), call("one two"), call("two"))
    clock.time += spared.TTL - 1
    memory.learn(target(), call("two three"), call("three"))
    assert left(memory) == "three"
    clock.time += 1
    assert left(memory) == "one three"
    clock.time += spared.TTL
    assert left(memory) == "one two three"
    assert len(memory) == 0


def test_the_oldest_is_forgotten_where_there_is_too_much(monkeypatch):
    monkeypatch.setattr(spared, "MOST", 3)
    memory = Spared(FakeClock())
    for account, word in (("a", "one"), ("b", "one"), ("a", "two"), ("a", "three")):
        memory.learn(target(account), call(word), call(""))
    assert len(memory) == 3
    assert left(memory, account="b") == "one two three"
    assert left(memory) == ""


def test_what_is_needed_after_all_is_asked_for_again():
    memory = Spared(FakeClock())
    memory.learn(target(), call("one two"), call(""))
    memory.forget(target())
    assert left(memory) == "one two three"
    assert len(memory) == 0

"""The queue: oldest first, taken once, gone after a time."""

from __future__ import annotations

import pytest
from tests.clock import FakeClock
from tests.unit.usage.rows import record

from cliproxy.usage.queue import UsageQueue, retention, told
from cliproxy.usage.record import Tokens


def test_the_oldest_are_taken_and_are_gone():
    queue = UsageQueue()
    for n in range(3):
        queue.add(record(n))
    assert [item["request_id"] for item in queue.take()] == ["r0"]
    assert [item["request_id"] for item in queue.take(10)] == ["r1", "r2"]
    assert queue.take(10) == []


def test_what_waited_too_long_is_dropped():
    clock = FakeClock()
    queue = UsageQueue(60, clock=clock)
    queue.add(record(0))
    clock.time += 59
    queue.add(record(1))
    clock.time += 2
    assert [item["request_id"] for item in queue.take(10)] == ["r1"]


def test_it_never_holds_more_than_fits(monkeypatch):
    queue = UsageQueue()
    for n in range(queue._waiting.maxlen + 5):
        queue.add(record(n))
    assert len(queue) == queue._waiting.maxlen


@pytest.mark.parametrize(("given", "kept"), [(60, 60), (0, 60), (-1, 60), (3601, 3600), (1, 1)])
def test_the_time_is_at_most_an_hour(given, kept):
    assert retention(given) == kept


@pytest.mark.parametrize(
    ("tokens", "quality"),
    [
        (
            Tokens(input=10, cached=2, cache_write=3, output=20, reasoning=5, quality="complete"),
            "complete",
        ),
        (Tokens(), "unclassified"),
        (Tokens(input=10, output=0, quality="partial"), "unclassified"),
        (Tokens(input=10, cached=20, output=5, reasoning=9, quality="complete"), "inconsistent"),
    ],
)
def test_the_parts_always_add_up(tokens, quality):
    item = told(record(tokens=tokens))["token_breakdown"]
    inside, outside = item["input"], item["output"]
    assert item["quality"] == quality
    assert inside["total_tokens"] == (
        inside["uncached_tokens"] + inside["cache_read_tokens"] + inside["cache_write_tokens"]
    )
    assert outside["total_tokens"] == outside["non_reasoning_tokens"] + outside["reasoning_tokens"]
    assert item["total_tokens"] == inside["total_tokens"] + outside["total_tokens"]
    assert item["unclassified_tokens"] == 0


def test_an_item_has_what_consumers_read():
    item = told(record(status=502, error="down"))
    assert {
        "timestamp", "latency_ms", "ttft_ms", "source", "auth_index", "tokens", "failed",
        "provider", "model", "alias", "endpoint", "auth_type", "api_key", "request_id",
        "executor_type", "client_ip", "user_agent", "generate", "fail", "accounting_version",
    } <= set(item)  # fmt: skip
    assert item["fail"] == {"status_code": 502, "body": "down"}
    assert (item["alias"], item["model"]) == ("sonnet", "claude-sonnet-4-5-20250929")
    assert (item["latency_ms"], item["ttft_ms"]) == (1500, 500)

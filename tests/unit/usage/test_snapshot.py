"""The older shape of the statistics: what is shown, exported, and imported without doubles."""

from __future__ import annotations

import json
import time

import pytest
from tests.unit.usage.rows import NOON, record, store_at

from cliproxy.usage.record import Marks, Tokens
from cliproxy.usage.snapshot import BadImport, export, read_import, snapshot, timestamp

DETAIL = {
    "timestamp": "2026-01-02T03:04:05.123456Z",
    "latency_ms": 1500,
    "source": "user@example.com",
    "auth_index": "0123456789abcdef",
    "tokens": {
        "input_tokens": 10,
        "output_tokens": 20,
        "reasoning_tokens": 5,
        "cached_tokens": 2,
        "total_tokens": 35,
    },
    "failed": False,
}


MARKS = Marks()


def document(*details, api="sk-client-key-0123456789", model="gpt-5", **more):
    usage = {"apis": {api: {"models": {model: {"details": list(details)}}}}}
    return json.dumps({"version": 1, "usage": usage, **more}).encode()


@pytest.fixture
def new(tmp_path):
    made = []

    def start():
        made.append(store_at(tmp_path / str(len(made)) / "usage.db"))
        return made[-1]

    yield start
    for store in made:
        store.close()


def merge(store, body):
    records = read_import(body, NOON, MARKS)
    return store.submit(lambda writer: writer.merge(records)).result(10)


def test_it_has_the_shape_that_clients_read(new):
    store = new()
    store.add(record(1))
    store.add(record(2, status=500, client="anonymous", served="", tokens=Tokens()))
    store.add(record(3, operation="count"))
    shown = store.read(snapshot)
    assert {k: v for k, v in shown.items() if "by" not in k and k != "apis"} == {
        "total_requests": 2, "success_count": 1, "failure_count": 1, "total_tokens": 150,
    }  # fmt: skip
    api = shown["apis"]["sk-a…cdef#01234567"]
    assert (api["total_requests"], api["total_tokens"]) == (1, 150)
    model = api["models"]["claude-sonnet-4-5-20250929"]
    assert model["details"] == [
        {
            "timestamp": timestamp(int((NOON + 1) * 1e9)),
            "latency_ms": 1500,
            "source": "me@example.com",
            "auth_index": "0123456789abcdef",
            "tokens": {
                "input_tokens": 100, "output_tokens": 50, "reasoning_tokens": 0,
                "cached_tokens": 20, "total_tokens": 150,
            },
            "failed": False,
        }
    ]  # fmt: skip
    assert shown["apis"]["anonymous"]["models"]["unknown"]["details"][0]["failed"] is True
    local = time.localtime(NOON + 1)
    assert shown["requests_by_day"] == {time.strftime("%Y-%m-%d", local): 2}
    assert shown["tokens_by_hour"] == {time.strftime("%H", local): 150}


def test_nothing_used_is_empty_maps_not_nulls(new):
    assert new().read(snapshot) == {
        "total_requests": 0, "success_count": 0, "failure_count": 0, "total_tokens": 0,
        "apis": {}, "requests_by_day": {}, "requests_by_hour": {}, "tokens_by_day": {},
        "tokens_by_hour": {},
    }  # fmt: skip


def test_details_are_bounded_and_sums_are_not(new):
    store = new()
    for n in range(30):
        store.add(record(n))
    model = store.read(lambda db: snapshot(db, 10))["apis"].popitem()[1]["models"].popitem()[1]
    assert (model["total_requests"], len(model["details"])) == (30, 10)
    assert model["details"][-1]["timestamp"] == timestamp(int((NOON + 29) * 1e9))


def test_an_export_brought_elsewhere_says_the_same_and_is_taken_once(new):
    here, there = new(), new()
    for n in range(40):
        here.add(record(n, at=NOON + n * 1000.123456, status=200 if n % 3 else 502))
    written = json.dumps(here.read(lambda db: export(db, NOON))).encode()
    assert merge(there, written) == (40, 0)
    assert merge(there, written) == (0, 40)
    assert merge(here, written) == (0, 40)
    assert there.read(snapshot) == here.read(snapshot)


def test_what_was_pruned_is_not_added_again(new):
    from cliproxy.usage.pruning import Limits, prune

    store = new()
    for n in range(20):
        store.add(record(n))
    written = json.dumps(store.read(lambda db: export(db, NOON))).encode()
    store.submit(lambda writer: prune(writer.db, Limits(max_requests=5), NOON)).result(10)
    assert merge(store, written) == (0, 20)


def test_the_same_detail_twice_in_one_document_is_one(new):
    store = new()
    assert merge(store, document(DETAIL, DETAIL, {**DETAIL, "failed": True})) == (2, 1)
    shown = store.read(snapshot)
    assert (shown["total_requests"], shown["failure_count"], shown["total_tokens"]) == (2, 1, 70)


def test_keys_in_a_document_are_not_kept(new):
    store = new()
    key, upstream = "sk-client-key-0123456789", "sk-ant-upstream-0123456789abcdef"
    merge(store, document({**DETAIL, "source": upstream}, api=key))
    shown = json.dumps(store.read(snapshot))
    assert key not in shown
    assert upstream not in shown
    assert MARKS(key) in json.loads(shown)["apis"]


@pytest.mark.parametrize(
    ("changes", "input_", "total"),
    [
        ({"input_tokens": 1, "output_tokens": 2, "reasoning_tokens": 3}, 1, 6),
        ({"cached_tokens": 7}, 0, 7),
        ({"input_tokens": -5}, 0, 0),
        ({}, 0, 0),
    ],
)
def test_a_missing_total_is_made_of_its_parts(changes, input_, total):
    (found,) = read_import(document({**DETAIL, "tokens": changes}), NOON, MARKS)
    assert (found.tokens.input, found.tokens.total) == (input_, total)


@pytest.mark.parametrize(
    ("written", "nanoseconds"),
    [
        ("2026-01-02T03:04:05.123456789Z", 1767323045123456789),
        ("2026-01-02T03:04:05Z", 1767323045000000000),
        ("2026-01-02T05:04:05+02:00", 1767323045000000000),
        ("0001-01-01T00:00:00Z", int(NOON * 1e9)),
        ("", int(NOON * 1e9)),
        ("yesterday", int(NOON * 1e9)),
    ],
)
def test_times_keep_their_nanoseconds_and_none_is_now(written, nanoseconds):
    (found,) = read_import(document({**DETAIL, "timestamp": written}), NOON, MARKS)
    assert found.nanoseconds == nanoseconds


def test_names_that_are_missing_are_dealt_with():
    assert read_import(document(DETAIL, api=" "), NOON, MARKS) == []
    assert read_import(document(DETAIL, model=""), NOON, MARKS)[0].named == "unknown"
    (found,) = read_import(document({**DETAIL, "latency_ms": -4}), NOON, MARKS)
    assert found.seconds == 0


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "invalid json"),
        (b"[]", "invalid json"),
        (b'{"version": 2}', "unsupported version"),
        (b'{"usage": {"apis": 1}}', "invalid json"),
        (document({**DETAIL, "tokens": "many"}), "invalid json"),
        (b'{"data": "{"}', "invalid json"),
        pytest.param(b'{"x": ' + b"[" * 100_000, "invalid json", id="deep"),
        pytest.param(
            document("deep").replace(b'"deep"', b"[" * 100_000), "invalid json", id="deep-inside"
        ),
    ],
)
def test_what_is_no_export_is_refused(body, error):
    with pytest.raises(BadImport, match=error):
        read_import(body, NOON, MARKS)


def test_a_document_inside_a_document_is_read():
    inside = document(DETAIL).decode()
    assert len(read_import(json.dumps({"data": inside}).encode(), NOON, MARKS)) == 1
    assert read_import(b"{}", NOON, MARKS) == []

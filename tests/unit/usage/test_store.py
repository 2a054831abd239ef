"""`usage.db`: bounded, exact, and there after whatever happens to the process."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.usage.rows import NOON, record, store_at

from cliproxy.usage import pruning, questions
from cliproxy.usage.pruning import Limits
from cliproxy.usage.record import Tokens, Who
from cliproxy.usage.store import open_to_read


@pytest.fixture
def store(tmp_path):
    made = store_at(tmp_path / "usage.db")
    yield made
    made.close()


def prune(store, limits, now=NOON):
    store.submit(lambda writer: pruning.prune(writer.db, limits, now)).result(30)


def total(store, **options):
    (found,) = store.read(lambda db: questions.summary(db, **options))
    return found


def count(store, table="requests"):
    return store.read(lambda db: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_nothing_is_opened_before_the_first_record(store):
    assert store.flush()
    assert total(store)["requests"] == 0
    assert not store.path.exists()


def test_a_record_is_a_row_with_all_it_says(store):
    store.add(record(error="no", status=502, stream=False))
    (row,) = store.read(questions.requests)["requests"]
    assert {k: row[k] for k in ("id", "model", "served", "account", "source", "status")} == {
        "id": "r0",
        "model": "sonnet",
        "served": "claude-sonnet-4-5-20250929",
        "account": "claude:1",
        "source": "me@example.com",
        "status": 502,
    }
    assert row["tokens"] == {
        "input": 100, "cached": 20, "cache_write": 10, "cache_write_1h": 0, "output": 50,
        "reasoning": 0, "total": 150, "quality": "complete",
    }  # fmt: skip
    # 70 plain at 3, 20 cached at 0.3, 10 written at 3.75, 50 out at 15 dollars a million.
    assert row["cost_usd"] == pytest.approx((70 * 3 + 20 * 0.3 + 10 * 3.75 + 50 * 15) / 1e6)


@pytest.mark.parametrize(
    "odd",
    [
        {"model": "half \ud83d"},
        {"model": "x" * 100_000},
        {"tokens": Tokens(input=10**30, output=-5)},
        {"seconds": -1.0, "first_seconds": 1e18},
        {"error": "\x00" * 10},
    ],
)
def test_odd_values_are_written_too(store, odd):
    store.add(record(**odd))
    assert total(store)["requests"] == 1
    assert store.lost == 0


def test_single_requests_are_kept_up_to_a_number_and_the_sums_count_all(store):
    for n in range(500):
        store.add(record(n))
    prune(store, Limits(max_requests=100))
    assert count(store) == 100
    assert total(store)["requests"] == 500
    assert [r["id"] for r in store.read(questions.requests)["requests"]][:2] == ["r499", "r498"]


def test_single_requests_and_hours_are_kept_for_a_time_and_days_for_ever(store):
    store.add(record(at=NOON - 100 * 86400))
    store.add(record(at=NOON - 40 * 86400))
    store.add(record(at=NOON))
    prune(store, Limits())
    assert (count(store), count(store, "hours"), count(store, "days")) == (1, 2, 3)
    assert total(store)["requests"] == 3


def test_the_file_stays_below_its_size_and_the_sums_stay_exact(store):
    limits = Limits(max_requests=10**9, requests_seconds=1e12, hours_seconds=1e12,
                    max_bytes=400_000)  # fmt: skip
    for n in range(6000):
        who = Who(f"claude:{n % 7}", "claude", f"a{n % 7}@example.com", "", "oauth")
        store.add(record(n, at=NOON + n * 3600, who=who))
        if n % 1000 == 999:
            prune(store, limits, NOON)
    store.close()
    assert store.path.stat().st_size <= limits.max_bytes
    found = total(store)
    assert (found["requests"], found["tokens"]["total"]) == (6000, 900_000)


def test_writers_at_once_lose_nothing(store):
    def add():
        for n in range(500):
            store.add(record(n))

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (total(store)["requests"], count(store)) == (4000, 4000)


def test_two_processes_may_share_the_file(store):
    other = store_at(store.path)
    for n in range(200):
        store.add(record(n))
        other.add(record(n))
    other.close()
    assert total(store)["requests"] == 400


def test_a_closed_store_goes_on_with_the_next_record(store):
    store.add(record(1))
    store.close()
    store.add(record(2))
    assert total(store)["requests"] == 2


def test_a_file_of_a_newer_version_is_left_alone(store):
    with closing(sqlite3.connect(store.path)) as db:
        db.execute("PRAGMA user_version = 99")
    before = store.path.read_bytes()
    store.add(record())
    assert not store.flush(0.5)
    store.close()
    assert store.path.read_bytes() == before


def test_a_full_queue_forgets_instead_of_growing(store, monkeypatch):
    monkeypatch.setattr("cliproxy.usage.store.MOST", 10)
    blocked = threading.Event()
    job = store.submit(lambda _: blocked.wait(10))
    for n in range(50):
        store.add(record(n))
    assert store.lost >= 39
    blocked.set()
    job.result(10)
    assert total(store)["requests"] + store.lost == 50


CHILD = """
import sys
from pathlib import Path
from tests.unit.usage.rows import record, store_at
store = store_at(Path(sys.argv[1]))
n = 0
while True:
    for _ in range(50):
        store.add(record(n))
        n += 1
    store.flush()
    print(n, flush=True)
"""


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_process_loses_nothing_that_was_written(tmp_path, seed):
    path = tmp_path / "usage.db"
    written = 0
    for turn in range(2):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        for _ in range(random.Random(seed * 10 + turn).randrange(2, 40)):
            told = int(child.stdout.readline())
        child.kill()
        child.stdout.close()
        child.wait(10)
        written += told
        with closing(open_to_read(path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            (kept,) = db.execute("SELECT count(*) FROM requests").fetchone()
            (found,) = questions.summary(db)
        assert kept >= written
        assert found["requests"] == kept
        written = kept


def test_it_can_be_read_when_nobody_writes(store):
    store.add(record())
    store.close()
    assert not store.path.with_name("usage.db-wal").exists()
    with closing(open_to_read(store.path)) as db:
        assert questions.summary(db)[0]["requests"] == 1


def test_the_folder_and_the_file_are_the_owners_alone(tmp_path):
    before = os.umask(0)
    try:
        store = store_at(tmp_path / "new" / "usage.db")
        store.add(record())
        store.flush()
        modes = [
            p.stat().st_mode & 0o777 for p in (store.path.parent, *store.path.parent.iterdir())
        ]
        store.close()
    finally:
        os.umask(before)
    assert modes[0] == 0o700
    assert set(modes[1:]) == {0o600}


RECORDS = st.builds(
    record,
    number=st.integers(0, 10**6),
    at=st.integers(0, 200 * 24 * 4).map(lambda quarter: NOON - quarter * 900),
    client=st.sampled_from(["a", "b"]),
    served=st.sampled_from(["gpt-5", "claude-opus-4-5", "unheard-of", ""]),
    operation=st.sampled_from(["generate", "generate", "count"]),
    status=st.sampled_from([200, 200, 400, 499, 502]),
    first_seconds=st.none() | st.floats(0, 100),
    tokens=st.builds(
        Tokens,
        input=st.integers(0, 10**6),
        cached=st.integers(0, 1000),
        output=st.integers(0, 10**6),
    ),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(RECORDS, max_size=12), max_size=6), st.integers(0, 30))
def test_the_sums_are_those_of_all_that_was_added(tmp_path_factory, batches, kept):
    store = store_at(tmp_path_factory.mktemp("usage") / "usage.db")
    limits = Limits(max_requests=kept, hours_seconds=30 * 86400)
    for batch in batches:
        for item in batch:
            store.add(item)
        prune(store, limits)
    every = [item for batch in batches for item in batch if item.operation != "count"]
    found = total(store)
    assert found["requests"] == len(every)
    assert found["failed"] == sum(item.status >= 400 for item in every)
    assert found["left"] == sum(item.status == 499 for item in every)
    assert found["tokens"]["input"] == sum(item.tokens.input for item in every)
    assert found["tokens"]["total"] == sum(item.tokens.total for item in every)
    for by in ("model", "client", "account", "day", "provider", "operation"):
        rows = store.read(lambda db, by=by: questions.summary(db, (by,)))
        if by == "operation":
            rows = [row for row in rows if row["operation"] != "count"]
        assert sum(row["requests"] for row in rows) == len(every)
        assert sum(row["tokens"]["total"] for row in rows) == found["tokens"]["total"]
        assert sum(round(row["cost_usd"] * 1e9) for row in rows) == round(found["cost_usd"] * 1e9)
    hours = store.read(lambda db: db.execute("SELECT sum(requests) FROM clock").fetchone()[0])
    assert (hours or 0) == len(every)
    assert count(store) <= max(kept, 0)
    store.close()


def test_days_and_hours_are_asked_for_by_dates_and_times(store):
    for n in range(48):
        store.add(record(n, at=NOON + n * 3600))
    day = time.strftime("%Y-%m-%d", time.localtime(NOON + 86400))
    ask = questions.moment
    span = questions.Span(ask(day, "from"), ask(day, "to"))
    by_day = total(store, span=span)["requests"]
    assert by_day == 24
    hours = store.read(lambda db: questions.summary(db, ("hour",), span))
    assert len(hours) == by_day
    three = questions.Span(ask(str(NOON), "from"), ask(str(NOON + 3 * 3600), "to"))
    assert len(store.read(lambda db: questions.summary(db, ("hour",), three))) in (3, 4)


@pytest.mark.parametrize("text", ["x", "2026-13-01", "2026-1-1", "1e99", "9" * 40])
def test_a_time_that_is_none_is_refused(text):
    with pytest.raises(questions.BadQuestion, match="from"):
        questions.moment(text, "from")


def test_requests_are_paged_and_filtered(store):
    for n in range(25):
        store.add(record(n, status=200 if n % 5 else 500, client="ab"[n % 2]))
    seen, before = [], None
    while True:
        page = store.read(lambda db, b=before: questions.requests(db, limit=10, before=b))
        seen += [row["id"] for row in page["requests"]]
        if (before := page["next"]) is None:
            break
    assert seen == [f"r{n}" for n in reversed(range(25))]
    failed = store.read(lambda db: questions.requests(db, filters={"failed": "true"}))
    assert len(failed["requests"]) == 5
    both = store.read(lambda db: questions.requests(db, filters={"failed": "1", "client": "a"}))
    assert {row["id"] for row in both["requests"]} == {"r0", "r10", "r20"}

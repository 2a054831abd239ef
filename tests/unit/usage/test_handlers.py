"""The management handlers over a store, without a server around them."""

from __future__ import annotations

import json
from types import SimpleNamespace

import httpx2 as httpx
import pytest
from starlette.applications import Starlette
from tests.unit.usage.rows import NOON, Noon, record

from cliproxy.config.schema import Config
from cliproxy.manage.usage import ROUTES
from cliproxy.usage.pruning import Limits, prune
from cliproxy.usage.recorder import Usage

pytestmark = pytest.mark.anyio


@pytest.fixture
def usage(tmp_path):
    made = Usage(Config(auth_dir=str(tmp_path)), clock=Noon())
    made.apply(Config(auth_dir=str(tmp_path)), queued=True)
    yield made
    made.close()


@pytest.fixture
async def http(usage):
    app = Starlette(routes=ROUTES)
    app.state.control = SimpleNamespace(usage=usage)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        yield client


async def test_older_clients_read_the_statistics(usage, http):
    usage.add(record(1))
    usage.add(record(2, status=500))
    found = (await http.get("/usage")).json()
    assert found["failed_requests"] == 1
    assert found["usage"]["total_requests"] == 2
    assert found["usage"]["tokens_by_day"]


async def test_an_export_is_imported_again(usage, http):
    usage.add(record(1))
    written = (await http.get("/usage/export")).json()
    assert (written["version"], written["exported_at"][-1]) == (1, "Z")
    written["usage"]["apis"]["anonymous"] = written["usage"]["apis"].popitem()[1]
    answer = await http.post("/usage/import", content=json.dumps(written))
    assert answer.json() == {
        "added": 1, "skipped": 0, "total_requests": 2, "failed_requests": 0,
    }  # fmt: skip
    again = await http.post("/usage/import", content=json.dumps({"data": json.dumps(written)}))
    assert (again.json()["added"], again.json()["skipped"]) == (0, 1)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "failed to read request body"),
        (b"{", "invalid json"),
        (b'{"version":7}', "unsupported version"),
    ],
)
async def test_a_bad_import_is_refused(http, body, error):
    answer = await http.post("/usage/import", content=body)
    assert (answer.status_code, answer.json()) == (400, {"error": error})


async def test_the_queue_gives_an_array_also_of_one(usage, http):
    for n in range(3):
        usage.add(record(n))
    assert [i["request_id"] for i in (await http.get("/usage-queue")).json()] == ["r0"]
    assert len((await http.get("/usage-queue?count=10000")).json()) == 2
    assert (await http.get("/usage-queue?count=5")).json() == []


@pytest.mark.parametrize("count", ["0", "-1", "x", "1.5", "99999999999"])
async def test_a_count_is_a_positive_number(http, count):
    answer = await http.get("/usage-queue", params={"count": count})
    assert answer.status_code == 400
    assert answer.json() == {"error": "count must be a positive integer"}


async def test_nothing_is_queued_where_nobody_can_take_it(usage, http):
    usage.apply(Config(auth_dir=usage.auth_dir))
    usage.add(record())
    assert (await http.get("/usage-queue")).json() == []


async def test_sums_are_told_by_any_dimension(usage, http):
    usage.add(record(1))
    usage.add(record(2, served="gpt-5", client="b"))
    found = (await http.get("/usage/summary?by=model,client")).json()
    assert found["total"]["requests"] == 2
    assert {(row["model"], row["client"]) for row in found["rows"]} == {
        ("claude-sonnet-4-5-20250929", "sk-a…cdef#01234567"), ("gpt-5", "b"),
    }  # fmt: skip
    only = (await http.get("/usage/summary?model=gpt-5")).json()
    assert only["total"]["tokens"]["total"] == 150
    none = (await http.get(f"/usage/summary?from={NOON + 86400 * 3}")).json()
    assert none["total"]["requests"] == 0


@pytest.mark.parametrize("query", ["by=colour", "from=x", "to=2026-99-99"])
async def test_a_bad_question_is_refused(http, query):
    assert (await http.get(f"/usage/summary?{query}")).status_code == 400


async def test_single_requests_are_listed(usage, http):
    for n in range(5):
        usage.add(record(n))
    page = (await http.get("/usage/requests?limit=2")).json()
    assert [row["id"] for row in page["requests"]] == ["r4", "r3"]
    more = (await http.get(f"/usage/requests?before={page['next']}&failed=false")).json()
    assert [row["id"] for row in more["requests"]] == ["r2", "r1", "r0"]
    assert (await http.get("/usage/requests?limit=x")).status_code == 400


async def test_what_an_import_adds_is_not_the_newest(usage, http):
    for n in range(3):
        usage.add(record(n))
    detail = {"timestamp": "2026-05-20T03:04:05Z", "tokens": {"total_tokens": 3}}
    models = {"gpt-5": {"details": [detail]}}
    document = {"version": 1, "usage": {"apis": {"unknown": {"models": models}}}}
    assert (await http.post("/usage/import", json=document)).json()["added"] == 1
    page = (await http.get("/usage/requests?limit=3")).json()
    assert [row["id"] for row in page["requests"]] == ["r2", "r1", "r0"]
    rest = (await http.get(f"/usage/requests?before={page['next']}")).json()
    assert [row["served"] for row in rest["requests"]] == ["gpt-5"]
    limits = Limits(max_requests=3, requests_seconds=1e12)
    usage.store.submit(lambda writer: prune(writer.db, limits, NOON)).result(30)
    left = (await http.get("/usage/requests")).json()["requests"]
    assert [row["id"] for row in left] == ["r2", "r1", "r0"]


@pytest.mark.parametrize(
    "query",
    ["by=hour&to=9999-12-31", "by=hour&from=0001-01-01", "from=0001-01-01T00:00Z&by=day",
     "to=9999-12-31T23:59:59-12:00", "from=0"],
)  # fmt: skip
async def test_times_at_the_ends_of_the_calendar_are_times(usage, http, query):
    usage.add(record())
    found = await http.get(f"/usage/summary?{query}")
    assert (found.status_code, found.json()["total"]["requests"]) == (200, 1)


@pytest.mark.parametrize(("status", "count"), [("200", 1), ("500", 0), ("²", 0), ("x", 0)])
async def test_a_status_that_is_none_is_nobodys(usage, http, status, count):
    usage.add(record())
    found = await http.get(f"/usage/requests?status={status}")
    assert (found.status_code, len(found.json()["requests"])) == (200, count)


async def test_who_only_looks_takes_nothing_out_of_the_queue(usage, http):
    usage.apply(Config(auth_dir=usage.auth_dir), queued=True)
    usage.add(record())
    assert (await http.head("/usage-queue")).status_code == 200
    assert len((await http.get("/usage-queue")).json()) == 1


async def test_a_file_that_cannot_be_read_is_503(usage, http):
    usage.store.path.write_bytes(b"not a database at all" * 100)
    answer = await http.get("/usage")
    assert answer.status_code == 503
    assert answer.json() == {"error": "usage statistics unavailable"}

"""The folder of logins changes while the proxy runs: nothing is used up, nothing is lost."""

from __future__ import annotations

import asyncio
import errno
import json
import shutil
import sqlite3
import threading
from contextlib import closing

import pytest
from msgspec import structs
from tests.clock import FakeClock
from tests.unit.keeper.fake import PLACE, TokenServer, put
from tests.unit.usage.rows import record

from cliproxy import login
from cliproxy.account.credential import written
from cliproxy.account.model import Account
from cliproxy.app.runtime import Runtime
from cliproxy.base.errors import ConfigError, UpstreamUnreachable
from cliproxy.config.schema import Config
from cliproxy.keeper.directory import PRIVATE, DirectoryStore
from cliproxy.keeper.keeper import Keeper, Settings
from cliproxy.stores import folder as files
from cliproxy.transport.client import Transport
from cliproxy.usage.record import Marks

NAME = "codex-me.json"
NOW = 1_800_001_000.0  # FakeClock's
LATER = written(NOW + 3600)


@pytest.fixture
def server():
    with TokenServer() as running:
        yield running


@pytest.fixture(autouse=True)
def fake_provider(monkeypatch):
    monkeypatch.setitem(login._TABLE, "codex", PLACE)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def old(tmp_path):
    return tmp_path / "old"


@pytest.fixture
def new(tmp_path):
    return tmp_path / "new"


@pytest.fixture
async def keeper(server, clock):
    transport = Transport()
    made = []

    def make(folder):
        settings = Settings({"codex": {"token": server.url}})
        one = Keeper(
            DirectoryStore(folder), transport, clock=clock, settings=settings,
            journal=folder / PRIVATE,
        )  # fmt: skip
        made.append(one)
        return one

    yield make
    for one in made:
        await one.close()
    await transport.close()


def request(credential):
    return Account(credential.name, "codex", "me", kind="oauth", credential=credential)


def tokens(folder):
    found = json.loads((folder / NAME).read_text())
    return found["access_token"], found["refresh_token"]


async def refreshing(server, keeper):
    """Begin a refresh whose answer waits for the gate."""
    server.gate = threading.Event()
    running = asyncio.ensure_future(keeper.renew(keeper.find(NAME), spent="a0"))
    await asyncio.to_thread(server.asked.wait, 10)
    return running


@pytest.mark.parametrize("moved", [False, True], ids=["copied", "moved"])
async def test_a_refresh_that_runs_ends_first_and_counts_in_the_new_folder(
    old, new, keeper, server, moved
):
    put(old)
    former = keeper(old)
    running = await refreshing(server, former)
    (shutil.move if moved else shutil.copytree)(old, new)
    later = keeper(new)
    later.succeed(former)
    closing = asyncio.ensure_future(former.close())
    asking = [asyncio.ensure_future(later.ready(request(later.find(NAME)))) for _ in range(20)]
    later.check()
    await asyncio.sleep(0)
    assert not closing.done()
    server.gate.set()
    assert await running
    await asyncio.gather(closing, *asking)
    assert (server.calls, server.reused) == (1, 0)
    assert later.find(NAME).token == "a1"
    assert tokens(new) == ("a1", "r1")
    assert moved or tokens(old) == ("a1", "r1")
    later.reload()
    assert await later.renew(later.find(NAME), spent="a1")
    assert (server.calls, server.reused, tokens(new)) == (2, 0, ("a2", "r2"))


async def test_what_was_written_in_the_new_folder_meanwhile_stays(old, new, keeper, server):
    put(old)
    former = keeper(old)
    running = await refreshing(server, former)
    put(new, note="mine", priority=3)
    later = keeper(new)
    later.succeed(former)
    put(new, note="ours", priority=3)
    server.gate.set()
    await running
    assert await later.renew(later.find(NAME), spent="a0")
    await later.close()
    kept = json.loads((new / NAME).read_text())
    assert (kept["note"], kept["priority"], kept["refresh_token"]) == ("ours", 3, "r1")


async def test_requests_that_hold_a_login_have_its_new_tokens_from_the_new_folder(
    old, new, keeper, server
):
    put(old)
    put(new)
    former, later = keeper(old), keeper(new)
    held = request(former.find(NAME))
    later.succeed(former)
    await former.ready(held)
    assert held.token == "a1"
    await former.close()
    assert (tokens(old), tokens(new)) == (("a0", "r0"), ("a1", "r1"))
    assert await former.renew(held.credential, spent="a1"), "as after a 401"
    assert (held.token, server.calls, server.reused) == ("a2", 2, 0)
    assert later.find(NAME).token == "a2"


async def test_a_token_that_is_good_works_on_without_its_folder(old, new, keeper, server):
    put(old, expired=LATER)
    new.mkdir()
    former = keeper(old)
    held = request(former.find(NAME))
    keeper(new).succeed(former)
    await former.close()
    await former.ready(held)
    assert (held.token, server.calls) == ("a0", 0)


@pytest.mark.parametrize("there", [{"refresh_token": "r-of-somebody-else"}, None])
async def test_a_login_that_stays_behind_is_not_refreshed_and_not_blamed(
    old, new, keeper, server, there
):
    put(old)
    new.mkdir()
    if there is not None:
        put(new, **there)
    former, later = keeper(old), keeper(new)
    held = request(former.find(NAME))
    later.succeed(former)
    await former.close()
    with pytest.raises(UpstreamUnreachable):
        await former.ready(held)
    assert (server.calls, held.token, held.credential.state) == (0, "a0", "ok")


async def test_an_answer_that_was_lost_on_the_way_is_still_asked_for_only_once_more(
    old, new, keeper, server, clock
):
    put(old)
    former = keeper(old)
    server.cut = 9
    running = await refreshing(server, former)
    put(new)
    later = keeper(new)
    later.succeed(former)
    server.gate.set()
    assert not await running
    mine = later.find(NAME)
    for _ in range(6):
        server.live |= server.spent
        server.spent.clear()
        assert not await later.renew(mine, spent="a0")
        await asyncio.sleep(0)
        clock.time += 3600
    assert server.calls == 2
    assert mine.state == "needs_login"


async def test_an_answer_that_was_lost_before_is_remembered(old, new, keeper, server, clock):
    put(old)
    former = keeper(old)
    server.cut = 9
    assert not await former.renew(former.find(NAME), spent="a0")
    put(new)
    later = keeper(new)
    later.succeed(former)
    for _ in range(6):
        server.live |= server.spent
        server.spent.clear()
        assert not await later.renew(later.find(NAME), spent="a0")
        clock.time += 3600
    assert server.calls == 2


async def test_tokens_that_a_disk_has_refused_reach_the_new_folder(
    old, new, keeper, server, monkeypatch
):
    put(old)
    put(new)
    former = keeper(old)

    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files, "atomic_write", full)
        assert await former.renew(former.find(NAME), spent="a0")
        later = keeper(new)
        later.succeed(former)
    assert await later.renew(later.find(NAME), spent="a0")
    await former.close()
    assert (tokens(new), tokens(old)) == (("a1", "r1"), ("a1", "r1"))
    assert (server.calls, server.reused) == (1, 0)


async def test_there_and_back_again_while_a_refresh_runs(old, new, keeper, server):
    put(old)
    first = keeper(old)
    running = await refreshing(server, first)
    put(new)
    second = keeper(new)
    second.succeed(first)
    third = keeper(old)
    third.succeed(second)
    asking = [
        asyncio.ensure_future(one.ready(request(one.find(NAME)))) for one in (first, second, third)
    ]
    server.gate.set()
    await asyncio.gather(running, first.close(), second.close(), *asking)
    third.reload()
    assert [one.find(NAME).token for one in (first, second, third)] == ["a1"] * 3
    assert (server.calls, server.reused) == (1, 0)
    assert tokens(old) == tokens(new) == ("a1", "r1")


# ---- the whole proxy ----------------------------------------------------------------------------
@pytest.fixture
async def runtime(old, server, clock):
    made = Runtime(config(old, server), clock=clock)
    yield made
    await made.close()


def config(folder, server):
    endpoints = {"codex": {"token": server.url}}
    return Config(auth_dir=str(folder), api_keys=("k",), endpoints=endpoints)


def recorded(folder):
    with closing(sqlite3.connect(folder / "usage.db")) as db:
        return [row[0] for row in db.execute("SELECT rid FROM requests ORDER BY rid")]


async def settled(runtime):
    await asyncio.gather(*runtime._ending)


async def test_another_folder_is_served_and_the_former_keeper_ends(old, new, runtime, server):
    put(old, expired=LATER)
    runtime.keeper.check()
    put(new, "codex-you.json", expired=LATER)
    former = runtime.keeper
    runtime.reload(config(new, server))
    await settled(runtime)
    assert [account.id for account in runtime.accounts] == ["codex-you.json"]
    assert not await former.renew(former.find(NAME), spent="a0")
    assert server.calls == 0
    put(old, "codex-late.json", expired=LATER)
    former.reload()
    put(new, "codex-late.json", expired=LATER)
    runtime.keeper.check()
    assert [account.id for account in runtime.accounts] == ["codex-late.json", "codex-you.json"]


async def test_a_request_that_runs_while_the_folder_changes_has_new_tokens(
    old, new, runtime, server
):
    put(old)
    runtime.keeper._shelf.reload()
    gateway, held = runtime.app.generation.gateway, runtime.accounts[0]
    put(new)
    runtime.reload(config(new, server))
    assert await gateway.keeper.renew(held.credential, spent="a0")
    assert (held.token, tokens(new), tokens(old)) == ("a1", ("a1", "r1"), ("a0", "r0"))


async def test_usage_follows_the_folder_and_none_is_lost(old, new, runtime, server):
    runtime.control.local_key = "somebody may take records out"
    runtime.apply_usage()
    for number in (1, 2):
        runtime.usage.add(record(number, at=NOW))
    runtime.reload(config(new, server))
    for number in (3, 4):
        runtime.app.accounting.usage.add(record(number, at=NOW))
    await settled(runtime)
    assert recorded(old) == ["r1", "r2"]
    assert await asyncio.to_thread(
        runtime.control.usage.store.read,
        lambda db: [row[0] for row in db.execute("SELECT rid FROM requests ORDER BY rid")],
    ) == ["r3", "r4"]
    assert len(runtime.usage.queue) == 4
    assert runtime.usage.auth_dir == str(new)
    assert runtime.usage.marks("k") == Marks(new)("k")
    assert runtime.app.generation.access._marks is runtime.usage.marks


@pytest.mark.parametrize(("kept", "left"), [(True, [600.0]), (False, [])])
async def test_waits_that_are_kept_in_the_new_folder_are_believed(
    old, new, runtime, server, clock, kept, left
):
    put(new, expired=LATER)
    record = {"next_retry_after": written(clock.now() + 600), "quota": {"exceeded": True}}
    (new / "codex-me.cds").write_text(json.dumps({"auth_id": NAME, "records": [record]}))
    runtime.reload(structs.replace(config(new, server), save_cooldown_status=kept))
    waits = runtime.app.generation.gateway.pool.beliefs()
    assert [belief.until - clock.now() for belief in waits] == left


async def test_a_stop_waits_for_what_the_former_keeper_does(old, new, server, clock):
    put(old)
    runtime = Runtime(config(old, server), clock=clock)
    await refreshing(server, runtime.keeper)
    runtime.reload(config(new, server))
    stopping = asyncio.ensure_future(runtime.close())
    await asyncio.sleep(0)
    server.gate.set()
    await stopping
    assert tokens(old) == ("a1", "r1")


async def test_a_configuration_that_cannot_be_served_changes_nothing(
    old, new, runtime, server, monkeypatch
):
    put(old, expired=LATER)
    put(new, "codex-you.json", expired=LATER)
    runtime.keeper.check()
    keeper, store, marks = runtime.keeper, runtime.usage.store, runtime.usage.marks

    def refuse(*_args):
        raise ConfigError("no")

    with monkeypatch.context() as patch:
        patch.setattr(runtime, "_generation", refuse)
        with pytest.raises(ConfigError):
            runtime.reload(config(new, server))
    assert (runtime.keeper, runtime.usage.store, runtime.usage.marks) == (keeper, store, marks)
    assert runtime.usage.auth_dir == str(old)
    put(old, "codex-late.json", expired=LATER)
    runtime.keeper.check()
    assert [account.id for account in runtime.accounts] == ["codex-late.json", NAME]
    assert await runtime.keeper.renew(runtime.keeper.find(NAME), spent="a0")


async def test_a_database_that_takes_nothing_is_told_of(tmp_path, new, server, clock, caplog):
    (tmp_path / "old").write_text("in the way")
    runtime = Runtime(config(tmp_path / "old", server), clock=clock)
    runtime.usage.add(record(1, at=NOW))
    runtime.reload(config(new, server))
    await settled(runtime)
    assert "1 requests could not be recorded" in caplog.text
    await runtime.close()

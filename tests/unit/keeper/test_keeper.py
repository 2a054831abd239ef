"""Logins are refreshed once, kept whatever happens, and never used up in vain."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec import structs
from tests.clock import FakeClock
from tests.unit.keeper.fake import PLACE, TokenServer, put

from cliproxy import login
from cliproxy.account.credential import Credential, written
from cliproxy.account.model import Account
from cliproxy.base.errors import UpstreamError, UpstreamUnreachable
from cliproxy.keeper.directory import PRIVATE, DirectoryStore
from cliproxy.keeper.keeper import AGAIN, Keeper, Settings, due, refreshable
from cliproxy.stores import folder as files
from cliproxy.transport.client import Transport

NOW = 1_800_001_000.0  # FakeClock's


def rounds(usual: int) -> int:
    """How often something is repeated; `CLIPROXY_ROUNDS=1000` for a long night."""
    return int(os.environ.get("CLIPROXY_ROUNDS", usual))


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
async def make(tmp_path, server, clock):
    transports, keepers = [], []

    def keeper(folder: Path = tmp_path, **options) -> Keeper:
        transport = Transport()
        transports.append(transport)
        made = Keeper(
            DirectoryStore(folder),
            transport,
            clock=options.pop("clock", clock),
            settings=Settings({"codex": {"token": server.url}}),
            journal=folder / PRIVATE,
        )
        keepers.append(made)
        return made

    yield keeper
    for each in keepers:
        await each.close()
    for transport in transports:
        await transport.close()


def account(credential: Credential) -> Account:
    return Account(credential.name, "codex", "me", kind="oauth", credential=credential)


def on_disk(path: Path) -> dict:
    return json.loads(path.read_text())


async def test_a_token_that_has_ended_is_replaced_before_it_is_sent(tmp_path, make, server):
    path = put(tmp_path, note="mine", unknown={"kept": [1, 2]})
    keeper = make()
    mine = account(keeper.find("codex-me.json"))
    await keeper.ready(mine)
    assert mine.token == "a1"
    kept = on_disk(path)
    assert (kept["access_token"], kept["refresh_token"]) == ("a1", "r1")
    assert kept["note"] == "mine"
    assert kept["unknown"] == {"kept": [1, 2]}
    assert path.stat().st_mode & 0o777 == 0o600
    await keeper.ready(mine)
    assert server.calls == 1


async def test_two_hundred_requests_cause_one_refresh(tmp_path, make, server):
    put(tmp_path)
    keeper = make()
    mine = account(keeper.find("codex-me.json"))
    await asyncio.gather(*(keeper.ready(mine) for _ in range(200)))
    assert (server.calls, server.reused, mine.token) == (1, 0, "a1")


async def test_a_token_that_the_upstream_ended_is_replaced_once(tmp_path, make, server):
    put(tmp_path, expired=written(NOW + 3600))
    keeper = make()
    mine = keeper.find("codex-me.json")
    assert await asyncio.gather(*(keeper.renew(mine, spent="a0") for _ in range(20))) == [True] * 20
    assert await keeper.renew(mine, spent="a0"), "there is a newer one already"
    assert server.calls == 1


CHILD = """
import asyncio, sys
from pathlib import Path
from cliproxy import login
login._TABLE["codex"] = "tests.unit.keeper.fake:LOGIN"
from cliproxy.account.model import Account
from cliproxy.keeper.directory import PRIVATE, DirectoryStore
from cliproxy.keeper.keeper import Keeper, Settings
from cliproxy.transport.client import Transport

async def main(folder, url):
    transport = Transport()
    keeper = Keeper(DirectoryStore(folder), transport, journal=folder / PRIVATE,
                    settings=Settings({"codex": {"token": url}}))
    mine = keeper.find("codex-me.json")
    account = Account(mine.name, "codex", "me", credential=mine)
    print("ready", flush=True)
    for line in sys.stdin:
        if line.strip() == "end":
            break
        keeper.reload()
        await asyncio.gather(*(keeper.ready(account) for _ in range(200)))
        print(mine.token, flush=True)
    await transport.close()

asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
"""


@pytest.mark.slow
def test_processes_that_need_the_same_token_refresh_it_once(tmp_path, server):
    path = put(tmp_path)
    command = [sys.executable, "-c", CHILD, str(tmp_path), server.url]
    children = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    try:
        for child in children:
            assert child.stdout.readline() == "ready\n"
        for turn in range(1, rounds(8) + 1):
            for child in children:
                child.stdin.write("go\n")
                child.stdin.flush()
            tokens = {child.stdout.readline().strip() for child in children}
            assert tokens == {f"a{turn}"}
            assert (server.calls, server.reused) == (turn, 0)
            path.write_text(json.dumps(on_disk(path) | {"expired": written(1000)}))
    finally:
        for child in children:
            child.stdin.write("end\n")
            child.stdin.close()
            child.wait(20)
            child.stdout.close()


async def test_an_answer_that_was_lost_is_asked_for_once_more_and_then_never(
    tmp_path, make, server, clock
):
    path = put(tmp_path)
    keeper = make()
    mine = keeper.find("codex-me.json")
    server.cut = 2
    server.spent_before = set(server.spent)
    for _ in range(6):
        assert not await keeper.renew(mine, spent="a0")
        clock.time += 3600
    assert server.calls == 2, "the token itself, and one blind use of it"
    assert mine.state == "needs_login"
    assert path.exists(), "an account is flagged, never deleted"


async def test_a_killed_process_leaves_a_note_that_the_next_one_honours(tmp_path, make, server):
    put(tmp_path)
    first = make()
    first._renewal.journal.begin("codex-me.json", "r0")
    first._renewal.journal.begin("codex-me.json", "r0")
    again = make()
    mine = again.find("codex-me.json")
    assert not await again.renew(mine, spent="a0")
    assert (server.calls, mine.state) == (0, "needs_login")
    # A new login is another token.
    await again.save("codex-me.json", {"type": "codex", "refresh_token": "r0x"})
    assert mine.state == "ok"


async def test_a_disk_that_refuses_loses_nothing(tmp_path, make, server, monkeypatch):
    path = put(tmp_path)
    keeper = make()
    mine = keeper.find("codex-me.json")

    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "atomic_write", full)
    assert await keeper.renew(mine, spent="a0")
    assert mine.token == "a1"
    assert on_disk(path)["access_token"] == "a0", "the old file is whole"
    monkeypatch.undo()
    monkeypatch.setitem(login._TABLE, "codex", PLACE)
    await keeper._shelf.save_again(mine)
    assert (on_disk(path)["access_token"], on_disk(path)["refresh_token"]) == ("a1", "r1")
    assert server.calls == 1


async def test_a_folder_that_cannot_be_written_keeps_logins_usable(tmp_path, make, server):
    put(tmp_path)
    keeper = make()

    async def refused(*_args):
        raise PermissionError(errno.EACCES, "Permission denied")

    keeper.store.put = refused
    mine = account(keeper.find("codex-me.json"))
    await keeper.ready(mine)
    assert mine.token == "a1"


async def test_an_edit_and_a_refresh_at_once_both_survive(tmp_path, make, server):
    path = put(tmp_path)
    keeper = make()
    mine = keeper.find("codex-me.json")
    for turn in range(1, rounds(30) + 1):
        other = make()
        await asyncio.gather(
            keeper.renew(mine, spent=mine.token),
            other.edit("codex-me.json", {"note": f"n{turn}", "priority": turn}),
            keeper.edit("codex-me.json", {"weight": turn}),
        )
        kept = on_disk(path)
        assert (kept["note"], kept["priority"], kept["weight"]) == (f"n{turn}", turn, turn)
        assert kept["access_token"] == f"a{turn}"
        keeper.reload()
    assert server.reused == 0


async def test_a_stop_waits_for_refreshes_that_run_and_begins_none(tmp_path, make, server):
    import threading

    path = put(tmp_path)
    keeper = make()
    mine = keeper.find("codex-me.json")
    server.gate = threading.Event()
    waiting = asyncio.ensure_future(keeper.renew(mine, spent="a0"))
    await asyncio.to_thread(server.asked.wait, 10)
    stopping = asyncio.ensure_future(keeper.close())
    await asyncio.sleep(0)
    assert not stopping.done()
    server.gate.set()
    await stopping
    assert await waiting
    assert on_disk(path)["refresh_token"] == "r1"
    assert not await keeper.renew(mine, spent="a1")
    assert server.calls == 1


@pytest.mark.parametrize("jump", [-86400, -3600, 3600, 86400])
async def test_a_clock_that_jumps_causes_no_storm(tmp_path, make, server, clock, jump):
    put(tmp_path, expired=written(NOW + 1e6), last_refresh=written(NOW))
    server.lasts = 60.0  # always due
    keeper = make()
    clock.time += 1e6
    clock_jump = 0.0
    clock.now = lambda: 1_800_000_000.0 + clock.time + clock_jump
    for second in range(300):
        keeper.check()
        for running in list(keeper._renewal.running.values()):
            await asyncio.shield(running)
        await asyncio.sleep(0)
        if second == 100:
            clock_jump = jump
        clock.time += 1
    assert server.calls <= 300 / AGAIN + 1
    assert server.reused == 0


async def test_files_that_come_go_and_change_are_noticed(tmp_path, make):
    put(tmp_path, "a.json")
    keeper = make()
    heard = []
    keeper.changed = heard.append
    keeper.check()
    assert heard == []
    put(tmp_path, "sub/b.json") if (tmp_path / "sub").mkdir() is None else None
    keeper.check()
    put(tmp_path, "a.json", note="edited by hand")
    keeper.check()
    (tmp_path / "a.json").unlink()
    keeper.check()
    assert heard == [{"sub/b.json"}, {"a.json"}, {"a.json"}]
    assert [c.name for c in keeper.credentials()] == ["sub/b.json"]


async def test_our_own_refresh_is_no_news(tmp_path, make):
    put(tmp_path)
    keeper = make()
    heard = []
    keeper.changed = heard.append
    await keeper.renew(keeper.find("codex-me.json"), spent="a0")
    keeper.check()
    assert heard == []


async def test_what_is_no_credential_is_left_alone(tmp_path, make, caplog):
    (tmp_path / "a.json").write_text("{ not json")
    (tmp_path / "b.json").write_text("[]")
    (tmp_path / "c.json").write_text('{"type": 5}')
    (tmp_path / "d.json").write_text("")
    (tmp_path / ".hidden.json").write_text('{"type": "codex"}')
    (tmp_path / "e.JSON").write_text('{"type": "codex", "secret": "s3cr3t-value-here"}')
    keeper = make()
    assert [c.name for c in keeper.credentials()] == ["e.JSON"]
    assert "a.json" in caplog.text
    assert "s3cr3t" not in caplog.text


@pytest.mark.parametrize("name", ["../x.json", "/etc/x.json", "a/../../x.json", ".x.json", ""])
async def test_names_do_not_lead_out_of_the_folder(tmp_path, make, name):
    with pytest.raises(ValueError, match="not a name"):
        await make().save(name, {"type": "codex"})


async def test_a_login_that_was_taken_away_is_not_asked_for_again(tmp_path, make, server, clock):
    put(tmp_path, refresh_token="unknown")
    keeper = make()
    mine = account(keeper.find("codex-me.json"))
    for _ in range(3):
        with pytest.raises(UpstreamError, match="cliproxy login") as caught:
            await keeper.ready(mine)
        assert caught.value.status == 401
        clock.time += 3600
    assert (server.calls, mine.credential.state) == (1, "needs_login")
    put(tmp_path, refresh_token="r0")
    keeper.check()
    await keeper.ready(mine)
    assert mine.token == "a1"


async def test_a_provider_that_stumbles_is_asked_again_later(tmp_path, make, server, clock):
    put(tmp_path)
    keeper = make()
    mine = account(keeper.find("codex-me.json"))
    server.status = 500
    for _ in range(5):
        with pytest.raises(UpstreamUnreachable):
            await keeper.ready(mine)
    assert server.calls == 1, "a failure is not asked for by every request"
    server.status = 0
    clock.time += 11
    await keeper.ready(mine)
    assert mine.token == "a1"


async def test_a_provider_that_names_a_time_is_left_alone_until_then(tmp_path, make, server, clock):
    put(tmp_path)
    keeper = make()
    mine = account(keeper.find("codex-me.json"))
    server.status, server.retry_after = 429, "120"
    with pytest.raises(UpstreamError) as caught:
        await keeper.ready(mine)
    assert caught.value.status == 429
    clock.time += 100
    with pytest.raises(UpstreamError):
        await keeper.ready(mine)
    assert server.calls == 1
    server.status = 0
    clock.time += 21
    await keeper.ready(mine)


async def test_a_token_with_time_left_is_used_while_its_refresh_fails(tmp_path, make, server):
    put(tmp_path, expired=written(NOW + 20))
    keeper = make()
    mine = account(keeper.find("codex-me.json"))
    server.status = 500
    await keeper.ready(mine)
    assert mine.token == "a0"


async def test_a_refresh_outlives_the_request_that_caused_it(tmp_path, make, server):
    import threading

    put(tmp_path)
    keeper = make()
    mine = keeper.find("codex-me.json")
    server.gate = threading.Event()
    waiting = asyncio.ensure_future(keeper.renew(mine, spent="a0"))
    await asyncio.to_thread(server.asked.wait, 10)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    server.gate.set()
    assert await keeper.renew(mine, spent="a0")
    assert (server.calls, server.reused) == (1, 0)


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"expired": written(NOW + 301)}, False),
        ({"expired": written(NOW + 299)}, True),
        ({"expired": "", "last_refresh": written(NOW - 299)}, False),
        ({"expired": "", "last_refresh": written(NOW - 301)}, True),
        ({"expired": ""}, True),
        ({"expired": "0001-01-01T00:00:00Z", "last_refresh": written(NOW)}, False),
        ({"expired": int((NOW + 299) * 1000)}, True),
        ({"expired": written(NOW), "disabled": True}, False),
        ({"expired": written(NOW), "refresh_token": ""}, False),
    ],
)
def test_who_is_due(fields, wanted):
    told = {"type": "codex", "access_token": "a0", "refresh_token": "r0"} | fields
    assert due(Credential("x.json", told), NOW) is wanted


async def test_only_so_many_are_renewed_ahead_of_need_at_once(tmp_path, make, server, monkeypatch):
    for number in range(6):
        put(tmp_path, f"codex-{number}.json", expired=written(NOW))
    keeper = make()
    keeper.settings = structs.replace(keeper.settings, workers=2)
    asked = []

    async def renew(credential, *, spent):
        asked.append(credential.name)

    monkeypatch.setattr(keeper, "renew", renew)
    keeper.check()
    await asyncio.sleep(0)
    assert len(asked) == 2


async def test_a_linked_login_is_read_where_it_is_and_never_refreshed(tmp_path, make, server):
    theirs = tmp_path / "elsewhere" / "auth.json"
    theirs.parent.mkdir()
    tokens = {"access_token": "t1", "refresh_token": "r0", "account_id": "acc"}
    theirs.write_text(json.dumps({"tokens": tokens}))
    ours = tmp_path / "auth" / "codex-linked.json"
    ours.parent.mkdir()
    ours.write_text(
        json.dumps(
            {"type": "codex", "linked_cli": "codex", "linked_file": str(theirs), "priority": 3}
        )
    )
    keeper = make(ours.parent)
    mine = keeper.find("codex-linked.json")
    assert (mine.token, mine.text("account_id")) == ("t1", "acc")
    assert not refreshable(mine)
    assert not await keeper.renew(mine, spent="t1")
    theirs.write_text(json.dumps({"tokens": tokens | {"access_token": "t2"}, "pad": 1}))
    assert await keeper.renew(mine, spent="t1")
    assert mine.token == "t2"
    await keeper.edit("codex-linked.json", {"note": "n"})
    assert "t2" not in ours.read_text()
    assert "r0" not in ours.read_text()
    assert mine.token == "t2"
    assert server.calls == 0


async def test_a_renewal_looks_at_the_linked_file_of_its_own_login_only(tmp_path, make):
    theirs = {}
    for name in ("one", "two"):
        theirs[name] = tmp_path / name / "auth.json"
        theirs[name].parent.mkdir()
        theirs[name].write_text(json.dumps({"tokens": {"access_token": "t1"}}))
        put(tmp_path / "auth", f"{name}.json", linked_cli="codex", linked_file=str(theirs[name]))
    put(tmp_path / "auth", "own.json", expired=written(NOW + 3600))
    keeper = make(tmp_path / "auth")
    heard = []
    keeper.changed = heard.append
    for path in theirs.values():
        path.write_text(json.dumps({"tokens": {"access_token": "t2-is-longer"}}))
    one, two = keeper.find("one.json"), keeper.find("two.json")
    assert await keeper.renew(keeper.find("own.json"), spent="a-older")
    assert (one.token, two.token, heard) == ("t1", "t1", [])
    assert await keeper.renew(one, spent="t1")
    assert (one.token, two.token, heard) == ("t2-is-longer", "t1", [{"one.json"}])
    keeper.reload()
    assert two.token == "t2-is-longer"
    assert heard == [{"one.json"}, {"two.json"}]


KILLED = """
import asyncio, os, sys
from pathlib import Path
from cliproxy.keeper.directory import DirectoryStore
store = DirectoryStore(Path(sys.argv[1]))

async def main():
    print("ready", flush=True)
    turn = 0
    while True:
        turn += 1
        stored = await store.get("codex-me.json")
        await store.put("codex-me.json", {**stored.fields, "turn": turn, "pad": "x" * 5000}, stored.version)

asyncio.run(main())
"""


@pytest.mark.slow
def test_being_killed_while_writing_loses_no_login(tmp_path):
    path = put(tmp_path, keep="me")
    for turn in range(rounds(12)):
        child = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout.readline() == "ready\n"
        before = path.stat().st_mtime_ns
        # However far it is by then: the number of turns it managed is different each time.
        for _ in range(200 * (turn % 60 + 1)):
            if path.stat().st_mtime_ns != before and turn % 3:
                break
            os.sched_yield()
        child.kill()
        child.wait(20)
        child.stdout.close()
        assert on_disk(path)["keep"] == "me"
    store = DirectoryStore(tmp_path)
    store.tidy()
    assert [p.name for p in tmp_path.iterdir() if p.name != PRIVATE] == ["codex-me.json"]
    assert asyncio.run(store.put("codex-me.json", {"type": "codex"}, store.snapshot()[0].version))


@pytest.mark.parametrize("forgiving", [False, True])
async def test_a_connection_that_was_cut_is_an_answer_that_was_lost(
    tmp_path, make, server, clock, forgiving
):
    put(tmp_path)
    keeper = make()
    mine = keeper.find("codex-me.json")
    server.cut = 9
    for _ in range(6):
        if forgiving:
            server.live |= server.spent
            server.spent.clear()
        assert not await keeper.renew(mine, spent="a0")
        clock.time += 3600
    assert server.calls == 2


async def test_where_nobody_listens_nothing_is_lost(tmp_path, make, server, clock):
    put(tmp_path)
    keeper = make()
    keeper.settings = Settings({"codex": {"token": "http://127.0.0.1:1/token"}})
    mine = keeper.find("codex-me.json")
    for _ in range(6):
        assert not await keeper.renew(mine, spent="a0")
        assert mine.state == "network"
        clock.time += 3600
    keeper.settings = Settings({"codex": {"token": server.url}})
    assert await keeper.renew(mine, spent="a0")

"""What must not be lost, and what must not come back: a mirror and a folder as its store."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cliproxy.keeper.directory import DirectoryStore
from cliproxy.keeper.mirrored import MirroredDirectory
from cliproxy.stores.base import CONFIG, MOST, Away, Blob, Conflict, Refused, StoreError
from cliproxy.stores.local import LocalStore
from cliproxy.stores.memory import keep
from cliproxy.stores.mirror import Mirror
from tests.stores.test_mirror import until, write

A, B, C = "auths/a.json", "auths/b.json", "auths/c.json"
TOKEN_1, TOKEN_2 = ({"type": "claude", "refresh_token": f"rt-{n}"} for n in (1, 2))


class Elsewhere(LocalStore):
    """A folder as a store, which can be away, or fail for some names."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, look=0.02)
        self.away = False
        self.fail: Callable[[str, str], None] = lambda what, name: None

    def _asked(self, what: str, name: str = "") -> None:
        if self.away:
            raise Away("it is away")
        self.fail(what, name)

    async def list(self):
        self._asked("list")
        return await super().list()

    async def get(self, name, *, fresh=True):
        self._asked("get", name)
        return await super().get(name, fresh=fresh)

    async def put(self, name, data, *, if_version):
        self._asked("put", name)
        return await super().put(name, data, if_version=if_version)

    async def delete(self, name):
        self._asked("delete", name)
        return await super().delete(name)


class World:
    """A store with two logins and a configuration, and its mirror."""

    def __init__(self, folder: Path) -> None:
        self.here, self.there = folder / "here", folder / "there"
        for name in (A, B):
            write(self.there, name, json.dumps(TOKEN_1).encode())
        write(self.there, CONFIG, b"port: 1\n")

    def mirror(self, there: Path | None = None, **options) -> Mirror:
        mirror = Mirror(self.here, Elsewhere(there or self.there), **options)
        mirror.local._look = 0.02
        return mirror

    async def meet(self, there: Path | None = None, **options) -> None:
        """Compare, as a command does, or a start."""
        mirror = self.mirror(there, **options)
        try:
            await mirror.bootstrap()
        finally:
            await mirror.close()


@pytest.fixture
async def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    await made.meet()
    return made


def names(root: Path) -> set[str]:
    found = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    return {name for name in found if not any(p.startswith(".") for p in name.split("/"))}


def fields(root: Path, name: str) -> object:
    return json.loads((root / name).read_text())


def aside(world: World, name: str) -> Path:
    return world.here / ".cliproxy/aside" / name


# ---- deletions ----------------------------------------------------------------------------------
@pytest.mark.parametrize("how", ["after a restart", "by another command meanwhile"])
async def test_all_that_was_deleted_while_the_store_was_away_stays_deleted(world, how) -> None:
    mirror = world.mirror()
    await mirror.bootstrap()
    mirror.store.away = True
    mirror._failed(Away("it is away"))
    for name in (A, B):
        await MirroredDirectory(mirror).delete(name.removeprefix("auths/"))
    if how == "after a restart":
        await mirror.close()
    await world.meet()
    assert names(world.here) == {CONFIG} == names(world.there)
    await mirror.close()
    assert list((world.here / ".cliproxy/removed").rglob("*.json")) == []


async def test_a_look_while_files_are_being_deleted_voids_no_deletion(world, monkeypatch) -> None:
    mirror = world.mirror()
    await mirror.bootstrap()
    directory = MirroredDirectory(mirror)
    real = DirectoryStore.delete

    async def slow(self, name: str) -> bool:
        await mirror._send()
        return await real(self, name)

    monkeypatch.setattr(DirectoryStore, "delete", slow)
    for name in ("a.json", "b.json"):
        await directory.delete(name)
    await mirror.close()
    await world.meet()
    assert names(world.here) == {CONFIG} == names(world.there)


async def test_a_login_that_came_again_is_no_deleted_one(world) -> None:
    mirror = world.mirror()
    await mirror.bootstrap()
    mirror.touch("a.json", removed=True)
    mirror.touch("b.json", removed=True)
    await mirror._send()
    await mirror.close()
    shutil.rmtree(world.here / "auths")
    await world.meet()
    assert names(world.here) == {CONFIG, A, B} == names(world.there)


async def test_logins_that_all_vanish_from_a_store_with_a_configuration_are_put_aside(
    world,
) -> None:
    shutil.rmtree(world.there / "auths")
    await world.meet()
    assert names(world.here) == {CONFIG} == names(world.there)
    assert [fields(aside(world, "."), name) for name in (A, B)] == [TOKEN_1, TOKEN_1]


@pytest.mark.parametrize("left", [0, 1, 6, 7])
async def test_a_store_that_is_seen_while_it_is_being_emptied_costs_nothing(world, left) -> None:
    more = [f"auths/n{number}.json" for number in range(10)]
    for name in more:
        write(world.there, name, json.dumps(TOKEN_1).encode())
    await world.meet()
    for name in (*more, A, B)[left:]:
        (world.there / name).unlink()
    await world.meet()
    assert names(world.here) == names(world.there)
    gone = 12 - left
    kept = len(list(world.here.glob(".cliproxy/aside/auths/*.json")))
    assert kept == (gone if gone >= 6 else 0)


async def test_the_same_during_a_refresh(world) -> None:
    mirror = world.mirror()
    await mirror.bootstrap()
    shutil.rmtree(world.there / "auths")
    async with mirror.lease("a.json"):
        assert names(world.here) == {CONFIG, B}
    assert fields(aside(world, "."), A) == TOKEN_1
    await mirror.close()


async def test_one_of_several_that_is_deleted_there_leaves_no_token_here(world) -> None:
    (world.there / A).unlink()
    await world.meet()
    assert names(world.here) == {CONFIG, B}
    assert not aside(world, A).exists()


# ---- losses -------------------------------------------------------------------------------------
@pytest.mark.parametrize("keeps", [True, False])
@pytest.mark.parametrize("refused", [{B}, {A, B, CONFIG}], ids=["one", "all"])
async def test_a_store_that_goes_away_while_it_is_filled_again_costs_nothing(
    world, keeps, refused
) -> None:
    shutil.rmtree(world.there)
    mirror = world.mirror(keeps=keeps)

    def full(what: str, name: str) -> None:
        if what == "put" and name in refused:
            raise Away("it is away")

    mirror.store.fail = full
    with pytest.raises(Away):
        await mirror.bootstrap()
    await mirror.close()
    assert names(world.here) == {CONFIG, A, B}
    await world.meet(keeps=keeps)
    assert names(world.here) == {CONFIG, A, B} == names(world.there)
    # From then on a deletion is one.
    (world.there / A).unlink()
    await world.meet(keeps=keeps)
    assert names(world.here) == {CONFIG, B}


async def test_a_mirror_that_is_being_filled_again_costs_the_store_nothing(world) -> None:
    for name in (A, B):
        (world.here / name).unlink()
    mirror = world.mirror()

    def away(what: str, name: str) -> None:
        if (what, name) == ("get", B):
            raise Away("it is away")

    mirror.store.fail = away
    with pytest.raises(Away):
        await mirror.bootstrap()
    await mirror.close()
    await world.meet()
    assert names(world.here) == {CONFIG, A, B} == names(world.there)


async def test_a_newer_token_that_filled_the_store_again_stays(world, monkeypatch) -> None:
    mirror = world.mirror()
    shutil.rmtree(world.there)
    real = mirror.local.list

    async def later():
        write(world.there, A, json.dumps(TOKEN_2).encode())
        return await real()

    monkeypatch.setattr(mirror.local, "list", later)
    await mirror.bootstrap()
    await mirror.close()
    assert fields(world.there, A) == TOKEN_2 == fields(world.here, A)


async def test_lost_logins_do_not_bring_an_old_configuration_back(world) -> None:
    for name in (A, B):
        (world.here / name).unlink()
    write(world.there, CONFIG, b"port: 2\n")
    await world.meet()
    assert (world.there / CONFIG).read_text() == "port: 2\n"
    assert names(world.here) == {CONFIG, A, B}


async def test_a_folder_that_is_gone_with_its_only_login_is_a_loss(world) -> None:
    (world.there / B).unlink()
    await world.meet()
    shutil.rmtree(world.here / "auths")
    await world.meet()
    assert names(world.here) == {CONFIG, A} == names(world.there)


async def test_a_folder_that_somebody_makes_anew_was_lost_all_the_same(world) -> None:
    (world.there / B).unlink()
    mirror = world.mirror()
    await mirror.bootstrap()
    shutil.rmtree(world.here / "auths")
    await mirror._look()
    with mirror.local.auths.exclusive():
        pass
    await mirror._look()
    await mirror._sync()
    await mirror.close()
    assert names(world.here) == {CONFIG, A} == names(world.there)


# ---- another store ------------------------------------------------------------------------------
async def test_what_was_agreed_on_with_another_store_says_nothing(world, tmp_path) -> None:
    write(world.here, A, json.dumps(TOKEN_2).encode())
    write(world.here, C, json.dumps(TOKEN_1).encode())
    other = tmp_path / "other"
    write(other, A, json.dumps(TOKEN_1).encode())
    write(other, "auths/z.json", json.dumps(TOKEN_1).encode())
    write(other, CONFIG, b"port: 2\n")
    await world.meet(other)
    assert names(world.here) == {CONFIG, A, "auths/z.json"} == names(other)
    assert fields(other, A) == TOKEN_1
    assert fields(aside(world, "."), A) == TOKEN_2
    assert aside(world, C).is_file()
    assert aside(world, CONFIG).read_text() == "port: 1\n"
    # And back.
    await world.meet()
    assert names(world.there) == {CONFIG, A, B} == names(world.here)
    assert fields(world.there, A) == TOKEN_1


async def test_a_meeting_with_another_store_that_broke_off_goes_on_as_one(world, tmp_path) -> None:
    other = tmp_path / "other"
    for name in (A, "auths/z.json"):
        write(other, name, json.dumps(TOKEN_1).encode())
    mirror = world.mirror(other)

    def away(what: str, name: str) -> None:
        if (what, name) == ("get", B):
            raise Away("it is away")

    mirror.store.fail = away
    with pytest.raises(Away):
        await mirror.bootstrap()
    await mirror.close()
    await world.meet(other)
    assert B not in names(other)
    assert aside(world, B).is_file()


async def test_a_store_that_never_answered_changes_nothing(world, tmp_path) -> None:
    mirror = world.mirror(tmp_path / "other")
    mirror.store.away = True
    with pytest.raises(Away):
        await mirror.bootstrap()
    await mirror.close()
    write(world.here, A, json.dumps(TOKEN_2).encode())
    await world.meet()
    assert fields(world.there, A) == TOKEN_2


async def test_a_store_that_could_not_be_listed_is_not_written_to_at_the_end(
    world, tmp_path
) -> None:
    other = tmp_path / "other"
    write(other, CONFIG, b"port: 2\n")
    mirror = world.mirror(other)

    def unlisted(what: str, name: str) -> None:
        if what == "list":
            raise Away("it is away")

    mirror.store.fail = unlisted
    with pytest.raises(Away):
        await mirror.bootstrap()
    async with mirror.lease("a.json"):
        pass
    await mirror.close()
    assert names(other) == {CONFIG}
    assert names(world.here) == {CONFIG, A, B}
    await world.meet()
    assert names(world.there) == {CONFIG, A, B}
    assert (world.there / CONFIG).read_text() == "port: 1\n"


async def test_what_differs_at_the_first_meeting_is_not_lost(tmp_path) -> None:
    made = World(tmp_path)
    write(made.here, A, json.dumps(TOKEN_2).encode())
    write(made.here, CONFIG, b"port: 9\n")
    await made.meet(keeps=True)
    assert fields(made.here, A) == TOKEN_1 == fields(made.there, A)
    assert fields(aside(made, "."), A) == TOKEN_2
    assert aside(made, CONFIG).read_text() == "port: 9\n"


async def test_two_proxies_with_one_folder_mix_no_stores(world, tmp_path) -> None:
    mirror = world.mirror()
    await mirror.bootstrap()
    other = tmp_path / "other"
    write(other, "auths/z.json", json.dumps(TOKEN_1).encode())
    write(other, CONFIG, b"port: 2\n")
    await world.meet(other)
    mirror.touch("a.json")
    for compare in (mirror._sync, mirror._send, lambda: mirror._renewed(A)):
        with pytest.raises(Refused, match="is used with another store by now"):
            await compare()
    await mirror.close()
    assert (names(other), names(world.there)) == ({CONFIG, "auths/z.json"}, {CONFIG, A, B})


# ---- tokens of both sides -----------------------------------------------------------------------
HOURS = [f"2026-01-01T0{hour}:00:00Z" for hour in range(10)]


@pytest.mark.parametrize("said", ["last_refresh", "expired"])
@pytest.mark.parametrize(("ours", "theirs", "kept"), [(1, 8, "there"), (8, 1, "here")])
async def test_of_tokens_that_came_on_both_sides_the_later_ones_are_kept(
    world, said, ours, theirs, kept
) -> None:
    for root, who, hour in ((world.here, "here", ours), (world.there, "there", theirs)):
        new = {"refresh_token": f"rt-{who}", "access_token": f"at-{who}", said: HOURS[hour]}
        write(root, A, json.dumps({**TOKEN_1, **new, f"note-{who}": "x"}).encode())
    await world.meet()
    assert fields(world.here, A) == fields(world.there, A)
    found = fields(world.here, A)
    assert (found["refresh_token"], found["access_token"]) == (f"rt-{kept}", f"at-{kept}")
    # What only one has changed is kept of both.
    assert found["note-here"] == found["note-there"] == "x"
    assert aside(world, A).is_file() is (kept == "there")


async def test_an_edit_there_does_not_take_a_new_token_from_here(world) -> None:
    write(world.here, A, json.dumps({**TOKEN_2, "last_refresh": HOURS[1]}).encode())
    write(world.there, A, json.dumps({**TOKEN_1, "note": "x", "last_refresh": HOURS[8]}).encode())
    await world.meet()
    assert fields(world.there, A)["refresh_token"] == "rt-2"


@pytest.mark.parametrize(("hour", "kept"), [(1, True), (8, False)])
async def test_a_store_that_was_put_back_costs_no_token(world, hour, kept) -> None:
    write(world.here, A, json.dumps({**TOKEN_2, "last_refresh": HOURS[4]}).encode())
    await world.meet()
    write(world.there, A, json.dumps({**TOKEN_1, "last_refresh": HOURS[hour]}).encode())
    await world.meet()
    assert fields(world.here, A)["refresh_token"] == "rt-1"
    assert aside(world, A).is_file() is kept


# ---- names and sizes ----------------------------------------------------------------------------
async def test_no_name_of_a_store_keeps_a_new_machine_from_starting(tmp_path) -> None:
    made = World(tmp_path)
    odd = [f"auths/{'x' * 250}.json", "auths/a.json.d/x.json"]
    for name in odd:
        write(made.there, name, json.dumps(TOKEN_1).encode())
    write(made.here, "auths/a.json.d", b"")
    await made.meet()
    assert names(made.here) == {CONFIG, A, B, "auths/a.json.d"}


async def test_no_name_of_a_file_here_keeps_a_new_machine_from_starting(tmp_path) -> None:
    made = World(tmp_path)
    write(made.here, f"auths/{'x' * 250}.json", json.dumps(TOKEN_1).encode())
    await made.meet()
    assert {CONFIG, A, B} <= names(made.here)


async def test_what_is_too_large_stays_where_it_is(world, monkeypatch) -> None:
    mirror = world.mirror()
    real = mirror.store.get

    async def get(name, *, fresh=True):
        found = await real(name, fresh=fresh)
        return Blob(b" " * MOST + found.data, "large") if name == A else found

    write(world.there, A, json.dumps(TOKEN_2).encode())
    monkeypatch.setattr(mirror.store, "get", get)
    await mirror.bootstrap()
    await mirror.close()
    assert fields(world.here, A) == TOKEN_1


async def test_a_place_that_cannot_be_looked_at_is_not_looked_at_for_ever(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="Not a directory"):
        keep(tmp_path / "file/a.json", b"x")
    (tmp_path / "a.json").mkdir()
    assert keep(tmp_path / "a.json", b"x").name == "a.json.1"


async def test_what_a_writer_that_was_killed_has_left_behind_is_removed(world) -> None:
    left = [world.here / ".cliproxy/agreed/auths" / f".a.json.{name}" for name in ("old", "new")]
    for path in left:
        path.write_bytes(b"{")
    os.utime(left[0], (0, 0))
    await world.meet()
    assert [path.exists() for path in left] == [False, True]
    assert names(world.here) == {CONFIG, A, B}


# ---- a start ------------------------------------------------------------------------------------
async def test_what_was_just_compared_is_not_asked_for_again(world) -> None:
    first = world.mirror()
    await first.bootstrap()
    await first.close()
    asked = []
    first.store.fail = lambda what, name: asked.append((what, name))
    write(world.there, B, json.dumps(TOKEN_2).encode())
    again = Mirror(world.here, first.store, before=first)
    await again.bootstrap()
    await again.close()
    assert asked == [("list", ""), ("get", B)]
    assert fields(world.here, B) == TOKEN_2


async def test_what_was_compared_before_another_store_came_is_not_used(world, tmp_path) -> None:
    first = world.mirror()
    await first.bootstrap()
    await first.close()
    write(tmp_path / "other", CONFIG, b"port: 2\n")
    await world.meet(tmp_path / "other")
    again = Mirror(world.here, first.store, before=first)
    await again.bootstrap()
    await again.close()
    assert names(world.there) == {CONFIG, A, B} == names(world.here)


# ---- faults -------------------------------------------------------------------------------------
def full(*args: object, **options: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


async def odd(*args: object, **options: object) -> None:
    raise KeyError(b"x")


@pytest.mark.parametrize("fault", [full, odd])
async def test_a_fault_in_the_care_for_a_file_ends_no_refresh(world, monkeypatch, fault) -> None:
    mirror = world.mirror()
    await mirror.bootstrap()
    directory = MirroredDirectory(mirror)
    async with directory.lease("a.json"):
        found = await directory.get("a.json")
        await directory.put("a.json", TOKEN_2, found.version)
        if fault is full:
            monkeypatch.setattr(mirror._memory, "write", fault)
        else:
            monkeypatch.setattr(mirror.store, "get", fault)
    await mirror.close()
    assert fields(world.here, A) == TOKEN_2
    monkeypatch.undo()
    await world.meet()
    assert fields(world.there, A) == TOKEN_2


@pytest.mark.parametrize("when", ["begin", "end"])
async def test_a_fault_of_a_lease_ends_no_refresh(world, monkeypatch, when) -> None:
    @contextlib.asynccontextmanager
    async def lease(name):
        if when == "begin":
            full()
        yield
        full()

    mirror = world.mirror()
    await mirror.bootstrap()
    monkeypatch.setattr(mirror.store, "lease", lease)
    directory = MirroredDirectory(mirror)
    async with directory.lease("a.json"):
        found = await directory.get("a.json")
        await directory.put("a.json", TOKEN_2, found.version)
    assert mirror.standing.away
    with pytest.raises(KeyError):
        async with directory.lease("a.json"):
            raise KeyError
    await mirror.close()


@pytest.mark.parametrize("fault", [full, odd])
async def test_the_end_comes_in_spite_of_faults(world, monkeypatch, fault) -> None:
    mirror = world.mirror()
    await mirror.bootstrap()
    write(world.here, A, json.dumps(TOKEN_2).encode())
    if fault is full:
        monkeypatch.setattr(mirror._memory, "write", fault)
    else:
        monkeypatch.setattr(mirror.store, "get", fault)
    await mirror.close()
    assert not mirror._opened


async def test_a_file_that_this_machine_cannot_keep_hinders_no_other(world, caplog) -> None:
    write(world.there, "auths/a.json.d/x.json", json.dumps(TOKEN_1).encode())
    write(world.here, "auths/a.json.d", b"")
    write(world.there, "auths/z.json", json.dumps(TOKEN_1).encode())
    await world.meet()
    assert "auths/z.json" in names(world.here)


async def test_what_the_disk_refused_once_is_tried_again(world, monkeypatch) -> None:
    monkeypatch.setattr("cliproxy.stores.mirror.FIRST_PAUSE", 0.05)
    monkeypatch.setattr("cliproxy.stores.mirror.LONGEST_PAUSE", 0.05)
    mirror = world.mirror()
    await mirror.bootstrap()
    real, refused = mirror.local.config.put, []

    def once(*args: object) -> str:
        if not refused:
            refused.append(1)
            full()
        return real(*args)

    monkeypatch.setattr(mirror.local.config, "put", once)
    write(world.there, CONFIG, b"port: 2\n")
    mirror.start()
    await until(lambda: (world.here / CONFIG).read_text() == "port: 2\n")
    assert refused
    assert not mirror.standing.away
    await mirror.close()


async def test_a_store_that_refuses_each_write_is_not_asked_on_and_on(world) -> None:
    mirror = world.mirror()
    await mirror.bootstrap()

    def refuse(what: str, name: str) -> None:
        if what == "put":
            raise Conflict

    mirror.store.fail = refuse
    write(world.here, A, json.dumps(TOKEN_2).encode())
    await mirror._look()
    await mirror._send()
    asked = []
    mirror.store.fail = lambda what, name: asked.append(name)
    await mirror._send()
    assert asked == []
    mirror._later = 0.0
    await mirror._send()
    await mirror.close()
    assert fields(world.there, A) == TOKEN_2


async def test_a_store_that_refuses_each_write_keeps_no_machine_from_starting(tmp_path) -> None:
    made = World(tmp_path)
    write(made.here, C, json.dumps(TOKEN_1).encode())
    mirror = made.mirror()

    def refuse(what: str, name: str) -> None:
        if what == "put":
            raise Conflict

    mirror.store.fail = refuse
    await mirror.bootstrap()
    await mirror.close()
    assert names(made.here) == {CONFIG, A, B, C}
    await made.meet()
    assert names(made.there) == {CONFIG, A, B, C}


async def test_a_file_of_another_owner_stops_no_start(world, monkeypatch) -> None:
    def refuse(path: Path, mode: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    (world.here / A).chmod(0o644)
    monkeypatch.setattr(Path, "chmod", refuse)
    await world.meet()


async def test_a_store_is_asked_as_much_at_once_as_it_can_answer(world, monkeypatch) -> None:
    mirror = world.mirror()
    mirror.store.at_once = 1
    await mirror.bootstrap()
    running, most = [], []
    real = mirror.store.get

    async def get(name, *, fresh=True):
        running.append(name)
        most.append(len(running))
        try:
            return await real(name, fresh=fresh)
        finally:
            running.remove(name)

    monkeypatch.setattr(mirror.store, "get", get)
    for name in ("a.json", "b.json"):
        mirror.touch(name)
    await mirror._send()
    await mirror.close()
    assert most == [1, 1]


async def test_a_refresh_waits_on_while_a_busy_store_answers_others(world) -> None:
    mirror = world.mirror()
    await mirror.bootstrap()
    async with mirror._in_time() as limit:
        before = limit.when()
        await asyncio.sleep(0.01)
        await mirror._settle(A)
        assert limit.when() > before
    assert mirror._limits == {}
    await mirror.close()


async def test_what_cannot_fill_a_store_again_is_not_tried_without_end(world) -> None:
    mirror = world.mirror()
    await mirror.bootstrap()
    for name in (A, B, CONFIG):
        write(world.here, name, b"[]")
    shutil.rmtree(world.there)
    mirror._news = False
    await mirror._sync()
    assert not mirror._news
    await mirror.close()


# ---- the configuration --------------------------------------------------------------------------
@pytest.mark.parametrize("written", [b"", b"# cut short\n", b"[a]\n", b"port: [\n", b"\xff"])
@pytest.mark.parametrize("where", ["here", "there"])
async def test_a_configuration_that_is_none_goes_nowhere(world, where, written, caplog) -> None:
    caplog.set_level(logging.WARNING)
    broken, whole = (world.here, world.there) if where == "here" else (world.there, world.here)
    write(broken, CONFIG, written)
    await world.meet()
    assert (whole / CONFIG).read_bytes() == b"port: 1\n"
    assert "no mapping of YAML" in caplog.text


async def test_an_empty_configuration_removes_no_keys_of_a_changed_one(world) -> None:
    write(world.here, CONFIG, b"")
    write(world.there, CONFIG, b"port: 1\ndebug: true\n")
    await world.meet()
    assert (world.there / CONFIG).read_bytes() == b"port: 1\ndebug: true\n"
    assert (world.here / CONFIG).read_bytes() == b"port: 1\ndebug: true\n"


async def test_each_configuration_that_gave_way_is_kept(world) -> None:
    for turn in range(3):
        write(world.here, CONFIG, f"bad: [\n# mine {turn}\n".encode())
        write(world.there, CONFIG, f"port: {turn + 2}\n".encode())
        await world.meet()
    kept = {path.read_text() for path in (world.here / "config").glob("config.yaml.local*")}
    assert kept == {f"bad: [\n# mine {turn}\n" for turn in range(3)}


async def test_a_store_that_cannot_be_used_is_told_before_anything_is_changed(world) -> None:
    mirror = world.mirror()
    mirror.store.away = True
    with pytest.raises(StoreError):
        await mirror.compare()
    await mirror.release()

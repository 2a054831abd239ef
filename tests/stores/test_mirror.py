"""A folder and a store elsewhere, kept alike: every kind of store, with its real server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import shutil
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from cliproxy.stores import mirror as module
from cliproxy.stores import postgres
from cliproxy.stores.base import CONFIG, Conflict, Refused, StoreError
from cliproxy.stores.mirror import Mirror
from cliproxy.stores.s3 import S3Store
from tests.stores.servers import Relay

NAME = "auths/claude-me.json"
OTHER = "auths/codex-me.json"
LOGIN = {"type": "claude", "access_token": "at-1", "refresh_token": "rt-1"}
YAML = b"# mine\nport: 8317\napi-keys:\n  - a\n"


def data(**fields: object) -> bytes:
    return json.dumps({**LOGIN, **fields}).encode()


def write(root: Path, name: str, content: bytes) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def files(root: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_file() and not any(part.startswith(".") for part in name.split("/")):
            text = path.read_text()
            found[name] = json.loads(text) if name.endswith(".json") else text
    return found


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.02)


async def put(store, name: str, content: bytes) -> None:
    found = await store.get(name)
    await store.put(name, content, if_version=found.version if found else None)


async def fields(store, name: str) -> object:
    found = await store.get(name)
    return json.loads(found.data) if found else None


@pytest.fixture
async def there(remote, opened):
    """The store as another machine sees it."""
    return await opened(remote.store())


@pytest.fixture
async def mirrors(remote, tmp_path: Path) -> AsyncIterator[Callable[..., object]]:
    """Make mirrors; all are closed at the end. The same name is the same folder."""
    made: list[Mirror] = []

    def make(name: str = "here", **options: object) -> Mirror:
        port = options.pop("port", None)
        mirror = Mirror(tmp_path / name, remote.store(port), **options)
        mirror.local._look = 0.02
        made.append(mirror)
        return mirror

    yield make
    for mirror in made:
        await mirror.close()


async def test_a_bootstrap_brings_everything_and_a_second_one_changes_nothing(
    mirrors, there
) -> None:
    await there.put(CONFIG, YAML, if_version=None)
    await there.put(NAME, data(), if_version=None)
    await there.put("auths/team/x.json", data(type="codex"), if_version=None)
    mirror = mirrors()
    await mirror.bootstrap()
    first = files(mirror.root)
    assert first == {
        CONFIG: YAML.decode(), NAME: LOGIN, "auths/team/x.json": {**LOGIN, "type": "codex"},
    }  # fmt: skip
    times = {path: path.stat().st_mtime_ns for path in mirror.root.rglob("*.json")}
    await mirror.close()
    before = await there.list()
    again = mirrors()
    await again.bootstrap()
    assert files(again.root) == first
    assert {path: path.stat().st_mtime_ns for path in mirror.root.rglob("*.json")} == times
    assert await there.list() == before


async def test_all_of_the_mirror_is_for_its_owner_alone(mirrors, there) -> None:
    await there.put(CONFIG, YAML, if_version=None)
    await there.put("auths/team/x.json", data(), if_version=None)
    mirror = mirrors()
    await mirror.bootstrap()
    for path in (mirror.root, *mirror.root.rglob("*")):
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


async def test_what_another_program_left_open_is_closed(mirrors, there, tmp_path: Path) -> None:
    write(tmp_path / "here", NAME, data())
    for path in (tmp_path / "here", *(tmp_path / "here").rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    mirror = mirrors()
    await mirror.bootstrap()
    assert [p for p in (mirror.root, *mirror.root.rglob("*")) if p.stat().st_mode & 0o077] == []


async def test_what_a_hand_writes_changes_and_removes_goes_there(mirrors, there) -> None:
    mirror = mirrors()
    await mirror.bootstrap()
    mirror.start()
    write(mirror.root, NAME, data())
    write(mirror.root, CONFIG, YAML)
    await until(lambda: len(mirror._agreed) == 2)
    assert await fields(there, NAME) == LOGIN
    assert (await there.get(CONFIG)).data == YAML
    write(mirror.root, NAME, data(note="n"))
    while await fields(there, NAME) != {**LOGIN, "note": "n"}:
        await asyncio.sleep(0.02)
    (mirror.root / NAME).unlink()
    while await there.get(NAME) is not None:
        await asyncio.sleep(0.02)


async def test_what_changes_there_is_seen_here_the_configuration_too(mirrors, there) -> None:
    await there.put(NAME, data(), if_version=None)
    mirror = mirrors()
    await mirror.bootstrap()
    mirror.start()
    await put(there, NAME, data(access_token="at-2"))
    await put(there, CONFIG, b"port: 1\n")
    await until(
        lambda: files(mirror.root) == {NAME: {**LOGIN, "access_token": "at-2"}, CONFIG: "port: 1\n"}
    )
    await there.delete(NAME)
    await until(lambda: files(mirror.root) == {CONFIG: "port: 1\n"})


async def test_a_half_written_file_waits_until_it_is_whole(mirrors, there) -> None:
    mirror = mirrors()
    await mirror.bootstrap()
    mirror.start()
    write(mirror.root, NAME, b'{"type": "cla')
    write(mirror.root, OTHER, data())
    await until(lambda: OTHER in mirror._agreed)
    assert (await there.list()).keys() == {OTHER}
    write(mirror.root, NAME, data())
    await until(lambda: NAME in mirror._agreed)
    assert await fields(there, NAME) == LOGIN


async def test_changes_on_both_sides_are_brought_together(mirrors, there) -> None:
    await there.put(NAME, data(), if_version=None)
    await there.put(CONFIG, YAML, if_version=None)
    mirror = mirrors()
    await mirror.bootstrap()
    await mirror.close()
    write(mirror.root, NAME, data(access_token="at-2", note="here"))
    await put(there, NAME, data(priority=5))
    write(mirror.root, CONFIG, YAML.replace(b"- a\n", b"- a\n  - here\n"))
    await put(there, CONFIG, YAML.replace(b"- a\n", b"- a\n  - there\n") + b"debug: true\n")
    await mirrors().bootstrap()
    wanted = {**LOGIN, "access_token": "at-2", "note": "here", "priority": 5}
    assert files(mirror.root)[NAME] == wanted == await fields(there, NAME)
    text = files(mirror.root)[CONFIG]
    assert text == (await there.get(CONFIG)).data.decode()
    assert text.startswith("# mine\n")
    assert sorted(line.strip() for line in text.splitlines()) == sorted(
        ["# mine", "port: 8317", "api-keys:", "- a", "- there", "- here", "debug: true"]
    )


@pytest.mark.parametrize("where", ["here", "there"])
async def test_a_deleted_account_does_not_come_back(mirrors, there, where, caplog) -> None:
    await there.put(NAME, data(), if_version=None)
    await there.put(CONFIG, YAML, if_version=None)
    mirror = mirrors()
    await mirror.bootstrap()
    await mirror.close()
    if where == "here":
        (mirror.root / NAME).unlink()
        await put(there, NAME, data(access_token="at-2"))
    else:
        await there.delete(NAME)
        write(mirror.root, NAME, data(access_token="at-2"))
    for _ in range(2):
        await mirrors().bootstrap()
    assert not (mirror.root / NAME).exists()
    assert await there.get(NAME) is None


async def test_two_machines_lose_no_field(remote, mirrors, there) -> None:
    if not remote.compares:
        pytest.skip("this server does not make read-compare-write one step, and says so")
    await there.put(NAME, data(), if_version=None)
    one, other = mirrors("one"), mirrors("other")
    for mirror in (one, other):
        await mirror.bootstrap()
        mirror.start()

    async def add(mirror: Mirror, field: str) -> None:
        while True:
            found = await mirror.local.get(NAME)
            content = json.dumps({**json.loads(found.data), field: 1}).encode()
            with contextlib.suppress(Conflict):
                await mirror.local.put(NAME, content, if_version=found.version)
                mirror.touch("claude-me.json")
                return

    names = [f"{who}-{number}" for number in range(4) for who in ("one", "other")]
    for name in names:
        await add(one if name.startswith("one") else other, name)
    wanted = {**LOGIN, **dict.fromkeys(names, 1)}
    await until(lambda: files(one.root)[NAME] == files(other.root)[NAME] == wanted)
    assert await fields(there, NAME) == wanted


async def test_while_the_store_is_away_all_is_kept_here_and_sent_later(
    remote, mirrors, there, caplog, monkeypatch
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(module, "LONGEST_PAUSE", 0.1)
    await there.put(NAME, data(), if_version=None)
    await there.put(OTHER, data(type="codex"), if_version=None)
    async with Relay(remote.port) as relay:
        mirror = mirrors(port=relay.port)
        await mirror.bootstrap()
        mirror.start()
        await until(lambda: mirror._opened)
        await relay.cut()
        await until(lambda: mirror.standing.away)
        # A new token, as the keeper writes it, and a deletion.
        version = (await mirror.local.get(NAME)).version
        await mirror.local.put(NAME, data(refresh_token="rt-2"), if_version=version)
        mirror.touch("claude-me.json")
        (mirror.root / OTHER).unlink()
        mirror.touch("codex-me.json", removed=True)
        async with asyncio.timeout(10), mirror.lease("claude-me.json"):
            pass
        assert mirror.remark("claude-me.json").startswith("The newest of it is on this machine")
        assert set(mirror.standing.unsent) >= {NAME, OTHER}
        # Meanwhile another machine changes the same login.
        await put(there, NAME, data(note="there"))
        await relay.mend()
        await until(lambda: not mirror.standing.away)
        assert await fields(there, NAME) == {**LOGIN, "refresh_token": "rt-2", "note": "there"}
        assert await there.get(OTHER) is None
        # A look that began before may still note them once more.
        await until(lambda: not mirror.remark("claude-me.json") and not mirror.standing.unsent)
        await mirror.close()
    told = caplog.text + repr(mirror.standing)
    assert not [secret for secret in (*remote.secrets, "rt-1", "rt-2") if secret in told]
    assert len([r for r in caplog.records if "Serving goes on" in r.message]) == 1


async def test_what_was_changed_while_away_outlives_a_restart(remote, mirrors, there) -> None:
    await there.put(NAME, data(), if_version=None)
    async with Relay(remote.port) as relay:
        mirror = mirrors(port=relay.port)
        await mirror.bootstrap()
        await relay.cut()
        write(mirror.root, NAME, data(refresh_token="rt-2"))
        await mirror.close()
        await put(there, NAME, data(note="there"))
        await relay.mend()
        await mirrors(port=relay.port).bootstrap()
    assert await fields(there, NAME) == {**LOGIN, "refresh_token": "rt-2", "note": "there"}


async def test_a_store_that_is_away_at_the_start_is_an_error(remote, mirrors, caplog) -> None:
    async with Relay(remote.port) as relay:
        await relay.cut()
        with pytest.raises(StoreError) as caught:
            await mirrors(port=relay.port).bootstrap()
    assert caught.value.cure
    assert not [secret for secret in remote.secrets if secret in f"{caught.value}{caplog.text}"]


async def test_a_silent_store_holds_up_a_refresh_once_and_then_no_more(
    remote, mirrors, there, monkeypatch
) -> None:
    for each in (module, postgres):
        monkeypatch.setattr(each, "SHORT", 0.2)
    await there.put(NAME, data(), if_version=None)
    async with Relay(remote.port) as relay:
        mirror = mirrors(port=relay.port)
        await mirror.bootstrap()
        relay.silent = True
        async with asyncio.timeout(20), mirror.lease("claude-me.json"):
            pass
        assert mirror.standing.away
        # From now on the store is not even asked.
        monkeypatch.setattr(mirror.store, "lease", None)
        monkeypatch.setattr(mirror.store, "get", None)
        async with mirror.lease("claude-me.json"):
            pass
        relay.silent = False


async def test_a_refresh_begins_with_the_newest_and_ends_with_it_there(mirrors, there) -> None:
    await there.put(NAME, data(), if_version=None)
    mirror = mirrors()
    await mirror.bootstrap()
    await put(there, NAME, data(refresh_token="rt-2"))
    async with mirror.lease("claude-me.json"):
        assert files(mirror.root)[NAME]["refresh_token"] == "rt-2"
        version = (await mirror.local.get(NAME)).version
        await mirror.local.put(NAME, data(refresh_token="rt-3"), if_version=version)
        mirror.touch("claude-me.json")
    assert (await fields(there, NAME))["refresh_token"] == "rt-3"


async def test_a_store_that_lost_everything_is_filled_again(mirrors, there) -> None:
    await there.put(NAME, data(), if_version=None)
    await there.put(CONFIG, YAML, if_version=None)
    await mirrors().bootstrap()
    for name in await there.list():
        await there.delete(name)
    if CONFIG in await there.list():
        pytest.skip("this store cannot be emptied")
    again = mirrors()
    await again.bootstrap()
    assert files(again.root) == {NAME: LOGIN, CONFIG: YAML.decode()}
    assert (await there.list()).keys() == {NAME, CONFIG}


async def test_a_mirror_that_lost_all_accounts_is_filled_again(mirrors, there) -> None:
    await there.put(NAME, data(), if_version=None)
    await there.put(OTHER, data(), if_version=None)
    mirror = mirrors()
    await mirror.bootstrap()
    await mirror.close()
    for name in (NAME, OTHER):
        (mirror.root / name).unlink()
    await mirrors().bootstrap()
    assert files(mirror.root).keys() == {NAME, OTHER}


async def test_a_mirror_that_loses_all_accounts_while_it_runs_is_filled_again(
    mirrors, there
) -> None:
    await there.put(NAME, data(), if_version=None)
    await there.put(OTHER, data(), if_version=None)
    mirror = mirrors()
    await mirror.bootstrap()
    mirror.start()
    shutil.rmtree(mirror.auths)
    await until(lambda: files(mirror.root).keys() == {NAME, OTHER})
    assert (await there.list()).keys() == {NAME, OTHER}


async def test_a_name_that_cannot_be_kept_does_not_hinder_others(mirrors, there) -> None:
    mirror = mirrors()
    await mirror.bootstrap()
    mirror.start()
    write(mirror.root, "auths/a\\b.json", data())
    await asyncio.sleep(0)
    write(mirror.root, NAME, data())
    await until(lambda: NAME in mirror._agreed)
    assert (await there.list()).keys() == {NAME}


async def test_all_accounts_can_be_deleted_on_purpose(mirrors, there) -> None:
    await there.put(NAME, data(), if_version=None)
    await there.put(OTHER, data(), if_version=None)
    mirror = mirrors()
    await mirror.bootstrap()
    mirror.start()
    for name in (NAME, OTHER):
        await mirror.local.delete(name)
        mirror.touch(name.removeprefix("auths/"), removed=True)
    while await there.list():
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("keeps", [True, False])
async def test_on_the_first_meeting_the_store_is_right(mirrors, there, keeps) -> None:
    await there.put(NAME, data(), if_version=None)
    mirror = mirrors(keeps=keeps)
    write(mirror.root, NAME, data(access_token="old"))
    write(mirror.root, OTHER, data())
    await mirror.bootstrap()
    assert files(mirror.root)[NAME] == LOGIN
    assert (OTHER in await there.list()) is keeps
    if not keeps:
        assert not (mirror.root / OTHER).exists()
        assert json.loads((mirror.root / ".cliproxy/aside" / OTHER).read_text()) == LOGIN


async def test_a_name_that_leads_elsewhere_is_not_written(remote, mirrors, there, caplog) -> None:
    if isinstance(there, S3Store) and not remote.compares:
        pytest.skip("this server keeps files, which cannot have such names")
    caplog.set_level(logging.WARNING)
    await remote.plant(there, "auths/../../out.json", data())
    await there.put(NAME, data(), if_version=None)
    mirror = mirrors()
    if isinstance(there, S3Store):
        # Its library lists nothing at all then.
        with pytest.raises(Refused, match="whose name cannot be used"):
            await mirror.bootstrap()
        assert files(mirror.root.parent) == {}
        return
    await mirror.bootstrap()
    assert files(mirror.root.parent).keys() == {f"here/{NAME}"}
    assert "no file may be called" in caplog.text

"""Commands that may change what is kept in a store, or only look at it."""

from __future__ import annotations

import asyncio
import errno

import pytest

from cliproxy.app.doctor import _store
from cliproxy.app.runtime import Runtime
from cliproxy.app.source import Source, find_source, source_at_hand
from cliproxy.base.errors import ConfigError
from cliproxy.cli.accounts import _from_files
from cliproxy.keeper.keeper import Keeper
from cliproxy.keeper.mirrored import MirroredDirectory
from cliproxy.stores.base import CONFIG
from cliproxy.stores.choice import Chosen
from cliproxy.stores.mirror import Mirror
from tests.stores.places import Place
from tests.stores.test_losses import TOKEN_2, Elsewhere, World, fields


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


@pytest.fixture
def asked(monkeypatch) -> list[object]:
    """Where the keeper that was asked for a quota keeps its logins; it refreshes each login."""
    found: list[object] = []

    async def quota(self, credential):
        found.append(self.store)
        async with self.store.lease(credential.name):
            kept = await self.store.get(credential.name)
            await self.store.put(credential.name, dict(TOKEN_2), kept.version)

    monkeypatch.setattr(Keeper, "quota", quota)
    return found


def source(world: World, store: Elsewhere) -> Source:
    chosen = Chosen("X", world.here, lambda: store, True)
    return Source(world.here / "config/config.yaml", chosen)


async def test_a_token_that_a_command_renews_is_in_the_store_at_once(world, asked) -> None:
    await world.meet()
    found = source(world, Elsewhere(world.there))
    rows = await _from_files(found.load().config, quota=True, source=found)
    assert len(rows) == 2
    assert [type(one) for one in asked] == [MirroredDirectory] * 2
    for name in ("auths/a.json", "auths/b.json"):
        assert fields(world.there, name) == TOKEN_2


async def test_a_fault_at_the_end_keeps_nothing_from_being_let_go_of(world, monkeypatch) -> None:
    await world.meet()
    found = source(world, Elsewhere(world.there))
    mirror = found.mirror()
    await mirror.bootstrap()
    runtime = Runtime(found.load().config, mirror=mirror)

    async def fail(self) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(Keeper, "close", fail)
    closed = []
    monkeypatch.setattr(runtime.usage, "close", lambda: closed.append(1))
    with pytest.raises(RuntimeError, match="a fault"):
        await runtime.close()
    assert not mirror._opened
    assert closed == [1]


async def test_without_its_store_a_command_renews_nothing(world, asked, capsys) -> None:
    await world.meet()
    store = Elsewhere(world.there)
    store.away = True
    found = source(world, store)
    rows = await _from_files(found.load().config, quota=True, source=found)
    assert (len(rows), asked) == (2, [])
    assert "it is away" in capsys.readouterr().err


async def test_a_command_that_only_lists_does_not_ask_the_store(world, asked) -> None:
    await world.meet()
    store = Elsewhere(world.there)

    def refuse(what: str, name: str) -> None:
        raise AssertionError(what)

    store.fail = refuse
    found = source(world, store)
    assert len(await _from_files(found.load().config, quota=False, source=found)) == 2


def test_a_start_compares_a_store_once(world, monkeypatch) -> None:
    store, asked = Elsewhere(world.there), []
    chosen = Chosen("X", world.here, lambda: store, True)
    monkeypatch.setattr("cliproxy.app.source._chosen", lambda: chosen)
    found = find_source(None)
    assert found is not None
    store.fail = lambda what, name: asked.append((what, name))
    asyncio.run(alike(found))
    assert asked == [("list", "")]
    # The same after what a command has changed.
    asked.clear()
    (world.here / "auths/a.json").write_text("{}")
    assert found.send() == ""
    assert asked == [("list", ""), ("get", "auths/a.json"), ("put", "auths/a.json")]


async def alike(found: Source) -> None:
    mirror = found.mirror()
    await mirror.bootstrap()
    await mirror.close()


def test_a_mirror_that_cannot_be_used_is_said_in_a_sentence(world, monkeypatch) -> None:
    def refuse(path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("cliproxy.stores.memory.private_folder", refuse)
    with pytest.raises(ConfigError, match="The mirror .* cannot be used: .*Permission denied"):
        source(world, Elsewhere(world.there)).mirror()


@pytest.fixture(params=["postgres", "s3"])
def empty(request) -> Place:
    found: Place = request.getfixturevalue(request.param)
    return found


async def test_doctor_makes_nothing_for_a_name_that_is_mistyped(empty, tmp_path) -> None:
    for _ in range(2):  # the second one would find what the first one has made
        found = await _store(Mirror(tmp_path / "here", empty.store()))
        assert [finding.level for finding in found] == ["error"]


def test_a_command_that_looks_makes_nothing_either(empty, tmp_path, monkeypatch) -> None:
    for name, value in empty.env().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("WRITABLE_PATH", str(tmp_path))
    for _ in range(2):
        with pytest.raises(ConfigError, match="has no tables|does not exist"):
            source_at_hand(None)


def test_an_empty_store_gets_no_configuration_from_a_command_that_looks(
    git, tmp_path, monkeypatch
) -> None:
    for name, value in git.env().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("WRITABLE_PATH", str(tmp_path))
    assert source_at_hand(None) is None
    assert git.server.git("for-each-ref", name=git.name) == ""


@pytest.mark.parametrize("written", [b"", b"port: [\n"])
def test_a_broken_configuration_of_a_store_is_not_replaced_by_a_first_one(
    git, tmp_path, monkeypatch, written
) -> None:
    async def put() -> None:
        store = git.store()
        await store.open()
        await store.put(CONFIG, written, if_version=None)
        await store.close()

    asyncio.run(put())
    for name, value in git.env().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("WRITABLE_PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="is no mapping of YAML. Correct it there"):
        find_source(None)
    assert not (tmp_path / "gitstore" / CONFIG).exists()

"""Logins on two machines that share a store."""

from __future__ import annotations

import asyncio
import json

import pytest

from cliproxy import login
from cliproxy.account.credential import written
from cliproxy.keeper.directory import PRIVATE
from cliproxy.keeper.keeper import Keeper, Settings
from cliproxy.keeper.mirrored import MirroredDirectory
from cliproxy.stores import mirror as module
from cliproxy.stores.base import CONFIG
from cliproxy.transport.client import Transport
from tests.clock import FakeClock
from tests.stores.servers import Relay
from tests.stores.test_mirror import fields, mirrors, there, until  # noqa: F401  # fixtures
from tests.unit.keeper.fake import PLACE, TokenServer

NAME = "auths/codex-me.json"
LOGIN = {
    "type": "codex", "access_token": "a0", "refresh_token": "r0", "email": "me@example.com",
    "expired": written(1_800_000_000.0),
}  # fmt: skip


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setitem(login._TABLE, "codex", PLACE)
    with TokenServer() as running:
        yield running


@pytest.fixture
async def keep(server):
    made = []

    def keeper(mirror) -> Keeper:
        transport = Transport()
        one = Keeper(
            MirroredDirectory(mirror), transport, clock=FakeClock(),
            settings=Settings({"codex": {"token": server.url}}), journal=mirror.auths / PRIVATE,
        )  # fmt: skip
        made.append((one, transport))
        return one

    yield keeper
    for one, transport in made:
        await one.close()
        await transport.close()


async def test_of_two_machines_one_refreshes_and_both_have_the_token(
    postgres, opened, tmp_path, keep, server
) -> None:
    store = await opened(postgres.store())
    await store.put(NAME, json.dumps(LOGIN).encode(), if_version=None)
    keepers, running = [], []
    for name in ("one", "other"):
        mirror = module.Mirror(tmp_path / name, postgres.store())
        await mirror.bootstrap()
        mirror.start()
        running.append(mirror)
        keepers.append(keep(mirror))
    try:
        logins = [keeper.find("codex-me.json") for keeper in keepers]
        done = await asyncio.gather(
            *(k.renew(c, spent="a0") for k, c in zip(keepers, logins, strict=True))
        )
        assert done == [True, True]
        assert [credential.token for credential in logins] == ["a1", "a1"]
        assert (server.calls, server.reused) == (1, 0)
        assert (await fields(store, NAME))["refresh_token"] == "r1"
    finally:
        for mirror in running:
            await mirror.close()


async def test_a_token_that_came_while_the_store_was_away_is_kept_shown_and_sent(
    remote, opened, tmp_path, keep, server, monkeypatch
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(module, "LONGEST_PAUSE", 0.1)
    store = await opened(remote.store())
    await store.put(NAME, json.dumps(LOGIN).encode(), if_version=None)
    async with Relay(remote.port) as relay:
        mirror = module.Mirror(tmp_path / "here", remote.store(relay.port))
        await mirror.bootstrap()
        mirror.start()
        keeper = keep(mirror)
        credential = keeper.find("codex-me.json")
        await relay.cut()
        async with asyncio.timeout(30):
            assert await keeper.renew(credential, spent="a0")
        assert (credential.token, credential.state) == ("a1", "ok")
        kept = json.loads((mirror.auths / "codex-me.json").read_text())
        assert kept["refresh_token"] == "r1"
        await until(lambda: keeper.remark(credential))
        assert keeper.remark(credential).startswith("The newest of it is on this machine only:")
        await relay.mend()
        await until(lambda: not keeper.remark(credential) and not mirror.standing.away)
        assert (await fields(store, NAME))["refresh_token"] == "r1"
        await mirror.close()
    assert (server.calls, server.reused) == (1, 0)


async def test_what_is_deleted_elsewhere_is_not_brought_back_by_a_refresh(
    remote, opened, tmp_path, keep, server
) -> None:
    store = await opened(remote.store())
    await store.put(NAME, json.dumps(LOGIN).encode(), if_version=None)
    await store.put(CONFIG, b"port: 1\n", if_version=None)
    mirror = module.Mirror(tmp_path / "here", remote.store())
    await mirror.bootstrap()
    try:
        keeper = keep(mirror)
        credential = keeper.find("codex-me.json")
        await store.delete(NAME)
        await keeper.renew(credential, spent="a0")
        await mirror.bootstrap()
        assert await store.get(NAME) is None
        assert not (mirror.auths / "codex-me.json").exists()
    finally:
        await mirror.close()

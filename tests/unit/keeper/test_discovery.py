"""Models that a provider lists are asked for in the background, kept, and served."""

from __future__ import annotations

import json

import pytest
from tests.clock import FakeClock
from tests.unit.keeper.fake import FakeLogin, put

from cliproxy import login
from cliproxy.account.model import ModelFound
from cliproxy.config.schema import Config
from cliproxy.keeper.directory import PRIVATE, DirectoryStore
from cliproxy.keeper.discovery import AGAIN, FIRST
from cliproxy.keeper.keeper import Keeper
from cliproxy.login.flow import Problem
from cliproxy.routing.accounts import accounts_from_config
from cliproxy.routing.resolve import Registry
from cliproxy.transport.client import Transport

EVERY = 21600.0
NEW = ModelFound("gpt-99", "GPT 99", context_length=12345, created=7)


class Listing(FakeLogin):
    calls = 0
    fails = False

    def models(self, fields, setting):
        def talk():
            type(self).calls += 1
            if self.fails:
                raise Problem("network", "Not now.")
            return [NEW]
            yield

        return talk()


LOGIN = Listing()


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
async def keeper(tmp_path, clock, monkeypatch):
    monkeypatch.setitem(login._TABLE, "codex", f"{__name__}:LOGIN")
    monkeypatch.setattr(Listing, "calls", 0)
    monkeypatch.setattr(Listing, "fails", False)
    put(tmp_path, expired="", last_refresh="2027-01-15T08:00:00Z")
    transport = Transport()
    yield Keeper(DirectoryStore(tmp_path), transport, clock=clock, journal=tmp_path / PRIVATE)
    await transport.close()


async def test_nothing_is_asked_at_the_start(keeper, clock):
    assert keeper.discovery.due(EVERY) is None
    clock.time += FIRST
    assert keeper.discovery.due(EVERY) is not None
    assert keeper.discovery.due(0) is None


async def test_what_was_listed_is_kept_and_asked_again_seldom(keeper, clock, tmp_path):
    clock.time += FIRST
    mine = keeper.discovery.due(EVERY)
    assert await keeper.discovery.ask(mine, EVERY)
    assert keeper.discovery.due(EVERY) is None
    clock.time += EVERY
    assert not await keeper.discovery.ask(keeper.discovery.due(EVERY), EVERY), "nothing new"
    (file,) = (tmp_path / PRIVATE).glob("models-*.json")
    assert json.loads(file.read_text())[0]["id"] == "gpt-99"
    later = Keeper(keeper.store, keeper._transport, clock=clock, journal=tmp_path / PRIVATE)
    assert later.discovery.of(later.find(mine.name)) == (NEW,)
    file.write_text("{")
    broken = Keeper(keeper.store, keeper._transport, clock=clock, journal=tmp_path / PRIVATE)
    assert broken.discovery.of(broken.find(mine.name)) == ()


async def test_a_provider_that_does_not_answer_is_asked_again_later(keeper, clock, monkeypatch):
    monkeypatch.setattr(Listing, "fails", True)
    clock.time += FIRST
    assert not await keeper.discovery.ask(keeper.discovery.due(EVERY), EVERY)
    assert keeper.discovery.due(EVERY) is None
    clock.time += AGAIN
    assert keeper.discovery.due(EVERY) is not None


async def test_new_models_are_served_beside_the_known_ones(keeper, clock):
    def registry():
        config = Config()
        accounts = accounts_from_config(config, keeper.credentials(), keeper.discovery.of)
        return Registry(accounts, config)

    known = {m.id for m in registry().list_models()}
    clock.time += FIRST
    heard = []
    keeper.changed = heard.append
    await keeper._discover(keeper.discovery.due(EVERY), EVERY)
    assert heard == [{"codex-me.json"}]
    listed = {m.id: m for m in registry().list_models()}
    assert set(listed) == known | {"gpt-99"}
    assert (listed["gpt-99"].display_name, listed["gpt-99"].context_length) == ("GPT 99", 12345)

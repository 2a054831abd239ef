"""What a login lacks is found before its first call, once; secrets of clients are found once."""

from __future__ import annotations

import asyncio

import pytest
from tests.clock import FakeClock
from tests.unit.keeper.fake import FakeLogin, put

from cliproxy import login
from cliproxy.account.credential import written
from cliproxy.account.model import Account
from cliproxy.keeper.directory import DirectoryStore
from cliproxy.keeper.keeper import AFTER_FAILURE, Keeper, Settings
from cliproxy.login.flow import Client, Problem, Setting, Wait
from cliproxy.transport.client import Transport


class Lacking(FakeLogin):
    calls = 0
    fails = False
    seen: list = []

    def complete(self, fields, setting):
        if fields.get("project_id"):
            return None

        def talk():
            type(self).calls += 1
            self.seen.append(setting.client)
            yield Wait(1)
            if self.fails:
                raise Problem("refused", "There is no project.")
            return {"project_id": "found"}

        return talk()


LOGIN = Lacking()


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
async def keeper(tmp_path, clock, monkeypatch):
    monkeypatch.setitem(login._TABLE, "gemini-cli", f"{__name__}:LOGIN")
    monkeypatch.setattr(Lacking, "calls", 0)
    monkeypatch.setattr(Lacking, "fails", False)
    monkeypatch.setattr(Lacking, "seen", [])
    put(tmp_path, "gemini-me.json", type="gemini", expired="", token={"access_token": "t"})
    transport = Transport()
    found = []
    yield Keeper(
        DirectoryStore(tmp_path),
        transport,
        clock=clock,
        settings=Settings(find_secret=lambda provider: found.append(provider) or "from-the-cli"),
    )
    await transport.close()


def account(keeper):
    mine = keeper.find("gemini-me.json")
    return Account(mine.name, "gemini-cli", "me", credential=mine)


async def test_a_project_is_found_once_and_used_at_once(keeper):
    mine = account(keeper)
    await asyncio.gather(*(keeper.ready(mine) for _ in range(20)))
    assert (Lacking.calls, mine.place) == (1, "found")
    assert (await keeper.store.get("gemini-me.json")).fields["project_id"] == "found"


async def test_a_project_that_is_not_found_is_not_looked_for_by_every_request(
    keeper, clock, monkeypatch
):
    monkeypatch.setattr(Lacking, "fails", True)
    mine = account(keeper)
    for _ in range(5):
        await keeper.ready(mine)
    assert (Lacking.calls, mine.place) == (1, "")
    assert mine.credential.problem == "There is no project."
    clock.time += AFTER_FAILURE + 1
    await keeper.ready(mine)
    assert Lacking.calls == 2


async def test_the_secret_of_a_client_is_looked_for_once(keeper):
    asked = []
    keeper.settings = Settings(find_secret=lambda provider: asked.append(provider) or "s")
    for _ in range(3):
        await keeper.know("gemini-cli")
        await keeper.know("claude")
    assert asked == ["gemini-cli"]
    assert keeper.setting("gemini-cli").client == Client("", "s")
    keeper.settings = Settings(clients={"gemini-cli": Client("mine", "told")})
    assert keeper.setting("gemini-cli").client == Client("mine", "told")


def stored(folder, **fields):
    told = {"type": "gemini", "project_id": "p", "token": {"access_token": "t"}, "expired": ""}
    return put(folder, "gemini-me.json", refresh_token="", access_token="", **(told | fields))


@pytest.fixture
def asked(monkeypatch):
    """How often it was asked what a login lacks."""
    calls = []
    plain = Lacking.complete

    def complete(self, fields, setting):
        calls.append(fields)
        return plain(self, fields, setting)

    monkeypatch.setattr(Lacking, "complete", complete)
    return calls


async def test_what_a_login_lacks_is_asked_again_only_when_it_changes(keeper, asked, tmp_path):
    stored(tmp_path)
    keeper.reload()
    mine = account(keeper)
    for _ in range(50):
        await keeper.ready(mine)
    assert len(asked) == 1
    await keeper.edit("gemini-me.json", {"note": "n"})
    for _ in range(50):
        await keeper.ready(mine)
    assert len(asked) == 2
    stored(tmp_path, project_id="", note="written by somebody else")
    keeper.reload()
    for _ in range(50):
        await keeper.ready(mine)
    assert (Lacking.calls, mine.place) == (1, "found")
    assert len(asked) == 5, "two for what was missing, one when it was there"


async def test_what_was_complete_is_found_to_have_ended(keeper, clock, tmp_path):
    stored(tmp_path, expired=written(clock.now() + 100))
    keeper.reload()
    mine = account(keeper)
    renewed = []

    async def renew(credential, *, spent):
        renewed.append(spent)
        return True

    keeper._renewal.renew = renew
    mine.credential.fields = {**mine.credential.fields, "refresh_token": "r0"}
    await keeper.ready(mine)
    clock.time += 69
    await keeper.ready(mine)
    assert renewed == []
    clock.time += 2
    await keeper.ready(mine)
    await keeper.ready(mine)
    assert renewed == ["t", "t"]


async def test_a_login_of_the_same_name_is_looked_at_anew(keeper, asked, tmp_path):
    stored(tmp_path)
    keeper.reload()
    await keeper.ready(account(keeper))
    await keeper.delete("gemini-me.json")
    stored(tmp_path)
    keeper.reload()
    await keeper.ready(account(keeper))
    assert len(asked) == 2


@pytest.mark.parametrize("provider", login.providers())
def test_what_is_missing_depends_on_the_fields_alone(provider):
    settings = (
        Setting(0.0),
        Setting(9e9, {"api": "https://a.test"}, Client("i", "s"), 9, {"x": "y"}),
    )
    for fields in ({}, {"project_id": "p"}, {"access_token": "a"}, {"api_key": "k"}, {"token": {}}):
        found = [login.get(provider).complete(dict(fields), one) is None for one in settings]
        assert len(set(found)) == 1, fields

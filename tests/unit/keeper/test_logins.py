"""Logins that wait for a person: by browser, by paste, by code; isolated, and good for one callback."""

from __future__ import annotations

import asyncio
import json
import socket

import aiohttp
import pytest
from tests.clock import FakeClock
from tests.unit.keeper.fake import PLACE

from cliproxy import login
from cliproxy.keeper.directory import DirectoryStore
from cliproxy.keeper.keeper import Keeper
from cliproxy.keeper.logins import REMEMBERED, CallbackRefused, Logins
from cliproxy.keeper.pasted import Pasted, read_callback
from cliproxy.login.flow import LoggedIn, Problem
from cliproxy.transport.client import Transport

STATE = "a" * 32


@pytest.fixture(autouse=True)
def fake_provider(monkeypatch):
    monkeypatch.setitem(login._TABLE, "codex", PLACE)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
async def logins(tmp_path, clock):
    transport = Transport()
    keeper = Keeper(DirectoryStore(tmp_path), transport, clock=clock)
    found = Logins(lambda: keeper, transport, clock)
    found.folder = tmp_path
    yield found
    await found.close()
    await transport.close()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f"http://localhost:1455/auth/callback?code=c1&state={STATE}", Pasted("c1", STATE)),
        (f"  'localhost:1455/callback?state={STATE}&code=c1' ", Pasted("c1", STATE)),
        (f"?code=c1&state={STATE}", Pasted("c1", STATE)),
        (f"code=c1&state={STATE}", Pasted("c1", STATE)),
        (f"http://localhost/cb#code=c1&state={STATE}", Pasted("c1", STATE)),
        (f"c1#{STATE}", Pasted("c1", STATE)),
        (f"http://localhost/cb?code=c1%23{STATE}&state=x", Pasted("c1", STATE)),
        (f"code=a%2Bb&state={STATE}", Pasted("a+b", STATE)),
        (
            f"http://localhost/cb?error=access_denied&error_description=no&state={STATE}",
            Pasted("", STATE, "no"),
        ),
        ("word", None),
        ("", None),
        ("http://localhost:1455/auth/callback", None),
        ("http://[bad", None),
        ("#", None),
    ],
)
def test_what_people_paste_is_understood(text, wanted):
    assert read_callback(text) == wanted


async def test_a_login_ends_by_its_callback_and_is_kept(logins):
    pending = await logins.start("codex")
    assert pending.status == "wait"
    assert f"state={pending.state}" in pending.url
    logins.callback(Pasted("tok", pending.state), provider="openai")
    await logins.wait(pending)
    assert (pending.status, pending.name) == ("ok", "codex-me.json")
    assert json.loads((logins.folder / "codex-me.json").read_text())["access_token"] == "tok"
    assert logins.status(pending.state) is pending


async def test_a_browser_on_this_machine_ends_it(logins):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pending = await logins.start("codex", port=port, attend=True)
    assert pending.listening
    base = f"http://127.0.0.1:{port}/auth/callback"
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{base}?code=bad&state={'f' * 32}") as answer:
            assert "not the login" in await answer.text()
        assert pending.status == "wait"
        async with session.get(f"{base}?code=tok&state={pending.state}") as answer:
            assert answer.status == 200
            assert "close this window" in await answer.text()
    await logins.wait(pending)
    assert pending.status == "ok"
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


async def test_a_port_that_is_taken_leaves_the_paste(logins):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        pending = await logins.start("codex", port=taken.getsockname()[1], attend=True)
    assert not pending.listening
    logins.callback(Pasted("tok", pending.state))
    assert (await logins.wait(pending)).status == "ok"


async def test_logins_at_once_do_not_meet(logins):
    first, second = await asyncio.gather(logins.start("codex"), logins.start("codex"))
    assert first.state != second.state
    logins.callback(Pasted("", second.state, "access_denied"))
    await logins.wait(second)
    assert (second.status, first.status) == ("error", "wait")
    assert "access_denied" in second.error
    assert logins.waiting() == [first]


@pytest.mark.parametrize(
    ("heard", "provider", "why"),
    [
        (Pasted("c", "0" * 32), None, "unknown"),
        (Pasted("c", ""), None, "invalid"),
        (Pasted("c", STATE), "claude", "provider"),
    ],
)
async def test_callbacks_that_are_not_taken(logins, heard, provider, why):
    pending = await logins.start("codex")
    if heard.state == STATE:
        heard = Pasted(heard.code, pending.state)
    with pytest.raises(CallbackRefused) as caught:
        logins.callback(heard, provider=provider)
    assert (caught.value.why, pending.status) == (why, "wait")


async def test_a_state_is_good_for_one_callback(logins):
    pending = await logins.start("codex")
    logins.callback(Pasted("tok", pending.state))
    with pytest.raises(CallbackRefused) as caught:
        logins.callback(Pasted("other", pending.state))
    assert caught.value.why == "used"
    await logins.wait(pending)
    with pytest.raises(CallbackRefused):
        logins.callback(Pasted("other", pending.state))


async def test_a_code_is_shown_and_polled_for(logins, clock):
    pending = await logins.start("codex", "device")
    assert pending.user_code == "ABCD-1234"
    await logins.wait(pending)
    assert (pending.status, pending.name, clock.slept) == ("ok", "codex-device.json", [5])


async def test_a_login_can_be_cancelled(logins):
    pending = await logins.start("codex")
    assert await logins.cancel(pending.state)
    assert pending.status == "error"
    assert logins.status(pending.state) is None
    assert not await logins.cancel(pending.state)


async def test_ends_are_remembered_for_a_while_only(logins, clock):
    pending = await logins.start("codex", "device")
    await logins.wait(pending)
    clock.time += REMEMBERED - 1
    assert logins.status(pending.state) is not None
    clock.time += 2
    assert logins.status(pending.state) is None


async def test_a_new_login_of_the_same_account_keeps_what_its_owner_set(logins):
    (logins.folder / "codex-me.json").write_text(
        '{"type": "codex", "access_token": "old", "priority": 7, "note": "work"}'
    )
    logins._keeper().reload()
    pending = await logins.start("codex")
    logins.callback(Pasted("new", pending.state))
    await logins.wait(pending)
    kept = json.loads((logins.folder / "codex-me.json").read_text())
    assert (kept["access_token"], kept["priority"], kept["note"]) == ("new", 7, "work")


async def test_a_login_that_waits_while_the_folder_changes_is_kept_in_the_new_one(
    logins, tmp_path, clock
):
    pending = await logins.start("codex")
    later = Keeper(DirectoryStore(tmp_path / "new"), logins._transport, clock=clock)
    logins._keeper = lambda: later
    logins.callback(Pasted("new", pending.state))
    assert (await logins.wait(pending)).status == "ok"
    assert later.find("codex-me.json").token == "new"
    assert [path.name for path in tmp_path.rglob("*.json")] == ["codex-me.json"]
    assert (tmp_path / "new" / "codex-me.json").exists()


async def test_too_many_at_once_are_refused(logins):
    for _ in range(64):
        await logins.start("codex")
    with pytest.raises(Problem, match="Too many"):
        await logins.start("codex")


async def test_what_the_providers_terms_say_is_told_with_the_login(logins, monkeypatch):
    monkeypatch.setitem(login._TABLE, "claude", PLACE)
    assert "does not permit" in (await logins.start("claude")).notice
    assert (await logins.start("codex")).notice == ""


@pytest.mark.parametrize(
    ("new", "files"),
    [
        ({"organization_uuid": "o2"}, 2),
        ({"organization_uuid": "o1"}, 1),
        ({}, 1),
        ({"account_id": "a2"}, 2),
    ],
)
async def test_one_person_in_two_organisations_is_two_accounts(logins, new, files):
    keeper = logins._keeper()
    old = {"type": "claude", "access_token": "a", "organization_uuid": "o1", "account_id": "a1"}
    await keeper.add(LoggedIn("claude-me@x.json", old | {"note": "mine"}))
    for _ in range(2):
        made = await keeper.add(LoggedIn("claude-me@x.json", {"type": "claude"} | new))
    assert len(keeper.credentials()) == files
    assert keeper.find("claude-me@x.json").fields["note"] == "mine"
    assert (made.name == "claude-me@x.json") is (files == 1)

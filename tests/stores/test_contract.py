"""What every place for accounts does, whichever it is."""

from __future__ import annotations

import asyncio
import json

import pytest

from cliproxy.stores.base import CONFIG, Conflict, StoreError, is_name

NAME = "auths/claude-me@example.com.json"
DEEP = "auths/team/codex-é.json"
LOGIN = {"type": "claude", "access_token": "at-1", "n": 12345678901234567890, "x": [1.5, None]}


def data(**fields: object) -> bytes:
    return json.dumps({**LOGIN, **fields}).encode()


def read(blob) -> dict[str, object]:
    return json.loads(blob.data)


@pytest.fixture
async def store(place, opened):
    return await opened(place.store())


async def test_a_new_place_is_empty(store) -> None:
    assert await store.list() == {}
    assert await store.get(NAME) is None
    assert await store.get(CONFIG) is None


async def test_what_was_put_is_got_under_its_name(store) -> None:
    version = await store.put(NAME, data(), if_version=None)
    await store.put(DEEP, data(other=1), if_version=None)
    assert read(await store.get(NAME)) == LOGIN
    assert read(await store.get(DEEP)) == {**LOGIN, "other": 1}
    listed = await store.list()
    assert listed.keys() == {NAME, DEEP}
    assert listed[NAME] == version == (await store.get(NAME)).version


async def test_the_configuration_keeps_every_letter(store) -> None:
    text = "# ä comment\nport: 8317\n\napi-keys: [ 'a' ]  # end\n".encode()
    version = await store.put(CONFIG, text, if_version=None)
    assert (await store.get(CONFIG)).data == text
    assert await store.list() == {CONFIG: version}


async def test_an_empty_configuration_is_one(store) -> None:
    await store.put(CONFIG, b"", if_version=None)
    assert (await store.get(CONFIG)).data == b""


async def test_a_version_changes_with_the_content(store) -> None:
    first = await store.put(NAME, data(), if_version=None)
    second = await store.put(NAME, data(access_token="at-2"), if_version=first)
    assert second != first
    assert read(await store.get(NAME))["access_token"] == "at-2"


async def test_a_write_from_an_old_version_is_refused_and_changes_nothing(store) -> None:
    first = await store.put(NAME, data(), if_version=None)
    await store.put(NAME, data(access_token="at-2"), if_version=first)
    with pytest.raises(Conflict):
        await store.put(NAME, data(access_token="at-3"), if_version=first)
    assert read(await store.get(NAME))["access_token"] == "at-2"


async def test_a_new_file_does_not_take_the_place_of_one(store) -> None:
    await store.put(NAME, data(), if_version=None)
    with pytest.raises(Conflict):
        await store.put(NAME, data(access_token="at-2"), if_version=None)
    assert read(await store.get(NAME))["access_token"] == "at-1"


async def test_a_write_to_what_was_deleted_is_refused(store) -> None:
    first = await store.put(NAME, data(), if_version=None)
    assert await store.delete(NAME)
    with pytest.raises(Conflict):
        await store.put(NAME, data(access_token="at-2"), if_version=first)
    assert await store.list() == {}


async def test_what_was_deleted_is_gone_and_can_be_made_anew(store) -> None:
    await store.put(NAME, data(), if_version=None)
    assert await store.delete(NAME)
    assert not await store.delete(NAME)
    assert await store.get(NAME) is None
    await store.put(NAME, data(), if_version=None)
    assert (await store.list()).keys() == {NAME}


async def test_two_stores_at_one_place_see_the_same(place, opened) -> None:
    one, other = await opened(place.store()), await opened(place.store())
    version = await one.put(NAME, data(), if_version=None)
    assert await other.list() == {NAME: version}
    later = await other.put(NAME, data(access_token="at-2"), if_version=version)
    assert await one.list() == {NAME: later}
    with pytest.raises(Conflict):
        await one.put(NAME, data(access_token="at-3"), if_version=version)


async def test_of_writers_at_once_each_adds_its_field(place, opened) -> None:
    if not place.compares:
        pytest.skip("this server does not make read-compare-write one step, and says so")
    stores = [await opened(place.store()) for _ in range(3)]
    await stores[0].put(NAME, data(), if_version=None)

    async def add(number: int) -> None:
        store = stores[number % len(stores)]
        while True:
            found = await store.get(NAME)
            fields = {**read(found), f"field-{number}": number}
            try:
                await store.put(NAME, json.dumps(fields).encode(), if_version=found.version)
            except Conflict:
                continue
            return

    await asyncio.gather(*(add(number) for number in range(6)))
    assert read(await stores[0].get(NAME)) == {**LOGIN, **{f"field-{n}": n for n in range(6)}}


async def test_a_change_by_another_ends_the_wait(place, opened) -> None:
    one, other = await opened(place.store()), await opened(place.store())
    seen = await one.list()
    await other.put(NAME, data(), if_version=None)
    async with asyncio.timeout(30):
        while await one.list() == seen:
            await one.watch()
    assert (await one.list()).keys() == {NAME}


async def test_leases_of_different_logins_do_not_wait_for_each_other(place, opened) -> None:
    one, other = await opened(place.store()), await opened(place.store())
    async with asyncio.timeout(20), one.lease("a.json"), other.lease("b.json"):
        pass


async def test_a_closed_store_can_be_opened_again(place, opened) -> None:
    store = await opened(place.store())
    await store.put(NAME, data(), if_version=None)
    await store.close()
    await store.open()
    assert (await store.list()).keys() == {NAME}


@pytest.mark.parametrize(
    "name",
    ["auths/../x.json", "/etc/x.json", "auths//x.json", "auths/.x.json", "auths/a/.git/x.json",
     "auths/x.txt", "auths/", "config/other.yaml", "auths/a\\..\\x.json", "auths/a\n.json",
     "auths/C:/x.json", "../auths/x.json", "auths/./x.json"],
)  # fmt: skip
def test_a_name_that_leads_elsewhere_is_none(name) -> None:
    assert not is_name(name)


async def test_a_store_without_its_server_is_away_and_tells_no_secret(remote) -> None:
    from tests.stores.servers import free_port

    store = remote.store(free_port())
    with pytest.raises(StoreError) as caught:
        await store.open()
    told = f"{caught.value} {caught.value.cure} {caught.value!r} {caught.value.__cause__!r} {store.title}"
    assert caught.value.cure
    assert not [secret for secret in remote.secrets if secret in told]

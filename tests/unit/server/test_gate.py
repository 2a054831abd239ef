"""The gate of the management API, rule by rule."""

from __future__ import annotations

import asyncio

import pytest
from tests.clock import FakeClock

from cliproxy.server.gate import Gate, ManagementKeys, Refused, hashed, is_hashed

pytestmark = pytest.mark.anyio
HASH = hashed("secret")
PLAIN = ManagementKeys(file="secret")


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def gate(clock):
    return Gate(clock)


async def ask(gate, keys, given=None, *, header="authorization", peer="127.0.0.1"):
    headers = {header: given} if given is not None else {}
    try:
        await gate.check(keys, headers, peer=peer, loopback=peer == "127.0.0.1")
    except Refused as err:
        return err.status, err.error
    return 200, ""


@pytest.mark.parametrize("kept", ["secret", HASH], ids=["plain", "hashed"])
@pytest.mark.parametrize(
    ("header", "given", "status"),
    [
        ("authorization", "Bearer secret", 200),
        ("authorization", "bearer secret", 200),
        ("authorization", "secret", 200),
        ("x-management-key", "secret", 200),
        ("authorization", "Basic secret", 401),
        ("authorization", "Bearer other", 401),
        ("authorization", "Bearer ", 401),
        ("x-management-key", "sécret", 401),
        ("x-management-key", "x" * 100, 401),
    ],
)
async def test_a_key_opens_in_every_place(gate, kept, header, given, status):
    assert (await ask(gate, ManagementKeys(file=kept), given, header=header))[0] == status


def sent(key, encoding):
    """Return a key as the server reads it that a client wrote in an encoding."""
    return key.encode(encoding).decode("latin-1")


@pytest.mark.parametrize("kept", [str, hashed], ids=["plain", "hashed"])
@pytest.mark.parametrize(
    ("key", "encoding"), [("пароль", "utf-8"), ("sésame", "utf-8"), ("sésame", "latin-1")]
)
async def test_a_key_may_be_of_any_letters(gate, kept, key, encoding):
    given = sent(key, encoding)
    keys = ManagementKeys(file=kept(key))
    assert (await ask(gate, keys, f"Bearer {given}"))[0] == 200
    assert (await ask(gate, keys, given, header="x-management-key"))[0] == 200
    assert (await ask(gate, ManagementKeys(environment=key), given))[0] == 200
    assert (await ask(gate, keys, f"Bearer {given}?"))[0] == 401


async def test_a_known_key_is_not_hashed_again(gate, monkeypatch):
    keys = ManagementKeys(file=HASH)
    assert (await ask(gate, keys, "secret"))[0] == 200
    monkeypatch.setattr("bcrypt.checkpw", lambda *_: pytest.fail("hashed again"))
    assert (await ask(gate, keys, "secret"))[0] == 200


@pytest.mark.parametrize(
    ("keys", "status"),
    [
        (ManagementKeys(file="secret"), 403),
        (ManagementKeys(file="secret", allow_remote=True), 200),
        # A key from the environment is meant for containers, which are always remote.
        (ManagementKeys(environment="secret"), 200),
        (ManagementKeys(local="secret", allow_remote=True), 401),
    ],
)
async def test_from_elsewhere_only_what_is_allowed_opens(gate, keys, status):
    assert (await ask(gate, keys, "secret", peer="203.0.113.9"))[0] == status


async def test_a_local_password_alone_opens_on_this_machine(gate):
    assert (await ask(gate, ManagementKeys(local="secret"), "secret"))[0] == 200


@pytest.mark.parametrize("given", [None, "wrong"])
async def test_five_failures_ban_for_half_an_hour(gate, clock, given):
    for _ in range(5):
        assert (await ask(gate, PLAIN, given))[0] == 401
    status, error = await ask(gate, PLAIN, "secret")
    assert status == 403
    assert error == "IP banned due to too many failed attempts. Try again in 30m0s"
    assert (await ask(gate, ManagementKeys(file="secret", allow_remote=True), "secret", peer="b"))[
        0
    ] == 200
    clock.time += 1800
    assert (await ask(gate, PLAIN, "secret"))[0] == 200


async def test_a_right_key_in_between_forgives(gate):
    for _ in range(3):
        for _ in range(4):
            await ask(gate, PLAIN, "wrong")
        assert (await ask(gate, PLAIN, "secret"))[0] == 200


def test_there_is_an_api_only_with_a_key():
    assert not ManagementKeys().exist
    assert all(k.exist for k in (PLAIN, ManagementKeys(environment="x"), ManagementKeys(local="x")))
    assert is_hashed(HASH)
    assert not is_hashed("secret")


async def test_many_keys_at_once_are_no_more_tries_than_one_after_the_other(gate, monkeypatch):
    tried = []
    monkeypatch.setattr("bcrypt.checkpw", lambda given, _: tried.append(given) or False)
    keys = ManagementKeys(file=HASH)
    found = await asyncio.gather(*(ask(gate, keys, f"guess-{n}") for n in range(30)))
    assert len(tried) == 5
    assert [status for status, _ in found].count(401) == 5
    assert [status for status, _ in found].count(403) == 25


async def test_a_right_key_asked_with_many_times_at_once_is_hashed_once(gate, monkeypatch):
    tried = []
    monkeypatch.setattr("bcrypt.checkpw", lambda given, _: tried.append(given) or True)
    keys = ManagementKeys(file=HASH)
    found = await asyncio.gather(*(ask(gate, keys, "secret") for _ in range(20)))
    assert {status for status, _ in found} == {200}
    assert len(tried) == 1

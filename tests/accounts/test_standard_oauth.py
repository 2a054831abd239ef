"""The standard flows, against a standard server that somebody else wrote."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cliproxy.account.credential import claims
from cliproxy.keeper.directory import PRIVATE, DirectoryStore
from cliproxy.keeper.keeper import Keeper, Settings
from cliproxy.keeper.logins import Logins
from cliproxy.keeper.pasted import read_callback
from cliproxy.login.xai import CLIENT
from cliproxy.transport.client import Transport
from tests.accounts.person import log_in
from tests.clock import FakeClock

NODE = Path(__file__).parents[1] / "node"
CLIENTS = [
    {
        "client_id": CLIENT,
        "token_endpoint_auth_method": "none",
        "application_type": "native",
        "redirect_uris": ["http://127.0.0.1:56121/callback"],
        "response_types": ["code"],
        "grant_types": [
            "authorization_code",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:device_code",
        ],
    }
]
pytestmark = pytest.mark.needs_node


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    if shutil.which("node") is None:
        pytest.skip("there is no node here")
    assert (NODE / "node_modules/oidc-provider").is_dir(), "run scripts/node_clients"
    with subprocess.Popen(
        ["node", str(NODE / "oauth_server.mjs"), json.dumps(CLIENTS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        assert server.stdin is not None
        server.stdin.close()
        server.wait(10)


class Patient(FakeClock):
    """Waits between two polls until the person is done."""

    def __init__(self) -> None:
        super().__init__()
        self.done = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        await self.done.wait()
        await super().sleep(seconds)


@pytest.fixture
async def place(tmp_path, issuer):
    transport, clock = Transport(), Patient()
    discovery = f"{issuer}/.well-known/openid-configuration"
    keeper = Keeper(
        DirectoryStore(tmp_path),
        transport,
        clock=clock,
        settings=Settings({"xai": {"discovery": discovery}}),
        journal=tmp_path / PRIVATE,
    )
    logins = Logins(lambda: keeper, transport, clock)
    yield keeper, logins
    await logins.close()
    await transport.close()


async def by_browser(logins):
    pending = await logins.start("xai", "browser")
    back = await asyncio.to_thread(log_in, pending.url, until="http://127.0.0.1:56121/callback")
    logins.callback(read_callback(back))
    return await logins.wait(pending)


async def by_code(logins):
    pending = await logins.start("xai", "device")
    await asyncio.to_thread(
        log_in, pending.complete or pending.url, until="", code=pending.user_code
    )
    logins._clock.done.set()
    return await logins.wait(pending)


@pytest.mark.parametrize("way", [by_browser, by_code])
async def test_a_login_and_its_refreshes(place, way):
    keeper, logins = place
    pending = await way(logins)
    assert (pending.status, pending.error) == ("ok", "")
    mine = keeper.find(pending.name)
    assert mine.text("email") == "me@example.com"
    assert claims(mine.text("id_token"))["aud"] == CLIENT
    tokens = {mine.token}
    for _ in range(3):
        refresh = mine.refresh_token
        assert await keeper.renew(mine, spent=mine.token)
        assert mine.refresh_token != refresh, "the server rotates"
        tokens.add(mine.token)
    assert len(tokens) == 4


async def test_a_refresh_token_that_was_used_by_somebody_else_ends_the_login(place):
    keeper, logins = place
    pending = await by_browser(logins)
    mine = keeper.find(pending.name)
    stolen = dict(mine.fields)
    assert await keeper.renew(mine, spent=mine.token)
    thief = await keeper.save("xai-thief.json", stolen)
    assert not await keeper.renew(thief, spent=thief.token)
    assert thief.state in ("needs_login", "revoked")
    assert not await keeper.renew(mine, spent=mine.token), "the server ended the whole family"
    assert mine.state in ("needs_login", "revoked")


async def test_a_login_that_the_person_refuses(place):
    _, logins = place
    pending = await logins.start("xai", "browser")
    logins.callback(read_callback(f"?error=access_denied&state={pending.state}"))
    await logins.wait(pending)
    assert pending.status == "error"
    assert "access_denied" in pending.error

"""What a request names by address is fetched from the public internet and from nowhere else."""

from __future__ import annotations

import socket

import pytest
from tests.files import Files

from cliproxy.transport.guard import FetchError, Guard, is_public

pytestmark = pytest.mark.anyio
PRIVATE = [
    "127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.5.5", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1",
    "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::",
    "2001:db8::1", "2001::1", "not-an-address",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.fixture
def files():
    with Files() as running:
        yield running


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is(address):
    assert is_public(address)


async def test_an_allowed_host_is_fetched_from(files):
    url = files.put("/a.png", b"bytes", "image/png")
    found = await Guard(["127.0.0.1"]).fetch(url)
    assert (found.data, found.content_type) == (b"bytes", "image/png")
    assert files.agents == [f"cliproxy/{__import__('cliproxy').__version__}"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1"])
async def test_a_private_host_is_not_reached_by_any_spelling(files, host):
    url = files.put("/a.png", b"bytes", "image/png").replace("127.0.0.1", host)
    with pytest.raises(FetchError, match="private|resolve"):
        await Guard().fetch(url)
    assert not files.agents


async def test_a_redirect_is_judged_like_the_first_address(files):
    files.put("/secret", b"secret", "text/plain")
    url = files.redirect("/go", files.url.replace("127.0.0.1", "localhost") + "/secret")
    with pytest.raises(FetchError, match="private"):
        await Guard(["127.0.0.1"]).fetch(url)
    assert len(files.agents) == 1


async def test_a_redirect_is_followed_a_few_times(files):
    files.put("/end", b"here", "text/plain")
    assert (await Guard(["127.0.0.1"]).fetch(files.redirect("/one", "/end"))).data == b"here"
    with pytest.raises(FetchError, match="too often"):
        await Guard(["127.0.0.1"]).fetch(files.redirect("/loop", "/loop"))


async def test_a_name_that_changes_its_mind_leads_nowhere(files, monkeypatch):
    """The second look-up, the one that connects, is judged too."""
    url = files.put("/a", b"secret", "text/plain").replace("127.0.0.1", "rebind.example")
    port = int(url.split(":")[2].split("/")[0])
    answers = ["93.184.216.34", "127.0.0.1"]

    async def lookup(host, at, **_):
        address = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, at or port))]

    import asyncio  # noqa: PLC0415

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", lookup, raising=False)
    with pytest.raises(FetchError):
        await Guard().fetch(url)
    assert not files.agents


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://example.com/a", "gopher://x", "http://", "http://u:p@1.1.1.1/"],
)
async def test_other_kinds_of_address_are_refused(url):
    with pytest.raises(FetchError):
        await Guard().fetch(url)


async def test_too_much_is_given_up(files):
    url = files.put("/big", b"x" * 3000, "image/png")
    with pytest.raises(FetchError, match="larger"):
        await Guard(["127.0.0.1"], max_bytes=2000).fetch(url)


async def test_too_long_is_given_up(files):
    with pytest.raises(FetchError, match="within"):
        await Guard(["127.0.0.1"], patience=0.05).fetch(files.url + "/silent")


async def test_a_status_is_told(files):
    with pytest.raises(FetchError, match="404"):
        await Guard(["127.0.0.1"]).fetch(files.url + "/nothing")

"""Fetching what a request names by address, from public addresses only.

A client must not be able to make the proxy reach into the network it stands in. So the address of
every hop is looked up, judged, and the connection made to exactly what was judged: a name that
resolves differently the second time leads nowhere.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import IO, Any, Final
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp_socks import ProxyConnector
from msgspec import Struct

from cliproxy import __version__
from cliproxy.base import redact
from cliproxy.base.errors import GatewayError
from cliproxy.base.redact import Hidden
from cliproxy.transport import proxy as proxies

_AGENT: Final = f"cliproxy/{__version__}"
_HOPS: Final = 4
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PLAIN: Final = frozenset({"user-agent", "accept", "accept-encoding", "accept-language"})
"""Headers that say nothing of who asks."""
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_CLOUDS: Final = (
    ipaddress.ip_network("192.0.0.0/24"),
    ipaddress.ip_network("168.63.129.16/32"),
)
"""Where clouds tell their machines secrets, at addresses that look public."""


_Take = Callable[[bytes], Awaitable[None]]


class FetchError(Exception):
    """Why something could not be fetched, in words for the client."""


class Fetched(Hidden, Struct, frozen=True):
    """What an address gave."""

    data: bytes
    content_type: str


class Called(Hidden, Struct, frozen=True):
    """What was answered to a call."""

    status: int
    headers: dict[str, list[str]]
    data: bytes


def is_public(address: str) -> bool:
    """Tell whether an IP address belongs to the public internet."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inside = ip.ipv4_mapped or ip.sixtofour
        if inside is None and ip in _NAT64:
            inside = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inside is not None:
            return is_public(str(inside))
        if ip.teredo is not None or ip.is_site_local:
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not _serves_clouds(ip)


def _serves_clouds(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return any(ip in net for net in _CLOUDS)


class Guard:
    """Fetches by address.

    `allowed` hosts may be private; nothing may be larger than `max_bytes` or take longer than
    `patience` seconds (0 = for ever).
    """

    def __init__(
        self,
        allowed: Collection[str] = (),
        *,
        max_bytes: int = 20 * 1024 * 1024,
        patience: float = 20.0,
        setting: str = "media.max-size-mb",
    ) -> None:
        self._allowed = frozenset(host.lower() for host in allowed)
        self._max_bytes = max_bytes
        self._patience = patience
        self._setting = setting

    async def fetch(self, url: str, *, proxy: str | None = None) -> Fetched:
        """Return what an http(s) address gives. Raises `FetchError`."""
        parts: list[bytes] = []

        async def take(chunk: bytes) -> None:
            parts.append(chunk)

        kind = await self._fetched(url, proxy, take)
        return Fetched(b"".join(parts), kind)

    async def fetch_into(self, file: IO[bytes], url: str, *, proxy: str | None = None) -> str:
        """Write what an http(s) address gives; return its type. Raises `FetchError`."""

        async def take(chunk: bytes) -> None:
            # A disk may be slow.
            await asyncio.to_thread(file.write, chunk)

        return await self._fetched(url, proxy, take)

    async def _fetched(self, url: str, proxy: str | None, take: _Take) -> str:
        async with self._patient():
            for _ in range(_HOPS):
                kind, to = await self._hop(url, proxy, take)
                if to is None:
                    return kind
                url = urljoin(url, to)
        raise FetchError("it redirects too often")

    async def call(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        proxy: str | None = None,
        follow: Callable[[str], bool] = lambda _: True,
    ) -> Called:
        """Send a request and return the answer, of any status. Raises `FetchError`.

        A redirect is followed where `follow` allows it, and by GET where browsers do; to another
        host nothing goes that could prove who we are.
        """
        sent = {"user-agent": _AGENT, **headers}
        async with self._patient():
            for _ in range(_HOPS):
                found = await self._ask(method, url, sent, body, proxy)
                to = (found.headers.get("Location") or [""])[0]
                if found.status not in _REDIRECTS or not to:
                    return found
                to = urljoin(url, to)
                if not follow(to):
                    return found
                if _host(to) != _host(url):
                    sent = {k: v for k, v in sent.items() if k.lower() in _PLAIN}
                if found.status == 303 or (found.status in (301, 302) and method == "POST"):
                    method, body = "GET", b""
                url = to
        raise FetchError("it redirects too often")

    @asynccontextmanager
    async def _patient(self) -> AsyncIterator[None]:
        """End what takes too long, and say in words for the client why something failed."""
        try:
            async with asyncio.timeout(self._patience or None):
                yield
        except TimeoutError:
            raise FetchError(f"it did not arrive within {self._patience:g} s") from None
        except (aiohttp.ClientError, GatewayError, OSError, ValueError) as err:
            raise FetchError(f"the connection failed ({type(err).__name__})") from err

    async def _ask(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, proxy: str | None
    ) -> Called:
        async with self._answer(method, url, headers, body, proxy) as response:
            found: dict[str, list[str]] = {}
            for name, value in response.headers.items():
                found.setdefault(name.title(), []).append(value)
            parts = [chunk async for chunk in self._body(response)]
            return Called(response.status, found, b"".join(parts))

    async def _hop(self, url: str, proxy: str | None, take: _Take) -> tuple[str, str | None]:
        """Take what is at an address; return its type, and where it has gone."""
        async with self._answer("GET", url, {"user-agent": _AGENT}, b"", proxy) as response:
            location = response.headers.get("location")
            if response.status in _REDIRECTS and location:
                return "", location
            if response.status != 200:
                raise FetchError(f"its server answered {response.status}")
            async with aclosing(self._body(response)) as chunks:
                async for chunk in chunks:
                    await take(chunk)
            return response.headers.get("content-type", ""), None

    async def _body(self, response: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
        size = 0
        async for chunk in response.content.iter_any():
            size += len(chunk)
            if size > self._max_bytes:
                limit = f"{self._max_bytes / 1048576:g} MiB"
                where = f" ({self._setting})" if self._setting else ""
                raise FetchError(f"it is larger than {limit}{where}")
            yield chunk

    @asynccontextmanager
    async def _answer(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, proxy: str | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send one request to addresses that were judged; redirects are not followed."""
        host = _host(url)
        resolver = _Resolver(self._allowed)
        # A literal address is connected to without asking a resolver.
        await resolver.judged(host)
        via = proxies.resolve(proxy, url)
        async with (
            aiohttp.ClientSession(
                connector=_connector(via, resolver),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            ) as session,
            session.request(
                method,
                url,
                headers=headers,
                data=body or None,
                allow_redirects=False,
                proxy=via.url if via is not None and not via.socks else None,
            ) as response,
        ):
            yield response


def _host(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise FetchError("only http and https addresses are fetched")
    if parts.username or parts.password:
        raise FetchError("addresses with a user name are not fetched")
    return parts.hostname


def _connector(via: proxies.Proxy | None, resolver: _Resolver) -> aiohttp.TCPConnector:
    if via is None:
        return aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False)
    # A proxy looks the name up again; what it may reach is its owner's to decide, and its own name
    # may be a private one.
    if not via.socks:
        return aiohttp.TCPConnector()
    return ProxyConnector.from_url(via.url, rdns=via.remote_dns)


class _Resolver(AbstractResolver):
    """Resolves names and gives back public addresses only."""

    def __init__(self, allowed: frozenset[str]) -> None:
        self._allowed = allowed

    async def judged(self, host: str, port: int = 0, family: int = 0) -> list[Any]:
        """Return the addresses of a host. Raises `FetchError` when one is not public."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                host, port, type=socket.SOCK_STREAM, family=family
            )
        except OSError:
            raise FetchError(f"{redact.url(host)} does not resolve") from None
        if host.lower() not in self._allowed:
            for *_, address in found:
                if not is_public(str(address[0])):
                    raise FetchError("it leads into a private network (media.allow-hosts)")
        return found

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=proto,
                flags=socket.AI_NUMERICHOST,
            )
            for kind, _, proto, _, address in await self.judged(host, port, family)
        ]

    async def close(self) -> None:
        """Nothing is held."""

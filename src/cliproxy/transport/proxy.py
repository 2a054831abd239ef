"""Proxy URLs: reading them, and what the environment says about a host."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from msgspec import Struct

from cliproxy.base import redact
from cliproxy.base.errors import UpstreamUnreachable
from cliproxy.base.redact import Hidden

DIRECT: Final = frozenset({"direct", "none"})
_SCHEMES: Final = frozenset({"http", "https", "socks4", "socks4a", "socks5", "socks5h"})


class Proxy(Hidden, Struct, frozen=True):
    """Where to connect instead of to the host. `socks` proxies need their own connector."""

    url: str
    socks: bool = False
    remote_dns: bool = False
    """The proxy resolves host names (socks5h, socks4a)."""


def parse(value: str) -> Proxy | None:
    """Read a `proxy-url`; None for `direct`/`none`. Raises `ValueError` with a secret-free text."""
    value = value.strip()
    if value.lower() in DIRECT:
        return None
    parts = urlsplit(value)
    if parts.scheme.lower() not in _SCHEMES or not parts.hostname:
        raise ValueError(
            f"proxy-url {redact.url(value)} is not http://, https://, socks5:// or socks5h:// "
            "with a host, nor 'direct'"
        )
    socks = parts.scheme.lower().startswith("socks")
    if not socks:
        return Proxy(value)
    scheme = parts.scheme.lower()
    # The SOCKS library knows no -h/-a spelling: remote resolution is a flag there.
    plain = scheme.rstrip("ha") if scheme in ("socks5h", "socks4a") else scheme
    return Proxy(plain + value[len(parts.scheme) :], socks=True, remote_dns=plain != scheme)


def resolve(wanted: str | None, url: str) -> Proxy | None:
    """Decide the proxy for one request. `UpstreamUnreachable`: `wanted` is unreadable."""
    if wanted:
        try:
            return parse(wanted)
        except ValueError as err:
            raise UpstreamUnreachable(str(err), code="bad_proxy_url") from err
    return from_environment(url)


def from_environment(url: str) -> Proxy | None:
    """Read HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY as other programs do.

    Loopback hosts never go through a proxy that was meant for the outside.
    """
    proxies = getproxies()
    if not proxies:
        return None
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(host) or proxy_bypass(host):
        return None
    found = proxies.get(parts.scheme) or proxies.get("all")
    if not found:
        return None
    try:
        return parse(found if "://" in found else f"http://{found}")
    except ValueError:
        return None


@lru_cache(maxsize=1024)
def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine by name or address."""
    if host in ("localhost", "::1") or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

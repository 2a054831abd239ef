"""What an HTTP exchange with an upstream looks like, without any library's types."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from cliproxy.base.redact import Hidden

HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that belong to one connection (RFC 9110 7.6.1) and are never forwarded."""


def is_sealed(address: str) -> bool:
    """Tell whether nobody on the way can read what is sent: HTTPS, or no way at all."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if not host or port == 0:
        return False
    if parts.scheme != "http":
        return parts.scheme == "https"
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class HttpRequest(Hidden, Struct, frozen=True):
    """One request to an upstream.

    `proxy`: a proxy URL, `direct` (no proxy, not even the environment's), or None (the
    environment decides). Header names are in the spelling to be sent.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""
    proxy: str | None = None


class Timeouts(Struct, frozen=True):
    """How long to wait, in seconds; 0 = for ever."""

    connect: float = 10.0
    """To have a connection, TLS included."""
    first: float = 300.0
    """For the first byte of the answer's body after sending. A whole answer is sent only when the
    model has finished, so this is long."""
    idle: float = 300.0
    """Between two reads of a running answer."""
    total: float = 0.0
    """For everything."""

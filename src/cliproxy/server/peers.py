"""Who is really asking, behind proxies that the owner trusts.

The address is the socket's. Only when that is a trusted proxy's does `X-Forwarded-For` count, read
from its end: each trusted proxy vouches for the address before its own, and the first that nobody
vouches for is the client.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from typing import Final

from cliproxy.base.errors import ConfigError
from cliproxy.server.asgi import Scope

_HEADER: Final = b"x-forwarded-for"


class Peers:
    """The trusted proxies. Raises `ConfigError` for what is neither an address nor a network."""

    def __init__(self, trusted: Iterable[str] = ()) -> None:
        try:
            self._trusted = [ip_network(word.strip(), strict=False) for word in trusted]
        except ValueError as err:
            raise ConfigError(f"trusted-proxies: {err}.") from err

    def __bool__(self) -> bool:
        return bool(self._trusted)

    def seen(self, scope: Scope) -> Scope:
        """Return the scope with the client's own address in place of a trusted proxy's."""
        client = scope.get("client")
        if client is None or not self._trusts(str(client[0])):
            return scope
        told = ",".join(
            value.decode("latin-1") for name, value in scope["headers"] if name == _HEADER
        )
        address = ""
        for word in reversed([part.strip() for part in told.split(",") if part.strip()]):
            found = _plain(word)
            if found is None:
                # Whoever wrote this is not to be believed any further.
                break
            address = found
            if not self._trusts(found):
                break
        return {**scope, "client": (address, 0)} if address else scope

    def _trusts(self, address: str) -> bool:
        try:
            found = ip_address(address)
        except ValueError:
            return False
        mapped = getattr(found, "ipv4_mapped", None)
        return any((mapped or found) in network for network in self._trusted)


def _plain(word: str) -> str | None:
    """Return an address without brackets and port; None when it is none."""
    text = word.strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ip_address(text))
    except ValueError:
        return None

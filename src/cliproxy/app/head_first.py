"""An answer's head and the beginning of its body leave as one write.

A server writes them one after the other, each a call of the system and a packet of its own; for a
short answer that is a tenth of all that the proxy does for it, and the client wakes up twice.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

_HEAD: Final = b"HTTP/1.1 "
_JOINED: Final = 64 * 1024
"""Bytes up to which joining costs less than writing two pieces."""


class HeadFirst:
    """A transport that holds an answer's head until the next write, or the end of the turn."""

    __slots__ = ("_held", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: bytes | None = None

    def write(self, data: bytes) -> None:
        """Write, or hold what looks like a head."""
        held = self._held
        if held is not None:
            self._held = None
            if len(data) > _JOINED:
                self._transport.writelines((held, data))
            else:
                self._transport.write(held + data)
        elif data[:9] == _HEAD:
            self._held = data
            self._loop.call_soon(self._let_go)
        else:
            self._transport.write(data)

    def close(self) -> None:
        """Write what is held, and close."""
        self._let_go()
        self._transport.close()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Write what is held, and give the connection to another protocol."""
        self._let_go()
        self._transport.set_protocol(protocol)

    def is_closing(self) -> bool:
        """Tell whether it is closed or about to be."""
        return self._transport.is_closing()

    def _let_go(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self._transport.write(held)

    def __getattr__(self, name: str) -> Any:
        # Everything else is the real one's.
        return getattr(self._transport, name)

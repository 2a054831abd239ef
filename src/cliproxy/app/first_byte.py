"""Which protocol a connection speaks, told by its first byte: HTTP, or that of Redis.

The look happens once. Then the connection belongs to uvicorn's own protocol, and no request is
slower for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar, cast

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol
from uvicorn.protocols.utils import get_remote_addr

from cliproxy.app.head_first import HeadFirst
from cliproxy.manage.control import Control
from cliproxy.manage.redis_port import FIRST, RedisConnection

PATIENCE = 10.0
"""Seconds that a new connection may be silent."""


class FirstByte(asyncio.Protocol):
    """A connection that has said nothing yet."""

    control: ClassVar[Callable[[], Control]]
    http: ClassVar[Any]

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: Any,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.transport: asyncio.Transport = None  # type: ignore[assignment]
        self._config = config
        self._state = server_state
        self._app_state = app_state
        self._loop = _loop or asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first byte."""
        self.transport = cast("asyncio.Transport", transport)
        self._state.connections.add(self)
        self._timer = self._loop.call_later(PATIENCE, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # nothing was said
        """Forget it."""
        self._leave()

    def data_received(self, data: bytes) -> None:
        """Hand the connection over to whoever speaks its protocol."""
        self._leave()
        transport: Any = self.transport
        if data[0] in FIRST:
            protocol = self._redis()
        else:
            protocol, transport = self._http(), HeadFirst(transport, self._loop)
        if protocol is None:
            self.transport.abort()
            return
        protocol.connection_made(transport)
        self.transport.set_protocol(protocol)
        protocol.data_received(data)

    def shutdown(self) -> None:
        """End, because the server does."""
        self.transport.abort()

    def _leave(self) -> None:
        self._state.connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _http(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.http(
            config=self._config,
            server_state=self._state,
            app_state=self._app_state,
            _loop=self._loop,
        )
        return made

    def _redis(self) -> asyncio.Protocol | None:
        control = type(self).control()
        if not control.keys.exist:
            return None
        address = get_remote_addr(self.transport)
        return RedisConnection(control, address[0] if address else "", self._state.connections)


def by_first_byte(control: Callable[[], Control], http: Any = AutoHTTPProtocol) -> type[FirstByte]:
    """Return the protocol of new connections, for uvicorn's `http`."""
    return type("FirstByte", (FirstByte,), {"control": staticmethod(control), "http": http})

"""Usage for programs that read it from a Redis: one connection, from its first byte to its end.

They take records out of the queue (`LPOP`, `RPOP`) or hear of them as they come (`SUBSCRIBE`). The
password is the management key. A connection ends when its key is no longer one, when its client
leaves a request half sent, or when it does not read what it subscribed to.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from functools import partial
from typing import Any, Final, cast

from cliproxy.base import json
from cliproxy.base.tasks import spawn
from cliproxy.manage import resp
from cliproxy.manage.control import Control
from cliproxy.server.gate import ManagementKeys, Refused
from cliproxy.transport.proxy import is_loopback
from cliproxy.usage.channel import Channel, Listener

_log: Final = logging.getLogger(__name__)
FIRST: Final = frozenset(b"*$+-:")
"""First bytes of a connection that no HTTP request begins with."""
PATIENCE = 10.0
"""Seconds in which a client must show its key, and finish a request that it began."""
BACKLOG = 1024 * 1024
"""Bytes that wait for a subscriber before it is let go."""
LINGER = 1.0
"""Seconds in which the last words may be sent."""
_USAGE: Final = b"usage"
_ERRORS: Final = b"errors"
_GREETING: Final = b'{"support_refresh":true}'
_ONLY: Final = "only SUBSCRIBE / UNSUBSCRIBE / PING / QUIT are allowed in this context"
_ALIVE: Final = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))


class RedisConnection(asyncio.Protocol):
    """One client. `connections` are those that the server ends when it stops."""

    def __init__(self, control: Control, peer: str, connections: set[Any]) -> None:
        self.transport: asyncio.Transport = None  # type: ignore[assignment]
        self._control = control
        self._peer = peer
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._reader = resp.Reader()
        self._keys: ManagementKeys | None = None
        """Those of which the client has shown one."""
        self._subscribed: dict[bytes, tuple[Channel, Listener]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._checking = False
        self._full = False
        self._ended = False

    # ---- the transport --------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the key."""
        self.transport = cast("asyncio.Transport", transport)
        self._connections.add(self)
        self._control.inside.add(self.revise)
        self._timer = self._loop.call_later(PATIENCE, self._out_of_patience)
        _keep_alive(transport.get_extra_info("socket"))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # however it ended
        """Forget the client."""
        self._ended = True
        self._connections.discard(self)
        self._control.inside.discard(self.revise)
        self._unsubscribe_all()
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Do what is asked."""
        if self._ended:
            return
        if self._keys is None and len(self._reader) + len(data) > resp.REQUEST:
            # Nobody needs as much to show a key.
            self._protocol_error("the request is too large")
            return
        self._reader.feed(data)
        self._work()

    def pause_writing(self) -> None:
        """Take no further request until the replies are read."""
        self._full = True
        self._pace()

    def resume_writing(self) -> None:
        """Go on."""
        self._full = False
        self._pace()
        self._work()

    def shutdown(self) -> None:
        """End, because the server does: at once, unless a reply is on its way."""
        self._end()
        if not self.transport.get_write_buffer_size():
            self.transport.abort()

    def revise(self) -> None:
        """End when the key that was shown is none any more."""
        if not self._control.keys.exist or self._is_stale():
            self._end()

    def _is_stale(self) -> bool:
        return self._keys is not None and self._keys != self._control.keys

    def _pace(self) -> None:
        if self.transport.is_closing():
            return
        if self._full or self._checking:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def _write(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)

    def _end(self) -> None:
        """Send what waits, but do not wait for a client that does not read it."""
        if self._ended:
            return
        self._ended = True
        self._unsubscribe_all()
        self.transport.close()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(LINGER, self.transport.abort)

    def _protocol_error(self, text: str) -> None:
        self._write(resp.error(f"ERR Protocol error: {text}"))
        self._end()

    def _out_of_patience(self) -> None:
        self._timer = None
        self._end()

    def _watch(self) -> None:
        """Have no patience with half a request, and all of it between two."""
        if self._keys is None or self._ended:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        # What waits because its client does not read the replies is not half a request.
        if len(self._reader) and not self._full:
            self._timer = self._loop.call_later(PATIENCE, self._out_of_patience)

    # ---- requests -------------------------------------------------------------------------------
    def _work(self) -> None:
        done = False
        try:
            while not (self._ended or self._checking or self._full):
                words = self._reader.take()
                if words is None:
                    break
                done = True
                self._obey(words)
        except resp.Malformed as err:
            self._protocol_error(str(err))
            return
        if done or self._timer is None:
            self._watch()

    def _obey(self, words: list[bytes]) -> None:
        if not self._control.keys.exist or self._is_stale():
            self._end()
            return
        name = words[0].upper()
        match name:
            case b"AUTH":
                self._authenticate(words)
            case b"QUIT":
                self._write(resp.OK)
                self._end()
            case b"HELLO":
                # Clients take it for an older server, and go on in the version that is spoken here.
                self._unknown(words)
            case _ if self._keys is None:
                self._write(resp.error("NOAUTH Authentication required."))
            case b"SUBSCRIBE":
                self._subscribe(words)
            case b"UNSUBSCRIBE":
                self._unsubscribe(words)
            case b"PING" if self._subscribed:
                self._ping(words)
            case _ if self._subscribed:
                told = resp.shown(words[0]).lower()
                self._write(resp.error(f"ERR Can't execute '{told}': {_ONLY}"))
            case b"LPOP" | b"RPOP":
                self._pop(words)
            case b"SELECT":
                self._select(words)
            case _:
                self._unknown(words)

    def _unknown(self, words: list[bytes]) -> None:
        self._write(resp.error(f"ERR unknown command '{resp.shown(words[0])}'"))

    def _wrong_number(self, words: list[bytes]) -> None:
        name = resp.shown(words[0]).lower()
        self._write(resp.error(f"ERR wrong number of arguments for '{name}' command"))

    def _unsupported(self, word: bytes) -> None:
        self._write(resp.error(f"ERR unsupported channel '{resp.shown(word)}'"))

    def _authenticate(self, words: list[bytes]) -> None:
        if len(words) not in (2, 3):
            self._wrong_number(words)
            return
        self._checking = True
        self._pace()
        # Not given up when the client goes: a wrong key counts all the same.
        spawn(self._check(words[-1].decode("utf-8", "surrogateescape")), name="redis-auth")

    async def _check(self, key: str) -> None:
        control, keys = self._control, self._control.keys
        try:
            await control.gate.check(
                keys, {"x-management-key": key}, peer=self._peer, loopback=is_loopback(self._peer)
            )
        except Refused as err:
            _log.warning("a Redis client at %s was refused: %s", self._peer or "-", err.error)
            self._write(resp.error(f"ERR {err.error}"))
            if err.status == 403:
                self._end()
        else:
            self._keys = keys
            self._write(resp.OK)
            self._watch()
        finally:
            self._checking = False
            if not self._ended:
                self._pace()
                self._work()

    def _select(self, words: list[bytes]) -> None:
        if len(words) != 2:
            self._wrong_number(words)
        elif words[1] != b"0":
            self._write(resp.error("ERR DB index is out of range"))
        else:
            self._write(resp.OK)

    def _pop(self, words: list[bytes]) -> None:
        if len(words) not in (2, 3):
            self._wrong_number(words)
            return
        if words[1].lower() != _USAGE:
            self._unsupported(words[1])
            return
        count = 1
        if len(words) == 3:
            text = words[2]
            # isdigit() of bytes is about ASCII alone.
            if not text.isdigit() or len(text) > 9 or int(text) < 1:
                self._write(resp.error("ERR value is not an integer or out of range"))
                return
            count = int(text)
        taken = [json.dumps(record) for record in self._control.usage.queue.take(count)]
        if len(words) == 3:
            self._write(resp.array(taken))
        else:
            self._write(resp.bulk(taken[0] if taken else None))

    def _ping(self, words: list[bytes]) -> None:
        if len(words) > 2:
            self._wrong_number(words)
            return
        self._write(resp.pong(words[1] if len(words) == 2 else b""))

    # ---- subscriptions --------------------------------------------------------------------------
    def _channel(self, name: bytes) -> Channel:
        if name == _ERRORS:
            return self._control.gateway.failures
        usage: Channel = self._control.usage.queue.live
        return usage

    def _subscribe(self, words: list[bytes]) -> None:
        if len(words) < 2:
            self._wrong_number(words)
            return
        names = [word.lower() for word in words[1:]]
        for name, word in zip(names, words[1:], strict=True):
            if name not in (_USAGE, _ERRORS):
                self._unsupported(word)
                return
        for name in names:
            new = name not in self._subscribed
            if new:
                channel, listener = self._channel(name), partial(self._hear, name)
                self._subscribed[name] = channel, listener
                channel.add(listener)
            self._write(resp.changed(b"subscribe", name, len(self._subscribed)))
            if new and name == _USAGE:
                self._write(resp.message(name, _GREETING))

    def _unsubscribe(self, words: list[bytes]) -> None:
        names = [word.lower() for word in words[1:]] or list(self._subscribed)
        for name in names:
            found = self._subscribed.pop(name, None)
            if found is not None:
                found[0].discard(found[1])
            self._write(resp.changed(b"unsubscribe", name, len(self._subscribed)))
        if not names:
            self._write(resp.changed(b"unsubscribe", None, 0))

    def _unsubscribe_all(self) -> None:
        for channel, listener in self._subscribed.values():
            channel.discard(listener)
        self._subscribed.clear()

    def _hear(self, name: bytes, payload: bytes) -> bool:
        if self._ended or self.transport.is_closing():
            return False
        if self.transport.get_write_buffer_size() > BACKLOG:
            _log.warning("a Redis client at %s does not read; it is let go", self._peer or "-")
            self._end()
            self.transport.abort()
            return False
        self.transport.write(resp.message(name, payload))
        return True


def _keep_alive(found: Any) -> None:
    """Notice a client that vanished: until then it would get what others could have taken."""
    if found is None:
        return
    with contextlib.suppress(OSError, AttributeError):
        found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _ALIVE:
            if hasattr(socket, name):
                found.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

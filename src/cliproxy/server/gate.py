"""Who may use the management API.

Off without a key (then its routes do not exist). From this machine only, unless `allow-remote` is
set or the key came by the environment. Five wrong keys in a row ban an address for half an hour,
this machine's included. The address is the socket's, or what a trusted proxy says that it is.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

import bcrypt
from msgspec import Struct, field

from cliproxy.base.clock import Clock
from cliproxy.base.redact import Hidden
from cliproxy.server.asgi import text_of

FAILURES: Final = 5
BAN: Final = 1800.0
"""Seconds that an address is banned."""
_FORGET: Final = 7200.0
"""Seconds after which wrong keys of long ago no longer count."""
_REMEMBERED: Final = 4096
_HASHES: Final = ("$2a$", "$2b$", "$2y$")
_LONGEST: Final = 72
"""Bytes that bcrypt can take."""


class Refused(Exception):
    """Why a management request is not served, with its HTTP status."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


class ManagementKeys(Hidden, Struct, frozen=True):
    """What opens the gate: keys of the file (hashed or plain), the environment, this start."""

    file: str = ""
    environment: str = ""
    local: str = ""
    allow_remote: bool = False

    @property
    def exist(self) -> bool:
        """Whether there is any key; without one there is no management API."""
        return bool(self.file or self.environment or self.local)


class _Seen(Struct):
    failures: int = 0
    last: float = 0.0
    banned: float = 0.0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Keys from one address are tried one after the other: hashing takes time enough to try many
    at once before the first has failed."""


class Gate:
    """Checks management keys and counts failures; outlives configurations."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._salt = secrets.token_bytes(32)
        self._known: tuple[str, bytes] | None = None
        """The file's hash and the digest of the key that opened it: hashing takes 60 ms."""

    async def check(
        self, keys: ManagementKeys, headers: Mapping[str, str], *, peer: str, loopback: bool
    ) -> None:
        """Let the request pass, or raise `Refused`."""
        seen = self._of(peer)
        async with seen.turn:
            now = self._clock.monotonic()
            if seen.banned > now:
                left = _spoken(seen.banned - now)
                raise Refused(
                    403, f"IP banned due to too many failed attempts. Try again in {left}"
                )
            if not loopback and not (keys.allow_remote or keys.environment):
                raise Refused(403, "remote management disabled")
            given = _given(headers)
            if not given:
                self._failed(seen, now)
                raise Refused(401, "missing management key")
            if not await self._opens(keys, given, loopback=loopback):
                self._failed(seen, now)
                raise Refused(401, "invalid management key")
            seen.failures = 0

    async def _opens(self, keys: ManagementKeys, given: str, *, loopback: bool) -> bool:
        if loopback and keys.local and _same(given, keys.local):
            return True
        if keys.environment and _same(given, keys.environment):
            return True
        if not keys.file:
            return False
        if not keys.file.startswith(_HASHES):
            return _same(given, keys.file)
        digest = hashlib.blake2b(given.encode("utf-8", "surrogatepass"), key=self._salt).digest()
        known, opened = self._known or ("", b"")
        if known == keys.file and hmac.compare_digest(opened, digest):
            return True
        if len(given.encode("utf-8", "surrogatepass")) > _LONGEST:
            return False
        if not await asyncio.to_thread(_verify, given, keys.file):
            return False
        self._known = keys.file, digest
        return True

    def _of(self, peer: str) -> _Seen:
        now = self._clock.monotonic()
        seen = self._seen.pop(peer, None)
        if seen is None or (now - seen.last > _FORGET and seen.banned <= now):
            seen = _Seen()
        seen.last = now
        self._seen[peer] = seen
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return seen

    def _failed(self, seen: _Seen, now: float) -> None:
        seen.failures += 1
        if seen.failures >= FAILURES:
            seen.failures, seen.banned = 0, now + BAN


def hashed(key: str) -> str:
    """Return the form in which a key is kept in a file. Raises `ValueError` beyond 72 bytes."""
    return bcrypt.hashpw(key.encode(), bcrypt.gensalt(10)).decode()


def is_hashed(value: str) -> bool:
    """Tell whether a value is already the form that is kept."""
    return value.startswith(_HASHES)


def _verify(given: str, kept: str) -> bool:
    try:
        return bcrypt.checkpw(given.encode("utf-8", "surrogatepass"), kept.encode())
    except ValueError:
        return False


def _given(headers: Mapping[str, str]) -> str:
    authorization = headers.get("authorization", "")
    if not authorization:
        return text_of(headers.get("x-management-key", ""))
    scheme, space, token = authorization.partition(" ")
    return text_of(token if space and scheme.lower() == "bearer" else authorization)


def _same(given: str, kept: str) -> bool:
    # Digests, so that neither length nor odd characters matter.
    left = hashlib.sha256(given.encode("utf-8", "surrogatepass")).digest()
    right = hashlib.sha256(kept.encode("utf-8", "surrogatepass")).digest()
    return hmac.compare_digest(left, right)


def _spoken(seconds: float) -> str:
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"

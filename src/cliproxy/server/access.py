"""Client keys: where they may be, and whether one of them is right.

A key is looked for in every place a client may put it; the first place whose value is right wins,
so a stale key in one header does not spoil a good one in another. Values are compared as keyed
digests in constant time, all of them, without early exit.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from cliproxy.base.clock import Clock
from cliproxy.base.errors import Forbidden, RateLimited, Unauthenticated
from cliproxy.server.asgi import text_of
from cliproxy.transport.proxy import is_loopback
from cliproxy.usage.record import Marks

SAMPLE_KEYS: Final = frozenset({"your-api-key-1", "your-api-key-2", "your-api-key-3"})
"""Keys printed in a widely copied example configuration: everybody knows them."""

FAILURES: Final = 20
WINDOW: Final = 60.0
"""More wrong keys than this from one address within so many seconds, and it has to wait."""
_REMEMBERED: Final = 4096


class Client(Struct, frozen=True):
    """Who is asking: a label for logs, never the key itself."""

    label: str
    source: str
    mark: str
    """What stands for the key for ever, also when keys are added or change places."""


ANYBODY: Final = Client("anonymous", "none", "anonymous")
LOCAL: Final = Client("this-machine", "none", "this-machine")
_NOT_LOCAL: Final = ("origin", "forwarded", "x-forwarded-for", "x-real-ip", "cf-connecting-ip")


class _WrongKey(Unauthenticated):
    """A key was sent, and it is none of ours: what is counted."""


class Access:
    """Checks client keys. Built anew for each configuration; `failures` outlives it."""

    def __init__(
        self,
        keys: Iterable[str],
        failures: Failures,
        marks: Marks | None = None,
        *,
        pages: bool = False,
    ) -> None:
        """Take the keys. `pages` lets web pages from anywhere in where there are no keys."""
        self._pages = pages
        self._salt = secrets.token_bytes(32)
        cleaned = [key.strip() for key in keys if key.strip()]
        self._digests = [
            (self._digest(key), f"key-{n + 1}", key in SAMPLE_KEYS) for n, key in enumerate(cleaned)
        ]
        self._marks = marks or Marks()
        self._known: dict[str, str] = {}
        self._failures = failures

    @property
    def open(self) -> bool:
        """No keys are configured: everybody who can connect may use the proxy."""
        return not self._digests

    def check(
        self, headers: Mapping[str, str], query: Mapping[str, str], *, peer: str, loopback: bool
    ) -> Client:
        """Return the client. Raises `Unauthenticated`, `Forbidden` or `RateLimited`."""
        if self.open:
            return self._anybody(headers)
        self._failures.admit(peer)
        try:
            return self._find(headers, query, loopback=loopback)
        except _WrongKey:
            self._failures.record(peer)
            raise

    def _find(
        self, headers: Mapping[str, str], query: Mapping[str, str], *, loopback: bool
    ) -> Client:
        supplied = False
        sample = False
        for source, value in _places(headers, query):
            if not value:
                continue
            supplied = True
            digest = self._digest(value)
            found: str | None = None
            is_sample = False
            for known, label, known_sample in self._digests:
                if hmac.compare_digest(known, digest):
                    found, is_sample = label, known_sample
            if found is None:
                continue
            if is_sample and not loopback:
                sample = True
                continue
            mark = self._known.get(found)
            if mark is None:
                mark = self._known[found] = self._marks(value)
            return Client(found, source, mark)
        if sample:
            raise Unauthenticated(
                "This key is one of the published sample keys, which are accepted from this "
                "machine only. Put a key of your own under api-keys in the configuration."
            )
        if supplied:
            raise _WrongKey(
                "Invalid API key. Use one of the keys listed under api-keys in the proxy's "
                "configuration."
            )
        raise Unauthenticated(
            "Missing API key. Send one of the proxy's api-keys as 'Authorization: Bearer KEY', "
            "'x-api-key', 'x-goog-api-key' or '?key='."
        )

    def check_code_assist(
        self, headers: Mapping[str, str], query: Mapping[str, str], *, peer: str, loopback: bool
    ) -> Client:
        """Return the client of a Code Assist route.

        Gemini CLI presents its own login there and cannot be given a key, so programs on this
        machine may come without one. A web page or somebody behind a proxy may not: they look
        local and are not. Raises `Forbidden` for everybody else without a key.
        """
        if self.open:
            return self._anybody(headers)
        if loopback and not any(name in headers for name in _NOT_LOCAL):
            try:
                return self._find(headers, query, loopback=True)
            except Unauthenticated:
                # Not a guess: the program's own login. It changes nothing but a label.
                return LOCAL
        try:
            return self.check(headers, query, peer=peer, loopback=loopback)
        except Unauthenticated as err:
            raise Forbidden(
                "The Code Assist routes are open to this machine only; from elsewhere send one of "
                "the proxy's api-keys as x-api-key."
            ) from err

    def _anybody(self, headers: Mapping[str, str]) -> Client:
        """Let everybody in but other people's web pages, which any browser here would let ask."""
        origin = headers.get("origin")
        if origin is not None and not self._pages and not _of_this_machine(origin):
            raise Forbidden(
                "No api-keys are configured, so web pages from elsewhere are refused: any page in "
                "a browser on this machine could use your accounts. Add a key under api-keys and "
                "give it to the page; or set allow-unauthenticated: true.",
                code="origin_not_allowed",
            )
        return ANYBODY

    def _digest(self, key: str) -> bytes:
        return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), key=self._salt).digest()


class Failures:
    """Counts wrong keys per address; bounded memory."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def admit(self, peer: str) -> None:
        """Raise `RateLimited` when this address guessed too often."""
        entry = self._seen.get(peer)
        if entry is None or entry[0] < FAILURES:
            return
        left = entry[1] + WINDOW - self._clock.monotonic()
        if left > 0:
            raise RateLimited(
                f"Too many requests with wrong API keys; wait {left:.0f} s.", retry_after=left
            )
        del self._seen[peer]

    def record(self, peer: str) -> None:
        """Note one wrong key."""
        now = self._clock.monotonic()
        count, since = self._seen.pop(peer, (0, now))
        if now - since > WINDOW:
            count, since = 0, now
        self._seen[peer] = (count + 1, since)
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)


def _of_this_machine(origin: str) -> bool:
    """Tell whether an `Origin` is a program of this machine, or a page that one serves.

    Programs that are built on a browser have schemes of their own, which no page can have; `null`
    is anybody.
    """
    try:
        parts = urlsplit(origin.strip().lower())
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme in ("http", "https"):
        return is_loopback(host)
    return bool(parts.scheme)


def _places(headers: Mapping[str, str], query: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    authorization = text_of(headers.get("authorization", "")).strip()
    scheme, _, token = authorization.partition(" ")
    yield "authorization", token.strip() if scheme.lower() == "bearer" else authorization
    yield "x-goog-api-key", text_of(headers.get("x-goog-api-key", "")).strip()
    yield "x-api-key", text_of(headers.get("x-api-key", "")).strip()
    yield "query-key", query.get("key", "").strip()
    yield "query-auth-token", query.get("auth_token", "").strip()

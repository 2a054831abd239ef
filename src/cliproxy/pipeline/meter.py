"""What one request used: tokens as the upstream told them, and when the first one came.

Answers that are translated are read anyway; but many a reader keeps the counts to the end, which
a cut stream does not have, and bytes that pass verbatim are not read at all. So whole frames that
may hold a count are remembered as they go by, and read once, when the request is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from cliproxy.base.json import Obj
from cliproxy.dialects._openai_usage import usage_from as chat_usage
from cliproxy.dialects.anthropic.usage import usage_from as anthropic_usage
from cliproxy.dialects.gemini.usage import usage_from as gemini_usage
from cliproxy.dialects.interactions.usage import usage_from as interactions_usage
from cliproxy.dialects.openai_responses.usage import usage_from as responses_usage
from cliproxy.dialects.sse import SseDecoder
from cliproxy.ir.events import Event, Usage
from cliproxy.ir.usage import NOTHING, IRUsage

_GEMINI: Final = frozenset({"gemini", "code-assist"})
_EMPTY: Final = Raw(b"null")


class _Told(Struct):
    """Where the dialects put their counts."""

    usage: Any = None
    metadata: Any = msgspec.field(default=None, name="usageMetadata")
    message: Raw = _EMPTY
    response: Raw = _EMPTY
    interaction: Raw = _EMPTY


class _Inner(Struct):
    usage: Any = None
    metadata: Any = msgspec.field(default=None, name="usageMetadata")


_told: Final = msgspec.json.Decoder(_Told)
_array: Final = msgspec.json.Decoder(list[Raw])
_inner: Final = msgspec.json.Decoder(_Inner)


class Tap:
    """Remembers the frames of a stream that may hold counts: the first and the latest."""

    __slots__ = ("_dialect", "_first", "_last", "_marker")

    def __init__(self, dialect: str) -> None:
        self._dialect = dialect
        self._marker = b'"usageMetadata"' if dialect in _GEMINI else b'"usage"'
        self._first: bytes | None = None
        self._last: bytes | None = None

    def see(self, data: bytes) -> None:
        """Look at whole frames, or at one payload."""
        # Inside JSON text a quote is escaped: these are never the model's own words.
        if self._marker in data:
            if self._first is None:
                self._first = data
            else:
                self._last = data

    def read(self) -> IRUsage:
        """Read what was remembered."""
        found: list[Obj] = []
        for data in (self._first, self._last):
            if data is None:
                continue
            if data[:1] in b"{[,":
                # Elements of an array that is still being written.
                inside = data.lstrip(b"[,\r\n ").rstrip(b"],\r\n ")
                for element in _elements(b"[" + inside + b"]"):
                    found += counts(bytes(element))
                continue
            decoder = SseDecoder()
            for frame in (*decoder.feed(data), *decoder.close()):
                if self._marker in frame.data:
                    found += counts(frame.data)
        return usage_of(self._dialect, found)


def _elements(array: bytes) -> list[Raw]:
    try:
        return _array.decode(array)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []


def counts(payload: bytes) -> list[Obj]:
    """Return the objects with counts in one payload, in the dialect's own words."""
    try:
        told = _told.decode(payload)
        values = [told.usage, told.metadata]
        for inside in map(bytes, (told.message, told.response, told.interaction)):
            if inside[:1] == b"{":
                inner = _inner.decode(inside)
                values += [inner.usage, inner.metadata]
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []
    return [value for value in values if isinstance(value, dict)]


def usage_of(dialect: str, found: Sequence[Obj]) -> IRUsage:
    """Read counts of a dialect; later ones overwrite earlier ones."""
    if dialect == "anthropic" or dialect in _GEMINI:
        seen: Obj = {}
        for value in found:
            seen.update({k: v for k, v in value.items() if v is not None})
        return anthropic_usage(seen) if dialect == "anthropic" else gemini_usage(seen or None)
    usage = NOTHING
    for value in found:
        if dialect == "interactions":
            usage = usage.merge(interactions_usage(value))
        elif dialect == "openai-responses":
            usage = usage.merge(responses_usage(value))
        else:
            usage = usage.merge(chat_usage(value))
    return usage


class Meter(Struct):
    """What a request used so far. Requests made on its behalf share it."""

    usage: IRUsage = NOTHING
    dialect: str = ""
    """What the upstream speaks that was asked last."""
    first_token_at: float | None = None
    """Monotonic seconds when the client's stream got going."""
    tap: Tap | None = None
    ended: bool = False
    """The client's stream came to its end, whatever its connection does after that."""

    def end(self) -> None:
        """Note that the answer is complete."""
        self.ended = True

    def begin(self, dialect: str) -> None:
        """Begin anew with another upstream: what a failed one said is not the client's."""
        self.usage, self.dialect, self.tap, self.first_token_at = NOTHING, dialect, None, None
        self.ended = False

    def hear(self, events: Sequence[Event]) -> None:
        """Take the counts out of events."""
        for event in events:
            if type(event) is Usage:
                self.usage = self.usage.merge(event.usage)

    def read(self) -> IRUsage:
        """Return all that is known."""
        tap, self.tap = self.tap, None
        if tap is not None:
            # What was read as events says the same, or more.
            self.usage = tap.read().merge(self.usage)
        return self.usage

"""Server-sent events, bytes to payloads and back; shared by all dialects.

The decoder follows the WHATWG event-stream rules on *bytes*: a line ends at LF, CRLF or CR and
nowhere else (U+2028 and friends are data), one BOM at the start is skipped, comments and unknown
fields are ignored, several `data:` lines join with LF. Two leniencies for real upstreams: a last
event without its blank line is delivered when the stream ends, and a body that is JSON rather
than SSE is recognised (`looks_like_json`).
"""

from __future__ import annotations

from typing import Final, NamedTuple

MAX_EVENT: Final = 64 * 1024 * 1024
"""Bytes one event may take before the stream is given up (inline images are large)."""


class Frame(NamedTuple):
    """One dispatched event. `event` is empty when the stream gave no name."""

    data: bytes
    event: str


class EventTooLarge(ValueError):
    """One event exceeded `MAX_EVENT`."""


class SseDecoder:
    """Feed it bytes as they come; it returns the frames they complete."""

    __slots__ = (
        "_buffer",
        "_data",
        "_event",
        "_last_cr",
        "_limit",
        "_pending",
        "_size",
        "_started",
    )

    def __init__(self, limit: int = MAX_EVENT) -> None:
        self._limit = limit
        self._buffer: list[bytes] = []
        """The pieces of the line that is not complete yet (joined once: lines may be huge)."""
        self._data: list[bytes] = []
        self._event = ""
        self._size = 0
        self._pending = 0
        self._started = False
        self._last_cr = False
        """The last chunk ended in CR: an LF that follows belongs to it."""

    def feed(self, chunk: bytes) -> list[Frame]:
        """Take bytes cut anywhere. Raises `EventTooLarge`."""
        if not self._started:
            chunk = b"".join([*self._buffer, chunk])
            self._buffer = [chunk]
            if _BOM.startswith(chunk):
                # Too short to tell whether a BOM begins here.
                return []
            self._buffer.clear()
            self._started = True
            chunk = chunk.removeprefix(_BOM)
        if self._last_cr:
            self._last_cr = False
            if chunk[:1] == b"\n":
                chunk = chunk[1:]
        if b"\r" in chunk:
            self._last_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if b"\n" not in chunk:
            if chunk:
                self._buffer.append(chunk)
                self._pending += len(chunk)
                self._check()
            return []
        lines = chunk.split(b"\n")
        if self._buffer:
            lines[0] = b"".join([*self._buffer, lines[0]])
        last = lines.pop()
        self._buffer = [last] if last else []
        self._pending = len(last)
        frames: list[Frame] = []
        data = self._data
        for line in lines:
            if not line:
                if data:
                    payload = data[0] if len(data) == 1 else b"\n".join(data)
                    frames.append(Frame(payload, self._event))
                    data.clear()
                    self._size = 0
                self._event = ""
            elif line.startswith(b"data:"):
                value = line[6:] if line[5:6] == b" " else line[5:]
                data.append(value)
                self._size += len(value)
            elif line.startswith(b"event:"):
                value = line[7:] if line[6:7] == b" " else line[6:]
                self._event = value.decode("utf-8", "replace")
            elif line == b"data":
                data.append(b"")
            # Comments, ids, retry hints and unknown fields say nothing to us.
        self._check()
        return frames

    def close(self) -> list[Frame]:
        """Deliver a pending event that lacks its blank line."""
        return self.feed(b"\n\n")

    def _check(self) -> None:
        if self._size + self._pending > self._limit:
            raise EventTooLarge(f"an event of more than {self._limit} bytes")


_BOM: Final = b"\xef\xbb\xbf"


def looks_like_json(head: bytes) -> bool:
    """Tell whether a body starts like a JSON document rather than an event stream."""
    return head.removeprefix(_BOM).lstrip()[:1] in (b"{", b"[")


def frame(data: bytes) -> bytes:
    """Write one event: `data: …`."""
    return b"data: " + data + b"\n\n"


def named_frame(event: bytes, data: bytes) -> bytes:
    """Write one event with a name."""
    return b"event: " + event + b"\ndata: " + data + b"\n\n"


COMMENT: Final = b": keep-alive\n\n"
DONE: Final = b"data: [DONE]\n\n"


def last_frame_end(chunk: bytes, held: list[bytes]) -> int:
    """Return where the last complete frame ends in `chunk`, 0 if none does.

    `held` is what came before it since the last end.
    """
    end = max(chunk.rfind(b"\n\n") + 2, chunk.rfind(b"\r\n\r\n") + 4 if b"\r" in chunk else 0)
    if end > 1 and (chunk[end - 2 : end] == b"\n\n" or chunk[end - 4 : end] == b"\r\n\r\n"):
        return end
    if held and chunk[:1] in (b"\n", b"\r"):
        # The blank line was cut by the read boundary.
        before = b"".join(held[-3:])[-3:]
        joint = before + chunk[:3]
        for blank in (b"\r\n\r\n", b"\n\n"):
            at = joint.find(blank)
            if at >= 0:
                return max(0, at + len(blank) - len(before))
    return 0

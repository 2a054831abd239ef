"""Same dialect in and out: bytes pass as they come, watched lightly.

Watched for three things only: an error where a first event should be (so that another account
can still be tried), whole frames (so that an error can be appended without splitting one), and
the terminal event (so that a cut stream never looks like a normal end).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

import msgspec
from msgspec import Struct

from cliproxy.base.errors import GatewayError, UpstreamBroken
from cliproxy.dialects import Dialect, Framing
from cliproxy.dialects.sse import MAX_EVENT, Frame, SseDecoder
from cliproxy.ir.caps import Caps
from cliproxy.ir.events import Error
from cliproxy.ir.fold import to_exception
from cliproxy.transport.client import UpstreamResponse

_TERMINAL: Final[dict[str, tuple[bytes, ...]]] = {
    "openai-chat": (b"data: [DONE]", b"data:[DONE]", b'"finish_reason":"', b'"finish_reason": "'),
    "openai-responses": (
        b'"response.completed"',
        b'"response.incomplete"',
        b'"response.failed"',
        b"event: error",
    ),
    "anthropic": (b'"message_stop"', b'"stop_reason":"', b'"stop_reason": "', b"event: error"),
    "gemini": (b'"finishReason"', b'"blockReason"'),
}
"""Bytes that prove a stream came to its end. Inside JSON text a quote is escaped, so the quoted
forms cannot be the model's own words."""
_OVERLAP: Final = 32
"""Longest marker, so that one cut by a read boundary is still seen."""


class _Outline(Struct):
    error: Any = None
    type: Any = None
    object: Any = None
    choices: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    candidates: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    content: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_outline: Final = msgspec.json.Decoder(_Outline)


def error_inside(body: bytes) -> bool:
    """Tell whether a JSON body that came with status 200 is an error object."""
    try:
        seen = _outline.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body.lstrip()[:1] == b"["
    if seen.type == "error":
        return True
    if not seen.error or seen.object == "response":
        return False
    unset = msgspec.UNSET
    return seen.choices is unset and seen.candidates is unset and seen.content is unset


class Passthrough:
    """Carries one stream of one upstream to a client of the same dialect."""

    def __init__(self, dialect: Dialect, caps: Caps, framing: Framing) -> None:
        self._dialect = dialect
        self._caps = caps
        self._array = framing == "array"

    async def stream(self, response: UpstreamResponse) -> AsyncGenerator[bytes, None]:
        """Yield bytes to write. The first item is produced only after a good first event.

        Raises a `GatewayError` only before the first item; later failures become one error event.
        """
        started = False
        try:
            async with aclosing(self._frames(response)) as frames:
                async for data in frames:
                    started = True
                    yield data
        except GatewayError as err:
            if not started:
                raise
            if self._array:
                # The array is open: the error is its last element.
                yield b",\r\n" + self._dialect.error(err) + b"]"
            else:
                yield self._dialect.stream_error(err)
        finally:
            response.close()

    async def _frames(self, response: UpstreamResponse) -> AsyncGenerator[bytes, None]:
        markers = _TERMINAL[self._dialect.id]
        tail = b""
        held: list[bytes] = []
        held_size = 0
        done = False
        checked = False
        array = _ArrayFraming() if self._array else None
        async with aclosing(response.chunks()) as chunks:
            async for chunk in chunks:
                if not done:
                    window = tail + chunk
                    done = any(marker in window for marker in markers)
                    tail = window[-_OVERLAP:]
                if array is not None:
                    out = array.feed(chunk)
                    if not checked and array.first is not None:
                        self._check(array.first)
                        checked = True
                    if out:
                        yield out
                    continue
                end = _last_frame_end(chunk, held)
                if not end:
                    held.append(chunk)
                    held_size += len(chunk)
                    if held_size > MAX_EVENT:
                        raise UpstreamBroken("The upstream sent one event that is too large.")
                    continue
                held.append(chunk[:end])
                out = held[0] if len(held) == 1 else b"".join(held)
                held = [chunk[end:]] if end < len(chunk) else []
                held_size = len(chunk) - end
                if not checked:
                    checked = self._check_first(out)
                yield out
        rest = b"".join(held)
        if array is not None:
            rest = array.close(complete=done)
        elif rest and not checked:
            self._check_first(rest + b"\n\n")
        if not done:
            raise UpstreamBroken("The upstream's answer stopped before its end.")
        if rest:
            # A last event without its blank line would be lost on strict clients.
            yield rest if array is not None else rest + b"\n\n"

    def _check_first(self, data: bytes) -> bool:
        frames = SseDecoder().feed(data)
        if not frames:
            return False
        self._check(frames[0])
        return True

    def _check(self, frame: Frame) -> None:
        # Only something that looks like an error is worth the reader.
        if b"error" not in frame.data and frame.event != "error" and frame.data[:1] == b"{":
            return
        if frame.data == b"[DONE]":
            return
        events = self._dialect.reader(self._caps).feed(frame.data, frame.event)
        for event in events:
            if isinstance(event, Error):
                raise to_exception(event)


class _ArrayFraming:
    """SSE in, a streamed JSON array out; payload bytes unchanged."""

    def __init__(self) -> None:
        self._decoder = SseDecoder()
        self.first: Frame | None = None

    def feed(self, chunk: bytes) -> bytes:
        return self._write(self._decoder.feed(chunk))

    def close(self, *, complete: bool) -> bytes:
        data = self._write(self._decoder.close())
        return data + b"]" if complete and self.first is not None else data

    def _write(self, frames: list[Frame]) -> bytes:
        out: list[bytes] = []
        for frame in frames:
            out.append(b"[" if self.first is None else b",\r\n")
            if self.first is None:
                self.first = frame
            out.append(frame.data)
        return b"".join(out)


def _last_frame_end(chunk: bytes, held: list[bytes]) -> int:
    """Return where the last complete frame ends in `chunk`, 0 if none does."""
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

"""Same dialect in and out: bytes pass as they come, watched lightly.

Watched for a few things only: the commit point (so that another account can be tried until then),
whole frames (so that an error can be appended without splitting one), the terminal event (so that
a cut stream never looks like a normal end), and errors the upstream tells later: those alone are
not always passed as they came, because they may repeat the key that the upstream was sent.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, Final

import msgspec
from msgspec import Struct

from cliproxy.base import redact
from cliproxy.base.errors import GatewayError, UpstreamBroken
from cliproxy.base.json import Obj
from cliproxy.dialects import Dialect, Framing
from cliproxy.dialects.sse import MAX_EVENT, Frame, SseDecoder, last_frame_end
from cliproxy.ir.caps import Caps
from cliproxy.ir.events import Error
from cliproxy.ir.fold import to_exception
from cliproxy.pipeline.commit import Watch
from cliproxy.pipeline.meter import Tap, counts
from cliproxy.transport.answer import Answer

_TERMINAL: Final[dict[str, tuple[bytes, ...]]] = {
    "openai-chat": (b"data: [DONE]", b"data:[DONE]", b'"finish_reason":"', b'"finish_reason": "'),
    "openai-responses": (
        b'"response.completed"',
        b'"response.incomplete"',
        b'"response.failed"',
        b"event: error",
    ),
    "anthropic": (b'"message_stop"', b'"stop_reason":"', b'"stop_reason": "', b"event: error"),
    "openai-images": (b'"image_generation.completed"', b"event: error"),
    "openai-image-edits": (b'"image_edit.completed"', b"event: error"),
    "gemini": (b'"finishReason"', b'"blockReason"'),
    "code-assist": (b'"finishReason"', b'"blockReason"'),
    "interactions": (b'"interaction.completed"', b"event: error"),
}
"""Bytes that prove a stream came to its end. Inside JSON text a quote is escaped, so the quoted
forms cannot be the model's own words."""
_FINAL: Final = {
    "openai-chat": (b"[DONE]", b"data: [DONE]\n\n"),
    "anthropic": (b"message_stop", b'event: message_stop\ndata: {"type":"message_stop"}\n\n'),
    "interactions": (b"[DONE]", b"event: done\ndata: [DONE]\n\n"),
}
"""What stands last in a stream, and the frame that holds it."""
_TAIL: Final = 512
_BLANK: Final = re.compile(rb"(\r?\n\r?\n)")
_OVERLAP: Final = 32
"""Longest marker, so that one cut by a read boundary is still seen."""


class _Outline(Struct):
    error: Any = None
    type: Any = None
    object: Any = None
    usage: Any = None
    metadata: Any = msgspec.field(default=None, name="usageMetadata")
    response: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    choices: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    candidates: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    content: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_outline: Final = msgspec.json.Decoder(_Outline)


def counts_inside(body: bytes) -> list[Obj] | None:
    """Return the counts in a JSON body that came with status 200, None when it is an error."""
    try:
        seen = _outline.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None if body.lstrip()[:1] == b"[" else []
    unset = msgspec.UNSET
    if seen.type == "error":
        return None
    if (
        seen.error
        and seen.object != "response"
        and seen.choices is unset
        and seen.candidates is unset
        and seen.content is unset
    ):
        return None
    values = [seen.usage, seen.metadata]
    if isinstance(seen.response, msgspec.Raw):
        values += counts(bytes(seen.response))
    return [value for value in values if isinstance(value, dict)]


class Passthrough:
    """Carries one stream of one upstream to a client of the same dialect.

    Until the watch says that it is committed, its events are read as well as passed on; from then
    on only what looks like an error is, and `failed` hears of it. `secrets` are what no error may
    repeat. `hide` takes out of whole events what the client is not to see; `ended` hears
    that the client has the whole answer.
    """

    def __init__(
        self,
        dialect: Dialect,
        caps: Caps,
        framing: Framing,
        watch: Watch,
        failed: Callable[[GatewayError], None],
        *,
        tap: Tap | None = None,
        secrets: Callable[[], set[str]] = set,
        hide: Callable[[bytes], bytes] | None = None,
        ended: Callable[[], object] | None = None,
    ) -> None:
        self._tap = tap or Tap(dialect.id)
        self._dialect = dialect
        self._caps = caps
        self._array = framing == "array"
        self._watch = watch
        self._failed = failed
        self._secrets = secrets
        self._hide = hide
        self._ended = ended
        self._decoder = SseDecoder()
        self._reader = dialect.reader(caps)
        self._done = False
        """The event that ends the answer was seen."""
        self._told = False
        """The upstream itself has told of an error: nothing is to follow."""

    async def stream(self, response: Answer) -> AsyncGenerator[bytes, None]:
        """Yield bytes to write: whole frames only.

        Raises a `GatewayError` before the commit point; later failures become one error event.
        """
        last = b""
        see, hide = self._tap.see, self._hide
        try:
            async with aclosing(self._frames(response)) as frames:
                async for data in frames:
                    last = data
                    see(data)
                    if hide is None:
                        yield data
                    elif seen := hide(data):
                        yield seen
                    if self._done and not self._told and self._ended is not None:
                        self._ended()
            if not self._array and not self._told and (rest := self._missing(last)):
                yield rest
        except GatewayError as err:
            if not self._watch.committed:
                raise
            if self._done or self._told:
                # A connection that breaks after the end took nothing with it.
                told = b"" if self._told else self._missing(last)
                if rest := b"]" if self._array else told:
                    yield rest
                return
            self._failed(err)
            if not self._array:
                yield self._dialect.stream_error(err, "sse", last)
            else:
                # The error is the array's last element.
                yield (b",\r\n" if last else b"[") + self._dialect.error(err) + b"]"
        finally:
            response.close()

    async def _frames(self, response: Answer) -> AsyncGenerator[bytes, None]:
        markers = _TERMINAL[self._dialect.id]
        tail = b""
        held: list[bytes] = []
        held_size = 0
        array = _ArrayFraming(self._of_array) if self._array else None
        async with aclosing(response.chunks()) as chunks:
            async for chunk in chunks:
                if not self._done:
                    window = tail + chunk
                    self._done = any(marker in window for marker in markers)
                    tail = window[-_OVERLAP:]
                if not self._watch.committed:
                    self._look(self._decoder.feed(chunk))
                if array is not None:
                    if out := array.feed(chunk):
                        yield out
                    continue
                end = last_frame_end(chunk, held)
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
                yield self._without_secrets(out) if _may_fail(out) else out
        rest = b"".join(held)
        if not self._watch.committed:
            self._look(self._decoder.close())
        if array is not None:
            rest = array.close(complete=self._done or self._told)
        if not self._done and not self._told:
            raise UpstreamBroken("The upstream's answer stopped before its end.")
        if rest:
            if array is None:
                # A last event without its blank line would be lost on strict clients.
                rest = self._without_secrets(rest) + b"\n\n"
            yield rest

    def _missing(self, last: bytes) -> bytes:
        """Return the frame that strict clients wait for, where the answer ended without it."""
        found = _FINAL.get(self._dialect.id)
        return b"" if found is None or found[0] in last[-_TAIL:] else found[1]

    def _look(self, frames: list[Frame]) -> None:
        for data, event in frames:
            if self._watch.see(self._reader.feed(data, event)):
                return

    def _without_secrets(self, frames: bytes) -> bytes:
        """Return whole frames, secrets taken out of those that are errors."""
        if not self._watch.committed:
            # Nothing so far was an error: it would have been raised.
            return frames
        parts = _BLANK.split(frames)
        for n in range(0, len(parts), 2):
            if _may_fail(parts[n]):
                read = SseDecoder().feed(parts[n] + b"\n\n")
                # What is no event at all is no client's, and need not be as it came.
                if not read or any(map(self._is_error, read)):
                    parts[n] = redact.without_bytes(parts[n], self._secrets())
        return b"".join(parts)

    def _of_array(self, frame: Frame) -> bytes:
        if self._watch.committed and _may_fail(frame.data, frame.event) and self._is_error(frame):
            return redact.without_bytes(frame.data, self._secrets())
        return frame.data

    def _is_error(self, frame: Frame) -> bool:
        """Tell whether a frame is an error, and take note of one that the upstream itself tells."""
        found = False
        for event in self._dialect.reader(self._caps).feed(frame.data, frame.event):
            if isinstance(event, Error):
                found = True
                if event.code != "upstream_broken":
                    self._told = True
                    self._failed(to_exception(event))
                    break
        return found


class _ArrayFraming:
    """SSE in, a streamed JSON array out; `payload` says what of each frame."""

    def __init__(self, payload: Callable[[Frame], bytes]) -> None:
        self._payload = payload
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
            out.append(self._payload(frame))
        return b"".join(out)


def _may_fail(data: bytes, event: str = "") -> bool:
    """Tell whether there may be an error among frames; of hardly any others it is said."""
    return (
        b'"error"' in data or b"event: error" in data or b"event:error" in data or event == "error"
    )

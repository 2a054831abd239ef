"""What a test tells a simulated provider to answer, in words that belong to no dialect.

An `Answer` is a model's answer; `Failure` an error in the dialect's own shape; `Raw` and `Events`
are bytes and payloads given literally. Each can carry `Faults`: what goes wrong on the way.
Nothing here knows a wire format: the `render_*` modules do.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Json = Any
Pieces = str | Sequence[str]


class Gate:
    """A place where an answer waits until the test lets it go on."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._open = threading.Event()
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self._lock = threading.Lock()

    def wait_reached(self, timeout: float = 20) -> None:
        """Block the test until an answer stands before the gate."""
        assert self._reached.wait(timeout), "no answer reached the gate"

    def open(self) -> None:
        """Let every answer through, now and later."""
        with self._lock:
            self._open.set()
            waiting, self._waiting = self._waiting, []
        for loop, event in waiting:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    def opened(self) -> asyncio.Event:
        """Return the event, of the running loop, that is set once the gate opens."""
        event = asyncio.Event()
        with self._lock:
            if self._open.is_set():
                event.set()
            else:
                self._waiting.append((asyncio.get_running_loop(), event))
        self._reached.set()
        return event


@dataclass(frozen=True, kw_only=True)
class Faults:
    """What goes wrong, and how the bytes look, when an answer is delivered.

    Counts of events count what is sent: pings and handshake events included. A body that is not
    a stream is one event.
    """

    delay: float = 0.0  # seconds before the response headers
    first_event_delay: float = 0.0  # seconds between the headers and the first event
    drip: float = 0.0  # seconds between events
    gate: Gate | None = None  # waits here …
    gate_at: int | Literal["headers"] = 0  # … after this many events, or before the headers
    hang: int | Literal["headers"] | None = None  # silent for ever after so many events
    cut: int | Literal["headers"] | None = None  # connection lost after so many events
    cut_bytes: int | None = None  # connection lost after so many bytes of the body
    rst: bool = True  # a cut is a reset; otherwise an ordinary close in mid-body
    close: int = 0  # on a websocket a cut is a close frame with this code
    error: Failure | None = None  # an error object inside the 200 answer's stream …
    error_at: int = 0  # … after so many events
    bad_json_at: int | None = None  # the event with this number is not JSON
    drop: Literal["", "done", "finish"] = ""  # leave out the end mark, or all that ends the answer
    swap: bool = False  # a stream where a body was asked for, and the other way round
    crlf: bool = False
    comments: bool = False  # a comment line before every event
    multiline: bool = False  # pretty-printed JSON over many data lines
    bom: bool = False
    tight: bool = False  # no space after the colon
    ragged: bool = False  # no blank line after the last event
    chunk: int | None = None  # bytes per HTTP chunk and write; 1 splits everywhere
    encoding: Literal["", "gzip", "deflate", "br"] = ""
    endless: bool = False  # repeats its text for ever, as fast as the client reads
    until_close: bool = False  # no length, no chunks: the end of the connection ends the body
    trailing: bytes = b""  # sent after the end
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Usage:
    """Token counts: `input` includes what was cached and written, `output` includes reasoning."""

    input: int = 0
    output: int = 0
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0


@dataclass(frozen=True)
class Text:
    pieces: Pieces
    signature: str = ""  # Gemini can sign visible text


@dataclass(frozen=True)
class Thinking:
    pieces: Pieces
    signature: str | None = None  # None: the simulator issues one; "": unsigned
    redacted: str = ""  # Anthropic: opaque data in place of the thinking


@dataclass(frozen=True)
class Call:
    name: str
    args: Mapping[str, Json] | None = None
    id: str | None = ""  # "": the dialect's own kind of id; None: Gemini sends no id at all
    pieces: Sequence[str] | None = None  # the argument text as streamed; overrides args
    signature: str | None = None  # Gemini: None signs the first call of an answer

    def text(self) -> str:
        return "".join(self.fragments())

    def fragments(self) -> list[str]:
        """Return the JSON text of the arguments as the fragments a stream sends."""
        if self.pieces is not None:
            return list(self.pieces)
        whole = json.dumps(dict(self.args or {}), ensure_ascii=False, separators=(",", ":"))
        middle = len(whole) // 2
        return [whole[:middle], whole[middle:]]


@dataclass(frozen=True)
class Image:
    data: bytes
    mime: str = "image/png"
    sketches: Sequence[bytes] = ()  # shown on the way, in a stream
    revised: str = ""  # the prompt as the model rewrote it


@dataclass(frozen=True)
class Refusal:
    pieces: Pieces


Part = Text | Thinking | Call | Image | Refusal
Finish = str  # stop length tool_calls stop_sequence content_filter pause, or a native word


def pieces(given: Pieces) -> list[str]:
    return [given] if isinstance(given, str) else list(given)


@dataclass(frozen=True)
class Answer(Faults):
    """A model's answer: thinking, text, calls, images in this order, or `parts` in any order."""

    text: Pieces = ""
    thinking: Pieces = ""
    signature: str | None = None
    tools: Sequence[Call] = ()
    images: Sequence[Image] = ()
    refusal: str = ""
    parts: Sequence[Part] = ()
    usage: Usage | None = None  # None: counted
    without_usage: bool = False
    drawn: Usage | None = None  # Responses: what the tool that makes pictures used
    finish: Finish = ""
    stop_sequence: str | None = None
    id: str = ""
    model: str = ""  # "": the model that was asked
    created: int = 1_700_000_000
    pings: bool = True  # Anthropic

    def all_parts(self) -> list[Part]:
        """Return the parts in the order of generation."""
        if self.parts:
            return list(self.parts)
        found: list[Part] = []
        if self.thinking:
            found.append(Thinking(self.thinking, self.signature))
        if self.text:
            found.append(Text(self.text))
        if self.refusal:
            found.append(Refusal(self.refusal))
        found += self.tools
        found += self.images
        return found

    def ended(self) -> Finish:
        """Return why the answer ended, in neutral words."""
        if self.finish:
            return self.finish
        if self.stop_sequence is not None:
            return "stop_sequence"
        called = any(isinstance(part, Call) for part in self.all_parts())
        return "tool_calls" if called else "stop"


@dataclass(frozen=True)
class Failure(Faults):
    """An HTTP error whose body has the dialect's own shape."""

    status: int = 500
    message: str = "The simulated provider failed"
    type: str = ""  # "": what the dialect says for this status
    code: str | None = None
    param: str | None = None
    retry_after: float | None = None  # seconds; header, and Google's RetryInfo
    reason: str = ""  # Google's ErrorInfo
    wrapped: bool = False  # Gemini: the object inside a one-element array
    as_event: Literal["", "error", "failed"] = ""  # Responses: which of its two in-stream forms


@dataclass(frozen=True)
class Raw(Faults):
    """A status and a body exactly as given; several chunks are several writes."""

    body: bytes | Sequence[bytes] = b""
    status: int = 200
    content_type: str = "application/json"

    def chunks(self) -> list[bytes]:
        return [self.body] if isinstance(self.body, bytes) else list(self.body)


@dataclass(frozen=True)
class Events(Faults):
    """A stream of the payloads given: JSON values, or strings sent as they are."""

    payloads: Sequence[Json] = ()
    status: int = 200


Reply = Answer | Failure | Raw | Events


def html(status: int = 502, **faults: Any) -> Raw:
    """Return the page that a reverse proxy in front of a provider sends."""
    page = f"<html><head><title>{status}</title></head><body>\n<h1>{status}</h1></body></html>\n"
    return Raw(page.encode(), status, "text/html; charset=utf-8", **faults)

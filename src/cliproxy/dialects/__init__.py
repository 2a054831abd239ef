"""Wire formats. Each folder speaks one API, in both directions, and knows the IR and nothing else.

A dialect never knows whether it faces a client or an upstream, nor who is on the other side:

- `parse`: a client's request body → `IRRequest`
- `build`: `IRRequest` + `Caps` → an upstream's request body, with its losses
- `reader`: an upstream's answer (stream or whole) → events
- `writer` / `render`: events (stream) or their fold (whole) → a client's answer
- `error` / `stream_error` / `read_error`: errors, out and in

`get(id)` loads a dialect on first use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Final, Literal, Protocol, cast

from msgspec import Struct, field

from cliproxy.base.errors import GatewayError, UpstreamRefused
from cliproxy.base.json import Obj
from cliproxy.base.redact import Hidden
from cliproxy.ir.caps import Caps
from cliproxy.ir.events import Event
from cliproxy.ir.fold import Answer
from cliproxy.ir.loss import Loss
from cliproxy.ir.request import DialectId, IRRequest
from cliproxy.ir.restore import Restore

Operation = Literal["generate", "count", "compact", "search", "poll"]
"""`poll`: ask how far a job is."""
Framing = Literal["sse", "array"]


class ParseMeta(Hidden, Struct, frozen=True):
    """What the HTTP request says beside its body."""

    headers: Mapping[str, str] = {}
    """Lower-case names."""
    model: str | None = None
    """Model from the URL path (Gemini)."""
    stream: bool | None = None
    """Streaming decided by the URL (Gemini); None = the body decides."""
    operation: Operation = "generate"


class Built(Hidden, Struct, frozen=True):
    """An upstream request body, and what became of the rest.

    `body` is fresh: the caller may add to it. `headers` are protocol headers the body needs
    (`anthropic-beta`). `restore` maps names in the answer back to the client's.
    """

    body: Obj
    losses: tuple[Loss, ...] = ()
    restore: Restore = field(default_factory=Restore)
    headers: dict[str, str] = field(default_factory=dict)


class Reader(Protocol):
    """Turns one upstream answer into events. One instance per answer.

    The events obey the grammar of `ir/events.py`. Malformed payloads never raise: they become
    `Error` events (first payload) or are skipped (later ones).
    """

    def feed(self, data: bytes, event: str = "") -> list[Event]:
        """Take the payload of one SSE event (`data` joined, `event` its name)."""
        ...

    def close(self) -> list[Event]:
        """Say that the upstream closed; return `End` or, when the answer was cut, `Error`."""
        ...

    def whole(self, body: bytes) -> list[Event]:
        """Read a complete non-stream answer, `Start` to `End` (or `Error`)."""
        ...


class Writer(Protocol):
    """Renders events for one streaming client. One instance per answer."""

    def feed(self, events: Sequence[Event]) -> bytes:
        """Return the wire bytes of these events, complete frames only, possibly empty."""
        ...

    def ping(self) -> bytes:
        """Return a keep-alive that is legal at this point."""
        ...


class Dialect(Protocol):
    """One wire format. Stateless; safe to share."""

    id: DialectId
    document_urls: bool
    """Whether documents can be given by address."""

    def parse(self, body: Obj, meta: ParseMeta) -> IRRequest:
        """Read a client's request. Raises `BadRequest` naming the field."""
        ...

    def build(self, req: IRRequest, caps: Caps, operation: Operation = "generate") -> Built:
        """Write a request for an upstream that speaks this dialect. `caps.model` is its model."""
        ...

    def reader(self, caps: Caps) -> Reader:
        """Return a reader for one answer of an upstream."""
        ...

    def writer(self, req: IRRequest, framing: Framing = "sse") -> Writer:
        """Return a writer for one streaming client. `req.model` is the name it asked for."""
        ...

    def render(self, answer: Answer, req: IRRequest) -> bytes:
        """Write a whole answer."""
        ...

    def render_count(self, tokens: int) -> bytes:
        """Write the answer of the token-count endpoint."""
        ...

    def read_count(self, body: bytes) -> int:
        """Read an upstream's token count. Raises `UpstreamBroken`."""
        ...

    def error(self, err: GatewayError) -> bytes:
        """Write this dialect's error body (its own raw upstream error passes unchanged)."""
        ...

    def stream_error(
        self, err: GatewayError, framing: Framing = "sse", after: bytes = b""
    ) -> bytes:
        """Write an error into a stream: its first event, or one that follows the bytes `after`."""
        ...

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamRefused:
        """Read an upstream's error answer: message, kind, code, retry-after."""
        ...


_TABLE: Final[dict[str, str]] = {
    "openai-chat": "cliproxy.dialects.openai_chat:DIALECT",
    "openai-completions": "cliproxy.dialects.openai_completions:DIALECT",
    "openai-responses": "cliproxy.dialects.openai_responses:DIALECT",
    "anthropic": "cliproxy.dialects.anthropic:DIALECT",
    "gemini": "cliproxy.dialects.gemini:DIALECT",
    "code-assist": "cliproxy.dialects.gemini.code_assist:DIALECT",
    "openai-images": "cliproxy.dialects.openai_images:GENERATIONS",
    "openai-image-edits": "cliproxy.dialects.openai_images:EDITS",
    "openai-videos": "cliproxy.dialects.openai_videos:DIALECT",
    "xai-videos": "cliproxy.dialects.xai_videos:GENERATIONS",
    "xai-video-edits": "cliproxy.dialects.xai_videos:EDITS",
    "xai-video-extensions": "cliproxy.dialects.xai_videos:EXTENSIONS",
    "interactions": "cliproxy.dialects.interactions:DIALECT",
}
_loaded: Final[dict[str, Dialect]] = {}

IMAGES: Final[tuple[DialectId, ...]] = ("openai-images", "openai-image-edits")
"""Dialects that ask for pictures and nothing else."""
VIDEOS: Final[tuple[DialectId, ...]] = ("xai-videos", "xai-video-edits", "xai-video-extensions")
"""Dialects in which a host is asked for films."""
DIALECTS: Final = tuple(name for name in _TABLE if name not in (*IMAGES, *VIDEOS, "openai-videos"))
"""Dialects in which one can converse."""


def get(dialect: str) -> Dialect:
    """Return a dialect by id. Raises `KeyError` for an unknown one."""
    found = _loaded.get(dialect)
    if found is None:
        module, _, name = _TABLE[dialect].partition(":")
        found = cast("Dialect", getattr(import_module(module), name))
        _loaded[dialect] = found
    return found

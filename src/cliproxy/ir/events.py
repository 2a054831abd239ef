"""The answer: a stream of events, and the grammar it obeys.

A *reader* (`dialects/*/read.py`) turns upstream payloads into these; a *writer*
(`dialects/*/write.py`) turns them into client payloads. The grammar, as a reader must emit it:

```
stream  := Start (block | Usage | Preview)* Finish+ Usage* End
         | (Start (block | Usage | Preview)*)? Error
block i := BlockStart(i) delta(i)* BlockStop(i)          i = 0, 1, 2, … in order of first start
```

- `Start` comes first and once. Nothing follows `End` or `Error`.
- Block indices are dense and each is started once. Several blocks may be open at the same time
  (OpenAI interleaves); a writer whose dialect forbids that holds the later ones back
  (`serialise.py`).
- A delta belongs to an open block of the right kind (table `DELTAS`).
- Every block is stopped before the `Finish` of its choice.
- `Usage` is a cumulative snapshot: a later one overwrites field by field.
- There is one `Finish` per choice (`choice` 0 unless the client asked for n > 1).
- A truncated upstream ends in `Error`, never in `Finish`.

`check.py` asserts all of this over any stream; tests run it on every stream they see.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import Struct

from cliproxy.base.errors import GatewayError, Kind
from cliproxy.ir.request import Sig, ToolKind
from cliproxy.ir.usage import IRUsage

BlockKind = Literal[
    "text", "thinking", "redacted", "tool_call", "server_call", "server_result", "image", "audio",
    "refusal", "opaque",
]  # fmt: skip

Reason = Literal[
    "stop", "stop_sequence", "tool_calls", "length", "context_full", "content_filter", "refusal",
    "pause", "malformed_tool",
]  # fmt: skip


class Start(Struct, frozen=True):
    """The upstream began to answer. `model` is the upstream's own name for itself."""

    id: str = ""
    model: str = ""
    created: int = 0
    """Unix seconds; 0 = the upstream did not say."""


class BlockStart(Struct, frozen=True):
    """A block of content opens.

    tool_call: `id` is the call id, `name` is never empty; `server_kind` is what the client's
    dialect calls it, where that is no plain call. server_call: also `server_kind`.
    server_result: `id` is the call's id, `payload` as `request.ServerResult.payload`, `native`
    the issuer's own block. redacted: `signature` holds the data. image/audio: `mime`, data comes
    in `MediaDelta`; `payload` is what is said of the picture (`size`, `quality`, `background`,
    `output_format`, `revised_prompt`, and `url` where its data is elsewhere). opaque: `native`.
    """

    index: int
    kind: BlockKind
    choice: int = 0
    id: str = ""
    name: str = ""
    namespace: str | None = None
    tool_kind: ToolKind = "function"
    server_kind: str = ""
    item_id: str | None = None
    signature: Sig | None = None
    mime: str = ""
    payload: Any = None
    native: Any = None
    dialect: str = ""
    """Dialect of `native`."""
    raw: bool = False
    """Thinking is unsummarised reasoning text."""


class TextDelta(Struct, frozen=True, gc=False):
    """More visible text."""

    index: int
    text: str


class ThinkingDelta(Struct, frozen=True, gc=False):
    """More reasoning text."""

    index: int
    text: str


class ThinkingBreak(Struct, frozen=True, gc=False):
    """A new paragraph (summary part) of the reasoning begins."""

    index: int


class ArgsDelta(Struct, frozen=True, gc=False):
    """More argument text of a tool or server call."""

    index: int
    text: str


class RefusalDelta(Struct, frozen=True, gc=False):
    """More refusal text."""

    index: int
    text: str


class MediaDelta(Struct, frozen=True, gc=False):
    """Base64 data of an image or audio block; one event carries it whole."""

    index: int
    b64: str


class Preview(Struct, frozen=True):
    """A picture as far as it is made: the `number`th sketch of one that is still to come.

    Only where a picture is all that was asked for; `payload` as of the block to come.
    """

    b64: str
    number: int = 0
    payload: Any = None


class Signature(Struct, frozen=True):
    """The final signature of a thinking, text or tool_call block. At most one per block."""

    index: int
    sig: Sig


class Citation(Struct, frozen=True):
    """A source for text of the block.

    `value`: `{"kind": "url", "url", "title"?, "cited_text"?, "start"?, "end"?, "native"?,
    "dialect"?}`; start/end count characters in the block's text. Other kinds (`file`, `document`)
    carry `native`.
    """

    index: int
    value: dict[str, Any]


class BlockStop(Struct, frozen=True, gc=False):
    """The block is complete."""

    index: int


class Usage(Struct, frozen=True):
    """A cumulative snapshot of token counts."""

    usage: IRUsage


class Finish(Struct, frozen=True):
    """The model stopped. `native` is the upstream's own word for why."""

    reason: Reason
    native: str = ""
    stop_sequence: str | None = None
    choice: int = 0
    details: dict[str, Any] | None = None


class Error(Struct, frozen=True):
    """The answer failed after it began (or inside a 200)."""

    status: int
    kind: Kind
    message: str
    code: str | None = None
    retry_after: float | None = None
    param: str | None = None

    @classmethod
    def of(cls, err: GatewayError) -> Error:
        """Turn an exception into the event that reports it."""
        return cls(err.status, err.kind, err.message, err.code, err.retry_after, err.param)


class End(Struct, frozen=True):
    """The upstream closed properly."""


Event = (
    Start
    | BlockStart
    | TextDelta
    | ThinkingDelta
    | ThinkingBreak
    | ArgsDelta
    | RefusalDelta
    | MediaDelta
    | Preview
    | Signature
    | Citation
    | BlockStop
    | Usage
    | Finish
    | Error
    | End
)

DELTAS: Final[dict[type, frozenset[str]]] = {
    TextDelta: frozenset({"text"}),
    ThinkingDelta: frozenset({"thinking"}),
    ThinkingBreak: frozenset({"thinking"}),
    ArgsDelta: frozenset({"tool_call", "server_call"}),
    RefusalDelta: frozenset({"refusal"}),
    MediaDelta: frozenset({"image", "audio"}),
    Signature: frozenset({"thinking", "text", "tool_call"}),
    Citation: frozenset({"text"}),
}
"""Which kinds of block each delta may belong to."""

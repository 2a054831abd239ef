"""Events → finished answer, and back.

A non-stream answer is *always* the fold of the event stream, so that the two can never disagree.
`replay` is the inverse: a finished upstream answer becomes the events it stands for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct, field

from cliproxy.base.errors import UpstreamBroken, UpstreamRefused
from cliproxy.ir.events import (
    ArgsDelta,
    BlockStart,
    BlockStop,
    Citation,
    End,
    Error,
    Event,
    Finish,
    MediaDelta,
    RefusalDelta,
    Signature,
    Start,
    TextDelta,
    ThinkingBreak,
    ThinkingDelta,
    Usage,
)
from cliproxy.ir.request import Sig, ToolKind, args_object
from cliproxy.ir.usage import NOTHING, IRUsage


class Block(Struct):
    """A finished block: its `BlockStart` and everything its deltas added up to."""

    start: BlockStart
    text: str = ""
    """Text, reasoning, arguments, refusal or base64 data, by kind."""
    paragraphs: list[str] = field(default_factory=list)
    """Reasoning only: the summary parts; `text` is their join with a blank line."""
    citations: list[dict[str, Any]] = field(default_factory=list)
    signature: Sig | None = None
    done: bool = False

    @property
    def kind(self) -> str:
        """The kind of block."""
        return self.start.kind


class Answer(Struct):
    """A finished answer. `blocks` are in order of their index, all choices together."""

    start: Start = Start()
    blocks: list[Block] = field(default_factory=list)
    usage: IRUsage = NOTHING
    finishes: dict[int, Finish] = field(default_factory=dict)

    @property
    def finish(self) -> Finish:
        """How choice 0 ended."""
        return self.finishes.get(0) or next(iter(self.finishes.values()), Finish("stop"))

    def of_choice(self, choice: int) -> list[Block]:
        """Return the blocks of one choice."""
        return [b for b in self.blocks if b.start.choice == choice]


class Folder:
    """Accumulates events into an `Answer`; also usable while a stream runs."""

    def __init__(self) -> None:
        self.answer = Answer()
        self.error: Error | None = None
        self.ended = False
        self._parts: dict[int, list[str]] = {}

    def feed(self, event: Event) -> None:
        """Take the next event."""
        answer = self.answer
        match event:
            case TextDelta() | ArgsDelta() | RefusalDelta() | ThinkingDelta():
                self._parts[event.index].append(event.text)
            case MediaDelta():
                self._parts[event.index].append(event.b64)
            case BlockStart():
                answer.blocks.append(Block(event, signature=event.signature))
                self._parts[event.index] = []
            case BlockStop():
                self._close(event.index)
            case ThinkingBreak():
                self._paragraph(event.index)
            case Signature():
                answer.blocks[event.index].signature = event.sig
            case Citation():
                answer.blocks[event.index].citations.append(event.value)
            case Usage():
                answer.usage = answer.usage.merge(event.usage)
            case Finish():
                answer.finishes[event.choice] = event
            case Start():
                answer.start = event
            case Error():
                self.error = event
            case End():
                self.ended = True

    def _paragraph(self, index: int) -> None:
        # A paragraph without a word is none: two breaks in a row are one.
        if text := "".join(self._parts[index]):
            self.answer.blocks[index].paragraphs.append(text)
        self._parts[index].clear()

    def _close(self, index: int) -> None:
        block = self.answer.blocks[index]
        text = "".join(self._parts[index])
        if block.start.kind == "thinking":
            self._paragraph(index)
            text = "\n\n".join(block.paragraphs)
        block.text = text
        block.done = True

    def result(self) -> Answer:
        """Return the answer. Raises the stream's error, or `UpstreamBroken` if it was cut."""
        if self.error is not None:
            raise to_exception(self.error)
        if not self.ended:
            raise UpstreamBroken("The upstream's answer stopped before its end.")
        return self.answer


def to_exception(error: Error) -> UpstreamRefused:
    """Turn an in-stream error into the exception it would have been before the stream."""
    return UpstreamRefused(
        error.message,
        status=error.status,
        kind=error.kind,
        code=error.code,
        param=error.param,
        retry_after=error.retry_after,
        next_account=error.status in (401, 402, 403, 408, 429) or error.status >= 500,
    )


def fold(events: Iterable[Event]) -> Answer:
    """Fold a whole stream. Raises as `Folder.result` does."""
    folder = Folder()
    for event in events:
        folder.feed(event)
    return folder.result()


def call_args(text: str, kind: ToolKind) -> dict[str, Any]:
    """Return a call's arguments for a dialect that has them as an object.

    Freeform input becomes a string in one. Where the model wrote no object, the client sees what
    it wrote.
    """
    if kind == "custom":
        return {"input": text}
    value = args_object(text)
    return {"_raw": text} if value is None else value


def replay(answer: Answer) -> Iterator[Event]:
    """Yield the events a finished answer stands for; `fold(replay(a))` equals `a`."""
    yield answer.start
    for index, block in enumerate(answer.blocks):
        start = block.start
        if start.index != index:
            raise ValueError(f"block {index} carries index {start.index}")
        yield start
        yield from _deltas(index, block)
        yield BlockStop(index)
    if answer.usage != NOTHING:
        yield Usage(answer.usage)
    yield from answer.finishes.values()
    yield End()


def _deltas(index: int, block: Block) -> Iterator[Event]:
    match block.start.kind:
        case "text":
            if block.text:
                yield TextDelta(index, block.text)
        case "thinking":
            for n, paragraph in enumerate(block.paragraphs or ([block.text] if block.text else [])):
                if n:
                    yield ThinkingBreak(index)
                yield ThinkingDelta(index, paragraph)
        case "tool_call" | "server_call":
            if block.text:
                yield ArgsDelta(index, block.text)
        case "refusal":
            if block.text:
                yield RefusalDelta(index, block.text)
        case "image" | "audio":
            yield MediaDelta(index, block.text)
        case _:
            pass
    for citation in block.citations:
        yield Citation(index, citation)
    if block.signature is not None and block.signature != block.start.signature:
        yield Signature(index, block.signature)

"""Reasoning that a client's dialect has no place for, given back when its turn comes back.

Chat Completions carries no signed reasoning, yet a model that called a tool wants to see, with the
result, what it thought when it called. It is remembered here by the ids of the calls, for the
client that got them, and put back into the history that names those ids.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from msgspec import Struct, field, structs

from cliproxy.ir.events import BlockStart, Event, Signature, ThinkingBreak, ThinkingDelta
from cliproxy.ir.fold import Answer
from cliproxy.ir.request import IRRequest, Message, Part, Sig, Thinking, ToolCall

WITHOUT: Final = frozenset({"openai-chat"})
"""Dialects whose clients send no signatures back."""
DEFAULT_BYTES: Final = 16 * 1024 * 1024
_OVERHEAD: Final = 400
_BREAK: Final = "\n\n"


class _Turn(Struct):
    thoughts: tuple[Thinking, ...]
    size: int


class Ledger:
    """Remembers the reasoning before tool calls within a number of bytes, the latest longest."""

    def __init__(self, max_bytes: int = DEFAULT_BYTES) -> None:
        self._max = max_bytes
        self._bytes = 0
        self._turns: OrderedDict[tuple[str, str], _Turn] = OrderedDict()

    def remember(self, client: str, calls: Iterable[str], thoughts: Iterable[Thinking]) -> None:
        """Keep what was thought before these calls, if anybody signed it."""
        kept = tuple(t for t in thoughts if t.signature is not None)
        first = next(iter(calls), None)
        if first is None or not kept:
            return
        size = _OVERHEAD + sum(
            len(t.text) + len(t.signature.value if t.signature else "") for t in kept
        )
        self._forget((client, first))
        self._turns[client, first] = _Turn(kept, size)
        self._bytes += size
        while self._bytes > self._max and self._turns:
            self._forget(next(iter(self._turns)))

    def restore(self, client: str, asked: IRRequest) -> IRRequest:
        """Return the request with the remembered reasoning before the calls it led to."""
        if not self._turns:
            return asked
        messages = list(asked.messages)
        changed = False
        for number, message in enumerate(messages):
            if message.role != "assistant":
                continue
            found = self._recall(client, message)
            if found is not None:
                rest = (p for p in message.parts if not isinstance(p, Thinking))
                messages[number] = structs.replace(message, parts=(*found, *rest))
                changed = True
        return structs.replace(asked, messages=tuple(messages)) if changed else asked

    def adopt(self, other: Ledger) -> None:
        """Take over what another ledger holds."""
        self._turns, self._bytes = other._turns, other._bytes

    def _recall(self, client: str, message: Message) -> tuple[Part, ...] | None:
        for part in message.parts:
            if isinstance(part, Thinking) and part.signature is not None:
                return None
        for part in message.parts:
            if isinstance(part, ToolCall):
                turn = self._turns.get((client, part.id))
                if turn is not None:
                    self._turns.move_to_end((client, part.id))
                    return turn.thoughts
                return None
        return None

    def _forget(self, key: tuple[str, str]) -> None:
        turn = self._turns.pop(key, None)
        if turn is not None:
            self._bytes -= turn.size


class _Thought(Struct):
    start: BlockStart
    pieces: list[str] = field(default_factory=list)
    signature: Sig | None = None

    def whole(self) -> Thinking:
        """Return the reasoning as history has it."""
        return Thinking(
            "".join(self.pieces),
            self.signature or self.start.signature,
            redacted=self.start.kind == "redacted",
            item_id=self.start.item_id,
            raw=self.start.raw,
        )


class Listener:
    """Hears a stream of events and tells the ledger of each call at once.

    The client may answer a call before it saw the end.
    """

    def __init__(self, ledger: Ledger, client: str) -> None:
        self._ledger = ledger
        self._client = client
        self._thoughts: dict[int, _Thought] = {}
        self._calls: list[str] = []

    def hear(self, events: list[Event]) -> list[Event]:
        """Take note of what was thought and called; return the events."""
        thoughts = self._thoughts
        for event in events:
            match event:
                case ThinkingDelta() if event.index in thoughts:
                    thoughts[event.index].pieces.append(event.text)
                case ThinkingBreak() if event.index in thoughts:
                    thoughts[event.index].pieces.append(_BREAK)
                case Signature() if event.index in thoughts:
                    thoughts[event.index].signature = event.sig
                case BlockStart(kind="thinking" | "redacted"):
                    thoughts[event.index] = _Thought(event)
                case BlockStart(kind="tool_call"):
                    self._calls.append(event.id)
                    told = [thought.whole() for thought in thoughts.values()]
                    self._ledger.remember(self._client, self._calls, told)
                case _:
                    pass
        return events


def hear_whole(ledger: Ledger, client: str, answer: Answer) -> None:
    """Take note of a whole answer."""
    thoughts = [
        Thinking(
            block.text,
            block.signature or block.start.signature,
            redacted=block.kind == "redacted",
            paragraphs=tuple(block.paragraphs),
            item_id=block.start.item_id,
            raw=block.start.raw,
        )
        for block in answer.blocks
        if block.kind in ("thinking", "redacted")
    ]
    calls = [block.start.id for block in answer.blocks if block.kind == "tool_call"]
    ledger.remember(client, calls, thoughts)

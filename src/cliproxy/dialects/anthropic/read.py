"""A Messages answer, streamed or whole → IR events. The inverse is `write.py`.

State is keyed by the block's `index`. Blocks come strictly one after another from Anthropic
itself; compatible hosts that leave one open or skip an index are tolerated.
"""

from __future__ import annotations

from typing import Final

from cliproxy.base import ids, json
from cliproxy.base.json import Json, Obj
from cliproxy.dialects.anthropic import citations, errors, server_tools, usage
from cliproxy.dialects.anthropic.wire import STOP_REASONS
from cliproxy.ir.caps import Caps
from cliproxy.ir.envelope import unwrap
from cliproxy.ir.events import (
    ArgsDelta,
    BlockKind,
    BlockStart,
    BlockStop,
    Citation,
    End,
    Error,
    Event,
    Finish,
    Reason,
    Signature,
    Start,
    TextDelta,
    ThinkingDelta,
    Usage,
)
from cliproxy.ir.request import Family, Sig

_BROKEN: Final = "The upstream's answer stopped before its end."


class AnthropicReader:
    """Reads one answer."""

    def __init__(self, caps: Caps) -> None:
        self._family: Family = caps.family if caps.family != "unknown" else "claude"
        self._started = False
        self._over = False
        self._next = 0
        self._open: dict[int, _Block] = {}
        self._usage: Obj = {}
        self._reason: str | None = None
        self._sequence: str | None = None
        self._details: Obj | None = None
        self._calls = 0
        self._produced = False

    # ---- streams ------------------------------------------------------------------------------
    def feed(self, data: bytes, event: str = "") -> list[Event]:
        """Take the payload of one SSE event."""
        if self._over:
            return []
        value = json.loads_object(data)
        if value is None:
            return self._unreadable(data)
        kind = value.get("type") or event
        match kind:
            case "content_block_delta":
                return self._delta(value)
            case "content_block_start":
                return [*self._begin(value), *self._block_start(value)]
            case "content_block_stop":
                return self._block_stop(value.get("index"))
            case "message_start":
                return self._message_start(value)
            case "message_delta":
                return [*self._begin(value), *self._message_delta(value)]
            case "message_stop":
                return [*self._begin(value), *self._end()]
            case "error":
                return self._fail(errors.read_event(value))
            case "message":
                # The whole message as the only event of a stream.
                return self.whole(data)
            case _:
                if value.get("error"):
                    return self._fail(errors.read_event({"type": "error", **value}))
                return []  # ping, and kinds of the future

    def close(self) -> list[Event]:
        """Say that the upstream closed."""
        if self._over:
            return []
        if self._reason is not None:
            # Everything was said; only the farewell is missing.
            return self._end()
        return self._fail(Error(502, "server", _BROKEN, "upstream_broken"))

    def _unreadable(self, data: bytes) -> list[Event]:
        if data.strip() in (b"", b"[DONE]"):
            return []
        if self._started:
            return []  # one damaged event must not end an answer that otherwise goes on
        return self._fail(
            Error(502, "server", "The upstream's first event is not valid JSON.", "upstream_broken")
        )

    def _fail(self, error: Error) -> list[Event]:
        self._over = True
        return [error]

    def _begin(self, value: Obj) -> list[Event]:
        return [] if self._started else self._message_start(value)

    def _message_start(self, value: Obj) -> list[Event]:
        message = value.get("message")
        message = message if isinstance(message, dict) else {}
        usage.merge(self._usage, message.get("usage"))
        if self._started:
            return []
        self._started = True
        out: list[Event] = [Start(_str(message.get("id")), _str(message.get("model")))]
        seen = usage.usage_from(self._usage)
        if seen.known:
            out.append(Usage(seen))
        return out

    def _block_start(self, value: Obj) -> list[Event]:
        wire = value.get("content_block")
        number = value.get("index")
        if not isinstance(wire, dict) or not isinstance(number, int):
            return []
        out: list[Event] = []
        if number in self._open:
            again = wire.get("id")
            if again and again == self._open[number].start.id:
                return []
            out += self._block_stop(number)
        return out + self._open_block(number, wire)

    def _open_block(self, number: int, wire: Obj) -> list[Event]:
        block = _opened(wire, self._next, self._family)
        self._next += 1
        self._open[number] = block
        kind = block.start.kind
        self._produced = self._produced or kind not in ("thinking", "redacted")
        if kind == "tool_call":
            self._calls += 1
        out: list[Event] = [block.start]
        index = block.start.index
        match kind:
            case "text":
                if text := _str(wire.get("text")):
                    out.append(TextDelta(index, text))
                given = wire.get("citations")
                found = given if isinstance(given, list) else []
                out.extend(Citation(index, citations.read(item)) for item in found)
            case "thinking":
                if text := _str(wire.get("thinking")):
                    out.append(ThinkingDelta(index, text))
                block.signature = _str(wire.get("signature"))
            case "tool_call" | "server_call":
                # A filled `input` at the start is used only when no fragments follow.
                block.input = wire.get("input")
            case _:
                pass
        return out

    def _delta(self, value: Obj) -> list[Event]:
        delta = value.get("delta")
        number = value.get("index")
        if not isinstance(delta, dict) or not isinstance(number, int):
            return []
        block = self._open.get(number)
        kind = delta.get("type")
        if block is None:
            guessed = _GUESS.get(_str(kind))
            if guessed is None:
                return []
            out = self._begin(value) + self._open_block(number, {"type": guessed})
            return out + self._delta(value)
        index = block.start.index
        match kind, block.start.kind:
            case "text_delta", "text":
                text = _str(delta.get("text"))
                return [TextDelta(index, text)] if text else []
            case "input_json_delta", "tool_call" | "server_call":
                text = _str(delta.get("partial_json"))
                if not text:
                    return []
                block.fragments = True
                return [ArgsDelta(index, text)]
            case "thinking_delta", "thinking":
                text = _str(delta.get("thinking"))
                return [ThinkingDelta(index, text)] if text else []
            case "signature_delta", "thinking":
                # Compatible hosts send it in pieces, or twice: the last whole value counts.
                block.signature = _str(delta.get("signature")) or block.signature
                return []
            case "citations_delta", "text":
                return [Citation(index, citations.read(delta.get("citation")))]
            case _:
                return []

    def _block_stop(self, number: Json) -> list[Event]:
        block = self._open.pop(number, None) if isinstance(number, int) else None
        if block is None:
            return []
        return _closed(block, self._family)

    def _message_delta(self, value: Obj) -> list[Event]:
        delta = value.get("delta")
        if isinstance(delta, dict):
            self._reason = _str(delta.get("stop_reason")) or self._reason
            self._sequence = _str(delta.get("stop_sequence")) or self._sequence
            if isinstance(details := delta.get("stop_details"), dict):
                self._details = details
        usage.merge(self._usage, value.get("usage"))
        seen = usage.usage_from(self._usage)
        return [Usage(seen)] if seen.known else []

    def _end(self) -> list[Event]:
        out: list[Event] = []
        for number in list(self._open):
            out += self._block_stop(number)
        self._over = True
        seen = usage.usage_from(self._usage)
        if self._reason is None:
            return [*out, Error(502, "server", _BROKEN, "upstream_broken")]
        reason = self._ir_reason()
        if (
            not self._produced
            and reason == "stop"
            and (seen.output_total or 0) > 1
            and not self._next
        ):
            return [
                *out,
                Error(
                    502,
                    "server",
                    f"The upstream counted {seen.output_total} output tokens and sent nothing.",
                    "upstream_broken",
                ),
            ]
        return [
            *out,
            Finish(reason, self._reason, self._sequence, details=self._details),
            End(),
        ]

    def _ir_reason(self) -> Reason:
        reason = STOP_REASONS.get(self._reason or "", "stop")
        if reason == "tool_calls" and not self._calls:
            return "stop"
        if reason == "stop" and self._calls:
            return "tool_calls"
        return reason

    # ---- whole answers ------------------------------------------------------------------------
    def whole(self, body: bytes) -> list[Event]:
        """Read a complete message."""
        value = json.loads_object(body)
        if value is None:
            return self._fail(
                Error(
                    502, "server", "The upstream's answer is not a JSON object.", "upstream_broken"
                )
            )
        if value.get("type") == "error" or (value.get("error") and "content" not in value):
            return self._fail(errors.read_event({**value, "type": "error"}))
        content = value.get("content")
        if not isinstance(content, list):
            return self._fail(
                Error(502, "server", "The upstream's answer has no content.", "upstream_broken")
            )
        out = self._message_start({"message": value})
        for number in list(self._open):
            out += self._block_stop(number)
        for number, wire in enumerate(content):
            if isinstance(wire, dict):
                out += self._open_block(number, wire)
                out += self._block_stop(number)
        self._reason = _str(value.get("stop_reason")) or "end_turn"
        self._sequence = _str(value.get("stop_sequence")) or None
        if isinstance(details := value.get("stop_details"), dict):
            self._details = details
        return out + self._end()


class _Block:
    """An open block."""

    __slots__ = ("fragments", "input", "signature", "start")

    def __init__(self, start: BlockStart) -> None:
        self.start = start
        self.signature = ""
        self.input: Json = None
        self.fragments = False


_GUESS: Final = {"text_delta": "text", "thinking_delta": "thinking"}


def _opened(wire: Obj, index: int, family: Family) -> _Block:
    kind = _str(wire.get("type"))
    start = BlockStart(index, _KINDS.get(kind, "opaque"))
    match kind:
        case "tool_use":
            start = BlockStart(
                index,
                "tool_call",
                id=_str(wire.get("id")) or f"toolu_{ids.token()}",
                name=_str(wire.get("name")) or "unknown",
            )
        case "server_tool_use" | "mcp_tool_use":
            name = _str(wire.get("name")) or kind
            start = BlockStart(
                index,
                "server_call",
                id=_str(wire.get("id")) or f"srvtoolu_{ids.token()}",
                name=name,
                namespace=_str(wire.get("server_name")) or None,
                server_kind=server_tools.kind_of(name) if kind == "server_tool_use" else "mcp",
                native={k: v for k, v in wire.items() if k != "input"},
                dialect="anthropic",
            )
        case "redacted_thinking":
            data = _str(wire.get("data"))
            start = BlockStart(index, "redacted", signature=unwrap(data, family) if data else None)
        case _ if kind.endswith("_tool_result"):
            start = BlockStart(
                index,
                "server_result",
                id=_str(wire.get("tool_use_id")),
                server_kind=server_tools.kind_of(kind),
                payload=server_tools.payload_of(wire),
                native=wire,
                dialect="anthropic",
            )
        case "text" | "thinking":
            pass
        case _:
            start = BlockStart(index, "opaque", native=wire, dialect="anthropic")
    return _Block(start)


_KINDS: Final[dict[str, BlockKind]] = {"text": "text", "thinking": "thinking"}


def _closed(block: _Block, family: Family) -> list[Event]:
    index = block.start.index
    out: list[Event] = []
    if block.input and not block.fragments:
        out.append(ArgsDelta(index, json.dumps_str(block.input)))
    if block.signature:
        sig: Sig = unwrap(block.signature, family)
        out.append(Signature(index, sig))
    out.append(BlockStop(index))
    return out


def _str(value: Json) -> str:
    return value if isinstance(value, str) else ""

"""IR events → a Messages answer, streamed (`AnthropicWriter`) or whole (`render`).

Blocks go out strictly one after another. `message_delta` and `message_stop` are held until the
stream has ended, so that late usage is still in the one `message_delta`. What this wire has no
block for (pictures and sound made by the model) is left out.

A signature that belongs to a tool call or to visible text (Gemini signs those) has no place on
this wire; it travels in a thinking block without text (`carry.py`), just before the call or just
after the text, wrapped so that `parse` puts it back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cliproxy.base import ids, json
from cliproxy.base.json import Obj
from cliproxy.dialects.anthropic import citations, errors, server_tools, usage
from cliproxy.dialects.anthropic.carry import carried
from cliproxy.dialects.anthropic.wire import REASONS
from cliproxy.dialects.sse import COMMENT, named_frame
from cliproxy.ir.envelope import for_dialect
from cliproxy.ir.events import (
    ArgsDelta,
    BlockStart,
    BlockStop,
    Citation,
    End,
    Error,
    Event,
    Finish,
    RefusalDelta,
    Signature,
    Start,
    TextDelta,
    ThinkingBreak,
    ThinkingDelta,
    Usage,
)
from cliproxy.ir.fold import Answer, Block, call_args
from cliproxy.ir.names import safe_id
from cliproxy.ir.request import IRRequest, Sig
from cliproxy.ir.serialise import Serialiser
from cliproxy.ir.usage import NOTHING

_PING: Final = named_frame(b"ping", b'{"type":"ping"}')
_STOP: Final = named_frame(b"message_stop", b'{"type":"message_stop"}')
_DELTA: Final = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,'
    b'"delta":{"type":"%s","%s":%s}}\n\n'
)
"""Every streamed token goes through this: only the text itself is encoded anew."""


class AnthropicWriter:
    """Writes one streaming answer."""

    def __init__(self, req: IRRequest) -> None:
        self._model = req.model
        self._serial = Serialiser()
        self._start: Start | None = None
        self._announced = False
        self._usage = NOTHING
        self._finish: Finish | None = None
        self._next = 0
        self._index: int | None = None
        """Wire index of the open block; None while a block is open that is not shown."""
        self._block: BlockStart | None = None
        self._text: list[str] = []
        self._cited = citations.Cited()
        self._sig: Sig | None = None
        self._break = False
        """A paragraph of reasoning ended; what parts it from the next is due if one comes."""
        self._calls = 0
        self._called: set[str] = set()
        """Calls of the provider's tools that were shown."""
        self._refused = False
        self._over = False

    def feed(self, events: Sequence[Event]) -> bytes:
        """Return the frames of these events."""
        out: list[bytes] = []
        for event in self._serial.feed(events):
            match event:
                case TextDelta():
                    self._text.append(event.text)
                    self._delta(out, b"text_delta", b"text", event.text)
                case ArgsDelta():
                    self._args(out, event.text)
                case ThinkingDelta():
                    self._think(out, event.text)
                case ThinkingBreak():
                    self._break = bool(self._text)
                case BlockStart():
                    self._open(out, event)
                case BlockStop():
                    self._close(out)
                case Signature():
                    self._sig = event.sig
                case Citation():
                    self._cite(out, event)
                case RefusalDelta():
                    self._delta(out, b"text_delta", b"text", event.text)
                case Usage():
                    self._usage = self._usage.merge(event.usage)
                case Start():
                    self._start = event
                case Finish():
                    if self._finish is None or not event.choice:
                        self._finish = event
                case Error():
                    out.append(errors.stream_error(event))
                    self._over = True
                case End():
                    self._end(out)
                case _:
                    pass  # pictures and sound: no block for them here
        return b"".join(out)

    def ping(self) -> bytes:
        """Return a keep-alive."""
        return _PING if self._announced else COMMENT

    def _announce(self, out: list[bytes]) -> None:
        if self._announced:
            return
        self._announced = True
        start = self._start or Start()
        message: Obj = {
            "id": ids.with_prefix("msg_", start.id),
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage.usage_to(self._usage),
        }
        out.append(_frame("message_start", {"type": "message_start", "message": message}))

    def _open(self, out: list[bytes], start: BlockStart) -> None:
        self._announce(out)
        self._block = start
        self._text = []
        self._cited = citations.Cited()
        self._break = False
        self._sig = start.signature
        if start.choice:
            self._index = None
            return
        if start.kind == "tool_call":
            self._calls += 1
            if start.signature is not None:
                self._carrier(out, carried(start.signature, after=False))
                self._sig = None
        if start.kind == "refusal":
            self._refused = True
        wire = _block_start(start, self._called)
        if wire is None:
            self._index = None
            return
        self._begin(out, wire)

    @property
    def _freeform(self) -> bool:
        return self._block is not None and self._block.tool_kind == "custom"

    def _begin(self, out: list[bytes], wire: Obj) -> None:
        self._index = self._next
        self._next += 1
        event = {"type": "content_block_start", "index": self._index, "content_block": wire}
        out.append(_frame("content_block_start", event))

    def _delta(self, out: list[bytes], kind: bytes, field: bytes, text: str) -> None:
        if self._index is not None:
            out.append(_DELTA % (self._index, kind, field, json.dumps(text)))

    def _args(self, out: list[bytes], text: str) -> None:
        if self._freeform:
            # Input here is an object: the text is a string in it, which can be written in pieces.
            if text:
                head = "" if self._text else '{"input":"'
                self._text.append(text)
                piece = head + json.dumps_str(text)[1:-1]
                self._delta(out, b"input_json_delta", b"partial_json", piece)
            return
        if not self._text:
            # Arguments of white space only are no arguments; clients would fail to parse them.
            text = text.lstrip(" \t\r\n")
        if text:
            self._text.append(text)
            self._delta(out, b"input_json_delta", b"partial_json", text)

    def _think(self, out: list[bytes], text: str) -> None:
        if self._break:
            text = "\n\n" + text
            self._break = False
        self._text.append(text)
        self._delta(out, b"thinking_delta", b"thinking", text)

    def _close(self, out: list[bytes]) -> None:
        if self._index is None or self._block is None:
            return
        kind = self._block.kind
        if self._freeform:
            end = '"}' if self._text else '{"input":""}'
            self._delta(out, b"input_json_delta", b"partial_json", end)
        elif kind == "thinking":
            value = for_dialect(self._sig, "claude")
            self._delta(out, b"signature_delta", b"signature", value)
        self._stop(out)
        if kind in ("text", "tool_call") and self._sig is not None:
            self._carrier(out, carried(self._sig, after=True))
        self._index = None

    def _stop(self, out: list[bytes]) -> None:
        event = {"type": "content_block_stop", "index": self._index}
        out.append(_frame("content_block_stop", event))

    def _carrier(self, out: list[bytes], signature: str) -> None:
        self._begin(out, {"type": "thinking", "thinking": "", "signature": ""})
        self._delta(out, b"signature_delta", b"signature", signature)
        self._stop(out)
        self._index = None

    def _cite(self, out: list[bytes], event: Citation) -> None:
        wire = self._cited.write(event.value, "".join(self._text))
        if wire is not None and self._index is not None:
            delta = {"type": "citations_delta", "citation": wire}
            value = {"type": "content_block_delta", "index": self._index, "delta": delta}
            out.append(_frame("content_block_delta", value))

    def _end(self, out: list[bytes]) -> None:
        if self._over:
            return
        self._over = True
        self._announce(out)
        finish = self._finish or Finish("stop")
        delta = _stop_fields(finish, calls=self._calls, refused=self._refused)
        event = {"type": "message_delta", "delta": delta}
        event["usage"] = usage.usage_to(self._usage, whole=False)
        out += (_frame("message_delta", event), _STOP)


def _frame(event: str, value: Obj) -> bytes:
    return named_frame(event.encode(), json.dumps(value))


def _stop_fields(finish: Finish, *, calls: int, refused: bool) -> Obj:
    reason = REASONS[finish.reason]
    if reason == "tool_use" and not calls:
        reason = "end_turn"
    if reason == "end_turn" and refused:
        reason = "refusal"
    fields: Obj = {"stop_reason": reason, "stop_sequence": None}
    if finish.reason == "stop_sequence":
        fields["stop_sequence"] = finish.stop_sequence
    if reason == "refusal" and finish.details and finish.details.get("type") == "refusal":
        fields["stop_details"] = finish.details
    return fields


def _block_start(start: BlockStart, called: set[str]) -> Obj | None:
    """Return the `content_block` of a start event, None for what this wire cannot show.

    `called` collects the provider's calls that are shown: results of others have no place.
    """
    match start.kind:
        case "text" | "refusal":
            return {"type": "text", "text": ""}
        case "thinking":
            return {"type": "thinking", "thinking": "", "signature": ""}
        case "redacted":
            data = for_dialect(start.signature, "claude") if start.signature else ""
            return {"type": "redacted_thinking", "data": data} if data else None
        case "tool_call":
            return {"type": "tool_use", "id": safe_id(start.id), "name": start.name, "input": {}}
        case "server_call":
            if start.dialect == "anthropic" and isinstance(start.native, dict):
                return {**start.native, "input": {}}
            wire = server_tools.call(start.server_kind, start.id, start.name, start.namespace)
            if wire is not None:
                called.add(start.id)
            return wire
        case "server_result":
            if start.dialect == "anthropic" and isinstance(start.native, dict):
                return start.native
            if start.id not in called and start.server_kind != "web_search":
                return None
            return server_tools.result(start.server_kind, start.id, start.payload)
        case "opaque":
            if start.dialect == "anthropic" and isinstance(start.native, dict):
                return start.native
            return None
        case _:
            return None


# ---- whole answers ------------------------------------------------------------------------------
def render(answer: Answer, req: IRRequest) -> bytes:
    """Write a whole message."""
    content: list[Obj] = []
    blocks = answer.of_choice(0)
    called: set[str] = set()
    for block in blocks:
        content += _whole_block(block, called)
    calls = sum(1 for b in blocks if b.kind == "tool_call")
    refused = any(b.kind == "refusal" for b in blocks)
    message: Obj = {
        "id": ids.with_prefix("msg_", answer.start.id),
        "type": "message",
        "role": "assistant",
        "model": req.model,
        "content": content,
        **_stop_fields(answer.finish, calls=calls, refused=refused),
        "usage": usage.usage_to(answer.usage),
    }
    return json.dumps(message)


def _whole_block(block: Block, called: set[str]) -> list[Obj]:
    wire = _block_start(block.start, called)
    if wire is None:
        return []
    sig = block.signature
    match block.kind:
        case "text" | "refusal":
            wire["text"] = block.text
            write = citations.Cited().write
            cited = [c for v in block.citations if (c := write(v, block.text))]
            if cited:
                wire["citations"] = cited
        case "thinking":
            wire["thinking"] = block.text
            wire["signature"] = for_dialect(sig, "claude")
            return [wire]
        case "tool_call" | "server_call":
            wire["input"] = call_args(block.text, block.start.tool_kind)
        case _:
            pass
    if sig is None or block.kind not in ("text", "tool_call"):
        return [wire]
    before = block.start.signature is not None and block.kind == "tool_call"
    carrier: Obj = {"type": "thinking", "thinking": "", "signature": carried(sig, after=not before)}
    return [carrier, wire] if before else [wire, carrier]

"""IR events → a Responses answer, streamed (`ResponsesWriter`) or whole (`render`).

Items go out strictly one after another. Neighbouring text blocks share one message item. The
terminal event waits for the end of the stream, so that late usage is in it, and repeats exactly
the items that were announced as done. The whole answer is what that terminal event would hold.

Signatures leave as `encrypted_content`; a foreign one is wrapped. A tool call's own signature
(Gemini) travels in a reasoning item without text just before it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Final

from cliproxy.base import ids, json
from cliproxy.base.json import Json, Obj
from cliproxy.dialects.openai_responses import carry, errors
from cliproxy.dialects.openai_responses.snapshot import base, message_item, text_part
from cliproxy.dialects.openai_responses.usage import usage_to
from cliproxy.dialects.openai_responses.wire import CALL_ID_LIMIT
from cliproxy.dialects.sse import COMMENT, named_frame
from cliproxy.ir.envelope import for_dialect, redacted
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
from cliproxy.ir.fold import Answer, replay
from cliproxy.ir.names import safe_id
from cliproxy.ir.request import IRRequest, Sig, args_object
from cliproxy.ir.serialise import Serialiser
from cliproxy.ir.usage import IRUsage

_TEXT: Final = (
    b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta",'
    b'"item_id":"%s","output_index":%d,"content_index":%d,"delta":%s,"logprobs":[],'
    b'"sequence_number":%d}\n\n'
)
_ARGS: Final = (
    b'event: response.function_call_arguments.delta\n'
    b'data: {"type":"response.function_call_arguments.delta",'
    b'"item_id":"%s","output_index":%d,"delta":%s,"sequence_number":%d}\n\n'
)  # fmt: skip
"""Every streamed token goes through one of these: only the text itself is encoded anew."""

_INCOMPLETE: Final = {
    "length": "max_output_tokens",
    "context_full": "max_output_tokens",
    "content_filter": "content_filter",
}


class ResponsesWriter:
    """Writes one answer."""

    def __init__(self, req: IRRequest, *, quiet: bool = False) -> None:
        self._req = req
        self._quiet = quiet
        """Only the final snapshot is wanted (`render`)."""
        self._serial = Serialiser()
        self._out: list[bytes] = []
        self._sequence = 0
        self._snapshot: Obj | None = None
        self._start = Start()
        self._usage = IRUsage()
        self._finish: Finish | None = None
        self._items: list[Obj] = []
        self._block: BlockStart | None = None
        self._pieces: list[str] = []
        self._sig: Sig | None = None
        # The open message item, if there is one.
        self._message_id = ""
        self._content: list[Obj] = []
        self._text: list[str] = []
        self._text_length = 0
        self._text_base = 0
        """Where in the part the current block of text begins."""
        self._annotations: list[Obj] = []
        self._part_open = False
        # The open item that is not a message.
        self._item_id = ""
        self._ids: set[str] = set()
        self._paragraphs: list[str] = []
        self._over = False

    def feed(self, events: Sequence[Event]) -> bytes:
        """Return the frames of these events."""
        for event in self._serial.feed(events):
            match event:
                case TextDelta():
                    self._text_delta(event.text)
                case ArgsDelta():
                    self._args_delta(event.text)
                case ThinkingDelta():
                    self._thinking_delta(event.text)
                case ThinkingBreak():
                    self._close_paragraph()
                case BlockStart():
                    self._open(event)
                case BlockStop():
                    self._close()
                case Signature():
                    self._sig = event.sig
                case Citation():
                    self._cite(event)
                case RefusalDelta():
                    self._refusal_delta(event.text)
                case MediaDelta():
                    self._pieces.append(event.b64)
                case Usage():
                    self._usage = self._usage.merge(event.usage)
                case Start():
                    self._start = event
                case Finish():
                    if self._finish is None or not event.choice:
                        self._finish = event
                case Error():
                    self._failed(event)
                case End():
                    self._end()
        data = b"".join(self._out)
        self._out.clear()
        return data

    def ping(self) -> bytes:
        """Return a keep-alive; this dialect knows only comments."""
        return COMMENT

    def final(self) -> Obj:
        """Return the finished response object."""
        assert self._snapshot is not None
        return self._snapshot

    # ---- frames -------------------------------------------------------------------------------
    def _emit(self, kind: str, **fields: Json) -> None:
        if self._quiet:
            return
        event = {"type": kind, **fields, "sequence_number": self._sequence}
        self._sequence += 1
        self._out.append(named_frame(kind.encode(), json.dumps(event)))

    def _announce(self) -> Obj:
        if self._snapshot is None:
            created = self._start.created or int(time.time())  # noqa: TID251  # a label, not a clock
            response_id = ids.with_prefix("resp_", self._start.id)
            self._snapshot = base(self._req, response_id, created)
            self._emit("response.created", response=self._snapshot)
            self._emit("response.in_progress", response=self._snapshot)
        return self._snapshot

    def _add(self, item: Obj) -> None:
        self._emit("response.output_item.added", output_index=len(self._items), item=item)

    def _done(self, item: Obj) -> None:
        self._emit("response.output_item.done", output_index=len(self._items), item=item)
        self._items.append(item)

    def _fresh(self, prefix: str, known: str | None) -> str:
        """Return the upstream's id of an item if it can be one here, else a new one."""
        if not known or not known.startswith(prefix) or known in self._ids:
            known = f"{prefix}{ids.token()}"
        self._ids.add(known)
        return known

    @property
    def _at(self) -> int:
        return len(self._items)

    # ---- blocks -------------------------------------------------------------------------------
    def _open(self, start: BlockStart) -> None:
        self._announce()
        self._block = start
        self._pieces = []
        self._sig = start.signature
        if start.kind not in ("text", "refusal"):
            self._close_message()
        match start.kind:
            case "text":
                self._begin_text()
            case "refusal":
                self._begin_message()
                self._close_part()
                self._emit_part({"type": "refusal", "refusal": ""})
            case "thinking":
                self._item_id = self._fresh("rs_", start.item_id)
                self._paragraphs = []
                self._add(_reasoning(self._item_id, [], None, "in_progress"))
            case "redacted":
                if start.signature is not None:
                    self._sealed(redacted(start.signature, "gpt"))
            case "tool_call":
                self._begin_call(start)
            case _:
                pass

    def _close(self) -> None:
        start = self._block
        if start is None:
            return
        match start.kind:
            case "text":
                if self._sig is not None:
                    self._close_message()
                    self._sealed(carry.after(self._sig))
            case "refusal":
                self._close_refusal()
            case "thinking":
                self._close_paragraph()
                summary = [{"type": "summary_text", "text": text} for text in self._paragraphs]
                encrypted = for_dialect(self._sig, "gpt")
                self._done(_reasoning(self._item_id, summary, encrypted, "completed"))
            case "tool_call":
                self._close_call(start)
            case "server_call":
                self._server_call(start)
            case "image":
                self._image(start)
            case "opaque":
                if start.dialect == "openai-responses" and isinstance(start.native, dict):
                    self._native(start.native)
            case _:
                pass  # results of hidden server tools, sound: no item here
        self._block = None

    # ---- messages -----------------------------------------------------------------------------
    def _begin_message(self) -> None:
        if self._message_id:
            return
        self._message_id = f"msg_{ids.token()}"
        self._content = []
        self._add(message_item(self._message_id, [], "in_progress"))

    def _begin_text(self) -> None:
        self._begin_message()
        self._text_base = self._text_length if self._part_open else 0
        if self._part_open:
            return
        self._part_open = True
        self._text, self._text_length, self._annotations = [], 0, []
        self._emit_part(text_part("", []))

    def _emit_part(self, part: Obj) -> None:
        self._emit(
            "response.content_part.added",
            item_id=self._message_id,
            output_index=self._at,
            content_index=len(self._content),
            part=part,
        )

    def _text_delta(self, text: str) -> None:
        self._text.append(text)
        self._text_length += len(text)
        if not self._quiet:
            self._out.append(
                _TEXT
                % (
                    self._message_id.encode(),
                    self._at,
                    len(self._content),
                    json.dumps(text),
                    self._sequence,
                )
            )
            self._sequence += 1

    def _cite(self, event: Citation) -> None:
        if not self._part_open:
            return
        wire = _annotation(event.value, self._text_base, self._text_length)
        if wire is None:
            return
        self._emit(
            "response.output_text.annotation.added",
            item_id=self._message_id,
            output_index=self._at,
            content_index=len(self._content),
            annotation_index=len(self._annotations),
            annotation=wire,
        )
        self._annotations.append(wire)

    def _close_part(self) -> None:
        if not self._part_open:
            return
        self._part_open = False
        text = "".join(self._text)
        where = {
            "item_id": self._message_id,
            "output_index": self._at,
            "content_index": len(self._content),
        }
        part = text_part(text, self._annotations)
        self._emit("response.output_text.done", **where, text=text, logprobs=[])
        self._emit("response.content_part.done", **where, part=part)
        self._content.append(part)

    def _refusal_delta(self, text: str) -> None:
        self._pieces.append(text)
        self._emit(
            "response.refusal.delta",
            item_id=self._message_id,
            output_index=self._at,
            content_index=len(self._content),
            delta=text,
        )

    def _close_refusal(self) -> None:
        text = "".join(self._pieces)
        where = {
            "item_id": self._message_id,
            "output_index": self._at,
            "content_index": len(self._content),
        }
        part: Obj = {"type": "refusal", "refusal": text}
        self._emit("response.refusal.done", **where, refusal=text)
        self._emit("response.content_part.done", **where, part=part)
        self._content.append(part)

    def _close_message(self, status: str = "completed") -> None:
        if not self._message_id:
            return
        self._close_part()
        self._done(message_item(self._message_id, self._content, status))
        self._message_id = ""

    # ---- reasoning ----------------------------------------------------------------------------
    def _thinking_delta(self, text: str) -> None:
        where = {
            "item_id": self._item_id,
            "output_index": self._at,
            "summary_index": len(self._paragraphs),
        }
        if not self._pieces:
            part = {"type": "summary_text", "text": ""}
            self._emit("response.reasoning_summary_part.added", **where, part=part)
        self._pieces.append(text)
        self._emit("response.reasoning_summary_text.delta", **where, delta=text)

    def _close_paragraph(self) -> None:
        if not self._pieces:
            return
        text = "".join(self._pieces)
        where = {
            "item_id": self._item_id,
            "output_index": self._at,
            "summary_index": len(self._paragraphs),
        }
        part = {"type": "summary_text", "text": text}
        self._emit("response.reasoning_summary_text.done", **where, text=text)
        self._emit("response.reasoning_summary_part.done", **where, part=part)
        self._paragraphs.append(text)
        self._pieces = []

    def _sealed(self, encrypted: str) -> None:
        """Write a reasoning item that holds nothing but what only its issuer can read."""
        item_id = self._fresh("rs_", None)
        self._add(_reasoning(item_id, [], None, "in_progress"))
        self._done(_reasoning(item_id, [], encrypted, "completed"))

    def _native(self, wire: Obj) -> None:
        """Write an item of this dialect's own as it came, whole."""
        known = wire.get("id")
        known = known if isinstance(known, str) and known else None
        item = {**wire, "id": self._fresh(known or "item_", known)}
        self._add({**item, "status": "in_progress"} if "status" in item else item)
        self._done(item)

    # ---- calls --------------------------------------------------------------------------------
    def _begin_call(self, start: BlockStart) -> None:
        if start.signature is not None:
            self._sealed(for_dialect(start.signature, "gpt"))
            self._sig = None
        self._item_id = self._fresh("ctc_" if start.tool_kind == "custom" else "fc_", start.item_id)
        self._add(self._call(start, "", "in_progress"))

    def _call(self, start: BlockStart, args: str, status: str) -> Obj:
        custom = start.tool_kind == "custom"
        item: Obj = {
            "id": self._item_id,
            "type": "custom_tool_call" if custom else "function_call",
            "status": status,
            "call_id": safe_id(start.id, limit=CALL_ID_LIMIT),
            "name": start.name,
            "input" if custom else "arguments": args,
        }
        if start.namespace:
            item["namespace"] = start.namespace
        return item

    def _args_delta(self, text: str) -> None:
        start = self._block
        if start is not None and start.tool_kind != "custom" and not self._pieces:
            # Arguments of white space only are no arguments.
            text = text.lstrip(" \t\r\n")
        if not text:
            return
        self._pieces.append(text)
        if start is None or start.kind != "tool_call":
            return
        if start.tool_kind == "custom":
            self._emit(
                "response.custom_tool_call_input.delta",
                item_id=self._item_id,
                output_index=self._at,
                delta=text,
            )
        elif not self._quiet:
            self._out.append(
                _ARGS % (self._item_id.encode(), self._at, json.dumps(text), self._sequence)
            )
            self._sequence += 1

    def _close_call(self, start: BlockStart) -> None:
        args = "".join(self._pieces)
        where = {"item_id": self._item_id, "output_index": self._at}
        if start.tool_kind == "custom":
            self._emit("response.custom_tool_call_input.done", **where, input=args)
        else:
            args = args if args.strip() else "{}"
            self._emit(
                "response.function_call_arguments.done", **where, arguments=args, name=start.name
            )
        self._done(self._call(start, args, "completed"))
        if self._sig is not None:
            self._sealed(carry.after(self._sig))

    def _server_call(self, start: BlockStart) -> None:
        if start.dialect == "openai-responses" and isinstance(start.native, dict):
            self._native(start.native)
            return
        if start.server_kind != "web_search":
            return
        query = (args_object("".join(self._pieces)) or {}).get("query") or ""
        item_id = self._fresh("ws_", start.id)
        action = {"type": "search", "query": query}
        item = {"id": item_id, "type": "web_search_call", "status": "in_progress", "action": action}
        self._add(item)
        for step in ("in_progress", "searching", "completed"):
            self._emit(f"response.web_search_call.{step}", item_id=item_id, output_index=self._at)
        self._done({**item, "status": "completed"})

    def _image(self, start: BlockStart) -> None:
        item_id = self._fresh("ig_", start.id)
        item: Obj = {
            "id": item_id,
            "type": "image_generation_call",
            "status": "in_progress",
            "result": None,
            "output_format": start.mime.removeprefix("image/") or "png",
        }
        self._add(item)
        for step in ("in_progress", "generating", "completed"):
            kind = f"response.image_generation_call.{step}"
            self._emit(kind, item_id=item_id, output_index=self._at)
        self._done({**item, "status": "completed", "result": "".join(self._pieces)})

    # ---- the end ------------------------------------------------------------------------------
    def _end(self) -> None:
        if self._over:
            return
        self._over = True
        snapshot = self._announce()
        finish = self._finish or Finish("stop")
        reason = _INCOMPLETE.get(finish.reason)
        self._close_message("incomplete" if reason else "completed")
        snapshot["status"] = "incomplete" if reason else "completed"
        snapshot["output"] = self._items
        snapshot["usage"] = usage_to(self._usage)
        if reason:
            snapshot["incomplete_details"] = {"reason": reason}
        else:
            snapshot["completed_at"] = max(
                snapshot["created_at"],
                int(time.time()),  # noqa: TID251  # a label, not a clock
            )
        self._emit(f"response.{snapshot['status']}", response=snapshot)

    def _failed(self, error: Error) -> None:
        if self._over:
            return
        self._over = True
        # SDKs raise at the first of these events, Codex reads the second.
        self._emit("error", **errors.event(error))
        if self._snapshot is None:
            return
        snapshot = self._snapshot
        snapshot["status"] = "failed"
        snapshot["output"] = self._items
        snapshot["error"] = errors.told(error)
        snapshot["usage"] = usage_to(self._usage)
        self._emit("response.failed", response=snapshot)


def _reasoning(item_id: str, summary: list[Obj], encrypted: str | None, status: str) -> Obj:
    item: Obj = {"id": item_id, "type": "reasoning", "summary": summary, "status": status}
    if encrypted is not None:
        item["encrypted_content"] = encrypted
    return item


def _annotation(value: Obj, base: int, length: int) -> Obj | None:
    """Return the annotation of a block that begins at `base` of a part of `length` so far."""
    if value.get("dialect") == "openai-responses" and isinstance(value.get("native"), dict):
        native = dict(value["native"])
        for key in ("start_index", "end_index"):
            if isinstance(native.get(key), int):
                native[key] += base
        return native
    if value.get("kind") != "url" or not value.get("url"):
        return None
    start, end = value.get("start"), value.get("end")
    return {
        "type": "url_citation",
        "start_index": base + start if isinstance(start, int) else base,
        "end_index": base + end if isinstance(end, int) else length,
        "url": value["url"],
        "title": value.get("title") or "",
    }


def render(answer: Answer, req: IRRequest) -> bytes:
    """Write a whole response object."""
    writer = ResponsesWriter(req, quiet=True)
    events: Iterable[Event] = replay(answer)
    writer.feed(list(events))
    return json.dumps(writer.final())

"""The items of a Responses answer, written one after another; `write.py` says when which begins.

Signatures leave as `encrypted_content`; a foreign one is wrapped. A tool call's own signature
(Gemini) travels in a reasoning item without text just before it.
"""

from __future__ import annotations

from typing import Any, Final

from cliproxy.base import ids, json
from cliproxy.base.json import Json, Obj
from cliproxy.dialects.openai_responses import carry, client_run, server_tools
from cliproxy.dialects.openai_responses.snapshot import message_item, text_part
from cliproxy.dialects.openai_responses.wire import CALL_ID_LIMIT
from cliproxy.dialects.sse import named_frame
from cliproxy.ir.envelope import for_dialect
from cliproxy.ir.events import (
    BlockStart,
)
from cliproxy.ir.names import safe_id
from cliproxy.ir.request import Sig, args_object

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


class ItemWriter:
    """Writes items and keeps them for the final snapshot."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        """Only the final snapshot is wanted (`render`)."""
        self._out: list[bytes] = []
        self._sequence = 0
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
        self._sources: list[Obj] = []
        """Citations of the whole block, whose end is not known before the block's."""
        self._part_open = False
        self._logprobs: list[Json] = []
        """Known at the end of an answer only: of the text that ends it."""
        # The open item that is not a message.
        self._item_id = ""
        self._ids: set[str] = set()
        self._running: dict[str, tuple[BlockStart, str]] = {}
        """Calls of the provider's tools, and their arguments, whose result is to come."""
        self._paragraphs: list[str] = []

    # ---- frames -------------------------------------------------------------------------------
    def _emit(self, kind: str, **fields: Json) -> None:
        if self._quiet:
            return
        event = {"type": kind, **fields, "sequence_number": self._sequence}
        self._sequence += 1
        self._out.append(named_frame(kind.encode(), json.dumps(event)))

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

    def _cite(self, value: Obj) -> None:
        if not self._part_open:
            return
        wire = _annotation(value, self._text_base, self._text_length)
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
        part = text_part(text, self._annotations, self._logprobs)
        self._emit("response.output_text.done", **where, text=text, logprobs=self._logprobs)
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
        self._add(reasoning_item(item_id, [], None, "in_progress"))
        self._done(reasoning_item(item_id, [], encrypted, "completed"))

    def _native(self, wire: Obj) -> None:
        """Write an item of this dialect's own as it came, whole."""
        known = wire.get("id")
        known = known if isinstance(known, str) and known else None
        item = {**wire, "id": self._fresh(known or "item_", known)}
        if item.get("type") in tuple(server_tools.TYPES):
            self._ran(server_tools.own(item))
            return
        self._add({**item, "status": "in_progress"} if "status" in item else item)
        self._done(item)

    # ---- calls --------------------------------------------------------------------------------
    def _begin_call(self, start: BlockStart) -> None:
        if start.signature is not None:
            self._sealed(for_dialect(start.signature, "gpt"))
            self._sig = None
        if start.server_kind in client_run.CALLS:
            return  # an item of its own, written when it is whole
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
        if start is None or start.kind != "tool_call" or start.server_kind:
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
        if start.server_kind in client_run.CALLS:
            self._close_typed(start, args)
        else:
            self._close_plain(start, args)
        if self._sig is not None:
            self._sealed(carry.after(self._sig))

    def _close_typed(self, start: BlockStart, args: str) -> None:
        kind = start.server_kind
        call_id = safe_id(start.id, limit=CALL_ID_LIMIT)
        item = client_run.item(kind, self._fresh(client_run.PREFIXES[kind], None), call_id, args)
        if item is not None:
            self._add(client_run.begun(item))
            self._done(item)
            return
        # The client sees what the model wrote, and can tell it that this is no such call.
        self._item_id = self._fresh("fc_", None)
        self._add(self._call(start, "", "in_progress"))
        self._close_plain(start, args)

    def _close_plain(self, start: BlockStart, args: str) -> None:
        where = {"item_id": self._item_id, "output_index": self._at}
        if start.tool_kind == "custom":
            self._emit("response.custom_tool_call_input.done", **where, input=args)
        else:
            args = args if args.strip() else "{}"
            self._emit(
                "response.function_call_arguments.done", **where, arguments=args, name=start.name
            )
        self._done(self._call(start, args, "completed"))

    def _server_call(self, start: BlockStart) -> None:
        if start.dialect == "openai-responses" and isinstance(start.native, dict):
            self._native(start.native)
            return
        if start.server_kind in server_tools.PREFIXES:
            # A call and its result are one item here, written when the result is known.
            self._running[start.id] = (start, "".join(self._pieces))
            return
        args = "".join(self._pieces)
        if start.server_kind == "web_fetch":
            self._running[start.id] = (start, args)
        elif start.server_kind == "web_search":
            query = (args_object(args) or {}).get("query") or ""
            self._looked(start, {"type": "search", "query": query}, "completed")

    def _looked(self, start: BlockStart, action: Obj, status: str) -> None:
        """Write a search, or a page that was opened."""
        item_id = self._fresh("ws_", start.id)
        item = {"id": item_id, "type": "web_search_call", "status": "in_progress", "action": action}
        self._add(item)
        for step in ("in_progress", "searching", "completed"):
            self._emit(f"response.web_search_call.{step}", item_id=item_id, output_index=self._at)
        self._done({**item, "status": status})

    def _server_result(self, start: BlockStart) -> None:
        call = self._running.pop(start.id, None)
        if call is not None:
            self._joined(*call, {} if start.payload is None else start.payload)

    def _close_running(self) -> None:
        """Write the calls whose result did not come."""
        for start, args in self._running.values():
            self._joined(start, args, None)
        self._running.clear()

    def _joined(self, start: BlockStart, args: str, payload: Any) -> None:
        kind = start.server_kind
        if kind == "web_fetch":
            action = {"type": "open_page", "url": (args_object(args) or {}).get("url")}
            failed = isinstance(payload, dict) and bool(payload.get("error"))
            ended = "incomplete" if payload is None else "failed" if failed else "completed"
            self._looked(start, action, ended)
            return
        known = self._fresh(server_tools.PREFIXES[kind], server_tools.item_id(kind, start.id))
        call = (start.name, start.namespace, args)
        self._ran(server_tools.item(kind, known, call, payload))

    def _ran(self, item: Obj) -> None:
        """Write an item of code that ran, or of a call to an MCP server."""
        self._add(server_tools.begun(item))
        for kind, members in server_tools.steps(item):
            self._emit(kind, item_id=item["id"], output_index=self._at, **members)
        self._done(item)

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


def reasoning_item(item_id: str, summary: list[Obj], encrypted: str | None, status: str) -> Obj:
    """Return a reasoning item."""
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

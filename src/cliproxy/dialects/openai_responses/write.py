"""IR events → a Responses answer, streamed (`ResponsesWriter`) or whole (`render`).

Items go out strictly one after another. Neighbouring text blocks share one message item. The
terminal event waits for the end of the stream, so that late usage is in it, and repeats exactly
the items that were announced as done. The whole answer is what that terminal event would hold.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Final

from cliproxy.base import ids, json
from cliproxy.base.json import Obj
from cliproxy.dialects._openai_usage import tier_to
from cliproxy.dialects.openai_responses import carry, errors
from cliproxy.dialects.openai_responses.snapshot import base
from cliproxy.dialects.openai_responses.usage import usage_to
from cliproxy.dialects.openai_responses.write_items import ItemWriter, reasoning_item
from cliproxy.dialects.sse import COMMENT
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
from cliproxy.ir.request import IRRequest
from cliproxy.ir.serialise import Serialiser
from cliproxy.ir.usage import NOTHING

_INCOMPLETE: Final = {
    "length": "max_output_tokens",
    "context_full": "max_output_tokens",
    "content_filter": "content_filter",
}


class ResponsesWriter(ItemWriter):
    """Writes one answer."""

    def __init__(self, req: IRRequest, *, quiet: bool = False) -> None:
        super().__init__(quiet=quiet)
        self._req = req
        self._serial = Serialiser()
        self._snapshot: Obj | None = None
        self._start = Start()
        self._usage = NOTHING
        self._finish: Finish | None = None
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
                case Citation() if isinstance(event.value.get("end"), int):
                    self._cite(event.value)
                case Citation():
                    self._sources.append(event.value)
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

    def _announce(self) -> Obj:
        if self._snapshot is None:
            created = self._start.created or int(time.time())  # noqa: TID251  # a label, not a clock
            response_id = ids.with_prefix("resp_", self._start.id)
            self._snapshot = base(self._req, response_id, created)
            self._emit("response.created", response=self._snapshot)
            self._emit("response.in_progress", response=self._snapshot)
        return self._snapshot

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
                self._add(reasoning_item(self._item_id, [], None, "in_progress"))
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
                for value in self._sources:
                    self._cite(value)
                self._sources.clear()
                if self._sig is not None:
                    self._close_message()
                    self._sealed(carry.after(self._sig))
            case "refusal":
                self._close_refusal()
            case "thinking":
                self._close_paragraph()
                summary = [{"type": "summary_text", "text": text} for text in self._paragraphs]
                encrypted = for_dialect(self._sig, "gpt")
                self._done(reasoning_item(self._item_id, summary, encrypted, "completed"))
            case "tool_call":
                self._close_call(start)
            case "server_call":
                self._server_call(start)
            case "server_result":
                self._server_result(start)
            case "image":
                self._image(start)
            case "opaque":
                if start.dialect == "openai-responses" and isinstance(start.native, dict):
                    self._native(start.native)
            case _:
                pass  # results of hidden server tools, sound: no item here
        self._block = None

    # ---- the end ------------------------------------------------------------------------------
    def _end(self) -> None:
        if self._over:
            return
        self._over = True
        snapshot = self._announce()
        finish = self._finish or Finish("stop")
        reason = _INCOMPLETE.get(finish.reason)
        told = (finish.details or {}).get("logprobs")
        self._logprobs = (told.get("content") or []) if isinstance(told, dict) else []
        self._close_message("incomplete" if reason else "completed")
        self._close_running()
        snapshot["status"] = "incomplete" if reason else "completed"
        snapshot["output"] = self._items
        snapshot["usage"] = usage_to(self._usage)
        if tier := tier_to(self._usage):
            snapshot["service_tier"] = tier
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


def render(answer: Answer, req: IRRequest) -> bytes:
    """Write a whole response object."""
    writer = ResponsesWriter(req, quiet=True)
    events: Iterable[Event] = replay(answer)
    writer.feed(list(events))
    return json.dumps(writer.final())

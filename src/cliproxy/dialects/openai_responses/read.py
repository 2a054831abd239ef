"""A Responses answer, streamed or whole → IR events. The inverse is `write.py`.

How events become blocks is in `read_items.py`; here is which event means what, and how it ends.
"""

from __future__ import annotations

from typing import Final

from msgspec import structs

from cliproxy.base import json
from cliproxy.base.json import Json, Obj
from cliproxy.dialects._openai_usage import tier_from
from cliproxy.dialects.openai_responses import errors
from cliproxy.dialects.openai_responses.items import (
    text_of,
)
from cliproxy.dialects.openai_responses.read_items import ItemReader
from cliproxy.dialects.openai_responses.usage import usage_from
from cliproxy.ir.caps import Caps
from cliproxy.ir.events import (
    End,
    Error,
    Event,
    Finish,
    Reason,
    Usage,
)

_EARLY: Final = "The upstream's answer stopped before its end."
_BROKEN: Final = "upstream_broken"


class ResponsesReader(ItemReader):
    """Reads one answer."""

    def __init__(self, caps: Caps) -> None:
        super().__init__(caps)
        self._over = False

    # ---- streams ------------------------------------------------------------------------------
    def feed(self, data: bytes, event: str = "") -> list[Event]:
        """Take the payload of one SSE event."""
        if self._over or data == b"[DONE]":
            return []
        value = json.loads_object(data)
        if value is None:
            if self._started or not data.strip():
                return []
            return self._fail(
                Error(502, "server", "The upstream's first event is not valid JSON.", _BROKEN)
            )
        kind = value.get("type") or event
        if not isinstance(kind, str):
            return []
        if kind == "response.output_text.delta":
            return self._text_delta(value)
        handler = _HANDLERS.get(kind)
        if handler is not None:
            return handler(self, value)
        if value.get("object") == "response" and "output" in value:
            return self.whole(data)
        if value.get("error") and not kind.startswith("response."):
            return self._fail(errors.read_event(value))
        return []

    def close(self) -> list[Event]:
        """Say that the upstream closed."""
        return [] if self._over else self._fail(Error(502, "server", _EARLY, _BROKEN))

    def _fail(self, error: Error) -> list[Event]:
        self._over = True
        return [error]

    # ---- the end ------------------------------------------------------------------------------
    def _terminal(self, value: Obj) -> list[Event]:
        response = value.get("response")
        response = response if isinstance(response, dict) else {}
        out = self._begin(value)
        output = response.get("output")
        for index, wire in enumerate(output if isinstance(output, list) else ()):
            if isinstance(wire, dict):
                out += self._catch_up(index, wire)
        for item in self._items:
            if not item.done:
                # Never announced as done: what it said stands.
                out += self._finish_item(item, {"type": item.kind})
        return out + self._end(response, value.get("type"))

    def _catch_up(self, index: int, wire: Obj) -> list[Event]:
        item = self._by_id.get(text_of(wire, "id")) or self._by_index.get(index)
        if item is None or item.kind != wire.get("type"):
            same = [i for i in self._items if i.kind == wire.get("type")]
            call_id = wire.get("call_id")
            item = next((i for i in same if call_id and i.call_id == call_id), None)
            if item is None and same and not text_of(wire, "id") and index < len(self._items):
                item = same[-1]
        if item is None:
            item, out = self._new(wire, None)
            return out + self._finish_item(item, wire)
        return self._finish_item(item, wire)

    def _end(self, response: Obj, kind: Json) -> list[Event]:
        self._over = True
        usage = usage_from(response.get("usage"))
        if tier := tier_from(response.get("service_tier")):
            usage = structs.replace(usage, tier=tier)
        if response.get("status") == "failed" or (
            response.get("error") and kind != "response.completed"
        ):
            return [errors.read_event({"error": response.get("error")})]
        out: list[Event] = [Usage(usage)] if usage.known or usage.tier else []
        if not self._next and (usage.output_total or 0) > max(1, usage.reasoning or 0) + 1:
            message = f"The upstream counted {usage.output_total} output tokens and sent nothing."
            return [*out, Error(502, "server", message, _BROKEN)]
        reason, native = self._reason(response, kind)
        hit = text_of(response, "stop_sequence") if reason == "stop" else ""
        told = {"logprobs": {"content": self._logprobs}} if self._logprobs else None
        ended = Finish("stop_sequence" if hit else reason, native, hit or None, details=told)
        return [*out, ended, End()]

    def _reason(self, response: Obj, kind: Json) -> tuple[Reason, str]:
        details = response.get("incomplete_details")
        native = text_of(details, "reason") if isinstance(details, dict) else ""
        if response.get("status") == "incomplete" or kind == "response.incomplete":
            if native == "content_filter":
                return "content_filter", native
            return "length", native or "max_output_tokens"
        if self._calls:
            return "tool_calls", "completed"
        refused = "refusal" in self._said and "text" not in self._said
        return ("refusal" if refused else "stop"), "completed"

    def _failed(self, value: Obj) -> list[Event]:
        return self._fail(errors.read_event(value))

    # ---- whole answers ------------------------------------------------------------------------
    def whole(self, body: bytes) -> list[Event]:
        """Read a complete response object."""
        value = json.loads_object(body)
        if value is None:
            return self._fail(
                Error(502, "server", "The upstream's answer is not a JSON object.", _BROKEN)
            )
        if "output" not in value:
            if value.get("error"):
                return self._fail(errors.read_event(value))
            return self._fail(Error(502, "server", "The upstream's answer has no output.", _BROKEN))
        if value.get("status") in ("queued", "in_progress"):
            return self._fail(Error(502, "server", _EARLY, _BROKEN))
        return self._terminal({"type": f"response.{value.get('status')}", "response": value})

    def _ignore(self, value: Obj) -> list[Event]:
        return self._begin(value)


_HANDLERS: Final = {
    "response.created": ResponsesReader._ignore,
    "response.in_progress": ResponsesReader._ignore,
    "response.queued": ResponsesReader._ignore,
    "response.output_item.added": ResponsesReader._added,
    "response.output_item.done": ResponsesReader._item_done,
    "response.output_text.done": ResponsesReader._text_done,
    "response.output_text.annotation.added": ResponsesReader._annotation,
    "response.content_part.done": ResponsesReader._part_done,
    "response.refusal.delta": ResponsesReader._refusal_delta,
    "response.refusal.done": ResponsesReader._refusal_done,
    "response.reasoning_summary_text.delta": ResponsesReader._summary_delta,
    "response.reasoning_summary_text.done": ResponsesReader._summary_done,
    "response.reasoning_text.delta": ResponsesReader._raw_delta,
    "response.reasoning_text.done": ResponsesReader._raw_done,
    "response.function_call_arguments.delta": ResponsesReader._args_delta,
    "response.function_call_arguments.done": ResponsesReader._args_done,
    "response.custom_tool_call_input.delta": ResponsesReader._args_delta,
    "response.custom_tool_call_input.done": ResponsesReader._args_done,
    "response.completed": ResponsesReader._terminal,
    "response.done": ResponsesReader._terminal,
    "response.incomplete": ResponsesReader._terminal,
    "response.failed": ResponsesReader._failed,
    "response.cancelled": ResponsesReader._failed,
    "error": ResponsesReader._failed,
}

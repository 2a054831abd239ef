"""An Interactions answer, streamed or whole → IR events. The inverse is `write.py`.

A stream tells one step after another. Text, thoughts and arguments are passed on as they come;
a step of a tool that Google runs is read when it is complete, and so is sound, which comes in
pieces. The steps of a whole answer are read as if each had come in one piece.
"""

from __future__ import annotations

import base64
import binascii
from collections import deque
from datetime import datetime
from typing import Final

from cliproxy.base import ids, json
from cliproxy.base.errors import BadRequest
from cliproxy.base.json import Json, Obj
from cliproxy.dialects.interactions import errors, steps
from cliproxy.dialects.interactions.usage import usage_from
from cliproxy.dialects.interactions.wire import FINISH
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
    MediaDelta,
    Reason,
    Signature,
    Start,
    TextDelta,
    ThinkingBreak,
    ThinkingDelta,
    Usage,
)
from cliproxy.ir.media import clean_base64
from cliproxy.ir.request import Family, Sig
from cliproxy.ir.usage import NOTHING

_BROKEN: Final = "upstream_broken"
_INPUT: Final = frozenset({"user_input", "function_result"})
"""Steps that repeat what was sent."""
_CANCELLED: Final = 499


class InteractionsReader:
    """Reads one answer."""

    def __init__(self, caps: Caps) -> None:
        self._family: Family = "gemini" if caps.family == "unknown" else caps.family
        self._started = False
        self._over = False
        self._next = 0
        self._usage = NOTHING
        self._status = ""
        self._steps: dict[int | None, _Step] = {}
        """The open ones by their index; one that has none stands alone."""
        self._ended: set[int] = set()
        self._said = False
        """A step came as such: what the last event repeats of them is known."""
        self._called = False
        self._trouble: Error | None = None
        self._ids: set[str] = set()
        """Of the calls so far."""
        self._nameless: dict[str, deque[str]] = {}
        """New ids of calls to tools that Google runs, by the kind, until a result takes them."""

    # ---- streams ------------------------------------------------------------------------------
    def feed(self, data: bytes, event: str = "") -> list[Event]:
        """Take the payload of one SSE event."""
        if self._over or data == b"[DONE]":
            return []
        try:
            value = json.loads(data)
        except json.InvalidJson:
            value = None
        if not isinstance(value, dict):
            if self._started or not data.strip():
                return []
            return self._fail(502, "The upstream's first event is not valid JSON.")
        match value.get("event_type") or event:
            case "step.delta":
                return self._delta(value)
            case "step.start":
                return self._open(value)
            case "step.stop":
                self._count(value.get("usage"))
                return self._stop(value)
            case "interaction.created":
                return self._begin(value.get("interaction"))
            case "interaction.status_update":
                status = value.get("status")
                self._status = status if isinstance(status, str) else self._status
                self._count(value.get("usage"))
                return []
            case "interaction.completed":
                return self._completed(value.get("interaction"))
            case "error":
                return self._told(value)
            case _ if value.get("error"):
                return self._told(value)
            case _:
                return []

    def close(self) -> list[Event]:
        """Say that the upstream closed."""
        if self._over:
            return []
        return [*self._shut(), *self._fail(502, "The upstream's answer stopped before its end.")]

    def whole(self, body: bytes) -> list[Event]:
        """Read a complete answer."""
        try:
            value = json.loads(body)
        except json.InvalidJson:
            value = None
        if not isinstance(value, dict):
            return self._fail(502, "The upstream's answer is not a JSON object.")
        if value.get("error"):
            return self._told(value)
        if not isinstance(value.get("status"), str):
            return self._fail(502, "The upstream's answer is no interaction.")
        return self._completed(value)

    def _fail(self, status: int, message: str) -> list[Event]:
        self._over = True
        return [Error(status, "server", message, _BROKEN)]

    def _told(self, value: Obj) -> list[Event]:
        out = self._shut()
        self._over = True
        return [*out, errors.read_event(value)]

    def _count(self, wire: Json) -> None:
        self._usage = self._usage.merge(usage_from(wire))

    def _begin(self, wire: Json) -> list[Event]:
        if self._started:
            return []
        self._started = True
        value: Obj = wire if isinstance(wire, dict) else {}
        model = _text(value, "model") or _text(value, "agent")
        return [Start(_text(value, "id"), model, _seconds(value.get("created")))]

    def _completed(self, wire: Json) -> list[Event]:
        value: Obj = wire if isinstance(wire, dict) else {}
        out = [*self._begin(value), *self._shut()]
        listed = value.get("steps")
        if not self._said and isinstance(listed, list):
            for step in listed:
                if isinstance(step, dict):
                    out += self._whole_step(step)
        self._count(value.get("usage"))
        status = _text(value, "status") or self._status or "completed"
        self._over = True
        if status not in FINISH:
            return [*out, _failure(value, status, self._trouble)]
        if self._trouble is not None and not self._next:
            return [*out, self._trouble]
        if self._usage.known:
            out.append(Usage(self._usage))
        reason: Reason = FINISH[status]
        if reason == "stop" and self._called:
            reason = "tool_calls"
        return [*out, Finish(reason, status), End()]

    # ---- steps --------------------------------------------------------------------------------
    def _whole_step(self, step: Obj) -> list[Event]:
        return [*self._open({"step": step}), *self._shut()]

    def _open(self, value: Obj) -> list[Event]:
        index = _index(value)
        alone = index is None or index in self._steps or None in self._steps
        out = [*self._begin({}), *(self._shut() if alone else ())]
        wire = value.get("step")
        if not isinstance(wire, dict):
            return out
        self._said = True
        step = self._steps[index] = _Step(self, wire)
        return [*out, *step.begin()]

    def _delta(self, value: Obj) -> list[Event]:
        delta = value.get("delta")
        metadata = value.get("metadata")
        if isinstance(metadata, dict):
            self._count(metadata.get("total_usage"))
        if not isinstance(delta, dict):
            return []
        out: list[Event] = []
        place = self._place(value)
        if place not in self._steps:
            # Hosts exist that leave out where a step begins.
            kind = _HOLDERS.get(_text(delta, "type"), "model_output")
            if place in self._ended and kind == "function_call":
                # It would be a call that nobody made.
                return []
            out = [*self._shut(), *self._open({"index": place, "step": {"type": kind}})]
        return [*out, *self._steps[place].delta(delta)]

    def _place(self, value: Obj) -> int | None:
        """Return which step an event speaks of: without an index, of the last that began."""
        index = _index(value)
        if index is None or None in self._steps:
            return next(reversed(self._steps), None)
        return index

    def _stop(self, value: Obj) -> list[Event]:
        place = self._place(value)
        step = self._steps.pop(place, None)
        if step is None:
            return []
        if place is not None:
            self._ended.add(place)
        return step.end()

    def _shut(self) -> list[Event]:
        """Close all open steps."""
        open_steps, self._steps = self._steps, {}
        self._ended.update(place for place in open_steps if place is not None)
        return [event for step in open_steps.values() for event in step.end()]

    # ---- what steps ask for ---------------------------------------------------------------------
    def start(self, kind: BlockKind, **fields: object) -> BlockStart:
        """Return the start of the next block."""
        start = BlockStart(self._next, kind, **fields)  # type: ignore[arg-type]
        self._next += 1
        return start

    def call_id(self, value: Json) -> str:
        """Return a call's id, a new one for a call that has none or another call's."""
        self._called = True
        known = isinstance(value, str) and value and value not in self._ids
        call_id = str(value) if known else f"call_{ids.token()}"
        self._ids.add(call_id)
        return call_id

    def ran(self, kind: str, value: Json, *, result: bool) -> str:
        """Return the id of a call of a tool that Google runs, or of a result the call's.

        Calls without one get one, and results without one answer such calls in their order.
        """
        if isinstance(value, str) and value:
            return value
        waiting = self._nameless.setdefault(kind, deque())
        if result and waiting:
            return waiting.popleft()
        call_id = f"call_{ids.token()}"
        if not result:
            waiting.append(call_id)
        return call_id

    def sig(self, value: Json) -> Sig | None:
        """Read a signature."""
        return unwrap(value, self._family) if isinstance(value, str) and value else None

    def trouble(self, status: Json) -> None:
        """Note what a step says went wrong in it."""
        if isinstance(status, dict) and (status.get("message") or status.get("code")):
            self._trouble = errors.read_event({"error": status})


_HOLDERS: Final = {
    "thought_summary": "thought",
    "thought_signature": "thought",
    "arguments_delta": "function_call",
}


class _Step:
    """One step while it is read."""

    def __init__(self, reader: InteractionsReader, wire: Obj) -> None:
        self._reader = reader
        self._wire = wire
        self._kind = _text(wire, "type")
        self._open: BlockStart | None = None
        self._text: list[str] = []
        """Of the open block of text, for its citations."""
        self._notes: list[Json] = []
        self._sound: list[str] = []
        self._args: list[str] = []
        self._sig: Sig | None = None
        self._paragraphs = False

    # ---- as it comes --------------------------------------------------------------------------
    def begin(self) -> list[Event]:
        wire = self._wire
        match self._kind:
            case "model_output":
                self._reader.trouble(wire.get("error"))
                out: list[Event] = []
                for item in _objects(wire.get("content")):
                    # Each has annotations of its own; deltas go on with the last.
                    out += [*self._shut(), *self._content(item)]
                return out
            case "thought":
                self._sig = self._reader.sig(wire.get("signature"))
                self._open = self._reader.start("thinking")
                out = [self._open]
                for item in _objects(wire.get("summary")):
                    if text := _text(item, "text"):
                        out += self._thought(text, parted=True)
                return out
            case "function_call":
                name = _text(wire, "name") or "unknown"
                self._open = self._reader.start(
                    "tool_call",
                    id=self._reader.call_id(wire.get("id")),
                    name=name,
                    signature=self._reader.sig(wire.get("signature")),
                )
                return [self._open]
            case _:
                return []

    def delta(self, delta: Obj) -> list[Event]:
        kind = _text(delta, "type")
        match self._kind:
            case "model_output":
                if kind == "text_annotation_delta":
                    self._notes += _objects(delta.get("annotations"))
                    return []
                return self._content(delta)
            case "thought":
                if kind == "thought_signature":
                    self._sig = self._reader.sig(delta.get("signature")) or self._sig
                    return []
                content = delta.get("content")
                text = _text(content, "text") if isinstance(content, dict) else ""
                return self._thought(text, parted=False) if text else []
            case "function_call":
                return self._arguments(delta.get("arguments"))
            case _:
                told = {k: v for k, v in delta.items() if k != "type" and v is not None}
                self._wire = {**self._wire, **told}
                return []

    def end(self) -> list[Event]:
        match self._kind:
            case "model_output":
                return self._shut()
            case "thought":
                return self._shut_thought()
            case "function_call":
                return self._shut_call()
            case _ if self._kind in _INPUT:
                return []
            case _ if self._kind in steps.CALLS:
                return self._server_call()
            case _ if self._kind in steps.RESULTS:
                return self._server_result()
            case _:
                start = self._reader.start("opaque", native=self._wire, dialect="interactions")
                return [start, BlockStop(start.index)]

    # ---- content ------------------------------------------------------------------------------
    def _content(self, item: Obj) -> list[Event]:
        match _text(item, "type"):
            case "text":
                out: list[Event] = []
                text = _text(item, "text")
                if self._open is None or self._open.kind != "text":
                    out = self._shut()
                    if not text:
                        return out
                    self._open = self._reader.start("text")
                    out.append(self._open)
                if text:
                    self._text.append(text)
                    out.append(TextDelta(self._open.index, text))
                self._notes += _objects(item.get("annotations"))
                return out
            case "image":
                return [*self._shut(), *self._image(item)]
            case "audio":
                out = []
                if self._open is None or self._open.kind != "audio":
                    out = self._shut()
                    if not item.get("data"):
                        return [*out, *self._opaque(item)]
                    self._open = self._reader.start("audio", mime=_text(item, "mime_type"))
                    out.append(self._open)
                self._sound.append(_text(item, "data"))
                return out
            case _:
                return [*self._shut(), *self._opaque(item)]

    def _image(self, item: Obj) -> list[Event]:
        data = item.get("data")
        if not isinstance(data, str) or not data:
            return self._opaque(item)
        start = self._reader.start("image", mime=_text(item, "mime_type") or "image/png")
        return [start, MediaDelta(start.index, data), BlockStop(start.index)]

    def _opaque(self, item: Obj) -> list[Event]:
        """Return what cannot be carried to others as a step of its own."""
        if not item.keys() - {"type"}:
            return []
        native: Obj = {"type": "model_output", "content": [item]}
        start = self._reader.start("opaque", native=native, dialect="interactions")
        return [start, BlockStop(start.index)]

    def _shut(self) -> list[Event]:
        """Close the open block of content."""
        start, self._open = self._open, None
        if start is None:
            return []
        out: list[Event] = []
        if start.kind == "text":
            text = "".join(self._text)
            out += [Citation(start.index, v) for v in self._citations(text)]
            self._text = []
        else:
            out.append(MediaDelta(start.index, _joined(self._sound)))
            self._sound = []
        return [*out, BlockStop(start.index)]

    def _citations(self, text: str) -> list[dict[str, object]]:
        notes, self._notes = self._notes, []
        # Streams repeat them.
        once: dict[bytes, Json] = {}
        for note in notes:
            once.setdefault(json.dumps(note), note)
        return steps.citations(once.values(), text)

    # ---- thoughts and calls ---------------------------------------------------------------------
    def _thought(self, text: str, *, parted: bool) -> list[Event]:
        assert self._open is not None
        index = self._open.index
        out: list[Event] = [ThinkingBreak(index)] if parted and self._paragraphs else []
        self._paragraphs = True
        return [*out, ThinkingDelta(index, text)]

    def _shut_thought(self) -> list[Event]:
        start, self._open = self._open, None
        assert start is not None
        signed: list[Event] = [Signature(start.index, self._sig)] if self._sig else []
        return [*signed, BlockStop(start.index)]

    def _arguments(self, value: Json) -> list[Event]:
        assert self._open is not None
        if isinstance(value, dict):
            value = json.dumps_str(value)
        if not isinstance(value, str) or not value:
            return []
        self._args.append(value)
        return [ArgsDelta(self._open.index, value)]

    def _shut_call(self) -> list[Event]:
        start, self._open = self._open, None
        assert start is not None
        out: list[Event] = []
        given = self._wire.get("arguments")
        if not self._args and given:
            # They came with the start of the step, or in a whole answer.
            text = given if isinstance(given, str) else json.dumps_str(given)
            out.append(ArgsDelta(start.index, text))
        return [*out, BlockStop(start.index)]

    # ---- tools that Google runs -----------------------------------------------------------------
    def _server_call(self) -> list[Event]:
        wire = self._wire
        start = self._reader.start(
            "server_call",
            id=self._reader.ran(steps.CALLS[self._kind], wire.get("id"), result=False),
            name=steps.call_name(wire),
            namespace=steps.server_of(wire),
            server_kind=steps.CALLS[self._kind],
            native=wire,
            dialect="interactions",
        )
        return [start, ArgsDelta(start.index, steps.args_of(wire)), BlockStop(start.index)]

    def _server_result(self) -> list[Event]:
        wire = self._wire
        start = self._reader.start(
            "server_result",
            id=self._reader.ran(steps.RESULTS[self._kind], wire.get("call_id"), result=True),
            name=_text(wire, "name"),
            namespace=steps.server_of(wire),
            server_kind=steps.RESULTS[self._kind],
            payload=steps.payload_of(wire),
            native=wire,
            dialect="interactions",
        )
        return [start, BlockStop(start.index)]


def _text(wire: Obj, key: str) -> str:
    value = wire.get(key)
    return value if isinstance(value, str) else ""


def _index(value: Obj) -> int | None:
    index = value.get("index")
    return index if isinstance(index, int) else None


def _objects(value: Json) -> list[Obj]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _joined(pieces: list[str]) -> str:
    """Join pieces of base64, each of which may be padded."""
    if len(pieces) == 1:
        return pieces[0]
    try:
        whole = b"".join(base64.b64decode(clean_base64(p, where="data")) for p in pieces)
    except (binascii.Error, BadRequest):
        return "".join(pieces)
    return base64.b64encode(whole).decode("ascii")


def _seconds(value: Json) -> int:
    try:
        return int(datetime.fromisoformat(str(value)).timestamp())
    except (ValueError, OverflowError, OSError):
        return 0


def _failure(value: Obj, status: str, trouble: Error | None) -> Error:
    """Return the error for an interaction that did not come to a good end."""
    listed = _objects(value.get("errors"))
    if listed:
        return errors.read_event({"error": listed[0]})
    if trouble is not None:
        return trouble
    if status == "cancelled":
        return Error(_CANCELLED, "cancelled", "The interaction was cancelled.", status)
    said = "failed" if status == "failed" else f"did not finish: its status is {status!r}"
    return Error(502, "server", f"The interaction {said}.", _BROKEN)

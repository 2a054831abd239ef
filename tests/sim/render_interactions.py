"""An answer as Google's Interactions API writes it."""

from __future__ import annotations

import base64
import json
import secrets
from typing import Any

from tests.sim.event import Event, Memory, Script
from tests.sim.record import Recorded
from tests.sim.script import Answer, Call, Image, Part, Refusal, Text, Thinking, pieces

Json = Any
STATUS = {
    "stop": "completed",
    "stop_sequence": "completed",
    "tool_calls": "requires_action",
    "length": "incomplete",
    "content_filter": "incomplete",
    "pause": "incomplete",
    "refusal": "completed",
}
TIME = "2026-05-12T18:44:51Z"


class Rendered:
    def __init__(self, answer: Answer, record: Recorded, memory: Memory) -> None:
        self._script = Script(answer, record, memory, "v1_")
        self._ids: dict[int, str] = {}
        self._index = 0
        if record.body.get("store") is not False:
            memory.responses.add(self._script.id)

    def _interaction(self, status: str, *, final: bool) -> Json:
        script = self._script
        found: Json = {"id": script.id, "status": status, "object": "interaction"}
        found["agent" if script.record.body.get("agent") else "model"] = script.model
        if final:
            found |= {"created": TIME, "updated": TIME, "service_tier": "standard"}
            if not script.answer.without_usage:
                found["usage"] = self._usage()
        return found

    def _usage(self) -> Json:
        usage = self._script.usage
        return {
            "total_tokens": usage.input + usage.output,
            "total_input_tokens": usage.input,
            "input_tokens_by_modality": [{"modality": "text", "tokens": usage.input}],
            "total_cached_tokens": usage.cached,
            "total_output_tokens": usage.output - usage.reasoning,
            "total_tool_use_tokens": 0,
            "total_thought_tokens": usage.reasoning,
        }

    def _status(self) -> str:
        return STATUS.get(self._script.ended, self._script.ended)

    def _call_id(self, index: int, call: Call) -> str:
        return call.id or self._ids.setdefault(index, secrets.token_hex(4))

    def _signed(self, index: int) -> str:
        """Return the signature of a call: it goes out in a thought before the first one."""
        parts = self._script.parts
        part = parts[index]
        assert isinstance(part, Call)
        first = not any(isinstance(before, Call) for before in parts[:index])
        thought = any(isinstance(before, Thinking) for before in parts[:index])
        if part.signature or (first and not thought and part.signature is None):
            return self._script.signature(index, part)
        return ""

    def _steps(self, index: int, part: Part) -> list[Json]:
        """Return the finished steps of a part."""
        match part:
            case Text() | Refusal():
                text = "".join(pieces(part.pieces))
                return [{"type": "model_output", "content": [{"type": "text", "text": text}]}]
            case Image():
                return [{"type": "model_output", "content": [self._image(part)]}]
            case Thinking():
                step: Json = {"type": "thought"}
                if signature := self._script.signature(index, part):
                    step["signature"] = signature
                if text := "".join(pieces(part.pieces)):
                    step["summary"] = [{"type": "text", "text": text}]
                return [step]
            case Call():
                call = {
                    "type": "function_call",
                    "id": self._call_id(index, part),
                    "name": part.name,
                    "arguments": json.loads(part.text() or "{}"),
                }
                if signature := self._signed(index):
                    return [{"type": "thought", "signature": signature}, call]
                return [call]

    def _image(self, part: Image) -> Json:
        data = base64.b64encode(part.data).decode()
        return {"type": "image", "mime_type": part.mime, "data": data}

    def whole(self) -> Json:
        steps = [s for n, part in enumerate(self._script.parts) for s in self._steps(n, part)]
        return {**self._interaction(self._status(), final=True), "steps": steps}

    # ---- streams ------------------------------------------------------------------------------
    def events(self) -> list[Event]:
        started = self._interaction("in_progress", final=False)
        found = [_event("interaction.created", interaction=started)]
        update = {"interaction_id": started["id"], "status": "in_progress"}
        found.append(_event("interaction.status_update", **update))
        for index, part in enumerate(self._script.parts):
            for step in self._steps(index, part):
                found += self._streamed(step, part)
        ended = self._interaction(self._status(), final=True)
        found.append(_event("interaction.completed", interaction=ended, ending=1))
        return [*found, Event("[DONE]", "done", 2)]

    def _streamed(self, step: Json, part: Part) -> list[Event]:
        deltas: list[Json] = []
        shown: Json = {"type": step["type"]}
        match step["type"], part:
            case "model_output", Text() | Refusal():
                deltas = [{"type": "text", "text": piece} for piece in pieces(part.pieces)]
            case "model_output", _:
                deltas = step["content"]
            case "thought", _:
                if isinstance(part, Thinking):
                    deltas = [
                        {"type": "thought_summary", "content": {"type": "text", "text": piece}}
                        for piece in pieces(part.pieces)
                        if piece
                    ]
                if "signature" in step:
                    deltas.append({"type": "thought_signature", "signature": step["signature"]})
            case _, Call():
                shown = {**step, "arguments": {}}
                deltas = [
                    {"type": "arguments_delta", "arguments": piece} for piece in part.fragments()
                ]
            case _:
                raise AssertionError(step)
        number, self._index = self._index, self._index + 1
        found = [_event("step.start", index=number, step=shown)]
        found += [_event("step.delta", index=number, delta=delta) for delta in deltas]
        return [*found, _event("step.stop", index=number)]

    def again(self, sent: int) -> Event:
        """Return an event that an endless answer repeats."""
        return _event("step.delta", index=0, delta={"type": "text", "text": "and so on "})

    def so_far(self) -> Json:
        return {}


def _event(kind: str, ending: int = 0, **fields: Json) -> Event:
    return Event({**fields, "event_type": kind}, kind, ending)

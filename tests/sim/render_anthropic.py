"""An answer as Anthropic Messages writes it."""

from __future__ import annotations

import json
import secrets
from typing import Any

from tests.sim.event import Event, Memory, Script
from tests.sim.record import Recorded
from tests.sim.script import Answer, Call, Image, Part, Refusal, Text, Thinking, pieces

Json = Any
PREFIX = "msg_"
STOP_REASON = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "pause": "pause_turn",
}


class Rendered:
    def __init__(self, answer: Answer, record: Recorded, memory: Memory) -> None:
        self._script = Script(answer, record, memory, PREFIX)
        self._ids: dict[int, str] = {}

    def _id(self, index: int, call: Call) -> str:
        if call.id:
            return call.id
        return self._ids.setdefault(index, "toolu_" + secrets.token_hex(12))

    def _stop(self) -> Json:
        reason = STOP_REASON.get(self._script.ended, self._script.ended)
        details = None
        if reason == "refusal":
            details = {"type": "refusal", "category": None, "explanation": None}
        return {
            "stop_reason": reason,
            "stop_sequence": self._script.answer.stop_sequence,
            "stop_details": details,
        }

    def _prompt(self) -> Json:
        usage = self._script.usage
        return {
            "input_tokens": usage.input - usage.cached - usage.cache_write,
            "cache_creation_input_tokens": usage.cache_write,
            "cache_read_input_tokens": usage.cached,
        }

    def _generated(self) -> Json:
        usage = self._script.usage
        found: Json = {"output_tokens": usage.output}
        if usage.reasoning:
            found["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
        return found

    def _message(self, content: list[Json], usage: Json, stop: Json) -> Json:
        script = self._script
        written = script.usage.cache_write
        creation = {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0}
        return {
            "id": script.id,
            "type": "message",
            "role": "assistant",
            "model": script.model,
            "content": content,
            **stop,
            "usage": {
                **self._prompt(),
                "cache_creation": creation,
                **usage,
                "service_tier": "standard",
            },
        }

    def whole(self) -> Json:
        content = [self._block(index, part) for index, part in enumerate(self._script.parts)]
        return self._message(content, self._generated(), self._stop())

    def _block(self, index: int, part: Part) -> Json:
        match part:
            case Text() | Refusal():
                return {"type": "text", "text": "".join(pieces(part.pieces)), "citations": None}
            case Thinking() if part.redacted:
                memory = self._script.memory
                data = memory.keep("anthropic", part.redacted, part.redacted)
                return {"type": "redacted_thinking", "data": data}
            case Thinking():
                return {
                    "type": "thinking",
                    "thinking": "".join(pieces(part.pieces)),
                    "signature": self._script.signature(index, part),
                }
            case Call():
                return {
                    "type": "tool_use",
                    "id": self._id(index, part),
                    "name": part.name,
                    "input": json.loads(part.text() or "{}"),
                }
            case Image():
                raise ValueError("Anthropic models do not answer with images")

    def events(self) -> list[Event]:
        start_stop = {"stop_reason": None, "stop_sequence": None}
        message = self._message([], {"output_tokens": 1}, start_stop)
        found = [_event({"type": "message_start", "message": message})]
        pings = self._script.answer.pings
        for index, part in enumerate(self._script.parts):
            block, deltas = self._opened(index, part)
            start = {"type": "content_block_start", "index": index, "content_block": block}
            found.append(_event(start))
            if pings:
                found.append(_event({"type": "ping"}))
                pings = False
            found += [
                _event({"type": "content_block_delta", "index": index, "delta": delta})
                for delta in deltas
            ]
            found.append(_event({"type": "content_block_stop", "index": index}))
        usage = {**self._prompt(), **self._generated()}
        end = {"type": "message_delta", "delta": self._stop(), "usage": usage}
        found.append(_event(end, ending=1))
        return [*found, _event({"type": "message_stop"}, ending=2)]

    def _opened(self, index: int, part: Part) -> tuple[Json, list[Json]]:
        match part:
            case Text() | Refusal():
                block: Json = {"type": "text", "text": ""}
                deltas = [{"type": "text_delta", "text": piece} for piece in pieces(part.pieces)]
            case Thinking() if part.redacted:
                block, deltas = self._block(index, part), []
            case Thinking():
                block = {"type": "thinking", "thinking": "", "signature": ""}
                deltas = [
                    {"type": "thinking_delta", "thinking": piece}
                    for piece in pieces(part.pieces)
                    if piece
                ]
                if signature := self._script.signature(index, part):
                    deltas.append({"type": "signature_delta", "signature": signature})
            case Call():
                tag = self._id(index, part)
                block = {"type": "tool_use", "id": tag, "name": part.name, "input": {}}
                deltas = [
                    {"type": "input_json_delta", "partial_json": piece}
                    for piece in ["", *part.fragments()]
                ]
            case Image():
                raise ValueError("Anthropic models do not answer with images")
        return block, deltas

    def again(self, sent: int) -> Event:
        """Return an event that an endless answer repeats: more of its first block, a text."""
        delta = {"type": "text_delta", "text": "and so on "}
        return _event({"type": "content_block_delta", "index": 0, "delta": delta})

    def so_far(self) -> Json:
        return {}


def _event(data: Json, ending: int = 0) -> Event:
    return Event(data, data["type"], ending)

"""An answer as OpenAI Chat Completions writes it."""

from __future__ import annotations

import base64
import secrets
from itertools import count as counter
from typing import Any

from tests.sim.event import Event, Memory, Script
from tests.sim.record import Recorded
from tests.sim.script import Answer, Call, Image, Part, Refusal, Text, Thinking, pieces

Json = Any
PREFIX = "chatcmpl-"
FINISH = {"stop_sequence": "stop", "pause": "stop", "refusal": "stop"}


class Rendered:
    def __init__(self, answer: Answer, record: Recorded, memory: Memory) -> None:
        self._script = Script(answer, record, memory, PREFIX)
        self._ids: dict[int, str] = {}
        options = record.request.get("stream_options") or {}
        self._counts = bool(options.get("include_usage")) and not answer.without_usage

    def _id(self, index: int, call: Call) -> str:
        if call.id:
            return call.id
        return self._ids.setdefault(index, "call_" + secrets.token_hex(12))

    def _usage(self) -> Json:
        usage = self._script.usage
        return {
            "prompt_tokens": usage.input,
            "completion_tokens": usage.output,
            "total_tokens": usage.input + usage.output,
            "prompt_tokens_details": {
                "cached_tokens": usage.cached,
                "cache_write_tokens": usage.cache_write,
                "audio_tokens": 0,
            },
            "completion_tokens_details": {
                "reasoning_tokens": usage.reasoning,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }

    def _finish(self) -> str:
        return FINISH.get(self._script.ended, self._script.ended)

    def whole(self) -> Json:
        script = self._script
        message: Json = {"role": "assistant", "content": None, "refusal": None, "annotations": []}
        calls: list[Json] = []
        for index, part in enumerate(script.parts):
            match part:
                case Text():
                    message["content"] = (message["content"] or "") + "".join(pieces(part.pieces))
                case Thinking():
                    so_far = message.get("reasoning_content") or ""
                    message["reasoning_content"] = so_far + "".join(pieces(part.pieces))
                case Refusal():
                    message["refusal"] = "".join(pieces(part.pieces))
                case Image():
                    message.setdefault("images", []).append(_image(part))
                case Call():
                    function = {"name": part.name, "arguments": part.text()}
                    calls.append(
                        {"id": self._id(index, part), "type": "function", "function": function}
                    )
        if calls:
            message["tool_calls"] = calls
        elif message["content"] is None and message["refusal"] is None:
            message["content"] = ""
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": self._finish(),
        }
        whole: Json = {
            "id": script.id,
            "object": "chat.completion",
            "created": script.answer.created,
            "model": script.model,
            "choices": [choice],
            "usage": self._usage(),
            "service_tier": "default",
            "system_fingerprint": "fp_sim",
        }
        if script.answer.without_usage:
            del whole["usage"]
        return whole

    def _chunk(self, choices: list[Json], usage: Json = None) -> Json:
        chunk = {
            "id": self._script.id,
            "object": "chat.completion.chunk",
            "created": self._script.answer.created,
            "model": self._script.model,
            "service_tier": "default",
            "system_fingerprint": "fp_sim",
            "choices": choices,
        }
        if self._counts:
            chunk["usage"] = usage
        return chunk

    def _delta(self, delta: Json, finish: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return self._chunk([choice])

    def events(self) -> list[Event]:
        calls = counter()
        deltas: list[Json] = [{"role": "assistant", "content": "", "refusal": None}]
        for index, part in enumerate(self._script.parts):
            number = next(calls) if isinstance(part, Call) else 0
            deltas += self._deltas(index, part, number)
        found = [Event(self._delta(delta)) for delta in deltas]
        found.append(Event(self._delta({}, self._finish()), ending=1))
        if self._counts:
            found.append(Event(self._chunk([], self._usage()), ending=1))
        return [*found, Event("[DONE]", ending=2)]

    def _deltas(self, index: int, part: Part, number: int) -> list[Json]:
        match part:
            case Text():
                return [{"content": piece} for piece in pieces(part.pieces)]
            case Thinking():
                return [{"reasoning_content": piece} for piece in pieces(part.pieces)]
            case Refusal():
                return [{"refusal": piece} for piece in pieces(part.pieces)]
            case Image():
                return [{"images": [_image(part)]}]
            case Call():
                first = {
                    "index": number,
                    "id": self._id(index, part),
                    "type": "function",
                    "function": {"name": part.name, "arguments": ""},
                }
                later = [
                    {"index": number, "function": {"arguments": piece}}
                    for piece in part.fragments()
                ]
                return [{"tool_calls": [entry]} for entry in [first, *later]]

    def again(self, sent: int) -> Event:
        """Return an event that an endless answer repeats."""
        return Event(self._delta({"content": "and so on "}))

    def so_far(self) -> Json:
        return {}


def _image(part: Image) -> Json:
    data = base64.b64encode(part.data).decode()
    return {"type": "image_url", "image_url": {"url": f"data:{part.mime};base64,{data}"}}

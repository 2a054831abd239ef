"""An answer as Gemini generateContent writes it."""

from __future__ import annotations

import base64
import json
import secrets
from typing import Any

from tests.sim.event import Event, Memory, Script
from tests.sim.record import Recorded
from tests.sim.script import Answer, Call, Image, Part, Refusal, Text, Thinking, pieces

Json = Any
FINISH = {
    "stop": "STOP",
    "tool_calls": "STOP",
    "stop_sequence": "STOP",
    "pause": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
    "refusal": "SAFETY",
}


class Rendered:
    def __init__(self, answer: Answer, record: Recorded, memory: Memory) -> None:
        self._script = Script(answer, record, memory, "")
        self._ids: dict[int, str] = {}
        self._first_call = next(
            (i for i, part in enumerate(self._script.parts) if isinstance(part, Call)), None
        )

    def _usage(self, *, final: bool) -> Json:
        usage = self._script.usage
        visible = usage.output - usage.reasoning
        found: Json = {
            "promptTokenCount": usage.input,
            "totalTokenCount": usage.input + (usage.output if final else 0),
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": usage.input}],
        }
        if final:
            found["candidatesTokenCount"] = visible
            if usage.reasoning:
                found["thoughtsTokenCount"] = usage.reasoning
        if usage.cached:
            found["cachedContentTokenCount"] = usage.cached
        return found

    def _response(self, parts: list[Json], *, finish: str | None, final: bool) -> Json:
        script = self._script
        candidate: Json = {"content": {"parts": parts, "role": "model"}, "index": 0}
        if finish:
            candidate["finishReason"] = finish
        found: Json = {"candidates": [candidate]}
        if not script.answer.without_usage:
            found["usageMetadata"] = self._usage(final=final)
        found["modelVersion"] = script.model
        found["responseId"] = script.id
        if script.record.envelope:
            return {"response": found, "traceId": "trace-sim"}
        return found

    def _finish(self) -> str:
        return FINISH.get(self._script.ended, self._script.ended)

    def _end_signature(self) -> str:
        """Sign the end of a text answer for the thinking that nothing else carries."""
        if self._first_call is not None:
            return ""
        for index, part in enumerate(self._script.parts):
            if isinstance(part, Thinking) and part.signature is None:
                return self._script.signature(index, part)
        return ""

    def _part(self, index: int, part: Part, text: str) -> Json:
        match part:
            case Text():
                found: Json = {"text": text}
                if part.signature:
                    found["thoughtSignature"] = self._script.signature(index, part)
                return found
            case Refusal():
                return {"text": text}
            case Thinking():
                found = {"text": text, "thought": True}
                if part.signature:
                    found["thoughtSignature"] = self._script.signature(index, part)
                return found
            case Image():
                data = base64.b64encode(part.data).decode()
                return {"inlineData": {"mimeType": part.mime, "data": data}}
            case Call():
                call: Json = {"name": part.name, "args": json.loads(part.text() or "{}")}
                if part.id is not None:
                    call["id"] = part.id or self._ids.setdefault(index, secrets.token_hex(4))
                found = {"functionCall": call}
                if index == self._first_call or part.signature:
                    signature = self._script.signature(index, part)
                    if signature:
                        found["thoughtSignature"] = signature
                return found

    def whole(self) -> Json:
        found = [
            self._part(index, part, _text(part)) for index, part in enumerate(self._script.parts)
        ]
        if signature := self._end_signature():
            shown = [part for part in found if "text" in part and "thought" not in part]
            (shown or found)[-1].setdefault("thoughtSignature", signature)
        return self._response(found or [{"text": ""}], finish=self._finish(), final=True)

    def events(self) -> list[Event]:
        found: list[Event] = []
        together: list[Json] = []  # calls of one turn arrive in one chunk
        for index, part in enumerate(self._script.parts):
            if isinstance(part, Call):
                together.append(self._part(index, part, ""))
                continue
            if together:
                found.append(self._chunk(together))
                together = []
            for text in pieces(part.pieces) if not isinstance(part, Image) else [""]:
                found.append(self._chunk([self._part(index, part, text)]))
        if together:
            found.append(self._chunk(together))
        last: Json = {"text": ""}
        if signature := self._end_signature():
            last["thoughtSignature"] = signature
        end = self._response([last], finish=self._finish(), final=True)
        return [*found, Event(end, ending=1)]

    def _chunk(self, parts: list[Json]) -> Event:
        return Event(self._response(parts, finish=None, final=False))

    def again(self, sent: int) -> Event:
        """Return an event that an endless answer repeats."""
        return self._chunk([{"text": "and so on "}])

    def so_far(self) -> Json:
        return {}


def _text(part: Part) -> str:
    return "".join(pieces(part.pieces)) if isinstance(part, Text | Thinking | Refusal) else ""

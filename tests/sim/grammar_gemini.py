"""The grammar of a streamGenerateContent answer.

    stream := chunk* final usage-only?      chunk without finishReason, final with one

No event names and no end mark; an error object ends the stream anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tests.sim.grammar_chat import Framed
from tests.sim.summary import (
    Summary,
    called,
    expect,
    gemini_finish,
    gemini_part,
    gemini_usage,
    need,
)

Json = Any
RESPONSE = {
    "candidates", "promptFeedback", "usageMetadata", "modelVersion", "responseId", "createTime",
    "modelStatus",
}  # fmt: skip


def check(frames: Sequence[Framed], *, envelope: bool = False) -> Summary:
    found = Summary(events=len(frames))
    reason = ""
    usage: Json = None
    blocked = False
    for number, frame in enumerate(frames):
        expect(not frame.name, "Gemini events have no name", frame.name)
        expect(frame.data != "[DONE]", "Gemini has no [DONE]")
        value = json.loads(frame.data)
        if value.get("error"):
            expect(number == len(frames) - 1, "nothing follows an error", value)
            need(value["error"], "code", "message", "status")
            found.error = value["error"]
            return found
        if envelope:
            need(value, "response")
            value = value["response"]
        unknown = set(value) - RESPONSE
        expect(not unknown, "a response has only known fields", value)
        need(value, "responseId", "modelVersion")
        if number == 0:
            found.id, found.model = value["responseId"], value["modelVersion"]
        expect(value["responseId"] == found.id, "responseId is the same on every chunk", value)
        expect(value["modelVersion"] == found.model, "modelVersion is the same", value)
        usage = value.get("usageMetadata") or usage
        if feedback := value.get("promptFeedback"):
            blocked = bool(feedback.get("blockReason"))
        for candidate in value.get("candidates") or []:
            if candidate.get("index", 0) != 0:
                continue
            content = candidate.get("content") or {}
            parts = content.get("parts") or []
            expect(not (reason and parts), "no content after the finishReason", value)
            if content:
                expect(content.get("role") == "model", "role is model", value)
            for part in parts:
                gemini_part(found, part)
            if candidate.get("finishReason"):
                expect(not reason, "one chunk has the finishReason", value)
                reason = candidate["finishReason"]
    expect(frames, "a stream has events")
    expect(reason or blocked, "the stream ends with a finishReason")
    gemini_finish(found, reason or "SAFETY")
    called(found)
    found.usage = gemini_usage(usage)
    return found

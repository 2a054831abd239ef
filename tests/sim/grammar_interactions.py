"""The grammar of a streamed interaction.

    stream := created (status_update | step)* completed done
    step i := start(i) delta(i)* stop(i)        i = 0, 1, 2, …

The name of an event is its `event_type`; an error ends the stream anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tests.sim.grammar_chat import Framed
from tests.sim.summary import (
    Summary,
    expect,
    interactions_end,
    interactions_step,
    need,
)

Json = Any
DELTAS = {
    "model_output": {"text", "image", "audio", "video", "document", "text_annotation_delta"},
    "thought": {"thought_summary", "thought_signature"},
    "function_call": {"arguments_delta"},
}


def check(frames: Sequence[Framed]) -> Summary:
    found = Summary(events=len(frames))
    expect(frames, "a stream has events")
    step: Json = None
    steps = 0
    ended: Json = None
    for number, frame in enumerate(frames):
        if ended is not None:
            expect(frame.name == "done" and frame.data == "[DONE]", "the end is [DONE]", frame.data)
            expect(number == len(frames) - 1, "nothing follows [DONE]")
            continue
        value = json.loads(frame.data)
        kind = value.get("event_type")
        expect(frame.name == kind, "an event is called what its event_type says", value)
        if kind == "error":
            expect(number == len(frames) - 1, "nothing follows an error", value)
            need(value["error"], "message", "code")
            found.error = value["error"]
            return found
        if number == 0:
            expect(kind == "interaction.created", "interaction.created comes first", value)
            need(value["interaction"], "id", "status")
            expect(value["interaction"]["status"] == "in_progress", "it has begun", value)
            found.id = value["interaction"]["id"]
            continue
        match kind:
            case "interaction.status_update":
                need(value, "interaction_id", "status")
            case "step.start":
                expect(step is None, "one step at a time", value)
                expect(value["index"] == steps, "steps are counted", value)
                step = dict(value["step"])
                need(step, "type")
            case "step.delta":
                expect(step is not None and value["index"] == steps, "a delta has its step", value)
                add(step, value["delta"])
            case "step.stop":
                expect(step is not None and value["index"] == steps, "a stop has its step", value)
                interactions_step(found, added(step))
                step, steps = None, steps + 1
            case "interaction.completed":
                expect(step is None, "every step is stopped", value)
                ended = value["interaction"]
                need(ended, "id", "status")
                expect(ended["id"] == found.id, "it is the same interaction", value)
                for listed in ended.get("steps") or []:
                    need(listed, "type")
            case _:
                expect(False, "a known event", value)  # noqa: FBT003
    expect(ended is not None, "the stream ends with interaction.completed")
    expect(frames[-1].data == "[DONE]", "the stream ends with [DONE]")
    interactions_end(found, ended)
    return found


def add(step: Json, delta: Json) -> None:
    """Add a delta to its step, as clients do."""
    kind = delta["type"]
    known = DELTAS.get(step["type"], {step["type"]})
    expect(kind in known, "a delta fits its step", delta)
    match kind:
        case "text":
            content = step.setdefault("content", [])
            if content and content[-1]["type"] == "text":
                content[-1]["text"] += delta["text"]
            else:
                content.append(dict(delta))
        case "text_annotation_delta":
            step["content"][-1].setdefault("annotations", []).extend(delta["annotations"])
        case "thought_summary":
            expect("signature" not in step, "a signature ends its thought", delta)
            step["said"] = step.get("said", "") + delta["content"]["text"]
        case "thought_signature":
            expect("signature" not in step, "a thought is signed once", delta)
            step["signature"] = delta["signature"]
        case "arguments_delta":
            step["json"] = step.get("json", "") + delta["arguments"]
        case _ if step["type"] == "model_output":
            step.setdefault("content", []).append(dict(delta))
        case _:
            step |= {k: v for k, v in delta.items() if k != "type"}


def added(step: Json) -> Json:
    """Return what the deltas added up to."""
    step = dict(step)
    if (said := step.pop("said", None)) is not None:
        step["summary"] = [*step.get("summary", []), {"type": "text", "text": said}]
    if text := step.pop("json", ""):
        expect(not step.get("arguments"), "arguments come once", step)
        try:
            step["arguments"] = json.loads(text)
        except ValueError:
            step["arguments"] = text
    return step

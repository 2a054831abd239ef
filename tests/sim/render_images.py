"""An answer as an image API writes it: pictures, whole or with sketches on the way."""

from __future__ import annotations

import base64
from typing import Any

from tests.sim.event import Event, Memory
from tests.sim.record import Recorded
from tests.sim.script import Answer, Image, Usage

Json = Any
DOT = b"\x89PNG\r\n\x1a\n a dot"
KINDS = {"openai-images": "image_generation", "openai-image-edits": "image_edit"}
COUNTED = Usage(input=12, output=196)


class Rendered:
    def __init__(self, answer: Answer, record: Recorded, memory: Memory) -> None:
        del memory
        self._answer = answer
        self._asked = record.body
        self._kind = KINDS[record.dialect]
        self._images = [p for p in answer.all_parts() if isinstance(p, Image)] or [Image(DOT)]

    def _said(self) -> Json:
        asked = self._asked
        return {
            "background": asked.get("background", "opaque"),
            "output_format": asked.get("output_format", "png"),
            "quality": asked.get("quality", "high"),
            "size": asked.get("size", "1024x1024"),
        }

    def _usage(self) -> Json:
        return told_of(self._answer.usage or COUNTED)

    def whole(self) -> Json:
        rows: list[Json] = []
        for image in self._images:
            if self._asked.get("response_format") == "url":
                row = {"url": "https://images.example/1.png"}
            else:
                row = {"b64_json": base64.b64encode(image.data).decode()}
            if image.revised:
                row["revised_prompt"] = image.revised
            rows.append(row)
        body = {"created": self._answer.created, **self._said(), "data": rows}
        return body if self._answer.without_usage else {**body, "usage": self._usage()}

    def so_far(self) -> Json:
        return {}

    def events(self) -> list[Event]:
        found: list[Event] = []
        for image in self._images:
            at = {"created_at": self._answer.created, **self._said()}
            for number, sketch in enumerate(image.sketches):
                kind = f"{self._kind}.partial_image"
                data = {"type": kind, "b64_json": base64.b64encode(sketch).decode(), **at}
                found.append(Event({**data, "partial_image_index": number}, kind))
            kind = f"{self._kind}.completed"
            data = {"type": kind, "b64_json": base64.b64encode(image.data).decode(), **at}
            found.append(Event({**data, "usage": self._usage()}, kind, ending=1))
        return found

    def again(self, sent: int) -> Event:
        raise NotImplementedError


def told_of(usage: Usage) -> Json:
    """Return what an image API tells of tokens."""
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {"image_tokens": 0, "text_tokens": usage.input},
        "output_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
    }

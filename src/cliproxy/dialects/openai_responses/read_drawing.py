"""An answer of which only pictures are wanted: nothing else in it becomes an event.

What the model thinks or says beside the picture is for nobody, unless there is no picture. Sketches
on the way are told, and so is what the tool says of its work.
"""

from __future__ import annotations

from typing import Final

from msgspec import structs

from cliproxy.base import json
from cliproxy.base.json import Json, Obj
from cliproxy.dialects.openai_responses.items import Item, text_of
from cliproxy.dialects.openai_responses.read import ResponsesReader
from cliproxy.ir.caps import Caps
from cliproxy.ir.events import (
    BlockStart,
    BlockStop,
    Error,
    Event,
    Finish,
    MediaDelta,
    Preview,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    Usage,
)

_SKETCH: Final = "response.image_generation_call.partial_image"
_CALL: Final = "image_generation_call"
_SAID: Final = ("background", "output_format", "quality", "size", "revised_prompt")
_WORDS: Final = 500
"""Characters of what a model said in place of a picture that are told."""


class DrawingReader(ResponsesReader):
    """Reads one answer."""

    def __init__(self, caps: Caps) -> None:
        super().__init__(caps)
        self._pictures: dict[int, int] = {}
        """The places of pictures among all blocks, and among pictures."""
        self._words: list[str] = []
        self._blocked: Error | None = None

    def feed(self, data: bytes, event: str = "") -> list[Event]:
        """Take the payload of one SSE event."""
        value = None if self._over else json.loads_object(data)
        if value is not None:
            if value.get("type") == _SKETCH:
                return self._sketch(value)
            if value.get("object") == "response" and "output" in value:
                return self.whole(data)
        return self._of_pictures(super().feed(data, event))

    def close(self) -> list[Event]:
        """Say that the upstream closed."""
        return self._of_pictures(super().close())

    def whole(self, body: bytes) -> list[Event]:
        """Read a complete response object."""
        return self._of_pictures(super().whole(body))

    def _sketch(self, value: Obj) -> list[Event]:
        number = value.get("partial_image_index")
        sketch = Preview(
            text_of(value, "partial_image_b64"),
            number if isinstance(number, int) else 0,
            _said(value),
        )
        return [*self._begin(value), sketch]

    def _server_item(self, item: Item, wire: Obj) -> list[Event]:
        error = wire.get("error")
        if item.kind == _CALL and isinstance(error, dict):
            self._blocked = Error(
                400,
                "invalid_request",
                text_of(error, "message") or "The picture was refused.",
                text_of(error, "code") or None,
                param=text_of(error, "param") or None,
            )
        return [
            structs.replace(event, payload=_said(wire))
            if isinstance(event, BlockStart) and event.kind == "image"
            else event
            for event in super()._server_item(item, wire)
        ]

    def _end(self, response: Obj, kind: Json) -> list[Event]:
        if self._blocked is not None and not self._next:
            return self._fail(self._blocked)
        tools = response.get("tool_usage")
        usage = tools.get("image_gen") if isinstance(tools, dict) else None
        usage = usage if isinstance(usage, dict) else response.get("usage")
        told = {"image_usage": usage} if isinstance(usage, dict) else None
        return [
            structs.replace(event, details=told) if isinstance(event, Finish) else event
            for event in super()._end({**response, "usage": usage}, kind)
        ]

    def _of_pictures(self, events: list[Event]) -> list[Event]:
        """Return the events of pictures, their blocks numbered without gaps."""
        out: list[Event] = []
        for event in events:
            match event:
                case BlockStart() if event.kind == "image":
                    place = self._pictures[event.index] = len(self._pictures)
                    out.append(structs.replace(event, index=place))
                case MediaDelta() | BlockStop():
                    if (known := self._pictures.get(event.index)) is not None:
                        out.append(structs.replace(event, index=known))
                case TextDelta() | RefusalDelta():
                    self._words.append(event.text)
                case Finish() if not self._pictures:
                    return [*out, *self._fail(self._blocked or self._wordy())]
                case Usage() | Finish():
                    out.append(event)
                case BlockStart() | ThinkingDelta():
                    pass
                case _:
                    if not hasattr(event, "index"):
                        out.append(event)
        return out

    def _wordy(self) -> Error:
        words = "".join(self._words).strip()[:_WORDS]
        said = f" It said: {words}" if words else ""
        message = f"The model made no picture.{said}"
        return Error(400, "invalid_request", message, "image_not_generated")


def _said(wire: Obj) -> Obj:
    return {name: wire[name] for name in _SAID if wire.get(name)}

"""An answer of an image API, streamed or whole → IR events. The inverse is `write.py`."""

from __future__ import annotations

from cliproxy.base import json
from cliproxy.base.json import Json, Obj
from cliproxy.dialects._errors import refused
from cliproxy.dialects._openai_usage import usage_from
from cliproxy.dialects.openai_images.wire import COMPLETED, PARTIAL, SAID
from cliproxy.ir.events import (
    BlockStart,
    BlockStop,
    End,
    Error,
    Event,
    Finish,
    MediaDelta,
    Preview,
    Start,
    Usage,
)

_BROKEN = "upstream_broken"


class ImagesReader:
    """Reads one answer."""

    def __init__(self) -> None:
        self._started = False
        self._over = False
        self._made = 0
        self._usage: Json = None

    def feed(self, data: bytes, event: str = "") -> list[Event]:
        """Take the payload of one SSE event."""
        if self._over or data == b"[DONE]":
            return []
        value = json.loads_object(data)
        if value is None:
            if self._started or not data.strip():
                return []
            return self._fail("The upstream's first event is not valid JSON.")
        if value.get("error"):
            return self._failed(value["error"])
        kind = value.get("type") or event
        if kind in PARTIAL:
            number = value.get("partial_image_index")
            return [
                *self._begin(value.get("created_at")),
                Preview(
                    _text(value, "b64_json"), number if isinstance(number, int) else 0, said(value)
                ),
            ]
        if kind in COMPLETED:
            self._usage = value.get("usage")
            return [*self._begin(value.get("created_at")), *self._picture(value, value)]
        if isinstance(value.get("data"), list):
            return self.whole(data)
        return []

    def close(self) -> list[Event]:
        """Say that the upstream closed."""
        if self._over:
            return []
        if not self._made:
            return self._fail("The upstream's answer stopped before its end.")
        return self._end()

    def whole(self, body: bytes) -> list[Event]:
        """Read a complete answer."""
        value = json.loads_object(body)
        if value is None:
            return self._fail("The upstream's answer is not a JSON object.")
        if value.get("error"):
            return self._failed(value["error"])
        rows = value.get("data")
        made = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        if not made:
            return self._fail("The upstream's answer has no picture.")
        out = self._begin(value.get("created"))
        for row in made:
            out += self._picture(row, value)
        self._usage = value.get("usage")
        return [*out, *self._end()]

    def _begin(self, created: Json) -> list[Event]:
        if self._started:
            return []
        self._started = True
        return [Start(created=int(created) if isinstance(created, int | float) else 0)]

    def _picture(self, row: Obj, whole: Obj) -> list[Event]:
        index = self._made
        self._made += 1
        about = said(whole)
        about |= {name: row[name] for name in ("revised_prompt", "url") if row.get(name)}
        mime = f"image/{about.get('output_format') or 'png'}"
        return [
            BlockStart(index, "image", mime=mime, payload=about),
            MediaDelta(index, _text(row, "b64_json")),
            BlockStop(index),
        ]

    def _end(self) -> list[Event]:
        self._over = True
        told = self._usage
        if not isinstance(told, dict):
            return [Finish("stop"), End()]
        usage = usage_from(told)
        out: list[Event] = [Usage(usage)] if usage.known else []
        return [*out, Finish("stop", details={"image_usage": told}), End()]

    def _failed(self, error: Json) -> list[Event]:
        self._over = True
        return [Error.of(refused(error, "openai-images"))]

    def _fail(self, message: str) -> list[Event]:
        self._over = True
        return [Error(502, "server", message, _BROKEN)]


def said(value: Obj) -> Obj:
    """Return what an object says of the picture in it."""
    return {name: value[name] for name in SAID if value.get(name) is not None}


def _text(value: Obj, name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""

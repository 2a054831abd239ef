"""Events, or their fold, → what a client of the image API reads. The inverse is `read.py`.

A picture is written when the answer is over: what it cost stands in the same event, and is known
last.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from cliproxy.base import json
from cliproxy.base.errors import BadRequest, GatewayError
from cliproxy.base.json import Obj
from cliproxy.dialects import sse
from cliproxy.dialects._errors import describe
from cliproxy.dialects.openai_images.wire import COMPLETED, PARTIAL, SAID
from cliproxy.ir.events import (
    BlockStart,
    Error,
    Event,
    Finish,
    MediaDelta,
    Preview,
    RefusalDelta,
    Start,
    TextDelta,
)
from cliproxy.ir.fold import Answer
from cliproxy.ir.request import IRRequest

_WORDS = 500
"""Characters of what a model said in place of a picture that a client is told."""
_UNCOUNTED: Obj = {
    "input_tokens": 0,
    "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
    "output_tokens": 0,
    "total_tokens": 0,
}
"""What an event says of tokens, since it must, where its upstream says nothing."""
_UNSAID = {"output_format": "png"}
"""What stands where nobody said anything; elsewhere it is `auto`."""


def render(answer: Answer, req: IRRequest) -> bytes:
    """Write a whole answer. Raises `BadRequest` when there is no picture in it."""
    pictures = [b for b in answer.blocks if b.kind == "image"]
    if not pictures:
        said = [b.text for b in answer.blocks if b.kind in ("text", "refusal")]
        raise nothing("".join(said))
    body: Obj = {"created": answer.start.created or _now(), "data": []}
    for picture in pictures:
        about = _about(picture.start.payload)
        row: Obj = _data(picture.text, picture.start.mime, about, req)
        if about.get("revised_prompt"):
            row["revised_prompt"] = about["revised_prompt"]
        body["data"].append(row)
    first = _about(pictures[0].start.payload)
    body |= {name: first[name] for name in SAID if name in first}
    usage = (answer.finish.details or {}).get("image_usage")
    if isinstance(usage, dict):
        body["usage"] = usage
    return json.dumps(body)


def _data(b64: str, mime: str, about: Obj, req: IRRequest) -> Obj:
    if not b64 and about.get("url"):
        return {"url": about["url"]}
    if str(req.raw.get("response_format")).lower() == "url":
        return {"url": f"data:{mime or 'image/png'};base64,{b64}"}
    return {"b64_json": b64}


class ImagesWriter:
    """Writes one streamed answer."""

    def __init__(self, req: IRRequest, *, edits: bool) -> None:
        self._req = req
        self._partial, self._completed = PARTIAL[edits], COMPLETED[edits]
        self._created = 0
        self._pictures: list[tuple[BlockStart, list[str]]] = []
        self._open: dict[int, list[str]] = {}
        self._words: list[str] = []

    def feed(self, events: Sequence[Event]) -> bytes:
        """Return the wire bytes of these events."""
        out: list[bytes] = []
        for event in events:
            match event:
                case Start():
                    self._created = event.created or _now()
                case Preview():
                    out.append(self._sketch(event))
                case BlockStart() if event.kind == "image":
                    self._open[event.index] = []
                    self._pictures.append((event, self._open[event.index]))
                case MediaDelta() if event.index in self._open:
                    self._open[event.index].append(event.b64)
                case TextDelta() | RefusalDelta():
                    self._words.append(event.text)
                case Finish() if event.choice == 0:
                    out.append(self._finish(event))
                case Error():
                    out.append(failed(event))
                case _:
                    pass
        return b"".join(out)

    def ping(self) -> bytes:
        """Return a keep-alive."""
        return sse.COMMENT

    def _sketch(self, event: Preview) -> bytes:
        body = {
            "type": self._partial,
            "b64_json": event.b64,
            "partial_image_index": event.number,
            "created_at": self._created,
            **self._said(_about(event.payload)),
        }
        return _frame(self._partial, body)

    def _finish(self, event: Finish) -> bytes:
        if not self._pictures:
            return failed(Error.of(nothing("".join(self._words))))
        told = (event.details or {}).get("image_usage")
        usage = {**_UNCOUNTED, **(told if isinstance(told, dict) else {})}
        frames: list[bytes] = []
        for start, pieces in self._pictures:
            about = _about(start.payload)
            body: Obj = {
                "type": self._completed,
                "b64_json": "".join(pieces),
                "created_at": self._created,
                **self._said(about),
            }
            if not pieces or not pieces[0]:
                body |= {"b64_json": "", "url": about.get("url")}
            if about.get("revised_prompt"):
                body["revised_prompt"] = about["revised_prompt"]
            body["usage"] = usage
            frames.append(_frame(self._completed, body))
        return b"".join(frames)

    def _said(self, about: Obj) -> Obj:
        """Return what events must say: what came of it, else what was asked."""
        raw = self._req.raw
        return {
            name: about.get(name) or raw.get(name) or _UNSAID.get(name, "auto") for name in SAID
        }


def failed(event: Error) -> bytes:
    """Write an error as an event; the official SDKs raise when they see it."""
    told = describe(event.message, event.kind, event.code, event.param)
    return _frame("error", {"type": "error", "error": told})


def nothing(words: str) -> GatewayError:
    """Return the error for an answer without a picture."""
    said = f" It said: {words.strip()[:_WORDS]}" if words.strip() else ""
    return BadRequest(f"The model made no picture.{said}", code="image_not_generated")


def _now() -> int:
    return int(datetime.now(UTC).timestamp())


def _about(payload: Any) -> Obj:
    return payload if isinstance(payload, dict) else {}


def _frame(kind: str, body: Obj) -> bytes:
    return sse.named_frame(kind.encode(), json.dumps(body))

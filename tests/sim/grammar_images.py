"""The grammar of a stream of pictures: sketches, counted from 0, and the pictures; or an error."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any, Protocol

from tests.sim.summary import Summary, expect

Json = Any
COUNTS = ("input_tokens", "output_tokens", "total_tokens")


class Frame(Protocol):
    name: str
    data: str


def check(frames: Sequence[Any], kind: str) -> Summary:
    """Check a stream; `kind` is what its events begin with."""
    found = Summary()
    sketches = 0
    over = False
    for frame in frames:
        value = json.loads(frame.data)
        expect(not found.error, "nothing follows an error", frame.data[:200])
        expect(frame.name == value["type"], "an event is named by its type", frame.name)
        if frame.name == "error":
            error = value["error"]
            expect(set(error) == {"message", "type", "param", "code"}, "an error is whole", error)
            found.error = error
            continue
        for name in ("background", "output_format", "quality", "size"):
            expect(isinstance(value[name], str) and value[name] != "", f"{name} is told", value)
        expect(isinstance(value["created_at"], int), "created_at is a time")
        data = base64.b64decode(value["b64_json"], validate=True)
        if frame.name == f"{kind}.partial_image":
            expect(not over, "sketches come before the picture")
            expect(value["partial_image_index"] == sketches, "sketches are counted")
            sketches += 1
            continue
        expect(frame.name == f"{kind}.completed", "an event of this API", frame.name)
        expect(bool(data), "a picture is not empty")
        expect(all(isinstance(value["usage"][name], int) for name in COUNTS), "usage is counted")
        over = True
    expect(over or found.error is not None, "a stream ends in a picture or an error")
    return found

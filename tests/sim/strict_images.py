"""What image APIs refuse: OpenAI's, and xAI's, which is alike and not the same."""

from __future__ import annotations

from tests.sim.event import Memory
from tests.sim.record import Recorded
from tests.sim.refused import Refused

FIELDS = {
    "background", "complexity", "frame_count", "frame_duration_ms", "image", "images",
    "input_fidelity", "mask", "model", "moderation", "n", "output_compression", "output_format",
    "partial_images", "prompt", "quality", "response_format", "safety_identifier", "size",
    "stream", "user",
}  # fmt: skip
XAI_FIELDS = {
    "aspect_ratio", "image", "images", "model", "n", "output_format", "prompt", "quality",
    "resolution", "response_format", "user",
}  # fmt: skip


def check(record: Recorded, memory: Memory) -> None:
    del memory
    grok = record.model.startswith("grok")
    for name in record.body:
        if name.removesuffix("[]") not in (XAI_FIELDS if grok else FIELDS):
            raise Refused(f"Unknown parameter: '{name}'.", name)
    for name in ("model", "prompt"):
        if not record.body.get(name):
            raise Refused(f"Missing required parameter: '{name}'.", name)
    if grok and record.form is not None:
        raise Refused("Expected request with Content-Type: application/json")
    if record.dialect == "openai-images":
        return
    if record.form is not None:
        if not any(name in ("image", "image[]") for name, *_ in record.form):
            raise Refused("Missing required parameter: 'image'.", "image")
        return
    pictures = record.body.get("images") or [record.body.get("image")]
    for picture in pictures:
        if not isinstance(picture, dict) or not picture.get("url" if grok else "image_url"):
            raise Refused("Missing required parameter: 'image'.", "image")

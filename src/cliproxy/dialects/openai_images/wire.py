"""Names of the image API that more than one module here needs."""

from __future__ import annotations

from typing import Final

TOOL: Final = "image_generation"
PARTIAL: Final = ("image_generation.partial_image", "image_edit.partial_image")
COMPLETED: Final = ("image_generation.completed", "image_edit.completed")
SAID: Final = ("background", "output_format", "quality", "size")
"""What answers repeat of what was asked."""
TEXTS: Final = (
    "background", "complexity", "input_fidelity", "moderation", "output_format", "quality", "size",
)  # fmt: skip
NUMBERS: Final = ("frame_count", "frame_duration_ms", "output_compression", "partial_images")
OPTIONS: Final = (*TEXTS, *NUMBERS)
"""Fields that the tool of the Responses API has too, under the same names."""
READ: Final = frozenset(
    {"model", "prompt", "n", "stream", "response_format", "user", "safety_identifier", *OPTIONS}
)
PICTURES: Final = frozenset({"image", "images", "image_url", "mask"})
"""Fields of an edit; to a request for a new picture they mean nothing."""

"""Tool outputs that are the JSON text of a list of parts, pictures among them.

Some clients write what their tools return into a string whatever it is. Sent on as text, a picture
would be thousands of tokens of nonsense; any other JSON is text and stays it.
"""

from __future__ import annotations

from typing import Any

from msgspec import structs

from cliproxy.base import json
from cliproxy.base.errors import BadRequest
from cliproxy.ir.media import clean_base64, media_of
from cliproxy.ir.request import Image, Inline, Part, Text, ToolResult

_TEXTS = frozenset({"text", "input_text", "output_text"})
_IMAGES = frozenset({"image", "input_image", "image_url"})


def unlisted(result: ToolResult) -> ToolResult:
    """Return the result with its parts read out of its text, if that is what the text holds."""
    if len(result.parts) != 1 or not isinstance(text := result.parts[0], Text):
        return result
    said = text.text.strip()
    if not (said.startswith("[") and any(f'"{kind}"' in said for kind in _IMAGES)):
        return result
    try:
        parts = [_part(item) for item in json.loads(said)]
    except (json.InvalidJson, BadRequest):
        return result
    known = [part for part in parts if part is not None]
    if len(known) != len(parts) or not any(isinstance(part, Image) for part in known):
        return result
    return structs.replace(result, parts=tuple(known))


def _part(item: Any) -> Part | None:
    if not isinstance(item, dict):
        return None
    kind = item.get("type")
    if kind in _TEXTS:
        return Text(item["text"]) if isinstance(item.get("text"), str) else None
    return _image(item) if kind in _IMAGES else None


def _image(item: dict[str, Any]) -> Image | None:
    where = "output"
    address = item.get("image_url")
    if isinstance(address, dict):
        address = address.get("url")
    if isinstance(address, str):
        media = media_of(address, where=where)
        return Image(media)
    source = item.get("source") if isinstance(item.get("source"), dict) else item
    assert isinstance(source, dict)
    data = source.get("data")
    mime = source.get("media_type") or source.get("mimeType")
    if isinstance(data, str) and data and isinstance(mime, str):
        return Image(Inline(mime.lower(), clean_base64(data, where=where)))
    return None

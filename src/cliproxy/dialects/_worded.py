"""Parts only one dialect has a form for, said in words that all have.

A part nobody else knows by name may still be plain text or a plain picture. Said so it reaches the
model; dropped it would leave a hole in the conversation.
"""

from __future__ import annotations

from typing import Any

from cliproxy.ir.names import NameMap
from cliproxy.ir.request import Image, Inline, Opaque, Text


def worded(part: Opaque, names: NameMap, *, draws: bool = False) -> Text | Image | None:
    """Return what a part says, None for one that cannot be said in other words.

    Args:
        part: Another dialect's.
        names: How tools are called there.
        draws: Whether an assistant's message may hold pictures.
    """
    value = part.value if isinstance(part.value, dict) else {}
    match part.dialect, part.kind:
        case "anthropic", "search_result":
            return _found(value)
        case "anthropic", "tool_reference":
            name = value.get("tool_name")
            return Text(f"Tool: {names.to_target(name)}") if isinstance(name, str) else None
        case "openai-responses", "image_generation_call" if draws:
            return _drawn(value)
        case _:
            return None


def _found(value: dict[str, Any]) -> Text | None:
    content = value.get("content")
    parts = content if isinstance(content, list) else ()
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    head = "\n".join(t for t in (value.get("title"), value.get("source")) if isinstance(t, str))
    said = "\n\n".join(t for t in (head, *texts) if isinstance(t, str) and t)
    return Text(said) if said else None


def _drawn(value: dict[str, Any]) -> Image | None:
    data, form = value.get("result"), value.get("output_format")
    if not isinstance(data, str) or not data:
        return None
    return Image(Inline(f"image/{form if isinstance(form, str) and form else 'png'}", data))

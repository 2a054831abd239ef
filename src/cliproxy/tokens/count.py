"""An offline estimate of how many tokens a request's prompt has.

No vocabulary is loaded: text is weighed by its bytes and scripts, which lands within about a
fifth of the real figure for prose and code. Every use of it is marked as an estimate.
"""

from __future__ import annotations

from typing import Any, Final

from cliproxy.base import json
from cliproxy.ir.request import (
    Audio,
    Custom,
    Document,
    Function,
    Image,
    Inline,
    IRRequest,
    Opaque,
    Part,
    PlainText,
    Refusal,
    ServerResult,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Video,
)

PER_MESSAGE: Final = 4
"""Role markers and separators around each turn."""
PER_IMAGE: Final = 1000
"""A picture of ordinary size; vendors count between 258 and 1,600."""
_ASCII_BYTES_PER_TOKEN: Final = 4
_OTHER_BYTES_PER_TOKEN: Final = 3
"""Non-Latin scripts: about one token for each character of three UTF-8 bytes."""


def of_text(text: str) -> int:
    """Estimate the tokens of a text."""
    if not text:
        return 0
    if text.isascii():
        return -(-len(text) // _ASCII_BYTES_PER_TOKEN)
    size = len(text.encode("utf-8", "surrogatepass"))
    ascii_size = sum(1 for c in text if c < "\x80")
    other = size - ascii_size
    return -(-ascii_size // _ASCII_BYTES_PER_TOKEN) + -(-other // _OTHER_BYTES_PER_TOKEN)


def estimate(req: IRRequest) -> int:
    """Estimate the tokens of a whole prompt: instructions, messages and tools."""
    total = 3 + sum(of_text(block.text) for block in req.system)
    for message in req.messages:
        total += PER_MESSAGE + sum(_part(part) for part in message.parts)
    for tool in req.tools:
        match tool:
            case Function():
                total += (
                    8 + of_text(tool.name) + of_text(tool.description or "") + _value(tool.schema)
                )
            case Custom():
                total += (
                    8 + of_text(tool.name) + of_text(tool.description or "") + _value(tool.format)
                )
            case _:
                total += 8 + _value(tool.native)
    return total


def _part(part: Part) -> int:
    match part:
        case Text() | Refusal() | Thinking():
            return of_text(part.text)
        case Image():
            return PER_IMAGE
        case Document(media=PlainText()) as doc:
            assert isinstance(doc.media, PlainText)
            return of_text(doc.media.text)
        case Document() | Audio() | Video():
            # About a page per 3 KB of PDF; sound and video are of the same order by bytes.
            size = len(part.media.b64) if isinstance(part.media, Inline) else 30_000
            return max(250, size // 40)
        case ToolCall():
            return 8 + of_text(part.name) + of_text(part.args)
        case ToolResult():
            return 8 + sum(_part(inner) for inner in part.parts)
        case ServerResult():
            return _value(part.payload)
        case Opaque():
            return _value(part.value)


def _value(value: Any) -> int:
    return of_text(json.dumps_str(value)) if value else 0

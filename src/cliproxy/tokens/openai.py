"""Exact token counts of OpenAI's models, offline, with the vocabulary that comes in the package.

The vocabulary is `o200k_base` (OpenAI, MIT licence, as published with tiktoken): everything from
GPT-4o and o1 on. It takes a quarter of a second and 70 MB to load, so it is loaded by the first
count that needs it and never at the start.
"""

from __future__ import annotations

import base64
import gzip
import re
from collections.abc import Callable
from functools import lru_cache
from importlib import resources
from typing import Any, Final

from cliproxy.base import json
from cliproxy.ir.request import Function, IRRequest, Part, Refusal, Text, ToolCall, ToolResult

_MODELS: Final = re.compile(
    r"^(?:openai/)?(?:ft:)?(?:gpt-4o|chatgpt-4o|gpt-4\.[1-9]|gpt-[5-9]|gpt-oss|o[1-9](?:-|$)|codex-)"
)
PER_MESSAGE: Final = 3
"""Marks around each message, beside its role."""
REPLY: Final = 3
"""Every answer is primed with these."""
_FUNCTION, _FUNCTIONS_END = 7, 12
_PROPERTIES, _PROPERTY, _ENUM, _ENUM_ITEM = 3, 3, -3, 3
"""How declarations are counted, by OpenAI's own cookbook: close, not exact."""
_UPPER: Final = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}"
_LOWER: Final = r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
_SHORT: Final = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_PATTERN: Final = (
    rf"[^\r\n\p{{L}}\p{{N}}]?[{_UPPER}]*[{_LOWER}]+{_SHORT}|"
    rf"[^\r\n\p{{L}}\p{{N}}]?[{_UPPER}]+[{_LOWER}]*{_SHORT}|"
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Where a text is divided before the vocabulary is applied, as published with it."""


def speaks(model: str) -> bool:
    """Tell whether a model's vocabulary is the one that is here, and can be used."""
    return _MODELS.match(model.lower()) is not None and available()


@lru_cache(maxsize=1)
def available() -> bool:
    """Tell whether the library that applies the vocabulary is installed."""
    try:
        import tiktoken  # noqa: F401, PLC0415  # an extra
    except ImportError:
        return False
    return True


def count(req: IRRequest) -> tuple[int, bool] | None:
    """Return the tokens of a prompt and whether that is exact; None when it holds other than text.

    Declarations of tools and calls are counted as OpenAI's cookbook does, which is close. Slow the
    first time: call it off the event loop.
    """
    encode = _encoder()

    def of(text: str) -> int:
        # A lone surrogate has no UTF-8; it would reach the model as a replacement too.
        return len(encode(text.encode("utf-8", "replace").decode("utf-8")))

    exact = not req.tools
    total = REPLY
    for block in req.system:
        total += PER_MESSAGE + 1 + of(block.text)
    for message in req.messages:
        total += PER_MESSAGE + 1
        for part in message.parts:
            found = _part(part, of)
            if found is None:
                return None
            tokens, sure = found
            total += tokens
            exact = exact and sure
    for tool in req.tools:
        if not isinstance(tool, Function):
            return None
        total += _declared(tool, of)
    return (total + _FUNCTIONS_END if req.tools else total), exact


def _part(part: Part, of: Callable[[str], int]) -> tuple[int, bool] | None:
    match part:
        case Text() | Refusal():
            return of(part.text), True
        case ToolCall():
            return PER_MESSAGE + of(part.name) + of(part.args), False
        case ToolResult():
            inner = [_part(p, of) for p in part.parts]
            if any(found is None for found in inner):
                return None
            return PER_MESSAGE + sum(found[0] for found in inner if found), False
        case _:
            return None


def _declared(tool: Function, of: Callable[[str], int]) -> int:
    total = _FUNCTION + of(f"{tool.name}:{(tool.description or '').rstrip('.')}")
    schema = tool.schema if isinstance(tool.schema, dict) else {}
    properties = schema.get("properties")
    if not isinstance(properties, dict) or not properties:
        return total
    total += _PROPERTIES
    for name, value in properties.items():
        about = value if isinstance(value, dict) else {}
        total += _PROPERTY
        if isinstance(about.get("enum"), list):
            total += _ENUM
            total += sum(_ENUM_ITEM + of(str(item)) for item in about["enum"])
        told = str(about.get("description", "")).rstrip(".")
        total += of(f"{name}:{about.get('type', '')}:{told}")
        nested = {k: v for k, v in about.items() if k in ("properties", "items", "anyOf")}
        total += of(json.dumps_str(nested)) if nested else 0
    return total


@lru_cache(maxsize=1)
def _encoder() -> Any:
    import tiktoken  # noqa: PLC0415

    packed = resources.files("cliproxy.tokens") / "vocabulary" / "o200k_base.tiktoken.gz"
    ranks = {}
    for line in gzip.decompress(packed.read_bytes()).splitlines():
        token, _, rank = line.partition(b" ")
        ranks[base64.b64decode(token)] = int(rank)
    # Special tokens in a prompt are text to the model, so none are known here.
    encoding = tiktoken.Encoding(
        "o200k_base", pat_str=_PATTERN, mergeable_ranks=ranks, special_tokens={}
    )
    return encoding.encode_ordinary

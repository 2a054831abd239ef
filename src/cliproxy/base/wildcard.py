"""Patterns with `*` for any run of characters, anchored at both ends, and nothing else special."""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(maxsize=4096)
def _compiled(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    text = ".*".join(re.escape(piece) for piece in pattern.split("*"))
    return re.compile(text, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def matches(pattern: str, text: str, *, ignore_case: bool = False) -> bool:
    """Tell whether the whole text fits the pattern."""
    if "*" not in pattern:
        return pattern.lower() == text.lower() if ignore_case else pattern == text
    return _compiled(pattern, ignore_case).fullmatch(text) is not None

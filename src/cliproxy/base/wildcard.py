"""Patterns with `*` for any run of characters, anchored at both ends, and nothing else special."""

from __future__ import annotations


def matches(pattern: str, text: str, *, ignore_case: bool = False) -> bool:
    """Tell whether the whole text fits the pattern."""
    if ignore_case:
        pattern, text = pattern.lower(), text.lower()
    first, *middle = pattern.split("*")
    if not middle:
        return pattern == text
    last = middle.pop()
    end = len(text) - len(last)
    if end < len(first) or not (text.startswith(first) and text.endswith(last)):
        return False
    # The leftmost place for each piece leaves the most room for the rest: one pass is enough.
    place = len(first)
    for piece in middle:
        found = text.find(piece, place, end)
        if found < 0:
            return False
        place = found + len(piece)
    return True

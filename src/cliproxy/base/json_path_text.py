r"""Paths into decoded JSON as they are written: text → `Path`.

| path | meaning |
|---|---|
| `a.b.c` | keys; `\` takes the meaning from `. * ? # | @` |
| `a.0` | up to four digits: an index of a list, a key of an object |
| `a.-1` | behind the last element (set), the last element (delete) |
| `a.:0` | a key, even if it looks like an index |
| `a.*.b`, `a?` | the first key that fits (read) |
| `a.#`, `a.#.b` | the length; of every element (read) |
| `a.#(k=="v").b` | the first element that fits; `#(k=="v")#` every one |

A condition is `path operator value` with `== != < <= > >= % !%` (`%`: fits a pattern), or a path
alone, which must exist; without a path it is about the element itself. `&&` binds closer than `||`.
"""

from __future__ import annotations

import re
from typing import Final

from cliproxy.base import json
from cliproxy.base.json_path import Condition, Each, Fits, Key, Path, Pattern, Query, Step

_LONGEST: Final = 1000
"""Characters of a path."""
_DEEPEST: Final = 8
"""How deep conditions may stand in conditions."""
_INDEX: Final = re.compile(r"-1|[0-9]{1,4}")
_OPERATOR: Final = re.compile(r"==|!=|<=|>=|!%|[=<>%]")


class PathError(ValueError):
    """The text is not a path; the message says what is wrong with it."""


def compile_path(text: str) -> Path:
    """Compile a path. Raises `PathError`."""
    if len(text) > _LONGEST:
        raise PathError(f"is longer than {_LONGEST} characters")
    return _compile(text, 0)


def _compile(text: str, depth: int) -> Path:
    if not text:
        raise PathError("is empty")
    steps = tuple(_step(part, depth) for part in _split(text, "."))
    return Path(text, steps)


def _split(text: str, separator: str) -> list[str]:
    """Split where the separator stands outside of brackets and quotes, and is not escaped."""
    parts: list[str] = []
    start = place = brackets = 0
    while place < len(text):
        letter = text[place]
        if letter == "\\":
            place += 2
            continue
        if letter == '"' and brackets + (separator != "."):
            place = _end_of_quote(text, place)
            continue
        if letter == "(" and (brackets or separator != "." or text[start:place] == "#"):
            brackets += 1
        elif letter == ")" and brackets:
            brackets -= 1
        elif not brackets and text.startswith(separator, place):
            parts.append(text[start:place])
            place += len(separator)
            start = place
            continue
        place += 1
    if brackets:
        raise PathError("has a bracket that is not closed")
    return [*parts, text[start:]]


def _end_of_quote(text: str, place: int) -> int:
    place += 1
    while place < len(text):
        if text[place] == '"':
            return place + 1
        place += 2 if text[place] == "\\" else 1
    raise PathError("has a quote that is not closed")


def _step(part: str, depth: int) -> Step:
    if not part:
        raise PathError("has an empty step")
    if part == "#":
        return Each()
    if part.startswith("#("):
        every = part.endswith(")#")
        inner = part[2:-2] if every else part[2:-1]
        if not every and not part.endswith(")"):
            raise PathError("goes on behind a condition without a dot")
        return _query(inner, depth + 1, every=every)
    if part[0] in "#@":
        raise PathError(f"has a step that begins with {part[0]}: write \\{part[0]} for a key")
    pieces = _unescaped(part)
    if any(piece == "|" and special for piece, special in pieces):
        raise PathError("holds a |, which is not understood: write \\| for a key")
    if any(special for _, special in pieces):
        return Pattern(_fitting(pieces))
    if part[0] == ":" and _INDEX.fullmatch(part[1:]):
        return Key(part[1:])
    index = int(part) if _INDEX.fullmatch(part) else None
    return Key("".join(letter for letter, _ in pieces), index)


def _query(text: str, depth: int, *, every: bool) -> Query:
    if depth > _DEEPEST:
        raise PathError("has conditions nested too deeply")
    return Query(
        tuple(
            tuple(_condition(one.strip(), depth) for one in _split(alternative, "&&"))
            for alternative in _split(text, "||")
        ),
        every,
    )


def _condition(text: str, depth: int) -> Condition:
    if not text:
        raise PathError("has an empty condition")
    place = _place_of_operator(text)
    if place is None:
        return Condition(_compile(text, depth))
    left = text[: place.start()].strip()
    operator = "==" if place[0] == "=" else place[0]
    path = _compile(left, depth) if left else None
    right = text[place.end() :].strip()
    if right[:1] == "~":
        raise PathError("compares with ~, which is not understood")
    if right[:1] == '"':
        try:
            right = json.loads(right)
        except json.InvalidJson:
            raise PathError("compares with a text that is not well quoted") from None
    elif not right:
        raise PathError(f"has nothing behind {operator}")
    fits = _fitting(_unescaped(right)) if "%" in operator else None
    return Condition(path, operator, right, fits)


def _place_of_operator(text: str) -> re.Match[str] | None:
    place = brackets = 0
    while place < len(text):
        letter = text[place]
        if letter == "\\":
            place += 2
            continue
        if letter == '"':
            place = _end_of_quote(text, place)
            continue
        brackets += (letter == "(") - (letter == ")")
        if not brackets and (found := _OPERATOR.match(text, place)):
            return found
        place += 1
    return None


def _unescaped(text: str) -> list[tuple[str, bool]]:
    """Return the letters, and of each whether it has a special meaning."""
    pieces: list[tuple[str, bool]] = []
    place = 0
    while place < len(text):
        if text[place] == "\\" and place + 1 < len(text):
            pieces.append((text[place + 1], False))
            place += 2
            continue
        pieces.append((text[place], text[place] in "*?|"))
        place += 1
    return pieces


def _fitting(pieces: list[tuple[str, bool]]) -> Fits:
    runs: list[str] = [""]
    for letter, special in pieces:
        if special and letter == "*":
            runs.append("")
        else:
            runs[-1] += "." if special and letter == "?" else re.escape(letter)
    first, *middle = runs
    # The leftmost place for each piece leaves the most room for the rest: none is tried twice.
    last = f".*{middle.pop()}" if middle else ""
    pattern = first + "".join(f"(?>.*?{run})" for run in middle if run) + last
    fits = re.compile(pattern, re.DOTALL).fullmatch
    return lambda text: fits(text) is not None

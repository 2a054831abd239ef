r"""Paths into decoded JSON: read, set and delete.

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
No document makes reading or writing raise: what does not fit is missing, or stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from msgspec import UNSET, Struct

from cliproxy.base import json
from cliproxy.base.json import Json

_LONGEST: Final = 1000
_DEEPEST: Final = 8
_INDEX: Final = re.compile(r"-1|[0-9]{1,4}")
_OPERATOR: Final = re.compile(r"==|!=|<=|>=|!%|[=<>%]")
_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,9})?", re.ASCII)

Fits = Callable[[str], bool]


class PathError(ValueError):
    """The text is not a path; the message says what is wrong with it."""


class Key(Struct, frozen=True):
    """A step to one place. `index` is its meaning in a list."""

    text: str
    index: int | None = None


class Pattern(Struct, frozen=True):
    """A step to the first key that fits."""

    fits: Fits


class Each(Struct, frozen=True):
    """A step to all elements; as the last one, their number."""


class Condition(Struct, frozen=True):
    """What an element must be like."""

    path: Path | None
    operator: str = ""
    text: str = ""
    fits: Fits | None = None


class Query(Struct, frozen=True):
    """A step to the elements that fulfil all conditions of one alternative."""

    alternatives: tuple[tuple[Condition, ...], ...]
    every: bool = False


Step = Key | Pattern | Each | Query


class Path(Struct, frozen=True):
    """A compiled path."""

    text: str
    steps: tuple[Step, ...]

    @property
    def writable(self) -> bool:
        """Whether it can be set and deleted."""
        return all(isinstance(step, Key | Query) for step in self.steps)

    def get(self, document: Json) -> Json:
        """Return what stands there, `UNSET` if nothing does; a list where there may be several."""
        return _get(document, self.steps)

    def found(self, document: Json) -> list[Json]:
        """Return everything that stands there, as a flat list."""
        if self.steps and isinstance(self.steps[-1], Each):
            return [
                len(items)
                for place in _resolve(document, self.steps[:-1])
                if isinstance(items := value_at(document, place), list)
            ]
        values = (value_at(document, place) for place in _resolve(document, self.steps))
        return [value for value in values if value is not UNSET]

    def exists(self, document: Json) -> bool:
        """Tell whether anything stands there; null is something."""
        return bool(self.found(document))

    def places(self, document: Json) -> list[tuple[Key, ...]]:
        """Return the single places that it means in a document, there or not."""
        return _resolve(document, self.steps)

    def set(self, document: Json, value: Json) -> bool:
        """Put a copy of the value there, in place; what is missing on the way is created."""
        return True in [put(document, place, value) for place in self.places(document)]

    def delete(self, document: Json) -> bool:
        """Take away what stands there, in place."""
        # From the end, so that no index shifts before its turn.
        places = reversed(self.places(document))
        return True in [_remove(document, place) for place in places]


def compile_path(text: str) -> Path:
    """Compile a path. Raises `PathError`."""
    if len(text) > _LONGEST:
        raise PathError(f"is longer than {_LONGEST} characters")
    return _compile(text, 0)


def put(document: Json, place: tuple[Key, ...], value: Json, *, replace: bool = True) -> bool:
    """Set one place. Without `replace` no value gives way to an object or list on the way."""
    node = document
    for depth, key in enumerate(place):
        child = _child(node, key)
        rest = place[depth + 1 :]
        if rest and isinstance(child, dict | list):
            node = child
            continue
        if rest and not replace and child is not UNSET and child is not None:
            return False
        value = deepcopy(value)
        for inner in reversed(rest):
            value = _wrapped(inner, value)
        return _store(node, key, value)
    return False


def value_at(document: Json, place: tuple[Key, ...]) -> Json:
    """Return what stands in one place, `UNSET` if nothing does."""
    for key in place:
        document = _child(document, key)
    return document


def glob(pattern: str) -> Fits:
    r"""Return a test for a pattern with `*`, `?` and `\`."""
    return _fitting(_unescaped(pattern))


def number(value: Json) -> Decimal | None:
    """Return the exact value of a JSON number, None for anything else."""
    match value:
        case bool():
            return None
        case float():
            return Decimal(repr(value))
        case int() | Decimal():
            return Decimal(value)
        case _:
            return None


# ---- Reading and writing


def _get(value: Json, steps: tuple[Step, ...]) -> Json:
    for depth, step in enumerate(steps):
        rest = steps[depth + 1 :]
        if isinstance(step, Key):
            value = _child(value, step)
        elif isinstance(step, Pattern):
            key = _first_key(value, step)
            value = UNSET if key is None else value[key]
        elif not isinstance(value, list):
            return UNSET
        elif isinstance(step, Query) and not step.every:
            value = next((item for item in value if _fulfils(item, step)), UNSET)
        elif isinstance(step, Each) and not rest:
            return len(value)
        else:
            chosen = value if isinstance(step, Each) else [v for v in value if _fulfils(v, step)]
            return [got for item in chosen if (got := _get(item, rest)) is not UNSET]
        if value is UNSET:
            return UNSET
    return value


def _resolve(document: Json, steps: tuple[Step, ...]) -> list[tuple[Key, ...]]:
    found: list[tuple[tuple[Key, ...], Json]] = [((), document)]
    for step in steps:
        reached: list[tuple[tuple[Key, ...], Json]] = []
        for place, value in found:
            if isinstance(step, Key):
                reached.append(((*place, step), _child(value, step)))
            elif isinstance(step, Pattern):
                key = _first_key(value, step)
                if key is not None:
                    reached.append(((*place, Key(key)), value[key]))
            elif isinstance(value, list):
                for index, item in enumerate(value):
                    if isinstance(step, Query) and not _fulfils(item, step):
                        continue
                    reached.append(((*place, Key(str(index), index)), item))
                    if isinstance(step, Query) and not step.every:
                        break
        found = reached
    return [place for place, _ in found]


def _child(node: Json, key: Key) -> Json:
    if isinstance(node, dict):
        return node.get(key.text, UNSET)
    if isinstance(node, list) and key.index is not None and 0 <= key.index < len(node):
        return node[key.index]
    return UNSET


def _first_key(node: Json, pattern: Pattern) -> str | None:
    if not isinstance(node, dict):
        return None
    return next((key for key in node if pattern.fits(key)), None)


def _store(node: Json, key: Key, value: Json) -> bool:
    if isinstance(node, dict):
        node[key.text] = value
        return True
    if not isinstance(node, list) or key.index is None:
        return False
    if 0 <= key.index < len(node):
        node[key.index] = value
    else:
        node += _wrapped(key, value)[len(node) if key.index >= 0 else 0 :]
    return True


def _wrapped(key: Key, value: Json) -> Json:
    if key.index is None:
        return {key.text: value}
    return [*[None] * max(0, key.index), value]


def _remove(document: Json, place: tuple[Key, ...]) -> bool:
    if not place:
        return False
    node, key = value_at(document, place[:-1]), place[-1]
    if isinstance(node, dict) and key.text in node:
        del node[key.text]
        return True
    if isinstance(node, list) and key.index is not None and key.index < len(node) and node:
        del node[key.index]
        return True
    return False


def _fulfils(item: Json, query: Query) -> bool:
    return any(all(_holds(item, one) for one in every) for every in query.alternatives)


def _holds(item: Json, condition: Condition) -> bool:
    value = item if condition.path is None else condition.path.get(item)
    operator, text = condition.operator, condition.text
    if value is UNSET or not operator:
        return value is not UNSET
    if isinstance(value, str):
        if condition.fits is not None:
            return condition.fits(value) == (operator == "%")
        return _compared(value, operator, text)
    if value is None or isinstance(value, bool):
        same = text == json.dumps_str(value)
        return same if operator == "==" else operator == "!=" and not same
    left = number(value)
    if left is None or condition.fits is not None:
        return False
    right = _decimal(text)
    return operator == "!=" if right is None else _compared(left, operator, right)


def _compared(left: Any, operator: str, right: Any) -> bool:
    match operator:
        case "==":
            return bool(left == right)
        case "!=":
            return bool(left != right)
        case "<":
            return bool(left < right)
        case "<=":
            return bool(left <= right)
        case ">":
            return bool(left > right)
        case _:
            return bool(left >= right)


def _decimal(text: str) -> Decimal | None:
    if not _NUMBER.fullmatch(text):
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


# ---- Compiling


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
    return Condition(path, operator, right, glob(right) if "%" in operator else None)


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

"""Paths into decoded JSON: read, set and delete. How they are written is in `json_path_text.py`.

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

_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,9})?", re.ASCII)

Fits = Callable[[str], bool]


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

"""YAML text → plain dicts, lists and scalars, and the line on which each of them stands.

Unquoted scalars keep the letters they were written with (`Plain`): `0012` is a fine key and `1.10`
a fine model name. What they mean is decided by the type of the key they stand under. The YAML
library only parses: its own trees take several times as long to build for thousands of entries.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import StringIO
from typing import Any, Final

from msgspec import Struct
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from cliproxy.base.redact import Hidden, mask

_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL: Final = {"true": True, "True": True, "TRUE": True,
                "false": False, "False": False, "FALSE": False}  # fmt: skip
_INT: Final = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_STRING_TAG: Final = "tag:yaml.org,2002:str"
_QUOTED: Final = re.compile(r"""'[^<'][^']+'|"[^<"][^"]+\"""")
_DEPTH: Final = 100
_SHORT: Final = 16
"""A key that is shorter is shown as it is."""
_WORDS: Final = re.compile(r"[A-Za-z_ -]{1,40}")
_HARMLESS: Final = re.compile(
    r"(?=.{1,15}$)[A-Za-z]{1,12}(-[a-z]{1,12})?|[-+]?[0-9][0-9._,]{0,7}[A-Za-z%]{0,7}"
)
"""Words and numbers: what people write where something else is meant to stand."""


class Plain(str):
    """A scalar without quotes."""

    __slots__ = ()


class NotYaml(ValueError):
    """The text is not YAML; the message never repeats what was written."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class Tree(Hidden, Struct):
    """The root value, and path (`routing.strategy`, `api-keys[0]`) → line."""

    value: Any
    lines: dict[str, int]


def parse(text: str) -> Tree:
    """Read one YAML document. Raises `NotYaml`."""
    try:
        return _Composer(YAML(typ="safe", pure=True).parse(StringIO(text))).run()
    except ReaderError as err:
        line = text.count("\n", 0, err.position) + 1
        raise NotYaml("it holds a character that YAML does not allow", line) from None
    except MarkedYAMLError as err:
        mark = err.problem_mark or err.context_mark
        problem = _QUOTED.sub("…", str(err.problem or err.context))
        raise NotYaml(problem, mark.line + 1 if mark else None) from None
    except YAMLError:
        raise NotYaml("it cannot be read") from None


def shown(value: str) -> str:
    """Return a value of the file fit for a message: what may be a secret is masked.

    Short ones too, where they are neither a word nor a number.
    """
    return repr(value if _HARMLESS.fullmatch(value) else mask(value))


def shown_key(name: str) -> str:
    """Return a key of the file fit for a message."""
    return name if len(name) < _SHORT or _WORDS.fullmatch(name) else mask(name)


def meaning(value: Any) -> Any:
    """Return a value with its unquoted scalars read as YAML 1.2 reads them."""
    if isinstance(value, dict):
        return {key: meaning(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [meaning(inner) for inner in value]
    if not isinstance(value, Plain):
        return value
    text = str(value)
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


class _Composer:
    def __init__(self, events: Iterator[Event]) -> None:
        self._events = events
        self._anchors: dict[str, Any] = {}
        self._lines: dict[str, int] = {}

    def run(self) -> Tree:
        value: Any = None
        documents = 0
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise NotYaml("a second document begins", _line(event))
                value = self._node(next(self._events), "", 0)
            elif isinstance(event, DocumentEndEvent):
                continue
        return Tree(value, self._lines)

    def _node(self, event: Event, path: str, depth: int) -> Any:
        if depth > _DEPTH:
            raise NotYaml("it is nested too deeply", _line(event))
        value: Any
        if isinstance(event, ScalarEvent):
            value = _scalar(event)
        elif isinstance(event, MappingStartEvent):
            value = self._mapping(path, depth)
        elif isinstance(event, SequenceStartEvent):
            value = self._sequence(path, depth)
        else:
            assert isinstance(event, AliasEvent)
            if event.anchor not in self._anchors:
                raise NotYaml("an alias (*) has no anchor (&) before it", _line(event))
            return self._anchors[event.anchor]
        if event.anchor:
            self._anchors[event.anchor] = value
        return value

    def _sequence(self, path: str, depth: int) -> list[Any]:
        items: list[Any] = []
        for event in self._events:
            if isinstance(event, SequenceEndEvent):
                break
            inner = f"{path}[{len(items)}]"
            self._lines[inner] = _line(event)
            items.append(self._node(event, inner, depth + 1))
        return items

    def _mapping(self, path: str, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: list[Any] = []
        for event in self._events:
            if isinstance(event, MappingEndEvent):
                break
            line = _line(event)
            key = self._node(event, path, depth + 1)
            if key is not None and not isinstance(key, str):
                raise NotYaml("a key must be a single word", line)
            name = "" if key is None else str(key)
            inner = f"{path}.{name}" if path else name
            value = self._node(next(self._events), inner, depth + 1)
            if name == "<<" and isinstance(key, Plain):
                merged += value if isinstance(value, list) else [value]
                continue
            if name in found:
                first = self._lines[inner]
                raise NotYaml(
                    f"the key {shown_key(name)!r} stands twice, first in line {first}", line
                )
            self._lines[inner] = line
            found[name] = value
        for other in merged:
            if isinstance(other, dict):
                found = {**other, **found}
        return found


def _line(event: Event) -> int:
    return int(event.start_mark.line) + 1


def _scalar(event: ScalarEvent) -> str | None:
    text = str(event.value)
    # Neither quotes nor `!!str` in front.
    if event.style is None and str(event.ctag or "") != _STRING_TAG:
        return None if text in _NULL else Plain(text)
    return text

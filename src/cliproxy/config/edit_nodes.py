"""Where every value of a YAML text stands, and how a value is written."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterator
from io import StringIO
from typing import Any, Final, Literal

from msgspec import Struct, field
from ruamel.yaml import YAML
from ruamel.yaml.events import (
    AliasEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.tokens import BlockEntryToken

from cliproxy.base.json import Json
from cliproxy.base.redact import Hidden
from cliproxy.config.tree import meaning, parse

_COLON: Final = re.compile(r" *:")
_EOL: Final = re.compile(r"\r\n|\n|\r")
_WORD: Final = re.compile(r"[A-Za-z_][\w./@+-]*(?: [\w./@+()-]+)*", re.ASCII)
_SPECIAL: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_SHORT_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_OUT_COMMENTED: Final = re.compile(r"#\s*(?:- |-$|[\"']?[a-z0-9][a-z0-9_.-]*[\"']?:(?:\s|$))")


class NotEditable(ValueError):
    """The text cannot be changed as wanted without touching something else."""


class Node(Hidden, Struct, eq=False):
    """A value and its place in the text."""

    kind: Literal["map", "seq", "scalar", "alias"]
    value: Any
    start: int
    end: int
    """Behind the last character of the last leaf: comments that follow are not part of it."""
    within: Literal["root", "key", "item", "flow"]
    after: int
    """Behind the colon or the dash that leads to it."""
    owner: int
    """The column of its key or dash."""
    flow: bool = False
    style: str | None = None
    anchor: str | None = None
    shared: bool = False
    """An alias elsewhere means this value."""
    entries: list[Entry] = field(default_factory=list)

    def by_key(self) -> dict[str, Entry]:
        """The entries of a map; keys that come from a merge are not among them."""
        return {e.name: e for e in self.entries if not e.merge}

    def pair(self) -> bool:
        """Whether it is a pair without braces in a flow list."""
        return self.flow and bool(self.entries) and self.entries[0].start == self.start

    def holds_shared(self) -> bool:
        """Whether an alias elsewhere means this value or a part of it."""
        return self.shared or any(e.node.holds_shared() for e in self.entries)


class Entry(Hidden, Struct, eq=False):
    """A pair of a map (from its key) or an item of a list (from its dash)."""

    name: str
    start: int
    node: Node
    merge: bool = False


class Lines:
    """The lines of a text, by position."""

    def __init__(self, text: str) -> None:
        self.text = text
        ends = list(_EOL.finditer(text))
        # A byte order mark is not part of the first line.
        first = 1 if text.startswith("\ufeff") else 0
        self._starts = [first, *(m.end() for m in ends)]
        self._ends = [*(m.start() for m in ends), len(text)]
        self.eol = ends[0].group() if ends else "\n"

    def number(self, at: int) -> int:
        """The line, from 0, on which a position lies."""
        return max(0, bisect_right(self._starts, at) - 1)

    def start(self, at: int) -> int:
        """Where the line of a position begins."""
        return self._starts[self.number(at)]

    def end(self, at: int) -> int:
        """Where the line of a position ends, before its line break."""
        return self._ends[self.number(at)]

    def next(self, at: int) -> int:
        """Where the line after that of a position begins, or the end of the text."""
        return self.first_of(self.number(at) + 1)

    def first_of(self, number: int) -> int:
        """Where a line begins, or the end of the text."""
        return self._starts[number] if number < len(self._starts) else len(self.text)

    def column(self, at: int) -> int:
        """How far a position is from the beginning of its line."""
        return at - self.start(at)

    def own(self, at: int) -> bool:
        """Whether only spaces stand before a position on its line."""
        return not self.text[self.start(at) : at].strip(" ")

    def same(self, one: int, other: int) -> bool:
        """Whether two positions lie on one line."""
        return self.number(one) == self.number(other)

    def comment(self, number: int) -> tuple[int, bool] | None:
        """The column of a comment that has its line for itself, and whether it hides a setting."""
        line = self._line(number).lstrip(" ")
        if not line.startswith("#"):
            return None
        return len(self._line(number)) - len(line), bool(_OUT_COMMENTED.match(line))

    def blank(self, number: int) -> bool:
        """Whether nothing stands on a line."""
        return number < len(self._starts) and not self._line(number).strip()

    def _line(self, number: int) -> str:
        if not 0 <= number < len(self._starts):
            return ""
        return self.text[self._starts[number] : self._ends[number]]


def compose(text: str) -> Node:
    """Return the root with the places of everything below it. Raises `NotYaml`, `NotEditable`."""
    if "\x85" in text:
        raise NotEditable("the file has line breaks of an unusual kind")
    value = meaning(parse(text).value)
    return _Composer(text).run(value)


class _Composer:
    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = Lines(text)
        yaml = YAML(typ="safe", pure=True)
        # Items without a value have no place of their own: their dashes are needed.
        tokens = yaml.scan(StringIO(text))
        self._dashes = iter([t.start_mark.index for t in tokens if isinstance(t, BlockEntryToken)])
        self._events: Iterator[Event] = YAML(typ="safe", pure=True).parse(StringIO(text))
        self._used: set[str] = set()
        self._anchored: list[Node] = []

    def run(self, value: Json) -> Node:
        root: Node | None = None
        for event in self._events:
            if isinstance(event, NodeEvent):
                root = self._node(event, value, "root", 0, 0)
        if root is None or (root.value is None and root.start == root.end):
            return Node("scalar", None, 0, 0, "root", 0, 0)
        for node in self._anchored:
            node.shared = node.anchor in self._used
        return root

    def _node(
        self,
        event: Event,
        value: Json,
        within: Literal["root", "key", "item", "flow"],
        after: int,
        owner: int,
    ) -> Node:
        assert isinstance(event, NodeEvent)
        start, end = event.start_mark.index, event.end_mark.index
        node = Node("scalar", value, start, end, within, after, owner, anchor=event.anchor)
        if isinstance(event, AliasEvent):
            node.kind = "alias"
            self._used.add(str(event.anchor))
            return node
        if event.anchor:
            self._anchored.append(node)
        if isinstance(event, ScalarEvent):
            node.style = event.style
            if start == end:
                node.start = node.end = after
            elif event.style in ("|", ">"):
                node.end = self._block_end(start, end)
        elif isinstance(event, MappingStartEvent):
            node.kind = "map"
            self._mapping(node, bool(event.flow_style))
        elif isinstance(event, SequenceStartEvent):
            node.kind = "seq"
            self._sequence(node, bool(event.flow_style))
        return node

    def _block_end(self, start: int, end: int) -> int:
        header = self._text[start : self._lines.end(start)].partition("#")[0]
        whole = self._text[start:end]
        # "+" keeps the empty lines that follow.
        body = whole if "+" in header else whole.rstrip(" \r\n")
        end = start + len(body)
        return end - 1 if end > start and self._text[end - 1] in "\r\n" else end

    def _sequence(self, node: Node, flow: bool) -> None:
        node.flow = flow
        values = node.value if isinstance(node.value, list) else []
        for event in self._events:
            if isinstance(event, SequenceEndEvent):
                self._close(node, event)
                return
            number = len(node.entries)
            value = values[number] if number < len(values) else None
            if flow:
                child = self._node(event, value, "flow", event.start_mark.index, 0)
                node.entries.append(Entry("", child.start, child))
            else:
                dash = next(self._dashes)
                column = self._lines.column(dash)
                child = self._node(event, value, "item", dash + 1, column)
                node.entries.append(Entry("", dash, child))

    def _mapping(self, node: Node, flow: bool) -> None:
        node.flow = flow
        values = node.value if isinstance(node.value, dict) else {}
        for event in self._events:
            if isinstance(event, MappingEndEvent):
                self._close(node, event)
                return
            key = self._node(event, None, "flow", event.start_mark.index, 0)
            name = str(getattr(event, "value", ""))
            merge = name == "<<" and key.style is None
            name = name if name in values or merge else ""
            colon = _COLON.match(self._text, key.end)
            column = self._lines.column(key.start)
            before = self._text[self._lines.start(key.start) : key.start]
            if not flow and (key.kind == "alias" or not colon or before.strip(" -")):
                line = self._lines.number(key.start) + 1
                raise NotEditable(f"the key in line {line} is written in an unusual way")
            after = colon.end() if colon else key.end
            value = None if merge else values.get(name)
            inner = next(self._events)
            child = self._node(inner, value, "flow" if flow else "key", after, column)
            node.entries.append(Entry(name, key.start, child, merge))

    def _close(self, node: Node, event: Event) -> None:
        if node.flow and not node.pair():
            node.end = event.end_mark.index
        else:
            node.end = node.entries[-1].node.end


def alike(one: Json, other: Json) -> bool:
    """Whether two values are equal and of the same types: `1`, `1.0` and `true` differ."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(v, other[k]) for k, v in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return bool(one == other)


def block(value: dict[str, Json] | list[Json]) -> list[str]:
    """Return the lines of a map or list that is not empty."""
    lines: list[str] = []
    if isinstance(value, dict):
        for key, inner in value.items():
            if inner and isinstance(inner, dict | list):
                lines += [f"{scalar(key)}:", *(f"  {line}" for line in block(inner))]
            else:
                lines.append(f"{scalar(key)}: {inline(inner)}")
    else:
        for item in value:
            first, *rest = block(item) if item and isinstance(item, dict | list) else [inline(item)]
            lines += [f"- {first}", *(f"  {line}" for line in rest)]
    return lines


def inline(value: Json, style: str | None = None) -> str:
    """Return a value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(k)}: {inline(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(inline(item) for item in value) + "]"
    return scalar(value, style)


def scalar(value: Json, style: str | None = None) -> str:
    """Return a scalar as it is read back, in the given style of quotes where that will do."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise NotEditable("a number must be finite")
        return repr(value)
    if not isinstance(value, str):
        raise NotEditable(f"{type(value).__name__} cannot be written")
    if style is None and _WORD.fullmatch(value) and value.lower() not in _SPECIAL:
        return value
    if style == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    return '"' + "".join(map(_escaped, value)) + '"'


def _escaped(char: str) -> str:
    if short := _SHORT_ESCAPES.get(char):
        return short
    if char.isprintable():
        return char
    code = ord(char)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

"""Cutting and filling a YAML text at the places of its values."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final, TypeAlias

from cliproxy.base.json import Json
from cliproxy.config.edit_match import match
from cliproxy.config.edit_nodes import Lines, Node, NotEditable, alike, block, inline, scalar

Placed: TypeAlias = list[tuple[int | None, Json]]
"""The items of a list as they shall be: the index of an old one, `None` for a new one."""

_PROPERTIES: Final = re.compile(r"(?: +[&!]\S*)*")
_SCALAR_HEADER: Final = re.compile(r"[^#\r\n]*[^#\r\n ]")
_SPACE: Final = re.compile(r"\s*")
_COMMA: Final = re.compile(r" *, *")
_COMMA_OR_NOT: Final = re.compile(r"(?: *,)?")


class Editor:
    """Collects changes of one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = Lines(text)
        self._edits: list[tuple[int, int, str]] = []

    def result(self) -> str:
        """Return the changed text."""
        return self._spliced(0, len(self._text), self._edits)

    def update(self, node: Node, new: Json) -> None:
        """Give a node another value."""
        if alike(node.value, new):
            return
        self._own(node)
        if not new or not node.entries or node.pair():
            self._replace(node, new)
        elif node.kind == "map" and isinstance(new, dict):
            self._change_map(node, new)
        elif node.kind == "seq" and isinstance(new, list):
            self.place(node, list(zip(match(node.value, new), new, strict=True)))
        else:
            self._replace(node, new)

    def place(self, node: Node, items: Placed) -> None:
        """Give a list other items."""
        self._own(node)
        if not items:
            self._replace(node, [])
            return
        kept = [i for i, _ in items if i is not None]
        gone = sorted(set(range(len(node.entries))) - set(kept))
        self._leave(node, gone)
        in_order = kept == sorted(kept)
        if node.flow:
            texts = [(i, value, "") for i, value in items]
            self._change_flow(node, texts, in_order)
        elif not kept:
            self._replace(node, [value for _, value in items])
        elif in_order and (self._lines.own(node.entries[0].start) or items[0][0] == 0):
            self._change_items(node, items, gone)
        else:
            self._rebuild(node, items)

    def _own(self, node: Node) -> None:
        if node.shared or (node.kind == "alias" and isinstance(node.value, dict | list)):
            raise NotEditable("it is shared with another place of the file by an anchor (&)")

    def _leave(self, node: Node, gone: list[int]) -> None:
        if any(node.entries[i].node.holds_shared() for i in gone):
            raise NotEditable("another place of the file needs an anchor (&) that would go")

    # Maps

    def _change_map(self, node: Node, new: dict[str, Json]) -> None:
        own = node.by_key()
        merged = {name: value for name, value in node.value.items() if name not in own}
        if not merged.keys() <= new.keys():
            raise NotEditable("a key that comes from an anchor cannot be removed")
        added = {
            name: value
            for name, value in new.items()
            if name not in own and not (name in merged and alike(merged[name], value))
        }
        gone = [i for i, e in enumerate(node.entries) if not e.merge and e.name not in new]
        self._leave(node, gone)
        kept = [i for i in range(len(node.entries)) if i not in set(gone)]
        if node.flow:
            texts: list[tuple[int | None, Json, str]] = [
                (i, new.get(node.entries[i].name), "") for i in kept
            ]
            texts += [(None, value, f"{scalar(name)}: ") for name, value in added.items()]
            self._change_flow(node, texts, in_order=True)
            return
        if not kept:
            self._replace(node, new)
            return
        for i in kept:
            if not node.entries[i].merge:
                self.update(node.entries[i].node, new[node.entries[i].name])
        self._remove(node, gone)
        if added:
            self._insert(self._section_end(node), block(added), self._column(node))

    def _column(self, node: Node) -> int:
        return self._lines.column(node.entries[0].start)

    # Block style: entries with their lines

    def _bounds(self, node: Node, index: int) -> tuple[int, int]:
        """From the comment right above an entry to the end of its last line."""
        lines, entry = self._lines, node.entries[index]
        column = lines.column(entry.start)
        end = self._tail(entry.node.end, column)
        if not lines.own(entry.start):
            return entry.start, end
        first = lines.number(entry.start)
        if index:
            floor = lines.number(node.entries[index - 1].node.end)
        else:
            floor = -1 if node.within == "root" else lines.number(node.after)
        while first - 1 > floor and (comment := lines.comment(first - 1)):
            # A setting that was commented out is not about the next one.
            if comment[0] > column or comment[1]:
                break
            first -= 1
        return lines.first_of(first), end

    def _tail(self, end: int, column: int) -> int:
        """Behind the last line of an entry: comments further in than the entry belong to it."""
        lines = self._lines
        number = lines.number(end) + 1
        stop = number
        while (comment := lines.comment(number)) or lines.blank(number):
            number += 1
            if comment and comment[0] <= column:
                break
            if comment:
                stop = number
        return lines.first_of(stop)

    def _section_end(self, node: Node) -> int:
        """Where to add an entry: behind settings that are commented out at the end, too."""
        lines, column = self._lines, self._column(node)
        end = self._tail(node.end, column)
        if node.within == "key" and column <= node.owner:
            return end
        number = lines.number(end) if end < len(self._text) else lines.number(node.end) + 1
        while (comment := lines.comment(number)) or lines.blank(number):
            number += 1
            if comment and comment[0] < column:
                break
            if comment and (comment[1] or comment[0] > column):
                end = lines.first_of(number)
        return end

    def _remove(self, node: Node, gone: list[int]) -> None:
        start = node.entries[0].start
        leading = 0
        if not self._lines.own(start):
            # Behind a dash: what follows the removed entries moves up to it.
            leading = next((i for i, g in enumerate(gone) if i != g), len(gone))
        if leading:
            behind = _SPACE.match(self._text, self._bounds(node, leading - 1)[1])
            assert behind
            self._put(start, behind.end(), "")
        for index in gone[leading:]:
            self._put(*self._bounds(node, index), "")

    def _insert(self, at: int, lines: list[str], column: int) -> None:
        self._put(at, at, self._as_lines(at, lines, column))

    def _as_lines(self, at: int, lines: list[str], column: int) -> str:
        eol = self._lines.eol
        body = eol.join(" " * column + line for line in lines)
        if at == self._lines.first_of(0) or self._text[at - 1] in "\r\n":
            return body + eol
        # The last line has no line break; neither has the new one. What takes the place of the
        # last lines follows a line break that stayed.
        here = [edit for edit in self._edits if edit[1] == at]
        freed = any(first < at and self._lines.own(first) for first, _, _ in here)
        filled = any(text for _, _, text in here)
        return body if freed and not filled else eol + body

    # Block lists

    def _change_items(self, node: Node, items: Placed, gone: list[int]) -> None:
        kept = [i for i, _ in items if i is not None]
        for i, value in items:
            if i is not None:
                self.update(node.entries[i].node, value)
        self._remove(node, gone)
        before: int | None = None
        for i, value in items:
            if i is not None:
                before = i
                continue
            if before is None:
                at = self._bounds(node, 0)[0]
            elif before == kept[-1]:
                at = self._section_end(node)
            else:
                at = self._bounds(node, before)[1]
            self._insert(at, block([value]), self._column(node))

    def _rebuild(self, node: Node, items: Placed) -> None:
        """Move items with their comments; what stands between two of them stays there."""
        eol, column = self._lines.eol, self._column(node)
        bounds = [self._bounds(node, i) for i in range(len(node.entries))]
        own = self._lines.own(node.entries[0].start)
        gaps = ["", *(self._text[a[1] : b[0]] for a, b in pairwise(bounds))]
        parts: list[str] = []
        for position, (index, value) in enumerate(items):
            if index is None:
                text = "".join(" " * column + line + eol for line in block([value]))
            else:
                inner = self._captured(node.entries[index].node, value)
                text = self._spliced(*bounds[index], inner)
                if index == 0 and not own:
                    text = " " * column + text
                if not text.endswith(("\n", "\r")):
                    text += eol
            parts += [*gaps[position : position + 1], text]
        parts += [gap for gap in gaps[len(items) :] if gap.strip()]
        whole = "".join(parts)
        start, end = bounds[0][0], bounds[-1][1]
        if not own:
            whole = whole.lstrip(" ")
        if self._text[end - 1] not in "\r\n":
            whole = whole.removesuffix(eol)
        self._put(start, end, whole)

    def _captured(self, node: Node, value: Json) -> list[tuple[int, int, str]]:
        outer, self._edits = self._edits, []
        self.update(node, value)
        inner, self._edits = self._edits, outer
        return inner

    # Flow style

    def _change_flow(
        self, node: Node, items: list[tuple[int | None, Json, str]], in_order: bool
    ) -> None:
        spans = [(e.start, e.node.end) for e in node.entries]
        kept = [i for i, _, _ in items if i is not None]
        added = [f"{name}{inline(value)}" for i, value, name in items if i is None]
        behind = not added or (
            items[len(kept) - 1][0] == len(spans) - 1
            and all(i is None for i, _, _ in items[len(kept) :])
        )
        if kept and in_order and behind:
            for i, value, _ in items:
                if i is not None and not node.entries[i].merge:
                    self.update(node.entries[i].node, value)
            self._cut(spans, sorted(set(range(len(spans))) - set(kept)))
            self._put(spans[-1][1], spans[-1][1], "".join(f", {text}" for text in added))
            return
        # Every place takes what is next; comments between the places stay.
        for position, (i, value, name) in enumerate(items):
            if i is None:
                text = f"{name}{inline(value)}"
            elif node.entries[i].merge:
                text = self._text[slice(*spans[i])]
            else:
                text = self._spliced(*spans[i], self._captured(node.entries[i].node, value))
            if position < len(spans):
                self._put(*spans[position], text)
            else:
                self._put(spans[-1][1], spans[-1][1], f", {text}")
        self._cut(spans, list(range(len(items), len(spans))))

    def _cut(self, spans: list[tuple[int, int]], gone: list[int]) -> None:
        at_end: list[int] = []
        while gone and gone[-1] == len(spans) - 1 - len(at_end):
            at_end.append(gone.pop())
        for i in gone:
            self._put(spans[i][0], spans[i + 1][0], "")
        if at_end:
            first, end = spans[at_end[-1]][0], spans[-1][1]
            before = spans[at_end[-1] - 1][1]
            if _COMMA.fullmatch(self._text, before, first):
                self._put(before, end, "")
            else:
                self._put(first, _COMMA_OR_NOT.match(self._text, end).end(), "")  # type: ignore[union-attr]

    # Whole values

    def _replace(self, node: Node, new: Json) -> None:
        if node.holds_shared():
            raise NotEditable("another place of the file needs an anchor (&) that would go")
        nested = isinstance(new, dict | list) and bool(new) and node.within != "flow"
        lines = block(new) if nested else [inline(new, self._quotes(node))]
        if node.within == "root" and node.end == 0:
            self._insert(self._document_end(), lines, 0)
        elif node.entries and not node.flow:
            self._replace_block(node, lines, nested)
        elif node.style in ("|", ">"):
            header = _SCALAR_HEADER.match(self._text, node.start)
            assert header
            self._put(self._lines.next(node.start), self._lines.next(node.end), "")
            self._fill(node, node.start, header.end(), lines, nested)
        else:
            self._fill(node, node.start, node.end, lines, nested)

    def _quotes(self, node: Node) -> str | None:
        return node.style if node.style in ("'", '"') else None

    def _fill(self, node: Node, start: int, end: int, lines: list[str], nested: bool) -> None:
        """Replace a scalar or something in flow style."""
        text, source = self._lines, self._text
        if nested and node.within == "key":
            if text.same(start, node.after):
                self._put(node.after, end, "")
            else:
                self._put(text.start(start), text.next(end), "")
            self._insert(text.next(node.end), lines, node.owner + 2)
            return
        empty = start == end
        before = source[start - 1 : start]
        lead = "" if not empty else " " if before in (":", "-") else ": "
        self._put(start, end, lead + lines[0])
        if lines[1:]:
            column = node.owner + 2 if empty else text.column(start)
            self._insert(text.next(node.end), lines[1:], column)

    def _replace_block(self, node: Node, lines: list[str], nested: bool) -> None:
        first = node.entries[0].start
        column = self._column(node)
        if not self._lines.own(first):
            _, end = self._bounds(node, len(node.entries) - 1)
            while self._text[end - 1] in "\r\n":
                end -= 1
            rest = f"{self._lines.eol}{' ' * column}"
            self._put(first, end, rest.join(lines))
            return
        bounds = [self._bounds(node, i) for i in range(len(node.entries))]
        if node.within == "root":
            self._insert(bounds[0][0], lines, 0)
        elif not nested:
            self._put(node.after, self._properties(node), f" {lines[0]}")
        for start, end in bounds:
            self._put(start, end, "")
        if nested and node.within != "root":
            indent = column if column > node.owner else node.owner + 2
            self._insert(self._section_end(node), lines, indent)

    def _properties(self, node: Node) -> int:
        found = _PROPERTIES.match(self._text, node.after)
        assert found
        return found.end()

    def _document_end(self) -> int:
        number = self._lines.number(len(self._text))
        for line in range(number + 1):
            at = self._lines.first_of(line)
            if self._text[at : self._lines.end(at)].rstrip() == "...":
                return at
        return len(self._text)

    # Splicing

    def _put(self, start: int, end: int, text: str) -> None:
        if start < end or text:
            self._edits.append((start, end, text))

    def _spliced(self, start: int, end: int, edits: list[tuple[int, int, str]]) -> str:
        parts: list[str] = []
        at = start
        for first, last, text in sorted(edits, key=lambda edit: edit[:2]):
            if first < at or last > end:
                raise NotEditable("the change reaches too far")
            parts += [self._text[at:first], text]
            at = last
        return "".join([*parts, self._text[at:end]])

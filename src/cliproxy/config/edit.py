"""Changing the text of a configuration file: what is not touched stays as it was, byte for byte.

The places of all values are looked up, and the text is cut and filled there; it is never written
anew from the values. Every result is read again and compared with what was wanted.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TypeAlias

from cliproxy.base.json import Json
from cliproxy.config.edit_nodes import Node, NotEditable, alike, compose
from cliproxy.config.edit_splice import Editor, Placed
from cliproxy.config.tree import NotYaml, meaning, parse

__all__ = ["NotEditable", "delete", "rewrite", "set_value"]

Path: TypeAlias = tuple[str | int, ...]


def set_value(text: str, path: Path, value: Json) -> str:
    """Return the text with one value set; missing sections above it are made.

    Args:
        text: A YAML document.
        path: Keys as the file spells them, and indexes of list items; the index behind the last
            item appends one.
        value: What to set.

    Raises:
        NotYaml: The text cannot be read.
        NotEditable: It cannot be done without touching something else, or the path leads through
            something that is neither a section nor a list.
    """
    value = _plain(value)
    root = compose(text)
    wanted = _with(root.value, path, value)
    if alike(root.value, wanted):
        return text
    editor = Editor(text)
    node = root
    for depth, step in enumerate(path):
        rest = path[depth + 1 :]
        _open(node)
        entry = _entry(node, step)
        if entry is None:
            editor.update(node, _with(node.value, (step, *rest), value))
            break
        node = entry
    else:
        editor.update(node, value)
    return _checked(editor.result(), wanted)


def delete(text: str, path: Path) -> str:
    """Return the text without one key or list item, and without the comment right above it.

    What is not there is no error. The last entry of a section or list leaves `{}` or `[]` behind.

    Raises:
        NotYaml: The text cannot be read.
        NotEditable: It cannot be done without touching something else.
    """
    root = compose(text)
    node = root
    if not path:
        raise NotEditable("the whole file cannot be deleted")
    for step in path[:-1]:
        _open(node)
        entry = _entry(node, step)
        if entry is None:
            return text
        node = entry
    _open(node)
    last = path[-1]
    editor = Editor(text)
    if isinstance(node.value, dict) and last in node.value:
        editor.update(node, {k: v for k, v in node.value.items() if k != last})
    elif isinstance(node.value, list) and _entry(node, last):
        kept: Placed = [(i, v) for i, v in enumerate(node.value) if i != last]
        editor.place(node, kept)
    else:
        return text
    return _checked(editor.result(), _without(root.value, path))


def rewrite(text: str, old: Json, new: Json) -> str:
    """Return the text with the least changes after which it means `new`.

    Sections are changed key by key, lists item by item. Items that are the same, or have the same
    identity, keep their text and comments.

    Args:
        text: A YAML document.
        old: What it meant when it was read: a file that changed since is not overwritten.
        new: What it is to mean.

    Raises:
        NotYaml: The text cannot be read.
        NotEditable: It means something else than `old`, or it cannot be changed safely.
    """
    old, new = _plain(old), _plain(new)
    root = compose(text)
    if not alike(root.value, old):
        raise NotEditable("the file is not what it was when it was read")
    if alike(old, new):
        return text
    editor = Editor(text)
    editor.update(root, new)
    return _checked(editor.result(), new)


def _open(node: Node) -> None:
    if node.kind == "alias" or node.shared:
        raise NotEditable("it is shared with another place of the file by an anchor (&)")


def _entry(node: Node, step: str | int) -> Node | None:
    """The node one step below; `None` if it is not there."""
    if isinstance(step, str):
        entry = node.by_key().get(step) if node.kind == "map" else None
        return entry.node if entry else None
    if node.kind == "seq" and 0 <= step < len(node.entries):
        return node.entries[step].node
    return None


def _with(value: Json, path: Path, new: Json) -> Json:
    if not path:
        return new
    step, rest = path[0], path[1:]
    if isinstance(step, str) and isinstance(value, dict | None):
        value = value or {}
        return {**value, step: _with(value.get(step), rest, new)}
    if isinstance(step, int) and isinstance(value, list | None):
        value = value or []
        if 0 <= step <= len(value):
            inner = value[step] if step < len(value) else None
            return [*value[:step], _with(inner, rest, new), *value[step + 1 :]]
        raise NotEditable(f"there is no item {step}")
    raise NotEditable("the path leads through something that is neither a section nor a list")


def _without(value: Json, path: Path) -> Json:
    step, rest = path[0], path[1:]
    if isinstance(value, dict):
        changed = {step: _without(value[step], rest)} if rest else {}
        return {k: v for k, v in value.items() if k != step} | changed
    assert isinstance(step, int)
    return [
        *value[:step],
        *([_without(value[step], rest)] if rest else []),
        *value[step + 1 :],
    ]


def _plain(value: Json) -> Json:
    """Return a copy of nothing but maps, lists and scalars."""
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise NotEditable("a key must be a string")
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    # What came as JSON may hold decimals; the file knows floats.
    return float(value) if isinstance(value, Decimal) else meaning(value)


def _checked(result: str, wanted: Json) -> str:
    try:
        found = meaning(parse(result).value)
    except NotYaml:
        raise NotEditable("the change would break the file") from None
    if not alike(found, wanted):
        raise NotEditable("the change would alter more than it should")
    return result

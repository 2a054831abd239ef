"""The configuration file as the management API shows and changes it.

Shown: values as JSON of the right type, in the file's order, with whatever else stands there.
Changed: what a client did not touch keeps its spelling, so that its comments and quotes stay.
"""

from __future__ import annotations

from functools import cache
from types import UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from cliproxy.base.json import Json, Obj
from cliproxy.config import schema
from cliproxy.config.edit import rewrite
from cliproxy.config.edit_match import match
from cliproxy.config.edit_nodes import Lines, Node, NotEditable, compose
from cliproxy.config.legacy import OLD, upgrade
from cliproxy.config.schema import Config, Section
from cliproxy.config.tree import meaning, parse

_TRUE: Final = frozenset({"true", "yes", "on", "y", "1"})


class BadValue(ValueError):
    """A value of the wrong type; the message is its path."""


class Document:
    """One state of the file."""

    def __init__(self, text: str) -> None:
        self.text = text
        value = parse(text).value
        self.written: dict[str, Any] = value if isinstance(value, dict) else {}
        self.tree: dict[str, Any] = upgrade(self.written, _ignore).tree

    def shown(self, key: str) -> Json:
        """Return the value of a top-level key as JSON; None when it is not there."""
        value = self.tree.get(key)
        return None if value is None else typed(value, fields_of(Config)[key])

    def entries(self, key: str) -> list[Obj]:
        """Return a list of entries; a bare key counts as an entry with that key."""
        value = self.tree.get(key)
        kind = entry_kind(key)
        if not isinstance(value, list):
            return []
        return [typed(_entry(item), kind) for item in value if item is not None]


def entry_kind(key: str) -> type[Section]:
    """Return what the entries of a list of credentials are."""
    return schema.Compat if key == "openai-compatibility" else schema.Entry


def put(text: str, key: str, value: Json) -> str:
    """Return the text with another value for a top-level key; None takes the key away.

    Raises `NotYaml` or `NotEditable`.
    """
    document = Document(text)
    old = meaning(document.written)
    new = dict(old)
    # An older spelling would go on meaning something beside the new value.
    if any(name in OLD for name in old):
        new = meaning(document.tree)
    hint = fields_of(Config)[key]
    before = document.tree.get(key)
    if value is None:
        new.pop(key, None)
    else:
        if isinstance(before, list) and isinstance(value, list) and _is_entries(hint):
            before = [_entry(item) for item in before]
        new[key] = settled(before, value, hint)
        if isinstance(new[key], list) and isinstance(old.get(key), list):
            new[key] = _bare_again(old[key], new[key])
    return rewrite(text, old, new)


def remarks(text: str, key: str) -> list[str]:
    """Return what stands as a comment behind each item of a top-level list."""
    try:
        items, lines = _items(text, key), Lines(text)
    except NotEditable:
        return []
    return [_remark(text, lines, item)[1] for item in items]


def remark(text: str, key: str, number: int, said: str) -> str:
    """Return the text with another comment behind an item of a top-level list.

    Raises `NotYaml` or `NotEditable`.
    """
    items = _items(text, key)
    if number >= len(items):
        raise NotEditable(f"the items of {key} do not stand on lines of their own")
    lines = Lines(text)
    end, old = _remark(text, lines, items[number])
    said = " ".join(said.split())
    if said == old:
        return text
    return text[:end] + (f" # {said}" if said else "") + text[lines.end(end) :]


def _items(text: str, key: str) -> list[Node]:
    found = compose(text).by_key().get(key)
    if found is None or found.node.kind != "seq" or found.node.flow:
        return []
    return [item.node for item in found.node.entries]


def _remark(text: str, lines: Lines, item: Node) -> tuple[int, str]:
    """Return where an item ends and the comment behind it."""
    return item.end, text[item.end : lines.end(item.end)].lstrip(" #\t").rstrip()


@cache
def fields_of(kind: type[Section]) -> dict[str, Any]:
    """Return key → type."""
    hints = get_type_hints(kind, vars(schema))
    return {f.encode_name: hints[f.name] for f in msgspec.structs.fields(kind)}


def typed(value: Any, kind: Any) -> Json:
    """Return a value of the file as JSON of the type it should have, or as it stands there."""
    if value is None:
        return None
    if get_origin(kind) in (Union, UnionType):
        inner = [k for k in get_args(kind) if k is not type(None)]
        kind = inner[0] if len(inner) == 1 else Any
    origin = get_origin(kind)
    if origin is Literal:
        kind = str
    if origin is tuple and isinstance(value, list | str):
        items = [value] if isinstance(value, str) else value
        return [typed(_of(item, get_args(kind)[0]), get_args(kind)[0]) for item in items]
    if origin is dict and isinstance(value, dict):
        return {k: typed(v, get_args(kind)[1]) for k, v in value.items()}
    if _is_section(kind) and isinstance(value, dict):
        known = fields_of(kind)
        return {_outside(kind, k): typed(v, known.get(k, Any)) for k, v in value.items()}
    if isinstance(value, str):
        return _scalar(value, kind)
    return meaning(value)


def checked(value: Json, kind: Any, path: str = "") -> Json:
    """Return JSON from a client in our spelling, without what is unknown. Raises `BadValue`."""
    if kind is Any:
        return value
    if get_origin(kind) in (Union, UnionType):
        return _any_of(value, get_args(kind), path)
    if value is None:
        return None
    origin = get_origin(kind)
    if origin is Literal:
        if value in get_args(kind):
            return value
        raise BadValue(path)
    if origin is tuple:
        return _checked_list(value, get_args(kind)[0], path)
    if origin is dict:
        if not isinstance(value, dict):
            raise BadValue(path)
        inner = get_args(kind)[1]
        return {
            k: checked(v, inner, f"{path}.{k}")
            for k, v in value.items()
            if v is not None or inner is Any
        }
    if _is_section(kind):
        return _checked_section(value, kind, path)
    if kind is bool and isinstance(value, bool):
        return value
    if kind is str and isinstance(value, str):
        return value
    if kind is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise BadValue(path)


def settled(old: Any, new: Json, kind: Any) -> Json:
    """Return `new` in the words of the file where they mean the same already.

    What is empty and was not there is left out, what the file has beside the known keys stays.
    """
    if old is not None and typed(old, kind) == new:
        return meaning(old)
    if get_origin(kind) in (Union, UnionType):
        inner = [k for k in get_args(kind) if k is not type(None)]
        kind = inner[0] if len(inner) == 1 else Any
    if _is_section(kind) and isinstance(new, dict):
        return _settled_section(old, new, kind)
    if get_origin(kind) is tuple and isinstance(new, list):
        inner = get_args(kind)[0]
        before = old if isinstance(old, list) else []
        seen = [typed(_of(item, inner), inner) for item in before]
        return [
            settled(before[at] if at is not None else None, item, inner)
            for item, at in zip(new, match(seen, new), strict=True)
        ]
    if get_origin(kind) is dict and isinstance(new, dict):
        inner = get_args(kind)[1]
        known = old if isinstance(old, dict) else {}
        return {k: settled(known.get(k), v, inner) for k, v in new.items()}
    return new


# ---- within -------------------------------------------------------------------------------------
def _settled_section(old: Any, new: Obj, kind: type[Section]) -> Json:
    known = fields_of(kind)
    before: dict[str, Any] = old if isinstance(old, dict) else {}
    out: Obj = {}
    for key, value in before.items():
        if key not in known:
            out[key] = meaning(value)
        elif key in new and new[key] is not None:
            out[key] = settled(value, new[key], known[key])
    for key, value in new.items():
        if key in before or key not in known:
            continue
        inner = settled(None, value, known[key])
        if inner or (key == "weight" and inner is not None):
            out[key] = inner
    return out


def _checked_list(value: Json, inner: Any, path: str) -> Json:
    if not isinstance(value, list):
        raise BadValue(path)
    return [
        checked(_of(item, inner), inner, f"{path}[{n}]")
        for n, item in enumerate(value)
        if item is not None
    ]


def _checked_section(value: Json, kind: type[Section], path: str) -> Json:
    if not isinstance(value, dict):
        raise BadValue(path)
    known = fields_of(kind)
    out: Obj = {}
    for key, item in value.items():
        # Some clients write JSON's usual underscores.
        name = key if key in known else key.replace("_", "-")
        if name in known and (name == key or name not in value):
            out[name] = checked(item, known[name], f"{path}.{name}")
    return out


def _any_of(value: Json, kinds: tuple[Any, ...], path: str) -> Json:
    if value is None and type(None) in kinds:
        return None
    for kind in kinds:
        if kind is not type(None):
            try:
                return checked(value, kind, path)
            except BadValue:
                continue
    raise BadValue(path)


def _scalar(value: str, kind: Any) -> Json:
    if kind is str:
        return str(value)
    found = meaning(value)
    if kind is bool and isinstance(found, str):
        return found.strip().lower() in _TRUE
    return found


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)


def _is_entries(hint: Any) -> bool:
    return get_origin(hint) is tuple and _is_section(get_args(hint)[0])


def _outside(kind: type[Section], key: str) -> str:
    # The one section whose JSON names differ from those of the file.
    return key.replace("-", "_") if kind is schema.Thinking else key


def _entry(item: Any) -> Any:
    return {"api-key": str(item)} if isinstance(item, str) else item


def _of(item: Any, kind: Any) -> Any:
    """Return an item of a list where a bare name stands for an entry with that name."""
    return {"name": str(item)} if kind is schema.Model and isinstance(item, str) else item


def _bare_again(old: list[Json], new: list[Json]) -> list[Json]:
    """Write entries that were bare keys, and still are nothing more, as bare keys."""
    bare = {item for item in old if isinstance(item, str)}
    return [
        item["api-key"]
        if isinstance(item, dict) and set(item) == {"api-key"} and item["api-key"] in bare
        else item
        for item in new
    ]


def _ignore(path: str, message: str, *, cure: str = "", error: bool = False) -> None:
    """Take no note: whoever loads the file is told."""

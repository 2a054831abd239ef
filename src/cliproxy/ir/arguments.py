"""The arguments of a call in history, as the object that some targets want.

What the model wrote is text, and not always JSON: it may be cut off, or written by the habits of
another language. The calls of a conversation must be sent again nevertheless.
"""

from __future__ import annotations

from msgspec import Struct

from cliproxy.base import json
from cliproxy.base.json import Obj
from cliproxy.ir.request import args_object


class Arguments(Struct, frozen=True):
    """An object, and what had to be done to get it (None: nothing)."""

    value: Obj
    trouble: str | None = None


def object_of(text: str) -> Arguments:
    """Read argument text as an object. Never raises; what cannot be read is kept as `_raw`."""
    value = args_object(text)
    if value is not None:
        return Arguments(value)
    try:
        json.loads(text)
    except json.InvalidJson:
        for candidate in (_mended(text), _mended(text.replace("'", '"'))):
            value = args_object(candidate)
            if value:
                return Arguments(value, "its arguments were mended")
        return Arguments({"_raw": text}, "its arguments are not JSON")
    return Arguments({}, "its arguments are not an object")


def _mended(text: str) -> str:
    """Close what is open, and leave out commas that nothing follows."""
    out: list[str] = []
    closers: list[str] = []
    quoted = escaped = False
    for char in text.strip():
        if quoted:
            out.append(char)
            quoted = escaped or char != '"'
            escaped = char == "\\" and not escaped
            continue
        match char:
            case '"':
                quoted = True
            case "{" | "[":
                closers.append("}" if char == "{" else "]")
            case "}" | "]":
                _drop_comma(out)
                if closers:
                    closers.pop()
            case _:
                pass
        out.append(char)
    if quoted:
        out.append('"')
    for closer in reversed(closers):
        _drop_comma(out)
        out.append(closer)
    return "".join(out)


def _drop_comma(out: list[str]) -> None:
    while out and out[-1].isspace():
        out.pop()
    if out and out[-1] == ",":
        out.pop()

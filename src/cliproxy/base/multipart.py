"""Bodies of `multipart/form-data`: read where they lie, and changed in one place."""

from __future__ import annotations

import base64
import re
from typing import Final

from msgspec import Struct

from cliproxy.base.errors import BadRequest
from cliproxy.base.json import Obj
from cliproxy.base.redact import Hidden

TYPE: Final = "multipart/form-data"
MOST_PARTS: Final = 128
MOST_HEAD: Final = 16 * 1024
"""Bytes of the headers of one part."""
_LONGEST_BOUNDARY: Final = 200
"""RFC 2046 allows 70; some clients are generous."""
_PARAM: Final = re.compile(r';\s*([\w*!#$%&+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))')
_ESCAPED: Final = re.compile(r'\\(["\\])')


class Part(Struct, frozen=True):
    """One part: `body[start:end]` is what it holds."""

    name: str
    start: int
    end: int
    file: bool = False
    mime: str = ""


class Form(Hidden, Struct, frozen=True):
    """A form: its bytes, and where in them the parts are."""

    body: bytes
    type: str
    """The content type it came with, boundary included."""
    boundary: bytes
    parts: tuple[Part, ...]

    def text(self, name: str) -> str | None:
        """Return a field, the last of several; None without one. Raises `BadRequest`."""
        for part in reversed(self.parts):
            if part.name == name and not part.file:
                return self._text(part)
        return None

    def with_text(self, name: str, value: str) -> bytes:
        """Return the bytes with one field set; all others stay as they are."""
        data = value.encode()
        for part in reversed(self.parts):
            if part.name == name and not part.file:
                return self.body[: part.start] + data + self.body[part.end :]
        start = _start(self.body, self.boundary)
        head = b'\r\nContent-Disposition: form-data; name="' + name.encode() + b'"\r\n\r\n'
        new = b"--" + self.boundary + head + data + b"\r\n"
        return self.body[:start] + new + self.body[start:]

    def values(self) -> Obj:
        """Return the form as an object: texts, and files as data URLs; several of a name as a list.

        Raises `BadRequest` for a text that is not UTF-8.
        """
        found: dict[str, list[str]] = {}
        lists: set[str] = set()
        for part in self.parts:
            name = part.name.removesuffix("[]")
            if name != part.name:
                lists.add(name)
            found.setdefault(name, []).append(self._url(part) if part.file else self._text(part))
        return {
            name: list(values) if name in lists or len(values) > 1 else values[0]
            for name, values in found.items()
        }

    def _text(self, part: Part) -> str:
        try:
            return self.body[part.start : part.end].decode()
        except UnicodeDecodeError as err:
            raise BadRequest(
                f"The field '{part.name}' of the form is not valid UTF-8.", param=part.name
            ) from err

    def _url(self, part: Part) -> str:
        data = base64.b64encode(memoryview(self.body)[part.start : part.end]).decode("ascii")
        return f"data:{part.mime or 'application/octet-stream'};base64,{data}"


def is_form(content_type: str) -> bool:
    """Tell whether a content type says that a body is a form."""
    return content_type.partition(";")[0].strip().lower() == TYPE


def read_form(body: bytes, content_type: str) -> Form:
    """Find the parts of a form. Raises `BadRequest`."""
    named = {key.lower(): quoted or plain for key, quoted, plain in _PARAM.findall(content_type)}
    boundary = named.get("boundary", "").encode("latin-1", "replace")
    if not boundary or len(boundary) > _LONGEST_BOUNDARY:
        raise _broken("its Content-Type names no boundary")
    parts: list[Part] = []
    at = _start(body, boundary)
    if at < 0:
        raise _broken("its boundary is not in it")
    mark = b"\r\n--" + boundary
    at += len(mark) - 2
    while body[at : at + 2] != b"--":
        line = body.find(b"\r\n", at, at + MOST_HEAD)
        # A part without headers has its blank line at once.
        head = body.find(b"\r\n\r\n", line, line + MOST_HEAD) if line >= 0 else -1
        if head < 0:
            raise _broken("the headers of a part do not end")
        end = body.find(mark, head + 2)
        if end < 0:
            raise _broken("it is cut off")
        if len(parts) == MOST_PARTS:
            raise _broken(f"it has more than {MOST_PARTS} parts")
        parts.append(_part(body[line + 2 : head], head + 4, max(end, head + 4)))
        at = end + len(mark)
    return Form(body, content_type, boundary, tuple(parts))


def _start(body: bytes, boundary: bytes) -> int:
    """Return where the first delimiter begins, -1 without one."""
    mark = b"--" + boundary
    if body.startswith(mark):
        return 0
    found = body.find(b"\r\n" + mark)
    return found + 2 if found >= 0 else -1


def _part(head: bytes, start: int, end: int) -> Part:
    headers: dict[str, str] = {}
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    said = headers.get("content-disposition", "")
    named = {
        key.lower(): _ESCAPED.sub(r"\1", quoted) or plain
        for key, quoted, plain in _PARAM.findall(said)
    }
    if not said.lower().startswith("form-data") or not named.get("name"):
        raise _broken("a part has no name")
    file = "filename" in named or "filename*" in named
    mime = headers.get("content-type", "").partition(";")[0].strip().lower()
    return Part(named["name"], start, end, file, mime)


def _broken(why: str) -> BadRequest:
    return BadRequest(f"The body is not a valid multipart form: {why}.", code="invalid_form")

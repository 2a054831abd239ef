"""Leaves of requests: texts, pictures and schemas that can be found again wherever they end up.

Every text holds the mark `\u00a7`, which `marked` replaces with a number of its own: what carries
it has carried just this leaf.
"""

from __future__ import annotations

import base64
import itertools
import re
from typing import Any

from hypothesis import strategies as st

Json = Any
MARK = "\u00a7"
FOUND = re.compile(r"mk\d+x")
NAMES = ("look_up", "tell", "Edit", "mcp__srv__go")
CUSTOM = "freeform"

_flavours = st.sampled_from(
    ["", " and", " Ω", " \u2028", " 🙂", "\n", ' "quoted"', "\\", " {}", " <b>", "\t"]
)
texts = _flavours.map(lambda more: f"{MARK}{more}.")
words = st.just(MARK)
"""For what must be an identifier."""


def marked(value: Json) -> Json:
    """Return a copy in which every mark has become a number of its own."""
    numbers = itertools.count()

    def text(found: str) -> str:
        while MARK in found:
            found = found.replace(MARK, f"mk{next(numbers)}x", 1)
        return found

    def walk(inner: Json) -> Json:
        match inner:
            case str():
                return text(inner)
            case list():
                return [walk(one) for one in inner]
            case dict():
                return {text(key): walk(one) for key, one in inner.items()}
            case _:
                return inner

    return walk(value)


@st.composite
def pictures(draw: Any) -> tuple[str, str]:
    """Draw a small picture: its kind and its base64."""
    kind, head = draw(
        st.sampled_from(
            [
                ("image/png", b"\x89PNG\r\n\x1a\n"),
                ("image/jpeg", b"\xff\xd8\xff\xe0"),
                ("image/gif", b"GIF89a"),
            ]
        )
    )
    return kind, base64.b64encode(head + draw(st.binary(min_size=6, max_size=12))).decode()


pdfs = st.binary(min_size=6, max_size=12).map(
    lambda more: base64.b64encode(b"%PDF-1.7\n" + more).decode()
)

_scalars = st.one_of(
    st.builds(lambda d: {"type": "string", "description": d}, texts),
    st.builds(lambda a, b: {"type": "string", "enum": [a, b]}, words, words),
    st.just({"type": "integer", "minimum": 0}),
    st.just({"type": "number"}),
    st.just({"type": "boolean"}),
    st.builds(lambda d: {"type": ["string", "null"], "description": d}, texts),
    st.just({"$ref": "#/$defs/shared"}),
    st.builds(lambda d: {"anyOf": [{"type": "string"}, {"type": "null"}], "description": d}, texts),
)


def _nested(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    return st.one_of(
        st.builds(lambda one: {"type": "array", "items": one}, inner),
        st.builds(
            lambda one, name: {"type": "object", "properties": {f"p{name}": one}}, inner, words
        ),
    )


_members = st.recursive(_scalars, _nested, max_leaves=3)


@st.composite
def schemas(draw: Any) -> Json:
    """Draw the schema of an object."""
    properties = {f"p{MARK}{n}": draw(_members) for n in range(draw(st.integers(0, 3)))}
    found: Json = {"type": "object", "properties": properties}
    if "$ref" in str(properties):
        found["$defs"] = {"shared": {"type": "string", "description": draw(texts)}}
    if draw(st.booleans()):
        found["additionalProperties"] = False
    return found


_json = st.recursive(
    texts | st.sampled_from([0, 7, -1.5, True, None, 2**53 + 1, 10**21, "", "\u2028"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["a", "b c", "é"]), inner, max_size=2)
    ),
    max_leaves=4,
)
arguments = st.dictionaries(st.sampled_from(["city", "n", "ö", "a b"]), _json, max_size=3)

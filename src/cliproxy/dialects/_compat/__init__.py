"""What becomes of every request field a client may send, for each dialect an upstream may speak.

Tables, not code: nothing at run time reads them. They are what `docs/compatibility.md` shows and
what tests hold against the official SDKs (no field is missing) and against the translation itself
(no row claims what does not happen).

A row is `"path": "KDDM note"`: one letter for each of `TARGETS`, in order, and a note where a
letter needs one. Paths are dotted; an object's `type` or `role` stands in brackets, may be left out
(any) or hold alternatives (`[a|b]`, `[web_search_*]`). `x.**` is x and all in it, `**.x` is x
anywhere. Of several rows that fit, one without `**` wins, then the deepest,
then the one with more in brackets.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Final

from msgspec import Struct

TARGETS: Final = ("openai-chat", "openai-responses", "anthropic", "gemini")

WORDS: Final = {
    "K": "kept",
    "M": "mapped",
    "A": "adapted",
    "D": "dropped",
    "R": "refused",
    "-": "ignored",
}
"""kept: same place, same meaning. mapped: carried in the target's own form. adapted: carried in
part, and reported. dropped: not carried, and reported. refused: the request fails, saying why.
ignored: neither carried nor reported, because nothing is lost; the note says why."""

_MODULES: Final = {
    "openai-chat": "openai_chat",
    "openai-responses": "openai_responses",
    "anthropic": "anthropic",
    "gemini": "gemini",
}


class Row(Struct, frozen=True):
    """One row: which fields it speaks of, a letter for each target, and why."""

    path: str
    letters: str
    note: str = ""
    listed: bool = True
    """An official SDK has the field; False for what clients send beside it."""

    def word(self, target: str) -> str:
        """Return what becomes of the field for one target dialect."""
        return WORDS[self.letters[TARGETS.index(target)]]


@cache
def rows(source: str) -> tuple[Row, ...]:
    """Return the table of one client dialect."""
    module = import_module(f"{__name__}.{_MODULES[source]}")
    return (*_read(module.FIELDS, listed=True), *_read(module.BEYOND, listed=False))


def _read(table: Mapping[str, str], *, listed: bool) -> list[Row]:
    return [
        Row(path, *text.partition(" ")[::2], listed)  # the letters, then the note
        for path, text in table.items()
    ]


def find(source: str, path: str) -> Row | None:
    """Return the row that speaks of a tagged path, None if there is none."""
    fitting = [row for row in rows(source) if _pattern(row.path).fullmatch(path)]
    return max(fitting, key=_precision, default=None)


def _precision(row: Row) -> tuple[bool, int, int, int, int]:
    path = row.path
    return "**" not in path, path.count("."), path.count("["), -path.count("|"), len(path)


@cache
def _pattern(path: str) -> re.Pattern[str]:
    out = ""
    if path.startswith("**."):
        out, path = r"(?:.*\.)?", path.removeprefix("**.")
    whole = path.endswith(".**")
    segments = re.findall(r"([^.\[\]]+)(?:\[([^\]]*)\])?", path.removesuffix(".**"))
    out += r"\.".join(_segment(name, tag) for name, tag in segments)
    return re.compile(out + (r"(?:\..*)?" if whole else ""))


def _segment(name: str, tag: str) -> str:
    if not tag:
        return re.escape(name) + r"(?:\[[^\]]*\])?"
    kinds = "|".join(re.escape(one).replace(r"\*", r"[^\]]*") for one in tag.split("|"))
    return re.escape(name) + rf"\[(?:{kinds})\]"

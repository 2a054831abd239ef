"""What becomes of every field of requests and answers, for each pair of dialects.

Tables, not code: nothing at run time reads them. They are what `docs/compatibility.md` shows and
what tests hold against the official SDKs (no field is missing) and against the translation itself
(no row claims what does not happen).

A row is `"path": "KDDM note"`, and the note is there where a letter needs one. For a request field
there is one letter for each of `TARGETS`, in order (for the last one see `into_interactions`); for
an answer field (`answers_*.py`) one for the client of each *other* dialect, in the same order, for
an answer to a client of its own passes as it is. Paths are dotted; an object's `type` or `role`
stands in brackets, may be left out (any) or hold alternatives (`[a|b]`, `[web_search_*]`). `x.**`
is x and all in it, `**.x` is x anywhere. Of several rows that fit, one without `**` wins, then the
deepest, then the one with more in brackets.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Final

from msgspec import Struct

from cliproxy.dialects._compat import into_interactions

TOLD: Final = ("openai-chat", "openai-responses", "anthropic", "gemini")
"""Dialects whose answers have tables."""
TARGETS: Final = (*TOLD, "interactions")

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

ANSWER_WORDS: Final = {
    "K": "kept",
    "M": "mapped",
    "D": "dropped",
    "O": "made",
    "-": "ignored",
}
"""kept: same name, same meaning. mapped: told in the client's own form. dropped: not told. made:
the client is told what is true here, whatever the upstream said. ignored: not told, because
nothing is lost; the note says why. Nothing of an answer is reported: it is already on its way."""

_MODULES: Final = {
    "openai-chat": "openai_chat",
    "openai-responses": "openai_responses",
    "anthropic": "anthropic",
    "gemini": "gemini",
    "interactions": "interactions",
}


class Row(Struct, frozen=True):
    """One row: which fields it speaks of, a letter for each target, and why."""

    path: str
    letters: str
    note: str = ""
    listed: bool = True
    """An official SDK has the field; False for what is sent beside it."""
    targets: tuple[str, ...] = TARGETS

    def word(self, target: str) -> str:
        """Return what becomes of the field for one target dialect."""
        words = WORDS if self.targets == TARGETS else ANSWER_WORDS
        return words[self.letters[self.targets.index(target)]]


@cache
def rows(source: str) -> tuple[Row, ...]:
    """Return the table of one client dialect."""
    module = import_module(f"{__name__}.{_MODULES[source]}")
    found = (*_read(module.FIELDS, listed=True), *_read(module.BEYOND, listed=False))
    return found if source == "interactions" else tuple(_to_interactions(source, r) for r in found)


def _to_interactions(source: str, row: Row) -> Row:
    """Return a row with its last letter.

    See `into_interactions` for the rule where its table has none.
    """
    said = into_interactions.FIELDS[source].get(row.path, "")
    letter, _, note = said.partition(" ")
    if not letter:
        letter = row.letters[-1]
        if source == "gemini":
            letter = "D" if row.letters.startswith("DDD") else "M"
    note = "; ".join(text for text in (row.note, note) if text)
    return Row(row.path, row.letters + letter, note, row.listed, row.targets)


@cache
def answer_rows(source: str) -> tuple[Row, ...]:
    """Return the table of the answers of one upstream dialect."""
    module = import_module(f"{__name__}.answers_{_MODULES[source]}")
    listed = _read(module.FIELDS, listed=True, targets=others(source))
    return (*listed, *_read(module.BEYOND, listed=False, targets=others(source)))


@cache
def made_rows(client: str) -> tuple[Row, ...]:
    """Return what a client is told that no upstream of another dialect said; notes say what."""
    module = import_module(f"{__name__}.answers_{_MODULES[client]}")
    return tuple(Row(path, "", note) for path, note in module.MADE.items())


def others(source: str) -> tuple[str, ...]:
    """Return the dialects a client may speak where an upstream's answer is translated."""
    return tuple(target for target in TOLD if target != source)


def _read(
    table: Mapping[str, str], *, listed: bool, targets: tuple[str, ...] = TARGETS
) -> list[Row]:
    return [
        Row(path, *text.partition(" ")[::2], listed, targets)  # the letters, then the note
        for path, text in table.items()
    ]


def find(source: str, path: str) -> Row | None:
    """Return the row that speaks of a tagged request path, None if there is none."""
    return _find(rows(source), path)


def find_answer(source: str, path: str) -> Row | None:
    """Return the row that speaks of a tagged answer path, None if there is none."""
    return _find(answer_rows(source), path)


def find_made(client: str, path: str) -> Row | None:
    """Return the row that says where a field comes from that no upstream said."""
    return _find(made_rows(client), path)


def _find(table: tuple[Row, ...], path: str) -> Row | None:
    fitting = [row for row in table if _pattern(row.path).fullmatch(path)]
    return max(fitting, key=_precision, default=None)


def _precision(row: Row) -> tuple[bool, int, int, int, int, int]:
    path = row.path
    tags = path.count("["), -path.count("[*]"), -path.count("|")
    return "**" not in path, path.count("."), *tags, len(path)


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

"""Every request field of the official SDKs has a row in the tables, and every row is true."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.unit.compat import compat_probe, compat_sdk
from tests.unit.compat.compat_samples import CASES

from cliproxy.dialects._compat import TARGETS, WORDS, Row, find, rows

ROOT = Path(__file__).resolve().parents[3]

# What a row claims, and what may be seen when a request is translated with and without the field.
SEEN = {
    "kept": {"carried"}, "mapped": {"carried"}, "adapted": {"adapted"},
    "dropped": {"dropped"}, "refused": {"refused"}, "ignored": {"ignored"},
}  # fmt: skip


def untagged(path: str) -> str:
    return re.sub(r"\[[^\]]*\]", "", path)


def containers(dialect: str) -> set[str]:
    """Return the paths that only hold other fields."""
    return {path.rpartition(".")[0] for path in compat_sdk.paths(dialect)}


@pytest.mark.parametrize("dialect", TARGETS)
def test_every_field_of_the_sdk_has_a_row(dialect: str) -> None:
    holders = containers(dialect) | {untagged(path) for path in containers(dialect)}
    assert [
        path
        for path in sorted(compat_sdk.paths(dialect))
        if path not in holders and find(dialect, path) is None
    ] == []


@pytest.mark.parametrize("dialect", TARGETS)
def test_every_row_speaks_of_a_field_of_the_sdk_or_says_that_it_does_not(dialect: str) -> None:
    used = {find(dialect, path) for path in compat_sdk.paths(dialect)}
    assert [row.path for row in rows(dialect) if row.listed and row not in used] == []
    assert [row.path for row in rows(dialect) if not row.listed and row in used] == []


@pytest.mark.parametrize("dialect", TARGETS)
def test_every_row_has_a_letter_for_each_target_and_says_why_nothing_happens(dialect: str) -> None:
    for row in rows(dialect):
        assert len(row.letters) == len(TARGETS), row
        assert set(row.letters) <= WORDS.keys(), row
        assert row.note or "-" not in row.letters, row


@pytest.mark.parametrize("dialect", TARGETS)
def test_every_top_level_field_has_a_sample(dialect: str) -> None:
    sampled = {field for field, _, _ in CASES[dialect]}
    listed = {untagged(path).partition(".")[0] for path in compat_sdk.paths(dialect)}
    assert listed - sampled == set()


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("source", TARGETS)
def test_what_the_tables_say_is_what_happens(source: str, target: str) -> None:
    wrong: list[tuple[str, Any, Any]] = []
    measured = compat_probe.measure(source, target)
    held = {path.rpartition(".")[0] for path in measured}
    held |= {untagged(path) for path in held}
    for path, seen in measured.items():
        row = find(source, path)
        if row is None:
            if path not in held and untagged(path) not in held:
                wrong.append((path, "no row", sorted(seen)))
        elif not agrees(row, target, seen, holder=path in held or untagged(path) in held):
            wrong.append((path, row.word(target), sorted(seen)))
    assert wrong == []


def agrees(row: Row, target: str, seen: set[str], *, holder: bool) -> bool:
    """Tell whether a row is right; where samples differ, its note must say why."""
    if holder:
        return True  # what it holds has rows of its own
    return bool(SEEN[row.word(target)] & seen) and (len(seen) == 1 or bool(row.note))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("source", TARGETS)
def test_a_kept_field_has_its_own_name_in_the_upstream_body(source: str, target: str) -> None:
    renamed = []
    for case in CASES[source]:
        row = find(source, case[0])
        if row is None or row.word(target) != "kept":
            continue
        outcome = compat_probe.attempt(source, target, compat_probe.whole(source, case))
        body = json.loads(outcome.body or "[{}]")[0]
        wanted = "stream" if case[0] == "stream_options" else case[0]
        if wanted not in body and not outcome.losses and not outcome.refused:
            renamed.append(case[0])
    assert renamed == []


def script() -> Any:
    spec = importlib.util.spec_from_file_location(
        "compatibility", ROOT / "scripts" / "compatibility.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_document_is_what_the_script_writes() -> None:
    written = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")
    assert written == script().page(), "run scripts/compatibility.py"

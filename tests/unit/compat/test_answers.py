"""Every answer field of the official SDKs has a row in the tables, and every row is true."""

from __future__ import annotations

import re

import pytest
from tests.unit.compat import compat_answers_probe as probe
from tests.unit.compat import compat_answers_sdk as sdk

from cliproxy.dialects._compat import (
    ANSWER_WORDS,
    TOLD,
    Row,
    answer_rows,
    find_answer,
    find_made,
    made_rows,
    others,
)

PAIRS = [(upstream, client) for upstream in TOLD for client in others(upstream)]

# What a row claims, and what is seen when the field of an upstream's answer changes.
SEEN = {
    "kept": "kept", "mapped": "mapped", "dropped": "silent", "made": "silent", "ignored": "silent",
}  # fmt: skip

UNPROVEN_FIELDS = {
    r"(^|\.)(choices|candidates)\.index$": "changed alone it makes another choice of the answer",
    r"\.tool_calls\[\w+\]\.index$": "changed alone it makes another call of the pieces",
    r"^event\[.*\]\.(index|output_index|content_index|summary_index)$": (
        "changed alone the event is about something that does not exist"
    ),
}
"""Fields that say what the rest is about: changing them alone breaks the answer."""

UNPROVEN_ROWS = {
    ("gemini", "parsed"): "the SDK makes it, it is never on the wire",
    ("gemini", "sdkHttpResponse.**"): "the SDK makes it, it is never on the wire",
    ("gemini", "automaticFunctionCallingHistory.**"): "the SDK makes it, it is never on the wire",
    ("gemini", "candidates.content.role"): "it has one value only",
    ("gemini", "candidates.index"): "see above",
    ("openai-chat", "**.choices.index"): "see above",
    ("openai-chat", "chunk.choices.delta.tool_calls.index"): "see above",
    ("openai-responses", "event[*].output_index"): "see above",
    ("openai-responses", "event[*].content_index"): "see above",
    ("openai-responses", "event[*].summary_index"): "see above",
    ("anthropic", "event[*].index"): "see above",
}

ENDS = re.compile(r"\.?(finish_reason|finishReason|stop_reason)$")
"""How an answer ended is always told."""


def proven(dotted: str) -> bool:
    return not any(re.search(pattern, dotted) for pattern in UNPROVEN_FIELDS)


@pytest.mark.parametrize("upstream", TOLD)
def test_every_field_of_the_sdk_has_a_row(upstream: str) -> None:
    paths = sorted(sdk.paths(upstream))
    assert [path for path in paths if find_answer(upstream, path) is None] == []


@pytest.mark.parametrize("upstream", TOLD)
def test_every_row_speaks_of_a_field_of_the_sdk_or_says_that_it_does_not(upstream: str) -> None:
    used = {find_answer(upstream, path) for path in sdk.paths(upstream)}
    assert [r.path for r in answer_rows(upstream) if r.listed and r not in used] == []
    assert [r.path for r in answer_rows(upstream) if not r.listed and r in used] == []


@pytest.mark.parametrize("upstream", TOLD)
def test_every_row_has_a_letter_for_each_client_and_says_why_nothing_is_told(upstream: str) -> None:
    for row in answer_rows(upstream):
        assert len(row.letters) == len(TOLD) - 1, row
        assert set(row.letters) <= ANSWER_WORDS.keys(), row
        assert row.note or not {"-", "O"} & set(row.letters), row


@pytest.mark.parametrize("upstream", TOLD)
def test_every_row_is_proven_by_a_sample_or_named_with_a_reason(upstream: str) -> None:
    sampled = {find_answer(upstream, d) for d in probe.sampled(upstream) if proven(d)}
    unproven = {row.path for row in answer_rows(upstream) if row not in sampled}
    assert unproven == {path for source, path in UNPROVEN_ROWS if source == upstream}


@pytest.mark.parametrize(("upstream", "client"), PAIRS)
def test_what_the_tables_say_is_what_the_client_is_told(upstream: str, client: str) -> None:
    wrong: list[tuple[str, str, list[str]]] = []
    for dotted, seen in probe.measure(upstream, client).items():
        row = find_answer(upstream, dotted)
        if row is None:
            wrong.append((dotted, "no row", sorted(seen)))
        elif proven(dotted) and not agrees(row, client, seen):
            wrong.append((dotted, row.word(client), sorted(seen)))
    assert wrong == []


def agrees(row: Row, client: str, seen: set[str]) -> bool:
    """Tell whether a row is right; where samples differ, its note must say why."""
    return SEEN[row.word(client)] in seen and (len(seen) == 1 or bool(row.note))


@pytest.mark.parametrize("client", TOLD)
def test_what_a_client_is_told_beside_what_was_said_has_a_row(client: str) -> None:
    names = [dotted for dotted in probe.unsaid(client) if not ENDS.search(dotted)]
    assert [dotted for dotted in names if find_made(client, dotted) is None] == []


@pytest.mark.parametrize("client", TOLD)
def test_every_row_of_what_is_made_up_is_seen(client: str) -> None:
    used = {find_made(client, dotted) for dotted in probe.unsaid(client)}
    assert [row.path for row in made_rows(client) if row not in used] == []
    assert all(row.note for row in made_rows(client))

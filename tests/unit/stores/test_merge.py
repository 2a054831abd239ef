"""What two writers made of one configuration is brought together."""

from __future__ import annotations

import pytest

from cliproxy.stores.merge import NotMergeable, alike, merged_text

BASE = "# top\nport: 8317  # here\napi-keys:\n  - a\n  - b\nrouting:\n  strategy: fill-first\n"


@pytest.mark.parametrize(
    ("ours", "theirs", "wanted"),
    [
        (BASE.replace("8317", "1"), BASE.replace("fill-first", "random"),
         BASE.replace("8317", "1").replace("fill-first", "random")),
        (BASE + "debug: true\n", BASE, BASE + "debug: true\n"),
        (BASE, BASE + "# theirs\ndebug: true\n", BASE + "# theirs\ndebug: true\n"),
        (BASE.replace("  - b\n", ""), BASE.replace("8317", "2"),
         BASE.replace("  - b\n", "").replace("8317", "2")),
        (BASE.replace("8317", "1"), BASE.replace("8317", "2"), BASE.replace("8317", "1")),
    ],
    ids=["two-keys", "ours-only", "theirs-only", "list-entry-removed", "same-key"],
)  # fmt: skip
def test_both_changes_are_in_it_and_comments_stay(ours, theirs, wanted) -> None:
    assert merged_text(BASE, ours, theirs) == wanted


def test_entries_that_both_added_to_a_list_are_all_in_it() -> None:
    text = merged_text(BASE, BASE.replace("- b\n", "- b\n  - c\n"), BASE.replace("- a\n", "- d\n"))
    assert [line.strip() for line in text.splitlines() if "- " in line] == ["- d", "- b", "- c"]


@pytest.mark.parametrize("broken", ["[", "- a\n", "a: b: c"])
def test_what_is_no_configuration_gives_way(broken) -> None:
    with pytest.raises(NotMergeable):
        merged_text(BASE, broken, BASE)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [({"a": 1, "b": 2}, {"b": 2, "a": 1}, True), (1, True, False), (1, 1.0, True), ([1], [1, 2], False)],
)  # fmt: skip
def test_values_are_alike_by_what_they_mean(one, other, same) -> None:
    assert alike(one, other) is same

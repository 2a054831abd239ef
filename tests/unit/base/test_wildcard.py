"""Patterns with `*`."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cliproxy.base.wildcard import matches


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("gemini-2.5-pro", "gemini-2.5-pro", True),
        ("gemini-2.5-pro", "gemini-2.5-pro-preview", False),
        ("gemini-2.5-*", "gemini-2.5-pro", True),
        ("gemini-2.5-*", "gemini-2.5-", True),
        ("gemini-2.5-*", "gemini-245-pro", False),
        ("*-preview", "gemini-3-pro-preview", True),
        ("*-preview", "gemini-3-preview-pro", False),
        ("*flash*", "gemini-2.5-flash-lite", True),
        ("*flash*", "flash", True),
        ("a*b*c", "a1b2c", True),
        ("a*b*c", "acb", False),
        ("a*a", "a", False),
        ("ab*ba", "aba", False),
        ("*", "", True),
        ("*", "anything\nat all", True),
        ("**", "x", True),
        ("", "", True),
        ("", "x", False),
        ("a?c", "abc", False),
        ("a[b]c", "abc", False),
        ("a.c", "abc", False),
        ("GPT-*", "gpt-5", False),
    ],
)
def test_only_the_star_is_special_and_the_whole_text_counts(pattern, text, fits):
    assert matches(pattern, text) is fits


@pytest.mark.parametrize("pattern", ["GPT-*", "gpt-5", "*T-5", "G*-*"])
def test_case_can_be_ignored(pattern):
    assert matches(pattern, "Gpt-5", ignore_case=True)


SHORT = st.text("ab*.", max_size=8)


@given(SHORT, SHORT, st.booleans())
def test_it_agrees_with_the_regular_expression_that_says_the_same(pattern, text, ignore_case):
    expected = ".*".join(map(re.escape, pattern.split("*")))
    assert matches(pattern, text, ignore_case=ignore_case) is bool(re.fullmatch(expected, text))


def test_many_stars_take_no_longer_than_the_text_is_long():
    assert not matches("*a" * 200 + "b", "a" * 100_000)

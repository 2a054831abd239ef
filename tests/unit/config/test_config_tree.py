"""YAML text → plain values and lines."""

import json
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from cliproxy.config.tree import NotYaml, Plain, meaning, parse, shown, shown_key

KEYS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=12)
SCALARS = st.none() | st.booleans() | st.integers(-(10**12), 10**12) | KEYS
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(TREES)
def test_json_is_read_as_json_means_it(value):
    assert meaning(parse(json.dumps(value, ensure_ascii=False)).value) == value


@given(st.dictionaries(KEYS, TREES, max_size=4))
def test_it_agrees_with_the_yaml_library(value):
    out = StringIO()
    YAML().dump(value, out)
    assert meaning(parse(out.getvalue()).value) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0012", 12),
        ("'0012'", "0012"),
        ("!!str 12", "12"),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.50", 1.5),
        ("1e3", 1000.0),
        ("true", True),
        ("yes", "yes"),
        ("on", "on"),
        ("null", None),
        ("~", None),
        ('""', ""),
        ("2025-01-01", "2025-01-01"),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("|\n  two\n  lines\n", "two\nlines\n"),
        (">-\n  one\n  line\n", "one line"),
        ("sk-a#b", "sk-a#b"),
        ("a # comment", "a"),
    ],
)
def test_scalars_mean_what_yaml_1_2_says(text, value):
    found = meaning(parse(f"key: {text}").value["key"])
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("text", ["0012", "1.10", "1e5", "0x1F", "1_000", "+1", "true"])
def test_an_unquoted_scalar_keeps_its_letters(text):
    value = parse(f"key: {text}").value["key"]
    assert isinstance(value, Plain)
    assert value == text


def test_every_path_has_the_line_of_its_key_or_item():
    tree = parse("# first\na: 1\nb:\n  - x\n  -\n    c: 2\nd: {e: 3}\n")
    assert tree.lines == {"a": 2, "b": 3, "b[0]": 4, "b[1]": 6, "b[1].c": 6, "d": 7, "d.e": 7}


def test_anchors_and_merge_keys_are_resolved():
    tree = parse(
        "base: &b {x: 1, y: 2}\nlist: [*b]\none: {<<: *b, y: 3}\ntwo: {<<: [*b, {z: 4}]}\n"
    )
    assert meaning(tree.value) == {
        "base": {"x": 1, "y": 2},
        "list": [{"x": 1, "y": 2}],
        "one": {"x": 1, "y": 3},
        "two": {"x": 1, "y": 2, "z": 4},
    }


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: [1\nc: 2\n", 3, ""),
        ("a: 1\n\tb: 2\n", 2, ""),
        ("a: 1\nb: 2\na: 3\n", 3, "'a' stands twice, first in line 1"),
        ("a: {b: 1,\n b: 2}\n", 2, "'b' stands twice, first in line 1"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("a:\n  - *gone\n", 2, "alias"),
        ("a: &x [*x]\n", 1, "alias"),
        ("a: 1\nb: \x07\n", 2, "character"),
        ("? [1, 2]\n: a\n", 1, "key"),
        ("a: " + "[" * 200 + "]" * 200, 1, "nested too deeply"),
    ],
)
def test_what_is_not_yaml_is_refused_with_its_line(text, line, words):
    with pytest.raises(NotYaml) as caught:
        parse(text)
    assert caught.value.line == line
    assert words in caught.value.message


SECRET = "sk-proj-0123456789abcdefSECRET"


@pytest.mark.parametrize(
    "text",
    [
        f"api-key: {SECRET}\napi-key: {SECRET}x\n",
        f"{SECRET}: 1\n{SECRET}: 2\n",
        f"api-key: *{SECRET}\n",
        f"api-key: !{SECRET}!x y\n",
        f"api-key: '{SECRET}\n",
        f"api-key: @{SECRET}\n",
        f"api-key: [{SECRET}\nb: 1\n",
        f"api-key: {SECRET}: x\n",
    ],
)
def test_a_message_never_repeats_a_secret(text):
    with pytest.raises(NotYaml) as caught:
        parse(text)
    assert SECRET not in caught.value.message
    assert caught.value.__cause__ is None


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text):
    try:
        parse(text)
    except NotYaml:
        pass


def test_long_values_and_keys_are_masked_in_messages():
    assert shown("true-ish") == "'true-ish'"
    assert [shown(text) for text in ("ture", "1.5", "30sec")] == ["'ture'", "'1.5'", "'30sec'"]
    for short in ("hunter2", "p@ss", "sk-a1b2", "correct-horse-battery", "pass word"):
        assert short not in shown(short)
    assert SECRET not in shown(SECRET)
    assert SECRET not in shown_key(SECRET)
    assert shown_key("antigravity-signature-cache-enabled") == "antigravity-signature-cache-enabled"

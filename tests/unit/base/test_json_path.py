"""Paths into decoded JSON: what they find, what they change, and what they leave alone."""

import copy
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from cliproxy.base import json
from cliproxy.base.json_path import Path
from cliproxy.base.json_path_text import PathError, compile_path

DOC = {
    "name": {"first": "Tom", "last": "Anderson"},
    "age": 37,
    "fav.movie": "Deer Hunter",
    "star*": 1,
    "a|b": 2,
    "@type": "t",
    "#": "hash",
    "0": "zero",
    "nothing": None,
    "tools": [
        {"type": "web_search", "n": 1, "on": True},
        {"type": "function", "function": {"name": "look"}, "n": 2.5},
        {"type": "function", "function": {"name": "l(o)o.k"}, "n": "7"},
    ],
    "tags": ["red", "green", "blue"],
    "grid": [[1, 2], [3]],
    "numbers": [1, 2.0, 3],
}

READ = [
    ("name.last", "Anderson"),
    ("name", DOC["name"]),
    ("name.middle", UNSET),
    ("age.x", UNSET),
    ("nothing", None),
    (r"fav\.movie", "Deer Hunter"),
    (r"star\*", 1),
    (r"a\|b", 2),
    (r"\@type", "t"),
    (r"\#", "hash"),
    ("0", "zero"),
    (":0", "zero"),
    ("tags.0", "red"),
    ("tags.2", "blue"),
    ("tags.3", UNSET),
    ("tags.-1", UNSET),
    ("tags.:0", UNSET),
    ("tags.red", UNSET),
    ("tags.#", 3),
    ("age.#", UNSET),
    ("na*.first", "Tom"),
    ("nam?.first", "Tom"),
    ("name.?irst", "Tom"),
    ("name.*st", "Tom"),
    ("x*", UNSET),
    ("tools.#.type", ["web_search", "function", "function"]),
    ("tools.#.function.name", ["look", "l(o)o.k"]),
    ("grid.#.#", [2, 1]),
    ("grid.#.0", [1, 3]),
    ('tools.#(type=="web_search").n', 1),
    ("tools.#(type==web_search).n", 1),
    ('tools.#(type="web_search").n', 1),
    ('tools.#(type == "function").n', 2.5),
    ('tools.#(type=="function")#.function.name', ["look", "l(o)o.k"]),
    ('tools.#(type=="nothing")', UNSET),
    ('tools.#(type=="nothing")#', []),
    ("tools.#(function)#.n", [2.5, "7"]),
    ("tools.#(function.name).n", 2.5),
    ('tools.#(function.name=="l(o)o.k").n', "7"),
    ("tools.#(n>1).type", "function"),
    ("tools.#(n>=1)#.n", [1, 2.5, "7"]),
    ("tools.#(n<=2.50)#.n", [1, 2.5]),
    ("tools.#(n<2)#.n", [1]),
    ("tools.#(n==1.0).n", 1),
    ('tools.#(n=="7").n', "7"),
    ("tools.#(on==true).n", 1),
    ("tools.#(on!=true)", UNSET),
    ('tools.#(type!="function").n', 1),
    ('tools.#(type%"*search").n', 1),
    ('tools.#(type%"f?nction").n', 2.5),
    ('tools.#(type!%"*search")#.n', [2.5, "7"]),
    ('tools.#(type=="function"&&n==2.5).n', 2.5),
    ('tools.#(type=="function" && function.name % "l(*").n', "7"),
    ('tools.#(n==1 || function.name=="look")#.n', [1, 2.5]),
    ('tools.#(type=="x" || type=="function" && n>2).n', 2.5),
    ("tags.#(%g*)", "green"),
    ('tags.#(=="blue")', "blue"),
    ("numbers.#(>1)#", [2.0, 3]),
    ("grid.#(#(==3)).0", 3),
    ("age.#(x==1)", UNSET),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value"), READ, ids=[path for path, _ in READ])
def test_what_a_path_reads(path, value):
    compiled = compile_path(path)
    got = compiled.get(DOC)
    assert got is value if value is UNSET else got == value
    assert compiled.exists(DOC) == (value is not UNSET and value != [])


SET = [
    ({}, "a", {"a": 9}),
    ({}, "a.b.c", {"a": {"b": {"c": 9}}}),
    ({"a": None}, "a.b", {"a": {"b": 9}}),
    ({"a": "x"}, "a.b", {"a": {"b": 9}}),
    ({"a": {"x": 1}}, "a.b", {"a": {"x": 1, "b": 9}}),
    ({}, r"a\.b", {"a.b": 9}),
    ({}, "a.0", {"a": [9]}),
    ({}, "a.2", {"a": [None, None, 9]}),
    ({}, "a.-1.b", {"a": [{"b": 9}]}),
    ({}, "a.:0", {"a": {"0": 9}}),
    ({}, "bias.50256", {"bias": {"50256": 9}}),
    ({"a": {}}, "a.0", {"a": {"0": 9}}),
    ({"a": [1]}, "a.-1", {"a": [1, 9]}),
    ({"a": [1]}, "a.0", {"a": [9]}),
    ({"a": [1]}, "a.3", {"a": [1, None, None, 9]}),
    ({"a": [{"b": 1}]}, "a.0.b", {"a": [{"b": 9}]}),
    ({"a": [1]}, "a.b", {"a": [1]}),
    ({"a": [1]}, "a.:0", {"a": [1]}),
    ({"a": {"-1": 0}}, "a.-1", {"a": {"-1": 9}}),
    ({"t": [{"k": 1}, {"k": 2}, {"k": 1}]}, "t.#(k==1).v",
     {"t": [{"k": 1, "v": 9}, {"k": 2}, {"k": 1}]}),
    ({"t": [{"k": 1}, {"k": 2}, {"k": 1}]}, "t.#(k==1)#.v",
     {"t": [{"k": 1, "v": 9}, {"k": 2}, {"k": 1, "v": 9}]}),
    ({"t": [{"k": 1}, {"k": 2}]}, "t.#(k==2)", {"t": [{"k": 1}, 9]}),
    ({"t": [{"k": 1}]}, "t.#(k==3).v", {"t": [{"k": 1}]}),
    ({}, "t.#(k==3).v", {}),
    ([], "a", []),
    ("text", "a", "text"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "path", "after"), SET)
def test_what_setting_a_path_makes(before, path, after):
    document = copy.deepcopy(before)
    assert compile_path(path).set(document, 9) == (before != after)
    assert document == after


def test_the_order_of_keys_stays_and_new_ones_come_last():
    document = {"z": 1, "a": {"y": 1, "b": 2}, "m": 3}
    compile_path("a.y").set(document, 9)
    compile_path("a.a").set(document, 9)
    assert json.dumps(document) == b'{"z":1,"a":{"y":9,"b":2,"a":9},"m":3}'


def test_a_value_that_is_set_is_a_copy():
    value = {"list": []}
    one, other = {}, {}
    path = compile_path("a")
    path.set(one, value)
    path.set(other, value)
    one["a"]["list"].append(1)
    assert (other, value) == ({"a": {"list": []}}, {"list": []})


DELETE = [
    ({"a": 1, "b": 2}, "a", {"b": 2}),
    ({"a": {"b": 1}}, "a.b", {"a": {}}),
    ({"a": {"b": 1}}, "a.c", {"a": {"b": 1}}),
    ({"a": 1}, "a.b", {"a": 1}),
    ({"a": None}, "a", {}),
    ({"a": [1, 2, 3]}, "a.1", {"a": [1, 3]}),
    ({"a": [1, 2, 3]}, "a.-1", {"a": [1, 2]}),
    ({"a": []}, "a.-1", {"a": []}),
    ({"a": [1]}, "a.7", {"a": [1]}),
    ({"a": [1]}, "a.x", {"a": [1]}),
    ({"t": [{"k": 1}, {"k": 2}, {"k": 1}, {"k": 1}]}, "t.#(k==1)", {"t": [{"k": 2}, {"k": 1}, {"k": 1}]}),
    ({"t": [{"k": 1}, {"k": 2}, {"k": 1}, {"k": 1}]}, "t.#(k==1)#", {"t": [{"k": 2}]}),
    ({"t": [{"k": 1, "v": 1}, {"k": 1, "v": 2}]}, "t.#(k==1)#.v", {"t": [{"k": 1}, {"k": 1}]}),
]  # fmt: skip


@pytest.mark.parametrize(("before", "path", "after"), DELETE)
def test_what_deleting_a_path_leaves(before, path, after):
    document = copy.deepcopy(before)
    assert compile_path(path).delete(document) == (before != after)
    assert document == after


WRONG = [
    ("", "empty"),
    ("a..b", "empty step"),
    (".a", "empty step"),
    ("a.", "empty step"),
    ("a|b", r"\|"),
    ("@this", "@"),
    ("#x", "#"),
    ("a.#(b==1", "bracket"),
    ('a.#(b=="1)', "quote"),
    ('a.#(b=="1"2)', "quoted"),
    ("a.#(b==1)x", "goes on"),
    ("a.#()", "empty condition"),
    ("a.#(b==1&&)", "empty condition"),
    ("a.#(b==)", "nothing behind =="),
    ("a.#(b==~true)", "~"),
    ("a" * 1001, "longer than"),
    ("#(" * 20 + "a" + ")" * 20, "nested too deeply"),
]


@pytest.mark.parametrize(("text", "word"), WRONG, ids=[text[:12] for text, _ in WRONG])
def test_what_is_not_a_path_is_refused_with_a_reason(text, word):
    with pytest.raises(PathError, match=word.replace("\\|", r"\\\|")):
        compile_path(text)


@pytest.mark.parametrize(
    ("text", "writable"),
    [("a.b", True), ("a.#(b==1)#.c", True), ("a.-1", True), ("a.*", False), ("a.#.b", False),
     (r"a.\*", True), ("a.#", False)],
)  # fmt: skip
def test_only_paths_to_single_places_are_writable(text, writable):
    assert compile_path(text).writable == writable


def test_a_pattern_with_many_stars_is_decided_at_once():
    # A search that tries every split of the text would not come back.
    path = compile_path("t.#(%" + "*a" * 40 + "*b)")
    assert path.get({"t": ["a" * 5000]}) is UNSET


def test_numbers_keep_what_was_written():
    document = json.loads(b'{"a":1.10,"b":123456789012345678901,"c":1e400,"d":0.1}')
    compile_path("e").set(document, Decimal("2.50"))
    expected = b'{"a":1.10,"b":123456789012345678901,"c":1e400,"d":0.1,"e":2.50}'
    # A decimal's exponent may be spelled differently, its value not.
    assert json.loads(json.dumps(document)) == json.loads(expected)
    assert json.dumps(document).startswith(b'{"a":1.10,"b":123456789012345678901,')


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["a", "b", "0", "-1", "x.y", "#", "*"]), inner, max_size=4
        )
    ),
    max_leaves=20,
)
OBJECTS = st.dictionaries(st.sampled_from(["a", "b", "0", "x.y", "#", "*"]), JSON, max_size=5)
STEPS = st.sampled_from(
    ["a", "b", "0", "1", r"x\.y", r"\#", r"\*", "#(a==1)", "#(a)#", '#(b%"*")#', "-1", ":0"]
)
PATHS = st.lists(STEPS, min_size=1, max_size=4).map(lambda steps: compile_path(".".join(steps)))
NAMED = st.lists(st.sampled_from(["a", "b", r"x\.y", r"\#", ":0"]), min_size=1, max_size=4).map(
    lambda steps: compile_path(".".join(steps))
)
ANYTHING = st.text(alphabet=r'ab01.#()*?\|@="<>!%&~-: ', max_size=20)


@given(OBJECTS, PATHS, LEAVES)
def test_what_was_set_is_what_is_read(document, path, value):
    places = path.places(document)
    if "-1" in path.text or not path.set(document, value):
        return
    # Conditions may no longer hold; the places are what was meant.
    got = [Path(path.text, place).get(document) for place in places]
    assert value in got


@given(OBJECTS, NAMED)
def test_what_was_deleted_is_missing(document, path):
    path.delete(document)
    assert not path.exists(document)
    assert not path.delete(document)


@given(OBJECTS, PATHS, LEAVES, st.booleans())
def test_what_stands_beside_the_path_keeps_its_bytes(document, path, value, away):
    before = {key: json.dumps(inner) for key, inner in document.items()}
    first = path.steps[0]
    path.delete(document) if away else path.set(document, value)
    beside = [key for key in before if key != getattr(first, "text", None)]
    assert {key: json.dumps(document[key]) for key in beside} == {k: before[k] for k in beside}
    assert [key for key in document if key in beside] == beside


@given(OBJECTS, NAMED)
def test_setting_what_was_read_changes_no_byte(document, path):
    before = json.dumps(document)
    value = path.get(document)
    if value is not UNSET:
        path.set(document, value)
    assert json.dumps(document) == before


@given(JSON, ANYTHING, LEAVES)
def test_no_text_and_no_document_makes_it_fail(document, text, value):
    try:
        path = compile_path(text)
    except PathError:
        return
    path.get(document)
    path.found(document)
    path.exists(document)
    path.set(document, value)
    path.delete(document)
    json.dumps(document)

"""Changing the text of a configuration: exactly what was asked for, and not one byte more."""

import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cliproxy.config.edit import NotEditable, delete, rewrite, set_value
from cliproxy.config.edit_nodes import alike, block, scalar
from cliproxy.config.tree import NotYaml, meaning, parse

# How long an example takes, and a file of several sections to draw, is of no interest.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

# ---- Random files --------------------------------------------------------------------------------

# Not what separates the steps of a path in the parser's table of lines.
KEYS = st.text(st.characters(exclude_characters=".["), max_size=4)
WORDS = st.sampled_from(["a", "b", "c-d", "x_y", "name", "id", "key", "0012", "null", "<<"])
STRINGS = WORDS | st.text(max_size=8) | st.sampled_from(["12:30", "yes", "# no", "a: b", "- x"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | STRINGS
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | KEYS, inner, max_size=4),
    max_leaves=10,
)
MAPS = st.dictionaries(WORDS, TREES, max_size=5)
COMMENTS = st.sampled_from(["# about it", "#a: 1", "#  - x", "#", "# ---- part ----"])


class Rendered:
    """A map as a file with comments. Every entry on the way has a number in its comments."""

    def __init__(self, draw, value):
        self.draw = draw
        self.eol = draw(st.sampled_from(["\n", "\n", "\r\n"]))
        lines = [*self.noise(0), *self.block(value, 0), *self.noise(0)]
        end = draw(st.sampled_from([self.eol, self.eol, ""])) if lines else ""
        self.text = draw(st.sampled_from(["", "", "\ufeff"])) + self.eol.join(lines) + end

    def noise(self, column):
        if self.draw(st.integers(0, 2)):
            return []
        shift = self.draw(st.sampled_from([0, 0, 0, 1, 3, -column]))
        kinds = st.just("") | COMMENTS.map(lambda c: " " * (column + shift) + c)
        return self.draw(st.lists(kinds, max_size=3))

    def tail(self):
        return self.draw(st.sampled_from(["", "", "", "  # tail"]))

    def inline(self, value):
        if isinstance(value, dict):
            sep = self.draw(st.sampled_from([", ", " , ", ","]))
            pad = self.draw(st.sampled_from(["", " "]))
            pairs = [f"{scalar(k)}: {self.inline(v)}" for k, v in value.items()]
            return "{" + pad + sep.join(pairs) + pad + "}"
        if isinstance(value, list):
            pad = self.draw(st.sampled_from(["", " "]))
            return "[" + pad + ", ".join(map(self.inline, value)) + pad + "]"
        return scalar(value, self.draw(st.sampled_from([None, '"', "'"])))

    def value(self, value, column, *, item):
        """What stands behind the colon or dash, and the lines below."""
        if isinstance(value, dict | list) and value and self.draw(st.integers(0, 3)):
            # A list in a list begins behind its dash, or nobody could tell the dashes apart.
            if item and (isinstance(value, list) or self.draw(st.booleans())):
                first, *rest = self.block(value, column + 2)
                return " " + first.lstrip(" "), rest
            indent = self.draw(st.sampled_from([0, 2, 2, 4]))
            if not indent and (item or isinstance(value, dict)):
                indent = 1
            inner = column + indent
            return self.tail(), [*self.noise(inner), *self.block(value, inner)]
        if value is None and self.draw(st.booleans()):
            return self.tail(), []
        if isinstance(value, str) and re.fullmatch(r"(\w+\n)+", value, re.ASCII):
            return " |" + self.tail(), [" " * (column + 2) + x for x in value.splitlines()]
        return " " + self.inline(value) + self.tail(), []

    def block(self, value, column):
        if not value:
            return [" " * column + self.inline(value)] if not column else []
        lines = []
        pad = " " * column
        is_map = isinstance(value, dict)
        for key, inner in value.items() if is_map else ((None, v) for v in value):
            if lines:
                lines += self.noise(column)
            head, rest = self.value(inner, column, item=not is_map)
            lines += [pad + (f"{scalar(key)}:" if is_map else "-") + head, *rest]
        return lines


@st.composite
def files(draw):
    value = draw(MAPS)
    return Rendered(draw, value).text, value


def paths(value, path=()):
    """Every path of a tree."""
    if path:
        yield path
    steps = {dict: lambda: value.items(), list: lambda: enumerate(value)}.get(type(value), tuple)
    for step, below in steps():
        yield from paths(below, (*path, step))


def at(value, path):
    for step in path:
        value = value[step]
    return value


def changed(value, path, *new):
    """A copy with one value set, or removed if there is none."""
    step, *rest = path
    copy = dict(value) if isinstance(value, dict) else list(value)
    if rest:
        copy[step] = changed(copy[step], rest, *new)
    elif not new:
        del copy[step]
    elif isinstance(copy, list) and step == len(copy):
        copy.append(new[0])
    else:
        copy[step] = new[0]
    return copy


def read(text):
    return meaning(parse(text).value)


def shared_lines(text, value, path, *, whole):
    """The numbers of the lines that an edit at a path may change, from 0."""
    tree, rows = parse(text), lines_of(text)

    def name(p):
        found = ""
        for step in p:
            key = f"{found}.{step}" if found else step
            found = f"{found}[{step}]" if isinstance(step, int) else key
        return found

    mine = tree.lines[name(path)] - 1
    others = [p for p in paths(value) if p[: len(path)] != path and path[: len(p)] != p]
    behind = [tree.lines[name(p)] - 1 for p in others]
    stop = min((n for n in behind if n > mine), default=len(rows))
    # A list item is where its value is; its dash may be in a line above.
    while mine and isinstance(path[-1], int) and not re.match(r" *(- )*-( |$)", rows[mine]):
        mine -= 1
    column = len(rows[mine]) - len(rows[mine].lstrip(" "))
    for number in range(mine + 1, stop):
        # From the first comment that is not further in than the entry on, nothing is its own.
        if re.match(f" {{0,{column}}}#", rows[number]):
            rest = rows[number:stop]
            if all(not r.strip() or r.lstrip().startswith("#") for r in rest):
                stop = number
                break
    first = mine
    while whole and first and rows[first - 1].lstrip().startswith("#"):
        first -= 1
    return rows, set(range(first, stop)), mine in behind


def lines_of(text):
    return re.split("\r\n|\n", text.removeprefix("\ufeff"))


def in_order(wanted, found):
    """Whether all wanted lines are among those found, in the same order."""
    rest = iter(found)
    return all(line in rest for line in wanted)


def some_path(data, value):
    return data.draw(st.sampled_from(list(paths(value))))


MANY = files().filter(lambda file: file[1])


@patient
@given(files())
def test_the_random_files_say_what_they_should(file):
    assert alike(read(file[0]) or {}, file[1])


@patient
@given(MANY, TREES, st.data())
def test_any_value_can_be_set_and_every_other_line_stays(file, new, data):
    text, value = file
    path = some_path(data, value)
    result = set_value(text, path, new)
    assert alike(read(result), changed(value, path, new))
    rows, mine, _ = shared_lines(text, value, path, whole=False)
    kept = [row for number, row in enumerate(rows) if number not in mine]
    assert in_order(kept, lines_of(result))


def test_behind_a_dash_the_next_one_moves_up():
    text = "a:\n# about it\n- - null\n  - 1\n- 2\n"
    assert delete(text, ("a", 0, 0)) == "a:\n# about it\n- - 1\n- 2\n"


@patient
@given(MANY, st.data())
def test_any_value_can_be_deleted_and_every_other_line_stays(file, data):
    text, value = file
    path = some_path(data, value)
    result = delete(text, path)
    assert alike(read(result), changed(value, path))
    rows, mine, together = shared_lines(text, value, path, whole=True)
    parent = at(value, path[:-1])
    # The last one leaves `{}` or `[]` at its parent; behind a dash the next one moves up.
    own = next(row for n in sorted(mine) if not (row := rows[n].lstrip(" ")).startswith("#"))
    if len(parent) > 1 and not together and not own.startswith("- "):
        kept = [row for number, row in enumerate(rows) if number not in mine]
        assert in_order(kept, lines_of(result))


@patient
@given(files(), WORDS.map("new-{}".format), TREES, st.data())
def test_a_new_key_leaves_every_line_of_a_block_as_it_was(file, key, new, data):
    text, value = file
    result = set_value(text, (key,), new)
    assert alike(read(result), {**value, key: new})
    if value:
        assert in_order(lines_of(text.rstrip("\r\n")), lines_of(result))
        assert alike(read(delete(result, (key,))), value)


@patient
@given(MANY, TREES, WORDS, st.data())
def test_something_can_be_added_to_any_section_and_list(file, new, key, data):
    text, value = file
    places = [p for p in [(), *paths(value)] if isinstance(at(value, p), dict | list)]
    path = data.draw(st.sampled_from(places))
    inside = at(value, path)
    path += (key if isinstance(inside, dict) else len(inside),)
    assert alike(read(set_value(text, path, new)), changed(value, path, new))


@patient
@given(files(), MAPS)
def test_any_file_can_be_turned_into_any_other(file, new):
    text, _ = file
    assert alike(read(rewrite(text, read(text), new)), new)


@patient
@given(MANY, st.data())
def test_any_small_changes_can_be_made_at_once(file, data):
    def mutated(value):
        if isinstance(value, list):
            items = [mutated(item) for item in data.draw(st.permutations(value))]
            items = items[data.draw(st.integers(0, 1)) :]
            return [*items, *data.draw(st.lists(SCALARS, max_size=1))]
        if isinstance(value, dict):
            return {k: mutated(v) for k, v in value.items() if data.draw(st.integers(0, 4))}
        return value if data.draw(st.integers(0, 3)) else data.draw(SCALARS)

    text, value = file
    new = mutated(value)
    assert alike(read(rewrite(text, value, new)), new)


@patient
@given(files())
def test_without_a_change_the_text_is_the_same(file):
    text, _ = file
    assert rewrite(text, read(text), read(text)) == text


@patient
@given(TREES)
def test_what_is_written_is_read_back(value):
    assert alike(read("\n".join(block([value]))), [value])


# ---- Single changes, to the letter ---------------------------------------------------------------

FILE = """\
# top

# about a
a: 1  # one

# about b
b:
  # about c
  c: 'x'   # cc
  # d: 3

# list
l:
  # first
  - name: u
    k: 1
    # more: 2
  #- name: hidden
  # second
  - name: v # vv
f: {x: 1, y: [1, 2]}
n:
"""

# What is changed, the lines that go, and the lines that come in their place.
SET = [
    pytest.param(("a",), 2, "a: 1  # one\n", "a: 2  # one\n", id="number"),
    pytest.param(("a",), 0, "a: 1  # one\n", "a: 0  # one\n", id="zero"),
    pytest.param(("a",), None, "a: 1  # one\n", "a: null  # one\n", id="null"),
    pytest.param(("a",), "", "a: 1  # one\n", 'a: ""  # one\n', id="empty"),
    pytest.param(("a",), [], "a: 1  # one\n", "a: []  # one\n", id="empty-list"),
    pytest.param(("a",), "12:30", "a: 1  # one\n", 'a: "12:30"  # one\n', id="time"),
    pytest.param(("a",), "yes", "a: 1  # one\n", 'a: "yes"  # one\n', id="word-for-true"),
    pytest.param(("a",), "007", "a: 1  # one\n", 'a: "007"  # one\n', id="digits"),
    pytest.param(("a",), "o\nn\te", "a: 1  # one\n", 'a: "o\\nn\\te"  # one\n', id="lines"),
    pytest.param(("a",), [1, {"b": []}], "a: 1  # one\n", "a:  # one\n  - 1\n  - b: []\n", id="list"),
    pytest.param(("b", "c"), "it's", "  c: 'x'   # cc\n", "  c: 'it''s'   # cc\n", id="quotes"),
    pytest.param(("b", "e"), 1, "  # d: 3\n", "  # d: 3\n  e: 1\n", id="new-key"),
    pytest.param(("l", 0, "k"), 5, "    k: 1\n", "    k: 5\n", id="in-item"),
    pytest.param(("l", 1, "k"), 5, "# vv\n", "# vv\n    k: 5\n", id="new-in-item"),
    pytest.param(("l", 2), "w", "# vv\n", "# vv\n  - w\n", id="new-item"),
    pytest.param(("l", 2), {"p": 1, "q": 2}, "# vv\n", "# vv\n  - p: 1\n    q: 2\n", id="new-map"),
    pytest.param(("f", "x"), "s, t", "{x: 1,", '{x: "s, t",', id="flow-value"),
    pytest.param(("f", "y", 2), {"m": [1]}, "[1, 2]", "[1, 2, {m: [1]}]", id="flow-item"),
    pytest.param(("f", "z"), 3, "[1, 2]}", "[1, 2], z: 3}", id="flow-key"),
    pytest.param(("n",), "v", "n:\n", "n: v\n", id="was-null"),
    pytest.param(("n", "m"), 1, "n:\n", "n:\n  m: 1\n", id="section-was-null"),
    pytest.param(("new", "m"), 1, "n:\n", "n:\nnew:\n  m: 1\n", id="new-section"),
]  # fmt: skip


@pytest.mark.parametrize("eol", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize(("path", "value", "gone", "come"), SET)
def test_setting_changes_these_letters_only(path, value, gone, come, eol):
    assert FILE.count(gone) == 1
    wanted = FILE.replace(gone, come).replace("\n", eol)
    assert set_value(FILE.replace("\n", eol), path, value) == wanted


DELETE = [
    pytest.param(("a",), "# about a\na: 1  # one\n", "", id="with-its-comment"),
    pytest.param(("b",), "# about b\nb:\n  # about c\n  c: 'x'   # cc\n  # d: 3\n", "", id="section"),
    pytest.param(("b", "c"), "b:\n  # about c\n  c: 'x'   # cc\n", "b: {}\n", id="last-key"),
    pytest.param(("l", 0), "  # first\n  - name: u\n    k: 1\n    # more: 2\n", "", id="first-item"),
    pytest.param(("l", 1), "  # second\n  - name: v # vv\n", "", id="last-item"),
    pytest.param(("l", 0, "name"), "- name: u\n    k: 1", "- k: 1", id="first-key-of-item"),
    pytest.param(("l", 0, "k"), "    k: 1\n", "", id="last-key-of-item"),
    pytest.param(("l", 1, "name"), "- name: v # vv", "- {}", id="only-key-of-item"),
    pytest.param(("f", "x"), "{x: 1, y", "{y", id="flow-first"),
    pytest.param(("f", "y"), "{x: 1, y: [1, 2]}", "{x: 1}", id="flow-last"),
    pytest.param(("f", "y", 1), "[1, 2]", "[1]", id="flow-item"),
    pytest.param(("n",), "n:\n", "", id="null"),
    pytest.param(("no",), "", "", id="absent"),
    pytest.param(("b", "no", "no"), "", "", id="absent-section"),
    pytest.param(("l", 7), "", "", id="absent-item"),
]  # fmt: skip


@pytest.mark.parametrize("eol", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize(("path", "gone", "come"), DELETE)
def test_deleting_takes_these_letters_only(path, gone, come, eol):
    assert not gone or FILE.count(gone) == 1
    wanted = FILE.replace(gone, come) if gone else FILE
    assert delete(FILE.replace("\n", eol), path) == wanted.replace("\n", eol)


OTHERS = [
    pytest.param("", ("a", "b"), 1, "a:\n  b: 1\n", id="empty-file"),
    pytest.param("# x", ("a",), 1, "# x\na: 1", id="comment-only"),
    pytest.param("# x\n---\n...\n", ("a",), [1], "# x\n---\na:\n  - 1\n...\n", id="markers"),
    pytest.param("a: 1", ("a",), 2, "a: 2", id="no-line-break-at-the-end"),
    pytest.param("a: 1", ("b",), {"c": 2}, "a: 1\nb:\n  c: 2", id="added-without-line-break"),
    pytest.param("\ufeffa: 1\n", ("a",), 2, "\ufeffa: 2\n", id="byte-order-mark"),
    pytest.param("a: {}  # c\n", ("a", "b"), 1, "a:  # c\n  b: 1\n", id="empty-map"),
    pytest.param("a: []\nb: 1\n", ("a", 0), "x", "a:\n  - x\nb: 1\n", id="empty-list"),
    pytest.param("a:\n- x\n# b\nb: 1\n", ("a", 1), "z", "a:\n- x\n- z\n# b\nb: 1\n", id="flat-list"),
    pytest.param("a:\n- x\n#- z\nb: 1\n", ("a",), 1, "a: 1\n#- z\nb: 1\n", id="list-to-scalar"),
    pytest.param("a: # c\n  b: 1\nd: 1\n", ("a",), 5, "a: 5 # c\nd: 1\n", id="section-to-scalar"),
    pytest.param("a: | # c\n  x\n\n# d\nd: 1\n", ("a",), "z", "a: z # c\n\n# d\nd: 1\n", id="block-scalar"),
    pytest.param("- - 1\n  - 2\n- 3\n", (0, 1), 9, "- - 1\n  - 9\n- 3\n", id="list-in-list"),
    pytest.param("-\n  - 1\n  - 2\n- b\n", (0,), "a", "- a\n- b\n", id="list-below-a-dash"),
    pytest.param("-\n- b\n", (0,), "a", "- a\n- b\n", id="empty-item"),
    pytest.param("a: &x 1\nb: 2\n", ("a",), 3, "a: 3\nb: 2\n", id="anchor-nobody-uses"),
    pytest.param("a: &x 1\nb: *x\n", ("b",), 3, "a: &x 1\nb: 3\n", id="alias-itself"),
    pytest.param(
        "a: &x {b: 1}\nc:\n  <<: *x\n  d: 1\n", ("c", "b"), 2,
        "a: &x {b: 1}\nc:\n  <<: *x\n  d: 1\n  b: 2\n", id="over-a-merge",
    ),
    pytest.param("- x # c\n", (0,), {"a": 1, "b": 2}, "- a: 1 # c\n  b: 2\n", id="item-to-map"),
    pytest.param("a:\n  # c\n  'x' # d\n", ("a",), [1], "a:\n  # c\n  - 1\n", id="value-below"),
    pytest.param("a: |+\n  x\n\n\nb: 1\n", ("a",), "z", "a: z\nb: 1\n", id="kept-empty-lines"),
    pytest.param("a: |\n  x", ("a",), [1], "a:\n  - 1", id="block-scalar-to-list"),
    pytest.param("{a, b: 1}\n", ("a",), 2, "{a: 2, b: 1}\n", id="flow-key-alone"),
    pytest.param("a: !!str 12 # c\n", ("a",), 13, "a: 13 # c\n", id="tag"),
    pytest.param("a: 1.10\n", ("a",), 1.1, "a: 1.10\n", id="same-number"),
    pytest.param("a: 1\n", ("a",), Decimal("1.10"), "a: 1.1\n", id="decimal"),
    pytest.param('{"a":1,"b":[]}', ("b",), [1], '{"a":1,"b":[1]}', id="json"),
    pytest.param(
        "a: [\n  x, # one\n  y, # two\n]\n", ("a", 2), "z",
        "a: [\n  x, # one\n  y, z, # two\n]\n", id="flow-lines",
    ),
    pytest.param(
        "b:\n  c: 1\n\n  # e: 1\n\n# next\nd: 1\n", ("b", "x"), 1,
        "b:\n  c: 1\n\n  # e: 1\n  x: 1\n\n# next\nd: 1\n", id="behind-commented-out-keys",
    ),
    pytest.param(
        "b:\n  c: 1\n  # said of c\n\n# next\nd: 1\n", ("b", "x"), 1,
        "b:\n  c: 1\n  x: 1\n  # said of c\n\n# next\nd: 1\n", id="before-other-comments",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("before", "path", "value", "after"), OTHERS)
def test_files_of_all_kinds_can_be_changed(before, path, value, after):
    assert set_value(before, path, value) == after


# ---- Whole trees ---------------------------------------------------------------------------------

ACCOUNTS = """\
accounts:
  # the first
  - api-key: one   # mine
    weight: 1

  # the second
  - api-key: two
    weight: 2
    # prefix: x

  # the third
  - api-key: three
"""
ONE = {"api-key": "one", "weight": 1}
TWO = {"api-key": "two", "weight": 2}
THREE = {"api-key": "three"}
REWRITE = [
    pytest.param(
        [THREE, ONE, TWO],
        "accounts:\n  # the third\n  - api-key: three\n\n"
        "  # the first\n  - api-key: one   # mine\n    weight: 1\n\n"
        "  # the second\n  - api-key: two\n    weight: 2\n    # prefix: x\n",
        id="moved",
    ),
    pytest.param(
        [{**TWO, "weight": 0}, ONE, THREE],
        "accounts:\n  # the second\n  - api-key: two\n    weight: 0\n    # prefix: x\n\n"
        "  # the first\n  - api-key: one   # mine\n    weight: 1\n\n"
        "  # the third\n  - api-key: three\n",
        id="moved-and-changed",
    ),
    pytest.param(
        [ONE, THREE],
        "accounts:\n  # the first\n  - api-key: one   # mine\n    weight: 1\n\n\n"
        "  # the third\n  - api-key: three\n",
        id="removed",
    ),
    pytest.param(
        [{"api-key": "zero"}, ONE, {"api-key": "half"}, TWO, THREE, {"api-key": "four"}],
        "accounts:\n  - api-key: zero\n  # the first\n  - api-key: one   # mine\n    weight: 1\n"
        "  - api-key: half\n\n"
        "  # the second\n  - api-key: two\n    weight: 2\n    # prefix: x\n\n"
        "  # the third\n  - api-key: three\n  - api-key: four\n",
        id="added-anywhere",
    ),
    pytest.param(
        [{"api-key": "one"}, {**TWO, "prefix": "p"}, THREE],
        "accounts:\n  # the first\n  - api-key: one   # mine\n\n"
        "  # the second\n  - api-key: two\n    weight: 2\n    # prefix: x\n    prefix: p\n\n"
        "  # the third\n  - api-key: three\n",
        id="keys-of-items",
    ),
    pytest.param([], "accounts: []\n\n\n", id="emptied"),
]


@pytest.mark.parametrize(("accounts", "after"), REWRITE)
def test_items_keep_their_comments(accounts, after):
    old = {"accounts": [ONE, TWO, THREE]}
    assert rewrite(ACCOUNTS, old, {"accounts": accounts}) == after


@pytest.mark.parametrize(
    "key", ["id", "name", "alias", "api-key", "api_key", "apikey", "key", "provider", "model"]
)
def test_items_are_known_by_any_of_their_names(key):
    text = f"- {key}: a # about a\n  n: 1\n- {key}: b # about b\n  n: 1\n"
    result = rewrite(text, read(text), [{key: "b", "n": 2}, {key: "a", "n": 1}])
    assert result == f"- {key}: b # about b\n  n: 2\n- {key}: a # about a\n  n: 1\n"


def test_the_first_common_name_decides():
    text = "- id: 1\n  name: a # one\n- id: 2\n  name: a # two\n"
    result = rewrite(text, read(text), [{"id": 2, "name": "b"}])
    assert result == "- id: 2\n  name: b # two\n"
    result = rewrite(text, read(text), [{"id": 3, "name": "a"}])
    assert result == "- id: 3\n  name: a\n", "the same name, but not the same item"


def test_several_sections_change_at_once():
    new = {"a": 5, "b": {}, "l": [{"name": "v"}], "f": {"y": [2]}, "n": None, "z": "new"}
    assert rewrite(FILE, read(FILE), new) == (
        "# top\n\n# about a\na: 5  # one\n\n# about b\nb: {}\n  # d: 3\n\n"
        "# list\nl:\n  #- name: hidden\n  # second\n  - name: v # vv\nf: {y: [2]}\nn:\nz: new\n"
    )


@pytest.mark.parametrize(
    ("text", "new", "after"),
    [
        pytest.param("- a\n- b # b", ["b", "a"], "- b # b\n- a", id="no-line-break-at-the-end"),
        pytest.param("- - 1\n  - 2\n  - 3\n", [[3, 1]], "- - 3\n  - 1\n", id="behind-a-dash"),
        pytest.param(
            "- a\n#- x\n- b\n#- z\n- c\n", ["c", "a"], "- c\n#- x\n- a\n#- z\n", id="hidden-items"
        ),
        pytest.param("[1, 2, 3] # c\n", [3, 1], "[3, 1] # c\n", id="flow-moved"),
        pytest.param("[1, 2]\n", [0, 2, 1, 5], "[0, 2, 1, 5]\n", id="flow-moved-and-added"),
        pytest.param("[\n 1, # c\n 2,\n]\n", [2], "[\n 2,\n]\n", id="flow-lines"),
        pytest.param("[\n 1, # c\n 2\n]\n", [1], "[\n 1, # c\n \n]\n", id="flow-last-line"),
        pytest.param("a: [x: 1, z]\n", {"a": [{"x": 2}, "z"]}, "a: [{x: 2}, z]\n", id="flow-pair"),
        pytest.param(
            "a: &x {b: 1}\nc: {<<: *x, d: 1}\n", {"a": {"b": 1}, "c": {"b": 1, "e": 2}},
            "a: &x {b: 1}\nc: {<<: *x, e: 2}\n", id="flow-merge",
        ),
        pytest.param("- x: 1\n  z: 2 # c\n- b\n", ["a", "b"], "- a\n- b\n", id="item-to-scalar"),
        pytest.param("x: 1 # c\n", {}, "{}\n", id="root-emptied"),
        pytest.param("[1, 2]", {"a": 1, "b": 2}, "a: 1\nb: 2", id="root-of-another-kind"),
        pytest.param("- 1 # c\n", {"a": 1}, "a: 1\n", id="root-list-to-map"),
    ],
)  # fmt: skip
def test_unusual_files_can_be_turned_into_others(text, new, after):
    assert rewrite(text, read(text), new) == after


def test_a_change_that_cannot_be_written_there_is_refused():
    with pytest.raises(NotEditable, match="break the file"):
        set_value("--- {}\n", ("a",), 1)
    with pytest.raises(NotEditable, match="line breaks"):
        set_value("a: 1 # \x85\n", ("a",), 2)


def test_a_file_that_changed_since_is_not_overwritten():
    with pytest.raises(NotEditable, match="not what it was"):
        rewrite("a: 2\n", {"a": 1}, {"a": 3})


# ---- What is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "path"),
    [
        pytest.param("a: &x {b: 1}\nc: *x\n", ("a", "b"), id="behind-an-anchor"),
        pytest.param("a: &x {b: 1}\nc: *x\n", ("c", "b"), id="through-an-alias"),
        pytest.param("a: &x {b: 1}\nc: *x\n", ("c",), id="alias-of-a-section"),
        pytest.param("a: &x 1\nb: *x\n", ("a",), id="an-anchor"),
        pytest.param("a: 1\na: 2\n", ("a",), id="a-key-twice"),
        pytest.param("a:\n\tb: 1\n", ("a",), id="tabs"),
        pytest.param("a: 1\n---\na: 2\n", ("a",), id="two-documents"),
        pytest.param("a: [1\n", ("a",), id="not-yaml"),
        pytest.param("? a\n: 1\n", ("a",), id="question-mark"),
        pytest.param("a: 1\n", ("a", "b"), id="through-a-scalar"),
        pytest.param("a: [1]\n", ("a", 3), id="far-behind-the-end"),
        pytest.param("a: [1]\n", ("a", -1), id="before-the-beginning"),
        pytest.param("a: [1]\n", ("a", "b"), id="a-key-of-a-list"),
    ],
)
def test_what_cannot_be_done_safely_is_refused(text, path):
    with pytest.raises((NotEditable, NotYaml)):
        set_value(text, path, 5)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        pytest.param("a: &x 1\nb: *x\n", ("a",), id="anchor-that-is-used"),
        pytest.param("a: {b: &x 1}\nb: *x\n", ("a",), id="holds-such-an-anchor"),
        pytest.param("a: &x {b: 1}\nc: {<<: *x, d: 1}\n", ("c", "b"), id="from-a-merge"),
        pytest.param("a: 1\n", (), id="everything"),
    ],
)
def test_what_others_need_is_not_deleted(text, path):
    with pytest.raises(NotEditable):
        delete(text, path)


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), {1: 2}, b"x", object()],
    ids=["nan", "inf", "number-key", "bytes", "object"],
)
def test_what_json_does_not_know_is_not_written(value):
    with pytest.raises(NotEditable):
        set_value("a: 1\n", ("a",), value)


# ---- The example file ----------------------------------------------------------------------------

EXAMPLE = Path(__file__, "../../../../config.example.yaml").resolve().read_text("utf-8")
SETTING = re.compile(r"#(\S|  +\S)")
ACTIVE = "".join(
    line[1:] if SETTING.match(line) else line for line in EXAMPLE.splitlines(keepends=True)
)


# Each top-level key, with the comments above the next one and that one.
PARTS = re.split(r"(?m)^(?=[a-z])", ACTIVE)[1:]
PAIRS = [one + other for one, other in zip(PARTS, [*PARTS[1:], ""], strict=True)]


@pytest.mark.parametrize("text", PAIRS, ids=lambda text: text.partition(":")[0])
def test_every_value_of_the_example_can_be_set_and_no_other_line_changes(text):
    value, rows = read(text), text.splitlines()
    for path in paths(value):
        if isinstance(at(value, path), dict | list):
            continue
        result = set_value(text, path, "changed").splitlines()
        assert len(result) == len(rows), path
        [(old, new)] = [pair for pair in zip(rows, result, strict=True) if pair[0] != pair[1]]
        assert str(path[-1]) in old or "- " in old or "[" in old, path
        assert "changed" in new, path
        assert old.partition(" # ")[2] == new.partition(" # ")[2], path


@pytest.mark.parametrize("text", PAIRS, ids=lambda text: text.partition(":")[0])
def test_every_key_of_the_example_can_be_deleted_and_no_other_line_goes(text):
    value, rows = read(text), text.splitlines()
    for path in paths(value):
        result = delete(text, path)
        assert alike(read(result), changed(value, path)), path
        _, mine, together = shared_lines(text, value, path, whole=True)
        if len(at(value, path[:-1])) > 1 and not together and "- " not in rows[min(mine)]:
            kept = [row for number, row in enumerate(rows) if number not in mine]
            assert in_order(kept, result.splitlines()), path
            assert in_order(result.splitlines(), rows), path


def test_nothing_of_the_example_goes_with_a_key_but_the_comment_right_above_it():
    start, end = ACTIVE.index("# Largest request body"), ACTIVE.index("\n# ---- Who may use")
    assert delete(ACTIVE, ("max-body-size",)) == ACTIVE[:start] + ACTIVE[end:]


def test_keys_can_be_added_to_the_example_as_it_is():
    result = set_value(EXAMPLE, ("routing", "strategy"), "fill-first")
    assert result == f"{EXAMPLE}routing:\n  strategy: fill-first\n"
    assert delete(result, ("routing",)) == EXAMPLE

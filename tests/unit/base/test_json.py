"""The one door through which JSON comes in and goes out."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cliproxy.base import json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_what_goes_out_comes_back(value):
    assert json.loads(json.dumps(value)) == value
    assert json.loads(json.dumps_str(value)) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_come_back_as_the_same_number(value):
    assert float(json.loads(json.dumps(value))) == value


@given(st.text(max_size=20))
def test_any_text_at_all_is_read_or_refused(text):
    try:
        json.loads(text)
    except json.InvalidJson:
        pass


@pytest.mark.parametrize("place", ["%s", "a%s", "%sb", "é%s🙂"])
@pytest.mark.parametrize("code", [0xD800, 0xDBFF, 0xDC00, 0xDFFF], ids=hex)
def test_half_a_surrogate_pair_survives(place, code):
    text = place % chr(code)
    assert json.loads(json.dumps(text)) == text
    assert json.loads('"' + text + '"') == text


@pytest.mark.parametrize("text", ["1.10", "1e400", "0.1234567890123456789", "-1.0e-5"])
def test_numbers_keep_their_value_to_the_last_digit(text):
    value = json.loads(text)
    assert Decimal(str(value)) == Decimal(text)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[1,]", b"NaN", b"Infinity", b"\xff", b'"\\ud8"', b"{'a':1}", b"[" * 9999]
)
def test_what_is_not_json_is_refused(data):
    with pytest.raises(json.InvalidJson):
        json.loads(data)


def test_line_separators_leave_escaped():
    assert json.dumps("a\u2028b\u2029") == b'"a\\u2028b\\u2029"'

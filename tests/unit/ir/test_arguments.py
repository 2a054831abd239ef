"""Arguments of earlier calls are objects again, whatever the model wrote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cliproxy.ir.arguments import object_of


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", {}),
        ("  \n", {}),
        ('{"a":1}', {"a": 1}),
        ('{"id":12345678901234567890}', {"id": 12345678901234567890}),
    ],
)
def test_edge_102_what_is_an_object_or_blank_needs_no_mending(text, value):
    read = object_of(text)
    assert read.value == value
    assert read.trouble is None


@pytest.mark.parametrize("text", ["[1]", "7", '"x"', "null", "true"])
def test_edge_102_json_that_is_no_object_is_none(text):
    read = object_of(text)
    assert read.value == {}
    assert read.trouble


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a":1', {"a": 1}),
        ('{"a":{"b":["x', {"a": {"b": ["x"]}}),
        ('{"a":1,}', {"a": 1}),
        ('{"a":[1, 2, ]}', {"a": [1, 2]}),
        ('{"a":"x, ]", ', {"a": "x, ]"}),
        ('{"a":"say \\"hi\\"', {"a": 'say "hi"'}),
        ("{'a': 'b'}", {"a": "b"}),
    ],
)
def test_what_is_cut_off_or_nearly_json_is_mended(text, value):
    read = object_of(text)
    assert read.value == value
    assert read.trouble


@pytest.mark.parametrize("text", ["look!", '{"a":', "{a b}", "}{"])
def test_what_cannot_be_mended_is_kept_as_it_is(text):
    read = object_of(text)
    assert read.value == {"_raw": text}
    assert read.trouble


@given(st.text(alphabet="{}[]\",:'\\ ab1"))
def test_no_text_is_too_odd(text):
    assert isinstance(object_of(text).value, dict)

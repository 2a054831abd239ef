import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields

from cliproxy.base.errors import BadRequest
from cliproxy.base.json import dumps
from cliproxy.pipeline.context import Peeked
from cliproxy.pipeline.peek import peek, replace_model

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=6) | st.just("model"), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(
    before=st.dictionaries(st.text(max_size=6), values, max_size=4),
    after=st.dictionaries(st.text(max_size=6), values, max_size=4),
    model=st.text(min_size=1, max_size=20),
    new=st.text(min_size=1, max_size=20),
    indent=st.sampled_from([None, 2]),
    ascii_only=st.booleans(),
)
def test_only_the_top_level_model_changes(before, after, model, new, indent, ascii_only):
    before.pop("model", None)
    after.pop("model", None)
    body = json.dumps({**before, "model": model, **after}, indent=indent, ensure_ascii=ascii_only)
    data = body.encode("utf-8", "surrogatepass")
    changed = replace_model(data, new)
    assert json.loads(changed.decode("utf-8", "surrogatepass")) == {
        **json.loads(body),
        "model": new,
    }
    # Put the old value back: every other byte is as it was.
    old = json.dumps(model, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert len(changed) - len(data) == len(_encoded(new)) - len(old)


def _encoded(text):
    return dumps(text)


def test_a_model_inside_text_or_deeper_objects_is_left_alone():
    body = b'{"x":"\\"model\\": \\"a\\"","y":{"model":"a"},"model" : "a","z":[{"model":"a"}]}'
    assert replace_model(body, "b") == body.replace(b'"model" : "a"', b'"model" : "b"')


def test_peek_reads_model_and_stream():
    seen = peek(b'{"stream":true,"messages":[{"model":"no"}],"model":"m"}')
    assert (seen.model, seen.stream) == ("m", True)


def test_half_an_emoji_hides_nothing():
    names = [f.encode_name for f in fields(Peeked)]
    whole = {name: [f"{name} \u00e9", 1] for name in names}
    assert peek(dumps({**whole, "x": "\ud83d"})) == peek(dumps(whole))
    assert peek(b'{"x":"\\ud83d"}') == Peeked()
    assert bytes(peek(b'{"input":"\\ud83d"}').input) == b'"\\ud83d"'


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"null", b"1", b"\xff", b"{'a':1}"])
def test_peek_refuses_what_is_no_object(body):
    with pytest.raises(BadRequest):
        peek(body)

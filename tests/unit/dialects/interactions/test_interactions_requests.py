"""What clients of the Interactions API send, and what becomes of it."""

from __future__ import annotations

import pytest

from cliproxy.base.errors import BadRequest, Unsupported
from cliproxy.dialects import ParseMeta, get
from cliproxy.ir.caps import Caps

DIALECT = get("interactions")


def parsed(**body):
    return DIALECT.parse({"model": "m", "input": "Hi", **body}, ParseMeta())


# ---- the form of the answer -----------------------------------------------------------------------
def test_a_schema_of_several_types_is_a_schema():
    schema = {"type": ["object", "null"], "properties": {"a": {"type": "string"}}}
    output = parsed(response_format=schema).output
    assert (output.kind, output.schema) == ("json_schema", schema)


# ---- results --------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", [[], {}, None, 1])
def test_a_result_that_only_looks_like_contents_is_an_object(kind):
    given = {"content": [{"type": kind}]}
    (message,) = parsed(input=[{"type": "function_result", "call_id": "c", "result": given}]).messages
    (result,) = message.parts
    assert result.extras == {"native": given}
    assert result.parts[0].text.startswith('{"content":[')


# ---- turns ----------------------------------------------------------------------------------------
def test_contents_in_a_row_are_one_turn():
    said = ["a", {"type": "text", "text": "b"}, {"type": "user_input", "content": "c"}, "d", "e"]
    turns = [[p.text for p in m.parts] for m in parsed(input=said).messages]
    assert turns == [["a", "b"], ["c"], ["d", "e"]]
    assert {m.role for m in parsed(input=said).messages} == {"user"}


# ---- the background -------------------------------------------------------------------------------
@pytest.mark.parametrize("whose", [{"model": "m"}, {"model": None, "agent": "a"}])
def test_what_has_to_be_translated_is_not_worked_on_in_the_background(whose):
    req = DIALECT.parse({**whose, "input": "Hi", "background": True}, ParseMeta())
    with pytest.raises(Unsupported) as caught:
        DIALECT.build(req, Caps(model="up"))
    assert (caught.value.param, caught.value.next_account) == ("background", False)


def test_no_work_in_the_background_is_no_hindrance():
    assert "background" not in DIALECT.build(parsed(background=False), Caps(model="up")).body

"""Undoing in the answer what was done to tools in the request."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cliproxy.ir.check import check
from cliproxy.ir.events import (
    ArgsDelta,
    BlockStart,
    BlockStop,
    End,
    Finish,
    Start,
    TextDelta,
)
from cliproxy.ir.names import custom_args
from cliproxy.ir.restore import Restore, Restored, RestoreStream

SQL = Restore({"run_sql": Restored("run sql", custom=True)})


def calling(name: str, *pieces: str, index: int = 0, id: str = "c"):
    return [
        BlockStart(index, "tool_call", id=id, name=name),
        *(ArgsDelta(index, piece) for piece in pieces),
        BlockStop(index),
    ]


def run(restore: Restore, events):
    stream = RestoreStream(restore)
    return [out for event in events for out in stream.feed([event])]


def test_an_empty_restore_is_false_and_changes_nothing():
    assert not Restore()
    assert run(Restore(), calling("f", "{}")) == calling("f", "{}")


def test_a_name_the_model_invented_passes():
    assert run(SQL, calling("other", "{}")) == calling("other", "{}")


def test_names_namespaces_and_ids_are_restored_and_arguments_flow_on():
    restore = Restore({"ns__f": Restored("f", "ns")}, {"c_1": "c.1"})
    assert run(restore, calling("ns__f", '{"a"', ":1}", id="c_1")) == [
        BlockStart(0, "tool_call", id="c.1", name="f", namespace="ns"),
        ArgsDelta(0, '{"a"'),
        ArgsDelta(0, ":1}"),
        BlockStop(0),
    ]


def test_an_id_is_restored_for_an_unknown_tool_too():
    (start, *_) = run(Restore(ids={"x": "y"}), calling("f", id="x"))
    assert start.id == "y"


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        pytest.param(['{"input": "SELECT\\n2"}'], "SELECT\n2", id="edge-112-object"),
        pytest.param(['{"inp', 'ut": "a\\u00e', '9b"}'], "aéb", id="edge-112-in-pieces"),
        pytest.param([], None, id="edge-112-nothing"),
        pytest.param(["{}"], None, id="edge-112-empty-object"),
        pytest.param(['{"input": ""}'], None, id="edge-112-empty-input"),
        pytest.param(['"bare"'], "bare", id="edge-112-bare-string"),
        pytest.param(["SELECT 1"], "SELECT 1", id="edge-112-not-json"),
        pytest.param(['{"input": {"a": 1}}'], '{"a":1}', id="edge-112-not-a-string"),
        pytest.param(['{"query": "x"}'], '{"query":"x"}', id="edge-112-another-key"),
        pytest.param(["[1]"], "[1]", id="edge-112-list"),
    ],
)
def test_the_stand_in_for_a_freeform_tool_gives_its_bare_text(pieces, text):
    start = BlockStart(0, "tool_call", id="c", name="run sql", tool_kind="custom")
    delta = [] if text is None else [ArgsDelta(0, text)]
    assert run(SQL, calling("run_sql", *pieces)) == [start, *delta, BlockStop(0)]


@given(st.text(st.characters(exclude_categories=())), st.integers(1, 9))
def test_any_input_survives_the_stand_in(text, size):
    args = custom_args(text)
    pieces = [args[n : n + size] for n in range(0, len(args), size)]
    deltas = [e.text for e in run(SQL, calling("run_sql", *pieces)) if isinstance(e, ArgsDelta)]
    assert "".join(deltas) == text
    assert len(deltas) == (1 if text else 0)


def test_enum_values_come_back_in_their_declared_type():
    types = {"type": "object", "properties": {"level": {"enum": [1, 2]}}}
    restore = Restore({"f": Restored("f", types=types)})
    out = run(restore, calling("f", '{"level":', '"2"}'))
    assert [e.text for e in out if isinstance(e, ArgsDelta)] == ['{"level":2}']


def test_calls_that_run_side_by_side_are_kept_apart():
    events = [
        Start(),
        BlockStart(0, "tool_call", id="a", name="run_sql"),
        BlockStart(1, "tool_call", id="b", name="run_sql"),
        BlockStart(2, "text"),
        ArgsDelta(1, '{"input":"two'),
        ArgsDelta(0, '{"input":"one"}'),
        TextDelta(2, "hi"),
        ArgsDelta(1, '"}'),
        BlockStop(1),
        BlockStop(0),
        BlockStop(2),
        Finish("tool_calls"),
        End(),
    ]
    out = check(run(SQL, events))
    assert [(e.index, e.text) for e in out if isinstance(e, ArgsDelta)] == [(1, "two"), (0, "one")]


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3))
def test_arguments_of_other_tools_are_not_touched(arguments):
    text = json.dumps(arguments)
    assert run(SQL, calling("f", text)) == calling("f", text)

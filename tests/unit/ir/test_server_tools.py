"""Tools that a provider runs, in neutral words."""

from __future__ import annotations

import pytest

from cliproxy.ir.request import Message, ServerResult, Text, ToolCall
from cliproxy.ir.server_tools import CODE, MCP, Pairs, Ran, python, ran


def call(call_id: str, kind: str = CODE) -> ToolCall:
    return ToolCall(call_id, kind, "{}", kind="server", server_kind=kind)


def test_a_call_and_its_result_are_a_pair_only_within_one_turn():
    one, two, late = call("a"), call("b"), ServerResult("b", CODE)
    result, again = ServerResult("a", CODE), ServerResult("a", CODE)
    pairs = Pairs(
        [
            Message("assistant", (one,)),
            Message("assistant", (result, again, two)),
            Message("user", (Text("u"),)),
            Message("assistant", (late,)),
        ],
        (CODE,),
    )
    assert [part in pairs for part in (one, result, again, two, late)] == [
        True, True, False, False, False,
    ]  # fmt: skip
    assert pairs.result(one) is result
    assert pairs.result(two) is None


def test_an_id_used_again_in_a_later_turn_joins_the_later_result():
    calls, results = (
        (call("a"), call("a")),
        (ServerResult("a", CODE, 1), ServerResult("a", CODE, 2)),
    )
    turns = [
        message
        for pair in zip(calls, results, strict=True)
        for message in (Message("assistant", pair), Message("user", (Text("u"),)))
    ]
    pairs = Pairs(turns, (CODE,))
    assert [pairs.result(one) for one in calls] == list(results)


def test_other_kinds_are_no_pairs():
    parts = (call("a", MCP), ServerResult("a", MCP))
    assert not any(part in Pairs([Message("assistant", parts)], (CODE,)) for part in parts)


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ('{"code":"1"}', "1"),
        ('{"command":"echo \\"x\\""}', 'import subprocess\nsubprocess.run("echo \\"x\\"", shell=True)'),
        ("{}", ""),
        ("not json", ""),
        ('{"code":1}', ""),
    ],
)  # fmt: skip
def test_the_python_of_a_call(args, code):
    assert python(args) == code
    compile(code, "call", "exec")


@pytest.mark.parametrize(
    ("payload", "text", "failed"),
    [
        (Ran("a", "b").payload(), "a\nb", False),
        (Ran("a\n", "b", 1).payload(), "a\nb", True),
        (Ran(error="unavailable").payload(), "", True),
        (None, "", False),
        ({"stdout": 1, "stderr": None, "return_code": "x"}, "", False),
    ],
)
def test_what_running_code_gave(payload, text, failed):
    assert (ran(payload).text, ran(payload).failed) == (text, failed)

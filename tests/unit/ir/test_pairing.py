"""Calls and results end up where every target wants them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cliproxy.ir.loss import Losses
from cliproxy.ir.pairing import NO_RESULT, merge_roles, pair, tell_apart
from cliproxy.ir.request import Message, Text, Thinking, ToolCall, ToolResult


def user(*parts) -> Message:
    return Message("user", parts)


def said(*parts) -> Message:
    return Message("assistant", parts)


def system(text: str) -> Message:
    return Message("system", (Text(text),))


def call(id: str, name: str = "f", **more) -> ToolCall:
    return ToolCall(id, name, "{}", **more)


def result(id: str, text: str = "ok", **more) -> ToolResult:
    return ToolResult(id, (Text(text),), **more)


def named(id: str, text: str = "ok", name: str = "f", **more) -> ToolResult:
    return result(id, text, name=name, **more)


A, B, HI = call("a"), call("b"), Text("hi")
MISSING = ToolResult("b", (Text(NO_RESULT),), is_error=True, name="f")


@pytest.mark.parametrize(
    ("given_", "expected", "told"),
    [
        pytest.param([user(HI), said(HI)], [user(HI), said(HI)], [], id="without-tools"),
        pytest.param(
            [user(HI), said(HI, A), user(result("a"))],
            [user(HI), said(HI, A), user(named("a"))],
            [],
            id="in-order",
        ),
        pytest.param(
            [said(A), user(Text("before"), result("a"), Text("after"))],
            [said(A), user(named("a"), Text("before"), Text("after"))],
            [],
            id="edge-83-result-first",
        ),
        pytest.param(
            [said(A, B), user(result("a")), user(result("b"))],
            [said(A, B), user(named("a"), named("b"))],
            [],
            id="edge-85-parallel-results-in-one-message",
        ),
        pytest.param(
            [said(A), user(result("a")), user(HI)],
            [said(A), user(named("a"), HI)],
            [],
            id="edge-86-following-user-message",
        ),
        pytest.param(
            [said(A, B), user(result("b", "2"), result("a", "1"))],
            [said(A, B), user(named("a", "1"), named("b", "2"))],
            [],
            id="edge-87-reverse-order",
        ),
        pytest.param(
            [said(A), user(HI), user(result("a"))],
            [said(A), user(named("a"), HI)],
            [],
            id="edge-88-user-message-in-between",
        ),
        pytest.param(
            [said(A), system("s"), user(result("a")), said(HI)],
            [said(A), user(named("a")), system("s"), said(HI)],
            [],
            id="edge-89-system-message-in-between",
        ),
        pytest.param(
            [said(Thinking("t")), said(HI), said(A), user(result("a"))],
            [said(Thinking("t"), HI, A), user(named("a"))],
            [],
            id="edge-116-one-turn-in-several-messages",
        ),
        pytest.param(
            [said(A), said(B), user(result("a"), result("b"))],
            [said(A, B), user(named("a"), named("b"))],
            [],
            id="edge-115-calls-in-several-messages",
        ),
        pytest.param(
            [said(A), user(result("a")), said(B), user(result("b"))],
            [said(A), user(named("a")), said(B), user(named("b"))],
            [],
            id="edge-115-split-by-results",
        ),
        pytest.param(
            [said(A), user(result("a", "1"), result("a", "2"))],
            [said(A), user(named("a", "2"))],
            ["tool_result(a)"],
            id="edge-90-duplicate-keeps-the-last",
        ),
        pytest.param(
            [user(HI, result("gone")), said(A), user(result("a"))],
            [user(HI), said(A), user(named("a"))],
            ["tool_result(gone)"],
            id="edge-91-orphan-before",
        ),
        pytest.param(
            [said(A), user(result("a"), result("gone"))],
            [said(A), user(named("a"))],
            ["tool_result(gone)"],
            id="edge-91-orphan-beside",
        ),
        pytest.param(
            [said(A, B), user(result("a")), said(HI)],
            [said(A, B), user(named("a"), MISSING), said(HI)],
            ["tool_call(b)"],
            id="edge-92-one-call-unanswered",
        ),
        pytest.param(
            [said(B), user(HI)],
            [said(B), user(MISSING, HI)],
            ["tool_call(b)"],
            id="edge-92-only-words-follow",
        ),
        pytest.param(
            [said(A, B), user(result("a")), said(HI), user(result("b"))],
            [said(A, B, HI), user(named("a"), named("b"))],
            [],
            id="edge-89-words-between-call-and-result",
        ),
        pytest.param(
            [said(A, B), user(result("a")), said(HI), said(B), user(result("b"))],
            [said(A, B), user(named("a"), MISSING), said(HI, B), user(named("b"))],
            ["tool_call(b)"],
            id="edge-93-a-result-belongs-to-the-nearest-call",
        ),
        pytest.param(
            [user(HI), said(B)],
            [user(HI), said(B), user(MISSING)],
            ["tool_call(b)"],
            id="edge-92-nothing-follows-the-call",
        ),
        pytest.param(
            [said(A), user(result("a", "1")), said(A), user(result("a", "2"))],
            [said(A), user(named("a", "1")), said(A), user(named("a", "2"))],
            [],
            id="edge-93-reused-id",
        ),
        pytest.param(
            [said(call("", "f"), call("", "g")), user(result("", "1"), result("", "2"))],
            [
                said(call("", "f"), call("", "g")),
                user(named("", "1", "f"), named("", "2", "g")),
            ],
            [],
            id="edge-94-without-ids-by-order",
        ),
        pytest.param(
            [
                said(call("x", "f"), call("y", "g"), call("z", "f")),
                user(named("", "1", "g"), named("", "2", "f"), named("", "3", "f")),
            ],
            [
                said(call("x", "f"), call("y", "g"), call("z", "f")),
                user(named("x", "2", "f"), named("y", "1", "g"), named("z", "3", "f")),
            ],
            [],
            id="edge-95-without-ids-by-name",
        ),
        pytest.param(
            [said(A), user(result("a", "1"), result("", "2"), result("", "3"))],
            [said(A), user(named("a", "1"))],
            ["tool_result(without id)"],
            id="edge-96-more-results-than-calls",
        ),
        pytest.param(
            [said(call("a", kind="custom")), user(result("a"))],
            [said(call("a", kind="custom")), user(named("a", kind="custom"))],
            [],
            id="edge-112-custom-result",
        ),
        pytest.param(
            [said(call("s", kind="server"), HI), user(HI)],
            [said(call("s", kind="server"), HI), user(HI)],
            [],
            id="server-calls-need-no-result",
        ),
        pytest.param(
            [said(A), user(named("a", name="own"))],
            [said(A), user(named("a", name="own"))],
            [],
            id="a-name-that-is-there-is-kept",
        ),
    ],
)
def test_results_follow_their_calls_at_once(given_, expected, told):
    losses = Losses()
    assert pair(given_, losses, orphans="drop") == tuple(expected)
    assert [loss.field for loss in losses] == told


def test_an_orphan_can_become_text():
    losses = Losses()
    out = pair([user(result("gone", "5C"))], losses, orphans="text")
    assert out == (user(Text("Result of tool call gone:"), Text("5C")),)
    assert [loss.action for loss in losses] == ["approximated"]


def test_an_unanswered_call_can_stay_bare():
    losses = Losses()
    history = [said(A, B), user(result("a")), said(HI)]
    assert pair(history, losses, orphans="drop", synthesise=False) == (
        said(A, B),
        user(named("a")),
        said(HI),
    )
    assert len(losses) == 0


def test_results_can_keep_their_own_order():
    history = [said(A, B, call("c")), user(result("c"), result("a")), user(HI)]
    _, answer = pair(history, Losses(), orphans="drop", order="original")
    assert [p.call_id for p in answer.parts[:3]] == ["c", "a", "b"]


def test_edge_93_an_id_used_again_becomes_another_and_its_results_with_it():
    history = [said(A), user(result("a", "1")), said(A, B, A), user(result("a", "2"), result("b"))]
    paired = pair(history, Losses(), orphans="drop")
    first, one, again, two = tell_apart(paired)
    assert (first, one) == paired[:2]
    assert [p.id for p in again.parts] == ["a~2", "b", "a~3"]
    assert [(p.call_id, p.parts[0].text) for p in two.parts] == [
        ("a~2", "2"),
        ("b", "ok"),
        ("a~3", NO_RESULT),
    ]


@pytest.mark.parametrize(
    ("ids", "told"),
    [
        (["c", "c", "c~2"], ["c", "c~2", "c~2~2"]),
        (["c", "c~2", "c"], ["c", "c~2", "c~3"]),
        (["c~2", "c", "c", "c"], ["c~2", "c", "c~3", "c~4"]),
        (["c", "c", "c~2", "c~2"], ["c", "c~2", "c~2~2", "c~2~3"]),
    ],
)
def test_an_id_that_looks_like_one_told_apart_is_told_apart_too(ids, told):
    history = [said(*map(call, ids)), user(*(result(name, str(n)) for n, name in enumerate(ids)))]
    calls, results = tell_apart(pair(history, Losses(), orphans="drop"))
    assert [p.id for p in calls.parts] == told
    assert sorted((p.call_id, p.parts[0].text) for p in results.parts) == sorted(
        (known, str(n)) for n, known in enumerate(told)
    )


def test_ids_that_are_all_different_stay():
    history = tuple(pair([said(A, B), user(result("a"), result("b"))], Losses(), orphans="drop"))
    assert tell_apart(history) == history


# ---- any history ------------------------------------------------------------------------------
IDS = st.sampled_from(["a", "b", "a~2", "a~2~2", ""])
NAMES = st.sampled_from(["f", "g"])
TEXTS = st.builds(Text, st.sampled_from(["x", "y", "z"]))
CALLS = st.builds(call, IDS, NAMES)
RESULTS = st.builds(result, IDS, st.sampled_from(["1", "2"]), name=st.none() | NAMES)
MESSAGES = st.one_of(
    st.builds(
        Message, st.just("user"), st.lists(TEXTS | RESULTS, min_size=1, max_size=4).map(tuple)
    ),
    st.builds(
        Message, st.just("assistant"), st.lists(TEXTS | CALLS, min_size=1, max_size=4).map(tuple)
    ),
    st.builds(Message, st.just("system"), st.tuples(TEXTS)),
)
HISTORIES = st.lists(MESSAGES, max_size=8)


def texts(messages, role: str) -> list[str]:
    return sorted(
        p.text for m in messages if m.role == role for p in m.parts if isinstance(p, Text)
    )


@given(HISTORIES)
def test_no_call_and_no_result_is_left_alone(history):
    out = pair(history, Losses(), orphans="drop")
    for index, message in enumerate(out):
        calls = [p for p in message.parts if isinstance(p, ToolCall)]
        results = [p for p in message.parts if isinstance(p, ToolResult)]
        if calls:
            assert message.role == "assistant"
            answer = out[index + 1]
            assert answer.role == "user"
            head = answer.parts[: len(calls)]
            assert [p.call_id for p in head] == [c.id for c in calls]
        if results:
            before = [p for p in out[index - 1].parts if isinstance(p, ToolCall)] if index else []
            assert len(results) == len(before)
            assert message.parts[: len(results)] == tuple(results)


@given(HISTORIES)
def test_every_word_and_every_call_stays(history):
    out = pair(history, Losses(), orphans="drop")
    for role in ("user", "assistant", "system"):
        assert texts(out, role) == texts(history, role)
    calls = [p for m in history for p in m.parts if isinstance(p, ToolCall)]
    assert [p for m in out for p in m.parts if isinstance(p, ToolCall)] == calls


@given(HISTORIES)
def test_what_is_paired_stays_as_it_is(history):
    once = pair(history, Losses(), orphans="drop")
    losses = Losses()
    # Neighbours of one role are one turn, however many messages they are.
    assert merge_roles(pair(once, losses, orphans="drop")) == merge_roles(once)
    assert len(losses) == 0


@given(HISTORIES)
def test_no_two_calls_told_apart_have_one_id(history):
    paired = pair(history, Losses(), orphans="drop")
    out = tell_apart(paired)
    ids = [p.id for m in out for p in m.parts if isinstance(p, ToolCall)]
    assert len(set(ids)) == len(ids)
    assert [[type(p) for p in m.parts] for m in out] == [[type(p) for p in m.parts] for m in paired]
    # What follows does not change what was.
    some = tell_apart(paired[:-2])
    assert out[: len(some)] == some


@given(HISTORIES)
def test_merged_messages_have_parts_and_alternate(history):
    out = merge_roles([*history, Message("user", ())])
    roles = [m.role for m in out if m.role != "system"]
    assert all(m.parts for m in out)
    assert [p for m in out for p in m.parts] == [p for m in history for p in m.parts]
    if len(roles) == len(out):
        assert all(a != b for a, b in zip(roles, roles[1:], strict=False))


def test_edge_91_text_made_of_a_result_takes_its_place_only():
    losses = Losses()
    # One result goes and two texts come: as many parts as there were.
    paired = pair([said(A), user(result("a"), result("ghost", "boo"))], losses, orphans="text")
    assert paired[1].parts == (named("a"), Text("Result of tool call ghost:"), Text("boo"))

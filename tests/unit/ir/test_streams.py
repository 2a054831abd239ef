"""Any stream of events: its grammar, one block at a time, folded and replayed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from cliproxy.base.errors import UpstreamBroken, UpstreamRefused
from cliproxy.ir.check import Checker, GrammarError, check, checked
from cliproxy.ir.events import (
    ArgsDelta,
    BlockStart,
    BlockStop,
    Citation,
    End,
    Error,
    Finish,
    MediaDelta,
    RefusalDelta,
    Signature,
    Start,
    TextDelta,
    ThinkingBreak,
    ThinkingDelta,
    Usage,
)
from cliproxy.ir.fold import Answer, Folder, fold, replay
from cliproxy.ir.request import Sig
from cliproxy.ir.serialise import Serialiser
from cliproxy.ir.usage import IRUsage

WORDS = st.sampled_from(["", "a", "b\n", "é", "{}"])
SIGS = st.builds(Sig, st.sampled_from(["s1", "s2"]), st.sampled_from(["claude", "gemini"]))
COUNTS = st.none() | st.integers(0, 9)
USAGES = st.builds(
    IRUsage, input_total=COUNTS, output_total=COUNTS, cache_read=COUNTS, web_searches=COUNTS
)
DELTA = {
    "text": lambda i: st.one_of(
        st.builds(TextDelta, i, WORDS), st.builds(Citation, i, st.just({"kind": "url"}))
    ),
    "thinking": lambda i: st.builds(ThinkingDelta, i, WORDS) | st.builds(ThinkingBreak, i),
    "tool_call": lambda i: st.builds(ArgsDelta, i, WORDS),
    "server_call": lambda i: st.builds(ArgsDelta, i, WORDS),
    "refusal": lambda i: st.builds(RefusalDelta, i, WORDS),
    "image": lambda i: st.builds(MediaDelta, i, WORDS),
    "server_result": None,
    "redacted": None,
    "opaque": None,
}
SIGNED = ("thinking", "text", "tool_call")


@st.composite
def streams(draw, *, interleaved: bool = True, choices: int = 2):
    """A stream that obeys the grammar; blocks may run side by side."""
    count = draw(st.integers(0, 4))
    queues = []
    for index in range(count):
        kind = draw(st.sampled_from(sorted(DELTA)))
        start = BlockStart(
            index,
            kind,
            choice=draw(st.integers(0, choices - 1)),
            id="c" if "call" in kind else "",
            name="f" if "call" in kind else "",
            signature=draw(st.none() | SIGS) if kind in (*SIGNED, "redacted") else None,
        )
        deltas = draw(st.lists(DELTA[kind](st.just(index)), max_size=4)) if DELTA[kind] else []
        if kind in SIGNED and draw(st.booleans()):
            deltas.append(Signature(index, draw(SIGS)))
        queues.append([start, *deltas, BlockStop(index)])
    events: list = [Start("id", "m", 1)]
    started = 0
    while any(queues):
        ready = [n for n, queue in enumerate(queues[:started]) if queue]
        may_start = started < count and (interleaved or not ready)
        pick = draw(st.sampled_from([*ready, *([started] if may_start else [])]))
        started = max(started, pick + 1)
        events.append(queues[pick].pop(0))
        if draw(st.integers(0, 5)) == 0:
            events.append(Usage(draw(USAGES)))
    used = {e.choice for e in events if isinstance(e, BlockStart)} or {0}
    for choice in sorted(used):
        place = 1 + max(
            (n for n, e in enumerate(events) if _of_choice(e, events, choice)), default=0
        )
        events.insert(draw(st.integers(place, len(events))), Finish("stop", choice=choice))
    return [*events, End()]


def _of_choice(event, events, choice: int) -> bool:
    index = getattr(event, "index", None)
    return index is not None and any(
        isinstance(e, BlockStart) and e.index == index and e.choice == choice for e in events
    )


# ---- grammar ----------------------------------------------------------------------------------
@given(streams())
def test_the_grammar_admits_what_it_says(events):
    assert check(events) == events


TEXT = BlockStart(0, "text")
CALL = BlockStart(0, "tool_call", id="c", name="f")
DONE = Finish("stop")


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ([TEXT], "Start comes first"),
        ([Start(), Start()], "Start comes once"),
        ([Start(), BlockStart(1, "text")], "expected block index 0"),
        ([Start(), TEXT, BlockStart(0, "text")], "expected block index 1"),
        ([Start(), BlockStart(0, "tool_call", id="c")], "a call needs id and name"),
        ([Start(), BlockStart(0, "server_call", name="f")], "a call needs id and name"),
        ([Start(), TextDelta(0, "x")], "not open"),
        ([Start(), TEXT, BlockStop(0), TextDelta(0, "x")], "not open"),
        ([Start(), TEXT, BlockStop(0), BlockStop(0)], "not open"),
        ([Start(), TEXT, ArgsDelta(0, "x")], "does not fit a text block"),
        ([Start(), CALL, TextDelta(0, "x")], "does not fit a tool_call block"),
        ([Start(), CALL, ThinkingBreak(0)], "does not fit a tool_call block"),
        ([Start(), TEXT, MediaDelta(0, "x")], "does not fit a text block"),
        ([Start(), CALL, Citation(0, {})], "does not fit a tool_call block"),
        ([Start(), TEXT, Signature(0, Sig("a")), Signature(0, Sig("b"))], "already signed"),
        ([Start(), TEXT, DONE], "still open"),
        ([Start(), DONE, DONE], "already finished"),
        ([Start(), DONE, TEXT], "already finished"),
        ([Start(), End()], "End needs a Finish"),
        ([Start(), DONE, BlockStart(0, "text", choice=1), End()], "End needs a Finish"),
        ([Start(), DONE, End(), Usage(IRUsage())], "nothing may follow"),
        ([Error(500, "server", "x"), Start()], "nothing may follow"),
    ],
)
def test_the_grammar_refuses_everything_else(events, why):
    with pytest.raises(GrammarError, match=why):
        check(events)


@pytest.mark.parametrize("events", [[], [Start()], [Start(), TEXT], [Start(), DONE]])
def test_a_stream_that_just_stops_is_refused(events):
    with pytest.raises(GrammarError, match="stopped without End or Error"):
        check(events)


@pytest.mark.parametrize("before", [[], [Start()], [Start(), TEXT, TextDelta(0, "x")]])
def test_an_error_may_come_at_any_time(before):
    check([*before, Error(500, "server", "x")])


def test_a_checked_stream_flows_on_until_its_fault():
    events = checked([Start(), End()])
    assert next(events) == Start()
    with pytest.raises(GrammarError):
        next(events)
    assert Checker().seen == []


# ---- one block at a time ----------------------------------------------------------------------
def serialised(events):
    serialiser = Serialiser()
    return [out for event in events for out in serialiser.feed([event])]


@given(streams())
def test_edge_13_blocks_become_sequential_and_nothing_is_lost(events):
    out = check(serialised(events))
    running = None
    for event in out:
        if isinstance(event, BlockStart):
            assert running is None
            running = event.index
        elif hasattr(event, "index"):
            assert event.index == running
            if isinstance(event, BlockStop):
                running = None
    for index in {e.index for e in events if isinstance(e, BlockStart)}:
        of_block = [e for e in events if getattr(e, "index", None) == index]
        assert [e for e in out if getattr(e, "index", None) == index] == of_block
    assert len(out) == len(events)


@given(streams(interleaved=False))
def test_sequential_blocks_flow_through_at_once(events):
    serialiser = Serialiser()
    for event in events:
        if not isinstance(event, Finish):
            assert event in serialiser.feed([event])
        else:
            serialiser.feed([event])


@given(streams(), st.data())
def test_no_second_block_opens_before_an_error(events, data):
    cut = data.draw(st.integers(1, len(events) - 1))
    seen = [e for e in events[:cut] if not isinstance(e, Finish | End)]
    error = Error(502, "server", "gone")
    out = serialised([*seen, error])
    assert out == [*serialised(seen), error]
    starts = [e.index for e in out if isinstance(e, BlockStart)]
    stops = [e.index for e in out if isinstance(e, BlockStop)]
    assert stops in (starts, starts[:-1])


def test_edge_14_text_waits_until_the_open_call_stops():
    out = serialised(
        [Start(), CALL, BlockStart(1, "text"), TextDelta(1, "hi"), ArgsDelta(0, "{}"), BlockStop(0)]
    )
    assert out == [
        Start(), CALL, ArgsDelta(0, "{}"), BlockStop(0), BlockStart(1, "text"), TextDelta(1, "hi"),
    ]  # fmt: skip


# ---- fold and replay --------------------------------------------------------------------------
@given(streams())
def test_a_folded_answer_replayed_and_folded_again_is_the_same(events):
    answer = fold(events)
    assert fold(check(replay(answer))) == answer


@given(streams())
def test_the_order_in_which_blocks_run_does_not_change_the_answer(events):
    assert fold(serialised(events)) == fold(events)


@given(streams())
def test_empty_pieces_change_nothing(events):
    fuller = []
    for event in events:
        fuller.append(event)
        if isinstance(event, TextDelta | ThinkingDelta | ArgsDelta | RefusalDelta):
            fuller.append(structs.replace(event, text=""))
    assert fold(fuller) == fold(events)


def test_pieces_add_up():
    answer = fold(
        [
            Start("id", "m"),
            BlockStart(0, "thinking"), ThinkingDelta(0, "a"), ThinkingDelta(0, "b"),
            ThinkingBreak(0), ThinkingBreak(0), ThinkingDelta(0, "c"), Signature(0, Sig("s")),
            BlockStop(0),
            BlockStart(1, "text"), TextDelta(1, "x"), TextDelta(1, "y"), Citation(1, {"kind": "url"}),
            BlockStop(1),
            BlockStart(2, "tool_call", id="c", name="f"), ArgsDelta(2, "{"), ArgsDelta(2, "}"),
            BlockStop(2),
            Usage(IRUsage(input_total=1)), Finish("tool_calls"),
            Usage(IRUsage(input_total=2, output_total=3)), End(),
        ]
    )  # fmt: skip
    thinking, text, call = answer.blocks
    assert (thinking.text, thinking.paragraphs) == ("ab\n\nc", ["ab", "c"])
    assert (thinking.signature, thinking.done) == (Sig("s"), True)
    assert (text.text, text.citations, text.kind) == ("xy", [{"kind": "url"}], "text")
    assert call.text == "{}"
    assert answer.usage == IRUsage(input_total=2, output_total=3)
    assert answer.finish == Finish("tool_calls")


def test_choices_are_kept_apart():
    answer = fold(
        [
            Start(), BlockStart(0, "text", choice=1), BlockStart(1, "text"), TextDelta(0, "one"),
            TextDelta(1, "zero"), BlockStop(1), Finish("stop"), BlockStop(0),
            Finish("length", choice=1), End(),
        ]
    )  # fmt: skip
    assert [b.text for b in answer.of_choice(0)] == ["zero"]
    assert [b.text for b in answer.of_choice(1)] == ["one"]
    assert (answer.finish.reason, answer.finishes[1].reason) == ("stop", "length")


def test_edge_169_a_stream_that_just_stops_is_not_an_answer():
    with pytest.raises(UpstreamBroken, match="stopped before its end"):
        fold([Start(), TEXT, TextDelta(0, "half"), BlockStop(0), DONE])


@pytest.mark.parametrize(
    ("status", "next_account"), [(400, False), (401, True), (429, True), (500, True), (422, False)]
)
def test_an_error_inside_a_stream_is_the_exception_it_would_have_been(status, next_account):
    error = Error(status, "server", "why", "code", 7.0, "field")
    with pytest.raises(UpstreamRefused) as caught:
        fold([Start(), error])
    found = caught.value
    assert Error.of(found) == error
    assert found.next_account is next_account


def test_an_answer_can_be_watched_while_it_grows():
    folder = Folder()
    for event in (Start(), TEXT, TextDelta(0, "x")):
        folder.feed(event)
    assert [b.done for b in folder.answer.blocks] == [False]
    assert not folder.ended


def test_an_answer_whose_blocks_are_misnumbered_is_not_replayed():
    answer = fold([Start(), TEXT, BlockStop(0), DONE, End()])
    answer.blocks[0] = structs.replace(answer.blocks[0], start=BlockStart(1, "text"))
    with pytest.raises(ValueError, match="carries index 1"):
        list(replay(answer))


def test_an_empty_answer_says_it_stopped():
    assert Answer().finish == Finish("stop")


# ---- usage ------------------------------------------------------------------------------------
@given(st.lists(USAGES, max_size=5))
def test_edge_46_later_counts_overwrite_and_never_add(usages):
    merged = IRUsage()
    for usage in usages:
        merged = merged.merge(usage)
    for name in IRUsage.__struct_fields__:
        said = [v for usage in usages if (v := getattr(usage, name)) is not None]
        assert getattr(merged, name) == (said[-1] if said else None)


@pytest.mark.parametrize(
    ("usage", "total", "known"),
    [
        (IRUsage(), 0, False),
        (IRUsage(input_total=0), 0, True),
        (IRUsage(output_total=3), 3, True),
        (IRUsage(input_total=100, cache_read=60, output_total=25, reasoning=5), 125, True),
        (IRUsage(web_searches=1), 0, False),
    ],
)
def test_totals_are_input_plus_output(usage, total, known):
    assert (usage.total, usage.known) == (total, known)

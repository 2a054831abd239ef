"""Whatever a model answers, in whatever pieces it comes, every client is told the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.properties.answers import DIALECTS, answers, rendered, sse
from tests.properties.budget import examples
from tests.properties.pieces import chat_streams, responses_streams
from tests.properties.translate import read, read_whole, streamed, whole
from tests.sim import grammar
from tests.sim.script import Answer
from tests.sim.summary import Summary, arguments, whole_summary

clients = st.sampled_from(DIALECTS)


@st.composite
def given_answers(draw: Any) -> tuple[str, Answer]:
    upstream = draw(st.sampled_from(DIALECTS))
    return upstream, draw(answers(upstream))


def meant(said: Summary) -> tuple[Any, ...]:
    """Return what was told, where dialects may set one thought apart from the next as they like."""
    return replace(said, thinking=said.thinking.replace("\n", "")).told


def told(client: str, stream: bytes) -> Summary:
    return grammar.check(client, stream, include_usage=None)


@examples()
@given(given_answers())
def test_the_simulated_answers_themselves_are_valid(source):
    upstream, answer = source
    events, body = rendered(upstream, answer)
    said = grammar.check(upstream, sse(events), lenient=True)
    assert meant(said)[:5] == meant(whole_summary(upstream, body))[:5]


@examples()
@given(given_answers(), clients)
def test_every_stream_obeys_its_dialects_grammar(source, client):
    upstream, answer = source
    told(client, streamed(client, read(upstream, [sse(rendered(upstream, answer)[0])])))


@examples()
@given(given_answers(), clients)
def test_a_whole_answer_says_what_the_stream_says(source, client):
    upstream, answer = source
    events, body = rendered(upstream, answer)
    batches = read(upstream, [sse([event]) for event in events])
    stream = told(client, streamed(client, batches))
    folded = whole_summary(client, whole(client, [e for batch in batches for e in batch]))
    assert folded.told == stream.told
    assert folded.signatures == stream.signatures
    if answer.without_usage:
        return
    from_whole = read_whole(upstream, body)
    assert meant(whole_summary(client, whole(client, from_whole))) == meant(stream)
    assert meant(told(client, streamed(client, [from_whole]))) == meant(stream)


@examples()
@given(given_answers(), clients, st.lists(st.integers(1, 400), min_size=1), st.booleans())
def test_how_the_network_cuts_an_answer_is_invisible(source, client, sizes, crlf):
    upstream, answer = source
    stream = sse(rendered(upstream, answer)[0], b"\r\n" if crlf else b"\n")
    cut, at = [], 0
    while at < len(stream):
        size = sizes[len(cut) % len(sizes)]
        cut.append(stream[at : at + size])
        at += size
    expected = told(client, streamed(client, read(upstream, [stream])))
    assert told(client, streamed(client, read(upstream, cut))).told == expected.told


@examples()
@given(given_answers(), clients)
def test_a_client_is_told_what_the_model_said(source, client):
    upstream, answer = source
    events, _ = rendered(upstream, answer)
    said = grammar.check(upstream, sse(events), lenient=True)
    heard = told(client, streamed(client, read(upstream, [sse(events)])))
    assert [call[1:] for call in heard.calls] == [call[1:] for call in said.calls]
    assert all(
        mine == theirs for (mine, *_), (theirs, *_) in zip(heard.calls, said.calls) if theirs
    )
    assert heard.thinking.replace("\n", "") == said.thinking.replace("\n", "")
    if client in ("openai-chat", "openai-responses"):
        assert (heard.text, heard.refusal) == (said.text, said.refusal)
    else:
        assert heard.text == said.text + said.refusal
    if client != "anthropic":
        assert heard.images == said.images
    if not said.calls and not said.refusal:
        # An interaction that was cut off says no more than that.
        filtered = client == "interactions" and said.finish == "content_filter"
        assert heard.finish == ("length" if filtered else said.finish)
    if said.usage and heard.usage:
        assert replace(heard.usage, cache_write=0) == replace(said.usage, cache_write=0)


SIDE_BY_SIDE = {"openai-chat": chat_streams(), "openai-responses": responses_streams()}


@examples(300)
@given(st.sampled_from(sorted(SIDE_BY_SIDE)), clients, st.data())
def test_calls_that_are_written_side_by_side_arrive_whole_and_in_order(upstream, client, data):
    events, calls = data.draw(SIDE_BY_SIDE[upstream])
    batches = read(upstream, [sse([event]) for event in events])
    heard = told(client, streamed(client, batches))
    assert heard.calls == [(call, name, arguments(text)) for call, name, text in calls]
    folded = whole_summary(client, whole(client, [e for batch in batches for e in batch]))
    assert folded.told == heard.told

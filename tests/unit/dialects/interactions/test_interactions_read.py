"""What upstreams of the Interactions API answer, in every order they do."""

from __future__ import annotations

import json

import pytest

from cliproxy.dialects import get
from cliproxy.ir.caps import Caps
from cliproxy.ir.fold import fold
from cliproxy.ir.request import IRRequest

DIALECT = get("interactions")
END = {"event_type": "interaction.completed", "interaction": {"status": "completed"}}


def streamed(*events):
    reader = DIALECT.reader(Caps())
    return fold([e for event in events for e in reader.feed(json.dumps(event).encode())])


def whole(*steps):
    body = {"id": "a", "status": "completed", "steps": list(steps)}
    return fold(DIALECT.reader(Caps()).whole(json.dumps(body).encode()))


def start(kind, index=None, **more):
    place = {} if index is None else {"index": index}
    return {"event_type": "step.start", **place, "step": {"type": kind, **more}}


def delta(kind, index=None, **more):
    place = {} if index is None else {"index": index}
    return {"event_type": "step.delta", **place, "delta": {"type": kind, **more}}


def stop(index=None):
    return {"event_type": "step.stop", **({} if index is None else {"index": index})}


# ---- steps at the same time -------------------------------------------------------------------------
def test_steps_that_are_told_at_the_same_time_are_not_mixed_up():
    answer = streamed(
        start("function_call", 0, id="x", name="f"),
        start("function_call", 1, id="y", name="g"),
        delta("arguments_delta", 0, arguments='{"a":'),
        delta("arguments_delta", 1, arguments='{"b":2}'),
        delta("arguments_delta", 0, arguments="1}"),
        stop(1),
        stop(0),
        END,
    )
    assert [(b.start.id, b.text) for b in answer.blocks] == [("x", '{"a":1}'), ("y", '{"b":2}')]


def test_what_comes_for_a_step_that_ended_is_left_out():
    answer = streamed(
        start("function_call", 0, id="x", name="f"),
        delta("arguments_delta", 0, arguments="{}"),
        stop(0),
        start("function_call", 1, id="y", name="g"),
        delta("arguments_delta", 0, arguments='{"late":1}'),
        delta("arguments_delta", 1, arguments='{"b":2}'),
        stop(1),
        END,
    )
    assert [(b.start.id, b.text) for b in answer.blocks] == [("x", "{}"), ("y", '{"b":2}')]


@pytest.mark.parametrize("begins", [None, 0])
@pytest.mark.parametrize("goes_on", [None, 0])
@pytest.mark.parametrize("ends", [[], [stop()], [stop(0)]])
def test_an_index_may_be_missing(begins, goes_on, ends):
    answer = streamed(
        start("model_output", begins),
        delta("text", goes_on, text="Hel"),
        delta("text", goes_on, text="lo"),
        *ends,
        start("function_call", id="x", name="f"),
        delta("arguments_delta", 1, arguments="{}"),
        END,
    )
    assert [b.text for b in answer.blocks] == ["Hello", "{}"]


def test_the_start_of_a_step_may_be_missing():
    answer = streamed(
        delta("thought_summary", 0, content={"type": "text", "text": "Hm."}),
        delta("text", 1, text="Hel"),
        delta("text", 1, text="lo"),
        END,
    )
    assert [(b.start.kind, b.text) for b in answer.blocks] == [
        ("thinking", "Hm."), ("text", "Hello"),
    ]  # fmt: skip


# ---- tools that Google runs ---------------------------------------------------------------------------
def test_results_without_an_id_answer_the_calls_without_one_in_order():
    search, fetch = "google_search", "code_execution"
    answer = whole(
        {"type": f"{search}_call", "arguments": {"queries": ["a"]}},
        {"type": f"{search}_call", "arguments": {"queries": ["b"]}},
        {"type": f"{fetch}_call", "arguments": {"code": "1"}},
        {"type": f"{fetch}_result", "result": "1"},
        {"type": f"{search}_result", "result": []},
        {"type": f"{search}_result", "result": []},
        {"type": f"{search}_result", "result": []},
    )
    first, second, ran, printed, found, more, nobodys = [b.start.id for b in answer.blocks]
    assert (found, more, printed) == (first, second, ran)
    assert len({first, second, ran, nobodys}) == 4
    assert all((first, second, ran, nobodys))


def test_ids_the_upstream_gave_stay():
    answer = whole(
        {"type": "google_search_call", "id": "s", "arguments": {"queries": ["a"]}},
        {"type": "google_search_result", "call_id": "s", "result": []},
    )
    assert [b.start.id for b in answer.blocks] == ["s", "s"]


# ---- sources ------------------------------------------------------------------------------------------
def test_bytes_become_characters_and_what_is_said_twice_is_told_once():
    def note(url, begin, end):
        return {"type": "url_citation", "url": url, "start_index": begin, "end_index": end}

    notes = [note("u", 2, 4), note("v", 0, 2), note("u", 2, 4), note("w", 0, 99)]
    answer = whole(
        {
            "type": "model_output",
            "content": [{"type": "text", "text": "éab", "annotations": notes}],
        },
        {
            "type": "model_output",
            "content": [{"type": "text", "text": "abc", "annotations": notes}],
        },
    )
    told = [[(c["url"], c["cited_text"]) for c in b.citations] for b in answer.blocks]
    assert told == [
        [("u", "ab"), ("v", "é"), ("w", "éab")],
        [("u", "c"), ("v", "ab"), ("w", "abc")],
    ]


# ---- pages ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("step", "payload"),
    [
        ({"result": [{"url": "https://a", "status": "success"}]}, {"url": "https://a"}),
        ({"result": [{"url": "https://a"}]}, {"url": "https://a"}),
        (
            {"result": [{"url": "https://a", "status": "paywall"}]},
            {"url": "https://a", "error": "unavailable"},
        ),
        (
            {"result": [{"url": "https://a"}], "is_error": True},
            {"url": "https://a", "error": "unavailable"},
        ),
        ({"is_error": True}, {"url": "", "error": "unavailable"}),
        ({"result": "?"}, {"url": ""}),
    ],
)
def test_a_page_is_read_or_it_is_not(step, payload):
    answer = whole({"type": "url_context_result", "call_id": "u", **step})
    assert answer.blocks[0].start.payload == payload


def test_a_page_that_could_not_be_read_is_an_error_elsewhere():
    answer = whole(
        {"type": "url_context_call", "id": "u", "arguments": {"urls": ["https://a"]}},
        {
            "type": "url_context_result",
            "call_id": "u",
            "result": [{"url": "https://a", "status": "error"}],
        },
    )
    asked = IRRequest(model="m", source="anthropic", messages=())
    told = json.loads(get("anthropic").render(answer, asked))["content"]
    assert told[-1]["content"]["type"] == "web_fetch_tool_result_error"

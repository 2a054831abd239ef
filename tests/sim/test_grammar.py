"""The simulators write every dialect to the letter, and the checker notices when they do not."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sim import Answer, Call, Image, Refusal, Sim, Text, Thinking, Usage
from tests.sim.client import DIALECTS, ask, asked, fetch
from tests.sim.grammar import GrammarError, check, frames, whole_summary

Json = Any
FULL = Answer(
    thinking=["Need ", "weather."],
    text=["Check", "ing."],
    tools=[Call("get_weather", {"city": "A"}), Call("get_weather", {"city": "B"})],
    usage=Usage(input=100, cached=60, output=30, reasoning=10),
)
ANSWERS = {
    "text": Answer(["Hel", "lo"]),
    "nothing": Answer(),
    "all": FULL,
    "length": Answer("cut sho", finish="length"),
    "filtered": Answer("no", finish="content_filter"),
    "text after tools": Answer(parts=[Call("f", {}), Text("and"), Call("g", {"x": [1, None]})]),
    "two thoughts": Answer(parts=[Thinking("a"), Text("b"), Thinking("c"), Text("d")]),
    "no arguments": Answer(tools=[Call("f")]),
    "unicode": Answer(["\u2028é\u0085", "😀\x0b"]),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_stream_obeys_the_grammar_and_says_what_the_whole_body_says(
    sim: Sim, dialect: str, answer: Answer
) -> None:
    sim.script(answer, answer)
    streamed = ask(sim.url, dialect, stream=True)
    whole = ask(sim.url, dialect)
    assert streamed.headers["Content-Type"].startswith("text/event-stream")
    lenient = "\u2028" in "".join(answer.text)  # a real provider does not escape it
    found = check(dialect, streamed.body, include_usage=True, lenient=lenient)
    assert found.told == whole_summary(dialect, whole.body).told
    assert found.text == "".join(
        "".join(part.pieces) for part in answer.all_parts() if isinstance(part, Text)
    )


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_summary_says_everything_that_was_scripted(sim: Sim, dialect: str) -> None:
    sim.script(FULL)
    found = check(dialect, ask(sim.url, dialect, stream=True).body)
    assert found.thinking == "Need weather."
    assert found.text == "Checking."
    assert [call[1:] for call in found.calls] == [
        ("get_weather", {"city": "A"}),
        ("get_weather", {"city": "B"}),
    ]
    assert all(call[0] for call in found.calls)
    assert found.finish == "tool_calls"
    assert found.usage == FULL.usage
    assert found.model == "m"
    assert len(found.signatures) == (0 if dialect == "openai-chat" else 1)


@pytest.mark.parametrize("dialect", [d for d in DIALECTS if d != "anthropic"])
def test_images_are_carried(sim: Sim, dialect: str) -> None:
    sim.script(Answer("look", images=[Image(b"\x89PNG")]))
    found = check(dialect, ask(sim.url, dialect, stream=True).body)
    assert found.images == [("image/png", "iVBORw==")]


@pytest.mark.parametrize("dialect", ["openai-chat", "openai-responses"])
def test_a_refusal_is_not_text(sim: Sim, dialect: str) -> None:
    answer = Answer(parts=[Refusal(["I can", "not"])])
    sim.script(answer, answer)
    found = check(dialect, ask(sim.url, dialect, stream=True).body)
    assert (found.refusal, found.text) == ("I cannot", "")
    assert whole_summary(dialect, ask(sim.url, dialect).body).refusal == "I cannot"


def test_a_stop_sequence_and_redacted_thinking_reach_anthropic_clients(sim: Sim) -> None:
    sim.script(Answer(parts=[Thinking("", redacted="b64=="), Text("x")], stop_sequence="END\n"))
    found = check("anthropic", ask(sim.url, "anthropic", stream=True).body)
    assert (found.stop_sequence, found.native_finish) == ("END\n", "stop_sequence")
    assert found.signatures == ["b64=="]


def test_gemini_streams_a_json_array_without_alt_sse(sim: Sim) -> None:
    sim.script(FULL)
    path, body = asked("gemini", stream=True)
    got = fetch(sim.url, path.removesuffix("?alt=sse"), body)
    assert got.headers["Content-Type"].startswith("application/json")
    found = check("gemini", got.body, array=True)
    assert (found.text, found.finish) == ("Checking.", "tool_calls")


def test_code_assist_wraps_every_event(sim: Sim) -> None:
    _, body = asked("gemini")
    wrapped = {"model": "gemini-x", "project": "p", "request": body}
    got = fetch(sim.url, "/v1internal:streamGenerateContent?alt=sse", wrapped)
    found = check("gemini", got.body, envelope=True)
    assert (found.text, found.model) == ("You said: Hello?", "gemini-x")
    assert sim.last.envelope


def test_chat_sends_usage_only_when_asked(sim: Sim) -> None:
    path, body = asked("openai-chat", stream=True)
    del body["stream_options"]
    assert check("openai-chat", fetch(sim.url, path, body).body, include_usage=False).usage is None


PIECES = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=3)
PARTS = st.one_of(
    st.builds(Text, PIECES),
    st.builds(Thinking, PIECES),
    st.builds(
        Call,
        st.sampled_from(["f", "g"]),
        st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=4), max_size=2),
    ),
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(parts=st.lists(PARTS, max_size=5), dialect=st.sampled_from(DIALECTS))
def test_any_answer_is_told_the_same_streamed_or_whole(
    sim: Sim, parts: list[Any], dialect: str
) -> None:
    answer = Answer(parts=parts)
    sim.script(answer, answer)
    found = check(dialect, ask(sim.url, dialect, stream=True).body, lenient=True)
    assert found.told == whole_summary(dialect, ask(sim.url, dialect).body).told


def test_strict_framing_refuses_what_clients_stumble_over() -> None:
    good = b": hi\n\nevent: a\ndata: {}\n\n"
    assert [(frame.name, frame.data) for frame in frames(good)] == [("a", "{}")]
    for bad in (
        b"data:{}\n\n",
        b"data: {}\r\n\r\n",
        b"data: {}\n",
        b"data: {\ndata: }\n\n",
        b"data: {}\nevent: a\n\n",
        b"event: a\n\n",
        b"id: 1\ndata: {}\n\n",
        "data: {'\u2028'}\n\n".encode(),
    ):
        with pytest.raises(GrammarError):
            frames(bad)
        frames(bad, lenient=True)


def _values(body: bytes) -> list[Json]:
    return [
        json.loads(frame.data) if frame.data != "[DONE]" else frame.data for frame in frames(body)
    ]


def _bytes(dialect: str, values: list[Json]) -> bytes:
    lines = []
    for value in values:
        if dialect in ("anthropic", "openai-responses"):
            lines.append(f"event: {value['type']}\n")
        elif dialect == "interactions":
            lines.append(f"event: {'done' if value == '[DONE]' else value['event_type']}\n")
        lines.append(f"data: {value if isinstance(value, str) else json.dumps(value)}\n\n")
    return "".join(lines).encode()


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("spoiled", ["left out", "doubled", "swapped"])
def test_an_event_left_out_doubled_or_swapped_is_noticed(
    sim: Sim, dialect: str, spoiled: str
) -> None:
    sim.script(FULL)
    values = _values(ask(sim.url, dialect, stream=True).body)
    whole = check(dialect, _bytes(dialect, values), include_usage=True)
    for place in range(len(values)):
        changed = copy.deepcopy(values)
        if spoiled == "left out":
            del changed[place]
        elif spoiled == "doubled":
            changed.insert(place, copy.deepcopy(changed[place]))
        elif place + 1 < len(values):
            changed[place : place + 2] = changed[place + 1], changed[place]
        else:
            continue
        try:
            found = check(dialect, _bytes(dialect, changed), include_usage=True)
        except GrammarError:
            continue
        # What stays grammatical (one delta fewer) must at least read differently, except for
        # pings and empty deltas, which say nothing, and neighbours whose order says nothing.
        silent = values[place]
        said_nothing = ("input_json_delta", "interaction.status_update")
        if silent == {"type": "ping"} or any(word in json.dumps(silent) for word in said_nothing):
            continue
        if spoiled == "swapped" and dialect in ("openai-chat", "gemini"):
            continue
        if dialect == "openai-chat" and '"arguments": ""' in json.dumps(silent):
            continue
        if spoiled == "swapped" and changed[place] == {"type": "ping"}:
            continue
        read, before = (found.told, found.signatures), (whole.told, whole.signatures)
        assert read != before, (place, silent)


SPOILED: list[tuple[str, str, Any]] = [
    ("openai-chat", "role twice", lambda v: v[2]["choices"][0]["delta"].update(role="assistant")),
    ("openai-chat", "a gap in the index", lambda v: _tool(v, 1).update(index=3)),
    ("openai-chat", "id twice", lambda v: _tool(v, 1, later=True).update(id="call_x")),
    ("openai-chat", "no index", lambda v: _tool(v, 0).pop("index")),
    ("openai-chat", "usage too early", lambda v: v[1].update(usage=v[-2]["usage"])),
    ("openai-chat", "another id", lambda v: v[2].update(id="other")),
    ("openai-chat", "absent finish", lambda v: v[1]["choices"][0].pop("finish_reason")),
    ("openai-chat", "stop with tools", lambda v: v[-3]["choices"][0].update(finish_reason="stop")),
    ("openai-chat", "a number", lambda v: v[1]["choices"][0]["delta"].update(audio=1)),
    ("openai-chat", "no end mark", lambda v: v.pop()),
    ("openai-responses", "gap in numbers", lambda v: v[5].update(sequence_number=50)),
    ("openai-responses", "another id", lambda v: v[-1]["response"].update(id="resp_other")),
    ("openai-responses", "item lost", lambda v: v[-1]["response"]["output"].pop()),
    ("openai-responses", "a [DONE]", lambda v: v.append("[DONE]")),
    ("openai-responses", "no logprobs", lambda v: _typed(v, "output_text.delta").pop("logprobs")),
    ("openai-responses", "done differs", lambda v: _typed(v, "_text.done").update(text="x")),
    ("openai-responses", "SDK field", lambda v: v[-1]["response"].update(output_text="x")),
    ("anthropic", "index skipped", lambda v: _typed(v, "block_start").update(index=1)),
    ("anthropic", "wrong delta", lambda v: _typed(v, "block_delta")["delta"].update(type="text_delta")),
    ("anthropic", "no signature key", lambda v: _typed(v, "block_start")["content_block"].pop("signature")),
    ("anthropic", "no usage", lambda v: v[-2].pop("usage")),
    ("anthropic", "wrong reason", lambda v: v[-2]["delta"].update(stop_reason="end_turn")),
    ("interactions", "no end mark", lambda v: v.pop()),
    ("interactions", "another id", lambda v: v[-2]["interaction"].update(id="v1_other")),
    ("interactions", "no status", lambda v: v[-2]["interaction"].pop("status")),
    ("interactions", "step never begun", lambda v: v.pop(2)),
    ("interactions", "wrong delta", lambda v: v[3]["delta"].update(type="text")),
    ("interactions", "stop with tools", lambda v: v[-2]["interaction"].update(status="completed")),
    ("interactions", "wrong total", lambda v: v[-2]["interaction"]["usage"].update(total_tokens=1)),
    ("gemini", "a [DONE]", lambda v: v.append("[DONE]")),
    ("gemini", "no responseId", lambda v: v[1].pop("responseId")),
    ("gemini", "two data fields", lambda v: _part(v).update(inlineData={})),
    ("gemini", "snake case", lambda v: v[0].update(usage_metadata={})),
    ("gemini", "no finish", lambda v: v[-1]["candidates"][0].pop("finishReason")),
    ("gemini", "wrong total", lambda v: v[-1]["usageMetadata"].update(totalTokenCount=1)),
]  # fmt: skip


def _tool(values: list[Json], index: int, *, later: bool = False) -> Json:
    found = [
        entry
        for value in values[:-1]
        for choice in value["choices"]
        for entry in choice["delta"].get("tool_calls", [])
        if entry["index"] == index and ("id" in entry) != later
    ]
    return found[0]


def _typed(values: list[Json], ending: str) -> Json:
    return next(value for value in values if value["type"].endswith(ending))


def _part(values: list[Json]) -> Json:
    return values[1]["candidates"][0]["content"]["parts"][0]


@pytest.mark.parametrize(
    ("dialect", "name", "spoil"), SPOILED, ids=[f"{s[0]}: {s[1]}" for s in SPOILED]
)
def test_what_clients_choke_on_is_noticed(sim: Sim, dialect: str, name: str, spoil: Any) -> None:
    sim.script(FULL)
    values = _values(ask(sim.url, dialect, stream=True).body)
    spoil(values)
    if dialect == "openai-responses" and values[-1] == "[DONE]":
        body = _bytes(dialect, values[:-1]) + b"data: [DONE]\n\n"
    else:
        body = _bytes(dialect, values)
    with pytest.raises(GrammarError):
        check(dialect, body, include_usage=True)

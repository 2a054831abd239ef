"""Agents work for hundreds of turns: every result stays with its call, and work grows linearly."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cliproxy.dialects import ParseMeta, get
from cliproxy.ir.caps import Caps

Json = Any
DIALECTS = ("openai-chat", "openai-responses", "anthropic", "gemini")
SCHEMA = {"type": "object", "properties": {"command": {"type": "string"}}}
PRINTED = "a line of what the command printed\n" * 30
CAPS = Caps(model="up")


def steps(turns: int) -> Iterator[tuple[int, list[tuple[str, dict[str, str], str]]]]:
    """Yield for each turn its number, and two calls: id, arguments, result."""
    for turn in range(turns):
        yield (
            turn,
            [
                (f"call_{turn}_{k}", {"command": f"cat {turn}.{k}"}, f"{PRINTED}{turn}.{k}")
                for k in (0, 1)
            ],
        )


def chat(turns: int) -> Json:
    messages: list[Json] = [{"role": "user", "content": "Go."}]
    for turn, calls in steps(turns):
        said = [
            {"id": i, "type": "function", "function": {"name": "bash", "arguments": json.dumps(a)}}
            for i, a, _ in calls
        ]
        messages.append({"role": "assistant", "content": f"Step {turn}.", "tool_calls": said})
        messages += [{"role": "tool", "tool_call_id": i, "content": r} for i, _, r in calls]
    function = {"name": "bash", "parameters": SCHEMA}
    return {"messages": messages, "tools": [{"type": "function", "function": function}]}


def responses(turns: int) -> Json:
    items: list[Json] = [{"type": "message", "role": "user", "content": "Go."}]
    for turn, calls in steps(turns):
        sealed = {"type": "reasoning", "id": f"rs_{turn}", "summary": []}
        items.append({**sealed, "encrypted_content": f"gAAAA{turn}"})
        said = [{"type": "output_text", "text": f"Step {turn}.", "annotations": []}]
        items.append({"type": "message", "role": "assistant", "content": said})
        for i, a, _ in calls:
            call = {"type": "function_call", "call_id": i, "name": "bash"}
            items.append({**call, "arguments": json.dumps(a)})
        for i, _, r in calls:
            items.append({"type": "function_call_output", "call_id": i, "output": r})
    tool = {"type": "function", "name": "bash", "parameters": SCHEMA, "strict": False}
    return {"input": items, "tools": [tool]}


def anthropic(turns: int) -> Json:
    messages: list[Json] = [{"role": "user", "content": "Go."}]
    for turn, calls in steps(turns):
        content: list[Json] = [
            {"type": "thinking", "thinking": f"Thought {turn}.", "signature": "EqQB"},
            {"type": "text", "text": f"Step {turn}."},
        ]
        content += [{"type": "tool_use", "id": i, "name": "bash", "input": a} for i, a, _ in calls]
        messages.append({"role": "assistant", "content": content})
        results = [{"type": "tool_result", "tool_use_id": i, "content": r} for i, _, r in calls]
        messages.append({"role": "user", "content": results})
    tools = [{"name": "bash", "input_schema": SCHEMA}]
    return {"max_tokens": 64, "messages": messages, "tools": tools}


def gemini(turns: int, *, ids: bool = True) -> Json:
    contents: list[Json] = [{"role": "user", "parts": [{"text": "Go."}]}]
    for turn, calls in steps(turns):
        parts: list[Json] = [{"text": f"Step {turn}."}]
        for i, a, _ in calls:
            call = {"name": "bash", "args": a, **({"id": i} if ids else {})}
            parts.append({"functionCall": call})
        contents.append({"role": "model", "parts": parts})
        parts = []
        for i, _, r in calls:
            answer = {"name": "bash", "response": {"output": r}, **({"id": i} if ids else {})}
            parts.append({"functionResponse": answer})
        contents.append({"role": "user", "parts": parts})
    declared = {"name": "bash", "parametersJsonSchema": SCHEMA}
    return {"contents": contents, "tools": [{"functionDeclarations": [declared]}]}


TOLD: dict[str, Callable[[int], Json]] = {
    "openai-chat": chat,
    "openai-responses": responses,
    "anthropic": anthropic,
    "gemini": gemini,
}


def translate(source: str, target: str, body: Json) -> Json:
    parsed = get(source).parse(body, ParseMeta(model="m"))
    return get(target).build(parsed, CAPS).body


def rounds(target: str, body: Json) -> list[list[tuple[str, str, Json]]]:
    """Return what was called and answered, a list for each run of calls or of results.

    An entry is `call` or `result`, the id, and the arguments or the text.
    """
    found: list[list[tuple[str, str, Json]]] = []
    for entry in _entries(target, body):
        if entry is None or not found or not found[-1] or found[-1][-1][0] != entry[0]:
            found.append([])
        if entry is not None:
            found[-1].append(entry)
    return [one for one in found if one]


def _entries(target: str, body: Json) -> Iterator[tuple[str, str, Json] | None]:
    match target:
        case "openai-chat":
            for message in body["messages"]:
                if message["role"] == "tool":
                    yield "result", message["tool_call_id"], message["content"]
                    continue
                yield None
                for call in message.get("tool_calls", ()):
                    yield "call", call["id"], json.loads(call["function"]["arguments"])
        case "openai-responses":
            for item in body["input"]:
                match item["type"]:
                    case "function_call":
                        yield "call", item["call_id"], json.loads(item["arguments"])
                    case "function_call_output":
                        yield "result", item["call_id"], item["output"]
                    case _:
                        yield None
        case "anthropic":
            for message in body["messages"]:
                for block in message["content"] if isinstance(message["content"], list) else ():
                    match block["type"]:
                        case "tool_use":
                            yield "call", block["id"], block["input"]
                        case "tool_result":
                            said = block["content"]
                            yield "result", block["tool_use_id"], _text(said)
                        case _:
                            yield None
        case _:
            for content in body["contents"]:
                for part in content["parts"]:
                    if call := part.get("functionCall"):
                        yield "call", call["id"], call["args"]
                    elif answer := part.get("functionResponse"):
                        yield "result", answer["id"], answer["response"]["output"]
                    else:
                        yield None


def _text(said: Json) -> Json:
    return said if isinstance(said, str) else said[0]["text"]


@pytest.mark.parametrize("target", DIALECTS)
@pytest.mark.parametrize("source", DIALECTS)
@pytest.mark.parametrize("turns", [40, 400])
def test_every_result_follows_its_own_call(source, target, turns):
    sent = rounds(target, translate(source, target, TOLD[source](turns)))
    expected: list[Json] = []
    for _, calls in steps(turns):
        expected.append([("call", i, a) for i, a, _ in calls])
        expected.append([("result", i, r) for i, _, r in calls])
    assert sent == expected


@pytest.mark.parametrize("target", DIALECTS)
def test_calls_without_ids_of_a_long_conversation_are_told_apart_edge_095(target):
    sent = rounds(target, translate("gemini", target, gemini(400, ids=False)))
    calls, results = sent[::2], sent[1::2]
    ids = [i for one in calls for _, i, _ in one]
    assert len(set(ids)) == len(ids) == 800
    assert [i for one in results for _, i, _ in one] == ids
    assert [r for one in results for _, _, r in one] == [
        r for _, told in steps(400) for _, _, r in told
    ]


@pytest.mark.parametrize("target", DIALECTS)
@pytest.mark.parametrize("source", DIALECTS)
def test_a_turn_more_leaves_what_was_sent_before_as_it_was(source, target):
    """Prompt caches live on it."""
    key = {"openai-responses": "input", "gemini": "contents"}.get(target, "messages")
    before = translate(source, target, TOLD[source](40))[key]
    after = translate(source, target, TOLD[source](41))[key]
    assert after[: len(before)] == before


# ---- work ---------------------------------------------------------------------------------------
def worked(run: Callable[[], object]) -> int:
    """Count the instructions of the interpreter that a function takes. No clock can be that sure."""
    count = 0

    def trace(frame: Any, event: str, _arg: object) -> Any:
        nonlocal count
        if event == "call":
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        run()
    finally:
        sys.settrace(previous)
    return count


def crowded(turns: int) -> Json:
    """One turn with all the calls, answered backwards."""
    calls = [
        {"id": f"c{n}", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        for n in range(turns)
    ]
    results = [{"role": "tool", "tool_call_id": f"c{n}", "content": "r"} for n in range(turns)]
    said = {"role": "assistant", "content": None, "tool_calls": calls}
    return {"messages": [{"role": "user", "content": "Go."}, said, *reversed(results)]}


def nameless(turns: int) -> Json:
    """The same, and nobody has an id."""
    body = crowded(turns)
    for message in body["messages"][2:]:
        message["tool_call_id"] = ""
    return body


def unanswered(turns: int) -> Json:
    """Calls that nobody ever answers."""
    messages: list[Json] = []
    for n in range(turns):
        call = {"id": f"c{n}", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        messages += [
            {"role": "user", "content": "Go."},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "user", "content": "And?"},
            {"role": "assistant", "content": "Hm."},
        ]
    return {"messages": messages}


def late(turns: int) -> Json:
    """A result that comes when much else has been said."""
    talk = [
        {"type": "message", "role": role, "content": "Hm."}
        for _ in range(turns)
        for role in ("user", "assistant")
    ]
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "c", "output": "r"}
    return {"input": [call, *talk, result]}


def parallel(turns: int) -> Json:
    """A Gemini turn with all the calls, without ids."""
    calls = [{"functionCall": {"name": "f", "args": {"n": n}}} for n in range(turns)]
    results = [{"functionResponse": {"name": "f", "response": {"n": n}}} for n in range(turns)]
    said = {"role": "model", "parts": calls}
    go = {"role": "user", "parts": [{"text": "Go."}]}
    return {"contents": [go, said, {"role": "user", "parts": results}]}


SHAPES: dict[str, tuple[str, Callable[[int], Json]]] = {
    **{f"a long talk of {name}": (name, told) for name, told in TOLD.items()},
    "one turn with all the calls": ("openai-chat", crowded),
    "calls without ids": ("openai-chat", nameless),
    "calls without results": ("openai-chat", unanswered),
    "a result that comes late": ("openai-responses", late),
    "parallel calls of Gemini": ("gemini", parallel),
}


@pytest.mark.parametrize("target", DIALECTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_twice_the_conversation_is_twice_the_work(shape, target):
    source, told = SHAPES[shape]
    small, large = told(60), told(120)
    translate(source, target, small)  # what is done once only is done
    once = worked(lambda: translate(source, target, small))
    twice = worked(lambda: translate(source, target, large))
    assert twice < 2.15 * once

"""The grammar notices what is wrong about items of tools that the provider runs."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tests.sim.grammar import GrammarError, check, whole_summary

Json = Any
CODE = {
    "id": "ci_1", "type": "code_interpreter_call", "status": "completed", "code": "1",
    "container_id": "cntr_1", "outputs": [{"type": "logs", "logs": "1"}],
}  # fmt: skip
CALL = {
    "id": "mcp_1", "type": "mcp_call", "status": "completed", "server_label": "s", "name": "n",
    "arguments": "{}", "output": "o", "error": None,
}  # fmt: skip
RESPONSE = {
    "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "m",
    "output": [], "usage": None, "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
    "error": None, "incomplete_details": None,
}  # fmt: skip


def _stream(item: Json) -> list[Json]:
    where = {"item_id": item["id"], "output_index": 0}
    begun = {**item, "status": "in_progress"}
    if item["type"] == "mcp_call":
        begun |= {"arguments": "", "output": None}
        steps = [
            ("mcp_call.in_progress", {}),
            ("mcp_call_arguments.delta", {"delta": item["arguments"]}),
            ("mcp_call_arguments.done", {"arguments": item["arguments"]}),
            ("mcp_call.completed", {}),
        ]
    else:
        begun |= {"code": "", "outputs": None}
        steps = [
            ("code_interpreter_call.in_progress", {}),
            ("code_interpreter_call_code.delta", {"delta": item["code"]}),
            ("code_interpreter_call_code.done", {"code": item["code"]}),
            ("code_interpreter_call.interpreting", {}),
            ("code_interpreter_call.completed", {}),
        ]
    early = {**RESPONSE, "status": "in_progress"}
    return [
        {"type": "response.created", "response": early},
        {"type": "response.in_progress", "response": early},
        {"type": "response.output_item.added", "output_index": 0, "item": begun},
        *({"type": f"response.{kind}", **where, **members} for kind, members in steps),
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": {**RESPONSE, "output": [item]}},
    ]


def _judge(events: list[Json]) -> None:
    body = ""
    for number, event in enumerate(events):
        data = json.dumps({**event, "sequence_number": number})
        body += f"event: {event['type']}\ndata: {data}\n\n"
    check("openai-responses", body.encode())


@pytest.mark.parametrize("item", [CODE, CALL], ids=lambda item: item["type"])
def test_the_events_of_an_item_have_their_order(item: Json) -> None:
    events = _stream(item)
    _judge(events)
    inside = range(3, len(events) - 2)
    for place in inside:
        if not events[place]["type"].endswith(".delta"):  # the text may come at once, in `done`
            left_out = [*events[:place], *events[place + 1 :]]
            with pytest.raises(GrammarError):
                _judge(left_out)
        with pytest.raises(GrammarError):
            _judge([*events[:place], events[place], *events[place:]])
        if place + 1 in inside:
            swapped = [*events[:place], events[place + 1], events[place], *events[place + 2 :]]
            with pytest.raises(GrammarError):
                _judge(swapped)


@pytest.mark.parametrize(
    ("item", "place", "spoiled"),
    [
        (CODE, 2, {"container_id": ""}),
        (CODE, 2, {"container_id": "cntr_2"}),
        (CODE, 2, {"code": "1"}),
        (CODE, 2, {"outputs": CODE["outputs"]}),
        (CODE, -2, {"code": "2"}),
        (CODE, -2, {"status": "failed"}),
        (CALL, 2, {"server_label": ""}),
        (CALL, 2, {"server_label": "t"}),
        (CALL, 2, {"arguments": "{}"}),
        (CALL, -2, {"status": "failed"}),
    ],
)
def test_an_item_agrees_with_its_events(item: Json, place: int, spoiled: Json) -> None:
    events = copy.deepcopy(_stream(item))
    events[place]["item"] |= spoiled
    if place == -2:
        events[-1]["response"]["output"] = [events[-2]["item"]]
    with pytest.raises(GrammarError):
        _judge(events)


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        ("anthropic", {"content": [{"type": "code_execution_tool_result", "tool_use_id": "s", "content": {}}]}),
        ("gemini", {"candidates": [{"content": {"parts": [{"executableCode": {"code": "1"}}]}, "finishReason": "STOP"}]}),
        ("gemini", {"candidates": [{"content": {"parts": [{"codeExecutionResult": {"output": "1"}}]}, "finishReason": "STOP"}]}),
        ("openai-responses", {**RESPONSE, "output": [{**CODE, "container_id": ""}]}),
    ],
    ids=["a result without its call", "no language", "no outcome", "no container"],
)  # fmt: skip
def test_whole_answers_are_held_to_the_same(dialect: str, body: Json) -> None:
    message = {
        "id": "m", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
        "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1},
    }  # fmt: skip
    named = {"responseId": "r", "modelVersion": "m"}
    whole = {"anthropic": message, "gemini": named}.get(dialect, {}) | body
    with pytest.raises(GrammarError):
        whole_summary(dialect, whole)

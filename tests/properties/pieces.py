"""Streams that a finished answer cannot describe: what runs side by side, and what comes late."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.properties.answers import calls, pieces
from tests.sim.event import Event

Json = Any
Said = tuple[str, str, str]  # id, name and arguments of a call


@st.composite
def shuffled(draw: Any, queues: list[list[Json]]) -> list[Json]:
    """Merge queues into one, each in its own order."""
    left = [list(queue) for queue in queues if queue]
    out: list[Json] = []
    while left:
        queue = left[draw(st.integers(0, len(left) - 1))]
        out.append(queue.pop(0))
        left = [one for one in left if one]
    return out


def _chunk(delta: Json, finish: str | None = None, index: int = 0) -> Event:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 5, "model": "up"}
    return Event({**head, "choices": [choice]})


@st.composite
def chat_streams(draw: Any) -> tuple[list[Event], list[Said]]:
    """Draw a chat stream whose calls arrive side by side, between words; and its calls."""
    made = [draw(calls(number)) for number in range(draw(st.integers(1, 3)))]
    queues: list[list[Json]] = [[{"content": piece} for piece in draw(pieces)]]
    for number, call in enumerate(made):
        first = {"index": number, "id": call.id, "type": "function"}
        first["function"] = {"name": call.name, "arguments": ""}
        later = [{"index": number, "function": {"arguments": one}} for one in call.fragments()]
        queues.append([{"tool_calls": [entry]} for entry in [first, *later]])
    deltas = draw(shuffled(queues))
    starts = [d for d in deltas if "id" in (d.get("tool_calls") or [{}])[0]]
    # Calls are numbered as they begin.
    order = {delta["tool_calls"][0]["index"]: place for place, delta in enumerate(starts)}
    for delta in deltas:
        for entry in delta.get("tool_calls") or ():
            entry["index"] = order[entry["index"]]
    events = [_chunk({"role": "assistant", "content": ""}), *map(_chunk, deltas)]
    events += [_chunk({}, "tool_calls"), Event("[DONE]")]
    said = [(call.id or "", call.name, call.text()) for call in made]
    return events, [said[number] for number in order]


@st.composite
def responses_streams(draw: Any) -> tuple[list[Event], list[Said]]:
    """Draw a Responses stream whose function calls are written side by side; and its calls."""
    made = [draw(calls(number)) for number in range(draw(st.integers(1, 3)))]
    added: list[Json] = []
    queues: list[list[Json]] = []
    items: list[Json] = []
    for number, call in enumerate(made):
        at = {"item_id": f"fc_{number}", "output_index": number}
        item = {"id": f"fc_{number}", "type": "function_call", "call_id": call.id}
        item |= {"name": call.name, "status": "completed", "arguments": call.text()}
        items.append(item)
        begun = {**item, "status": "in_progress", "arguments": ""}
        kind = "response.function_call_arguments."
        added.append({"type": "response.output_item.added", "output_index": number, "item": begun})
        queues.append(
            [
                *({"type": kind + "delta", **at, "delta": one} for one in call.fragments()),
                {"type": kind + "done", **at, "arguments": call.text()},
                {"type": "response.output_item.done", "output_index": number, "item": item},
            ]
        )
    response = {"id": "resp_1", "object": "response", "created_at": 5, "model": "up"}
    response |= {"status": "in_progress", "output": [], "error": None, "incomplete_details": None}
    response |= {"usage": None, "tools": [], "tool_choice": "auto", "parallel_tool_calls": True}
    done = {**response, "status": "completed", "output": items}
    said = [
        {"type": "response.created", "response": response},
        *added,
        *draw(shuffled(queues)),
        {"type": "response.completed", "response": done},
    ]
    events = [
        Event({**data, "sequence_number": number}, data["type"]) for number, data in enumerate(said)
    ]
    return events, [(call.id or "", call.name, call.text()) for call in made]

"""Long conversations and answers of the Interactions API: twice the length is twice the work."""

from __future__ import annotations

import pytest
from tests.unit.dialects.test_long_conversations import worked

from cliproxy.dialects import ParseMeta, get
from cliproxy.dialects.interactions import parse_steps
from cliproxy.ir.caps import Caps
from cliproxy.ir.request import Message

DIALECT = get("interactions")
CAPS = Caps(model="up")


def calls(turns):
    """Calls with their results."""
    return [
        step
        for n in range(turns)
        for step in (
            {"type": "function_call", "id": f"c{n}", "name": "f", "arguments": {}},
            {"type": "function_result", "call_id": f"c{n}", "result": "r"},
        )
    ]


def lossy(turns):
    """Messages of which each has something that is lost elsewhere."""
    content = {"type": "text", "text": "Hi", "left": "over"}
    return [{"type": "user_input", "content": [content]} for _ in range(turns)]


SAID = {"calls": calls, "losses": lossy}


def twice(run, of):
    """Return how much more work the double is; what is done once only is done before."""
    small, large = of(100), of(200)
    run(small)
    return worked(lambda: run(large)) / worked(lambda: run(small))


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize(
    "target", ["openai-chat", "openai-responses", "anthropic", "gemini", "interactions"]
)
def test_twice_the_input_is_twice_the_work(said, target):
    def run(steps):
        req = DIALECT.parse({"model": "m", "input": steps}, ParseMeta())
        return [str(loss.field) for loss in get(target).build(req, CAPS).losses]

    assert twice(run, SAID[said]) < 2.15


def test_contents_in_a_row_are_put_into_their_turn_once(monkeypatch):
    put = []

    def message(role, parts, **more):
        put.append(len(parts))
        return Message(role, parts, **more)

    monkeypatch.setattr(parse_steps, "Message", message)
    (turn,) = parse_steps.parse_input(["a"] * 1000)
    assert len(turn.parts) == sum(put) == 1000

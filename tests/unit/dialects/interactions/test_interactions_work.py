"""Long conversations and answers of the Interactions API: twice the length is twice the work."""

from __future__ import annotations

import pytest
from tests.unit.dialects.test_long_conversations import worked

from cliproxy.dialects import ParseMeta, get
from cliproxy.dialects.interactions import parse_steps, read, steps
from cliproxy.ir.caps import Caps
from cliproxy.ir.events import BlockStart, BlockStop, Citation, Start, TextDelta
from cliproxy.ir.request import IRRequest, Message

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
    def run(given):
        req = DIALECT.parse({"model": "m", "input": given}, ParseMeta())
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


class Counted(str):
    """Text that counts how often it is encoded."""

    __slots__ = ("times",)

    def encode(self, *args):
        self.times = getattr(self, "times", 0) + 1
        return super().encode(*args)


def test_a_text_is_encoded_once_for_all_its_annotations():
    text = Counted("a text")
    notes = [
        {"type": "url_citation", "url": f"u{n}", "start_index": 0, "end_index": 1}
        for n in range(50)
    ]
    assert len(steps.citations(notes, text)) == 50
    assert text.times == 1


class Note(dict):
    """A source that counts how often it is compared."""

    compared = 0

    def __eq__(self, other):
        Note.compared += 1
        return super().__eq__(other)

    __hash__ = None


def test_sources_are_not_compared_with_one_another(monkeypatch):
    made = []

    def citations(notes, text):
        made.extend(notes)
        return []

    monkeypatch.setattr(steps, "citations", citations)
    notes = [Note(type="file_citation", id=n % 40) for n in range(80)]
    step = read._Step(DIALECT.reader(CAPS), {"type": "model_output"})
    step._notes = notes
    step._citations("a")
    assert [note["id"] for note in made] == [*range(40)]
    assert Note.compared == 0


def test_twice_the_cited_texts_are_twice_the_work():
    def run(blocks):
        writer = DIALECT.writer(IRRequest(model="m", source="interactions", messages=()))
        writer.feed([Start("a", "m", 1)])
        for n in blocks:
            cited = {"kind": "url", "url": "u"}
            writer.feed(
                [BlockStart(n, "text"), TextDelta(n, "Hi"), Citation(n, cited), BlockStop(n)]
            )

    assert twice(run, range) < 2.15

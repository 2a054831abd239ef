"""What clients of the Interactions API get."""

from __future__ import annotations

import json

import pytest

from cliproxy.dialects import get
from cliproxy.ir.caps import Caps
from cliproxy.ir.events import (
    BlockStart,
    BlockStop,
    Citation,
    End,
    Finish,
    MediaDelta,
    Start,
    TextDelta,
)
from cliproxy.ir.fold import fold
from cliproxy.ir.request import IRRequest

DIALECT = get("interactions")
ASKED = IRRequest(model="m", source="interactions", messages=())


def whole(*events):
    return json.loads(DIALECT.render(fold(events), ASKED))


@pytest.mark.parametrize("created", [0, -1, 1767225600000, 253402300800, 10**30])
def test_a_time_that_is_none_is_now(created):
    said = (BlockStart(0, "text"), TextDelta(0, "Hi"), BlockStop(0), Finish("stop"), End())
    answer = whole(Start("a", "m", created), *said)
    assert "2025" < answer["created"] <= answer["updated"]
    assert len(answer["created"]) == len("2026-01-01T00:00:00Z")


def test_the_time_of_the_upstream_is_told():
    answer = whole(Start("a", "m", 1767225600), Finish("stop"), End())
    assert answer["created"] == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize("step", [{"foo": 1}, {"type": None}, {"type": [], "content": []}])
def test_a_step_without_a_type_is_passed_on(step):
    body = json.dumps({"id": "a", "status": "completed", "steps": [step]}).encode()
    answer = whole(*DIALECT.reader(Caps()).whole(body))
    assert (answer["status"], answer["steps"]) == ("completed", [step])


def test_a_source_is_where_its_text_stands_in_bytes():
    events = [Start("a", "m", 1)]
    for n, text in enumerate(("é", "ab", "ü🙂", "c")):
        events += [BlockStart(n, "text"), TextDelta(n, text)]
        if n in (1, 3):
            events.append(Citation(n, {"kind": "url", "url": "u"}))
        events.append(BlockStop(n))
    image = [BlockStart(4, "image", mime="image/png"), MediaDelta(4, "AAAA"), BlockStop(4)]
    after = [
        BlockStart(5, "text"), TextDelta(5, "d"), Citation(5, {"kind": "url", "url": "v"}), BlockStop(5),
    ]  # fmt: skip
    answer = whole(*events, *image, *after, Finish("stop"), End())
    first, _, last = answer["steps"][0]["content"]
    assert [(a["start_index"], a["end_index"]) for a in first["annotations"]] == [(2, 4), (10, 11)]
    assert [(a["start_index"], a["end_index"]) for a in last["annotations"]] == [(0, 1)]


@pytest.mark.parametrize(
    ("payload", "result", "failed"),
    [
        ({"url": "https://a"}, [{"url": "https://a", "status": "success"}], None),
        (
            {"url": "https://a", "error": "gone"},
            [{"url": "https://a", "status": "error"}],
            True,
        ),
        ({"url": None, "error": "gone"}, [{"status": "error"}], True),
        ({"url": ""}, [], None),
        (None, [], None),
    ],
)
def test_a_page_another_provider_read_is_told_with_its_address(payload, result, failed):
    fetched = BlockStart(0, "server_result", id="u", server_kind="web_fetch", payload=payload)
    (step,) = whole(Start("a", "m", 1), fetched, BlockStop(0), Finish("stop"), End())["steps"]
    assert (step["type"], step["result"]) == ("url_context_result", result)
    assert step.get("is_error") == failed

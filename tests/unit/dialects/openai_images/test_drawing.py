"""A Responses answer of which only the pictures are wanted, and what clients read of it."""

from __future__ import annotations

import json

import pytest

from cliproxy import dialects
from cliproxy.base.errors import UpstreamRefused
from cliproxy.dialects import ParseMeta
from cliproxy.ir.caps import Caps
from cliproxy.ir.check import check
from cliproxy.ir.events import BlockStart, Error, Finish, MediaDelta, Preview, Usage
from cliproxy.ir.fold import fold

CAPS = Caps(model="gpt-image-2", draws=True)
CALL = {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "AAAA"}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]}
TALK = {"type": "message", "id": "m", "role": "assistant",
        "content": [{"type": "output_text", "text": "Here it is."}]}  # fmt: skip
GEN = {"input_tokens": 12, "output_tokens": 196, "total_tokens": 208}
USED = {"input_tokens": 900, "output_tokens": 30, "total_tokens": 930}


def response(output, **more):
    return {"id": "r", "object": "response", "status": "completed", "created_at": 5,
            "output": output, **more}  # fmt: skip


def whole(value):
    reader = dialects.get("openai-responses").reader(CAPS)
    return check(reader.whole(json.dumps(value).encode()))


def stream(*values):
    reader = dialects.get("openai-responses").reader(CAPS)
    events = [e for v in values for e in reader.feed(json.dumps(v).encode())]
    return check([*events, *reader.close()])


def done(*items, output=None, **more):
    found = [
        {"type": "response.output_item.done", "output_index": n, "item": item}
        for n, item in enumerate(items)
    ]
    end = response(list(items) if output is None else output, **more)
    return [*found, {"type": "response.completed", "response": end}]


BOTH = pytest.mark.parametrize("read", [whole, None], ids=["whole", "stream"])


def read_both(read, *items, **more):
    return whole(response(list(items), **more)) if read else stream(*done(*items, **more))


@BOTH
@pytest.mark.parametrize("around", [[], [THOUGHT], [THOUGHT, TALK], [TALK]])
def test_only_the_picture_is_told(read, around):
    events = read_both(read, *around, CALL, TALK)
    blocks = [e for e in events if isinstance(e, BlockStart)]
    assert [(b.index, b.kind, b.mime) for b in blocks] == [(0, "image", "image/png")]
    assert [e for e in events if isinstance(e, MediaDelta)] == [MediaDelta(0, "AAAA")]


@BOTH
def test_several_pictures_are_numbered_without_gaps(read):
    other = {**CALL, "id": "ig_2", "result": "BBBB"}
    events = read_both(read, CALL, THOUGHT, other)
    deltas = [(e.index, e.b64) for e in events if isinstance(e, MediaDelta)]
    assert deltas == [(0, "AAAA"), (1, "BBBB")]


@BOTH
@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"usage": USED, "tool_usage": {"image_gen": GEN}}, GEN),
        ({"usage": USED}, USED),
        ({"usage": USED, "tool_usage": None}, USED),
        ({}, None),
    ],
)
def test_the_tokens_are_those_of_the_picture(read, more, told):
    events = read_both(read, CALL, **more)
    usage = [e.usage for e in events if isinstance(e, Usage)]
    assert [u.output_total for u in usage] == ([told["output_tokens"]] if told else [])
    (finish,) = [e for e in events if isinstance(e, Finish)]
    assert (finish.details or {}).get("image_usage") == told


def test_what_is_said_of_a_picture_travels_with_it():
    said = {"size": "1x1", "quality": "low", "background": "opaque", "output_format": "webp"}
    events = whole(response([{**CALL, **said, "revised_prompt": "A calm sea"}]))
    (start,) = [e for e in events if isinstance(e, BlockStart)]
    assert start.payload == {**said, "revised_prompt": "A calm sea"}
    assert start.mime == "image/webp"


def test_the_output_may_be_left_out_at_the_end():
    events = stream(*done(CALL, output=[]))
    assert [e.b64 for e in events if isinstance(e, MediaDelta)] == ["AAAA"]


def test_sketches_are_told_as_they_come():
    sketch = {"type": "response.image_generation_call.partial_image", "item_id": "ig_1",
              "output_index": 0, "partial_image_b64": "CCCC", "partial_image_index": 1,
              "size": "1x1"}  # fmt: skip
    events = stream(sketch, *done(CALL))
    assert [e for e in events if isinstance(e, Preview)] == [Preview("CCCC", 1, {"size": "1x1"})]


REFUSED = {**CALL, "result": None, "status": "failed", "error": {
    "type": "image_generation_user_error", "code": "moderation_blocked", "message": "No.",
    "param": "prompt"}}  # fmt: skip


@BOTH
@pytest.mark.parametrize(
    ("items", "code", "words"),
    [
        ([REFUSED], "moderation_blocked", "No."),
        ([REFUSED, TALK], "moderation_blocked", "No."),
        ([TALK], "image_not_generated", "Here it is."),
        ([THOUGHT], "image_not_generated", "no picture"),
        ([], "image_not_generated", "no picture"),
        ([{**CALL, "result": None}], "image_not_generated", "no picture"),
    ],
)
def test_without_a_picture_there_is_an_error_of_the_request(read, items, code, words):
    events = read_both(read, *items)
    assert isinstance(events[-1], Error)
    assert (events[-1].status, events[-1].code) == (400, code)
    assert words in events[-1].message
    with pytest.raises(UpstreamRefused) as caught:
        fold(events)
    assert caught.value.next_account is False


def test_a_stream_that_stops_is_no_answer():
    events = stream({"type": "response.created", "response": {"id": "r"}})
    assert isinstance(events[-1], Error)
    assert events[-1].status == 502


# ---- the image API's own answers ----------------------------------------------------------------
@pytest.mark.parametrize("name", dialects.IMAGES)
@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{}", b'{"data":[]}', b'{"data":5}', b'{"data":[5]}',
        b'{"error":{"message":"No.","code":"x"}}', b'{"error":"No."}',
    ],
)  # fmt: skip
def test_what_is_no_answer_is_an_error(name, body):
    events = check(dialects.get(name).reader(CAPS).whole(body))
    assert isinstance(events[-1], Error)


@pytest.mark.parametrize("name", dialects.IMAGES)
def test_an_answer_written_and_read_is_the_same(name):
    dialect = dialects.get(name)
    body = {"model": "m", "prompt": "x", "image": "data:image/png;base64,AAAA"}
    asked = dialect.parse(body, ParseMeta())
    answer = {
        "created": 5,
        "data": [{"b64_json": "AAAA", "revised_prompt": "y"}, {"url": "https://x.example/1"}],
        "size": "1x1",
        "usage": GEN,
    }
    events = check(dialect.reader(CAPS).whole(json.dumps(answer).encode()))
    assert json.loads(dialect.render(fold(events), asked)) == answer


@pytest.mark.parametrize(
    ("body", "written"),
    [
        ({"n": 2, "size": "1024x1024", "future": 1, "user": "u"},
         {"n": 2, "size": "1024x1024", "future": 1, "user": "u"}),
        ({"mask": "data:image/png;base64,AAAA"},
         {"mask": {"image_url": "data:image/png;base64,AAAA"}}),
        ({"stream": True, "response_format": "b64_json"},
         {"stream": True, "response_format": "b64_json"}),
        ({"mask": {"file_id": "f"}}, {"mask": {"file_id": "f"}}),
    ],
)  # fmt: skip
def test_a_request_parsed_and_built_says_the_same(body, written):
    dialect = dialects.get("openai-image-edits")
    asked = {"model": "gpt-image-2", "prompt": "x", "images": [{"file_id": "g"}]}
    built = dialect.build(dialect.parse({**asked, **body}, ParseMeta()), CAPS)
    assert built.body == {**asked, **written}
    assert built.losses == ()

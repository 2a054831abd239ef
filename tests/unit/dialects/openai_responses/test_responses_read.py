"""Responses of upstreams, good and bad, as events."""

from __future__ import annotations

import json

import pytest

from cliproxy.dialects.openai_responses import DIALECT
from cliproxy.dialects.sse import SseDecoder
from cliproxy.ir.caps import Caps
from cliproxy.ir.check import check
from cliproxy.ir.envelope import wrap
from cliproxy.ir.events import Citation, End, Error, Finish, Signature, Start, ThinkingBreak, Usage
from cliproxy.ir.fold import fold
from cliproxy.ir.request import Sig

USAGE = {"input_tokens": 100, "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 5}, "output_tokens": 30,
         "output_tokens_details": {"reasoning_tokens": 10}, "total_tokens": 130}  # fmt: skip


def response(status="in_progress", output=(), **more):
    return {"id": "resp_1", "object": "response", "created_at": 77, "model": "gpt", "status": status,
            "output": list(output), "error": None, "incomplete_details": None, "usage": None, **more}  # fmt: skip


def event(kind, **fields):
    return {"type": f"response.{kind}", **fields}


CREATED = event("created", response=response())


def completed(output=(), **more):
    return event("completed", response=response("completed", output, **{"usage": USAGE, **more}))


def added(index, item):
    return event("output_item.added", output_index=index, item=item)


def done(index, item):
    return event("output_item.done", output_index=index, item=item)


def message(*texts, number=1, **more):
    parts = [{"type": "output_text", "text": t, "annotations": [], "logprobs": []} for t in texts]
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": parts,
        **more,
    }


def call(number=1, name="f", args="{}", **more):
    return {
        "id": f"fc_{number}",
        "type": "function_call",
        "call_id": f"call_{number}",
        "name": name,
        "arguments": args,
        **more,
    }


def reasoning(*texts, number=1, sealed="gAAA"):
    item = {
        "id": f"rs_{number}",
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": t} for t in texts],
    }
    return {**item, "encrypted_content": sealed} if sealed else item


def said(index, item, *pieces):
    """Return the events of a message item with one part."""
    where = {"item_id": item["id"], "output_index": index, "content_index": 0}
    part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    text = "".join(pieces)
    return [
        added(index, {**item, "content": [], "status": "in_progress"}),
        event("content_part.added", **where, part=part),
        *(event("output_text.delta", **where, delta=p, logprobs=[]) for p in pieces),
        event("output_text.done", **where, text=text, logprobs=[]),
        event("content_part.done", **where, part={**part, "text": text}),
        done(index, item),
    ]


def called(index, item, *pieces):
    where = {"item_id": item["id"], "output_index": index}
    return [
        added(index, {**item, "arguments": "", "status": "in_progress"}),
        *(event("function_call_arguments.delta", **where, delta=p) for p in pieces),
        event("function_call_arguments.done", **where, arguments=item["arguments"]),
        done(index, item),
    ]


def thought(index, item):
    out = [added(index, {**item, "summary": [], "encrypted_content": "placeholder"})]
    for number, part in enumerate(item["summary"]):
        where = {"item_id": item["id"], "output_index": index, "summary_index": number}
        out += [
            event(
                "reasoning_summary_part.added", **where, part={"type": "summary_text", "text": ""}
            ),
            *(event("reasoning_summary_text.delta", **where, delta=c) for c in part["text"]),
            event("reasoning_summary_text.done", **where, text=part["text"]),
            event("reasoning_summary_part.done", **where, part=part),
        ]
    return [*out, done(index, item)]


def events_of(*payloads, caps=None):
    reader = DIALECT.reader(caps or Caps())
    events = []
    for payload in payloads:
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        events += reader.feed(data)
    return check(events + reader.close())


def answer_of(*payloads):
    return fold(events_of(*payloads))


def whole_of(output, status="completed", **more):
    body = response(status, output, **{"usage": USAGE, **more})
    return check(DIALECT.reader(Caps()).whole(json.dumps(body).encode()))


def blocks(answer):
    return [(b.kind, b.text) for b in answer.blocks]


# ---- the documented grammar -------------------------------------------------------------------
ITEMS = [
    reasoning("Need ", "weather."),
    message("Checking."),
    call(1, "get_weather", '{"city":"A"}'),
    call(2, "get_weather", '{"city":"B"}'),
]
FULL = [
    CREATED,
    event("in_progress", response=response()),
    *thought(0, ITEMS[0]),
    *said(1, ITEMS[1], "Check", "ing."),
    *called(2, ITEMS[2], '{"city":', '"A"}'),
    *called(3, ITEMS[3], '{"city":"B"}'),
    completed(ITEMS),
]


def test_a_documented_stream_reads_as_reasoning_text_two_calls_and_usage():
    answer = answer_of(*FULL)
    assert answer.start == Start("resp_1", "gpt", 77)
    assert blocks(answer) == [
        ("thinking", "Need \n\nweather."),
        ("text", "Checking."),
        ("tool_call", '{"city":"A"}'),
        ("tool_call", '{"city":"B"}'),
    ]
    assert [b.start.id for b in answer.blocks[2:]] == ["call_1", "call_2"]
    assert answer.finish == Finish("tool_calls", "completed")
    usage = answer.usage
    assert (
        usage.input_total,
        usage.cache_read,
        usage.cache_write,
        usage.output_total,
        usage.reasoning,
    ) == (100, 60, 5, 30, 10)


def test_edge_20_21_one_block_with_its_parts_and_the_final_signature():
    events = events_of(*FULL)
    assert sum(isinstance(e, ThinkingBreak) for e in events) == 1
    assert [e for e in events if isinstance(e, Signature)] == [Signature(0, Sig("gAAA", "gpt"))]


@pytest.mark.parametrize("cut", range(len(FULL)))
def test_edge_169_a_stream_cut_before_its_end_never_ends_normally(cut):
    events = events_of(*FULL[:cut])
    assert isinstance(events[-1], Error)
    assert events[-1].status == 502


def nameless(event):
    """Take the ids off the items of an event, and off those of the response in it."""
    event = json.loads(json.dumps(event))
    for item in [event.get("item"), *(event.get("response") or {}).get("output", ())]:
        if item:
            del item["id"]
    return event


def test_whole_answers_say_the_same_as_streams():
    assert fold(whole_of(ITEMS)) == answer_of(*FULL)


@pytest.mark.parametrize(
    "payloads",
    [
        [CREATED, completed(ITEMS)],
        [CREATED, *(done(n, i) for n, i in enumerate(ITEMS)), completed([])],
        [CREATED, *(e for e in FULL[2:-1] if not e["type"].endswith("delta")), completed([])],
        [CREATED, *(e for e in FULL[2:-1] if "done" not in e["type"]), completed(ITEMS)],
        [completed(ITEMS)],
        [response("completed", ITEMS, usage=USAGE)],
        [*FULL[:-1], {**FULL[-1], "type": "response.done"}],
        [{k: v for k, v in e.items() if k != "item_id"} for e in FULL],
        [{k: v for k, v in e.items() if k != "output_index"} for e in FULL],
        [{k: v for k, v in e.items() if k not in ("output_index", "item_id")} for e in FULL],
        [{k: v for k, v in nameless(e).items() if k not in ("output_index", "item_id")} for e in FULL],
        [nameless(e) for e in FULL],
    ],
    ids=["only the end", "edge-19", "edge-42-done", "edge-15", "no beginning", "edge-168", "other name", "no item_id",
         "no output_index", "neither", "no ids at all", "no ids of items"],
)  # fmt: skip
def test_what_is_said_only_later_or_sparely_is_caught_up_once(payloads):
    answer, expected = answer_of(*payloads), answer_of(*FULL)
    assert blocks(answer) == blocks(expected)
    assert [b.signature for b in answer.blocks] == [b.signature for b in expected.blocks]
    assert answer.finish == expected.finish
    assert answer.usage == expected.usage


def test_items_may_interleave():
    first, second = (
        called(0, call(1, args='{"a":1}'), '{"a"', ":1}"),
        called(1, call(2, args='{"b":2}'), '{"b"', ":2}"),
    )
    mixed = [x for pair in zip(first, second, strict=True) for x in pair]
    answer = answer_of(CREATED, *mixed, completed([]))
    assert blocks(answer) == [("tool_call", '{"a":1}'), ("tool_call", '{"b":2}')]


# ---- text -------------------------------------------------------------------------------------
def test_parts_of_a_message_are_blocks_with_their_own_citations():
    def cite(n):
        return {
            "type": "url_citation",
            "start_index": 0,
            "end_index": 1,
            "url": f"https://{n}",
            "title": "t",
        }

    item = message("a", "b")
    item["content"][0]["annotations"] = [cite(1), cite(2)]
    item["content"][1]["annotations"] = [cite(3)]
    streamed = [CREATED, added(0, {**item, "content": []})]
    for number, part in enumerate(item["content"]):
        where = {"item_id": "msg_1", "output_index": 0, "content_index": number}
        streamed.append(event("output_text.delta", **where, delta=part["text"]))
        if not number:
            streamed.append(event("output_text.annotation.added", **where, annotation=cite(1)))
        streamed.append(event("content_part.done", **where, part=part))
    streamed += [done(0, item), completed([item])]
    sparse = [
        CREATED,
        *(
            e
            for e in streamed[1:]
            if "part.done" not in e["type"] and "annotation" not in e["type"]
        ),
    ]
    for answer in (answer_of(*streamed), fold(whole_of([item]))):
        assert [[c["url"] for c in b.citations] for b in answer.blocks] == [
            ["https://1", "https://2"],
            ["https://3"],
        ]
    assert [[c["url"] for c in b.citations] for b in answer_of(*sparse).blocks] == [
        [],
        ["https://3"],
    ]


def test_a_citation_is_neutral_and_keeps_its_own_form():
    native = {"type": "url_citation", "start_index": 2, "end_index": 5, "url": "u", "title": "t"}
    other = {"type": "file_citation", "file_id": "f", "index": 0}
    item = message("hello")
    item["content"][0]["annotations"] = [native, other, "odd"]
    found = [e.value for e in whole_of([item]) if isinstance(e, Citation)]
    assert found[0] == {
        "kind": "url",
        "url": "u",
        "title": "t",
        "start": 2,
        "end": 5,
        "native": native,
        "dialect": "openai-responses",
    }
    assert [v["kind"] for v in found] == ["url", "file", "file"]


def test_refusals_are_told_once():
    item = message()
    item["content"] = [
        {"type": "refusal", "refusal": "I won't"},
        {"type": "refusal", "refusal": "Really"},
    ]
    where = {"item_id": "msg_1", "output_index": 0}
    streamed = [
        CREATED, added(0, {**item, "content": []}),
        event("refusal.delta", **where, content_index=0, delta="I "), event("refusal.delta", **where, content_index=0, delta="won't"),
        event("refusal.done", **where, content_index=0, refusal="I won't"),
        event("content_part.done", **where, content_index=0, part=item["content"][0]),
        event("refusal.done", **where, content_index=1, refusal="Really"),
        done(0, item), completed([item]),
    ]  # fmt: skip
    for answer in (answer_of(*streamed), fold(whole_of([item]))):
        assert blocks(answer) == [("refusal", "I won't"), ("refusal", "Really")]
        assert answer.finish.reason == "refusal"


def test_edge_58_several_messages():
    assert blocks(
        fold(whole_of([message("a"), message("b", number=2), message("", number=3)]))
    ) == [("text", "a"), ("text", "b")]


# ---- reasoning --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("early", "final", "sig"),
    [("e", "f", "f"), ("e", "", "e"), ("", "f", "f"), ("", "", None)],
    ids=["edge-21", "edge-22", "plain", "edge-24"],
)
def test_which_signature_counts(early, final, sig):
    answer = answer_of(
        CREATED,
        added(0, reasoning(sealed=early)),
        done(0, reasoning("t", sealed=final)),
        completed([]),
    )
    assert answer.blocks[0].signature == (Sig(sig, "gpt") if sig else None)


def test_edge_23_25_each_reasoning_item_is_a_block_even_without_text():
    answer = fold(whole_of([reasoning(number=1, sealed="a"), reasoning("t", number=2, sealed="b")]))
    assert [(b.text, b.signature.value) for b in answer.blocks] == [("", "a"), ("t", "b")]
    assert blocks(fold(whole_of([reasoning(sealed=""), message("x")]))) == [("text", "x")]


def test_raw_reasoning_of_open_weight_models():
    item = {**reasoning(sealed=""), "content": [{"type": "reasoning_text", "text": "raw"}]}
    where = {"item_id": "rs_1", "output_index": 0, "content_index": 0}
    streamed = [CREATED, added(0, reasoning(sealed="")), event("reasoning_text.delta", **where, delta="ra"),
                event("reasoning_text.delta", **where, delta="w"), event("reasoning_text.done", **where, text="raw"),
                done(0, item), completed([item])]  # fmt: skip
    for answer in (answer_of(*streamed), fold(whole_of([item]))):
        assert blocks(answer) == [("thinking", "raw")]
        assert answer.blocks[0].start.raw


def test_a_wrapped_signature_gets_its_family_back():
    answer = fold(whole_of([reasoning("t", sealed=wrap(Sig("E", "claude")))]))
    assert answer.blocks[0].signature == Sig("E", "claude")
    grok = check(
        DIALECT.reader(Caps(family="grok")).whole(
            json.dumps(response("completed", [reasoning("t")])).encode()
        )
    )
    assert fold(grok).blocks[0].signature == Sig("gAAA", "grok")


# ---- calls ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("pieces", "final", "args"),
    [
        ((), '{"a":1}', '{"a":1}'),
        (('{"a"',), '{"a":1}', '{"a":1}'),
        (('{"a":1}',), '{"a":1}', '{"a":1}'),
        (('{"a":1}',), '{"b":2}', '{"a":1}'),
        ((), "", ""),
        (("{}",), "", "{}"),
    ],
    ids=["edge-42", "edge-15", "plain", "contradiction", "edge-73", "no final"],
)
def test_arguments_are_told_once(pieces, final, args):
    answer = answer_of(
        CREATED, *called(0, call(args=final), *pieces), completed([call(args=final)])
    )
    assert blocks(answer) == [("tool_call", args)]


def test_edge_16_a_name_that_comes_late():
    late = call(name="", args="")
    where = {"item_id": "fc_1", "output_index": 0}
    answer = answer_of(
        CREATED, added(0, late), event("function_call_arguments.delta", **where, delta='{"a":'),
        *said(1, message("x"), "x"),
        event("function_call_arguments.delta", **where, delta="1}"),
        event("function_call_arguments.done", **where, arguments='{"a":1}', name="f"),
        done(0, call(args='{"a":1}')), completed([]),
    )  # fmt: skip
    assert blocks(answer) == [("text", "x"), ("tool_call", '{"a":1}')]


def test_edge_17_a_call_that_never_gets_a_name_is_dropped():
    answer = answer_of(CREATED, added(0, call(name="")), *said(1, message("x"), "x"), completed([]))
    assert blocks(answer) == [("text", "x")]
    assert answer.finish.reason == "stop"


def test_edge_56_arguments_of_an_unknown_item_go_to_the_open_call():
    answer = answer_of(
        CREATED, added(0, call(args="")),
        event("function_call_arguments.delta", item_id="fc_other", delta="{}"), done(0, call()), completed([]),
    )  # fmt: skip
    assert blocks(answer) == [("tool_call", "{}")]


def test_custom_calls_and_namespaces():
    item = {
        "id": "ctc_1",
        "type": "custom_tool_call",
        "call_id": "c",
        "name": "sql",
        "input": "SELECT",
        "namespace": "db",
    }
    where = {"item_id": "ctc_1", "output_index": 0}
    streamed = [CREATED, added(0, {**item, "input": ""}), event("custom_tool_call_input.delta", **where, delta="SEL"),
                event("custom_tool_call_input.done", **where, input="SELECT"), done(0, item), completed([item])]  # fmt: skip
    for answer in (answer_of(*streamed), fold(whole_of([item]))):
        [block] = answer.blocks
        assert (block.start.id, block.start.name, block.start.namespace) == ("c", "sql", "db")
        assert (block.start.tool_kind, block.text) == ("custom", "SELECT")
        assert answer.finish.reason == "tool_calls"


def test_what_a_host_says_of_an_item_that_is_done_changes_nothing():
    late = event(
        "output_text.delta", item_id="msg_1", output_index=0, content_index=0, delta="late"
    )
    refused = event("refusal.delta", item_id="msg_1", output_index=0, content_index=1, delta="late")
    mused = event(
        "reasoning_summary_text.delta",
        item_id="rs_1",
        output_index=1,
        summary_index=0,
        delta="late",
    )
    answer = answer_of(
        CREATED,
        *said(0, message("x"), "x"),
        *thought(1, reasoning("t")),
        late,
        refused,
        mused,
        completed([]),
    )
    assert blocks(answer) == [("text", "x"), ("thinking", "t")]


# ---- items of the provider --------------------------------------------------------------------
def test_a_web_search():
    item = {"id": "ws_1", "type": "web_search_call", "status": "completed",
            "action": {"type": "search", "query": "q", "sources": [{"type": "url", "url": "u"}]}}  # fmt: skip
    steps = [
        event(f"web_search_call.{s}", item_id="ws_1", output_index=0)
        for s in ("in_progress", "searching", "completed")
    ]
    streamed = [
        CREATED,
        added(0, {**item, "status": "in_progress"}),
        *steps,
        done(0, item),
        completed([item]),
    ]
    for answer in (answer_of(*streamed), fold(whole_of([item]))):
        searched, found = answer.blocks
        assert (searched.kind, searched.start.server_kind, searched.text) == (
            "server_call",
            "web_search",
            '{"query":"q"}',
        )
        assert found.start.payload == {"results": [{"type": "url", "url": "u"}]}
        assert answer.finish.reason == "stop"


@pytest.mark.parametrize(
    ("item", "kinds"),
    [
        (
            {
                "id": "ig_1",
                "type": "image_generation_call",
                "result": "AAAA",
                "output_format": "jpeg",
            },
            ["image"],
        ),
        ({"id": "ig_1", "type": "image_generation_call", "result": None}, []),
        (
            {"id": "ci_1", "type": "code_interpreter_call", "code": "1", "outputs": []},
            ["server_call", "server_result"],
        ),
        (
            {"id": "m_1", "type": "mcp_call", "name": "n", "arguments": "{}"},
            ["server_call", "server_result"],
        ),
        ({"id": "x", "type": "of_the_future"}, ["opaque"]),
    ],
)
def test_other_items(item, kinds):
    answer = fold(whole_of([item, message("x")]))
    assert [b.kind for b in answer.blocks] == [*kinds, "text"]
    if kinds == ["image"]:
        assert (answer.blocks[0].start.mime, answer.blocks[0].text) == ("image/jpeg", "AAAA")


# ---- the end ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("max_output_tokens", "length"),
        ("content_filter", "content_filter"),
        ("steered", "length"),
        (None, "length"),
    ],
)
def test_edge_53_incomplete_answers(reason, expected):
    details = {"incomplete_details": {"reason": reason} if reason else None}
    end = event("incomplete", response=response("incomplete", [], usage=USAGE, **details))
    streamed = answer_of(CREATED, *called(0, call(), "{}"), end)
    assert streamed.finish.reason == expected
    assert fold(whole_of([call()], "incomplete", **details)).finish == streamed.finish


@pytest.mark.parametrize(
    ("payload", "status", "message"),
    [
        (event("failed", response=response("failed", error={"code": "rate_limit_exceeded", "message": "slow"})), 429, "slow"),
        (event("failed", response=response("failed", error={"code": "server_is_overloaded", "message": "b"})), 503, "b"),
        (event("failed", response=response("failed")), 502, "The upstream failed"),
        ({"type": "error", "code": "invalid_prompt", "message": "bad", "param": None}, 400, "bad"),
        ({"type": "error", "error": {"type": "invalid_request_error", "code": None, "message": "bad"}}, 400, "bad"),
        ({"type": "error", "code": "cyber_policy"}, 400, "cyber_policy"),
        ({"error": {"message": "boom"}}, 502, "boom"),
        ({"type": "error", "code": 5, "message": {"a": 1}}, 502, "failed"),
    ],
)  # fmt: skip
def test_edge_34_failures(payload, status, message):
    for before in ([], [CREATED, *said(0, {"id": "msg_1", "type": "message"}, "x")[:3]]):
        last = events_of(*before, payload, completed([]))[-1]
        assert isinstance(last, Error)
        assert last.status == status
        assert message in last.message


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("rate_limit_exceeded", 429), ("insufficient_quota", 429), ("usage_limit_reached", 429), ("usage_not_included", 403),
        ("invalid_api_key", 401), ("model_not_found", 404), ("context_length_exceeded", 400), ("invalid_prompt", 400),
        ("invalid_image", 400), ("image_too_large", 400), ("image_content_policy_violation", 400), ("bio_policy", 400),
        ("misalignment_policy_violation", 400), ("server_is_overloaded", 503), ("slow_down", 503), ("server_error", 500),
        ("vector_store_timeout", 504), ("of_the_future", 502),
    ],
)  # fmt: skip
def test_the_status_a_code_stands_for(code, status):
    assert events_of({"type": "error", "code": code, "message": "x"})[-1].status == status


def test_nothing_is_heard_after_the_end():
    answer = answer_of(
        CREATED, *said(0, message("x"), "x"), completed([]), *said(1, message("y", number=2), "y")
    )
    assert blocks(answer) == [("text", "x")]
    assert isinstance(events_of(CREATED, completed([]), b"[DONE]")[-1], Error | End)


def test_an_answer_that_counts_tokens_and_says_nothing_is_an_error():
    assert isinstance(events_of(CREATED, completed([]))[-1], Error)
    quiet = {"usage": {**USAGE, "output_tokens": 10}}
    assert isinstance(events_of(CREATED, completed([], **quiet))[-1], End)


@pytest.mark.parametrize("usage", [None, {}, 7, {"input_tokens": "x"}, {"input_tokens": True}])
def test_usage_that_is_none_stays_unknown(usage):
    events = events_of(CREATED, *said(0, message("x"), "x"), completed([], usage=usage))
    assert not any(isinstance(e, Usage) for e in events)


def test_unknown_events_and_damaged_payloads_are_skipped():
    answer = answer_of(
        CREATED, event("of_the_future"), {"type": "codex.rate_limits"}, b"{broken", b"7", b"", {"type": 5}, *said(0, message("x"), "x"),
        completed([]),
    )  # fmt: skip
    assert blocks(answer) == [("text", "x")]


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"7", b"{}", b'{"error":{"message":"x"}}', json.dumps(response("in_progress")).encode(),
     json.dumps(response("failed", error={"code": "server_error", "message": "x"})).encode()],
)  # fmt: skip
def test_a_whole_answer_that_is_none_is_an_error(body):
    assert isinstance(check(DIALECT.reader(Caps()).whole(body))[-1], Error)


def test_an_unreadable_first_event_is_an_error():
    assert isinstance(events_of(b"<html>")[-1], Error)


# ---- however the bytes come -------------------------------------------------------------------
def sse(payloads, newline=b"\n", space=b" ", *, pretty=False, named=True, last=True):
    out = [b"\xef\xbb\xbf", b": hello" + newline, b"retry: 5" + newline, b"id: 1" + newline * 2]
    for payload in payloads:
        data = json.dumps(payload, ensure_ascii=False, indent=1 if pretty else None).encode()
        if named:
            out.append(b"event:" + space + payload["type"].encode() + newline)
        out += [b"data:" + space + line + newline for line in data.split(b"\n")]
        out.append(newline)
    joined = b"".join(out)
    return joined if last else joined[: -len(newline)]


RICH = [CREATED, *thought(0, reasoning("ü", "🙂")), *said(1, message("Grüß\u2028\u0085"), "Grüß", "\u2028\u0085"),
        *called(2, call(args='{"é":1}'), '{"é', '":1}'), completed([])]  # fmt: skip
STREAMS = [
    sse(RICH),
    sse(RICH, b"\r\n", b"", pretty=True),
    sse(RICH, b"\r", named=False),
    sse(RICH, last=False),
]
EXPECTED = events_of(*RICH)


def read(pieces):
    decoder, reader = SseDecoder(), DIALECT.reader(Caps())
    events = []
    for piece in pieces:
        for frame in decoder.feed(piece):
            events += reader.feed(frame.data, frame.event)
    for frame in decoder.close():
        events += reader.feed(frame.data, frame.event)
    return check(events + reader.close())


@pytest.mark.parametrize(
    "stream", STREAMS, ids=["plain", "crlf-pretty", "cr-nameless", "no-last-line"]
)
def test_edges_161_to_167_a_cut_at_every_byte_changes_nothing(stream):
    assert blocks(fold(EXPECTED)) == [
        ("thinking", "ü\n\n🙂"),
        ("text", "Grüß\u2028\u0085"),
        ("tool_call", '{"é":1}'),
    ]
    for at in range(len(stream)):
        assert read([stream[:at], stream[at:]]) == EXPECTED


@pytest.mark.parametrize(
    "stream", STREAMS, ids=["plain", "crlf-pretty", "cr-nameless", "no-last-line"]
)
def test_byte_by_byte_changes_nothing(stream):
    assert read([stream[n : n + 1] for n in range(len(stream))]) == EXPECTED


def test_a_summary_told_only_when_done_is_told_once():
    where = {"item_id": "rs_1", "output_index": 0}
    parts = [
        event("reasoning_summary_text.done", **where, summary_index=n, text=t)
        for n, t in enumerate("ab")
    ]
    item = reasoning(sealed="")
    answer = answer_of(
        CREATED, added(0, item), *parts, *parts, *said(1, message("x"), "x"), completed([])
    )
    assert blocks(answer) == [("thinking", "a\n\nb"), ("text", "x")]

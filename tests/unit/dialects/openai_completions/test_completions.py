"""The legacy completions dialect: clients only."""

from __future__ import annotations

import json

import pytest
from openai.types import Completion

from cliproxy.base.errors import BadRequest, NotBuilt, RateLimited
from cliproxy.dialects import ParseMeta
from cliproxy.dialects.openai_completions import DIALECT
from cliproxy.dialects.openai_completions.wire import KEPT, MAPPED
from cliproxy.ir.caps import Caps
from cliproxy.ir.check import check
from cliproxy.ir.events import (
    ArgsDelta,
    BlockStart,
    BlockStop,
    End,
    Error,
    Finish,
    RefusalDelta,
    Start,
    TextDelta,
    ThinkingDelta,
    Usage,
)
from cliproxy.ir.fold import fold
from cliproxy.ir.request import Message, Text
from cliproxy.ir.usage import IRUsage


def parse(**body):
    return DIALECT.parse({"model": "m", **body}, ParseMeta())


def prompt_of(**body):
    return parse(**body).messages


def payloads(data):
    frames = data[:-2].split(b"\n\n")
    assert all(f.startswith(b"data: ") for f in frames)
    return [f[6:] for f in frames]


def stream(req, events):
    writer = DIALECT.writer(req)
    return payloads(b"".join(writer.feed([e]) for e in check(events)))


EVENTS = [
    Start("abc", "up", 7),
    BlockStart(0, "thinking"),
    ThinkingDelta(0, "hm"),
    BlockStop(0),
    BlockStart(1, "text"),
    TextDelta(1, "Hel"),
    TextDelta(1, "lo"),
    BlockStop(1),
    BlockStart(2, "tool_call", id="c", name="f"),
    ArgsDelta(2, "{}"),
    BlockStop(2),
    Usage(IRUsage(input_total=3, output_total=2)),
    Finish("tool_calls"),
    End(),
]


def test_every_field_of_the_official_types_is_classified():
    import typing

    from openai.types.completion_create_params import CompletionCreateParamsBase

    assert set(typing.get_type_hints(CompletionCreateParamsBase)) | {"stream"} <= MAPPED | KEPT


# ---- parse ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"prompt": "Say hi"}, "Say hi"),
        ({"prompt": ["Say hi"]}, "Say hi"),
        ({"prompt": ""}, "Complete this:"),
        ({"prompt": None}, "Complete this:"),
        ({}, "Complete this:"),
        ({"prompt": ["a", "b"]}, "a\nb"),
    ],
)
def test_a_prompt_is_one_user_message(body, text):
    assert prompt_of(**body) == (Message("user", (Text(text),)),)


def test_several_prompts_are_reported():
    assert parse(prompt=["a", "b"]).extras == {"prompt": ["a", "b"]}
    assert parse(prompt=["a"]).extras == {}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"prompt": [1, 2, 3]}, "prompt"),
        ({"prompt": [[1, 2], [3]]}, "prompt"),
        ({"prompt": 5}, "prompt"),
        ({"prompt": ["a", None]}, "prompt[1]"),
        ({"messages": []}, "prompt"),
        ({"prompt": "x", "model": ""}, "model"),
        ({"prompt": "x", "logprobs": "many"}, "logprobs"),
        ({"prompt": "x", "echo": True, "logprobs": 1}, "echo"),
    ],
)
def test_a_fault_names_its_field(body, param):
    with pytest.raises(BadRequest) as caught:
        parse(**body)
    assert caught.value.param == param


def test_scalars_are_read():
    req = parse(prompt="x", max_tokens=5, temperature=0, stop="\n", n=2, seed=1, logprobs=3, user="u",
                stream=True, stream_options={"include_usage": True})  # fmt: skip
    assert (req.sampling.max_output, req.sampling.temperature, req.sampling.stop) == (5, 0, ("\n",))
    assert (req.sampling.n, req.sampling.logprobs, req.sampling.top_logprobs) == (2, True, 3)
    assert (req.meta.end_user, req.stream, req.stream_usage) == ("u", True, True)
    assert req.extras == {}


def test_what_no_chat_model_can_do_is_left_to_the_builder_to_report():
    req = parse(prompt="x", suffix="end", best_of=3, min_p=0.1)
    assert req.extras == {"suffix": "end", "best_of": 3, "min_p": 0.1}
    assert parse(prompt="x", suffix="", best_of=1).extras == {}


# ---- write ------------------------------------------------------------------------------------
def test_the_stream_holds_text_a_finish_usage_and_done():
    req = parse(prompt="x", stream=True, stream_options={"include_usage": True})
    found = stream(req, EVENTS)
    assert found[-1] == b"[DONE]"
    bodies = [json.loads(p) for p in found[:-1]]
    for body in bodies[:-1]:
        assert (body["id"], body["object"], body["created"], body["model"]) == (
            "cmpl-abc", "text_completion", 7, "m",
        )  # fmt: skip
        assert body["usage"] is None
    assert [b["choices"][0]["text"] for b in bodies[:-1]] == ["Hel", "lo", ""]
    assert [b["choices"][0]["finish_reason"] for b in bodies[:-1]] == [None, None, "stop"]
    assert bodies[-1]["choices"] == []
    assert bodies[-1]["usage"]["total_tokens"] == 5


def test_usage_is_absent_unless_asked_for():
    assert all(b"usage" not in p for p in stream(parse(prompt="x", stream=True), EVENTS))


def test_a_whole_answer_is_a_valid_completion():
    completion = Completion.model_validate_json(DIALECT.render(fold(EVENTS), parse(prompt="x")))
    assert completion.choices[0].text == "Hello"
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage.total_tokens == 5


@pytest.mark.parametrize(
    ("reason", "word"),
    [("length", "length"), ("content_filter", "content_filter"), ("stop_sequence", "stop")],
)
def test_finish_reasons(reason, word):
    events = [
        Start("a"),
        BlockStart(0, "refusal"),
        RefusalDelta(0, "No."),
        BlockStop(0),
        Finish(reason),
        End(),
    ]
    choice = json.loads(DIALECT.render(fold(events), parse(prompt="x")))["choices"][0]
    assert (choice["text"], choice["finish_reason"]) == ("No.", word)


def test_echo_repeats_the_prompt_first_in_every_choice():
    events = [
        Start("a"),
        BlockStart(0, "text"),
        TextDelta(0, "A"),
        BlockStop(0),
        BlockStart(1, "text", 1),
        TextDelta(1, "B"),
        BlockStop(1),
        Finish("stop"),
        Finish("length", choice=1),
        End(),
    ]
    req = parse(prompt="Say ", echo=True, n=2)
    whole = json.loads(DIALECT.render(fold(events), req))
    assert [c["text"] for c in whole["choices"]] == ["Say A", "Say B"]
    streamed = {0: "", 1: ""}
    for payload in stream(req, events)[:-1]:
        choice = json.loads(payload)["choices"][0]
        streamed[choice["index"]] += choice["text"]
    assert streamed == {0: "Say A", 1: "Say B"}


def test_log_probabilities_take_the_legacy_shape():
    tokens = [
        {"token": "He", "logprob": -0.1, "top_logprobs": [{"token": "He", "logprob": -0.1}]},
        {"token": "llo", "logprob": -0.2, "top_logprobs": []},
    ]
    finish = Finish("stop", details={"logprobs": {"content": tokens}})
    events = [Start("a"), BlockStart(0, "text"), TextDelta(0, "Hello"), BlockStop(0), finish, End()]
    expected = {
        "tokens": ["He", "llo"],
        "token_logprobs": [-0.1, -0.2],
        "top_logprobs": [{"He": -0.1}, {}],
        "text_offset": [0, 2],
    }
    req = parse(prompt="x", logprobs=1)
    assert json.loads(DIALECT.render(fold(events), req))["choices"][0]["logprobs"] == expected
    assert json.loads(stream(req, events)[-2])["choices"][0]["logprobs"] == expected


def test_an_error_ends_the_stream():
    found = stream(parse(prompt="x"), [Start("a"), Error(429, "rate_limit", "later")])
    assert json.loads(found[-1])["error"]["message"] == "later"
    assert b"[DONE]" not in found
    assert json.loads(DIALECT.error(RateLimited("later")))["error"]["code"] == "rate_limit_exceeded"


def test_nothing_is_spoken_to_upstreams_in_this_dialect():
    with pytest.raises(NotBuilt):
        DIALECT.build(parse(prompt="x"), Caps())
    with pytest.raises(NotBuilt):
        DIALECT.reader(Caps())
    with pytest.raises(NotBuilt):
        DIALECT.render_count(1)

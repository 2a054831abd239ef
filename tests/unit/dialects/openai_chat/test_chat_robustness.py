"""Bodies with any value in any place: refused by name or read, never a crash.

Valid bodies are broken at random places with a fixed seed, so that a failure repeats.
"""

from __future__ import annotations

import copy
import json
import random

import pytest
from tests.unit.dialects.spoilt import places

from cliproxy.base.errors import BadRequest
from cliproxy.dialects import ParseMeta
from cliproxy.dialects.openai_chat import DIALECT
from cliproxy.ir.caps import Caps
from cliproxy.ir.check import check
from cliproxy.ir.events import Error
from cliproxy.ir.fold import fold

VALUES = [
    None, True, 0, -1, 1.5, 10**30, 1e300, "", "x", "data:image/png;base64,AAAA", "{}", '{"a":1}', [], {},
    ["a"], [1], {"text": "t"}, [{"text": "t"}], {"url": "u"}, {"type": "source"},
]  # fmt: skip


def broken(value, rng):
    value = copy.deepcopy(value)
    for _ in range(rng.randint(1, 3)):
        found = list(places(value))
        if not found:
            break
        *path, last = rng.choice(found)
        target = value
        for key in path:
            target = target[key]
        if isinstance(target, dict) and rng.random() < 0.3:
            del target[last]
        else:
            target[last] = copy.deepcopy(rng.choice(VALUES))
    return value


def chunk(delta, finish=None, **more):
    choice = {
        "index": 0,
        "delta": delta,
        "finish_reason": finish,
        "logprobs": {"content": [{"token": "a"}]},
    }
    return {"id": "i", "created": 1, "model": "m", "choices": [choice], **more}


CHUNKS = [
    chunk({"content": "a", "role": "assistant"}),
    chunk({"reasoning_content": "r", "reasoning": [{"text": "x"}], "reasoning_details": [{"text": "q"}]}),
    chunk({"tool_calls": [
        {"index": 0, "id": "c", "function": {"name": "f", "arguments": '{"a":1}'},
         "extra_content": {"google": {"thought_signature": "s"}}},
        {"index": 1, "id": "d", "type": "custom", "custom": {"name": "f", "input": "x"}},
    ]}),
    chunk({"images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}],
           "annotations": [{"type": "url_citation", "url_citation": {
               "url": "u", "title": "t", "start_index": 0, "end_index": 1}}]}),
    chunk({"audio": {"id": "a", "data": "AAAA", "transcript": "t", "expires_at": 5}}),
    chunk({"refusal": "n", "function_call": {"name": "f", "arguments": "{}"}}),
    chunk({"content": [{"type": "text", "text": "a"}, {"type": "thinking", "thinking": "x"}]}),
    chunk({}, "stop", usage={"prompt_tokens": 5, "completion_tokens": 2,
                             "completion_tokens_details": {"reasoning_tokens": 1}}),
    {"choices": [], "usage": {"prompt_tokens": 5}, "x_groq": {"usage": {}}, "citations": ["u", {"url": "v"}]},
    {"error": {"message": "m", "code": 5, "type": "t", "metadata": {"raw": "r"}}},
]  # fmt: skip

REQUEST = {
    "model": "m",
    "messages": [
        {"role": "system", "content": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}]},
        {"role": "user", "name": "n", "content": [
            {"type": "text", "text": "a"},
            {"type": "image_url", "image_url": {"url": "https://x", "detail": "low"}},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "AAAA"}},
            {"type": "video_url", "video_url": {"url": "https://v"}},
        ]},
        {"role": "assistant", "content": "c", "reasoning_content": "r", "refusal": "x",
         "images": [{"type": "image_url", "image_url": {"url": "https://x"}}],
         "tool_calls": [
             {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}},
             {"id": "d", "type": "custom", "custom": {"name": "q", "input": "x"}}]},
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "t"}]},
        {"role": "developer", "content": "z"},
        {"role": "user", "content": "q"},
    ],
    "tools": [
        {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": True}},
        {"type": "custom", "custom": {"name": "q", "format": {
            "type": "grammar", "grammar": {"syntax": "lark", "definition": "x"}}}},
        {"google_search": {}},
        {"type": "web_search", "user_location": {"city": "x"}},
    ],
    "tool_choice": {"type": "allowed_tools", "allowed_tools": {
        "mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "strict": True}},
    "thinking": {"type": "enabled", "budget_tokens": 5},
    "reasoning": {"effort": "low", "max_tokens": 5, "exclude": True},
    "extra_body": {"google": {"thinking_config": {"thinking_budget": 5, "include_thoughts": True}}},
    "stop": ["a"], "temperature": 1, "max_tokens": 5, "logit_bias": {"1": 2}, "metadata": {"a": "b"},
    "stream": True, "stream_options": {"include_usage": True},
    "web_search_options": {"search_context_size": "low", "user_location": {
        "type": "approximate", "approximate": {"city": "x"}}},
    "functions": [{"name": "g"}], "function_call": {"name": "g"}, "modalities": ["text"], "user": "u",
}  # fmt: skip
TARGETS = (Caps(model="u"), Caps(model="u", known=True, base_is_official=True, custom_tools=True))


def fault(body):
    """Build for every target; return the field a refusal names, None if there was none."""
    try:
        for caps in TARGETS:
            DIALECT.build(DIALECT.parse(body, ParseMeta()), caps)
    except BadRequest as err:
        return err.param or "nameless"
    return None


@pytest.mark.parametrize("seed", range(4))
def test_a_broken_request_is_read_or_refused_by_name(seed):
    rng = random.Random(seed)
    for _ in range(250):
        body = broken(REQUEST, rng)
        before = json.dumps(body)
        assert fault(body) != "nameless", body
        assert json.dumps(body) == before


@pytest.mark.parametrize("seed", range(4))
def test_a_broken_stream_keeps_the_grammar_and_can_be_written(seed):
    rng = random.Random(seed)
    req = DIALECT.parse({"model": "m", "messages": [{"role": "user", "content": "x"}]}, ParseMeta())
    for _ in range(400):
        reader = DIALECT.reader(Caps())
        events = []
        for _ in range(rng.randint(1, 6)):
            events += reader.feed(json.dumps(broken(rng.choice(CHUNKS), rng)).encode())
        if rng.random() < 0.5:
            events += reader.feed(b"[DONE]")
        events = check(events + reader.close())
        assert DIALECT.writer(req).feed(events)
        if not isinstance(events[-1], Error):
            assert DIALECT.render(fold(events), req)


@pytest.mark.parametrize("seed", range(2))
def test_a_broken_whole_answer_keeps_the_grammar(seed):
    rng = random.Random(seed)
    for _ in range(300):
        body = copy.deepcopy(rng.choice(CHUNKS))
        for choice in body.get("choices") or []:
            choice["message"] = choice.pop("delta")
        check(DIALECT.reader(Caps()).whole(json.dumps(broken(body, rng)).encode()))


@pytest.mark.parametrize("seed", range(2))
def test_a_broken_error_body_still_says_something(seed):
    rng = random.Random(seed)
    body = {
        "error": {"message": "m", "type": "t", "code": "c", "param": "p", "metadata": {"raw": "r"}}
    }
    for _ in range(200):
        err = DIALECT.read_error(500, {}, json.dumps(broken(body, rng)).encode())
        assert err.message
        assert json.loads(DIALECT.error(err))["error"]

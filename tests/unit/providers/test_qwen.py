"""Qwen Code's host."""

from __future__ import annotations

import json

import pytest
from tests.unit.providers.hosts import USER, login, refusal, send

from cliproxy.providers.qwen import PROVIDER, base_of
from cliproxy.routing.reasons import is_whole, reason_for

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


def asked(messages=USER, model="qwen3-coder-plus", **more):
    return {"model": model, "messages": messages, **more}


@pytest.mark.parametrize(
    ("resource", "override", "base"),
    [
        ("", "", "https://portal.qwen.ai/v1"),
        ("portal.qwen.ai", "", "https://portal.qwen.ai/v1"),
        (
            "https://dashscope.example/compatible-mode/v1/",
            "",
            "https://dashscope.example/compatible-mode/v1",
        ),
        ("x.example/", "", "https://x.example/v1"),
        ("portal.qwen.ai", "http://127.0.0.1:1", "http://127.0.0.1:1/v1"),
        ("http://x.example/v1", "", "https://portal.qwen.ai/v1"),
        ("http://127.0.0.1.x.example", "", "https://portal.qwen.ai/v1"),
        ("ftp://x.example", "", "https://portal.qwen.ai/v1"),
        ("https://[::1", "", "https://portal.qwen.ai/v1"),
        ("http://127.0.0.1:8/v1", "", "http://127.0.0.1:8/v1"),
        ("http://localhost:8", "", "http://localhost:8/v1"),
    ],
)
def test_the_login_says_which_host_it_is_for(resource, override, base):
    assert base_of(login("qwen", override, resource_url=resource)) == base


def test_the_protocol_s_headers_are_sent_and_nobody_s_name_but_ours():
    sent = send(
        login("qwen"),
        asked(),
        headers={"user-agent": "OpenAI/Python 2.0", "x-stainless-lang": "python"},
    )
    assert sent.http.url == "https://portal.qwen.ai/v1/chat/completions"
    assert sent.headers["authorization"] == "Bearer at"
    assert sent.headers["x-dashscope-authtype"] == "qwen-oauth"
    assert sent.headers["x-dashscope-cachecontrol"] == "enable"
    assert sent.headers["x-dashscope-useragent"].startswith("cliproxy/")
    assert sent.headers["user-agent"].startswith("cliproxy/")
    assert "x-stainless-lang" not in sent.headers


def test_the_vendor_s_own_client_stays_who_it_is():
    body = json.dumps(
        asked([{"role": "system", "content": "S"}, *USER], metadata={"sessionId": "s"}), indent=1
    ).encode()
    own = {"user-agent": "QwenCode/0.14 (linux; x64)", "x-dashscope-useragent": "QwenCode/0.14"}
    sent = send(login("qwen"), body, headers=own)
    assert sent.http.body == body
    assert sent.headers["user-agent"] == "QwenCode/0.14 (linux; x64)"
    assert sent.headers["x-dashscope-useragent"] == "QwenCode/0.14"


@pytest.mark.parametrize(
    "messages",
    [
        USER,
        [{"role": "system", "content": "S"}, *USER],
        [{"role": "system", "content": [{"type": "text", "text": "S"}]}, *USER],
    ],
)
def test_what_is_right_passes_byte_for_byte(messages):
    body = json.dumps(asked(messages, temperature=0.1000, unknown={"a": 1}), indent=2).encode()
    assert send(login("qwen"), body).http.body == body


@pytest.mark.parametrize(
    ("messages", "system"),
    [
        (
            [{"role": "system", "content": "A"}, {"role": "system", "content": "B"}, *USER],
            [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}],
        ),
        ([*USER, {"role": "system", "content": "late"}], [{"type": "text", "text": "late"}]),
        ([{"role": "developer", "content": "D"}, *USER], [{"type": "text", "text": "D"}]),
        (
            [{"role": "system", "content": [{"type": "text", "text": "A", "cache_control": {"type": "ephemeral"}}]},
             {"role": "developer", "content": "B"}, *USER],
            [{"type": "text", "text": "A", "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": "B"}],
        ),
    ],
    ids=["two", "not the first", "developer", "parts"],
)  # fmt: skip
def test_there_is_one_system_message_and_it_comes_first(messages, system):
    sent = send(login("qwen"), asked(messages)).body["messages"]
    assert sent == [{"role": "system", "content": system}, *USER]


@pytest.mark.parametrize("dialect", ["anthropic", "openai-responses"])
def test_also_in_a_translated_request(dialect):
    body = {"model": "qwen3-coder-plus", "max_tokens": 9, "system": "S", "messages": USER}
    if dialect == "openai-responses":
        body = {"model": "qwen3-coder-plus", "instructions": "S", "input": [
            {"role": "developer", "content": "D"}, {"role": "user", "content": "Hi"}]}  # fmt: skip
    sent = send(login("qwen"), {**body, "stream": True}, dialect=dialect).body
    assert [m["role"] for m in sent["messages"]] == ["system", "user"]
    assert sent["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("model", "effort", "said"),
    [
        ("qwen9-hybrid", "none", {"enable_thinking": False}),
        ("qwen9-hybrid", "high", {"enable_thinking": True}),
        ("qwen3-coder-plus", "high", {}),
    ],
    ids=["off", "on", "cannot think"],
)
def test_thinking_is_a_switch(model, effort, said):
    sent = send(login("qwen"), asked(model=model, reasoning_effort=effort)).body
    assert "reasoning_effort" not in sent
    assert {k: v for k, v in sent.items() if k == "enable_thinking"} == said


def test_the_client_s_own_switch_wins():
    sent = send(
        login("qwen"), asked(model="qwen9", reasoning_effort="high", enable_thinking=False)
    ).body
    assert sent["enable_thinking"] is False


@pytest.mark.parametrize(
    ("model", "tools", "content"),
    [
        ("glm-4.6", None, "Hi\n\nthere"),
        ("glm-4.6", [{"type": "function", "function": {"name": "f"}}], "as it was"),
        ("qwen3-coder-plus", None, "as it was"),
    ],
)
def test_glm_without_tools_gets_plain_text(model, tools, content):
    parts = [{"type": "text", "text": "Hi"}, {"type": "text", "text": "there"}]
    body = asked(
        [{"role": "user", "content": parts}], model=model, **({"tools": tools} if tools else {})
    )
    found = send(login("qwen"), body).body["messages"][0]["content"]
    assert found == (parts if content == "as it was" else content)


@pytest.mark.parametrize(
    ("model", "content", "set_"),
    [("vision-model", [IMAGE], True), ("qwen3-vl-plus", [IMAGE], True), ("vision-model", "Hi", False),
     ("coder-model", [IMAGE], False)],
)  # fmt: skip
def test_pictures_are_looked_at_closely(model, content, set_):
    sent = send(login("qwen"), asked([{"role": "user", "content": content}], model=model)).body
    assert sent.get("vl_high_resolution_images", False) is set_


def test_cache_marks_are_written_as_the_host_reads_them():
    part = {"type": "text", "text": "S", "cache_control": {"type": "ephemeral"}}
    body = asked([{"role": "system", "content": [part]}, *USER])
    from cliproxy.dialects import ParseMeta, get
    from cliproxy.ir.caps import Caps

    chat = get("openai-chat")
    caps = PROVIDER.caps(Caps(model="m", base_is_official=True), login("qwen"))
    sent = chat.build(chat.parse(body, ParseMeta()), caps).body
    assert sent["messages"][0]["content"] == [part]


NOON = 1_800_000_000.0  # 2027-01-15 16:00 in China


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, {"error": {"code": "insufficient_quota", "message": "x"}}),
        (429, {"error": {"type": "quota_exceeded", "message": "x"}}),
        (429, {"error": {"message": "Free allocated quota exceeded."}}),
    ],
)
def test_a_used_up_allowance_lasts_until_midnight_in_china(status, body):
    err = PROVIDER.judge(refusal(status, body), NOON)
    assert (err.status, err.retry_after) == (429, 8 * 3600.0)
    assert reason_for(err) == "rate_limit"
    assert is_whole("rate_limit", err)
    assert "2026-04-15" in err.message


def test_what_the_host_says_about_when_counts_more():
    err = refusal(
        429, {"error": {"code": "insufficient_quota", "message": "x"}}, **{"retry-after": "60"}
    )
    assert PROVIDER.judge(err, NOON).retry_after == 60.0


@pytest.mark.parametrize("status", [400, 403, 429, 500])
def test_other_refusals_mean_what_they_say(status):
    err = PROVIDER.judge(refusal(status, {"error": {"message": "something"}}), NOON)
    assert (err.status, err.retry_after) == (status, None)


def test_a_token_that_ended_is_known_by_its_status():
    assert PROVIDER.stale(
        refusal(401, {"error": {"message": "invalid access token or token expired"}})
    )
    assert not PROVIDER.stale(refusal(403, {"error": {"message": "no"}}))

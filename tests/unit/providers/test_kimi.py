"""Kimi Code's host."""

from __future__ import annotations

import json

import pytest
from tests.unit.providers.hosts import USER, login, refusal, send

from cliproxy.dialects import ParseMeta, get
from cliproxy.ir.caps import Caps
from cliproxy.ir.envelope import wrap
from cliproxy.ir.request import Sig
from cliproxy.providers.kimi import PROVIDER, UNKNOWN_REASONING, upstream_model
from cliproxy.routing.reasons import is_whole, reason_for

HOST = login("kimi", device_id="d" * 32)
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def asked(model="kimi-k2.5", messages=USER, **more):
    return {"model": model, "messages": messages, **more}


@pytest.mark.parametrize(
    ("name", "upstream"),
    [
        ("kimi-k3", "k3"),
        ("Kimi-K3[1m]", "k3"),
        ("kimi-k3-256k", "k3-256k"),
        ("kimi-k2.5", "k2.5"),
        ("k3", "k3"),
        ("kimi-k2.7-code", "kimi-for-coding"),
        ("k2.7-code", "kimi-for-coding"),
        ("for-coding", "kimi-for-coding"),
        ("kimi-for-coding", "kimi-for-coding"),
        ("kimi-k2.7-code-highspeed", "kimi-for-coding-highspeed"),
        ("for-coding-highspeed", "kimi-for-coding-highspeed"),
    ],
)
def test_models_have_names_of_their_own_upstream(name, upstream):
    assert upstream_model(name) == upstream


@pytest.mark.parametrize(
    ("dialect", "path"),
    [
        ("openai-chat", "/v1/chat/completions"),
        ("anthropic", "/v1/messages"),
        ("openai-responses", "/v1/messages"),
    ],
)
def test_each_api_has_its_path_and_the_machine_is_named(dialect, path):
    body = (
        {**asked(), "max_tokens": 9}
        if dialect != "openai-responses"
        else {"model": "kimi-k2.5", "input": "Hi"}
    )
    sent = send(HOST, body, dialect=dialect)
    assert sent.http.url == f"https://api.kimi.com/coding{path}"
    assert sent.body["model"] == "k2.5"
    assert sent.headers["authorization"] == "Bearer at"
    assert sent.headers["x-msh-device-id"] == "d" * 32
    assert sent.headers["x-msh-platform"] == "cliproxy"
    assert sent.headers["user-agent"].startswith("cliproxy/")


def test_counting_has_its_own_path():
    body = {"model": "kimi-k2.5", "messages": USER}
    sent = send(HOST, body, dialect="anthropic", operation="count")
    assert sent.http.url == "https://api.kimi.com/coding/v1/messages/count_tokens"


@pytest.mark.parametrize("base", ["http://127.0.0.1:1/coding", "http://127.0.0.1:1/coding/v1"])
def test_the_owner_s_host(base):
    assert (
        send(login("kimi", base), asked()).http.url
        == "http://127.0.0.1:1/coding/v1/chat/completions"
    )


@pytest.mark.parametrize(
    ("agent", "shown"),
    [
        ("KimiCLI/1.38", "KimiCLI/1.38"),
        ("claude-cli/2.0 (external, cli)", "claude-cli/2.0 (external, cli)"),
        ("RooCode/3.1", "RooCode/3.1"),
        ("OpenAI/Python 2.54", "cliproxy/"),
        ("Anthropic/JS 0.90.0", "cliproxy/"),
        ("node", "cliproxy/"),
        ("", "cliproxy/"),
    ],
)
def test_programs_are_named_and_libraries_are_not(agent, shown):
    sent = send(HOST, asked(), headers={"user-agent": agent, "x-stainless-os": "Linux"})
    assert sent.headers["user-agent"].startswith(shown)
    assert ("x-stainless-os" in sent.headers) is not shown.startswith("cliproxy")


def test_flags_of_a_messages_client_travel_whoever_it_is():
    given = {
        "user-agent": "Anthropic/JS 1",
        "anthropic-beta": "b",
        "anthropic-version": "2023-06-01",
    }
    sent = send(HOST, {**asked(), "max_tokens": 9}, dialect="anthropic", headers=given)
    assert (sent.headers["anthropic-beta"], sent.headers["anthropic-version"]) == (
        "b",
        "2023-06-01",
    )


def test_the_vendor_s_own_client_keeps_its_description_but_not_its_machine():
    given = {"user-agent": "KimiCLI/1", "x-msh-platform": "kimi_cli", "x-msh-device-id": "other"}
    sent = send(HOST, asked(), headers=given)
    assert (sent.headers["x-msh-platform"], sent.headers["x-msh-device-id"]) == (
        "kimi_cli",
        "d" * 32,
    )


def test_a_key_is_bound_to_no_machine():
    from tests.unit.providers.hosts import key

    assert "x-msh-device-id" not in send(key("kimi"), asked()).headers


def test_messages_only_is_the_owner_s_choice():
    sent = send(login("kimi", messages_only=True), asked())
    assert (sent.dialect, sent.verbatim) == ("anthropic", False)


def test_right_bodies_pass_but_for_the_model():
    body = b'{"model": "kimi-k2.5",  "messages": [{"role":"user", "content":"Hi"}], "n": 1.10}'
    assert send(HOST, body).http.body == (
        b'{"model":"k2.5","messages":[{"role":"user", "content":"Hi"}],"n":1.10}'
    )
    native = body.replace(b"kimi-k2.5", b"kimi-for-coding")
    assert send(HOST, native).http.body == native


# ---- thinking -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("model", "given", "thinking"),
    [
        ("kimi-k2.5", {"reasoning_effort": "none"}, {"type": "disabled"}),
        ("kimi-k3", {"reasoning_effort": "none"}, {"type": "enabled", "effort": "low"}),
        ("kimi-k2.5", {"reasoning_effort": "low"}, {"type": "enabled", "effort": "low"}),
        ("kimi-k2.5", {"reasoning_effort": "medium"}, {"type": "enabled", "effort": "low"}),
        ("kimi-k2.5", {"reasoning_effort": "xhigh"}, {"type": "enabled", "effort": "high"}),
        ("kimi-k3", {"reasoning_effort": "xhigh"}, {"type": "enabled", "effort": "max"}),
        ("kimi-k3", {"reasoning_effort": "auto"}, {"type": "enabled", "effort": "auto"}),
        (
            "kimi-k3",
            {"reasoning_effort": "high", "thinking": {"type": "enabled", "keep": "all"}},
            {"type": "enabled", "effort": "high", "keep": "all"},
        ),
        (
            "kimi-k3",
            {"thinking": {"type": "enabled", "keep": "all"}},
            {"type": "enabled", "keep": "all"},
        ),
        ("kimi-k2", {"reasoning_effort": "high"}, None),
        ("kimi-k3", {}, None),
    ],
)
def test_thinking_has_kimi_s_form(model, given, thinking):
    sent = send(HOST, asked(model, **given)).body
    assert sent.get("thinking") == thinking
    assert "reasoning_effort" not in sent


@pytest.mark.parametrize(
    ("model", "effort", "limit", "thinking"),
    [
        ("kimi-k3", "high", 64000, {"type": "enabled", "budget_tokens": 24576}),
        ("kimi-k3", "high", 8000, {"type": "enabled", "budget_tokens": 4000}),
        ("kimi-k3", "high", 500, None),
        ("kimi-k2.5", "none", 8000, {"type": "disabled"}),
    ],
)
def test_in_messages_thinking_is_a_budget(model, effort, limit, thinking):
    body = {
        "model": model,
        "input": "Hi",
        "max_output_tokens": limit,
        "reasoning": {"effort": effort},
    }
    sent = send(HOST, body, dialect="openai-responses").body
    assert sent.get("thinking") == thinking
    assert "effort" not in sent.get("output_config", {})


def test_a_messages_client_s_own_thinking_is_left_alone():
    body = {
        **asked("kimi-for-coding"),
        "max_tokens": 9,
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "low"},
    }
    assert send(HOST, body, dialect="anthropic").body == body


# ---- history ------------------------------------------------------------------------------------
def turn(**more):
    return {"role": "assistant", "content": None, "tool_calls": [CALL], **more}


RESULT = {"role": "tool", "tool_call_id": "c1", "content": "ok"}


@pytest.mark.parametrize(
    ("messages", "reasoning"),
    [
        ([*USER, turn(reasoning_content="own"), RESULT], ["own"]),
        ([*USER, turn(), RESULT], [UNKNOWN_REASONING]),
        ([*USER, turn(content="I look"), RESULT], ["I look"]),
        ([*USER, turn(reasoning_content=""), RESULT], [UNKNOWN_REASONING]),
        ([*USER, turn(reasoning_content="first"), RESULT, turn(), RESULT], ["first", "first"]),
    ],
    ids=["own", "unknown", "its text", "empty", "the latest"],
)
def test_a_turn_with_calls_has_reasoning(messages, reasoning):
    sent = send(HOST, asked(messages=messages)).body["messages"]
    assert [m["reasoning_content"] for m in sent if m["role"] == "assistant"] == reasoning


def test_without_thinking_none_is_made_up():
    sent = send(HOST, asked(messages=[*USER, turn(), RESULT], reasoning_effort="none")).body
    assert "reasoning_content" not in sent["messages"][1]


@pytest.mark.parametrize("empty", [{"content": ""}, {"content": None}, {}, {"content": []}])
def test_an_assistant_who_said_nothing_is_left_out(empty):
    messages = [*USER, {"role": "assistant", **empty}, *USER]
    assert send(HOST, asked(messages=messages)).body["messages"] == [*USER, *USER]


@pytest.mark.parametrize(
    ("calls", "result", "named"),
    [
        ([CALL], {}, "c1"),
        ([CALL], {"call_id": "c9"}, "c9"),
        ([CALL], {"tool_call_id": "c1"}, "c1"),
        ([CALL, {**CALL, "id": "c2"}], {}, None),
    ],
)
def test_a_result_is_given_the_call_it_answers(calls, result, named):
    messages = [*USER, turn(tool_calls=calls), {"role": "tool", "content": "ok", **result}]
    sent = send(HOST, asked(messages=messages)).body["messages"][-1]
    assert sent.get("tool_call_id") == named
    assert "call_id" not in sent


def test_kimi_s_own_signatures_are_given_back_to_it():
    caps = PROVIDER.caps(Caps(model="kimi-k3"), HOST)
    mine, other = wrap(Sig("mine", "kimi")), wrap(Sig("other", "gpt"))
    asked = {
        "model": "kimi-k3",
        "max_tokens": 9,
        "messages": [
            *USER,
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "t", "signature": mine},
                    {"type": "thinking", "thinking": "t", "signature": other},
                    {"type": "text", "text": "x"},
                ],
            },
            *USER,
        ],
    }
    dialect = get("anthropic")
    built = dialect.build(dialect.parse(asked, ParseMeta()), caps).body
    content = built["messages"][1]["content"]
    assert [b.get("signature") for b in content if b["type"] == "thinking"] == ["mine"]


# ---- refusals -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("status", "message", "meant", "reason"),
    [
        (401, "The API Key appears to be invalid or may have expired", 401, "authentication"),
        (402, "We are unable to verify your membership benefits", 402, "billing"),
        (403, "You've reached your usage limit for this billing cycle", 429, "rate_limit"),
        (429, "You've reached kimi monthly usage limit", 429, "rate_limit"),
        (429, "The engine is currently overloaded", 429, "rate_limit"),
        (
            403,
            "Kimi For Coding is currently only available for Coding Agents such as",
            403,
            "permission",
        ),
        (400, "thinking is enabled but reasoning_content is missing", 400, None),
    ],
)
@pytest.mark.parametrize("dialect", ["openai-chat", "anthropic"])
def test_what_a_refusal_means(dialect, status, message, meant, reason):
    err = PROVIDER.judge(
        refusal(status, {"type": "error", "error": {"message": message}}, dialect), 0.0
    )
    assert (err.status, reason_for(err)) == (meant, reason)
    assert is_whole("rate_limit", err) is ("usage limit" in message)


def test_who_is_not_listed_is_told_what_to_do():
    body = {"error": {"type": "access_terminated_error", "message": "no"}}
    assert "messages_only" in PROVIDER.judge(refusal(403, body), 0.0).message


def test_nothing_is_said_twice():
    said = "only available for Coding Agents"
    err = refusal(403, {"error": {"type": "access_terminated_error", "message": said}})
    once = PROVIDER.judge(err, 0.0).message
    assert PROVIDER.judge(err, 0.0).message == once
    assert json.dumps(once).count("messages_only") == 1

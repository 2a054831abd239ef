"""iFlow's host."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest
from tests.unit.providers.hosts import SESSION, USER, login, refusal, send

from cliproxy.dialects import get
from cliproxy.ir.caps import Caps
from cliproxy.ir.events import Error
from cliproxy.providers.iflow import PROVIDER, signed
from cliproxy.routing.reasons import reason_for

HOST = login("iflow", api_key="sk-1")


def asked(model="glm-4.6", stream=True, **more):
    return {"model": model, "messages": USER, "stream": stream, **more}


def test_the_key_of_the_login_is_sent_and_not_its_token():
    sent = send(HOST, asked())
    assert sent.http.url == "https://apis.iflow.cn/v1/chat/completions"
    assert sent.headers["authorization"] == "Bearer sk-1"


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("http://127.0.0.1:1", "http://127.0.0.1:1/v1/chat/completions"),
        ("http://127.0.0.1:1/v1/", "http://127.0.0.1:1/v1/chat/completions"),
        ("https://h.example/api", "https://h.example/api/chat/completions"),
    ],
)
def test_the_owner_s_host(base, url):
    assert send(login("iflow", base, api_key="k"), asked()).http.url == url


def test_a_request_is_signed_under_the_name_that_is_sent():
    sent = send(HOST, asked(), session=SESSION, headers={"user-agent": "OpenAI/Python 2"})
    assert sent.headers["user-agent"].startswith("cliproxy/")
    assert sent.headers["session-id"] == "session-01234567-89ab-cdef-0123-456789abcdef"
    message = ":".join(sent.headers[n] for n in ("user-agent", "session-id", "x-iflow-timestamp"))
    assert (
        sent.headers["x-iflow-signature"]
        == hmac.new(b"sk-1", message.encode(), hashlib.sha256).hexdigest()
    )


def test_the_signature_is_that_of_known_values():
    assert signed("cliproxy/1", "session-a", 1.5, "k") == {
        "session-id": "session-a",
        "x-iflow-timestamp": "1500",
        "x-iflow-signature": hmac.new(b"k", b"cliproxy/1:session-a:1500", "sha256").hexdigest(),
    }


def test_the_vendor_s_own_client_stays_who_it_is():
    sent = send(HOST, asked(), headers={"user-agent": "iFlow-Cli"})
    assert sent.headers["user-agent"] == "iFlow-Cli"


def test_without_a_conversation_each_request_has_a_name_of_its_own():
    assert len({send(HOST, asked()).headers["session-id"] for _ in range(3)}) == 3


@pytest.mark.parametrize(
    ("model", "effort", "said"),
    [
        (
            "glm-4.6",
            "high",
            {"chat_template_kwargs": {"enable_thinking": True, "clear_thinking": False}},
        ),
        ("glm-4.6", "none", {"chat_template_kwargs": {"enable_thinking": False}}),
        ("qwen3-max-preview", "low", {"chat_template_kwargs": {"enable_thinking": True}}),
        ("deepseek-v3.2", "none", {"chat_template_kwargs": {"enable_thinking": False}}),
        ("deepseek-v3.1", "auto", {"chat_template_kwargs": {"enable_thinking": True}}),
        ("minimax-m2.1", "high", {"reasoning_split": True}),
        ("minimax-m2", "none", {"reasoning_split": False}),
        ("kimi-k2", "high", {}),
        ("glm-4.6", None, {}),
    ],
)
@pytest.mark.parametrize("stream", [True, False], ids=["own bytes", "built"])
def test_each_family_is_told_to_think_in_its_words(model, effort, said, stream):
    more = {"reasoning_effort": effort} if effort else {}
    sent = send(HOST, asked(model, stream, **more))
    assert sent.verbatim is stream
    found = {
        k: v
        for k, v in sent.body.items()
        if k in ("chat_template_kwargs", "reasoning_split", "reasoning_effort")
    }
    assert found == said


def test_the_client_s_own_switches_stay():
    sent = send(
        HOST,
        asked(reasoning_effort="high", chat_template_kwargs={"enable_thinking": False, "x": 1}),
    )
    assert sent.body["chat_template_kwargs"] == {
        "enable_thinking": False,
        "clear_thinking": False,
        "x": 1,
    }


@pytest.mark.parametrize(
    ("tools", "sent"),
    [([], None), ([{"type": "function", "function": {"name": "f"}}],) * 2],
    ids=["none", "one"],
)
def test_an_empty_list_of_tools_is_left_out(tools, sent):
    body = send(HOST, asked(tools=tools, tool_choice="auto")).body
    assert body.get("tools") == sent
    assert ("tool_choice" in body) is bool(sent)


def test_what_is_right_passes_byte_for_byte():
    body = json.dumps(asked(unknown=[1]), indent=2).encode()
    assert send(HOST, body).http.body == body


@pytest.mark.parametrize(
    ("model", "kept"), [("glm-4.6", True), ("minimax-m2", True), ("deepseek-v3.2", False)]
)
def test_models_that_think_between_calls_get_their_reasoning_back(model, kept):
    messages = [
        *USER,
        {"role": "assistant", "content": "Yes", "reasoning_content": "why"},
        *USER,
    ]
    sent = send(HOST, {"model": model, "messages": messages}).body["messages"][1]
    assert sent.get("reasoning_content") == ("why" if kept else None)


@pytest.mark.parametrize(
    ("status", "body", "meant", "reason"),
    [
        (406, {"status": "434", "msg": "Access to the current AK has been blocked due to unauthorized requests"}, 401, "authentication"),
        (406, {}, 403, "permission"),
        (434, {"status": "434", "msg": "Invalid apiKey"}, 401, "authentication"),
        (439, {"status": "439", "msg": "Your API Token has expired."}, 401, "authentication"),
        (449, {"status": "449", "msg": "You exceeded your current rate limit"}, 429, "rate_limit"),
        (435, {"status": "435", "msg": "Model not support"}, 404, "not_found"),
        (429, {"error": {"message": "slow"}}, 429, "rate_limit"),
        (500, {"msg": "oops"}, 500, "transient"),
        (400, {"error": {"message": "bad"}}, 400, None),
    ],
)  # fmt: skip
def test_what_a_refusal_means(status, body, meant, reason):
    err = PROVIDER.judge(refusal(status, body), 0.0)
    assert (err.status, reason_for(err)) == (meant, reason)


def test_an_expired_key_is_renewed():
    assert PROVIDER.stale(refusal(439, {"status": "439", "msg": "Your API Token has expired."}))
    assert not PROVIDER.stale(refusal(429, {"msg": "rate limit"}))


@pytest.mark.parametrize("whole", [True, False])
def test_a_failure_with_status_200_is_a_failure(whole):
    reader = get("openai-chat").reader(Caps())
    body = json.dumps(
        {"status": "449", "msg": "You exceeded your current rate limit", "body": None}
    ).encode()
    events = reader.whole(body) if whole else reader.feed(body)
    assert isinstance(events[-1], Error)
    assert "rate limit" in events[-1].message
    assert events[-1].status == 449

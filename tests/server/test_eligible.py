"""While an account is left that answers, no client sees that another one has refused.

Every refusal that a provider is known for is told by the first of two accounts, whole and
streamed. The second one answers, and goes on answering; so it does when the first is tried again
and still refuses.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cliproxy.account.credential import written
from tests.proxy import Proxy
from tests.server.raw import post, request
from tests.server.test_limits import wound
from tests.sim import Answer, Failure, Raw, Sim, html

ANSWER = "Somebody else."
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
FAR = written(4_000_000_000.0)
DIALECT = {
    "claude": "anthropic", "setup-token": "anthropic", "kimi": "anthropic",
    "gemini": "gemini", "vertex": "gemini", "gemini-cli": "gemini", "antigravity": "gemini",
    "codex": "openai-responses", "chatgpt": "openai-responses", "xai": "openai-responses",
}  # fmt: skip
"""What each upstream speaks; the others speak Chat Completions."""
NAMED = {
    "antigravity": "gemini-3-flash", "gemini-cli": "gemini-2.5-pro", "kimi": "kimi-k2.5",
    "qwen": "qwen3-coder-plus", "iflow": "glm-4.6", "setup-token": "claude-sonnet-4-6",
    "chatgpt": "gpt-5.4", "grok": "grok-4.3",
}  # fmt: skip
"""What logins serve; keys serve `m`."""
LOGINS = {
    "setup-token": {"type": "claude", "access_token": "sk-ant-oat01-x"},
    "gemini-cli": {"type": "gemini", "access_token": "t", "project_id": "p"},
    "antigravity": {"type": "antigravity", "access_token": "t", "project_id": "p"},
    "kimi": {"type": "kimi", "access_token": "t", "device_id": "d", "messages_only": True},
    "qwen": {"type": "qwen", "access_token": "t"},
    "iflow": {"type": "iflow", "api_key": "t"},
    "chatgpt": {"type": "codex", "access_token": "t", "account_id": "w"},
    "grok": {"type": "xai", "access_token": "t"},
}
DIALECT["grok"] = "openai-responses"


def google(status, message, name, reason="", *, delay="", details=()):
    told = list(details)
    if reason:
        kind = "type.googleapis.com/google.rpc.ErrorInfo"
        metadata = {"quotaResetDelay": delay} if delay else {}
        told.append({"@type": kind, "reason": reason, "metadata": metadata})
    error = {"code": status, "message": message, "status": name, "details": told}
    return Raw(json.dumps({"error": error}).encode(), status)


def claude(status, kind, message, **headers):
    body = {"type": "error", "error": {"type": kind, "message": message}}
    return Raw(json.dumps(body).encode(), status, headers=dashed(headers))


def openai(status, message, *, code=None, kind="", **more):
    error = {"message": message, "type": kind, "code": code, "param": None, **more}
    return Raw(json.dumps({"error": error}).encode(), status)


def plain(status, body, **headers):
    data = body if isinstance(body, str) else json.dumps(body)
    return Raw(data.encode(), status, headers=dashed(headers))


def dashed(headers):
    return {name.replace("_", "-"): value for name, value in headers.items()}


def retry_info(delay):
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


UNIFIED = "anthropic-ratelimit-unified"
GOOGLE = [
    google(429, "Slow down.", "RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED", delay="373.8ms"),
    google(429, "Slow down.", "RESOURCE_EXHAUSTED", details=[retry_info("12.5s")]),
    google(429, "Your quota will reset after 1h2m3s.", "RESOURCE_EXHAUSTED", "QUOTA_EXHAUSTED"),
    google(429, "No capacity.", "RESOURCE_EXHAUSTED", "MODEL_CAPACITY_EXHAUSTED"),
    google(503, "No capacity available.", "UNAVAILABLE", "MODEL_CAPACITY_EXCEEDED"),
    google(499, "Cancelled.", "CANCELLED"),
    google(401, "No.", "UNAUTHENTICATED"),
    google(403, "Verify your account.", "PERMISSION_DENIED", "VALIDATION_REQUIRED"),
    google(403, "Not used before or disabled.", "PERMISSION_DENIED", "SERVICE_DISABLED"),
    google(403, "Violation of Terms of Service.", "PERMISSION_DENIED"),
    google(429, "Quota exceeded, limit: 0, model: x", "RESOURCE_EXHAUSTED"),
    google(400, "API key not valid.", "INVALID_ARGUMENT", "API_KEY_INVALID"),
    google(404, "models/x is not found.", "NOT_FOUND"),
    google(500, "Internal error.", "INTERNAL"),
    html(502),
]
OPENAI = [
    openai(429, "Slow down.", code="rate_limit_exceeded"),
    openai(429, "Please try again in 1.2s.", code="rate_limit_exceeded"),
    openai(429, "You exceeded your current quota.", code="insufficient_quota"),
    openai(401, "Incorrect API key.", code="invalid_api_key"),
    openai(402, "Insufficient balance."),
    openai(403, "Country not supported.", code="unsupported_country_region_territory"),
    openai(404, "The model does not exist.", code="model_not_found"),
    openai(400, "The requested model is not supported."),
    openai(500, "The server had an error."),
    openai(503, "Overloaded.", code="server_is_overloaded"),
    plain(408, ""),
    plain(429, "Too many requests", retry_after="Fri, 01 Jan 2100 00:00:00 GMT"),
    plain(403, "<html><title>Just a moment...</title></html>"),
    plain(200, "<html><title>Sign in</title></html>"),
    plain(200, ""),
    Failure(cut="headers"),
]
SUBSCRIPTION = {
    f"{UNIFIED}-5h-status": "rejected", f"{UNIFIED}-5h-reset": "4000000000",
    f"{UNIFIED}-7d-status": "allowed", f"{UNIFIED}-status": "rejected",
}  # fmt: skip
CLAUDE = [
    claude(429, "rate_limit_error", "Slow down.", retry_after="7"),
    claude(429, "rate_limit_error", "Slow down.", **SUBSCRIPTION),
    claude(429, "rate_limit_error", "Slow down."),
    claude(401, "authentication_error", "OAuth token has expired"),
    claude(401, "authentication_error", "invalid bearer"),
    claude(403, "permission_error", "OAuth token has been revoked."),
    claude(403, "permission_error", "Your organization is disabled."),
    claude(400, "invalid_request_error", "Your credit balance is too low."),
    claude(400, "invalid_request_error", "only authorized for use with Claude Code"),
    claude(404, "not_found_error", "model: x"),
    claude(500, "api_error", "Internal server error"),
    claude(529, "overloaded_error", "Overloaded"),
    plain(200, {"type": "error", "error": {"type": "overloaded_error", "message": "Full."}}),
]
CODEX = [
    openai(429, "Used up.", kind="usage_limit_reached", resets_at=4_000_000_000, plan_type="plus"),
    openai(429, "Used up.", kind="usage_limit_reached", resets_in_seconds=3600),
    openai(429, "No Codex.", kind="usage_not_included"),
    openai(429, "The selected model is at capacity."),
    openai(402, "Closed.", code="deactivated_workspace"),
    openai(403, "Closed.", code="deactivated_workspace"),
    openai(401, "Token.", code="token_invalidated"),
]
KINDS = {
    "host": OPENAI,
    "gemini": GOOGLE,
    "vertex": GOOGLE,
    "gemini-cli": GOOGLE,
    "antigravity": GOOGLE,
    "claude": CLAUDE,
    "setup-token": CLAUDE,
    "codex": [*OPENAI, *CODEX],
    "chatgpt": [*OPENAI, *CODEX],
    "qwen": [
        openai(403, "Free allocated quota exceeded.", code="quota_exceeded"),
        openai(429, "insufficient_quota", kind="insufficient_quota"),
        openai(401, "invalid access token or token expired"),
        *OPENAI,
    ],
    "iflow": [
        plain(200, {"status": "449", "msg": "You have exceeded the rate limit"}),
        plain(200, {"status": "435", "msg": "Model not support"}),
        plain(200, {"status": "439", "msg": "Your API Token has expired."}),
        plain(200, {"status": "500", "msg": "Failed."}),
        plain(406, {"status": "406", "msg": "Refused."}),
        plain(200, {"status": "434", "msg": "Invalid apiKey."}),
        *OPENAI,
    ],
    "kimi": [
        claude(429, "rate_limit_reached_error", "Slow down."),
        claude(429, "exceeded_current_quota_error", "Used up."),
        claude(402, "invalid_request_error", "No membership."),
        claude(403, "access_terminated_error", "Only available for Coding Agents."),
        claude(401, "invalid_authentication_error", "No."),
        *CLAUDE,
    ],
    "xai": OPENAI,
    "grok": [
        plain(429, {"code": "subscription:free-usage-exhausted", "error": "Included free usage."}),
        plain(403, {"code": "unauthenticated:bad-credentials", "error": "No."}),
        plain(403, {"code": "x", "error": "The access token could not be validated"}),
        plain(402, {"code": "x", "error": "You have used all available credits."}),
        plain(403, {"code": "x", "error": "Monthly spending limit reached."}),
        plain(426, {"code": "x", "error": "Your version is outdated."}),
        *OPENAI,
    ],
}
CASES = [
    pytest.param(name, reply, id=f"{name}-{number}-{getattr(reply, 'status', 200)}")
    for name, replies in KINDS.items()
    for number, reply in enumerate(replies)
]


@pytest.fixture(scope="module")
def pair():
    with Sim() as first, Sim() as second:
        yield first, second


@pytest.fixture(scope="module")
def proxies(pair, tmp_path_factory):
    """Start one proxy for each upstream, when it is wanted."""
    running = {}

    def of(name):
        if name not in running:
            running[name] = Proxy(config(name, pair, tmp_path_factory.mktemp(name)))
            running[name].__enter__()
        return running[name]

    yield of
    for proxy in running.values():
        proxy.__exit__(None, None, None)


def config(name: str, pair: tuple[Sim, Sim], folder: Path) -> str:
    text = f"auth-dir: {folder}\nrouting: {{strategy: fill-first}}\n"
    for priority, sim in ((2, pair[0]), (1, pair[1])):
        path = {"claude": "", "gemini": "", "vertex": ""}.get(name, "/v1")
        if name in LOGINS:
            base = sim.url + {"qwen": "/v1", "iflow": "/v1", "grok": "/v1"}.get(name, "")
            fields = LOGINS[name] | {"expired": FAR, "base_url": base, "priority": priority}
            (folder / f"{priority}.json").write_text(json.dumps(fields))
        elif name == "host":
            text += "openai-compatibility:\n" * (priority == 2)
            text += f"  - {{name: h{priority}, base-url: {sim.url}/v1, models: [m], "
            text += f"priority: {priority}}}\n"
        else:
            text += f"{name}-api-key:\n" * (priority == 2)
            text += f"  - {{api-key: k{priority}, base-url: '{sim.url}{path}', models: [m], "
            text += f"priority: {priority}}}\n"
    return text


def told_inside(name):
    """Return refusals as events of a stream that began with status 200, at its first events."""
    codes = {429: "rate_limit_exceeded", 401: "invalid_api_key", 404: "model_not_found",
             503: "server_is_overloaded", 500: "server_error", 403: "permission_denied",
             402: "insufficient_balance", 529: "overloaded_error", 408: "timeout"}  # fmt: skip
    for status, code in codes.items():
        for at in (0, 1):
            failure = Failure(status, f"Refused: {status}.", code=code)
            yield pytest.param(name, Answer("No.", thinking="Hm.", error=failure, error_at=at),
                               id=f"{name}-{status}-at-{at}")  # fmt: skip


@pytest.mark.parametrize(("name", "reply"), [
    case for name in ("host", "claude", "gemini", "codex", "antigravity", "kimi", "xai", "iflow")
    for case in told_inside(name)
])  # fmt: skip
def test_a_refusal_inside_a_stream_is_not_seen_either(pair, proxies, name, reply):
    not_seen(pair, proxies(name), name, reply, stream=True)


def model_of(name):
    return NAMED.get(name, "m")


def ask(proxy, name, client, *, stream):
    path, body = request(client, model_of(name), stream=stream)
    return post(proxy, path, body)


@BOTH
@pytest.mark.parametrize(("name", "reply"), CASES)
def test_a_refusal_is_not_seen_while_another_account_answers(pair, proxies, name, reply, stream):
    not_seen(pair, proxies(name), name, reply, stream=stream)


def not_seen(pair, proxy, name, reply, *, stream):
    first, second = pair
    clock = wound(proxy)
    for client in dict.fromkeys((DIALECT.get(name, "openai-chat"), "openai-chat")):
        first.reset()
        second.reset()
        proxy.runtime.app.generation.gateway.pool.clear()
        first.script(*[reply] * 12)
        second.script(*[Answer(ANSWER)] * 12)
        # Now, again at once, and whenever the first may be tried again.
        for wait in (0, 0, 2, 70, 2000, 50_000):
            clock.time += wait
            got = ask(proxy, name, client, stream=stream)
            assert got.status_code == 200, got.text
            assert ANSWER.encode() in got.content, got.text
        assert first.requests, "it was never asked"
        assert len(second.requests) == 6


# ---- conversations that move ----------------------------------------------------------------------
def sealed(record):
    """Refuse, as OpenAI does, reasoning that another account has sealed."""
    if b"encrypted_content" not in record.raw.replace(b"reasoning.encrypted_content", b""):
        return Answer(ANSWER)
    told = "The encrypted content gAAA… could not be verified."
    return openai(400, told, code="invalid_encrypted_content", kind="invalid_request_error")


def signed(record):
    """Refuse, as Anthropic does, thinking that somebody else has signed."""
    if b'"signature"' not in record.raw:
        return Answer(ANSWER)
    told = "messages.1.content.0: Invalid `signature` in `thinking` block"
    return claude(400, "invalid_request_error", told)


REASONED = [
    {"role": "user", "content": "Hi"},
    {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
    {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "look", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c1", "output": "seen"},
]
THOUGHT = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": [
        {"type": "thinking", "thinking": "Hm.", "signature": "c2lnbmVk"},
        {"type": "tool_use", "id": "t1", "name": "look", "input": {}},
    ]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "seen"}]},
]  # fmt: skip
MANAGED = {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}, {"type": "other"}]}


@BOTH
@pytest.mark.parametrize(
    ("name", "refuses", "fields", "left"),
    [
        (
            "codex", sealed, {"input": REASONED, "store": False},
            {"input": [REASONED[0], {k: v for k, v in REASONED[2].items() if k != "id"},
                       REASONED[3]], "store": False},
        ),
        (
            "claude", signed,
            {"messages": THOUGHT, "thinking": {"type": "adaptive"}, "context_management": MANAGED},
            {"messages": [THOUGHT[0], {"role": "assistant", "content": THOUGHT[1]["content"][1:]},
                          THOUGHT[2]], "context_management": {"edits": [{"type": "other"}]}},
        ),
        (
            "claude", signed,
            {"messages": [*THOUGHT[:2], THOUGHT[2], {"role": "assistant", "content": "Seen."},
                          {"role": "user", "content": "And?"}], "thinking": {"type": "adaptive"}},
            {"messages": [THOUGHT[0], {"role": "assistant", "content": THOUGHT[1]["content"][1:]},
                          THOUGHT[2], {"role": "assistant", "content": "Seen."},
                          {"role": "user", "content": "And?"}], "thinking": {"type": "adaptive"}},
        ),
    ],
    ids=["sealed", "signed-amid-calls", "signed-before"],
)  # fmt: skip
def test_a_conversation_goes_on_where_its_reasoning_cannot_be_read(
    pair, proxies, name, refuses, fields, left, stream
):
    first, second = pair
    proxy = proxies(name)
    wound(proxy)
    first.reset()
    second.reset()
    first.script(Failure(429, retry_after=3600))
    second.script(refuses, refuses)
    path, body = request(DIALECT[name], stream=stream, **fields)
    got = post(proxy, path, body)
    assert got.status_code == 200, got.text
    assert ANSWER.encode() in got.content
    assert got.headers["x-cliproxy-dropped"] == "reasoning"
    sent = json.loads(second.last.raw)
    assert {k: v for k, v in sent.items() if k in fields} == left


def test_nothing_is_left_out_where_all_is_to_be_carried(pair, proxies):
    first, _ = pair
    proxy = proxies("codex")
    wound(proxy)
    path, body = request("openai-responses", input=REASONED, store=False)
    first.reset()
    first.script(sealed)
    assert post(proxy, path, body).status_code == 200
    # Not either because of what is known by now.
    first.reset()
    first.script(sealed)
    got = post(proxy, path, body, {"x-cliproxy-fidelity": "strict"})
    assert got.status_code == 400
    assert "could not be verified" in got.text
    assert len(first.requests) == 1


def only(seal):
    """Refuse one sealed value, as who has made the others does."""

    def answer(record):
        if seal.encode() not in record.raw:
            return Answer(ANSWER)
        return sealed(record) if seal == "gAAA" else signed(record)

    return answer


OWN = [
    {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "gBBB"},
    {"type": "message", "id": "msg_2", "role": "assistant",
     "content": [{"type": "output_text", "text": "Seen."}]},
    {"role": "user", "content": "And?"},
]  # fmt: skip
THOUGHT_ANEW = [
    {"role": "assistant", "content": [
        {"type": "thinking", "thinking": "So.", "signature": "b3du"},
        {"type": "tool_use", "id": "t2", "name": "look", "input": {}},
    ]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t2", "content": "seen"}]},
]  # fmt: skip
BARE = {k: v for k, v in REASONED[2].items() if k != "id"}
NO_THOUGHT = {"role": "assistant", "content": THOUGHT[1]["content"][1:]}
LONG = {"anthropic-beta": "a-1,context-1m-2025-08-07"}


def no_flag(record):
    """Refuse, as Anthropic does, an account that has no right to the longest context."""
    if "context-1m" not in record.headers.get("anthropic-beta", ""):
        return Answer(ANSWER)
    told = "The long context beta is not yet available for this subscription."
    return claude(400, "invalid_request_error", told)


@pytest.mark.parametrize(
    ("name", "refuses", "headers", "turn", "after", "left", "dropped"),
    [
        ("codex", only("gAAA"), {}, {"input": REASONED}, {"input": [*REASONED, *OWN]},
         {"input": [REASONED[0], BARE, REASONED[3], *OWN]}, "reasoning"),
        ("xai", only("gAAA"), {}, {"input": REASONED}, {"input": [*REASONED, *OWN]},
         {"input": [REASONED[0], BARE, REASONED[3], *OWN]}, "reasoning"),
        ("claude", only("c2lnbmVk"), {}, {"messages": THOUGHT},
         {"messages": [*THOUGHT, *THOUGHT_ANEW], "thinking": {"type": "adaptive"}},
         {"messages": [THOUGHT[0], NO_THOUGHT, THOUGHT[2], *THOUGHT_ANEW],
          "thinking": {"type": "adaptive"}}, "reasoning"),
        ("claude", no_flag, LONG, {}, {}, {}, "anthropic-beta"),
    ],
    ids=["codex", "xai", "claude", "claude-long"],
)  # fmt: skip
def test_what_was_refused_once_is_left_out_of_the_next_turn_at_once(
    pair, proxies, name, refuses, headers, turn, after, left, dropped
):
    first, _ = pair
    proxy = proxies(name)
    clock = wound(proxy)
    first.reset()
    first.script(refuses)
    path, body = request(DIALECT[name], **turn)
    assert post(proxy, path, body, headers).headers["x-cliproxy-dropped"] == dropped
    assert len(first.requests) == 2
    path, body = request(DIALECT[name], **after)
    got = post(proxy, path, body, headers)
    assert got.status_code == 200, got.text
    assert got.headers["x-cliproxy-dropped"] == dropped
    assert len(first.requests) == 3, "it was refused again"
    sent = json.loads(first.last.raw)
    assert {k: v for k, v in sent.items() if k in left} == left
    # Whoever refused may have learnt better.
    clock.time += 3601
    assert post(proxy, path, body, headers).status_code == 200
    assert len(first.requests) == 5


def test_what_others_refused_is_still_asked_of_an_account(pair, proxies):
    first, second = pair
    proxy = proxies("codex")
    wound(proxy)
    first.reset()
    second.reset()
    first.script(sealed)
    path, body = request("openai-responses", input=REASONED, store=False)
    post(proxy, path, body)
    first.reset()
    first.script(Failure(429, retry_after=3600))
    got = post(proxy, path, body)
    assert "x-cliproxy-dropped" not in got.headers
    assert json.loads(second.last.raw)["input"] == REASONED


def test_where_it_lacks_what_was_left_out_it_is_asked_with_it(pair, proxies):
    first, _ = pair
    proxy = proxies("claude")
    wound(proxy)
    path, body = request("anthropic")
    first.reset()
    first.script(no_flag)
    assert post(proxy, path, body, LONG).headers["x-cliproxy-dropped"] == "anthropic-beta"
    first.reset()
    first.script(
        claude(400, "invalid_request_error", "prompt is too long: 210000 > 200000 maximum"),
        Answer(ANSWER), Answer(ANSWER),
    )  # fmt: skip
    for _ in (1, 2):
        got = post(proxy, path, body, LONG)
        assert got.status_code == 200, got.text
        assert "x-cliproxy-dropped" not in got.headers
    flags = ["context-1m" in r.headers["anthropic-beta"] for r in first.requests]
    assert flags == [False, True, True]


@pytest.mark.parametrize(("name", "refuses"), [("codex", sealed), ("claude", signed)])
def test_what_does_not_help_is_tried_once(pair, proxies, name, refuses):
    first, second = pair
    proxy = proxies(name)
    wound(proxy)
    first.reset()
    second.reset()
    path, body = request(DIALECT[name], metadata={"encrypted_content": "x", "signature": "x"})
    body["metadata"] = {"encrypted_content": "x", "signature": "x"}
    first.script(refuses)
    assert post(proxy, path, body).status_code == 400
    assert len(first.requests) == 1


# ---- many at once -------------------------------------------------------------------------------
STRATEGIES = ("round-robin", "weighted-round-robin", "fill-first", "least-in-flight", "quota-aware")
PALETTE = [*OPENAI, Answer("No.", thinking="Hm.", error=Failure(429, "Full."), error_at=1)]
STEPS = st.lists(
    st.tuples(
        st.sampled_from((0.0, 0.5, 1.5, 30.0, 61.0, 1801.0, 50_000.0)),
        st.booleans(),
        st.sampled_from((None, "one", "two")),
        st.lists(st.tuples(st.integers(0, 2), st.sampled_from(PALETTE)), max_size=3),
    ),
    max_size=12,
)


@pytest.fixture(scope="module")
def worlds():
    """Start four hosts and, for each strategy, a proxy before them; the last host never refuses."""
    sims = [Sim().__enter__() for _ in range(4)]
    running = {}
    for strategy in STRATEGIES:
        text = f"routing: {{strategy: {strategy}}}\nopenai-compatibility:\n"
        for number, sim in enumerate(sims):
            text += f"  - {{name: h{number}, base-url: {sim.url}/v1, models: [m]}}\n"
        running[strategy] = Proxy(text).__enter__()
    yield sims, running
    for proxy in running.values():
        proxy.__exit__(None, None, None)
    for sim in sims:
        sim.__exit__(None, None, None)


@pytest.mark.parametrize("strategy", STRATEGIES)
@given(steps=STEPS)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_three_hosts_refuse_the_fourth_answers(worlds, strategy, steps):
    sims, running = worlds
    proxy = running[strategy]
    clock = wound(proxy)
    for sim in sims:
        sim.reset()
    for wait, stream, conversation, refusals in steps:
        clock.time += wait
        for number, reply in refusals:
            sims[number].script(reply)
        headers = {"x-session-id": conversation} if conversation else {}
        path, body = request("openai-chat", stream=stream)
        got = post(proxy, path, body, headers)
        assert got.status_code == 200, got.text
        assert b'"error"' not in got.content

"""xAI's hosts."""

from __future__ import annotations

import json

import pytest
from tests.unit.providers.hosts import SESSION, key, login, refusal, send

from cliproxy.account.credential import Credential
from cliproxy.dialects import get
from cliproxy.ir.caps import Caps
from cliproxy.ir.check import check
from cliproxy.ir.envelope import wrap
from cliproxy.ir.events import ArgsDelta, BlockStart, BlockStop, ThinkingDelta
from cliproxy.ir.request import Sig
from cliproxy.ir.restore import RestoreStream
from cliproxy.providers.xai import PROVIDER
from cliproxy.routing.reasons import is_whole, reason_for

HOST = login("xai")
FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}


def asked(model="grok-4.6", given="Hi", **more):
    return {"model": model, "input": given, **more}


def body_of(account=HOST, session="", **more):
    return send(account, asked(**more), dialect="openai-responses", session=session).body


API, PROXY = "https://api.x.ai/v1", "https://cli-chat-proxy.grok.com/v1"


@pytest.mark.parametrize(
    ("account", "base"),
    [
        (key("xai"), API),
        (key("xai", "https://eu.example/v1"), "https://eu.example/v1"),
        (login("xai"), API),
        (login("xai", API), API),
        (login("xai", using_api=True), API),
        (login("xai", API, using_api=False), PROXY),
        (login("xai", PROXY), PROXY),
        (login("xai", PROXY, using_api=True), API),
        (login("xai", headers={"X-Grok-Client-Version": "1.0.4"}), PROXY),
        (login("xai", "http://127.0.0.1:1/v1", using_api=False), "http://127.0.0.1:1/v1"),
    ],
)
def test_which_host_is_asked(account, base):
    sent = send(account, asked(), dialect="openai-responses")
    assert sent.http.url == f"{base}/responses"
    assert ("x-xai-token-auth" in sent.headers) is (base == PROXY)
    opening = PROVIDER.websocket(sent.http)
    assert (opening and opening.url) == (None if base == PROXY else f"ws{sent.http.url[4:]}")


def test_compacting_is_not_for_the_client_proxy():
    sent = send(
        login("xai", using_api=False), asked(), dialect="openai-responses", operation="compact"
    )
    assert sent.http.url == f"{API}/responses/compact"


@pytest.mark.parametrize(
    ("headers", "version"), [({}, "cliproxy/"), ({"X-Grok-Client-Version": "1.0.4"}, "1.0.4")]
)
def test_the_client_proxy_is_told_a_version_of_ours_or_the_owner_s(headers, version):
    account = login("xai", PROXY, headers=headers)
    sent = send(account, asked(), dialect="openai-responses")
    assert sent.headers["x-grok-client-version"].startswith(version)


def test_the_conversation_is_named_for_the_prompt_cache():
    own = send(HOST, asked(), dialect="openai-responses", session=SESSION)
    assert own.headers["x-grok-conv-id"] == SESSION
    assert "prompt_cache_key" not in own.body
    chat = {"model": "grok-4.6", "messages": [{"role": "user", "content": "Hi"}]}
    built = send(HOST, chat, session=SESSION)
    assert built.body["prompt_cache_key"] == SESSION
    kept = send(HOST, {**chat, "prompt_cache_key": "mine"}, session=SESSION)
    assert kept.body["prompt_cache_key"] == "mine"


@pytest.mark.parametrize(
    ("model", "named"), [("grok-composer-2.5-fast", True), ("grok-4.6", False)]
)
def test_composers_always_have_a_conversation(model, named):
    sent = send(HOST, asked(model), dialect="openai-responses")
    assert ("x-grok-conv-id" in sent.headers) is named


def test_what_is_right_passes_byte_for_byte():
    body = json.dumps(
        asked(temperature=0.70, top_p=0.95, max_output_tokens=5, top_k=3, tools=[FUNCTION], store=False,
              include=["reasoning.encrypted_content"], reasoning={"effort": "high"}), indent=1
    ).encode()  # fmt: skip
    assert send(HOST, body, dialect="openai-responses").http.body == body


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("previous_response_id", "resp_1"),
        ("prompt_cache_retention", "24h"),
        ("safety_identifier", "me"),
        ("stream_options", {"include_obfuscation": False}),
        ("stop", ["x"]),
    ],
)
def test_fields_that_xai_refuses_are_left_out(field, value):
    assert field not in body_of(**{field: value})


@pytest.mark.parametrize(
    ("model", "reasoning", "sent"),
    [
        ("grok-4.6", {"effort": "high"}, {"effort": "high"}),
        ("grok-4.20-0309-reasoning", {"effort": "high"}, None),
        ("grok-4.20-0309-reasoning", {"effort": "high", "summary": "auto"}, {"summary": "auto"}),
        ("grok-unknown", {"effort": "high"}, {"effort": "high"}),
    ],
)
def test_effort_is_for_models_that_have_levels(model, reasoning, sent):
    assert body_of(model=model, reasoning=reasoning).get("reasoning") == sent


# ---- tools --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("model", "tool", "sent"),
    [
        ("grok-4.6", {"type": "tool_search"}, None),
        ("grok-4.6", {"type": "image_generation"}, {"type": "image_generation"}),
        ("grok-4.5", {"type": "image_generation"}, None),
        ("grok-4.20-0309-reasoning", {"type": "image_generation"}, None),
        ("grok-5.0", {"type": "image_generation"}, {"type": "image_generation"}),
        ("grok-4.6", {"type": "web_search", "external_web_access": True}, {"type": "web_search"}),
        ("grok-4.6", {"type": "web_search", "filters": {}}, {"type": "web_search", "filters": {}}),
        ("grok-4.6", {"type": "x_search"}, {"type": "x_search"}),
    ],
)
def test_which_tools_there_are(model, tool, sent):
    assert body_of(model=model, tools=[tool]).get("tools") == (None if sent is None else [sent])


OPEN = {"type": "object", "properties": {}, "additionalProperties": True}
A = {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize(
    ("schema", "sent", "strict"),
    [
        (None, {"type": "object", "properties": {}}, None),
        ({}, {"type": "object", "properties": {}}, None),
        (A, A, None),
        ({"properties": {"a": {}}}, {"type": "object", "properties": {"a": {}}}, None),
        ({"anyOf": [A, A]}, {"type": "object", "anyOf": [A, A]}, None),
        ({"type": "object", "oneOf": [A]}, {"type": "object", "oneOf": [A]}, None),
        ({"anyOf": [A, {"type": "string"}]}, OPEN, False),
        ({"oneOf": [{"type": "null"}, A]}, OPEN, False),
    ],
)
def test_parameters_are_an_object(schema, sent, strict):
    tool = {
        "type": "function",
        "name": "f",
        **({"parameters": schema} if schema is not None else {}),
    }
    (found,) = body_of(tools=[tool])["tools"]
    assert (found["parameters"], found.get("strict")) == (sent, strict)


SEARCH = {"type": "web_search"}


@pytest.mark.parametrize(
    ("tools", "choice", "sent"),
    [
        ([FUNCTION], "required", "required"),
        ([], "auto", None),
        (None, "auto", None),
        ([{"type": "tool_search"}], "auto", None),
        ([FUNCTION], {"type": "function", "name": "f"}, {"type": "function", "name": "f"}),
        ([FUNCTION], {"type": "function", "name": "gone"}, None),
        (
            [SEARCH],
            {"type": "web_search"},
            {"type": "allowed_tools", "mode": "required", "tools": [SEARCH]},
        ),
        ([FUNCTION], {"type": "web_search"}, None),
        (
            [FUNCTION],
            {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "function", "name": "f"}, SEARCH],
            },
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
        ),
        ([FUNCTION], {"type": "allowed_tools", "mode": "auto", "tools": [SEARCH]}, None),
    ],
)
def test_only_tools_that_are_there_can_be_chosen(tools, choice, sent):
    more = {"tools": tools} if tools is not None else {}
    assert body_of(tool_choice=choice, **more).get("tool_choice") == sent


PATCH = {"type": "custom", "name": "patch", "description": "Applies a patch"}
USED = [
    {"role": "user", "content": "Go"},
    {"type": "custom_tool_call", "call_id": "c1", "name": "patch", "input": "*** x"},
    {"type": "custom_tool_call_output", "call_id": "c1", "output": "done"},
]


def test_freeform_tools_become_functions():
    sent = send(
        HOST,
        asked(given=USED, tools=[PATCH], tool_choice={"type": "custom", "name": "patch"}),
        dialect="openai-responses",
    )
    (tool,) = sent.body["tools"]
    assert (tool["type"], tool["name"], tool["description"]) == (
        "function",
        "patch",
        "Applies a patch",
    )
    assert tool["parameters"]["required"] == ["input"]
    assert sent.body["tool_choice"] == {"type": "function", "name": "patch"}
    called, result = sent.body["input"][1:]
    assert (called["type"], json.loads(called["arguments"])) == (
        "function_call",
        {"input": "*** x"},
    )
    assert (result["type"], result["output"]) == ("function_call_output", "done")


def test_and_are_freeform_again_in_the_answer():
    sent = send(HOST, asked(tools=[PATCH]), dialect="openai-responses")
    events = [
        BlockStart(0, "tool_call", id="c1", name="patch", tool_kind="function"),
        ArgsDelta(0, '{"input": "*** '),
        ArgsDelta(0, 'y"}'),
        BlockStop(0),
    ]
    start, args, _ = RestoreStream(sent.built.restore).feed(events)
    assert (start.tool_kind, start.name, args.text) == ("custom", "patch", "*** y")


def test_other_hosts_still_get_freeform_tools():
    from cliproxy.dialects import ParseMeta

    dialect = get("openai-responses")
    built = dialect.build(
        dialect.parse(asked(given=USED, tools=[PATCH]), ParseMeta()), Caps(model="m")
    )
    assert built.body["tools"][0]["type"] == "custom"
    assert [i.get("type") for i in built.body["input"]][1:] == [
        "custom_tool_call",
        "custom_tool_call_output",
    ]


def test_namespaces_are_flattened():
    tools = [{"type": "namespace", "name": "fs", "tools": [FUNCTION]}]
    sent = send(HOST, asked(tools=tools), dialect="openai-responses")
    assert [t["name"] for t in sent.body["tools"]] == ["fs__f"]
    assert sent.built.restore.tools["fs__f"].namespace == "fs"


def test_tools_among_the_input_move_to_the_tools():
    given = [{"type": "additional_tools", "tools": [FUNCTION]}, {"role": "user", "content": "Go"}]
    sent = body_of(given=given)
    assert [t["name"] for t in sent["tools"]] == ["f"]
    assert [i.get("type") for i in sent["input"]] == ["message"]


# ---- reasoning ----------------------------------------------------------------------------------
def test_reasoning_items_lose_what_xai_refuses():
    item = {
        "type": "reasoning",
        "id": "r1",
        "content": None,
        "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
        "encrypted_content": "blob",
    }
    sent = body_of(given=[item, {"role": "user", "content": "Go"}])["input"][0]
    assert "content" not in sent
    assert sent["summary"] == [{"type": "summary_text", "text": "a\n\nb"}]
    assert sent["encrypted_content"] == "blob"


@pytest.mark.parametrize(("family", "kept"), [("grok", True), ("gpt", False), ("claude", False)])
def test_only_grok_s_own_reasoning_is_given_back(family, kept):
    item = {"type": "reasoning", "summary": [], "encrypted_content": wrap(Sig("blob", family))}
    given = [item, {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
             {"type": "function_call_output", "call_id": "c", "output": "x"},
             {"type": "custom_tool_call", "call_id": "d", "name": "patch", "input": "y"},
             {"type": "custom_tool_call_output", "call_id": "d", "output": "z"}]  # fmt: skip
    sent = body_of(given=given, tools=[FUNCTION, PATCH])["input"]
    assert [i["encrypted_content"] for i in sent if i["type"] == "reasoning"] == (
        ["blob"] if kept else []
    )


@pytest.mark.parametrize(
    "events",
    [
        [
            {"type": "response.reasoning_text.delta", "delta": "why"},
            {"type": "response.reasoning_text.done", "text": "why"},
        ],
        [{"type": "response.reasoning_text.done", "text": "why"}],
        [{"type": "response.reasoning_summary_text.delta", "summary_index": 0, "delta": "why"}],
    ],
    ids=["deltas", "whole only", "as OpenAI has it"],
)
def test_reasoning_is_read_as_xai_streams_it(events):
    reader = get("openai-responses").reader(Caps(family="grok"))
    where = {"item_id": "r1", "output_index": 0, "content_index": 0}
    item = {"type": "reasoning", "id": "r1", "summary": []}
    told = [
        {"type": "response.created", "response": {"id": "x", "model": "m"}},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        *({**where, **event} for event in events),
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.output_item.done", "output_index": 1, "item": {
            "type": "message", "id": "m1", "content": [{"type": "output_text", "text": "Hi"}]}},
        {"type": "response.completed", "response": {"status": "completed", "output": []}},
    ]  # fmt: skip
    read = [e for event in told for e in reader.feed(json.dumps(event).encode())]
    assert [e.text for e in check(read) if isinstance(e, ThinkingDelta)] == ["why"]


# ---- refusals -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("status", "body", "meant", "reason", "wait"),
    [
        (401, {"error": "no"}, 401, "authentication", None),
        (403, {"code": "unauthenticated:bad-credentials", "error": "x"}, 401, "authentication", None),
        (403, {"error": "The OAuth2 access token could not be validated"}, 401, "authentication", None),
        (400, {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xa***"}, 401, "authentication", None),
        (429, {"code": "subscription:free-usage-exhausted", "error": "x"}, 429, "rate_limit", 86400.0),
        (429, {"error": "You have used your included free usage"}, 429, "rate_limit", 86400.0),
        (429, {"error": "slow down"}, 429, "rate_limit", None),
        (403, {"error": "Your team has used all available credits"}, 402, "billing", None),
        (402, {"error": "reached its monthly spending limit"}, 402, "billing", None),
        (403, {"error": "no permission"}, 403, "permission", None),
        (426, {"error": "Your Grok CLI version (none) is outdated."}, 403, "permission", None),
        (422, {"error": "bad"}, 422, None, None),
    ],
)  # fmt: skip
def test_what_a_refusal_means(status, body, meant, reason, wait):
    err = PROVIDER.judge(refusal(status, body, "openai-responses"), 0.0)
    assert (err.status, reason_for(err), err.retry_after) == (meant, reason, wait)
    assert is_whole("rate_limit", err) is (wait is not None)


def test_which_refusals_a_new_token_may_cure():
    assert PROVIDER.stale(refusal(401, {}))
    assert PROVIDER.stale(refusal(403, {"code": "bad-credentials", "error": "x"}))
    assert not PROVIDER.stale(refusal(403, {"error": "no"}))


def test_an_outdated_version_is_explained():
    err = PROVIDER.judge(refusal(426, {"error": "outdated"}), 0.0)
    assert "using_api" in err.message


def test_a_login_whose_token_changes_is_used_with_the_new_one():
    account = login("xai")
    assert isinstance(account.credential, Credential)
    account.credential.fields = {**account.credential.fields, "access_token": "newer"}
    assert (
        send(account, asked(), dialect="openai-responses").headers["authorization"]
        == "Bearer newer"
    )

"""Where Responses are asked, as whom, and by which rules: those of the API, or of the backend."""

from __future__ import annotations

import base64
import json

import pytest

from cliproxy import dialects, providers
from cliproxy.account.credential import Credential
from cliproxy.account.model import Account
from cliproxy.base.redact import Secret
from cliproxy.dialects import ParseMeta
from cliproxy.ir.caps import Caps
from cliproxy.providers.base import USER_AGENT, About, Call

CODEX = providers.get("codex")
AUTH = "https://api.openai.com/auth"
SESSION = "5e55" * 8
BACKEND = "https://chatgpt.com/backend-api/codex"


def id_token(**auth):
    body = base64.urlsafe_b64encode(json.dumps({AUTH: auth}).encode()).rstrip(b"=").decode()
    return f"x.{body}.x"


def login(**fields):
    told = {"access_token": "at", "account_id": "acc-1", **fields}
    return Account("a", "codex", "a", kind="oauth", credential=Credential("a.json", told))


LOGIN = login()
KEY = Account(
    "k", "codex", "k", secret=Secret("sk-key"), base_url="https://api.openai.com/v1"
)  # fmt: skip
CLI = {
    "host": "127.0.0.1:8317",
    "connection": "keep-alive",
    "content-length": "2",
    "authorization": "Bearer client-key",
    "chatgpt-account-id": "acc-of-the-client",
    "accept": "text/event-stream",
    "content-type": "application/json",
    "user-agent": "codex_exec/0.169.0 (Linux; x86_64)",
    "originator": "codex_exec",
    "version": "0.169.0",
    "session-id": "s-1",
    "thread-id": "s-1",
    "x-client-request-id": "s-1",
    "x-codex-turn-metadata": '{"turn_id":"t"}',
    "x-codex-beta-features": "remote_compaction_v2",
    "x-openai-internal-codex-responses-lite": "true",
}
PASSED = {
    k: v
    for k, v in CLI.items()
    if k
    not in {"host", "connection", "content-length", "authorization", "chatgpt-account-id"}
}  # fmt: skip
OWN = {
    "model": "gpt-5.4",
    "instructions": "You are Codex.",
    "input": [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]}
    ],
    "tools": [],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning": {"effort": "medium", "summary": "auto"},
    "store": False,
    "stream": True,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "s-1",
}
NEWER = {
    **{k: v for k, v in OWN.items() if k not in ("instructions", "tools")},
    "client_metadata": {"x-codex-installation-id": "i"},
}


def without(fields, *names):
    return {k: v for k, v in fields.items() if k not in names}


def about(account=LOGIN, *, stream=True, session=SESSION, operation="generate"):
    return About(
        operation=operation, dialect="openai-responses", caps=Caps(), account=account,
        stream=stream, session=session,
    )  # fmt: skip


def call(body=b"{}", *, verbatim=False, operation="generate", client=None, stream=True, **more):
    return Call(
        operation=operation, dialect="openai-responses", model="gpt-5.4", stream=stream, body=body,
        verbatim=verbatim, headers={}, client_headers=client or {}, session=SESSION, **more,
    )  # fmt: skip


# ---- address and credential ---------------------------------------------------------------------
@pytest.mark.parametrize(
    ("account", "operation", "url"),
    [
        (LOGIN, "generate", f"{BACKEND}/responses"),
        (LOGIN, "compact", f"{BACKEND}/responses/compact"),
        (KEY, "generate", "https://api.openai.com/v1/responses"),
        (KEY, "compact", "https://api.openai.com/v1/responses/compact"),
        (Account("o", "codex", "o", credential=LOGIN.credential, base_url="http://a/codex"),
         "generate", "http://a/codex/responses"),
    ],
)  # fmt: skip
def test_where(account, operation, url):
    assert CODEX.prepare(call(operation=operation), account).url == url


def test_a_translated_request_of_a_login_is_ours_and_says_so():
    http = CODEX.prepare(call(client=CLI), LOGIN)
    assert dict(http.headers) == {
        "user-agent": USER_AGENT,
        "content-type": "application/json",
        "accept": "text/event-stream",
        "accept-encoding": "identity",
        "authorization": "Bearer at",
        "chatgpt-account-id": "acc-1",
        "originator": "cliproxy",
        "session-id": SESSION,
    }


def test_a_whole_answer_is_asked_of_a_login_as_a_stream():
    assert CODEX.prepare(call(stream=False), LOGIN).headers["accept"] == "text/event-stream"
    assert CODEX.prepare(call(stream=False), KEY).headers["accept"] == "application/json"
    compact = CODEX.prepare(call(stream=False, operation="compact"), LOGIN)
    assert compact.headers["accept"] == "application/json"


def test_a_key_is_told_nothing_of_logins():
    http = CODEX.prepare(call(verbatim=True, client=CLI), KEY)
    assert dict(http.headers) == {
        **PASSED,
        "authorization": "Bearer sk-key",
        "accept-encoding": "identity",
    }


@pytest.mark.parametrize(
    ("fields", "account", "fedramp"),
    [
        ({}, "acc-1", None),
        ({"account_id": "", "id_token": id_token(chatgpt_account_id="acc-2")}, "acc-2", None),
        ({"id_token": id_token(chatgpt_account_id="acc-2")}, "acc-1", None),
        ({"account_id": "", "id_token": "broken"}, None, None),
        ({"id_token": id_token(chatgpt_account_is_fedramp=True)}, "acc-1", "true"),
        ({"id_token": id_token(chatgpt_account_is_fedramp=False)}, "acc-1", None),
    ],
)
def test_for_which_account(fields, account, fedramp):
    headers = CODEX.prepare(call(), login(**fields)).headers
    assert headers.get("chatgpt-account-id") == account
    assert headers.get("x-openai-fedramp") == fedramp


# ---- Codex itself -------------------------------------------------------------------------------
def test_codexs_own_request_passes_as_it_is():
    body = json.dumps(NEWER, indent=1).encode()
    assert CODEX.verbatim(body, about()) is body
    http = CODEX.prepare(call(body, verbatim=True, client=CLI), LOGIN)
    assert http.body is body
    assert dict(http.headers) == {
        **PASSED,
        "accept-encoding": "identity",
        "authorization": "Bearer at",
        "chatgpt-account-id": "acc-1",
    }


@pytest.mark.parametrize("header", ["session-id", "session_id"])
def test_a_clients_own_name_of_the_conversation_stays(header):
    headers = CODEX.prepare(call(verbatim=True, client={header: "mine"}), LOGIN).headers
    named = {k: v for k, v in headers.items() if k in ("session-id", "session_id")}
    assert named == {header: "mine"}


@pytest.mark.parametrize(
    ("body", "passes"),
    [
        (OWN, True),
        (NEWER, True),
        ({**NEWER, "of_the_future": {"a": 1}}, True),
        ({**NEWER, "stream_options": {}}, True),
        ({**NEWER, "instructions": ""}, True),
        ({**NEWER, "instructions": None}, False),
        ({**NEWER, "store": True}, False),
        (without(NEWER, "store"), False),
        (without(NEWER, "stream"), False),
        ({**NEWER, "input": "Hi"}, False),
        (without(NEWER, "input"), False),
        ({**NEWER, "client_metadata": None}, False),
        # Without metadata of Codex's it must be all that older ones wrote.
        ({**OWN, "max_output_tokens": 5}, False),
        ({**OWN, "temperature": None}, False),
        ({**OWN, "previous_response_id": "resp_1"}, False),
        ({**OWN, "include": []}, False),
        ({**OWN, "include": None}, False),
        *((without(OWN, name), False) for name in (
            "instructions", "tools", "tool_choice", "parallel_tool_calls", "include",
            "prompt_cache_key", "store", "stream",
        )),
        ([], False),
    ],
)  # fmt: skip
def test_which_bodies_pass_as_they_are(body, passes):
    written = json.dumps(body).encode()
    assert (CODEX.verbatim(written, about()) is written) is passes


def test_a_broken_body_is_no_body_of_codex():
    assert CODEX.verbatim(b'{"store":', about()) is None


def test_no_body_passes_that_wants_one_piece():
    body = json.dumps(NEWER).encode()
    assert CODEX.verbatim(body, about(stream=False)) is None


@pytest.mark.parametrize("stream", [True, False])
def test_with_a_key_every_body_passes(stream):
    body = b'{"input": "Hi", "temperature": 1}'
    assert CODEX.verbatim(body, about(KEY, stream=stream)) is body


# ---- what the backend demands and refuses -------------------------------------------------------
def built(asked, account=LOGIN, source="openai-responses", session=SESSION):
    """Return the body that a request of a client becomes, and what is lost."""
    request = dialects.get(source).parse({"model": "gpt-5.4", **asked}, ParseMeta({}))
    caps = CODEX.caps(Caps(model="gpt-5.4", family="gpt"), account)
    made = dialects.get("openai-responses").build(request, caps, "generate")
    CODEX.adjust(made.body, about(account, session=session))
    return made.body, {loss.field for loss in made.losses}


HI = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}]
TOOL = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}


def test_what_the_backend_demands_is_there():
    body, _ = built({"input": "Hi"})
    assert body == {
        "model": "gpt-5.4",
        "instructions": "",
        "input": HI,
        "stream": True,
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": SESSION,
    }
    body, _ = built({"input": "Hi"}, KEY)
    assert body == {"model": "gpt-5.4", "input": HI}


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("max_output_tokens", 5, "max_output_tokens"),
        ("temperature", 0.5, "temperature"),
        ("top_p", 0.5, "top_p"),
        ("truncation", "auto", "truncation"),
        ("user", "u", "user"),
        ("safety_identifier", "u", "safety_identifier"),
        ("prompt_cache_retention", "24h", "prompt_cache_retention"),
        ("prompt_cache_options", {"mode": "implicit"}, "prompt_cache_options"),
        ("stream_options", {"include_obfuscation": False}, "stream_options"),
        ("context_management", [{"type": "compaction"}], "context_management"),
        ("metadata", {"a": "b"}, "metadata"),
        ("generate", False, "generate"),
        ("service_tier", "flex", "service_tier"),
    ],
)
def test_what_the_backend_refuses_is_left_out_and_told(field, value, told):
    body, lost = built({"input": HI, field: value})
    assert field not in body
    assert told in lost
    body, lost = built({"input": HI, field: value}, KEY)
    assert body[field] == value
    assert told not in lost


def test_the_priority_tier_passes():
    body, lost = built({"input": HI, "service_tier": "priority"})
    assert (body["service_tier"], lost) == ("priority", set())


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ({"tools": [TOOL]}, True),
        ({"tools": [TOOL], "parallel_tool_calls": False}, False),
        ({"tools": [TOOL], "parallel_tool_calls": True}, True),
        ({}, None),
        ({"tools": []}, None),
    ],
)
def test_calls_side_by_side_are_only_spoken_of_with_tools(asked, sent):
    assert built({"input": HI, **asked})[0].get("parallel_tool_calls") is sent


def test_system_messages_are_the_developers():
    items = [{"role": "system", "content": "Be brief."}, *HI]
    body, _ = built({"input": items})
    assert [item["role"] for item in body["input"]] == ["developer", "user"]
    body, _ = built({"input": items}, KEY)
    assert [item["role"] for item in body["input"]] == ["system", "user"]


@pytest.mark.parametrize(
    ("item", "sent"),
    [
        ({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "e"},
         {"type": "reasoning", "summary": [], "encrypted_content": "e"}),
        ({"type": "reasoning", "id": "rs_1", "summary": []}, None),
        ({"type": "message", "id": "msg_1", "role": "user", "content": []},
         {"type": "message", "role": "user", "content": []}),
        ({"id": "1", "role": "user", "content": "x"}, {"role": "user", "content": "x"}),
        ({"type": "function_call", "id": "x", "call_id": "c", "name": "f", "arguments": "{}"},
         {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}),
        ({"type": "image_generation_call", "id": "ig_1", "result": "x"},
         {"type": "image_generation_call", "id": "ig_1", "result": "x"}),
        ({"type": "of_the_future", "id": "x"}, {"type": "of_the_future", "id": "x"}),
    ],
)  # fmt: skip
def test_items_are_not_named_where_nothing_is_kept(item, sent):
    body = {"input": [item]}
    CODEX.adjust(body, about())
    assert body["input"] == ([] if sent is None else [sent])
    body = {"input": [item]}
    CODEX.adjust(body, about(KEY))
    assert body == {"input": [item]}


def test_a_clients_own_cache_key_stays():
    assert built({"input": HI, "prompt_cache_key": "mine"})[0]["prompt_cache_key"] == "mine"
    assert "prompt_cache_key" not in built({"input": HI}, session="")[0]


@pytest.mark.parametrize(
    ("source", "asked"),
    [
        ("openai-chat", {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5,
                         "temperature": 1, "stream_options": {"include_usage": True}}),
        ("anthropic", {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5,
                       "system": "S", "metadata": {"user_id": "u"}, "temperature": 1}),
        ("gemini", {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
                    "generationConfig": {"maxOutputTokens": 5, "topP": 1}}),
    ],
)  # fmt: skip
def test_clients_of_other_dialects_are_written_by_the_same_rules(source, asked):
    body, lost = built(asked, source=source)
    assert (body["store"], body["stream"], body["input"]) == (False, True, HI)
    assert isinstance(body["instructions"], str)
    assert not body.keys() & {
        "max_output_tokens", "temperature", "top_p", "safety_identifier", "user", "metadata",
        "stream_options",
    }  # fmt: skip
    assert lost


# ---- compacting ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (b'{"model":"m","input":[ ],"instructions":"I"}',
         b'{"model":"m","input":[ ],"instructions":"I"}'),
        (b'{"model":"m","store":true,"stream":false,"input":[1.10],"instructions":null}',
         b'{"model":"m","input":[1.10]}'),
        (b'{"model":"m","input":[],"previous_response_id":"r","temperature":1}',
         b'{"model":"m","input":[]}'),
        (b"broken", b"broken"),
    ],
)  # fmt: skip
def test_what_compacting_refuses_is_left_out(body, sent):
    asked = call(body, verbatim=True, operation="compact", stream=False)
    assert CODEX.prepare(asked, LOGIN).body == sent
    assert CODEX.prepare(asked, KEY).body == body


@pytest.mark.parametrize(
    ("account", "able"),
    [(LOGIN, {"compact"}), (KEY, {"compact", "keep", "whole"})],
)
def test_what_it_can_do(account, able):
    everything = ("count", "keep", "compact", "whole")
    assert {what for what in everything if CODEX.able(what, account)} == able


# ---- websockets ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("account", "url"),
    [(LOGIN, f"wss{BACKEND[5:]}/responses"), (KEY, "wss://api.openai.com/v1/responses"),
     (Account("o", "codex", "o", base_url="http://a/v1", proxy_url="socks5://p:1"),
      "ws://a/v1/responses")],
)  # fmt: skip
def test_a_websocket_is_opened_where_calls_go(account, url):
    client = {**CLI, "openai-beta": "other=1"}
    http = CODEX.prepare(call(client=client, verbatim=True), account)
    opening = CODEX.websocket(http)
    assert (opening.method, opening.url, opening.body) == ("GET", url, b"")
    assert opening.proxy == account.proxy_url
    headers = dict(opening.headers)
    assert headers.pop("openai-beta") == "other=1, responses_websockets=2026-02-06"
    gone = {"accept", "accept-encoding", "content-type", "openai-beta"}
    assert headers == {k: v for k, v in http.headers.items() if k not in gone}

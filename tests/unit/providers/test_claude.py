"""Where Claude is asked, with which credential and flags, and what passes as it is."""

from __future__ import annotations

import json

import pytest

from cliproxy import providers
from cliproxy.account.credential import Credential
from cliproxy.account.model import Account
from cliproxy.base.errors import UpstreamRefused
from cliproxy.base.redact import Secret
from cliproxy.ir.caps import Caps
from cliproxy.providers.base import USER_AGENT, About, Call

CLAUDE = providers.get("claude")
LOGIN = Account("a", "claude", "a", kind="oauth", credential=Credential(
    "a.json", {"type": "claude", "access_token": "sk-ant-oat01-x"}
))  # fmt: skip
KEY = Account("k", "claude", "k", secret=Secret("sk-ant-api03-x"))
ELSEWHERE = Account("e", "claude", "e", secret=Secret("key"), base_url="https://host.example/v1")
CLAUDE_CODE = {
    "host": "127.0.0.1:8317",
    "connection": "keep-alive",
    "content-length": "2",
    "authorization": "Bearer client-key",
    "accept": "application/json",
    "accept-encoding": "gzip, deflate, br, zstd",
    "accept-language": "*",
    "content-type": "application/json",
    "user-agent": "claude-cli/2.1.329 (external, cli)",
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "claude-code-20250219,oauth-2025-04-20,interleaved-thinking-2025-05-14",
    "anthropic-dangerous-direct-browser-access": "true",
    "x-app": "cli",
    "x-claude-code-session-id": "0b2f",
    "x-stainless-lang": "js",
    "x-stainless-retry-count": "0",
    "x-cliproxy-fidelity": "strict",
}
PASSED = {
    k: v
    for k, v in CLAUDE_CODE.items()
    if k
    not in {"host", "connection", "content-length", "authorization", "x-cliproxy-fidelity"}
}  # fmt: skip


def call(body=b"{}", *, verbatim=False, operation="generate", headers=None, client=None, **more):
    named = {"model": "claude-opus-4-8", "stream": True, **more}
    return Call(
        operation=operation, dialect="anthropic", body=body, verbatim=verbatim,
        headers=headers or {}, client_headers=client or {}, **named,
    )  # fmt: skip


# ---- the longest context ------------------------------------------------------------------------
NOT_LONG = "The long context beta is not yet available for this subscription."


@pytest.mark.parametrize(
    ("status", "message", "beta", "left"),
    [
        (400, NOT_LONG, "a-1,context-1m-2025-08-07,b-2", "a-1,b-2"),
        (400, NOT_LONG, "context-1m-2025-08-07, b-2", " b-2"),
        (400, NOT_LONG, "context-1m-2025-08-07", None),
        (429, "Extra usage is required for long context requests.", "context-1m-2025-08-07", None),
        (400, "`context-1m-2025-08-07` is not for you", "a-1,context-1m-2025-08-07", "a-1"),
    ],
)
def test_an_account_without_the_longest_context_is_asked_without_it(status, message, beta, left):
    sent = CLAUDE.prepare(call(verbatim=True, client={"anthropic-beta": beta}), KEY)
    err = UpstreamRefused(message, status=status)
    again = CLAUDE.elsewhere(sent, err)
    assert again.headers.get("anthropic-beta") == left
    assert (again.url, again.body) == (sent.url, sent.body)
    assert CLAUDE.elsewhere(again, err) is None, "once"


@pytest.mark.parametrize(
    ("status", "message", "beta"),
    [
        (400, NOT_LONG, "a-1"),
        (400, "prompt is too long: 210000 tokens > 200000 maximum", "context-1m-2025-08-07"),
        (429, "This request would exceed your limit.", "context-1m-2025-08-07"),
        (403, NOT_LONG, "context-1m-2025-08-07"),
    ],
)
def test_other_refusals_are_what_they_are(status, message, beta):
    sent = CLAUDE.prepare(call(verbatim=True, client={"anthropic-beta": beta}), KEY)
    assert CLAUDE.elsewhere(sent, UpstreamRefused(message, status=status)) is None


# ---- address and credential ---------------------------------------------------------------------
@pytest.mark.parametrize(
    ("account", "operation", "url", "credential"),
    [
        (LOGIN, "generate", "https://api.anthropic.com/v1/messages",
         {"authorization": "Bearer sk-ant-oat01-x"}),
        (LOGIN, "count", "https://api.anthropic.com/v1/messages/count_tokens",
         {"authorization": "Bearer sk-ant-oat01-x"}),
        (KEY, "generate", "https://api.anthropic.com/v1/messages", {"x-api-key": "sk-ant-api03-x"}),
        (ELSEWHERE, "generate", "https://host.example/v1/messages",
         {"authorization": "Bearer key"}),
        (Account("s", "claude", "s", secret=Secret("sk-ant-oat01-setup")), "generate",
         "https://api.anthropic.com/v1/messages", {"authorization": "Bearer sk-ant-oat01-setup"}),
        (Account("c", "claude", "c", credential=Credential("c", {"api_key": "sk-ant-api03-y"})),
         "generate", "https://api.anthropic.com/v1/messages", {"x-api-key": "sk-ant-api03-y"}),
    ],
)  # fmt: skip
def test_where_and_as_whom(account, operation, url, credential):
    http = CLAUDE.prepare(call(operation=operation), account)
    assert http.url == url
    found = {k: v for k, v in http.headers.items() if k in ("authorization", "x-api-key")}
    assert found == credential


@pytest.mark.parametrize(
    ("account", "flags"),
    [
        (LOGIN, "oauth-2025-04-20"),
        (KEY, None),
        (ELSEWHERE, None),
        (Account("s", "claude", "s", secret=Secret("sk-ant-oat01-s")), "oauth-2025-04-20"),
    ],
)
def test_only_a_login_needs_the_flag(account, flags):
    assert CLAUDE.prepare(call(), account).headers.get("anthropic-beta") == flags


def test_the_query_of_a_client_passes_with_its_body():
    passing = call(verbatim=True, query="beta=true")
    assert CLAUDE.prepare(passing, LOGIN).url.endswith("/v1/messages?beta=true")
    assert CLAUDE.prepare(call(query="beta=true"), LOGIN).url.endswith("/v1/messages")


def test_a_refreshed_token_is_sent_from_then_on():
    credential = Credential("a.json", {"access_token": "sk-ant-oat01-old"})
    account = Account("a", "claude", "a", credential=credential)
    credential.fields = {"access_token": "sk-ant-oat01-new"}
    headers = CLAUDE.prepare(call(), account).headers
    assert headers["authorization"] == "Bearer sk-ant-oat01-new"


# ---- Claude Code itself -------------------------------------------------------------------------
def test_claude_codes_own_request_passes_as_it_is():
    body = b'{ "model":"claude-opus-4-8", "future" : [1.10, "\\u00e9"] }'
    http = CLAUDE.prepare(call(body, verbatim=True, client=CLAUDE_CODE), LOGIN)
    assert http.body is body
    assert dict(http.headers) == {**PASSED, "authorization": "Bearer sk-ant-oat01-x"}


def test_with_a_key_it_passes_as_it_is_too():
    http = CLAUDE.prepare(call(b"{}", verbatim=True, client=CLAUDE_CODE), KEY)
    assert dict(http.headers) == {**PASSED, "x-api-key": "sk-ant-api03-x"}


@pytest.mark.parametrize(
    ("told", "sent"),
    [
        ("", "oauth-2025-04-20"),
        ("a-1,b-2", "a-1,b-2,oauth-2025-04-20"),
        ("a-1, oauth-2025-04-20 ,b-2", "a-1, oauth-2025-04-20 ,b-2"),
        ("of-the-future-2031-01-01", "of-the-future-2031-01-01,oauth-2025-04-20"),
    ],
)
def test_a_clients_flags_are_added_to_and_otherwise_left(told, sent):
    client = {"anthropic-beta": told} if told else {}
    http = CLAUDE.prepare(call(verbatim=True, client=client), LOGIN)
    assert http.headers["anthropic-beta"] == sent


def test_what_the_dialect_asked_for_is_added_to_as_well():
    http = CLAUDE.prepare(call(headers={"anthropic-beta": "fast-mode-2026-02-01"}), LOGIN)
    assert http.headers["anthropic-beta"] == "fast-mode-2026-02-01,oauth-2025-04-20"


def test_a_translated_request_is_ours_and_says_so():
    http = CLAUDE.prepare(call(client=CLAUDE_CODE), LOGIN)
    assert dict(http.headers) == {
        "user-agent": USER_AGENT,
        "content-type": "application/json",
        "accept": "text/event-stream",
        "accept-encoding": "identity",
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "oauth-2025-04-20",
        "authorization": "Bearer sk-ant-oat01-x",
    }


@pytest.mark.parametrize(
    ("client", "header", "sent"),
    [
        ({"accept-encoding": "gzip, exotic;q=0.5, br"}, "accept-encoding", "gzip, br"),
        ({"accept-encoding": "exotic"}, "accept-encoding", "identity"),
        ({"accept-encoding": "br;q=1.0,gzip"}, "accept-encoding", "br;q=1.0,gzip"),
        ({}, "accept-encoding", "identity"),
        ({}, "accept", "text/event-stream"),
        ({"accept": "*/*"}, "accept", "*/*"),
        ({"content-type": "application/json; charset=utf-8"}, "content-type",
         "application/json; charset=utf-8"),
        ({"content-type": "text/plain"}, "content-type", "application/json"),
        ({"connection": "close, X-Mine", "x-mine": "1"}, "x-mine", None),
        ({"cookie": "a=b"}, "cookie", None),
        ({"x-api-key": "client-key"}, "x-api-key", None),
    ],
)  # fmt: skip
def test_what_a_client_says_about_answers_is_heeded_as_far_as_it_can_be(client, header, sent):
    http = CLAUDE.prepare(call(verbatim=True, client=client), LOGIN)
    assert http.headers.get(header) == sent


def test_an_owners_header_wins():
    account = Account("k", "claude", "k", secret=Secret("x"), headers={
        "Anthropic-Beta": "mine", "X-Copied": "$X-App",
    })  # fmt: skip
    http = CLAUDE.prepare(call(verbatim=True, client=CLAUDE_CODE), account)
    assert http.headers["anthropic-beta"] == "mine"
    assert http.headers["x-copied"] == "cli"


# ---- bodies -------------------------------------------------------------------------------------
def test_flags_in_a_body_become_a_header():
    body = b'{"model":"m","betas":["a-1","oauth-2025-04-20"],"n":1.10,"t":"\\ud83d\\ude00 betas"}'
    http = CLAUDE.prepare(call(body, verbatim=True), LOGIN)
    assert http.body == b'{"model":"m","n":1.10,"t":"\\ud83d\\ude00 betas"}'
    assert http.headers["anthropic-beta"] == "a-1,oauth-2025-04-20"


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"m","messages":[{"role":"user","content":"\\"betas\\""}]}',
        b'{"model":"m","metadata":{"betas":["a-1"]}}',
        b'{"betas": broken',
    ],
)
def test_what_only_looks_like_flags_stays(body):
    http = CLAUDE.prepare(call(body, verbatim=True), LOGIN)
    assert http.body == body
    assert http.headers["anthropic-beta"] == "oauth-2025-04-20"


@pytest.mark.parametrize("verbatim", [False, True])
def test_a_model_with_its_longest_context_is_asked_for_by_flag(verbatim):
    body = b'{"model":"claude-opus-4-8[1m]","messages":[ ]}'
    asked = call(body, verbatim=verbatim, model="claude-opus-4-8[1m]")
    http = CLAUDE.prepare(asked, KEY)
    assert json.loads(http.body) == {"model": "claude-opus-4-8", "messages": []}
    assert http.headers["anthropic-beta"] == "context-1m-2025-08-07"


@pytest.mark.parametrize(
    ("model", "body", "account", "verbatim", "flags"),
    [
        ("claude-opus-4-5-20251101", b'{"output_config":{"effort":"low"}}', KEY, False,
         "effort-2025-11-24"),
        ("claude-opus-4-8", b'{"output_config":{"effort":"low"}}', KEY, False, None),
        ("claude-opus-4-5-20251101", b'{"output_config":{"effort":"low"}}', KEY, True, None),
        ("claude-opus-4-5-20251101", b'{"text":"\\"effort\\":"}', KEY, False, None),
        ("m", b'{"cache_control":{"type":"ephemeral","ttl":"1h"}}', KEY, False,
         "extended-cache-ttl-2025-04-11"),
        ("m", b'{"cache_control":{"type":"ephemeral","ttl":"1h"}}', ELSEWHERE, False, None),
        ("m", b'{"cache_control":{"type":"ephemeral","ttl":"5m"}}', KEY, False, None),
    ],
)  # fmt: skip
def test_what_a_body_built_here_needs_is_unlocked_at_anthropic(
    model, body, account, verbatim, flags
):
    http = CLAUDE.prepare(call(body, model=model, verbatim=verbatim), account)
    assert http.headers.get("anthropic-beta") == flags


# ---- refusals -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("status", "message", "stale"),
    [
        (401, "OAuth token has expired. Please obtain a new token", True),
        (401, "invalid bearer token", True),
        (403, "OAuth token has been revoked. Please obtain a new token.", True),
        (403, "Your organization has been disabled.", False),
        (400, "This credential is only authorized for use with Claude Code", False),
        (429, "rate limited", False),
    ],
)
def test_which_refusals_are_about_the_token(status, message, stale):
    assert CLAUDE.stale(UpstreamRefused(message, status=status)) is stale


def test_it_counts_and_answers_whole():
    assert CLAUDE.able("count", LOGIN)
    assert CLAUDE.able("whole", LOGIN)
    assert not CLAUDE.able("keep", LOGIN)


@pytest.mark.parametrize(
    ("first", "body", "passes"),
    [
        (True, b'{"messages":[{"role":"user"},{"role": "system"}]}', False),
        (True, b'{"system":"s","messages":[{"role":"user"}]}', True),
        (False, b'{"messages":[{"role":"user"},{"role": "system"}]}', True),
    ],
)
def test_instructions_between_messages_are_moved_where_the_owner_says_so(first, body, passes):
    account = Account("k", "claude", "k", secret=Secret("k"), system_first=first)
    about = About("generate", "anthropic", Caps(model="m", provider="claude"), account, True)
    assert CLAUDE.verbatim(body, about) == (body if passes else None)

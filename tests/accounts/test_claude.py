"""Claude's logins, end to end."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest

from tests.accounts.suite import Suite
from tests.sim.accounts_claude import OAUTH, TOKEN, USAGE, ClaudeAccounts, error
from tests.sim.script import Answer, Failure, Raw

CLAUDE_CODE = {
    "accept": "application/json",
    "accept-encoding": "gzip, deflate, br, zstd",
    "accept-language": "*",
    "content-type": "application/json",
    "user-agent": "claude-cli/2.1.329 (external, cli)",
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14,of-the-future",
    "anthropic-dangerous-direct-browser-access": "true",
    "x-app": "cli",
    "x-claude-code-session-id": "7c9d3b1e",
    "x-stainless-lang": "js",
}
BODY = b"""{ "model":"claude-opus-4-8","stream" : true, "max_tokens":32000, "future":{"n":1.10},
 "system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=2.1.329"}],
 "messages":[{"role":"user","content":"Hello?"}], "metadata":{"user_id":"{\\"session_id\\":1}"} }"""


def post(running, path, body, headers):
    """Return status and bytes of an answer, sent with exactly these headers."""
    request = urllib.request.Request(
        f"{running.proxy.url}{path}",
        body,
        {**headers, "authorization": f"Bearer {running.proxy.key}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as err:
        with err:
            return err.code, err.read()


class TestClaude(Suite):
    provider = ClaudeAccounts

    @pytest.mark.parametrize("encoding", ["", "gzip", "br"])
    def test_claude_code_arrives_as_it_is(self, start, encoding):
        running = start(self.fresh())
        running.provider.upstream.script(Answer("Hello.", encoding=encoding))
        status, answer = post(running, "/v1/messages?beta=true", BODY, CLAUDE_CODE)
        assert status == 200
        assert b'"text":"Hello."' in answer
        sent = running.provider.upstream.last
        assert sent.raw == BODY
        assert sent.target == "/v1/messages?beta=true"
        found = {k.lower(): v for k, v in sent.headers.fields}
        for name in ("host", "content-length", "connection"):
            found.pop(name, None)
        assert found == {
            **CLAUDE_CODE,
            "anthropic-beta": f"{CLAUDE_CODE['anthropic-beta']},{OAUTH}",
            "authorization": f"Bearer {running.credential().token}",
        }

    def test_a_setup_token_answers_and_tells_nothing_more(self, start):
        running = start({"type": "claude", "access_token": "sk-ant-oat01-setup"})
        running.provider.upstream.keys.add("sk-ant-oat01-setup")
        assert running.ask().text == "You said: Hello?"
        assert running.do(running.proxy.runtime.keeper.quota(running.credential())) is None
        assert running.provider.auth.requests == []

    def test_a_refresh_whose_answer_was_lost_is_not_repeated_for_ever(self, start):
        running = start(self.ended())
        running.provider.auth.lose_next = TOKEN
        status, _, _ = running.refused()
        assert status in (401, 502, 503)
        assert running.provider.refreshes == 1

    def test_a_token_endpoint_that_asks_to_wait_is_left_alone(self, start):
        running = start(self.ended())
        running.provider.auth.instead(TOKEN, Raw(b"{}", 429, headers={"retry-after": "60"}))
        assert running.refused()[0] == 429
        assert running.refused()[0] == 429
        assert len(running.provider.auth.asked(TOKEN)) == 1

    def test_a_token_that_was_revoked_is_replaced_where_that_is_still_possible(self, start):
        running = start(self.fresh())
        running.provider.upstream.script(
            Failure(403, "OAuth token has been revoked. Please obtain a new token.")
        )
        assert running.ask().text == "You said: Hello?"
        assert running.provider.refreshes == 1

    def test_what_the_request_is_to_blame_for_cools_nobody(self, start):
        running = start(self.fresh())
        running.provider.upstream.script(
            Failure(429, "Usage credits are required for fast mode", type="rate_limit_error")
        )
        assert running.refused()[0] == 429
        assert running.ask().text == "You said: Hello?"

    def test_a_weekly_limit_of_one_model_leaves_the_others(self, start):
        running = start(self.fresh())
        start_of = "anthropic-ratelimit-unified"
        running.provider.upstream.script(
            Failure(
                429,
                "limit",
                headers={
                    f"{start_of}-5h-status": "allowed",
                    f"{start_of}-7d-status": "allowed",
                    f"{start_of}-7d_opus-status": "rejected",
                    f"{start_of}-7d_opus-reset": "4102444800",
                },
            )
        )
        assert running.refused()[0] == 429
        body = {"model": "claude-sonnet-5", "max_tokens": 9, "messages": [
            {"role": "user", "content": "Hi"}
        ]}  # fmt: skip
        headers = {"content-type": "application/json"}
        assert post(running, "/v1/messages", json.dumps(body).encode(), headers)[0] == 200
        assert running.refused()[0] == 429

    def test_a_quota_that_cannot_be_asked_for_is_no_harm(self, start):
        running = start(self.fresh())
        running.provider.auth.instead(USAGE, error(500, "api_error", "broken"))
        keeper = running.proxy.runtime.keeper
        with pytest.raises(Exception, match="what is left"):
            running.do(keeper.quota(running.credential()))
        assert running.ask().text == "You said: Hello?"

"""Codex logins, end to end."""

from __future__ import annotations

import json

import openai
import pytest

from tests.accounts.suite import Suite
from tests.accounts.test_claude import post
from tests.server.sockets import opened
from tests.sim.accounts_codex import FOUND, SEARCH, TOKEN, CodexAccounts
from tests.sim.script import Answer, Events, Failure, Raw

CLI = {
    "accept": "text/event-stream",
    "content-type": "application/json",
    "user-agent": "codex_exec/0.169.0 (Linux; x86_64)",
    "originator": "codex_exec",
    "session-id": "019a-1",
    "thread-id": "019a-1",
    "x-client-request-id": "019a-1",
    "x-codex-turn-metadata": '{"turn_id":"t"}',
    "x-codex-beta-features": "remote_compaction_v2",
}
BODY = b"""{ "model":"gpt-5.4","input":[{"type":"message","role":"user",
 "content":[{"type":"input_text","text":"Hello?"}]}],"tools":[{"type":"namespace","name":"n",
 "tools":[]},{"type":"custom","name":"apply_patch","format":{"type":"text"}}],
 "tool_choice":"auto","parallel_tool_calls":false,"reasoning":{"effort":"high","context":"x"},
 "store":false,"stream" : true,"include":["reasoning.encrypted_content"],"prompt_cache_key":"019a-1",
 "client_metadata":{"x-codex-installation-id":"i"},"future":1.10 }"""


class TestCodex(Suite):
    provider = CodexAccounts

    def client(self, running):
        return openai.OpenAI(
            base_url=f"{running.proxy.url}/v1", api_key=running.proxy.key, max_retries=0
        )

    def test_codex_arrives_as_it_is(self, start):
        running = start(self.fresh())
        client = {**CLI, "chatgpt-account-id": "acc-of-the-client", "accept-encoding": "gzip, br"}
        status, answer = post(running, "/v1/responses", BODY, client)
        assert status == 200
        assert b"codex.rate_limits" in answer
        sent = running.provider.upstream.last
        assert sent.raw == BODY
        assert sent.path == "/backend-api/codex/responses"
        found = {k.lower(): v for k, v in sent.headers.fields}
        for name in ("host", "content-length", "connection"):
            found.pop(name, None)
        assert found == {
            **client,
            "chatgpt-account-id": "acc-0",
            "authorization": f"Bearer {running.credential().token}",
        }

    def test_other_clients_get_the_output_at_the_end_and_no_foreign_events(self, start):
        running = start(self.fresh())
        running.provider.upstream.script(Answer("Hello."))
        with self.client(running).responses.stream(model="gpt-5.4", input="Hi") as stream:
            kinds = {event.type for event in stream}
            final = stream.get_final_response()
        assert final.output_text == "Hello."
        assert not any(kind.startswith("codex.") for kind in kinds)

    def test_an_answer_can_be_gone_on_from_although_the_backend_keeps_nothing(self, start):
        running = start(self.fresh())
        client = self.client(running)
        first = client.responses.create(model="gpt-5.4", input="My name is Ada.")
        second = client.responses.create(
            model="gpt-5.4", input="Who am I?", previous_response_id=first.id
        )
        assert second.output_text == "You said: Who am I?"
        sent = running.provider.upstream.last
        assert sent.body["store"] is False
        assert "previous_response_id" not in sent.body
        assert "My name is Ada." in json.dumps(sent.body["input"])

    def test_a_conversation_keeps_its_cache_key_over_its_turns(self, start):
        running = start(self.fresh())
        client = self.client(running)
        turn = {"role": "user", "content": "Hi"}
        said = {"role": "assistant", "content": "Hello"}
        keys = []
        for messages in ([turn], [turn, said, turn], [{"role": "user", "content": "Other"}]):
            client.chat.completions.create(model="gpt-5.4", messages=messages)
            sent = running.provider.upstream.last
            keys.append(sent.body["prompt_cache_key"])
            assert sent.headers["session-id"] == keys[-1]
        assert keys[0] == keys[1] != keys[2]

    def test_every_login_can_search(self, start):
        running = start(self.fresh())
        asked = {"id": "t", "model": "gpt-5.4", "commands": {}, "prompt_cache_key": "k"}
        status, answer = post(running, "/v1/alpha/search", json.dumps(asked).encode(), {})
        assert (status, answer) == (200, FOUND)
        sent = running.provider.upstream.last
        assert sent.path == SEARCH
        assert sent.headers["chatgpt-account-id"] == "acc-0"

    def test_codex_is_answered_over_a_websocket_of_its_own(self, start):
        running = start(self.fresh(websockets=True))
        upstream = running.provider.upstream
        own = json.loads(BODY)
        with opened(running.proxy, headers=CLI) as ws:
            first = ws.turn(**own)[-1]["response"]
            more = {"type": "message", "role": "user", "content": "And?"}
            second = {**own, "input": [more], "previous_response_id": first["id"]}
            assert ws.turn(**second)[-1]["type"] == "response.completed"
        assert [r.over for r in upstream.requests] == ["websocket"] * 2
        assert upstream.requests[0].body == {"type": "response.create", **own}
        assert upstream.last.body == {"type": "response.create", **second}
        assert len(upstream.last.known) == 3
        (shaken,) = upstream.handshakes
        assert shaken.path == "/backend-api/codex/responses"
        assert shaken.headers["authorization"] == f"Bearer {running.credential().token}"
        for name in ("session-id", "originator", "x-codex-turn-metadata", "user-agent"):
            assert shaken.headers[name] == CLI[name]

    def test_other_clients_are_translated_on_a_websocket_too(self, start):
        running = start(self.fresh(websockets=True))
        with opened(running.proxy) as ws:
            first = ws.ask(model="gpt-5.4", input="My name is Ada.", temperature=1)
            second = ws.ask(model="gpt-5.4", input="Who am I?", previous_response_id=first["id"])
        assert "You said: Who am I?" in json.dumps(second["output"])
        sent = running.provider.upstream.last
        assert sent.over == "websocket"
        assert "previous_response_id" not in sent.body
        assert "My name is Ada." in json.dumps(sent.body["input"])

    @pytest.mark.parametrize("when", ["at the handshake", "later"])
    def test_a_token_that_has_ended_is_renewed_and_the_client_knows_nothing(self, start, when):
        running = start(self.fresh(websockets=True))
        upstream, own = running.provider.upstream, json.loads(BODY)
        with opened(running.proxy, headers=CLI) as ws:
            if when == "later":
                ws.turn(**own)
                ended = Failure(401, "token_expired", code="token_expired")
                upstream.script(ended)
            before = running.credential().token
            if when == "at the handshake":
                upstream.refuse(Failure(401, "token_expired"))
            assert ws.turn(**own)[-1]["type"] == "response.completed"
        assert running.credential().token != before
        assert [h.headers["authorization"] for h in upstream.handshakes] == [
            f"Bearer {before}", f"Bearer {running.credential().token}",
        ]  # fmt: skip

    def test_a_limit_on_a_websocket_moves_on_and_the_conversation_with_it(self, start):
        running = start(
            self.fresh(0, websockets=True) | {"priority": 5}, self.fresh(1, websockets=False)
        )
        upstream, own = running.provider.upstream, json.loads(BODY)
        told = {"type": "usage_limit_reached", "message": "Limit", "resets_in_seconds": 600}
        with opened(running.proxy, headers=CLI) as ws:
            first = ws.turn(**own)[-1]["response"]
            upstream.script(Events([{"type": "error", "status_code": 429, "error": told}]))
            more = {"type": "message", "role": "user", "content": "And?"}
            for _ in range(2):
                lean = {"previous_response_id": first["id"]}
                first = ws.turn(**{**own, "input": [more]}, **lean)[-1]["response"]
        asked = [(r.headers["chatgpt-account-id"], r.over) for r in upstream.requests]
        assert asked == [
            ("acc-0", "websocket"), ("acc-0", "websocket"), ("acc-1", "http"), ("acc-1", "http"),
        ]  # fmt: skip
        assert [len(r.body["input"]) for r in upstream.requests] == [1, 1, 3, 5]

    def test_counting_is_done_here(self, start):
        running = start(self.fresh())
        counted = self.client(running).responses.input_tokens.count(model="gpt-5.4", input="Hi")
        assert counted.input_tokens > 0
        assert running.provider.upstream.requests == []

    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
    @pytest.mark.parametrize("kind", ["response.failed", "error"])
    def test_a_limit_told_in_the_stream_moves_on_to_another_account(self, start, kind, stream):
        running = start(self.fresh(0) | {"priority": 5}, self.fresh(1))
        told = {"type": "usage_limit_reached", "message": "Limit", "resets_in_seconds": 600,
                "code": "usage_limit_reached"}  # fmt: skip
        event = (
            {"type": kind, "response": {"status": "failed", "error": told}}
            if kind == "response.failed"
            else {"type": kind, "status": 403, "error": told}
        )
        begun = {"type": "response.created", "response": {"id": "r", "status": "in_progress"}}
        limits = {"type": "codex.rate_limits", "plan_type": "plus"}
        running.provider.upstream.script(Events([begun, limits, event]))
        assert running.ask(stream=stream).text == "You said: Hello?"
        assert running.ask(stream=stream).text == "You said: Hello?"
        asked = [r.headers["chatgpt-account-id"] for r in running.provider.upstream.requests]
        assert asked == ["acc-0", "acc-1", "acc-1"]

    @pytest.mark.parametrize("said", [True, False], ids=["in-stream", "by-status"])
    def test_a_request_keeps_its_place_while_its_token_is_renewed(self, start, said):
        running = start(self.fresh())
        upstream, app = running.provider.upstream, running.proxy.runtime.app
        (account,) = running.proxy.runtime.accounts
        places = []

        def answer(record):
            places.append(app.generation.gateway.pool.running(account.id))
            if len(places) > 1:
                return Answer("Hello.")
            told = {"type": "authentication_error", "code": "token_expired", "message": "Over"}
            ended = Events([{"type": "error", "status": 401, "error": told}])
            return ended if said else Failure(401, "Over", code="token_expired")

        upstream.script(answer)
        assert running.ask(stream=True).text == "Hello."
        assert running.provider.refreshes == 1
        assert places == [1, 1]
        # When the next one is answered the end of the stream was seen to.
        running.ask()
        assert app.generation.gateway.pool.running(account.id) == 0

    def test_a_stream_that_ends_early_is_no_answer(self, start):
        running = start(self.fresh())
        running.provider.upstream.script(Answer("Hello.", drop="finish"))
        assert running.refused()[0] == 502

    def test_a_login_that_another_program_has_used_up_says_so(self, start):
        running = start(self.ended())
        auth = running.provider.auth
        (used,) = auth.refreshable
        auth.refreshable.clear()
        auth.spent.add(used)
        assert running.refused()[0] == 401
        assert "another program" in running.credential().problem
        running.refused()
        assert len(auth.asked(TOKEN)) == 1

    def test_a_refresh_whose_answer_was_lost_is_not_repeated_for_ever(self, start):
        running = start(self.ended())
        running.provider.auth.lose_next = TOKEN
        assert running.refused()[0] in (401, 502, 503)
        assert running.provider.reused == 0

    def test_the_models_a_login_may_use_are_listed_by_the_backend(self, start):
        running = start(self.fresh())
        found = running.do(running.proxy.runtime.keeper.models(running.credential()))
        assert [m.id for m in found] == running.provider.upstream.models

    def test_a_long_conversation_is_made_short_by_the_backend(self, start):
        running = start(self.fresh())
        compacted = {
            "id": "resp_c", "object": "response.compaction", "created_at": 1,
            "output": [{"type": "compaction", "id": "cmp_1", "encrypted_content": "e"}],
            "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2,
                      "input_tokens_details": {"cached_tokens": 0},
                      "output_tokens_details": {"reasoning_tokens": 0}},
        }  # fmt: skip
        running.provider.upstream.script(lambda _: compacted)
        answer = self.client(running).responses.compact(model="gpt-5.4", input="Long.")
        assert answer.output[0].encrypted_content == "e"
        assert running.provider.upstream.last.path == "/backend-api/codex/responses/compact"

    def test_a_bot_check_says_nothing_about_the_login(self, start):
        running = start(self.fresh())
        page = b"<html><title>Just a moment...</title></html>"
        running.provider.upstream.script(Raw(page, 403, "text/html"))
        running.refused()
        assert running.credential().state == "ok"
        assert running.provider.refreshes == 0


class ByDevice(CodexAccounts):
    way = "device"


class TestCodexByDevice(Suite):
    provider = ByDevice

    def test_where_there_are_no_device_codes_it_says_so(self, start):
        running = start()
        running.provider.auth.with_device_codes = False
        logins = running.proxy.runtime.logins
        with pytest.raises(Exception, match="device codes"):
            running.do(logins.start("codex", "device"))

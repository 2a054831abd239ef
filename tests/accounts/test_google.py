"""Accounts with Google: Gemini CLI, Antigravity, Vertex AI."""

from __future__ import annotations

import base64
import json
import urllib.request

import pytest

from tests.accounts.suite import Suite
from tests.server.raw import post
from tests.sim.accounts_google import (
    PIXEL,
    AntigravityAccounts,
    AntigravityClaudeAccounts,
    GeminiCliAccounts,
    VertexAccounts,
    error,
)
from tests.sim.script import Answer, Call, Failure, Raw, Text, Thinking

TURN = {"role": "user", "parts": [{"text": "Hello?"}]}
SIGNATURE = base64.b64encode(b"what only the vendor of the model can read again").decode()


def body(value):
    return json.dumps(value).encode()


class OAuth(Suite):
    """What both logins have in common."""

    rotates = False

    def login(self, running, **options):
        logins = running.proxy.runtime.logins
        pending = running.do(logins.start(running.provider.name, "browser", options))
        self.callback(running, running.provider.approve(pending.url, ""))
        running.do(logins.wait(pending))
        return pending

    def callback(self, running, back):
        from cliproxy.keeper.pasted import read_callback

        heard = read_callback(back)
        assert heard is not None
        running.proxy.loop.call_soon_threadsafe(running.proxy.runtime.logins.callback, heard)

    def test_a_lost_answer_to_a_refresh_costs_nothing(self, start):
        running = start(self.ended())
        running.provider.upstream.lose_next = "/token"
        running.refused()
        assert running.credential().state == "network"
        running.proxy.runtime.keeper._times.clear()
        assert running.ask().text == "You said: Hello?"
        assert running.credential().state == "ok"

    def test_a_wrong_client_secret_is_told(self, start):
        running = start(extra="")
        running.provider.upstream.instead(
            "/token",
            Raw(body({"error": "invalid_client", "error_description": "Unauthorized"}), 401),
        )
        pending = self.login(running)
        assert pending.status == "error"
        assert f"oauth-clients.{running.provider.name}" in pending.error

    def test_an_account_to_be_verified_is_told_where(self, start):
        running = start(self.fresh())
        link = "https://accounts.google.com/verify"
        metadata = {"validation_link": link}
        failure = error(
            403, "PERMISSION_DENIED", "Verify.", reason="VALIDATION_REQUIRED", metadata=metadata
        )
        running.provider.upstream.script(Raw(body(failure), 403))
        status, _, told = running.refused()
        assert status == 403
        assert link in json.dumps(told)

    def test_who_may_not_is_told_why(self, start):
        running = start()
        running.provider.upstream.loaded = {"ineligibleTiers": [{"reasonMessage": "Not here."}]}
        pending = self.login(running)
        assert pending.status == "error"
        assert "Not here." in pending.error


class TestGeminiCli(OAuth):
    provider = GeminiCliAccounts

    @pytest.mark.parametrize(
        ("wanted", "names", "used"),
        [
            ("", "project-1", "project-1"),
            ("project-2", "project-1", "project-1"),
            ("ALL", "all", "project-1"),
        ],
        ids=["none named", "one named by a free user", "all of a free user"],
    )
    def test_projects_can_be_chosen(self, start, wanted, names, used):
        running = start()
        pending = self.login(running, project_id=wanted)
        assert (pending.status, pending.error) == ("ok", "")
        assert pending.name == f"gemini-user0@example.com-{names}.json"
        assert running.credential().text("project_id") == used

    def test_a_project_of_the_owners_is_switched_on(self, start):
        running = start()
        running.provider.upstream.loaded = {
            "allowedTiers": [
                {
                    "id": "standard-tier",
                    "isDefault": True,
                    "userDefinedCloudaicompanionProject": True,
                }
            ]
        }
        running.provider.upstream.onboarded = "project-2"
        pending = self.login(running, project_id="project-2")
        assert (pending.status, pending.error) == ("ok", "")
        assert "project-2" in running.provider.upstream.enabled
        assert running.ask().text == "You said: Hello?"
        assert running.provider.upstream.last.body["project"] == "project-2"

    def test_one_login_can_be_an_account_for_each_of_its_projects(self, start):
        switching = "quota-exceeded: {switch-project: true}"
        both = self.fresh() | {"project_id": "project-1,project-2"}
        running = start(both, extra=switching)
        running.provider.upstream.script(running.provider.limit(600))
        assert running.ask().text == "You said: Hello?"
        asked = [r.body["project"] for r in running.provider.upstream.requests if r.envelope]
        assert sorted(asked) == ["project-1", "project-2"]

    @pytest.mark.parametrize("stream", [False, True])
    def test_gemini_cli_itself_is_passed_on_as_it_is(self, start, stream):
        running = start(self.fresh())
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"
        given = {
            "model": "gemini-2.5-pro",
            "project": "its-own",
            "user_prompt_id": "u1",
            "request": {"contents": [TURN], "session_id": "s1"},
        }
        told = {"user-agent": "GeminiCLI/9", "authorization": "Bearer ya29.its-own"}
        answer = post(running.proxy, f"/v1internal:{method}", given, told)
        assert answer.status_code == 200, answer.text
        assert '"traceId"' in answer.text
        sent = running.provider.upstream.last
        assert sent.body == {**given, "project": "project-1"}
        assert sent.headers["user-agent"] == "GeminiCLI/9"
        assert "its-own" not in str(sent.headers.fields)

    def test_tokens_are_counted_by_google(self, start):
        running = start(self.fresh())
        path = "/v1beta/models/gemini-2.5-pro:countTokens"
        answer = post(running.proxy, path, {"contents": [TURN]})
        assert answer.json()["totalTokens"] > 0
        assert running.provider.upstream.last.endpoint == "count"


class TestAntigravity(OAuth):
    provider = AntigravityAccounts


class TestAntigravityClaude(OAuth):
    provider = AntigravityClaudeAccounts

    def test_a_whole_answer_is_asked_for_as_a_stream(self, start):
        running = start(self.fresh())
        assert running.ask("anthropic").text == "You said: Hello?"
        assert running.provider.upstream.last.stream

    @pytest.mark.parametrize("stream", [False, True])
    def test_an_argument_that_only_the_upstream_wanted_is_not_in_the_call(self, start, stream):
        running = start(self.fresh())
        upstream = running.provider.upstream
        upstream.script(Answer(tools=[Call("now", {"reason": "It matters."})]))
        asked = {
            "model": running.provider.model,
            "stream": stream,
            "messages": [{"role": "user", "content": "Hi"}],
            "tools": [{"type": "function", "function": {"name": "now", "description": "d"}}],
        }
        answer = post(running.proxy, "/v1/chat/completions", asked)
        assert answer.status_code == 200
        assert b'"arguments":"{}"' in answer.content.replace(b" ", b"")
        assert b"It matters" not in answer.content
        (tool,) = upstream.last.request["tools"][0]["functionDeclarations"]
        assert tool["parameters"]["required"] == ["reason"]
        assert tool["parameters"]["properties"]["reason"]["type"].lower() == "string"

    def test_its_reasoning_comes_back_to_it_signed(self, start):
        running = start(self.fresh())
        upstream = running.provider.upstream
        upstream.script(Answer(parts=[Thinking("Hm.", signature=SIGNATURE), Text("Hello")]))
        asked = {
            "model": running.provider.model,
            "max_tokens": 8000,
            "thinking": {"type": "enabled", "budget_tokens": 2000},
            "messages": [{"role": "user", "content": "Hi"}],
        }
        answer = post(running.proxy, "/v1/messages", asked).json()
        (signature,) = [b["signature"] for b in answer["content"] if b["type"] == "thinking"]
        assert signature == SIGNATURE
        asked["messages"] += [
            {"role": "assistant", "content": answer["content"]},
            {"role": "user", "content": "Go on"},
        ]
        assert post(running.proxy, "/v1/messages", asked).status_code == 200
        first = upstream.last.request["contents"][1]["parts"][0]
        assert (first["thought"], first["thoughtSignature"]) == (True, signature)
        assert first["text"] == "Hm."


class TestVertex(Suite):
    provider = VertexAccounts
    rotates = False

    def test_a_picture_of_imagen_is_answered_in_every_dialect(self, start):
        running = start(self.fresh())
        path = "/v1beta/models/imagen-4.0-generate-001:generateContent"
        answer = post(running.proxy, path, {"contents": [TURN]})
        assert answer.status_code == 200, answer.text
        (part,) = answer.json()["candidates"][0]["content"]["parts"]
        assert part["inlineData"]["data"] == PIXEL
        asked = {
            "model": "imagen-4.0-generate-001",
            "messages": [{"role": "user", "content": "a fox"}],
            "stream": True,
        }
        answer = post(running.proxy, "/v1/chat/completions", asked)
        assert PIXEL in answer.text

    def test_a_gemini_clients_bytes_pass(self, start):
        running = start(self.fresh())
        given = {"contents": [TURN], "labels": {"a": "b"}}
        request = urllib.request.Request(
            f"{running.proxy.url}/v1beta/models/gemini-2.5-pro:generateContent",
            json.dumps(given, indent=3).encode(),
            {"authorization": f"Bearer {running.proxy.key}", "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200
        assert running.provider.upstream.last.content == json.dumps(given, indent=3).encode()

    def test_an_account_without_rights_is_left_alone(self, start):
        running = start(self.fresh(0) | {"priority": 5}, self.fresh(1))
        running.provider.upstream.script(Failure(403, "Permission denied on resource project."))
        assert running.ask().text == "You said: Hello?"

"""Code Assist: address, envelope, the client's own request, what is counted."""

from __future__ import annotations

import json

import pytest
from tests.unit.providers.google import about, account, call, written

from cliproxy import providers
from cliproxy.base.errors import UpstreamRefused
from cliproxy.routing.reasons import goes_on, reason_for

MODEL = "gemini-2.5-pro"
BASE = "https://cloudcode-pa.googleapis.com"
PROVIDER = providers.get("gemini-cli")
ME = account("gemini-cli")
CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}


@pytest.mark.parametrize(
    ("base", "stream", "operation", "url"),
    [
        ("", False, "generate", f"{BASE}/v1internal:generateContent"),
        ("", True, "generate", f"{BASE}/v1internal:streamGenerateContent?alt=sse"),
        ("", False, "count", f"{BASE}/v1internal:countTokens"),
        ("http://127.0.0.1:1/", False, "generate", "http://127.0.0.1:1/v1internal:generateContent"),
    ],
)
def test_a_call_has_its_address(base, stream, operation, url):
    request = call(account("gemini-cli", base_url=base), MODEL, stream=stream, operation=operation)
    assert (request.method, request.url) == ("POST", url)
    assert request.headers["authorization"] == "Bearer at"
    assert request.headers["user-agent"].startswith("cliproxy/")


def test_the_newest_token_is_sent():
    me = account("gemini-cli")
    me.credential.fields = {"token": {"access_token": "newer"}}
    assert call(me, MODEL).headers["authorization"] == "Bearer newer"


def test_the_envelope_names_the_model_and_the_project():
    body = written(ME, MODEL, "openai-chat", CHAT)
    assert body == {
        "model": MODEL,
        "project": "p1",
        "request": {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
    }


@pytest.mark.parametrize(
    ("project", "fields", "used"),
    [("p2", {"project_id": "p1,p2"}, "p2"), ("", {"project_id": "p1,p2"}, "p1")],
)
def test_of_several_projects_it_is_the_accounts(project, fields, used):
    me = account("gemini-cli", project=project, **fields)
    assert written(me, MODEL, "openai-chat", CHAT)["project"] == used


def test_without_a_project_another_account_is_asked():
    me = account("gemini-cli", project="")
    with pytest.raises(UpstreamRefused) as caught:
        call(me, MODEL)
    assert goes_on(caught.value)
    assert reason_for(caught.value) == "transient"
    assert call(me, MODEL, operation="count").url.endswith(":countTokens")


def test_output_stays_within_the_models_limit():
    body = written(ME, MODEL, "openai-chat", {**CHAT, "max_tokens": 9_000_000})
    assert body["request"]["generationConfig"]["maxOutputTokens"] == 65536
    body = written(ME, MODEL, "openai-chat", {**CHAT, "max_tokens": 100})
    assert body["request"]["generationConfig"]["maxOutputTokens"] == 100


class TestTheCommandLineItself:
    OWN = (
        b'{"model":"gemini-2.5-pro","project":"its-own","user_prompt_id":"u1",'
        b'"request":{"contents": [{"role":"user","parts":[{"text":"H\\u0069"}]}],  "new":1e2}}'
    )

    def test_what_it_asks_passes_as_it_wrote_it_in_our_project(self):
        body = PROVIDER.verbatim(self.OWN, about(ME, MODEL))
        assert body == self.OWN.replace(b'"its-own"', b'"p1"')

    def test_a_project_is_added_where_it_named_none(self):
        body = PROVIDER.verbatim(b'{"model":"m","request":{"contents":[]}}', about(ME, MODEL))
        assert json.loads(body)["project"] == "p1"

    def test_it_is_known_as_what_it_is(self):
        headers = {
            "user-agent": "GeminiCLI/1.0",
            "authorization": "Bearer its-own",
            "x-goog-user-project": "its-own",
            "x-goog-api-client": "gl-node/22",
        }
        request = call(ME, MODEL, self.OWN, verbatim=True, headers=headers)
        assert request.headers["user-agent"] == "GeminiCLI/1.0"
        assert request.headers["x-goog-api-client"] == "gl-node/22"
        assert request.headers["authorization"] == "Bearer at"
        assert "x-goog-user-project" not in request.headers

    def test_others_are_known_as_us(self):
        request = call(ME, MODEL, headers={"user-agent": "Other/1"})
        assert request.headers["user-agent"].startswith("cliproxy/")

    @pytest.mark.parametrize("body", [b"[]", b"{", b'{"contents":[]}'])
    def test_what_is_no_envelope_is_translated(self, body):
        assert PROVIDER.verbatim(body, about(ME, MODEL)) is None

    def test_counting_is_translated_as_the_model_stands_inside(self):
        assert PROVIDER.verbatim(self.OWN, about(ME, MODEL, operation="count")) is None


class TestCounting:
    def test_only_contents_are_counted(self):
        given = {**CHAT, "tools": [{"type": "function", "function": {"name": "f"}}]}
        body = written(ME, MODEL, "openai-chat", given, operation="count")
        assert body == {
            "request": {
                "model": f"models/{MODEL}",
                "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
            }
        }

    def test_thoughts_are_counted_as_text(self):
        contents = [
            {"role": "user", "parts": [{"text": "Hi"}]},
            {
                "role": "model",
                "parts": [
                    {"text": "Hm", "thought": True, "thoughtSignature": "c2ln"},
                    {"text": "Hello", "thoughtSignature": "c2ln"},
                ],
            },
            {"role": "user", "parts": [{"text": "Go on"}]},
        ]
        body = written(ME, MODEL, "gemini", {"contents": contents}, operation="count")
        assert body["request"]["contents"][1] == {
            "role": "model",
            "parts": [{"text": "Hm"}, {"text": "Hello"}],
        }


def test_gemini_clients_keep_what_only_they_know():
    given = {
        "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
        "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
        "generationConfig": {"thinkingConfig": {"thinkingBudget": 128}, "mediaResolution": "X"},
        "cachedContent": "cachedContents/1",
    }
    inner = written(ME, MODEL, "gemini", given)["request"]
    assert inner == given

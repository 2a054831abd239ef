"""Vertex AI: addresses, what only the Gemini API knows, Imagen."""

from __future__ import annotations

import json

import pytest
from tests.unit.providers.google import about, account, call, written

from cliproxy import dialects, providers
from cliproxy.account.model import Account
from cliproxy.base.redact import Secret
from cliproxy.ir.caps import Caps
from cliproxy.ir.fold import fold

MODEL = "gemini-2.5-flash"
PROVIDER = providers.get("vertex")
KEY = Account(id="k", provider="vertex", label="k", secret=Secret("dummy-key"))
REGION = "https://us-central1-aiplatform.googleapis.com/v1/projects/p1/locations/us-central1"


def service(*, project="", base_url="", **fields):
    return account("vertex", project=project, base_url=base_url, **fields)


ME = service(project_id="p1")
TURN = {"role": "user", "parts": [{"text": "Hi"}]}


class TestAddress:
    @pytest.mark.parametrize(
        ("me", "place"),
        [
            (ME, REGION),
            (service(project="p1"), REGION),
            (service(project="p1.com:x"), REGION.replace("p1", "p1.com%3Ax")),
            (service(**{"project_id": "", "project": ""}), REGION.replace("p1", "")),
            (
                service(project_id="p1", location="europe-west4"),
                REGION.replace("us-central1", "europe-west4"),
            ),
            (
                service(project_id="p1", location="global"),
                "https://aiplatform.googleapis.com/v1/projects/p1/locations/global",
            ),
            (
                service(project_id="p1", location="eu"),
                "https://aiplatform.eu.rep.googleapis.com/v1/projects/p1/locations/eu",
            ),
            (
                service(project_id="p1", base_url="http://127.0.0.1:1/v1"),
                "http://127.0.0.1:1/v1/projects/p1/locations/us-central1",
            ),
        ],
    )
    def test_a_service_account_is_somewhere(self, me, place):
        request = call(me, MODEL)
        assert request.url == f"{place}/publishers/google/models/{MODEL}:generateContent"
        assert request.headers["authorization"] == "Bearer at"
        assert "x-goog-api-key" not in request.headers

    @pytest.mark.parametrize(
        ("stream", "operation", "method"),
        [
            (False, "generate", "generateContent"),
            (True, "generate", "streamGenerateContent?alt=sse"),
            (False, "count", "countTokens"),
        ],
    )
    def test_a_key_names_no_place(self, stream, operation, method):
        request = call(KEY, MODEL, stream=stream, operation=operation)
        host = "https://aiplatform.googleapis.com"
        assert request.url == f"{host}/v1/publishers/google/models/{MODEL}:{method}"
        assert request.headers["x-goog-api-key"] == "dummy-key"
        assert "authorization" not in request.headers


def test_an_older_file_calls_the_project_otherwise():
    me = account("vertex", project="")
    me.credential.fields = {"access_token": "at", "project": "old"}
    assert "/projects/old/" in call(me, MODEL).url


class TestBody:
    ASKED = {
        "model": MODEL,
        "input": [
            {"role": "user", "content": "look"},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "seen"},
        ],
        "max_output_tokens": 9_000_000,
    }

    def test_calls_have_no_ids(self):
        body = written(ME, MODEL, "openai-responses", self.ASKED)
        call_part, result = body["contents"][1]["parts"][0], body["contents"][2]["parts"][0]
        assert call_part["functionCall"] == {"name": "f", "args": {}}
        assert result["functionResponse"] == {"name": "f", "response": {"output": "seen"}}

    def test_output_stays_within_the_models_limit(self):
        body = written(ME, MODEL, "openai-responses", self.ASKED)
        assert body["generationConfig"]["maxOutputTokens"] < 9_000_000

    def test_what_only_the_gemini_api_knows_is_left_out(self):
        given = {"contents": [TURN], "serviceTier": "flex", "store": False, "labels": {"a": "b"}}
        assert written(ME, MODEL, "gemini", given) == {"contents": [TURN], "labels": {"a": "b"}}

    def test_what_is_counted_stands_at_the_top(self):
        given = {
            "model": MODEL,
            "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "Hi"}],
            "tools": [{"type": "function", "function": {"name": "f"}}],
            "tool_choice": "required",
        }
        body = written(ME, MODEL, "openai-chat", given, operation="count")
        assert body == {
            "contents": [TURN],
            "systemInstruction": {"parts": [{"text": "S"}]},
            "tools": [{"functionDeclarations": [{"name": "f"}]}],
        }


@pytest.mark.parametrize(
    ("body", "passes"),
    [
        (b'{"contents":[{"parts":[{"text":"H\\u0069"}]}]}', True),
        (b'{"contents":[{"parts":[{"functionCall":{"name":"f","args":{}}}]}]}', True),
        (b'{"contents":[{"parts":[{"functionCall":{"id":"c","name":"f"}}]}]}', False),
        (b'{"contents":[{"parts":[{"function_call":{"id":"c","name":"f"}}]}]}', False),
        (b'{"generateContentRequest":{"contents":[]}}', False),
    ],
)
def test_a_clients_own_bytes_pass_unless_only_the_gemini_api_knows_them(body, passes):
    assert PROVIDER.verbatim(body, about(ME, MODEL)) == (body if passes else None)


class TestImagen:
    MODEL = "imagen-4.0-generate-001"
    PIXEL = "aGVsbG8="

    def test_it_is_asked_in_its_own_words(self):
        given = {
            "contents": [
                {"role": "user", "parts": [{"text": "a dog"}]},
                {"role": "model", "parts": [{"text": "Which?"}]},
                {"role": "user", "parts": [{"text": "a red"}, {"text": "fox"}]},
            ],
            "generationConfig": {"candidateCount": 2, "imageConfig": {"aspectRatio": "16:9"}},
        }
        assert written(ME, self.MODEL, "gemini", given) == {
            "instances": [{"prompt": "a red\nfox"}],
            "parameters": {"sampleCount": 2, "aspectRatio": "16:9"},
        }

    def test_chat_clients_can_ask_it_too(self):
        given = {"model": "x", "messages": [{"role": "user", "content": "a fox"}]}
        assert written(ME, self.MODEL, "openai-chat", given) == {
            "instances": [{"prompt": "a fox"}],
            "parameters": {"sampleCount": 1},
        }

    def test_no_bytes_pass_unread(self):
        assert PROVIDER.verbatim(b'{"contents":[]}', about(ME, self.MODEL)) is None

    @pytest.mark.parametrize("stream", [False, True])
    def test_it_answers_in_one_piece(self, stream):
        request = call(ME, self.MODEL, stream=stream)
        assert request.url.endswith(f"/{self.MODEL}:predict")
        assert request.headers["accept"] == "application/json"

    def read(self, value):
        reader = dialects.get("gemini").reader(Caps(model=self.MODEL))
        return fold(reader.whole(json.dumps(value).encode()))

    def test_pictures_are_an_answer(self):
        row = {"bytesBase64Encoded": self.PIXEL, "mimeType": "image/png"}
        answer = self.read({"predictions": [row, row]})
        said = dialects.get("gemini").render(answer, ASKED)
        candidate = json.loads(said)["candidates"][0]
        blob = {"inlineData": {"mimeType": "image/png", "data": self.PIXEL}}
        assert candidate["content"]["parts"] == [blob, blob]
        assert candidate["finishReason"] == "STOP"

    @pytest.mark.parametrize(
        "value", [{"predictions": []}, {"predictions": [{"raiFilteredReason": "Not this."}]}]
    )
    def test_a_refused_picture_is_no_failure_of_the_account(self, value):
        answer = self.read(value)
        assert (
            json.loads(dialects.get("openai-chat").render(answer, ASKED))["choices"][0][
                "finish_reason"
            ]
            == "content_filter"
        )


ASKED = dialects.get("gemini").parse({"contents": [TURN]}, dialects.ParseMeta(model="m"))

"""Antigravity: envelope, schemas, Claude behind the Gemini API, streams in place of wholes."""

from __future__ import annotations

import json
import re

import pytest
from tests.unit.providers.google import about, account, call, parsed, written

from cliproxy import dialects, providers
from cliproxy.base.errors import UpstreamRefused
from cliproxy.ir.events import ArgsDelta, BlockStart, BlockStop
from cliproxy.ir.restore import RestoreStream
from cliproxy.providers.base import USER_AGENT
from cliproxy.routing.reasons import goes_on

GEMINI = "gemini-3-flash"
PRO = "gemini-3.1-pro-low"
CLAUDE = "claude-sonnet-4-6"
OSS = "gpt-oss-120b-medium"
IMAGE = "gemini-3.1-flash-image"
DAILY = "https://daily-cloudcode-pa.googleapis.com/v1internal"
PROVIDER = providers.get("antigravity")
ME = account("antigravity", project_id="p1")
TURN = {"role": "user", "parts": [{"text": "Hi"}]}
CHAT = {"model": "x", "messages": [{"role": "user", "content": "Hi"}]}
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def tool(schema=None, name="f"):
    function = {"name": name, **({"parameters": schema} if schema is not None else {})}
    return {"type": "function", "function": function}


def chat(model, **more):
    return written(ME, model, "openai-chat", {**CHAT, **more})["request"]


def declared(model, schema):
    request = chat(model, tools=[tool(schema)])
    return request["tools"][0]["functionDeclarations"][0]


OPEN = {"type": "object"}
EMPTY = {"type": "object", "properties": {}}
LOOSE = {"type": "object", "properties": {"a": {"type": "string"}}}


def either(*schemas):
    """Return the schema of an object with a member `o` that is any of several things."""
    return {"type": "object", "properties": {"o": {"anyOf": list(schemas)}}}


class TestStandIns:
    """What had to be declared for the upstream's sake is not in the calls that clients see."""

    def seen(self, model, schema, args, *, name="f"):
        what = about(ME, model)
        asked = parsed(model, "openai-chat", {**CHAT, "tools": [tool(schema, name)]}, what)
        built = dialects.get(what.dialect).build(asked, what.caps)
        PROVIDER.adjust(built.body, what)
        stream = RestoreStream(PROVIDER.restore(built.body, built.restore))
        whole = json.dumps(args)
        events = stream.feed(
            [
                BlockStart(0, "tool_call", id="c", name=name),
                ArgsDelta(0, whole[:3]),
                ArgsDelta(0, whole[3:]),
                BlockStop(0),
            ]
        )
        return json.loads("".join(e.text for e in events if isinstance(e, ArgsDelta)))

    @pytest.mark.parametrize("model", [CLAUDE, PRO])
    @pytest.mark.parametrize(
        ("schema", "args", "seen"),
        [
            (None, {"reason": "why"}, {}),
            (OPEN, {"reason": "why", "b": 1}, {"b": 1}),
            (EMPTY, {"reason": "why"}, {}),
            (
                {"type": "object", "properties": {"reason": {"type": "string"}}},
                {"reason": "mine"},
                {"reason": "mine"},
            ),
            (
                {"type": "object", "properties": {"_": {"type": "boolean"}}},
                {"_": True},
                {"_": True},
            ),
            (
                {"type": "object", "properties": {"o": LOOSE, "_": {"type": "boolean"}}},
                {"o": {"a": "x", "_": True}, "_": True},
                {"o": {"a": "x"}, "_": True},
            ),
            (
                {"type": "object", "properties": {"l": {"type": "array", "items": LOOSE}}},
                {"l": [{"a": "x", "_": True}, {"_": False}, "odd"]},
                {"l": [{"a": "x"}, {}, "odd"]},
            ),
            (
                {"type": "object", "properties": {"o": EMPTY}},
                {"o": {"reason": "why"}, "reason": "kept"},
                {"o": {}, "reason": "kept"},
            ),
            (
                either(OPEN, EMPTY),
                {"o": {"reason": "why", "b": 1}},
                {"o": {"b": 1}},
            ),
            (
                either({"type": "object", "properties": {"reason": {"type": "string"}}}, EMPTY),
                {"o": {"reason": "mine"}},
                {"o": {"reason": "mine"}},
            ),
            (
                either(
                    {"type": "object", "properties": {"p": EMPTY}},
                    {"type": "object", "properties": {"p": LOOSE, "q": EMPTY}},
                ),
                {"o": {"p": {"reason": "why", "a": "x", "_": True}, "q": {"reason": "why"}}},
                {"o": {"p": {"a": "x"}, "q": {}}},
            ),
        ],
    )
    def test_they_are_taken_out_of_calls(self, model, schema, args, seen):
        assert self.seen(model, schema, args) == seen

    def test_other_models_have_none(self):
        assert self.seen(GEMINI, EMPTY, {"reason": "mine"}) == {"reason": "mine"}

    def test_what_is_no_object_passes(self):
        assert self.seen(CLAUDE, EMPTY, "text") == "text"


class TestAddress:
    @pytest.mark.parametrize(
        ("model", "stream", "operation", "method"),
        [
            (GEMINI, False, "generate", "generateContent"),
            (GEMINI, True, "generate", "streamGenerateContent?alt=sse"),
            (GEMINI, False, "count", "countTokens"),
            (CLAUDE, False, "generate", "streamGenerateContent?alt=sse"),
            ("gemini-3-pro-high", False, "generate", "streamGenerateContent?alt=sse"),
            (IMAGE, False, "generate", "streamGenerateContent?alt=sse"),
            (OSS, False, "generate", "generateContent"),
            (CLAUDE, False, "count", "countTokens"),
        ],
    )
    def test_what_would_be_cut_short_is_asked_for_as_a_stream(
        self, model, stream, operation, method
    ):
        request = call(ME, model, stream=stream, operation=operation)
        assert request.url == f"{DAILY}:{method}"
        accepted = "text/event-stream" if "stream" in method else "application/json"
        assert request.headers["accept"] == accepted

    def test_an_owners_host_is_asked_instead(self):
        me = account("antigravity", base_url="http://127.0.0.1:1/")
        assert call(me, GEMINI).url == "http://127.0.0.1:1/v1internal:generateContent"

    def test_we_say_who_we_are_unless_the_owner_says_otherwise(self):
        assert call(ME, GEMINI).headers["user-agent"] == USER_AGENT
        told = account("antigravity", user_agent="mine/1")
        assert call(told, GEMINI).headers["user-agent"] == "mine/1"

    def test_without_a_project_another_account_is_asked(self):
        with pytest.raises(UpstreamRefused) as caught:
            call(account("antigravity", project=""), GEMINI)
        assert goes_on(caught.value)


class TestEnvelope:
    def test_an_agents_request(self):
        body = written(ME, GEMINI, "openai-chat", CHAT, session="5" * 32)
        session = body["request"].pop("sessionId")
        assert re.fullmatch(f"agent-{UUID}", body.pop("requestId"))
        assert body == {
            "model": GEMINI,
            "project": "p1",
            "userAgent": "antigravity",
            "requestType": "agent",
            "request": {"contents": [TURN]},
        }
        assert re.fullmatch(r"-\d+", session)
        assert 0 <= -int(session) < 2**63

    def test_a_conversation_keeps_its_number(self):
        def number(session, text="Hi"):
            body = {"model": "x", "messages": [{"role": "user", "content": text}]}
            return written(ME, GEMINI, "openai-chat", body, session=session)["request"]["sessionId"]

        assert number("a" * 32) == number("a" * 32, "Bye") != number("b" * 32)
        assert number("") == number("") != number("", "Bye")

    def test_the_clients_own_session_is_kept(self):
        given = {"request": {"contents": [TURN], "session_id": "s1"}}
        inner = written(ME, GEMINI, "code-assist", given)["request"]
        assert inner["sessionId"] == "s1"
        assert "session_id" not in inner

    def test_a_picture_is_asked_for_otherwise(self):
        body = written(ME, IMAGE, "openai-chat", CHAT)
        assert body["requestType"] == "image_gen"
        assert re.fullmatch(rf"image_gen/\d{{13}}/{UUID}/12", body["requestId"])
        assert "sessionId" not in body["request"]

    @pytest.mark.parametrize(
        ("tools", "kind"),
        [
            ([{"googleSearch": {}}], "web_search"),
            ([{"googleSearch": {}}, {"functionDeclarations": [{"name": "f"}]}], "agent"),
            ([], "agent"),
        ],
    )
    def test_so_is_a_search(self, tools, kind):
        body = written(ME, GEMINI, "gemini", {"contents": [TURN], "tools": tools})
        assert body["requestType"] == kind
        assert ("requestId" in body) == (kind == "agent")
        assert ("sessionId" in body["request"]) == (kind == "agent")

    def test_safety_settings_are_not_taken(self):
        safety = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}]
        inner = written(ME, GEMINI, "gemini", {"contents": [TURN], "safetySettings": safety})
        assert "safetySettings" not in inner["request"]

    def test_only_the_request_is_counted(self):
        body = written(ME, CLAUDE, "openai-chat", {**CHAT, "tools": [tool()]}, operation="count")
        assert body == {"request": {"model": f"models/{CLAUDE}", "contents": [TURN]}}


class TestTheEditorItself:
    OWN = (
        b'{"project":"its-own","requestId":"r","userAgent":"antigravity","requestType":"agent",'
        b'"model":"m","request":{"contents": [],  "x":1}}'
    )

    def test_what_it_asks_passes_as_it_wrote_it_in_our_project(self):
        assert PROVIDER.verbatim(self.OWN, about(ME, GEMINI)) == self.OWN.replace(b"its-own", b"p1")

    def test_it_is_asked_for_what_it_asks_for(self):
        headers = {"user-agent": "antigravity/1.0"}
        request = call(
            account("antigravity", user_agent="mine/1"), CLAUDE, verbatim=True, headers=headers
        )
        assert request.url.endswith(":generateContent")
        assert request.headers["user-agent"] == "antigravity/1.0"

    @pytest.mark.parametrize(
        "body",
        [b"{", b"[]", b'{"model":"m","request":{}}', b'{"userAgent":"antigravity"}',
         b'{"userAgent":"other","request":{}}'],
    )  # fmt: skip
    def test_all_others_are_translated(self, body):
        assert PROVIDER.verbatim(body, about(ME, GEMINI)) is None


class TestClaude:
    def config(self, **more):
        return chat(CLAUDE, **more).get("generationConfig", {})

    def thinking(self, budget, most=None):
        given = {
            "model": "x",
            "max_tokens": most or 32000,
            "messages": [{"role": "user", "content": "Hi"}],
            "thinking": {"type": "enabled", "budget_tokens": budget},
        }
        return written(ME, CLAUDE, "anthropic", given)["request"]["generationConfig"]

    def test_output_has_a_limit_within_the_models(self):
        assert self.config()["maxOutputTokens"] == 64000
        assert self.config(max_tokens=500)["maxOutputTokens"] == 500
        assert self.config(max_tokens=900_000)["maxOutputTokens"] == 64000

    def test_thinking_is_smaller_than_the_output(self):
        found = self.thinking(10_000)["thinkingConfig"]
        assert found == {"thinkingBudget": 10_000, "includeThoughts": True}
        assert self.thinking(8000, most=4000)["thinkingConfig"]["thinkingBudget"] == 3999

    def test_too_little_thinking_is_none(self):
        assert "thinkingConfig" not in self.thinking(1024, most=1000)
        given = {
            "contents": [TURN],
            "generationConfig": {"thinkingConfig": {"thinkingBudget": 0}},
        }
        inner = written(ME, CLAUDE, "gemini", given)["request"]
        assert "thinkingConfig" not in inner["generationConfig"]

    @pytest.mark.parametrize(
        ("choice", "mode"), [(None, "VALIDATED"), ("auto", "VALIDATED"), ("required", "ANY")]
    )
    def test_calls_are_checked(self, choice, mode):
        more = {"tool_choice": choice} if choice else {}
        inner = chat(CLAUDE, tools=[tool({"type": "object", "properties": {}})], **more)
        assert inner["toolConfig"]["functionCallingConfig"]["mode"] == mode

    def test_without_tools_nothing_is_said_of_them(self):
        assert "toolConfig" not in chat(CLAUDE)
        assert "toolConfig" not in chat(GEMINI, tools=[tool()])


SIGNATURE = "c2lnbmF0dXJlIG9mIGNsYXVkZQ=="


class TestReasoning:
    def asked(self, model, *blocks):
        given = {
            "model": "x",
            "max_tokens": 32000,
            "thinking": {"type": "enabled", "budget_tokens": 4000},
            "messages": [
                {"role": "user", "content": "Hi"},
                {"role": "assistant", "content": [*blocks, {"type": "text", "text": "Hello"}]},
                {"role": "user", "content": "Go on"},
            ],
        }
        return written(ME, model, "anthropic", given)["request"]["contents"][1]["parts"]

    SIGNED = {"type": "thinking", "thinking": "Hm", "signature": SIGNATURE}

    def test_claudes_reasoning_goes_back_to_claude(self):
        assert self.asked(CLAUDE, self.SIGNED)[0] == {
            "text": "Hm",
            "thought": True,
            "thoughtSignature": SIGNATURE,
        }

    def test_it_does_not_go_to_gemini(self):
        assert self.asked(GEMINI, self.SIGNED) == [{"text": "Hello"}]

    def test_unsigned_reasoning_does_not_go_to_claude(self):
        assert self.asked(CLAUDE, {**self.SIGNED, "signature": ""}) == [{"text": "Hello"}]
        contents = [
            TURN,
            {"role": "model", "parts": [{"text": "Hm", "thought": True}, {"text": "Hello"}]},
            TURN,
        ]
        inner = written(ME, CLAUDE, "gemini", {"contents": contents})["request"]
        assert inner["contents"][1]["parts"] == [{"text": "Hello"}]

    CALLED = {
        "model": "x",
        "messages": [
            {"role": "user", "content": "look"},
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": i, "type": "function", "function": {"name": "f", "arguments": "{}"}}
                    for i in ("a", "b")
                ],
            },
            {"role": "tool", "tool_call_id": "a", "content": "1"},
            {"role": "tool", "tool_call_id": "b", "content": "2"},
        ],
        "tools": [tool()],
    }

    @pytest.mark.parametrize(
        ("model", "signed"),
        [(GEMINI, True), ("gemini-pro-agent", True), (CLAUDE, False), (OSS, False)],
    )
    def test_only_gemini_gets_the_stand_in_signature_on_the_first_call(self, model, signed):
        parts = written(ME, model, "openai-chat", self.CALLED)["request"]["contents"][1]["parts"]
        assert ["thoughtSignature" in part for part in parts] == [signed, False]


class TestSchemas:
    def test_json_schema_becomes_the_older_form(self):
        schema = {
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/A"}},
            "required": ["a"],
            "$defs": {"A": {"type": "string"}},
            "additionalProperties": False,
        }
        found = declared(GEMINI, schema)
        assert "parametersJsonSchema" not in found
        assert found["parameters"]["properties"] == {"a": {"type": "string"}}

    def test_a_gemini_clients_json_schema_does_too(self):
        schema = {"type": "object", "properties": {"a": {"type": ["string", "null"]}}}
        tools = [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": schema}]}]
        inner = written(ME, GEMINI, "gemini", {"contents": [TURN], "tools": tools})["request"]
        assert inner["tools"][0]["functionDeclarations"] == [
            {
                "name": "f",
                "parameters": {
                    "type": "object",
                    "properties": {"a": {"type": "string", "nullable": True}},
                },
            }
        ]

    def test_lists_of_values_and_limits_are_told_in_words(self):
        schema = {
            "type": "object",
            "properties": {
                "unit": {"type": "string", "enum": ["C", "F"], "description": "Which."},
                "days": {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 7}},
                "enum": {"type": "string"},
            },
            "required": ["unit"],
        }
        found = declared(GEMINI, schema)["parameters"]["properties"]
        assert found["unit"] == {"type": "string", "description": "Which. (Allowed: C, F)"}
        assert found["days"]["items"] == {
            "type": "integer",
            "description": "(minimum: 1) (maximum: 7)",
        }
        assert found["enum"] == {"type": "string"}

    def test_answers_keep_their_lists_of_values(self):
        schema = {"type": "object", "properties": {"u": {"type": "string", "enum": ["C", "F"]}}}
        form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
        config = chat(GEMINI, response_format=form)["generationConfig"]
        assert config["responseSchema"]["properties"]["u"]["enum"] == ["C", "F"]

    REASON = ["reason"]

    @pytest.mark.parametrize(
        ("model", "schema", "required"),
        [
            (CLAUDE, None, REASON),
            (CLAUDE, {"type": "object", "properties": {}}, REASON),
            ("gemini-3-pro-high", {"type": "object", "properties": {}}, REASON),
            (PRO, None, REASON),
            (CLAUDE, {"type": "object", "properties": {"a": {"type": "string"}}}, None),
            (
                CLAUDE,
                {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
                ["a"],
            ),
        ],
    )
    def test_where_calls_are_checked_an_empty_tool_requires_something(
        self, model, schema, required
    ):
        assert declared(model, schema)["parameters"].get("required") == required

    def test_elsewhere_it_stays_empty(self):
        assert "parameters" not in declared(GEMINI, {"type": "object", "properties": {}})

    def test_objects_within_require_something_too(self):
        inner = {"type": "object", "properties": {"b": {"type": "string"}}}
        schema = {
            "type": "object",
            "properties": {"a": inner, "c": {"type": "array", "items": inner}},
        }
        found = declared(CLAUDE, schema)["parameters"]
        for one in (found["properties"]["a"], found["properties"]["c"]["items"]):
            assert one["required"] == ["_"]
            assert one["properties"]["_"] == {"type": "boolean"}
        assert "required" not in found

"""What a host wants otherwise is written into a copy: the next account gets the client's request."""

from __future__ import annotations

import pytest
from tests.unit.providers.google import account, written_twice

CONTENTS = [
    {"role": "user", "parts": [{"text": "Hi"}]},
    {
        "role": "model",
        "parts": [
            {"text": "Hm", "thought": True, "thoughtSignature": "c2ln"},
            {"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "c2ln"},
            {"toolCall": {"id": "t"}, "thought": True, "thoughtSignature": "c2ln"},
            {"functionCall": {"id": "c", "name": "f", "args": {}}, "thought": True},
        ],
    },
    {
        "role": "user",
        "parts": [{"functionResponse": {"id": "c", "name": "f", "response": {"a": 1}}}],
    },
]
SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "object", "properties": {"b": {"enum": ["x"]}}}},
}
BODY = {
    "contents": CONTENTS,
    "tools": [
        {"functionDeclarations": [{"name": "f", "parameters": SCHEMA}, {"name": "g"}]},
    ],
    "toolConfig": {"functionCallingConfig": {"x": 1}, "retrievalConfig": {}},
    "generationConfig": {"maxOutputTokens": 2000, "thinkingConfig": {"thinkingBudget": 9000}},
    "safetySettings": [],
}


@pytest.mark.parametrize("operation", ["generate", "count"])
@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("antigravity", "claude-sonnet-4-6"),
        ("antigravity", "gemini-3-pro-high"),
        ("gemini-cli", "gemini-2.5-pro"),
        ("vertex", "gemini-2.5-pro"),
        ("vertex", "imagen-4.0-generate-001"),
    ],
)
def test_the_second_account_is_asked_the_same(provider, model, operation):
    me = account(provider, project_id="p1")
    first, second = written_twice(me, model, "gemini", BODY, operation=operation)
    for body in (first, second):
        body.pop("requestId", None)
    assert first == second

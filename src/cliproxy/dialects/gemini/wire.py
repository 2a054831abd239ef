"""Names of the Gemini API: fields, finish reasons, limits. Facts only."""

from __future__ import annotations

import re
from typing import Final

from cliproxy.base.errors import Kind
from cliproxy.ir.events import Reason

READ: Final = frozenset(
    {"contents", "systemInstruction", "tools", "toolConfig", "safetySettings", "generationConfig",
     "labels", "model", "serviceTier"}
)  # fmt: skip
"""Body fields that become IR; all others travel as extras."""
CONFIG_READ: Final = frozenset(
    {"temperature", "topP", "topK", "maxOutputTokens", "candidateCount", "stopSequences", "seed",
     "presencePenalty", "frequencyPenalty", "responseLogprobs", "logprobs", "responseMimeType",
     "responseSchema", "responseJsonSchema", "responseModalities", "thinkingConfig"}
)  # fmt: skip

COUNTED: Final = ("contents", "systemInstruction", "tools", "toolConfig", "generationConfig")

MAX_STOPS: Final = 5
DUMMY_SIGNATURE: Final = "skip_thought_signature_validator"
"""Accepted by Gemini 3 and later in place of a signature for calls it did not issue."""
SIGNED: Final = re.compile(r"gemini-([3-9]|\d\d)")
"""Models that demand a signature on the first call of each step."""

OLDER: Final = re.compile(r"(.*/)?gemini-[12][.-]")
"""Models that refuse functions beside tools that Google runs."""

TOOL_KINDS: Final = {
    "googleSearch": "web_search",
    "googleSearchRetrieval": "web_search",
    "codeExecution": "code_execution",
    "urlContext": "web_fetch",
    "fileSearch": "file_search",
    "computerUse": "computer",
    "mcpServers": "mcp",
}

FINISH: Final[dict[str, Reason]] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "LANGUAGE": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "IMAGE_OTHER": "content_filter",
    "MALFORMED_FUNCTION_CALL": "malformed_tool",
    "UNEXPECTED_TOOL_CALL": "malformed_tool",
    "TOO_MANY_TOOL_CALLS": "malformed_tool",
    "MISSING_THOUGHT_SIGNATURE": "malformed_tool",
    "MALFORMED_RESPONSE": "malformed_tool",
}
REASONS: Final[dict[Reason, str]] = {
    "stop": "STOP",
    "stop_sequence": "STOP",
    "tool_calls": "STOP",
    "length": "MAX_TOKENS",
    "context_full": "MAX_TOKENS",
    "content_filter": "SAFETY",
    "refusal": "SAFETY",
    "pause": "STOP",
    "malformed_tool": "MALFORMED_FUNCTION_CALL",
}

STATUS_NAMES: Final[dict[Kind, str]] = {
    "invalid_request": "INVALID_ARGUMENT",
    "authentication": "UNAUTHENTICATED",
    "billing": "FAILED_PRECONDITION",
    "permission": "PERMISSION_DENIED",
    "not_found": "NOT_FOUND",
    "conflict": "ABORTED",
    "too_large": "INVALID_ARGUMENT",
    "rate_limit": "RESOURCE_EXHAUSTED",
    "overloaded": "UNAVAILABLE",
    "server": "INTERNAL",
    "timeout": "DEADLINE_EXCEEDED",
    "unimplemented": "UNIMPLEMENTED",
    "cancelled": "CANCELLED",
}
STATUS_CODES: Final = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INTERNAL": 500,
    "DATA_LOSS": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}

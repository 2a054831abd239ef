"""Names of the OpenAI Responses API: fields, item kinds, limits, error codes. Facts only."""

from __future__ import annotations

from typing import Final

LOGPROBS: Final = "message.output_text.logprobs"
OUTPUTS: Final = "code_interpreter_call.outputs"
"""Member of `include` that asks for the likelihood of each token."""

READ: Final = frozenset(
    {
        "model", "input", "instructions", "stream", "max_output_tokens", "temperature", "top_p",
        "top_logprobs", "reasoning", "text", "tools", "tool_choice", "parallel_tool_calls",
        "previous_response_id", "conversation", "store", "metadata", "service_tier",
        "safety_identifier", "user", "prompt_cache_key",
    }
)  # fmt: skip
"""Body fields that become IR; all others travel as extras."""

COUNTED: Final = frozenset(
    {"model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "reasoning",
     "text", "truncation", "conversation", "previous_response_id"}
)  # fmt: skip
"""Fields the token-count endpoint takes."""

HINTS: Final = frozenset(
    {"client_metadata", "include", "prompt_cache_retention", "prompt_cache_options", "truncation",
     "stream_options"}
)  # fmt: skip
"""Extras whose loss does not change what the model is asked."""

CODEX_ABSENT: Final = (
    "max_output_tokens", "max_completion_tokens", "max_tokens", "temperature", "top_p",
    "truncation", "user", "safety_identifier", "prompt_cache_retention", "prompt_cache_options",
    "previous_response_id", "context_management", "metadata", "stream_options", "generate",
)  # fmt: skip
"""Fields the ChatGPT Codex backend refuses."""

CONTENT: Final = "content part "
"""Begins the kind of an unknown content part, to tell it from an unknown item."""
ENCRYPTED: Final = "reasoning.encrypted_content"
NAME_LIMIT: Final = 64
CALL_ID_LIMIT: Final = 64

TERMINAL: Final = frozenset(
    {"response.completed", "response.incomplete", "response.failed", "response.cancelled", "error"}
)

STATUS: Final = {
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "usage_limit_reached": 429,
    "usage_not_included": 403,
    "invalid_api_key": 401,
    "model_not_found": 404,
    "context_length_exceeded": 400,
    "invalid_prompt": 400,
    "invalid_request_error": 400,
    "invalid_image": 400,
    "invalid_image_format": 400,
    "invalid_base64_image": 400,
    "invalid_image_url": 400,
    "image_too_large": 400,
    "image_too_small": 400,
    "image_parse_error": 400,
    "image_content_policy_violation": 400,
    "unsupported_image_media_type": 400,
    "empty_image_file": 400,
    "bio_policy": 400,
    "cyber_policy": 400,
    "misalignment_policy_violation": 400,
    "data_residency_mismatch": 403,
    "server_is_overloaded": 503,
    "slow_down": 503,
    "overloaded_error": 503,
    "server_error": 500,
    "vector_store_timeout": 504,
}
"""HTTP status an in-stream error code stands for."""

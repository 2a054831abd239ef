"""Names of the Anthropic Messages API: fields, block kinds, tools, limits. Facts only."""

from __future__ import annotations

from typing import Final

from cliproxy.base.errors import Kind
from cliproxy.ir.events import Reason

READ: Final = frozenset(
    {
        "model", "messages", "system", "max_tokens", "stop_sequences", "stream", "temperature",
        "top_p", "top_k", "thinking", "output_config", "output_format", "tools", "tool_choice",
        "metadata", "cache_control", "service_tier",
    }
)  # fmt: skip
"""Body fields that become IR; all others travel as extras."""

COUNTED: Final = (
    "model", "messages", "system", "tools", "tool_choice", "thinking", "output_config",
    "cache_control",
)  # fmt: skip
"""Fields the token-count endpoint takes."""

IMAGE_TYPES: Final = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
DEFAULT_MAX_TOKENS: Final = 32_000
"""`max_tokens` for a model whose limit is unknown; the API demands a number."""
MIN_BUDGET: Final = 1024
"""Smallest thinking budget the API takes."""
MAX_BREAKPOINTS: Final = 4
"""Blocks that may carry `cache_control` in one request."""

CLIENT_TOOLS: Final = ("bash", "text_editor", "memory", "computer", "browser")
"""Typed tools that the client runs; the wire type is the name and a date."""
SERVER_TOOLS: Final = (
    "web_search", "web_fetch", "code_execution", "tool_search_tool_regex", "tool_search_tool_bm25",
    "mcp_toolset",
)  # fmt: skip
WEB_SEARCH: Final = "web_search_20250305"
"""The version of the search tool every current model takes."""
COUNTERPARTS: Final = {
    "web_fetch": "web_fetch_20250910",
    "code_execution": "code_execution_20250825",
}
"""Tools of other APIs that Claude's provider runs too, without settings of their own."""

BETAS: Final = {
    "context_management": "context-management-2025-06-27",
    "mcp_servers": "mcp-client-2025-11-20",
    "speed": "fast-mode-2026-02-01",
}
"""Body fields that only work with a beta flag."""

STOP_REASONS: Final[dict[str, Reason]] = {
    "end_turn": "stop",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "context_full",
    "refusal": "content_filter",
    "pause_turn": "pause",
}
REASONS: Final[dict[Reason, str]] = {
    "stop": "end_turn",
    "stop_sequence": "stop_sequence",
    "tool_calls": "tool_use",
    "length": "max_tokens",
    "context_full": "model_context_window_exceeded",
    "content_filter": "refusal",
    "refusal": "refusal",
    "pause": "pause_turn",
    "malformed_tool": "end_turn",
}

ERROR_TYPES: Final[dict[Kind, str]] = {
    "invalid_request": "invalid_request_error",
    "authentication": "authentication_error",
    "billing": "billing_error",
    "permission": "permission_error",
    "not_found": "not_found_error",
    "conflict": "conflict_error",
    "too_large": "request_too_large",
    "rate_limit": "rate_limit_error",
    "overloaded": "overloaded_error",
    "server": "api_error",
    "timeout": "timeout_error",
    "unimplemented": "api_error",
    "cancelled": "api_error",
}
ERROR_STATUS: Final = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}

"""Names of the Interactions API: fields, steps, statuses, error codes. Facts only."""

from __future__ import annotations

from typing import Final

from cliproxy.base.errors import Kind
from cliproxy.ir.events import Reason

READ: Final = frozenset(
    {"model", "generation_config", "input", "labels", "previous_interaction_id", "response_format",
     "response_mime_type", "response_modalities", "safety_settings", "service_tier", "store",
     "stream", "system_instruction", "tools"}
)  # fmt: skip
"""Body fields that become IR; all others travel as extras."""
CONFIG_READ: Final = frozenset(
    {"max_output_tokens", "seed", "stop_sequences", "temperature", "thinking_level",
     "thinking_summaries", "tool_choice", "top_p"}
)  # fmt: skip
CONTENTS: Final = frozenset({"text", "image", "audio", "document", "video"})
"""Types of content; every other object of `input` is a step."""

CONTENT: Final = "content "
"""Begins the kind of an unknown content; unknown steps are called by their type alone."""

TOOL_KINDS: Final = {
    "google_search": "web_search",
    "url_context": "web_fetch",
    "code_execution": "code_execution",
    "file_search": "file_search",
    "google_maps": "maps",
    "computer_use": "computer",
    "mcp_server": "mcp",
    "tool_search": "tool_search",
    "retrieval": "retrieval",
}

MAX_STOPS: Final = 5
LEVELS: Final = ("minimal", "low", "medium", "high", "xhigh")

STATUSES: Final[dict[Reason, str]] = {
    "stop": "completed",
    "stop_sequence": "completed",
    "tool_calls": "requires_action",
    "length": "incomplete",
    "context_full": "incomplete",
    "content_filter": "incomplete",
    "refusal": "completed",
    "pause": "incomplete",
    "malformed_tool": "incomplete",
}
FINISH: Final[dict[str, Reason]] = {
    "completed": "stop",
    "requires_action": "tool_calls",
    "incomplete": "length",
    "budget_exceeded": "length",
    "requires_continuation": "length",
}
"""Statuses of an interaction that came to an end, and what they mean."""

CODES: Final[dict[Kind, str]] = {
    "invalid_request": "invalid_request",
    "authentication": "unauthenticated",
    "billing": "failed_precondition",
    "permission": "permission_denied",
    "not_found": "not_found",
    "conflict": "conflict",
    "too_large": "invalid_request",
    "rate_limit": "rate_limit_exceeded",
    "overloaded": "service_unavailable",
    "server": "internal_error",
    "timeout": "gateway_timeout",
    "unimplemented": "not_implemented",
    "cancelled": "cancelled",
}
STATUS_OF: Final = {
    "invalid_request": 400,
    "invalid_argument": 400,
    "failed_precondition": 400,
    "out_of_range": 400,
    "unauthenticated": 401,
    "unauthorized": 401,
    "invalid_api_key": 401,
    "permission_denied": 403,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "aborted": 409,
    "already_exists": 409,
    "rate_limit_exceeded": 429,
    "too_many_requests": 429,
    "resource_exhausted": 429,
    "quota_exceeded": 429,
    "cancelled": 499,
    "internal": 500,
    "internal_error": 500,
    "internal_server_error": 500,
    "server_error": 500,
    "unknown": 500,
    "not_implemented": 501,
    "unimplemented": 501,
    "bad_gateway": 502,
    "service_unavailable": 503,
    "unavailable": 503,
    "overloaded": 503,
    "gateway_timeout": 504,
    "deadline_exceeded": 504,
}

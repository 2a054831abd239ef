"""Names on the wire of chat completions: which fields exist and what becomes of each.

Tables, and two tiny readings that requests and answers have in common. `parse*.py` and `build*.py`
use them for requests, `read.py` and `write.py` for answers.
"""

from __future__ import annotations

from typing import Final, Literal

from cliproxy.base.json import Json, Obj
from cliproxy.ir.events import Reason
from cliproxy.ir.request import Sig

# ---- request fields ---------------------------------------------------------------------------
MAPPED: Final = frozenset(
    {
        "model",
        "messages",
        "stream",
        "stream_options",
        "max_completion_tokens",
        "max_tokens",
        "temperature",
        "top_p",
        "n",
        "stop",
        "seed",
        "frequency_penalty",
        "presence_penalty",
        "logit_bias",
        "logprobs",
        "top_logprobs",
        "reasoning_effort",
        "verbosity",
        "response_format",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "functions",
        "function_call",
        "modalities",
        "web_search_options",
        "metadata",
        "store",
        "service_tier",
        "safety_identifier",
        "user",
        "prompt_cache_key",
    }
)
"""Documented fields that have a place in the neutral request."""

KEPT: Final = frozenset(
    {"audio", "prediction", "moderation", "prompt_cache_options", "prompt_cache_retention"}
)
"""Documented fields that only this dialect has: they ride along as extras."""

EXTENSIONS: Final = frozenset(
    {
        "top_k",
        "reasoning",
        "include_reasoning",
        "thinking",
        "extra_body",
        "google",
    }
)
"""Fields no specification lists, which clients of compatible hosts send and which we understand."""

READ: Final = MAPPED | EXTENSIONS
"""Everything `parse` reads; any other top-level field is an extra."""

THINKING_OBJECTS: Final = ("reasoning", "thinking", "include_reasoning", "google", "extra_body")
"""How compatible hosts spell thinking, beside `reasoning_effort`."""

HINTS: Final = frozenset(
    {
        "prompt_cache_options",
        "prompt_cache_retention",
        "prompt_cache_key",
        "prediction",
        "moderation",
        "stream_options",
        "betas",
    }
)
"""Extras whose absence does not change what the model is asked (reported as information)."""

LEGACY_ONLY: Final = {
    "prompt": "several prompts were joined into one",
    "suffix": "chat upstreams cannot insert text before a suffix",
    "best_of": "chat upstreams return what they draw, they do not choose the best",
}
"""Extras of a legacy completions client that a chat upstream must not be sent."""

# ---- messages ---------------------------------------------------------------------------------
AUDIO_MIMES: Final = {"wav": "audio/wav", "mp3": "audio/mpeg"}
AUDIO_FORMATS: Final = {
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
}

REASONING_KEYS: Final = ("reasoning_content", "reasoning", "reasoning_text")
"""Where hosts put the model's reasoning, in order of preference."""

# ---- tools ------------------------------------------------------------------------------------
SERVER_KINDS: Final = {
    "web_search": "web_search",
    "web_search_preview": "web_search",
    "google_search": "web_search",
    "googlesearch": "web_search",
    "google_search_retrieval": "web_search",
    "googlesearchretrieval": "web_search",
    "web_fetch": "web_fetch",
    "url_context": "web_fetch",
    "urlcontext": "web_fetch",
    "code_execution": "code_execution",
    "codeexecution": "code_execution",
    "code_interpreter": "code_execution",
    "image_generation": "image_generation",
    "file_search": "file_search",
    "filesearch": "file_search",
    "google_maps": "maps",
    "googlemaps": "maps",
    "computer": "computer",
    "computer_use": "computer",
    "computeruse": "computer",
    "computer_use_preview": "computer",
    "mcp": "mcp",
    "shell": "shell",
    "local_shell": "shell",
    "apply_patch": "apply_patch",
    "bash": "bash",
    "text_editor": "text_editor",
    "memory": "memory",
}
"""Lower-case type (or single key) of a built-in tool, without a date, → neutral kind."""

SYSTEM_ROLES: Final = frozenset({"system", "developer"})
NAME_LIMIT: Final = 64
STOP_LIMIT: Final = 4
END_USER_LIMIT: Final = 64

# ---- answers ----------------------------------------------------------------------------------
FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "function_call"]

FINISH_OUT: Final[dict[Reason, FinishReason]] = {
    "stop": "stop",
    "stop_sequence": "stop",
    "tool_calls": "tool_calls",
    "length": "length",
    "context_full": "length",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    "pause": "stop",
    "malformed_tool": "stop",
}

FINISH_IN: Final[dict[str, Reason]] = {
    "stop": "stop",
    "eos": "stop",
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "safety": "content_filter",
}
"""Anything else a host invents counts as a plain stop."""


# ---- small readings ---------------------------------------------------------------------------
def reasoning_text(value: Json) -> str:
    """Return reasoning given as a string, an object with `text`, or a list of either."""
    match value:
        case str():
            return value
        case list():
            return "".join(reasoning_text(item) for item in value)
        case dict():
            for key in ("text", "content", "thinking", "summary"):
                if key in value:
                    return reasoning_text(value[key])
            return ""
        case _:
            return ""


def thought_signature(item: Obj) -> Sig | None:
    """Return the Gemini signature a tool call carries in `extra_content`, if any."""
    content = item.get("extra_content")
    google = content.get("google") if isinstance(content, dict) else None
    value = google.get("thought_signature") if isinstance(google, dict) else None
    return Sig(value, "gemini") if isinstance(value, str) and value else None

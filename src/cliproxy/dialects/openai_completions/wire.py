"""Names on the wire of legacy completions."""

from __future__ import annotations

from typing import Final, Literal

from cliproxy.ir.events import Reason

MAPPED: Final = frozenset(
    {
        "model",
        "prompt",
        "echo",
        "stream",
        "stream_options",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "top_k",
        "n",
        "stop",
        "seed",
        "frequency_penalty",
        "presence_penalty",
        "logit_bias",
        "logprobs",
        "top_logprobs",
        "user",
    }
)
"""Fields that have a place in the neutral request."""

KEPT: Final = frozenset({"suffix", "best_of"})
"""Documented fields no chat model can honour; builders report them."""

EMPTY_PROMPT: Final = "Complete this:"
"""What stands in for an empty prompt: chat models need something to answer."""

FinishReason = Literal["stop", "length", "content_filter"]

FINISH_OUT: Final[dict[Reason, FinishReason]] = {
    "stop": "stop",
    "stop_sequence": "stop",
    "tool_calls": "stop",
    "length": "length",
    "context_full": "length",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    "pause": "stop",
    "malformed_tool": "stop",
}

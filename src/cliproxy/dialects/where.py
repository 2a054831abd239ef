"""What the *client* calls a field, for loss reports: a path in the body it sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import structs

from cliproxy.ir.loss import Loss
from cliproxy.ir.request import DialectId, IRRequest

_NAMES: Final[dict[str, dict[DialectId, str]]] = {
    "max_output": {
        "openai-chat": "max_tokens",
        "openai-completions": "max_tokens",
        "openai-responses": "max_output_tokens",
        "anthropic": "max_tokens",
        "gemini": "generationConfig.maxOutputTokens",
    },
    "temperature": {"gemini": "generationConfig.temperature"},
    "top_p": {"gemini": "generationConfig.topP"},
    "top_k": {"gemini": "generationConfig.topK"},
    "stop": {"anthropic": "stop_sequences", "gemini": "generationConfig.stopSequences"},
    "logprobs": {
        "openai-responses": "top_logprobs",
        "gemini": "generationConfig.responseLogprobs",
    },
    "format": {
        "openai-chat": "response_format",
        "openai-responses": "text.format",
        "anthropic": "output_config.format",
        "gemini": "generationConfig.responseSchema",
    },
    "verbosity": {"openai-responses": "text.verbosity"},
    "thinking": {
        "openai-chat": "reasoning_effort",
        "openai-responses": "reasoning.effort",
        "gemini": "generationConfig.thinkingConfig",
    },
    "end_user": {
        "openai-chat": "user",
        "openai-responses": "user",
        "openai-completions": "user",
        "anthropic": "metadata.user_id",
    },
    "metadata": {"gemini": "labels"},
    "service_tier": {"gemini": "serviceTier"},
    "modalities": {"gemini": "generationConfig.responseModalities"},
    "tool_choice": {"gemini": "toolConfig.functionCallingConfig"},
    "parallel_tool_calls": {"anthropic": "tool_choice.disable_parallel_tool_use"},
}


def field(req: IRRequest, name: str) -> str:
    """Return the client's path of a scalar."""
    return _NAMES.get(name, {}).get(req.source, name)


def named(req: IRRequest, losses: Iterable[Loss]) -> tuple[Loss, ...]:
    """Return losses of scalars under the names the client gave them."""
    return tuple(
        structs.replace(loss, field=path)
        if (path := field(req, loss.field)) != loss.field
        else loss
        for loss in losses
    )


def message(req: IRRequest, index: int) -> str:
    """Return the client's path of `req.messages[index]`, as near as its dialect lets us tell."""
    match req.source:
        case "openai-chat":
            # Leading system messages are not among the IR messages.
            items = req.raw.get("messages")
            offset = len(items) - len(req.messages) if isinstance(items, list) else 0
            return f"messages[{max(0, offset) + index}]"
        case "anthropic":
            return f"messages[{index}]"
        case "gemini":
            return f"contents[{index}]"
        case "openai-responses":
            return f"input[{index}]"
        case "openai-completions":
            return "prompt"


def part(req: IRRequest, index: int, number: int) -> str:
    """Return the client's path of one part of a message."""
    base = message(req, index)
    match req.source:
        case "gemini":
            return f"{base}.parts[{number}]"
        case "openai-completions":
            return base
        case _:
            return f"{base}.content[{number}]"

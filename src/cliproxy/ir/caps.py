"""What one model behind one provider can take: facts, not code.

Every field is optional; the default is the conservative answer for an unknown model. Values come
from the model catalogue (`data/models.json`), the provider's defaults and the account's settings.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from cliproxy.ir.request import Family

Makes = Literal["text", "image", "video"]
"""What a model answers with, where it answers with nothing else; `text` is all that converses."""


class ThinkingCaps(Struct, frozen=True):
    """How a model's reasoning can be set.

    `levels` present → by level; `max` without levels → by token budget; both → either.
    """

    min: int = 0
    max: int = 0
    zero_allowed: bool = False
    dynamic_allowed: bool = False
    levels: tuple[str, ...] = ()

    @property
    def by_budget(self) -> bool:
        """Whether a token budget can be given."""
        return self.max > 0


class Caps(Struct, frozen=True):
    """What the target of a translation can take."""

    model: str = ""
    """The upstream's model name."""
    provider: str = ""
    family: Family = "unknown"
    known: bool = False
    """The model is in the catalogue (or its capabilities were configured)."""
    thinking: ThinkingCaps | None = None
    """None with `known`: the model cannot think, strip the fields.

    None without it: convert the form only."""
    max_output: int | None = None
    temperature_max: float | None = None
    sampling: bool = True
    """Takes temperature/top_p/top_k at all (newest Claude models do not)."""
    exclusive_temp_top_p: bool = False
    mid_system: bool = False
    """Anthropic: takes role `system` inside messages."""
    prefill: bool = True
    """Takes a trailing assistant message."""
    tool_name_max: int = 64
    json_schema_params: bool = True
    """Gemini: takes `parametersJsonSchema` / `responseJsonSchema`."""
    remote_images: bool = True
    """Takes image URLs (otherwise they must be inlined)."""
    tool_images: bool = False
    """Chat: takes images inside role tool. Gemini: takes `functionResponse.parts`."""
    echo_reasoning: bool = False
    """Chat: wants `reasoning_content` back in history."""
    system_role: Literal["system", "developer"] = "system"
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    efforts: tuple[str, ...] = ()
    """Chat/Responses: accepted `reasoning_effort` values; empty = unknown, send as asked."""
    parallel_flag: bool = True
    stream_usage_flag: bool = True
    prompt_cache_key: bool = False
    """Chat: takes `prompt_cache_key`, although it is not OpenAI itself."""
    custom_tools: bool = False
    """Chat: takes `custom` tools. (Responses always does.)"""
    freeform_tools: bool = True
    """Responses: takes `custom` tools; otherwise they become functions with one `input`."""
    structured_output: bool = True
    cache_breakpoints: Literal["", "5m", "1h"] = ""
    """Anthropic: set cache breakpoints of this lifetime for clients that cannot set any."""
    codex: bool = False
    """Responses: the ChatGPT Codex backend with its restrictions (dialect facts 5.3)."""
    draws: bool = False
    """It makes pictures and nothing else."""
    grok_images: bool = False
    """Images: xAI's form of the API, with ratios in place of sizes and no multipart bodies."""
    base_is_official: bool = False
    """The vendor's own host rather than a compatible one."""

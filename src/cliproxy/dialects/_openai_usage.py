"""Token counts of chat and legacy completions ⇄ `IRUsage`.

`prompt_tokens` includes cached tokens and `completion_tokens` includes reasoning. Hosts that count
otherwise are recognised by their own total.
"""

from __future__ import annotations

from typing import Any, Final

from cliproxy.base.json import Json, Obj
from cliproxy.dialects._fields import as_integer
from cliproxy.ir.usage import IRUsage

_PROMPT_MAPPED: Final = frozenset(
    {
        "cached_tokens",
        "cache_write_tokens",
        "cached_creation_tokens",
        "cache_creation_tokens",
        "audio_tokens",
    }
)
_COMPLETION_MAPPED: Final = frozenset({"reasoning_tokens", "audio_tokens"})


_ASKED: Final = frozenset({"auto", "fast"})
"""Words of a request: an answer that repeats them does not say what was done."""


def tier_from(value: Json) -> str | None:
    """Read the `service_tier` of an answer."""
    return value if isinstance(value, str) and value and value not in _ASKED else None


def tier_to(usage: IRUsage) -> str | None:
    """Return the `service_tier` of an answer, None for an unknown one."""
    return None if usage.tier == "batch" else usage.tier


def usage_from(obj: Obj) -> IRUsage:
    """Read a `usage` object; a count the host did not give stays None."""
    prompt = _details(obj, "prompt_tokens_details", "input_tokens_details")
    completion = _details(obj, "completion_tokens_details", "output_tokens_details")
    input_total = _first(obj, "prompt_tokens", "input_tokens")
    output_total = _first(obj, "completion_tokens", "output_tokens")
    reasoning = _first(completion, "reasoning_tokens")
    if (
        reasoning
        and output_total is not None
        and _first(obj, "total_tokens") == (input_total or 0) + output_total + reasoning
    ):
        output_total += reasoning  # this host leaves reasoning out of completion_tokens
    cache_read = _first(prompt, "cached_tokens")
    if cache_read is None:
        cache_read = _first(obj, "prompt_cache_hit_tokens", "cached_tokens")
    return IRUsage(
        input_total=input_total,
        cache_read=cache_read,
        cache_write=_first(
            prompt, "cache_write_tokens", "cached_creation_tokens", "cache_creation_tokens"
        ),
        output_total=output_total,
        reasoning=reasoning,
        audio_input=_first(prompt, "audio_tokens"),
        audio_output=_first(completion, "audio_tokens"),
        details=_splits(prompt, completion),
    )


def usage_to(usage: IRUsage) -> Obj:
    """Write a `usage` object; details appear only where they are known."""
    prompt: Obj = {}
    completion: Obj = {}
    _put(prompt, "cached_tokens", usage.cache_read)
    _put(prompt, "cache_write_tokens", usage.cache_write)
    _put(prompt, "audio_tokens", usage.audio_input)
    _put(completion, "reasoning_tokens", usage.reasoning)
    _put(completion, "audio_tokens", usage.audio_output)
    if usage.details and isinstance(own := usage.details.get("openai-chat"), dict):
        prompt |= own.get("prompt") or {}
        completion |= own.get("completion") or {}
    body: Obj = {
        "prompt_tokens": usage.input_total or 0,
        "completion_tokens": usage.output_total or 0,
        "total_tokens": usage.total,
    }
    if prompt:
        body["prompt_tokens_details"] = prompt
    if completion:
        body["completion_tokens_details"] = completion
    return body


def _put(target: Obj, key: str, value: int | None) -> None:
    if value is not None:
        target[key] = value


def _details(obj: Obj, *keys: str) -> Obj:
    for key in keys:
        value = obj.get(key)
        if isinstance(value, dict):
            return value
    return {}


def _first(obj: Obj, *keys: str) -> int | None:
    for key in keys:
        value: Json = obj.get(key)
        if value is not None and (count := as_integer(value)) is not None:
            return count
    return None


def _splits(prompt: Obj, completion: Obj) -> dict[str, Any] | None:
    """Keep the splits that only this dialect has, for a client of the same dialect."""
    if not prompt and not completion:
        return None
    own = {
        "prompt": {k: v for k, v in prompt.items() if k not in _PROMPT_MAPPED and v is not None},
        "completion": {
            k: v for k, v in completion.items() if k not in _COMPLETION_MAPPED and v is not None
        },
    }
    return {"openai-chat": own} if own["prompt"] or own["completion"] else None

"""Token counts of the Responses API ⇄ `IRUsage`.

Input includes cached tokens, output includes reasoning.
"""

from __future__ import annotations

from cliproxy.base.json import Json, Obj
from cliproxy.ir.usage import NOTHING, IRUsage


def usage_from(wire: Json) -> IRUsage:
    """Read a `usage` object; what is missing stays unknown."""
    if not isinstance(wire, dict):
        return NOTHING
    inputs = wire.get("input_tokens_details")
    outputs = wire.get("output_tokens_details")
    inputs = inputs if isinstance(inputs, dict) else {}
    outputs = outputs if isinstance(outputs, dict) else {}
    return IRUsage(
        input_total=_int(wire.get("input_tokens")),
        cache_read=_int(inputs.get("cached_tokens")),
        cache_write=_int(inputs.get("cache_write_tokens")),
        output_total=_int(wire.get("output_tokens")),
        reasoning=_int(outputs.get("reasoning_tokens")),
    )


def usage_to(usage: IRUsage) -> Obj | None:
    """Write a `usage` object; None when the upstream told nothing."""
    if not usage.known:
        return None
    return {
        "input_tokens": usage.input_total or 0,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read or 0,
            "cache_write_tokens": usage.cache_write or 0,
        },
        "output_tokens": usage.output_total or 0,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning or 0},
        "total_tokens": usage.total,
    }


def _int(value: Json) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None

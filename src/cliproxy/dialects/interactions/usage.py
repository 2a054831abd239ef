"""Token counts of the Interactions API ⇄ `IRUsage`.

`total_output_tokens` leaves out thoughts; the IR's output includes them. `total_input_tokens`
includes cached tokens and leaves out what tools put into the prompt.
"""

from __future__ import annotations

from cliproxy.base.json import Json, Obj
from cliproxy.ir.usage import NOTHING, IRUsage


def usage_from(wire: Json) -> IRUsage:
    """Read a `usage`."""
    if not isinstance(wire, dict):
        return NOTHING
    prompt = _int(wire, "total_input_tokens")
    tools = _int(wire, "total_tool_use_tokens")
    thoughts = _int(wire, "total_thought_tokens")
    said = _int(wire, "total_output_tokens")
    output = None
    if said is not None or thoughts is not None:
        output = (said or 0) + (thoughts or 0)
    return IRUsage(
        input_total=None if prompt is None else prompt + (tools or 0),
        cache_read=_int(wire, "total_cached_tokens"),
        output_total=output,
        reasoning=thoughts,
        tool_prompt=tools,
    )


def usage_to(usage: IRUsage) -> Obj:
    """Write a `usage`."""
    tools = usage.tool_prompt or 0
    output = usage.output_total or 0
    thoughts = min(usage.reasoning or 0, output)  # hosts exist that count more
    body: Obj = {"total_input_tokens": max(0, (usage.input_total or 0) - tools)}
    if usage.cache_read is not None:
        body["total_cached_tokens"] = usage.cache_read
    body["total_output_tokens"] = output - thoughts
    if usage.reasoning is not None:
        body["total_thought_tokens"] = thoughts
    if usage.tool_prompt is not None:
        body["total_tool_use_tokens"] = tools
    body["total_tokens"] = usage.total
    return body


def _int(wire: Obj, key: str) -> int | None:
    value = wire.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None

"""Token counts of the Gemini API ⇄ `IRUsage`.

`candidatesTokenCount` leaves out thoughts; the IR's output includes them. `promptTokenCount`
includes cached tokens and leaves out what tools put into the prompt.
"""

from __future__ import annotations

from typing import Final

from cliproxy.base.json import Json, Obj
from cliproxy.ir.usage import NOTHING, IRUsage

_TIERS: Final = {
    "ON_DEMAND": "default",
    "ON_DEMAND_PRIORITY": "priority",
    "ON_DEMAND_FLEX": "flex",
}
_TRAFFIC: Final = {neutral: word for word, neutral in _TIERS.items()}


def usage_from(wire: Json) -> IRUsage:
    """Read a `usageMetadata`."""
    if not isinstance(wire, dict):
        return NOTHING
    prompt = _int(wire, "promptTokenCount")
    tools = _int(wire, "toolUsePromptTokenCount")
    thoughts = _int(wire, "thoughtsTokenCount")
    candidates = _int(wire, "candidatesTokenCount")
    output = None
    if candidates is not None or thoughts is not None:
        output = (candidates or 0) + (thoughts or 0)
    elif prompt is not None:
        # No answer tokens are written as no field at all.
        output = 0
    return IRUsage(
        input_total=None if prompt is None else prompt + (tools or 0),
        cache_read=_int(wire, "cachedContentTokenCount"),
        output_total=output,
        reasoning=thoughts,
        tool_prompt=tools,
        tier=_TIERS.get(str(wire.get("trafficType"))),
    )


def usage_to(usage: IRUsage) -> Obj:
    """Write a `usageMetadata`."""
    tools = usage.tool_prompt or 0
    body: Obj = {"promptTokenCount": max(0, (usage.input_total or 0) - tools)}
    if usage.cache_read is not None:
        body["cachedContentTokenCount"] = usage.cache_read
    output = usage.output_total or 0
    thoughts = min(usage.reasoning or 0, output)  # hosts exist that count more
    body["candidatesTokenCount"] = output - thoughts
    if thoughts:
        body["thoughtsTokenCount"] = thoughts
    if tools:
        body["toolUsePromptTokenCount"] = tools
    body["totalTokenCount"] = usage.total
    if traffic := _TRAFFIC.get(usage.tier or ""):
        body["trafficType"] = traffic
    return body


def _int(wire: Obj, key: str) -> int | None:
    value = wire.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None

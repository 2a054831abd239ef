"""Token counts of the Messages API ⇄ `IRUsage`.

`input_tokens` here leaves out what was read from or written to the cache; the IR includes both.
"""

from __future__ import annotations

from typing import Final

from cliproxy.base.json import Json, Obj
from cliproxy.ir.usage import IRUsage

_TIERS: Final = {"standard": "default", "priority": "priority", "batch": "batch"}
_TIER_WORDS: Final = {neutral: word for word, neutral in _TIERS.items()}


def merge(seen: Obj, later: Json) -> None:
    """Take over a later snapshot field by field; an absent or null one keeps the earlier value."""
    if isinstance(later, dict):
        seen.update({k: v for k, v in later.items() if v is not None})


def usage_from(seen: Obj) -> IRUsage:
    """Read a (merged) usage object."""
    plain = _int(seen.get("input_tokens"))
    read = _int(seen.get("cache_read_input_tokens"))
    written = _int(seen.get("cache_creation_input_tokens"))
    output = _int(seen.get("output_tokens"))
    total = None if plain is None else plain + (read or 0) + (written or 0)
    creation = seen.get("cache_creation")
    creation = creation if isinstance(creation, dict) else {}
    details = seen.get("output_tokens_details")
    tools = seen.get("server_tool_use")
    return IRUsage(
        input_total=total,
        cache_read=read,
        cache_write=written,
        cache_write_5m=_int(creation.get("ephemeral_5m_input_tokens")),
        cache_write_1h=_int(creation.get("ephemeral_1h_input_tokens")),
        output_total=output,
        reasoning=_int(details.get("thinking_tokens")) if isinstance(details, dict) else None,
        web_searches=_int(tools.get("web_search_requests")) if isinstance(tools, dict) else None,
        tier=_TIERS.get(str(seen.get("service_tier"))),
    )


def usage_to(usage: IRUsage, *, whole: bool = True) -> Obj:
    """Write a usage object; the SDK needs numbers, so unknown counts are 0.

    Args:
        usage: The counts.
        whole: That of a message, which also has what the end of a stream does not repeat.
    """
    read, written = usage.cache_read, usage.cache_write
    body: Obj = {
        "input_tokens": max(0, (usage.input_total or 0) - (read or 0) - (written or 0)),
        "output_tokens": usage.output_total or 0,
        "cache_creation_input_tokens": written or 0,
        "cache_read_input_tokens": read or 0,
    }
    if usage.cache_write_5m is not None or usage.cache_write_1h is not None:
        body["cache_creation"] = {
            "ephemeral_5m_input_tokens": usage.cache_write_5m or 0,
            "ephemeral_1h_input_tokens": usage.cache_write_1h or 0,
        }
    if whole and (tier := _TIER_WORDS.get(usage.tier or "")):
        body["service_tier"] = tier
    if usage.reasoning is not None:
        body["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    if usage.web_searches:
        body["server_tool_use"] = {
            "web_search_requests": usage.web_searches,
            "web_fetch_requests": 0,
        }
    return body


def _int(value: Json) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None

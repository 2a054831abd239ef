"""How much Claude shall think, within what the API allows.

Returns whether thinking is on, because sampling and forced tools depend on it. The API's rules: a
budget of at least 1024 and below `max_tokens`; no forced tool; and when a turn with pending tool
calls comes back, it must begin with the thinking it began with.
"""

from __future__ import annotations

from msgspec import UNSET

from cliproxy.base.json import Obj
from cliproxy.dialects import where
from cliproxy.dialects._wish import thinking_wish
from cliproxy.dialects.anthropic.wire import MIN_BUDGET
from cliproxy.ir.caps import Caps
from cliproxy.ir.loss import Losses
from cliproxy.ir.request import IRRequest
from cliproxy.ir.thinking import Resolved, budget_to_level, config_of, level_to_budget

_EFFORTS = ("low", "medium", "high", "xhigh", "max")


def write_thinking(req: IRRequest, caps: Caps, body: Obj, losses: Losses) -> bool:
    """Write `thinking` and `output_config.effort`; return whether thinking is on."""
    config = config_of(req)
    wish = thinking_wish(req, caps, losses, same_family=req.source == "anthropic")
    if wish.strip or wish.mode == "unset":
        if wish.visible and not wish.strip and _levels(caps):
            body["thinking"] = {"type": "adaptive", "display": "summarized"}
            return True
        return False
    if config.effort_only and config.origin == "body":
        # A hint about effort does not switch thinking on.
        effort = wish.level or budget_to_level(wish.budget or 0)
        body.setdefault("output_config", {})["effort"] = _effort(effort)
        return False
    if wish.mode == "off":
        return _off(wish, body)
    wire = _wire(wish, caps, body, adaptive=config.adaptive)
    if not _allowed(req, caps, body, wire, losses):
        body.pop("output_config", None)
        return False
    # Chat has no switch for seeing thoughts: who asks for them wants to see them.
    visible = wish.visible
    if visible is None and req.source in ("openai-chat", "gemini"):
        visible = req.source == "openai-chat" or None
    if visible is not None:
        wire["display"] = "summarized" if visible else "omitted"
    if wire["type"] == "adaptive" and config.origin == "body" and _between_tools(req):
        wire["type"] = "between_tools"
    body["thinking"] = wire
    return True


def _between_tools(req: IRRequest) -> bool:
    """Tell whether the client wrote this kind of adaptive thinking, which only Claude knows."""
    asked = req.raw.get("thinking") if req.source == "anthropic" else None
    return isinstance(asked, dict) and asked.get("type") == "between_tools"


def _off(wish: Resolved, body: Obj) -> bool:
    if wish.off_level is not None:
        body["thinking"] = {"type": "adaptive"}
        body.setdefault("output_config", {})["effort"] = _effort(wish.off_level)
        return True
    # A model that must not think less than its minimum still takes "disabled": Claude always does.
    body["thinking"] = {"type": "disabled"}
    return False


def _levels(caps: Caps) -> bool:
    return caps.thinking is not None and bool(caps.thinking.levels)


def _wire(wish: Resolved, caps: Caps, body: Obj, *, adaptive: bool) -> Obj:
    by_level = _levels(caps) or (caps.thinking is None and adaptive)
    if wish.mode == "auto":
        if by_level:
            return {"type": "adaptive"}
        return {"type": "enabled", "budget_tokens": level_to_budget("medium")}
    if wish.mode == "level":
        assert wish.level is not None
        if by_level:
            body.setdefault("output_config", {})["effort"] = _effort(wish.level)
            return {"type": "adaptive"}
        return {"type": "enabled", "budget_tokens": level_to_budget(wish.level)}
    return {"type": "enabled", "budget_tokens": wish.budget or MIN_BUDGET}


def _effort(level: str) -> str:
    return level if level in _EFFORTS else "low"


def _allowed(req: IRRequest, caps: Caps, body: Obj, wire: Obj, losses: Losses) -> bool:
    choice = body.get("tool_choice")
    told = where.field(req, "thinking")
    if isinstance(choice, dict) and choice.get("type") in ("any", "tool"):
        losses.add(told, "a forced tool call and thinking exclude each other")
        return False
    if _pending_without_thinking(body["messages"]):
        losses.add(told, "the pending tool call was not thought of by this model")
        return False
    budget = wire.get("budget_tokens")
    if budget is None:
        return True
    budget = max(budget, MIN_BUDGET)
    limit = body["max_tokens"]
    if limit <= budget and req.sampling.max_output is UNSET:
        # Nobody asked for this limit: raise it, as far as the model goes.
        limit = min(budget + limit, caps.max_output or budget + limit)
        body["max_tokens"] = limit
    if limit <= budget:
        if limit - 1 >= MIN_BUDGET:
            losses.add(told, f"the budget was cut to {limit - 1}", "info", "approximated")
            budget = limit - 1
        else:
            losses.add(told, f"max_tokens {limit} leaves no room for thinking")
            return False
    wire["budget_tokens"] = budget
    return True


def _pending_without_thinking(messages: list[Obj]) -> bool:
    """Tell whether a turn whose calls are still being answered does not begin with thinking.

    Such a turn reaches back over results to what the user said last; every part of it counts.
    """
    for message in reversed(messages):
        content = message.get("content")
        blocks = content if isinstance(content, list) else []
        kinds = [block.get("type") for block in blocks]
        if message.get("role") != "assistant":
            if "tool_result" not in kinds:
                return False
            # Also with the user's words after the results, the turn before is still open.
            continue
        if "tool_use" not in kinds:
            return False
        if kinds[0] not in ("thinking", "redacted_thinking"):
            return True
    return False

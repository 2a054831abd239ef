"""How much a model thinks: levels, budgets, suffixes, and what a target can take.

Pure. Parsers of dialects produce `ThinkingConfig`; builders call `resolve` once and write the
result in their own words.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct, structs

from cliproxy.base.errors import BadRequest
from cliproxy.ir.caps import Caps, ThinkingCaps
from cliproxy.ir.loss import Losses
from cliproxy.ir.request import IRRequest, ThinkingConfig

LEVELS: Final = ("minimal", "low", "medium", "high", "xhigh", "max")
BUDGETS: Final = {
    "none": 0, "auto": -1, "minimal": 512, "low": 1024, "medium": 8192, "high": 24576,
    "xhigh": 32768, "max": 128000,
}  # fmt: skip
_HIGH: Final = {"xhigh": ("xhigh", "max", "high"), "max": ("max", "xhigh", "high")}


def split_suffix(model: str) -> tuple[str, ThinkingConfig | None]:
    """Split `name(value)`: the base name, and what the suffix asks for (None = nothing).

    The suffix is stripped even when its value means nothing.
    """
    if not model.endswith(")"):
        return model, None
    base, bracket, value = model[:-1].rpartition("(")
    if not bracket or not base:
        return model, None
    value = value.strip().lower()
    if value == "none":
        return base, ThinkingConfig("off", origin="suffix")
    if value in ("auto", "-1"):
        return base, ThinkingConfig("auto", origin="suffix")
    if value in LEVELS:
        return base, ThinkingConfig("level", level=value, origin="suffix")
    if value.isascii() and value.isdecimal():
        budget = int(value.lstrip("0")[:12] or "0")
        if budget == 0:
            return base, ThinkingConfig("off", origin="suffix")
        return base, ThinkingConfig("budget", budget=budget, origin="suffix")
    return base, None


def level_to_budget(level: str) -> int:
    """Return the token budget that stands for a level."""
    return BUDGETS.get(level, BUDGETS["medium"])


def budget_to_level(budget: int) -> str:
    """Return the level a budget stands for (`none`, `auto` included)."""
    if budget < 0:
        return "auto"
    if budget == 0:
        return "none"
    for level in LEVELS[:4]:
        if budget <= BUDGETS[level]:
            return level
    return "xhigh"


def clamp_level(level: str, supported: tuple[str, ...]) -> str:
    """Return the nearest supported level; ties go down.

    xhigh and max first try each other and high: they mean "as much as there is".
    """
    if not supported or level in supported:
        return level
    for candidate in _HIGH.get(level, ()):
        if candidate in supported:
            return candidate
    wanted = LEVELS.index(level) if level in LEVELS else LEVELS.index("medium")
    ranked = [(abs(LEVELS.index(s) - wanted), LEVELS.index(s), s) for s in supported if s in LEVELS]
    return min(ranked)[2] if ranked else level


class Resolved(Struct, frozen=True):
    """What to write for the target. `mode` unset = write nothing.

    `level` and `budget` are already clamped to the model; exactly the one the target's model
    takes is set for modes level and budget (a hybrid model keeps the client's own form).
    `off_level`/`off_budget`: for mode off on a model that cannot be off, what to send instead.
    """

    mode: Literal["unset", "off", "auto", "level", "budget"] = "unset"
    level: str | None = None
    budget: int | None = None
    off_level: str | None = None
    off_budget: int | None = None
    visible: bool | None = None
    detail: str | None = None
    strip: bool = False
    """The model is known and cannot think: write no thinking field at all."""


def config_of(req: IRRequest) -> ThinkingConfig:
    """Return the effective config: the model suffix's if it says something, else the body's."""
    _, suffix = split_suffix(req.model)
    if suffix is None:
        return req.thinking
    return structs.replace(suffix, visible=req.thinking.visible, detail=req.thinking.detail)


def resolve(req: IRRequest, caps: Caps, losses: Losses, *, same_family: bool) -> Resolved:
    """Decide what the client's thinking wish means for this model.

    Suffix beats body; suffix values and cross-family values are clamped; body values out of range
    in the same family raise `BadRequest` (codes BUDGET_OUT_OF_RANGE, LEVEL_NOT_SUPPORTED,
    UNKNOWN_LEVEL). Unknown models (`caps.known` False): no validation, form conversion only.
    """
    config = config_of(req)
    shown = Resolved(visible=config.visible, detail=config.detail)
    if caps.thinking is None:
        if caps.known:
            if config.mode not in ("unset", "off"):
                losses.add("thinking", f"{caps.model} cannot think", "info")
            return Resolved(strip=True)
        return structs.replace(shown, mode=config.mode, level=config.level, budget=config.budget)
    strict = same_family and config.origin == "body" and caps.known
    match config.mode:
        case "unset":
            return shown
        case "off":
            return _off(shown, caps.thinking)
        case "auto":
            return _auto(shown, caps.thinking)
        case "level":
            return _level(shown, config.level or "medium", caps, losses, strict=strict)
        case "budget":
            return _budget(shown, config.budget or 0, caps, losses, strict=strict)


def _off(shown: Resolved, thinking: ThinkingCaps) -> Resolved:
    off = structs.replace(shown, mode="off", visible=None, detail=None)
    if thinking.zero_allowed or "none" in thinking.levels:
        return off
    if thinking.levels:
        lowest = next((level for level in LEVELS if level in thinking.levels), thinking.levels[0])
        return structs.replace(off, off_level=lowest)
    return structs.replace(off, off_budget=thinking.min)


def _auto(shown: Resolved, thinking: ThinkingCaps) -> Resolved:
    if thinking.dynamic_allowed:
        return structs.replace(shown, mode="auto")
    if thinking.levels:
        return structs.replace(shown, mode="level", level=clamp_level("medium", thinking.levels))
    middle = (thinking.min + thinking.max) // 2
    return structs.replace(shown, mode="budget", budget=middle or thinking.min)


def _level(shown: Resolved, level: str, caps: Caps, losses: Losses, *, strict: bool) -> Resolved:
    thinking = caps.thinking
    assert thinking is not None
    if level not in LEVELS and level not in thinking.levels:
        if strict:
            raise BadRequest(
                f"Unknown thinking level {level!r}.", code="UNKNOWN_LEVEL", param="thinking"
            )
        losses.add("thinking", f"unknown level {level!r}; medium is used", action="approximated")
        level = "medium"
    if thinking.levels:
        clamped = clamp_level(level, thinking.levels)
        if clamped != level:
            if strict:
                allowed = ", ".join(thinking.levels)
                raise BadRequest(
                    f"{caps.model} does not support thinking level {level!r}; it takes {allowed}.",
                    code="LEVEL_NOT_SUPPORTED",
                    param="thinking",
                )
            losses.add("thinking", f"level {level} became {clamped}", "info", "approximated")
        return structs.replace(shown, mode="level", level=clamped)
    budget = _clamp(level_to_budget(level), thinking)
    return structs.replace(shown, mode="budget", budget=budget)


def _budget(shown: Resolved, budget: int, caps: Caps, losses: Losses, *, strict: bool) -> Resolved:
    thinking = caps.thinking
    assert thinking is not None
    if budget == 0:
        return _off(shown, thinking)
    if budget < 0:
        return _auto(shown, thinking)
    if thinking.by_budget:
        clamped = _clamp(budget, thinking)
        if clamped != budget:
            if strict:
                raise BadRequest(
                    f"Thinking budget {budget} is out of range for {caps.model}: "
                    f"{thinking.min} to {thinking.max}.",
                    code="BUDGET_OUT_OF_RANGE",
                    param="thinking",
                )
            losses.add("thinking", f"budget {budget} became {clamped}", "info", "approximated")
        return structs.replace(shown, mode="budget", budget=clamped)
    level = clamp_level(budget_to_level(budget), thinking.levels)
    if level != budget_to_level(budget):
        losses.add("thinking", f"budget {budget} became {level}", "info", "approximated")
    return structs.replace(shown, mode="level", level=level)


def _clamp(budget: int, thinking: ThinkingCaps) -> int:
    return max(thinking.min, min(budget, thinking.max))

"""What is known about models: the bundled catalogue, and capabilities made of it."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Any, Final

from msgspec import Struct, field, structs

from cliproxy.account.model import Account, ModelFound, ModelRule
from cliproxy.base import json
from cliproxy.ir.caps import Caps, Makes, ThinkingCaps
from cliproxy.ir.request import Family


class ModelInfo(Struct, frozen=True):
    """One row of the catalogue."""

    provider: str
    id: str
    owned_by: str = ""
    type: str = ""
    created: int = 0
    display_name: str = ""
    context_length: int = 0
    max_output_tokens: int = 0
    thinking: ThinkingCaps | None = None
    modalities: dict[str, list[str]] = field(default_factory=dict)
    gemini_methods: tuple[str, ...] = ()
    supported_parameters: tuple[str, ...] = ()
    plan: str = ""
    catalogue: str = ""


@cache
def models() -> tuple[ModelInfo, ...]:
    """Read the bundled catalogue (once)."""
    data = files("cliproxy").joinpath("data/models.json").read_bytes()
    return tuple(json.loads_as(data, list[ModelInfo]))


_LISTED_AS: Final = {"gemini-interactions": "gemini"}
"""Providers that serve the models of another one's list."""


@cache
def of_provider(provider: str) -> dict[str, ModelInfo]:
    """Return a provider's models by id; for several plans the widest row of each wins."""
    provider = _LISTED_AS.get(provider, provider)
    found: dict[str, ModelInfo] = {}
    for model in models():
        if model.provider == provider:
            known = found.get(model.id)
            if known is None or model.context_length > known.context_length:
                found[model.id] = model
    return found


def of_account(account: Account) -> dict[str, ModelInfo]:
    """Return the models that an account's provider lists for its plan; all of them if unknown."""
    listed = of_provider(account.provider)
    if account.provider == "codex" and account.plan:
        listed = _of_plan(account.provider, _PLANS.get(account.plan, "pro"))
    news = [m for m in account.found if m.id not in listed]
    return {**listed, **{m.id: _of_found(account, m) for m in news}} if news else listed


def _of_found(account: Account, found: ModelFound) -> ModelInfo:
    """Return what is known of a model that only its provider lists."""
    known = of_provider(account.provider).get(found.id) or by_id(found.id)
    known = known or ModelInfo(account.provider, found.id, type=account.provider)
    return structs.replace(
        known,
        provider=account.provider,
        id=found.id,
        owned_by=found.owned_by or known.owned_by or account.provider,
        created=found.created or known.created,
        display_name=found.display_name or known.display_name,
        context_length=found.context_length or known.context_length,
        max_output_tokens=found.max_output_tokens or known.max_output_tokens,
    )


def info_of(account: Account, upstream: str) -> ModelInfo | None:
    """Return what is known of one model behind an account."""
    known = of_provider(account.provider).get(upstream)
    if known is None and account.found:
        known = of_account(account).get(upstream)
    return known or by_id(upstream)


_OWN_APIS: Final = frozenset({"codex", "xai"})
"""Vendors whose models for pictures and films are asked in an API of their own. Google's are spoken
to like all others."""


def makes_of(account: Account, rule: ModelRule | None, upstream: str) -> Makes:
    """Return what a model makes, which decides on which routes it is asked."""
    if rule is not None and rule.image:
        return "image"
    if account.provider == "vertex":
        return "text"
    info = info_of(account, upstream)
    made = info.modalities.get("output") if info is not None else None
    if info is None or not made or "text" in made or info.provider not in _OWN_APIS:
        return "text"
    return "video" if "video" in made else "image"


_PLANS: Final[dict[str, str]] = {
    "free": "free",
    "go": "free",
    "plus": "plus",
    "team": "team",
    "business": "team",
    "enterprise": "team",
    "edu": "team",
    "education": "team",
}
"""Codex: which plan's list holds for a subscription; those not named here have the longest."""


@cache
def _of_plan(provider: str, plan: str) -> dict[str, ModelInfo]:
    found = {m.id: m for m in models() if m.provider == provider and m.plan in (plan, "all", "")}
    return found or of_provider(provider)


@cache
def by_id(model: str) -> ModelInfo | None:
    """Return a model wherever it is listed, vendors' own lists first.

    A name without the date of its version means the newest one.
    """
    for provider in ("claude", "gemini", "codex", "xai", "kimi"):
        if model in of_provider(provider):
            return of_provider(provider)[model]
    found = next((m for m in models() if m.id == model), None)
    if found is None:
        dated, length = f"{model}-20", len(model) + len("-20250929")
        versions = (m for m in models() if len(m.id) == length and m.id.startswith(dated))
        found = max(versions, key=lambda m: m.id, default=None)
    return found


_FAMILIES: Final[tuple[tuple[str, Family], ...]] = (
    ("claude", "claude"),
    ("gemini", "gemini"),
    ("gpt", "gpt"),
    ("codex", "gpt"),
    ("o1", "gpt"),
    ("o3", "gpt"),
    ("o4", "gpt"),
    ("grok", "grok"),
    ("kimi", "kimi"),
    ("qwen", "qwen"),
)
_BY_PROVIDER: Final[dict[str, Family]] = {
    "claude": "claude",
    "gemini": "gemini",
    "gemini-interactions": "gemini",
    "codex": "gpt",
}
_NO_SAMPLING: Final = re.compile(r"claude-(opus-4-[78]|(opus|sonnet|fable|haiku)-5)")
"""Claude models that refuse temperature, top_p and top_k."""
_EXCLUSIVE: Final = re.compile(r"claude-[a-z]+-4")
"""Claude models that refuse temperature together with top_p."""
_OPENAI_REASONING: Final = re.compile(r"(^|/)(gpt-5|o[134](-|$))")


def caps_of(account: Account, rule: ModelRule | None, upstream: str) -> Caps:
    """Return what is known about one model behind one account."""
    base = upstream.rsplit("/", 1)[-1].lower()
    provider = (
        "openai-compatible" if account.provider.startswith("openai-compat") else account.provider
    )
    info = of_provider(provider).get(upstream) or by_id(upstream)
    family = _family(provider, base)
    thinking: ThinkingCaps | None = None
    known = False
    if rule is not None and rule.thinking is not None:
        t = rule.thinking
        thinking = ThinkingCaps(t.min, t.max, t.zero_allowed, t.dynamic_allowed, t.levels)
        known = True
    elif info is not None:
        thinking, known = info.thinking, True
    official = not account.base_url or "api.openai.com" in account.base_url
    reasoning = bool(_OPENAI_REASONING.search(base)) and official
    options: dict[str, Any] = {}
    if family == "claude":
        options["sampling"] = not _NO_SAMPLING.search(base)
        options["exclusive_temp_top_p"] = bool(_EXCLUSIVE.search(base))
        options["temperature_max"] = 1.0
    return Caps(
        model=upstream,
        provider=account.provider,
        family=family,
        known=known,
        thinking=thinking,
        max_output=(info.max_output_tokens or None) if info else None,
        system_role="developer" if reasoning else "system",
        max_tokens_field="max_completion_tokens" if reasoning else "max_tokens",
        efforts=thinking.levels if thinking else (),
        custom_tools=provider == "openai-compatible" and "api.openai.com" in account.base_url,
        base_is_official=official,
        **options,
    )


def _family(provider: str, model: str) -> Family:
    for start, family in _FAMILIES:
        if model.startswith(start):
            return family
    return _BY_PROVIDER.get(provider, "unknown")

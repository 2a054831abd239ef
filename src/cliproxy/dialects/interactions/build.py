"""`IRRequest` → an Interactions request body; the inverse is `parse.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from cliproxy.base.errors import Unsupported
from cliproxy.base.json import Json, Obj
from cliproxy.dialects import where
from cliproxy.dialects._merge import merged
from cliproxy.dialects._state import refuse_foreign_state
from cliproxy.dialects._wish import thinking_wish
from cliproxy.dialects.interactions.build_steps import build_steps
from cliproxy.dialects.interactions.build_tools import build_tools
from cliproxy.dialects.interactions.wire import LEVELS, MAX_STOPS
from cliproxy.ir.caps import Caps
from cliproxy.ir.loss import Losses
from cliproxy.ir.names import GEMINI, NameMap, restore_for
from cliproxy.ir.request import IRRequest, Text
from cliproxy.ir.schema_clean import for_gemini_json
from cliproxy.ir.thinking import budget_to_level, clamp_level, config_of

if TYPE_CHECKING:
    from cliproxy.dialects import Built, Operation

_FAMILY = frozenset({"gemini", "interactions"})
_AS_WRITTEN = ("response_format", "response_mime_type", "response_modalities", "safety_settings")
"""What an own client's words are repeated of."""


def build(req: IRRequest, caps: Caps, operation: Operation) -> Built:  # noqa: ARG001  # one endpoint
    """Write the body."""
    from cliproxy.dialects import Built  # noqa: PLC0415  # the package imports us lazily

    own = req.source == "interactions"
    if not own:
        refuse_foreign_state(req)
    elif req.extras.get("background"):
        # What is read and written anew comes to its end here; a job that runs on does not.
        raise Unsupported(
            "A request that is translated is not worked on in the background; send it without"
            " 'background'.",
            param="background",
            next_account=False,
        )
    losses = Losses()
    names = NameMap.of(req, GEMINI)
    body: Obj = {} if own and req.extras.get("agent") else {"model": caps.model}
    system, steps = build_steps(req, caps, names, losses)
    if steps or not own:
        body["input"] = list[Json](steps)
    if system:
        body["system_instruction"] = system
    tools, choice = build_tools(req, names, losses)
    if tools:
        body["tools"] = list[Json](tools)
    config = _config(req, caps, losses)
    if choice is not None:
        config["tool_choice"] = choice
    if own:
        body |= {k: req.raw[k] for k in _AS_WRITTEN if req.raw.get(k) is not None}
    else:
        _output(req, body, losses)
        if req.safety:
            body["safety_settings"] = [_safety(item) for item in req.safety]
    _meta(req, body, losses)
    for name, value in req.extras.items():
        if not own:
            losses.add(name, "the Interactions API has no such field")
        elif name == "generation_config":
            config = merged(value, config)
        else:
            body.setdefault(name, value)
    if config:
        body["generation_config"] = config
    if req.stream:
        body["stream"] = True
    return Built(body, losses.tuple(), restore_for(req, names, custom_tools=False))


_SAMPLING = (
    ("temperature", "temperature"),
    ("top_p", "top_p"),
    ("max_output", "max_output_tokens"),
    ("seed", "seed"),
)
_ABSENT = (
    "top_k", "n", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "logit_bias",
)  # fmt: skip


def _config(req: IRRequest, caps: Caps, losses: Losses) -> Obj:
    config: Obj = {}
    sampling = req.sampling
    for name, wire in _SAMPLING:
        value: Any = getattr(sampling, name)
        if value is not UNSET:
            config[wire] = value
    for name in _ABSENT:
        value = getattr(sampling, name)
        if value is UNSET or (name == "n" and value == 1) or (name == "logprobs" and not value):
            continue
        losses.add(where.field(req, name), "the Interactions API has no such field")
    if sampling.stop:
        config["stop_sequences"] = list(sampling.stop[:MAX_STOPS])
        if len(sampling.stop) > MAX_STOPS:
            losses.add(where.field(req, "stop"), f"only {MAX_STOPS} stop sequences are allowed")
    _thinking(req, caps, config, losses)
    return config


def _thinking(req: IRRequest, caps: Caps, config: Obj, losses: Losses) -> None:
    wish = thinking_wish(req, caps, losses, same_family=req.source in _FAMILY)
    if wish.strip:
        return
    match wish.mode:
        case "off":
            config["thinking_level"] = wish.off_level or LEVELS[0]
            losses.add("thinking", "it cannot be switched off here", "info", "approximated")
            return
        case "level":
            level = wish.level or "medium"
            config["thinking_level"] = level if req.source == "interactions" else _level(level)
        case "budget":
            config["thinking_level"] = _level(budget_to_level(wish.budget or 0))
        case _:
            pass  # how much is the model's to decide, if nothing is said
    visible = wish.visible
    if visible is None and req.source in ("openai-chat", "anthropic"):
        # These clients expect to see what the model thought, when it was asked to think.
        visible = True if config_of(req).mode not in ("unset", "off") else None
    if visible is not None:
        config["thinking_summaries"] = "auto" if visible else "none"


def _level(level: str) -> str:
    return clamp_level(level, LEVELS)


def _output(req: IRRequest, body: Obj, losses: Losses) -> None:
    wish = req.output
    text: Obj = {"type": "text"}
    match wish.kind:
        case "text":
            text["mime_type"] = "text/plain"
        case "json":
            text["mime_type"] = "application/json"
        case "json_schema":
            text["mime_type"] = "application/json"
            if wish.schema is not None:
                text["schema"] = for_gemini_json(wish.schema)
        case _:
            pass
    shapes: list[Json] = [{"type": m.lower()} for m in wish.modalities if m.lower() != "text"]
    if shapes:
        wants_text = len(text) > 1 or any(m.lower() == "text" for m in wish.modalities)
        body["response_format"] = [text, *shapes] if wants_text else shapes
    elif len(text) > 1:
        body["response_format"] = text
    if wish.kind == "json_schema" and wish.description:
        path = f"{where.field(req, 'format')}.description"
        losses.add(path, "schemas have no description of their own", "info")
    if wish.verbosity:
        losses.add(where.field(req, "verbosity"), "the API has no such setting", "info")


def _safety(item: Obj) -> Json:
    """Return a setting of the Gemini API in this one's words."""
    setting: Obj = {
        "type": str(item.get("category") or "").lower().removeprefix("harm_category_"),
        "threshold": str(item.get("threshold") or "").lower(),
    }
    if method := item.get("method"):
        setting["method"] = str(method).lower()
    return setting


def _meta(req: IRRequest, body: Obj, losses: Losses) -> None:
    meta = req.meta
    own = req.source == "interactions"
    google = req.source in _FAMILY
    if meta.metadata:
        if google:
            body["labels"] = meta.metadata
        else:
            losses.add(where.field(req, "metadata"), "the API has no such field", "info")
    if meta.service_tier:
        if google:
            body["service_tier"] = meta.service_tier if own else meta.service_tier.lower()
        else:
            losses.add(where.field(req, "service_tier"), "the API has other tiers", "info")
    if meta.store is not None:
        body["store"] = meta.store
    elif not own:
        # The API stores by default; a client of another API never asked for that.
        body["store"] = False
    if own and meta.previous_response_id:
        body["previous_interaction_id"] = meta.previous_response_id
    if meta.end_user:
        losses.add(where.field(req, "end_user"), "the API has no such field", "info")
    if meta.prompt_cache_key:
        losses.add("prompt_cache_key", "Gemini caches on its own", "info")
    if req.parallel_tools is False and "tools" in body:
        losses.add(where.field(req, "parallel_tool_calls"), "Gemini cannot be told to call once")
    placed = (p for m in req.messages if m.role == "system" for p in m.parts)
    marked = any(isinstance(p, Text) and p.cache for p in placed)
    if req.cache is not None or marked or any(s.cache for s in req.system):
        losses.add("cache_control", "Gemini caches on its own", "info")

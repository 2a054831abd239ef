"""`IRRequest` → a generateContent request body; the inverse is `parse.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET, structs

from cliproxy.base.json import Obj
from cliproxy.dialects import where
from cliproxy.dialects._merge import merged
from cliproxy.dialects._state import refuse_foreign_state
from cliproxy.dialects._wish import thinking_wish
from cliproxy.dialects.gemini import raw
from cliproxy.dialects.gemini.build_contents import build_contents
from cliproxy.dialects.gemini.build_tools import build_tools
from cliproxy.dialects.gemini.wire import COUNTED, MAX_STOPS
from cliproxy.ir.caps import Caps
from cliproxy.ir.loss import Losses
from cliproxy.ir.names import GEMINI, NameMap, restore_for
from cliproxy.ir.request import Function, IRRequest, Text
from cliproxy.ir.restore import Restore, Restored
from cliproxy.ir.schema_clean import for_gemini, for_gemini_json, stringified_enums
from cliproxy.ir.thinking import budget_to_level, config_of, level_to_budget

if TYPE_CHECKING:
    from cliproxy.dialects import Built, Operation


def build(req: IRRequest, caps: Caps, operation: Operation) -> Built:
    """Write the body; `operation` count wraps what the count endpoint takes."""
    from cliproxy.dialects import Built  # noqa: PLC0415  # the package imports us lazily

    refuse_foreign_state(req)
    losses = Losses()
    own = req.source == "gemini"
    names = NameMap.of(req, GEMINI)
    system, contents = build_contents(req, caps, names, losses)
    body: Obj = {"contents": contents}
    if system:
        body["systemInstruction"] = {"parts": system}
    body |= build_tools(req, caps, names, losses)
    config = _config(req, caps, losses)
    if req.safety:
        body["safetySettings"] = [dict(item) for item in req.safety]
    _meta(req, body, losses)
    for name, value in req.extras.items():
        if not own:
            losses.add(name, "the Gemini API has no such field")
        elif name == "generationConfig":
            config = merged(value, config)
        elif isinstance(value, dict) and isinstance(body.get(name), dict):
            body[name] = merged(value, body[name])
        else:
            body.setdefault(name, value)
    if config:
        body["generationConfig"] = config
    if operation == "count":
        inner = {k: v for k, v in body.items() if k in COUNTED}
        if inner.keys() == {"contents"}:
            body = inner
        else:
            body = {"generateContentRequest": {"model": f"models/{caps.model}", **inner}}
    return Built(body, losses.tuple(), _restore(req, caps, names))


def _restore(req: IRRequest, caps: Caps, names: NameMap) -> Restore:
    restore = restore_for(req, names, custom_tools=False)
    if caps.json_schema_params:
        return restore
    tools = dict(restore.tools)
    for tool in req.tools:
        if isinstance(tool, Function) and stringified_enums(tool.schema):
            target = names.to_target(tool.name, tool.namespace)
            known = tools.get(target) or Restored(tool.name, tool.namespace)
            tools[target] = structs.replace(known, types=tool.schema)
    return structs.replace(restore, tools=tools)


_SAMPLING = (
    ("temperature", "temperature"),
    ("top_p", "topP"),
    ("top_k", "topK"),
    ("max_output", "maxOutputTokens"),
    ("seed", "seed"),
    ("n", "candidateCount"),
    ("presence_penalty", "presencePenalty"),
    ("frequency_penalty", "frequencyPenalty"),
    ("logprobs", "responseLogprobs"),
    ("top_logprobs", "logprobs"),
)


def _config(req: IRRequest, caps: Caps, losses: Losses) -> Obj:
    config: Obj = {}
    sampling = req.sampling
    for name, wire in _SAMPLING:
        value: Any = getattr(sampling, name)
        if value is not UNSET:
            config[wire] = value
    if "logprobs" in config and sampling.logprobs is not True and req.source != "gemini":
        del config["logprobs"]
        losses.add(where.field(req, "top_logprobs"), "no logprobs were asked for", "info")
    if sampling.logit_bias is not UNSET:
        losses.add("logit_bias", "the Gemini API has no such field")
    if sampling.stop:
        config["stopSequences"] = list(sampling.stop[:MAX_STOPS])
        if len(sampling.stop) > MAX_STOPS:
            losses.add(where.field(req, "stop"), f"only {MAX_STOPS} stop sequences are allowed")
    _output(req, caps, config, losses)
    thinking = _thinking(req, caps, losses)
    if thinking:
        config["thinkingConfig"] = thinking
    return config


def _output(req: IRRequest, caps: Caps, config: Obj, losses: Losses) -> None:
    wish = req.output
    match wish.kind:
        case "text":
            config["responseMimeType"] = "text/plain"
        case "json":
            config["responseMimeType"] = "application/json"
        case "json_schema":
            config["responseMimeType"] = "application/json"
            if req.source == "gemini":
                plain = raw.config(req).get("responseJsonSchema") is None
                config["responseSchema" if plain else "responseJsonSchema"] = wish.schema
            elif wish.schema is not None and caps.json_schema_params:
                config["responseJsonSchema"] = for_gemini_json(wish.schema)
            elif wish.schema is not None:
                config["responseSchema"] = for_gemini(wish.schema)
        case _:
            pass
    if req.source == "gemini" and (mime := raw.config(req).get("responseMimeType")):
        # Other types than JSON and plain text exist, such as one of an enumeration.
        config["responseMimeType"] = mime
    if wish.kind == "json_schema" and wish.description:
        path = f"{where.field(req, 'format')}.description"
        losses.add(path, "schemas have no description of their own", "info")
    if wish.verbosity:
        losses.add(where.field(req, "verbosity"), "the Gemini API has no such setting", "info")
    if wish.modalities:
        config["responseModalities"] = [m.upper() for m in wish.modalities]


def _thinking(req: IRRequest, caps: Caps, losses: Losses) -> Obj:
    wish = thinking_wish(req, caps, losses, same_family=req.source == "gemini")
    if wish.strip:
        return {}
    by_level = caps.thinking is not None and bool(caps.thinking.levels)
    thinking: Obj = {}
    match wish.mode:
        case "off":
            if wish.off_level is not None:
                thinking["thinkingLevel"] = wish.off_level.upper()
            else:
                thinking["thinkingBudget"] = wish.off_budget or 0
            return thinking
        case "auto":
            thinking["thinkingBudget"] = -1
        case "level":
            level = wish.level or "medium"
            if by_level or (caps.thinking is None and req.source == "gemini"):
                thinking["thinkingLevel"] = level.upper()
            else:
                thinking["thinkingBudget"] = level_to_budget(level)
        case "budget":
            if by_level and not (caps.thinking and caps.thinking.by_budget):
                thinking["thinkingLevel"] = budget_to_level(wish.budget or 0).upper()
            else:
                thinking["thinkingBudget"] = wish.budget
        case "unset":
            pass
    visible = wish.visible
    if visible is None and req.source in ("openai-chat", "anthropic"):
        # These clients expect to see what the model thought, when it was asked to think.
        visible = True if config_of(req).mode not in ("unset", "off") else None
    if visible is not None:
        thinking["includeThoughts"] = visible
    return thinking


def _meta(req: IRRequest, body: Obj, losses: Losses) -> None:
    meta = req.meta
    own = req.source == "gemini"
    if meta.metadata:
        if own:
            body["labels"] = meta.metadata
        else:
            losses.add(where.field(req, "metadata"), "the Gemini API has no such field", "info")
    if meta.service_tier:
        if own:
            body["serviceTier"] = meta.service_tier
        else:
            losses.add(where.field(req, "service_tier"), "the Gemini API has other tiers", "info")
    if meta.end_user and not own:
        losses.add(where.field(req, "end_user"), "the Gemini API has no such field", "info")
    if meta.store is True:
        losses.add("store", "answers are not stored", "info")
    if meta.prompt_cache_key:
        losses.add("prompt_cache_key", "Gemini caches on its own", "info")
    if req.parallel_tools is False and "tools" in body:
        losses.add(where.field(req, "parallel_tool_calls"), "Gemini cannot be told to call once")
    placed = (p for m in req.messages if m.role == "system" for p in m.parts)
    marked = any(isinstance(p, Text) and p.cache for p in placed)
    if req.cache is not None or marked or any(s.cache for s in req.system):
        losses.add("cache_control", "Gemini caches on its own", "info")

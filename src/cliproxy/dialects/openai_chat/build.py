"""`IRRequest` → a chat completions body for an upstream; the inverse is `parse.py`.

Nothing is invented but `stream_options.include_usage`, so that usage is known. What the upstream
cannot be told is reported under the client's own field names. The dialect's own extras, and the
spelling the client chose for thinking, return only to where they came from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from cliproxy.base.json import Obj
from cliproxy.dialects import where
from cliproxy.dialects._state import refuse_foreign_state
from cliproxy.dialects._wish import thinking_wish
from cliproxy.dialects.openai_chat.build_messages import build_messages
from cliproxy.dialects.openai_chat.build_tools import build_tools
from cliproxy.dialects.openai_chat.wire import (
    END_USER_LIMIT,
    HINTS,
    LEGACY_ONLY,
    NAME_LIMIT,
    STOP_LIMIT,
    THINKING_OBJECTS,
)
from cliproxy.ir.caps import Caps
from cliproxy.ir.loss import Losses
from cliproxy.ir.names import OPENAI, NameMap, NameRules, restore_for
from cliproxy.ir.request import IRRequest
from cliproxy.ir.schema_clean import for_openai, satisfies_openai_strict
from cliproxy.ir.thinking import (
    LEVELS,
    Resolved,
    budget_to_level,
    clamp_level,
    config_of,
)

if TYPE_CHECKING:
    from cliproxy.dialects import Built

_FAMILY = frozenset({"openai-chat", "openai-responses", "openai-completions"})


def build(req: IRRequest, caps: Caps) -> Built:
    """Write the body. Raises `Unsupported` where server-side state would be needed."""
    from cliproxy.dialects import Built  # noqa: PLC0415  # the package imports us by name

    refuse_foreign_state(req)
    losses = Losses()
    rules = OPENAI if caps.tool_name_max == OPENAI.limit else NameRules(limit=caps.tool_name_max)
    names = NameMap.of(req, rules)
    body: Obj = {"model": caps.model, "messages": build_messages(req, caps, names, losses)}
    body |= build_tools(req, caps, names, losses)
    _sampling(req, caps, body, losses)
    _thinking(req, caps, body, losses)
    _output(req, caps, body, losses)
    _meta(req, caps, body, losses)
    if req.stream:
        body["stream"] = True
        if caps.stream_usage_flag:
            body["stream_options"] = {"include_usage": True}
    _extras(req, body, losses)
    return Built(body, losses.tuple(), restore_for(req, names, custom_tools=caps.custom_tools))


# ---- sampling ---------------------------------------------------------------------------------
def _sampling(req: IRRequest, caps: Caps, body: Obj, losses: Losses) -> None:
    wish = req.sampling
    own = req.source in ("openai-chat", "openai-completions")
    _limit(req, caps, body, losses)
    for name in ("temperature", "top_p"):
        value = getattr(wish, name)
        if value is UNSET:
            continue
        if not caps.sampling:
            losses.add(where.field(req, name), "this model does not take it", "info")
        elif name == "temperature" and caps.temperature_max is not None:
            body[name] = min(value, caps.temperature_max)
            if value > caps.temperature_max:
                losses.add(where.field(req, name), "clamped", "info", "approximated")
        else:
            body[name] = value
    if wish.top_k is not UNSET:
        if caps.base_is_official or not caps.sampling:
            losses.add(where.field(req, "top_k"), "this upstream has no such setting")
        else:
            body["top_k"] = wish.top_k
    if wish.stop:
        stop = list(wish.stop) if own else list(wish.stop[:STOP_LIMIT])
        if len(stop) < len(wish.stop):
            losses.add(where.field(req, "stop"), f"only {STOP_LIMIT} sequences can be given")
        single = len(stop) == 1 and isinstance(req.raw.get("stop"), str)
        body["stop"] = stop[0] if single else stop
    for name in ("seed", "n", "presence_penalty", "frequency_penalty", "logit_bias"):
        _put(body, name, getattr(wish, name))
    for name in ("logprobs", "top_logprobs"):
        _put(body, name, getattr(wish, name))
    if "top_logprobs" in body and wish.logprobs is not True and not own:
        # Without the other the API refuses it.
        del body["top_logprobs"]
        losses.add(where.field(req, "top_logprobs"), "no logprobs were asked for", "info")
    if wish.logprobs is True and not own:
        losses.add(where.field(req, "logprobs"), "the answer will not carry them", "info")


def _limit(req: IRRequest, caps: Caps, body: Obj, losses: Losses) -> None:
    limit = req.sampling.max_output
    if limit is UNSET:
        return
    if caps.max_output is not None and limit > caps.max_output and req.source != "openai-chat":
        # Clients of other families ask for their own model's maximum by habit.
        limit = caps.max_output
        losses.add(where.field(req, "max_output"), f"clamped to {limit}", "info", "approximated")
    body[caps.max_tokens_field] = limit


def _put(body: Obj, name: str, value: Any) -> None:
    if value is not UNSET and value is not None:
        body[name] = value


# ---- thinking ---------------------------------------------------------------------------------
def _thinking(req: IRRequest, caps: Caps, body: Obj, losses: Losses) -> None:
    resolved = thinking_wish(req, caps, losses, same_family=req.source in _FAMILY)
    if resolved.strip:
        return
    if req.source == "openai-chat" and config_of(req).origin == "body":
        # A host's own spelling of thinking is understood by the host it was written for.
        spelled: Obj = {key: req.raw[key] for key in THINKING_OBJECTS if key in req.raw}
        body |= spelled
        if spelled and "reasoning_effort" not in req.raw:
            return
    if resolved.mode == "off":
        body["reasoning_effort"] = _off(resolved, caps)
        return
    effort = _effort(req, caps, resolved, losses)
    if effort is None:
        return
    choices = tuple(word for word in caps.efforts if word not in ("none", "auto"))
    if choices and effort != "auto" and effort not in choices:
        effort = clamp_level(effort, choices)
        losses.add(where.field(req, "thinking"), f"clamped to {effort}", "info", "approximated")
    body["reasoning_effort"] = effort


def _off(resolved: Resolved, caps: Caps) -> str:
    """Return the word for no thinking, or the least a model can do that cannot be without."""
    if "none" in caps.efforts:
        return "none"
    least = resolved.off_level
    if least is None and resolved.off_budget:
        least = budget_to_level(resolved.off_budget)
    if caps.efforts and least not in caps.efforts:
        return next((level for level in LEVELS if level in caps.efforts), caps.efforts[0])
    return least or "none"


def _effort(req: IRRequest, caps: Caps, resolved: Resolved, losses: Losses) -> str | None:
    config = config_of(req)
    if config.mode == "auto" and config.adaptive and "auto" not in caps.efforts:
        return None  # the client left the amount to the model, and so do we
    match resolved.mode:
        case "auto":
            return _auto(req, caps, losses)
        case "level":
            return resolved.level
        case "budget" if resolved.budget is not None:
            return budget_to_level(resolved.budget)
        case _:
            return None


def _auto(req: IRRequest, caps: Caps, losses: Losses) -> str | None:
    """Return the effort for "as much as you like": mostly saying nothing is the nearest."""
    if "auto" in caps.efforts:
        return "auto"
    if "medium" in caps.efforts or (caps.thinking and "medium" in caps.thinking.levels):
        return "medium"
    losses.add(where.field(req, "thinking"), "left to the model's default", "info", "approximated")
    return None


# ---- output -----------------------------------------------------------------------------------
def _output(req: IRRequest, caps: Caps, body: Obj, losses: Losses) -> None:
    wish = req.output
    path = where.field(req, "format")
    match wish.kind:
        case "json":
            body["response_format"] = {"type": "json_object"}
        case "json_schema" if not caps.structured_output:
            body["response_format"] = {"type": "json_object"}
            losses.add(path, "this upstream promises JSON, not a schema", "warn", "approximated")
        case "json_schema":
            body["response_format"] = {"type": "json_schema", "json_schema": _schema(req, losses)}
        case "text" if req.source == "openai-chat":
            body["response_format"] = {"type": "text"}
        case _:
            pass
    if wish.verbosity:
        if caps.base_is_official or req.source == "openai-chat":
            body["verbosity"] = wish.verbosity
        else:
            losses.add(where.field(req, "verbosity"), "this upstream has no such setting", "info")
    if wish.modalities:
        body["modalities"] = [word.lower() for word in wish.modalities]


def _schema(req: IRRequest, losses: Losses) -> Obj:
    wish = req.output
    form: Obj = {"name": _schema_name(wish.name)}
    if wish.description is not None:
        form["description"] = wish.description
    own = req.source in _FAMILY
    if wish.schema is not None:
        form["schema"] = wish.schema if own else for_openai(wish.schema)
    strict = wish.strict
    if strict and not own and not satisfies_openai_strict(form.get("schema")):
        losses.add(where.field(req, "format"), "the schema breaks OpenAI's rules of strict", "warn")
        strict = False
    if strict is not None:
        form["strict"] = strict
    return form


def _schema_name(name: str | None) -> str:
    if not name:
        return "response"
    legal = "".join(c if (c.isascii() and c.isalnum()) or c in "_-" else "_" for c in name)
    return legal[:NAME_LIMIT]


# ---- everything else --------------------------------------------------------------------------
def _meta(req: IRRequest, caps: Caps, body: Obj, losses: Losses) -> None:
    meta = req.meta
    own = req.source in ("openai-chat", "openai-completions")
    openai = own or (req.source == "openai-responses" and caps.base_is_official)
    if meta.end_user:
        _end_user(req, caps, body, losses, meta.end_user)
    for name, value in (
        ("metadata", meta.metadata),
        ("service_tier", meta.service_tier),
        ("store", meta.store),
        ("prompt_cache_key", meta.prompt_cache_key),
    ):
        if value is None:
            continue
        if openai or (name == "prompt_cache_key" and caps.prompt_cache_key):
            body[name] = value
        else:
            losses.add(where.field(req, name), "this upstream has no such field", "info")
    if req.safety:
        losses.add("safetySettings", "chat completions has no safety settings")
    if req.cache is not None:
        losses.add("cache_control", "chat upstreams cache on their own", "info")


def _end_user(req: IRRequest, caps: Caps, body: Obj, losses: Losses, user: str) -> None:
    if req.source == "openai-chat":
        body["safety_identifier" if req.raw.get("safety_identifier") else "user"] = user
        return
    if len(user) > END_USER_LIMIT:
        losses.add(where.field(req, "end_user"), "longer than the upstream takes", "info")
        return
    body["safety_identifier" if caps.base_is_official else "user"] = user


def _extras(req: IRRequest, body: Obj, losses: Losses) -> None:
    own = req.source in ("openai-chat", "openai-completions")
    for name, value in req.extras.items():
        if req.source == "openai-completions" and name in LEGACY_ONLY:
            severity = "error" if name in ("prompt", "suffix") else "warn"
            losses.add(name, LEGACY_ONLY[name], severity)  # type: ignore[arg-type]
        elif not own:
            losses.add(
                name, "chat completions has no such field", "info" if name in HINTS else "warn"
            )
        elif name == "stream_options":
            if isinstance(value, dict) and "stream" in body:
                body[name] = value | body.get(name, {})
        else:
            body.setdefault(name, value)

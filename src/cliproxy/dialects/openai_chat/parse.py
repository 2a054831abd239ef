"""A chat completions request body → `IRRequest`; the inverse is `build.py`.

Reads every documented field and the extensions clients of compatible hosts use. A field of the
wrong type raises `BadRequest` with its path; a field nobody knows is kept in `extras`. Values are
not judged here (a temperature of 7 is the upstream's to refuse).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec import UNSET, UnsetType

from cliproxy.base.json import Obj
from cliproxy.dialects import _fields as fields
from cliproxy.dialects.openai_chat.parse_messages import parse_messages
from cliproxy.dialects.openai_chat.parse_tools import parse_tool_choice, parse_tools
from cliproxy.dialects.openai_chat.wire import READ
from cliproxy.ir.request import (
    IRRequest,
    Meta,
    OutputFormat,
    Sampling,
    ThinkingConfig,
)

if TYPE_CHECKING:
    from cliproxy.dialects import ParseMeta


def parse(body: Obj, meta: ParseMeta) -> IRRequest:
    """Read a client's request. Raises `BadRequest` naming the field."""
    model = fields.text(body, "model") or meta.model
    if not model:
        raise fields.missing("model", "You must provide a model.")
    items = fields.list_of(body, "messages")
    if items is None:
        raise fields.missing("messages")
    if not items:
        raise fields.invalid("messages", "it must hold at least one message.")
    system, messages = parse_messages(items)
    extras: Obj = {key: value for key, value in body.items() if key not in READ}
    options = fields.obj_of(body, "stream_options") or {}
    other_options = fields.rest(options, frozenset({"include_usage"}))
    if other_options:
        extras["stream_options"] = other_options
    stream = fields.flag(body, "stream") or False
    return IRRequest(
        model=model,
        source="openai-chat",
        messages=messages,
        system=system,
        tools=parse_tools(body),
        tool_choice=parse_tool_choice(body),
        parallel_tools=fields.flag(body, "parallel_tool_calls"),
        sampling=_sampling(body),
        thinking=_thinking(body, extras),
        output=_output(body),
        stream=stream if meta.stream is None else meta.stream,
        stream_usage=fields.flag(options, "include_usage", "stream_options") or False,
        meta=_meta(body, extras),
        extras=extras,
        raw=body,
    )


# ---- scalars ----------------------------------------------------------------------------------
def _given(value: Any) -> Any:
    """Turn None into UNSET: this API treats null like absence."""
    return UNSET if value is None else value


# Most requests have none of these; looking for each of them costs more than all the rest.
_META: Final = frozenset(
    {"user", "safety_identifier", "metadata", "service_tier", "store", "prompt_cache_key"}
)
_OUTPUT: Final = frozenset({"verbosity", "modalities", "response_format"})
_REASONING: Final = frozenset(
    {"reasoning", "reasoning_effort", "include_reasoning", "thinking", "extra_body", "google"}
)


def _sampling(body: Obj) -> Sampling:
    limit = fields.integer(body, "max_completion_tokens")
    if limit is None:
        limit = fields.integer(body, "max_tokens")
    top_k: int | UnsetType = _given(fields.integer(body, "top_k"))
    return Sampling(
        temperature=_given(fields.number(body, "temperature")),
        top_p=_given(fields.number(body, "top_p")),
        top_k=top_k,
        max_output=_given(limit),
        stop=fields.strings(body, "stop"),
        seed=_given(fields.integer(body, "seed")),
        n=_given(fields.integer(body, "n")),
        presence_penalty=_given(fields.number(body, "presence_penalty")),
        frequency_penalty=_given(fields.number(body, "frequency_penalty")),
        logprobs=_given(fields.flag(body, "logprobs")),
        top_logprobs=_given(fields.integer(body, "top_logprobs")),
        logit_bias=_given(fields.obj_of(body, "logit_bias")),
    )


def _meta(body: Obj, extras: Obj) -> Meta:
    if _META.isdisjoint(body):
        return Meta()
    user = fields.text(body, "user")
    identifier = fields.text(body, "safety_identifier")
    if identifier and user and user != identifier:
        extras["user"] = user
    return Meta(
        end_user=identifier or user,
        metadata=fields.obj_of(body, "metadata"),
        service_tier=fields.text(body, "service_tier"),
        store=fields.flag(body, "store"),
        prompt_cache_key=fields.text(body, "prompt_cache_key"),
    )


def _output(body: Obj) -> OutputFormat:
    if _OUTPUT.isdisjoint(body):
        return OutputFormat()
    verbosity = fields.text(body, "verbosity")
    modalities = fields.strings(body, "modalities")
    form = fields.obj_of(body, "response_format")
    if form is None:
        return OutputFormat(verbosity=verbosity, modalities=modalities)
    kind = fields.text(form, "type", "response_format")
    match kind:
        case "text":
            return OutputFormat("text", verbosity=verbosity, modalities=modalities)
        case "json_object":
            return OutputFormat("json", verbosity=verbosity, modalities=modalities)
        case "json_schema":
            at = "response_format.json_schema"
            inner = fields.obj_of(form, "json_schema", "response_format")
            if inner is None:
                if "schema" not in form:
                    raise fields.missing(at)
                inner, at = form, "response_format"  # the flat shape of the Responses API
            return OutputFormat(
                "json_schema",
                name=fields.text(inner, "name", at),
                description=fields.text(inner, "description", at),
                schema=fields.obj_of(inner, "schema", at),
                strict=fields.flag(inner, "strict", at),
                verbosity=verbosity,
                modalities=modalities,
            )
        case None:
            raise fields.missing("response_format.type")
        case _:
            raise fields.invalid(
                "response_format.type", f"'{kind}' is not text, json_object or json_schema."
            )


# ---- thinking ---------------------------------------------------------------------------------
def _thinking(body: Obj, extras: Obj) -> ThinkingConfig:
    if _REASONING.isdisjoint(body):
        return ThinkingConfig()
    reasoning = fields.obj_of(body, "reasoning") or {}
    google = _google(body, extras)
    config = (
        _by_effort(fields.text(body, "reasoning_effort"))
        or _by_effort(fields.text(reasoning, "effort", "reasoning"))
        or _by_budget(fields.integer(reasoning, "max_tokens", "reasoning"))
        or _switched(fields.flag(reasoning, "enabled", "reasoning"))
        or _anthropic_style(fields.obj_of(body, "thinking") or {})
        or _by_effort(_either(google, "thinking_level", "thinkingLevel"))
        or _by_budget(_either(google, "thinking_budget", "thinkingBudget"))
        or ThinkingConfig()
    )
    return ThinkingConfig(
        config.mode,
        config.level,
        config.budget,
        visible=_visible(body, reasoning, google, config),
        detail=fields.text(reasoning, "summary", "reasoning"),
        adaptive=config.adaptive,
    )


def _visible(body: Obj, reasoning: Obj, google: Obj, config: ThinkingConfig) -> bool | None:
    """Tell whether the client wants to see reasoning; asking for some implies it."""
    if fields.flag(body, "include_reasoning") is False:
        return False
    if fields.flag(reasoning, "exclude", "reasoning"):
        return False
    shown = _either(google, "include_thoughts", "includeThoughts")
    if isinstance(shown, bool):
        return shown
    if config.mode in ("unset", "off"):
        return True if fields.flag(body, "include_reasoning") else None
    return True


def _by_effort(effort: Any) -> ThinkingConfig | None:
    if not isinstance(effort, str) or not effort:
        return None
    match effort.lower():
        case "none":
            return ThinkingConfig("off")
        case "auto":
            return ThinkingConfig("auto")
        case level:
            return ThinkingConfig("level", level)


def _by_budget(budget: Any) -> ThinkingConfig | None:
    if not isinstance(budget, int) or isinstance(budget, bool):
        return None
    if budget == 0:
        return ThinkingConfig("off")
    if budget == -1:
        return ThinkingConfig("auto")
    return ThinkingConfig("budget", budget=budget)


def _switched(enabled: bool | None) -> ThinkingConfig | None:
    if enabled is None:
        return None
    return ThinkingConfig("auto" if enabled else "off")


def _anthropic_style(thinking: Obj) -> ThinkingConfig | None:
    match fields.text(thinking, "type", "thinking"):
        case "disabled":
            return ThinkingConfig("off")
        case "enabled":
            budget = fields.integer(thinking, "budget_tokens", "thinking")
            return _by_budget(budget) or ThinkingConfig("auto")
        case "adaptive":
            return ThinkingConfig("auto", adaptive=True)
        case "auto":
            return ThinkingConfig("auto")
        case _:
            return None


def _google(body: Obj, extras: Obj) -> Obj:
    """Return Google's `thinking_config`; what else stands beside it becomes an extra."""
    outer = fields.obj_of(body, "extra_body")
    found: Obj = {}
    if outer is not None:
        google = outer.get("google")
        other = {key: value for key, value in outer.items() if key != "google"}
        if isinstance(google, dict):
            found = _config_in(google)
            if rest := fields.rest(google, _CONFIG_KEYS):
                other["google"] = rest
        elif google is not None:
            other["google"] = google
        if other:
            extras["extra_body"] = other
    direct = body.get("google")
    if isinstance(direct, dict):
        found = found or _config_in(direct)
        if rest := fields.rest(direct, _CONFIG_KEYS):
            extras["google"] = rest
    elif direct is not None:
        extras["google"] = direct
    return found


_CONFIG_KEYS = frozenset({"thinking_config", "thinkingConfig"})


def _config_in(google: Obj) -> Obj:
    value = _either(google, "thinking_config", "thinkingConfig")
    return value if isinstance(value, dict) else {}


def _either(obj: Obj, first: str, second: str) -> Any:
    value = obj.get(first)
    return obj.get(second) if value is None else value

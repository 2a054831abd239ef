"""A generateContent request body → `IRRequest`; the inverse is `build.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET, UnsetType

from cliproxy.base.json import Json, Obj
from cliproxy.dialects import _fields as fields
from cliproxy.dialects.gemini.case import camel
from cliproxy.dialects.gemini.parse_contents import parse_contents, parse_system
from cliproxy.dialects.gemini.parse_tools import parse_tool_config, parse_tools
from cliproxy.dialects.gemini.wire import CONFIG_READ, READ
from cliproxy.ir.request import IRRequest, Meta, OutputFormat, Sampling, ThinkingConfig

if TYPE_CHECKING:
    from cliproxy.dialects import ParseMeta

_CONFIG = "generationConfig"
_THINKING = frozenset({"includeThoughts", "thinkingLevel", "thinkingBudget"})


def parse(body: Obj, meta: ParseMeta) -> IRRequest:
    """Read a client's request. Raises `BadRequest` naming the field."""
    original = body
    body = camel(body)
    if meta.operation == "count" and isinstance(body.get("generateContentRequest"), dict):
        body = camel(body["generateContentRequest"])
    model = meta.model or (fields.text(body, "model") or "").removeprefix("models/")
    if not model:
        raise fields.missing("model")
    contents = body.get("contents")
    if isinstance(contents, dict | str):
        contents = [contents]
    if contents is None:
        raise fields.missing("contents")
    if not isinstance(contents, list):
        raise fields.wrong_type("contents", "an array", contents)
    if not contents:
        raise fields.invalid("contents", "it must hold at least one content.")
    config = camel(fields.obj_of(body, _CONFIG) or {})
    extras: Obj = {k: v for k, v in body.items() if k not in READ}
    if other := fields.rest(config, CONFIG_READ):
        extras[_CONFIG] = other
    thinking = config.get("thinkingConfig")
    if isinstance(thinking, dict) and (other := fields.rest(camel(thinking), _THINKING)):
        extras.setdefault(_CONFIG, {})["thinkingConfig"] = other
    choice, rest = parse_tool_config(fields.obj_of(body, "toolConfig"))
    if rest:
        extras["toolConfig"] = rest
    given = fields.list_of(body, "safetySettings") or []
    return IRRequest(
        model=model,
        source="gemini",
        system=parse_system(body.get("systemInstruction")),
        messages=parse_contents(contents),
        tools=parse_tools(_tools(body.get("tools"))),
        tool_choice=choice,
        sampling=_sampling(config),
        thinking=_thinking(config),
        output=_output(config),
        stream=bool(meta.stream),
        stream_usage=True,
        meta=Meta(
            metadata=fields.obj_of(body, "labels"),
            service_tier=fields.text(body, "serviceTier"),
        ),
        safety=tuple(
            camel(fields.as_obj(item, f"safetySettings[{n}]")) for n, item in enumerate(given)
        ),
        extras=extras,
        raw=original,
    )


def _tools(value: Json) -> list[Json]:
    if value is None:
        return []
    if isinstance(value, dict):
        return [value]
    if not isinstance(value, list):
        raise fields.wrong_type("tools", "an array", value)
    return value


def _unset(value: Any) -> Any | UnsetType:
    return UNSET if value is None else value


def _sampling(config: Obj) -> Sampling:
    return Sampling(
        temperature=_unset(fields.number(config, "temperature", _CONFIG)),
        top_p=_unset(fields.number(config, "topP", _CONFIG)),
        # The SDK writes it as a float.
        top_k=_unset(fields.integer(config, "topK", _CONFIG)),
        max_output=_unset(fields.integer(config, "maxOutputTokens", _CONFIG)),
        stop=fields.strings(config, "stopSequences", _CONFIG),
        seed=_unset(fields.integer(config, "seed", _CONFIG)),
        n=_unset(fields.integer(config, "candidateCount", _CONFIG)),
        presence_penalty=_unset(fields.number(config, "presencePenalty", _CONFIG)),
        frequency_penalty=_unset(fields.number(config, "frequencyPenalty", _CONFIG)),
        logprobs=_unset(fields.flag(config, "responseLogprobs", _CONFIG)),
        top_logprobs=_unset(fields.integer(config, "logprobs", _CONFIG)),
    )


def _thinking(config: Obj) -> ThinkingConfig:
    where = f"{_CONFIG}.thinkingConfig"
    wire = camel(fields.obj_of(config, "thinkingConfig", _CONFIG) or {})
    visible = fields.flag(wire, "includeThoughts", where)
    level = (
        (fields.text(wire, "thinkingLevel", where) or "").lower().removeprefix("thinking_level_")
    )
    budget = fields.integer(wire, "thinkingBudget", where)
    if level and level != "unspecified":
        if level == "none":
            return ThinkingConfig("off")
        if level == "auto":
            return ThinkingConfig("auto", visible=visible)
        return ThinkingConfig("level", level=level, visible=visible)
    match budget:
        case None:
            return ThinkingConfig(visible=visible)
        case 0:
            return ThinkingConfig("off")
        case _ if budget < 0:
            return ThinkingConfig("auto", visible=visible)
        case _:
            return ThinkingConfig("budget", budget=budget, visible=visible)


def _output(config: Obj) -> OutputFormat:
    mime = fields.text(config, "responseMimeType", _CONFIG)
    schema = fields.obj_of(config, "responseJsonSchema", _CONFIG)
    if schema is None:
        schema = fields.obj_of(config, "responseSchema", _CONFIG)
    modalities = tuple(m.lower() for m in fields.strings(config, "responseModalities", _CONFIG))
    if schema is not None:
        return OutputFormat("json_schema", schema=schema, modalities=modalities)
    match mime:
        case "application/json":
            return OutputFormat("json", modalities=modalities)
        case "text/plain":
            return OutputFormat("text", modalities=modalities)
        case _:
            return OutputFormat(modalities=modalities)

"""An Interactions request body → `IRRequest`; the inverse is `build.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET, UnsetType

from cliproxy.base.json import Json, Obj
from cliproxy.dialects import _fields as fields
from cliproxy.dialects.interactions.parse_steps import parse_input
from cliproxy.dialects.interactions.parse_tools import parse_choice, parse_tools
from cliproxy.dialects.interactions.wire import CONFIG_READ, READ
from cliproxy.ir.request import (
    IRRequest,
    Meta,
    OutputFormat,
    Sampling,
    SystemText,
    ThinkingConfig,
)

if TYPE_CHECKING:
    from cliproxy.dialects import ParseMeta

_CONFIG = "generation_config"
_FORMAT = "response_format"
_SHAPES = frozenset({"text", "audio", "image", "video"})
_TEXT_FORMAT = frozenset({"type", "mime_type", "schema"})


def parse(body: Obj, meta: ParseMeta) -> IRRequest:
    """Read a client's request. Raises `BadRequest` naming the field."""
    model, agent = fields.text(body, "model") or meta.model, fields.text(body, "agent")
    if model and agent:
        raise fields.invalid("agent", "an interaction is with a model or with an agent, not both.")
    name = (model or agent or "").removeprefix("models/")
    if not name:
        raise fields.missing("model", "Give model or agent.")
    given = body.get("input")
    if given is None and not (body.get("previous_interaction_id") or agent):
        raise fields.missing("input")
    config = fields.obj_of(body, _CONFIG) or {}
    extras: Obj = {k: v for k, v in body.items() if k not in READ and v is not None}
    if extras.get("background") is False:
        del extras["background"]
    rest = fields.rest(config, CONFIG_READ) or {}
    choice, beside = parse_choice(config.get("tool_choice"))
    if beside:
        rest["tool_choice"] = beside
    if rest:
        extras[_CONFIG] = rest
    output, beside_format = _output(body)
    if beside_format is not None:
        extras[_FORMAT] = beside_format
    safety = fields.list_of(body, "safety_settings") or []
    system = _system(body.get("system_instruction"))
    return IRRequest(
        model=name,
        source="interactions",
        system=system,
        messages=() if given is None else parse_input(given),
        tools=parse_tools(fields.list_of(body, "tools") or []),
        tool_choice=choice,
        sampling=_sampling(config),
        thinking=_thinking(config),
        output=output,
        stream=fields.flag(body, "stream") or False,
        stream_usage=True,
        meta=Meta(
            metadata=fields.obj_of(body, "labels"),
            service_tier=fields.text(body, "service_tier"),
            store=fields.flag(body, "store"),
            previous_response_id=fields.text(body, "previous_interaction_id"),
        ),
        safety=tuple(_safety(item, f"safety_settings[{n}]") for n, item in enumerate(safety)),
        extras=extras,
        raw=body,
    )


def _unset(value: Any) -> Any | UnsetType:
    return UNSET if value is None else value


def _system(value: Json) -> tuple[SystemText, ...]:
    if value is None or value == "":
        return ()
    if not isinstance(value, str):
        raise fields.wrong_type("system_instruction", "a string", value)
    return (SystemText(value),)


def _sampling(config: Obj) -> Sampling:
    return Sampling(
        temperature=_unset(fields.number(config, "temperature", _CONFIG)),
        top_p=_unset(fields.number(config, "top_p", _CONFIG)),
        max_output=_unset(fields.integer(config, "max_output_tokens", _CONFIG)),
        stop=fields.strings(config, "stop_sequences", _CONFIG),
        seed=_unset(fields.integer(config, "seed", _CONFIG)),
    )


def _thinking(config: Obj) -> ThinkingConfig:
    summaries = fields.text(config, "thinking_summaries", _CONFIG)
    visible = None if summaries is None else summaries.lower() != "none"
    detail = summaries.lower() if summaries and visible else None
    level = (fields.text(config, "thinking_level", _CONFIG) or "").lower()
    if not level:
        return ThinkingConfig(visible=visible, detail=detail)
    return ThinkingConfig("level", level=level, visible=visible, detail=detail)


def _output(body: Obj) -> tuple[OutputFormat, Json]:
    """Return the wanted form of the answer, and what is said of it beyond that."""
    modalities = [m.lower() for m in fields.strings(body, "response_modalities")]
    mime = fields.text(body, "response_mime_type")
    given = body.get(_FORMAT)
    listed = given if isinstance(given, list) else [] if given is None else [given]
    schema: Obj | None = None
    rest: list[Json] = []
    for number, item in enumerate(listed):
        where = f"{_FORMAT}[{number}]" if isinstance(given, list) else _FORMAT
        wire = fields.as_obj(item, where)
        shape = wire.get("type")
        if not isinstance(shape, str) or shape not in _SHAPES:
            schema = _only(schema, wire, where)  # a schema as it is
            continue
        modalities.append(shape)
        if shape == "text":
            mime = fields.text(wire, "mime_type", where) or mime
            schema = _only(schema, fields.obj_of(wire, "schema", where), where)
            if other := fields.rest(wire, _TEXT_FORMAT):
                rest.append(other)
        elif len(wire) > 1:
            rest.append({k: v for k, v in wire.items() if k != "type"})
    told: Json = None
    if rest:
        told = rest if isinstance(given, list) else rest[0]
    # Text alone is what every answer is anyway.
    wanted = tuple(dict.fromkeys(modalities))
    if wanted == ("text",) and not body.get("response_modalities"):
        wanted = ()
    if schema is not None:
        return OutputFormat("json_schema", schema=schema, modalities=wanted), told
    match mime:
        case "application/json":
            return OutputFormat("json", modalities=wanted), told
        case "text/plain":
            return OutputFormat("text", modalities=wanted), told
        case _:
            return OutputFormat(modalities=wanted), told


def _only(before: Obj | None, schema: Obj | None, where: str) -> Obj | None:
    if before and schema:
        raise fields.invalid(where, "an answer has one schema, and there is another before this.")
    return schema or before


def _safety(item: Json, where: str) -> dict[str, Any]:
    """Return a setting in Gemini's words, which the IR keeps."""
    wire = fields.as_obj(item, where)
    setting: dict[str, Any] = {
        "category": "HARM_CATEGORY_" + fields.need_text(wire, "type", where).upper(),
        "threshold": fields.need_text(wire, "threshold", where).upper(),
    }
    if method := fields.text(wire, "method", where):
        setting["method"] = method.upper()
    return setting

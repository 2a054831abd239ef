"""A Responses request body → `IRRequest`; the inverse is `build.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET, UnsetType

from cliproxy.base.errors import Unsupported
from cliproxy.base.json import Obj
from cliproxy.dialects import _fields as fields
from cliproxy.dialects.openai_responses.parse_items import Items
from cliproxy.dialects.openai_responses.parse_tools import parse_tool_choice, parse_tools
from cliproxy.dialects.openai_responses.wire import LOGPROBS, READ
from cliproxy.ir.request import (
    IRRequest,
    Message,
    Meta,
    OutputFormat,
    Sampling,
    SystemText,
    Text,
    ThinkingConfig,
)

if TYPE_CHECKING:
    from cliproxy.dialects import ParseMeta


_FORMAT = frozenset({"type", "name", "description", "schema", "strict"})


def parse(body: Obj, meta: ParseMeta) -> IRRequest:
    """Read a client's request. Raises `BadRequest` naming the field."""
    model = fields.text(body, "model") or meta.model
    if not model:
        raise fields.missing("model")
    if fields.flag(body, "background"):
        raise Unsupported(
            "Background responses are not served; send the request without 'background'.",
            param="background",
        )
    instructions = fields.text(body, "instructions")
    given = body.get("input")
    items = Items()
    if isinstance(given, str):
        items.messages.append(Message("user", (Text(given),)))
    elif isinstance(given, list):
        items.read(given)
    elif given is not None:
        raise fields.wrong_type("input", "a string or an array of items", given)
    elif not (body.get("prompt") or body.get("previous_response_id") or body.get("conversation")):
        raise fields.missing("input")
    system = [SystemText(instructions, instructions=True)] if instructions else []
    reasoning = fields.obj_of(body, "reasoning") or {}
    text = fields.obj_of(body, "text") or {}
    extras: Obj = {k: v for k, v in body.items() if k not in READ}
    if other := fields.rest(reasoning, frozenset({"effort", "summary", "generate_summary"})):
        extras["reasoning"] = other
    if other := fields.rest(text, frozenset({"format", "verbosity"})):
        extras["text"] = other
    form = text.get("format")
    if isinstance(form, dict) and (other := fields.rest(form, _FORMAT)):
        extras.setdefault("text", {})["format"] = other
    logprobs = LOGPROBS in (fields.list_of(body, "include") or [])
    if extras.get("include") == [LOGPROBS]:
        del extras["include"]
    user = fields.text(body, "user")
    identifier = fields.text(body, "safety_identifier")
    if identifier and user and user != identifier:
        extras["user"] = user
    tools = parse_tools(fields.list_of(body, "tools") or [], "tools")
    return IRRequest(
        model=model,
        source="openai-responses",
        system=(*system, *items.system),
        messages=tuple(items.messages),
        tools=(*tools, *items.tools),
        tool_choice=parse_tool_choice(body.get("tool_choice")),
        parallel_tools=fields.flag(body, "parallel_tool_calls"),
        sampling=Sampling(
            temperature=_unset(fields.number(body, "temperature")),
            top_p=_unset(fields.number(body, "top_p")),
            max_output=_unset(fields.integer(body, "max_output_tokens")),
            logprobs=True if logprobs else UNSET,
            top_logprobs=_unset(fields.integer(body, "top_logprobs")),
        ),
        thinking=_thinking(reasoning),
        output=_format(text),
        stream=fields.flag(body, "stream") or False,
        stream_usage=True,
        meta=Meta(
            end_user=identifier or user,
            metadata=fields.obj_of(body, "metadata"),
            service_tier=fields.text(body, "service_tier"),
            store=fields.flag(body, "store"),
            prompt_cache_key=fields.text(body, "prompt_cache_key"),
            previous_response_id=fields.text(body, "previous_response_id"),
            conversation=_conversation(body.get("conversation")),
            session=fields.text(body, "prompt_cache_key"),
        ),
        extras=extras,
        raw=body,
    )


def _unset(value: Any) -> Any | UnsetType:
    return UNSET if value is None else value


def _conversation(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return fields.need_text(fields.as_obj(value, "conversation"), "id", "conversation")


def _thinking(reasoning: Obj) -> ThinkingConfig:
    effort = fields.text(reasoning, "effort", "reasoning")
    summary = fields.text(reasoning, "summary", "reasoning") or fields.text(
        reasoning, "generate_summary", "reasoning"
    )
    visible: bool | None = None
    detail: str | None = None
    if "summary" in reasoning or summary:
        visible = summary not in (None, "none")
        detail = summary if visible else None
    match effort:
        case None:
            return ThinkingConfig(visible=visible, detail=detail)
        case "none":
            return ThinkingConfig("off", visible=visible, detail=detail)
        case "auto":
            return ThinkingConfig("auto", visible=visible, detail=detail)
        case _:
            return ThinkingConfig("level", level=effort.lower(), visible=visible, detail=detail)


def _format(text: Obj) -> OutputFormat:
    verbosity = fields.text(text, "verbosity", "text")
    wire = fields.obj_of(text, "format", "text")
    if wire is None:
        return OutputFormat(verbosity=verbosity)
    where = "text.format"
    match fields.need_text(wire, "type", where):
        case "text":
            return OutputFormat("text", verbosity=verbosity)
        case "json_object":
            return OutputFormat("json", verbosity=verbosity)
        case "json_schema":
            return OutputFormat(
                "json_schema",
                name=fields.text(wire, "name", where),
                description=fields.text(wire, "description", where),
                schema=fields.obj_of(wire, "schema", where),
                strict=fields.flag(wire, "strict", where),
                verbosity=verbosity,
            )
        case other:
            raise fields.invalid(
                f"{where}.type", f"{other!r} is not one of text, json_object, json_schema."
            )

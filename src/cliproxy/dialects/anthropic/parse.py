"""A Messages request body → `IRRequest`; the inverse is `build.py`.

Wrong types raise `BadRequest` with the field's path. Fields nobody here knows (new ones, beta
ones) are kept in `extras`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET, UnsetType

from cliproxy.base import json
from cliproxy.base.json import Obj
from cliproxy.dialects import _fields as fields
from cliproxy.dialects.anthropic.parse_messages import parse_messages, parse_system
from cliproxy.dialects.anthropic.parse_tools import cache_of, parse_tool_choice, parse_tools
from cliproxy.dialects.anthropic.wire import READ
from cliproxy.ir.request import IRRequest, Meta, OutputFormat, Sampling, ThinkingConfig

if TYPE_CHECKING:
    from cliproxy.dialects import ParseMeta


_THINKING = frozenset({"type", "budget_tokens", "display"})
_CHOICE = frozenset({"type", "name", "disable_parallel_tool_use"})


def parse(body: Obj, meta: ParseMeta) -> IRRequest:
    """Read a client's request. Raises `BadRequest` naming the field."""
    model = fields.text(body, "model") or meta.model
    if not model:
        raise fields.missing("model")
    items = fields.list_of(body, "messages")
    if items is None:
        raise fields.missing("messages")
    if not items:
        raise fields.invalid("messages", "at least one message is required.")
    max_tokens = fields.integer(body, "max_tokens")
    if max_tokens is None and meta.operation == "generate":
        raise fields.missing("max_tokens")
    choice, parallel = parse_tool_choice(fields.obj_of(body, "tool_choice"))
    output = fields.obj_of(body, "output_config") or {}
    extras: Obj = {k: v for k, v in body.items() if k not in READ}
    if other := fields.rest(output, frozenset({"effort", "format"})):
        extras["output_config"] = other
    thinking = _thinking(body, output)
    if output.get("effort") and thinking.mode != "level":
        # A budget has no room for it, but its own dialect takes both.
        extras.setdefault("output_config", {})["effort"] = output["effort"]
    form = output.get("format")
    if isinstance(form, dict) and (other := fields.rest(form, frozenset({"type", "schema"}))):
        extras.setdefault("output_config", {})["format"] = other
    for name, known in (("thinking", _THINKING), ("tool_choice", _CHOICE)):
        wire = body.get(name)
        if isinstance(wire, dict) and (other := fields.rest(wire, known)):
            extras[name] = other
    user = fields.obj_of(body, "metadata") or {}
    end_user = fields.text(user, "user_id", "metadata")
    betas = meta.headers.get("anthropic-beta")
    return IRRequest(
        model=model,
        source="anthropic",
        system=parse_system(body.get("system")),
        messages=parse_messages(items),
        tools=parse_tools(fields.list_of(body, "tools") or []),
        tool_choice=choice,
        parallel_tools=parallel,
        sampling=Sampling(
            temperature=_unset(fields.number(body, "temperature")),
            top_p=_unset(fields.number(body, "top_p")),
            top_k=_unset(fields.integer(body, "top_k")),
            max_output=_unset(max_tokens),
            stop=fields.strings(body, "stop_sequences"),
        ),
        thinking=thinking,
        output=_format(body, output),
        stream=fields.flag(body, "stream") or False,
        stream_usage=True,
        meta=Meta(
            end_user=end_user,
            metadata=fields.rest(user, frozenset({"user_id"})),
            service_tier=fields.text(body, "service_tier"),
            session=_session(end_user),
        ),
        cache=cache_of(body.get("cache_control"), "cache_control"),
        extras=extras,
        raw=body,
        headers={"anthropic-beta": betas} if betas else {},
    )


def _unset(value: Any) -> Any | UnsetType:
    return UNSET if value is None else value


def _thinking(body: Obj, output: Obj) -> ThinkingConfig:
    effort = fields.text(output, "effort", "output_config")
    wire = fields.obj_of(body, "thinking")
    if wire is None:
        if effort:
            return ThinkingConfig("level", level=effort, effort_only=True)
        return ThinkingConfig()
    display = fields.text(wire, "display", "thinking")
    visible = None if display is None else display != "omitted"
    kind = fields.need_text(wire, "type", "thinking")
    match kind:
        case "disabled":
            return ThinkingConfig("off")
        case "enabled":
            budget = fields.integer(wire, "budget_tokens", "thinking")
            if budget is None or budget < 0:
                return ThinkingConfig("auto", visible=visible)
            if budget == 0:
                return ThinkingConfig("off")
            return ThinkingConfig("budget", budget=budget, visible=visible)
        case "adaptive" | "between_tools":
            if effort:
                return ThinkingConfig("level", level=effort, visible=visible, adaptive=True)
            return ThinkingConfig("auto", visible=visible, adaptive=True)
        case _:
            raise fields.invalid(
                "thinking.type", f"{kind!r} is not one of enabled, adaptive, disabled."
            )


def _format(body: Obj, output: Obj) -> OutputFormat:
    wire = fields.obj_of(output, "format", "output_config")
    where = "output_config.format"
    if wire is None:
        wire, where = fields.obj_of(body, "output_format"), "output_format"
    if wire is None:
        return OutputFormat()
    kind = fields.need_text(wire, "type", where)
    if kind != "json_schema":
        raise fields.invalid(f"{where}.type", "only json_schema is known.")
    return OutputFormat(
        kind="json_schema",
        name=fields.text(wire, "name", where),
        schema=fields.obj_of(wire, "schema", where),
    )


def _session(end_user: str | None) -> str | None:
    """Return the session in `metadata.user_id`: Claude Code writes JSON, or `…_session_<id>`."""
    if not end_user:
        return None
    if end_user.startswith("{"):
        session = (json.loads_object(end_user) or {}).get("session_id")
        return session if isinstance(session, str) else None
    _, found, session = end_user.rpartition("_session_")
    return session if found and session else None

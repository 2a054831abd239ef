"""`tools` and the choice among them of an Interactions request → IR."""

from __future__ import annotations

from cliproxy.base.json import Json, Obj
from cliproxy.dialects import _fields as fields
from cliproxy.dialects.interactions.wire import TOOL_KINDS
from cliproxy.ir.request import Function, ServerTool, Tool, ToolChoice, ToolKey

_FUNCTION = frozenset({"type", "name", "description", "parameters"})
_ALLOWED = frozenset({"mode", "tools"})


def parse_tools(items: list[Json]) -> tuple[Tool, ...]:
    """Read the declarations."""
    tools: list[Tool] = []
    for number, item in enumerate(items):
        where = f"tools[{number}]"
        wire = fields.as_obj(item, where)
        kind = fields.need_text(wire, "type", where)
        if kind == "function":
            tools.append(function(wire, where))
            continue
        name = TOOL_KINDS.get(kind, kind)
        tools.append(ServerTool(name, name, "interactions", {}, wire))
    return tuple(tools)


def function(wire: Obj, where: str) -> Function:
    """Read one function."""
    return Function(
        name=fields.need_text(wire, "name", where),
        description=fields.text(wire, "description", where),
        schema=fields.obj_of(wire, "parameters", where),
        extras=fields.rest(wire, _FUNCTION),
    )


def parse_choice(value: Json) -> tuple[ToolChoice | None, Obj | None]:
    """Return the choice, and what else is said beside it."""
    where = "generation_config.tool_choice"
    if value is None:
        return None, None
    if isinstance(value, str):
        return _mode(value, (), where), None
    wire = fields.as_obj(value, where)
    allowed = fields.obj_of(wire, "allowed_tools", where)
    rest: Obj = {k: v for k, v in wire.items() if k != "allowed_tools"}
    if allowed is None:
        return None, rest or None
    at = f"{where}.allowed_tools"
    if other := fields.rest(allowed, _ALLOWED):
        rest["allowed_tools"] = other
    keys = tuple(ToolKey(name) for name in fields.strings(allowed, "tools", at))
    return _mode(fields.text(allowed, "mode", at) or "auto", keys, f"{at}.mode"), rest or None


def _mode(mode: str, keys: tuple[ToolKey, ...], where: str) -> ToolChoice:
    match mode.lower():
        case "none":
            return ToolChoice("none")
        case "auto" | "validated" if not keys:
            return ToolChoice("auto")
        case "any" if not keys:
            return ToolChoice("required")
        case "any" if len(keys) == 1:
            return ToolChoice("named", keys)
        case "any" | "auto" | "validated":
            return ToolChoice("allowed", keys, required_one=mode.lower() == "any")
        case _:
            raise fields.invalid(where, f"{mode!r} is not one of auto, any, none, validated.")

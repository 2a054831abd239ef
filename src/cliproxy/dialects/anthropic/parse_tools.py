"""`tools` and `tool_choice` of a Messages request → IR tools."""

from __future__ import annotations

from cliproxy.base.json import Json, Obj
from cliproxy.dialects import _fields as fields
from cliproxy.dialects.anthropic.wire import CLIENT_TOOLS, SERVER_TOOLS
from cliproxy.ir.request import Cache, Function, ServerTool, Tool, ToolChoice, ToolKey

_READ = frozenset({"name", "description", "input_schema", "strict", "cache_control", "type"})


def cache_of(wire: Json, where: str) -> Cache | None:
    """Read a `cache_control`."""
    if wire is None:
        return None
    return Cache(fields.text(fields.as_obj(wire, where), "ttl", where))


def parse_tools(items: list[Json]) -> tuple[Tool, ...]:
    """Read the declarations; several of one name are kept (the builder decides)."""
    return tuple(_tool(fields.as_obj(t, f"tools[{n}]"), f"tools[{n}]") for n, t in enumerate(items))


def _tool(wire: Obj, where: str) -> Tool:
    kind = fields.text(wire, "type", where)
    cache = cache_of(wire.get("cache_control"), f"{where}.cache_control")
    if kind in (None, "custom"):
        return Function(
            name=fields.need_text(wire, "name", where),
            description=fields.text(wire, "description", where),
            schema=fields.obj_of(wire, "input_schema", where),
            strict=fields.flag(wire, "strict", where),
            cache=cache,
            extras=fields.rest(wire, _READ),
        )
    known = _server_kind(kind or "")
    name = fields.text(wire, "name", where) or known or kind or "tool"
    return ServerTool(known or kind or "", name, "anthropic", _config(wire, known), wire, cache)


def _server_kind(kind: str) -> str:
    for name in (*SERVER_TOOLS, *CLIENT_TOOLS):
        if kind == name or kind.startswith(f"{name}_2"):
            return "tool_search" if name.startswith("tool_search") else name
    return ""


def _config(wire: Obj, kind: str) -> Obj:
    if kind not in ("web_search", "web_fetch"):
        return {}
    config: Obj = {
        key: wire[key]
        for key in ("allowed_domains", "blocked_domains", "max_uses")
        if wire.get(key) is not None
    }
    location = wire.get("user_location")
    if isinstance(location, dict):
        config["user_location"] = {
            k: location[k]
            for k in ("city", "region", "country", "timezone")
            if location.get(k) is not None
        }
    return config


def parse_tool_choice(wire: Obj | None) -> tuple[ToolChoice | None, bool | None]:
    """Return the choice, and whether calls may be parallel."""
    if wire is None:
        return None, None
    where = "tool_choice"
    kind = fields.need_text(wire, "type", where)
    disabled = fields.flag(wire, "disable_parallel_tool_use", where)
    parallel = None if disabled is None else not disabled
    match kind:
        case "auto":
            return ToolChoice("auto"), parallel
        case "any":
            return ToolChoice("required"), parallel
        case "none":
            return ToolChoice("none"), parallel
        case "tool":
            name = fields.need_text(wire, "name", where)
            return ToolChoice("named", (ToolKey(name),)), parallel
        case _:
            raise fields.invalid(f"{where}.type", f"{kind!r} is not one of auto, any, tool, none.")

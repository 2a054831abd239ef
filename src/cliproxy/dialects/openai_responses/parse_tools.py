"""`tools` and `tool_choice` of a Responses request → IR tools."""

from __future__ import annotations

from cliproxy.base.json import Json, Obj
from cliproxy.dialects import _openai_fields as fields
from cliproxy.ir.request import Custom, Function, ServerTool, Tool, ToolChoice, ToolKey

_FUNCTION = frozenset({"type", "name", "description", "parameters", "strict", "output_schema"})
_CUSTOM = frozenset({"type", "name", "description", "format"})
_KINDS = {
    "code_interpreter": "code_execution",
    "computer_use_preview": "computer",
    "local_shell": "shell",
}


def parse_tools(items: list[Json], base: str, namespace: str | None = None) -> list[Tool]:
    """Read declarations; the children of a namespace become tools that carry it."""
    tools: list[Tool] = []
    for number, item in enumerate(items):
        where = f"{base}[{number}]"
        wire = fields.as_obj(item, where)
        kind = fields.text(wire, "type", where) or "function"
        if kind == "namespace":
            children = fields.list_of(wire, "tools", where) or []
            name = fields.need_text(wire, "name", where)
            tools += parse_tools(children, f"{where}.tools", name)
        else:
            tools.append(_tool(wire, kind, where, namespace))
    return tools


def _tool(wire: Obj, kind: str, where: str, namespace: str | None) -> Tool:
    match kind:
        case "function":
            # Older clients nest the declaration as chat completions does.
            inner = fields.obj_of(wire, "function", where)
            at = f"{where}.function" if inner is not None else where
            body = inner if inner is not None else wire
            return Function(
                name=fields.need_text(body, "name", at),
                description=fields.text(body, "description", at),
                schema=fields.obj_of(body, "parameters", at),
                strict=fields.flag(body, "strict", at),
                namespace=namespace,
                output_schema=fields.obj_of(body, "output_schema", at),
                extras=fields.rest(body, _FUNCTION),
            )
        case "custom":
            inner = fields.obj_of(wire, "custom", where)
            body = inner if inner is not None else wire
            form = fields.obj_of(body, "format", where)
            if form is not None and isinstance(form.get("grammar"), dict):
                form = {"type": "grammar", **form["grammar"]}
            return Custom(
                name=fields.need_text(body, "name", where),
                description=fields.text(body, "description", where),
                format=form,
                namespace=namespace,
                extras=fields.rest(body, _CUSTOM),
            )
        case _:
            search = kind.startswith("web_search")
            name = "web_search" if search else _KINDS.get(kind, kind)
            return ServerTool(
                name, name, "openai-responses", _search(wire, where) if search else {}, wire
            )


def _search(wire: Obj, where: str) -> Obj:
    config: Obj = {}
    filters = fields.obj_of(wire, "filters", where) or {}
    for key in ("allowed_domains", "blocked_domains"):
        if filters.get(key):
            config[key] = filters[key]
    if size := fields.text(wire, "search_context_size", where):
        config["context_size"] = size
    location = fields.obj_of(wire, "user_location", where)
    if location:
        config["user_location"] = {
            k: location[k] for k in ("city", "region", "country", "timezone") if location.get(k)
        }
    return config


def parse_tool_choice(wire: Json) -> ToolChoice | None:
    """Read the choice in any of its shapes."""
    where = "tool_choice"
    if wire is None:
        return None
    if isinstance(wire, str):
        if wire in ("auto", "none", "required"):
            return ToolChoice(wire)  # type: ignore[arg-type]  # checked just here
        raise fields.invalid(where, f"{wire!r} is not one of none, auto, required.")
    choice = fields.as_obj(wire, where)
    kind = fields.need_text(choice, "type", where)
    if kind == "allowed_tools":
        nested = fields.obj_of(choice, "allowed_tools", where)
        inner = nested if nested is not None else choice
        tools = fields.list_of(inner, "tools", where) or []
        keys = tuple(_key(fields.as_obj(t, f"{where}.tools[{n}]")) for n, t in enumerate(tools))
        return ToolChoice("allowed", keys, required_one=inner.get("mode") == "required")
    return ToolChoice("named", (_key(choice),))


def _key(wire: Obj) -> ToolKey:
    kind = wire.get("type")
    inner = wire.get("function") or wire.get("custom")
    name = wire.get("name") or (inner.get("name") if isinstance(inner, dict) else None)
    namespace = wire.get("namespace")
    if kind == "custom":
        return ToolKey(str(name or ""), namespace, "custom")
    if kind == "function":
        return ToolKey(str(name or ""), namespace)
    label = "web_search" if str(kind).startswith("web_search") else _KINDS.get(str(kind), str(kind))
    return ToolKey(label, None, "server")

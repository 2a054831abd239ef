"""`tools` and `tool_choice` of a Responses request → IR tools."""

from __future__ import annotations

from cliproxy.base.json import Json, Obj
from cliproxy.dialects import _fields as fields
from cliproxy.dialects.openai_responses import client_run
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
            at = f"{where}.custom" if inner is not None else where
            body = inner if inner is not None else wire
            form = fields.obj_of(body, "format", at)
            if form is not None and isinstance(form.get("grammar"), dict):
                form = {"type": "grammar", **form["grammar"]}
            return Custom(
                name=fields.need_text(body, "name", at),
                description=fields.text(body, "description", at),
                format=form,
                namespace=namespace,
                extras=fields.rest(body, _CUSTOM),
            )
        case _:
            name = _neutral(kind)
            if client_run.runs({**wire, "type": kind}):
                calls = client_run.TOOLS[kind]
                return ServerTool(name, kind, "openai-responses", native=wire, calls=calls)
            config = _search(wire, where) if name == "web_search" else {}
            return ServerTool(name, name, "openai-responses", config, wire)


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
        keys = tuple(
            _key(fields.as_obj(t, f"{where}.tools[{n}]"), f"{where}.tools[{n}]")
            for n, t in enumerate(tools)
        )
        mode = fields.text(inner, "mode", where) or "auto"
        return ToolChoice("allowed", keys, required_one=mode == "required")
    return ToolChoice("named", (_key(choice, where),))


def _key(wire: Obj, where: str) -> ToolKey:
    kind = fields.need_text(wire, "type", where)
    if kind in ("function", "custom"):
        nested = fields.obj_of(wire, kind, where)
        at = f"{where}.{kind}" if nested is not None else where
        name = fields.need_text(nested if nested is not None else wire, "name", at)
        namespace = fields.text(wire, "namespace", where)
        return ToolKey(name, namespace, "custom" if kind == "custom" else "function")
    return ToolKey(kind if kind in client_run.TOOLS else _neutral(kind), None, "server")


def _neutral(kind: str) -> str:
    return "web_search" if kind.startswith("web_search") else _KINDS.get(kind, kind)

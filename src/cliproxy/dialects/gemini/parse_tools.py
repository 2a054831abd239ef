"""`tools` and `toolConfig` of a Gemini request → IR tools and choice."""

from __future__ import annotations

from cliproxy.base.json import Json, Obj
from cliproxy.dialects import _fields as fields
from cliproxy.dialects.gemini.case import camel
from cliproxy.dialects.gemini.wire import TOOL_KINDS
from cliproxy.ir.request import Function, ServerTool, Tool, ToolChoice, ToolKey

_FUNCTION = frozenset(
    {"name", "description", "parameters", "parametersJsonSchema", "response", "responseJsonSchema"}
)
_CALLING = frozenset({"mode", "allowedFunctionNames"})


def parse_tools(items: list[Json]) -> tuple[Tool, ...]:
    """Read the declarations."""
    tools: list[Tool] = []
    for number, item in enumerate(items):
        where = f"tools[{number}]"
        wire = camel(fields.as_obj(item, where))
        for key, value in wire.items():
            if value is None:
                continue
            if key == "functionDeclarations":
                declared = fields.list_of(wire, key, where) or []
                tools += [_function(d, f"{where}.{key}[{n}]") for n, d in enumerate(declared)]
            else:
                kind = TOOL_KINDS.get(key, key)
                config = _search(value) if kind == "web_search" else {}
                tools.append(ServerTool(kind, kind, "gemini", config, {key: value}))
    return tuple(tools)


def _function(item: Json, where: str) -> Function:
    wire = camel(fields.as_obj(item, where))
    schema = fields.obj_of(wire, "parametersJsonSchema", where)
    if schema is None:
        schema = fields.obj_of(wire, "parameters", where)
    answer = fields.obj_of(wire, "responseJsonSchema", where)
    if answer is None:
        answer = fields.obj_of(wire, "response", where)
    return Function(
        name=fields.need_text(wire, "name", where),
        description=fields.text(wire, "description", where),
        schema=schema,
        output_schema=answer,
        extras=fields.rest(wire, _FUNCTION),
    )


def _search(value: Json) -> Obj:
    if not isinstance(value, dict):
        return {}
    excluded = camel(value).get("excludeDomains")
    return {"blocked_domains": excluded} if excluded else {}


def parse_tool_config(wire: Obj | None) -> tuple[ToolChoice | None, Obj | None]:
    """Return the choice, and what else the config says."""
    if wire is None:
        return None, None
    wire = camel(wire)
    calling = camel(fields.obj_of(wire, "functionCallingConfig", "toolConfig") or {})
    where = "toolConfig.functionCallingConfig"
    mode = (fields.text(calling, "mode", where) or "").upper()
    names = fields.strings(calling, "allowedFunctionNames", where)
    keys = tuple(ToolKey(name) for name in names)
    rest: Obj = {k: v for k, v in wire.items() if k != "functionCallingConfig"}
    if other := fields.rest(calling, _CALLING):
        rest["functionCallingConfig"] = other
    choice: ToolChoice | None = None
    match mode:
        case "AUTO":
            choice = ToolChoice("auto")
        case "NONE":
            choice = ToolChoice("none")
        case "ANY" | "VALIDATED" if not keys:
            choice = ToolChoice("required" if mode == "ANY" else "auto")
        case "ANY" if len(keys) == 1:
            choice = ToolChoice("named", keys)
        case "ANY" | "VALIDATED":
            choice = ToolChoice("allowed", keys, required_one=mode == "ANY")
        case "" | "MODE_UNSPECIFIED":
            pass
        case _:
            raise fields.invalid(
                f"{where}.mode", f"{mode!r} is not one of AUTO, ANY, NONE, VALIDATED."
            )
    return choice, rest or None

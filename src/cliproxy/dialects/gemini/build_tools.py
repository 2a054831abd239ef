"""IR tools and the choice among them → `tools` and `toolConfig` of a Gemini request."""

from __future__ import annotations

from cliproxy.base.json import Obj
from cliproxy.dialects import where
from cliproxy.dialects._declaring import Declaring
from cliproxy.dialects._unread import report_declaration, report_namespaces
from cliproxy.dialects.gemini import raw
from cliproxy.dialects.gemini.wire import OLDER
from cliproxy.ir.caps import Caps
from cliproxy.ir.loss import Losses
from cliproxy.ir.names import NameMap
from cliproxy.ir.request import Custom, Function, IRRequest, ServerTool, Tool, ToolChoice
from cliproxy.ir.schema_clean import for_gemini, for_gemini_json

_NATIVE = {
    "web_search": "googleSearch",
    "web_fetch": "urlContext",
    "code_execution": "codeExecution",
}


def build_tools(req: IRRequest, caps: Caps, names: NameMap, losses: Losses) -> Obj:
    """Return `tools` and `toolConfig`, as needed."""
    builder = _Tools(req, caps, names, losses)
    for tool, path in zip(req.tools, where.tools(req), strict=True):
        builder.add(tool, path)
    report_namespaces(req, losses)
    choice = req.tool_choice
    allowed: set[str] | None = None
    if choice is not None and choice.mode == "allowed" and not (choice.required_one or builder.own):
        allowed = {names.to_target(k.name, k.namespace) for k in choice.keys}
        builder.functions = [f for f in builder.functions if f["name"] in allowed]
    if builder.functions and builder.native and not builder.own and OLDER.match(caps.model):
        for path in builder.placed:
            losses.add(path, "this model takes functions or its own tools, not both", "error")
        builder.native.clear()
    tools: list[Obj] = []
    if builder.functions:
        tools.append({"functionDeclarations": builder.functions})
    if choice is None or choice.mode != "none" or builder.own:
        tools += builder.native
    if not tools:
        if choice is not None and choice.mode in ("required", "named"):
            losses.add("tool_choice", "no tool is left to choose")
        return {}
    body: Obj = {"tools": tools}
    if choice is None or not builder.functions:
        return body
    if (calling := _choice(choice, builder, names, losses)) is not None:
        body["toolConfig"] = {"functionCallingConfig": calling}
    return body


def _choice(choice: ToolChoice, builder: _Tools, names: NameMap, losses: Losses) -> Obj | None:
    validated = builder.own and raw.calling_mode(builder.req) == "VALIDATED"
    match choice.mode:
        case "auto":
            return {"mode": "VALIDATED" if validated else "AUTO"}
        case "none":
            return {"mode": "NONE"}
        case "required":
            return {"mode": "ANY"}
        case "named" | "allowed" if choice.mode == "named" or choice.required_one or validated:
            declared = {function["name"] for function in builder.functions}
            asked = [names.to_target(k.name, k.namespace) for k in choice.keys]
            allowed = [name for name in asked if builder.own or name in declared]
            if len(allowed) != len(asked):
                losses.add("tool_choice", "only functions can be chosen")
            if not allowed:
                return None
            return {"mode": "VALIDATED" if validated else "ANY", "allowedFunctionNames": allowed}
        case _:
            # The other tools are not declared at all.
            return {"mode": "AUTO"}


class _Tools(Declaring):
    def __init__(self, req: IRRequest, caps: Caps, names: NameMap, losses: Losses) -> None:
        super().__init__(names, losses)
        self.req = req
        self.own = req.source == "gemini"
        self._given = raw.declarations(req) if self.own else {}
        self._caps = caps
        self.functions: list[Obj] = []
        self.native: list[Obj] = []
        self.placed: list[str] = []
        """The client's paths of `native`."""

    def add(self, tool: Tool, path: str) -> None:
        """Write one tool, or report why not."""
        match tool:
            case Function():
                self._function(tool, path)
            case Custom():
                self._custom_function(tool, path)
            case ServerTool():
                self._server(tool, path)

    def _function(self, tool: Function, path: str) -> None:
        name = self._names.to_target(tool.name, tool.namespace)
        if not self._fresh(name, path):
            return
        wire: Obj = {"name": name}
        if tool.description is not None:
            wire["description"] = tool.description
        given = self._given.get(tool.name, {})
        if tool.schema is not None and _has_fields(tool.schema):
            if given and given.get("parametersJsonSchema") is None:
                wire["parameters"] = tool.schema
            elif self._caps.json_schema_params:
                wire["parametersJsonSchema"] = for_gemini_json(tool.schema)
            else:
                wire["parameters"] = for_gemini(tool.schema)
        if tool.output_schema is not None:
            if self.own:
                plain = given.get("responseJsonSchema") is None
                wire["response" if plain else "responseJsonSchema"] = tool.output_schema
            else:
                self._losses.add(f"{path}.output_schema", "not sent to Gemini", "info")
        if tool.strict:
            self._losses.add(f"{path}.strict", "Gemini has no strict mode", "info")
        if tool.cache is not None:
            self._losses.add(f"{path}.cache_control", "Gemini caches on its own", "info")
        for key, value in (tool.extras or {}).items():
            if self.own:
                wire[key] = value
            else:
                self._losses.add(f"{path}.{key}", "the Gemini API has no such field", "info")
        self.functions.append(wire)

    def _server(self, tool: ServerTool, path: str) -> None:
        if tool.dialect == "gemini" and isinstance(tool.native, dict):
            self.native.append(dict(tool.native))
            return
        native = _NATIVE.get(tool.kind)
        if native is not None:
            self.native.append({native: {}})
            self.placed.append(path)
            for key in tool.config:
                setting = where.setting(self.req, path, key)
                self._losses.add(setting, f"{native} has no such setting")
            report_declaration(tool, path, self._losses)
            return
        if not self._as_function(tool, path):
            self._losses.add(path, f"Gemini has no counterpart of the {tool.kind} tool", "error")


def _has_fields(schema: Obj) -> bool:
    """Tell whether a schema takes arguments at all: Gemini refuses an object without properties."""
    if schema.get("properties"):
        return True
    return any(k in schema for k in ("anyOf", "oneOf", "allOf", "$ref", "additionalProperties"))

"""IR tools and the choice among them → `tools` and `tool_choice` of an Interactions request."""

from __future__ import annotations

from cliproxy.base.json import Json, Obj
from cliproxy.dialects import where
from cliproxy.dialects._declaring import Declaring
from cliproxy.dialects._unread import report_declaration, report_namespaces
from cliproxy.ir.loss import Losses
from cliproxy.ir.names import NameMap
from cliproxy.ir.request import Custom, Function, IRRequest, ServerTool, Tool, ToolChoice
from cliproxy.ir.schema_clean import for_gemini_json

_NATIVE = {
    "web_search": "google_search",
    "web_fetch": "url_context",
    "code_execution": "code_execution",
}


def build_tools(req: IRRequest, names: NameMap, losses: Losses) -> tuple[list[Obj], Json]:
    """Return the declarations, and the choice (None: nothing to say)."""
    builder = _Tools(req, names, losses)
    for tool, path in zip(req.tools, where.tools(req), strict=True):
        builder.add(tool, path)
    report_namespaces(req, losses)
    choice = req.tool_choice
    if builder.own:
        return builder.tools, _own_choice(req)
    if choice is None:
        return builder.tools, None
    if not builder.tools:
        if choice.mode in ("required", "named"):
            losses.add("tool_choice", "no tool is left to choose")
        return [], None
    return builder.tools, _choice(choice, builder, names, losses)


def _own_choice(req: IRRequest) -> Json:
    config = req.raw.get("generation_config")
    return config.get("tool_choice") if isinstance(config, dict) else None


def _choice(choice: ToolChoice, builder: _Tools, names: NameMap, losses: Losses) -> Json:
    match choice.mode:
        case "auto" | "none":
            return choice.mode
        case "required":
            return "any"
        case _:
            asked = [names.to_target(k.name, k.namespace) for k in choice.keys]
            allowed: list[Json] = [name for name in asked if name in builder.functions]
            if len(allowed) != len(asked):
                losses.add("tool_choice", "only functions can be chosen")
            if not allowed:
                return None
            one = choice.mode == "named" or choice.required_one
            return {"allowed_tools": {"mode": "any" if one else "auto", "tools": allowed}}


class _Tools(Declaring):
    def __init__(self, req: IRRequest, names: NameMap, losses: Losses) -> None:
        super().__init__(names, losses)
        self.req = req
        self.own = req.source == "interactions"
        self.tools: list[Obj] = []
        self.functions: set[str] = set()

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
        self.functions.add(name)
        wire: Obj = {"type": "function", "name": name}
        if tool.description is not None:
            wire["description"] = tool.description
        if tool.schema is not None:
            wire["parameters"] = tool.schema if self.own else for_gemini_json(tool.schema)
        if tool.output_schema is not None:
            self._losses.add(f"{path}.output_schema", "functions declare no output here", "info")
        if tool.strict:
            self._losses.add(f"{path}.strict", "Gemini has no strict mode", "info")
        if tool.cache is not None:
            self._losses.add(f"{path}.cache_control", "Gemini caches on its own", "info")
        for key, value in (tool.extras or {}).items():
            if self.own:
                wire[key] = value
            else:
                self._losses.add(f"{path}.{key}", "functions have no such field here", "info")
        self.tools.append(wire)

    def _server(self, tool: ServerTool, path: str) -> None:
        if tool.dialect == "interactions" and isinstance(tool.native, dict):
            self.tools.append(dict(tool.native))
            return
        native = _NATIVE.get(tool.kind)
        if native is not None:
            self.tools.append({"type": native})
            for key in tool.config:
                setting = where.setting(self.req, path, key)
                self._losses.add(setting, f"{native} has no such setting")
            report_declaration(tool, path, self._losses)
            return
        if not self._as_function(tool, path):
            self._losses.add(path, f"the API has no counterpart of the {tool.kind} tool", "error")

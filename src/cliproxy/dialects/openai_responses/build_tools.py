"""IR tools and the choice among them → the fields of a Responses request."""

from __future__ import annotations

from cliproxy.base.json import Obj
from cliproxy.dialects._client_tools import as_function
from cliproxy.ir.loss import Losses
from cliproxy.ir.names import NameMap
from cliproxy.ir.request import Custom, Function, IRRequest, ServerTool, Tool, ToolChoice, ToolKey
from cliproxy.ir.schema_clean import for_openai, satisfies_openai_strict

_FAMILY = frozenset({"openai-chat", "openai-responses", "openai-completions"})
_NATIVE = {"code_execution": {"type": "code_interpreter", "container": {"type": "auto"}}}


def build_tools(req: IRRequest, names: NameMap, losses: Losses) -> Obj:
    """Return `tools`, `tool_choice` and `parallel_tool_calls`, as needed."""
    builder = _Tools(req, names, losses)
    for number, tool in enumerate(req.tools):
        builder.add(tool, f"tools[{number}]")
    choice = req.tool_choice
    if not builder.wire:
        if choice is not None and choice.mode in ("required", "named"):
            losses.add("tool_choice", "no tool is left to choose")
        return {}
    body: Obj = {"tools": builder.wire}
    if choice is not None:
        body["tool_choice"] = builder.choice(choice)
    if req.parallel_tools is not None:
        body["parallel_tool_calls"] = req.parallel_tools
    return body


class _Tools:
    def __init__(self, req: IRRequest, names: NameMap, losses: Losses) -> None:
        self._own = req.source == "openai-responses"
        self._family = req.source in _FAMILY
        self._names = names
        self._losses = losses
        self._seen: set[str] = set()
        self.wire: list[Obj] = []

    def add(self, tool: Tool, path: str) -> None:
        """Write one declaration, or report why not."""
        match tool:
            case Function():
                self._function(tool, path)
            case Custom():
                self._custom(tool, path)
            case ServerTool():
                self._server(tool, path)

    def _fresh(self, name: str, path: str) -> bool:
        if name in self._seen:
            self._losses.add(path, f"a tool named {name} is already declared")
            return False
        self._seen.add(name)
        return True

    def _function(self, tool: Function, path: str) -> None:
        name = self._names.to_target(tool.name, tool.namespace)
        if not self._fresh(name, path):
            return
        wire: Obj = {"type": "function", "name": name}
        if tool.description is not None:
            wire["description"] = tool.description
        own_schema = self._own and tool.schema is not None
        wire["parameters"] = tool.schema if own_schema else for_openai(tool.schema)
        strict = tool.strict
        if not self._family:
            strict = bool(strict) and satisfies_openai_strict(wire["parameters"])
        elif strict is None and not self._own:
            # Left out, the API would try strict; chat never does unless asked.
            strict = False
        if strict is not None:
            wire["strict"] = strict
        if tool.output_schema is not None and self._own:
            wire["output_schema"] = tool.output_schema
        self._extra(wire, tool.extras, path)
        if tool.cache is not None and not self._own:
            self._losses.add(f"{path}.cache_control", "this upstream caches on its own", "info")
        self.wire.append(wire)

    def _custom(self, tool: Custom, path: str) -> None:
        name = self._names.to_target(tool.name, tool.namespace)
        if not self._fresh(name, path):
            return
        wire: Obj = {"type": "custom", "name": name}
        if tool.description is not None:
            wire["description"] = tool.description
        if tool.format is not None:
            wire["format"] = tool.format
        self._extra(wire, tool.extras, path)
        self.wire.append(wire)

    def _extra(self, wire: Obj, extras: Obj | None, path: str) -> None:
        for key, value in (extras or {}).items():
            if self._own:
                wire[key] = value
            else:
                self._losses.add(f"{path}.{key}", "the Responses API has no such field", "info")

    def _server(self, tool: ServerTool, path: str) -> None:
        if tool.dialect == "openai-responses" and isinstance(tool.native, dict):
            self.wire.append(dict(tool.native))
            return
        if tool.kind == "web_search":
            self.wire.append(self._search(tool, path))
            return
        function = as_function(tool)
        if function is not None:
            self._losses.add(
                path, "the typed tool became an ordinary function", "info", "approximated"
            )
            self._function(function, path)
        elif tool.kind in _NATIVE:
            self.wire.append(dict(_NATIVE[tool.kind]))
        else:
            self._losses.add(path, f"the Responses API has no {tool.kind} tool", "error")

    def _search(self, tool: ServerTool, path: str) -> Obj:
        wire: Obj = {"type": "web_search"}
        config = tool.config
        if config.get("allowed_domains"):
            wire["filters"] = {"allowed_domains": config["allowed_domains"]}
        if config.get("context_size"):
            wire["search_context_size"] = config["context_size"]
        if config.get("user_location"):
            wire["user_location"] = {"type": "approximate", **config["user_location"]}
        for key in ("blocked_domains", "max_uses"):
            if config.get(key):
                self._losses.add(f"{path}.{key}", "web search here has no such setting")
        return wire

    def choice(self, choice: ToolChoice) -> str | Obj:
        """Write the choice."""
        match choice.mode:
            case "auto" | "none" | "required":
                return choice.mode
            case "named":
                return self._key(choice.keys[0])
            case "allowed":
                return {
                    "type": "allowed_tools",
                    "mode": "required" if choice.required_one else "auto",
                    "tools": [self._key(key) for key in choice.keys],
                }

    def _key(self, key: ToolKey) -> Obj:
        if key.kind == "server":
            return {"type": key.name}
        name = self._names.to_target(key.name, key.namespace)
        return {"type": "custom" if key.kind == "custom" else "function", "name": name}

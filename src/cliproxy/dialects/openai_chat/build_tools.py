"""IR tools and the choice among them → the fields of a chat request; inverse of `parse_tools.py`.

`tools`, `tool_choice` and `parallel_tool_calls` appear together or not at all: the API refuses a
choice without tools.
"""

from __future__ import annotations

from cliproxy.base.json import Obj
from cliproxy.dialects import where
from cliproxy.dialects._declaring import Declaring
from cliproxy.dialects._unread import report_declaration, report_namespaces
from cliproxy.ir.caps import Caps
from cliproxy.ir.loss import Losses
from cliproxy.ir.names import NameMap, custom_as_function
from cliproxy.ir.request import (
    Cache,
    Custom,
    Function,
    IRRequest,
    ServerTool,
    ToolChoice,
    ToolKey,
)
from cliproxy.ir.schema_clean import for_openai, satisfies_openai_strict

_FAMILY = frozenset({"openai-chat", "openai-responses", "openai-completions"})


def build_tools(req: IRRequest, caps: Caps, names: NameMap, losses: Losses) -> Obj:
    """Return `tools`, `tool_choice`, `parallel_tool_calls` and `web_search_options`, as needed."""
    builder = _Tools(req, caps, names, losses)
    for tool, path in zip(req.tools, where.tools(req), strict=True):
        builder.add(tool, path)
    report_namespaces(req, losses)
    body: Obj = {}
    if builder.search is not None:
        body["web_search_options"] = builder.search
    if not builder.wire:
        if req.tool_choice is not None and req.tool_choice.mode in ("required", "named"):
            losses.add(where.field(req, "tool_choice"), "no tool is left to choose")
        return body
    choice = req.tool_choice
    wire = builder.wire
    if choice is not None and choice.mode == "allowed" and not builder.takes_allowed:
        allowed = {names.to_target(key.name, key.namespace) for key in choice.keys}
        wire = [tool for tool in wire if _name(tool) in allowed] or wire
    body["tools"] = wire
    if choice is not None:
        value = builder.choice(choice)
        if value is not None:
            body["tool_choice"] = value
    if req.parallel_tools is not None:
        if caps.parallel_flag:
            body["parallel_tool_calls"] = req.parallel_tools
        elif not req.parallel_tools:
            losses.add(
                where.field(req, "parallel_tool_calls"), "this upstream cannot be told to call once"
            )
    return body


def _name(wire: Obj) -> str:
    inner = wire.get("function") or wire.get("custom") or {}
    return str(inner.get("name") or "")


class _Tools(Declaring):
    """Writes declarations, one name once."""

    def __init__(self, req: IRRequest, caps: Caps, names: NameMap, losses: Losses) -> None:
        super().__init__(names, losses)
        self._req = req
        self._caps = caps
        self._own = req.source == "openai-chat"
        self.takes_allowed = self._own or caps.base_is_official
        self.wire: list[Obj] = []
        self.search: Obj | None = None

    def add(self, tool: Function | Custom | ServerTool, path: str) -> None:
        """Write one tool, or report why not."""
        match tool:
            case Function():
                self._function(tool, path)
            case Custom() if self._caps.custom_tools:
                self._custom(tool, path)
            case Custom():
                self._stand_in(tool, path)
            case ServerTool():
                self._server(tool, path)

    def _function(self, tool: Function, path: str) -> None:
        name = self._names.to_target(tool.name, tool.namespace)
        if not self._fresh(name, path):
            return
        function: Obj = {"name": name}
        if tool.description is not None:
            function["description"] = tool.description
        if tool.schema is not None:
            function["parameters"] = for_openai(tool.schema)
        if (strict := self._strict(tool, path)) is not None:
            function["strict"] = strict
        if tool.output_schema is not None:
            self._losses.add(f"{path}.output_schema", "no such field in chat completions", "info")
        wire: Obj = {"type": "function", "function": function}
        self._extra(wire, tool.cache, tool.extras, path)
        self.wire.append(wire)

    def _strict(self, tool: Function, path: str) -> bool | None:
        if tool.strict and self._req.source not in _FAMILY:
            if tool.schema is not None and satisfies_openai_strict(tool.schema):
                return True
            self._losses.add(f"{path}.strict", "the schema breaks OpenAI's rules of strict", "info")
            return False
        return tool.strict

    def _custom(self, tool: Custom, path: str) -> None:
        name = self._names.to_target(tool.name, tool.namespace)
        if not self._fresh(name, path):
            return
        custom: Obj = {"name": name}
        if tool.description is not None:
            custom["description"] = tool.description
        if tool.format is not None:
            custom["format"] = _nested(tool.format)
        wire: Obj = {"type": "custom", "custom": custom}
        self._extra(wire, None, tool.extras, path)
        self.wire.append(wire)

    def _stand_in(self, tool: Custom, path: str) -> None:
        """Declare a freeform tool as a function with one text argument."""
        name = self._names.to_target(tool.name, tool.namespace)
        if not self._fresh(name, path):
            return
        if tool.format and tool.format.get("type") == "grammar":
            self._losses.add(
                f"{path}.format", "the grammar is described, not enforced", "warn", "approximated"
            )
        description, schema = custom_as_function(tool.description, tool.format)
        function = {"name": name, "description": description, "parameters": schema}
        wire: Obj = {"type": "function", "function": function}
        self._extra(wire, None, tool.extras, path)
        self.wire.append(wire)

    def _server(self, tool: ServerTool, path: str) -> None:
        native = tool.native if isinstance(tool.native, dict) else {}
        if self._own and tool.dialect == "openai-chat":
            if "web_search_options" in native:
                self.search = native["web_search_options"]
            else:
                self.wire.append(dict(native))
            return
        if tool.kind == "web_search":
            self._web_search(tool, path)
            return
        if not self._as_function(tool, path):
            self._losses.add(path, f"chat completions has no {tool.kind} tool", "error")

    def _web_search(self, tool: ServerTool, path: str) -> None:
        report_declaration(tool, path, self._losses)
        search: Obj = {}
        if size := tool.config.get("context_size"):
            search["search_context_size"] = size
        if location := tool.config.get("user_location"):
            search["user_location"] = {"type": "approximate", "approximate": location}
        for key in ("allowed_domains", "blocked_domains", "max_uses"):
            if tool.config.get(key) is not None:
                self._losses.add(
                    where.setting(self._req, path, key), "web search here has no such setting"
                )
        self.search = search
        if not self._caps.base_is_official:
            self._losses.add(
                path, "the upstream may not know web_search_options", "warn", "approximated"
            )

    def _extra(self, wire: Obj, cache: Cache | None, extras: Obj | None, path: str) -> None:
        if self._own:
            if cache is not None:
                control = {"type": "ephemeral", **({"ttl": cache.ttl} if cache.ttl else {})}
                wire["cache_control"] = control
            wire |= extras or {}
            return
        if cache is not None:
            self._losses.add(f"{path}.cache_control", "chat upstreams cache on their own", "info")
        for key in extras or {}:
            self._losses.add(f"{path}.{key}", "chat completions has no such field", "info")

    # ---- choice -------------------------------------------------------------------------------
    def choice(self, choice: ToolChoice) -> str | Obj | None:
        """Write the choice, None where it cannot be said."""
        match choice.mode:
            case "auto" | "none" | "required":
                return choice.mode
            case "named":
                return self._key(choice.keys[0])
            case "allowed":
                mode = "required" if choice.required_one else "auto"
                if not self.takes_allowed:
                    return mode  # the other tools are not declared at all
                tools = [wire for key in choice.keys if (wire := self._key(key)) is not None]
                return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}

    def _key(self, key: ToolKey) -> Obj | None:
        name = self._names.to_target(key.name, key.namespace)
        if key.kind == "server" and name not in self._seen:
            self._losses.add(
                where.field(self._req, "tool_choice"), f"{key.name} cannot be chosen by name here"
            )
            return None
        if key.kind == "custom" and self._caps.custom_tools:
            return {"type": "custom", "custom": {"name": name}}
        return {"type": "function", "function": {"name": name}}


def _nested(form: Obj) -> Obj:
    """Nest `{type: grammar, syntax, definition}` as this dialect has it."""
    if form.get("type") != "grammar":
        return dict(form)
    return {
        "type": "grammar",
        "grammar": {key: value for key, value in form.items() if key != "type"},
    }

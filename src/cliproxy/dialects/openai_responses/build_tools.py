"""IR tools and the choice among them → the fields of a Responses request."""

from __future__ import annotations

from msgspec import UNSET

from cliproxy.base.errors import Unsupported
from cliproxy.base.json import Obj
from cliproxy.dialects import where
from cliproxy.dialects._declaring import Declaring
from cliproxy.dialects._unread import report_declaration
from cliproxy.ir.caps import Caps
from cliproxy.ir.loss import Losses
from cliproxy.ir.names import NameMap, custom_as_function
from cliproxy.ir.request import Custom, Function, IRRequest, ServerTool, Tool, ToolChoice, ToolKey
from cliproxy.ir.schema_clean import for_openai, satisfies_openai_strict

_FAMILY = frozenset({"openai-chat", "openai-responses", "openai-completions"})
DRAWING = "image_generation"
_NATIVE = {"code_execution": {"type": "code_interpreter", "container": {"type": "auto"}}}


def build_tools(req: IRRequest, caps: Caps, names: NameMap, losses: Losses) -> Obj:
    """Return `tools`, `tool_choice` and `parallel_tool_calls`, as needed."""
    builder = _Tools(req, caps, names, losses)
    for tool, path in zip(req.tools, where.tools(req), strict=True):
        builder.add(tool, path)
    choice = req.tool_choice
    if not builder.wire:
        if choice is not None and choice.mode in ("required", "named"):
            losses.add("tool_choice", "no tool is left to choose")
        return {}
    body: Obj = {"tools": builder.wire}
    if choice is not None and (wire := builder.choice(choice)) is not None:
        body["tool_choice"] = wire
    if req.parallel_tools is not None:
        body["parallel_tool_calls"] = req.parallel_tools
    return body


class _Tools(Declaring):
    def __init__(self, req: IRRequest, caps: Caps, names: NameMap, losses: Losses) -> None:
        super().__init__(names, losses)
        self._freeform = caps.freeform_tools
        self._own = req.source == "openai-responses"
        self._family = req.source in _FAMILY
        self._req = req
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
            strict = bool(tool.strict) and satisfies_openai_strict(wire["parameters"])
            if tool.strict and not strict:
                self._losses.add(
                    f"{path}.strict", "the schema breaks OpenAI's rules of strict", "info"
                )
        elif strict is None and not self._own:
            # Left out, the API would try strict; chat never does unless asked.
            strict = False
        if strict is not None:
            wire["strict"] = strict
        if tool.output_schema is not None and self._own:
            wire["output_schema"] = tool.output_schema
        elif tool.output_schema is not None:
            self._losses.add(f"{path}.output_schema", "not sent for other clients", "info")
        self._extra(wire, tool.extras, path)
        if tool.cache is not None and not self._own:
            self._losses.add(f"{path}.cache_control", "this upstream caches on its own", "info")
        self.wire.append(wire)

    def _custom(self, tool: Custom, path: str) -> None:
        if not self._freeform:
            described, schema = custom_as_function(tool.description, tool.format)
            stand_in = Function(
                tool.name, described, schema, strict=False, namespace=tool.namespace
            )
            self._function(stand_in, path)
            return
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
        if tool.kind == DRAWING and tool.native is None:
            self.wire.append(self._drawing(tool))
            return
        if self._as_function(tool, path):
            return
        if tool.kind in _NATIVE:
            report_declaration(tool, path, self._losses)
            self.wire.append(dict(_NATIVE[tool.kind]))
        else:
            self._losses.add(path, f"the Responses API has no {tool.kind} tool", "error")

    def _drawing(self, tool: ServerTool) -> Obj:
        count = self._req.sampling.n
        if count is not UNSET and count != 1:
            raise Unsupported("This upstream makes one picture per request.", param="n")
        return {"type": DRAWING, **tool.config}

    def _search(self, tool: ServerTool, path: str) -> Obj:
        wire: Obj = {"type": "web_search"}
        report_declaration(tool, path, self._losses)
        config = tool.config
        if config.get("allowed_domains"):
            wire["filters"] = {"allowed_domains": config["allowed_domains"]}
        if config.get("context_size"):
            wire["search_context_size"] = config["context_size"]
        if config.get("user_location"):
            wire["user_location"] = {"type": "approximate", **config["user_location"]}
        for key in ("blocked_domains", "max_uses"):
            if config.get(key):
                self._losses.add(
                    where.setting(self._req, path, key), "web search here has no such setting"
                )
        return wire

    def choice(self, choice: ToolChoice) -> str | Obj | None:
        """Write the choice; None when what it names is not declared."""
        match choice.mode:
            case "auto" | "none" | "required":
                return choice.mode
            case "named":
                asked = self._req.raw.get("tool_choice") if self._own else None
                return self._key(choice.keys[0], asked)
            case "allowed":
                given = self._asked()
                keys = [self._key(k, given.get(n)) for n, k in enumerate(choice.keys)]
                return {
                    **self._unknown(),
                    "type": "allowed_tools",
                    "mode": "required" if choice.required_one else "auto",
                    "tools": [key for key in keys if key is not None],
                }

    def _asked(self) -> dict[int, Obj]:
        """Return the client's own allowed tools, in the order of the keys."""
        asked = self._req.raw.get("tool_choice") if self._own else None
        if not isinstance(asked, dict):
            return {}
        nested = asked.get("allowed_tools")
        tools = (nested if isinstance(nested, dict) else asked).get("tools")
        return dict(enumerate(tools if isinstance(tools, list) else ()))

    def _unknown(self) -> Obj:
        asked = self._req.raw.get("tool_choice") if self._own else None
        known = {"type", "mode", "tools", "allowed_tools"}
        return {k: v for k, v in asked.items() if k not in known} if isinstance(asked, dict) else {}

    def _key(self, key: ToolKey, asked: Obj | None) -> Obj | None:
        if key.kind == "server" and asked is not None:
            return dict(asked)
        name = self._names.to_target(key.name, key.namespace)
        if name not in self._seen and (found := self._server_type(key.name)) is not None:
            return {"type": found}
        if key.kind == "server":
            self._losses.add("tool_choice", f"there is no {key.name} tool to choose")
            return None
        custom = key.kind == "custom" and self._freeform
        wire: Obj = {"type": "custom" if custom else "function", "name": name}
        known = {"type", "name", "namespace", "function", "custom"}
        return {**{k: v for k, v in (asked or {}).items() if k not in known}, **wire}

    def _server_type(self, name: str) -> str | None:
        """Return the wire type of a declared tool that the client knows by this name."""
        for tool in self._req.tools:
            if isinstance(tool, ServerTool) and name in (tool.name, tool.kind):
                if tool.kind == "web_search" or (tool.kind == DRAWING and tool.native is None):
                    return tool.kind
                return _NATIVE[tool.kind]["type"] if tool.kind in _NATIVE else None  # type: ignore[return-value]
        return None

"""IR tools and the choice among them → `tools` and `tool_choice` of a Messages request."""

from __future__ import annotations

from cliproxy.base.json import Obj
from cliproxy.dialects import where
from cliproxy.dialects._client_tools import as_function
from cliproxy.dialects._unread import report_declaration, report_namespaces
from cliproxy.dialects.anthropic.wire import COUNTERPARTS, WEB_SEARCH
from cliproxy.ir.loss import Losses
from cliproxy.ir.names import NameMap, custom_as_function
from cliproxy.ir.request import Cache, Custom, Function, IRRequest, ServerTool, Tool, ToolChoice
from cliproxy.ir.schema_clean import for_anthropic, satisfies_openai_strict


def build_tools(req: IRRequest, names: NameMap, losses: Losses) -> tuple[list[Obj], Obj | None]:
    """Return the declarations and the choice; no choice without tools."""
    report_namespaces(req, losses)
    wire: list[Obj] = []
    seen: set[str] = set()
    choice = req.tool_choice
    allowed: set[str] | None = None
    if choice is not None and choice.mode == "allowed":
        allowed = {names.to_target(k.name, k.namespace) for k in choice.keys}
    for tool, path in zip(req.tools, where.tools(req), strict=True):
        one = _declaration(tool, path, names, losses, own=req.source == "anthropic")
        if one is None:
            continue
        if one["name"] in seen:
            losses.add(path, f"a tool named {one['name']} is already declared")
            continue
        if allowed is not None and one["name"] not in allowed:
            continue
        seen.add(one["name"])
        wire.append(one)
    if not wire:
        if choice is not None and choice.mode in ("required", "named"):
            losses.add("tool_choice", "no tool is left to choose")
        return [], None
    if choice is not None and choice.mode == "named" and req.source != "anthropic":
        key = choice.keys[0]
        if names.to_target(key.name, key.namespace) not in seen:
            losses.add("tool_choice", f"there is no tool {key.name} to choose")
            choice = None
    return wire, _choice(choice, req.parallel_tools, names)


def _declaration(tool: Tool, path: str, names: NameMap, losses: Losses, *, own: bool) -> Obj | None:
    match tool:
        case Function():
            return _function(tool, path, names, losses, own=own)
        case Custom():
            description, schema = custom_as_function(tool.description, tool.format)
            if tool.format and tool.format.get("type") == "grammar":
                losses.add(
                    f"{path}.format",
                    "the grammar is described, not enforced",
                    "warn",
                    "approximated",
                )
            for key in tool.extras or ():
                losses.add(f"{path}.{key}", "the Messages API has no such field", "info")
            name = names.to_target(tool.name, tool.namespace)
            return {"name": name, "description": description, "input_schema": schema}
        case ServerTool():
            return _server(tool, path, names, losses)


def _function(tool: Function, path: str, names: NameMap, losses: Losses, *, own: bool) -> Obj:
    wire: Obj = {"name": names.to_target(tool.name, tool.namespace)}
    if tool.description is not None:
        wire["description"] = tool.description
    schema = tool.schema
    wire["input_schema"] = schema if own and schema is not None else for_anthropic(schema)
    if tool.strict is not None and (own or (tool.strict and satisfies_openai_strict(schema))):
        wire["strict"] = tool.strict
    elif tool.strict:
        losses.add(f"{path}.strict", "the schema breaks the rules of strict", "info")
    if tool.output_schema is not None:
        losses.add(f"{path}.output_schema", "the Messages API has no such field", "info")
    if tool.cache is not None:
        wire["cache_control"] = control(tool.cache)
    for key, value in (tool.extras or {}).items():
        if own:
            wire[key] = value
        else:
            losses.add(f"{path}.{key}", "the Messages API has no such field", "info")
    return wire


def _server(tool: ServerTool, path: str, names: NameMap, losses: Losses) -> Obj | None:
    if tool.dialect == "anthropic" and isinstance(tool.native, dict):
        return {"name": tool.name, **tool.native}
    if tool.kind in COUNTERPARTS:
        report_declaration(tool, path, losses)
        return {"type": COUNTERPARTS[tool.kind], "name": tool.kind}
    if (function := as_function(tool)) is not None:
        losses.add(path, "the typed tool became an ordinary function", "info", "approximated")
        return _function(function, path, names, losses, own=False)
    if tool.kind != "web_search":
        losses.add(path, f"Claude has no counterpart of the {tool.kind} tool", "error")
        return None
    wire: Obj = {"type": WEB_SEARCH, "name": "web_search"}
    report_declaration(tool, path, losses)
    config = tool.config
    if config.get("allowed_domains"):
        wire["allowed_domains"] = config["allowed_domains"]
    elif config.get("blocked_domains"):
        wire["blocked_domains"] = config["blocked_domains"]
    if config.get("max_uses"):
        wire["max_uses"] = config["max_uses"]
    if config.get("user_location"):
        wire["user_location"] = {"type": "approximate", **config["user_location"]}
    if config.get("context_size"):
        losses.add(f"{path}.search_context_size", "web search here has no such setting", "info")
    return wire


def _choice(choice: ToolChoice | None, parallel: bool | None, names: NameMap) -> Obj | None:
    wire: Obj | None = None
    if choice is not None:
        match choice.mode:
            case "auto" | "none":
                wire = {"type": choice.mode}
            case "required":
                wire = {"type": "any"}
            case "named":
                key = choice.keys[0]
                wire = {"type": "tool", "name": names.to_target(key.name, key.namespace)}
            case "allowed":
                # The other tools are not declared at all.
                wire = {"type": "any" if choice.required_one else "auto"}
    if parallel is not None and (wire is None or wire["type"] != "none"):
        if not parallel:
            wire = {**(wire or {"type": "auto"}), "disable_parallel_tool_use": True}
        elif wire is not None:
            wire["disable_parallel_tool_use"] = False
    return wire


_HOUR = frozenset({"1h", "30m", "12h", "24h"})


def control(cache: Cache) -> Obj:
    """Write a cache hint: five minutes is the default, anything longer becomes an hour."""
    return {"type": "ephemeral", **({"ttl": "1h"} if cache.ttl in _HOUR else
            {"ttl": cache.ttl} if cache.ttl == "5m" else {})}  # fmt: skip

"""The tools of a chat request and the choice among them → IR; the inverse is `build_tools.py`.

Beside the documented `function` and `custom` tools this reads what clients send in practice:
the deprecated `functions`, Responses-style flat tools, Anthropic-style `{name, input_schema}`,
and built-in tools of either `{type: "web_search"}` or `{"google_search": {}}` shape.
"""

from __future__ import annotations

from cliproxy.base.json import Json, Obj
from cliproxy.dialects import _fields as fields
from cliproxy.dialects.openai_chat.wire import SERVER_KINDS
from cliproxy.ir.request import Cache, Custom, Function, ServerTool, Tool, ToolChoice, ToolKey

_FUNCTION_KEYS = frozenset({"name", "description", "parameters", "strict", "cache_control"})
_FLAT_KEYS = _FUNCTION_KEYS | {"type", "function", "input_schema"}


def parse_tools(body: Obj) -> tuple[Tool, ...]:
    """Read `tools`, `functions` and `web_search_options`."""
    tools = [
        _tool(fields.as_obj(value, f"tools[{n}]"), f"tools[{n}]")
        for n, value in enumerate(fields.list_of(body, "tools") or [])
    ]
    for n, value in enumerate(fields.list_of(body, "functions") or []):
        where = f"functions[{n}]"
        tools.append(_function(fields.as_obj(value, where), where, None))
    search = fields.obj_of(body, "web_search_options")
    if search is not None:
        tools.append(
            ServerTool(
                "web_search",
                "web_search",
                "openai-chat",
                _search_config(search, "web_search_options"),
                {"web_search_options": search},
            )
        )
    return tuple(tools)


def _tool(item: Obj, where: str) -> Tool:
    kind = fields.text(item, "type", where)
    if kind == "custom" and "input_schema" not in item:
        return _custom(item, where)
    if kind == "function" or (kind is None and "function" in item):
        if "function" not in item:  # the flat shape of the Responses API
            return _function(item, where, None)
        inner = fields.obj_of(item, "function", where)
        if inner is None:
            raise fields.missing(f"{where}.function")
        return _function(inner, f"{where}.function", item)
    if kind in (None, "custom") and isinstance(item.get("name"), str):
        return _function(item, where, None)
    return _server(item, kind, where)


def _function(item: Obj, where: str, outer: Obj | None) -> Function:
    schema = fields.obj_of(item, "parameters", where)
    if schema is None:
        schema = fields.obj_of(item, "input_schema", where)
    extras = fields.rest(item, _FUNCTION_KEYS if outer is not None else _FLAT_KEYS) or {}
    if outer is not None:
        extras |= fields.rest(outer, frozenset({"type", "function", "cache_control"})) or {}
    hint = fields.obj_of(item, "cache_control", where)
    if hint is None and outer is not None:
        hint = fields.obj_of(outer, "cache_control", where)
    return Function(
        fields.need_text(item, "name", where),
        fields.text(item, "description", where),
        schema,
        fields.flag(item, "strict", where),
        cache=None if hint is None else Cache(fields.text(hint, "ttl", f"{where}.cache_control")),
        extras=extras or None,
    )


def _custom(item: Obj, where: str) -> Custom:
    inner = fields.obj_of(item, "custom", where)
    at = f"{where}.custom"
    if inner is None:
        inner, at = item, where
    return Custom(
        fields.need_text(inner, "name", at),
        fields.text(inner, "description", at),
        _format(fields.obj_of(inner, "format", at), f"{at}.format"),
        extras=fields.rest(item, frozenset({"type", "custom", "name", "description", "format"})),
    )


def _format(value: Obj | None, where: str) -> Obj | None:
    """Flatten `{type: grammar, grammar: {syntax, definition}}`, the neutral form has no nesting."""
    if value is None:
        return None
    grammar = fields.obj_of(value, "grammar", where)
    if grammar is None:
        return dict(value)
    return {"type": "grammar", **grammar}


def _server(item: Obj, kind: str | None, where: str) -> ServerTool:
    native: Obj = item
    if kind is None:  # {"google_search": {…}}
        keys = [key for key, value in item.items() if isinstance(value, dict | bool)]
        if len(keys) != 1:
            raise fields.missing(f"{where}.type")
        kind = keys[0]
    neutral = _server_kind(kind)
    inner = item.get(kind)
    config: Obj = {}
    if neutral == "web_search":
        config = _search_config(inner if isinstance(inner, dict) else item, where)
    hint = fields.obj_of(item, "cache_control", where)
    return ServerTool(
        neutral,
        fields.text(item, "name", where) or neutral,
        "openai-chat",
        config,
        native,
        cache=None if hint is None else Cache(fields.text(hint, "ttl", f"{where}.cache_control")),
    )


def _server_kind(wire_type: str) -> str:
    lower = wire_type.lower()
    if lower in SERVER_KINDS:
        return SERVER_KINDS[lower]
    # Dated types: web_search_2025_08_26, text_editor_20250728.
    base = lower.rstrip("0123456789_")
    return SERVER_KINDS.get(base, wire_type)


def _search_config(options: Obj, where: str) -> Obj:
    config: Obj = {}
    if size := fields.text(options, "search_context_size", where):
        config["context_size"] = size
    location = fields.obj_of(options, "user_location", where)
    if location is not None:
        approximate = fields.obj_of(location, "approximate", f"{where}.user_location")
        source = location if approximate is None else approximate
        config["user_location"] = {
            key: source[key]
            for key in ("city", "region", "country", "timezone")
            if source.get(key) is not None
        }
    filters = fields.obj_of(options, "filters", where) or options
    for key in ("allowed_domains", "blocked_domains"):
        if domains := fields.strings(filters, key, where):
            config[key] = list(domains)
    if (uses := fields.integer(options, "max_uses", where)) is not None:
        config["max_uses"] = uses
    return config


# ---- choice -----------------------------------------------------------------------------------
def parse_tool_choice(body: Obj) -> ToolChoice | None:
    """Read `tool_choice`, or the deprecated `function_call`."""
    value = body.get("tool_choice")
    if value is not None:
        return _choice(value, "tool_choice")
    value = body.get("function_call")
    if value is None:
        return None
    if isinstance(value, dict):
        name = fields.need_text(value, "name", "function_call")
        return ToolChoice("named", (ToolKey(name),))
    return _choice(value, "function_call")


def _choice(value: Json, where: str) -> ToolChoice:
    match value:
        case "auto" | "none" | "required":
            return ToolChoice(value)
        case "any":  # Mistral's and Anthropic's word
            return ToolChoice("required")
        case str():
            raise fields.invalid(where, f"'{value}' is not one of none, auto, required.")
        case {"type": "allowed_tools"}:
            return _allowed(value, where)
        case {"type": "auto" | "none" | "required" as mode}:
            return ToolChoice(mode)
        case {"type": "any"}:
            return ToolChoice("required")
        case dict():
            return ToolChoice("named", (_key(value, where),))
        case _:
            raise fields.wrong_type(where, "a string or an object", value)


def _allowed(value: Obj, where: str) -> ToolChoice:
    inner = fields.obj_of(value, "allowed_tools", where)
    at = f"{where}.allowed_tools"
    if inner is None:
        inner, at = value, where
    mode = fields.text(inner, "mode", at) or "auto"
    keys = tuple(
        _key(fields.as_obj(item, f"{at}.tools[{n}]"), f"{at}.tools[{n}]")
        for n, item in enumerate(fields.list_of(inner, "tools", at) or [])
    )
    return ToolChoice("allowed", keys, required_one=mode == "required")


def _key(item: Obj, where: str) -> ToolKey:
    kind = fields.text(item, "type", where)
    if kind == "custom":
        inner = fields.obj_of(item, "custom", where)
        return ToolKey(fields.need_text(inner or item, "name", where), kind="custom")
    inner = fields.obj_of(item, "function", where)
    if inner is not None or kind in (None, "function", "tool"):
        at = where if inner is None else f"{where}.function"
        return ToolKey(fields.need_text(inner or item, "name", at))
    neutral = _server_kind(kind)
    return ToolKey(fields.text(item, "name", where) or neutral, kind="server")

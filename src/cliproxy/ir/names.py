"""Tool names and call ids, made legal for a target and back.

Mappings are pure functions of the original and the target's rules, never counters, so that the
same conversation gives the same bytes (prompt caches) on every turn.
"""

from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Iterable
from typing import Any, Final

from msgspec import Struct

from cliproxy.base import json
from cliproxy.ir.request import (
    Custom,
    Function,
    IRRequest,
    ServerTool,
    ToolCall,
    ToolKey,
    ToolResult,
)
from cliproxy.ir.restore import Restore, Restored


class NameRules(Struct, frozen=True):
    """What a target allows: `extra` characters beside letters, digits and `_`."""

    limit: int = 64
    extra: str = "-"
    letter_first: bool = False
    """The first character must be a letter or `_`."""


OPENAI = NameRules()
ANTHROPIC = NameRules()
GEMINI = NameRules(extra="-.:", letter_first=True)


_WORD: Final = frozenset(string.ascii_letters + string.digits + "_")
_MCP: Final = "mcp__"


def flat_name(name: str, namespace: str | None) -> str:
    """Return the flat name of a namespaced tool: `ns__child`, without doubling a prefix."""
    if not namespace:
        return name
    prefix = namespace if namespace.endswith("__") else f"{namespace}__"
    return name if name.startswith((prefix, _MCP)) else prefix + name


def _digest(text: str, length: int = 8) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]


def _clean(name: str, rules: NameRules) -> str:
    cleaned = "".join(c if c in _WORD or c in rules.extra else "_" for c in name) or "_"
    if rules.letter_first and not (cleaned[0].isalpha() or cleaned[0] == "_"):
        cleaned = "_" + cleaned
    return cleaned


def _shorten(cleaned: str, original: str, limit: int) -> str:
    mark = "_" + _digest(original)
    room = limit - len(mark)
    if cleaned.startswith(_MCP):
        # The tool's own name, at the end, tells more than the server's.
        tail = cleaned.rsplit("__", 1)[-1]
        if tail and len(_MCP) + len(tail) <= room:
            return _MCP + tail + mark
    return cleaned[:room] + mark


class NameMap:
    """Client tool name (with namespace) → legal, unique target name. Built once per request.

    Covers declared tools, names in history and tool choice. A legal name maps to itself; an
    illegal one is sanitised, a long one shortened (keeping the telling tail of
    `mcp__server__tool`), each with `_` + hash of the original whenever shortened or colliding.
    """

    def __init__(self, keys: Iterable[ToolKey], rules: NameRules) -> None:
        self._rules = rules
        self._kinds: dict[tuple[str, str | None], ToolKey] = {}
        for key in keys:
            self._kinds.setdefault((key.name, key.namespace), key)
        wanted = {pair: self._plain(*pair) for pair in self._kinds}
        # Whoever already is what it would become keeps the name; the others of a collision are
        # told apart by their hash, so that the order of declaration does not matter.
        owners: dict[str, list[tuple[str, str | None]]] = {}
        for pair, name in wanted.items():
            owners.setdefault(name, []).append(pair)
        self._map: dict[tuple[str, str | None], str] = {}
        for name, pairs in owners.items():
            exact = [p for p in pairs if p[1] is None and p[0] == name]
            for pair in pairs:
                alone = len(pairs) == 1 or pair in exact
                self._map[pair] = name if alone else self._distinct(*pair, name)

    @classmethod
    def of(cls, req: IRRequest, rules: NameRules) -> NameMap:
        """Collect every tool name a request mentions."""
        keys: list[ToolKey] = []
        for tool in req.tools:
            match tool:
                case Function():
                    keys.append(ToolKey(tool.name, tool.namespace))
                case Custom():
                    keys.append(ToolKey(tool.name, tool.namespace, "custom"))
                case _:
                    pass
        for message in req.messages:
            for part in message.parts:
                if isinstance(part, ToolCall) and part.kind != "server":
                    keys.append(ToolKey(part.name, part.namespace, part.kind))
                elif isinstance(part, ToolResult) and part.name:
                    keys.append(ToolKey(part.name, None, part.kind))
        if req.tool_choice is not None:
            keys += [key for key in req.tool_choice.keys if key.kind != "server"]
        declared = {
            tool.name
            for tool in req.tools
            if isinstance(tool, Function | Custom) and not tool.namespace
        }
        return cls(_without_flat_twins(keys, declared), rules)

    def _plain(self, name: str, namespace: str | None) -> str:
        flat = flat_name(name, namespace)
        cleaned = _clean(flat, self._rules)
        return (
            cleaned
            if len(cleaned) <= self._rules.limit
            else _shorten(cleaned, flat, self._rules.limit)
        )

    def _distinct(self, name: str, namespace: str | None, plain: str) -> str:
        mark = "_" + _digest(f"{namespace or ''}\0{name}")
        return plain[: self._rules.limit - len(mark)] + mark

    def to_target(self, name: str, namespace: str | None = None) -> str:
        """Return the target's name (a name not seen before is mapped by the same rule)."""
        found = self._map.get((name, namespace))
        return self._plain(name, namespace) if found is None else found

    def reverse(self) -> dict[str, ToolKey]:
        """Return target name → client key, only where they differ (name or namespace)."""
        return {
            target: self._kinds[pair]
            for pair, target in self._map.items()
            if pair != (target, None)
        }


def _without_flat_twins(keys: list[ToolKey], declared: set[str]) -> list[ToolKey]:
    # A result or a choice may name a namespaced tool by its flat name: the same tool, not another,
    # unless a tool of just that name is declared as well.
    flat = {flat_name(k.name, k.namespace) for k in keys if k.namespace} - declared
    return [k for k in keys if k.namespace or k.name not in flat]


_LEGAL_ID: Final = re.compile(r"[A-Za-z0-9_-]+")


def safe_id(original: str, *, limit: int = 64, extra: str = "_-") -> str:
    """Return a call id of letters, digits and `extra`, at most `limit` long.

    Legal ids pass unchanged; others become cleaned characters plus a hash of the original, so
    that distinct originals stay distinct (`a.b`, `a:b`).
    """
    if len(original) <= limit and original:
        if extra == "_-" and _LEGAL_ID.fullmatch(original):
            return original
        if all((c.isascii() and c.isalnum()) or c in extra for c in original):
            return original
    cleaned = "".join(c if (c.isascii() and c.isalnum()) or c in extra else "_" for c in original)
    mark = "_" + _digest(original, 12)
    return cleaned[: limit - len(mark)] + mark


def positional_id(turn: int, ordinal: int, name: str, args: str) -> str:
    """Return a deterministic `call_…` id for a call that came without one."""
    return "call_" + _digest(f"{turn}\0{ordinal}\0{name}\0{args}", 24)


def custom_as_function(
    description: str | None, format: dict[str, Any] | None
) -> tuple[str, dict[str, Any]]:
    """Return (description, schema) of the function that stands in for a freeform tool."""
    text = description or ""
    if format and format.get("type") == "grammar":
        syntax = format.get("syntax") or "given"
        rule = f"The input must match this {syntax} grammar:\n{format.get('definition') or ''}"
        text = f"{text}\n\n{rule}" if text else rule
    schema = {
        "type": "object",
        "properties": {"input": {"type": "string", "description": "The raw input of the tool."}},
        "required": ["input"],
    }
    return text, schema


def custom_args(text: str) -> str:
    """Return the arguments of the stand-in function for a freeform input."""
    return json.dumps_str({"input": text})


def restore_for(
    req: IRRequest, names: NameMap, *, custom_tools: bool, typed_tools: bool = False
) -> Restore:
    """Return what must be undone in the answer.

    Args:
        req: The client's.
        names: How tools are called at the target.
        custom_tools: The target takes freeform tools natively.
        typed_tools: The target takes the client's own tools known by type natively.
    """
    tools = {target: Restored(key.name, key.namespace) for target, key in names.reverse().items()}
    if not custom_tools:
        for tool in req.tools:
            if isinstance(tool, Custom):
                target = names.to_target(tool.name, tool.namespace)
                tools[target] = Restored(tool.name, tool.namespace, custom=True)
    if not typed_tools:
        plain = {tool.name for tool in req.tools if isinstance(tool, Function | Custom)}
        for tool in req.tools:
            if isinstance(tool, ServerTool) and tool.calls and tool.name not in plain:
                tools[names.to_target(tool.name)] = Restored(tool.name, item=tool.calls)
    return Restore(tools)

"""Reports what a foreign declaration or instruction says beyond what the IR has words for."""

from __future__ import annotations

from typing import Final

from cliproxy.dialects import where
from cliproxy.ir.loss import Losses
from cliproxy.ir.request import DialectId, IRRequest, Message, ServerTool

_READ: Final = frozenset(
    {
        "type", "name", "allowed_domains", "blocked_domains", "max_uses", "user_location",
        "filters", "search_context_size", "cache_control",
    }
)  # fmt: skip
"""Members of a web search declaration that its neutral `config` and `cache` hold."""
_SYSTEM: Final = {
    "openai-chat": "messages",
    "openai-responses": "input",
    "gemini": "systemInstruction.parts",
}


def report_declaration(tool: ServerTool, path: str, losses: Losses) -> None:
    """Report members of a provider's own tool that its counterpart elsewhere does not get."""
    native = tool.native if isinstance(tool.native, dict) else {}
    if "type" not in native and len(native) == 1:  # {"googleSearch": {…}}
        (native,) = native.values()
    for key in native if isinstance(native, dict) else ():
        if key not in _READ or (key == "filters" and tool.kind != "web_search"):
            losses.add(f"{path}.{key}", "its counterpart here has no such setting", "info")
    if tool.cache is not None:
        losses.add(f"{path}.cache_control", "its counterpart here is not cached", "info")


def report_system(req: IRRequest, losses: Losses) -> None:
    """Report unknown members of the instructions of another dialect's client."""
    for number, text in enumerate(req.system):
        for key in text.extras or ():
            at = f"{_SYSTEM.get(req.source, 'system')}[{number}]"
            losses.add(f"{at}.{key}", "instructions have no such field here", "info")


def report_extras(
    req: IRRequest, written: list[Message], losses: Losses, dialect: DialectId, noun: str
) -> None:
    """Report unknown members of messages that an API, or a message joined to others, loses."""
    kept = {id(m.extras) for m in written if req.source == dialect}
    for number, message in enumerate(req.messages):
        for key in message.extras or ():
            if id(message.extras) not in kept:
                at = f"{where.message(req, number)}.{key}"
                losses.add(at, f"{noun} has no such field here", "info")


def report_namespaces(req: IRRequest, losses: Losses) -> None:
    """Report what a Responses client says of a namespace: only its name goes with its tools."""
    if req.source != "openai-responses":
        return
    tools = req.raw.get("tools")
    for number, tool in enumerate(tools if isinstance(tools, list) else ()):
        if isinstance(tool, dict) and tool.get("type") == "namespace":
            for key in tool.keys() - {"type", "name", "tools"}:
                losses.add(f"tools[{number}].{key}", "the namespace is flattened", "info")

"""What a Gemini client wrote, where the neutral request does not say which of two forms it was."""

from __future__ import annotations

from cliproxy.base.json import Obj
from cliproxy.dialects.gemini.case import camel
from cliproxy.ir.request import IRRequest


def _body(req: IRRequest) -> Obj:
    body = camel(req.raw)
    inner = body.get("generateContentRequest")
    return camel(inner) if isinstance(inner, dict) else body


def config(req: IRRequest) -> Obj:
    """Return the client's own `generationConfig`."""
    found = _body(req).get("generationConfig")
    return camel(found) if isinstance(found, dict) else {}


def calling_mode(req: IRRequest) -> str:
    """Return the client's own function calling mode, in capitals."""
    found = _body(req).get("toolConfig")
    calling = camel(found).get("functionCallingConfig") if isinstance(found, dict) else None
    return str(calling.get("mode") or "").upper() if isinstance(calling, dict) else ""


def declarations(req: IRRequest) -> dict[str, Obj]:
    """Return the client's own declarations by name."""
    tools = _body(req).get("tools")
    found: dict[str, Obj] = {}
    for tool in tools if isinstance(tools, list) else [tools]:
        declared = camel(tool).get("functionDeclarations") if isinstance(tool, dict) else None
        for item in declared if isinstance(declared, list) else ():
            if isinstance(item, dict):
                found.setdefault(str(item.get("name")), camel(item))
    return found

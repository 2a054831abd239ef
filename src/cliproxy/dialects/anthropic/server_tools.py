"""Tools that Claude's provider runs: their calls and results ⇄ the neutral forms."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from cliproxy.base.json import Obj
from cliproxy.dialects.anthropic import citations
from cliproxy.ir.names import safe_id
from cliproxy.ir.server_tools import CODE, MCP, TIMEOUT, UNAVAILABLE, Ran, joined, mcp_payload, ran

_ERRORS = ("invalid_tool_input", "too_many_requests", TIMEOUT, UNAVAILABLE)
_RESULT = "_tool_result"


def kind_of(name: str) -> str:
    """Return the neutral kind of a tool, by its name or the wire type of its result."""
    name = name.removesuffix(_RESULT)
    if name in ("code_execution", "bash_code_execution"):
        return CODE
    return "tool_search" if name.startswith("tool_search") else name


def server_id(call_id: str) -> str:
    """Return a call id this API accepts for a tool of its own: only word characters."""
    return _prefixed("srvtoolu_", call_id)


def payload_of(wire: Obj) -> Any:
    """Return the neutral payload of a `*_tool_result` block."""
    content = wire.get("content")
    match kind_of(str(wire.get("type"))):
        case "code_execution":
            return _ran(content if isinstance(content, dict) else {}).payload()
        case "web_fetch":
            page = content if isinstance(content, dict) else {}
            error = {"error": page["error_code"]} if page.get("error_code") else {}
            return {"url": page.get("url"), **error}
        case "mcp":
            text = joined(content)
            if wire.get("is_error"):
                return mcp_payload("", text or "The call failed.")
            return mcp_payload(text)
        case _:
            return citations.result_payload(wire)


def _ran(content: Obj) -> Ran:
    if error := content.get("error_code"):
        return Ran(error=str(error), return_code=1)
    made = content.get("content")
    return structs.replace(ran(content), files=len(made) if isinstance(made, list) else 0)


def call(kind: str, call_id: str, name: str, label: str | None) -> Obj | None:
    """Return the block of a foreign call with empty input, None for a tool Claude's has not."""
    if kind in ("web_search", "web_fetch", CODE):
        return {"type": "server_tool_use", "id": server_id(call_id), "name": kind, "input": {}}
    if kind == MCP and name:
        block: Obj = {"type": "mcp_tool_use", "id": mcp_id(call_id), "name": name}
        return {**block, "server_name": label or "mcp", "input": {}}
    return None


def mcp_id(call_id: str) -> str:
    """Return a call id for a tool of an MCP server."""
    return _prefixed("mcptoolu_", call_id)


def _prefixed(prefix: str, call_id: str) -> str:
    # An id of this API that a Responses client got with the prefix of an item is its own again.
    for wrapping in ("", "ci_", "mcp_", "ws_"):
        if call_id.startswith(wrapping + prefix):
            return call_id.removeprefix(wrapping)
    return prefix + safe_id(call_id, limit=50, extra="_")


def result(kind: str, call_id: str, payload: Any) -> Obj | None:
    """Return the block of a foreign result, None for a tool Claude's provider has not."""
    match kind:
        case "web_search":
            return citations.search_result(server_id(call_id), payload)
        case "web_fetch":
            return _fetched(server_id(call_id), payload)
        case "code_execution":
            content = _result_of(ran(payload))
            block: Obj = {"type": "code_execution_tool_result", "tool_use_id": server_id(call_id)}
            return {**block, "content": content}
        case "mcp":
            payload = payload if isinstance(payload, dict) else {}
            error = payload.get("error")
            text = str(error or payload.get("output") or "")
            return {
                "type": "mcp_tool_result",
                "tool_use_id": mcp_id(call_id),
                "is_error": bool(error),
                "content": [{"type": "text", "text": text}] if text else [],
            }
        case _:
            return None


def _fetched(call_id: str, payload: Any) -> Obj:
    payload = payload if isinstance(payload, dict) else {}
    block: Obj = {"type": "web_fetch_tool_result", "tool_use_id": call_id}
    if payload.get("error"):
        return {**block, "content": {
            "type": "web_fetch_tool_result_error", "error_code": UNAVAILABLE,
        }}  # fmt: skip
    # What stood on the page is known to its provider only.
    source: Obj = {"type": "text", "media_type": "text/plain", "data": ""}
    document: Obj = {"type": "document", "source": source, "title": None, "citations": None}
    page: Obj = {"type": "web_fetch_result", "url": payload.get("url") or "", "content": document}
    return {**block, "content": {**page, "retrieved_at": None}}


def _result_of(done: Ran) -> Obj:
    if done.error and not done.text:
        code = done.error if done.error in _ERRORS else UNAVAILABLE
        return {"type": "code_execution_tool_result_error", "error_code": code}
    return {
        "type": "code_execution_result",
        "stdout": done.stdout,
        "stderr": done.stderr or done.error,
        # What could not end has no code of its own, but it did not end well.
        "return_code": done.return_code or int(bool(done.error)),
        "content": [],
    }

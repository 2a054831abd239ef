"""Items of code that ran and of calls to MCP servers ⇄ the neutral forms.

Here a call and its result are one item.
"""

from __future__ import annotations

from typing import Any, Final

from cliproxy.base import json
from cliproxy.base.json import Json, Obj
from cliproxy.dialects.openai_responses.wire import CALL_ID_LIMIT
from cliproxy.ir.names import safe_id
from cliproxy.ir.server_tools import (
    CODE,
    MCP,
    UNAVAILABLE,
    Ran,
    code_args,
    joined,
    mcp_payload,
    python,
    ran,
)

TYPES: Final = {"code_interpreter_call": CODE, "mcp_call": MCP}
PREFIXES: Final = {CODE: "ci_", MCP: "mcp_"}


# ---- reading ----------------------------------------------------------------------------------
def args_of(item: Obj) -> str:
    """Return the neutral arguments of a call."""
    if item.get("type") == "code_interpreter_call":
        return code_args(item.get("code"))
    args = item.get("arguments")
    return args if isinstance(args, str) else json.dumps_str(args) if args else ""


def name_of(item: Obj) -> str:
    """Return the name of the tool that ran."""
    name = item.get("name") if item.get("type") == "mcp_call" else None
    return name if isinstance(name, str) and name else TYPES[str(item.get("type"))]


def label_of(item: Obj) -> str | None:
    """Return the label of the MCP server, None for other tools."""
    label = item.get("server_label")
    return label if isinstance(label, str) and label else None


def payload_of(item: Obj) -> Any:
    """Return the neutral payload of a result."""
    if item.get("type") == "mcp_call":
        return mcp_payload(item.get("output"), _error(item.get("error")))
    outputs = item.get("outputs")
    parts = outputs if isinstance(outputs, list) else ()
    texts = [o.get("logs") for o in parts if isinstance(o, dict)]
    logs = "\n".join(text for text in texts if isinstance(text, str))
    files = sum(isinstance(o, dict) and o.get("type") == "image" for o in parts)
    if item.get("status") not in ("failed", "incomplete"):
        return Ran(logs, files=files).payload()
    return Ran("", logs, 1, "" if logs else UNAVAILABLE, files).payload()


def _error(value: Json) -> str | None:
    if not isinstance(value, dict):
        return value if isinstance(value, str) else None
    said = value.get("message")
    if isinstance(said, str) and said:
        return said
    return joined(value.get("content")) or json.dumps_str(value)


# ---- writing ----------------------------------------------------------------------------------
def item_id(kind: str, call_id: str) -> str:
    """Return an item id made of a foreign call's id, always the same."""
    prefix = PREFIXES[kind]
    # An id of ours that another dialect wrapped is its own again.
    for wrapping in ("srvtoolu_", "mcptoolu_"):
        if call_id.startswith(wrapping + prefix):
            call_id = call_id.removeprefix(wrapping)
    if call_id.startswith(prefix):
        return call_id
    return prefix + safe_id(call_id, limit=CALL_ID_LIMIT - len(prefix))


def item(kind: str, known: str, call: tuple[str, str | None, str], payload: Any) -> Obj:
    """Return the item of a foreign call and its result.

    Args:
        kind: Of the tool.
        known: The item's id.
        call: Name of the tool, its server, and the arguments.
        payload: The neutral result; None when there is none.
    """
    name, label, args = call
    if kind == MCP:
        return _mcp(known, name, label, args, payload)
    done = ran(payload)
    status = "failed" if done.error else "completed"
    text = done.text or done.error
    outputs = [{"type": "logs", "logs": text}] if text else []
    return {
        "id": known,
        "type": "code_interpreter_call",
        "status": "incomplete" if payload is None else status,
        "code": python(args),
        # The API wants one; what ran elsewhere had none of its own.
        "container_id": "cntr_" + known.removeprefix(PREFIXES[CODE]),
        "outputs": None if payload is None else outputs,
    }


def _mcp(known: str, name: str, label: str | None, args: str, payload: Any) -> Obj:
    result = payload if isinstance(payload, dict) else {}
    error = result.get("error")
    wire: Obj = {
        "id": known,
        "type": "mcp_call",
        "status": "incomplete" if payload is None else "failed" if error else "completed",
        "server_label": label or "mcp",
        "name": name,
        "arguments": args if args.strip() else "{}",
        "output": None if error or payload is None else str(result.get("output") or ""),
        "error": None,
    }
    if error:
        content = [{"type": "text", "text": str(error)}]
        wire["error"] = {"type": "mcp_tool_execution_error", "content": content}
    return wire


def own(wire: Obj) -> Obj:
    """Return an item of this API's own with every member its events are made of."""
    status = wire.get("status")
    wire = {**wire, "status": status if isinstance(status, str) and status else "completed"}
    if wire["type"] == "mcp_call":
        return {**wire, "arguments": args_of(wire), "name": name_of(wire)}
    code = wire.get("code")
    container = wire.get("container_id") or "cntr_unknown"
    base = {"outputs": None, **wire, "container_id": container}
    return {**base, "code": code if isinstance(code, str) else None}


def begun(wire: Obj) -> Obj:
    """Return an item as it is before anything is known of it."""
    empty: Obj = {"status": "in_progress"}
    if wire["type"] == "mcp_call":
        return {**wire, **empty, "arguments": "", "output": None, "error": None}
    return {**wire, **empty, "code": "", "outputs": None}


def steps(wire: Obj) -> list[tuple[str, Obj]]:
    """Return the events between the beginning and the end of an item: type and members."""
    family = f"response.{wire['type']}"
    ended = wire["status"]
    last: list[tuple[str, Obj]] = []
    if ended == "completed" or (ended == "failed" and wire["type"] == "mcp_call"):
        last = [(f"{family}.{ended}", {})]
    if wire["type"] == "mcp_call":
        said, key, running = f"{family}_arguments", "arguments", list[tuple[str, Obj]]()
    else:
        said, key, running = f"{family}_code", "code", [(f"{family}.interpreting", {})]
    text = wire[key]
    told: list[tuple[str, Obj]] = []
    if text is not None:
        told = [(f"{said}.delta", {"delta": text})] if text else []
        told.append((f"{said}.done", {key: text}))
    return [(f"{family}.in_progress", {}), *told, *running, *last]

"""Items of tools that this API knows by type and the client runs ⇄ plain calls and results.

Elsewhere such a tool is an ordinary function (`_client_tools.py`), and the conversation tells what
it was called with and what came of it.
"""

from __future__ import annotations

from typing import Any, Final

from cliproxy.base import json
from cliproxy.base.json import Json, Obj
from cliproxy.dialects import _fields as fields
from cliproxy.ir.request import Text, ToolCall, ToolResult, args_object

TOOLS: Final = {"local_shell": "local_shell_call", "shell": "shell_call",
                "apply_patch": "apply_patch_call"}  # fmt: skip
"""Wire type of a tool, and of its calls."""
CALLS: Final = {call: tool for tool, call in TOOLS.items()}
OUTPUTS: Final = frozenset(f"{call}_output" for call in CALLS)
PREFIXES: Final = {"local_shell_call": "lsh_", "shell_call": "sh_", "apply_patch_call": "apc_"}
_READ: Final = frozenset(
    {
        "type", "id", "call_id", "status", "action", "operation", "environment", "output",
        "max_output_length", "created_by",
    }
)  # fmt: skip


def runs(tool: Obj) -> bool:
    """Tell whether the client runs a declared tool: a shell may be in a container of OpenAI's."""
    environment = tool.get("environment")
    hosted = isinstance(environment, dict) and environment.get("type") not in (None, "local")
    return tool.get("type") in TOOLS and not hosted


# ---- reading ----------------------------------------------------------------------------------
def call(item: Obj, where: str) -> ToolCall:
    """Read a call of history."""
    kind = fields.need_text(item, "type", where)
    key = _key(kind)
    said = fields.obj_of(item, key, where) or {}
    args = {k: v for k, v in said.items() if v is not None and (k, v) != ("type", "exec")}
    return ToolCall(
        id=fields.text(item, "call_id", where) or fields.text(item, "id", where) or "",
        name=CALLS[kind],
        args=json.dumps_str(args),
        item_id=fields.text(item, "id", where),
        extras={"native": item, **(fields.rest(item, _READ) or {})},
    )


def output(item: Obj, where: str, ids: dict[str, str]) -> ToolResult:
    """Read a result of history; `ids` are the call ids of items, by which some results go."""
    kind = fields.need_text(item, "type", where)
    known = fields.text(item, "call_id", where) or fields.text(item, "id", where) or ""
    given = item.get("output")
    failed = item.get("status") == "failed"
    text = given if isinstance(given, str) else _printed(given)
    if not text and kind == "apply_patch_call_output":
        text = "failed" if failed else "done"
    return ToolResult(
        call_id=ids.get(known, known),
        parts=(Text(text),) if text else (),
        is_error=True if failed else None,
        name=CALLS[kind.removesuffix("_output")],
        extras={"native": item, **(fields.rest(item, _READ) or {})},
    )


def _printed(given: Json) -> str:
    """Return what commands printed, and how they ended where not well."""
    told: list[str] = []
    for run in given if isinstance(given, list) else ():
        if not isinstance(run, dict):
            continue
        told += [s for key in ("stdout", "stderr") if isinstance(s := run.get(key), str) and s]
        outcome = run.get("outcome")
        outcome = outcome if isinstance(outcome, dict) else {}
        if outcome.get("type") == "timeout":
            told.append("[timed out]")
        elif code := outcome.get("exit_code"):
            told.append(f"[exit code {code}]")
    return "\n".join(text.rstrip("\n") for text in told)


# ---- writing ----------------------------------------------------------------------------------
def item(kind: str, item_id: str, call_id: str, args: str) -> Obj | None:
    """Return the item of a call, None where its arguments are none of this tool."""
    given = args_object(args)
    if not given:
        return None
    base: Obj = {"id": item_id, "type": kind, "status": "completed", "call_id": call_id}
    match kind:
        case "local_shell_call" if _texts(given.get("command")):
            env = given.get("env")
            return {**base, "action": {
                **given, "type": "exec", "env": env if isinstance(env, dict) else {},
            }}  # fmt: skip
        case "shell_call" if _texts(given.get("commands")):
            limits: Obj = {"timeout_ms": None, "max_output_length": None}
            return {**base, "action": {**limits, **given}}
        case "apply_patch_call" if _patches(given):
            return {**base, "operation": given}
        case _:
            return None


def begun(wire: Obj) -> Obj:
    """Return an item as it is announced: which file is known, what becomes of it is not."""
    operation = wire.get("operation")
    if isinstance(operation, dict) and "diff" in operation:
        wire = {**wire, "operation": {**operation, "diff": ""}}
    return {**wire, "status": "in_progress"}


def _texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, str) for v in value)


def _patches(given: Obj) -> bool:
    kind, diff = given.get("type"), given.get("diff")
    if not isinstance(given.get("path"), str):
        return False
    return kind == "delete_file" or (
        kind in ("create_file", "update_file") and isinstance(diff, str)
    )


def _key(kind: str) -> str:
    return "operation" if kind == "apply_patch_call" else "action"

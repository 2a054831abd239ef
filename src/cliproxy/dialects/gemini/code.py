"""Code that Google runs: its parts ⇄ the neutral forms."""

from __future__ import annotations

from typing import Any, Final

from cliproxy.base.json import Obj
from cliproxy.ir.server_tools import TIMEOUT, Ran, python, ran

_OK: Final = "OUTCOME_OK"
_FAILED: Final = "OUTCOME_FAILED"
_DEADLINE: Final = "OUTCOME_DEADLINE_EXCEEDED"


def executable(args: str) -> Obj:
    """Return the part of a foreign call."""
    return {"executableCode": {"language": "PYTHON", "code": python(args)}}


def executed(payload: Any) -> Obj:
    """Return the part of a foreign result."""
    done = ran(payload)
    if done.error == TIMEOUT:
        return {"codeExecutionResult": {"outcome": _DEADLINE, "output": done.text}}
    outcome = _FAILED if done.failed else _OK
    return {"codeExecutionResult": {"outcome": outcome, "output": done.text or done.error}}


def payload_of(result: Obj) -> Any:
    """Return the neutral payload of a `codeExecutionResult`."""
    output = str(result.get("output") or "")
    match result.get("outcome"):
        case "OUTCOME_FAILED":
            return Ran(stderr=output, return_code=1).payload()
        case "OUTCOME_DEADLINE_EXCEEDED":
            return Ran(stdout=output, return_code=1, error=TIMEOUT).payload()
        case _:
            return Ran(stdout=output).payload()


def answers(result: Obj, waiting: list[str]) -> str:
    """Return the id of the code a result is of, and take it off those that wait; "" if of none."""
    given = result.get("id")
    if given in waiting:
        waiting.remove(given)
        return str(given)
    return waiting.pop(0) if waiting else str(given or "")

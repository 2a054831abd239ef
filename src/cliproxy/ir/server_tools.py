"""Code that a provider ran, and calls it made to MCP servers, in neutral words.

Every dialect reads its own form into these payloads and writes its own form from them. A result
belongs to its call by id; a call and its result are shown or left out together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from msgspec import Struct

from cliproxy.base import json
from cliproxy.ir.request import Message, ServerResult, ToolCall, args_object

CODE: Final = "code_execution"
MCP: Final = "mcp"

TIMEOUT: Final = "execution_time_exceeded"
UNAVAILABLE: Final = "unavailable"


class Ran(Struct, frozen=True):
    """What running code gave. `error` says why it could not run, or not to its end."""

    stdout: str = ""
    stderr: str = ""
    return_code: int = 0
    error: str = ""
    files: int = 0
    """How many files it made that are told by reference: nobody else can fetch them."""

    @property
    def text(self) -> str:
        """All that was printed, for dialects that do not tell where."""
        if self.stdout and self.stderr:
            return self.stdout + ("" if self.stdout.endswith("\n") else "\n") + self.stderr
        return self.stdout or self.stderr

    @property
    def failed(self) -> bool:
        """Whether it did not end well."""
        return bool(self.error or self.return_code)

    def payload(self) -> dict[str, Any]:
        """Return the neutral payload."""
        payload: dict[str, Any] = {
            "stdout": self.stdout,
            "stderr": self.stderr,
            "return_code": self.return_code,
        }
        if self.error:
            payload["error"] = self.error
        if self.files:
            payload["files"] = self.files
        return payload


def ran(payload: Any) -> Ran:
    """Read a neutral payload of `code_execution`."""
    if not isinstance(payload, dict):
        return Ran()
    code = payload.get("return_code")
    return Ran(
        _text(payload.get("stdout")),
        _text(payload.get("stderr")),
        code if isinstance(code, int) else 0,
        _text(payload.get("error")),
        files if isinstance(files := payload.get("files"), int) else 0,
    )


def python(args: str) -> str:
    """Return the Python code of a call; a shell command becomes the Python that runs it."""
    given = args_object(args) or {}
    if isinstance(code := given.get("code"), str):
        return code
    command = given.get("command")
    if not isinstance(command, str) or not command:
        return ""
    return f"import subprocess\nsubprocess.run({json.dumps_str(command)}, shell=True)"


def code_args(code: Any) -> str:
    """Return the arguments of a call that runs Python code."""
    return json.dumps_str({"code": _text(code)})


def joined(content: Any) -> str:
    """Return the texts of a list of parts, or the text itself."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else ()
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return "\n".join(text for text in texts if isinstance(text, str))


def mcp_payload(output: Any, error: Any = None) -> dict[str, Any]:
    """Return the neutral payload of a call to an MCP server."""
    payload: dict[str, Any] = {"output": _text(output)}
    return {**payload, "error": error} if isinstance(error, str) and error else payload


class Pairs:
    """Calls of a conversation that have their result in the same turn, and those results.

    One without the other cannot be told to another API.
    """

    def __init__(self, messages: Iterable[Message], kinds: Collection[str]) -> None:
        self._results: dict[int, ServerResult] = {}
        self._kept: set[int] = set()
        waiting: dict[str, ToolCall] = {}
        for message in messages:
            if message.role != "assistant":
                waiting.clear()
            for part in message.parts:
                if isinstance(part, ToolCall):
                    if part.kind == "server" and part.server_kind in kinds:
                        waiting[part.id] = part
                elif isinstance(part, ServerResult) and part.kind in kinds:
                    call = waiting.pop(part.call_id, None)
                    if call is not None:
                        self._results[id(call)] = part
                        self._kept.update((id(call), id(part)))

    def __contains__(self, part: object) -> bool:
        """Tell whether a part is one of a pair."""
        return id(part) in self._kept

    def result(self, call: ToolCall) -> ServerResult | None:
        """Return the result of a call."""
        return self._results.get(id(call))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""

"""One output item while a Responses answer is read."""

from __future__ import annotations

from typing import Any

from cliproxy.base.json import Json, Obj
from cliproxy.ir.events import BlockKind


def text_of(obj: Obj, key: str) -> str:
    """Return a string member, empty when it is none."""
    value = obj.get(key)
    return value if isinstance(value, str) else ""


class Item:
    """What is known of an item so far."""

    __slots__ = (
        "args", "block", "call_id", "cited", "done", "early_signature", "id", "kind", "name",
        "namespace", "open", "open_kind", "part", "parts_seen", "said",
    )  # fmt: skip

    def __init__(self, wire: Obj) -> None:
        self.kind = text_of(wire, "type")
        self.id = text_of(wire, "id")
        self.call_id = ""
        self.name = ""
        self.namespace: str | None = None
        self.args: list[str] = []
        self.block = -1
        """Index of its (latest) IR block."""
        self.open = False
        self.open_kind: BlockKind | str = ""
        self.part = 0
        """Content or summary index of the open part."""
        self.parts_seen: set[int] = set()
        self.said = False
        """Something was delivered for the open part."""
        self.cited = 0
        self.early_signature = ""
        self.done = False

    def learn(self, wire: Obj) -> None:
        """Take over a call's name and ids as they become known."""
        self.name = self.name or text_of(wire, "name")
        self.call_id = self.call_id or text_of(wire, "call_id")
        self.namespace = self.namespace or text_of(wire, "namespace") or None
        if not self.id:
            self.id = text_of(wire, "id")

    def is_again(self, wire: Obj) -> bool:
        """Tell whether a host reports this very item a second time."""
        if self.kind != wire.get("type") or not self.id or self.id != wire.get("id"):
            return False
        return self.call_id in ("", text_of(wire, "call_id"))


def open_kind(kind: str) -> str | None:
    """Return the neutral name of a provider-run call item, None for other items."""
    return {
        "web_search_call": "web_search",
        "code_interpreter_call": "code_execution",
        "file_search_call": "file_search",
        "mcp_call": "mcp",
    }.get(kind)


def annotation(wire: Json) -> dict[str, Any]:
    """Return the neutral citation of an annotation."""
    if not isinstance(wire, dict):
        return {"kind": "file", "native": wire, "dialect": "openai-responses"}
    if wire.get("type") == "url_citation":
        return {
            "kind": "url",
            "url": wire.get("url") or "",
            "title": wire.get("title"),
            "start": wire.get("start_index"),
            "end": wire.get("end_index"),
            "native": wire,
            "dialect": "openai-responses",
        }
    return {"kind": "file", "native": wire, "dialect": "openai-responses"}

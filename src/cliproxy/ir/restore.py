"""Undoing, in the answer, what a builder did to tools in the request.

A builder may have shortened a tool's name, flattened its namespace, or turned a freeform tool
into a function with one `input` field. It records that in a `Restore`; the pipeline passes every
event through `RestoreStream` between reader and writer, so that no reader or writer has to know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, field, structs

from cliproxy.base import json
from cliproxy.ir.events import ArgsDelta, BlockStart, BlockStop, Event
from cliproxy.ir.request import args_object
from cliproxy.ir.schema_clean import coerce_arguments


class Restored(Struct, frozen=True):
    """What the client calls a tool that the upstream knows by another name or shape."""

    name: str
    namespace: str | None = None
    custom: bool = False
    """Arguments `{"input": "…"}` become the bare text of a custom call."""
    types: Mapping[str, Any] | None = None
    """The declared argument schema, where enum values had to become strings: integers, numbers
    and booleans are converted back."""


class Restore(Struct, frozen=True):
    """Upstream tool name → the client's tool.

    Empty = nothing to undo. Unknown names pass as they are (a tool the model invented). `ids` maps
    upstream call ids back, where they had to change.
    """

    tools: dict[str, Restored] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.tools or self.ids)


class RestoreStream:
    """Applies a `Restore` to a stream of events."""

    __slots__ = ("_held", "_restore")

    def __init__(self, restore: Restore) -> None:
        self._restore = restore
        self._held: dict[int, tuple[Restored, list[str]]] = {}
        """Calls whose arguments must be complete before they can be converted."""

    def feed(self, events: Sequence[Event]) -> list[Event]:
        """Return the events as the client should see them.

        Names and namespaces are replaced in `BlockStart`. The arguments of custom tools and of
        tools with `types` are held and emitted as one converted `ArgsDelta` before `BlockStop`.
        """
        out: list[Event] = []
        for event in events:
            match event:
                case BlockStart(kind="tool_call"):
                    out.append(self._start(event))
                case ArgsDelta() if event.index in self._held:
                    self._held[event.index][1].append(event.text)
                case BlockStop() if event.index in self._held:
                    restored, parts = self._held.pop(event.index)
                    args = _convert("".join(parts), restored)
                    if args:
                        out.append(ArgsDelta(event.index, args))
                    out.append(event)
                case _:
                    out.append(event)
        return out

    def _start(self, event: BlockStart) -> BlockStart:
        call_id = self._restore.ids.get(event.id, event.id)
        restored = self._restore.tools.get(event.name)
        if restored is None:
            return structs.replace(event, id=call_id) if call_id != event.id else event
        if restored.custom or restored.types is not None:
            self._held[event.index] = (restored, [])
        return structs.replace(
            event,
            id=call_id,
            name=restored.name,
            namespace=restored.namespace,
            tool_kind="custom" if restored.custom else event.tool_kind,
        )


def _convert(args: str, restored: Restored) -> str:
    if not restored.custom:
        return coerce_arguments(args, restored.types)
    value = args_object(args)
    if value is None:
        # The model ignored the stand-in schema and wrote the text itself, or a bare JSON string.
        try:
            bare = json.loads(args)
        except json.InvalidJson:
            return args
        return bare if isinstance(bare, str) else args
    if not value:
        return ""
    found = value.get("input", value)
    return found if isinstance(found, str) else json.dumps_str(found)

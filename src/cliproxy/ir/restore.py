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


class StandIns(Struct, frozen=True):
    """Members of arguments that the upstream wanted declared and the client did not declare."""

    names: frozenset[str] = frozenset()
    inside: Mapping[str, StandIns] = {}
    """By the member that is an object, or a list of objects."""

    def __bool__(self) -> bool:
        return bool(self.names or self.inside)

    def without(self, value: Any) -> Any:
        """Return a value without them."""
        if isinstance(value, list):
            return [self.without(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {
            key: self.inside[key].without(inner) if key in self.inside else inner
            for key, inner in value.items()
            if key not in self.names
        }


class Restored(Struct, frozen=True):
    """What the client calls a tool that the upstream knows by another name or shape."""

    name: str
    namespace: str | None = None
    custom: bool = False
    """Arguments `{"input": "…"}` become the bare text of a custom call."""
    item: str = ""
    """What a call of it is in the client's dialect, where it is no plain call of a function."""
    types: Mapping[str, Any] | None = None
    """The declared argument schema, where enum values had to become strings: integers, numbers
    and booleans are converted back."""
    stand_ins: StandIns = StandIns()
    """What is taken out of the arguments."""

    @property
    def converts(self) -> bool:
        """Whether arguments are changed, for which they must be complete."""
        return self.custom or self.types is not None or bool(self.stand_ins)


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
        tools with `types` or stand-ins are held and emitted as one converted `ArgsDelta` before
        `BlockStop`.
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
        if restored.converts:
            self._held[event.index] = (restored, [])
        return structs.replace(
            event,
            id=call_id,
            name=restored.name,
            namespace=restored.namespace,
            tool_kind="custom" if restored.custom else event.tool_kind,
            server_kind=restored.item,
        )


def _convert(args: str, restored: Restored) -> str:
    if restored.stand_ins and (whole := args_object(args)) is not None:
        args = json.dumps_str(restored.stand_ins.without(whole))
    if not restored.custom:
        return args if restored.types is None else coerce_arguments(args, restored.types)
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

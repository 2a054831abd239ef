"""Tool calls and their results, put where every target wants them.

Pure; run by every builder before it writes messages. Every API demands that the results of a
turn's calls follow it at once; clients keep to that loosely, and histories that crossed dialects
even less.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from typing import Any, Literal, TypeGuard

from msgspec import structs

from cliproxy.ir.loss import Losses
from cliproxy.ir.request import Message, Part, Text, ToolCall, ToolResult

NO_RESULT = "[no result]"
"""Text of a synthesised result for a call nobody answered."""


def pair(
    messages: Sequence[Message],
    losses: Losses,
    *,
    orphans: Literal["drop", "text"],
    synthesise: bool = True,
    order: Literal["call", "original"] = "call",
) -> tuple[Message, ...]:
    """Return messages in which every turn with calls is followed at once by their results.

    - After an assistant message with client tool calls (kind function or custom) comes one user
      message whose first parts are the results, one per call (`order`), then whatever else the
      user said before the next assistant turn. System messages in between move after the results.
    - A call without result gets `ToolResult(is_error=True, parts=[Text(NO_RESULT)])` if
      `synthesise` (reported). Those of the last turn too: no API answers a call in its stead.
    - Duplicate results: last payload at the first position (reported).
    - Results without a call: dropped or turned into user text (reported).
    - Call ids may be reused in later rounds: a result belongs to the nearest preceding unanswered
      call. Results with an empty id are matched by order (per name when they have one).
    - Results get the `name` of their call when they have none.
    """
    if not any(isinstance(p, ToolCall | ToolResult) for m in messages for p in m.parts):
        return tuple(messages)
    out: list[Message] = []
    turn: list[Message] = []
    """Assistant messages of the turn being collected (a run of them is one turn)."""
    after: list[Message] = []
    """What followed that turn."""

    def flush() -> None:
        calls = [p for m in turn for p in m.parts if _runs_here(p)]
        if not calls:
            out.extend(turn)
            out.extend(_without_results(after, losses, orphans))
        else:
            out.extend(_merged(turn))
            out.extend(_answered(calls, after, losses, orphans, synthesise=synthesise, order=order))
        turn.clear()
        after.clear()

    due = _due(messages)
    waits = -1
    """Where the last result that the turn waits for stands."""
    heard = False
    """The user was heard since the turn."""
    for place, message in enumerate(messages):
        if message.role != "assistant":
            after.append(message)
            heard = heard or message.role == "user"
            continue
        # Reasoning, text and calls of one turn may come as several assistant messages (Responses
        # items); results that arrived in between close the turn, unless more are to come.
        if after and not (heard and waits >= place and not _starts_over(message)):
            flush()
            waits, heard = -1, False
        turn.append(message)
        waits = max(waits, due.get(place, -1))
    flush()
    return tuple(out)


def _starts_over(message: Message) -> bool:
    """Tell whether an assistant message calls tools itself: then it is a turn of its own."""
    return any(isinstance(p, ToolCall) for p in message.parts)


def _due(messages: Sequence[Message]) -> dict[int, int]:
    """Return, for every message with calls, where the last of their results stands.

    Once an id is called again, what comes answers that call.
    """
    due: dict[int, int] = {}
    waiting: dict[str, int] = {}
    for place, message in enumerate(messages):
        for part in message.parts:
            if _runs_here(part):
                waiting[part.id] = place
            elif isinstance(part, ToolResult):
                called = waiting.pop(part.call_id, None)
                if called is not None:
                    due[called] = place
    return due


def _results(message: Message) -> list[ToolResult]:
    return [p for p in message.parts if isinstance(p, ToolResult)]


def _merged(turn: list[Message]) -> list[Message]:
    if len(turn) == 1:
        return list(turn)
    parts = tuple(p for m in turn for p in m.parts)
    return [structs.replace(turn[0], parts=parts)]


def _answered(
    calls: list[ToolCall],
    after: list[Message],
    losses: Losses,
    orphans: Literal["drop", "text"],
    *,
    synthesise: bool,
    order: Literal["call", "original"],
) -> list[Message]:
    found: dict[int, ToolResult] = {}
    match = _Matcher(calls, found)
    sequence: list[int] = []
    rest: list[Message] = []
    extras: dict[str, Any] | None = None
    for message in after:
        kept: list[Part] = []
        for part in message.parts:
            if not isinstance(part, ToolResult):
                kept.append(part)
                continue
            index = match.index(part)
            if index is None:
                _orphan(part, kept, losses, orphans)
                continue
            if index in found:
                losses.add(
                    f"tool_result({calls[index].id})",
                    "a second result for one call replaces the first",
                    action="approximated",
                )
            else:
                sequence.append(index)
            found[index] = part
        if not kept:
            # Only results: they move, and what stood beside them goes with them.
            extras = extras or message.extras
        else:
            changed = _results(message)
            rest.append(structs.replace(message, parts=tuple(kept)) if changed else message)
    results: list[Part] = []
    for index in range(len(calls)) if order == "call" else _in_order(sequence, len(calls)):
        call = calls[index]
        result = found.get(index)
        if result is None:
            if not synthesise:
                continue
            losses.add(f"tool_call({call.id})", "the call has no result", action="synthesised")
            results.append(
                ToolResult(
                    call.id, (Text(NO_RESULT),), is_error=True, name=call.name, kind=call.kind
                )
            )
            continue
        kind = call.kind if call.kind == "custom" else result.kind
        results.append(
            structs.replace(result, call_id=call.id, name=result.name or call.name, kind=kind)
        )
    out: list[Message] = []
    if results:
        # What the user said in the same breath stays in the same message, after the results.
        if rest and rest[0].role == "user":
            first = rest.pop(0)
            out.append(structs.replace(first, parts=(*results, *first.parts)))
        else:
            out.append(Message("user", tuple(results), extras=extras))
    return out + rest


def _in_order(sequence: list[int], count: int) -> list[int]:
    answered = set(sequence)
    return sequence + [i for i in range(count) if i not in answered]


class _Matcher:
    """Finds the call of a result: by id, else by order among the calls that have none yet."""

    def __init__(self, calls: list[ToolCall], found: dict[int, ToolResult]) -> None:
        self._found = found
        self._all = deque(range(len(calls)))
        self._named: dict[str, deque[int]] = {}
        self._by_id: dict[str, deque[int]] = {}
        self._last: dict[str, int] = {}
        for index, call in enumerate(calls):
            self._named.setdefault(call.name, deque()).append(index)
            self._by_id.setdefault(call.id, deque()).append(index)
            self._last[call.id] = index

    def index(self, result: ToolResult) -> int | None:
        """Return the place of the call among the turn's, None when there is no such call."""
        if result.call_id:
            free = self._first(self._by_id.get(result.call_id))
            return self._last.get(result.call_id) if free is None else free
        return self._first(self._named.get(result.name) if result.name else self._all)

    def _first(self, indices: deque[int] | None) -> int | None:
        while indices:
            if indices[0] not in self._found:
                return indices[0]
            indices.popleft()
        return None


def _without_results(
    messages: list[Message], losses: Losses, orphans: Literal["drop", "text"]
) -> list[Message]:
    out: list[Message] = []
    for message in messages:
        if not _results(message):
            out.append(message)
            continue
        kept: list[Part] = []
        for part in message.parts:
            if isinstance(part, ToolResult):
                _orphan(part, kept, losses, orphans)
            else:
                kept.append(part)
        if kept:
            out.append(structs.replace(message, parts=tuple(kept)))
    return out


def _orphan(
    result: ToolResult, kept: list[Part], losses: Losses, orphans: Literal["drop", "text"]
) -> None:
    called = result.call_id or result.name or "without id"
    where = f"tool_result({called})"
    if orphans == "drop":
        losses.add(where, "there is no call it answers")
        return
    losses.add(where, "there is no call it answers; sent as text", action="approximated")
    kept += [Text(f"Result of tool call {called}:"), *result.parts]


def tell_apart(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Give calls whose id was used before an id of their own, and their results with them.

    For APIs that want ids to be unique in a conversation; the messages must be paired. The new id
    depends on nothing that follows, so that what was sent before stays as it was.
    """
    calls = [p.id for m in messages for p in m.parts if _runs_here(p)]
    if len(set(calls)) == len(calls):
        return tuple(messages)
    seen: Counter[str] = Counter()
    taken: set[str] = set()
    given: dict[str, deque[str]] = {}
    """What the calls of the turn are called now, by the id they had."""
    out: list[Message] = []
    for message in messages:
        parts: list[Part] = []
        if message.role == "assistant":
            given = {}
        for part in message.parts:
            if _runs_here(part):
                known = part.id
                while known in taken:
                    # The client may have made an id like that itself.
                    seen[part.id] += 1
                    known = f"{part.id}~{seen[part.id] + 1}"
                taken.add(known)
                given.setdefault(part.id, deque()).append(known)
                parts.append(structs.replace(part, id=known))
            elif isinstance(part, ToolResult) and (ids := given.get(part.call_id)):
                parts.append(structs.replace(part, call_id=ids.popleft()))
            else:
                parts.append(part)
        out.append(structs.replace(message, parts=tuple(parts)))
    return tuple(out)


def _runs_here(part: Part) -> TypeGuard[ToolCall]:
    """Tell whether a part is a call that the client answers."""
    return isinstance(part, ToolCall) and part.kind != "server"


def merge_roles(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Drop messages without parts and concatenate the parts of neighbours with the same role."""
    out: list[Message] = []
    joined: list[Part] = []
    """Parts of the last message, once it is several."""

    def close() -> None:
        if joined:
            out[-1] = structs.replace(out[-1], parts=tuple(joined))
            joined.clear()

    for message in messages:
        if not message.parts:
            continue
        if out and out[-1].role == message.role and message.role != "system":
            if not joined:
                joined += out[-1].parts
            joined += message.parts
        else:
            close()
            out.append(message)
    close()
    return tuple(out)

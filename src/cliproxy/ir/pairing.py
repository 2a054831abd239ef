"""Tool calls and their results, put where every target wants them.

Pure; run by every builder before it writes messages. Every API demands that the results of a
turn's calls follow it at once; clients keep to that loosely, and histories that crossed dialects
even less.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

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
      `synthesise` (reported; not for calls of the last turn when nothing follows it: those are
      pending and stay bare).
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

    def flush(*, last: bool) -> None:
        calls = [p for m in turn for p in m.parts if isinstance(p, ToolCall) and p.kind != "server"]
        if not calls:
            out.extend(turn)
            out.extend(_without_results(after, losses, orphans))
        else:
            pending = last and not after
            out.extend(_merged(turn))
            out.extend(
                _answered(
                    calls,
                    after,
                    losses,
                    orphans,
                    synthesise=synthesise and not pending,
                    order=order,
                )
            )
        turn.clear()
        after.clear()

    for place, message in enumerate(messages):
        if message.role != "assistant":
            after.append(message)
            continue
        # Reasoning, text and calls of one turn may come as several assistant messages (Responses
        # items); results that arrived in between close the turn.
        if after and (any(_results(m) for m in after) or any(m.role == "user" for m in after)):
            if not _starts_over(message) and _waits(turn, after, messages[place:]):
                turn.append(message)
                continue
            flush(last=False)
        elif after:
            flush(last=False)
        turn.append(message)
    flush(last=True)
    return tuple(out)


def _starts_over(message: Message) -> bool:
    """Tell whether an assistant message calls tools itself: then it is a turn of its own."""
    return any(isinstance(p, ToolCall) for p in message.parts)


def _waits(turn: list[Message], after: list[Message], rest: Sequence[Message]) -> bool:
    """Tell whether the result of one of the turn's calls is still to come."""
    calls = {p.id for m in turn for p in m.parts if isinstance(p, ToolCall) and p.kind != "server"}
    missing = calls - {p.call_id for m in after for p in _results(m)}
    for message in rest if missing else ():
        for part in message.parts:
            if isinstance(part, ToolCall):
                # Called again: what comes answers that call.
                missing.discard(part.id)
            elif isinstance(part, ToolResult) and part.call_id in missing:
                return True
    return False


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
    sequence: list[int] = []
    rest: list[Message] = []
    extras: dict[str, Any] | None = None
    for message in after:
        kept: list[Part] = []
        for part in message.parts:
            if not isinstance(part, ToolResult):
                kept.append(part)
                continue
            index = _match(part, calls, found)
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
    return sequence + [i for i in range(count) if i not in set(sequence)]


def _match(result: ToolResult, calls: list[ToolCall], found: dict[int, ToolResult]) -> int | None:
    if result.call_id:
        same = [i for i, call in enumerate(calls) if call.id == result.call_id]
        free = [i for i in same if i not in found]
        return free[0] if free else (same[-1] if same else None)
    free = [i for i in range(len(calls)) if i not in found]
    if result.name:
        named = [i for i in free if calls[i].name == result.name]
        return named[0] if named else None
    return free[0] if free else None


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


def merge_roles(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Drop messages without parts and concatenate the parts of neighbours with the same role."""
    out: list[Message] = []
    for message in messages:
        if not message.parts:
            continue
        if out and out[-1].role == message.role and message.role != "system":
            out[-1] = structs.replace(out[-1], parts=out[-1].parts + message.parts)
        else:
            out.append(message)
    return tuple(out)

"""At most four blocks may carry `cache_control`; an hour must not follow five minutes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cliproxy.base.json import Obj
from cliproxy.dialects.anthropic.wire import MAX_BREAKPOINTS
from cliproxy.ir.loss import Losses

_UNMARKABLE: Final = frozenset({"thinking", "redacted_thinking"})


def place_breakpoints(body: Obj, ttl: str) -> bool:
    """Mark what the next request of the same conversation will begin with; tell whether it was.

    It is not when somebody marked anything already.

    Claude caches nothing by itself. Marked are the tools, the instructions, and the last two turns
    of the user once there is a conversation: the earlier one is what the last request wrote, the
    later what the next one will read. The same conversation always gets the same marks. Blocks are
    replaced and never changed in place: they may be the client's own.
    """
    tools, system, messages = body.get("tools") or [], body.get("system"), body["messages"]
    if "cache_control" in body or any(
        block.get("cache_control")
        for block in [*tools, *(system if isinstance(system, list) else ()), *_blocks(messages)]
    ):
        return False
    mark = {"type": "ephemeral", **({"ttl": ttl} if ttl != "5m" else {})}
    if isinstance(system, str) and system:
        body["system"] = [{"type": "text", "text": system, "cache_control": mark}]
    elif isinstance(system, list) and system:
        body["system"] = [*system[:-1], {**system[-1], "cache_control": mark}]
    if tools:
        body["tools"] = [*tools[:-1], {**tools[-1], "cache_control": mark}]
    if not tools and len(messages) == 1:
        # A single question: nothing says that there will be another.
        return True
    turns = [n for n, message in enumerate(messages) if message.get("role") == "user"]
    for number in turns[-2:]:
        messages[number] = _marked(messages[number], mark)
    return True


def _marked(message: Obj, mark: Obj) -> Obj:
    content = message.get("content")
    if isinstance(content, str):
        if not content:
            return message
        return {**message, "content": [{"type": "text", "text": content, "cache_control": mark}]}
    if not isinstance(content, list):
        return message
    for at in range(len(content) - 1, -1, -1):
        block = content[at]
        if block.get("type") in _UNMARKABLE or (block.get("type") == "text" and not block["text"]):
            continue
        marked = {**block, "cache_control": mark}
        return {**message, "content": [*content[:at], marked, *content[at + 1 :]]}
    return message


def limit_breakpoints(body: Obj, losses: Losses) -> None:
    """Take away the breakpoints the API would refuse, the least useful first.

    Kept are the last of the tools, the last of the instructions, and the latest in the messages:
    each covers everything before it.
    """
    tools = [t for t in body.get("tools") or () if t.get("cache_control")]
    system = body.get("system")
    texts = [b for b in system if b.get("cache_control")] if isinstance(system, list) else []
    blocks = [b for b in _blocks(body["messages"]) if b.get("cache_control")]
    top = 1 if "cache_control" in body else 0
    if len(tools) + len(texts) + len(blocks) + top > MAX_BREAKPOINTS:
        kept = tools[-1:] + texts[-1:]
        room = MAX_BREAKPOINTS - top - len(kept)
        kept += blocks[max(0, len(blocks) - room) :]
        keep = {id(block) for block in kept}
        for block in tools + texts + blocks:
            if id(block) not in keep:
                del block["cache_control"]
        losses.add(
            "cache_control",
            f"only {MAX_BREAKPOINTS} breakpoints are allowed; the latest stay",
            "info",
        )
    short = False
    for block in tools + texts + blocks:
        mark = block.get("cache_control")
        if not isinstance(mark, dict):
            continue
        if mark.get("ttl") != "1h":
            short = True
        elif short:
            # Never in place: a block may be the client's own.
            block["cache_control"] = {k: v for k, v in mark.items() if k != "ttl"}
            losses.add(
                "cache_control.ttl", "an hour may not follow five minutes", "info", "approximated"
            )


def _blocks(messages: list[Obj]) -> Iterator[Obj]:
    for message in messages:
        content = message.get("content")
        if not isinstance(content, list):
            continue
        for block in content:
            yield block
            inner = block.get("content")
            if isinstance(inner, list):
                yield from (b for b in inner if isinstance(b, dict))

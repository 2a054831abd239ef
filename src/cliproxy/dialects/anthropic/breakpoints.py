"""At most four blocks may carry `cache_control`; an hour must not follow five minutes."""

from __future__ import annotations

from collections.abc import Iterator

from cliproxy.base.json import Obj
from cliproxy.dialects.anthropic.wire import MAX_BREAKPOINTS
from cliproxy.ir.loss import Losses


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

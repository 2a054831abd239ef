"""Signatures that have no place of their own on this wire travel in empty thinking blocks.

Gemini signs tool calls and visible text. Such a signature leaves wrapped, in a thinking block
without text: just before a call, or just after what is already on the wire. The second is marked,
so that it does not go to a call that happens to follow.
"""

from __future__ import annotations

from msgspec import structs

from cliproxy.ir import envelope
from cliproxy.ir.request import Part, Sig, Text, Thinking, ToolCall


def carried(sig: Sig, *, after: bool) -> str:
    """Return the wire form of a carried signature."""
    if sig.family != "gemini":
        return envelope.for_dialect(sig, "claude")
    return envelope.after(sig) if after else envelope.wrap(sig)


def settle(parts: list[Part]) -> list[Part]:
    """Put carried signatures back where they belong."""
    out: list[Part] = []
    pending: Thinking | None = None
    for part in parts:
        sig = envelope.carried(part)
        if sig is not None:
            sig, after = envelope.placed(sig)
            if after:
                if out and isinstance(last := out[-1], Text | ToolCall) and last.signature is None:
                    out[-1] = structs.replace(last, signature=sig)
                else:
                    out.append(Thinking(signature=sig))
                continue
            if pending is not None:
                out.append(pending)
            pending = Thinking(signature=sig)
            continue
        if pending is not None:
            if isinstance(part, ToolCall) and part.kind != "server":
                part = structs.replace(part, signature=pending.signature)  # noqa: PLW2901
            else:
                out.append(pending)
            pending = None
        out.append(part)
    if pending is not None:
        out.append(pending)
    return out

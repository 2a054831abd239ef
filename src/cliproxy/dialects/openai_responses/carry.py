"""Signatures that have no place of their own on this wire travel in empty reasoning items.

Gemini signs tool calls and visible text; Claude hides reasoning whole. Such a signature leaves
wrapped, in a reasoning item without text. The wrapped value begins with a mark where the item's
place does not tell what it belongs to.
"""

from __future__ import annotations

from msgspec import structs

from cliproxy.ir import envelope
from cliproxy.ir.request import Message, Sig, Text, Thinking, ToolCall


def after(sig: Sig) -> str:
    """Return the wire form of a signature written after what it belongs to."""
    if sig.family == "gpt":
        return sig.value
    return envelope.after(sig)


def settle(messages: list[Message]) -> list[Message]:
    """Put carried signatures back where they belong."""
    out: list[Message] = []
    pending: Message | None = None
    for message in messages:
        sig = _carried(message)
        if sig is not None:
            sig, before = envelope.placed(sig)
            if before:
                _attach(out, sig, message)
                continue
            if pending is not None:
                out.append(pending)
            pending = message
            continue
        if pending is not None:
            first = message.parts[0] if message.parts else None
            if isinstance(first, ToolCall) and first.kind != "server":
                signed = structs.replace(first, signature=_carried(pending))
                message = structs.replace(message, parts=(signed, *message.parts[1:]))  # noqa: PLW2901
            else:
                out.append(pending)
            pending = None
        out.append(message)
    if pending is not None:
        out.append(pending)
    return out


def _carried(message: Message) -> Sig | None:
    return envelope.carried(message.parts[0]) if len(message.parts) == 1 else None


def _attach(out: list[Message], sig: Sig, message: Message) -> None:
    last = out[-1].parts[-1] if out and out[-1].role == "assistant" and out[-1].parts else None
    if isinstance(last, Text | ToolCall) and last.signature is None:
        parts = (*out[-1].parts[:-1], structs.replace(last, signature=sig))
        out[-1] = structs.replace(out[-1], parts=parts)
    else:
        out.append(structs.replace(message, parts=(Thinking(signature=sig),)))

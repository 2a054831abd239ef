"""Requests that lean on what another provider keeps: refused, since without it all changes."""

from __future__ import annotations

from cliproxy.base.errors import NotFound, Unsupported
from cliproxy.dialects import where
from cliproxy.ir.request import IRRequest, Opaque

_ELSEWHERE = (
    "The {} refers to what another provider keeps; this upstream has no access to it. "
    "Send the whole conversation instead."
)

_ELSEWHERE_KEPT = frozenset({"item_reference", "compaction"})
"""Items that stand for what only their issuer can read."""


def refuse_foreign_state(req: IRRequest) -> None:
    """Raise `Unsupported` for stored responses, prompts and items of the Responses API.

    A message thread of the Messages API is `NotFound` with the details that make Anthropic's SDKs
    send the whole conversation by themselves.
    """
    for name in ("previous_response_id", "conversation"):
        if getattr(req.meta, name):
            path = where.field(req, name)
            raise Unsupported(_ELSEWHERE.format(path), param=path)
    if req.source == "openai-responses" and req.extras.get("prompt"):
        raise Unsupported(_ELSEWHERE.format("prompt"), param="prompt")
    if req.source == "interactions":
        _refuse_agency(req)
    if req.source == "anthropic":
        _refuse_thread(req)
    for message in req.messages:
        for part in message.parts:
            if isinstance(part, Opaque) and part.kind in _ELSEWHERE_KEPT:
                raise Unsupported(_ELSEWHERE.format(part.kind), param="input")


def _refuse_agency(req: IRRequest) -> None:
    if req.extras.get("agent"):
        raise Unsupported("An agent runs at its provider only; ask a model instead.", param="agent")
    if req.extras.get("background"):
        raise Unsupported(
            "This upstream does not work in the background; send the request without 'background'.",
            param="background",
        )
    if req.extras.get("continuation_token"):
        raise Unsupported(_ELSEWHERE.format("continuation_token"), param="continuation_token")


def _refuse_thread(req: IRRequest) -> None:
    thread = req.extras.get("thread")
    if isinstance(thread, dict) and thread.get("type") == "continue":
        raise NotFound(
            _ELSEWHERE.format("thread.previous_message_id"),
            code="thread_not_found",
            param="thread.previous_message_id",
            details={"error_code": "thread_not_found"},
        )

"""The response object: what every lifecycle event carries, and the whole answer."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from cliproxy.base.json import Json, Obj
from cliproxy.ir.request import IRRequest

_ECHOED = (
    "instructions", "max_output_tokens", "max_tool_calls", "metadata", "parallel_tool_calls",
    "previous_response_id", "prompt_cache_key", "prompt_cache_retention", "safety_identifier",
    "store", "temperature", "tool_choice", "tools", "top_logprobs", "top_p",
    "truncation", "user",
)  # fmt: skip
"""Request fields that a response repeats. `service_tier` is none: it says what was done."""


def base(req: IRRequest, response_id: str, created: int) -> Obj:
    """Return the response object in its first state: in progress, nothing said yet."""
    raw = req.raw if req.source == "openai-responses" else {}
    reasoning = raw.get("reasoning")
    reasoning = reasoning if isinstance(reasoning, dict) else {}
    text = raw.get("text")
    snapshot: Obj = {
        "id": response_id,
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "model": req.model,
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
        "store": False,
        "temperature": _or_none(req.sampling.temperature),
        "text": text if isinstance(text, dict) and text else {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": _or_none(req.sampling.top_p),
        "truncation": "disabled",
        "usage": None,
        "metadata": {},
    }
    if not isinstance(snapshot["text"].get("format"), dict):
        snapshot["text"] = {"format": {"type": "text"}, **snapshot["text"]}
    for name in _ECHOED:
        if raw.get(name) is not None:
            snapshot[name] = raw[name]
    # What is true here, whatever the client asked for.
    snapshot["store"] = req.meta.kept
    if req.meta.continues is not None:
        snapshot["previous_response_id"] = req.meta.continues
    return snapshot


def _or_none(value: Any) -> Json:
    return None if value is UNSET else value


def message_item(item_id: str, content: list[Obj], status: str) -> Obj:
    """Return a message item."""
    return {
        "id": item_id,
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": content,
    }


def text_part(text: str, annotations: list[Obj], logprobs: list[Json] | None = None) -> Obj:
    """Return an output_text part."""
    return {
        "type": "output_text",
        "text": text,
        "annotations": annotations,
        "logprobs": logprobs or [],
    }

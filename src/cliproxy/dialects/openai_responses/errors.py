"""Errors of the Responses API: OpenAI's error body, and its two in-stream forms."""

from __future__ import annotations

from collections.abc import Mapping

from cliproxy.base import json
from cliproxy.base.errors import GatewayError, Kind, UpstreamRefused, kind_of
from cliproxy.base.json import Json, Obj
from cliproxy.dialects import _errors
from cliproxy.dialects._retry_after import retry_after
from cliproxy.dialects.openai_responses.wire import STATUS
from cliproxy.dialects.sse import named_frame
from cliproxy.ir.events import Error

_CODES: dict[Kind, str] = {
    "rate_limit": "rate_limit_exceeded",
    "invalid_request": "invalid_prompt",
    "too_large": "invalid_prompt",
    "authentication": "invalid_api_key",
    "permission": "insufficient_quota",
    "billing": "insufficient_quota",
    "not_found": "model_not_found",
    "overloaded": "server_is_overloaded",
}


def error(err: GatewayError) -> bytes:
    """Write the error body."""
    return _errors.error_body(err)


def told(err: GatewayError | Error) -> Obj:
    """Return the `{code, message}` that a failed response carries."""
    code = err.code if err.code in STATUS else _CODES.get(err.kind, "server_error")
    return {"code": code, "message": err.message}


def event(err: GatewayError | Error) -> Obj:
    """Return the fields of an `error` event.

    They stand twice: flat as the API's types have them, and under `error`, which is what makes
    OpenAI's SDKs raise.
    """
    flat = {**told(err), "param": err.param}
    kind = _errors.describe(err.message, err.kind, err.code, err.param)["type"]
    return {**flat, "error": {"type": kind, **flat}}


def stream_error(err: GatewayError, sequence: int = 0) -> bytes:
    """Write an `error` event, for a stream in which no response was announced yet."""
    return named_frame(
        b"error", json.dumps({"type": "error", **event(err), "sequence_number": sequence})
    )


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamRefused:
    """Read an upstream's error answer."""
    return _errors.read_openai_error(status, headers, body, "openai-responses")


def read_event(value: Json) -> Error:
    """Read an `error` event, or the `error` of a failed response."""
    inner: Obj = value if isinstance(value, dict) else {}
    for key in ("response", "error"):
        deeper = inner.get(key)
        if isinstance(deeper, dict):
            inner = deeper
    if isinstance(inner.get("error"), dict):
        inner = inner["error"]
    code = inner.get("code") if isinstance(inner.get("code"), str) else None
    kind = inner.get("type") if isinstance(inner.get("type"), str) else None
    if kind == "error":
        kind = None  # the event's own type, not the error's
    known = next((STATUS[w] for w in (code, kind) if w in STATUS), 0)
    status = known or _errors.status_of(inner)
    message = _errors.message_of(inner) or code or kind or "The upstream failed without saying why."
    param = inner.get("param") if isinstance(inner.get("param"), str) else None
    wait = retry_after({}, inner, message)
    return Error(status, kind_of(status), message, code, wait, param)

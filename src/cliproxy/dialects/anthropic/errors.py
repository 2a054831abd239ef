"""Errors of the Messages API: `{"type": "error", "error": {"type", "message"}}`, out and in."""

from __future__ import annotations

from collections.abc import Mapping

from cliproxy.base import json
from cliproxy.base.errors import GatewayError, UpstreamRefused, kind_of
from cliproxy.base.json import Json, Obj
from cliproxy.dialects import _errors
from cliproxy.dialects._retry_after import retry_after
from cliproxy.dialects.anthropic.wire import ERROR_STATUS, ERROR_TYPES
from cliproxy.dialects.sse import named_frame
from cliproxy.ir.events import Error


def error_object(err: GatewayError | Error) -> Obj:
    """Return the whole error object."""
    told: Obj = {"type": ERROR_TYPES[err.kind], "message": err.message}
    if isinstance(err, GatewayError) and err.details:
        told["details"] = err.details
    return {"type": "error", "error": told}


def error(err: GatewayError) -> bytes:
    """Write the error body; an Anthropic upstream's own passes unchanged."""
    if isinstance(err, UpstreamRefused) and err.raw is not None and err.raw_dialect == "anthropic":
        return err.raw
    return json.dumps(error_object(err))


def stream_error(err: GatewayError | Error) -> bytes:
    """Write the error event."""
    return named_frame(b"error", json.dumps(error_object(err)))


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamRefused:
    """Read an upstream's error answer."""
    told = _errors.read_openai_error(status, headers, body, "anthropic")
    value = _decoded(body)
    kind = _type_of(value)
    # 529 and 503 both mean overloaded; the type says which of the 4xx it really is.
    status = told.status if status >= 400 else ERROR_STATUS.get(kind, told.status)
    return UpstreamRefused(
        told.message,
        status=status,
        kind=kind_of(status),
        code=kind or told.code,
        retry_after=told.retry_after,
        next_account=_errors.retry_next(status),
        raw=body if kind else None,
        raw_dialect="anthropic" if kind else None,
    )


def read_event(value: Json) -> Error:
    """Read an `error` event of a running stream."""
    inner = value.get("error") if isinstance(value, dict) else None
    kind = _type_of(value)
    status = ERROR_STATUS.get(kind, 500)
    message = (
        _errors.message_of(inner) or kind or "The upstream reported an error without a message."
    )
    retry = retry_after({}, inner if isinstance(inner, dict) else {}, message)
    return Error(status, kind_of(status), message, kind or None, retry)


def _type_of(value: Json) -> str:
    if isinstance(value, dict) and isinstance(inner := value.get("error"), dict):
        kind = inner.get("type")
        if isinstance(kind, str) and value.get("type") == "error":
            return kind
    return ""


def _decoded(body: bytes) -> Json:
    try:
        return json.loads(body)
    except json.InvalidJson:
        return None

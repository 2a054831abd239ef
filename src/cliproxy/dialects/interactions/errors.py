"""Errors of the Interactions API: `{"error": {"message", "code"}}`, out and in."""

from __future__ import annotations

from collections.abc import Mapping

from cliproxy.base import json
from cliproxy.base.errors import GatewayError, UpstreamRefused, kind_of
from cliproxy.base.json import Json, Obj
from cliproxy.dialects import _errors
from cliproxy.dialects._retry_after import retry_after
from cliproxy.dialects.interactions.wire import CODES, STATUS_OF
from cliproxy.dialects.sse import Frame, SseDecoder, named_frame
from cliproxy.ir.events import Error


def error_object(err: GatewayError | Error) -> Obj:
    """Return the whole error object."""
    return {"error": {"message": err.message, "code": CODES[err.kind]}}


def error(err: GatewayError) -> bytes:
    """Write the error body; an Interactions upstream's own passes unchanged."""
    if isinstance(err, UpstreamRefused) and err.raw_dialect == "interactions" and err.raw:
        return err.raw
    return json.dumps(error_object(err))


def event(err: GatewayError | Error) -> bytes:
    """Write the error as the last event of a stream."""
    return named_frame(b"error", json.dumps({**error_object(err), "event_type": "error"}))


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamRefused:
    """Read an upstream's error answer.

    To a request for a stream it may come as the event of a stream, under its own status.
    """
    if b"data:" in body[:256] and body.lstrip()[:1] != b"{":
        body = next((frame.data for frame in _frames(body) if frame.data[:1] == b"{"), body)
    told = _errors.read_openai_error(status, headers, body, "interactions")
    value = _decoded(body)
    inner = _errors.error_of(value)
    if status < 400:
        status = status_of(inner)
    if status == 400 and (bad_key(inner) or told.code in ("API_KEY_INVALID", "API_KEY_EXPIRED")):
        # Google says 400 to a bad key; it is the account's fault, not the request's.
        status = 401
    official = (
        isinstance(value, dict)
        and "event_type" not in value
        and isinstance(value.get("error"), dict)
        and isinstance(inner.get("code"), str)
    )
    return UpstreamRefused(
        told.message,
        status=status,
        kind=kind_of(status),
        code=told.code,
        retry_after=told.retry_after,
        next_account=_errors.retry_next(status) or status == 499,
        raw=body if official else None,
        raw_dialect="interactions" if official else None,
    )


def read_event(value: Json) -> Error:
    """Read an error that came inside a stream or a 200."""
    inner = _errors.error_of(value)
    status = status_of(inner)
    code = inner.get("code")
    message = _errors.message_of(inner) or "The upstream failed without saying why."
    wait = retry_after({}, inner, message)
    return Error(status, kind_of(status), message, code if isinstance(code, str) else None, wait)


def status_of(inner: Obj) -> int:
    """Return the status that an error's code stands for."""
    code = inner.get("code")
    if isinstance(code, str) and (found := STATUS_OF.get(code.lower())):
        return found
    return _errors.status_of(inner)


def bad_key(inner: Obj) -> bool:
    """Tell whether an error is about the key that was sent."""
    message = inner.get("message")
    return isinstance(message, str) and message.lower().startswith("api key not valid")


def _frames(body: bytes) -> list[Frame]:
    decoder = SseDecoder()
    return [*decoder.feed(body), *decoder.close()]


def _decoded(body: bytes) -> Json:
    try:
        return json.loads(body)
    except json.InvalidJson:
        return None

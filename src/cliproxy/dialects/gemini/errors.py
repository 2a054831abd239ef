"""Errors of the Gemini API: `{"error": {"code", "message", "status"}}`, out and in."""

from __future__ import annotations

from collections.abc import Mapping

from cliproxy.base import json
from cliproxy.base.errors import GatewayError, UpstreamRefused, kind_of
from cliproxy.base.json import Json, Obj
from cliproxy.dialects import _errors
from cliproxy.dialects._retry_after import retry_after
from cliproxy.dialects.gemini.wire import STATUS_CODES, STATUS_NAMES
from cliproxy.dialects.sse import frame
from cliproxy.ir.events import Error


def error_object(err: GatewayError | Error) -> Obj:
    """Return the whole error object."""
    status = 503 if err.status == 529 else err.status
    return {"error": {"code": status, "message": err.message, "status": STATUS_NAMES[err.kind]}}


def error(err: GatewayError) -> bytes:
    """Write the error body; a Gemini upstream's own passes unchanged."""
    if isinstance(err, UpstreamRefused) and err.raw is not None and err.raw_dialect == "gemini":
        return err.raw
    return json.dumps(error_object(err))


def event(err: GatewayError | Error) -> bytes:
    """Write the error as an SSE event."""
    return frame(json.dumps(error_object(err)))


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamRefused:
    """Read an upstream's error answer."""
    told = _errors.read_openai_error(status, headers, body, "gemini")
    value = _decoded(body)
    inner = _errors.error_of(value)
    name = inner.get("status")
    reason = _reason(inner)
    status = status if status >= 400 else _status(inner)
    if status == 400 and reason in ("API_KEY_INVALID", "API_KEY_EXPIRED"):
        # Google says 400 to a bad key; it is the account's fault, not the request's.
        status = 401
    official = isinstance(value, dict) and isinstance(value.get("error"), dict)
    official = official and isinstance(name, str)
    if official and body.lstrip()[:1] == b"[":
        body = json.dumps(value)  # sometimes it comes in an array of one
    message = told.message
    if (link := _link(inner)) and link not in message:
        # The person must do something there before anything works again.
        message = f"{message} Open {link} to go on."
    return UpstreamRefused(
        message,
        status=status,
        kind=kind_of(status),
        code=reason or (name if isinstance(name, str) else told.code),
        retry_after=told.retry_after,
        # 499 is what Google says when it gave up by itself.
        next_account=_errors.retry_next(status) or status == 499,
        raw=body if official else None,
        raw_dialect="gemini" if official else None,
    )


def read_event(value: Json) -> Error:
    """Read an error object that came inside a stream or a 200."""
    inner = _errors.error_of(value)
    status = _status(inner)
    message = _errors.message_of(inner) or str(inner.get("status") or "") or "The upstream failed."
    wait = retry_after({}, inner, message)
    return Error(status, kind_of(status), message, _reason(inner) or None, wait)


def _status(inner: Obj) -> int:
    code = inner.get("code")
    if isinstance(code, int) and 400 <= code <= 599:
        return code
    name = inner.get("status")
    return STATUS_CODES.get(name, 502) if isinstance(name, str) else 502


def _reason(inner: Obj) -> str:
    for detail in _details(inner):
        if isinstance(reason := detail.get("reason"), str):
            return reason
    return ""


def _link(inner: Obj) -> str:
    """Return the page where an account must be verified; "" when that is not what is wrong."""
    if _reason(inner) != "VALIDATION_REQUIRED":
        return ""
    found: list[Json] = []
    for detail in _details(inner):
        metadata = detail.get("metadata")
        found.append(metadata.get("validation_link") if isinstance(metadata, dict) else None)
    for detail in _details(inner):
        links = detail.get("links")
        if isinstance(links, list):
            found += [link.get("url") for link in links if isinstance(link, dict)]
    return next((x for x in found if isinstance(x, str) and x.startswith("https://")), "")


def _details(inner: Obj) -> list[Obj]:
    details = inner.get("details")
    return [d for d in details if isinstance(d, dict)] if isinstance(details, list) else []


def _decoded(body: bytes) -> Json:
    try:
        value = json.loads(body)
    except json.InvalidJson:
        return None
    return value[0] if isinstance(value, list) and value else value

"""The error objects of the dialects, in an HTTP body and inside a running stream."""

from __future__ import annotations

from typing import Any

from tests.sim.event import Event
from tests.sim.script import Failure

Json = Any

OPENAI_TYPES = {
    400: "invalid_request_error",
    401: "invalid_request_error",  # with code invalid_api_key, as api.openai.com answers
    403: "permission_error",
    404: "invalid_request_error",
    413: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
}
OPENAI_CODES = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}
ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    500: "api_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
GEMINI_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


INTERACTIONS_CODES = {
    400: "invalid_request",
    401: "unauthenticated",
    403: "permission_denied",
    404: "not_found",
    409: "conflict",
    429: "rate_limit_exceeded",
    503: "service_unavailable",
    504: "gateway_timeout",
}


def body(dialect: str, failure: Failure) -> Json:
    """Return the body of an HTTP error."""
    match dialect:
        case "anthropic":
            kind = failure.type or ANTHROPIC_TYPES.get(failure.status, "api_error")
            error: Json = {"type": kind, "message": failure.message}
            return {"type": "error", "error": error, "request_id": "req_sim"}
        case "gemini":
            shape = {"error": _google(failure)}
            return [shape] if failure.wrapped else shape
        case "interactions":
            code = failure.code or INTERACTIONS_CODES.get(failure.status, "internal_error")
            return {"error": {"message": failure.message, "code": code}}
        case _:
            return {"error": _openai(failure)}


def events(dialect: str, failure: Failure, *, sent: int, response: Json) -> list[Event]:
    """Return what a stream says when it fails after `sent` events.

    `response` is the Responses object so far; other dialects ignore it.
    """
    match dialect:
        case "anthropic":
            shape = body(dialect, failure)
            return [Event(shape, "error")]
        case "openai-responses":
            error = _openai(failure)
            code = error["code"] or error["type"]
            form = failure.as_event or ("failed" if sent else "error")
            if form == "error":
                data = {
                    "type": "error",
                    "code": code,
                    "message": failure.message,
                    "param": failure.param,
                    "sequence_number": sent,
                }
                return [Event(data, "error")]
            failed = {
                **response,
                "status": "failed",
                "error": {"code": code, "message": failure.message},
            }
            data = {"type": "response.failed", "response": failed, "sequence_number": sent}
            return [Event(data, "response.failed")]
        case "interactions":
            return [Event({**body(dialect, failure), "event_type": "error"}, "error")]
        case _:
            return [Event(body(dialect, failure))]


def headers(dialect: str, failure: Failure) -> list[tuple[str, str]]:
    found = []
    if failure.retry_after is not None and dialect != "gemini":
        found.append(("Retry-After", f"{failure.retry_after:g}"))
    return found


def _openai(failure: Failure) -> Json:
    return {
        "message": failure.message,
        "type": failure.type or OPENAI_TYPES.get(failure.status, "server_error"),
        "param": failure.param,
        "code": failure.code or OPENAI_CODES.get(failure.status),
    }


def _google(failure: Failure) -> Json:
    status = failure.type or GEMINI_STATUS.get(failure.status, "UNKNOWN")
    error: Json = {"code": failure.status, "message": failure.message, "status": status}
    details: list[Json] = []
    if failure.reason:
        info = "type.googleapis.com/google.rpc.ErrorInfo"
        domain = "googleapis.com"
        details.append({"@type": info, "reason": failure.reason, "domain": domain})
    if failure.retry_after is not None:
        info = "type.googleapis.com/google.rpc.RetryInfo"
        details.append({"@type": info, "retryDelay": f"{failure.retry_after:g}s"})
    if details:
        error["details"] = details
    return error

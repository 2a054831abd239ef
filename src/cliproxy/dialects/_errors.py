"""What the OpenAI-style dialects share: the error body, written and read.

Chat completions, legacy completions and Responses answer an HTTP error with the same object,
`{"error": {"message", "type", "param", "code"}}`. Nothing else is shared on purpose: the dialect
folders do not know each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cliproxy.base import json
from cliproxy.base.errors import GatewayError, Kind, UpstreamRefused, kind_of
from cliproxy.base.json import Json, Obj
from cliproxy.dialects._retry_after import retry_after
from cliproxy.dialects.sse import frame
from cliproxy.ir.events import Error

SAME_BODY: Final = frozenset(
    {"openai-chat", "openai-completions", "openai-responses", "openai-images",
     "openai-image-edits", "openai-videos", "xai-videos", "xai-video-edits",
     "xai-video-extensions"}
)  # fmt: skip
"""Dialects whose error bodies are interchangeable."""

MESSAGE_LIMIT: Final = 2000
"""Characters of an upstream's message that are passed on."""

_TYPES: Final[dict[Kind, str]] = {
    "invalid_request": "invalid_request_error",
    "authentication": "authentication_error",
    "billing": "insufficient_quota",
    "permission": "permission_error",
    "not_found": "invalid_request_error",
    "conflict": "invalid_request_error",
    "too_large": "invalid_request_error",
    "rate_limit": "rate_limit_error",
    "overloaded": "server_error",
    "server": "server_error",
    "timeout": "server_error",
    "unimplemented": "server_error",
    "cancelled": "server_error",
}

_CODES: Final[dict[Kind, str]] = {
    "authentication": "invalid_api_key",
    "billing": "insufficient_quota",
    "permission": "insufficient_quota",
    "not_found": "model_not_found",
    "rate_limit": "rate_limit_exceeded",
    "overloaded": "internal_server_error",
    "server": "internal_server_error",
    "timeout": "internal_server_error",
    "unimplemented": "internal_server_error",
}

# Words upstreams use in `type` or `code` of an error that arrives without a status of its own.
_STATUS_WORDS: Final[dict[str, int]] = {
    "invalid_request_error": 400,
    "invalid_request": 400,
    "badrequesterror": 400,
    "context_length_exceeded": 400,
    "content_policy_violation": 400,
    "invalid_prompt": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "unauthorized": 401,
    "billing_error": 402,
    "insufficient_balance": 402,
    "permission_error": 403,
    "permission_denied": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "resource_exhausted": 429,
    "insufficient_quota": 429,
    "usage_limit_reached": 429,
    "too_many_requests": 429,
    "internal_server_error": 500,
    "server_error": 500,
    "api_error": 500,
    "overloaded_error": 529,
    "service_unavailable": 503,
    "unavailable": 503,
    "timeout_error": 504,
    "timeout": 504,
}

_NEXT: Final = frozenset({401, 402, 403, 404, 408, 409, 425, 429})
"""Statuses under 500 where another account may succeed with the same request."""


# ---- writing ----------------------------------------------------------------------------------
def error_object(err: GatewayError) -> Obj:
    """Return the value of the `error` key: message, type, param, code."""
    return describe(err.message, err.kind, err.code, err.param)


_CLASSES: Final = frozenset(
    {"invalid_request_error", "authentication_error", "permission_error", "not_found_error",
     "request_too_large", "rate_limit_error", "api_error", "overloaded_error", "timeout_error",
     "INVALID_ARGUMENT", "FAILED_PRECONDITION", "UNAUTHENTICATED", "PERMISSION_DENIED",
     "NOT_FOUND", "RESOURCE_EXHAUSTED", "INTERNAL", "UNAVAILABLE", "DEADLINE_EXCEEDED"}
)  # fmt: skip
"""What other vendors call whole classes of errors: no codes here."""


def describe(message: str, kind: Kind, code: str | None, param: str | None) -> Obj:
    """Return an error object from its ingredients (an in-stream `Error` event has the same)."""
    if code is None or code == UpstreamRefused.default_code or code in _CLASSES:
        code = _CODES.get(kind)
    return {"message": message, "type": _TYPES[kind], "param": param, "code": code}


def event_error(event: Error) -> bytes:
    """Write an `Error` event as `data: {"error": …}`; the official SDKs raise when they see it."""
    told = describe(event.message, event.kind, event.code, event.param)
    return frame(json.dumps({"error": told}))


def error_body(err: GatewayError) -> bytes:
    """Write the error body; an upstream's own body of the same shape passes unchanged."""
    if isinstance(err, UpstreamRefused) and err.raw is not None and err.raw_dialect in SAME_BODY:
        return err.raw
    return json.dumps({"error": error_object(err)})


# ---- reading ----------------------------------------------------------------------------------
def read_openai_error(
    status: int, headers: Mapping[str, str], body: bytes, dialect_id: str
) -> UpstreamRefused:
    """Read an upstream's error answer, in whatever shape the host wrote it.

    `raw` is kept only when the body has the official shape, so that nothing but that shape is
    ever passed on verbatim.
    """
    value = _decoded(body)
    error = error_of(value)
    if status < 400:
        status = status_of(error)
    known = value is not None or body.strip() == b"null"
    message = message_of(value) if known else _describe_text(status, body)
    return UpstreamRefused(
        message or f"The upstream answered with status {status} and no explanation.",
        status=status,
        kind=kind_of(status),
        code=code_of(error),
        param=_text(error.get("param")),
        retry_after=retry_after(headers, error, message, status=status),
        next_account=retry_next(status),
        raw=body if _official(value) else None,
        raw_dialect=dialect_id if _official(value) else None,
    )


def refused(error: Json, dialect_id: str) -> UpstreamRefused:
    """Read the value of an `error` key that arrived inside a successful answer or a stream."""
    return read_openai_error(0, {}, json.dumps({"error": error}), dialect_id)


def retry_next(status: int) -> bool:
    """Tell whether another account may succeed where this status was answered."""
    return status in _NEXT or status >= 500


def error_of(value: Json) -> Obj:
    """Return the innermost object that describes the error; empty when there is none."""
    if isinstance(value, list) and value:
        return error_of(value[0])
    if not isinstance(value, dict):
        return {}
    inner = value.get("error")
    if isinstance(inner, dict | list) and inner:
        return error_of(inner)
    detail = value.get("detail")
    return error_of(detail) if inner is None and isinstance(detail, dict) and detail else value


def status_of(error: Obj) -> int:
    """Guess the HTTP status an error without one stands for."""
    for key in ("status", "status_code", "http_status", "code"):
        number = error.get(key)
        if isinstance(number, str) and number.isdigit():
            number = int(number)
        if isinstance(number, int) and not isinstance(number, bool) and 400 <= number <= 599:
            return number
    for key in ("code", "type", "status"):
        word = error.get(key)
        if isinstance(word, str) and (found := _STATUS_WORDS.get(word.lower())):
            return found
    return 502


def code_of(error: Obj) -> str | None:
    """Return the machine-readable code: `code`, or a `type` that says more than its class."""
    code = error.get("code")
    if isinstance(code, str) and code and not code.isdigit():
        return code
    kind = error.get("type")
    if isinstance(kind, str) and kind and not kind.endswith("error"):
        return kind
    return None


def message_of(value: Json, depth: int = 0) -> str:
    """Return the human sentence inside an error document, looking through nesting."""
    if depth > 6:
        return ""
    match value:
        case str():
            return _unwrapped(value, depth)
        case list():
            found = (message_of(item, depth + 1) for item in value[:3])
            return "; ".join(text for text in found if text)[:MESSAGE_LIMIT]
        case dict():
            return _message_in(value, depth)
        case _:
            return ""


def _message_in(value: Obj, depth: int) -> str:
    for key in (
        "error",
        "message",
        "detail",
        "errors",
        "error_description",
        "error_message",
        "msg",
    ):
        text = message_of(value.get(key), depth + 1)
        if not text:
            continue
        # A router in front of other hosts puts their words beside its own general sentence.
        metadata = value.get("metadata")
        raw = message_of(metadata.get("raw"), depth + 1) if isinstance(metadata, dict) else ""
        return f"{text}: {raw}"[:MESSAGE_LIMIT] if raw and raw != text else text
    return ""


def _unwrapped(text: str, depth: int) -> str:
    # Gateways in a row wrap each other's whole error body into the message.
    text = text.strip()
    if text.startswith(("{", "[")):
        inner = message_of(_decoded(text.encode("utf-8", "replace")), depth + 1)
        if inner:
            return inner
    if _is_html(text):
        return _page(text)
    return text[:MESSAGE_LIMIT]


def _decoded(body: bytes) -> Json:
    try:
        value = json.loads(body)
    except json.InvalidJson:
        return None
    return value


def _official(value: Json) -> bool:
    if not isinstance(value, dict):
        return False
    error = value.get("error")
    return isinstance(error, dict) and isinstance(error.get("message"), str)


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) else None


# ---- bodies that are not JSON -----------------------------------------------------------------
def _describe_text(status: int, body: bytes) -> str:
    text = body.decode("utf-8", "replace").strip()
    if not text:
        return ""
    if _is_html(text):
        return f"{_page(text)} (status {status})"
    if "\ufffd" in text or "\x00" in text:
        return f"The upstream answered with status {status} and an unreadable body."
    return text[:MESSAGE_LIMIT]


def _is_html(text: str) -> bool:
    head = text[:512].lstrip().lower()
    return head.startswith(("<!doctype", "<html", "<head", "<body", "<?xml")) or "<html" in head


_PAGES: Final = (
    (("just a moment", "cf-chl", "challenge-platform", "captcha"), "a bot-check page"),
    (("attention required", "you have been blocked", "access denied"), "a page that denies access"),
    (("sign in", "log in", "login"), "a login page"),
    (("bad gateway", "gateway time", "service unavailable", "temporarily unavailable"),
     "a gateway's error page"),
    (("not found",), "a page-not-found page"),
)  # fmt: skip


def _page(text: str) -> str:
    # The page itself is never shown: it is noise to a person and unsafe in a web client.
    head = text[:16384].lower()
    for words, kind in _PAGES:
        if any(word in head for word in words):
            return f"The upstream answered with {kind} instead of an API error."
    return "The upstream answered with a web page instead of an API error."

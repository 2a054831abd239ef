"""One tree of errors, each knowing how it must be answered.

```
GatewayError                    anything a client may be told
├── BadRequest            400   the request itself is at fault; never tried on another account
│   ├── Unsupported       400   well formed, but the chosen upstream cannot do it
│   ├── NotFound          404   no such model or route
│   ├── MethodNotAllowed  405
│   ├── TooLarge          413   body limit, counted after decompression
│   └── UnsupportedEncoding 415
├── Unauthenticated       401   the *client's* key is missing or wrong
├── Forbidden             403   the client may not do this
├── RateLimited           429   every eligible account is at its limit
├── NotBuilt              501   part of the surface that does not exist (yet)
├── Unavailable           503   no account can serve the model now
└── UpstreamError               an account's upstream failed
    ├── UpstreamRefused         it answered with an error status, or an error object inside a 200
    ├── UpstreamUnreachable 502 connect, TLS, DNS or proxy failure: nothing was answered
    ├── UpstreamBroken    502   it answered something that is not its protocol, or stopped early
    └── UpstreamTimeout   504   no first byte, or silence, for longer than allowed
```

A dialect turns a `GatewayError` into its own error object (`dialects/*/errors.py`); nothing else
ever reaches a client. Messages are sentences a user can act on and never hold secrets.
"""

from __future__ import annotations

from typing import ClassVar, Final, Literal

Kind = Literal[
    "invalid_request",
    "authentication",
    "billing",
    "permission",
    "not_found",
    "conflict",
    "too_large",
    "rate_limit",
    "overloaded",
    "server",
    "timeout",
    "unimplemented",
    "cancelled",
]
"""What happened, in words that every dialect has an equivalent for."""

KIND_BY_STATUS: Final[dict[int, Kind]] = {
    400: "invalid_request",
    401: "authentication",
    402: "billing",
    403: "permission",
    404: "not_found",
    405: "invalid_request",
    408: "timeout",
    409: "conflict",
    413: "too_large",
    415: "invalid_request",
    422: "invalid_request",
    429: "rate_limit",
    499: "cancelled",
    500: "server",
    501: "unimplemented",
    502: "server",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}


def kind_of(status: int) -> Kind:
    """Name the kind of failure an HTTP status stands for."""
    kind = KIND_BY_STATUS.get(status)
    if kind is not None:
        return kind
    return "server" if status >= 500 else "invalid_request"


class GatewayError(Exception):
    """Base of everything a client may be told.

    Attributes:
        message: a sentence for the user.
        status: HTTP status, 400 to 599.
        kind: neutral name of the failure; dialects map it to their own `type`/`status` words.
        code: machine-readable code (OpenAI style), when there is one.
        param: name or path of the offending field, when there is one.
        retry_after: seconds after which a retry may work, when known.
        next_account: whether another account might succeed with the same request.
        headers: extra response headers (`Allow`, `WWW-Authenticate`…).
        details: what a program should read, for dialects whose error object has a place for it.
    """

    default_status: ClassVar[int] = 500
    default_code: ClassVar[str | None] = None
    default_next: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        kind: Kind | None = None,
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
        next_account: bool | None = None,
        headers: dict[str, str] | None = None,
        details: dict[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = self.default_status if status is None else status
        self.kind: Kind = kind_of(self.status) if kind is None else kind
        self.code = self.default_code if code is None else code
        self.param = param
        self.retry_after = retry_after
        self.next_account = self.default_next if next_account is None else next_account
        self.headers = headers or {}
        self.details = details


class BadRequest(GatewayError):
    """The client's request is at fault. `param` names the field."""

    default_status = 400


class Unsupported(BadRequest):
    """Well formed, but this upstream cannot express it; another account's may."""

    default_code = "unsupported"
    default_next = True


class NotFound(BadRequest):
    """No such route or model."""

    default_status = 404
    default_code = "not_found"


class MethodNotAllowed(BadRequest):
    """The route exists, with other methods (named in the `Allow` header)."""

    default_status = 405
    default_code = "method_not_allowed"


class TooLarge(BadRequest):
    """The decoded body exceeds the limit."""

    default_status = 413
    default_code = "request_too_large"


class UnsupportedEncoding(BadRequest):
    """`Content-Encoding` names something we cannot undo."""

    default_status = 415
    default_code = "unsupported_content_encoding"


class Unauthenticated(GatewayError):
    """The client's key is missing or unknown."""

    default_status = 401
    default_code = "invalid_api_key"


class Forbidden(GatewayError):
    """The client is known and may not do this."""

    default_status = 403


class RateLimited(GatewayError):
    """Every eligible account is at its limit."""

    default_status = 429
    default_code = "rate_limit_exceeded"


class NotBuilt(GatewayError):
    """A part of the API surface that is not served, said plainly."""

    default_status = 501
    default_code = "not_implemented"


class Unavailable(GatewayError):
    """No account can serve the model at the moment."""

    default_status = 503
    default_code = "no_account_available"


class UpstreamError(GatewayError):
    """An account's upstream failed; another account may do better."""

    default_status = 502
    default_code = "upstream_error"
    default_next = True


class UpstreamRefused(UpstreamError):
    """The upstream answered with an error.

    Attributes:
        raw: the upstream's own error body, so that a client of the same dialect sees it unchanged.
        raw_dialect: the dialect id `raw` is written in.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        kind: Kind | None = None,
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
        next_account: bool | None = None,
        raw: bytes | None = None,
        raw_dialect: str | None = None,
    ) -> None:
        super().__init__(
            message,
            status=status,
            kind=kind,
            code=code,
            param=param,
            retry_after=retry_after,
            next_account=next_account,
        )
        self.raw = raw
        self.raw_dialect = raw_dialect


class UpstreamUnreachable(UpstreamError):
    """Nothing was answered: connect, DNS, TLS or proxy failure.

    Attributes:
        arrived: whether the request may have arrived all the same.
    """

    default_code = "upstream_unreachable"
    arrived: bool = False


class UpstreamBroken(UpstreamError):
    """The answer is not the protocol, or it stopped before its end."""

    default_code = "upstream_broken"


class UpstreamTimeout(UpstreamError):
    """No first byte, or silence, for longer than allowed."""

    default_status = 504
    default_code = "upstream_timeout"


class ConfigError(Exception):
    """The configuration cannot be used; the message names file, line and cure."""

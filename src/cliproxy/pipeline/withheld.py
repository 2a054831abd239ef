"""What an upstream was sent as proof of who we are, kept out of all that it says."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import structs

from cliproxy.base import redact
from cliproxy.base.errors import GatewayError, UpstreamRefused
from cliproxy.base.http import HttpRequest
from cliproxy.ir.events import Error


def secrets_in(http: HttpRequest, proxy: str | None) -> set[str]:
    """Return what was sent to the upstream and to a proxy before it; `proxy` is the general one."""
    via = http.proxy or proxy or ""
    return redact.secrets_of(http.url, http.headers) | redact.secrets_of(via, {})


def clean(err: GatewayError, secrets: set[str]) -> None:
    """Take secrets out of an error, wherever it repeats what an upstream said."""
    err.message = redact.without(err.message, secrets)
    err.args = (err.message,)
    err.code, err.param = _without(err.code, secrets), _without(err.param, secrets)
    err.headers = clean_headers(err.headers, secrets)
    if isinstance(err, UpstreamRefused) and err.raw is not None:
        err.raw = redact.without_bytes(err.raw, secrets)


def cleaned(error: Error, secrets: set[str]) -> Error:
    """Return the event of an error without secrets."""
    return structs.replace(
        error,
        message=redact.without(error.message, secrets),
        code=_without(error.code, secrets),
        param=_without(error.param, secrets),
    )


def clean_headers(headers: Mapping[str, str], secrets: set[str]) -> dict[str, str]:
    """Return headers whose values hold no secrets."""
    return {name: redact.without(value, secrets) for name, value in headers.items()}


def _without(text: str | None, secrets: set[str]) -> str | None:
    return None if text is None else redact.without(text, secrets)

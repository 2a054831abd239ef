"""`GatewayError` ⇄ the error object of legacy completions, as a body and inside a stream."""

from __future__ import annotations

from collections.abc import Mapping

from cliproxy.base.errors import GatewayError, UpstreamRefused
from cliproxy.dialects._errors import error_body, event_error, read_openai_error
from cliproxy.ir.events import Error


def error(err: GatewayError) -> bytes:
    """Write an error body."""
    return error_body(err)


def stream_error(err: GatewayError) -> bytes:
    """Write an error as the only event of a stream."""
    return event_error(Error.of(err))


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamRefused:
    """Read an upstream's error answer."""
    return read_openai_error(status, headers, body, "openai-completions")

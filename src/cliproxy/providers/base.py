"""The provider protocol and what all providers share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from msgspec import Struct

from cliproxy import __version__
from cliproxy.account.model import Account
from cliproxy.base.http import HOP_BY_HOP, HttpRequest
from cliproxy.base.json import Obj
from cliproxy.dialects import Operation
from cliproxy.ir.caps import Caps
from cliproxy.ir.request import DialectId

USER_AGENT: Final = f"cliproxy/{__version__}"

_NOT_FORWARDED: Final = HOP_BY_HOP | {
    "host",
    "content-length",
    "content-encoding",
    "content-type",
    "accept-encoding",
    "authorization",
    "x-api-key",
    "x-goog-api-key",
    "cookie",
    "origin",
    "referer",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-port",
    "x-real-ip",
    "expect",
}


class Call(Struct, frozen=True):
    """One upstream call, ready but for its address.

    `verbatim`: the body is the client's own, and `client_headers` may be forwarded.
    `headers` are protocol headers the translated body needs.
    """

    operation: Operation
    model: str
    stream: bool
    body: bytes
    verbatim: bool
    headers: Mapping[str, str]
    client_headers: Mapping[str, str]
    query: str = ""


class Provider(Protocol):
    """One upstream host family. Stateless."""

    name: str
    dialect: DialectId
    counts_tokens: bool
    """Whether its API has a token-count endpoint."""
    keeps_responses: bool
    """Whether an answer can be leant on by its id in a later request."""
    compacts: bool
    """Whether its API makes a long conversation short (`/responses/compact`)."""

    def caps(self, caps: Caps, account: Account) -> Caps:
        """Refine what the catalogue says about a model with what this host adds or refuses."""
        ...

    def adjust(self, body: Obj, operation: Operation, caps: Caps) -> None:
        """Apply the host's quirks to a translated body, in place."""
        ...

    def prepare(self, call: Call, account: Account) -> HttpRequest:
        """Address the call: URL, credentials, headers."""
        ...


def client_headers(call: Call) -> dict[str, str]:
    """Return the client's own headers that may travel on with a verbatim request.

    Everything but credentials, connection matters and our own; so a native client is recognised
    by its vendor as what it is.
    """
    return {
        name: value
        for name, value in call.client_headers.items()
        if name not in _NOT_FORWARDED and not name.startswith("x-cliproxy-")
    }


def base_headers(call: Call, *, forward: bool) -> dict[str, str]:
    """Start the headers of a call: the client's own if it passes verbatim, else ours."""
    headers = client_headers(call) if forward and call.verbatim else {}
    headers.setdefault("user-agent", USER_AGENT)
    headers["content-type"] = "application/json"
    headers["accept"] = "text/event-stream" if call.stream else "application/json"
    # Compressed events would have to be held back until a block is full.
    headers["accept-encoding"] = "identity" if call.stream else "gzip, deflate"
    headers.update(call.headers)
    return headers


def account_headers(headers: dict[str, str], call: Call, account: Account) -> None:
    """Add the headers the owner set for this account; `$Name` copies the client's header."""
    for name, value in account.headers.items():
        copied = call.client_headers.get(value[1:].lower()) if value.startswith("$") else value
        if copied is not None:
            headers[name.lower()] = copied


def join(base: str, path: str) -> str:
    """Join a base URL and an absolute path without doubling or losing a slash."""
    return base.rstrip("/") + path

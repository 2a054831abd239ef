"""The provider protocol and what all providers share."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import ClassVar, Final, Literal, Protocol

from msgspec import Struct

from cliproxy import __version__
from cliproxy.account.model import Account
from cliproxy.base.errors import UpstreamError, UpstreamRefused
from cliproxy.base.http import HOP_BY_HOP, HttpRequest
from cliproxy.base.json import Obj
from cliproxy.base.redact import Hidden
from cliproxy.dialects import Operation
from cliproxy.ir.caps import Caps
from cliproxy.ir.request import DialectId
from cliproxy.ir.restore import Restore

Ability = Literal["count", "keep", "compact", "whole", "search"]
"""`count`: it has a token-count endpoint. `keep`: an answer can be leant on by its id in a later
request. `compact`: it makes a long conversation short (`/responses/compact`). `whole`: it answers
in one piece when asked to; otherwise it only ever streams. `search`: it looks things up for Codex
(`/alpha/search`)."""

USER_AGENT: Final = f"cliproxy/{__version__}"

_NOT_FORWARDED: Final = HOP_BY_HOP | {
    "host",
    "content-length",
    "content-encoding",
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
_DECODED: Final = frozenset({"gzip", "deflate", "br", "zstd", "identity"})
"""Content codings that the transport undoes."""


class Call(Hidden, Struct, frozen=True):
    """One upstream call, ready but for its address.

    `verbatim`: the body is the client's own, and `client_headers` may be forwarded.
    `headers` are protocol headers the translated body needs.
    """

    operation: Operation
    dialect: DialectId
    """What the body is written in: one of those the provider speaks."""
    model: str
    stream: bool
    body: bytes
    verbatim: bool
    headers: Mapping[str, str]
    client_headers: Mapping[str, str]
    query: str = ""
    session: str = ""
    """What stands for the conversation, stable over its turns; "" when nothing does."""
    resource: str = ""
    """What is asked about, by its id."""


class About(Struct, frozen=True):
    """What a translated body is for."""

    operation: Operation
    dialect: DialectId
    caps: Caps
    account: Account
    stream: bool
    session: str = ""


class Provider(Protocol):
    """One upstream host family. Stateless."""

    name: str
    several: bool
    """Whether there is another way to ask (`elsewhere`)."""

    def wants_session(self, account: Account) -> bool:
        """Tell whether its calls name the conversation they belong to."""
        ...

    def speaks(self, account: Account) -> tuple[DialectId, ...]:
        """Return its dialects: a client's own is used when it is among them, else the first."""
        ...

    def able(self, what: Ability, account: Account) -> bool:
        """Tell whether it can do something that not all hosts can."""
        ...

    def caps(self, caps: Caps, account: Account) -> Caps:
        """Refine what the catalogue says about a model with what this host adds or refuses."""
        ...

    def adjust(self, body: Obj, about: About) -> None:
        """Apply the host's quirks to a translated body, in place."""
        ...

    def restore(self, body: Obj, restore: Restore) -> Restore:
        """Return what is to be undone in the answer, `adjust`'s changes to a body included."""
        ...

    def verbatim(self, body: bytes, about: About) -> bytes | None:
        """Return a client's own body as it is to be sent; None when it must be translated."""
        ...

    def stale(self, err: UpstreamRefused) -> bool:
        """Tell whether a refusal means that the access token is no longer good."""
        ...

    def elsewhere(self, request: HttpRequest, err: UpstreamError) -> HttpRequest | None:
        """Return the same call to another of its hosts, or without what is refused.

        None where that will not help.
        """
        ...

    def parts(self, request: HttpRequest) -> frozenset[str]:
        """Name what a call holds that `elsewhere` may leave out."""
        ...

    def without(self, request: HttpRequest, parts: Collection[str]) -> HttpRequest:
        """Return a call without some of its `parts`; the same call where it has none of them."""
        ...

    def judge(self, err: UpstreamRefused, now: float) -> UpstreamRefused:
        """Say what a refusal means where its status says something else."""
        ...

    def model_name(self, name: str) -> str:
        """Return what the host itself calls a model."""
        ...

    def prepare(self, call: Call, account: Account) -> HttpRequest:
        """Address the call: URL, credentials, headers."""
        ...

    def websocket(self, http: HttpRequest) -> HttpRequest | None:
        """Return how a websocket is opened that takes such calls; None where there is none."""
        ...


class Host:
    """What most providers have in common; each says what differs."""

    name: str
    dialects: ClassVar[tuple[DialectId, ...]]
    abilities: ClassVar[frozenset[Ability]] = frozenset({"whole"})
    several: bool = False

    def wants_session(self, account: Account) -> bool:
        """Name none."""
        return False

    def speaks(self, account: Account) -> tuple[DialectId, ...]:
        """Return `dialects`."""
        return self.dialects

    def able(self, what: Ability, account: Account) -> bool:
        """Look it up in `abilities`."""
        return what in self.abilities

    def caps(self, caps: Caps, account: Account) -> Caps:
        """Return what the catalogue or the account's configuration says."""
        return caps

    def adjust(self, body: Obj, about: About) -> None:
        """Leave the body as it was built."""

    def restore(self, body: Obj, restore: Restore) -> Restore:
        """Undo what the dialect did."""
        return restore

    def verbatim(self, body: bytes, about: About) -> bytes | None:
        """Send the client's own bytes, unless it wants one piece of a host that only streams."""
        return body if about.stream or self.able("whole", about.account) else None

    def stale(self, err: UpstreamRefused) -> bool:
        """Take 401 for it."""
        return err.status == 401

    def judge(self, err: UpstreamRefused, now: float) -> UpstreamRefused:
        """Take it at its word."""
        return err

    def model_name(self, name: str) -> str:
        """Return the catalogue's name."""
        return name

    def elsewhere(self, request: HttpRequest, err: UpstreamError) -> HttpRequest | None:
        """Have one host."""
        return None

    def parts(self, request: HttpRequest) -> frozenset[str]:
        """Leave nothing out."""
        return frozenset()

    def without(self, request: HttpRequest, parts: Collection[str]) -> HttpRequest:
        """Leave nothing out."""
        return request

    def websocket(self, http: HttpRequest) -> HttpRequest | None:
        """Have none."""
        return None


def client_headers(call: Call) -> dict[str, str]:
    """Return the client's own headers that may travel on with a verbatim request.

    Everything but credentials, connection matters and our own; so a native client is recognised
    by its vendor as what it is.
    """
    named = call.client_headers.get("connection")
    left = {n.strip().lower() for n in named.split(",")} if named else ()
    headers = {
        name: value
        for name, value in call.client_headers.items()
        if name not in _NOT_FORWARDED and name not in left and not name.startswith("x-cliproxy-")
    }
    # The answer is decompressed here: only what can be may be asked for.
    if coded := headers.pop("accept-encoding", ""):
        codes = [code.strip() for code in coded.split(",")]
        known = [code for code in codes if code.partition(";")[0].strip().lower() in _DECODED]
        if known:
            headers["accept-encoding"] = coded if len(known) == len(codes) else ", ".join(known)
    if not headers.get("content-type", "application/json").lower().startswith("application/json"):
        del headers["content-type"]
    return headers


def base_headers(call: Call, *, forward: bool) -> dict[str, str]:
    """Start the headers of a call: the client's own if it passes verbatim, else ours."""
    headers = client_headers(call) if forward and call.verbatim else {}
    headers.setdefault("user-agent", USER_AGENT)
    headers.setdefault("content-type", "application/json")
    headers.setdefault("accept", "text/event-stream" if call.stream else "application/json")
    # Compressed events would have to be held back until a block is full.
    headers.setdefault("accept-encoding", "identity" if call.stream else "gzip, deflate")
    headers.update(call.headers)
    return headers


def account_headers(headers: dict[str, str], call: Call, account: Account) -> None:
    """Add the headers the owner set for this account; `$Name` copies the client's header."""
    for name, value in account.headers.items():
        copied = call.client_headers.get(value[1:].lower()) if value.startswith("$") else value
        if copied is not None:
            headers[name.lower()] = copied


_OF_BODIES: Final = frozenset({"accept", "accept-encoding", "content-type"})


def handshake(http: HttpRequest, beta: str = "") -> HttpRequest:
    """Return the request that opens a websocket where a call would go; `beta` is what it wants."""
    headers = {k: v for k, v in http.headers.items() if k.lower() not in _OF_BODIES}
    if beta:
        told = headers.get("openai-beta", "")
        headers["openai-beta"] = f"{told}, {beta}" if told else beta
    return HttpRequest("GET", "ws" + http.url.removeprefix("http"), headers, b"", http.proxy)


IMAGE_PATHS: Final[dict[str, str]] = {
    "openai-images": "/images/generations",
    "openai-image-edits": "/images/edits",
}
"""Where a host that speaks OpenAI's image API is asked for pictures."""


VIDEO_PATHS: Final[dict[str, str]] = {
    "xai-videos": "/videos/generations",
    "xai-video-edits": "/videos/edits",
    "xai-video-extensions": "/videos/extensions",
}
"""The same for films, in xAI's API."""


def join(base: str, path: str) -> str:
    """Join a base URL and an absolute path without doubling or losing a slash."""
    return base.rstrip("/") + path

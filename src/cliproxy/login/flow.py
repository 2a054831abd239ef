"""Talking to a provider about an account, without sockets.

A *talk* is a generator: it yields what is to be done (`HttpRequest`, `Visit`, `Show`, `Wait`),
is sent what came of it, and returns its result. Login, refresh, quota and model lists are talks:
all are tested without a network, and all share one driver (`keeper/talking.py`), which brings
proxies, time limits and the clock.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Generator, Mapping
from typing import Any, Final, Literal, Protocol, TypeVar
from urllib.parse import urlencode

from msgspec import Struct, field

from cliproxy import __version__
from cliproxy.account.model import ModelFound as ModelFound  # noqa: PLC0414  # given on to the talks
from cliproxy.base import json
from cliproxy.base.http import HttpRequest
from cliproxy.base.json import Obj
from cliproxy.base.redact import Hidden

T = TypeVar("T")
USER_AGENT: Final = f"cliproxy/{__version__}"
LOGIN_SECONDS: Final = 600.0
"""How long a person has to log in."""


class Answer(Hidden, Struct, frozen=True):
    """What came of an `HttpRequest`, of any status. Without an answer `Unreachable` is raised."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status < 300

    def object(self) -> Obj:
        """Return the body as a JSON object; {} when it is none."""
        return json.loads_object(self.body) or {}


class Visit(Hidden, Struct, frozen=True):
    """The person is to open `url`; a `Callback` is sent back."""

    url: str
    state: str
    port: int
    """Of the loopback address that the provider sends the browser to; 0 = none: its page shows a
    code to paste."""
    path: str


class Callback(Hidden, Struct, frozen=True):
    """What the browser brought back. Its state is that of the `Visit`."""

    code: str
    state: str = ""


class Show(Hidden, Struct, frozen=True):
    """The person is to open `url` and to type `code`; None is sent back at once."""

    url: str
    code: str
    complete: str = ""
    """A URL that holds the code already."""
    expires: float = LOGIN_SECONDS
    """Seconds the code is good for."""


class Wait(Struct, frozen=True):
    """Let `seconds` pass; None is sent back."""

    seconds: float


Step = HttpRequest | Visit | Show | Wait
Talk = Generator[Step, Any, T]


class Problem(Exception):
    """Why a talk failed.

    Attributes:
        kind: `needs_login`: the login is used up, the person must log in again; `revoked`: the
            provider has taken it away; `limited`: asked too often, later; `network`: not answered,
            or not sensibly, later; `refused`: the provider will not, whatever is done;
            `cancelled`: the person said no; `unknown_outcome`: the answer to a refresh was lost,
            so that the refresh token may be spent.
        message: a sentence for the owner, without secrets.
        retry_after: seconds, when the provider says.
    """

    def __init__(self, kind: Kind, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.retry_after = retry_after


Kind = Literal[
    "needs_login", "revoked", "limited", "network", "refused", "cancelled", "unknown_outcome"
]


class Unreachable(Exception):
    """Thrown into a talk where an `HttpRequest` got no answer.

    Attributes:
        sent: whether the provider may have received and acted on it.
    """

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class Client(Hidden, Struct, frozen=True):
    """An OAuth client. `secret` is "" where the provider wants none, or nobody has told it."""

    id: str
    secret: str = ""


class Setting(Hidden, Struct, frozen=True):
    """What a talk may know of the installation.

    Attributes:
        now: Unix seconds.
        endpoints: the owner's addresses for this provider, by the names of `endpoints` in the
            configuration: api, authorize, token, device, profile, quota, models…
        client: the OAuth client to be instead of the built-in one; its fields may be "".
        redirect_port: the callback's port instead of the provider's usual one; 0 = usual.
        options: what the person chose (`project_id`, `cookie`, `alias`…).
    """

    now: float
    endpoints: Mapping[str, str] = field(default_factory=dict)
    client: Client = Client("")
    redirect_port: int = 0
    options: Mapping[str, str] = field(default_factory=dict)

    def url(self, name: str, usual: str) -> str:
        """Return the owner's address of something, else the usual one."""
        return self.endpoints.get(name) or usual

    def api(self, usual: str, path: str) -> str:
        """Return a path at the owner's `api`, else at the usual host."""
        return (self.endpoints.get("api") or usual).rstrip("/") + path


class LoggedIn(Hidden, Struct, frozen=True):
    """A new account: the name its file gets, and what the file holds."""

    name: str
    fields: Obj


class Window(Struct, frozen=True, omit_defaults=False):
    """One limit of an account."""

    id: str
    label: str
    used_percent: float | None = None
    remaining: float | None = None
    """In the provider's own unit."""
    limit: float | None = None
    reset_at: float | None = None
    """Unix seconds."""
    period_seconds: float | None = None
    models: tuple[str, ...] = ()
    """The models it is about; () = all."""


class Report(Struct, frozen=True):
    """What a provider says is left of an account."""

    plan: str = ""
    windows: tuple[Window, ...] = ()
    credits: Obj = field(default_factory=dict)
    """Money and the like, as the provider tells it."""


class Login(Protocol):
    """How accounts of one provider are got and kept. Stateless."""

    provider: str
    ways: tuple[Literal["browser", "device", "cookie"], ...]
    """How a person can log in; the first is the usual one. () = files and keys only."""
    lead: float
    """Seconds before its end that an access token is renewed; 0 = when it is needed."""

    def renewable(self, fields: Obj) -> bool:
        """Tell whether the fields hold what a refresh needs: usually a refresh token."""
        ...

    def ahead(self, fields: Obj) -> float:
        """Return `lead`, or what it is for such a login."""
        ...

    def login(self, setting: Setting, way: str) -> Talk[LoggedIn]:
        """Log in. Raises `Problem`."""
        ...

    def refresh(self, fields: Obj, setting: Setting) -> Talk[Obj]:
        """Return the fields that change with a new access token. Raises `Problem`."""
        ...

    def complete(self, fields: Obj, setting: Setting) -> Talk[Obj] | None:
        """Return fields without which no call can be made (a project); None = none is missing."""
        ...

    def quota(self, fields: Obj, setting: Setting) -> Talk[Report] | None:
        """Return what is left; None where the provider does not tell. Raises `Problem`."""
        ...

    def models(self, fields: Obj, setting: Setting) -> Talk[list[ModelFound]] | None:
        """Return the account's models; None where the provider does not tell. Raises `Problem`."""
        ...


class TokenLogin:
    """What most providers have in common: a refresh token, and nothing more to find or to ask."""

    lead: float = 300.0

    def renewable(self, fields: Obj) -> bool:
        """Look for a refresh token."""
        return has_refresh_token(fields)

    def ahead(self, fields: Obj) -> float:
        """Return the same for all."""
        return self.lead

    def complete(self, fields: Obj, setting: Setting) -> Talk[Obj] | None:
        """Return None: what a call needs stands in the tokens."""
        return None

    def quota(self, fields: Obj, setting: Setting) -> Talk[Report] | None:
        """Return None: the provider does not tell."""
        return None

    def models(self, fields: Obj, setting: Setting) -> Talk[list[ModelFound]] | None:
        """Return None: there is no list."""
        return None


def has_refresh_token(fields: Obj) -> bool:
    """Tell whether there is a refresh token, at the top or in a `token` object."""
    token = fields.get("token")
    nested = token.get("refresh_token") if isinstance(token, dict) else None
    return any(isinstance(t, str) and t for t in (fields.get("refresh_token"), nested))


# ---- what talks share ---------------------------------------------------------------------------
def new_state() -> str:
    """Return a state nobody can guess; fit for a file name."""
    return secrets.token_hex(16)


def new_pkce(size: int = 96) -> tuple[str, str]:
    """Return a PKCE verifier and its S256 challenge (RFC 7636)."""
    verifier = base64.urlsafe_b64encode(secrets.token_bytes(size)).rstrip(b"=").decode()
    digest = hashlib.sha256(verifier.encode()).digest()
    return verifier, base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def name_part(text: str) -> str:
    """Return text as it may stand in a file's name."""
    return re.sub(r"[^\w@.+-]", "_", text)


def post_form(url: str, fields: Mapping[str, str], headers: Mapping[str, str] = {}) -> HttpRequest:
    """Return a form post that asks for JSON."""
    return HttpRequest(
        "POST",
        url,
        {
            "content-type": "application/x-www-form-urlencoded",
            "accept": "application/json",
            "user-agent": USER_AGENT,
            **headers,
        },
        urlencode(dict(fields)).encode(),
    )


def post_json(url: str, value: Obj, headers: Mapping[str, str] = {}) -> HttpRequest:
    """Return a JSON post that asks for JSON."""
    return HttpRequest(
        "POST",
        url,
        {
            "content-type": "application/json",
            "accept": "application/json",
            "user-agent": USER_AGENT,
            **headers,
        },
        json.dumps(value),
    )


def get(url: str, headers: Mapping[str, str] = {}) -> HttpRequest:
    """Return a GET that asks for JSON."""
    return HttpRequest(
        "GET", url, {"accept": "application/json", "user-agent": USER_AGENT, **headers}
    )


def bearer(token: str) -> dict[str, str]:
    """Return the header that proves who we are."""
    return {"authorization": f"Bearer {token}"}

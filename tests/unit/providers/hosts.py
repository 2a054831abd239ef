"""Requests to hosts as the pipeline writes them, without the pipeline."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from cliproxy import dialects, providers
from cliproxy.account.credential import Credential
from cliproxy.account.model import Account
from cliproxy.base.http import HttpRequest
from cliproxy.base.redact import Secret
from cliproxy.dialects import Built, ParseMeta
from cliproxy.providers.base import About, Call
from cliproxy.routing.catalog import caps_of

Json = Any
USER = [{"role": "user", "content": "Hi"}]
SESSION = "0123456789abcdef0123456789abcdef"


def login(provider: str, base_url: str = "", headers: Json = None, **fields: Json) -> Account:
    """Return an account with a login whose file holds `fields`."""
    credential = Credential(f"{provider}.json", {"type": provider, "access_token": "at", **fields})
    return Account(
        id="a", provider=provider, label="me", kind="oauth", base_url=base_url,
        headers=headers or {}, credential=credential,
    )  # fmt: skip


def key(provider: str, base_url: str = "", **more: Json) -> Account:
    """Return an account with a key."""
    return Account(
        id="k", provider=provider, label="key", secret=Secret("sk"), base_url=base_url, **more
    )


@dataclass
class Sent:
    """What one request came to."""

    http: HttpRequest
    dialect: str
    verbatim: bool
    built: Built | None

    @property
    def body(self) -> Json:
        return json.loads(self.http.body)

    @property
    def headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.http.headers.items()}


def send(
    of: Account,
    body: Json,
    *,
    dialect: str = "openai-chat",
    headers: dict[str, str] | None = None,
    session: str = "",
    operation: Json = "generate",
) -> Sent:
    """Write a client's request for an account, as itself if the host takes that."""
    provider = providers.get(of.provider)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    value = json.loads(raw)
    spoken = provider.speaks(of)
    own: Json = dialect if dialect in spoken else None
    caps = provider.caps(caps_of(of, None, value["model"]), of)
    stream = bool(value.get("stream")) and operation == "generate"
    about = About(operation, own or spoken[0], caps, of, stream, session)
    given = provider.verbatim(raw, about) if own else None
    built = None
    sent = given
    if sent is None:
        asked = dialects.get(dialect).parse(value, ParseMeta())
        built = dialects.get(about.dialect).build(asked, caps, operation)
        provider.adjust(built.body, about)
        sent = json.dumps(built.body).encode()
    call = Call(
        operation, about.dialect, value["model"], stream, sent, given is not None,
        built.headers if built else {}, headers or {}, session=session,
    )  # fmt: skip
    return Sent(provider.prepare(call, of), about.dialect, given is not None, built)


def refusal(status: int, body: Json, dialect: str = "openai-chat", **headers: str) -> Json:
    """Return a refusal as the dialect reads it."""
    return dialects.get(dialect).read_error(status, headers, json.dumps(body).encode())

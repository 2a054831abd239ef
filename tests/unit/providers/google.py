"""Requests to Google's hosts as the pipeline writes them, without the pipeline."""

from __future__ import annotations

import json
from typing import Any

from cliproxy import dialects, providers
from cliproxy.account.credential import Credential
from cliproxy.account.model import Account
from cliproxy.base.http import HttpRequest
from cliproxy.dialects import ParseMeta
from cliproxy.ir.request import IRRequest
from cliproxy.providers.base import About, Call
from cliproxy.routing.catalog import caps_of

Json = Any


def account(provider: str, *, base_url: str = "", project: str = "p1", **fields: Json) -> Account:
    """Return an account with a login whose file holds `fields`."""
    login = Credential(f"{provider}.json", {"type": provider, "access_token": "at", **fields})
    return Account(
        id="a", provider=provider, label="me", kind="oauth", base_url=base_url, credential=login,
        project=project,
    )  # fmt: skip


def about(
    of: Account,
    model: str,
    *,
    stream: bool = False,
    operation: str = "generate",
    dialect: str = "",
    session: str = "",
) -> About:
    provider = providers.get(of.provider)
    caps = provider.caps(caps_of(of, None, model), of)
    spoken: Json = dialect or provider.speaks(of)[0]
    return About(operation, spoken, caps, of, stream, session)  # type: ignore[arg-type]


def call(
    of: Account,
    model: str,
    body: bytes = b"{}",
    *,
    stream: bool = False,
    operation: str = "generate",
    verbatim: bool = False,
    headers: dict[str, str] | None = None,
) -> HttpRequest:
    """Address a call."""
    provider = providers.get(of.provider)
    given: Json = operation
    return provider.prepare(
        Call(given, provider.speaks(of)[0], model, stream, body, verbatim, {}, headers or {}), of
    )


def written(of: Account, model: str, source: str, body: Json, **options: Json) -> Json:
    """Return the body that a client's request becomes."""
    what = about(of, model, **options)
    asked = parsed(model, source, body, what)
    return _written(asked, what)


def parsed(model: str, source: str, body: Json, what: About) -> IRRequest:
    """Return a client's request as it is kept while one account after another is tried."""
    meta = ParseMeta(model=model, stream=what.stream, operation=what.operation)
    return dialects.get(source).parse(json.loads(json.dumps(body)), meta)


def _written(asked: IRRequest, what: About) -> Json:
    built = dialects.get(what.dialect).build(asked, what.caps, what.operation)
    providers.get(what.account.provider).adjust(built.body, what)
    return json.loads(json.dumps(built.body))


def written_twice(of: Account, model: str, source: str, body: Json, **options: Json) -> list[Json]:
    """Return what the same request becomes for one account, and for another one after it."""
    what = about(of, model, **options)
    asked = parsed(model, source, body, what)
    return [_written(asked, what), _written(asked, what)]

"""What would happen to a request, without sending it: who could serve it, how, and at what loss."""

from __future__ import annotations

from msgspec import Struct, structs

from cliproxy.base import json, redact
from cliproxy.base.errors import GatewayError
from cliproxy.base.redact import Hidden
from cliproxy.dialects import DIALECTS
from cliproxy.ir.loss import Loss
from cliproxy.pipeline.calls import prepare, target_of
from cliproxy.pipeline.context import Request
from cliproxy.pipeline.gateway import Gateway, Settings
from cliproxy.pipeline.peek import session_of
from cliproxy.routing.resolve import Candidate

SAMPLES: dict[str, json.Obj] = {
    "openai-chat": {"messages": [{"role": "user", "content": "Hello"}]},
    "openai-completions": {"prompt": "Hello"},
    "openai-responses": {"input": "Hello"},
    "anthropic": {"max_tokens": 1024, "messages": [{"role": "user", "content": "Hello"}]},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]},
    "interactions": {"input": "Hello"},
    "code-assist": {"request": {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}},
}
"""The smallest request of each dialect, for when nobody gave one."""
assert set(SAMPLES) == set(DIALECTS)


class Choice(Hidden, Struct, frozen=True):
    """One way to serve the request, secrets masked; `error` when it could not even be written.

    `state` is what the pool would do with it now (`ready`, `cooling`, `full`…), `because` what it
    believes of the account, `until` when that ends in seconds since the epoch.
    """

    provider: str
    account: str
    label: str
    priority: int
    weight: int
    model: str
    fidelity: str = ""
    method: str = ""
    url: str = ""
    headers: dict[str, str] = {}
    body: json.Json = None
    proxy: str = ""
    losses: tuple[Loss, ...] = ()
    error: str = ""
    state: str = ""
    because: str = ""
    until: float | None = None


def explain(
    gateway: Gateway,
    model: str,
    *,
    dialect: str = "openai-chat",
    body: json.Obj | None = None,
    stream: bool = False,
    provider: str | None = None,
) -> list[Choice]:
    """Return the choices in the order in which they would be asked now; nothing is changed.

    Those that would not be asked come last. Raises as routing does.
    """
    request = _request(model, dialect, body, stream=stream)
    candidates = gateway.registry.resolve(model, provider=provider)
    session = session_of(request) if gateway.pool.sticky and len(candidates) > 1 else None
    fates = gateway.pool.preview(candidates, session).fates
    return [
        structs.replace(
            _choice(request, fate.candidate, gateway.settings),
            state=fate.code,
            because=fate.reason,
            until=fate.until,
        )
        for fate in fates
    ]


def _request(model: str, dialect: str, body: json.Obj | None, *, stream: bool) -> Request:
    content = dict(SAMPLES[dialect] if body is None else body)
    if dialect != "gemini":
        content["model"] = model
        if stream:
            content["stream"] = True
    return Request(
        id="explain",
        dialect_id=dialect,
        operation="generate",
        body=json.dumps(content),
        headers={},
        model=model,
        stream=stream,
        model_in_path=dialect == "gemini",
    )


def _choice(request: Request, candidate: Candidate, settings: Settings) -> Choice:
    account = candidate.account
    known = Choice(
        provider=account.provider,
        account=account.id,
        label=account.label,
        priority=account.priority,
        weight=account.weight,
        model=candidate.upstream_model + candidate.suffix,
    )
    try:
        target = target_of(request, candidate)
        call = prepare(request, target, strict=settings.strict, rules=settings.payload)
    except GatewayError as err:
        return structs.replace(known, error=err.message)
    return structs.replace(
        known,
        fidelity=call.fidelity,
        method=call.http.method,
        url=redact.url(call.http.url),
        headers={name: redact.header(name, value) for name, value in call.http.headers.items()},
        body=json.loads(call.http.body),
        proxy=redact.url(call.http.proxy or settings.proxy_url or ""),
        losses=call.losses,
    )

"""Who asks for what: from an ASGI scope and a body to a `Request`."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

from msgspec import UNSET

from cliproxy.base.errors import BadRequest
from cliproxy.base.multipart import Form
from cliproxy.pipeline.context import Request
from cliproxy.pipeline.peek import peek
from cliproxy.pipeline.pictures import opened
from cliproxy.server.access import Access, Client
from cliproxy.server.accounting import Asked
from cliproxy.server.asgi import Scope
from cliproxy.server.paths import Route, framing_of
from cliproxy.transport.proxy import is_loopback

LONGEST_NAME: Final = 512
"""Characters of a model's name."""
_GEMINI: Final = frozenset({"gemini", "code-assist", "interactions"})


def read_request(asked: Asked, query: dict[str, str], body: bytes) -> Request:
    """Read what was asked. Raises `BadRequest`."""
    route, headers = asked.route, asked.headers
    form: Form | None = None
    if route.makes == "text":
        peeked = peek(body)
    else:
        body, form, peeked = opened(body, headers.get("content-type", ""), route.makes)
    model = route.model if route.model is not None else peeked.model
    if model is None and route.dialect == "code-assist" and peeked.request is not UNSET:
        model = peek(bytes(peeked.request)).model
    agent = peeked.agent if route.dialect == "interactions" else None
    if agent is not None:
        if model is not None:
            raise BadRequest(
                "An interaction is with a model or with an agent, not both; send one of the "
                "fields 'model' and 'agent'.",
                param="agent",
            )
        model = agent
    if not isinstance(model, str) or not model:
        what = "model" if agent is None else "agent"
        raise BadRequest(
            f"The field '{what}' is missing or not a string.", param=what, code=f"missing_{what}"
        )
    if len(model) > LONGEST_NAME:
        # It is remembered with the request, and a client could fill the memory with names.
        raise BadRequest(
            f"The model's name is longer than {LONGEST_NAME} characters.",
            param="model",
            code="invalid_model",
        )
    stream = route.stream if route.stream is not None else _stream_flag(peeked.stream)
    return Request(
        id=asked.id,
        dialect_id=route.dialect,
        operation=route.operation,
        body=body,
        headers=headers,
        model=model.removeprefix("models/") if route.dialect in _GEMINI else model,
        stream=stream and route.operation == "generate",
        framing=framing_of(route, query),
        query=_forwarded_query(query),
        model_in_path=route.model is not None,
        makes=route.makes,
        form=form,
        pin_provider=route.pin_provider
        or headers.get("x-cliproxy-provider")
        or headers.get("x-provider"),
        pin_account=headers.get("x-cliproxy-account"),
        agent=agent is not None,
        strict=headers.get("x-cliproxy-fidelity", "").lower() == "strict",
        client=asked.client.mark,
        peeked=peeked,
    )


def _stream_flag(value: object) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    raise BadRequest("The field 'stream' must be true or false.", param="stream")


def path_of(scope: Scope) -> str:
    """Return the path below where the application is mounted."""
    # Decoded, so that an encoded slash or colon in a model name means what it says.
    root: str = scope.get("root_path", "")
    path: str = scope["path"]
    return path[len(root) :] if root and path.startswith(root) else path


def query_of(scope: Scope) -> dict[str, str]:
    """Return the query; of what stands twice, the last."""
    raw: bytes = scope.get("query_string", b"")
    if not raw:
        return {}
    return dict(parse_qsl(raw.decode("latin-1"), keep_blank_values=True))


def _forwarded_query(query: dict[str, str]) -> str:
    return "&".join(f"{k}={v}" for k, v in query.items() if k == "beta" and v.isalnum())


def client_of(
    access: Access, scope: Scope, route: Route, headers: dict[str, str], query: dict[str, str]
) -> Client:
    """Return who asks. Raises a `GatewayError` for who may not."""
    peer = peer_of(scope)
    check = access.check_code_assist if route.dialect == "code-assist" else access.check
    return check(headers, query, peer=peer, loopback=is_loopback(peer))


def peer_of(scope: Scope) -> str:
    """Return the address that asks, empty when it is not known."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def outcome(request: Request, route: Route) -> str:
    """Say in the log who answered."""
    last = request.attempts[-1] if request.attempts else None
    return (
        f"{request.client} {route.dialect}{' stream' if request.stream else ''} {request.model} "
        f"-> {last.reason if last else 'counted'} on {last.account if last else 'this machine'} "
        f"after {len(request.attempts)} attempt(s)"
    )

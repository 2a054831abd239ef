"""The ASGI application: one function from scope to answer, readable on one screen.

It mounts into any ASGI server or framework. State that changes with the configuration is one
object, `Generation`, exchanged as a whole; a request keeps the one it began with.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final, Protocol
from urllib.parse import parse_qsl

from msgspec import UNSET, Struct

from cliproxy import __version__
from cliproxy.base import ids
from cliproxy.base.clock import SYSTEM_CLOCK, Clock
from cliproxy.base.errors import (
    BadRequest,
    GatewayError,
    MethodNotAllowed,
    NotBuilt,
    NotFound,
)
from cliproxy.observe.logs import REQUEST, say
from cliproxy.observe.request_log import Entry, RequestLog
from cliproxy.pipeline.compacting import compact
from cliproxy.pipeline.context import Request
from cliproxy.pipeline.gateway import Gateway
from cliproxy.pipeline.peek import peek
from cliproxy.pipeline.run import run
from cliproxy.server import bodies, models, stored
from cliproxy.server.access import Access, Client
from cliproxy.server.accounting import LEFT, Accounting, Asked
from cliproxy.server.asgi import (
    JSON_TYPE,
    Message,
    RawHeaders,
    Receive,
    Scope,
    Send,
    answer,
    header_map,
    json_body,
)
from cliproxy.server.paths import KEPT, Route, framing_of, guess_dialect, match
from cliproxy.server.peers import Peers
from cliproxy.server.recent import RecentRequests
from cliproxy.server.respond import send_error, send_reply, watching
from cliproxy.transport.proxy import is_loopback

_log: Final = logging.getLogger(__name__)
_access_log: Final = logging.getLogger("cliproxy.access")

LONGEST_NAME: Final = 512
"""Characters of a model's name."""
ANY_ORIGIN: Final = (b"access-control-allow-origin", b"*")
PREFLIGHT: Final[RawHeaders] = [
    ANY_ORIGIN,
    (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE, OPTIONS"),
    # The star alone does not cover Authorization.
    (
        b"access-control-allow-headers",
        b"*, Authorization, Content-Type, If-Match, X-Management-Key, X-Api-Key, X-Goog-Api-Key",
    ),
    (b"access-control-max-age", b"600"),
]
EXPOSED: Final = (
    b"access-control-expose-headers",
    (
        b"X-Cliproxy-Request-Id, X-Cliproxy-Fidelity, X-Cliproxy-Dropped, Location, "
        b"Retry-After, X-Request-Id, OpenAI-Request-Id"
    ),
)
_GEMINI: Final = frozenset({"gemini", "code-assist"})
ENDPOINTS: Final = (
    "POST /v1/chat/completions",
    "POST /v1/completions",
    "POST /v1/responses",
    "POST /v1/responses/compact",
    "POST /v1/responses/input_tokens",
    "GET, DELETE /v1/responses/{id}",
    "GET /v1/responses/{id}/input_items",
    "POST /v1/responses/{id}/cancel",
    "POST /v1/conversations",
    "GET, POST, DELETE /v1/conversations/{id}",
    "GET, POST /v1/conversations/{id}/items",
    "GET, DELETE /v1/conversations/{id}/items/{item}",
    "POST /v1/messages",
    "POST /v1/messages/count_tokens",
    "POST /v1beta/models/{model}:generateContent",
    "POST /v1beta/models/{model}:streamGenerateContent",
    "POST /v1beta/models/{model}:countTokens",
    "POST /v1internal:generateContent",
    "POST /v1internal:streamGenerateContent",
    "POST /v1internal:countTokens",
    "GET /v1/models",
    "GET /v1beta/models",
    "GET /healthz",
)


class Manages(Protocol):
    """The application for all that is not inference: management, its panel, login callbacks."""

    def owns(self, path: str, headers: dict[str, str]) -> bool:
        """Tell whether a path is answered there."""
        ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        ...


MANAGEMENT: Final = "/v0/management"
MANAGEMENT_EXPOSED: Final = (
    b"access-control-expose-headers",
    (
        b"X-CPA-TRACE-ID, X-CPA-VERSION, X-CPA-COMMIT, X-CPA-BUILD-DATE, X-CPA-SUPPORT-PLUGIN, "
        b"X-CPA-HOME-VERSION, X-CPA-HOME-BUILD-DATE, X-SERVER-VERSION, X-SERVER-BUILD-DATE, "
        b"X-Cliproxy-Request-Id, Location, Retry-After, ETag, Content-Disposition, X-Request-Id, "
        b"OpenAI-Request-Id"
    ),
)


class Generation(Struct, frozen=True):
    """Everything the server reads from one configuration."""

    gateway: Gateway
    access: Access
    request_log: RequestLog | None = None
    max_body: int = 64 * 1024 * 1024
    """Bytes, counted after decompression."""
    peers: Peers = Peers()


class App:
    """The ASGI application."""

    def __init__(self, generation: Generation, clock: Clock = SYSTEM_CLOCK) -> None:
        self.generation = generation
        self.accounting = Accounting(RecentRequests(clock=clock))
        self.management: Manages | None = None
        self._clock = clock

    @property
    def recent(self) -> RecentRequests:
        """The latest requests."""
        return self.accounting.recent

    @recent.setter
    def recent(self, recent: RecentRequests) -> None:
        self.accounting.recent = recent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request, refuse a websocket, or follow the server's lifespan."""
        if scope["type"] in ("http", "websocket") and (peers := self.generation.peers):
            scope = peers.seen(scope)
        match scope["type"]:
            case "http":
                await self._http(scope, receive, send)
            case "websocket":
                await _refuse_websocket(scope, receive, send)
            case "lifespan":
                await _lifespan(receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = self._clock.monotonic()
        request_id = ids.request_id()
        REQUEST.set(request_id)
        identified = (b"x-cliproxy-request-id", request_id.encode())
        method: str = scope["method"]
        if method == "OPTIONS":
            await answer(send, 204, b"", [*PREFLIGHT, identified])
            return
        reply_headers: RawHeaders = [ANY_ORIGIN, identified]
        path = _path(scope)
        headers = header_map(scope)
        if path.startswith(MANAGEMENT) or (
            self.management is not None and self.management.owns(path, headers)
        ):
            status = await self._manage(scope, receive, send, reply_headers)
            self._log(scope, began, status, quiet=method in ("GET", "HEAD"))
            return
        route = match(path)
        if "origin" in headers:
            # Only a browser's script asks which headers it may read.
            reply_headers.append(EXPOSED)
        dialect = route.dialect if route is not None else guess_dialect(path, headers)
        log, entry = self.generation.request_log, None
        if log is not None and route is not None and route.name == "generate":
            query = scope.get("query_string", b"").decode("latin-1")
            entry = log.begin(request_id, method=method, path=path, query=query, headers=headers)
            send = entry.listen(send)
        status, told = LEFT, ""
        try:
            if route is None:
                raise NotFound(  # noqa: TRY301  # answered below like every other refusal
                    f"There is no {method} {path[:200]} here. See GET / for what there is."
                )
            if method not in route.methods:
                raise _wrong_method(route, method, path, headers)  # noqa: TRY301  # likewise
            if route.name == "code_assist":
                raise NotBuilt(  # noqa: TRY301  # likewise
                    f"{path[:200]} is not served; the Code Assist methods here are "
                    "generateContent, streamGenerateContent and countTokens."
                )
            if route.name == "generate":
                status, told = await self._generate(
                    scope,
                    receive,
                    send,
                    route=route,
                    headers=headers,
                    request_id=request_id,
                    reply_headers=reply_headers,
                    entry=entry,
                )
            elif route.name in KEPT:
                body = await self._kept(scope, receive, route, headers)
                await answer(send, 200, body, [*reply_headers, JSON_TYPE], head=method == "HEAD")
                status = 200
            else:
                await self._get(scope, send, route, headers, reply_headers)
                status = 200
        except GatewayError as err:
            status, told = err.status, err.message
            await send_error(send, err, dialect, reply_headers, head=method == "HEAD")
        except bodies.ClientGone:
            status, told = LEFT, "the client went away"
        except Exception:  # noqa: BLE001  # the last boundary: logged, and the client gets an answer
            status = 500
            _log.exception("request %s failed", request_id)
            fault = GatewayError(
                f"The proxy failed on this request; its log has the details under {request_id}."
            )
            await send_error(send, fault, dialect, reply_headers)
        finally:
            if log is not None and entry is not None:
                await log.finish(entry)
            self._log(scope, began, status, told, quiet=path == "/healthz")

    async def _generate(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        route: Route,
        headers: dict[str, str],
        request_id: str,
        reply_headers: RawHeaders,
        entry: Entry | None,
    ) -> tuple[int, str]:
        generation = self.generation
        query = _query(scope)
        client = _client(generation.access, scope, route, headers, query)
        asked = Asked(
            id=request_id,
            route=route,
            client=client,
            method=scope["method"],
            path=_path(scope),
            headers=headers,
            peer=_peer(scope),
            at=self._clock.now(),
            began=self._clock.monotonic(),
        )
        request: Request | None = None
        status = 200

        def over(status: int, error: str = "") -> None:
            self.accounting.over(
                asked,
                request,
                lambda: generation.gateway.registry.accounts,
                now=self._clock.monotonic(),
                status=status,
                error=error,
            )

        async def work(request: Request) -> None:
            answering = compact if route.operation == "compact" else run
            nonlocal status
            reply = await answering(generation.gateway, request)
            status = reply.status
            await send_reply(
                send, reply, reply_headers, dialect=route.dialect, framing=request.framing
            )

        try:
            body = await bodies.receive_body(receive, headers, generation.max_body)
            if entry is not None:
                entry.body = body
            asking = request = _request(asked, query, body)
            request.entry = entry
            self.accounting.begin(asked, request)
            await watching(receive, lambda: work(asking))
        except GatewayError as err:
            over(err.status, err.message)
            raise
        except bodies.ClientGone:
            over(LEFT)
            raise
        except BaseException as err:
            # Our own fault, or the end of this process.
            over(LEFT if isinstance(err, asyncio.CancelledError) else 500, type(err).__name__)
            raise
        over(200)
        return status, _done(request, route) if _access_log.isEnabledFor(logging.INFO) else ""

    def _log(
        self,
        scope: Scope,
        began: float,
        status: int,
        told: str = "",
        *,
        quiet: bool = False,
    ) -> None:
        """Write the line of a request that is over; what only looked around is for debugging."""
        level = logging.DEBUG if quiet and status < 400 else logging.INFO
        if status >= 400 and status != LEFT:
            level = logging.ERROR if status >= 500 else logging.WARNING
        if not _access_log.isEnabledFor(level):
            return
        seconds, path = self._clock.monotonic() - began, _path(scope)[:200].replace('"', "%22")
        line = f'{status} | {seconds:.3f}s | {_peer(scope) or "-"} | {scope["method"]} "{path}"'
        if told:
            # Last: readers take the first number with a unit for the time it took.
            line += f" | {told}"
        say(_access_log, level, line, place="app.py:0", now=self._clock.now())

    async def _manage(
        self, scope: Scope, receive: Receive, send: Send, reply_headers: RawHeaders
    ) -> int:
        """Answer what is not inference; return the status."""
        if self.management is None:
            await answer(send, 404, b"", reply_headers)
            return 404
        status = 0

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()), *reply_headers, MANAGEMENT_EXPOSED
                ]  # fmt: skip
            await send(message)

        try:
            await self.management(scope, receive, tell)
        except Exception:  # noqa: BLE001  # the last boundary, as for all other routes
            _log.exception("a management request failed")
            if not status:
                body = json_body({"error": "internal error; see the log"})
                await answer(send, 500, body, [*reply_headers, JSON_TYPE])
            return 500
        return status or LEFT

    async def _kept(
        self, scope: Scope, receive: Receive, route: Route, headers: dict[str, str]
    ) -> bytes:
        generation = self.generation
        query = _query(scope)
        client = _client(generation.access, scope, route, headers, query)
        asked = stored.Asked(route, scope["method"], client.label, query)
        if asked.method == "POST":
            asked.body = await bodies.receive_body(receive, headers, generation.max_body)
        return stored.serve(generation.gateway.responses, asked)

    async def _get(
        self, scope: Scope, send: Send, route: Route, headers: dict[str, str], reply: RawHeaders
    ) -> None:
        head = scope["method"] == "HEAD"
        if route.name == "health":
            body = json_body({"status": "ok"})
        elif route.name == "root":
            body = json_body(
                {"message": "cliproxy", "version": __version__, "endpoints": list(ENDPOINTS)}
            )
        else:
            generation = self.generation
            query = _query(scope)
            _client(generation.access, scope, route, headers, query)
            body = models.body(generation.gateway.registry, route, headers, query)
        await answer(send, 200, body, [*reply, JSON_TYPE], head=head)


def _request(asked: Asked, query: dict[str, str], body: bytes) -> Request:
    """Read what was asked. Raises `BadRequest`."""
    route, headers = asked.route, asked.headers
    peeked = peek(body)
    model = route.model if route.model is not None else peeked.model
    if model is None and route.dialect == "code-assist" and peeked.request is not UNSET:
        model = peek(bytes(peeked.request)).model
    if not isinstance(model, str) or not model:
        raise BadRequest(
            "The field 'model' is missing or not a string.", param="model", code="missing_model"
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
        pin_provider=route.pin_provider
        or headers.get("x-cliproxy-provider")
        or headers.get("x-provider"),
        pin_account=headers.get("x-cliproxy-account"),
        strict=headers.get("x-cliproxy-fidelity", "").lower() == "strict",
        client=asked.client.label,
        peeked=peeked,
    )


def _wrong_method(route: Route, method: str, path: str, headers: dict[str, str]) -> GatewayError:
    if route.dialect == "openai-responses" and "upgrade" in headers:
        # 426 makes Codex fall back to HTTP at once.
        return NotBuilt(
            "Websockets are not served on this route; use HTTP with stream: true.",
            status=426,
            code="websocket_not_supported",
        )
    allowed = ", ".join(route.methods)
    return MethodNotAllowed(
        f"{method} is not allowed on {path[:200]}; use {allowed}.", headers={"Allow": allowed}
    )


def _stream_flag(value: object) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    raise BadRequest("The field 'stream' must be true or false.", param="stream")


def _path(scope: Scope) -> str:
    # Decoded, so that an encoded slash or colon in a model name means what it says.
    root: str = scope.get("root_path", "")
    path: str = scope["path"]
    return path[len(root) :] if root and path.startswith(root) else path


def _query(scope: Scope) -> dict[str, str]:
    raw: bytes = scope.get("query_string", b"")
    if not raw:
        return {}
    return dict(parse_qsl(raw.decode("latin-1"), keep_blank_values=True))


def _forwarded_query(query: dict[str, str]) -> str:
    return "&".join(f"{k}={v}" for k, v in query.items() if k == "beta" and v.isalnum())


def _client(
    access: Access, scope: Scope, route: Route, headers: dict[str, str], query: dict[str, str]
) -> Client:
    """Return who asks. Raises a `GatewayError` for who may not."""
    peer = _peer(scope)
    check = access.check_code_assist if route.dialect == "code-assist" else access.check
    return check(headers, query, peer=peer, loopback=is_loopback(peer))


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _done(request: Request, route: Route) -> str:
    last = request.attempts[-1] if request.attempts else None
    return (
        f"{request.client} {route.dialect}{' stream' if request.stream else ''} {request.model} "
        f"-> {last.reason if last else 'counted'} on {last.account if last else 'this machine'} "
        f"after {len(request.attempts)} attempt(s)"
    )


async def _refuse_websocket(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    if "websocket.http.response" in scope.get("extensions", {}):
        await send({"type": "websocket.http.response.start", "status": 426, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b""})
        return
    await send({"type": "websocket.close", "code": 1000})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return

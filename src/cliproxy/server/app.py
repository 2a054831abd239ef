"""The ASGI application: one function from scope to answer, readable on one screen.

It mounts into any ASGI server or framework. State that changes with the configuration is one
object, `Generation`, exchanged as a whole; a request keeps the one it began with.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final, Protocol

from msgspec import Struct

from cliproxy import __version__
from cliproxy.base import ids
from cliproxy.base.clock import SYSTEM_CLOCK, Clock
from cliproxy.base.errors import (
    GatewayError,
    MethodNotAllowed,
    NotBuilt,
    NotFound,
)
from cliproxy.observe.logs import REQUEST, say
from cliproxy.observe.request_log import Entry, RequestLog
from cliproxy.pipeline import films
from cliproxy.pipeline.compacting import compact
from cliproxy.pipeline.context import Peeked, Request
from cliproxy.pipeline.gateway import Gateway
from cliproxy.pipeline.run import run
from cliproxy.server import bodies, interaction, models, stored
from cliproxy.server.access import Access
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
from cliproxy.server.asking import client_of, outcome, path_of, peer_of, query_of, read_request
from cliproxy.server.paths import KEPT, Route, guess_dialect, match
from cliproxy.server.peers import Peers
from cliproxy.server.recent import RecentRequests
from cliproxy.server.respond import send_error, send_reply, watching
from cliproxy.server.socket import Sockets, no_websocket, refuse
from cliproxy.server.socket import serve as serve_socket

_log: Final = logging.getLogger(__name__)
_access_log: Final = logging.getLogger("cliproxy.access")

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
ENDPOINTS: Final = (
    "POST /v1/chat/completions",
    "POST /v1/completions",
    "POST /v1/responses",
    "GET /v1/responses (websocket)",
    "POST /v1/responses/compact",
    "POST /v1/responses/input_tokens",
    "POST /v1/alpha/search",
    "GET, DELETE /v1/responses/{id}",
    "GET /v1/responses/{id}/input_items",
    "POST /v1/responses/{id}/cancel",
    "POST /v1/conversations",
    "GET, POST, DELETE /v1/conversations/{id}",
    "GET, POST /v1/conversations/{id}/items",
    "GET, DELETE /v1/conversations/{id}/items/{item}",
    "POST /v1/images/generations",
    "POST /v1/images/edits",
    "POST /v1/videos",
    "POST /v1/videos/generations",
    "POST /v1/videos/edits",
    "POST /v1/videos/extensions",
    "GET /v1/videos/{id}",
    "POST /openai/v1/videos",
    "GET /openai/v1/videos/{id}",
    "GET /openai/v1/videos/{id}/content",
    "POST /v1/messages",
    "POST /v1/messages/count_tokens",
    "POST /v1beta/models/{model}:generateContent",
    "POST /v1beta/models/{model}:streamGenerateContent",
    "POST /v1beta/models/{model}:countTokens",
    "POST /v1internal:generateContent",
    "POST /v1internal:streamGenerateContent",
    "POST /v1internal:countTokens",
    "POST /v1beta/interactions",
    "GET, DELETE /v1beta/interactions/{id}",
    "POST /v1beta/interactions/{id}/cancel",
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
        self.clock = clock
        self.sockets = Sockets()

    @property
    def recent(self) -> RecentRequests:
        """The latest requests."""
        return self.accounting.recent

    @recent.setter
    def recent(self, recent: RecentRequests) -> None:
        self.accounting.recent = recent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request or one websocket, or follow the server's lifespan."""
        if scope["type"] in ("http", "websocket") and (peers := self.generation.peers):
            scope = peers.seen(scope)
        match scope["type"]:
            case "http":
                await self._http(scope, receive, send)
            case "websocket":
                await self._websocket(scope, receive, send)
            case "lifespan":
                await _lifespan(receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the Responses API on a websocket; refuse one on any other route."""
        route = match(path_of(scope))
        if route is not None and route.websocket:
            await serve_socket(self, scope, receive, send, route)
            return
        await receive()
        path = path_of(scope)
        err = (
            NotFound(f"There is no {path[:200]} here. See GET / for what there is.")
            if route is None
            else no_websocket()
        )
        await refuse(scope, send, err, guess_dialect(path, header_map(scope)))

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = self.clock.monotonic()
        request_id = ids.request_id()
        REQUEST.set(request_id)
        identified = (b"x-cliproxy-request-id", request_id.encode())
        method: str = scope["method"]
        if method == "OPTIONS":
            await answer(send, 204, b"", [*PREFLIGHT, identified])
            return
        reply_headers: RawHeaders = [ANY_ORIGIN, identified]
        path = path_of(scope)
        headers = header_map(scope)
        if path.startswith(MANAGEMENT) or (
            self.management is not None and self.management.owns(path, headers)
        ):
            status = await self._manage(scope, receive, send, reply_headers)
            self.log(scope, began, status, quiet=method in ("GET", "HEAD"))
            return
        route = match(path)
        if "origin" in headers:
            # Only a browser's script asks which headers it may read.
            reply_headers.append(EXPOSED)
        dialect = route.errors if route is not None else guess_dialect(path, headers)
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
            elif route.makes == "video":
                await self._film(
                    scope,
                    receive,
                    send,
                    route=route,
                    headers=headers,
                    request_id=request_id,
                    reply_headers=reply_headers,
                )
                status = 200
            elif route.dialect == "interactions":
                about = self._about(scope, route, headers)
                gateway = self.generation.gateway

                async def tell() -> None:
                    told = await interaction.serve(
                        gateway, about, headers, self.accounting.told_late
                    )
                    await send_reply(
                        send, told, reply_headers, dialect="interactions", framing="sse"
                    )

                await watching(receive, tell)
                status = 200
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
            self.log(scope, began, status, told, quiet=path == "/healthz")

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
        query = query_of(scope)
        client = client_of(generation.access, scope, route, headers, query)
        asked = Asked(
            id=request_id,
            route=route,
            client=client,
            method=scope["method"],
            path=path_of(scope),
            headers=headers,
            peer=peer_of(scope),
            at=self.clock.now(),
            began=self.clock.monotonic(),
        )
        request: Request | None = None
        status = 200

        def over(status: int, error: str = "") -> None:
            self.accounting.over(
                asked,
                request,
                lambda: generation.gateway.registry.accounts,
                now=self.clock.monotonic(),
                status=status,
                error=error,
            )

        async def work(request: Request) -> None:
            answering = compact if route.operation == "compact" else run
            if route.makes == "video":
                answering = films.begin
            nonlocal status
            reply = await answering(generation.gateway, request)
            status = reply.status
            await send_reply(
                send, reply, reply_headers, dialect=route.dialect, framing=request.framing
            )

        try:
            limit = generation.max_body
            if route.operation == "search":
                limit = min(limit, bodies.MOST_SEARCHED)
            body = await bodies.receive_body(receive, headers, limit)
            if entry is not None:
                entry.body = body
            asking = request = read_request(asked, query, body)
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
        return status, outcome(request, route) if _access_log.isEnabledFor(logging.INFO) else ""

    def log(
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
        seconds, path = self.clock.monotonic() - began, path_of(scope)[:200].replace('"', "%22")
        line = f'{status} | {seconds:.3f}s | {peer_of(scope) or "-"} | {scope["method"]} "{path}"'
        if told:
            # Last: readers take the first number with a unit for the time it took.
            line += f" | {told}"
        say(_access_log, level, line, place="app.py:0", now=self.clock.now())

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

    def _about(self, scope: Scope, route: Route, headers: dict[str, str]) -> stored.Asked:
        """Return who asks for what is kept. Raises a `GatewayError` for who may not."""
        query = query_of(scope)
        client = client_of(self.generation.access, scope, route, headers, query)
        return stored.Asked(route, scope["method"], client.mark, query)

    async def _kept(
        self, scope: Scope, receive: Receive, route: Route, headers: dict[str, str]
    ) -> bytes:
        generation = self.generation
        asked = self._about(scope, route, headers)
        if asked.method == "POST":
            asked.body = await bodies.receive_body(receive, headers, generation.max_body)
        return stored.serve(generation.gateway.responses, asked)

    async def _film(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        route: Route,
        headers: dict[str, str],
        request_id: str,
        reply_headers: RawHeaders,
    ) -> None:
        """Tell how far a film is, or give it. Clients ask every few seconds: it leaves no row."""
        gateway = self.generation.gateway
        query = query_of(scope)
        client = client_of(self.generation.access, scope, route, headers, query)
        request = Request(
            id=request_id,
            dialect_id=route.dialect,
            operation="poll",
            body=b"",
            headers=headers,
            model="",
            stream=False,
            model_in_path=True,
            makes=route.makes,
            resource=route.resource or "",
            client=client.mark,
            peeked=Peeked(),
        )

        async def work() -> None:
            head = scope["method"] == "HEAD"
            if route.name == "film":
                reply = await films.told(gateway, request, head=head)
            else:
                variant = query.get("variant", "")
                reply = await films.content(gateway, request, variant, head=head)
            if head:
                kind = (b"content-type", reply.content_type.encode())
                # How large a film is is known when it was fetched.
                body = reply.body if route.name == "film" else None
                await answer(send, reply.status, body, [*reply_headers, kind], head=True)
                return
            await send_reply(send, reply, reply_headers, dialect=route.dialect)

        await watching(receive, work)

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
            query = query_of(scope)
            client_of(generation.access, scope, route, headers, query)
            body = models.body(generation.gateway.registry, route, headers, query)
        await answer(send, 200, body, [*reply, JSON_TYPE], head=head)


def _wrong_method(route: Route, method: str, path: str, headers: dict[str, str]) -> GatewayError:
    if route.dialect == "openai-responses" and "upgrade" in headers:
        # The server around this application does not speak the protocol.
        return no_websocket()
    allowed = ", ".join(route.methods)
    return MethodNotAllowed(
        f"{method} is not allowed on {path[:200]}; use {allowed}.", headers={"Allow": allowed}
    )


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return

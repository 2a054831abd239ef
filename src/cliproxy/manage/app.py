"""The Starlette application behind the door (`door.py`), made from tables of endpoints."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from cliproxy.base.errors import GatewayError
from cliproxy.config.edit import NotEditable
from cliproxy.config.tree import NotYaml
from cliproxy.manage import (
    accounts,
    ampcode,
    api_call,
    auth_files,
    config_file,
    lists,
    logs,
    maps,
    misc,
    oauth,
    openapi,
    panel,
    scalars,
    shapes,
    usage_table,
    vertex,
)
from cliproxy.manage.control import Control, NotSaved, NotUsable
from cliproxy.manage.door import ASSETS, LANDINGS, PAGE, PREFIX
from cliproxy.manage.web import Endpoint, reply
from cliproxy.server import bodies
from cliproxy.server.gate import Refused

_log: Final = logging.getLogger(__name__)
ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    *config_file.ROUTES,
    *scalars.ROUTES,
    *lists.ROUTES,
    *maps.ROUTES,
    *auth_files.ROUTES,
    *vertex.ROUTES,
    *oauth.ROUTES,
    *logs.ROUTES,
    *api_call.ROUTES,
    *accounts.ROUTES,
    *misc.ROUTES,
    *ampcode.ROUTES,
    *usage_table.ROUTES,
)


def application(control: Control) -> Starlette:
    """Return the application without its gate."""
    made = openapi.document([*ENDPOINTS, _OPENAPI])
    routes: list[BaseRoute] = [_route(e.address, e.handler, e.method) for e in ENDPOINTS]
    routes += [
        _route(f"{PREFIX}/openapi.json", openapi.serve(made), "GET"),
        *(_route(path, oauth.landing, "GET") for path in LANDINGS),
        _route(PAGE, panel.page, "GET"),
        _route(f"{ASSETS}{{path:path}}", panel.asset, "GET"),
        _route("/", panel.home, "GET"),
    ]
    app = Starlette(routes=_joined(routes), exception_handlers=_HANDLERS)
    app.router.redirect_slashes = False
    app.state.control = control
    app.state.documents = config_file.Documents()
    return app


_OPENAPI: Final = Endpoint(
    "GET", "/openapi.json", openapi.serve({}), "This document.", shapes.OBJECT
)


def _route(path: str, handler: Any, method: str) -> Route:
    return Route(path, handler, methods=[method])


def _joined(routes: Sequence[BaseRoute]) -> list[BaseRoute]:
    """Put the methods of one path together, so that others are refused by name."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        assert isinstance(route, Route)
        for method in route.methods or ():
            paths.setdefault(route.path, {}).setdefault(method, route.endpoint)
    # A fixed path is found before one with a place in it.
    ordered = sorted(paths.items(), key=lambda item: "{" in item[0])
    return [Route(path, _by_method(found), methods=list(found)) for path, found in ordered]


def _by_method(handlers: dict[str, Any]) -> Any:
    async def handle(request: Request) -> Response:
        try:
            response: Response = await handlers[request.method](request)
        except tuple(_HANDLERS):
            raise
        except Exception:  # noqa: BLE001  # the last boundary
            _log.exception("%s %s failed", request.method, request.url.path)
            return reply({"error": "internal error; see the log"}, 500)
        return response

    return handle


# ---- refusals -----------------------------------------------------------------------------------
async def _refused(request: Request, err: Exception) -> Response:  # noqa: ARG001
    assert isinstance(err, Refused)
    return reply(getattr(err, "body", {"error": err.error}), err.status)


async def _gateway(request: Request, err: Exception) -> Response:  # noqa: ARG001
    assert isinstance(err, GatewayError)
    return reply({"error": err.code or err.kind, "message": err.message}, err.status)


async def _http(request: Request, err: Exception) -> Response:
    assert isinstance(err, HTTPException)
    if err.status_code == 404:
        return Response(b"", 404)
    headers = dict(err.headers or {})
    if err.status_code == 405:
        told = f"{request.method} is not allowed here; use {headers.get('Allow', '')}."
        return reply({"error": "method not allowed", "message": told}, 405, headers)
    return reply({"error": str(err.detail)}, err.status_code, headers)


async def _not_usable(request: Request, err: Exception) -> Response:  # noqa: ARG001
    return reply({"error": "invalid_config", "message": str(err)}, 422)


async def _not_saved(request: Request, err: Exception) -> Response:  # noqa: ARG001
    return reply({"error": f"failed to save config: {err}"}, 500)


async def _not_editable(request: Request, err: Exception) -> Response:  # noqa: ARG001
    told = f"The configuration file cannot be changed this way: {err}. Edit it as a whole."
    return reply({"error": "not_editable", "message": told}, 409)


async def _gone(request: Request, err: Exception) -> Response:  # noqa: ARG001
    return Response(b"", 499)  # nobody reads it


_HANDLERS: Final[dict[Any, Any]] = {
    Refused: _refused,
    GatewayError: _gateway,
    HTTPException: _http,
    NotUsable: _not_usable,
    NotSaved: _not_saved,
    NotEditable: _not_editable,
    NotYaml: _not_editable,
    ClientDisconnect: _gone,
    bodies.ClientGone: _gone,
}

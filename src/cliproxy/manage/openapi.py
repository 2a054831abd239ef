"""The OpenAPI document of the management API, made from the same tables as its routes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from cliproxy import __version__
from cliproxy.base.json import Obj
from cliproxy.config import schema
from cliproxy.config.schema import Config
from cliproxy.manage import shapes
from cliproxy.manage.web import Endpoint, Schema, reply

_INDEXED: Final = frozenset({"Entry", "Compat", "KeyEntry"})
_AS_WRITTEN: Final = _INDEXED | {"Model", "Thinking"}
"""Sections that are shown as they stand in the file."""
_PLACE: Final = re.compile(r"\{(\w+)(?::\w+)?\}")
_ALWAYS: Final = {
    400: "The request is at fault.",
    401: "The key is missing or wrong.",
    403: "The address may not, or not now.",
    404: "It is not there.",
    409: "It cannot be done as things are.",
    412: "It was changed meanwhile.",
    413: "The body is too large.",
    422: "The configuration cannot be used.",
    429: "Too often.",
    500: "It could not be written.",
    501: "It is not built.",
    502: "The provider gave no answer.",
    503: "There is nobody to do it.",
}
_EVERY: Final = (400, 401, 403, 413)
_CHANGES: Final = (409, 422, 500, 503)
_SCHEMES: Final = {
    "key": {"type": "http", "scheme": "bearer"},
    "header": {"type": "apiKey", "in": "header", "name": "X-Management-Key"},
}


def document(endpoints: Iterable[Endpoint]) -> Obj:
    """Return the document of some tables."""
    paths: dict[str, Obj] = {}
    for endpoint in endpoints:
        path = re.sub(r":\w+}", "}", endpoint.address)
        paths.setdefault(path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {"title": "cliproxy management API", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": {**_config_schemas(), **shapes.NAMED},
            "securitySchemes": _SCHEMES,
        },
        "security": [{name: []} for name in _SCHEMES],
    }


def serve(made: Obj) -> Any:
    """Return a handler that gives the document."""

    async def get(request: Request) -> Response:  # noqa: ARG001  # the same for everybody
        """Return this document."""
        return reply(made)

    return get


def _operation(endpoint: Endpoint) -> Obj:
    parameters: list[Obj] = [
        {"name": name, "in": "path", "required": True, "schema": shapes.TEXT}
        for name in _PLACE.findall(endpoint.path)
    ]
    parameters += [
        {"name": name, "in": "query", "description": told, "schema": shapes.TEXT}
        for name, told in endpoint.query.items()
    ]
    if 412 in endpoint.refuses:
        told = "The `ETag` of what was read: refused when it is another by now."
        parameters.append(
            {"name": "If-Match", "in": "header", "description": told, "schema": shapes.TEXT}
        )
    changes: tuple[int, ...] = _CHANGES if endpoint.method != "GET" else (500, 503)
    if not endpoint.served:
        changes = (501,)
    statuses = dict.fromkeys(sorted({*_EVERY, *changes, *endpoint.refuses}))
    responses: Obj = {
        str(status): {"description": _ALWAYS[status], "content": _json(shapes.ref("Error"))}
        for status in statuses
    }
    if endpoint.served:
        responses["200"] = {"description": "Done.", "content": _content(endpoint)}
    if endpoint.path == "/auth-files" and endpoint.method != "GET":
        responses["207"] = {"description": "Done in part.", "content": _content(endpoint)}
    if "404" not in responses:
        responses["404"] = {"description": "There is no management API without a key."}
    operation: Obj = {
        "operationId": _name(endpoint),
        "summary": endpoint.summary,
        "responses": dict(sorted(responses.items())),
    }
    if parameters:
        operation["parameters"] = parameters
    if endpoint.body is not None:
        content = {endpoint.body_type: {"schema": endpoint.body}}
        if endpoint.path in ("/auth-files", "/vertex/import"):
            file = {"type": "string", "contentMediaType": "application/octet-stream"}
            content["multipart/form-data"] = {"schema": shapes.obj({"file": file})}
        operation["requestBody"] = {"required": True, "content": content}
    if endpoint.open:
        operation["security"] = []
    return operation


def _content(endpoint: Endpoint) -> Obj:
    if endpoint.answer is not None:
        return _json(endpoint.answer)
    return {endpoint.answer_type: {"schema": shapes.TEXT}}


def _json(inner: Schema) -> Obj:
    return {"application/json": {"schema": inner}}


def _name(endpoint: Endpoint) -> str:
    words = re.split(r"[^A-Za-z0-9]+", _PLACE.sub(r"by \1", endpoint.path))
    return endpoint.method.lower() + "".join(word.title() for word in words if word)


def _config_schemas() -> dict[str, Schema]:
    """Return the sections of the configuration, as `GET /config` shows them."""
    _, found = msgspec.json.schema_components(
        [Config, schema.Entry, schema.Compat], ref_template="#/components/schemas/{name}"
    )
    out: dict[str, Schema] = {}
    for name, made in found.items():
        out[name] = {k: v for k, v in made.items() if k != "description"} | {"type": "object"}
        if name in _INDEXED:
            # What stands in the file: whatever has a default may be left out.
            out[name]["properties"] = {**made["properties"], "auth-index": shapes.TEXT}
    for name in ("host", "port", "auth-dir", "remote-management", "oauth-clients"):
        out["Config"]["properties"].pop(name, None)
    out.pop("RemoteManagement", None)
    for name, made in out.items():
        if name not in _AS_WRITTEN:
            # The answer tells every setting, also those that are as usual.
            made["required"] = list(made["properties"])
    _plain(out)
    return out


def _plain(value: Any) -> None:
    """Leave defaults out of schemas: they are of the file, not of the answer."""
    if isinstance(value, dict):
        value.pop("default", None)
        for inner in value.values():
            _plain(inner)
    elif isinstance(value, list):
        for inner in value:
            _plain(inner)

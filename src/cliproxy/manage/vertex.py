"""Bringing the key file of a service account."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cliproxy.base import json
from cliproxy.base.json import Json
from cliproxy.login.flow import Problem
from cliproxy.manage import shapes
from cliproxy.manage.credentials import keeper_of, path_of
from cliproxy.manage.web import OK, Endpoint, Fault, control_of, reply
from cliproxy.server.gate import Refused


async def import_vertex(request: Request) -> Response:
    """Keep the key file of a service account."""
    from cliproxy.login import vertex  # noqa: PLC0415  # its cryptography is needed only here

    keeper = keeper_of(request)
    data, options = await _key_file(request)
    try:
        json.loads(data)
    except json.InvalidJson as err:
        raise Fault(400, "invalid json", str(err)) from None
    try:
        new = vertex.imported(data, **options)
    except Problem as err:
        if "project_id" in err.message:
            raise Refused(400, "project_id missing") from None
        raise Fault(400, "invalid service account", err.message) from None
    try:
        credential = await keeper.add(new)
    except OSError as err:
        raise Fault(500, "save_failed", str(err.strerror)) from None
    except ValueError as err:
        raise Fault(400, "invalid service account", str(err)) from None
    path = path_of(control_of(request), credential)
    shown = {name: credential.text(name) for name in ("project_id", "email", "location")}
    return reply({**OK, "auth-file": str(path or credential.name), **shown})


async def _key_file(request: Request) -> tuple[bytes, dict[str, str]]:
    query = {k: v for k in ("location", "prefix") if (v := request.query_params.get(k, ""))}
    if "multipart/form-data" not in request.headers.get("content-type", "").lower():
        return _bare_key_file(await request.body(), query)
    try:
        async with request.form(max_files=4) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise Refused(400, "file required")
            texts = {k: form.get(k) for k in ("location", "prefix")}
            given = {k: v for k, v in texts.items() if isinstance(v, str)}
            return await file.read(), {**query, **given}
    except HTTPException as err:
        raise Refused(400, f"failed to read file: {err.detail}") from None


def _bare_key_file(raw: bytes, query: dict[str, str]) -> tuple[bytes, dict[str, str]]:
    """Read what clients send instead of a form: the file itself, or an object that holds it."""
    body = json.loads_object(raw)
    if body is None:
        raise Refused(400, "file required")
    inner: Json = body.get("key", body.get("file"))
    if "private_key" in body or inner is None:
        return raw, query
    given = {k: v for k in ("location", "prefix") if isinstance(v := body.get(k), str)}
    data = inner.encode("utf-8", "replace") if isinstance(inner, str) else json.dumps(inner)
    return data, {**query, **given}


ROUTES: Final = [
    Endpoint("POST", "/vertex/import", import_vertex, "Bring a service account's key file.",
             shapes.obj({"status": shapes.TEXT, "auth-file": shapes.TEXT,
                         "project_id": shapes.TEXT, "email": shapes.TEXT,
                         "location": shapes.TEXT}), shapes.OBJECT),
]  # fmt: skip

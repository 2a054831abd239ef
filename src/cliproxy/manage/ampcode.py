"""The `ampcode` section of the configuration, key by key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from cliproxy.base import json
from cliproxy.base.json import Json, Obj, text_in
from cliproxy.manage import shapes
from cliproxy.manage.document import Document, put
from cliproxy.manage.web import Endpoint, Handler, change, control_of, object_of, reply, written
from cliproxy.server.gate import Refused

NAME: Final = "ampcode"
_DEFAULTS: Final[Obj] = {
    "upstream-url": "",
    "upstream-api-key": "",
    "upstream-api-keys": [],
    "restrict-management-to-localhost": False,
    "model-mappings": [],
    "force-model-mappings": False,
}


async def get_all(request: Request) -> Response:
    """Return the whole section."""
    shown = _section(request)
    return reply({NAME: shown, "value": shown})


def _section(request: Request) -> Obj:
    shown = request.app.state.documents.get(control_of(request)).shown(NAME)
    return {**_DEFAULTS, **(shown if isinstance(shown, dict) else {})}


def _get(key: str) -> Handler:
    async def get(request: Request) -> Response:
        value = _section(request)[key]
        return reply({key: value, "value": value})

    return get


def _set(key: str, kind: type) -> Handler:
    async def write(request: Request) -> Response:
        value = (await object_of(request)).get("value")
        if type(value) is not kind:
            raise Refused(400, "invalid body")
        done = value.strip() if isinstance(value, str) else value
        return await _write(request, key, lambda _: done)

    return write


def _clear(key: str) -> Handler:
    async def clear(request: Request) -> Response:
        return await _write(request, key, lambda _: "")

    return clear


def _mapping(item: Json) -> Obj | None:
    if not isinstance(item, dict):
        raise Refused(400, "invalid body")
    found: Obj = {"from": text_in(item, "from"), "to": text_in(item, "to")}
    if item.get("regex") is True:
        found["regex"] = True
    return found if found["from"] and found["to"] else None


def _upstream_key(item: Json) -> Obj | None:
    if not isinstance(item, dict):
        raise Refused(400, "invalid body")
    keys = item.get("api-keys") or []
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise Refused(400, "invalid body")
    key = text_in(item, "upstream-api-key")
    kept = [k.strip() for k in keys if k.strip()]
    return {"upstream-api-key": key, "api-keys": kept} if key else None


class _Rows:
    """A list of objects, each known by one of its fields."""

    def __init__(self, key: str, field: str, normal: Callable[[Json], Obj | None]) -> None:
        self._key, self._field, self._normal = key, field, normal
        self._spellings = (field, field.replace("-", "_"))

    async def replace(self, request: Request) -> Response:
        """Replace all rows."""
        rows = await self._rows(request)
        return await _write(request, self._key, lambda _: rows)

    async def merge(self, request: Request) -> Response:
        """Replace rows of the same name, and add the others."""
        rows = await self._rows(request, single=True)

        def change(now: Json) -> Json:
            kept = {str(row.get(self._field)): row for row in _objects(now)}
            return list({**kept, **{row[self._field]: row for row in rows}}.values())

        return await _write(request, self._key, change)

    async def delete(self, request: Request) -> Response:
        """Remove rows by name; an empty list removes all."""
        raw = (await request.body()).strip()
        try:
            body = json.loads(raw) if raw else {}
        except json.InvalidJson:
            raise Refused(400, "invalid body") from None
        if isinstance(body, dict) and "value" not in body and text_in(body, *self._spellings):
            body = {"value": [text_in(body, *self._spellings)]}
        if not isinstance(body, dict) or "value" not in body:
            # A body that means something else must not be taken for "all of them".
            if self._key == "model-mappings" and body == {}:
                return await _write(request, self._key, lambda _: [])
            raise Refused(400, "missing value")
        value = body["value"]
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise Refused(400, "invalid body")
        names = {v.strip() for v in value if v.strip()}
        if value and not names:
            raise Refused(400, "empty value")

        def change(now: Json) -> Json:
            return [r for r in _objects(now) if value and str(r.get(self._field)) not in names]

        return await _write(request, self._key, change)

    async def _rows(self, request: Request, *, single: bool = False) -> list[Obj]:
        body = await object_of(request)
        value = body.get("value")
        if single and value is None and text_in(body, *self._spellings):
            # One row, bare.
            value = [{name.replace("_", "-"): inner for name, inner in body.items()}]
        if not isinstance(value, list):
            raise Refused(400, "invalid body")
        return [row for item in value if (row := self._normal(item)) is not None]


def _objects(value: Json) -> list[Obj]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


async def _write(request: Request, key: str, made: Callable[[Json], Json]) -> Response:
    def edit(text: str) -> str:
        shown = Document(text).shown(NAME)
        section: Obj = dict(shown) if isinstance(shown, dict) else {}
        section[key] = made(section.get(key))
        return put(text, NAME, section)

    return written(await change(request, edit))


def _endpoints() -> list[Endpoint]:
    done = shapes.ref("Status")
    rows = [
        Endpoint("GET", f"/{NAME}", get_all, "The section `ampcode`.",
                 shapes.obj({NAME: shapes.OBJECT})),
    ]  # fmt: skip
    for key, kind in (
        ("upstream-url", str),
        ("upstream-api-key", str),
        ("restrict-management-to-localhost", bool),
        ("force-model-mappings", bool),
    ):
        shape = shapes.TEXT if kind is str else shapes.FLAG
        path, what = f"/{NAME}/{key}", f"The key `{key}` of `ampcode`."
        rows.append(Endpoint("GET", path, _get(key), what, shapes.obj({key: shape})))
        rows += [
            Endpoint(
                m, path, _set(key, kind), what, done, shapes.obj({"value": shape}), refuses=(412,)
            )
            for m in ("PUT", "PATCH")
        ]
        if kind is str:
            rows.append(Endpoint("DELETE", path, _clear(key), what, done, refuses=(412,)))
    for table, key in (
        (_Rows("model-mappings", "from", _mapping), "model-mappings"),
        (_Rows("upstream-api-keys", "upstream-api-key", _upstream_key), "upstream-api-keys"),
    ):
        path, what = f"/{NAME}/{key}", f"The list `{key}` of `ampcode`."
        shape = shapes.items(shapes.OBJECT)
        body = shapes.obj({"value": shape})
        rows += [
            Endpoint("GET", path, _get(key), what, shapes.obj({key: shape})),
            Endpoint("PUT", path, table.replace, what, done, body, refuses=(412,)),
            Endpoint("PATCH", path, table.merge, what, done, body, refuses=(412,)),
            Endpoint("DELETE", path, table.delete, what, done, refuses=(412,)),
        ]
    return rows


ROUTES: Final = _endpoints()

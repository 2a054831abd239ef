"""Settings by provider: models that logins do not serve, their aliases, rules for their errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from cliproxy.base.json import Json, Obj, text_in
from cliproxy.manage import shapes
from cliproxy.manage.document import Document, put
from cliproxy.manage.entries import patterns
from cliproxy.manage.web import (
    Endpoint,
    body_of,
    change,
    control_of,
    loose_object,
    named,
    object_of,
    reply,
    written,
)
from cliproxy.server.gate import Refused

_ONE: Final = ("model", "name", "alias")
"""What a body that removes one value of a key calls it."""


class Setting(Struct, frozen=True):
    """One map: its name, what its keys and values are called, and how values are put in order."""

    name: str
    keys: tuple[str, ...]
    """What a key is called in bodies and queries; the first one in messages."""
    values: str
    normal: Callable[[Json], list[Json]]
    shape: shapes.Schema


def _excluded(value: Json) -> list[Json]:
    return list(patterns(_strings(value)))


def _aliases(value: Json) -> list[Json]:
    found: list[Json] = []
    taken: set[str] = set()
    for item in _objects(value):
        name, alias = text_in(item, "name"), text_in(item, "alias")
        if not name or not alias or name.lower() == alias.lower() or alias.lower() in taken:
            continue
        taken.add(alias.lower())
        entry: Obj = {"name": name, "alias": alias}
        if shown := text_in(item, "display-name", "display_name"):
            entry["display-name"] = shown
        entry |= {
            flag: True
            for flag in ("fork", "force-mapping")
            if _flag(item.get(flag, item.get(flag.replace("-", "_"))))
        }
        found.append(entry)
    return found


def _rules(value: Json) -> list[Json]:
    found: list[Json] = []
    for item in _objects(value):
        status, action = item.get("status"), text_in(item, "action")
        if type(status) is not int:
            raise Refused(400, "invalid body")
        match = [v for v in _strings(item.get("match") or []) if v]
        regexes = [v for v in _strings(item.get("match-regexr") or []) if v]
        if status <= 0 or not action or not (match or regexes):
            continue
        rule: Obj = {"status": status}
        if match:
            rule["match"] = match
        if regexes:
            rule["match-regexr"] = regexes
        found.append({**rule, "action": action})
    return found


SETTINGS: Final = (
    Setting("oauth-excluded-models", ("provider",), "models", _excluded,
            shapes.items(shapes.TEXT)),
    Setting("oauth-model-alias", ("channel", "provider"), "aliases", _aliases,
            shapes.items(shapes.obj({"name": shapes.TEXT, "alias": shapes.TEXT},
                                    optional={"fork": shapes.FLAG, "display-name": shapes.TEXT,
                                              "force-mapping": shapes.FLAG}))),
    Setting("oauth-request-scoped-errors", ("channel", "provider"), "rules", _rules,
            shapes.items(shapes.obj({"status": shapes.WHOLE, "action": shapes.TEXT},
                                    optional={"match": shapes.items(shapes.TEXT),
                                              "match-regexr": shapes.items(shapes.TEXT)}))),
)  # fmt: skip


def _endpoints(setting: Setting) -> list[Endpoint]:
    name = setting.name

    async def get(request: Request) -> Response:
        document = request.app.state.documents.get(control_of(request))
        shown = document.shown(name)
        value = _lowered(shown) if isinstance(shown, dict) else {}
        return reply({name: value, "value": value}, headers=named(document.text))

    async def replace(request: Request) -> Response:
        body = await body_of(request)
        if isinstance(body, dict) and set(body) == {"items"} and isinstance(body["items"], dict):
            body = body["items"]
        if body is None:
            body = {}
        if not isinstance(body, dict):
            raise Refused(400, "invalid body")
        wanted = {
            key.strip().lower(): values
            for key, value in body.items()
            if key.strip() and (values := setting.normal(value))
        }
        return await _write(request, lambda _: wanted)

    async def patch(request: Request) -> Response:
        body = await object_of(request)
        key = text_in(body, *setting.keys).lower()
        if not key:
            raise Refused(400, f"invalid {setting.keys[0]}")
        values = setting.normal(body.get(setting.values) or [])

        def patched(now: Obj) -> Obj:
            if values:
                return {**now, key: values}
            return _without(now, key)

        return await _write(request, patched)

    async def delete(request: Request) -> Response:
        key, one = text_in(request.query_params, *setting.keys).lower(), ""
        if not key:
            body = await loose_object(request)
            key = text_in(body, *setting.keys, "channel").lower()
            one = text_in(body, *_ONE)
        if not key:
            raise Refused(400, f"missing {setting.keys[0]}")

        def left(now: Obj) -> Obj:
            rest = _others(now.get(key), one) if one else []
            return {**now, key: rest} if rest and key in now else _without(now, key)

        return await _write(request, left)

    def _without(now: Obj, key: str) -> Obj:
        if key not in now:
            raise Refused(404, f"{setting.keys[0]} not found")
        return {k: v for k, v in now.items() if k != key}

    async def _write(request: Request, made: Callable[[Obj], Obj]) -> Response:
        def edit(text: str) -> str:
            shown = Document(text).shown(name)
            after = made(_lowered(shown) if isinstance(shown, dict) else {})
            return put(text, name, after or None)

        return written(await change(request, edit))

    shape = shapes.mapping(setting.shape)
    done, what = shapes.ref("Written"), f"The map `{name}` of the configuration."
    body = shapes.obj({setting.keys[0]: shapes.TEXT, setting.values: setting.shape})
    query = dict.fromkeys(setting.keys, "Which one.")
    return [
        Endpoint("GET", f"/{name}", get, what, shapes.obj({name: shape, "value": shape})),
        Endpoint("PUT", f"/{name}", replace, what, done, shape, refuses=(412,)),
        Endpoint("PATCH", f"/{name}", patch, what, done, body, refuses=(404, 412)),
        Endpoint("DELETE", f"/{name}", delete, what, done, None, query, refuses=(404, 412)),
    ]


def _others(values: Json, one: str) -> list[Json]:
    """Return the values of a key but one. Raises `Refused` when it is not there."""
    known = values if isinstance(values, list) else []
    kept = [
        value
        for value in known
        if one.lower() not in (str(name).strip().lower() for name in _names(value))
    ]
    if len(kept) == len(known):
        raise Refused(404, f"{one[:100]} not found")
    return kept


def _names(value: Json) -> list[Json]:
    return [value.get("name"), value.get("alias")] if isinstance(value, dict) else [value]


def _lowered(value: Obj) -> Obj:
    return {k.strip().lower(): v for k, v in value.items()}


def _strings(value: Json) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Refused(400, "invalid body")
    return value


def _objects(value: Json) -> list[Obj]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Refused(400, "invalid body")
    return value


def _flag(value: Json) -> bool:
    if not isinstance(value, bool | None):
        raise Refused(400, "invalid body")
    return bool(value)


ROUTES: Final = [row for setting in SETTINGS for row in _endpoints(setting)]

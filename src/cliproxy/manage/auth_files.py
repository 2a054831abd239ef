"""Credential files: listed, brought, taken away, switched on and off, edited."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cliproxy.account.credential import Credential
from cliproxy.account.model import Account
from cliproxy.base import json
from cliproxy.base.json import Obj, text_in
from cliproxy.keeper.keeper import Keeper, refreshable
from cliproxy.manage import shapes
from cliproxy.manage.auth_fields import changes_of
from cliproxy.manage.config_keys import toggle
from cliproxy.manage.control import Control
from cliproxy.manage.credentials import (
    accounts_of,
    by_index,
    by_name,
    date,
    index_of_account,
    index_of_file,
    keeper_of,
    listed,
    path_of,
    state_of,
)
from cliproxy.manage.web import (
    OK,
    Endpoint,
    Fault,
    attachment,
    control_of,
    etag,
    expect,
    loose_object,
    object_of,
    reply,
    written,
)
from cliproxy.server.gate import Refused

_DRIVE: Final = re.compile(r"^[A-Za-z]:")
_ALL: Final = frozenset({"true", "1", "*"})
_LONGEST: Final = 200
_FILES: Final = 1000


async def list_files(request: Request) -> Response:
    """Return all credential files, or the one asked for."""
    control, query = control_of(request), request.query_params
    found = control.keeper.credentials() if control.keeper else []
    if name := query.get("name", "").strip():
        found = [c for c in found if name in (c.name, c.name.rpartition("/")[2])]
    if index := query.get("auth_index", "").strip():
        found = [c for c in found if index_of_file(control, c) == index]
    # Rests are counted down from this moment.
    observed = date(control.clock.now())
    return reply({"files": listed(control, found), "observed_at": observed})


async def models_of(request: Request) -> Response:
    """Return the models that are served by a credential."""
    control = control_of(request)
    name = text_in(request.query_params, "name", "filename")
    if not name:
        raise Refused(400, "name is required")
    credential = by_name(control, name)
    models = _models(control, accounts_of(control, credential)) if credential is not None else []
    return reply({"models": models})


def _models(control: Control, accounts: list[Account]) -> list[Obj]:
    registry, found = control.gateway.registry, []
    for model in registry.list_models():
        if any(registry.serving(model.id, account=account.id) for account in accounts):
            entry = {"id": model.id, "display_name": model.display_name, "type": model.type,
                     "owned_by": model.owned_by}  # fmt: skip
            found.append({k: v for k, v in entry.items() if v})
    return found


async def download(request: Request) -> Response:
    """Return a file as it is."""
    control = control_of(request)
    name = _name_of(text_in(request.query_params, "name", "filename"))
    if not name.lower().endswith(".json"):
        raise Refused(400, "name must end with .json")
    credential = by_name(control, name)
    if credential is None:
        raise Refused(404, "file not found")
    try:
        data = _content(control, credential)
    except FileNotFoundError:
        raise Refused(404, "file not found") from None
    except OSError as err:
        raise Refused(500, f"failed to read file: {err.strerror}") from None
    answer = attachment(data, name, "application/json")
    answer.headers["ETag"] = etag(data)
    return answer


def _content(control: Control, credential: Credential) -> bytes:
    """Return what a login's file holds. Raises `OSError`."""
    path = path_of(control, credential)
    return json.dumps(credential.fields) if path is None else path.read_bytes()


def _expect(request: Request, credential: Credential | None) -> None:
    """Refuse a change of a login that is not what the client has seen. Raises `Refused`."""
    if "if-match" not in request.headers:
        return
    try:
        now = b"" if credential is None else _content(control_of(request), credential)
    except OSError:
        now = b""
    expect(request, now)


async def upload(request: Request) -> Response:
    """Keep the files of a form, or a raw body under `?name=`."""
    keeper = keeper_of(request)
    if "multipart/form-data" not in request.headers.get("content-type", "").lower():
        name = _name_of(text_in(request.query_params, "name", "filename"))
        if not name.lower().endswith(".json"):
            raise Refused(400, "name must end with .json")
        data = await request.body()
        _expect(request, by_name(control_of(request), name))
        await _keep(keeper, name, data)
        return reply(OK)
    files = await _form_files(request)
    if not files:
        raise Refused(400, "no files uploaded")
    done: list[str] = []
    failed: list[Obj] = []
    for given, data in files:
        name = given.replace("\\", "/").rpartition("/")[2]
        try:
            if not name.lower().endswith(".json"):
                raise Refused(400, "file must be .json")  # noqa: TRY301  # told below
            await _keep(keeper, _name_of(name), data)
        except Refused as err:
            if len(files) == 1:
                raise
            failed.append({"name": name, "error": err.error})
        else:
            done.append(name)
    if len(files) == 1:
        return reply(OK)
    return _batch("uploaded", done, failed)


async def _form_files(request: Request) -> list[tuple[str, bytes]]:
    try:
        async with request.form(max_files=_FILES, max_fields=_FILES) as form:
            return [
                (value.filename or "", await value.read())
                for _, value in form.multi_items()
                if isinstance(value, UploadFile)
            ]
    except HTTPException as err:
        raise Refused(400, f"invalid multipart form: {err.detail}") from None


async def _keep(keeper: Keeper, name: str, data: bytes) -> None:
    try:
        fields = json.loads(data)
    except json.InvalidJson as err:
        raise Refused(400, f"invalid auth file: {err}") from None
    if not isinstance(fields, dict) or not _sound(fields):
        raise Refused(400, "invalid auth file: it must hold a JSON object")
    if not isinstance(fields.get("type"), str) or not fields["type"].strip():
        raise Refused(400, "invalid auth file: it has no type")
    if fields["type"] == "service_account":
        raise Refused(400, "invalid auth file: import a service account at /vertex/import")
    try:
        await keeper.save(name, fields)
    except OSError as err:
        raise Refused(500, f"failed to write file: {err.strerror}") from None


def _sound(fields: Obj) -> bool:
    try:
        json.dumps(fields)
    except (ValueError, RecursionError, TypeError):
        return False
    return True


async def delete(request: Request) -> Response:
    """Remove files by name, or all of them."""
    control, keeper = control_of(request), keeper_of(request)
    if request.query_params.get("all", "").strip().lower() in _ALL:
        count = 0
        for credential in keeper.credentials():
            count += await _remove(keeper, credential)
        return reply({**OK, "deleted": count})
    names = [*request.query_params.getlist("name"), *request.query_params.getlist("filename")]
    names = list(dict.fromkeys(n.strip() for n in names or await _named(request) if n.strip()))
    if not names:
        raise Refused(400, "invalid name")
    done: list[str] = []
    failed: list[Obj] = []
    for name in names:
        try:
            found = by_name(control, name)
            if found is None:
                _name_of(name)
                raise Refused(404, "auth file not found")  # noqa: TRY301  # told below
            _expect(request, found)
            await _remove(keeper, found)
        except Refused as err:
            if len(names) == 1:
                raise
            failed.append({"name": name, "error": err.error})
        else:
            done.append(name)
    if len(names) == 1:
        return reply(OK)
    return _batch("deleted", done, failed)


async def _remove(keeper: Keeper, credential: Credential) -> bool:
    try:
        return await keeper.delete(credential.name)
    except OSError as err:
        raise Refused(500, f"failed to remove file: {err.strerror}") from None


async def _named(request: Request) -> list[str]:
    raw = (await request.body()).strip()
    try:
        body = json.loads(raw) if raw else []
    except json.InvalidJson:
        raise Refused(400, "invalid request body") from None
    if isinstance(body, dict):
        body = body.get("names", body.get("name", body.get("filename", [])))
    names = [body] if isinstance(body, str) else body
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Refused(400, "invalid request body")
    return names


def _batch(what: str, done: list[str], failed: list[Obj]) -> Response:
    told: Obj = {"status": "partial" if failed else "ok", what: len(done), "files": done}
    if failed:
        told["failed"] = failed
    return reply(told, 207 if failed else 200)


async def patch_status(request: Request) -> Response:
    """Switch a credential on or off."""
    control = control_of(request)
    body = await object_of(request, "invalid request body")
    name, disabled = text_in(body, "name", "filename"), body.get("disabled")
    if not name:
        raise Refused(400, "name is required")
    if disabled is None:
        raise Refused(400, "disabled is required")
    if not isinstance(disabled, bool):
        raise Refused(400, "invalid request body")
    credential = by_name(control, name, text_in(body, "auth_index"))
    if credential is None:
        noticed = await toggle(request, name, disabled=disabled)
        if noticed is not None:
            via = {"via": "config:excluded-models", "excluded_pattern": "*"}
            return written(noticed, {**OK, "disabled": disabled, **via})
        raise Refused(404, "auth file not found")
    await _edit(request, credential, {"disabled": disabled})
    return reply({**OK, "disabled": disabled})


async def patch_fields(request: Request) -> Response:
    """Set fields of a credential file."""
    control = control_of(request)
    body = await object_of(request, "invalid request body")
    name = text_in(body, "name", "filename")
    if not name:
        raise Refused(400, "name is required")
    credential = by_name(control, name, text_in(body, "auth_index"))
    known = credential.fields if credential is not None else {}
    changes = changes_of(known, body)
    if credential is None:
        raise Refused(404, "auth file not found")
    await _edit(request, credential, changes)
    return reply(OK)


async def _edit(request: Request, credential: Credential, changes: Obj) -> None:
    _expect(request, credential)
    try:
        await keeper_of(request).edit(credential.name, changes)
    except KeyError:
        raise Refused(404, "auth file not found") from None
    except OSError as err:
        raise Refused(500, f"failed to update auth: {err.strerror}") from None


async def refresh(request: Request) -> Response:
    """Renew a login's token now, or those of all."""
    control, keeper = control_of(request), keeper_of(request)
    asked: dict[str, Any] = {**await loose_object(request), **request.query_params}
    if asked.get("all") is True or str(asked.get("all", "")).strip().lower() in _ALL:
        return reply({**OK, "ok": True, "results": await _refresh_all(keeper)})
    name = text_in(asked, "name", "filename")
    if not name:
        raise Refused(400, "name is required")
    credential = by_name(control, name, text_in(asked, "auth_index"))
    if credential is None:
        raise Refused(404, "auth file not found")
    if not refreshable(credential):
        told = "Its token is not renewed here: it has no refresh token, or another program does it."
        raise Fault(409, "not_refreshable", told)
    renewed = await keeper.renew(credential, spent=credential.token)
    used = bool(accounts_of(control, credential))
    return reply(
        {
            **OK,
            "name": credential.name,
            "renewed": renewed,
            "state": state_of(credential, used=used),
            "problem": credential.problem,
            "expires": credential.expires,
        }
    )


async def _refresh_all(keeper: Keeper) -> list[Obj]:
    places = asyncio.Semaphore(max(1, keeper.settings.workers))

    async def renewed(credential: Credential) -> Obj:
        async with places:
            done = await keeper.renew(credential, spent=credential.token)
        told = {} if done else {"error": credential.problem or "The token was not renewed."}
        return {"id": credential.name, "success": done, **told}

    wanted = [c for c in keeper.credentials() if not c.flag("disabled") and refreshable(c)]
    return list(await asyncio.gather(*map(renewed, wanted)))


async def reset_quota(request: Request) -> Response:
    """Forget what is believed of an account's limits."""
    control = control_of(request)
    index = text_in(await object_of(request, "invalid request body"), "auth_index")
    if not index:
        raise Refused(400, "auth_index is required")
    credential = by_index(control, index)
    if credential is not None:
        accounts = accounts_of(control, credential)
    else:
        accounts = [
            a
            for a in control.accounts
            if a.credential is None and index_of_account(control, a) == index
        ]
        if not accounts:
            raise Refused(404, "auth not found")
    entries = listed(control, [credential]) if credential is not None else []
    models = [str(b["model"]) for entry in entries for b in entry.get("cooldowns", [])]
    for account in accounts:
        control.gateway.pool.clear(account.id)
    return reply({**OK, "auth_index": index, "models": sorted(set(models))})


def _name_of(name: str) -> str:
    """Return a name that is fit for a file. Raises `Refused`."""
    odd = any(c in "/\\" or not c.isprintable() for c in name)
    if not name or odd or _DRIVE.match(name) or name.startswith("."):
        raise Refused(400, "invalid name")
    if len(name.encode("utf-8", "replace")) > _LONGEST:
        raise Refused(400, "invalid name")
    return name


_NAME: Final = {"name": "The file."}
_BATCH: Final = shapes.obj(
    {"status": shapes.TEXT},
    optional={
        "uploaded": shapes.WHOLE,
        "deleted": shapes.WHOLE,
        "files": shapes.items(shapes.TEXT),
        "failed": shapes.items(shapes.obj({"name": shapes.TEXT, "error": shapes.TEXT})),
    },
)
_NAMED: Final = {"name": shapes.TEXT}
ROUTES: Final = [
    Endpoint("GET", "/auth-files", list_files, "The logins that are kept.",
             shapes.obj({"files": shapes.items(shapes.ref("AuthFile")),
                         "observed_at": shapes.MOMENT}),
             query={**_NAME, "auth_index": "Its index."}),
    Endpoint("POST", "/auth-files", upload, "Bring credential files: a form, or one raw body.",
             _BATCH, shapes.OBJECT, _NAME, refuses=(412,)),
    Endpoint("DELETE", "/auth-files", delete, "Remove credential files.", _BATCH, None,
             {**_NAME, "all": "`true` removes all."}, refuses=(404, 412)),
    Endpoint("GET", "/auth-files/models", models_of, "The models that a login serves.",
             shapes.obj({"models": shapes.items(shapes.obj(
                 {"id": shapes.TEXT},
                 optional={"display_name": shapes.TEXT, "type": shapes.TEXT,
                           "owned_by": shapes.TEXT}))}), query=_NAME),
    Endpoint("GET", "/auth-files/download", download, "A credential file as it is.",
             shapes.OBJECT, query=_NAME, refuses=(404,)),
    Endpoint("POST", "/auth-files/refresh", refresh, "Renew a login's token now.",
             shapes.obj({"status": shapes.TEXT}, optional={
                 "name": shapes.TEXT, "renewed": shapes.FLAG, "state": shapes.TEXT,
                 "problem": shapes.TEXT, "expires": shapes.maybe(shapes.SECONDS),
                 "ok": shapes.FLAG, "results": shapes.items(shapes.obj(
                     {"id": shapes.TEXT, "success": shapes.FLAG},
                     optional={"error": shapes.TEXT}))}),
             query={**_NAME, "auth_index": "Its index.", "all": "`true` renews all."},
             refuses=(404,)),
    Endpoint("PATCH", "/auth-files/status", patch_status, "Switch an account on or off.",
             shapes.obj({"status": shapes.TEXT, "disabled": shapes.FLAG},
                        optional={"warnings": shapes.WARNINGS, "via": shapes.TEXT,
                                  "excluded_pattern": shapes.TEXT}),
             shapes.obj({**_NAMED, "disabled": shapes.FLAG},
                        optional={"auth_index": shapes.TEXT}), refuses=(404, 412)),
    Endpoint("PATCH", "/auth-files/fields", patch_fields, "Set fields of a credential file.",
             shapes.ref("Status"),
             shapes.obj(_NAMED, optional={
                 "prefix": shapes.TEXT, "proxy_url": shapes.TEXT, "note": shapes.TEXT,
                 "headers": shapes.mapping(shapes.TEXT), "priority": shapes.maybe(shapes.WHOLE),
                 "weight": shapes.maybe(shapes.WHOLE),
                 "request_retry": shapes.maybe(shapes.WHOLE), "disabled": shapes.FLAG}),
             refuses=(404, 412)),
    Endpoint("POST", "/reset-quota", reset_quota, "Forget an account's limits.",
             shapes.obj({"status": shapes.TEXT, "auth_index": shapes.TEXT,
                         "models": shapes.items(shapes.TEXT)}),
             shapes.obj({"auth_index": shapes.TEXT}), refuses=(404,)),
]  # fmt: skip

"""What all management endpoints share: their table rows, reading bodies, answering."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, cast

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from cliproxy.base import json
from cliproxy.base.json import Json, Obj
from cliproxy.config.load import Loaded, Problem
from cliproxy.manage.control import Control
from cliproxy.manage.door import PREFIX
from cliproxy.server.gate import Refused

Handler = Callable[[Request], Awaitable[Response]]
Schema = dict[str, Any]
"""A JSON schema."""

OK: Final[Obj] = {"status": "ok"}
_DEEPEST: Final = 64
_IDLE: Final = ("is not a known key", "entry is left out")


class Endpoint(Struct, frozen=True):
    """One row of the tables: a method of a path, who answers it, and what it takes and gives."""

    method: str
    path: str
    """Below the prefix, `{name}` for a part that varies."""
    handler: Handler
    summary: str
    answer: Schema | None = None
    """Of status 200; None = not JSON."""
    body: Schema | None = None
    query: Mapping[str, str] = {}
    """Name → what it is for."""
    refuses: tuple[int, ...] = ()
    """Statuses of its own, beside those that all have."""
    body_type: str = "application/json"
    answer_type: str = "application/json"
    open: bool = False
    """Needs no key."""
    served: bool = True
    """Whether it can succeed; else it only says that it is not built."""
    outside: bool = False
    """The path is whole, and not below the prefix."""

    @property
    def address(self) -> str:
        """The whole path."""
        return self.path if self.outside else PREFIX + self.path


class Fault(Refused):
    """A refusal with a sentence beside its code."""

    def __init__(self, status: int, error: str, message: str, **more: Json) -> None:
        super().__init__(status, error)
        self.body: Obj = {"error": error, "message": message, **more}


class StatusFault(Refused):
    """A refusal in the shape of the login routes."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(status, error)
        self.body: Obj = {"status": "error", "error": error}


def control_of(request: Request) -> Control:
    """Return the proxy that is managed."""
    return cast("Control", request.app.state.control)


def reply(value: Json, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with JSON."""
    return Response(json.dumps(value), status, dict(headers or {}), "application/json")


def etag(data: bytes) -> str:
    """Return the name of one state of a file."""
    return f'"{hashlib.sha256(data).hexdigest()[:32]}"'


def named(text: str) -> dict[str, str]:
    """Return the headers of what is shown from one state of the configuration file."""
    return {"ETag": etag(text.encode())}


def expect(request: Request, now: bytes) -> None:
    """Refuse a change that was made from another state than the present one. Raises `Refused`."""
    wanted = request.headers.get("if-match", "").strip()
    if wanted and wanted != "*" and etag(now) not in wanted:
        raise Fault(412, "conflict", "it was changed meanwhile; read it again")


async def change(
    request: Request,
    edit: Callable[[str], str],
    *,
    accept: Callable[[Loaded, Loaded | None], None] | None = None,
) -> list[Problem]:
    """Change the configuration, if it is what the client has seen; see `Control.change`."""

    def expected(now: str) -> str:
        expect(request, now.encode())
        return edit(now)

    return await control_of(request).change(expected, accept=accept)


def written(noticed: Iterable[Problem], told: Obj = OK) -> Response:
    """Answer that the configuration was written, and which of its lines mean nothing."""
    warnings: list[Json] = [
        {
            "line": problem.line,
            "path": problem.path,
            "message": f"{problem.message} ({problem.cure})" if problem.cure else problem.message,
        }
        for problem in noticed
        if problem.message.endswith(_IDLE)
    ]
    return reply({**told, "warnings": warnings} if warnings else told)


def attachment(data: bytes, name: str, kind: str) -> Response:
    """Answer with a file to keep."""
    safe = "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else "_" for c in name)
    headers = {
        "Content-Disposition": f'attachment; filename="{safe}"',
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return Response(data, 200, headers, kind)


async def body_of(request: Request, error: str = "invalid body") -> Json:
    """Return the body's JSON. Raises `Refused`."""
    try:
        value = json.loads(await request.body())
    except json.InvalidJson:
        raise Refused(400, error) from None
    if not _sound(value, _DEEPEST):
        raise Refused(400, error)
    return value


async def object_of(request: Request, error: str = "invalid body") -> Obj:
    """Return the body's JSON object. Raises `Refused`."""
    value = await body_of(request, error)
    if not isinstance(value, dict):
        raise Refused(400, error)
    return value


async def loose_object(request: Request) -> Obj:
    """Return the body's JSON object; {} when there is none."""
    return json.loads_object(await request.body()) or {}


def _sound(value: Json, left: int) -> bool:
    """Tell whether a value can be written anywhere: not too deep, and of whole characters."""
    if isinstance(value, dict):
        return left > 0 and all(
            _sound(key, left) and _sound(inner, left - 1) for key, inner in value.items()
        )
    if isinstance(value, list):
        return left > 0 and all(_sound(inner, left - 1) for inner in value)
    if isinstance(value, str):
        return value.isascii() or not any("\ud800" <= c <= "\udfff" for c in value)
    return True

"""The configuration as a whole: as JSON, and as the text of its file."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from cliproxy.base import json
from cliproxy.base.json import Json, Obj
from cliproxy.config.load import CREDENTIALS
from cliproxy.config.schema import Config
from cliproxy.config.tree import NotYaml, parse
from cliproxy.manage import shapes
from cliproxy.manage.control import Control, NotSaved, NotUsable
from cliproxy.manage.document import Document
from cliproxy.manage.web import (
    Endpoint,
    Fault,
    change,
    control_of,
    etag,
    named,
    reply,
    written,
)

_HIDDEN: Final = frozenset({"host", "port", "auth-dir", "remote-management", "oauth-clients"})
_MAPS: Final = ("oauth-excluded-models", "oauth-model-alias", "oauth-request-scoped-errors")
_SHAPES: Final[dict[str, Obj]] = {
    "payload": {"default": [], "default-raw": [], "override": [], "override-raw": [], "filter": []},
    "plugins": {"enabled": False, "dir": "plugins", "configs": {}},
}
_LINE: Final = re.compile(r"^[^\n]*?:(\d+)(?::| is)", re.MULTILINE)
_WRONG_TYPE: Final = re.compile(r" must be (?!between)")
_YAML: Final = "application/yaml"


class Documents:
    """The file as it was last read; read again when its text is another."""

    def __init__(self) -> None:
        self._last: Document | None = None

    def get(self, control: Control) -> Document:
        """Return the document; the last good one while the file cannot be read."""
        try:
            text = control.text()
        except OSError:
            text = None
        if self._last is not None and text in (None, self._last.text):
            return self._last
        try:
            self._last = Document(text or "")
        except NotYaml:
            if self._last is None:
                return Document("")
        return self._last or Document("")


def shown_config(control: Control, document: Document) -> Obj:
    """Return the configuration that is served, with its keys, as JSON."""
    found: Any = msgspec.to_builtins(control.config)
    value: Obj = {k: _neat(v) for k, v in found.items() if k not in _HIDDEN}
    for name in CREDENTIALS:
        value[name] = document.entries(name)
    for name in _MAPS:
        shown = document.shown(name)
        value[name] = shown if isinstance(shown, dict) else {}
    for name, usual in _SHAPES.items():
        value[name] = {**usual, **(value.get(name) or {})}
    value["usage-statistics-enabled"] = control.config.usage_statistics_enabled is not False
    return value


def _neat(value: Json) -> Json:
    """Write whole seconds as whole numbers."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {k: _neat(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_neat(v) for v in value]
    return value


async def get_config(request: Request) -> Response:
    """Return the configuration as JSON."""
    control = control_of(request)
    document = request.app.state.documents.get(control)
    return reply(shown_config(control, document), headers=named(document.text))


async def get_file(request: Request) -> Response:
    """Return the file as it is."""
    control = control_of(request)
    try:
        if control.config_path is None:
            raise FileNotFoundError  # noqa: TRY301  # the same as a file that has gone
        data = control.config_path.read_bytes()
    except FileNotFoundError:
        raise Fault(404, "not_found", "config file not found") from None
    except OSError as err:
        raise Fault(500, "read_failed", f"the config file cannot be read: {err.strerror}") from None
    headers = {
        "Content-Type": f"{_YAML}; charset=utf-8",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "ETag": etag(data),
    }
    return Response(data, 200, headers)


async def put_file(request: Request) -> Response:
    """Replace the file, once it is known to be usable."""
    control = control_of(request)
    text = _text(await request.body(), request.headers.get("content-type", ""))
    try:
        value = parse(text).value
    except NotYaml as err:
        where = f"line {err.line}: " if err.line else ""
        problems: Json = [{"line": err.line, "message": err.message}]
        raise Fault(400, "invalid_yaml", f"{where}{err.message}", problems=problems) from None
    if not isinstance(value, dict):
        raise Fault(400, "invalid_yaml", "the configuration must be a mapping of keys")
    try:
        noticed = await change(request, lambda _: text)
    except NotUsable as err:
        code = (400, "invalid_yaml") if _WRONG_TYPE.search(str(err)) else (422, "invalid_config")
        raise Fault(*code, str(err), problems=_problems(str(err))) from None
    except NotSaved as err:
        raise Fault(500, "write_failed", f"failed to write config: {err}") from None
    answer = written(noticed, {"ok": True, "changed": ["config"]})
    answer.headers["ETag"] = etag(control.text().encode())
    return answer


def _text(data: bytes, kind: str) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Fault(400, "invalid_yaml", "the body is not UTF-8 text") from None
    if "json" in kind and text.lstrip().startswith('"'):
        # One client sends the text as a JSON string.
        try:
            value = json.loads(text)
            text = value if isinstance(value, str) else text
            text.encode()
        except ValueError:
            raise Fault(400, "invalid_yaml", "the body cannot be read") from None
    return text


def _problems(message: str) -> list[Obj]:
    found: list[Obj] = []
    for line in message.splitlines():
        at = _LINE.match(line)
        found.append({"line": int(at[1]) if at else None, "message": line})
    return found


_FAULT: Final = shapes.obj(
    {"error": shapes.TEXT, "message": shapes.TEXT},
    optional={
        "problems": shapes.items(
            shapes.obj({"line": shapes.maybe(shapes.WHOLE), "message": shapes.TEXT})
        )
    },
)
ROUTES: Final = [
    Endpoint("GET", "/config", get_config, "The configuration that is served, with its keys.",
             shapes.ref(Config.__name__)),
    Endpoint("GET", "/config.yaml", get_file, "The configuration file.", answer_type=_YAML,
             refuses=(404,)),
    Endpoint("PUT", "/config.yaml", put_file, "Replace the configuration file.",
             shapes.obj({"ok": shapes.FLAG, "changed": shapes.items(shapes.TEXT)},
                        optional={"warnings": shapes.WARNINGS}),
             shapes.TEXT, body_type=_YAML, refuses=(412, 422)),
]  # fmt: skip

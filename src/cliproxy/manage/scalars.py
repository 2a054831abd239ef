"""Single settings: `GET` tells the value, `PUT` and `PATCH` set it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from cliproxy.base.json import Json
from cliproxy.config.edit import set_value
from cliproxy.config.schema import STRATEGIES, Config
from cliproxy.manage import shapes
from cliproxy.manage.web import Endpoint, change, control_of, object_of, reply, written
from cliproxy.server.gate import Refused
from cliproxy.transport import proxy as proxies

_LARGEST: Final = 10**15
"""What a whole number may be; the file's reader takes no more than 18 digits."""


class Scalar(Struct, frozen=True):
    """One setting: its route is its path in the file, except where `route` says otherwise."""

    path: tuple[str, ...]
    kind: type
    summary: str
    read: Callable[[Config], Any]
    normal: Callable[[Any], Any] = lambda value: value
    """Brings a right value into the form that is kept, or raises `Refused`."""
    deletable: bool = False

    @property
    def route(self) -> str:
        """The path of its endpoint."""
        return "/" + "/".join(self.path)

    @property
    def name(self) -> str:
        """The key of the answer."""
        return self.path[-1]


def _strategy(value: str) -> str:
    word = value.strip().lower() or "round-robin"
    if word not in STRATEGIES:
        raise Refused(400, "invalid strategy")
    return _STRATEGIES.get(word, word)


def _proxy(value: str) -> str:
    if value.strip():
        try:
            proxies.parse(value)
        except ValueError:
            raise Refused(400, "invalid proxy_url") from None
    return value.strip()


_STRATEGIES: Final = {
    "roundrobin": "round-robin", "rr": "round-robin",
    "fillfirst": "fill-first", "ff": "fill-first",
    "weightedroundrobin": "weighted-round-robin", "wrr": "weighted-round-robin",
}  # fmt: skip

SCALARS: Final = (
    Scalar(("debug",), bool, "Log in detail.", lambda c: c.debug),
    Scalar(("logging-to-file",), bool, "Write logs to files.", lambda c: c.logging_to_file),
    Scalar(
        ("logs-max-total-size-mb",), int, "MiB that log files may take; 0 = any size.",
        lambda c: c.logs_max_total_size_mb, lambda v: max(0, v),
    ),
    Scalar(
        ("error-logs-max-files",), int, "Files of failed requests that are kept.",
        lambda c: c.error_logs_max_files, lambda v: 10 if v < 0 else v,
    ),
    Scalar(
        ("usage-statistics-enabled",), bool, "Record usage.",
        lambda c: c.usage_statistics_enabled is not False,
    ),
    Scalar(("request-log",), bool, "Write every request to a file.", lambda c: c.request_log),
    Scalar(("ws-auth",), bool, "The websocket relay wants a key.", lambda c: c.ws_auth),
    Scalar(("request-retry",), int, "Further rounds over the accounts.", lambda c: c.request_retry),
    Scalar(
        ("max-retry-credentials",), int, "Accounts that one round may ask; 0 = all.",
        lambda c: c.max_retry_credentials,
    ),
    Scalar(
        ("max-retry-interval",), int, "Seconds of the longest pause between two rounds.",
        lambda c: int(c.max_retry_interval),
    ),
    Scalar(
        ("force-model-prefix",), bool, "Models of accounts with a prefix are named by it only.",
        lambda c: c.force_model_prefix,
    ),
    Scalar(
        ("proxy-url",), str, "The proxy that upstreams are reached through.",
        lambda c: c.proxy_url, _proxy, deletable=True,
    ),
    Scalar(
        ("quota-exceeded", "switch-project"), bool, "Use another project when a quota is used up.",
        lambda c: c.quota_exceeded.switch_project,
    ),
    Scalar(
        ("quota-exceeded", "switch-preview-model"), bool,
        "Use the preview of a model when its quota is used up.",
        lambda c: c.quota_exceeded.switch_preview_model,
    ),
    Scalar(
        ("routing", "strategy"), str, "How accounts are chosen.",
        lambda c: _strategy(c.routing.strategy) if c.routing.strategy.lower() in STRATEGIES
        else "round-robin", _strategy,
    ),
)  # fmt: skip


def _endpoints(scalar: Scalar, route: str) -> list[Endpoint]:
    async def get(request: Request) -> Response:
        value: Json = scalar.read(control_of(request).config)
        return reply({scalar.name: value, "value": value})

    async def write(request: Request) -> Response:
        value: Any = (await object_of(request)).get("value")
        # True is an int to Python, and to nobody else.
        if type(value) is not scalar.kind or (type(value) is int and abs(value) > _LARGEST):
            raise Refused(400, "invalid body")
        return await _set(request, scalar.normal(value))

    async def delete(request: Request) -> Response:
        return await _set(request, "")

    async def _set(request: Request, value: Json) -> Response:
        return written(await change(request, lambda text: set_value(text, scalar.path, value)))

    kind = {bool: shapes.FLAG, int: shapes.WHOLE, str: shapes.TEXT}[scalar.kind]
    shown = shapes.obj({scalar.name: kind, "value": kind})
    body = shapes.obj({"value": kind})
    rows = [Endpoint("GET", route, get, scalar.summary, shown)]
    rows += [
        Endpoint(method, route, write, scalar.summary, shapes.ref("Written"), body, refuses=(412,))
        for method in ("PUT", "PATCH")
    ]
    if scalar.deletable:
        rows.append(
            Endpoint("DELETE", route, delete, scalar.summary, shapes.ref("Written"), refuses=(412,))
        )
    return rows


ROUTES: Final = [
    *(row for scalar in SCALARS for row in _endpoints(scalar, scalar.route)),
    # How an older client asks.
    *(row for s in SCALARS if s.path[0] == "routing" for row in _endpoints(s, "/routing")),
]

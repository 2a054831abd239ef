"""One request to a provider in the name of an account: how panels ask for quotas and models.

Nobody chooses freely where it goes. With an account's token: to hosts of that account's provider
alone. Without one: to hosts that stand in the configuration, or to public addresses.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from cliproxy.account.credential import Credential
from cliproxy.account.model import Account
from cliproxy.base import redact
from cliproxy.base.json import Obj, text_in
from cliproxy.base.redact import Hidden
from cliproxy.manage import shapes
from cliproxy.manage.control import Control
from cliproxy.manage.credentials import by_index, index_of_account
from cliproxy.manage.web import Endpoint, Fault, control_of, object_of, reply
from cliproxy.server.gate import Refused
from cliproxy.transport import proxy as proxies
from cliproxy.transport.guard import FetchError, Guard

TOKEN: Final = "$TOKEN$"  # noqa: S105  # the placeholder itself
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_PATIENCE: Final = 60.0
_MOST: Final = 32 * 1024 * 1024
_SOON: Final = 30.0
"""Seconds before its end that a token is renewed first."""

_GOOGLE: Final = ("cloudcode-pa.googleapis.com", "daily-cloudcode-pa.googleapis.com",
                  "daily-cloudcode-pa.sandbox.googleapis.com",
                  "cloudresourcemanager.googleapis.com", "serviceusage.googleapis.com",
                  "www.googleapis.com")  # fmt: skip
HOSTS: Final[dict[str, tuple[str, ...]]] = {
    "claude": ("api.anthropic.com",),
    "codex": ("chatgpt.com", "api.openai.com"),
    "gemini": ("generativelanguage.googleapis.com",),
    "gemini-interactions": ("generativelanguage.googleapis.com",),
    "gemini-cli": _GOOGLE,
    "antigravity": _GOOGLE,
    "vertex": ("aiplatform.googleapis.com", ".aiplatform.googleapis.com",
               "-aiplatform.googleapis.com", ".rep.googleapis.com"),
    "kimi": ("api.kimi.com",),
    "qwen": ("portal.qwen.ai", "chat.qwen.ai", "dashscope.aliyuncs.com"),
    "iflow": ("apis.iflow.cn", "platform.iflow.cn", "iflow.cn"),
    "xai": ("api.x.ai", "cli-chat-proxy.grok.com"),
}  # fmt: skip
"""Hosts that belong to a provider; what begins with a dot or a dash is the end of a name."""


class Asked(Hidden, Struct):
    """One call, as it was asked for."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes
    proxy: str


async def api_call(request: Request) -> Response:
    """Send one request and return what was answered, whatever its status."""
    control = control_of(request)
    body = await object_of(request)
    asked = _asked(body)
    index = text_in(body, "auth_index", "authIndex", "AuthIndex")
    credential = by_index(control, index) if index else None
    account = _account(control, index) if index and credential is None else None
    owned = _owned(control, credential, account)
    if any(TOKEN in value for value in asked.headers.values()) and owned is not None:
        token = await _token(control, credential, account)
        _check(asked.url, owned)
        asked.headers = {k: v.replace(TOKEN, token) for k, v in asked.headers.items()}
    else:
        # Nothing secret of ours goes along.
        owned = None
    allowed = _origins(control)
    guard = Guard(
        [*control.config.media.allow_hosts, *_private_hosts(asked.url, allowed)],
        max_bytes=_MOST,
        patience=_PATIENCE,
    )
    proxy = asked.proxy or _proxy(control, credential, account) or "direct"

    def follow(url: str) -> bool:
        return _allowed(url, owned) if owned is not None else True

    try:
        found = await guard.call(
            asked.method, asked.url, asked.headers, asked.body, proxy=proxy, follow=follow
        )
    except FetchError as err:
        raise Fault(502, "request failed", f"the request failed: {err}") from None
    # Whoever is asked may repeat the token, and panels show what is answered.
    said = redact.secrets_of("", asked.headers) | redact.secrets_of(proxy, {})
    header = {k: [redact.without(v, said) for v in values] for k, values in found.headers.items()}
    told = redact.without_bytes(found.data, said).decode("utf-8", "replace")
    return reply({"status_code": found.status, "header": header, "body": told})


def _asked(body: Obj) -> Asked:
    method, url = text_in(body, "method").upper(), text_in(body, "url")
    if not method:
        raise Refused(400, "missing method")
    if not url:
        raise Refused(400, "missing url")
    if method not in _METHODS:
        raise Refused(400, "failed to build request")
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        known = None
    if not known or not url.isprintable() or any(c.isspace() for c in url):
        raise Refused(400, "invalid url")
    headers: Any = body.get("header") or {}
    data: Any = body.get("data") or ""
    if not isinstance(headers, dict) or not isinstance(data, str):
        raise Refused(400, "invalid body")
    for name, value in headers.items():
        if not isinstance(value, str):
            raise Refused(400, "invalid body")
        if not _is_header(name, value):
            raise Refused(400, "failed to build request")
    proxy = text_in(body, "proxy_url")
    if proxy:
        try:
            proxies.parse(proxy)
        except ValueError:
            raise Refused(400, "invalid proxy_url") from None
    return Asked(method, url, {str(k): v for k, v in headers.items()}, data.encode(), proxy)


def _is_header(name: str, value: str) -> bool:
    sign = "!#$%&'*+-.^_`|~"
    good = bool(name) and all(c.isascii() and (c.isalnum() or c in sign) for c in name)
    return good and not any(c in "\r\n\0" for c in value) and name.lower() not in _MANAGED


_MANAGED: Final = frozenset({"content-length", "transfer-encoding", "connection", "upgrade"})


def _account(control: Control, index: str) -> Account | None:
    keys = (a for a in control.accounts if a.credential is None)
    return next((a for a in keys if index_of_account(control, a) == index), None)


def _owned(
    control: Control, credential: Credential | None, account: Account | None
) -> tuple[str, ...] | None:
    """Return the hosts that an account's token may go to; None when there is no account."""
    if credential is not None:
        provider, base = credential.provider, credential.text("base_url")
        base = base or credential.text("resource_url")
    elif account is not None:
        provider, base = account.provider, account.base_url
    else:
        return None
    # An owner's own host replaces the usual ones: a key for it is no key for the vendor.
    own = _host_of(base)
    if own and account is not None:
        return (own,)
    ends = control.config.endpoints.get(provider)
    named = [_host_of(str(v)) for v in ends.values()] if isinstance(ends, dict) else []
    return tuple(h for h in (*HOSTS.get(provider, ()), own, *named) if h)


def _host_of(base: str) -> str:
    try:
        return (urlsplit(base if "//" in base else f"https://{base}").hostname or "").lower()
    except ValueError:
        return ""


def _allowed(url: str, hosts: Iterable[str]) -> bool:
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    fits = any(host == h or (h[0] in ".-" and host.endswith(h)) for h in hosts)
    return fits and (parts.scheme == "https" or proxies.is_loopback(host))


def _check(url: str, hosts: tuple[str, ...]) -> None:
    if not _allowed(url, hosts):
        raise Fault(
            403,
            "url not allowed",
            "The token of this account goes to its provider only: "
            f"{', '.join(h.lstrip('.-') for h in hosts) or 'it has no known host'}.",
        )


async def _token(control: Control, credential: Credential | None, account: Account | None) -> str:
    if credential is not None:
        expires = credential.expires
        stale = expires is not None and expires - _SOON <= control.clock.now()
        if stale and control.keeper is not None:
            fresh = await control.keeper.renew(credential, spent=credential.token)
            if not fresh and expires is not None and expires <= control.clock.now():
                raise Refused(400, "auth token refresh failed")
        token = credential.access_token or credential.token
        token = token or credential.text("id_token") or credential.text("cookie")
    else:
        token = account.token if account is not None else ""
    if not token or any(c in "\r\n\0" for c in token):
        raise Refused(400, "auth token not found")
    return token


def _proxy(control: Control, credential: Credential | None, account: Account | None) -> str:
    own = ""
    if credential is not None:
        own = credential.text("proxy_url") or credential.text("proxy-url")
    elif account is not None:
        own = account.proxy_url or ""
    return own or control.config.proxy_url


def _origins(control: Control) -> frozenset[tuple[str, str, int | None]]:
    """Return the places that the configuration names: they may be private ones."""
    written = [a.base_url for a in control.accounts]
    for ends in control.config.endpoints.values():
        written += [str(v) for v in ends.values()] if isinstance(ends, dict) else []
    return frozenset(_origin(base) for base in written if base)


def _origin(url: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return "", "", None
    return parts.scheme, (parts.hostname or "").lower(), port


def _private_hosts(url: str, allowed: frozenset[tuple[str, str, int | None]]) -> list[str]:
    origin = _origin(url)
    return [origin[1]] if origin in allowed else []


ROUTES: Final = [
    Endpoint("POST", "/api-call", api_call, "Send one request in the name of an account.",
             shapes.obj({"status_code": shapes.WHOLE,
                         "header": shapes.mapping(shapes.items(shapes.TEXT)),
                         "body": shapes.TEXT}),
             shapes.obj({"method": shapes.TEXT, "url": shapes.TEXT}, optional={
                 "auth_index": shapes.TEXT, "header": shapes.mapping(shapes.TEXT),
                 "data": shapes.TEXT, "proxy_url": shapes.TEXT}),
             refuses=(403, 502)),
]  # fmt: skip

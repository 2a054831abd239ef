"""Anthropic Messages: with an API key, with a Claude login, or at a host compatible with it.

Tokens of logins begin with `sk-ant-oat` and are taken only as a bearer together with a beta flag.
Claude Code's own requests pass as they are; nothing is done to make another client look like it.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

import msgspec
from msgspec import structs

from cliproxy.account.model import Account
from cliproxy.base import json
from cliproxy.base.errors import UpstreamError, UpstreamRefused
from cliproxy.base.http import HttpRequest
from cliproxy.base.json import Json, Obj
from cliproxy.providers import quirks
from cliproxy.providers.base import About, Call, Host, account_headers, base_headers, join

BASE: Final = "https://api.anthropic.com"
VERSION: Final = "2023-06-01"
"""The `anthropic-version` that bodies written here follow; a client may name a later one."""
OAUTH: Final = "oauth-2025-04-20"
"""The flag without which Anthropic takes no login's token."""
LONG: Final = "[1m]"
"""How Claude Code and its users write that a model is to have its longest context."""
_BETA: Final = "anthropic-beta"
_LONG: Final = "context-1m-2025-08-07"
_LOGIN: Final = "sk-ant-oat"
_KEY: Final = "sk-ant-api"
_UNLOCKED: Final = (
    ("", b'"ttl":"1h"', "extended-cache-ttl-2025-04-11"),
    ("opus-4-5", b'"effort":', "effort-2025-11-24"),
)
"""A part of a model's name, bytes of a body built here, and the flag the two need at Anthropic."""
_BODY: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])

_NOT_LONG: Final = re.compile(r"\blong[- ]context\b|\bcontext-1m\b", re.IGNORECASE)
"""What an account is told that has no access to the longest context."""
_FOREIGN: Final = re.compile(r"invalid `?signature`? in `?thinking`? block", re.IGNORECASE)
_THOUGHTS: Final = frozenset({"thinking", "redacted_thinking"})
_THINKS: Final = (b'"thinking"', b'"redacted_thinking"')
_MID_SYSTEM: Final = re.compile(rb'"role"\s*:\s*"system"')


class Claude(Host):
    """`POST {base}/v1/messages`."""

    name: str = "claude"
    dialects = ("anthropic",)
    abilities = frozenset({"whole", "count"})
    several: bool = True

    def elsewhere(self, request: HttpRequest, err: UpstreamError) -> HttpRequest | None:
        """Do without the longest context where the account has none: most requests fit anyway.

        Do without thinking that somebody else has signed, too.
        """
        if err.status == 400 and _FOREIGN.search(err.message):
            body = _without_thinking(request.body)
            return None if body is None else structs.replace(request, body=body)
        if err.status not in (400, 429) or not _NOT_LONG.search(err.message):
            return None
        return _without_long(request)

    def parts(self, request: HttpRequest) -> frozenset[str]:
        """Name the flag of the longest context, and each thought."""
        asked = json.loads_object(request.body)
        thoughts = {
            _seal(block)
            for message in quirks.objects(asked.get("messages") if asked is not None else None)
            for block in quirks.objects(message.get("content"))
            if block.get("type") in _THOUGHTS
        }
        return frozenset({_LONG, *thoughts} if _is_long(request) else thoughts)

    def without(self, request: HttpRequest, parts: Collection[str]) -> HttpRequest:
        """Leave out the flag, and thoughts that somebody else has signed."""
        if _LONG in parts:
            request = _without_long(request) or request
        if len(parts) > (_LONG in parts) and any(m in request.body for m in _THINKS):
            body = _without_thinking(request.body, parts)
            request = request if body is None else structs.replace(request, body=body)
        return request

    def stale(self, err: UpstreamRefused) -> bool:
        """Take 401 for it, and the one 403 that says so."""
        return err.status == 401 or (err.status == 403 and "token has been revoked" in err.message)

    def verbatim(self, body: bytes, about: About) -> bytes | None:
        """Send a client's own bytes, unless instructions in their middle would be refused."""
        if about.account.system_first and _MID_SYSTEM.search(body):
            return None
        return super().verbatim(body, about)

    def prepare(self, call: Call, account: Account) -> HttpRequest:
        """Address the call: a key as `x-api-key` at Anthropic itself, anything else as a bearer."""
        base = account.base_url or BASE
        official = urlsplit(base).hostname == "api.anthropic.com"
        token = account.token
        login = _LOGIN in token or (account.credential is not None and _KEY not in token)
        headers = base_headers(call, forward=True)
        headers.setdefault("anthropic-version", VERSION)
        if token and official and not login:
            headers["x-api-key"] = token
        elif token:
            headers["authorization"] = f"Bearer {token}"
        body, flags = _plain(call)
        if official and not call.verbatim:
            flags += [f for word, mark, f in _UNLOCKED if word in call.model and mark in body]
        if login:
            flags.append(OAUTH)
        if flags:
            headers[_BETA] = _with_flags(headers.get(_BETA, ""), flags)
        account_headers(headers, call, account)
        path = "/v1/messages/count_tokens" if call.operation == "count" else "/v1/messages"
        # Some owners write the base URL with /v1, as other vendors' documentation does.
        url = join(base.rstrip("/").removesuffix("/v1"), path)
        if call.verbatim and call.query:
            url = f"{url}?{call.query}"
        return HttpRequest("POST", url, headers, body, account.proxy_url)


def _is_long(request: HttpRequest) -> bool:
    return _LONG in request.headers.get(_BETA, "")


def _without_long(request: HttpRequest) -> HttpRequest | None:
    if not _is_long(request):
        return None
    left = [f for f in request.headers[_BETA].split(",") if f.strip() != _LONG]
    headers = {**request.headers, _BETA: ",".join(left)}
    if not left:
        del headers[_BETA]
    return structs.replace(request, headers=headers)


def _seal(block: Obj) -> str:
    sealed = block.get("signature") or block.get("data")
    return quirks.digest(sealed if isinstance(sealed, str) else json.dumps_str(block))


def _without_thinking(body: bytes, seals: Collection[str] | None = None) -> bytes | None:
    """Return a body without its earlier thinking: all of it, or what is among some `seals`.

    None when there is none.
    """

    def goes(block: Json) -> bool:
        if not isinstance(block, dict) or block.get("type") not in _THOUGHTS:
            return False
        return seals is None or _seal(block) in seals

    asked = json.loads_object(body)
    messages = asked.get("messages") if asked is not None else None
    if asked is None or not isinstance(messages, list):
        return None
    found = thinks = False
    for message in messages:
        blocks = message.get("content") if isinstance(message, dict) else None
        if isinstance(blocks, list) and message.get("role") == "assistant":
            left = [b for b in blocks if not goes(b)]
            found = found or len(left) < len(blocks)
            thinks = any(b.get("type") in _THOUGHTS for b in quirks.objects(left))
            # A turn of nothing but thinking still stands between two of the user's.
            message["content"] = left or [{"type": "text", "text": "."}]
    if not found:
        return None
    last = messages[-1].get("content") if isinstance(messages[-1], dict) else None
    if not thinks and any(b.get("type") == "tool_result" for b in quirks.objects(last)):
        # In the middle of its calls a model that thinks must see its thinking: it goes on without.
        asked.pop("thinking", None)
        _keep_no_thinking(asked)
    return json.dumps(asked)


def _keep_no_thinking(asked: Obj) -> None:
    managed = asked.get("context_management")
    edits = managed.get("edits") if isinstance(managed, dict) else None
    if isinstance(managed, dict) and isinstance(edits, list):
        left = [e for e in edits if not (isinstance(e, dict) and _clears(e))]
        asked["context_management"] = {**managed, "edits": left}
        if not left:
            del asked["context_management"]


def _clears(edit: Obj) -> bool:
    return str(edit.get("type", "")).startswith("clear_thinking")


def _with_flags(told: str, flags: list[str]) -> str:
    """Return the beta header with what it lacks put last; what is there stays as it is."""
    known = {flag.strip() for flag in told.split(",")}
    missing = [flag for flag in dict.fromkeys(flags) if flag not in known]
    return ",".join([told, *missing] if told else missing)


def _plain(call: Call) -> tuple[bytes, list[str]]:
    """Return the body without what belongs into the beta header, and the flags that stand for it.

    Some programs write `betas` into the body, as the SDKs' methods take them; the API refuses it
    there. All other values stay byte for byte.
    """
    body = call.body
    long = call.model.endswith(LONG)
    listed = call.verbatim and b'"betas"' in body
    if not long and not listed:
        return body, []
    try:
        fields = _BODY.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body, []
    flags: list[str] = []
    if "betas" in fields:
        betas = json.loads(bytes(fields.pop("betas")))
        flags += [b for b in betas if isinstance(b, str)] if isinstance(betas, list) else []
    elif not long:
        return body, []
    if long:
        flags.append(_LONG)
        fields["model"] = msgspec.Raw(json.dumps(call.model.removesuffix(LONG)))
    return msgspec.json.encode(fields), flags


PROVIDER: Final = Claude()

"""OpenAI Responses: with an API key at any host that speaks it, or with a ChatGPT login.

Logins are served by the backend that OpenAI's Codex CLI uses. It only streams, keeps nothing, and
refuses some fields that the API takes. What Codex itself has written passes as it is; bodies of
all other clients are written anew by the dialect, which knows that backend's rules. A picture is
made there by a tool, which a model that converses is given; keys have an API for it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct, UnsetType, structs

from cliproxy.account.credential import claims
from cliproxy.account.model import Account
from cliproxy.base import json
from cliproxy.base.http import HttpRequest
from cliproxy.base.json import Obj
from cliproxy.dialects import IMAGES
from cliproxy.dialects.openai_responses.wire import CODEX_ABSENT, ENCRYPTED
from cliproxy.ir.caps import Caps
from cliproxy.ir.request import DialectId
from cliproxy.providers import quirks
from cliproxy.providers.base import (
    IMAGE_PATHS,
    Ability,
    About,
    Call,
    Host,
    account_headers,
    base_headers,
    handshake,
    join,
)

BASE: Final = "https://chatgpt.com/backend-api/codex"
ORIGINATOR: Final = "cliproxy"
"""Which program asks: the backend wants to be told, and is told the truth."""
_BETA: Final = "responses_websockets=2026-02-06"
_ACCOUNT: Final = "chatgpt-account-id"
_FEDRAMP: Final = "x-openai-fedramp"
_AUTH: Final = "https://api.openai.com/auth"
_ABSENT: Final = frozenset(CODEX_ABSENT)
_NOT_COMPACTED: Final = _ABSENT | {"store", "stream"}
_NOT_SEARCHED: Final = frozenset({"prompt_cache_key", "prompt_cache_retention"})
_PATHS: Final[dict[str, str]] = {"compact": "/responses/compact", "search": "/alpha/search"}


class _Own(Struct):
    """What tells a body that Codex has written."""

    input: msgspec.Raw | UnsetType = UNSET
    instructions: Any = UNSET
    store: Any = UNSET
    stream: Any = UNSET
    include: Any = UNSET
    tools: msgspec.Raw | UnsetType = UNSET
    tool_choice: msgspec.Raw | UnsetType = UNSET
    parallel_tool_calls: Any = UNSET
    prompt_cache_key: Any = UNSET
    client_metadata: msgspec.Raw | UnsetType = UNSET


_OWN: Final = msgspec.json.Decoder(_Own)
_BODY: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Codex(quirks.SealsReasoning, Host):
    """`POST {base}/responses` with a bearer."""

    name: str = "codex"
    dialects = ("openai-responses", *IMAGES)
    several: bool = True
    abilities = frozenset({"whole", "keep", "compact"})

    def wants_session(self, account: Account) -> bool:
        """Name it: what it has cached is found by it."""
        return account.credential is not None

    def able(self, what: Ability, account: Account) -> bool:
        """Look it up; logins can only make conversations short, and search."""
        if _is_login(account):
            return what in ("compact", "search")
        return account.alpha_search if what == "search" else what in self.abilities

    def speaks(self, account: Account) -> tuple[DialectId, ...]:
        """Return `dialects`; for logins pictures are made by a tool."""
        return self.dialects[:1] if _is_login(account) else self.dialects

    def caps(self, caps: Caps, account: Account) -> Caps:
        """Say whose rules a body is written to."""
        return structs.replace(caps, codex=True) if _is_login(account) else caps

    def adjust(self, body: Obj, about: About) -> None:
        """Name the conversation, so that its prompt is cached; name nothing that is not kept."""
        if not _is_login(about.account):
            return
        if about.session:
            body.setdefault("prompt_cache_key", about.session)
        if about.caps.draws:
            _draw(body, about)
        items = body.get("input")
        if isinstance(items, list):
            body["input"] = [new for item in items if (new := _plain(item)) is not None]

    def verbatim(self, body: bytes, about: About) -> bytes | None:
        """Send to a login what Codex has written, to a key what anybody has."""
        if not _is_login(about.account):
            return super().verbatim(body, about)
        return body if about.stream and _is_own(body) else None

    def prepare(self, call: Call, account: Account) -> HttpRequest:
        """Address the call."""
        login = _is_login(account)
        headers = base_headers(call, forward=True)
        # A client that is logged in itself names its own account, which is not this one.
        for name in (_ACCOUNT, _FEDRAMP):
            headers.pop(name, None)
        if account.token:
            headers["authorization"] = f"Bearer {account.token}"
        body = call.body
        if login:
            _introduce(headers, call, account)
            if call.operation == "compact":
                body = _without(body, _NOT_COMPACTED, nulls=("instructions",))
        if call.operation == "search":
            body = _without(body, _NOT_SEARCHED)
        account_headers(headers, call, account)
        path = IMAGE_PATHS.get(call.dialect, _PATHS.get(call.operation, "/responses"))
        base = account.base_url or (BASE if login else "")
        return HttpRequest("POST", join(base, path), headers, body, account.proxy_url)

    def websocket(self, http: HttpRequest) -> HttpRequest | None:
        """Open one at the same address."""
        return handshake(http, _BETA)


def _draw(body: Obj, about: About) -> None:
    """Ask a model that converses to have the picture made by the model that was asked for."""
    for tool in body.get("tools") or ():
        if tool.get("type") == "image_generation":
            tool["model"] = about.caps.model
    body["model"] = about.account.draws_with


def _is_login(account: Account) -> bool:
    return account.credential is not None


def _introduce(headers: dict[str, str], call: Call, account: Account) -> None:
    """Say who asks, for whom, and in which conversation. What a client says of itself stays."""
    credential = account.credential
    assert credential is not None
    told = _claimed(credential.text("id_token"))
    if who := credential.text("account_id") or told[0]:
        headers[_ACCOUNT] = who
    if told[1]:
        headers[_FEDRAMP] = "true"
    headers.setdefault("originator", ORIGINATOR)
    if call.session and not {"session-id", "session_id"} & headers.keys():
        headers["session-id"] = call.session
    if not call.verbatim and call.operation == "generate":
        headers["accept"] = "text/event-stream"


@lru_cache(maxsize=256)
def _claimed(id_token: str) -> tuple[str, bool]:
    """Return the account an id token names, and whether that is one of FedRAMP's."""
    auth = claims(id_token).get(_AUTH)
    if not isinstance(auth, dict):
        return "", False
    account = auth.get("chatgpt_account_id")
    return (
        account if isinstance(account, str) else "",
        auth.get("chatgpt_account_is_fedramp") is True,
    )


def _is_own(body: bytes) -> bool:
    """Tell whether Codex has written a body; then the backend takes it as it is.

    Since it sends metadata of its own it is told by these, before by its writing all the fields
    that others leave to their defaults.
    """
    try:
        told = _OWN.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    if told.store is not False or told.stream is not True or told.instructions is None:
        return False
    if told.input is UNSET or bytes(told.input)[:1] != b"[":
        return False
    if told.client_metadata is not UNSET:
        return bytes(told.client_metadata)[:1] == b"{"
    written = (told.tools, told.tool_choice, told.parallel_tool_calls, told.prompt_cache_key)
    return (
        UNSET not in written
        and isinstance(told.instructions, str)
        and isinstance(told.include, list)
        and ENCRYPTED in told.include
        and not _ABSENT & _BODY.decode(body).keys()
    )


def _plain(item: Any) -> Any:
    """Return an input item without a made-up id; None when nothing else is in it."""
    if not isinstance(item, dict) or item.get("type", "message") not in quirks.UNNAMED:
        return item
    if item.get("type") == "reasoning" and not any(
        item.get(key) for key in ("encrypted_content", "summary", "content")
    ):
        return None
    return {k: v for k, v in item.items() if k != "id"} if "id" in item else item


def _without(body: bytes, names: frozenset[str], nulls: tuple[str, ...] = ()) -> bytes:
    """Return a body without what a route refuses; all else byte for byte."""
    fields = quirks.members(body)
    if fields is None:
        return body
    none = [k for k in nulls if k in fields and bytes(fields[k]) == b"null"]
    gone = [*(names & fields.keys()), *none]
    if not gone:
        return body
    for name in gone:
        del fields[name]
    return json.dumps(fields)


PROVIDER: Final = Codex()

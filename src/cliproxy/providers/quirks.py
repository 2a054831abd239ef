"""What hosts with quirks share: mending a client's own body, and reading what a refusal says."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from datetime import datetime, timedelta, timezone
from hashlib import blake2b
from typing import Final

import msgspec
from msgspec import structs

from cliproxy.base import json
from cliproxy.base.errors import UpstreamError, UpstreamRefused, kind_of
from cliproxy.base.http import HttpRequest
from cliproxy.base.json import Json, Obj
from cliproxy.providers.base import USER_AGENT, Call

_BODY: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIBRARY: Final = re.compile(
    r"(?:async)?(?:openai|anthropic)/|anthropic-|python|aiohttp|httpx|node|undici|axios|go-http|"
    r"okhttp|java/|curl|wget|$",
    re.IGNORECASE,
)
"""How libraries call themselves that any program may be built with."""
_SEALED: Final = re.compile(r"encrypted[ _]content", re.IGNORECASE)
UNNAMED: Final = frozenset(
    {"message", "reasoning", "function_call", "function_call_output", "custom_tool_call",
     "custom_tool_call_output", "web_search_call", "local_shell_call"}
)  # fmt: skip
"""Items of a Responses call whose ids mean nothing where nothing is kept. Ids that others made up
are refused."""
_CHINA: Final = timezone(timedelta(hours=8))


# ---- bodies -------------------------------------------------------------------------------------
def mended(body: bytes, mend: Callable[[Obj], None]) -> bytes:
    """Return a client's own body with what its host would refuse put right.

    A body that needs nothing is returned as it is, byte for byte.
    """
    value = json.loads_object(body)
    if value is None:
        return body
    before = json.dumps(value)
    mend(value)
    after = json.dumps(value)
    return body if after == before else after


def members(body: bytes) -> dict[str, msgspec.Raw] | None:
    """Return the members of a body, each byte for byte; None when it is no JSON object."""
    try:
        return _BODY.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def with_field(body: bytes, name: str, value: Json) -> bytes:
    """Return a body with a top-level field set; all other values stay byte for byte."""
    fields = members(body)
    if fields is None:
        return body
    fields[name] = msgspec.Raw(json.dumps(value))
    return msgspec.json.encode(fields)


class SealsReasoning:
    """What is alike at hosts of the Responses API whose accounts seal their reasoning."""

    def elsewhere(self, request: HttpRequest, err: UpstreamError) -> HttpRequest | None:
        """Do without reasoning that another account has sealed."""
        return without_reasoning(request, err)

    def parts(self, request: HttpRequest) -> frozenset[str]:
        """Name the reasoning in it."""
        return reasoning_of(request)

    def without(self, request: HttpRequest, parts: Collection[str]) -> HttpRequest:
        """Leave out reasoning that is known to be another account's."""
        return without_seals(request, parts) or request


def without_reasoning(request: HttpRequest, err: UpstreamError) -> HttpRequest | None:
    """Return a Responses call without the reasoning that its account cannot read.

    Reasoning is sealed by whoever made it. Where a conversation goes on at another account it is
    refused, in every turn from then on; without it the conversation goes on. None when that is not
    what was refused.
    """
    if err.status != 400 or not _SEALED.search(f"{err.code} {err.message}"):
        return None
    return without_seals(request)


def reasoning_of(request: HttpRequest) -> frozenset[str]:
    """Name each piece of reasoning in a Responses call."""
    fields = members(request.body)
    items = json.loads(bytes(fields["input"])) if fields and "input" in fields else None
    return frozenset(_seal(i) for i in objects(items) if i.get("type") == "reasoning")


def without_seals(request: HttpRequest, seals: Collection[str] | None = None) -> HttpRequest | None:
    """Return a Responses call without reasoning: all of it, or what is among some `seals`.

    None when there is none.
    """
    fields = members(request.body) if b'"reasoning"' in request.body else None
    items = json.loads(bytes(fields["input"])) if fields and "input" in fields else None
    if fields is None or not isinstance(items, list):
        return None
    left: list[Json] = []
    bare = False
    for item in items:
        if isinstance(item, dict) and item.get("type") == "reasoning":
            bare = seals is None or _seal(item) in seals
            if bare:
                continue
        elif bare and isinstance(item, dict) and str(item.get("type", "message")) in UNNAMED:
            # By its id an item is known to belong to the reasoning before it.
            item = {k: v for k, v in item.items() if k != "id"}  # noqa: PLW2901
        left.append(item)
    if len(left) == len(items):
        return None
    fields["input"] = msgspec.Raw(json.dumps(left))
    return structs.replace(request, body=msgspec.json.encode(fields))


def _seal(item: Obj) -> str:
    sealed = item.get("encrypted_content")
    return digest(sealed if isinstance(sealed, str) and sealed else json.dumps_str(item))


def digest(text: str) -> str:
    """Return a short name of a long text that tells nothing of it."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def objects(value: Json) -> list[Obj]:
    """Return the objects of a list; of anything else none."""
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


# ---- who asks -----------------------------------------------------------------------------------
def sent_by(call: Call, *programs: str) -> bool:
    """Tell whether a request comes from one of some programs, by the name it gives itself."""
    agent = call.client_headers.get("user-agent", "").lower()
    return agent.startswith(programs)


def named(headers: dict[str, str]) -> dict[str, str]:
    """Return forwarded headers under our name where they only name a library, not a program."""
    if not _LIBRARY.match(headers.get("user-agent", "")):
        return headers
    rest = {k: v for k, v in headers.items() if not k.startswith("x-stainless-")}
    return {**rest, "user-agent": USER_AGENT}


# ---- refusals -----------------------------------------------------------------------------------
def says(err: UpstreamRefused, *patterns: str) -> bool:
    """Tell whether a refusal's message, code or body holds one of some patterns."""
    raw = err.raw[:4096].decode("utf-8", "replace") if err.raw is not None else ""
    text = f"{err.code or ''} {err.message} {raw}"
    return any(re.search(pattern, text, re.IGNORECASE) for pattern in patterns)


def means(
    err: UpstreamRefused,
    status: int,
    *,
    code: str | None = None,
    retry_after: float | None = None,
) -> UpstreamRefused:
    """Say what a refusal means where its status says something else. Another account may do."""
    err.status, err.kind = status, kind_of(status)
    err.code = code or err.code
    err.retry_after = err.retry_after if err.retry_after is not None else retry_after
    err.next_account = True
    return err


def explain(err: UpstreamRefused, what: str) -> None:
    """Add to a refusal what its owner should know, once."""
    if what not in err.message:
        err.message += what
        # The host's own words would be passed on without ours.
        err.raw = None


def until_midnight(now: float) -> float:
    """Return the seconds until the day ends in China."""
    here = datetime.fromtimestamp(now, _CHINA)
    midnight = (here + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight.timestamp() - now

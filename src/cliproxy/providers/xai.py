"""xAI: OpenAI Responses with an API key, or with a Grok login.

A login works at xAI's public API as a key does. The proxy of xAI's own command line client is used
instead where the owner asks for it (`"using_api": false` in the login's file, its address as
`base_url`, or a client version among the login's headers): it refuses versions it does not know.
"""

from __future__ import annotations

import re
import uuid
from typing import Final
from urllib.parse import quote, urlsplit

from msgspec import structs

from cliproxy.account.model import Account
from cliproxy.base import json
from cliproxy.base.errors import UpstreamRefused
from cliproxy.base.http import HttpRequest
from cliproxy.base.json import Json, Obj
from cliproxy.dialects import IMAGES, VIDEOS
from cliproxy.ir.caps import Caps
from cliproxy.providers import quirks
from cliproxy.providers.base import (
    IMAGE_PATHS,
    USER_AGENT,
    VIDEO_PATHS,
    About,
    Call,
    Host,
    account_headers,
    base_headers,
    handshake,
    join,
)

BASE: Final = "https://api.x.ai/v1"
PROXY: Final = "https://cli-chat-proxy.grok.com/v1"
VERSION: Final = "x-grok-client-version"
_OWN: Final = frozenset({"api.x.ai", "cli-chat-proxy.grok.com"})
_ABSENT: Final = (
    "previous_response_id",
    "prompt_cache_retention",
    "safety_identifier",
    "stream_options",
    "stop",
)
"""Fields that xAI refuses."""
_REWRITTEN: Final = frozenset({"custom", "namespace"})
_CUSTOM_ITEMS: Final = frozenset(
    {"custom_tool_call", "custom_tool_call_output", "additional_tools"}
)
_HOSTED: Final = frozenset(
    {"web_search", "x_search", "code_interpreter", "code_execution", "file_search", "mcp",
     "image_generation"}
)  # fmt: skip
_BESIDE: Final = {**IMAGE_PATHS, **VIDEO_PATHS}
"""What is at the public API alone, and where."""
_OF_FILES: Final = (
    "content-type", "range", "if-range", "if-none-match", "if-modified-since", "if-match",
    "if-unmodified-since",
)  # fmt: skip
"""What a client may say of a film that it fetches, and means nothing to the job behind it."""
_VERSION: Final = re.compile(r"grok-(\d+)\.(\d+)")
_DAY: Final = 86400.0
_OUTDATED: Final = (
    " (xAI's client proxy takes only versions of its own client that it knows. Remove "
    '"using_api": false from the login\'s file to use the public API.)'
)


class XAI(quirks.SealsReasoning, Host):
    """`POST {base}/responses`."""

    name: str = "xai"
    dialects = ("openai-responses", *IMAGES, *VIDEOS)
    several: bool = True
    abilities = frozenset({"whole", "compact"})

    def wants_session(self, account: Account) -> bool:
        """Name it: what it has cached is found by it."""
        return True

    def caps(self, caps: Caps, account: Account) -> Caps:
        """Say that there are functions only."""
        return structs.replace(
            caps, family="grok", freeform_tools=False, grok_images=True, base_is_official=False
        )

    def adjust(self, body: Obj, about: About) -> None:
        """Leave out what xAI refuses, and name the conversation for its prompt cache."""
        if about.dialect in IMAGES:
            return
        _mend(body, about.caps)
        if about.session and about.operation == "generate":
            body.setdefault("prompt_cache_key", about.session)

    def verbatim(self, body: bytes, about: About) -> bytes | None:
        """Mend a client's own body; with tools that must be undone in the answer, translate it."""
        if about.dialect in VIDEOS:
            return quirks.mended(body, _addresses) if b'"image_url"' in body else body
        if about.dialect in IMAGES or _needs_translation(body):
            return None
        return quirks.mended(body, lambda value: _mend(value, about.caps))

    def stale(self, err: UpstreamRefused) -> bool:
        """Take 401 for it, and the 403 that says so."""
        return err.status == 401 or (err.status == 403 and _bad_credentials(err))

    def judge(self, err: UpstreamRefused, now: float) -> UpstreamRefused:
        """Read what xAI says beside the status."""
        if (err.status == 403 and _bad_credentials(err)) or (
            err.status == 400 and quirks.says(err, r"incorrect api key")
        ):
            return quirks.means(err, 401, code="invalid_api_key")
        if err.status == 429 and quirks.says(err, r"free-usage-exhausted", r"included free usage"):
            return quirks.means(err, 429, code="usage_limit_reached", retry_after=_DAY)
        if err.status in (402, 403) and quirks.says(
            err, r"used all (?:of )?(?:your |the )?available credits", r"spending limit"
        ):
            return quirks.means(err, 402, code="insufficient_quota")
        if err.status == 426:
            quirks.explain(err, _OUTDATED)
            return quirks.means(err, 403, code="client_outdated")
        return err

    def prepare(self, call: Call, account: Account) -> HttpRequest:
        """Address the call."""
        headers = base_headers(call, forward=True)
        if call.dialect in _BESIDE:
            # Neither pictures nor jobs are streamed.
            headers["accept"] = "application/json"
        if account.token:
            headers["authorization"] = f"Bearer {account.token}"
        session = call.session
        if not session and "composer" in call.model:
            session = uuid.uuid4().hex
        if session:
            headers.setdefault("x-grok-conv-id", session)
        base = base_of(call, account)
        if urlsplit(base).hostname == urlsplit(PROXY).hostname:
            # Says which kind of token the bearer is.
            headers["x-xai-token-auth"] = "xai-grok-cli"
            headers.setdefault(VERSION, USER_AGENT)
        account_headers(headers, call, account)
        path = "/responses/compact" if call.operation == "compact" else "/responses"
        path = _BESIDE.get(call.dialect, path)
        if call.operation == "poll":
            for name in _OF_FILES:
                headers.pop(name, None)
            url = join(base, f"/videos/{quote(call.resource, safe='')}")
            return HttpRequest("GET", url, headers, proxy=account.proxy_url)
        return HttpRequest("POST", join(base, path), headers, call.body, account.proxy_url)

    def websocket(self, http: HttpRequest) -> HttpRequest | None:
        """Open one at the same address, unless that is the client proxy's, which has none."""
        asked, proxy = urlsplit(http.url).hostname, urlsplit(PROXY).hostname
        return None if asked == proxy else handshake(http)


def base_of(call: Call, account: Account) -> str:
    """Return the host of a call: the owner's, else one of xAI's two."""
    host = urlsplit(account.base_url).hostname or ""
    if account.base_url and host not in _OWN:
        return account.base_url
    login = account.credential
    if login is None or login.flag("using_api") or _at_api_only(call):
        return BASE
    asked = "using_api" in login.fields or host == urlsplit(PROXY).hostname
    return PROXY if asked or any(h.lower() == VERSION for h in account.headers) else BASE


def _at_api_only(call: Call) -> bool:
    return call.operation == "compact" or call.dialect in _BESIDE


def _bad_credentials(err: UpstreamRefused) -> bool:
    return quirks.says(err, r"bad-credentials", r"access token could not be validated")


def _needs_translation(body: bytes) -> bool:
    value = json.loads_object(body)
    if value is None:
        return False
    return any(t.get("type") in _REWRITTEN for t in quirks.objects(value.get("tools"))) or any(
        item.get("type") in _CUSTOM_ITEMS for item in quirks.objects(value.get("input"))
    )


# ---- bodies -------------------------------------------------------------------------------------
def _mend(body: Obj, caps: Caps) -> None:
    for name in _ABSENT:
        body.pop(name, None)
    reasoning = body.get("reasoning")
    if isinstance(reasoning, dict) and caps.known and not caps.efforts:
        reasoning.pop("effort", None)
        if not reasoning:
            del body["reasoning"]
    for item in quirks.objects(body.get("input")):
        if item.get("type") == "reasoning":
            _reasoning(item)
    if "tools" in body:
        _tools(body, caps.model)
    _choice(body)


def _addresses(body: Obj) -> None:
    """Call the address of a picture what xAI calls it."""
    for name in ("image", "images", "reference_images"):
        value = body.get(name)
        for one in [value] if isinstance(value, dict) else quirks.objects(value):
            if "url" not in one and "image_url" in one:
                inner = one.pop("image_url")
                one["url"] = inner.get("url") if isinstance(inner, dict) else inner


def _reasoning(item: Obj) -> None:
    if "content" in item and item["content"] is None:
        del item["content"]
    summary = item.get("summary")
    parts = quirks.objects(summary)
    texts = [p["text"] for p in parts if set(p) == {"type", "text"} and isinstance(p["text"], str)]
    if len(texts) > 1 and isinstance(summary, list) and len(texts) == len(summary):
        item["summary"] = [{"type": "summary_text", "text": "\n\n".join(texts)}]


def _tools(body: Obj, model: str) -> None:
    kept: list[Obj] = []
    for tool in quirks.objects(body["tools"]):
        kind = tool.get("type")
        if kind == "tool_search" or (kind == "image_generation" and not _draws(model)):
            continue
        if kind == "web_search":
            tool.pop("external_web_access", None)
        if kind == "function":
            _parameters(tool)
        kept.append(tool)
    if kept:
        body["tools"] = kept
    else:
        del body["tools"]


def _draws(model: str) -> bool:
    """Tell whether a model can be given the tool that makes images."""
    found = _VERSION.search(model)
    if found is None:
        return False
    version = int(found[1]), int(found[2])
    return version >= (4, 6) and version != (4, 20)


def _parameters(tool: Obj) -> None:
    """See to it that the parameters are an object: xAI takes nothing else."""
    schema = tool.get("parameters")
    if not isinstance(schema, dict) or not schema:
        tool["parameters"] = {"type": "object", "properties": {}}
        return
    branches = [b for key in ("anyOf", "oneOf", "allOf") for b in quirks.objects(schema.get(key))]
    if branches and not all(_object(branch) for branch in branches):
        tool["parameters"] = {"type": "object", "properties": {}, "additionalProperties": True}
        tool["strict"] = False
    elif schema.get("type") != "object" and (branches or "properties" in schema):
        tool["parameters"] = {"type": "object", **{k: v for k, v in schema.items() if k != "type"}}


def _object(schema: Obj) -> bool:
    return schema.get("type") == "object" or ("type" not in schema and "properties" in schema)


def _choice(body: Obj) -> None:
    """Let the choice name only tools that are there, in a form that xAI knows."""
    choice = body.get("tool_choice")
    tools = quirks.objects(body.get("tools"))
    if not tools:
        if choice is not None:
            del body["tool_choice"]
        return
    if not isinstance(choice, dict):
        return
    kind = choice.get("type")
    if kind == "allowed_tools":
        named = [t for t in quirks.objects(choice.get("tools")) if _declared(t, tools)]
        body["tool_choice"] = {**choice, "tools": named}
        if not named:
            del body["tool_choice"]
    elif not _declared(choice, tools):
        del body["tool_choice"]
    elif kind in _HOSTED:
        body["tool_choice"] = {
            "type": "allowed_tools",
            "mode": "required",
            "tools": [dict(choice)],
        }


def _declared(choice: Obj, tools: list[Obj]) -> bool:
    kind, name = choice.get("type"), choice.get("name")
    return any(t.get("type") == kind and (kind != "function" or _name(t) == name) for t in tools)


def _name(tool: Obj) -> Json:
    inner = tool.get("function")
    return tool.get("name") or (inner.get("name") if isinstance(inner, dict) else None)


PROVIDER: Final = XAI()

"""The service behind Google's editor Antigravity: Gemini in an envelope, for many models.

It is not documented. What is here was seen to be needed; who we are is said as it is.
"""

from __future__ import annotations

import hashlib
import re
import time
from typing import Any, Final
from uuid import uuid4

import msgspec
from msgspec import Raw, structs

from cliproxy.account.model import Account
from cliproxy.base import json
from cliproxy.base.errors import UpstreamError, UpstreamRefused, UpstreamUnreachable
from cliproxy.base.http import HttpRequest
from cliproxy.base.json import Obj
from cliproxy.dialects.gemini import variants
from cliproxy.ir.caps import Caps
from cliproxy.ir.restore import Restore, Restored, StandIns
from cliproxy.providers import quirks
from cliproxy.providers.base import About, Call, Host, account_headers, base_headers, join

BASES: Final = ("https://daily-cloudcode-pa.googleapis.com", "https://cloudcode-pa.googleapis.com")
"""In the order in which they are asked."""
_CUT_SHORT: Final = re.compile(r"claude|^gemini-3-pro|^gemini-3\.1-flash-image")
"""Models whose answer in one piece is cut short; they are asked for a stream."""
_VALIDATED: Final = re.compile(r"claude|^gemini-3(\.1)?-pro")
"""Models whose tools must have something that is required."""
_HINTED: Final = ("minimum", "maximum", "multipleOf", "not")
_BUDGET: Final = 1024


class _StandIn(dict[str, Any]):
    """The schema of an argument that no client has declared: told from others by its type."""


class Antigravity(Host):
    """`POST {base}/v1internal:{method}`."""

    several = True

    name: str = "antigravity"
    dialects = ("code-assist",)
    abilities = frozenset({"whole", "count"})

    def wants_session(self, account: Account) -> bool:
        """Name it: what it has cached is found by it."""
        return True

    def caps(self, caps: Caps, account: Account) -> Caps:
        """Say that schemas are taken in the OpenAPI form only."""
        return structs.replace(caps, json_schema_params=False)

    def adjust(self, body: Obj, about: About) -> None:
        """Fill in the envelope, and what the service wants of the request in it."""
        inner: Obj = body["request"]
        if about.operation == "count":
            variants.say_thoughts(inner)
            return
        model = about.caps.model.lower()
        inner.pop("safetySettings", None)
        if "claude" in model:
            _for_claude(inner, about.caps.max_output)
        else:
            variants.cap_output(inner, about.caps.max_output)
            if model.startswith("gemini"):
                variants.sign_calls(inner)
        for function in variants.functions(inner):
            _parameters(function, validated=_VALIDATED.search(model) is not None)
        kind = _kind(model, inner)
        body |= {"project": about.account.place, "userAgent": self.name, "requestType": kind}
        session = inner.pop("session_id", None)
        match kind:
            case "agent":
                body["requestId"] = f"agent-{uuid4()}"
                inner["sessionId"] = session or _session(about.session, inner)
            case "image_gen":
                at = time.time_ns() // 1_000_000
                body["requestId"] = f"image_gen/{at}/{uuid4()}/12"
            case _:
                pass

    def restore(self, body: Obj, restore: Restore) -> Restore:
        """Take the arguments out of calls that are declared only because something must be."""
        tools = dict(restore.tools)
        for function in variants.functions(body["request"]):
            found = _stand_ins(function.get("parameters"))
            name = function.get("name")
            if found and isinstance(name, str):
                known = tools.get(name) or Restored(name)
                tools[name] = structs.replace(known, stand_ins=found)
        return structs.replace(restore, tools=tools) if tools != restore.tools else restore

    def verbatim(self, body: bytes, about: About) -> bytes | None:
        """Pass on what the editor itself wrote, with our project; translate all else."""
        if about.operation != "generate":
            return None
        members = quirks.members(body) or {}
        if "request" not in members or bytes(members.get("userAgent", b"")) != b'"antigravity"':
            return None
        members["project"] = Raw(json.dumps(about.account.place))
        return msgspec.json.encode(members)

    def prepare(self, call: Call, account: Account) -> HttpRequest:
        """Address the call."""
        headers = base_headers(call, forward=True)
        headers.pop("x-goog-user-project", None)
        chosen = account.credential.text("user_agent") if account.credential is not None else ""
        if chosen and not call.verbatim:
            # The service lets only some clients use its newest models; that is the owner's choice.
            headers["user-agent"] = chosen
        if account.token:
            headers["authorization"] = f"Bearer {account.token}"
        stream = call.stream
        if call.operation == "count":
            method = "countTokens"
        else:
            if not account.place:
                raise UpstreamRefused(
                    f"No project is known for {account.label} yet.",
                    status=503,
                    code="project_missing",
                    next_account=True,
                )
            if not stream and not call.verbatim and _CUT_SHORT.search(call.model.lower()):
                stream = True
                headers |= {"accept": "text/event-stream", "accept-encoding": "identity"}
            method = "streamGenerateContent?alt=sse" if stream else "generateContent"
        account_headers(headers, call, account)
        url = join(account.base_url or BASES[0], f"/v1internal:{method}")
        return HttpRequest("POST", url, headers, call.body, account.proxy_url)

    def elsewhere(self, request: HttpRequest, err: UpstreamError) -> HttpRequest | None:
        """Ask the second host where the first is full, at a limit of its own, or not there."""
        full = err.status == 503 and "no capacity" in err.message.lower()
        if not request.url.startswith(BASES[0]) or not (
            full or err.status == 429 or isinstance(err, UpstreamUnreachable)
        ):
            return None
        return structs.replace(request, url=BASES[1] + request.url.removeprefix(BASES[0]))


def _kind(model: str, inner: Obj) -> str:
    if "image" in model:
        return "image_gen"
    tools = [t for t in inner.get("tools") or () if isinstance(t, dict)]
    searches = any("googleSearch" in t for t in tools)
    if searches and not any(t.get("functionDeclarations") for t in tools):
        return "web_search"
    return "agent"


def _session(name: str, inner: Obj) -> str:
    """Return a conversation's number: a negative one that is the same in every turn."""
    seed = name
    for content in inner.get("contents") or () if not seed else ():
        texts = [p["text"] for p in content["parts"] if isinstance(p.get("text"), str)]
        if content.get("role") != "model" and texts:
            seed = texts[0]
            break
    digest = hashlib.sha256(seed.encode("utf-8", "surrogatepass")).digest()
    return f"-{int.from_bytes(digest[:8]) & 0x7FFF_FFFF_FFFF_FFFF}"


def _for_claude(inner: Obj, most: int | None) -> None:
    variants.cap_output(inner, most)
    config = inner.setdefault("generationConfig", {})
    if most:
        config.setdefault("maxOutputTokens", most)
    thinking = config.get("thinkingConfig")
    if isinstance(thinking, dict):
        budget = thinking.get("thinkingBudget")
        limit = config.get("maxOutputTokens")
        if isinstance(budget, int) and isinstance(limit, int) and budget >= limit:
            budget = thinking["thinkingBudget"] = limit - 1
        # -1 leaves it to the model.
        if isinstance(budget, int) and 0 <= budget < _BUDGET:
            del config["thinkingConfig"]
    if not config:
        del inner["generationConfig"]
    if any(variants.functions(inner)):
        calling = inner.setdefault("toolConfig", {}).setdefault("functionCallingConfig", {})
        if calling.get("mode", "AUTO") == "AUTO":
            calling["mode"] = "VALIDATED"


# ---- tools --------------------------------------------------------------------------------------
def _parameters(function: Obj, *, validated: bool) -> None:
    schema = function.pop("parametersJsonSchema", None) or function.get("parameters")
    if isinstance(schema, dict):
        function["parameters"] = _hinted(schema)
    elif validated:
        function["parameters"] = {"type": "object", "properties": {}}
    if validated and isinstance(function.get("parameters"), dict):
        _require(function["parameters"], root=True)


def _hinted(schema: Any) -> Any:
    """Return a schema whose lists of values and limits are told in words."""
    if not isinstance(schema, dict):
        return schema
    out: Obj = {}
    hints: list[str] = []
    for key, value in schema.items():
        if key == "properties" and isinstance(value, dict):
            out[key] = {name: _hinted(sub) for name, sub in value.items()}
        elif key == "items":
            out[key] = _hinted(value)
        elif key == "anyOf" and isinstance(value, list):
            out[key] = [_hinted(sub) for sub in value]
        elif key == "enum" and isinstance(value, list):
            hints.append("Allowed: " + ", ".join(str(v) for v in value))
        elif key in _HINTED:
            hints.append(f"{key}: {value if isinstance(value, str) else json.dumps_str(value)}")
        else:
            out[key] = value
    if hints:
        said = out.get("description")
        words = [said] if isinstance(said, str) and said else []
        out["description"] = " ".join([*words, *(f"({hint})" for hint in hints)])
    return out


def _require(schema: Obj, *, root: bool) -> None:
    """Give every object something that is required."""
    properties = schema.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    for sub in [*properties.values(), schema.get("items"), *(schema.get("anyOf") or ())]:
        if isinstance(sub, dict):
            _require(sub, root=False)
    if str(schema.get("type", "")).lower() != "object":
        return
    if not properties:
        reason = _StandIn(type="string", description="Why this is called, in a few words.")
        schema["properties"], schema["required"] = {"reason": reason}, ["reason"]
    elif not schema.get("required") and not root:
        schema["properties"] = {**properties, "_": _StandIn(type="boolean")}
        schema["required"] = ["_"]


def _stand_ins(*schemas: Any) -> StandIns:
    """Return what `_require` has put into schemas of one value, and none of them declares."""
    asked: dict[str, list[Any]] = {}
    put: set[str] = set()
    waiting = list(schemas)
    while waiting:
        schema = waiting.pop()
        if not isinstance(schema, dict):
            continue
        waiting += [schema.get("items"), *(schema.get("anyOf") or ())]
        properties = schema.get("properties")
        for name, sub in properties.items() if isinstance(properties, dict) else ():
            if isinstance(sub, _StandIn):
                put.add(name)
            else:
                asked.setdefault(name, []).append(sub)
    # Nobody can tell which of several schemas a value was made for.
    inside = {name: found for name, subs in asked.items() if (found := _stand_ins(*subs))}
    return StandIns(frozenset(put - asked.keys()), inside)


PROVIDER: Final = Antigravity()

"""Kimi Code: Anthropic Messages and OpenAI Chat Completions on one host, for one login.

Requests in other dialects become Messages: Kimi's documentation offers that API to programs of all
kinds, while Chat Completions is answered only to those that Kimi has listed. A login whose file
says `"messages_only": true` is never spoken to in Chat Completions.
"""

from __future__ import annotations

from typing import Final

from msgspec import structs

from cliproxy.account.device import device_of, kimi_headers
from cliproxy.account.model import Account
from cliproxy.base.errors import UpstreamRefused
from cliproxy.base.http import HttpRequest
from cliproxy.base.json import Json, Obj
from cliproxy.ir.caps import Caps
from cliproxy.ir.request import DialectId
from cliproxy.ir.thinking import LEVELS, clamp_level, level_to_budget
from cliproxy.providers import quirks
from cliproxy.providers.base import About, Call, Host, account_headers, base_headers, join

BASE: Final = "https://api.kimi.com/coding"
VERSION: Final = "2023-06-01"
UNKNOWN_REASONING: Final = "(not kept)"
"""What stands for the reasoning of a turn that came back without it."""
_PATHS: Final = {"anthropic": "/v1/messages", "openai-chat": "/v1/chat/completions"}
_EFFORTS: Final = ("low", "high", "max")
_LEAST: Final = 1024
_LISTED: Final = (
    " (Kimi answers Chat Completions only to the programs it has listed. Its Messages API has no "
    'such list: speak Anthropic Messages, or put "messages_only": true into the login\'s file.)'
)


class Kimi(Host):
    """`POST {base}/v1/messages` and `{base}/v1/chat/completions`."""

    name: str = "kimi"
    dialects = ("anthropic", "openai-chat")
    abilities = frozenset({"whole", "count"})

    def speaks(self, account: Account) -> tuple[DialectId, ...]:
        """Return both, unless the owner wants Messages only."""
        login = account.credential
        only = login is not None and login.flag("messages_only")
        return ("anthropic",) if only else self.dialects

    def caps(self, caps: Caps, account: Account) -> Caps:
        """Say whose signatures these are, and that reasoning is wanted back."""
        return structs.replace(caps, family="kimi", echo_reasoning=True, base_is_official=False)

    def adjust(self, body: Obj, about: About) -> None:
        """Say thinking as Kimi does, and mend what it would refuse."""
        if about.dialect == "anthropic":
            _budgeted(body)
        else:
            _mend(body, about.caps)

    def verbatim(self, body: bytes, about: About) -> bytes | None:
        """Mend a Chat client's own body; leave a Messages client's alone."""
        if about.dialect == "anthropic":
            return body
        return quirks.mended(body, lambda value: _mend(value, about.caps))

    def judge(self, err: UpstreamRefused, now: float) -> UpstreamRefused:
        """Tell limits of the subscription from refusals of this program."""
        if quirks.says(err, r"access_terminated", r"only available for coding agents"):
            quirks.explain(err, _LISTED)
            return err
        if err.status in (403, 429) and quirks.says(
            err, r"usage limit", r"exceeded_current_quota", r"quota exceeded"
        ):
            return quirks.means(err, 429, code="usage_limit_reached")
        if err.status == 403 and quirks.says(err, r"membership"):
            return quirks.means(err, 402)
        return err

    def model_name(self, name: str) -> str:
        """Return Kimi's own name of a model."""
        return upstream_model(name)

    def prepare(self, call: Call, account: Account) -> HttpRequest:
        """Address the call."""
        headers = quirks.named(base_headers(call, forward=True))
        if account.token:
            headers["authorization"] = f"Bearer {account.token}"
        login = account.credential
        if login is not None:
            device = login.text("device_id") or device_of(account.id)
            for name, value in kimi_headers(device).items():
                headers.setdefault(name, value)
            # The login is bound to this machine, whichever the client runs on.
            headers["x-msh-device-id"] = device
        if call.dialect == "anthropic":
            headers.setdefault("anthropic-version", VERSION)
        account_headers(headers, call, account)
        body, model = call.body, upstream_model(call.model)
        if model != call.model:
            body = quirks.with_field(body, "model", model)
        path = _PATHS[call.dialect]
        if call.operation == "count":
            path = "/v1/messages/count_tokens"
        url = join((account.base_url or BASE).rstrip("/").removesuffix("/v1"), path)
        return HttpRequest("POST", url, headers, body, account.proxy_url)


def upstream_model(name: str) -> str:
    """Return what Kimi itself calls a model."""
    short = name.strip().lower().removesuffix("[1m]").removeprefix("kimi-")
    fast = short.endswith("-highspeed")
    if short.removesuffix("-highspeed") in ("k2.7-code", "for-coding"):
        return "kimi-for-coding-highspeed" if fast else "kimi-for-coding"
    return short


# ---- Messages -----------------------------------------------------------------------------------
def _budgeted(body: Obj) -> None:
    """Say how much to think by a budget, the form that every host of this API has always taken."""
    thinking = body.get("thinking")
    output = body.get("output_config")
    effort = output.pop("effort", None) if isinstance(output, dict) else None
    if output == {}:
        del body["output_config"]
    if not isinstance(thinking, dict) or thinking.get("type") == "disabled":
        return
    budget = thinking.get("budget_tokens")
    if not isinstance(budget, int):
        budget = level_to_budget(effort if isinstance(effort, str) else "medium")
    limit = body.get("max_tokens")
    if isinstance(limit, int) and budget >= limit:
        # Half of what may be written is left for the answer.
        budget = limit // 2
    if budget < _LEAST and isinstance(limit, int) and limit <= _LEAST:
        del body["thinking"]
        return
    body["thinking"] = {"type": "enabled", "budget_tokens": max(budget, _LEAST)}


# ---- Chat Completions ---------------------------------------------------------------------------
def _mend(body: Obj, caps: Caps) -> None:
    _thinking(body, caps)
    messages = body.get("messages")
    if isinstance(messages, list):
        thinking = body.get("thinking")
        off = isinstance(thinking, dict) and thinking.get("type") == "disabled"
        body["messages"] = _messages(messages, thinks=not off)


def _thinking(body: Obj, caps: Caps) -> None:
    effort = body.pop("reasoning_effort", None)
    if not isinstance(effort, str) or (caps.known and caps.thinking is None):
        return
    own = body.get("thinking")
    kept = {"keep": own["keep"]} if isinstance(own, dict) and "keep" in own else {}
    levels = tuple(v for v in (caps.efforts or _EFFORTS) if v in _EFFORTS) or _EFFORTS
    if effort == "none":
        if caps.thinking is None or caps.thinking.zero_allowed:
            body["thinking"] = {"type": "disabled", **kept}
            return
        effort = next(level for level in LEVELS if level in levels)
    if effort != "auto":
        effort = clamp_level(effort, levels)
    body["thinking"] = {"type": "enabled", "effort": effort, **kept}


def _messages(messages: list[Json], *, thinks: bool) -> list[Json]:
    """Return the messages with nothing in them that Kimi refuses."""
    out: list[Json] = []
    reasoning = ""
    pending: list[str] = []
    for message in messages:
        if not isinstance(message, dict):
            out.append(message)
            continue
        role = message.get("role")
        if role == "assistant":
            calls = quirks.objects(message.get("tool_calls"))
            own = message.get("reasoning_content")
            own = own if isinstance(own, str) else ""
            if not calls and not own and not message.get("content"):
                continue
            reasoning = own or reasoning
            if calls and not own and thinks:
                said = message.get("content")
                text = said if isinstance(said, str) and said.strip() else UNKNOWN_REASONING
                message["reasoning_content"] = reasoning or text
            pending = [call["id"] for call in calls if isinstance(call.get("id"), str)]
        elif role == "tool":
            if not message.get("tool_call_id"):
                named = message.pop("call_id", None) or (pending[0] if len(pending) == 1 else None)
                if named:
                    message["tool_call_id"] = named
            pending = [call for call in pending if call != message.get("tool_call_id")]
        out.append(message)
    return out


PROVIDER: Final = Kimi()

"""Qwen Code's host: OpenAI Chat Completions for a login. Its free tier ended on 2026-04-15.

Which host it is stands in the login (`resource_url`). The protocol is that of Qwen Code's public
source, and of Alibaba's Model Studio behind it.
"""

from __future__ import annotations

from typing import Final

from msgspec import structs

from cliproxy.account.model import Account
from cliproxy.base.errors import UpstreamRefused
from cliproxy.base.http import HttpRequest, is_sealed
from cliproxy.base.json import Json, Obj
from cliproxy.ir.caps import Caps
from cliproxy.providers import quirks
from cliproxy.providers.base import (
    USER_AGENT,
    About,
    Call,
    Host,
    account_headers,
    base_headers,
    join,
)

BASE: Final = "https://portal.qwen.ai/v1"
_SYSTEM: Final = frozenset({"system", "developer"})
_ENDED: Final = (
    " (Qwen ended the free tier of these logins on 2026-04-15; a paid Model Studio key goes into "
    "openai-compatibility.)"
)


class Qwen(Host):
    """`POST https://{resource_url}/v1/chat/completions`."""

    name: str = "qwen"
    dialects = ("openai-chat",)

    def caps(self, caps: Caps, account: Account) -> Caps:
        """Say that this is not OpenAI itself: marks and settings have the field's own names."""
        return structs.replace(caps, family="qwen", base_is_official=False)

    def adjust(self, body: Obj, about: About) -> None:
        """Leave one system message, and say thinking in Qwen's words."""
        _mend(body, about.caps)

    def verbatim(self, body: bytes, about: About) -> bytes | None:
        """Do the same to a client's own body, if it needs it."""
        return quirks.mended(body, lambda value: _mend(value, about.caps))

    def judge(self, err: UpstreamRefused, now: float) -> UpstreamRefused:
        """Take a used up allowance for what it is, whatever its status: over at midnight there."""
        if err.status in (403, 429) and quirks.says(
            err, r"insufficient_quota", r"quota[_ ]exceeded"
        ):
            quirks.explain(err, _ENDED)
            return quirks.means(
                err, 429, code="usage_limit_reached", retry_after=quirks.until_midnight(now)
            )
        return err

    def prepare(self, call: Call, account: Account) -> HttpRequest:
        """Address the call."""
        headers = base_headers(call, forward=quirks.sent_by(call, "qwencode", "qwen-code"))
        if account.token:
            headers["authorization"] = f"Bearer {account.token}"
        headers["x-dashscope-authtype"] = "qwen-oauth"
        # Cache marks in the body count only with this.
        headers.setdefault("x-dashscope-cachecontrol", "enable")
        headers.setdefault("x-dashscope-useragent", USER_AGENT)
        account_headers(headers, call, account)
        url = join(base_of(account), "/chat/completions")
        return HttpRequest("POST", url, headers, call.body, account.proxy_url)


def base_of(account: Account) -> str:
    """Return the host of a login: the owner's, the login's own, or the usual one."""
    base = account.base_url
    if not base and account.credential is not None:
        base = account.credential.text("resource_url")
        # The file's word, not its owner's: it may not have the token sent where it can be read.
        if base and not is_sealed(_address(base)):
            base = ""
    if not base:
        return BASE
    base = _address(base).rstrip("/")
    return base if base.endswith("/v1") else f"{base}/v1"


def _address(host: str) -> str:
    return host if "://" in host else f"https://{host}"


def _mend(body: Obj, caps: Caps) -> None:
    _thinking(body, caps)
    messages = body.get("messages")
    if not isinstance(messages, list):
        return
    model = caps.model.rsplit("/", 1)[-1].lower()
    flat = model.startswith("glm") and not body.get("tools")
    body["messages"] = _one_system(messages)
    if flat:
        # Without tools these models lose a prompt that is a list of parts.
        for message in quirks.objects(body["messages"]):
            message["content"] = _flat(message.get("content"))
    if ("vision" in model or "-vl" in model) and _pictures(messages):
        body.setdefault("vl_high_resolution_images", True)


def _thinking(body: Obj, caps: Caps) -> None:
    effort = body.pop("reasoning_effort", None)
    if effort is not None and (caps.thinking is not None or not caps.known):
        body.setdefault("enable_thinking", effort != "none")


def _one_system(messages: list[Json]) -> list[Json]:
    """Return the messages with all that the system says in one message, the first."""
    told = [m for m in quirks.objects(messages) if m.get("role") in _SYSTEM]
    if not told or (len(told) == 1 and messages[0] is told[0] and told[0]["role"] == "system"):
        return messages
    parts: list[Json] = []
    for message in told:
        content = message.get("content")
        parts += [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    rest = [m for m in messages if not (isinstance(m, dict) and m.get("role") in _SYSTEM)]
    return [{"role": "system", "content": parts}, *rest]


def _flat(content: Json) -> Json:
    parts = quirks.objects(content)
    if not parts or any(not isinstance(part.get("text"), str) for part in parts):
        return content
    return "\n\n".join(part["text"] for part in parts)


def _pictures(messages: list[Json]) -> bool:
    return any(
        part.get("type") == "image_url"
        for message in quirks.objects(messages)
        for part in quirks.objects(message.get("content"))
    )


PROVIDER: Final = Qwen()

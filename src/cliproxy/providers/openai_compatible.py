"""Any host that speaks OpenAI Chat Completions: OpenAI, OpenRouter, DeepSeek, vLLM, llama.cpp.

What is special about one of them stands in the configuration: its address, its headers (OpenRouter
shows `HTTP-Referer` and `X-Title` in its statistics; they are sent only if the owner sets them),
and whether it takes `prompt_cache_key`.
"""

from __future__ import annotations

import uuid
from typing import Final

from msgspec import structs

from cliproxy.account.model import Account
from cliproxy.base.http import HttpRequest
from cliproxy.base.json import Obj
from cliproxy.dialects import IMAGES
from cliproxy.ir.caps import Caps
from cliproxy.providers import quirks
from cliproxy.providers.base import (
    IMAGE_PATHS,
    About,
    Call,
    Host,
    account_headers,
    base_headers,
    join,
)


class OpenAICompatible(Host):
    """`POST {base}/chat/completions` with a bearer key, or none; pictures beside it."""

    name: str = "openai-compatible"
    dialects = ("openai-chat", *IMAGES)

    def wants_session(self, account: Account) -> bool:
        """Name it where the owner says that the host takes it."""
        return account.prompt_cache_key

    def caps(self, caps: Caps, account: Account) -> Caps:
        """Say whether the host takes names of conversations."""
        return structs.replace(caps, prompt_cache_key=account.prompt_cache_key)

    def adjust(self, body: Obj, about: About) -> None:
        """Name the conversation for the host's prompt cache, where it has one."""
        if about.account.prompt_cache_key and about.session and about.dialect not in IMAGES:
            body.setdefault("prompt_cache_key", cache_key(about))

    def verbatim(self, body: bytes, about: About) -> bytes | None:
        """Do the same to a client's own body, unless the client did."""
        wanted = about.account.prompt_cache_key and about.session and about.dialect not in IMAGES
        if not wanted or b'"prompt_cache_key"' in body:
            return body
        return quirks.with_field(body, "prompt_cache_key", cache_key(about))

    def prepare(self, call: Call, account: Account) -> HttpRequest:
        """Address the call."""
        headers = base_headers(call, forward=False)
        if account.token:
            headers["authorization"] = f"Bearer {account.token}"
        account_headers(headers, call, account)
        return HttpRequest(
            "POST",
            join(account.base_url, IMAGE_PATHS.get(call.dialect, "/chat/completions")),
            headers,
            call.body,
            account.proxy_url,
        )


def cache_key(about: About) -> str:
    """Return a name of the conversation that is the same on every turn, and says nothing of it."""
    facts = (about.account.provider, about.caps.model, about.dialect, about.session)
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "\0".join(facts)))


PROVIDER: Final = OpenAICompatible()

"""The embedded model: llama.cpp's own server in a child process, spoken to in OpenAI Chat.

The address `local://` is resolved by the transport's host registry, which starts the process on
first use.
"""

from __future__ import annotations

from typing import Final

from msgspec import structs

from cliproxy.account.model import Account
from cliproxy.base.http import HttpRequest
from cliproxy.base.json import Obj
from cliproxy.ir.caps import Caps
from cliproxy.providers.base import About, Call, Host, base_headers

ADDRESS: Final = "local://llama"


class Local(Host):
    """`POST local://llama/v1/chat/completions`."""

    name: str = "local"
    dialects = ("openai-chat",)

    def caps(self, caps: Caps, account: Account) -> Caps:  # protocol
        """Say what llama.cpp's chat endpoint takes."""
        return structs.replace(caps, remote_images=False, custom_tools=False)

    def adjust(self, body: Obj, about: About) -> None:
        """Keep the prompt's key-value cache between turns."""
        body.setdefault("cache_prompt", True)

    def prepare(self, call: Call, account: Account) -> HttpRequest:  # protocol
        """Address the call."""
        headers = base_headers(call, forward=False)
        return HttpRequest(
            "POST", f"{ADDRESS}/v1/chat/completions", headers, call.body, proxy="direct"
        )


PROVIDER: Final = Local()

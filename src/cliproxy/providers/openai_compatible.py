"""Any host that speaks OpenAI Chat Completions: OpenAI, OpenRouter, DeepSeek, vLLM, llama.cpp."""

from __future__ import annotations

from typing import Final

from cliproxy.account.model import Account
from cliproxy.base.http import HttpRequest
from cliproxy.providers.base import Call, Host, account_headers, base_headers, join


class OpenAICompatible(Host):
    """`POST {base}/chat/completions` with a bearer key, or none."""

    name: str = "openai-compatible"
    dialects = ("openai-chat",)

    def prepare(self, call: Call, account: Account) -> HttpRequest:
        """Address the call."""
        headers = base_headers(call, forward=False)
        if account.token:
            headers["authorization"] = f"Bearer {account.token}"
        account_headers(headers, call, account)
        return HttpRequest(
            "POST",
            join(account.base_url, "/chat/completions"),
            headers,
            call.body,
            account.proxy_url,
        )


PROVIDER: Final = OpenAICompatible()

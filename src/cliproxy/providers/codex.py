"""Hosts that speak OpenAI Responses with an API key (`codex-api-key`)."""

from __future__ import annotations

from typing import Final

from cliproxy.account.model import Account
from cliproxy.base.http import HttpRequest
from cliproxy.providers.base import Call, Host, account_headers, base_headers, join


class Codex(Host):
    """`POST {base}/responses` with a bearer key."""

    name: str = "codex"
    dialects = ("openai-responses",)
    abilities = frozenset({"whole", "keep", "compact"})

    def prepare(self, call: Call, account: Account) -> HttpRequest:
        """Address the call."""
        headers = base_headers(call, forward=True)
        if account.token:
            headers["authorization"] = f"Bearer {account.token}"
        account_headers(headers, call, account)
        path = "/responses/compact" if call.operation == "compact" else "/responses"
        return HttpRequest(
            "POST", join(account.base_url, path), headers, call.body, account.proxy_url
        )


PROVIDER: Final = Codex()

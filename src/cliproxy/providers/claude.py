"""Anthropic Messages, at Anthropic or at a host compatible with it."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from cliproxy.account.model import Account
from cliproxy.base.http import HttpRequest
from cliproxy.providers.base import Call, Host, account_headers, base_headers, join

BASE: Final = "https://api.anthropic.com"
VERSION: Final = "2023-06-01"
"""The `anthropic-version` every SDK sends; there has been no later one."""


class Claude(Host):
    """`POST {base}/v1/messages`."""

    name: str = "claude"
    dialects = ("anthropic",)
    abilities = frozenset({"whole", "count"})

    def prepare(self, call: Call, account: Account) -> HttpRequest:
        """Address the call: `x-api-key` at Anthropic itself, a bearer token elsewhere."""
        base = account.base_url or BASE
        headers = base_headers(call, forward=True)
        headers.setdefault("anthropic-version", VERSION)
        if account.token:
            key = account.token
            if urlsplit(base).hostname == "api.anthropic.com":
                headers["x-api-key"] = key
            else:
                headers["authorization"] = f"Bearer {key}"
        account_headers(headers, call, account)
        path = "/v1/messages/count_tokens" if call.operation == "count" else "/v1/messages"
        # Some owners write the base URL with /v1, as other vendors' documentation does.
        url = join(base.rstrip("/").removesuffix("/v1"), path)
        if call.verbatim and call.query:
            url = f"{url}?{call.query}"
        return HttpRequest("POST", url, headers, call.body, account.proxy_url)


PROVIDER: Final = Claude()

"""The Gemini API with an API key."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from cliproxy.account.model import Account
from cliproxy.base.http import HttpRequest
from cliproxy.base.json import Obj
from cliproxy.providers.base import About, Call, Host, account_headers, base_headers, join

BASE: Final = "https://generativelanguage.googleapis.com"


class Gemini(Host):
    """`POST {base}/v1beta/models/{model}:{method}`."""

    name: str = "gemini"
    dialects = ("gemini",)
    abilities = frozenset({"whole", "count"})

    def adjust(self, body: Obj, about: About) -> None:
        """Keep `maxOutputTokens` within the model's limit, which the API otherwise refuses."""
        config = body.get("generationConfig")
        if about.caps.max_output and isinstance(config, dict):
            asked = config.get("maxOutputTokens")
            if isinstance(asked, int) and asked > about.caps.max_output:
                config["maxOutputTokens"] = about.caps.max_output

    def prepare(self, call: Call, account: Account) -> HttpRequest:
        """Address the call."""
        headers = base_headers(call, forward=True)
        if account.token:
            headers["x-goog-api-key"] = account.token
        account_headers(headers, call, account)
        if call.operation == "count":
            method = "countTokens"
        else:
            method = "streamGenerateContent?alt=sse" if call.stream else "generateContent"
        model = quote(call.model, safe="/")
        base = (account.base_url or BASE).rstrip("/").removesuffix("/v1beta")
        return HttpRequest(
            "POST",
            join(base, f"/v1beta/models/{model}:{method}"),
            headers,
            call.body,
            account.proxy_url,
        )


PROVIDER: Final = Gemini()

"""The Gemini API with an API key."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from cliproxy.account.model import Account
from cliproxy.base.http import HttpRequest
from cliproxy.base.json import Obj
from cliproxy.dialects import Operation
from cliproxy.ir.caps import Caps
from cliproxy.ir.request import DialectId
from cliproxy.providers.base import Call, account_headers, base_headers, join

BASE: Final = "https://generativelanguage.googleapis.com"


class Gemini:
    """`POST {base}/v1beta/models/{model}:{method}`."""

    name: str = "gemini"
    dialect: DialectId = "gemini"
    counts_tokens: bool = True
    keeps_responses: bool = False
    compacts: bool = False

    def caps(self, caps: Caps, account: Account) -> Caps:  # protocol
        """Return what the catalogue says."""
        return caps

    def adjust(self, body: Obj, operation: Operation, caps: Caps) -> None:
        """Keep `maxOutputTokens` within the model's limit, which the API otherwise refuses."""
        config = body.get("generationConfig")
        if caps.max_output and isinstance(config, dict):
            asked = config.get("maxOutputTokens")
            if isinstance(asked, int) and asked > caps.max_output:
                config["maxOutputTokens"] = caps.max_output

    def prepare(self, call: Call, account: Account) -> HttpRequest:
        """Address the call."""
        headers = base_headers(call, forward=True)
        if account.secret:
            headers["x-goog-api-key"] = account.secret.reveal()
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

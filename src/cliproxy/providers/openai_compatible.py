"""Any host that speaks OpenAI Chat Completions: OpenAI, OpenRouter, DeepSeek, vLLM, llama.cpp."""

from __future__ import annotations

from typing import Final

from cliproxy.account.model import Account
from cliproxy.base.http import HttpRequest
from cliproxy.base.json import Obj
from cliproxy.dialects import Operation
from cliproxy.ir.caps import Caps
from cliproxy.ir.request import DialectId
from cliproxy.providers.base import Call, account_headers, base_headers, join


class OpenAICompatible:
    """`POST {base}/chat/completions` with a bearer key, or none."""

    name: str = "openai-compatible"
    dialect: DialectId = "openai-chat"
    counts_tokens: bool = False
    keeps_responses: bool = False
    compacts: bool = False

    def caps(self, caps: Caps, account: Account) -> Caps:  # protocol
        """Return what the catalogue or the account's configuration says."""
        return caps

    def adjust(self, body: Obj, operation: Operation, caps: Caps) -> None:
        """Leave the body as it was built."""

    def prepare(self, call: Call, account: Account) -> HttpRequest:
        """Address the call."""
        headers = base_headers(call, forward=False)
        if account.secret:
            headers["authorization"] = f"Bearer {account.secret.reveal()}"
        account_headers(headers, call, account)
        return HttpRequest(
            "POST",
            join(account.base_url, "/chat/completions"),
            headers,
            call.body,
            account.proxy_url,
        )


PROVIDER: Final = OpenAICompatible()

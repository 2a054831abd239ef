"""Hosts that speak OpenAI Responses with an API key (`codex-api-key`)."""

from __future__ import annotations

from typing import Final

from cliproxy.account.model import Account
from cliproxy.base.http import HttpRequest
from cliproxy.base.json import Obj
from cliproxy.dialects import Operation
from cliproxy.ir.caps import Caps
from cliproxy.ir.request import DialectId
from cliproxy.providers.base import Call, account_headers, base_headers, join


class Codex:
    """`POST {base}/responses` with a bearer key."""

    name: str = "codex"
    dialect: DialectId = "openai-responses"
    counts_tokens: bool = False
    keeps_responses: bool = True
    compacts: bool = True

    def caps(self, caps: Caps, account: Account) -> Caps:  # protocol
        """Return what the catalogue says: a key speaks the plain API, not the ChatGPT backend."""
        return caps

    def adjust(self, body: Obj, operation: Operation, caps: Caps) -> None:
        """Leave the body as it was built."""

    def prepare(self, call: Call, account: Account) -> HttpRequest:
        """Address the call."""
        headers = base_headers(call, forward=True)
        if account.secret:
            headers["authorization"] = f"Bearer {account.secret.reveal()}"
        account_headers(headers, call, account)
        path = "/responses/compact" if call.operation == "compact" else "/responses"
        return HttpRequest(
            "POST", join(account.base_url, path), headers, call.body, account.proxy_url
        )


PROVIDER: Final = Codex()

"""The Interactions API of Gemini with an API key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode

from cliproxy.account.model import Account
from cliproxy.base.http import HttpRequest
from cliproxy.base.json import Obj
from cliproxy.providers.base import About, Call, Host, account_headers, base_headers, join

BASE: Final = "https://generativelanguage.googleapis.com"
NAME: Final = "gemini-interactions"
REVISION: Final = "2026-05-20"
"""Of the API, where the client names none: in older ones an answer has no steps."""
_HEADER: Final = "api-revision"
_ASKED: Final = frozenset({"include_input", "last_event_id", "stream"})
"""What may be said about an interaction that is asked for."""


class GeminiInteractions(Host):
    """`POST {base}/v1beta/interactions`."""

    name: str = NAME
    dialects = ("interactions",)
    abilities = frozenset({"whole", "keep"})

    def adjust(self, body: Obj, about: About) -> None:
        """Keep `max_output_tokens` within the model's limit, which the API otherwise refuses."""
        config = body.get("generation_config")
        if about.caps.max_output and isinstance(config, dict):
            asked = config.get("max_output_tokens")
            if isinstance(asked, int) and asked > about.caps.max_output:
                config["max_output_tokens"] = about.caps.max_output

    def prepare(self, call: Call, account: Account) -> HttpRequest:
        """Address the call."""
        return _request("POST", "", call, account)

    def stored(
        self, method: str, interaction: str, query: Mapping[str, str], call: Call, account: Account
    ) -> HttpRequest:
        """Address a call about an interaction that is kept there; `id/cancel` is one, too."""
        asked = {k: v for k, v in query.items() if k in _ASKED}
        target = "/" + quote(interaction, safe="/") + (f"?{urlencode(asked)}" if asked else "")
        return _request(method, target, call, account)


def _request(method: str, target: str, call: Call, account: Account) -> HttpRequest:
    headers = base_headers(call, forward=True)
    headers[_HEADER] = call.client_headers.get(_HEADER) or REVISION
    if account.token:
        headers["x-goog-api-key"] = account.token
    account_headers(headers, call, account)
    base = (account.base_url or BASE).rstrip("/").removesuffix("/v1beta")
    return HttpRequest(
        method, join(base, f"/v1beta/interactions{target}"), headers, call.body, account.proxy_url
    )


PROVIDER: Final = GeminiInteractions()

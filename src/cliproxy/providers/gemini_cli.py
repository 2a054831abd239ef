"""Code Assist, as a Gemini CLI login reaches it: Gemini in an envelope that names a project."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw

from cliproxy.account.model import Account
from cliproxy.base import json
from cliproxy.base.errors import UpstreamRefused
from cliproxy.base.http import HttpRequest
from cliproxy.base.json import Obj
from cliproxy.dialects.gemini import variants
from cliproxy.providers import quirks
from cliproxy.providers.base import About, Call, Host, account_headers, base_headers, join

BASE: Final = "https://cloudcode-pa.googleapis.com"


class GeminiCli(Host):
    """`POST {base}/v1internal:{method}`."""

    name: str = "gemini-cli"
    dialects = ("code-assist",)
    abilities = frozenset({"whole", "count"})

    def adjust(self, body: Obj, about: About) -> None:
        """Name the project; count only what can be counted."""
        inner = body["request"]
        if about.operation == "count":
            variants.say_thoughts(inner)
            return
        variants.cap_output(inner, about.caps.max_output)
        body["project"] = about.account.place

    def verbatim(self, body: bytes, about: About) -> bytes | None:
        """Put our project in the place of the client's; what it asks stays as it wrote it."""
        if about.operation != "generate":
            # The model is named inside.
            return None
        members = quirks.members(body) or {}
        if "request" not in members:
            return None
        members["project"] = Raw(json.dumps(about.account.place))
        return msgspec.json.encode(members)

    def prepare(self, call: Call, account: Account) -> HttpRequest:
        """Address the call."""
        headers = base_headers(call, forward=True)
        # The client's own project is not ours to charge.
        headers.pop("x-goog-user-project", None)
        if account.token:
            headers["authorization"] = f"Bearer {account.token}"
        account_headers(headers, call, account)
        if call.operation == "count":
            method = "countTokens"
        else:
            if not account.place:
                raise UpstreamRefused(
                    f"No Google Cloud project is known for {account.label} yet; "
                    "name one as project_id in its file.",
                    status=503,
                    code="project_missing",
                    next_account=True,
                )
            method = "streamGenerateContent?alt=sse" if call.stream else "generateContent"
        url = join(account.base_url or BASE, f"/v1internal:{method}")
        return HttpRequest("POST", url, headers, call.body, account.proxy_url)


PROVIDER: Final = GeminiCli()

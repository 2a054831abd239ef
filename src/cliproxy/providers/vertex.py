"""Gemini on Vertex AI, with a service account or an API key."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from cliproxy.account.model import Account
from cliproxy.base.http import HttpRequest
from cliproxy.base.json import Obj
from cliproxy.dialects.gemini import variants
from cliproxy.providers.base import About, Call, Host, account_headers, base_headers, join

BASE: Final = "https://aiplatform.googleapis.com"
LOCATION: Final = "us-central1"
_CONTINENTS: Final = frozenset({"us", "eu"})
_COUNTED: Final = ("contents", "systemInstruction", "tools", "generationConfig")
_NOT_SENT: Final = frozenset({"generateContentRequest", "model", "serviceTier", "store"})
"""What only the Gemini API knows."""


class Vertex(Host):
    """`POST {base}/v1/projects/{project}/locations/{location}/publishers/google/models/{model}:…`.

    With an API key the path begins at `publishers`.
    """

    name: str = "vertex"
    dialects = ("gemini",)
    abilities = frozenset({"whole", "count"})

    def adjust(self, body: Obj, about: About) -> None:
        """Leave out what only the Gemini API takes; ask Imagen in its own words."""
        if about.operation == "count":
            inner = body.pop("generateContentRequest", None)
            if isinstance(inner, dict):
                body.update({k: v for k, v in inner.items() if k in _COUNTED})
            variants.drop_call_ids(body)
            return
        if variants.IMAGEN.search(about.caps.model):
            asked = variants.to_prediction(body)
            body.clear()
            body.update(asked)
            return
        for name in _NOT_SENT:
            body.pop(name, None)
        variants.drop_call_ids(body)
        variants.cap_output(body, about.caps.max_output)

    def verbatim(self, body: bytes, about: About) -> bytes | None:
        """Send the client's own bytes, unless there is something in them only the Gemini API knows.

        Ids of calls are refused by some versions; without them calls are told by their order.
        """
        if variants.IMAGEN.search(about.caps.model) or b"generateContentRequest" in body:
            return None
        if b'"id"' in body and (b"unctionCall" in body or b"unction_call" in body):
            return None
        return body

    def prepare(self, call: Call, account: Account) -> HttpRequest:
        """Address the call."""
        headers = base_headers(call, forward=True)
        headers.pop("x-goog-user-project", None)
        credential = account.credential
        if credential is None:
            if account.token:
                headers["x-goog-api-key"] = account.token
            base, place = account.base_url or BASE, ""
        else:
            headers["authorization"] = f"Bearer {account.token}"
            project = account.place
            location = credential.text("location") or LOCATION
            base = account.base_url or _host(location)
            place = f"/projects/{quote(project, safe='')}/locations/{quote(location, safe='')}"
        account_headers(headers, call, account)
        if call.operation == "count":
            method = "countTokens"
        elif variants.IMAGEN.search(call.model):
            # It answers in one piece, whatever was asked for.
            method = "predict"
            headers |= {"accept": "application/json", "accept-encoding": "gzip, deflate"}
        else:
            method = "streamGenerateContent?alt=sse" if call.stream else "generateContent"
        path = f"/v1{place}/publishers/google/models/{quote(call.model, safe='')}:{method}"
        base = base.rstrip("/").removesuffix("/v1")
        return HttpRequest("POST", join(base, path), headers, call.body, account.proxy_url)


def _host(location: str) -> str:
    if location == "global":
        return BASE
    if location in _CONTINENTS:
        return f"https://aiplatform.{location}.rep.googleapis.com"
    return f"https://{location}-aiplatform.googleapis.com"


PROVIDER: Final = Vertex()

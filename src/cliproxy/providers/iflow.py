"""iFlow's host: OpenAI Chat Completions with the key of a login, each request signed with it."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from msgspec import structs

from cliproxy.account.model import Account
from cliproxy.base.errors import UpstreamRefused
from cliproxy.base.http import HttpRequest
from cliproxy.base.json import Obj
from cliproxy.ir.caps import Caps
from cliproxy.providers import quirks
from cliproxy.providers.base import About, Call, Host, account_headers, base_headers, join

BASE: Final = "https://apis.iflow.cn/v1"
_SWITCHED: Final = frozenset({"qwen3-max-preview", "deepseek-v3.1", "deepseek-v3.2"})
"""Models whose chat template has a switch for thinking."""
_REFUSED: Final = (
    " (iFlow refuses programs other than its own and announced the end of its service for "
    "2026-04-17.)"
)


class IFlow(Host):
    """`POST {base}/chat/completions` with a bearer key and a signature of ours."""

    name: str = "iflow"
    dialects = ("openai-chat",)

    def wants_session(self, account: Account) -> bool:
        """Name it: what it has cached is found by it."""
        return True

    def caps(self, caps: Caps, account: Account) -> Caps:
        """Give the models that think between tool calls their reasoning back."""
        return structs.replace(caps, echo_reasoning=_echoes(caps.model), base_is_official=False)

    def adjust(self, body: Obj, about: About) -> None:
        """Say thinking as each family of models wants it said."""
        _mend(body, about.caps.model)

    def verbatim(self, body: bytes, about: About) -> bytes | None:
        """Do the same to a client's own body.

        Failures may come with status 200; of whole answers only the reader knows them.
        """
        if not about.stream:
            return None
        return quirks.mended(body, lambda value: _mend(value, about.caps.model))

    def stale(self, err: UpstreamRefused) -> bool:
        """Take 401 for it, and the word that the key has expired."""
        return err.status == 401 or quirks.says(err, r"token has expired", r"invalid api ?key")

    def judge(self, err: UpstreamRefused, now: float) -> UpstreamRefused:
        """Read what the host says beside the HTTP status."""
        if quirks.says(err, r"blocked due to unauthorized requests"):
            quirks.explain(err, _REFUSED)
            return quirks.means(err, 401, code="key_blocked")
        if self.stale(err):
            return quirks.means(err, 401, code="invalid_api_key")
        if err.status == 406:
            quirks.explain(err, _REFUSED)
            return quirks.means(err, 403, code="client_refused")
        if quirks.says(err, r"rate limit"):
            return quirks.means(err, 429, code="rate_limit_exceeded")
        if quirks.says(err, r"model not support"):
            return quirks.means(err, 404, code="model_not_found")
        return err

    def prepare(self, call: Call, account: Account) -> HttpRequest:
        """Address and sign the call."""
        headers = base_headers(call, forward=quirks.sent_by(call, "iflow"))
        key = account.token
        if key:
            headers["authorization"] = f"Bearer {key}"
        account_headers(headers, call, account)
        if key:
            headers |= signed(headers["user-agent"], session_of(call), _now(), key)
        base = account.base_url or BASE
        if urlsplit(base).path in ("", "/"):
            base = join(base, "/v1")
        url = join(base, "/chat/completions")
        return HttpRequest("POST", url, headers, call.body, account.proxy_url)


def session_of(call: Call) -> str:
    """Return the name of a conversation as this host wants it."""
    name = uuid.UUID(hex=call.session) if len(call.session) == 32 else uuid.uuid4()
    return f"session-{name}"


def signed(agent: str, session: str, now: float, key: str) -> dict[str, str]:
    """Return the headers that prove that whoever sends this program's name holds the key."""
    millis = int(now * 1000)
    said = f"{agent}:{session}:{millis}".encode()
    return {
        "session-id": session,
        "x-iflow-timestamp": str(millis),
        "x-iflow-signature": hmac.new(key.encode(), said, hashlib.sha256).hexdigest(),
    }


def _now() -> float:
    return datetime.now(UTC).timestamp()


def _name(model: str) -> str:
    return model.rsplit("/", 1)[-1].lower()


def _echoes(model: str) -> bool:
    return _name(model).startswith(("glm-4", "minimax-m2"))


def _mend(body: Obj, model: str) -> None:
    if body.get("tools") == []:
        # An empty list makes streams break off.
        del body["tools"]
        body.pop("tool_choice", None)
    effort = body.pop("reasoning_effort", None)
    if effort is None:
        return
    thinks, name = effort != "none", _name(model)
    if name.startswith("minimax"):
        body.setdefault("reasoning_split", thinks)
        return
    switch: Obj = {"enable_thinking": thinks}
    if name.startswith("glm"):
        switch |= {"clear_thinking": False} if thinks else {}
    elif name not in _SWITCHED:
        return
    own = body.get("chat_template_kwargs")
    body["chat_template_kwargs"] = {**switch, **(own if isinstance(own, dict) else {})}


PROVIDER: Final = IFlow()

"""OpenAI as a Codex login sees it: OAuth in a browser and by device code, usage, the backend.

The backend streams only, keeps nothing, refuses much that the public API takes, and leaves the
output out of the event that ends an answer.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from typing_extensions import override

from tests.sim import render_responses
from tests.sim.beside import Beside, bearer_of, form_of, refusal
from tests.sim.deliver import dump
from tests.sim.event import Event
from tests.sim.record import Recorded
from tests.sim.script import Raw
from tests.sim.server import Sim

Json = Any
CLIENT = "app_EMoamEEZ73f0CkXaXp7hrann"
REDIRECT = "http://localhost:1455/auth/callback"
DEVICE_REDIRECT = "https://auth.openai.com/deviceauth/callback"
TOKEN, USAGE, MODELS = "/oauth/token", "/backend-api/wham/usage", "/backend-api/codex/models"
DEVICE = "/api/accounts/deviceauth"
REFUSED = (
    "max_output_tokens", "max_completion_tokens", "temperature", "top_p", "truncation", "user",
    "previous_response_id", "generate", "prompt_cache_retention", "prompt_cache_options",
    "safety_identifier", "stream_options", "metadata", "max_tokens",
)  # fmt: skip
LIMITS = {"primary": (12, 300, 3600), "secondary": (40, 10080, 86400)}
"""Used per cent, minutes of the window, seconds until it begins anew."""


class Streamed(render_responses.Rendered):
    @override
    def events(self) -> list[Event]:
        found = super().events()
        limits = {
            name: {"used_percent": used, "window_minutes": minutes, "reset_at": 1}
            for name, (used, minutes, _) in LIMITS.items()
        }
        told = {"type": "codex.rate_limits", "plan_type": "plus", "rate_limits": limits}
        last = found[-1]
        ended = {**last.data, "response": {**last.data["response"], "output": []}}
        return [found[0], Event(told, told["type"]), *found[1:-1], Event(ended, last.name, 2)]


class Backend(Sim):
    """`/backend-api/codex`."""

    def __init__(self) -> None:
        super().__init__()
        self.renderers["openai-responses"] = Streamed

    @override
    def _refusal(self, record: Recorded) -> Any:
        return super()._refusal(record) or self._backend(record)

    def _backend(self, record: Recorded) -> Raw | None:
        if record.method != "POST":
            return None
        if not record.path.startswith("/backend-api/codex/responses"):
            return Raw(dump({"detail": "Not Found"}), 404)
        body, headers = record.request, record.headers
        if not headers.get("chatgpt-account-id").startswith("acc-"):
            return refused("Unauthorized", 401)
        if not headers.get("originator"):
            return refused("originator is required")
        if record.path.endswith("/compact"):
            return refused("Unsupported parameter: stream") if "stream" in body else None
        if headers.get("accept") != "text/event-stream":
            return refused("Not Acceptable", 406)
        if body.get("stream") is not True:
            return refused("Stream must be set to true")
        if body.get("store") is not False:
            return refused("Store must be set to false")
        if not isinstance(body.get("input"), list):
            return refused("Input must be a list")
        if "instructions" in body and not isinstance(body["instructions"], str):
            return refused("Instructions are not valid")
        for name in REFUSED:
            if name in body:
                return refused(f"Unsupported parameter: {name}")
        if any(item.get("role") == "system" for item in body["input"]):
            return refused("System messages are not allowed")
        return None


def refused(why: str, status: int = 400) -> Raw:
    return Raw(dump({"detail": why}), status)


class Auth(Beside):
    """The issuer, and what a login may ask about itself."""

    def __init__(self, upstream: Sim) -> None:
        super().__init__()
        self.upstream = upstream
        self.codes: dict[str, tuple[int, str, str]] = {}  # code → account, challenge, redirect
        self.devices: dict[str, str] = {}  # user code → device id
        self.approved: dict[str, Json] = {}  # device id → what it is given
        self.refreshable: dict[str, int] = {}
        self.spent: dict[str, int] = {}
        self.revoked: set[str] = set()
        self.with_device_codes = True
        self.refreshes = self.reused = self.issued = 0

    @override
    def routes(self) -> dict[tuple[str, str], Any]:
        return {
            ("POST", TOKEN): self.token,
            ("POST", f"{DEVICE}/usercode"): self.usercode,
            ("POST", f"{DEVICE}/token"): self.device,
            ("GET", USAGE): self.usage,
            ("GET", MODELS): self.listed,
        }

    def token(self, record: Recorded) -> Json | Raw:
        asked = form_of(record)
        if asked.get("client_id") != CLIENT:
            return refusal(401, {"code": "invalid_client", "message": "Unknown client"})
        match asked.get("grant_type"):
            case "authorization_code":
                return self._exchange(asked)
            case "refresh_token":
                return self._refresh(asked)
            case _:
                return refusal(400, {"code": "unsupported_grant_type"})

    def _exchange(self, asked: dict[str, str]) -> Json | Raw:
        known = self.codes.pop(asked.get("code", ""), None)
        proof = challenge(asked.get("code_verifier", ""))
        if known is None or known[1:] != (proof, asked.get("redirect_uri")):
            return refusal(400, {"code": "invalid_grant", "message": "Invalid code"})
        return self.issue(known[0])

    def _refresh(self, asked: dict[str, str]) -> Json | Raw:
        told = asked.get("refresh_token", "")
        if told in self.spent:
            self.reused += 1
            # Somebody has stolen it, as far as the issuer can tell.
            return refusal(401, {"code": "refresh_token_reused", "message": "Already used."})
        if told in self.revoked:
            return refusal(401, {"code": "refresh_token_invalidated", "message": "Revoked."})
        if told not in self.refreshable:
            return refusal(401, {"code": "refresh_token_expired", "message": "Expired."})
        self.refreshes += 1
        number = self.spent[told] = self.refreshable.pop(told)
        return self.issue(number)

    def usercode(self, record: Recorded) -> Json | Raw:
        if not self.with_device_codes:
            return Raw(b"", 404)
        number = len(self.devices)
        code, device = f"ABCD-{number:04d}", f"dev-{number}"
        self.devices[code] = device
        return {"device_auth_id": device, "user_code": code, "interval": "1"}

    def device(self, record: Recorded) -> Json | Raw:
        asked = form_of(record)
        device = self.devices.get(asked.get("user_code", ""))
        if device is None or device != asked.get("device_auth_id"):
            return refusal(400, {"code": "invalid_request"})
        return self.approved.get(device) or refusal(403, {"code": "authorization_pending"})

    def issue(self, number: int) -> Json:
        """Return new tokens of an account."""
        self.issued += 1
        access = jwt({"exp": int(time.time()) + 864000, "n": self.issued})
        refresh = f"rt-{number}-{self.issued}"
        self.upstream.keys.add(access)
        self.refreshable[refresh] = number
        return {
            "id_token": id_token(number),
            "access_token": access,
            "refresh_token": refresh,
            "token_type": "Bearer",
            "expires_in": 864000,
        }

    def usage(self, record: Recorded) -> Json | Raw:
        return self._asked(record) or {
            "plan_type": "plus",
            "rate_limit": {
                "allowed": True,
                "limit_reached": False,
                **{
                    f"{name}_window": {
                        "used_percent": used,
                        "limit_window_seconds": minutes * 60,
                        "reset_after_seconds": left,
                        "reset_at": int(time.time()) + left,
                    }
                    for name, (used, minutes, left) in LIMITS.items()
                },
            },
            "credits": {"has_credits": False, "unlimited": False, "balance": "0"},
        }

    def listed(self, record: Recorded) -> Json | Raw:
        if not record.query.get("client_version"):
            return Raw(dump({"detail": "client_version is required"}), 400)
        rows = [{"slug": m, "display_name": m, "visibility": "list"} for m in self.upstream.models]
        return self._asked(record) or {"models": rows}

    def _asked(self, record: Recorded) -> Raw | None:
        if self.upstream.keys and bearer_of(record) not in self.upstream.keys:
            return refused("Could not validate your token.", 401)
        if not record.headers.get("chatgpt-account-id"):
            return refused("No account", 403)
        return None


def jwt(claims: Json) -> str:
    parts = [{"alg": "RS256", "typ": "JWT"}, claims]
    texts = [base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=") for p in parts]
    return ".".join([*(text.decode() for text in texts), "signature"])


def id_token(number: int, **auth: Json) -> str:
    return jwt(
        {
            "email": f"person{number}@example.com",
            "https://api.openai.com/auth": {
                "chatgpt_account_id": f"acc-{number}",
                "chatgpt_plan_type": "plus",
                **auth,
            },
        }
    )


def challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class CodexAccounts:
    """Everything a Codex login meets."""

    name = "codex"
    way = "browser"
    file_type = "codex"
    model = "gpt-5.4"

    def __init__(self) -> None:
        self.upstream = Backend()
        self.auth = Auth(self.upstream)

    def __enter__(self) -> Self:
        self.upstream.__enter__()
        self.auth.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.auth.__exit__(kind, error, trace)
        self.upstream.__exit__(kind, error, trace)

    @property
    def refreshes(self) -> int:
        return self.auth.refreshes

    @property
    def reused(self) -> int:
        return self.auth.reused

    def config(self) -> str:
        url = self.auth.url
        return (
            "endpoints:\n"
            "  codex:\n"
            f"    api: {self.upstream.url}/backend-api/codex\n"
            f"    authorize: {url}/oauth/authorize\n"
            f"    token: {url}{TOKEN}\n"
            f"    device: {url}{DEVICE}\n"
            f"    quota: {url}{USAGE}\n"
            f"    models: {url}{MODELS}\n"
        )

    def approve(self, url: str, code: str) -> str:
        if code:
            device = self.auth.devices[code]
            given = f"code-of-{device}"
            self.auth.codes[given] = (0, challenge("device-verifier"), DEVICE_REDIRECT)
            self.auth.approved[device] = {
                "authorization_code": given,
                "code_verifier": "device-verifier",
                "code_challenge": challenge("device-verifier"),
            }
            return ""
        asked = dict(parse_qsl(urlsplit(url).query))
        assert asked["client_id"] == CLIENT
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert asked["redirect_uri"] == REDIRECT
        assert "offline_access" in asked["scope"].split()
        given = f"code-{len(self.auth.codes)}"
        self.auth.codes[given] = (0, asked["code_challenge"], REDIRECT)
        return f"{REDIRECT}?{urlencode({'code': given, 'state': asked['state']})}"

    def file(self, number: int = 0) -> dict[str, Any]:
        tokens = self.auth.issue(number)
        return {
            "type": "codex",
            "id_token": tokens["id_token"],
            "access_token": tokens["access_token"],
            "refresh_token": tokens["refresh_token"],
            "account_id": f"acc-{number}",
            "email": f"person{number}@example.com",
        }

    def revoke(self) -> None:
        self.auth.revoked |= set(self.auth.refreshable)
        self.auth.refreshable.clear()

    def limit(self, seconds: int) -> Raw:
        told = {
            "type": "usage_limit_reached",
            "message": "The usage limit has been reached",
            "plan_type": "plus",
            "resets_at": int(time.time()) + seconds,
            "resets_in_seconds": seconds,
        }
        headers = {
            "x-codex-primary-used-percent": "100",
            "x-codex-primary-window-minutes": "300",
            "x-codex-primary-reset-at": str(int(time.time()) + seconds),
        }
        return Raw(dump({"error": told}), 429, headers=headers)

    def shows_quota(self) -> dict[str, float]:
        return {"5h": 12.0, "7d": 40.0}

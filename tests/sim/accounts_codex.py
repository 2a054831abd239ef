"""OpenAI as a Codex login sees it: OAuth in a browser and by device code, usage, the backend.

The backend streams only, keeps nothing, refuses much that the public API takes, and leaves the
output out of the event that ends an answer.
"""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import urlencode

from typing_extensions import override

from tests.sim import render_responses
from tests.sim.accounts import Accounts, Issuer, authorization, challenge, unpadded
from tests.sim.beside import Refused, bearer_of, form_of
from tests.sim.deliver import dump
from tests.sim.event import Event
from tests.sim.record import Recorded
from tests.sim.script import Failure, Raw
from tests.sim.server import Sim

Json = Any
CLIENT = "app_EMoamEEZ73f0CkXaXp7hrann"
REDIRECT = "http://localhost:1455/auth/callback"
DEVICE_REDIRECT = "https://auth.openai.com/deviceauth/callback"
TOKEN, USAGE, MODELS = "/oauth/token", "/backend-api/wham/usage", "/backend-api/codex/models"
DEVICE = "/api/accounts/deviceauth"
SEARCH, FOUND = "/backend-api/codex/alpha/search", b'{"output":"Found."}'
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
        if record.path == SEARCH:
            keys = {"id", "model", "commands"}
            known = set(record.request) <= keys and record.headers.get("originator")
            return Raw(FOUND) if known else refused("Unsupported parameter")
        return super()._refusal(record) or self._backend(record)

    @override
    def refused_handshake(self, record: Recorded) -> Failure | None:
        headers = record.headers
        if not headers.get("chatgpt-account-id").startswith("acc-"):
            return Failure(401, "Unauthorized")
        if "responses_websockets=2026-02-06" not in headers.get("openai-beta"):
            return Failure(400, "websockets want a beta header")
        return None if headers.get("originator") else Failure(400, "originator is required")

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
        if record.over == "http" and headers.get("accept") != "text/event-stream":
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


class Auth(Issuer):
    """The issuer, and what a login may ask about itself."""

    def __init__(self, upstream: Sim) -> None:
        super().__init__(upstream)
        self.devices: dict[str, str] = {}  # user code → device id
        self.approved: dict[str, Json] = {}  # device id → what it is given
        self.revoked: set[str] = set()
        self.with_device_codes = True

    @override
    def routes(self) -> dict[tuple[str, str], Any]:
        return {
            ("POST", TOKEN): self.token,
            ("POST", f"{DEVICE}/usercode"): self.usercode,
            ("POST", f"{DEVICE}/token"): self.device,
            ("GET", USAGE): self.usage,
            ("GET", MODELS): self.listed,
        }

    @override
    def refused(self, status: int, code: str, text: str = "") -> Refused:
        return Refused(status, {"code": code, **({"message": text} if text else {})})

    @override
    def check_client(self, record: Recorded, asked: dict[str, str]) -> None:
        if asked.get("client_id") != CLIENT:
            raise self.refused(401, "invalid_client", "Unknown client")

    @override
    def exchanged(self, asked: dict[str, str]) -> Json:
        number = self.account_of_code(asked)
        if number is None:
            raise self.refused(400, "invalid_grant", "Invalid code")
        return self.issue(number)

    @override
    def refreshed(self, record: Recorded, asked: dict[str, str]) -> Json:
        told = asked.get("refresh_token", "")
        again = told in self.spent
        number = self.spend(told)
        if number is not None:
            return self.issue(number)
        if again:
            # Somebody has stolen it, as far as the issuer can tell.
            raise self.refused(401, "refresh_token_reused", "Already used.")
        if told in self.revoked:
            raise self.refused(401, "refresh_token_invalidated", "Revoked.")
        raise self.refused(401, "refresh_token_expired", "Expired.")

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
            raise self.refused(400, "invalid_request")
        if device not in self.approved:
            raise self.refused(403, "authorization_pending")
        return self.approved[device]

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
    return ".".join([*(unpadded(json.dumps(p).encode()) for p in parts), "signature"])


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


class CodexAccounts(Accounts):
    """Everything a Codex login meets."""

    name = "codex"
    way = "browser"
    file_type = "codex"
    model = "gpt-5.4"

    def __init__(self) -> None:
        upstream = Backend()
        super().__init__(upstream, Auth(upstream))

    @override
    def endpoints(self) -> dict[str, str]:
        url = self.auth.url
        return {
            "api": f"{self.upstream.url}/backend-api/codex",
            "authorize": f"{url}/oauth/authorize",
            "token": f"{url}{TOKEN}",
            "device": f"{url}{DEVICE}",
            "quota": f"{url}{USAGE}",
            "models": f"{url}{MODELS}",
        }

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
        asked = authorization(url)
        assert asked["client_id"] == CLIENT
        assert asked["redirect_uri"] == REDIRECT
        assert "offline_access" in asked["scope"].split()
        back = urlencode({"code": self.auth.agree(asked), "state": asked["state"]})
        return f"{REDIRECT}?{back}"

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

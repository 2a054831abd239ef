"""Anthropic as a Claude login sees it: OAuth with PKCE, profile, usage, and the Messages API."""

from __future__ import annotations

import base64
import hashlib
import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from typing_extensions import override

from tests.sim.beside import Beside, bearer_of, form_of, refusal
from tests.sim.deliver import dump
from tests.sim.record import Recorded
from tests.sim.script import Failure, Raw
from tests.sim.server import Sim

Json = Any
CLIENT = "9d1c250a-e61b-44d9-88ed-5944d1962f5e"
REDIRECTS = (
    "http://localhost:54545/callback",
    "https://platform.claude.com/oauth/code/callback",
)
OAUTH = "oauth-2025-04-20"
TOKEN, PROFILE, USAGE = "/v1/oauth/token", "/api/oauth/profile", "/api/oauth/usage"


class Messages(Sim):
    """The Messages API, which takes a login's token only with its beta flag."""

    @override
    def _refusal(self, record: Recorded) -> Failure | None:
        if bearer_of(record).startswith("sk-ant-oat"):
            flags = record.headers.get("anthropic-beta").split(",")
            if OAUTH not in flags:
                return Failure(401, "OAuth authentication is currently not supported.")
            if not record.headers.get("anthropic-version"):
                return Failure(400, "anthropic-version: header is required")
        return super()._refusal(record)


class Auth(Beside):
    """The token endpoint and what a login may ask about itself."""

    def __init__(self, upstream: Sim) -> None:
        super().__init__()
        self.upstream = upstream
        self.accounts: list[Json] = [account(0), account(1)]
        self.codes: dict[str, tuple[int, str, str]] = {}  # code → account, challenge, redirect
        self.refreshable: dict[str, int] = {}  # refresh token → account
        self.spent: dict[str, int] = {}
        self.rotates = True
        self.usage: Json = {
            "five_hour": {"utilization": 12.5, "resets_at": moment(3600)},
            "seven_day": {"utilization": 40.0, "resets_at": moment(86400)},
            "seven_day_opus": {"utilization": 99.0, "resets_at": moment(86400)},
            "seven_day_sonnet": None,
            "extra_usage": {"is_enabled": False, "monthly_limit": None, "used_credits": None},
        }
        self.refreshes = self.reused = self.issued = 0

    @override
    def routes(self) -> dict[tuple[str, str], Any]:
        return {
            ("POST", TOKEN): self.token,
            ("GET", PROFILE): self.profile,
            ("GET", USAGE): self.used,
        }

    def token(self, record: Recorded) -> Json | Raw:
        if not record.headers.get("content-type").startswith("application/json"):
            return refusal(400, "invalid_request", error_description="JSON is expected")
        asked = form_of(record)
        if asked.get("client_id") != CLIENT:
            return refusal(401, "invalid_client")
        match asked.get("grant_type"):
            case "authorization_code":
                return self._exchange(asked)
            case "refresh_token":
                return self._refresh(asked)
            case _:
                return refusal(400, "unsupported_grant_type")

    def _exchange(self, asked: dict[str, str]) -> Json | Raw:
        known = self.codes.pop(asked.get("code", ""), None)
        digest = hashlib.sha256(asked.get("code_verifier", "").encode()).digest()
        proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if known is None or known[1:] != (proof, asked.get("redirect_uri")):
            return refusal(400, "invalid_grant", error_description="Invalid code")
        if not asked.get("state"):
            return refusal(400, "invalid_request", error_description="state is missing")
        return self.issue(known[0])

    def _refresh(self, asked: dict[str, str]) -> Json | Raw:
        told = asked.get("refresh_token", "")
        if told in self.spent:
            self.reused += 1
        number = self.refreshable.get(told)
        if number is None:
            return refusal(400, "invalid_grant", error_description="Refresh token not found")
        self.refreshes += 1
        if self.rotates:
            self.spent[told] = self.refreshable.pop(told)
        return self.issue(number)

    def issue(self, number: int) -> Json:
        """Return new tokens of an account."""
        self.issued += 1
        access = f"sk-ant-oat01-{number}-{self.issued}"
        refresh = f"sk-ant-ort01-{number}-{self.issued}" if self.rotates else ""
        self.upstream.keys.add(access)
        if refresh:
            self.refreshable[refresh] = number
        who = self.accounts[number]
        return {
            "token_type": "Bearer",
            "access_token": access,
            "expires_in": 28800,
            "refresh_token": refresh,
            "scope": "user:inference user:profile",
            "organization": {k: who["organization"][k] for k in ("uuid", "name")},
            "account": {
                "uuid": who["account"]["uuid"],
                "email_address": who["account"]["email"],
            },
        }

    def profile(self, record: Recorded) -> Json | Raw:
        return self._asked(record) or self.accounts[0]

    def used(self, record: Recorded) -> Json | Raw:
        return self._asked(record) or self.usage

    def _asked(self, record: Recorded) -> Raw | None:
        token = bearer_of(record)
        if OAUTH not in record.headers.get("anthropic-beta"):
            return error(401, "authentication_error", "OAuth authentication is not supported")
        if token.startswith("sk-ant-oat01-setup"):
            return error(403, "permission_error", "OAuth token does not meet scope requirement")
        if self.upstream.keys and token not in self.upstream.keys:
            return error(401, "authentication_error", "OAuth token has expired")
        return None


def error(status: int, kind: str, message: str) -> Raw:
    told = {"type": "error", "error": {"type": kind, "message": message}}
    return Raw(dump(told), status)


def account(number: int) -> Json:
    return {
        "account": {
            "uuid": f"acc-{number}",
            "email": f"person{number}@example.com",
            "full_name": "A Person",
            "display_name": "Person",
            "has_claude_max": True,
            "has_claude_pro": False,
        },
        "organization": {
            "uuid": f"org-{number}",
            "name": f"Person {number}'s organization",
            "organization_type": "claude_max",
            "subscription_status": "active",
        },
    }


def moment(ahead: float) -> str:
    return datetime.fromtimestamp(time.time() + ahead, UTC).isoformat()


class ClaudeAccounts:
    """Everything a Claude login meets."""

    name = "claude"
    way = "browser"
    file_type = "claude"
    model = "claude-opus-4-8"

    def __init__(self) -> None:
        self.upstream = Messages()
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
            "  claude:\n"
            f"    api: {self.upstream.url}\n"
            f"    authorize: {url}/oauth/authorize\n"
            f"    token: {url}{TOKEN}\n"
            f"    profile: {url}{PROFILE}\n"
            f"    quota: {url}{USAGE}\n"
        )

    def approve(self, url: str, code: str) -> str:
        asked = dict(parse_qsl(urlsplit(url).query))
        assert asked["client_id"] == CLIENT
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert asked["redirect_uri"] in REDIRECTS
        assert "user:inference" in asked["scope"].split()
        given = f"code-{len(self.auth.codes)}"
        self.auth.codes[given] = (0, asked["code_challenge"], asked["redirect_uri"])
        back = urlencode({"code": given, "state": asked["state"]})
        return f"{asked['redirect_uri']}?{back}"

    def file(self, number: int = 0) -> dict[str, Any]:
        tokens = self.auth.issue(number)
        who = self.auth.accounts[number]
        return {
            "type": "claude",
            "id_token": "",
            "access_token": tokens["access_token"],
            "refresh_token": tokens["refresh_token"],
            "email": who["account"]["email"],
            "account_uuid": who["account"]["uuid"],
        }

    def revoke(self) -> None:
        self.auth.refreshable.clear()

    def limit(self, seconds: int) -> Failure:
        reset = str(int(time.time()) + seconds)
        start = "anthropic-ratelimit-unified"
        return Failure(
            429,
            "This request would exceed your account's rate limit. Please try again later.",
            headers={
                f"{start}-status": "rejected",
                f"{start}-reset": reset,
                f"{start}-representative-claim": "five_hour",
                f"{start}-5h-status": "rejected",
                f"{start}-5h-reset": reset,
                f"{start}-5h-utilization": "1.0",
                f"{start}-7d-status": "allowed",
                f"{start}-7d-reset": str(int(time.time()) + 86400),
                f"{start}-7d-utilization": "0.4",
            },
        )

    def shows_quota(self) -> dict[str, float]:
        return {"5h": 12.5, "7d": 40.0, "7d_opus": 99.0}

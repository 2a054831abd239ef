"""Anthropic as a Claude login sees it: OAuth with PKCE, profile, usage, and the Messages API."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from typing_extensions import override

from tests.sim.accounts import Accounts, Issuer, authorization
from tests.sim.beside import bearer_of
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


class Auth(Issuer):
    """The token endpoint and what a login may ask about itself."""

    def __init__(self, upstream: Sim) -> None:
        super().__init__(upstream)
        self.accounts: list[Json] = [account(0), account(1)]
        self.usage: Json = {
            "five_hour": {"utilization": 12.5, "resets_at": moment(3600)},
            "seven_day": {"utilization": 40.0, "resets_at": moment(86400)},
            "seven_day_opus": {"utilization": 99.0, "resets_at": moment(86400)},
            "seven_day_sonnet": None,
            "extra_usage": {"is_enabled": False, "monthly_limit": None, "used_credits": None},
        }

    @override
    def routes(self) -> dict[tuple[str, str], Any]:
        return {
            ("POST", TOKEN): self.token,
            ("GET", PROFILE): self.profile,
            ("GET", USAGE): self.used,
        }

    @override
    def check_client(self, record: Recorded, asked: dict[str, str]) -> None:
        if not record.headers.get("content-type").startswith("application/json"):
            raise self.refused(400, "invalid_request", "JSON is expected")
        if asked.get("client_id") != CLIENT:
            raise self.refused(401, "invalid_client")

    @override
    def exchanged(self, asked: dict[str, str]) -> Json:
        number = self.account_of_code(asked)
        if number is None:
            raise self.refused(400, "invalid_grant", "Invalid code")
        if not asked.get("state"):
            raise self.refused(400, "invalid_request", "state is missing")
        return self.issue(number)

    @override
    def refreshed(self, record: Recorded, asked: dict[str, str]) -> Json:
        number = self.spend(asked.get("refresh_token", ""))
        if number is None:
            raise self.refused(400, "invalid_grant", "Refresh token not found")
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


class ClaudeAccounts(Accounts):
    """Everything a Claude login meets."""

    name = "claude"
    way = "browser"
    file_type = "claude"
    model = "claude-opus-4-8"

    def __init__(self) -> None:
        upstream = Messages()
        super().__init__(upstream, Auth(upstream))

    @override
    def endpoints(self) -> dict[str, str]:
        url = self.auth.url
        return {
            "api": self.upstream.url,
            "authorize": f"{url}/oauth/authorize",
            "token": f"{url}{TOKEN}",
            "profile": f"{url}{PROFILE}",
            "quota": f"{url}{USAGE}",
        }

    def approve(self, url: str, code: str) -> str:
        asked = authorization(url)
        assert asked["client_id"] == CLIENT
        assert asked["redirect_uri"] in REDIRECTS
        assert "user:inference" in asked["scope"].split()
        back = urlencode({"code": self.auth.agree(asked), "state": asked["state"]})
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

"""Simulated login servers of Qwen, iFlow, Kimi and xAI, beside a simulated model host.

Strict about what the real ones are strict about: a refresh token is good for one use (a second use
is counted, and ends the login), PKCE is checked, Kimi's logins are bound to a machine.
"""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from typing_extensions import override

from tests.sim.accounts import Issuer, challenge, config_of, unpadded
from tests.sim.beside import Handler, bearer_of, form_of
from tests.sim.record import Recorded
from tests.sim.script import Failure
from tests.sim.server import Sim

Json = Any
Answer = tuple[int, Json, dict[str, str]]


class Server(Issuer):
    """The shared part: device codes, tokens, and a model host."""

    name = ""
    way = "device"
    model = ""
    secret = ""
    lasts = 3600
    device_path = "/device"
    token_path = "/token"

    def __init__(self) -> None:
        super().__init__(Sim())  # an account is the machine that its login is bound to
        self.declined = False

    @property
    def file_type(self) -> str:
        return self.name

    # ---- what subclasses say --------------------------------------------------------------------
    @override
    def handler(self, record: Recorded) -> Handler:
        return super().handler(record) or self.other

    @override
    def routes(self) -> dict[tuple[str, str], Handler]:
        return {
            ("POST", self.device_path): self.device,
            ("POST", self.token_path): self.token,
            ("GET", "/approve"): self.approved,
        }

    def other(self, asked: Recorded) -> Answer:
        return 404, {"error": f"no {asked.method} {asked.path}"}, {}

    def endpoints(self) -> dict[str, str]:
        return {
            "api": self.upstream.url + "/v1",
            "device": self.url + self.device_path,
            "token": self.url + self.token_path,
        }

    def config(self) -> str:
        return config_of(self.name, self.endpoints(), self.secret)

    def key_of(self, token: str) -> str:
        """Return what the model host takes for an access token."""
        return token

    # ---- OAuth ----------------------------------------------------------------------------------
    def device(self, asked: Recorded) -> Answer:
        form = form_of(asked)
        self.check_client(asked, form)
        code = f"device-{len(self.codes)}"
        self.codes[code] = {"form": form, "agreed": False, "headers": asked.headers}
        told = {
            "device_code": code,
            "user_code": "ABCD-1234",
            "verification_uri": self.url + "/approve",
            "expires_in": 600,
            "interval": 5,
        }
        return 200, told, {}

    def approved(self, asked: Recorded) -> Answer:
        for code in self.codes.values():
            code["agreed"] = True
        return 200, {}, {}

    @override
    def check_client(self, record: Recorded, asked: dict[str, str]) -> None:
        if not asked.get("client_id"):
            raise self.refused(401, "invalid_client")

    @override
    def confirmed(self, record: Recorded, asked: dict[str, str]) -> Answer:
        code = self.codes.get(asked.get("device_code", ""))
        if code is None:
            raise self.refused(400, "expired_token")
        if self.declined:
            raise self.refused(400, "access_denied")
        if not code["agreed"]:
            raise self.refused(400, "authorization_pending")
        self.check_device(record, code)
        del self.codes[asked["device_code"]]
        return self.granted(record.headers.get("x-msh-device-id"))

    def check_device(self, asked: Recorded, code: Json) -> None:
        """Refuse whoever did not ask for the code."""

    @override
    def exchanged(self, asked: dict[str, str]) -> Answer:
        raise self.refused(400, "invalid_grant")

    @override
    def refreshed(self, record: Recorded, asked: dict[str, str]) -> Answer:
        used = asked.get("refresh_token", "")
        if used in self.refreshable:
            self.check_refresh(record, self.refreshable[used])
        again = used in self.spent
        machine = self.spend(used)
        if again:
            self.refreshable.clear()
            raise self.refused(400, "invalid_grant", "the refresh token was used before")
        if machine is None:
            raise self.refused(400, "invalid_grant")
        return self.granted(machine)

    def check_refresh(self, asked: Recorded, machine: str) -> None:
        """Refuse whoever may not refresh a login."""

    def granted(self, machine: str) -> Answer:
        self.issued += 1
        access, refresh = f"access-{self.issued}", f"refresh-{self.issued}"
        self.refreshable[refresh] = machine
        self.upstream.keys.add(self.key_of(access))
        told = {
            "access_token": access,
            "refresh_token": refresh,
            "token_type": "Bearer",
            "expires_in": self.lasts,
        }
        return 200, told | self.more(), {}

    def more(self) -> Json:
        """Return what else a token answer holds."""
        return {}

    # ---- the suite's protocol -------------------------------------------------------------------
    def approve(self, url: str, code: str) -> str:
        assert code == "ABCD-1234"
        with urllib.request.urlopen(url, timeout=10):
            return ""

    def file(self, number: int = 0) -> dict[str, Any]:
        access, refresh = f"file-access-{number}", f"file-refresh-{number}"
        self.refreshable[refresh] = f"{number}" * 32
        self.upstream.keys.add(self.key_of(access))
        return {
            "type": self.name,
            "access_token": access,
            "refresh_token": refresh,
            "email": f"me-{number}@example.com",
        }

    def revoke(self) -> None:
        self.refreshable.clear()

    def limit(self, seconds: int) -> object:
        return Failure(429, "You are asked to wait", retry_after=seconds)

    def shows_quota(self) -> dict[str, float]:
        return {}


# ---- Qwen ---------------------------------------------------------------------------------------
class QwenServer(Server):
    """Qwen Code's: PKCE with a device code."""

    name = "qwen"
    model = "qwen3-coder-plus"
    device_path = "/api/v1/oauth2/device/code"
    token_path = "/api/v1/oauth2/token"

    def check_device(self, asked: Recorded, code: Json) -> None:
        if challenge(form_of(asked).get("code_verifier", "")) != code["form"]["code_challenge"]:
            raise self.refused(400, "invalid_grant", "wrong code_verifier")

    def more(self) -> Json:
        return {"resource_url": "portal.qwen.ai", "scope": "openid"}

    def used_up(self) -> Failure:
        """Return the answer of a login whose free tier has ended."""
        return Failure(429, "Free allocated quota exceeded.", code="insufficient_quota")


# ---- Kimi ---------------------------------------------------------------------------------------
class KimiServer(Server):
    """Kimi Code's: a login is bound to a machine; usage is told."""

    name = "kimi"
    model = "kimi-k2.5"
    lasts = 900
    device_path = "/api/oauth/device_authorization"
    token_path = "/api/oauth/token"

    def endpoints(self) -> dict[str, str]:
        return super().endpoints() | {
            "api": self.upstream.url + "/coding",
            "quota": self.url + "/coding/v1/usages",
            "models": self.url + "/coding/v1/models",
        }

    def file(self, number: int = 0) -> dict[str, Any]:
        return super().file(number) | {"device_id": f"{number}" * 32}

    def check_client(self, record: Recorded, asked: dict[str, str]) -> None:
        super().check_client(record, asked)
        if not record.headers.get("x-msh-device-id"):
            raise self.refused(400, "invalid_request", "no device")

    def check_device(self, asked: Recorded, code: Json) -> None:
        if asked.headers["x-msh-device-id"] != code["headers"]["x-msh-device-id"]:
            raise self.refused(400, "access_denied")

    def check_refresh(self, asked: Recorded, machine: str) -> None:
        if asked.headers["x-msh-device-id"] != machine:
            raise self.refused(403, "invalid_grant", "another machine")

    def other(self, asked: Recorded) -> Answer:
        if self.upstream.keys and bearer_of(asked) not in self.upstream.keys:
            return 401, {"error": {"message": "Invalid Authentication"}}, {}
        if asked.path == "/coding/v1/usages":
            usage = {"limit": "200", "used": "50", "resetTime": "2030-01-01T00:00:00Z"}
            window = {"duration": 300, "timeUnit": "TIME_UNIT_MINUTE"}
            detail = {"limit": 40, "remaining": 10, "reset_in": 600}
            return 200, {"usage": usage, "limits": [{"window": window, "detail": detail}]}, {}
        if asked.path == "/coding/v1/models":
            return 200, {"data": [{"id": "kimi-for-coding", "context_length": 262144}]}, {}
        return super().other(asked)

    def shows_quota(self) -> dict[str, float]:
        return {"week": 25.0, "5h": 75.0}


# ---- xAI ----------------------------------------------------------------------------------------
class XAIServer(Server):
    """xAI's: addresses are discovered; billing is told."""

    name = "xai"
    model = "grok-4.6"
    lasts = 21600
    device_path = "/oauth2/device/code"
    token_path = "/oauth2/token"

    def endpoints(self) -> dict[str, str]:
        return {
            "api": self.upstream.url + "/v1",
            "discovery": self.url + "/.well-known/openid-configuration",
            "quota": self.url + "/v1/billing",
        }

    def file(self, number: int = 0) -> dict[str, Any]:
        more = {"sub": f"user-{number}", "token_endpoint": self.url + self.token_path}
        return super().file(number) | more | {"auth_kind": "oauth"}

    def more(self) -> Json:
        claims = json.dumps({"email": "me@example.com", "sub": "user-0"}).encode()
        return {"id_token": f"e30.{unpadded(claims)}.s"}

    def other(self, asked: Recorded) -> Answer:
        if asked.path.startswith("/.well-known/"):
            return 200, {
                "device_authorization_endpoint": self.url + self.device_path,
                "token_endpoint": self.url + self.token_path,
                "authorization_endpoint": self.url + "/oauth2/auth",
            }, {}  # fmt: skip
        if asked.path == "/v1/billing":
            if asked.headers.get("x-xai-token-auth") != "xai-grok-cli":
                return 401, {"error": "which kind of token is this?"}, {}
            if asked.query.get("format") == "credits":
                period = {
                    "type": "WEEKLY",
                    "start": "2030-01-01T00:00:00Z",
                    "end": "2030-01-08T00:00:00Z",
                }
                return 200, {"config": {"currentPeriod": period, "creditUsagePercent": 12.5}}, {}
            return 200, {"config": {"monthlyLimit": {"val": 5000}, "used": {"val": 1000}}}, {}
        return super().other(asked)

    def shows_quota(self) -> dict[str, float]:
        return {"week": 12.5, "spending": 20.0}


# ---- iFlow --------------------------------------------------------------------------------------
class IFlowServer(Server):
    """iFlow's: an authorization code with a client secret leads to a key; so does a cookie."""

    name = "iflow"
    way = "browser"
    model = "glm-4.6"
    lasts = 172800
    token_path = "/oauth/token"
    secret = "iflow-secret"

    def endpoints(self) -> dict[str, str]:
        return {
            "api": self.upstream.url + "/v1",
            "authorize": self.url + "/oauth",
            "token": self.url + self.token_path,
            "profile": self.url + "/api/oauth/getUserInfo",
            "keys": self.url + "/api/openapi/apikey",
        }

    def file(self, number: int = 0) -> dict[str, Any]:
        fields = super().file(number)
        return fields | {"api_key": self.key_of(fields["access_token"])}

    def key_of(self, token: str) -> str:
        return f"sk-{token}"

    def check_client(self, record: Recorded, asked: dict[str, str]) -> None:
        basic = base64.b64encode(f"{asked.get('client_id')}:{self.secret}".encode()).decode()
        if asked.get("client_secret") != self.secret:
            raise self.refused(401, "invalid_client")
        if record.headers.get("authorization") != f"Basic {basic}":
            raise self.refused(401, "invalid_client")

    def exchanged(self, asked: dict[str, str]) -> Answer:
        if self.codes.pop(asked.get("code", ""), None) != asked.get("redirect_uri"):
            raise self.refused(400, "invalid_grant")
        return self.granted("")

    def other(self, asked: Recorded) -> Answer:
        if asked.path == "/oauth":
            code = f"code-{len(self.codes)}"
            redirect = asked.query["redirect"]
            self.codes[code] = redirect
            back = urllib.parse.urlencode({"code": code, "state": asked.query["state"]})
            return 302, {}, {"location": f"{redirect}?{back}"}
        if asked.path == "/api/oauth/getUserInfo":
            data = {"apiKey": self.key_of(asked.query["accessToken"]), "email": "me@example.com"}
            return 200, {"success": True, "data": data}, {}
        if asked.path == "/api/openapi/apikey":
            if "BXAuth=good" not in asked.headers.get("cookie", ""):
                return 200, {"success": False, "message": "not logged in"}, {}
            self.issued += 1
            until = time.strftime("%Y-%m-%d %H:%M", time.gmtime(time.time() + 8 * 3600 + 7 * 86400))
            key = "sk-****" if asked.method == "GET" else f"sk-cookie-{self.issued}"
            if asked.method == "POST":
                self.upstream.keys.add(key)
                self.refreshes += 1
            return (
                200,
                {"success": True, "data": {"name": "m***e", "apiKey": key, "expireTime": until}},
                {},
            )
        return super().other(asked)

    def approve(self, url: str, code: str) -> str:
        class Stay(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, *args: Any) -> None:
                return None

        try:
            urllib.request.build_opener(Stay).open(url, timeout=10)
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.headers["location"]
        raise AssertionError("no redirect")

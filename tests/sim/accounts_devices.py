"""Simulated login servers of Qwen, iFlow, Kimi and xAI, beside a simulated model host.

Strict about what the real ones are strict about: a refresh token is good for one use (a second use
is counted, and ends the login), a device code is asked about no faster than allowed, PKCE is
checked, Kimi's logins are bound to a machine. `faults` makes the next answers go wrong.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.sim.script import Failure
from tests.sim.server import Sim

Json = Any
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass
class Asked:
    """One request to the login server."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(urllib.parse.parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def json(self) -> Json:
        return json.loads(self.body or b"null")

    @property
    def bearer(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass
class Fault:
    """How one answer of the token endpoint goes wrong."""

    status: int = 500
    body: Json = None
    headers: dict[str, str] = field(default_factory=dict)
    lost: bool = False
    """The server does what it was asked and says nothing."""


@dataclass
class Login:
    """A login the server knows."""

    refresh: str
    device: str = ""
    name: str = ""


Answer = tuple[int, Json, dict[str, str]]


class Refused(Exception):
    """An OAuth error."""

    def __init__(self, error: str, status: int = 400, **more: str) -> None:
        super().__init__(error)
        self.answer: Answer = (status, {"error": error, **more}, {})


class Server:
    """The shared part: device codes, tokens, and a model host."""

    name = ""
    way = "device"
    model = ""
    lasts = 3600
    agreed = True
    """Whether the person agrees at the first poll after `approve`."""

    def __init__(self) -> None:
        self.upstream = Sim()
        self.refreshes = self.reused = 0
        self.faults: deque[Fault] = deque()
        self.asked: list[Asked] = []
        self.logins: dict[str, Login] = {}
        self.spent: set[str] = set()
        self.codes: dict[str, Json] = {}
        self.count = 0
        self.declined = False
        self.url = ""
        self._lock = threading.Lock()

    @property
    def file_type(self) -> str:
        return self.name

    def __enter__(self) -> Self:
        self.upstream.__enter__()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                outer._serve(self)

            do_POST = do_GET

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(10)
        self.upstream.__exit__(None, None, None)

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        split = urllib.parse.urlsplit(handler.path)
        length = int(handler.headers.get("content-length") or 0)
        asked = Asked(
            handler.command,
            split.path,
            dict(urllib.parse.parse_qsl(split.query)),
            {k.lower(): v for k, v in handler.headers.items()},
            handler.rfile.read(length),
        )
        with self._lock:
            self.asked.append(asked)
            fault = None
            if self.faults and asked.path == self.token_path and "refresh" in asked.body.decode():
                fault = self.faults.popleft()
            try:
                if fault is not None and not fault.lost:
                    status, body, headers = fault.status, fault.body, fault.headers
                else:
                    status, body, headers = self.answer(asked)
            except Refused as refused:
                status, body, headers = refused.answer
        if fault is not None and fault.lost:
            handler.close_connection = True
            return
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        for key, value in headers.items():
            handler.send_header(key, value)
        handler.send_header("content-type", "application/json")
        handler.send_header("content-length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    # ---- what subclasses say --------------------------------------------------------------------
    device_path = "/device"
    token_path = "/token"

    def answer(self, asked: Asked) -> Answer:
        match asked.method, asked.path:
            case "POST", self.device_path:
                return self.device(asked)
            case "POST", self.token_path:
                return self.token(asked)
            case "GET", "/approve":
                for code in self.codes.values():
                    code["agreed"] = True
                return 200, {}, {}
        return self.other(asked)

    def other(self, asked: Asked) -> Answer:
        return 404, {"error": f"no {asked.method} {asked.path}"}, {}

    def endpoints(self) -> dict[str, str]:
        return {
            "api": self.upstream.url + "/v1",
            "device": self.url + self.device_path,
            "token": self.url + self.token_path,
        }

    def config(self) -> str:
        lines = "".join(f"    {key}: {value}\n" for key, value in self.endpoints().items())
        return f"endpoints:\n  {self.name}:\n{lines}"

    def key_of(self, token: str) -> str:
        """Return what the model host takes for an access token."""
        return token

    # ---- OAuth ----------------------------------------------------------------------------------
    def device(self, asked: Asked) -> Answer:
        self.check_client(asked)
        code = f"device-{len(self.codes)}"
        self.codes[code] = {"form": asked.form, "agreed": False, "headers": asked.headers}
        told = {
            "device_code": code,
            "user_code": "ABCD-1234",
            "verification_uri": self.url + "/approve",
            "expires_in": 600,
            "interval": 5,
        }
        return 200, told, {}

    def token(self, asked: Asked) -> Answer:
        self.check_client(asked)
        match asked.form.get("grant_type"):
            case "refresh_token":
                return self.refresh(asked)
            case grant if grant == DEVICE_GRANT:
                return self.confirmed(asked)
            case "authorization_code":
                return self.exchanged(asked)
        raise Refused("unsupported_grant_type")

    def check_client(self, asked: Asked) -> None:
        if not asked.form.get("client_id"):
            raise Refused("invalid_client", 401)

    def confirmed(self, asked: Asked) -> Answer:
        code = self.codes.get(asked.form.get("device_code", ""))
        if code is None:
            raise Refused("expired_token")
        if self.declined:
            raise Refused("access_denied")
        if not code["agreed"]:
            raise Refused("authorization_pending")
        self.check_device(asked, code)
        del self.codes[asked.form["device_code"]]
        return self.granted(Login("", asked.headers.get("x-msh-device-id", "")))

    def check_device(self, asked: Asked, code: Json) -> None:
        pass

    def exchanged(self, asked: Asked) -> Answer:
        raise Refused("invalid_grant")

    def refresh(self, asked: Asked) -> Answer:
        used = asked.form.get("refresh_token", "")
        if used in self.spent:
            self.reused += 1
            self.logins.clear()
            raise Refused("invalid_grant", error_description="the refresh token was used before")
        login = self.logins.pop(used, None)
        if login is None:
            raise Refused("invalid_grant")
        self.check_refresh(asked, login)
        self.spent.add(used)
        self.refreshes += 1
        return self.granted(login)

    def check_refresh(self, asked: Asked, login: Login) -> None:
        pass

    def granted(self, login: Login) -> Answer:
        self.count += 1
        access, login.refresh = f"access-{self.count}", f"refresh-{self.count}"
        self.logins[login.refresh] = login
        self.upstream.keys.add(self.key_of(access))
        told = {
            "access_token": access,
            "refresh_token": login.refresh,
            "token_type": "Bearer",
            "expires_in": self.lasts,
        }
        return 200, told | self.more(login), {}

    def more(self, login: Login) -> Json:
        """Return what else a token answer holds."""
        return {}

    # ---- the suite's protocol -------------------------------------------------------------------
    def approve(self, url: str, code: str) -> str:
        assert code == "ABCD-1234"
        with urllib.request.urlopen(url, timeout=10):
            return ""

    def file(self, number: int = 0) -> dict[str, Any]:
        access, refresh = f"file-access-{number}", f"file-refresh-{number}"
        self.logins[refresh] = Login(refresh, f"{number}" * 32, f"me-{number}")
        self.upstream.keys.add(self.key_of(access))
        return {
            "type": self.name,
            "access_token": access,
            "refresh_token": refresh,
            "email": f"me-{number}@example.com",
        }

    def revoke(self) -> None:
        self.logins.clear()

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

    def check_device(self, asked: Asked, code: Json) -> None:
        hashed = hashlib.sha256(asked.form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(hashed).rstrip(b"=").decode() != code["form"]["code_challenge"]:
            raise Refused("invalid_grant", error_description="wrong code_verifier")

    def more(self, login: Login) -> Json:
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

    def check_client(self, asked: Asked) -> None:
        super().check_client(asked)
        if not asked.headers.get("x-msh-device-id"):
            raise Refused("invalid_request", error_description="no device")

    def check_device(self, asked: Asked, code: Json) -> None:
        if asked.headers["x-msh-device-id"] != code["headers"]["x-msh-device-id"]:
            raise Refused("access_denied")

    def check_refresh(self, asked: Asked, login: Login) -> None:
        if asked.headers["x-msh-device-id"] != login.device:
            raise Refused("invalid_grant", 403, error_description="another machine")

    def other(self, asked: Asked) -> Answer:
        if self.upstream.keys and asked.bearer not in self.upstream.keys:
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

    def more(self, login: Login) -> Json:
        claims = json.dumps({"email": "me@example.com", "sub": "user-0"}).encode()
        return {"id_token": f"e30.{base64.urlsafe_b64encode(claims).rstrip(b'=').decode()}.s"}

    def other(self, asked: Asked) -> Answer:
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

    def config(self) -> str:
        return super().config() + f"oauth-clients:\n  iflow:\n    secret: {self.secret}\n"

    def file(self, number: int = 0) -> dict[str, Any]:
        fields = super().file(number)
        return fields | {"api_key": self.key_of(fields["access_token"])}

    def key_of(self, token: str) -> str:
        return f"sk-{token}"

    def check_client(self, asked: Asked) -> None:
        form = asked.form
        basic = base64.b64encode(f"{form.get('client_id')}:{self.secret}".encode()).decode()
        if form.get("client_secret") != self.secret:
            raise Refused("invalid_client", 401)
        if asked.headers.get("authorization") != f"Basic {basic}":
            raise Refused("invalid_client", 401)

    def exchanged(self, asked: Asked) -> Answer:
        if self.codes.pop(asked.form.get("code", ""), None) != asked.form.get("redirect_uri"):
            raise Refused("invalid_grant")
        return self.granted(Login(""))

    def other(self, asked: Asked) -> Answer:
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
            self.count += 1
            until = time.strftime("%Y-%m-%d %H:%M", time.gmtime(time.time() + 8 * 3600 + 7 * 86400))
            key = "sk-****" if asked.method == "GET" else f"sk-cookie-{self.count}"
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

"""Google as accounts see it: OAuth, projects, Code Assist, Antigravity, Vertex AI, on one port.

    with GoogleSim() as google:
        google.accounts["rt-0"]                 # refresh token → who
        google.fail("token", Raw(b"…", 503))    # the next answer of an endpoint
        google.lose("token")                    # it acts, and its answer is lost

The models behind it are those of `Sim`; strict about what the real services refuse. Refresh tokens
are good for ever, as Google's are.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import deque
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.sim.deliver import Delivery, dump
from tests.sim.record import Recorded
from tests.sim.script import Failure, Raw
from tests.sim.server import Sim
from tests.sim.wire import Connection

Json = Any

SECRET = "dummy-client-secret"
GEMINI_CLIENT = "681255809395-oo8ft2oprdrnp9e3aqf6av3hmdib135j.apps.googleusercontent.com"
ANTIGRAVITY_CLIENT = "1071006060591-tmhssin2h21lcre235vtolojh4g403ep.apps.googleusercontent.com"
CLIENTS = (GEMINI_CLIENT, ANTIGRAVITY_CLIENT)
REDIRECTS = re.compile(
    r"http://(localhost|127\.0\.0\.1):\d+/(oauth2callback|oauth-callback)"
    r"|https://codeassist\.google\.com/authcode"
)
CLOUD = "https://www.googleapis.com/auth/cloud-platform"
SIGNED = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SERVICE = re.compile(r"/v1/projects/([^/]+)/services/cloudaicompanion\.googleapis\.com(:enable)?$")
WORK = re.compile(r"/v1internal/(operations/\w+)$")
PREDICT = re.compile(r"/models/([^:]+):predict$")
PIXEL = "iVBORw0KGgo="
ENVELOPE = {
    "gemini-cli": {"model", "project", "user_prompt_id", "request", "enabled_credit_types"},
    "antigravity": {
        "model", "project", "userAgent", "requestType", "requestId", "request",
        "enabledCreditTypes",
    },
}  # fmt: skip


@dataclass
class Who:
    """One Google account."""

    email: str
    client: str
    revoked: str = ""  # what the token endpoint says of it: "" = all is well
    tokens: list[str] = field(default_factory=list)


class GoogleSim(Sim):
    """Google on a loopback port. Every attribute may be changed while it runs."""

    def __init__(self, kind: str = "gemini-cli", *, strict: bool = True) -> None:
        super().__init__(strict=strict)
        self.kind = kind
        self.accounts: dict[str, Who] = {}  # by refresh token
        self.robots: dict[str, rsa.RSAPublicKey] = {}  # service accounts by address
        self.revoked_robots: set[str] = set()
        self.codes: dict[str, dict[str, str]] = {}
        self.issued = 0
        self.refreshes = 0
        self.lasts = 3599
        self.loaded: Json = {
            "currentTier": {"id": "free-tier", "name": "Free"},
            "cloudaicompanionProject": "project-1",
        }
        self.onboarded = "project-1"
        self.polls = 0  # how often signing up says that it is not done yet
        self.projects = ["project-1", "project-2"]
        self.enabled: set[str] = {"project-1"}
        self.buckets: list[Json] = []
        self.groups: list[Json] = []
        self.available: dict[str, Json] = {}
        self._failures: dict[str, deque[Raw | None]] = {}

    # ---- what a test does -----------------------------------------------------------------------
    def fail(self, endpoint: str, *answers: Raw) -> None:
        """Answer the next calls of an endpoint so."""
        self._failures.setdefault(endpoint, deque()).extend(answers)

    def lose(self, endpoint: str) -> None:
        """Do what is asked next, and lose the answer."""
        self._failures.setdefault(endpoint, deque()).append(None)

    def add(self, number: int, client: str) -> tuple[str, str]:
        """Know an account; return its access and its refresh token."""
        refresh, access = f"rt-{number}", f"at-{number}"
        self.accounts[refresh] = Who(f"user{number}@example.com", client)
        self.keys.add(access)
        return access, refresh

    def approve(self, url: str) -> str:
        """Be the person who agrees; return the address the browser is sent to."""
        assert urlsplit(url).path == "/o/oauth2/v2/auth", url
        asked = dict(parse_qsl(urlsplit(url).query))
        assert asked["client_id"] in CLIENTS, asked
        assert REDIRECTS.fullmatch(asked["redirect_uri"]), asked
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert CLOUD in asked["scope"].split()
        code = f"4/code-{len(self.codes)}"
        self.codes[code] = asked
        back = urlencode({"state": asked["state"], "code": code, "scope": asked["scope"]})
        return f"{asked['redirect_uri']}?{back}"

    # ---- answering ------------------------------------------------------------------------------
    async def _reply(self, connection: Connection, record: Recorded) -> None:
        found = self._endpoint(record)
        if found is None:
            if (refused := self._enveloped(record)) is not None:
                await Delivery(connection, record, refused, self._stopping).failure(refused)
                return
            await super()._reply(connection, record)
            return
        name, answer = found
        waiting = self._failures.get(name)
        if waiting:
            failure = waiting.popleft()
            if failure is None:
                answer()
                failure = Raw(b"", cut="headers")
            await Delivery(connection, record, failure, self._stopping).raw(failure)
            return
        status, body = answer()
        record.answer = body
        raw = Raw(dump(body), status)
        await Delivery(connection, record, raw, self._stopping).raw(raw)

    def _endpoint(self, record: Recorded) -> tuple[str, Any] | None:
        path, body = record.path, record.body if isinstance(record.body, dict) else {}
        fixed = {
            ("POST", "/token"): ("token", lambda: self._token(record)),
            ("GET", "/oauth2/v2/userinfo"): ("profile", lambda: self._profile(record)),
            ("GET", "/v1/projects"): ("projects", lambda: self._listed(record)),
        }
        if (found := fixed.get((record.method, path))) is not None:
            return found
        internal = {
            "loadCodeAssist": lambda: self.loaded,
            "onboardUser": lambda: self._onboard(body),
            "retrieveUserQuota": lambda: {"buckets": self.buckets},
            "retrieveUserQuotaSummary": lambda: {"groups": self.groups},
            "fetchAvailableModels": lambda: {"models": self.available},
        }
        method = path.removeprefix("/v1internal:")
        if record.method == "POST" and method in internal:
            return method, lambda: self._known(record, internal[method])
        if record.method == "GET" and WORK.search(path):
            return "operation", lambda: self._known(record, self._work)
        if found_service := SERVICE.search(path):
            project, enable = found_service[1], found_service[2]
            return "services", lambda: self._known(record, lambda: self._state(project, enable))
        if PREDICT.search(path):
            return "predict", lambda: self._known(record, lambda: self._predict(body))
        return None

    def _known(self, record: Recorded, answer: Any) -> tuple[int, Json]:
        token = record.headers.get("authorization").partition(" ")[2]
        if self.keys and token not in self.keys:
            return 401, error(401, "UNAUTHENTICATED", "Request had invalid credentials.")
        return 200, answer()

    def _enveloped(self, record: Recorded) -> Failure | None:
        """Refuse what Code Assist refuses of its envelope."""
        if not record.envelope or record.endpoint != "generate" or not self.strict:
            return None
        body = record.body if isinstance(record.body, dict) else {}
        if self.keys and record.headers.get("authorization").partition(" ")[2] not in self.keys:
            return Failure(401, "Request had invalid authentication credentials.")
        unknown = body.keys() - ENVELOPE[self.kind]
        if unknown:
            return Failure(400, f'Invalid JSON payload received. Unknown name "{min(unknown)}"')
        if body.get("project") not in self.projects:
            return Failure(403, f"Permission denied on project {body.get('project')!r}")
        if self.kind == "antigravity":
            inner = body.get("request") or {}
            if body.get("userAgent") != "antigravity" or not body.get("requestType"):
                return Failure(400, "The envelope is not complete.")
            if "safetySettings" in inner:
                return Failure(400, "safetySettings are not taken.")
            for tool in inner.get("tools") or ():
                for function in tool.get("functionDeclarations") or ():
                    if "parametersJsonSchema" in function:
                        return Failure(400, "parametersJsonSchema is not taken.")
        return None

    # ---- OAuth ----------------------------------------------------------------------------------
    def _token(self, record: Recorded) -> tuple[int, Json]:
        form = dict(parse_qsl(record.content.decode()))
        match form.get("grant_type"):
            case "authorization_code":
                return self._exchanged(form)
            case "refresh_token":
                return self._refreshed(form)
            case grant if grant == SIGNED:
                return self._signed(form)
            case _:
                return denied("unsupported_grant_type", "Invalid grant_type")

    def _client(self, form: dict[str, str]) -> tuple[int, Json] | None:
        if form.get("client_id") not in CLIENTS:
            return denied("invalid_client", "The OAuth client was not found.", 401)
        if "client_secret" not in form:
            return denied("invalid_request", "client_secret is missing.")
        if form["client_secret"] != SECRET:
            return denied("invalid_client", "Unauthorized", 401)
        return None

    def _exchanged(self, form: dict[str, str]) -> tuple[int, Json]:
        if (refused := self._client(form)) is not None:
            return refused
        asked = self.codes.pop(form.get("code", ""), None)
        if asked is None or asked["client_id"] != form["client_id"]:
            return denied("invalid_grant", "Malformed auth code.")
        if asked["redirect_uri"] != form.get("redirect_uri"):
            return denied("redirect_uri_mismatch", "Bad Request")
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != asked["code_challenge"]:
            return denied("invalid_grant", "Invalid code verifier.")
        number = len(self.accounts)
        _, refresh = self.add(number, form["client_id"])
        told = self._issued(self.accounts[refresh])
        return 200, {**told, "refresh_token": refresh, "scope": asked["scope"]}

    def _refreshed(self, form: dict[str, str]) -> tuple[int, Json]:
        if (refused := self._client(form)) is not None:
            return refused
        who = self.accounts.get(form.get("refresh_token", ""))
        if who is None or who.client != form["client_id"]:
            return denied("invalid_grant", "Bad Request")
        if who.revoked:
            return denied("invalid_grant", who.revoked)
        self.refreshes += 1
        return 200, {**self._issued(who), "scope": CLOUD}

    def _signed(self, form: dict[str, str]) -> tuple[int, Json]:
        try:
            issuer = jwt.decode(form["assertion"], options={"verify_signature": False})["iss"]
            jwt.decode(
                form["assertion"],
                self.robots[issuer],
                algorithms=["RS256"],
                audience=f"{self.url}/token",
                options={"require": ["iss", "aud", "iat", "exp"]},
            )
        except (jwt.PyJWTError, KeyError):
            return denied("invalid_grant", "Invalid JWT Signature.")
        if issuer in self.revoked_robots:
            return denied("invalid_grant", "Invalid grant: account not found")
        self.refreshes += 1
        return 200, self._issued(Who(issuer, ""))

    def _issued(self, who: Who) -> Json:
        self.issued += 1
        token = f"ya29.sim-{self.issued}"
        who.tokens.append(token)
        self.keys.add(token)
        return {"access_token": token, "expires_in": self.lasts, "token_type": "Bearer"}

    def _profile(self, record: Recorded) -> tuple[int, Json]:
        token = record.headers.get("authorization").partition(" ")[2]
        who = next((w for w in self.accounts.values() if token in w.tokens), None)
        if who is None:
            return 401, error(401, "UNAUTHENTICATED", "Invalid Credentials")
        return 200, {"email": who.email, "verified_email": True, "id": "1"}

    # ---- projects -------------------------------------------------------------------------------
    def _listed(self, record: Recorded) -> tuple[int, Json]:
        rows = [{"projectId": p, "lifecycleState": "ACTIVE"} for p in self.projects]
        return self._known(record, lambda: {"projects": rows})

    def _onboard(self, body: Json) -> Json:
        assert body.get("tierId") or body.get("tier_id"), body
        if body.get("tierId") == "free-tier" and "cloudaicompanionProject" in body:
            return {"done": True, "error": {"code": 9, "message": "Precondition Failed"}}
        return self._work()

    def _work(self) -> Json:
        if self.polls > 0:
            self.polls -= 1
            return {"name": "operations/1", "done": False}
        project = {"id": self.onboarded, "name": self.onboarded}
        return {
            "name": "operations/1",
            "done": True,
            "response": {"cloudaicompanionProject": project},
        }

    def _state(self, project: str, enable: str | None) -> Json:
        if enable:
            self.enabled.add(project)
            return {"name": "operations/enable"}
        return {"state": "ENABLED" if project in self.enabled else "DISABLED"}

    def _predict(self, body: Json) -> Json:
        count = body["parameters"]["sampleCount"]
        assert body["instances"][0]["prompt"]
        row = {"bytesBase64Encoded": PIXEL, "mimeType": "image/png"}
        return {"predictions": [row] * count}


def denied(code: str, text: str, status: int = 400) -> tuple[int, Json]:
    return status, {"error": code, "error_description": text}


def error(status: int, name: str, message: str, **detail: Json) -> Json:
    """Return an error body of Google's APIs."""
    told: Json = {"code": status, "message": message, "status": name}
    if detail:
        told["details"] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", **detail}]
    return {"error": told}


# ---- accounts for the suite ---------------------------------------------------------------------
class Accounts:
    """What is the same for all three kinds of account."""

    name: str
    way: str
    file_type: str
    model: str
    client: str = ""

    def __init__(self) -> None:
        self.upstream = GoogleSim(self.name)

    def __enter__(self) -> Any:
        self.upstream.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        err: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.upstream.__exit__(kind, err, trace)

    @property
    def refreshes(self) -> int:
        return self.upstream.refreshes

    @property
    def reused(self) -> int:
        return 0  # these refresh tokens may be used again

    def config(self) -> str:
        url = self.upstream.url
        places = {
            "api": url,
            "authorize": f"{url}/o/oauth2/v2/auth",
            "token": f"{url}/token",
            "profile": f"{url}/oauth2/v2/userinfo",
            "projects": f"{url}/v1/projects",
            "services": f"{url}/v1",
        }
        return "\n".join(
            [
                f"endpoints: {json.dumps({self.name: places})}",
                f"oauth-clients: {json.dumps({self.name: {'secret': SECRET}})}",
            ]
        )

    def approve(self, url: str, code: str) -> str:
        assert not code
        return self.upstream.approve(url)

    def revoke(self) -> None:
        for who in self.upstream.accounts.values():
            who.revoked = "Token has been expired or revoked."

    def limit(self, seconds: int) -> Failure:
        return Failure(429, "Used up.", retry_after=seconds, reason="QUOTA_EXHAUSTED")


class GeminiCliAccounts(Accounts):
    """Gemini CLI's."""

    name = "gemini-cli"
    way = "browser"
    file_type = "gemini"
    model = "gemini-2.5-pro"

    def __init__(self) -> None:
        super().__init__()
        self.upstream.buckets = [
            {"modelId": "gemini-2.5-pro", "remainingFraction": 0.75},
            {"modelId": "gemini-2.5-flash", "remainingFraction": 1},
        ]

    def file(self, number: int = 0) -> dict[str, Any]:
        access, refresh = self.upstream.add(number, GEMINI_CLIENT)
        token = {"access_token": access, "refresh_token": refresh, "client_id": GEMINI_CLIENT}
        return {
            "type": "gemini",
            "email": f"user{number}@example.com",
            "project_id": "project-1",
            "token": token,
        }

    def shows_quota(self) -> dict[str, float]:
        return {"pro": 25.0, "flash": 0.0}


class AntigravityAccounts(Accounts):
    """Antigravity's."""

    name = "antigravity"
    way = "browser"
    file_type = "antigravity"
    model = "gemini-3-flash"

    def __init__(self) -> None:
        super().__init__()
        self.upstream.groups = [
            {
                "displayName": "Gemini",
                "buckets": [
                    {"bucketId": "five", "window": "5h", "remainingFraction": 0.25},
                    {"bucketId": "week", "window": "weekly", "remainingFraction": "90%"},
                ],
            }
        ]

    def file(self, number: int = 0) -> dict[str, Any]:
        access, refresh = self.upstream.add(number, ANTIGRAVITY_CLIENT)
        return {
            "type": "antigravity",
            "email": f"user{number}@example.com",
            "project_id": "project-1",
            "access_token": access,
            "refresh_token": refresh,
            "expires_in": 3599,
            "timestamp": 1,
        }

    def shows_quota(self) -> dict[str, float]:
        return {"five": 75.0, "week": 10.0}


class AntigravityClaudeAccounts(AntigravityAccounts):
    """Antigravity's, asked for another vendor's model."""

    model = "claude-sonnet-4-6"


KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()


class VertexAccounts(Accounts):
    """Service accounts on Vertex AI."""

    name = "vertex"
    way = ""
    file_type = "vertex"
    model = "gemini-2.5-pro"

    def file(self, number: int = 0) -> dict[str, Any]:
        email = f"robot{number}@project-1.iam.gserviceaccount.com"
        self.upstream.robots[email] = KEY.public_key()
        self.upstream.keys.add(f"at-{number}")
        return {
            "type": "vertex",
            "project_id": "project-1",
            "email": email,
            "location": "us-central1",
            "access_token": f"at-{number}",
            "service_account": {
                "type": "service_account",
                "project_id": "project-1",
                "client_email": email,
                "private_key_id": "kid",
                "private_key": PEM,
                "token_uri": f"{self.upstream.url}/token",
            },
        }

    def revoke(self) -> None:
        self.upstream.revoked_robots |= self.upstream.robots.keys()

    def shows_quota(self) -> dict[str, float]:
        return {}

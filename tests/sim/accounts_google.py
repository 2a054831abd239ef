"""Google as accounts see it: OAuth, projects, Code Assist, Antigravity, Vertex AI, on one port.

    with GoogleSim() as google:
        google.accounts["rt-0"]                 # refresh token → who
        google.instead("/token", Raw(b"…", 503))  # the next answer of a path
        google.lose_next = "/token"             # it acts, and its answer is lost

The models behind it are those of `Sim`; strict about what the real services refuse. Refresh tokens
are good for ever, as Google's are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from typing_extensions import override

from tests.sim.accounts import Accounts, authorization, challenge, config_of
from tests.sim.beside import Beside, Handler, Refused, bearer_of, form_of
from tests.sim.record import Recorded
from tests.sim.script import Failure

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


class GoogleSim(Beside):
    """Google on a loopback port. Every attribute may be changed while it runs."""

    def __init__(self, kind: str = "gemini-cli", *, strict: bool = True) -> None:
        super().__init__(strict=strict)
        self.kind = kind
        self.accounts: dict[str, Who] = {}  # by refresh token
        self.robots: dict[str, rsa.RSAPublicKey] = {}  # service accounts by address
        self.revoked_robots: set[str] = set()
        self.codes: dict[str, dict[str, str]] = {}
        self.issued = self.refreshes = 0
        self.reused = 0  # these refresh tokens may be used again
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

    # ---- what a test does -----------------------------------------------------------------------
    def add(self, number: int, client: str) -> tuple[str, str]:
        """Know an account; return its access and its refresh token."""
        refresh, access = f"rt-{number}", f"at-{number}"
        self.accounts[refresh] = Who(f"user{number}@example.com", client)
        self.keys.add(access)
        return access, refresh

    def approve(self, url: str) -> str:
        """Be the person who agrees; return the address the browser is sent to."""
        assert urlsplit(url).path == "/o/oauth2/v2/auth", url
        asked = authorization(url)
        assert asked["client_id"] in CLIENTS, asked
        assert REDIRECTS.fullmatch(asked["redirect_uri"]), asked
        assert CLOUD in asked["scope"].split()
        code = f"4/code-{len(self.codes)}"
        self.codes[code] = asked
        back = urlencode({"state": asked["state"], "code": code, "scope": asked["scope"]})
        return f"{asked['redirect_uri']}?{back}"

    # ---- answering ------------------------------------------------------------------------------
    @override
    def handler(self, record: Recorded) -> Handler | None:
        path, body = record.path, record.body if isinstance(record.body, dict) else {}
        fixed: dict[tuple[str, str], Handler] = {
            ("POST", "/token"): self._token,
            ("GET", "/oauth2/v2/userinfo"): self._profile,
            ("GET", "/v1/projects"): self._known(self._listed),
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
            return self._known(internal[method])
        if record.method == "GET" and WORK.search(path):
            return self._known(self._work)
        if service := SERVICE.search(path):
            return self._known(lambda: self._state(service[1], service[2]))
        if PREDICT.search(path):
            return self._known(lambda: self._predict(body))
        return None

    def _known(self, answer: Any) -> Handler:
        """Answer whoever has a token that is good."""
        return lambda record: answer() if self._welcome(record) else UNKNOWN

    def _welcome(self, record: Recorded) -> bool:
        return not self.keys or bearer_of(record) in self.keys

    @override
    def _refusal(self, record: Recorded) -> Failure | None:
        return self._enveloped(record) or super()._refusal(record)

    def _enveloped(self, record: Recorded) -> Failure | None:
        """Refuse what Code Assist refuses of its envelope."""
        if not record.envelope or record.endpoint != "generate" or not self.strict:
            return None
        body = record.body if isinstance(record.body, dict) else {}
        if not self._welcome(record):
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
    def _token(self, record: Recorded) -> Json:
        form = form_of(record)
        match form.get("grant_type"):
            case "authorization_code":
                return self._exchanged(form)
            case "refresh_token":
                return self._refreshed(form)
            case grant if grant == SIGNED:
                return self._signed(form)
            case _:
                raise denied("unsupported_grant_type", "Invalid grant_type")

    def _check_client(self, form: dict[str, str]) -> None:
        if form.get("client_id") not in CLIENTS:
            raise denied("invalid_client", "The OAuth client was not found.", 401)
        if "client_secret" not in form:
            raise denied("invalid_request", "client_secret is missing.")
        if form["client_secret"] != SECRET:
            raise denied("invalid_client", "Unauthorized", 401)

    def _exchanged(self, form: dict[str, str]) -> Json:
        self._check_client(form)
        asked = self.codes.pop(form.get("code", ""), None)
        if asked is None or asked["client_id"] != form["client_id"]:
            raise denied("invalid_grant", "Malformed auth code.")
        if asked["redirect_uri"] != form.get("redirect_uri"):
            raise denied("redirect_uri_mismatch", "Bad Request")
        if challenge(form.get("code_verifier", "")) != asked["code_challenge"]:
            raise denied("invalid_grant", "Invalid code verifier.")
        number = len(self.accounts)
        _, refresh = self.add(number, form["client_id"])
        told = self._issued(self.accounts[refresh])
        return {**told, "refresh_token": refresh, "scope": asked["scope"]}

    def _refreshed(self, form: dict[str, str]) -> Json:
        self._check_client(form)
        who = self.accounts.get(form.get("refresh_token", ""))
        if who is None or who.client != form["client_id"]:
            raise denied("invalid_grant", "Bad Request")
        if who.revoked:
            raise denied("invalid_grant", who.revoked)
        self.refreshes += 1
        return {**self._issued(who), "scope": CLOUD}

    def _signed(self, form: dict[str, str]) -> Json:
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
            raise denied("invalid_grant", "Invalid JWT Signature.") from None
        if issuer in self.revoked_robots:
            raise denied("invalid_grant", "Invalid grant: account not found")
        self.refreshes += 1
        return self._issued(Who(issuer, ""))

    def _issued(self, who: Who) -> Json:
        self.issued += 1
        token = f"ya29.sim-{self.issued}"
        who.tokens.append(token)
        self.keys.add(token)
        return {"access_token": token, "expires_in": self.lasts, "token_type": "Bearer"}

    def _profile(self, record: Recorded) -> Json:
        token = bearer_of(record)
        who = next((w for w in self.accounts.values() if token in w.tokens), None)
        if who is None:
            return 401, error(401, "UNAUTHENTICATED", "Invalid Credentials")
        return {"email": who.email, "verified_email": True, "id": "1"}

    # ---- projects -------------------------------------------------------------------------------
    def _listed(self) -> Json:
        return {"projects": [{"projectId": p, "lifecycleState": "ACTIVE"} for p in self.projects]}

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


def denied(code: str, text: str, status: int = 400) -> Refused:
    return Refused(status, code, error_description=text)


def error(status: int, name: str, message: str, **detail: Json) -> Json:
    """Return an error body of Google's APIs."""
    told: Json = {"code": status, "message": message, "status": name}
    if detail:
        told["details"] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", **detail}]
    return {"error": told}


UNKNOWN = (401, error(401, "UNAUTHENTICATED", "Request had invalid credentials."))


# ---- accounts for the suite ---------------------------------------------------------------------
class GoogleAccounts(Accounts):
    """What is the same for all three kinds of account."""

    def __init__(self) -> None:
        super().__init__(GoogleSim(self.name))

    @override
    def endpoints(self) -> dict[str, str]:
        url = self.upstream.url
        return {
            "api": url,
            "authorize": f"{url}/o/oauth2/v2/auth",
            "token": f"{url}/token",
            "profile": f"{url}/oauth2/v2/userinfo",
            "projects": f"{url}/v1/projects",
            "services": f"{url}/v1",
        }

    @override
    def config(self) -> str:
        return config_of(self.name, self.endpoints(), SECRET)

    def approve(self, url: str, code: str) -> str:
        assert not code
        return self.upstream.approve(url)

    def revoke(self) -> None:
        for who in self.upstream.accounts.values():
            who.revoked = "Token has been expired or revoked."

    def limit(self, seconds: int) -> Failure:
        return Failure(429, "Used up.", retry_after=seconds, reason="QUOTA_EXHAUSTED")


class GeminiCliAccounts(GoogleAccounts):
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


class AntigravityAccounts(GoogleAccounts):
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


class VertexAccounts(GoogleAccounts):
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

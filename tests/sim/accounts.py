"""What the simulated accounts of all providers share."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from typing_extensions import override

from tests.sim.beside import Beside, Refused, form_of
from tests.sim.record import Recorded
from tests.sim.server import Sim

Json = Any
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


class Issuer(Beside):
    """Where logins are kept, beside the models they are for: whoever enters it runs both.

    A refresh token is good for one use, and a second use is counted. A code is given away once, to
    whoever knows the verifier of its challenge.
    """

    def __init__(self, upstream: Sim) -> None:
        super().__init__()
        self.upstream = upstream
        self.codes: dict[str, Any] = {}  # code → account, challenge, redirect
        self.refreshable: dict[str, Any] = {}  # refresh token → account
        self.spent: set[str] = set()
        self.rotates = True  # a refresh brings another refresh token
        self.refreshes = self.reused = self.issued = 0

    @override
    def __enter__(self) -> Self:
        self.upstream.__enter__()
        return super().__enter__()

    @override
    def __exit__(self, *raised: object) -> None:
        super().__exit__(*raised)
        self.upstream.__exit__(*raised)

    # ---- the token endpoint ---------------------------------------------------------------------
    def token(self, record: Recorded) -> Json:
        asked = form_of(record)
        self.check_client(record, asked)
        match asked.get("grant_type"):
            case "authorization_code":
                return self.exchanged(asked)
            case "refresh_token":
                return self.refreshed(record, asked)
            case grant if grant == DEVICE_GRANT:
                return self.confirmed(record, asked)
            case _:
                raise self.refused(400, "unsupported_grant_type")

    def refused(self, status: int, code: str, text: str = "") -> Refused:
        """Return an error as this provider words it."""
        return Refused(status, code, **({"error_description": text} if text else {}))

    def check_client(self, record: Recorded, asked: dict[str, str]) -> None:
        """Refuse a client that is unknown."""

    def exchanged(self, asked: dict[str, str]) -> Json:
        """Give tokens for a code."""
        raise self.refused(400, "unsupported_grant_type")

    def refreshed(self, record: Recorded, asked: dict[str, str]) -> Json:
        """Give tokens for a refresh token."""
        raise self.refused(400, "unsupported_grant_type")

    def confirmed(self, record: Recorded, asked: dict[str, str]) -> Json:
        """Give tokens for a device code, once the person agrees."""
        raise self.refused(400, "unsupported_grant_type")

    # ---- codes and refresh tokens ---------------------------------------------------------------
    def agree(self, asked: dict[str, str]) -> str:
        """Return a code for the first account, as somebody asked for it in a browser."""
        given = f"code-{len(self.codes)}"
        self.codes[given] = (0, asked["code_challenge"], asked["redirect_uri"])
        return given

    def account_of_code(self, asked: dict[str, str]) -> Any:
        """Take a code; return whose it is, None when it is not good or not proven."""
        known = self.codes.pop(asked.get("code", ""), None)
        proof = challenge(asked.get("code_verifier", ""))
        good = known is not None and known[1:] == (proof, asked.get("redirect_uri"))
        return known[0] if good else None

    def spend(self, token: str) -> Any:
        """Take a refresh token; return whose it is, None when it is not good (any more)."""
        if token in self.spent:
            self.reused += 1
        if token not in self.refreshable:
            return None
        self.refreshes += 1
        if not self.rotates:
            return self.refreshable[token]
        self.spent.add(token)
        return self.refreshable.pop(token)


class Accounts:
    """A provider's accounts for the suite: their models, and the server that knows their logins."""

    name: str
    way: str
    file_type: str
    model: str

    def __init__(self, upstream: Any, auth: Any = None) -> None:
        self.upstream = upstream
        self.auth = upstream if auth is None else auth

    def __enter__(self) -> Self:
        self.auth.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self.auth.__exit__(*raised)

    @property
    def refreshes(self) -> int:
        return self.auth.refreshes

    @property
    def reused(self) -> int:
        return self.auth.reused

    def endpoints(self) -> dict[str, str]:
        raise NotImplementedError

    def config(self) -> str:
        return config_of(self.name, self.endpoints())


def config_of(name: str, endpoints: dict[str, str], secret: str = "") -> str:
    """Return the configuration that leads to a provider's simulated servers."""
    lines = [f"endpoints: {json.dumps({name: endpoints})}"]
    if secret:
        lines.append(f"oauth-clients: {json.dumps({name: {'secret': secret}})}")
    return "\n".join([*lines, ""])


def authorization(url: str) -> dict[str, str]:
    """Return what a browser is asked to authorize: a code, with a challenge (RFC 7636)."""
    asked = dict(parse_qsl(urlsplit(url).query))
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    return asked


def challenge(verifier: str) -> str:
    return unpadded(hashlib.sha256(verifier.encode()).digest())


def unpadded(data: bytes) -> str:
    """Encode as parts of tokens are: base64 for addresses, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

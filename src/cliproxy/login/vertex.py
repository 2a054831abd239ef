"""Vertex AI: service accounts, which prove who they are with a key of their own (RFC 7523).

The protocol is that of Google's documentation "Using OAuth 2.0 for Server to Server
Applications"; the file is the one that CLIProxyAPI keeps.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final, Literal

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from cliproxy.account.credential import written
from cliproxy.base import json
from cliproxy.base.json import Obj, text_in
from cliproxy.login import google
from cliproxy.login.flow import LoggedIn, Problem, Setting, Talk, TokenLogin, post_form

GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LOCATION: Final = "us-central1"
_HOUR: Final = 3600


class Vertex(TokenLogin):
    """Service accounts. A person cannot log in with a browser."""

    provider: str = "vertex"
    ways: tuple[Literal["browser", "device", "cookie"], ...] = ()
    lead: float = 300.0

    def renewable(self, fields: Obj) -> bool:
        """Look for the private key."""
        return bool(text_in(_account(fields), "private_key"))

    def login(self, setting: Setting, way: str) -> Talk[LoggedIn]:
        """Refuse: the account is its key file."""
        raise Problem("refused", "Vertex AI is used with the key file of a service account.")
        yield  # a talk, although one without words

    def refresh(self, fields: Obj, setting: Setting) -> Talk[Obj]:
        """Get a new access token."""
        account = _account(fields)
        email = text_in(account, "client_email") or text_in(fields, "email")
        key = text_in(account, "private_key")
        if not key:
            raise Problem("needs_login", "The service account has no private key; import it again.")
        if not email:
            raise Problem("needs_login", "The service account has no client_email.")
        audience = text_in(account, "token_uri") or google.TOKEN
        if not setting.endpoints.get("token") and not audience.lower().startswith("https://"):
            # The file may come from anywhere: its word is not enough to knock at hosts within.
            raise Problem("refused", "The service account's token_uri is no https:// address.")
        now = int(setting.now)
        headers = {"kid": kid} if (kid := text_in(account, "private_key_id")) else None
        claims = {
            "iss": email,
            "aud": audience,
            "scope": google.CLOUD,
            "iat": now,
            "exp": now + _HOUR,
        }
        signed = jwt.encode(claims, _key(key), algorithm="RS256", headers=headers)
        answer = yield post_form(
            setting.url("token", audience), {"grant_type": GRANT, "assertion": signed}
        )
        told = google.tokens(answer)
        return {
            "access_token": told["access_token"],
            "token_type": told.get("token_type") or "Bearer",
            "expired": written(setting.now + google.lasts(told)),
        }


def _account(fields: Obj) -> Obj:
    account = fields.get("service_account")
    return account if isinstance(account, dict) else {}


# ---- key files ----------------------------------------------------------------------------------
def imported(file: bytes, *, location: str = "", prefix: str = "") -> LoggedIn:
    """Read the key file of a service account. Raises `Problem` when it is none."""
    try:
        account = json.loads(file)
    except json.InvalidJson as err:
        raise Problem("refused", f"The key file is not JSON: {err}") from err
    if not isinstance(account, dict) or text_in(account, "type") != "service_account":
        raise Problem("refused", "This is not the key file of a service account.")
    project, email = text_in(account, "project_id"), text_in(account, "client_email")
    if not project:
        raise Problem("refused", "The key file names no project_id.")
    key = _key(text_in(account, "private_key"))
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    prefix = prefix.strip().strip("/")
    fields: Obj = {
        "type": "vertex",
        "service_account": {**account, "private_key": pem.decode()},
        "project_id": project,
        "email": email,
        "location": location.strip() or LOCATION,
        "label": f"{project} ({email})" if email else project,
    }
    if prefix:
        fields["prefix"] = prefix
    parts = [p for p in ("vertex", prefix, project) if p]
    return LoggedIn(_file_name("-".join(parts)), fields)


def _file_name(text: str) -> str:
    return re.sub(r"[/\\:]", "_", text).replace(" ", "-") + ".json"


_COLOURS: Final = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_PEM: Final = re.compile(
    r"-----BEGIN (RSA PRIVATE KEY|PRIVATE KEY)-----(.*?)-----END \1-----", re.DOTALL
)


def _key(text: str) -> RSAPrivateKey:
    """Read a private key, also one that a terminal or an editor has damaged. Raises `Problem`."""
    text = _COLOURS.sub("", text).replace("\\r", "").replace("\\n", "\n")
    found = _PEM.search(text)
    if found is None:
        raise Problem("refused", "The key file holds no RSA private key.")
    body = re.sub(r"[^A-Za-z0-9+/]", "", found[2])
    body += "=" * (-len(body) % 4)
    lines = "\n".join(body[i : i + 64] for i in range(0, len(body), 64))
    pem = f"-----BEGIN {found[1]}-----\n{lines}\n-----END {found[1]}-----\n"
    try:
        base64.b64decode(body, validate=True)
        key = serialization.load_pem_private_key(pem.encode(), None)
    except (binascii.Error, ValueError, TypeError, UnsupportedAlgorithm) as err:
        raise Problem("refused", "The private key in the key file cannot be read.") from err
    if not isinstance(key, RSAPrivateKey):
        raise Problem("refused", "The private key in the key file is not an RSA key.")
    return key


LOGIN: Final = Vertex()

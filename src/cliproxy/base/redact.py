"""Keeping secrets out of sight."""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
from collections.abc import Iterable, Mapping
from typing import AnyStr, Final
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

from cliproxy.base import json

_SECRET_QUERY: Final = (
    "key", "token", "secret", "pass", "pwd", "code", "auth", "sig", "credential", "assertion",
    "jwt",
)  # fmt: skip
_SECRET_WORDS: Final = frozenset(
    {
        "apikey", "assertion", "auth", "authorization", "bearer", "cookie", "credential",
        "credentials", "jwt", "passphrase", "passwd", "password", "pwd", "secret", "signature",
        "token",
    }
)  # fmt: skip
"""Words in the name of a header whose value proves who somebody is."""
_NO_SECRETS: Final = frozenset({"idempotency-key", "x-cliproxy-token-count"})
_TOKENS: Final = r"(?i).*(token|secret|password|assertion|cookie|verifier|api_?key|private_?key)"
_SECRET_FIELDS: Final = re.compile(_TOKENS + r"|(\w+_)?code")
_SECRET_IN_ANSWERS: Final = re.compile(_TOKENS)
"""In an answer a `code` is what an error is called."""
_SHORTEST: Final = 8
"""Shorter values are not looked for in texts: they stand there by chance."""
_LEAST: Final = 12
"""Less of a secret is no secret yet."""
_DEEPEST: Final = 8
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.~-]+")
"""What is written in one way everywhere."""
_SIGNS: Final = re.compile(r"[A-Za-z0-9_.~-]+|\\+|.", re.DOTALL)
_ODD: Final = "surrogatepass"
_MOST_BEFORE: Final = 8
_BEFORE: Final = rf"\\{{1,{_MOST_BEFORE}}}"
"""Signs of escape: JSON inside JSON has more of them."""
HIDDEN: Final = "…"


def mask(secret: str) -> str:
    """Show enough of a secret to recognise it: `sk-a…9f3c`; short ones not at all."""
    if len(secret) < 16:
        return "…"
    return f"{secret[:4]}…{secret[-4:]}"


def header(name: str, value: str) -> str:
    """Return a header value fit for a log."""
    return mask(value) if is_secret_header(name) else value


def is_secret_header(name: str) -> bool:
    """Tell by its name whether a header proves who somebody is."""
    name = name.lower()
    words = re.split("[-_]", name)
    return name not in _NO_SECRETS and (
        words[-1] == "key" or words[-1] == "apikey" or not _SECRET_WORDS.isdisjoint(words)
    )


def _is_secret_query(name: str) -> bool:
    return any(word in name.lower() for word in _SECRET_QUERY)


def secrets_of(
    address: str, headers: Mapping[str, str], body: bytes = b"", answer: bytes = b""
) -> set[str]:
    """Return what of a request is secret: in its address, its headers and, by name, its body.

    By name also in its `answer`. Bodies are looked through when they are forms or JSON; give them
    only where they are small.
    """
    found: set[str] = set()
    try:
        parts = urlsplit(address)
        if parts.password or parts.username:
            pair = unquote(f"{parts.username or ''}:{parts.password or ''}").encode()
            # A token may stand where a name does.
            secret = parts.password or parts.username or ""
            found |= {secret, unquote(secret), base64.b64encode(pair).decode()}
        found |= {value for name, value in parse_qsl(parts.query) if _is_secret_query(name)}
    except ValueError:
        pass
    for name, value in headers.items():
        if is_secret_header(name):
            found |= _in_header(value)
    if body:
        found |= _in_body(body, _SECRET_FIELDS)
    if answer:
        found |= _in_body(answer, _SECRET_IN_ANSWERS)
    return {text for text in found if len(text) >= _SHORTEST}


def _in_header(value: str) -> set[str]:
    scheme, space, token = value.strip().partition(" ")
    found = {value.strip()}
    if space and "=" not in scheme:
        found.add(token.strip())
        if scheme.lower() == "basic":
            with contextlib.suppress(binascii.Error, ValueError):
                found.add(base64.b64decode(token).decode().partition(":")[2])
    return found | {pair.partition("=")[2].strip() for pair in value.split(";") if "=" in pair}


def _in_body(body: bytes, secret: re.Pattern[str]) -> set[str]:
    found: set[str] = set()
    try:
        if body.lstrip()[:1] in (b"{", b"["):
            _collect(json.loads(body), found, secret)
        else:
            pairs = parse_qsl(body.decode())
            found |= {value for name, value in pairs if secret.fullmatch(name)}
    except ValueError:
        pass  # neither JSON nor a form
    return found


def _collect(value: json.Json, found: set[str], secret: re.Pattern[str], depth: int = 0) -> None:
    if depth > _DEEPEST:
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(inner, str):
                if secret.fullmatch(name):
                    found.add(inner)
            else:
                _collect(inner, found, secret, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _collect(inner, found, secret, depth + 1)


def without(text: str, secrets: Iterable[str]) -> str:
    """Return a text in which secrets do not stand, however they are written."""
    for secret in sorted(secrets, key=len, reverse=True):
        if not _PLAIN.fullmatch(secret):
            text = re.sub(_written(secret), HIDDEN, text)
        text = _without_halves(text, secret, HIDDEN)
    return text


def without_bytes(data: bytes, secrets: Iterable[str]) -> bytes:
    """Return bytes in which secrets do not stand, however they are written."""
    hidden = HIDDEN.encode()
    for secret in sorted(secrets, key=len, reverse=True):
        if not _PLAIN.fullmatch(secret):
            data = re.sub(_written(secret).encode("utf-8", _ODD), hidden, data)
        data = _without_halves(data, secret.encode("utf-8", _ODD), hidden)
    return data


def _without_halves(text: AnyStr, secret: AnyStr, hidden: AnyStr) -> AnyStr:
    """Take a secret out of a text as it is, also where it was cut off behind its first half."""
    least = max(_LEAST, (len(secret) + 1) // 2)
    head = secret[:least]
    at = text.find(head)
    if at < 0:
        return text
    pieces: list[AnyStr] = []
    done = 0
    while at >= 0:
        end = at + len(head)
        while end - at < len(secret) and text[end : end + 1] == secret[end - at : end - at + 1]:
            end += 1
        pieces += (text[done:at], hidden)
        done = end
        at = text.find(head, end)
    pieces.append(text[done:])
    return text[:0].join(pieces)


def _written(secret: str) -> str:
    """Return a pattern for a secret as it is, in JSON (also inside JSON) and in an address.

    What is escaped there differs from program to program: of each sign it is left open.
    """
    return "".join(_spelled(part) for part in _SIGNS.findall(secret))


def _spelled(sign: str) -> str:
    if _PLAIN.fullmatch(sign):
        return re.escape(sign)
    if sign[0] == "\\":
        many = len(sign)
        coded = rf"(?:%(?i:5c)){{{many}}}|(?:{_BEFORE}u(?i:005c)){{{many}}}"
        return rf"(?:\\{{{many},{_MOST_BEFORE * many}}}|{coded})"
    pairs = sign.encode("utf-16-be", _ODD)
    ways = {
        re.escape(sign),
        _BEFORE + re.escape(json.dumps_str(sign)[-2]),
        "".join(f"{_BEFORE}u(?i:{pairs[n : n + 2].hex()})" for n in range(0, len(pairs), 2)),
        "".join(f"%(?i:{byte:02x})" for byte in sign.encode("utf-8", _ODD)),
    }
    if sign == " ":
        ways.add(r"\+")
    # The longest first: a percent sign is the beginning of how it is written in an address.
    return f"(?:{'|'.join(sorted(ways, key=len, reverse=True))})"


def url(value: str) -> str:
    """Return a URL without user info and without the values of secret-looking query fields."""
    try:
        parts = urlsplit(value)
        host = parts.hostname or ""
        if parts.port:
            host = f"{host}:{parts.port}"
    except ValueError:
        return "<unreadable URL>"
    if parts.username or parts.password:
        host = f"…@{host}"
    query = "&".join(
        f"{k}={HIDDEN if _is_secret_query(k) else v}"
        for k, v in parse_qsl(parts.query, keep_blank_values=True)
    )
    return urlunsplit((parts.scheme, host, parts.path, query, ""))


class Hidden:
    """What holds secrets or people's words: its `repr` names its type and no more."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class Secret:
    """A string that never prints itself. Read it with `reveal()`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the secret."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return f"Secret({mask(self._value)})"

    __str__ = __repr__

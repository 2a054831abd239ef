"""Identifiers we invent: request ids, answer ids, tool-call ids."""

from __future__ import annotations

import secrets
import string
from typing import Final

_ALNUM: Final = string.ascii_letters + string.digits
_LETTER: Final = bytes(ord(_ALNUM[n % len(_ALNUM)]) for n in range(256))


def token(length: int = 24) -> str:
    """Return `length` random letters and digits: unguessable, though not exactly uniform."""
    return secrets.token_bytes(length).translate(_LETTER).decode("ascii")


def request_id() -> str:
    """Return eight lower-case hex digits, the form the field's log readers expect."""
    return secrets.token_hex(4)


def with_prefix(prefix: str, upstream_id: str | None = None) -> str:
    """Return an id carrying `prefix` (`chatcmpl-`, `msg_`…).

    An upstream id that already has the prefix passes unchanged; another one is kept behind the
    prefix, so that the answer stays traceable; without one a random id is made.
    """
    if not upstream_id:
        return prefix + token()
    if upstream_id.startswith(prefix):
        return upstream_id
    return prefix + upstream_id

"""Identifiers we invent: request ids, answer ids, tool-call ids."""

from __future__ import annotations

import os
import string
from typing import Final

_ALNUM: Final = string.ascii_letters + string.digits
_LETTER: Final = bytes(ord(_ALNUM[n % len(_ALNUM)]) for n in range(256))
_BLOCK: Final = 32
_blocks: Final[list[bytes]] = []
"""Random bytes of the system, asked for many at a time: asking takes longer than using them."""
if hasattr(os, "register_at_fork"):
    # A child process must not use its parent's.
    os.register_at_fork(after_in_child=_blocks.clear)


def _random() -> bytes:
    try:
        return _blocks.pop()
    except IndexError:
        fresh = os.urandom(_BLOCK * 64)
        _blocks.extend(fresh[at : at + _BLOCK] for at in range(_BLOCK, len(fresh), _BLOCK))
        return fresh[:_BLOCK]


def token(length: int = 24) -> str:
    """Return `length` random letters and digits: unguessable, though not exactly uniform."""
    taken = _random()[:length] if length <= _BLOCK else os.urandom(length)
    return taken.translate(_LETTER).decode("ascii")


def request_id() -> str:
    """Return eight lower-case hex digits, the form the field's log readers expect."""
    return _random()[:4].hex()


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

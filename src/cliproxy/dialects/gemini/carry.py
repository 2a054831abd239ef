"""Redacted reasoning travels in a thought part without text, its data wrapped as the signature.

The wrapped value begins with a mark, to tell it from the signature of reasoning not shown.
"""

from __future__ import annotations

from typing import Final

from msgspec import structs

from cliproxy.ir.envelope import for_dialect, unwrap, wrap
from cliproxy.ir.request import Sig

_REDACTED: Final = "~"


def redacted(sig: Sig) -> str:
    """Return the wire form of redacted reasoning."""
    if sig.family in ("gemini", "dummy"):
        return for_dialect(sig, "gemini")
    return wrap(structs.replace(sig, value=_REDACTED + sig.value))


def received(value: str) -> tuple[Sig, bool]:
    """Return the signature in a client's `thoughtSignature`, and whether it is redacted data."""
    sig = unwrap(value, "gemini")
    if sig.family != "gemini" and sig.value.startswith(_REDACTED):
        return structs.replace(sig, value=sig.value.removeprefix(_REDACTED)), True
    return sig, False

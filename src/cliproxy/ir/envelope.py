"""Carrying a signature through a dialect that is not its issuer's.

Reasoning signatures mean something to one family of models only. When one has to leave in another
dialect it is wrapped, so that on its return it is recognised and never shown to the wrong issuer:
`cpx1.<family>.<base64url of the original>`. In its own dialect a signature is never wrapped.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final, get_args

from cliproxy.ir.request import Family, Sig

_TAG: Final = "cpx1."
_FAMILIES: Final = frozenset(get_args(Family))


def wrap(sig: Sig) -> str:
    """Return the wrapped form."""
    value = base64.urlsafe_b64encode(sig.value.encode("utf-8", "surrogatepass")).decode("ascii")
    return f"{_TAG}{sig.family}.{value}"


def unwrap(value: str, native: Family) -> Sig:
    """Return the signature: of the tagged family when it is wrapped, else of `native`."""
    if not value.startswith(_TAG):
        return Sig(value, native)
    family, _, encoded = value[len(_TAG) :].partition(".")
    if family not in _FAMILIES:
        return Sig(value, "unknown")
    try:
        original = base64.urlsafe_b64decode(encoded.encode("ascii")).decode(
            "utf-8", "surrogatepass"
        )
    except (binascii.Error, ValueError):
        # Ours by its look, and damaged: nobody can read it any more.
        return Sig(value, "unknown")
    return Sig(original, family)  # type: ignore[arg-type]  # checked against the type just above


def for_dialect(sig: Sig, native: Family) -> str:
    """Return how a signature is written in the dialect whose own family is `native`."""
    return sig.value if sig.family in (native, "dummy") else wrap(sig)

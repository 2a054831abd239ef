"""Carrying a signature through a dialect that is not its issuer's.

Reasoning signatures mean something to one family of models only. When one has to leave in another
dialect it is wrapped, so that on its return it is recognised and never shown to the wrong issuer.
The wrapped form is base64 of `cpx1.<family>.<original>`: Google's SDKs insist that a signature is
base64, and decode and encode it anew, so either alphabet, with or without padding, is read back.
In its own dialect a signature is never wrapped.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final, get_args

from msgspec import structs

from cliproxy.ir.request import Family, Part, Sig, Thinking

_TAG: Final = b"cpx1."
_START: Final = base64.b64encode(_TAG)[:6].decode("ascii")
"""What every wrapped signature begins with: the characters that the tag alone decides."""
_BYTES: Final = _START.encode("ascii")
_SUMMARY: Final = b"cpx1.summary."
_REDACTED: Final = "~"
"""No issuer's signature begins like this."""
_AFTER: Final = "^"
"""Likewise. A signature on its own belongs to what came just before, not to the call after it."""
_FAMILIES: Final = frozenset(get_args(Family))


def may_hold(body: bytes) -> bool:
    """Tell whether a request body seems to hold a wrapped signature."""
    return _BYTES in body


def wrap(sig: Sig) -> str:
    """Return the wrapped form."""
    original = sig.value.encode("utf-8", "surrogatepass")
    return base64.urlsafe_b64encode(b"%b%b.%b" % (_TAG, sig.family.encode(), original)).decode()


def unwrap(value: str, native: Family) -> Sig:
    """Return the signature: of the tagged family when it is wrapped, else of `native`."""
    if not value.startswith(_START):
        return Sig(value, native)
    standard = value.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        inside = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError):
        return Sig(value, native)
    if not inside.startswith(_TAG):
        return Sig(value, native)
    family, _, original = inside[len(_TAG) :].partition(b".")
    try:
        name, text = family.decode("ascii"), original.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        name, text = "", ""
    if name not in _FAMILIES:
        # Ours by its look, and damaged: nobody can read it any more.
        return Sig(value, "unknown")
    return Sig(text, name)  # type: ignore[arg-type]  # checked against the type just above


def wrap_summary(text: str) -> str:
    """Return a summary of a conversation as the opaque content of a compaction."""
    return base64.urlsafe_b64encode(_SUMMARY + text.encode("utf-8", "surrogatepass")).decode()


def unwrap_summary(value: str) -> str | None:
    """Return the summary that was wrapped, None for an issuer's own compaction."""
    if not value.startswith(_START):
        return None
    try:
        inside = base64.urlsafe_b64decode(value)
        if not inside.startswith(_SUMMARY):
            return None
        return inside.removeprefix(_SUMMARY).decode("utf-8", "surrogatepass")
    except (binascii.Error, ValueError):
        return None


FOREIGN: Final = Sig("", "unknown")
"""Written where a dialect expects a signature and the upstream gave none.

Some vendors refuse their own history when a signature is missing from it; this says that the turn
was somebody else's.
"""


def for_dialect(sig: Sig | None, native: Family) -> str:
    """Return how a signature is written in the dialect whose own family is `native`."""
    if sig is None:
        return wrap(FOREIGN)
    return sig.value if sig.family in (native, "dummy") else wrap(sig)


def redacted(sig: Sig, native: Family) -> str:
    """Return how redacted reasoning is written where only a signature has a place.

    A mark tells it from the signature of reasoning whose text is not shown.
    """
    if sig.family in (native, "dummy"):
        return for_dialect(sig, native)
    return wrap(structs.replace(sig, value=_REDACTED + sig.value))


def received(value: str, native: Family) -> tuple[Sig, bool]:
    """Return the signature in a client's field, and whether it is redacted reasoning."""
    sig = unwrap(value, native)
    if sig.family != native and sig.value.startswith(_REDACTED):
        return structs.replace(sig, value=sig.value.removeprefix(_REDACTED)), True
    return sig, False


def after(sig: Sig) -> str:
    """Return how a signature is written just after what it belongs to, always wrapped."""
    return wrap(structs.replace(sig, value=_AFTER + sig.value))


def placed(sig: Sig) -> tuple[Sig, bool]:
    """Return a signature that came on its own, and whether it belongs to what came before it."""
    if not sig.value.startswith(_AFTER):
        return sig, False
    return structs.replace(sig, value=sig.value.removeprefix(_AFTER)), True


def carried(part: Part | None) -> Sig | None:
    """Return the signature for something else that a reasoning without text was made to carry."""
    if not isinstance(part, Thinking) or part.text or part.redacted or part.signature is None:
        return None
    return part.signature if part.signature.family == "gemini" else None

"""Signatures in a dialect that is not their issuer's."""

import base64
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cliproxy.ir.envelope import for_dialect, unwrap, wrap
from cliproxy.ir.request import Family, Sig

FAMILIES = st.sampled_from(get_args(Family))
SIGNATURES = st.builds(Sig, st.text(st.characters(exclude_categories=())), FAMILIES)


def url_safe(text: str) -> str:
    return text.replace("+", "-").replace("/", "_")


def standard(text: str) -> str:
    return text.replace("-", "+").replace("_", "/")


@pytest.mark.parametrize("alphabet", [url_safe, standard])
@pytest.mark.parametrize("padded", [True, False])
@given(sig=SIGNATURES, native=FAMILIES)
def test_unwrapping_gives_back_what_was_wrapped(alphabet, padded, sig, native):
    wrapped = alphabet(wrap(sig))
    assert unwrap(wrapped if padded else wrapped.rstrip("="), native) == sig


@given(SIGNATURES)
def test_the_wrapped_form_is_base64(sig):
    assert base64.urlsafe_b64decode(wrap(sig)).startswith(b"cpx1.")


@given(SIGNATURES, FAMILIES, FAMILIES)
def test_wrapping_twice_is_undone_twice(sig, outer, native):
    once = wrap(sig)
    assert unwrap(unwrap(wrap(Sig(once, outer)), native).value, native) == sig


@given(st.text(), FAMILIES)
def test_what_was_never_wrapped_belongs_to_the_dialect_it_came_in(value, native):
    if not value.startswith("Y3B4MS"):
        assert unwrap(value, native) == Sig(value, native)


@pytest.mark.parametrize(
    ("value", "family"),
    [
        pytest.param("Y3B4MS", "claude", id="only-the-beginning"),
        pytest.param("Y3B4MS!!", "claude", id="not-base64"),
        pytest.param("Y3B4MS8=", "claude", id="another-tag"),
        pytest.param(base64.b64encode(b"cpx1.nobody.x").decode(), "unknown", id="no-such-family"),
        pytest.param(base64.b64encode(b"cpx1.gpt").decode(), "gpt", id="cut-after-the-family"),
        pytest.param(base64.b64encode(b"cpx1.gpt.\xff").decode(), "unknown", id="not-text"),
    ],
)
def test_a_damaged_envelope_is_no_crash_and_nobodys_signature(value, family):
    assert unwrap(value, "claude").family == family


@given(SIGNATURES, FAMILIES)
def test_a_signature_is_wrapped_only_abroad(sig, native):
    written = for_dialect(sig, native)
    at_home = sig.family in (native, "dummy")
    assert written == (sig.value if at_home else wrap(sig))

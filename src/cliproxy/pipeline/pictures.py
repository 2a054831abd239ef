"""Requests for pictures and films: bodies that may be forms, models that need not be named."""

from __future__ import annotations

from typing import Final

from cliproxy.base.errors import BadRequest
from cliproxy.base.multipart import Form, is_form, read_form
from cliproxy.ir.caps import Makes
from cliproxy.pipeline.context import Peeked
from cliproxy.pipeline.peek import peek
from cliproxy.providers.quirks import with_field

USUAL: Final[dict[Makes, str]] = {"image": "gpt-image-2", "video": "grok-imagine-video"}
"""The model that is meant where none is named."""
_FLAGS: Final = {"true": True, "1": True, "false": False, "0": False, "": None}


def opened(body: bytes, content_type: str, makes: Makes) -> tuple[bytes, Form | None, Peeked]:
    """Return a body that names its model, the form that it is, if it is one, and a peek into it.

    Raises `BadRequest`.
    """
    if not is_form(content_type):
        peeked = peek(body)
        if peeked.model is None:
            peeked.model = USUAL[makes]
            body = with_field(body, "model", peeked.model)
        return body, None, peeked
    form = read_form(body, content_type)
    peeked = Peeked(form.text("model") or USUAL[makes], _flag(form))
    return body, form, peeked


def _flag(form: Form) -> bool | None:
    said = (form.text("stream") or "").strip().lower()
    if said not in _FLAGS:
        raise BadRequest("The field 'stream' must be true or false.", param="stream")
    return _FLAGS[said]

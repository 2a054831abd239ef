"""What hosts of the Gemini API do otherwise: errors of Google's account services, Imagen's answers."""

from __future__ import annotations

import json

import pytest

from cliproxy.dialects.gemini import DIALECT, variants
from cliproxy.ir.caps import Caps
from cliproxy.ir.events import MediaDelta

LINK = "https://accounts.google.com/verify"


def read(status, *details, message="m", name="PERMISSION_DENIED"):
    error = {"code": status, "message": message, "status": name, "details": list(details)}
    return DIALECT.read_error(status, {}, json.dumps({"error": error}).encode())


@pytest.mark.parametrize(
    "details",
    [
        [{"reason": "VALIDATION_REQUIRED", "metadata": {"validation_link": LINK}}],
        [{"reason": "VALIDATION_REQUIRED"}, {"links": [{"url": LINK}]}],
    ],
)
def test_the_owner_is_told_where_to_verify_the_account(details):
    err = read(403, *details)
    assert err.message == f"m Open {LINK} to go on."
    assert err.code == "VALIDATION_REQUIRED"


@pytest.mark.parametrize(
    "details",
    [
        [{"reason": "SERVICE_DISABLED"}, {"links": [{"url": LINK}]}],
        [{"reason": "VALIDATION_REQUIRED", "metadata": {"validation_link": "javascript:x"}}],
        [{"reason": "VALIDATION_REQUIRED", "links": 7}, {"links": [7, {"url": 7}]}],
        [],
    ],
)
def test_other_errors_lead_nowhere(details):
    assert read(403, *details).message == "m"


def test_a_link_that_is_told_already_is_told_once():
    told = {"reason": "VALIDATION_REQUIRED", "metadata": {"validation_link": LINK}}
    assert read(403, told, message=f"Go to {LINK}.").message == f"Go to {LINK}."


def test_another_account_may_do_what_google_gave_up():
    assert read(499, name="CANCELLED").next_account
    assert not read(400, name="INVALID_ARGUMENT").next_account


def test_a_picture_of_imagen_is_read_as_a_whole_answer():
    row = {"bytesBase64Encoded": "aGk=", "mimeType": "image/jpeg"}
    events = DIALECT.reader(Caps()).whole(json.dumps({"predictions": [row]}).encode())
    assert [e.b64 for e in events if isinstance(e, MediaDelta)] == ["aGk="]


def test_candidates_beside_predictions_are_the_answer():
    body = {"predictions": [], "candidates": [{"content": {"parts": [{"text": "Hi"}]}}]}
    events = DIALECT.reader(Caps()).whole(json.dumps(body).encode())
    assert [getattr(e, "text", "") for e in events if getattr(e, "text", "")] == ["Hi"]


@pytest.mark.parametrize("contents", [None, 7, [7], [{"parts": 7}], [{"parts": [7]}], [{}]])
def test_what_is_no_content_is_let_be(contents):
    for change in (variants.say_thoughts, variants.drop_call_ids, variants.sign_calls):
        change({"contents": contents})
    assert variants.to_prediction({"contents": contents})["instances"] == [{"prompt": ""}]


@pytest.mark.parametrize("value", [{"predictions": 7}, {"predictions": [7, {}]}])
def test_no_picture_is_a_refusal(value):
    assert variants.from_prediction(value)["candidates"][0]["finishReason"] == "IMAGE_SAFETY"

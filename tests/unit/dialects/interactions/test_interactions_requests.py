"""What clients of the Interactions API send, and what becomes of it."""

from __future__ import annotations

import pytest

from cliproxy.base.errors import BadRequest, Unsupported
from cliproxy.dialects import ParseMeta, get
from cliproxy.ir.caps import Caps
from cliproxy.ir.request import FileId, Inline, Url

DIALECT = get("interactions")


def parsed(**body):
    return DIALECT.parse({"model": "m", "input": "Hi", **body}, ParseMeta())


# ---- the form of the answer -----------------------------------------------------------------------
def test_a_schema_of_several_types_is_a_schema():
    schema = {"type": ["object", "null"], "properties": {"a": {"type": "string"}}}
    output = parsed(response_format=schema).output
    assert (output.kind, output.schema) == ("json_schema", schema)


BARE = {"type": "object", "properties": {"a": {"type": "string"}}}
OTHER = {"type": "array", "items": BARE}
WRAPPED = {"type": "text", "schema": BARE}


@pytest.mark.parametrize("formats", [[BARE, OTHER], [WRAPPED, OTHER], [OTHER, WRAPPED]])
def test_of_two_schemas_none_is_left_out_in_silence(formats):
    with pytest.raises(BadRequest) as caught:
        parsed(response_format=formats)
    assert caught.value.param == "response_format[1]"


@pytest.mark.parametrize("formats", [[BARE], [{"type": "text"}, BARE], [BARE, {"type": "audio"}]])
def test_one_schema_of_a_list_is_the_schema(formats):
    assert parsed(response_format=formats).output.schema == BARE


# ---- results --------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", [[], {}, None, 1])
def test_a_result_that_only_looks_like_contents_is_an_object(kind):
    given = {"content": [{"type": kind}]}
    (message,) = parsed(
        input=[{"type": "function_result", "call_id": "c", "result": given}]
    ).messages
    (result,) = message.parts
    assert result.extras == {"native": given}
    assert result.parts[0].text.startswith('{"content":[')


# ---- turns ----------------------------------------------------------------------------------------
def test_contents_in_a_row_are_one_turn():
    said = ["a", {"type": "text", "text": "b"}, {"type": "user_input", "content": "c"}, "d", "e"]
    turns = [[p.text for p in m.parts] for m in parsed(input=said).messages]
    assert turns == [["a", "b"], ["c"], ["d", "e"]]
    assert {m.role for m in parsed(input=said).messages} == {"user"}


# ---- the background -------------------------------------------------------------------------------
@pytest.mark.parametrize("whose", [{"model": "m"}, {"model": None, "agent": "a"}])
def test_what_has_to_be_translated_is_not_worked_on_in_the_background(whose):
    req = DIALECT.parse({**whose, "input": "Hi", "background": True}, ParseMeta())
    with pytest.raises(Unsupported) as caught:
        DIALECT.build(req, Caps(model="up"))
    assert (caught.value.param, caught.value.next_account) == ("background", False)


def test_no_work_in_the_background_is_no_hindrance():
    assert "background" not in DIALECT.build(parsed(background=False), Caps(model="up")).body


# ---- files ----------------------------------------------------------------------------------------
PICTURE = "iVBORw0KGgo="


@pytest.mark.parametrize(
    ("uri", "media"),
    [
        ("https://x/y.png", Url("https://x/y.png")),
        ("HTTPS://x/y.png", Url("HTTPS://x/y.png")),
        ("Http://x/y.png", Url("Http://x/y.png")),
        ("GS://bucket/y", Url("GS://bucket/y")),
        ("files/abc", FileId("files/abc", "gemini")),
        ("httpfiles/abc", FileId("httpfiles/abc", "gemini")),
        (f"data:image/png;base64,{PICTURE}", Inline("image/png", PICTURE)),
        (f"DATA:;base64,{PICTURE}", Inline("image/png", PICTURE)),
    ],
)
def test_what_an_address_is_its_scheme_tells(uri, media):
    (message,) = parsed(input=[{"type": "image", "uri": uri}]).messages
    assert message.parts[0].media == media


def test_a_file_of_google_is_known_by_its_host():
    uri = "HTTPS://GenerativeLanguage.googleapis.com/v1beta/files/abc"
    (message,) = parsed(input=[{"type": "image", "uri": uri}]).messages
    assert message.parts[0].media == FileId(uri, "gemini")


def test_the_type_a_client_names_is_that_of_its_data():
    item = {"type": "image", "uri": f"data:;base64,{PICTURE}", "mime_type": "image/webp"}
    (message,) = parsed(input=[item]).messages
    assert message.parts[0].media == Inline("image/webp", PICTURE)


def test_data_that_are_none_are_refused_by_name():
    with pytest.raises(BadRequest) as caught:
        parsed(input=[{"type": "image", "uri": "data:image/png"}])
    assert caught.value.param == "input[0].uri"


# ---- sources --------------------------------------------------------------------------------------
def test_sources_a_client_repeats_go_on_as_they_came():
    note = {"type": "url_citation", "url": "u", "start_index": 0, "end_index": 2}
    said = [{"type": "text", "text": "Hi", "annotations": [note, note]}]
    step = {"type": "model_output", "content": said}
    assert DIALECT.build(parsed(input=[step]), Caps(model="up")).body["input"] == [step]

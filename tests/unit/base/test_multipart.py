"""Forms are read where they lie; one field of them can be changed and nothing else moves."""

import pytest

from cliproxy.base.errors import BadRequest
from cliproxy.base.multipart import MOST_PARTS, is_form, read_form

TYPE = "multipart/form-data; boundary=B"


def part(name, data, *more):
    head = "\r\n".join([f'Content-Disposition: form-data; name="{name}"', *more])
    return b"--B\r\n" + head.encode() + b"\r\n\r\n" + data + b"\r\n"


def file(name, data, mime="image/png"):
    return (
        b'--B\r\ncontent-disposition: FORM-DATA; filename="a \\"b\\".png"; name="'
        + name.encode() + b'"\r\nContent-Type: ' + mime.encode() + b"\r\n\r\n" + data + b"\r\n"
    )  # fmt: skip


END = b"--B--\r\n"
BODY = part("model", b"old") + part("prompt", "Grün".encode()) + file("image", b"\r\n--C\0") + END


@pytest.mark.parametrize(
    ("body", "values"),
    [
        (BODY, {"model": "old", "prompt": "Grün", "image": "data:image/png;base64,DQotLUMA"}),
        (part("a", b""), None),
        (END, {}),
        (part("a", b"") + END, {"a": ""}),
        (b"preamble\r\n" + part("a", b"1") + END + b"epilogue", {"a": "1"}),
        (part("a[]", b"1") + END, {"a": ["1"]}),
        (part("a", b"1") + part("a", b"2") + END, {"a": ["1", "2"]}),
        (part("a[]", b"1") + part("a[]", b"2") + END, {"a": ["1", "2"]}),
        (file("a", b"", "") + END, {"a": "data:application/octet-stream;base64,"}),
        (part("a", b"1", "X-Other: 1", "Content-Type: text/plain") + END, {"a": "1"}),
    ],
)
def test_a_form_is_an_object(body, values):
    if values is None:
        with pytest.raises(BadRequest):
            read_form(body, TYPE)
    else:
        assert read_form(body, TYPE).values() == values


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data;boundary=B",
        'Multipart/Form-Data; charset=utf-8; BOUNDARY="B"',
        "multipart/form-data ; boundary=B ; x=y",
    ],
)
def test_a_boundary_is_found_however_it_is_written(kind):
    assert is_form(kind)
    assert read_form(BODY, kind).text("model") == "old"


def test_one_field_is_set_and_every_other_byte_stays():
    form = read_form(BODY, TYPE)
    assert form.with_text("model", "new-name") == BODY.replace(b"\r\nold\r\n", b"\r\nnew-name\r\n")
    added = form.with_text("n", "2")
    assert added == part("n", b"2") + BODY
    assert read_form(added, TYPE).text("n") == "2"


def test_of_several_fields_of_a_name_the_last_one_counts():
    form = read_form(part("model", b"a") + part("model", b"b") + END, TYPE)
    assert form.text("model") == "b"
    assert form.with_text("model", "c") == part("model", b"a") + part("model", b"c") + END


def test_a_file_is_no_text():
    form = read_form(file("model", b"x") + END, TYPE)
    assert form.text("model") is None


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (BODY, "multipart/form-data"),
        (BODY, "multipart/form-data; boundary="),
        (BODY, f"multipart/form-data; boundary={'B' * 300}"),
        (BODY, "multipart/form-data; boundary=other"),
        (b"", TYPE),
        (b"{}", TYPE),
        (BODY.removesuffix(END), TYPE),
        (BODY[:40], TYPE),
        (b"--B\r\nContent-Disposition: form-data\r\n\r\nx\r\n" + END, TYPE),
        (b"--B\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n" + END, TYPE),
        (b"--B\r\n\r\nx\r\n" + END, TYPE),
        (b"--B", TYPE),
        (b"--B\r\n" + b"A: b\r\n" * 9000 + b"\r\nx\r\n" + END, TYPE),
        (part("a", b"1") * (MOST_PARTS + 1) + END, TYPE),
    ],
)
def test_what_is_no_form_is_refused(body, kind):
    with pytest.raises(BadRequest) as caught:
        read_form(body, kind)
    assert caught.value.code == "invalid_form"


def test_a_text_that_is_none_is_named():
    form = read_form(part("prompt", b"\xff") + END, TYPE)
    with pytest.raises(BadRequest) as caught:
        form.values()
    assert caught.value.param == "prompt"


@pytest.mark.parametrize("kind", ["", "application/json", "multipart/mixed; boundary=B"])
def test_other_bodies_are_no_forms(kind):
    assert not is_form(kind)

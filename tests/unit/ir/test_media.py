"""Bytes inside requests."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cliproxy.base.errors import BadRequest
from cliproxy.ir.media import (
    OCTETS,
    clean_base64,
    data_url,
    image_mime,
    media_of,
    mime_of_name,
    parse_data_url,
    sniff,
)
from cliproxy.ir.request import Inline, Url


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


PNG = b64(b"\x89PNG\r\n\x1a\n" + bytes(20))
JPEG = b64(b"\xff\xd8\xff\xe0" + bytes(20))


@pytest.mark.parametrize(
    ("url", "mime", "payload"),
    [
        (f"data:image/png;base64,{PNG}", "image/png", PNG),
        (f"DATA:Image/PNG;BASE64,{PNG}", "image/png", PNG),
        (f"data:image/jpg;base64,{JPEG}", "image/jpeg", JPEG),
        (f"data:;base64,{PNG}", "image/png", PNG),
        (f"data:{OCTETS};base64,{JPEG}", "image/jpeg", JPEG),
        ("data:;base64,AAAA", OCTETS, "AAAA"),
        ("data:text/plain;charset=utf-8;name=a.txt;base64,aGk=", "text/plain", "aGk="),
        ("data:text/plain,a%20b+c", "text/plain", b64(b"a b+c")),
        ("data:text/plain;base64, aG\n k = ", "text/plain", "aGk="),
        ("data:text/plain;base64,aGk", "text/plain", "aGk="),
        ("data:x/y;base64,-_-_", "x/y", "+/+/"),
        ("data:x/y;base64,%2B%2F%2B%2F", "x/y", "+/+/"),
    ],
)
def test_edge_129_a_data_url_becomes_clean_base64(url, mime, payload):
    assert parse_data_url(url, where="here") == Inline(mime, payload)


@pytest.mark.parametrize(
    "url",
    ["data:", "data:image/png;base64", "data:image/png;base64,", "data:x/y;base64,a b c d e",
     "data:x/y;base64,AAAA====", "data:x/y;base64,AA=A", "data:x/y;base64,ä", "image/png;base64,AAAA"],
)  # fmt: skip
def test_a_malformed_data_url_is_the_client_s_fault_and_names_its_place(url):
    with pytest.raises(BadRequest) as caught:
        parse_data_url(url, where="messages[0].content[1]")
    assert caught.value.param == "messages[0].content[1]"
    assert caught.value.message.startswith("messages[0].content[1] is ")


@pytest.mark.parametrize("url_safe", [False, True])
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("gap", ["", "\n", " \r\n\t"])
@given(data=st.binary())
def test_any_bytes_survive_every_spelling_of_base64(url_safe, padded, gap, data):
    text = (base64.urlsafe_b64encode if url_safe else base64.b64encode)(data).decode()
    spelled = gap.join(text if padded else text.rstrip("="))
    clean = clean_base64(spelled, where="here")
    assert clean == b64(data)
    assert clean_base64(clean, where="here") == clean


@given(st.binary(min_size=1), st.sampled_from(["image/png", "text/plain", "x/y"]))
def test_a_written_data_url_reads_back(data, mime):
    media = Inline(mime, b64(data))
    assert parse_data_url(data_url(media), where="here") == media


@given(st.text())
def test_any_text_is_base64_or_refused(text):
    try:
        base64.b64decode(clean_base64(text, where="here"), validate=True)
    except BadRequest:
        pass


@pytest.mark.parametrize(
    ("value", "media"),
    [
        (f"data:image/png;base64,{PNG}", Inline("image/png", PNG)),
        ("https://h/a.png", Url("https://h/a.png", "image/png")),
        ("HTTP://h/a", Url("HTTP://h/a", "image/png")),
        ("gs://bucket/a", Url("gs://bucket/a", "image/png")),
    ],
)
def test_media_are_inline_or_elsewhere(value, media):
    assert media_of(value, where="here", mime="image/png") == media


@pytest.mark.parametrize("value", ["", PNG, "file:///etc/passwd", "ftp://h/a", "javascript:1"])
def test_other_places_are_refused(value):
    with pytest.raises(BadRequest):
        media_of(value, where="here")


@pytest.mark.parametrize(
    ("head", "mime"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe1", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"BM\x36\x00\x0c\x00\0\0\0\0", "image/bmp"),
        (b"BMW and Audi", None),
        (b"%PDF-1.7", "application/pdf"),
        (b"ID3\x04", "audio/mpeg"),
        (b"\xff\xfb\x90", "audio/mpeg"),
        (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
        (b"RIFF\0\0\0\0????", None),
        (b"OggS", "audio/ogg"),
        (b"fLaC", "audio/flac"),
        (b"\0\0\0\x18ftypheic", "image/heic"),
        (b"\0\0\0\x18ftypM4A ", "audio/mp4"),
        (b"\0\0\0\x18ftypisom", "video/mp4"),
        (b"\x1aE\xdf\xa3", "video/webm"),
        (b"plain text", None),
        (b"", None),
    ],
)
def test_the_first_bytes_tell_what_it_is(head, mime):
    assert sniff(b64(head)) == mime
    assert sniff(b64(head + bytes(200))) == mime or head == b""


@pytest.mark.parametrize(
    ("declared", "payload", "mime"),
    [
        ("image/png", JPEG, "image/jpeg"),
        ("image/jpg", b64(b"?"), "image/jpeg"),
        ("IMAGE/WEBP", b64(b"?"), "image/webp"),
        ("image/png", b64(b"%PDF-1"), "image/png"),
    ],
)
def test_the_bytes_of_an_image_beat_its_declared_type(declared, payload, mime):
    assert image_mime(Inline(declared, payload)) == mime


@pytest.mark.parametrize(
    ("name", "mime"),
    [
        ("a.pdf", "application/pdf"),
        ("A.PDF", "application/pdf"),
        ("archive.tar.mp3", "audio/mpeg"),
        ("noextension", None),
        ("a.unheard", None),
        (".", None),
        ("", None),
    ],
)
def test_edge_129_a_file_name_tells_the_type(name, mime):
    assert mime_of_name(name) == mime

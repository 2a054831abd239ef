"""Bytes inside requests: data URLs, base64, and telling what they are."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final
from urllib.parse import unquote_to_bytes

from cliproxy.base.errors import BadRequest
from cliproxy.ir.request import Inline, Url

OCTETS: Final = "application/octet-stream"
_SPACE: Final = re.compile(r"\s+")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_URL_SAFE: Final = str.maketrans("-_", "+/")

_SIGNATURES: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF8", "image/gif"),
    (0, b"%PDF", "application/pdf"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"\xff\xf3", "audio/mpeg"),
    (0, b"\xff\xf2", "audio/mpeg"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
)
_FTYP: Final = {
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heif",
    b"avif": "image/avif",
    b"M4A ": "audio/mp4",
    b"qt  ": "video/quicktime",
}
_BY_EXTENSION: Final = {
    "pdf": "application/pdf", "txt": "text/plain", "md": "text/markdown", "csv": "text/csv",
    "html": "text/html", "htm": "text/html", "xml": "text/xml", "json": "application/json",
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif",
    "webp": "image/webp", "bmp": "image/bmp", "heic": "image/heic", "svg": "image/svg+xml",
    "mp3": "audio/mpeg", "wav": "audio/wav", "ogg": "audio/ogg", "flac": "audio/flac",
    "m4a": "audio/mp4", "mp4": "video/mp4", "mov": "video/quicktime", "webm": "video/webm",
    "py": "text/x-python", "js": "text/javascript", "css": "text/css", "rtf": "application/rtf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}  # fmt: skip


def parse_data_url(value: str, *, where: str) -> Inline:
    """Read `data:[mime][;params][;base64],payload` into clean standard base64.

    Tolerates whitespace, the url-safe alphabet and missing padding; percent-decodes payloads that
    are not base64; sniffs the type when it is missing or octet-stream. Raises `BadRequest` naming
    `where` when it is malformed.
    """
    head, comma, payload = value.partition(",")
    if head[:5].lower() != "data:" or not comma:
        raise BadRequest(f"{where} is not a valid data URL.", param=where)
    fields = [field.strip() for field in head[5:].split(";")]
    if any(field.lower() == "base64" for field in fields[1:]):
        b64 = clean_base64(payload, where=where)
    else:
        b64 = base64.b64encode(unquote_to_bytes(payload)).decode("ascii")
    if not b64:
        raise BadRequest(f"{where} is an empty data URL.", param=where)
    mime = fields[0].lower()
    if not mime or mime == OCTETS:
        mime = sniff(b64) or mime or OCTETS
    return Inline("image/jpeg" if mime == "image/jpg" else mime, b64)


def media_of(value: str, *, where: str, mime: str | None = None) -> Inline | Url:
    """Return `Inline` for a data URL, `Url` for http(s)/gs, else raise `BadRequest`."""
    if value[:5].lower() == "data:":
        return parse_data_url(value, where=where)
    if value[:8].lower().startswith(("http://", "https://", "gs://")):
        return Url(value, mime)
    raise BadRequest(f"{where} must be an http(s) URL or a data URL.", param=where)


def data_url(media: Inline) -> str:
    """Write a data URL."""
    return f"data:{media.mime};base64,{media.b64}"


def clean_base64(value: str, *, where: str) -> str:
    """Return standard, padded base64 without whitespace. Raises `BadRequest` naming `where`."""
    if "%" in value:
        value = unquote_to_bytes(value).decode("latin-1")
    text = value.translate(_URL_SAFE)
    if not _BASE64.fullmatch(text):
        text = _SPACE.sub("", text)
        if not _BASE64.fullmatch(text):
            raise BadRequest(f"{where} is not valid base64.", param=where)
    text = text.rstrip("=")
    if len(text) % 4 == 1:
        raise BadRequest(f"{where} is not valid base64 (it is cut off).", param=where)
    return text + "=" * (-len(text) % 4)


def sniff(b64: str) -> str | None:
    """Tell the MIME type of an image, PDF, sound or film from its first bytes."""
    try:
        head = base64.b64decode(b64[:64])
    except (binascii.Error, ValueError):
        return None
    for offset, magic, mime in _SIGNATURES:
        if head[offset : offset + len(magic)] == magic:
            return mime
    if head[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}.get(
            head[8:12]
        )
    # Two letters alone are also how many a text begins; four reserved bytes are not.
    if head[:2] == b"BM" and head[6:10] == bytes(4):
        return "image/bmp"
    if head[4:8] == b"ftyp":
        return _FTYP.get(head[8:12], "video/mp4")
    return None


def image_mime(media: Inline) -> str:
    """Return the sniffed type of an image, else the declared one (`image/jpg` → `image/jpeg`)."""
    found = sniff(media.b64)
    if found and found.startswith("image/"):
        return found
    mime = media.mime.lower()
    return "image/jpeg" if mime == "image/jpg" else mime


def mime_of_name(filename: str) -> str | None:
    """Guess a MIME type from a file name's extension (offline table, same on every machine)."""
    return _BY_EXTENSION.get(filename.rpartition(".")[2].lower()) if "." in filename else None

"""Request bodies: read up to a limit, content-encoding undone up to the same limit.

The limit counts what comes out of decompression, and decompression stops at it, so a small
malicious body cannot become a large one.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from cliproxy.base.errors import BadRequest, TooLarge, UnsupportedEncoding
from cliproxy.server.asgi import Receive

_STEP: Final = 256 * 1024
MOST_SEARCHED: Final = 16 * 1024 * 1024
"""Bytes of a search request, whatever other requests may have."""


class ClientGone(Exception):
    """The client went away before its request was complete."""


async def read_body(receive: Receive, limit: int) -> bytes:
    """Read the whole body. Raises `TooLarge` or `ClientGone`."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        if len(body) > limit:
            raise too_large(limit)
        return body
    parts = [body]
    size = len(body)
    while True:
        if size > limit:
            raise too_large(limit)
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part = message.get("body", b"")
        parts.append(part)
        size += len(part)
        if not message.get("more_body", False):
            if size > limit:
                raise too_large(limit)
            return b"".join(parts)


async def receive_body(receive: Receive, headers: Mapping[str, str], limit: int) -> bytes:
    """Read the whole body and undo its encoding. Raises as `read_body` and `decode` do."""
    body = await read_body(receive, limit)
    encoding = headers.get("content-encoding")
    return decode(body, encoding, limit) if encoding else body


def too_large(limit: int) -> TooLarge:
    """Return the error for a body over the limit."""
    setting = "" if limit == MOST_SEARCHED else " (max-body-size in the configuration)"
    return TooLarge(f"The request body is larger than {limit / 1048576:g} MiB{setting}.")


def decode(body: bytes, encoding: str, limit: int) -> bytes:
    """Undo `Content-Encoding`. Raises `UnsupportedEncoding`, `TooLarge` or `BadRequest`."""
    names = [name.strip().lower() for name in encoding.split(",")]
    for name in reversed(names):
        if name in ("", "identity"):
            continue
        decoder = _DECODERS.get(name)
        if decoder is None:
            if body.lstrip()[:1] in (b"{", b"["):
                # Mislabelled plain JSON: some clients name an encoding they did not apply.
                continue
            raise UnsupportedEncoding(
                f"Content-Encoding {name!r} is not supported; use gzip, deflate, br, zstd or none."
            )
        try:
            body = decoder(body, limit)
        except TooLarge:
            raise
        except Exception as err:  # the libraries raise each their own class for bad input
            if body.lstrip()[:1] in (b"{", b"["):
                continue
            raise BadRequest(
                f"The request body is not valid {name} data.", code="invalid_content_encoding"
            ) from err
    return body


def _bounded(
    step: Callable[[bytes, int], bytes], finished: Callable[[], bool], data: bytes, limit: int
) -> bytes:
    """Drive a streaming decompressor until its input is used up or the limit is passed."""
    parts: list[bytes] = []
    size = 0
    pending = data
    while True:
        out = step(pending, _STEP)
        pending = b""
        parts.append(out)
        size += len(out)
        if size > limit:
            raise too_large(limit)
        if finished():
            return b"".join(parts)
        if not out:
            raise ValueError("truncated")


def _zlib(wbits: int) -> Callable[[bytes, int], bytes]:
    def run(data: bytes, limit: int) -> bytes:
        machine = zlib.decompressobj(wbits)

        def step(chunk: bytes, size: int) -> bytes:
            return machine.decompress(machine.unconsumed_tail or chunk, size)

        return _bounded(step, lambda: machine.eof, data, limit)

    return run


def _deflate(data: bytes, limit: int) -> bytes:
    # "deflate" means zlib by the RFC and raw deflate by some clients.
    try:
        return _zlib(zlib.MAX_WBITS)(data, limit)
    except (zlib.error, ValueError):
        return _zlib(-zlib.MAX_WBITS)(data, limit)


def _brotli(data: bytes, limit: int) -> bytes:
    import brotli  # noqa: PLC0415  # few clients compress at all

    machine: Any = brotli.Decompressor()

    def step(chunk: bytes, size: int) -> bytes:
        out: bytes = machine.process(chunk, output_buffer_limit=size)
        return out

    return _bounded(step, machine.is_finished, data, limit)


def _zstd(data: bytes, limit: int) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd  # noqa: PLC0415
    else:
        from backports import zstd  # noqa: PLC0415

    machine = zstd.ZstdDecompressor()
    return _bounded(machine.decompress, lambda: machine.eof, data, limit)


_DECODERS: Final[dict[str, Callable[[bytes, int], bytes]]] = {
    "gzip": _zlib(zlib.MAX_WBITS | 16),
    "x-gzip": _zlib(zlib.MAX_WBITS | 16),
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}

"""The Redis protocol (RESP, version 2): requests out of bytes, replies into bytes. No sockets.

A request is an array of bulk strings, or a line of words. Everything that a client decides the size
of has a limit, and what breaks the rules ends the conversation: there is no way to find the next
request behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

ARGUMENTS: Final = 32
"""Words of one request."""
BULK: Final = 8 * 1024
"""Bytes of one word."""
INLINE: Final = 4 * 1024
"""Bytes of a request that is a line."""
REQUEST: Final = 16 * 1024
"""Bytes of one request as it is sent, and so the most that is held of one that is not complete."""
_HEADER: Final = 16
"""Bytes of a line that announces a length."""
_NUMBER: Final = re.compile(rb"[+-]?[0-9]{1,9}")
_TOO_LARGE: Final = "the request is too large"
_SHOWN: Final = 120


class Malformed(Exception):
    """What came is not the protocol, or more of it than is taken; the message says what."""


class Reader:
    """Puts requests together from pieces of any size."""

    def __init__(self) -> None:
        self._data = bytearray()

    def __len__(self) -> int:
        """Count the bytes that no request was made from yet."""
        return len(self._data)

    def feed(self, data: bytes) -> None:
        """Add what was received."""
        self._data += data

    def take(self) -> list[bytes] | None:
        """Return the next request's words; None until it is complete. Raises `Malformed`."""
        while self._data:
            found = self._array() if self._data[0] == 0x2A else self._inline()
            if found is None:
                if len(self._data) > REQUEST:
                    raise Malformed(_TOO_LARGE)
                return None
            words, end = found
            del self._data[:end]
            # A request without words is none.
            if words:
                return words
        return None

    def _array(self) -> tuple[list[bytes], int] | None:
        header = self._header(0)
        if header is None:
            return None
        count, at = _number(header[0][1:], "the number of words"), header[1]
        if count > ARGUMENTS:
            raise Malformed(_TOO_LARGE)
        words: list[bytes] = []
        while len(words) < count:
            header = self._header(at)
            if header is None:
                return None
            line, at = header
            if line[:1] != b"$":
                raise Malformed("a word does not begin with '$'")
            size = _number(line[1:], "the length of a word")
            if size < 0:
                raise Malformed("the length of a word is below zero")
            end = at + size
            if size > BULK or end + 2 > REQUEST:
                raise Malformed(_TOO_LARGE)
            if len(self._data) < end + 2:
                return None
            if self._data[end : end + 2] != b"\r\n":
                raise Malformed("a word is not as long as it says")
            words.append(bytes(self._data[at:end]))
            at = end + 2
        return words, at

    def _header(self, at: int) -> tuple[bytes, int] | None:
        """Return a line that announces something, and where it ends; None until it is complete."""
        end = self._data.find(b"\n", at, at + _HEADER)
        if end < 0:
            if len(self._data) >= at + _HEADER:
                raise Malformed(_TOO_LARGE)
            return None
        if end + 1 > REQUEST:
            raise Malformed(_TOO_LARGE)
        if self._data[end - 1 : end] != b"\r":
            raise Malformed("a line does not end in CR LF")
        return bytes(self._data[at : end - 1]), end + 1

    def _inline(self) -> tuple[list[bytes], int] | None:
        end = self._data.find(b"\n", 0, INLINE)
        if end < 0:
            if len(self._data) >= INLINE:
                raise Malformed(_TOO_LARGE)
            return None
        words = bytes(self._data[:end]).split()
        if len(words) > ARGUMENTS:
            raise Malformed(_TOO_LARGE)
        return words, end + 1


def _number(text: bytes, what: str) -> int:
    if _NUMBER.fullmatch(text) is None:
        raise Malformed(f"{what} is not a number")
    return int(text)


# ---- replies ------------------------------------------------------------------------------------
OK: Final = b"+OK\r\n"


def error(text: str) -> bytes:
    """Return an error, its code first."""
    return b"-%s\r\n" % text.encode("utf-8", "replace")


def shown(word: bytes) -> str:
    """Return a client's word as an error may repeat it: on one line, and not at any length."""
    text = word[:_SHOWN].decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "?" for c in text)


def bulk(value: bytes | None) -> bytes:
    """Return a string of any bytes; None is nothing."""
    return b"$-1\r\n" if value is None else b"$%d\r\n%s\r\n" % (len(value), value)


def array(values: Iterable[bytes]) -> bytes:
    """Return a list of strings."""
    items = [bulk(value) for value in values]
    return b"*%d\r\n%s" % (len(items), b"".join(items))


def pong(value: bytes) -> bytes:
    """Return the answer to a PING of a subscriber."""
    return array((b"pong", value))


def message(channel: bytes, payload: bytes) -> bytes:
    """Return what a subscriber of a channel hears."""
    return array((b"message", channel, payload))


def changed(kind: bytes, channel: bytes | None, left: int) -> bytes:
    """Return that a subscription began or ended, and how many there are now."""
    return b"*3\r\n%s%s:%d\r\n" % (bulk(kind), bulk(channel), left)

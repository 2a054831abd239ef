"""The one JSON door.

What goes in must come out: integers of any size and decimals keep their value, object keys keep
their order, and text keeps every code point — lone surrogates (half an emoji in a streamed delta)
included. msgspec does the work; the standard library is the fallback for the two inputs msgspec
refuses (lone surrogates, in either direction).
"""

from __future__ import annotations

import json as _stdlib  # the fallback door itself
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, TypeVar

import msgspec

Json = Any
"""A decoded JSON value. `Any` is allowed at JSON edges only."""

Obj = dict[str, Any]
"""A decoded JSON object."""

Raw = msgspec.Raw

_T = TypeVar("_T")


class InvalidJson(ValueError):
    """The bytes are not JSON; the message says where."""


def _number(text: str) -> float | Decimal:
    # A float where it is exact to the letter, a Decimal where a float would change the value or
    # the spelling (1.10, 1e400, 0.1000000000000000055).
    value = float(text)
    return value if repr(value) == text else Decimal(text)


_decoder: Final = msgspec.json.Decoder(float_hook=_number)
_encoder: Final = msgspec.json.Encoder(decimal_format="number")


def loads(data: bytes | bytearray | memoryview | str) -> Json:
    """Decode JSON. Raises `InvalidJson` with the position of the fault."""
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeError) as err:
        return _loads_slowly(data, err)
    except RecursionError as err:
        raise InvalidJson("nested too deeply") from err


def loads_object(data: bytes | bytearray | memoryview | str) -> Obj | None:
    """Decode a JSON object; None for anything else."""
    try:
        # Not through `loads`: every event of a stream comes here, and a call is a call.
        value = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        try:
            value = loads(data)
        except InvalidJson:
            return None
    return value if isinstance(value, dict) else None


def _loads_slowly(data: bytes | bytearray | memoryview | str, cause: Exception) -> Json:
    text: str | bytes = data if isinstance(data, str) else bytes(data)
    # Only half of a surrogate pair is worth a second look, escaped or (in text) bare: everything
    # else msgspec refuses is refused.
    escaped = "\\ud" in text.lower() if isinstance(text, str) else b"\\ud" in text.lower()
    if not escaped and not isinstance(cause, UnicodeEncodeError):
        raise InvalidJson(str(cause)) from cause
    try:
        return _stdlib.loads(text, parse_float=_number, parse_constant=_no_constant)  # noqa: TID251
    except (ValueError, RecursionError) as err:
        raise InvalidJson(str(err)) from err


def _no_constant(name: str) -> Json:
    raise InvalidJson(f"{name} is not JSON")


def loads_as(data: bytes | str, kind: type[_T]) -> _T:
    """Decode into a msgspec type. Raises `InvalidJson`."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeError) as err:
        raise InvalidJson(str(err)) from err


def dumps(value: Json) -> bytes:
    """Encode compactly as UTF-8, non-ASCII unescaped, U+2028/U+2029 escaped.

    Some SSE clients split lines on U+2028 and U+2029, so they never appear raw.
    """
    try:
        data = _encoder.encode(value)
    except UnicodeEncodeError:
        text = _stdlib.dumps(value, separators=(",", ":"), default=_plain)  # noqa: TID251
        return text.encode("ascii")
    if b"\xe2\x80" in data:
        data = data.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")
    return data


def dumps_str(value: Json) -> str:
    """Encode as `dumps` does, to text."""
    return dumps(value).decode("utf-8")


def _plain(value: object) -> Json:
    if isinstance(value, Decimal):
        return float(value)
    return msgspec.to_builtins(value)


def text_in(obj: Mapping[str, Any], *keys: str) -> str:
    """Return the first of these members that is text with something in it, trimmed; "" if none is.

    For what files and other people's answers say: a member of another type counts as missing.
    """
    for key in keys:
        value = obj.get(key)
        if isinstance(value, str) and (found := value.strip()):
            return found
    return ""

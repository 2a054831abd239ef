"""Typed access to the fields of a client's JSON body, for the OpenAI-style parsers.

Each function returns the value, None where the field is absent or null (OpenAI treats the two
alike), or raises `BadRequest` whose `param` is the path of the field, such as
`messages[2].content[0].image_url.url`. Value ranges are the upstream's business, not checked here.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from cliproxy.base.errors import BadRequest
from cliproxy.base.json import Json, Obj

_DIGITS: Final = 18
"""No count has more."""


def path(base: str, key: str | int) -> str:
    """Return the path of a member: `base.key`, `base[0]`, or `key` at the top."""
    if isinstance(key, int):
        return f"{base}[{key}]"
    return f"{base}.{key}" if base else key


def kind_of(value: Json) -> str:
    """Name the JSON type of a value, for a sentence."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int():
            return "an integer"
        case float() | Decimal():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"


def wrong_type(where: str, expected: str, value: Json) -> BadRequest:
    """Return the error for a value of the wrong type."""
    return BadRequest(
        f"Invalid type for '{where}': expected {expected}, but got {kind_of(value)} instead.",
        param=where,
        code="invalid_type",
    )


def missing(where: str, what: str = "") -> BadRequest:
    """Return the error for a required field that is not there."""
    return BadRequest(
        f"Missing required parameter: '{where}'.{' ' + what if what else ''}",
        param=where,
        code="missing_required_parameter",
    )


def invalid(where: str, sentence: str) -> BadRequest:
    """Return the error for a value of the right type that makes no sense."""
    return BadRequest(f"Invalid value for '{where}': {sentence}", param=where, code="invalid_value")


def text(obj: Obj, key: str, base: str = "") -> str | None:
    """Return an optional string."""
    value = obj.get(key)
    if value is None or isinstance(value, str):
        return value
    raise wrong_type(path(base, key), "a string", value)


def need_text(obj: Obj, key: str, base: str = "") -> str:
    """Return a required, non-empty string."""
    value = text(obj, key, base)
    if not value:
        raise missing(path(base, key))
    return value


def flag(obj: Obj, key: str, base: str = "") -> bool | None:
    """Return an optional boolean."""
    value = obj.get(key)
    if value is None or isinstance(value, bool):
        return value
    raise wrong_type(path(base, key), "a boolean", value)


def integer(obj: Obj, key: str, base: str = "") -> int | None:
    """Return an optional integer; `4096.0` counts as one."""
    value = obj.get(key)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if (whole := as_integer(value)) is not None:
        return whole
    raise wrong_type(path(base, key), "an integer", value)


def as_integer(value: Json) -> int | None:
    """Return a JSON number that is an integer of a believable size, however it is written.

    `1e300000` is a number of 300,000 digits, and working them out takes seconds.
    """
    if type(value) is int:
        return value
    match value:
        case bool():
            return None
        case int():
            return value
        case float() if value.is_integer():
            return int(value)
        case Decimal() if value.is_finite() and value.adjusted() <= _DIGITS and value == int(value):
            return int(value)
        case _:
            return None


def number(obj: Obj, key: str, base: str = "") -> float | None:
    """Return an optional number exactly as written (it may be an int or a `Decimal`)."""
    value = obj.get(key)
    if value is None:
        return None
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return value  # type: ignore[return-value]  # Decimal keeps the client's spelling
    raise wrong_type(path(base, key), "a number", value)


def obj_of(obj: Obj, key: str, base: str = "") -> Obj | None:
    """Return an optional object."""
    value = obj.get(key)
    if value is None or isinstance(value, dict):
        return value
    raise wrong_type(path(base, key), "an object", value)


def list_of(obj: Obj, key: str, base: str = "") -> list[Json] | None:
    """Return an optional array."""
    value = obj.get(key)
    if value is None or isinstance(value, list):
        return value
    raise wrong_type(path(base, key), "an array", value)


def as_obj(value: Json, where: str) -> Obj:
    """Return a value that must be an object."""
    if isinstance(value, dict):
        return value
    raise wrong_type(where, "an object", value)


def strings(obj: Obj, key: str, base: str = "") -> tuple[str, ...]:
    """Return a string, or an array of strings, as a tuple."""
    value = obj.get(key)
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    where = path(base, key)
    if not isinstance(value, list):
        raise wrong_type(where, "a string or an array of strings", value)
    for index, item in enumerate(value):
        if not isinstance(item, str):
            raise wrong_type(path(where, index), "a string", item)
    return tuple(value)


def rest(obj: Obj, known: frozenset[str]) -> Obj | None:
    """Return the members nobody has read, or None when there are none."""
    if obj.keys() <= known:
        return None
    return {key: value for key, value in obj.items() if key not in known}

"""JSON Schema as clients really write it → keywords whose values have the types they must have.

Run before any other cleaning, so that nothing behind it has to expect a `required` that is no list
or a `properties` that is null. Keywords with a usable value are not touched, save that Gemini's
upper-case type names become lower-case.
"""

from __future__ import annotations

from typing import Any, Final

Schema = dict[str, Any]
DEPTH: Final = 64
"""Deeper than any honest schema; what is below is left as it is."""

MAPS: Final = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
LISTS: Final = ("anyOf", "oneOf", "allOf", "prefixItems")
SINGLE: Final = (
    "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames",
    "unevaluatedItems", "unevaluatedProperties",
)  # fmt: skip
TYPES: Final = frozenset({"string", "number", "integer", "boolean", "array", "object", "null"})
_TEXTS: Final = frozenset({"description", "format", "$ref", "title"})


def repaired(schema: Any, *, wrap: bool = False, depth: int = 0) -> Any:
    """Return a new schema without malformed keywords.

    Draft-3's `required: true` on a property becomes an entry in its parent's `required`. With
    `wrap` a bare map of properties gets the object around it.
    """
    if not isinstance(schema, dict) or depth > DEPTH:
        return schema
    out: Schema = {}
    for key, value in schema.items():
        kept = _value(key, value, wrap, depth + 1)
        if kept is not _MALFORMED:
            out[key] = kept
    properties = schema.get("properties")
    if isinstance(properties, dict):
        demanded = [
            name
            for name, sub in properties.items()
            if isinstance(sub, dict) and sub.get("required") is True
        ]
        if demanded:
            out["required"] = list(dict.fromkeys([*out.get("required", ()), *demanded]))
    if wrap and _is_property_map(out):
        return repaired({"type": "object", "properties": out}, wrap=wrap, depth=depth + 1)
    return out


class _Malformed:
    pass


_MALFORMED: Final = _Malformed()


def _value(key: str, value: Any, wrap: bool, depth: int) -> Any:
    if key in MAPS:
        if value is None:
            return {}
        if not isinstance(value, dict):
            return _MALFORMED
        return {
            name: repaired(sub, wrap=wrap, depth=depth)
            for name, sub in value.items()
            if _is_schema(sub)
        }
    if key in LISTS:
        return _schemas(value, wrap, depth) if isinstance(value, list) else _MALFORMED
    if key == "items" and isinstance(value, list):
        return _schemas(value, wrap, depth)
    if key == "items" or key in SINGLE:
        return repaired(value, wrap=wrap, depth=depth) if _is_schema(value) else _MALFORMED
    if key == "type":
        if isinstance(value, list):
            names = [_type_name(v) for v in value if isinstance(v, str)]
            return list(dict.fromkeys(names)) or _MALFORMED
        return _type_name(value) if isinstance(value, str) else _MALFORMED
    if key in ("required", "propertyOrdering"):
        if not isinstance(value, list):
            return _MALFORMED
        return list(dict.fromkeys(v for v in value if isinstance(v, str)))
    if key == "enum":
        return value if isinstance(value, list) else _MALFORMED
    if key in _TEXTS:
        return value if isinstance(value, str) else _MALFORMED
    if key == "nullable":
        return value if isinstance(value, bool) else _MALFORMED
    return value


def _type_name(name: str) -> str:
    """Turn Gemini's `OBJECT` into `object`."""
    return name.lower() if name.lower() in TYPES else name


def _schemas(values: list[Any], wrap: bool, depth: int) -> list[Any]:
    return [repaired(sub, wrap=wrap, depth=depth) for sub in values if _is_schema(sub)]


def _is_schema(value: Any) -> bool:
    return isinstance(value, dict | bool)


_KEYWORDS: Final = frozenset(
    {*MAPS, *LISTS, *SINGLE, *_TEXTS, "items", "type", "required", "propertyOrdering", "enum",
     "const", "nullable", "default", "examples", "example", "minimum", "maximum", "minLength",
     "maxLength", "pattern", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "uniqueItems",
     "minItems", "maxItems", "minProperties", "maxProperties", "minContains", "maxContains",
     "$schema", "$id", "$anchor", "$comment", "$vocabulary", "dependencies", "dependentRequired",
     "readOnly", "writeOnly", "deprecated", "contentEncoding", "contentMediaType",
     "enumDescriptions", "enumTitles", "prefill", "encrypted", "strict", "markdownDescription",
     "ref", "defs"}
)  # fmt: skip


def _is_property_map(schema: Schema) -> bool:
    """Tell whether somebody left out `{type: object, properties: …}` around the properties."""
    if not schema or any(k in _KEYWORDS or k.startswith("x-") for k in schema):
        return False
    return all(isinstance(v, dict) for v in schema.values())

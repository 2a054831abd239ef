"""JSON Schema, reduced to what a target takes. Schemas only, never data.

Every function returns a new object (the input is not touched), keeps key order, and is
idempotent. Properties *named* like keywords are property names.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from cliproxy.base import json
from cliproxy.ir.schema_gemini import for_gemini, for_gemini_json
from cliproxy.ir.schema_shape import DEPTH, LISTS, MAPS, SINGLE, repaired

__all__ = [
    "coerce_arguments",
    "for_anthropic",
    "for_anthropic_output",
    "for_gemini",
    "for_gemini_json",
    "for_openai",
    "has_open_objects",
    "satisfies_openai_strict",
    "stringified_enums",
]

Schema = dict[str, Any]


def _walk(node: Any, change: Callable[[Schema], Schema], depth: int = 0) -> Any:
    """Apply `change` to every sub-schema, leaves first."""
    if not isinstance(node, dict) or depth > DEPTH:
        return node
    out: Schema = {}
    for key, value in node.items():
        if key in MAPS and isinstance(value, dict):
            out[key] = {name: _walk(sub, change, depth + 1) for name, sub in value.items()}
        elif (key in LISTS and isinstance(value, list)) or (
            key == "items" and isinstance(value, list)
        ):
            out[key] = [_walk(sub, change, depth + 1) for sub in value]
        elif key == "items" or key in SINGLE:
            out[key] = _walk(value, change, depth + 1)
        else:
            out[key] = value
    return change(out)


def _foreign(node: Schema) -> Schema:
    """Undo what only Gemini's schema dialect says."""
    node.pop("propertyOrdering", None)
    nullable = node.pop("nullable", None)
    kind = node.get("type")
    if nullable is True and isinstance(kind, str) and kind != "null":
        node["type"] = [kind, "null"]
        if isinstance(node.get("enum"), list) and None not in node["enum"]:
            node["enum"] = [*node["enum"], None]
    return node


def for_anthropic(schema: Any) -> Schema:
    """Return an Anthropic `input_schema`: object root without unions, lower-case types."""
    if not isinstance(schema, dict):
        return {"type": "object", "properties": {}}
    root: Schema = _walk(repaired(schema), _foreign)
    merged: Schema = {k: v for k, v in root.items() if k not in ("anyOf", "oneOf", "allOf")}
    properties = dict(merged.get("properties") or {})
    required = list(merged.get("required") or [])
    for keyword in ("allOf", "anyOf", "oneOf"):
        for branch in root.get(keyword) or ():
            if not isinstance(branch, dict):
                continue
            for name, sub in (branch.get("properties") or {}).items():
                properties.setdefault(name, sub)
            if keyword == "allOf":
                # Every branch of allOf holds; an alternative's demands need not.
                required += [r for r in branch.get("required") or () if r not in required]
            for extra in ("$defs", "definitions"):
                if isinstance(branch.get(extra), dict):
                    merged[extra] = {**branch[extra], **merged.get(extra, {})}
    merged["type"] = "object"
    merged["properties"] = properties
    if required:
        merged["required"] = required
    elif "required" in merged:
        del merged["required"]
    ordered: Schema = {"type": "object"}
    ordered.update(merged)
    return ordered


def for_anthropic_output(schema: Any) -> Schema:
    """Return the schema of a structured answer: every object closed, as the API demands."""

    def change(node: Schema) -> Schema:
        _foreign(node)
        kind = node.get("type")
        if kind == "object" or (isinstance(kind, list) and "object" in kind):
            node["additionalProperties"] = False
        return node

    root: Schema = _walk(repaired(schema if isinstance(schema, dict) else {}), change)
    return root


def has_open_objects(schema: Any) -> bool:
    """Tell whether some object of a schema says that it takes members nobody listed."""
    found = False

    def change(node: Schema) -> Schema:
        nonlocal found
        found = found or node.get("additionalProperties") not in (None, False)
        return node

    _walk(schema, change)
    return found


def for_openai(schema: Any) -> Schema:
    """Return OpenAI function `parameters`: `properties` everywhere, lower-case types."""
    if not isinstance(schema, dict):
        return {"type": "object", "properties": {}}

    def change(node: Schema) -> Schema:
        _foreign(node)
        node.pop("example", None)
        kind = node.get("type")
        if (kind == "object" or (isinstance(kind, list) and "object" in kind)) and not isinstance(
            node.get("properties"), dict
        ):
            node["properties"] = {}
        return node

    root: Schema = _walk(repaired(schema), change)
    if "type" not in root and not any(k in root for k in ("anyOf", "oneOf", "allOf", "$ref")):
        root = {"type": "object", **root}
        root.setdefault("properties", {})
    return root


_STRICT_REFUSED: Final = frozenset(
    {"oneOf", "allOf", "not", "if", "then", "else", "patternProperties", "dependentRequired",
     "dependentSchemas", "unevaluatedProperties", "propertyNames", "contains"}
)  # fmt: skip


def satisfies_openai_strict(schema: Any) -> bool:
    """Tell whether a schema obeys the rules of `strict: true`."""
    if not isinstance(schema, dict) or schema.get("type") != "object":
        return False
    good = True

    def change(node: Schema) -> Schema:
        nonlocal good
        if _STRICT_REFUSED & node.keys():
            good = False
        kind = node.get("type")
        if kind == "object" or "properties" in node:
            names = set(node.get("properties") or {})
            if node.get("additionalProperties") is not False or names != set(
                node.get("required") or ()
            ):
                good = False
        return node

    _walk(schema, change)
    return good


def stringified_enums(schema: Any) -> bool:
    """Tell whether `for_gemini` turns non-string enums of this schema into strings."""
    found = False

    def change(node: Schema) -> Schema:
        nonlocal found
        values = node.get("enum") if "enum" in node else [node["const"]] if "const" in node else []
        if isinstance(values, list) and any(
            v is not None and not isinstance(v, str) for v in values
        ):
            found = True
        return node

    _walk(schema, change)
    return found


def coerce_arguments(args: str, schema: Any) -> str:
    """Convert string enum values in argument JSON back to the types `schema` declares."""
    try:
        value = json.loads(args)
    except json.InvalidJson:
        return args
    changed = _coerce(value, schema, 0)
    return args if changed is value else json.dumps_str(changed)


def _coerce(value: Any, schema: Any, depth: int) -> Any:
    if not isinstance(schema, dict) or depth > DEPTH:
        return value
    if isinstance(value, str):
        declared = schema.get("enum") if "enum" in schema else [schema.get("const")]
        if isinstance(declared, list) and value not in declared:
            for candidate in declared:
                if candidate is not None and _spelling(candidate) == value:
                    return candidate
        return value
    if isinstance(value, list):
        items = schema.get("items")
        out = [_coerce(v, items, depth + 1) for v in value]
        return out if any(a is not b for a, b in zip(out, value, strict=True)) else value
    if isinstance(value, dict):
        properties = schema.get("properties")
        if not isinstance(properties, dict):
            return value
        new = {k: _coerce(v, properties.get(k), depth + 1) for k, v in value.items()}
        return new if any(new[k] is not value[k] for k in value) else value
    return value


def _spelling(value: bool | float | Decimal | str | None) -> str:
    return value if isinstance(value, str) else json.dumps_str(value)

"""JSON Schema → what Gemini takes: the OpenAPI subset of `parameters`, or cleaned JSON Schema."""

from __future__ import annotations

from typing import Any, Final

from cliproxy.base import json

Schema = dict[str, Any]
_DEPTH: Final = 64

_KEPT: Final = (
    "type", "format", "description", "nullable", "enum", "items", "properties", "required",
    "anyOf", "minItems", "maxItems", "minProperties", "maxProperties", "minimum", "maximum",
    "propertyOrdering",
)  # fmt: skip
"""Keywords of the subset that every deployment takes."""
_FORMATS: Final = frozenset({"enum", "date-time", "int32", "int64", "float", "double"})
_TYPES: Final = frozenset({"string", "number", "integer", "boolean", "array", "object", "null"})
_HINTED: Final = (
    "minLength", "maxLength", "pattern", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
    "uniqueItems", "default",
)  # fmt: skip
"""Constraints that are told in the description instead."""


def for_gemini(schema: Any, *, root: bool = True) -> Schema:
    """Return the OpenAPI subset that Gemini's `parameters` / `responseSchema` take."""
    if not isinstance(schema, dict):
        return {"type": "object", "properties": {}}
    cleaned = _Cleaner(schema).node(schema, (), 0)
    if root and "type" not in cleaned and "anyOf" not in cleaned:
        cleaned = {"type": "object", "properties": {}, **cleaned}
    if root and cleaned.get("type") == "object":
        cleaned.setdefault("properties", {})
    return cleaned


class _Cleaner:
    """Cleans one document; knows its definitions."""

    def __init__(self, document: Schema) -> None:
        self._document = document

    def node(self, schema: Any, seen: tuple[str, ...], depth: int) -> Schema:
        if schema is True or schema == {}:
            return {"type": "string"}
        if not isinstance(schema, dict) or depth > _DEPTH:
            return {"type": "object", "properties": {}}
        hints: list[str] = []
        schema, seen = self._resolve(schema, seen, hints)
        if _is_property_map(schema):
            schema = {"type": "object", "properties": schema}
        schema = self._merge(schema, seen, depth)
        out: Schema = {}
        kind, nullable, kinds = _type(schema)
        if schema.get("nullable") is True:
            nullable = True
        self._union(schema, out, seen, depth)
        if kinds and "anyOf" not in out:
            kind = kinds[0]
            hints.append("Accepts: " + " | ".join(kinds))
        if out.pop("__null__", False):
            nullable = True
        values = _enum(schema)
        if values is not None:
            if any(v is None for v in values):
                nullable = True
            strings = [_text(v) for v in values if v is not None and v != ""]
            kind = "string"
            if strings:
                out["enum"] = list(dict.fromkeys(strings))
        if kind is None and "anyOf" not in out:
            kind = (
                "object" if isinstance(schema.get("properties"), dict)
                else "array" if "items" in schema or "prefixItems" in schema
                else None
            )  # fmt: skip
        if kind is not None:
            out = {"type": kind, **out}
        if nullable:
            out["nullable"] = True
        self._children(schema, kind, out, hints, seen=seen, depth=depth)
        _scalars(schema, kind, out, hints)
        return _described(out, schema.get("description"), hints)

    def _resolve(
        self, schema: Schema, seen: tuple[str, ...], hints: list[str]
    ) -> tuple[Schema, tuple[str, ...]]:
        for _ in range(_DEPTH):
            reference = schema.get("$ref")
            if not isinstance(reference, str):
                return schema, seen
            siblings = {k: v for k, v in schema.items() if k != "$ref"}
            name = reference.rsplit("/", 1)[-1]
            target = self._lookup(reference)
            if target is None or reference in seen:
                hints.append(f"See: {name}")
                return {"type": "object", **siblings}, seen
            seen = (*seen, reference)
            schema = {**target, **siblings}
        return {"type": "object"}, seen

    def _lookup(self, reference: str) -> Schema | None:
        if not reference.startswith("#"):
            return None
        node: Any = self._document
        for step in reference[1:].split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~").replace("%24", "$")
            node = node.get(key) if isinstance(node, dict) else None
        return node if isinstance(node, dict) else None

    def _merge(self, schema: Schema, seen: tuple[str, ...], depth: int) -> Schema:
        """Fold allOf and then/else into the schema itself."""
        extra = [b for b in schema.get("allOf") or () if isinstance(b, dict)]
        optional = [schema[k] for k in ("then", "else") if isinstance(schema.get(k), dict)]
        if not extra and not optional:
            return schema
        out = {k: v for k, v in schema.items() if k not in ("allOf", "if", "then", "else")}
        properties = dict(out.get("properties") or {})
        required = list(out.get("required") or [])
        texts = [out["description"]] if out.get("description") else []
        for branch in extra:
            resolved, _ = self._resolve(branch, seen, [])
            resolved = self._merge(resolved, seen, depth + 1) if depth < _DEPTH else resolved
            for name, sub in (resolved.get("properties") or {}).items():
                properties.setdefault(name, sub)
            required += [r for r in resolved.get("required") or () if r not in required]
            if resolved.get("description"):
                texts.append(resolved["description"])
            for key, value in resolved.items():
                if key not in ("properties", "required", "description"):
                    out.setdefault(key, value)
        for branch in optional:
            for name, sub in (branch.get("properties") or {}).items():
                properties.setdefault(name, sub)
        if properties:
            out["properties"] = properties
        if required:
            out["required"] = required
        if texts:
            out["description"] = " ".join(dict.fromkeys(texts))
        return out

    def _union(
        self,
        schema: Schema,
        out: Schema,
        seen: tuple[str, ...],
        depth: int,
    ) -> None:
        branches = [b for k in ("anyOf", "oneOf") for b in schema.get(k) or ()]
        if not branches:
            return
        siblings = {
            k: schema[k] for k in ("properties", "required", "type", "items") if k in schema
        }
        cleaned: list[Schema] = []
        null = False
        for branch in branches:
            if isinstance(branch, dict) and branch.get("type") == "null":
                null = True
                continue
            merged = {**siblings, **branch} if isinstance(branch, dict) and siblings else branch
            if isinstance(merged, dict) and siblings.get("properties"):
                merged["properties"] = {
                    **siblings["properties"], **(branch.get("properties") or {}),
                }  # fmt: skip
            one = self.node(merged, seen, depth + 1)
            if one.pop("nullable", False):
                null = True
            if one not in cleaned:
                cleaned.append(one)
        if null:
            out["__null__"] = True
        if len(cleaned) == 1:
            description = cleaned[0].pop("description", None)
            out.update(cleaned[0])
            if description and not schema.get("description"):
                out["description"] = description
        elif cleaned:
            out["anyOf"] = cleaned

    def _children(
        self,
        schema: Schema,
        kind: str | None,
        out: Schema,
        hints: list[str],
        *,
        seen: tuple[str, ...],
        depth: int,
    ) -> None:
        if kind == "object" and "anyOf" not in out:
            properties = schema.get("properties")
            if isinstance(properties, dict):
                given = schema.get("required")
                required = [r for r in given if r in properties] if isinstance(given, list) else []
                kept: Schema = {}
                for name, given_sub in properties.items():
                    sub = given_sub
                    if sub is False:
                        continue
                    if isinstance(sub, dict) and sub.get("required") is True:
                        required.append(name)
                        sub = {k: v for k, v in sub.items() if k != "required"}
                    kept[name] = self.node(sub, seen, depth + 1)
                out["properties"] = kept
                required = [r for r in dict.fromkeys(required) if r in kept]
                if required:
                    out["required"] = required
            elif depth == 0:
                out["properties"] = {}
            if schema.get("additionalProperties") is False:
                hints.append("No extra properties allowed")
        if kind == "array" and "anyOf" not in out:
            out["items"] = self._items(schema, seen, depth)

    def _items(self, schema: Schema, seen: tuple[str, ...], depth: int) -> Schema:
        items = schema.get("items")
        several = items if isinstance(items, list) else schema.get("prefixItems")
        if isinstance(several, list) and several:
            cleaned: list[Schema] = []
            for sub in several:
                one = self.node(sub, seen, depth + 1)
                if one not in cleaned:
                    cleaned.append(one)
            return cleaned[0] if len(cleaned) == 1 else {"anyOf": cleaned}
        if isinstance(items, dict) and items:
            return self.node(items, seen, depth + 1)
        return {"type": "string"}


def _type(schema: Schema) -> tuple[str | None, bool, list[str]]:
    """Return the single type, whether null is allowed, and the types when there are several."""
    kind = schema.get("type")
    if isinstance(kind, str):
        lowered = kind.lower()
        return (lowered if lowered in _TYPES else None), False, []
    if isinstance(kind, list):
        names = [k.lower() for k in kind if isinstance(k, str) and k.lower() in _TYPES]
        plain = [k for k in dict.fromkeys(names) if k != "null"]
        if len(plain) <= 1:
            return (plain[0] if plain else "string"), "null" in names, []
        return None, "null" in names, plain
    return None, False, []


def _enum(schema: Schema) -> list[Any] | None:
    if isinstance(schema.get("enum"), list):
        return list(schema["enum"])
    return [schema["const"]] if "const" in schema else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps_str(value)


def _scalars(schema: Schema, kind: str | None, out: Schema, hints: list[str]) -> None:
    if schema.get("format") in _FORMATS and "enum" not in out:
        out["format"] = schema["format"]
    elif isinstance(schema.get("format"), str) and schema["format"] not in _FORMATS:
        hints.append(f"format: {schema['format']}")
    limits = {
        "minimum": ("number", "integer"), "maximum": ("number", "integer"),
        "minItems": ("array",), "maxItems": ("array",),
        "minProperties": ("object",), "maxProperties": ("object",),
    }  # fmt: skip
    for key, kinds in limits.items():
        value = schema.get(key)
        if kind in kinds and value is not None and not isinstance(value, bool):
            out[key] = value
    ordering = schema.get("propertyOrdering")
    if kind == "object" and isinstance(ordering, list) and "properties" in out:
        out["propertyOrdering"] = [name for name in ordering if name in out["properties"]]
    hints.extend(
        f"{key}: {_text(schema[key])}"
        for key in _HINTED
        if key in schema and schema[key] not in (None, False)
    )


def _described(out: Schema, description: Any, hints: list[str]) -> Schema:
    text = description if isinstance(description, str) else out.get("description", "")
    for hint in hints:
        # Once only, so that cleaning a cleaned schema changes nothing.
        if f"({hint})" not in text:
            text = f"{text} ({hint})".strip()
    if text:
        out["description"] = text
    return out


_KEYWORDS: Final = frozenset(
    {*_KEPT, *_HINTED, "title", "$schema", "$id", "$ref", "$defs", "definitions", "const", "oneOf",
     "allOf", "not", "if", "then", "else", "additionalProperties", "patternProperties",
     "propertyNames", "examples", "example", "$comment", "prefixItems", "contains", "dependencies",
     "dependentRequired", "dependentSchemas", "unevaluatedProperties", "unevaluatedItems",
     "readOnly", "writeOnly", "deprecated", "$anchor", "$vocabulary", "contentEncoding",
     "contentMediaType", "enumDescriptions", "enumTitles", "prefill", "encrypted", "strict",
     "markdownDescription", "maxContains", "minContains", "ref", "defs"}
)  # fmt: skip


def _is_property_map(schema: Schema) -> bool:
    """Tell whether somebody left out `{type: object, properties: …}` around the properties."""
    if not schema or any(k in _KEYWORDS or k.startswith("x-") for k in schema):
        return False
    return all(isinstance(v, dict) for v in schema.values())


_JSON_DROPPED: Final = frozenset(
    {"$schema", "$id", "$anchor", "$comment", "$vocabulary", "deprecated", "readOnly", "writeOnly",
     "contentEncoding", "contentMediaType", "enumDescriptions", "enumTitles", "prefill",
     "encrypted", "markdownDescription", "strict"}
)  # fmt: skip


def for_gemini_json(schema: Any) -> Schema:
    """Return a schema for Gemini's `parametersJsonSchema` / `responseJsonSchema`.

    JSON Schema with only what those reject removed: identifiers, annotations, `x-*`, draft-3
    `required`, references that lead nowhere. Gemini's own upper-case types become lower-case.
    """
    if not isinstance(schema, dict):
        return {"type": "object", "properties": {}}
    cleaned: Schema = _json_node(schema, _Cleaner(schema), 0)
    if "type" not in cleaned and not any(k in cleaned for k in ("anyOf", "oneOf", "allOf", "$ref")):
        cleaned = {"type": "object", "properties": {}, **cleaned}
    return cleaned


def _json_node(schema: Any, document: _Cleaner, depth: int) -> Any:
    if schema is True:
        return {}
    if not isinstance(schema, dict) or depth > _DEPTH:
        return schema
    if _is_property_map(schema):
        schema = {"type": "object", "properties": schema}
    out: Schema = {}
    promoted: list[str] = []
    for key, value in schema.items():
        if key in _JSON_DROPPED or key.startswith("x-"):
            continue
        match key:
            case "properties" | "$defs" | "definitions":
                subs = value if isinstance(value, dict) else {}
                if key == "properties":
                    promoted = [
                        n
                        for n, s in subs.items()
                        if isinstance(s, dict) and s.get("required") is True
                    ]
                out[key] = {
                    n: _json_node(s, document, depth + 1) for n, s in subs.items() if s is not False
                }
            case "anyOf" | "oneOf" | "allOf" | "prefixItems":
                if isinstance(value, list):
                    out[key] = [_json_node(s, document, depth + 1) for s in value]
            case "items" | "additionalProperties" | "not" | "if" | "then" | "else":
                if isinstance(value, list):
                    out[key] = [_json_node(s, document, depth + 1) for s in value]
                elif isinstance(value, bool):
                    out[key] = value
                else:
                    out[key] = _json_node(value, document, depth + 1)
            case "type":
                out[key] = (
                    value.lower() if isinstance(value, str)
                    else [v.lower() for v in value if isinstance(v, str)]
                    if isinstance(value, list) else value
                )  # fmt: skip
            case "required":
                if isinstance(value, list):
                    out[key] = value
            case "$ref":
                if isinstance(value, str) and document._lookup(value) is not None:  # noqa: SLF001
                    out[key] = value
                else:
                    out.setdefault("type", "object")
            case _:
                out[key] = value
    if "properties" in out:
        names = [*(out.get("required") or ()), *promoted]
        required = [n for n in dict.fromkeys(names) if n in out["properties"]]
        out.pop("required", None)
        if required:
            out["required"] = required
    return out

"""JSON Schema → what Gemini takes: the OpenAPI subset of `parameters`, or cleaned JSON Schema."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote

from cliproxy.base import json
from cliproxy.ir.schema_shape import DEPTH, TYPES, repaired

Schema = dict[str, Any]

_KEPT: Final = (
    "type", "format", "description", "nullable", "enum", "items", "properties", "required",
    "anyOf", "minItems", "maxItems", "minProperties", "maxProperties", "minimum", "maximum",
    "propertyOrdering",
)  # fmt: skip
"""Keywords of the subset that every deployment takes."""
_FORMATS: Final = frozenset({"enum", "date-time", "int32", "int64", "float", "double"})
_HINTED: Final = (
    "minLength", "maxLength", "pattern", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
    "uniqueItems", "default",
)  # fmt: skip
"""Constraints that are told in the description instead."""
_TOLD: Final = (
    "not", "patternProperties", "propertyNames", "contains", "dependentRequired",
)  # fmt: skip
"""Rules that are told too, as long as they are short."""
_TOLD_LIMIT: Final = 120
_NODES: Final = 20_000
"""References may multiply a small document without end; what is beyond is any object."""


def for_gemini(schema: Any, *, root: bool = True) -> Schema:
    """Return the OpenAPI subset that Gemini's `parameters` / `responseSchema` take."""
    if not isinstance(schema, dict):
        return {"type": "object", "properties": {}}
    schema = repaired(schema, wrap=True)
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
        self._left = _NODES

    def node(self, schema: Any, seen: tuple[str, ...], depth: int) -> Schema:
        self._left -= 1
        if schema is True:
            return {"type": "string"}
        if not isinstance(schema, dict) or depth > DEPTH or self._left < 0:
            return {"type": "object", "properties": {}}
        hints: list[str] = []
        schema, seen = self._resolve(schema, seen, hints)
        schema = self._merge(schema, seen, depth)
        description = schema.get("description")
        values = _enum(schema)
        out: Schema = {}
        if values is None:
            self._union(schema, out, seen, depth)
        if out:
            if schema.get("nullable") is True:
                out["nullable"] = True
            return _described(out, description, hints)
        kind, nullable, kinds = _type(schema)
        nullable = nullable or schema.get("nullable") is True
        if values is not None:
            nullable = nullable or any(v is None for v in values)
            strings = [_text(v) for v in values if v is not None and v != ""]
            kind, kinds = "string", []
            if strings:
                out["enum"] = list(dict.fromkeys(strings))
        if kinds:
            kind = kinds[0]
            hints.append("Accepts: " + " | ".join(kinds))
        if kind is None:
            kind = (
                "object" if "properties" in schema
                else "array" if "items" in schema or "prefixItems" in schema
                else "string" if depth
                else None
            )  # fmt: skip
        if kind is not None:
            out = {"type": kind, **out}
        if nullable:
            out["nullable"] = True
        self._children(schema, kind, out, hints, seen=seen, depth=depth)
        _scalars(schema, kind, out, hints)
        return _described(out, description, hints)

    def _resolve(
        self, schema: Schema, seen: tuple[str, ...], hints: list[str]
    ) -> tuple[Schema, tuple[str, ...]]:
        for _ in range(DEPTH):
            reference = schema.get("$ref")
            if not isinstance(reference, str):
                return schema, seen
            siblings = {k: v for k, v in schema.items() if k != "$ref"}
            name = reference.rsplit("/", 1)[-1]
            target = self.lookup(reference)
            if target is None or reference in seen:
                hints.append(f"See: {name}")
                return {"type": "object", **siblings}, seen
            seen = (*seen, reference)
            schema = {**target, **siblings}
        return {"type": "object"}, seen

    def lookup(self, reference: str) -> Schema | None:
        """Return what a reference inside the document leads to."""
        if not reference.startswith("#"):
            return None
        node: Any = self._document
        for step in unquote(reference[1:]).split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            if isinstance(node, list):
                node = node[int(key)] if key.isdecimal() and int(key) < len(node) else None
            else:
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
            resolved = self._merge(resolved, seen, depth + 1) if depth < DEPTH else resolved
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

    def _union(self, schema: Schema, out: Schema, seen: tuple[str, ...], depth: int) -> None:
        """Write `anyOf`, or the one alternative there is; nothing when there is none."""
        branches = [b for k in ("anyOf", "oneOf") for b in schema.get(k) or () if b is not False]
        # What stands beside the alternatives holds for each of them, and some deployments take
        # nothing beside `anyOf`.
        siblings = {
            k: v
            for k, v in schema.items()
            if k not in ("anyOf", "oneOf", "description", "nullable", "$defs", "definitions")
        }
        cleaned: list[Schema] = []
        null = False
        for branch in branches:
            if _only_null(branch):
                null = True
                continue
            one = self.node(*self._with_siblings(branch, siblings, seen), depth + 1)
            null = bool(one.pop("nullable", False)) or null
            if one.get("type") == "null":
                null = True
                continue
            cleaned += list(one.pop("anyOf", [one]))
        cleaned = [one for n, one in enumerate(cleaned) if one not in cleaned[:n]]
        if len(cleaned) == 1:
            out.update(cleaned[0])
        elif cleaned:
            out["anyOf"] = cleaned
        if null and cleaned:
            out["nullable"] = True

    def _with_siblings(
        self, branch: Any, siblings: Schema, seen: tuple[str, ...]
    ) -> tuple[Any, tuple[str, ...]]:
        if not siblings:
            return branch, seen
        if not isinstance(branch, dict):
            return siblings, seen
        branch, seen = self._resolve(branch, seen, [])
        merged = {**siblings, **branch}
        if "properties" in siblings and "properties" in branch:
            merged["properties"] = {**siblings["properties"], **branch["properties"]}
        if "required" in siblings and "required" in branch:
            merged["required"] = list(dict.fromkeys([*siblings["required"], *branch["required"]]))
        return merged, seen

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
        if kind == "object":
            properties = schema.get("properties")
            if isinstance(properties, dict):
                given = schema.get("required")
                required = [r for r in given if r in properties] if isinstance(given, list) else []
                kept: Schema = {}
                for name, sub in properties.items():
                    if sub is not False:
                        kept[name] = self.node(sub, seen, depth + 1)
                out["properties"] = kept
                required = [r for r in dict.fromkeys(required) if r in kept]
                if required:
                    out["required"] = required
            elif depth == 0:
                out["properties"] = {}
            if depth and schema.get("additionalProperties") is False:
                hints.append("No extra properties allowed")
        if kind == "array":
            out["items"] = self._items(schema, seen, depth)

    def _items(self, schema: Schema, seen: tuple[str, ...], depth: int) -> Schema:
        items = schema.get("items")
        # One schema per place is more than the target can say.
        several = items if isinstance(items, list) else schema.get("prefixItems")
        if several:
            return self.node({"anyOf": several}, seen, depth + 1)
        if isinstance(items, dict) and items:
            return self.node(items, seen, depth + 1)
        return {"type": "string"}


def _type(schema: Schema) -> tuple[str | None, bool, list[str]]:
    """Return the single type, whether null is allowed, and the types when there are several."""
    kind = schema.get("type")
    if isinstance(kind, str):
        lowered = kind.lower()
        return (lowered if lowered in TYPES else None), False, []
    if isinstance(kind, list):
        names = [k.lower() for k in kind if isinstance(k, str) and k.lower() in TYPES]
        plain = [k for k in dict.fromkeys(names) if k != "null"]
        if len(plain) <= 1:
            return (plain[0] if plain else "string"), "null" in names, []
        return None, "null" in names, plain
    return None, False, []


def _only_null(branch: Any) -> bool:
    if not isinstance(branch, dict):
        return False
    values = _enum(branch)
    if values is not None:
        return all(v is None for v in values) and bool(values)
    return branch.get("type") in ("null", ["null"])


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
    for key in _HINTED:
        value = schema.get(key)
        if value is not None and (value is not False or key == "default"):
            hints.append(f"{key}: {_text(value)}")
    for key in _TOLD:
        told = f"{key}: {_text(schema[key])}" if schema.get(key) else ""
        if 0 < len(told) <= _TOLD_LIMIT:
            hints.append(told)


def _described(out: Schema, description: Any, hints: list[str]) -> Schema:
    text = description if isinstance(description, str) else out.get("description", "")
    for hint in hints:
        # Once only, so that cleaning a cleaned schema changes nothing.
        if f"({hint})" not in text:
            text = f"{text} ({hint})".strip()
    if text:
        out["description"] = text
    return out


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
    schema = repaired(schema, wrap=True)
    if not any(k in schema for k in ("type", "anyOf", "oneOf", "allOf", "$ref")):
        schema = {"type": "object", "properties": {}, **schema}
    cleaned: Schema = _json_node(schema, _Cleaner(schema), 0)
    return cleaned


def _json_node(schema: Any, document: _Cleaner, depth: int) -> Any:
    if schema is True:
        return {}
    if not isinstance(schema, dict) or depth > DEPTH:
        return schema
    out: Schema = {}
    for key, value in schema.items():
        if key in _JSON_DROPPED or key.startswith("x-"):
            continue
        match key:
            case "properties" | "$defs" | "definitions":
                out[key] = {
                    name: _json_node(sub, document, depth + 1)
                    for name, sub in value.items()
                    if sub is not False
                }
            case "anyOf" | "oneOf" | "allOf" | "prefixItems":
                out[key] = [_json_node(sub, document, depth + 1) for sub in value]
            case "items" | "additionalProperties" | "not" | "if" | "then" | "else":
                out[key] = (
                    [_json_node(sub, document, depth + 1) for sub in value]
                    if isinstance(value, list)
                    else value
                    if isinstance(value, bool)
                    else _json_node(value, document, depth + 1)
                )
            case "$ref":
                if document.lookup(value) is not None:
                    out[key] = value
                else:
                    out.setdefault("type", "object")
            case _:
                out[key] = value
    required = out.pop("required", [])
    if "properties" in out:
        required = [name for name in required if name in out["properties"]]
    if required:
        out["required"] = required
    return out

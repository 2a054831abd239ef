"""JSON Schema, reduced to what a target takes."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cliproxy.ir.schema_clean import (
    coerce_arguments,
    for_anthropic,
    for_gemini,
    for_gemini_json,
    for_openai,
    satisfies_openai_strict,
    stringified_enums,
)

NO_ARGUMENTS = {"type": "object", "properties": {}}
TARGETS = [for_gemini, for_gemini_json, for_anthropic, for_openai]


def props(**properties) -> dict:
    return {"type": "object", "properties": properties}


# ---- anything at all --------------------------------------------------------------------------
NAMES = st.sampled_from(["a", "b", "type", "title", "enum", "$ref", "required", "properties"])
DATA = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "x", "string", "object"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
TYPES = st.sampled_from(
    ["string", "number", "integer", "boolean", "array", "object", "null", "OBJECT", "STRING"]
)
REFS = st.sampled_from(["#/$defs/P", "#", "#/$defs/Q", "http://x", "#/properties/a/anyOf/0"])


def node(inner):
    subs = st.lists(inner, max_size=3)
    named = st.dictionaries(NAMES, inner, max_size=3)
    return st.fixed_dictionaries(
        {},
        optional={
            "type": TYPES | st.lists(TYPES, max_size=3),
            "properties": named | st.none(),
            "required": st.lists(NAMES, max_size=3) | st.booleans(),
            "items": inner | subs,
            "prefixItems": subs,
            "anyOf": subs,
            "oneOf": subs,
            "allOf": subs,
            "not": inner,
            "if": inner,
            "then": inner,
            "else": inner,
            "additionalProperties": inner,
            "patternProperties": named,
            "enum": st.lists(st.sampled_from(["a", "", None, 1, 2.5, True]), max_size=3),
            "const": st.sampled_from(["a", None, 3]),
            "format": st.sampled_from(["date-time", "uuid", "int32"]),
            "description": st.sampled_from(["text", ""]),
            "default": DATA,
            "minimum": st.integers(0, 3),
            "minLength": st.integers(0, 3),
            "exclusiveMinimum": st.booleans() | st.integers(0, 2),
            "nullable": st.booleans(),
            "$ref": REFS,
            "$defs": st.dictionaries(st.sampled_from(["P", "Q"]), inner, max_size=2),
            "$schema": st.just("s"),
            "x-own": DATA,
            "propertyOrdering": st.lists(NAMES, max_size=2),
        },
    )


SCHEMAS = st.recursive(st.booleans() | st.just({}), node, max_leaves=10)
KEYWORDS = st.sampled_from(
    ["type", "properties", "required", "items", "anyOf", "allOf", "enum", "const", "$ref", "$defs",
     "then", "additionalProperties", "description", "format", "nullable", "propertyOrdering", "a"]
)  # fmt: skip
BROKEN = st.recursive(
    DATA, lambda inner: st.dictionaries(KEYWORDS, inner, max_size=4), max_leaves=8
)


@pytest.mark.parametrize("clean", TARGETS)
@given(schema=SCHEMAS | BROKEN)
def test_cleaning_never_fails_nor_touches_its_input_and_twice_is_once(clean, schema):
    before = copy.deepcopy(schema)
    once = clean(schema)
    assert schema == before
    assert isinstance(once, dict)
    assert clean(once) == once


SUBSET = {
    "type", "format", "description", "nullable", "enum", "items", "properties", "required",
    "anyOf", "minItems", "maxItems", "minProperties", "maxProperties", "minimum", "maximum",
    "propertyOrdering",
}  # fmt: skip


def walk(schema: dict):
    yield schema
    for sub in [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]:
        yield from walk(sub)
    if "items" in schema:
        yield from walk(schema["items"])


@given(SCHEMAS | BROKEN)
def test_gemini_gets_its_subset_and_nothing_else(schema):
    for sub in walk(for_gemini(schema)):
        assert set(sub) <= SUBSET
        assert "anyOf" in sub or isinstance(sub["type"], str)
        assert not ({"properties", "required"} & set(sub)) or sub["type"] == "object"
        assert ("items" in sub) == (sub.get("type") == "array")
        assert set(sub.get("required", ())) <= set(sub.get("properties", ()))
        assert not sub.get("enum") or sub["type"] == "string"
        assert all(isinstance(value, str) and value for value in sub.get("enum", ()))
        assert not set(sub) - {"anyOf", "description", "nullable"} or "anyOf" not in sub


@given(SCHEMAS | BROKEN)
def test_anthropic_gets_an_object_without_unions_at_the_root(schema):
    root = for_anthropic(schema)
    assert root["type"] == "object"
    assert isinstance(root["properties"], dict)
    assert not {"anyOf", "oneOf", "allOf"} & set(root)


# ---- tables -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("schema", "cleaned"),
    [
        pytest.param(None, NO_ARGUMENTS, id="missing"),
        pytest.param("x", NO_ARGUMENTS, id="not-an-object"),
        pytest.param({}, NO_ARGUMENTS, id="empty"),
        pytest.param({"properties": None}, NO_ARGUMENTS, id="edge-150-null-properties"),
        pytest.param(
            props(n={"enum": [0, 1, 2]}),
            props(n={"type": "string", "enum": ["0", "1", "2"]}),
            id="edge-141-number-enum",
        ),
        pytest.param(
            props(n={"type": "string", "enum": ["a", "", None]}),
            props(n={"type": "string", "enum": ["a"], "nullable": True}),
            id="edge-141-null-and-empty-enum",
        ),
        pytest.param(
            props(n={"const": True}),
            props(n={"type": "string", "enum": ["true"]}),
            id="const",
        ),
        pytest.param(
            props(n={"type": ["string", "null"]}),
            props(n={"type": "string", "nullable": True}),
            id="edge-142-type-or-null",
        ),
        pytest.param(
            props(n={"type": ["integer", "string"]}),
            props(n={"type": "integer", "description": "(Accepts: integer | string)"}),
            id="several-types",
        ),
        pytest.param(
            props(n={"anyOf": [props(x={"type": "number"}), {"type": "null"}]}),
            props(n={**props(x={"type": "number"}), "nullable": True}),
            id="edge-143-nullable-object",
        ),
        pytest.param(
            props(
                n={
                    "description": "d",
                    "properties": {"a": {"type": "string"}},
                    "required": ["a"],
                    "anyOf": [props(b={"type": "string"}), {"required": ["b"]}],
                }
            ),
            props(
                n={
                    "anyOf": [
                        {**props(a={"type": "string"}, b={"type": "string"}), "required": ["a"]},
                        {**props(a={"type": "string"}), "required": ["a"]},
                    ],
                    "description": "d",
                }
            ),
            id="what-stands-beside-alternatives-moves-into-them",
        ),
        pytest.param(
            props(n={"properties": {"a": {"type": "string"}}, "oneOf": [props(b={"type": "number"})]}),
            props(n=props(a={"type": "string"}, b={"type": "number"})),
            id="one-alternative-is-the-schema",
        ),
        pytest.param(
            {
                **props(p={"$ref": "#/$defs/P", "description": "own"}),
                "$defs": {"P": {**props(x={"type": "number"}), "description": "theirs"}},
            },
            props(p={**props(x={"type": "number"}), "description": "own"}),
            id="edge-144-ref-inlined",
        ),
        pytest.param(
            {**props(p={"$ref": "#/$defs/N"}), "$defs": {"N": props(next={"$ref": "#/$defs/N"})}},
            props(p=props(next={"type": "object", "description": "(See: N)"})),
            id="edge-144-recursion-is-cut",
        ),
        pytest.param(
            props(a={"anyOf": [{"type": "number"}]}, b={"$ref": "#/properties/a/anyOf/0"}),
            props(a={"type": "number"}, b={"type": "number"}),
            id="edge-144-ref-into-a-list",
        ),
        pytest.param(
            {**props(p={"$ref": "#/$defs/a~1b%20c"}), "$defs": {"a/b c": {"type": "number"}}},
            props(p={"type": "number"}),
            id="edge-144-escaped-ref",
        ),
        pytest.param(
            props(p={"$ref": "https://x/y"}),
            props(p={"type": "object", "description": "(See: y)"}),
            id="ref-to-elsewhere",
        ),
        pytest.param(
            {
                "$schema": "s", "title": "T", "additionalProperties": False, "x-a": 1,
                **props(
                    o={"type": "object", "properties": {}, "additionalProperties": False},
                    n={"type": "string", "minLength": 1, "format": "uuid", "default": "a",
                       "examples": ["b"]},
                    d={"type": "string", "format": "date-time"},
                ),
            },
            {
                **props(
                    o={"type": "object", "properties": {},
                       "description": "(No extra properties allowed)"},
                    n={"type": "string",
                       "description": "(format: uuid) (minLength: 1) (default: a)"},
                    d={"type": "string", "format": "date-time"},
                ),
            },
            id="edge-145-what-is-not-taken-is-told",
        ),
        pytest.param(
            {**props(a={"type": "string"}), "required": ["a", "ghost", "a"]},
            {**props(a={"type": "string"}), "required": ["a"]},
            id="edge-146-required",
        ),
        pytest.param(
            props(
                **{
                    name: {"type": "string"}
                    for name in ("type", "title", "format", "enum", "$ref", "required", "properties")
                }
            ),
            props(
                **{
                    name: {"type": "string"}
                    for name in ("type", "title", "format", "enum", "$ref", "required", "properties")
                }
            ),
            id="edge-147-properties-named-like-keywords",
        ),
        pytest.param(
            props(a={"type": "string", "required": True}, b={"type": "string", "required": False}),
            {**props(a={"type": "string"}, b={"type": "string"}), "required": ["a"]},
            id="edge-150-draft-3",
        ),
        pytest.param(
            {"city": {"type": "string"}},
            props(city={"type": "string"}),
            id="edge-150-bare-property-map",
        ),
        pytest.param(
            {
                "allOf": [
                    {**props(a={"type": "string"}), "required": ["a"], "description": "x"},
                    {**props(a={"type": "number"}, b={"type": "number"}), "description": "y"},
                ]
            },
            {
                **props(a={"type": "string"}, b={"type": "number"}),
                "required": ["a"],
                "description": "x y",
            },
            id="all-of-is-merged",
        ),
        pytest.param(
            {**props(a={"type": "string"}), "if": {}, "then": props(b={"type": "number"})},
            props(a={"type": "string"}, b={"type": "number"}),
            id="conditional-properties-are-optional",
        ),
        pytest.param(
            props(
                a={"type": "array"},
                b={"type": "array", "items": True},
                c={"type": "array", "items": [{"type": "number"}, {"type": "string"}]},
                d={"prefixItems": [{"type": "number"}]},
            ),
            props(
                a={"type": "array", "items": {"type": "string"}},
                b={"type": "array", "items": {"type": "string"}},
                c={"type": "array", "items": {"anyOf": [{"type": "number"}, {"type": "string"}]}},
                d={"type": "array", "items": {"type": "number"}},
            ),
            id="items",
        ),
        pytest.param(
            props(a=True, b=False, c={}, d={"description": "any"}),
            props(a={"type": "string"}, c={"type": "string"}, d={"type": "string", "description": "any"}),
            id="boolean-and-empty-schemas",
        ),
        pytest.param(
            {"type": "OBJECT", "properties": {"a": {"type": "STRING", "nullable": True}}},
            props(a={"type": "string", "nullable": True}),
            id="edge-152-upper-case",
        ),
    ],
)  # fmt: skip
def test_gemini_parameters(schema, cleaned):
    assert for_gemini(schema) == cleaned


@pytest.mark.parametrize(
    ("schema", "cleaned"),
    [
        pytest.param(None, NO_ARGUMENTS, id="missing"),
        pytest.param(
            {
                "$schema": "s", "$id": "i", **props(a={"type": "STRING", "x-b": 1, "readOnly": True}),
                "additionalProperties": False, "required": ["a", "ghost"],
            },
            {**props(a={"type": "string"}), "additionalProperties": False, "required": ["a"]},
            id="annotations-go",
        ),
        pytest.param(
            {**props(a={"$ref": "#/$defs/P"}, b={"$ref": "#/$defs/gone"}), "$defs": {"P": {"type": "number"}}},
            {**props(a={"$ref": "#/$defs/P"}, b={"type": "object"}), "$defs": {"P": {"type": "number"}}},
            id="references-stay-when-they-lead-somewhere",
        ),
        pytest.param(
            props(a={"type": ["string", "null"], "minLength": 1, "default": "x", "enum": [1]}),
            props(a={"type": ["string", "null"], "minLength": 1, "default": "x", "enum": [1]}),
            id="constraints-stay",
        ),
    ],
)  # fmt: skip
def test_gemini_json_schema(schema, cleaned):
    assert for_gemini_json(schema) == cleaned


@pytest.mark.parametrize(
    ("schema", "cleaned"),
    [
        pytest.param(None, NO_ARGUMENTS, id="missing"),
        pytest.param({"properties": {}}, NO_ARGUMENTS, id="type-added"),
        pytest.param(
            {
                "anyOf": [
                    {**props(a={"type": "string"}), "required": ["a"]},
                    {**props(b={"type": "string"}), "required": ["b"]},
                ],
                **props(a={"type": "number"}),
            },
            props(a={"type": "number"}, b={"type": "string"}),
            id="edge-149-alternatives",
        ),
        pytest.param(
            {
                "allOf": [
                    {**props(a={"type": "string"}), "required": ["a"]},
                    {**props(b={"type": "string"}), "required": ["b"]},
                ]
            },
            {**props(a={"type": "string"}, b={"type": "string"}), "required": ["a", "b"]},
            id="edge-149-all-of",
        ),
        pytest.param(
            props(a={"anyOf": [{"type": "string"}, {"$ref": "#/$defs/P"}]}),
            props(a={"anyOf": [{"type": "string"}, {"$ref": "#/$defs/P"}]}),
            id="nested-unions-and-references-stay",
        ),
        pytest.param(
            {"type": "OBJECT", "propertyOrdering": ["a"],
             "properties": {"a": {"type": "STRING", "nullable": True, "enum": ["x"]}}},
            props(a={"type": ["string", "null"], "enum": ["x", None]}),
            id="edge-152-from-gemini",
        ),
        pytest.param(
            {"type": ["object", "null"], "properties": {}}, NO_ARGUMENTS, id="type-list"
        ),
        pytest.param({"required": True, "properties": []}, NO_ARGUMENTS, id="edge-150-malformed"),
    ],
)  # fmt: skip
def test_anthropic_input_schema(schema, cleaned):
    assert for_anthropic(schema) == cleaned


@pytest.mark.parametrize(
    ("schema", "cleaned"),
    [
        pytest.param(None, NO_ARGUMENTS, id="missing"),
        pytest.param({}, NO_ARGUMENTS, id="empty"),
        pytest.param(
            props(a={"type": "object"}, b={"type": "array", "items": {"type": "object"}}),
            props(a=NO_ARGUMENTS, b={"type": "array", "items": NO_ARGUMENTS}),
            id="edge-151-at-every-level",
        ),
        pytest.param(
            {"type": "OBJECT", "properties": {"a": {"type": "INTEGER", "nullable": True,
                                                    "example": 1}}},
            props(a={"type": ["integer", "null"]}),
            id="edge-152-from-gemini",
        ),
        pytest.param({"anyOf": [NO_ARGUMENTS]}, {"anyOf": [NO_ARGUMENTS]}, id="union-root-stays"),
    ],
)  # fmt: skip
def test_openai_parameters(schema, cleaned):
    assert for_openai(schema) == cleaned


def test_the_order_of_keys_is_kept():
    schema = props(z={"type": "string"}, a={"type": "string"}, m={"type": "string"})
    for clean in TARGETS:
        assert list(clean(schema)["properties"]) == ["z", "a", "m"]


def test_references_cannot_multiply_a_small_document_without_end():
    defs = {f"D{n}": props(a={"$ref": f"#/$defs/D{n + 1}"}, b={"$ref": f"#/$defs/D{n + 1}"})
            for n in range(60)}  # fmt: skip
    cleaned = for_gemini({**props(p={"$ref": "#/$defs/D0"}), "$defs": defs})
    assert sum(1 for _ in walk(cleaned)) < 100_000


def test_depth_beyond_reason_is_cut_not_a_crash():
    schema: dict = {"type": "string"}
    for _ in range(300):
        schema = props(a=schema)
    for clean in TARGETS:
        assert clean(schema)["type"] == "object"


STRICT = {**props(a={"type": "string"}), "required": ["a"], "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (STRICT, True),
        (props(), False),
        ({**props(), "additionalProperties": False}, True),
        ({**STRICT, "required": []}, False),
        ({**STRICT, "additionalProperties": True}, False),
        ({**STRICT, "properties": {"a": props()}}, False),
        ({**STRICT, "properties": {"a": STRICT}}, True),
        ({**STRICT, "properties": {"a": {"oneOf": [{"type": "string"}]}}}, False),
        ({**STRICT, "properties": {"a": {"anyOf": [{"type": "string"}]}}}, True),
        ({**STRICT, "$defs": {"P": props()}}, False),
        ({"type": "array"}, False),
        (None, False),
    ],
)
def test_what_satisfies_strict(schema, strict):
    assert satisfies_openai_strict(schema) is strict


@pytest.mark.parametrize(
    ("schema", "args", "back"),
    [
        (props(a={"enum": [1, 2]}), '{"a":"2"}', '{"a":2}'),
        (props(a={"const": True}), '{"a":"true"}', '{"a":true}'),
        (props(a={"enum": [1.5, "x"]}), '{"a":"1.5"}', '{"a":1.5}'),
        (props(a={"enum": [1, "1"]}), '{"a":"1"}', '{"a":"1"}'),
        (props(a={"enum": [1]}), '{"a":"3"}', '{"a":"3"}'),
        (props(a={"enum": [1]}), '{"a":1, "b": "1"}', '{"a":1, "b": "1"}'),
        (props(a={"items": {"enum": [1]}}), '{"a":["1","x"]}', '{"a":[1,"x"]}'),
        (props(a=props(b={"enum": [0]})), '{"a":{"b":"0"}}', '{"a":{"b":0}}'),
        (props(a={"enum": [1]}), '{"a":"1"', '{"a":"1"'),
        (props(a={"type": "string"}), '{"a":"1","n":12345678901234567890}',
         '{"a":"1","n":12345678901234567890}'),
        (None, '{"a":"1"}', '{"a":"1"}'),
        (props(a={"enum": [1]}), "", ""),
    ],
)  # fmt: skip
def test_enum_values_come_back_in_their_declared_type(schema, args, back):
    assert coerce_arguments(args, schema) == back


SCALARS = st.integers(-5, 5) | st.booleans() | st.sampled_from(["a", "b", "7"])


@given(st.lists(SCALARS, min_size=1, max_size=4), st.data())
def test_what_gemini_is_told_to_answer_comes_back_as_declared(values, data):
    schema = props(a={"enum": values})
    strings = for_gemini(schema)["properties"]["a"]["enum"]
    picked = data.draw(st.sampled_from(strings))
    value = json.loads(coerce_arguments(json.dumps({"a": picked}), schema))["a"]
    assert any(value is v or (value == v and type(value) is type(v)) for v in values)
    assert stringified_enums(schema) is any(not isinstance(v, str) for v in values)

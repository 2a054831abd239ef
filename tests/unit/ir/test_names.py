"""Tool names and call ids, made legal for a target and back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cliproxy.ir.names import (
    ANTHROPIC,
    GEMINI,
    OPENAI,
    NameMap,
    NameRules,
    custom_args,
    custom_as_function,
    flat_name,
    positional_id,
    restore_for,
    safe_id,
)
from cliproxy.ir.request import (
    Custom,
    Function,
    IRRequest,
    Message,
    Text,
    ToolCall,
    ToolChoice,
    ToolKey,
    ToolResult,
)
from cliproxy.ir.restore import Restored

LEGAL = {
    "openai": (OPENAI, re.compile(r"[A-Za-z0-9_-]{1,64}")),
    "anthropic": (ANTHROPIC, re.compile(r"[A-Za-z0-9_-]{1,64}")),
    "gemini": (GEMINI, re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}")),
    "short": (NameRules(limit=24), re.compile(r"[A-Za-z0-9_-]{1,24}")),
}
TEXT = st.text(st.characters(exclude_categories=()), max_size=12)
NAMES = st.one_of(
    TEXT,
    st.text("ab_-.: 9/", min_size=1, max_size=6),
    st.text("ab.", min_size=60, max_size=80),
    st.builds("mcp__{}__{}".format, st.text("ab", max_size=70), st.text("xy.", max_size=9)),
)
KEYS = st.lists(
    st.builds(ToolKey, NAMES, st.none() | st.sampled_from(["ns", "other__", "a b"])),
    max_size=6,
    unique_by=lambda key: (key.name, key.namespace),
)


@pytest.mark.parametrize("target", LEGAL)
@given(keys=KEYS)
def test_every_name_becomes_legal_unique_and_finds_its_way_back(target, keys):
    rules, legal = LEGAL[target]
    names = NameMap(keys, rules)
    mapped = {key: names.to_target(key.name, key.namespace) for key in keys}
    assert all(legal.fullmatch(name) for name in mapped.values())
    assert len(set(mapped.values())) == len(keys)
    back = names.reverse()
    for key, name in mapped.items():
        assert back.get(name, ToolKey(name)) == key


@given(keys=KEYS, seed=st.randoms(use_true_random=False))
def test_the_order_of_declaration_does_not_matter(keys, seed):
    shuffled = list(keys)
    seed.shuffle(shuffled)
    one, two = NameMap(keys, OPENAI), NameMap(shuffled, OPENAI)
    for key in keys:
        assert one.to_target(key.name, key.namespace) == two.to_target(key.name, key.namespace)


@given(st.text("abcXYZ019_-", min_size=1, max_size=64))
def test_a_legal_name_maps_to_itself(name):
    names = NameMap([ToolKey(name)], OPENAI)
    assert names.to_target(name) == name
    assert names.reverse() == {}


@pytest.mark.parametrize(
    ("rules", "name", "expected"),
    [
        (OPENAI, "get weather", "get_weather"),
        (OPENAI, "functions.Bash", "functions_Bash"),
        (GEMINI, "functions.Bash:0", "functions.Bash:0"),
        (GEMINI, "9lives/get it", "_9lives_get_it"),
        (GEMINI, "-x", "_-x"),
        (OPENAI, "9lives", "9lives"),
        (OPENAI, "wetter_für_heute", "wetter_f_r_heute"),
        (OPENAI, "", "_"),
    ],
)
def test_bad_characters_become_underscores(rules, name, expected):
    assert NameMap([ToolKey(name)], rules).to_target(name) == expected


@pytest.mark.parametrize(
    ("name", "start"),
    [
        pytest.param("x" * 80, "x" * 55 + "_", id="edge-99-head"),
        pytest.param("mcp__" + "s" * 80 + "__list_files", "mcp__list_files_", id="edge-99-mcp"),
        pytest.param("mcp__s__" + "t" * 80, "mcp__s__" + "t" * 47 + "_", id="edge-99-long-tail"),
    ],
)
def test_a_long_name_keeps_its_telling_part_and_a_hash(name, start):
    mapped = NameMap([ToolKey(name)], OPENAI).to_target(name)
    assert mapped.startswith(start)
    assert re.fullmatch(r"[0-9a-f]{8}", mapped.removeprefix(start))
    assert mapped == NameMap([ToolKey(name)], OPENAI).to_target(name)


def test_edge_100_colliding_names_are_told_apart_and_restored():
    keys = [ToolKey("a.b"), ToolKey("a:b"), ToolKey("a_b")]
    names = NameMap(keys, OPENAI)
    mapped = [names.to_target(key.name) for key in keys]
    assert mapped[2] == "a_b", "a name that is legal already is left to its owner"
    assert len(set(mapped)) == 3
    assert [names.reverse().get(name) for name in mapped] == [keys[0], keys[1], None]


@pytest.mark.parametrize(
    ("name", "namespace", "flat"),
    [
        ("f", None, "f"),
        ("f", "ns", "ns__f"),
        ("f", "ns__", "ns__f"),
        ("ns__f", "ns", "ns__f"),
        ("mcp__s__f", "ns", "mcp__s__f"),
    ],
)
def test_edge_113_namespaces_are_flattened_once(name, namespace, flat):
    assert flat_name(name, namespace) == flat


def request(**more) -> IRRequest:
    return IRRequest("m", "openai-responses", **{"messages": (), **more})


def test_the_map_covers_declarations_history_and_choice():
    req = request(
        tools=(Function("a.1"), Custom("b.1"), Function("c.1", namespace="ns")),
        messages=(
            Message(
                "assistant", (Text("x"), ToolCall("i", "d.1"), ToolCall("j", "s", kind="server"))
            ),
            Message("user", (ToolResult("i", name="e.1"), ToolResult("j"))),
        ),
        tool_choice=ToolChoice("allowed", (ToolKey("f.1"), ToolKey("srv.1", kind="server"))),
    )
    back = NameMap.of(req, OPENAI).reverse()
    assert {name: (key.name, key.namespace, key.kind) for name, key in back.items()} == {
        "a_1": ("a.1", None, "function"),
        "b_1": ("b.1", None, "custom"),
        "ns__c_1": ("c.1", "ns", "function"),
        "d_1": ("d.1", None, "function"),
        "e_1": ("e.1", None, "function"),
        "f_1": ("f.1", None, "function"),
    }


def test_a_result_that_names_a_namespaced_tool_by_its_flat_name_means_that_tool():
    req = request(
        tools=(Function("f", namespace="ns"),),
        messages=(Message("user", (ToolResult("i", name="ns__f"),)),),
    )
    names = NameMap.of(req, OPENAI)
    assert names.to_target("f", "ns") == names.to_target("ns__f") == "ns__f"
    assert names.reverse() == {"ns__f": ToolKey("f", "ns")}


def test_a_name_never_seen_is_mapped_by_the_same_rule():
    assert NameMap([], OPENAI).to_target("new.tool") == "new_tool"


# ---- ids --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("original", "extra", "same"),
    [
        ("call_abc-123", "_-", True),
        ("toolu_01", "_-", True),
        ("x" * 64, "_-", True),
        ("x" * 65, "_-", False),
        ("", "_-", False),
        ("a|b", "_-", False),
        ("a.b:c", "_-.:", True),
        ("ü", "_-", False),
        ("²", "_-", False),
    ],
)
def test_a_legal_id_passes_unchanged(original, extra, same):
    assert (safe_id(original, extra=extra) == original) is same


@given(st.lists(TEXT | st.text("ab.:|", max_size=90), unique=True, max_size=6))
def test_edge_97_ids_become_legal_and_stay_distinct(originals):
    mapped = [safe_id(original) for original in originals]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", one) for one in mapped)
    assert len(set(mapped)) == len(originals)
    assert [safe_id(one) for one in mapped] == mapped, "mapping a mapped id changes nothing"


def test_edge_98_a_long_id_is_shortened_the_same_everywhere():
    long = "call_" + "x" * 100
    assert safe_id(long) == safe_id(long)
    assert len(safe_id(long)) == 64
    assert len(safe_id(long, limit=40)) == 40


@given(st.integers(0, 9), st.integers(0, 9), TEXT, TEXT)
def test_edge_95_an_id_from_the_position_is_always_the_same(turn, ordinal, name, args):
    made = positional_id(turn, ordinal, name, args)
    assert re.fullmatch(r"call_[0-9a-f]{24}", made)
    assert made == positional_id(turn, ordinal, name, args)
    assert made != positional_id(turn, ordinal + 1, name, args)
    assert made != positional_id(turn + 1, ordinal, name, args)


# ---- freeform tools ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("description", "format", "text"),
    [
        ("Runs SQL.", None, "Runs SQL."),
        (None, {"type": "text"}, ""),
        (
            "Runs SQL.",
            {"type": "grammar", "syntax": "lark", "definition": "start: X"},
            "Runs SQL.\n\nThe input must match this lark grammar:\nstart: X",
        ),
        (
            None,
            {"type": "grammar", "syntax": "regex", "definition": "a+"},
            "The input must match this regex grammar:\na+",
        ),
    ],
)
def test_edge_112_a_freeform_tool_has_a_function_standing_in(description, format, text):
    found, schema = custom_as_function(description, format)
    assert found == text
    assert schema["type"] == "object"
    assert list(schema["properties"]) == schema["required"] == ["input"]
    assert schema["properties"]["input"]["type"] == "string"


def test_the_arguments_of_the_stand_in_hold_the_input():
    assert custom_args('SELECT "ü"\n2') == '{"input":"SELECT \\"ü\\"\\n2"}'


@pytest.mark.parametrize("native", [False, True])
def test_what_must_be_undone_in_the_answer(native):
    req = request(
        tools=(Function("a.b"), Function("plain"), Function("f", namespace="ns"), Custom("run sql"))
    )
    restore = restore_for(req, NameMap.of(req, OPENAI), custom_tools=native)
    assert restore.tools == {
        "a_b": Restored("a.b"),
        "ns__f": Restored("f", "ns"),
        "run_sql": Restored("run sql", custom=not native),
    }


def test_a_plain_tool_with_the_flat_name_of_a_namespaced_one_keeps_it():
    plain, child = Function("ns__f"), Function("f", namespace="ns")
    req = IRRequest(model="m", source="openai-responses", messages=(), tools=(child, plain))
    names = NameMap.of(req, OPENAI)
    assert names.to_target("ns__f") == "ns__f"
    assert names.to_target("f", "ns") != "ns__f"
    assert names.reverse()[names.to_target("f", "ns")] == ToolKey("f", "ns")

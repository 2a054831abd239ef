"""Payload rules: which are understood, which requests they are for, and what they do."""

import copy
import json
from pathlib import Path

import pytest

from cliproxy.base.json import dumps
from cliproxy.config.load import load_text
from cliproxy.config.payload import compile_rules
from cliproxy.pipeline.rewrite import Context, apply, apply_to_bytes

CONTEXT = Context(
    models=("gpt-up", "team/alias", "team/alias(high)"),
    protocols=("openai-response", "codex"),
    from_protocols=("claude",),
    headers={"user-agent": "tool/1.2", "x-tier": "gold"},
)
ALL = [{"name": "*"}]


def rules(**kinds):
    """Rules for all requests, kind → params; several rules of a kind as a list of params."""
    written = {}
    for kind, params in kinds.items():
        several = params if isinstance(params, list) and kind != "filter" else [params]
        written[kind.replace("_", "-")] = [{"models": ALL, "params": one} for one in several]
    compiled = compile_rules(written)
    assert compiled.faults == []
    return compiled.rules


def applied(found, body):
    return apply(found, copy.deepcopy(body), CONTEXT)


EFFECTS = [
    ("a default sets what is missing", {"default": {"a.b": 1}}, {}, {"a": {"b": 1}}),
    ("a default leaves what is there", {"default": {"a": 1}}, {"a": 2}, {"a": 2}),
    ("null is there", {"default": {"a": 1}}, {"a": None}, {"a": None}),
    ("false is there", {"default": {"a": 1}}, {"a": False}, {"a": False}),
    ("a default does not replace what is on its way", {"default": {"a.b": 1}}, {"a": "x"}, {"a": "x"}),
    ("null on its way gives way", {"default": {"a.b": 1}}, {"a": None}, {"a": {"b": 1}}),
    ("the first default wins", {"default": [{"a": 1}, {"a": 2, "b": 2}]}, {}, {"a": 1, "b": 2}),
    ("a plain default wins over a raw one", {"default_raw": {"a": "2"}, "default": {"a": 1}}, {}, {"a": 1}),
    ("a default may add an element", {"default": {"t.-1": 1}}, {"t": [0]}, {"t": [0, 1]}),
    ("a default for each element that lacks it", {"default": {"t.#(k)#.v": 1}},
     {"t": [{"k": 1, "v": 0}, {"k": 2}]}, {"t": [{"k": 1, "v": 0}, {"k": 2, "v": 1}]}),
    ("an override replaces", {"override": {"a": 1}}, {"a": 2, "b": 3}, {"a": 1, "b": 3}),
    ("an override replaces what is on its way", {"override": {"a.b": 1}}, {"a": "x"}, {"a": {"b": 1}}),
    ("the last override wins", {"override": [{"a": 1}, {"a": 2}]}, {}, {"a": 2}),
    ("a raw override wins over a plain one", {"override_raw": {"a": "2"}, "override": {"a": 1}}, {}, {"a": 2}),
    ("an override may set null", {"override": {"a": None}}, {"a": 1}, {"a": None}),
    ("an override may set a map", {"override": {"a": {"b": [1]}}}, {"a": 1}, {"a": {"b": [1]}}),
    ("an override of elements that do not exist", {"override": {"t.#(k==2).v": 1}}, {"t": [{"k": 1}]},
     {"t": [{"k": 1}]}),
    ("a filter removes", {"filter": ["a", "b.c", "d"]}, {"a": 1, "b": {"c": 2, "e": 3}}, {"b": {"e": 3}}),
    ("defaults, then overrides, then filters", {"filter": ["a"], "override": {"a": 2, "b": 2},
     "default": {"a": 1, "b": 1, "c": 1}}, {}, {"b": 2, "c": 1}),
    ("a default does not see what an override sets", {"override": {"t": [{"k": 1}]},
     "default": {"t.#(k==1).v": 1}}, {}, {"t": [{"k": 1}]}),
    ("a tool by its type", {"override": {'tools.#(type=="web_search").type': "web_search_preview"}},
     {"tools": [{"type": "function"}, {"type": "web_search", "x": 1}]},
     {"tools": [{"type": "function"}, {"type": "web_search_preview", "x": 1}]}),
    ("a raw text", {"default_raw": {"a": '"x"'}}, {}, {"a": "x"}),
    ("a raw value that is no text", {"override_raw": {"a": 5, "b": True, "c": [1]}}, {},
     {"a": 5, "b": True, "c": [1]}),
]  # fmt: skip


@pytest.mark.parametrize(("kinds", "body", "after"), [e[1:] for e in EFFECTS], ids=[e[0] for e in EFFECTS])  # fmt: skip
def test_effect(kinds, body, after):
    found = rules(**kinds)
    assert applied(found, body) == after
    assert json.loads(apply_to_bytes(found, dumps(body), CONTEXT)) == after


def test_a_raw_number_goes_out_as_it_was_written():
    found = rules(override_raw={"a": '{"x": 1.10, "y": 123456789012345678901}'})
    assert dumps(applied(found, {})) == b'{"a":{"x":1.10,"y":123456789012345678901}}'


MATCHERS = [
    ({"name": "*"}, True),
    ("gpt-*", True),
    ({"name": "gpt-up"}, True),
    ({"name": "team/alias"}, True),
    ({"name": "team/alias(high)"}, True),
    ({"name": "*(high)"}, True),
    ({"name": "GPT-up"}, False),
    ({"name": "gpt"}, False),
    ({"protocol": "codex"}, True),
    ({"protocol": "OpenAI-Response"}, True),
    ({"protocol": "openai-responses"}, True),
    ({"protocol": "responses"}, True),
    ({"protocol": "openai"}, False),
    ({"name": "gpt-up", "protocol": "claude"}, False),
    ({"from-protocol": "claude"}, True),
    ({"from-protocol": "anthropic"}, True),
    ({"from-protocol": "openai"}, False),
    ({"headers": {"User-Agent": "tool/*"}}, True),
    ({"headers": {"User-Agent": "Tool/*"}}, False),
    ({"headers": {"User-Agent": "tool/*", "X-Tier": "silver"}}, False),
    ({"headers": {"X-Other": "*"}}, False),
    ({"match": [{"effort": "low"}]}, True),
    ({"match": {"effort": "low"}}, True),
    ({"match": [{"effort": "Low"}]}, False),
    ({"match": [{"n": 1.0}]}, True),
    ({"match": [{"n": "1"}]}, False),
    ({"match": [{"n": True}]}, False),
    ({"match": [{"on": True}]}, True),
    ({"match": [{"on": 1}]}, False),
    ({"match": [{"n": 1}, {"effort": "high"}]}, False),
    ({"match": [{"missing": None}]}, False),
    ({"match": [{"null": None}]}, True),
    ({"match": [{"list": [1, {"a": 2.0}]}]}, True),
    ({"match": [{"list": [1]}]}, False),
    ({"match": [{"tools.#.type": ["a", "b"]}]}, True),
    ({"match": [{"tools.#": 2}]}, True),
    ({"not-match": [{"effort": "high"}]}, True),
    ({"not-match": [{"effort": "high"}, {"n": 1}]}, False),
    ({"not-match": [{"missing": 1}]}, True),
    ({"exist": ["n", "tools.#(type==a)"]}, True),
    ({"exist": ["n", "missing"]}, False),
    ({"exist": ["null"]}, False),
    ({"exist": "to*"}, True),
    ({"exist": ["tools.#(type==c)#"]}, False),
    ({"not-exist": ["missing", "null"]}, True),
    ({"not-exist": ["n"]}, False),
    ({"name": "gpt-up", "protocol": "codex", "from-protocol": "claude", "exist": ["n"],
      "headers": {"x-tier": "*"}, "match": [{"n": 1}], "not-match": [{"n": 2}]}, True),
]  # fmt: skip


@pytest.mark.parametrize(("matcher", "meant"), MATCHERS, ids=[str(m) for m, _ in MATCHERS])
def test_which_requests_a_matcher_means(matcher, meant):
    compiled = compile_rules({"override": [{"models": [matcher], "params": {"hit": True}}]})
    assert compiled.faults == []
    body = {
        "effort": "low", "n": 1, "on": True, "null": None, "list": [1, {"a": 2}],
        "tools": [{"type": "a"}, {"type": "b"}],
    }  # fmt: skip
    assert ("hit" in applied(compiled.rules, body)) == meant


def test_any_matcher_is_enough():
    written = {"filter": [{"models": ["other", "gpt-up"], "params": ["a"]}]}
    assert applied(compile_rules(written).rules, {"a": 1}) == {}


def test_conditions_are_about_the_request_before_any_rule():
    written = {
        "default": [{"models": ALL, "params": {"a": 1}}],
        "override": [{"models": [{"not-exist": ["a"]}], "params": {"b": 1}}],
        "filter": [{"models": [{"exist": ["b"]}], "params": ["a"]}],
    }
    assert applied(compile_rules(written).rules, {}) == {"a": 1, "b": 1}


@pytest.mark.parametrize("protocol", ["gemini-cli", "antigravity"])
def test_in_an_envelope_paths_begin_inside(protocol):
    context = Context(models=("m",), protocols=(protocol,), from_protocols=("openai",))
    found = rules(override={"a": 1})
    assert apply(found, {"project": "p", "request": {"b": 2}}, context) == {
        "project": "p",
        "request": {"b": 2, "a": 1},
    }


def test_bytes_stay_the_same_object_where_no_rule_applies():
    body = b'{ "model" : "gpt-up", "a": 1.0, "a": 2 }'
    for written in (
        {"override": [{"models": ["other"], "params": {"a": 1}}]},
        {"override": [{"models": [{"exist": ["b"]}], "params": {"a": 1}}]},
        {"default": [{"models": ALL, "params": {"a": 3}}]},
        {"filter": [{"models": ALL, "params": ["b"]}]},
    ):
        compiled = compile_rules(written)
        assert compiled.faults == []
        assert apply_to_bytes(compiled.rules, body, CONTEXT) is body


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'"text"', b"null"])
def test_a_body_that_is_no_object_stays_as_it_is(body):
    assert apply_to_bytes(rules(override={"a": 1}), body, CONTEXT) is body


def test_one_request_does_not_see_what_became_of_anothers_value():
    found = rules(default={"a": {"list": []}})
    first = applied(found, {})
    first["a"]["list"].append(1)
    assert applied(found, {}) == {"a": {"list": []}}


# ---- What the file's owner is told

WRONG = [
    ("payload:\n  overide: []", "payload.overide", 3, "did you mean override?"),
    ("payload:\n  override: {a: 1}", "payload.override", 3, "list of rules"),
    ("payload:\n  override:\n    - x", "payload.override[0]", 4, "models and params"),
    ("payload:\n  override:\n    - params: {a: 1}", "payload.override[0].models", 4, "name: '*'"),
    ("payload:\n  override:\n    - {models: [], params: {a: 1}}", "payload.override[0].models", 4, "name: '*'"),
    ("payload:\n  override:\n    - {models: [{}], params: {a: 1}}", "payload.override[0].models[0]", 4, "name: '*'"),
    ("payload:\n  override:\n    - models: [m]", "payload.override[0].params", 4, "map paths to values"),
    ("payload:\n  override:\n    - {models: [m], params: [a]}", "payload.override[0].params", 4, "map paths"),
    ("payload:\n  filter:\n    - {models: [m], params: {a: 1}}", "payload.filter[0].params", 4, "list of paths"),
    ("payload:\n  filter:\n    - {models: [m], parms: [a], params: [a]}", "payload.filter[0].parms", 4, "did you mean params?"),
    ("payload:\n  filter:\n    - {models: [{nam: m}], params: [a]}", "payload.filter[0].models[0].nam", 4, "did you mean name?"),
    ("payload:\n  filter:\n    - {models: [{protocol: claud}], params: [a]}", "payload.filter[0].models[0].protocol", 4, "did you mean claude?"),
    ("payload:\n  filter:\n    - {models: [{headers: x}], params: [a]}", "payload.filter[0].models[0].headers", 4, "headers"),
    ("payload:\n  filter:\n    - {models: [{match: [x]}], params: [a]}", "payload.filter[0].models[0].match[0]", 4, "map a path"),
    ("payload:\n  filter:\n    - {models: [{exist: [a..b]}], params: [a]}", "payload.filter[0].models[0].exist[0]", 4, "empty step"),
    ("payload:\n  filter:\n    - models: [m]\n      params:\n        - 'a|b'", "payload.filter[0].params[0]", 6, "|"),
    ("payload:\n  filter:\n    - {models: [m], params: ['a.*']}", "payload.filter[0].params[0]", 4, "only be read"),
    ("payload:\n  override:\n    - {models: [m], params: {a.#.b: 1}}", "payload.override[0].params.a.#.b", 4, "#(condition)#"),
    ("payload:\n  override-raw:\n    - models: [m]\n      params:\n        a: high", "payload.override-raw[0].params.a", 6, "quotes of its own"),
    ("payload:\n  default-raw:\n    - {models: [m], params: {a: '{x}'}}", "payload.default-raw[0].params.a", 4, "is not JSON"),
    ("payload:\n  override:\n    - {models: [m], params: {a: 1e999}}", "payload.override[0].params.a", 4, "cannot carry"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "path", "line", "words"), WRONG, ids=[w[1] for w in WRONG])
def test_what_is_wrong_is_told_with_its_place_and_the_rest_is_served(text, path, line, words):
    loaded = load_text(f"port: 9000\n{text}\n", path=Path("c.yaml"))
    assert loaded.config.port == 9000
    assert not compile_rules(loaded.config.payload).rules
    (problem,) = loaded.problems
    assert (problem.path, problem.line, problem.severity) == (path, line, "warning")
    assert words in str(problem)


@pytest.mark.parametrize("kind", ["default", "default-raw", "override", "override-raw", "filter"])
@pytest.mark.parametrize("path", ["model", "stream", r"mod\el", "model.x", "stream.0"])
def test_a_rule_cannot_change_what_the_proxy_decided(kind, path):
    params = [path] if kind == "filter" else {path: "1"}
    compiled = compile_rules({kind: [{"models": ALL, "params": params}]})
    (fault,) = compiled.faults
    assert "the proxy itself decides; this rule is left out" in fault.message
    assert not compiled.rules


def test_a_bad_rule_leaves_its_neighbours_alone():
    text = """
payload:
  default:
    - {models: [m], params: {temperature: 0}}
    - {models: [m], params: {model: x, top_p: 1}}
    - {models: [m], params: {top_k: 5}}
"""
    loaded = load_text(text, path=Path("c.yaml"))
    (problem,) = loaded.problems
    assert str(problem).startswith("c.yaml:5: payload.default[1].params.model changes model")
    assert str(problem).endswith("this rule is left out (aliases give a model another name)")
    found = compile_rules(loaded.config.payload).rules
    context = Context(models=("m",), protocols=("openai",), from_protocols=("openai",))
    assert apply(found, {}, context) == {"temperature": 0, "top_k": 5}


def test_values_are_never_repeated_in_a_message():
    text = "payload:\n  override-raw:\n    - {models: [m], params: {a: sk-secret-0001}}\n"
    loaded = load_text(text, path=Path("c.yaml"))
    assert "sk-secret" not in str(loaded.problems)


@pytest.mark.parametrize(
    "written", [[1], "x", 5, True, {"default": 1}, {"": None}, {"filter": [[[]]]}]
)
def test_compiling_never_raises(written):
    compiled = compile_rules(written)
    assert compiled.faults
    assert not compiled.rules


@pytest.mark.parametrize("text", ["", "payload:", "payload: {}", "payload: {default: []}"])
def test_no_rules_are_no_problem(text):
    loaded = load_text(text, path=Path("c.yaml"))
    assert loaded.problems == []
    assert not compile_rules(loaded.config.payload).rules

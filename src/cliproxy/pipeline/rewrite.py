"""The owner's rules (`payload` in the configuration), applied to a request that is about to go.

Conditions are about the request before any rule. Defaults come first, then overrides, then
filters; among defaults for one place the first wins, among overrides the last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import UNSET, Struct

from cliproxy.base import json
from cliproxy.base.json import Json, Obj
from cliproxy.base.json_path import Key, number, put, value_at
from cliproxy.base.redact import Hidden
from cliproxy.base.wildcard import matches
from cliproxy.config.payload import Matcher, Rule, Rules
from cliproxy.pipeline.context import Request
from cliproxy.routing.resolve import Candidate

_PROTOCOLS: Final = {
    "openai-chat": ("openai",),
    "openai-completions": ("openai",),
    "openai-responses": ("openai-response", "codex"),
    "anthropic": ("claude",),
    "gemini": ("gemini",),
    "code-assist": ("gemini-cli", "gemini"),
    "interactions": ("interactions",),
}
"""What rules call each dialect."""
_ENVELOPED: Final = frozenset({"gemini-cli", "antigravity"})
"""Protocols whose paths begin inside `request`."""


class Context(Hidden, Struct, frozen=True):
    """What rules can ask about a request beside its body."""

    models: tuple[str, ...]
    """The upstream's name, and the client's without and with suffix."""
    protocols: tuple[str, ...]
    """Names of the upstream's protocol."""
    from_protocols: tuple[str, ...]
    """Names of the client's protocol."""
    headers: Mapping[str, str] = {}
    """The client's, with lower-case names."""


def context_of(request: Request, candidate: Candidate, dialect: str) -> Context:
    """Return what rules can ask about a request that goes to a candidate in a dialect."""
    names = (candidate.upstream_model, candidate.client_model, request.model)
    return Context(
        models=tuple(dict.fromkeys(names)),
        protocols=_PROTOCOLS.get(dialect, (dialect,)),
        from_protocols=_PROTOCOLS.get(request.dialect_id, (request.dialect_id,)),
        headers=request.headers,
    )


def apply(rules: Rules, body: Obj, context: Context) -> Obj:
    """Apply the rules in place; return the body."""
    _apply(_possible(rules, context), body, context)
    return body


def apply_to_bytes(rules: Rules, body: bytes, context: Context) -> bytes:
    """Apply the rules to an encoded body, which stays the same object where none applies."""
    possible = _possible(rules, context)
    if not possible:
        return body
    try:
        decoded = json.loads(body)
    except json.InvalidJson:
        return body
    return json.dumps(decoded) if _apply(possible, decoded, context) else body


def _possible(rules: Rules, context: Context) -> Rules:
    """Return the rules that may apply, as far as can be told without the body."""

    def chosen(every: tuple[Rule, ...]) -> tuple[Rule, ...]:
        asked = (Rule(tuple(m for m in r.matchers if _fits(m, context)), r.params) for r in every)
        return tuple(rule for rule in asked if rule.matchers)

    return Rules(chosen(rules.default), chosen(rules.override), chosen(rules.filter))


def _fits(matcher: Matcher, context: Context) -> bool:
    return (
        any(matches(matcher.name, model) for model in context.models)
        and matcher.protocol in ("", *context.protocols)
        and matcher.from_protocol in ("", *context.from_protocols)
        and all(
            name in context.headers and matches(pattern, context.headers[name])
            for name, pattern in matcher.headers
        )
    )


def _apply(rules: Rules, body: Json, context: Context) -> bool:
    """Apply rules that may apply; tell whether anything was written."""
    if not _ENVELOPED.isdisjoint(context.protocols) and isinstance(body, dict):
        inner = body.get("request")
        body = inner if isinstance(inner, dict) else body
    if not isinstance(body, dict):
        return False
    # All of them are chosen before any is applied.
    defaults, overrides, filters = (
        [rule for rule in every if any(_holds(matcher, body) for matcher in rule.matchers)]
        for every in (rules.default, rules.override, rules.filter)
    )
    changed = _set_defaults(defaults, body)
    for rule in overrides:
        for path, value in rule.params:
            changed |= path.set(body, value)
    for rule in filters:
        for path, _ in rule.params:
            changed |= path.delete(body)
    return changed


def _set_defaults(rules: Iterable[Rule], body: Obj) -> bool:
    missing: dict[tuple[Key, ...], Any] = {}
    for rule in rules:
        for path, value in rule.params:
            for place in path.places(body):
                if place not in missing and value_at(body, place) is UNSET:
                    missing[place] = value
    return True in [put(body, at, value, replace=False) for at, value in missing.items()]


def _holds(matcher: Matcher, body: Obj) -> bool:
    return (
        all(_equal(path.get(body), value) for path, value in matcher.match)
        and not any(_equal(path.get(body), value) for path, value in matcher.not_match)
        and all(any(v is not None for v in path.found(body)) for path in matcher.exist)
        and not any(any(v is not None for v in path.found(body)) for path in matcher.not_exist)
    )


def _equal(found: Json, wanted: Json) -> bool:
    """Compare JSON values: numbers by value, and true is not 1."""
    left, right = number(found), number(wanted)
    if left is not None or right is not None:
        return left is not None and right is not None and left == right
    if type(found) is not type(wanted):
        return False
    if isinstance(found, list):
        return len(found) == len(wanted) and all(map(_equal, found, wanted))
    if isinstance(found, dict):
        return found.keys() == wanted.keys() and all(_equal(found[k], wanted[k]) for k in found)
    return bool(found == wanted)

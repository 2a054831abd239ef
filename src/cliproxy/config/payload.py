"""Rules that set or remove fields of upstream requests, compiled from `payload` in the file.

A rule that cannot be understood whole is left out: half a rule could do what nobody meant.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from math import isfinite
from typing import Any, Final

from msgspec import Struct, structs

from cliproxy.base import json
from cliproxy.base.json_path import Key, Path
from cliproxy.base.json_path_text import PathError, compile_path
from cliproxy.config.schema import Config

KINDS: Final = ("default", "default-raw", "override", "override-raw", "filter")
"""In the order in which they are applied."""
_RULE: Final = ("models", "params")
_MATCHER: Final = (
    "name", "protocol", "from-protocol", "headers", "match", "not-match", "exist", "not-exist",
)  # fmt: skip
_PROTOCOLS: Final = {
    "openai": "openai",
    "openai-response": "openai-response",
    "gemini": "gemini",
    "claude": "claude",
    "codex": "codex",
    "antigravity": "antigravity",
    "gemini-cli": "gemini-cli",
    "interactions": "interactions",
    "responses": "openai-response",
    "response": "openai-response",
    "openai-chat": "openai",
    "openai-responses": "openai-response",
    "anthropic": "claude",
    "code-assist": "gemini-cli",
}
"""Every spelling of a protocol, and the one that rules are compared by."""
_DECIDED: Final = ("model", "stream")
"""What the proxy has decided before a rule is asked."""


class Matcher(Struct, frozen=True):
    """Which requests a rule is for: all that is given must hold."""

    name: str = "*"
    protocol: str = ""
    from_protocol: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    """Lower-case name, pattern."""
    match: tuple[tuple[Path, Any], ...] = ()
    not_match: tuple[tuple[Path, Any], ...] = ()
    exist: tuple[Path, ...] = ()
    not_exist: tuple[Path, ...] = ()


class Rule(Struct, frozen=True):
    """What to do where any of the matchers holds. Values of a filter mean nothing."""

    matchers: tuple[Matcher, ...]
    params: tuple[tuple[Path, Any], ...]


class Rules(Struct, frozen=True):
    """All rules of a configuration; raw values are decoded and stand behind the others."""

    default: tuple[Rule, ...] = ()
    override: tuple[Rule, ...] = ()
    filter: tuple[Rule, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.default or self.override or self.filter)


class Fault(Struct, frozen=True):
    """What is wrong with a rule, and where: `payload.default[0].params`."""

    path: str
    message: str
    cure: str = ""


class Compiled(Struct, frozen=True):
    """The rules that can be used, and what is wrong with the rest."""

    rules: Rules
    faults: list[Fault]


def compile_rules(written: Any) -> Compiled:
    """Compile `payload` as it was written. Never raises."""
    return _Compiler().run(written)


def rules_of(config: Config) -> Rules:
    """Return the rules of a configuration, with those that other keys of it stand for."""
    rules = compile_rules(config.payload).rules
    if config.disable_image_generation is not True:
        return rules
    none: dict[str, Any] = {
        "filter": [
            {"models": ["*"], "params": ['tools.#(type=="image_generation")#']},
            {
                "models": [{"match": [{"tool_choice.type": "image_generation"}]}],
                "params": ["tool_choice"],
            },
        ]
    }
    found = compile_rules(none)
    assert not found.faults
    return structs.replace(rules, filter=(*rules.filter, *found.rules.filter))


class _Compiler:
    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def run(self, written: Any) -> Compiled:
        if written is None or written == "":
            return Compiled(Rules(), [])
        if not isinstance(written, dict):
            self._wrong("payload", "must be a mapping of keys", f"its keys are {', '.join(KINDS)}")
            return Compiled(Rules(), self._faults)
        for key in written:
            if key not in KINDS:
                self._wrong(f"payload.{key}", "is not a known key", _near(key, KINDS))
        found = {kind: self._kind(kind, written.get(kind)) for kind in KINDS}
        rules = Rules(
            default=found["default"] + found["default-raw"],
            override=found["override"] + found["override-raw"],
            filter=found["filter"],
        )
        return Compiled(rules, self._faults)

    def _wrong(self, path: str, message: str, cure: str = "") -> None:
        self._faults.append(Fault(path, message, cure))

    def _kind(self, kind: str, written: Any) -> tuple[Rule, ...]:
        if written is None:
            return ()
        path = f"payload.{kind}"
        if not isinstance(written, list):
            self._wrong(path, "must be a list of rules", "start each rule with '-'")
            return ()
        kept: list[Rule] = []
        for index, item in enumerate(written):
            before = len(self._faults)
            rule = self._rule(kind, item, f"{path}[{index}]")
            if len(self._faults) == before:
                kept.append(rule)
                continue
            self._faults[before:] = [
                Fault(fault.path, f"{fault.message}; this rule is left out", fault.cure)
                for fault in self._faults[before:]
            ]
        return tuple(kept)

    def _rule(self, kind: str, written: Any, path: str) -> Rule:
        if not isinstance(written, dict):
            self._wrong(path, "must be a mapping of keys", "its keys are models and params")
            return Rule((), ())
        self._known(written, _RULE, path)
        models = written.get("models")
        if not isinstance(models, list) or not models:
            self._wrong(f"{path}.models", "must be a list that says which requests are meant",
                        "for all of them write models: [{name: '*'}]")  # fmt: skip
            models = []
        matchers = tuple(
            self._matcher(item, f"{path}.models[{index}]") for index, item in enumerate(models)
        )
        params = written.get("params")
        if kind == "filter":
            return Rule(matchers, self._removed(params, f"{path}.params"))
        return Rule(matchers, self._values(params, f"{path}.params", raw=kind.endswith("-raw")))

    def _known(self, written: dict[str, Any], known: tuple[str, ...], path: str) -> None:
        for key in written:
            if key not in known:
                self._wrong(f"{path}.{key}", "is not a known key", _near(key, known))

    def _matcher(self, written: Any, path: str) -> Matcher:
        if isinstance(written, str) and written:
            written = {"name": written}
        if not isinstance(written, dict) or not any(v is not None for v in written.values()):
            self._wrong(path, "says nothing about the requests that are meant",
                        "for all of them write {name: '*'}")  # fmt: skip
            return Matcher()
        self._known(written, _MATCHER, path)
        return Matcher(
            name=self._text(written.get("name"), f"{path}.name") or "*",
            protocol=self._protocol(written.get("protocol"), f"{path}.protocol"),
            from_protocol=self._protocol(written.get("from-protocol"), f"{path}.from-protocol"),
            headers=self._headers(written.get("headers"), f"{path}.headers"),
            match=self._equal(written.get("match"), f"{path}.match"),
            not_match=self._equal(written.get("not-match"), f"{path}.not-match"),
            exist=self._paths(written.get("exist"), f"{path}.exist"),
            not_exist=self._paths(written.get("not-exist"), f"{path}.not-exist"),
        )

    def _text(self, written: Any, path: str) -> str:
        if written is None:
            return ""
        if isinstance(written, list | dict):
            self._wrong(path, "must be a single value")
            return ""
        # A model may be called 5 or true; then the file's reader saw no text.
        return written.strip() if isinstance(written, str) else json.dumps_str(written)

    def _protocol(self, written: Any, path: str) -> str:
        name = self._text(written, path).lower()
        if name and name not in _PROTOCOLS:
            self._wrong(path, "is not a known protocol",
                        _near(name, _PROTOCOLS, f"known are {', '.join(_PROTOCOLS)}"))  # fmt: skip
        return _PROTOCOLS.get(name, "")

    def _headers(self, written: Any, path: str) -> tuple[tuple[str, str], ...]:
        if written is None:
            return ()
        if not isinstance(written, dict):
            self._wrong(path, "must map names of headers to patterns")
            return ()
        return tuple(
            (name.strip().lower(), self._text(pattern, f"{path}.{name}"))
            for name, pattern in written.items()
        )

    def _equal(self, written: Any, path: str) -> tuple[tuple[Path, Any], ...]:
        found: list[tuple[Path, Any]] = []
        for index, item in enumerate(_several(written)):
            if not isinstance(item, dict):
                self._wrong(f"{path}[{index}]", "must map a path to a value")
                continue
            for text, value in item.items():
                if (one := self._path(text, path)) is not None:
                    found.append((one, value))
        return tuple(found)

    def _paths(self, written: Any, path: str) -> tuple[Path, ...]:
        return tuple(
            one
            for index, text in enumerate(_several(written))
            if (one := self._path(text, f"{path}[{index}]")) is not None
        )

    def _path(self, text: Any, where: str) -> Path | None:
        if not isinstance(text, str):
            text = self._text(text, where)
        try:
            return compile_path(text)
        except PathError as err:
            self._wrong(where, f"holds a path that {err}")
            return None

    def _target(self, text: Any, where: str) -> Path | None:
        """Compile a path that is written to."""
        path = self._path(text, where)
        if path is None:
            return None
        first = path.steps[0]
        if isinstance(first, Key) and first.text in _DECIDED:
            self._wrong(where, f"changes {first.text}, which the proxy itself decides",
                        "aliases give a model another name"
                        if first.text == "model" else "leave it to the client")  # fmt: skip
        elif not path.writable:
            self._wrong(where, "holds a path that can only be read",
                        "name each key; for elements of a list write #(condition)#")  # fmt: skip
        return path

    def _values(self, written: Any, path: str, *, raw: bool) -> tuple[tuple[Path, Any], ...]:
        if not isinstance(written, dict) or not written:
            self._wrong(path, "must map paths to values")
            return ()
        found: list[tuple[Path, Any]] = []
        for text, item in written.items():
            where = f"{path}.{text}"
            target = self._target(text, where)
            value = item
            if raw and isinstance(item, str):
                try:
                    value = json.loads(item)
                except json.InvalidJson as err:
                    self._wrong(where, f"is not JSON: {err}",
                                "a text needs quotes of its own: '\"text\"'")  # fmt: skip
            if not _is_json(value):
                self._wrong(where, "holds a number that JSON cannot carry")
            if target is not None:
                found.append((target, value))
        return tuple(found)

    def _removed(self, written: Any, path: str) -> tuple[tuple[Path, Any], ...]:
        if isinstance(written, str):
            written = [written]
        if not isinstance(written, list) or not written:
            self._wrong(path, "must be a list of paths", "start each path with '-'")
            return ()
        found = (self._target(text, f"{path}[{index}]") for index, text in enumerate(written))
        return tuple((target, None) for target in found if target is not None)


def _several(written: Any) -> list[Any]:
    if written is None:
        return []
    return written if isinstance(written, list) else [written]


def _near(word: str, known: Iterable[str], otherwise: str = "") -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {near[0]}?" if near else otherwise or f"known are {', '.join(known)}"


def _is_json(value: Any) -> bool:
    match value:
        case dict():
            return all(map(_is_json, value.values()))
        case list():
            return all(map(_is_json, value))
        case float():
            return isfinite(value)
        case _:
            return True

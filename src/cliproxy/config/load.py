"""YAML → `Config`, entry by entry.

One bad credential never voids the file: it is left out and reported with its line. A wrong value
of anything else is an error, and all of them are collected before `ConfigError` is raised. Unknown
keys warn with the nearest known name.
"""

from __future__ import annotations

import difflib
import re
import secrets
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from cliproxy.base.errors import ConfigError
from cliproxy.config import fallback, payload, schema
from cliproxy.config.legacy import IGNORED, NO_EFFECT, upgrade
from cliproxy.config.schema import (
    BASE_MODEL,
    BY_DESIGN,
    IMAGE_WORDS,
    NOT_BUILT,
    STRATEGIES,
    Config,
    Section,
)
from cliproxy.config.tree import NotYaml, Tree, meaning, parse, shown, shown_key

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,3})?")
_WHOLE: Final = re.compile(r"[+-]?\d+")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_KEYS: Final = frozenset(Config.__struct_encode_fields__)
"""Names that are no secrets, whatever they look like."""
_TRUE: Final = frozenset({"true", "yes", "on", "y", "1"})
_FALSE: Final = frozenset({"false", "no", "off", "n", "0"})
_MAX_WEIGHT: Final = 1_000_000
_STEP: Final = re.compile(r"[^.\[\]]+")
_URL: Final = re.compile(r"https?://\S+", re.IGNORECASE)

CREDENTIALS: Final = (
    "gemini-api-key", "interactions-api-key", "codex-api-key", "xai-api-key", "claude-api-key",
    "vertex-api-key", "openai-compatibility",
)  # fmt: skip
PLACEHOLDER: Final = "put-your-own-key-here"
"""The client key of the example configuration. Everybody knows it, so nobody may use it."""


class Problem(Struct, frozen=True):
    """Something about the file that its owner should know."""

    path: str
    """Key path in the file: `claude-api-key[0].weight`."""
    message: str
    severity: Literal["error", "warning"] = "warning"
    line: int | None = None
    cure: str = ""
    file: str = ""

    def __str__(self) -> str:
        line = f":{self.line}" if self.line else ""
        cure = f" ({self.cure})" if self.cure else ""
        return f"{self.file}{line}: {self.path} {self.message}{cure}"


class Loaded(Struct, frozen=True):
    """A configuration and what was noticed while reading it."""

    config: Config
    problems: list[Problem]


def load(path: Path) -> Loaded:
    """Read a file. Raises `ConfigError` naming file, line and cure."""
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as err:
        raise ConfigError(f"{path} is not UTF-8 text.") from err
    except OSError as err:
        raise ConfigError(f"{path} cannot be read: {err.strerror}.") from err
    return load_text(text, path=path)


def load_text(text: str, *, path: Path) -> Loaded:
    """Read configuration text; `path` is for messages."""
    try:
        tree = parse(text)
    except NotYaml as err:
        line = f":{err.line}" if err.line else ""
        raise ConfigError(f"{path}{line} is not valid YAML: {err.message}.") from err
    if tree.value is None:
        return Loaded(Config(), [])
    if not isinstance(tree.value, dict):
        kind = "a list" if isinstance(tree.value, list) else "a single value"
        raise ConfigError(f"{path} must hold a mapping of keys, not {kind}.")
    return _Loader(str(path), tree).run()


class _Loader:
    def __init__(self, file: str, tree: Tree) -> None:
        self._file = file
        self._lines = tree.lines
        self._tree: dict[str, Any] = tree.value
        self._moved: dict[str, str] = {}
        self.problems: list[Problem] = []
        self._told: set[Any] = set()

    def run(self) -> Loaded:
        upgraded = upgrade(self._tree, self._note)
        self._moved = upgraded.moved
        hints = _hints(Config)
        values: dict[str, Any] = {}
        for key, value in upgraded.tree.items():
            if key in IGNORED:
                continue
            if key not in hints:
                self._unknown(key, key, hints)
                continue
            if value is None:
                continue
            if key in NO_EFFECT and value:
                self._disguise(key)
            name, kind = hints[key]
            if key in CREDENTIALS:
                values[name] = self._credentials(key, value)
                continue
            try:
                values[name] = self._value(value, kind, key)
                self._unbuilt(Config, name, key, key, values[name])
            except _Wrong as wrong:
                self._note(wrong.path, wrong.message, cure=wrong.cure, error=True)
        self._check(values)
        errors = [p for p in self.problems if p.severity == "error"]
        if errors:
            raise ConfigError("\n".join(str(p) for p in errors))
        return Loaded(Config(**values), self.problems)

    def _check(self, values: dict[str, Any]) -> None:
        """Look at what the types alone do not tell."""
        tls = values.get("tls")
        if tls is not None and tls.enable and not (tls.cert and tls.key):
            self._note("tls", "is enabled and needs both cert and key", error=True)
        if not 0 <= values.get("port", 0) <= 65535:
            self._note("port", "must be between 0 and 65535", error=True)
        routing = values.get("routing")
        if routing is not None and routing.strategy.lower() not in STRATEGIES:
            strategy = shown(routing.strategy)
            self._note(
                "routing.strategy", f"is {strategy}, which is not known", cure="round-robin is used"
            )
        if not values.get("gpt_image_2_base_model", BASE_MODEL).startswith("gpt-"):
            self._note(
                "gpt-image-2-base-model", "must be a model whose name begins with gpt-",
                cure=f"{BASE_MODEL} is used",
            )  # fmt: skip
            values["gpt_image_2_base_model"] = BASE_MODEL
        images = values.get("disable_image_generation", False)
        if isinstance(images, str):
            word = images.strip().lower()
            values["disable_image_generation"] = word in _TRUE or (word not in _FALSE and word)
            if word not in _TRUE | _FALSE | IMAGE_WORDS:
                self._note(
                    "disable-image-generation", f"is {shown(images)}, which is not known",
                    cure=f"write true, false, {' or '.join(sorted(IMAGE_WORDS))}", error=True,
                )  # fmt: skip
        for wrong in fallback.problems(values.get("fallback")):
            self._note("fallback", wrong, cure="it is left out")
        for fault in payload.compile_rules(values.get("payload")).faults:
            self._note(fault.path, fault.message, cure=fault.cure)
        if "api_keys" in values:
            values["api_keys"] = self._client_keys(values["api_keys"])

    def _client_keys(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        kept: list[str] = []
        for index, key in enumerate(keys):
            path = f"api-keys[{index}]"
            if not key:
                self._note(path, "is empty and is left out")
            elif key == PLACEHOLDER:
                self._note(path, "is the example's placeholder and is not accepted",
                           cure="write a key of your own, long and random")  # fmt: skip
                # Not left out: a list that had nothing else would turn into "no key needed".
                kept.append(secrets.token_urlsafe(32))
            else:
                kept.append(key)
        return tuple(dict.fromkeys(kept))

    def _credentials(self, key: str, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            self._note(key, "must be a list", cure="start each entry with '-'", error=True)
            return ()
        kind: type[Section] = schema.Compat if key == "openai-compatibility" else schema.Entry
        entries: dict[bytes, str] = {}
        kept: list[Any] = []
        for index, item in enumerate(value):
            path = f"{key}[{index}]"
            if item is None:
                continue
            bare = isinstance(item, str) and kind is schema.Entry
            try:
                entry = self._section({"api-key": item} if bare else item, kind, path)
                self._check_entry(key, entry, path)
            except _Wrong as wrong:
                self._note(
                    wrong.path,
                    wrong.message if wrong.fatal else f"{wrong.message}; this entry is left out",
                    cure=wrong.cure,
                    error=wrong.fatal,
                )
                continue
            twin = entries.setdefault(msgspec.json.encode(entry), path)
            if twin != path:
                self._note(path, f"is the same as {self._origin(twin)} and is left out")
                continue
            kept.append(entry)
        return tuple(kept)

    def _check_entry(self, key: str, entry: Any, path: str) -> None:
        base = entry.base_url
        if isinstance(entry, schema.Compat):
            if not entry.name:
                raise _Wrong(path, "has no name")
            if not base:
                raise _Wrong(path, "has no base-url")
            for index, row in enumerate(entry.api_key_entries):
                _check_weight(row.weight, f"{path}.api-key-entries[{index}].weight")
        else:
            if key in ("codex-api-key", "xai-api-key") and not base:
                raise _Wrong(path, "has no base-url, which this kind needs")
            if not entry.api_key and not base:
                raise _Wrong(path, "has neither api-key nor base-url")
            _check_weight(entry.weight, f"{path}.weight")
        if base and not _URL.fullmatch(base):
            raise _Wrong(f"{path}.base-url", "must begin with http:// or https://")
        if base and _named_user(base) and _bears(key, entry, base):
            raise _Wrong(
                f"{path}.base-url",
                "holds a user and a password, which cannot be sent beside the api-key",
                cure="leave one of them out: both travel as Authorization",
            )
        if "/" in entry.prefix.strip("/"):
            self._note(f"{path}.prefix", "holds a slash and is ignored")

    def _section(self, value: Any, kind: type[Section], path: str) -> Any:
        if not isinstance(value, Mapping):
            raise _Wrong(path, "must be a mapping of keys")
        hints = _hints(kind)
        fields: dict[str, Any] = {}
        for key, item in value.items():
            if key not in hints:
                self._unknown(f"{path}.{key}", key, hints)
                continue
            if item is None:
                continue
            if key in NO_EFFECT and item:
                self._disguise(f"{path}.{key}")
            name, inner = hints[key]
            fields[name] = self._value(item, inner, f"{path}.{key}")
            self._unbuilt(kind, name, key, f"{path}.{key}", fields[name])
        for name, encoded in _required(kind):
            if name not in fields:
                raise _Wrong(path, f"has no {encoded}")
        return kind(**fields)

    def _value(self, value: Any, kind: Any, path: str) -> Any:
        if kind is Any:
            return meaning(value)
        origin = get_origin(kind)
        if origin in (Union, UnionType):
            return self._either(value, get_args(kind), path)
        if origin is Literal:
            word = str(value).strip().lower()
            if isinstance(value, str) and word in get_args(kind):
                return word
            raise _Wrong(path, f"must be one of {', '.join(map(str, get_args(kind)))}")
        if origin is tuple:
            items = [value] if isinstance(value, str) else value
            if not isinstance(items, list):
                raise _Wrong(path, "must be a list", cure="start each item with '-'")
            inner = get_args(kind)[0]
            return tuple(
                self._value(v, inner, f"{path}[{n}]") for n, v in enumerate(items) if v is not None
            )
        if origin is dict:
            if not isinstance(value, dict):
                raise _Wrong(path, "must be a mapping of keys")
            inner = get_args(kind)[1]
            # A key without a value is a value of none, except where only text fits.
            return {
                k: self._value(v, inner, f"{path}.{k}")
                for k, v in value.items()
                if v is not None or inner is Any
            }
        if isinstance(kind, type) and issubclass(kind, Section):
            if kind is schema.Model and isinstance(value, str):
                return schema.Model(name=str(value))
            return self._section(value, kind, path)
        return _scalar(value, kind, path)

    def _either(self, value: Any, kinds: tuple[Any, ...], path: str) -> Any:
        wrong: _Wrong | None = None
        for kind in kinds:
            if kind is type(None):
                continue
            try:
                return self._value(value, kind, path)
            except _Wrong as err:
                wrong = err
        assert wrong is not None
        raise wrong

    def _unbuilt(self, kind: type[Section], name: str, key: str, path: str, value: Any) -> None:
        """Say once that a key has no effect yet, unless its value asks for nothing."""
        designed = BY_DESIGN.get(key) if kind is Config else None
        unbuilt = key in NOT_BUILT.get(kind, ())
        if not (unbuilt or designed) or (kind, key) in self._told:
            return
        default = _defaults(kind)[name]
        if value == default or not (value or default):
            return
        self._told.add((kind, key))
        if designed:
            self._note(path, f"has no effect: {designed}")
        else:
            self._note(path, "is understood but not built yet: it has no effect")

    def _unknown(self, path: str, key: str, known: Mapping[str, Any]) -> None:
        near = difflib.get_close_matches(key, known, n=1)
        cure = f"did you mean {near[0]}?" if near else "it is ignored"
        self._note(path, "is not a known key", cure=cure)

    def _disguise(self, path: str) -> None:
        if "disguise" not in self._told:
            self._told.add("disguise")
            self._note(path, "has no effect: cliproxy does not imitate other clients")

    def _origin(self, path: str) -> str:
        """Return where in the file a path of the upgraded tree stands."""
        place, rest = path, ""
        while place:
            if place in self._moved:
                return self._moved[place] + rest
            cut = max(place.rfind("."), place.rfind("["), 0)
            place, rest = place[:cut], place[cut:] + rest
        return path

    def _note(self, path: str, message: str, *, cure: str = "", error: bool = False) -> None:
        path = self._origin(path)
        line, place = None, path
        while line is None and place:
            line = self._lines.get(place)
            # A key that is not in the file (a missing one) is shown where its parent stands.
            place = place[: max(place.rfind("."), place.rfind("["), 0)]
        severity: Literal["error", "warning"] = "error" if error else "warning"
        path = _STEP.sub(lambda step: step[0] if step[0] in _KEYS else shown_key(step[0]), path)
        self.problems.append(Problem(path, message, severity, line, cure, self._file))


def _named_user(address: str) -> bool:
    try:
        return urlsplit(address).username is not None
    except ValueError:
        return False


def _bears(key: str, entry: Any, base: str) -> bool:
    """Tell whether calls of an entry carry an `Authorization` of their own."""
    if any(name.strip().lower() == "authorization" for name in entry.headers):
        return True
    if isinstance(entry, schema.Compat):
        return any(row.api_key for row in entry.api_key_entries)
    official = "@api.anthropic.com" in base.lower()
    bears = key in ("codex-api-key", "xai-api-key") or (key == "claude-api-key" and not official)
    return bears and bool(entry.api_key)


class _Wrong(Exception):
    """A value that cannot be used; `fatal`: not even when its entry is left out."""

    def __init__(self, path: str, message: str, cure: str = "", *, fatal: bool = False) -> None:
        super().__init__(message)
        self.path = path
        self.message = message
        self.cure = cure
        self.fatal = fatal


def _check_weight(weight: int, path: str) -> None:
    if weight > _MAX_WEIGHT:
        raise _Wrong(path, f"is larger than {_MAX_WEIGHT}", fatal=True)


def _scalar(value: Any, kind: Any, path: str) -> Any:
    if isinstance(value, list | dict):
        raise _Wrong(path, "must be a single value")
    text = str(value).strip()
    if kind is bool:
        if text.lower() in _TRUE | _FALSE:
            return text.lower() in _TRUE
        raise _Wrong(path, f"must be true or false, not {shown(text)}")
    if kind is str:
        return text
    if kind is int:
        digits = text.replace("_", "")
        if _WHOLE.fullmatch(digits) and len(digits) <= 18:
            return int(digits)
        seconds = None if _NUMBER.fullmatch(text) else _seconds(text)
        if seconds is not None and seconds == int(seconds):
            return int(seconds)
        # A share that is not a whole number would silently change who gets how much.
        raise _Wrong(path, f"must be a whole number, not {shown(text)}",
                     fatal=path.endswith(".weight"))  # fmt: skip
    if kind is float:
        seconds = _seconds(text)
        if seconds is None:
            raise _Wrong(path, f"must be a number or a duration such as 30s, not {shown(text)}")
        return seconds
    return value


def _seconds(text: str) -> float | None:
    text = text.lower()
    if _NUMBER.fullmatch(text):
        return float(text)
    pieces = _DURATION.findall(text)
    if not pieces or "".join(n + u for n, u in pieces) != text:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in pieces)


@cache
def _hints(kind: type[Section]) -> dict[str, tuple[str, Any]]:
    """Return YAML key → (attribute, type)."""
    types = get_type_hints(kind, vars(schema))
    return {f.encode_name: (f.name, types[f.name]) for f in msgspec.structs.fields(kind)}


@cache
def _required(kind: type[Section]) -> tuple[tuple[str, str], ...]:
    """Return (attribute, YAML key) of what must be there."""
    fields = msgspec.structs.fields(kind)
    return tuple((f.name, f.encode_name) for f in fields if f.required)


@cache
def _defaults(kind: type[Section]) -> dict[str, Any]:
    """Return attribute → default."""
    return {
        f.name: f.default_factory() if f.default is msgspec.NODEFAULT else f.default
        for f in msgspec.structs.fields(kind)
        if not f.required
    }

"""YAML → `Config`, entry by entry.

One bad credential never voids the file: it is left out and reported with its line. A wrong value
of anything else is an error, and all of them are collected before `ConfigError` is raised. Unknown
keys warn with the nearest known name.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from types import UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from cliproxy.base.errors import ConfigError
from cliproxy.config import schema
from cliproxy.config.legacy import IGNORED, NO_EFFECT, upgrade
from cliproxy.config.schema import Config, Section

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_TRUE: Final = frozenset({"true", "yes", "on", "y", "1"})
_FALSE: Final = frozenset({"false", "no", "off", "n", "0"})
_MAX_WEIGHT: Final = 1_000_000

CREDENTIALS: Final = (
    "gemini-api-key", "interactions-api-key", "codex-api-key", "xai-api-key", "claude-api-key",
    "vertex-api-key", "openai-compatibility",
)  # fmt: skip
NOT_SERVED: Final = ("interactions-api-key", "xai-api-key", "vertex-api-key")


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
        tree = YAML(typ="rt").load(StringIO(text))
    except MarkedYAMLError as err:
        mark = err.problem_mark or err.context_mark
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{line} is not valid YAML: {err.problem or err.context}.") from err
    except YAMLError as err:
        raise ConfigError(f"{path} is not valid YAML.") from err
    if tree is None:
        return Loaded(Config(), [])
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} must hold a mapping of keys, not {type(tree).__name__}.")
    return _Loader(str(path), tree).run()


class _Loader:
    def __init__(self, file: str, tree: Any) -> None:
        self._file = file
        self._lines: dict[str, int] = {}
        _index_lines(tree, "", self._lines)
        self._tree: dict[str, Any] = _plain(tree)
        self.problems: list[Problem] = []
        self._warned_disguise = False

    def run(self) -> Loaded:
        tree = upgrade(self._tree, lambda key, message, cure: self._note(key, message, cure=cure))
        hints = _hints(Config)
        values: dict[str, Any] = {}
        for key, value in tree.items():
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
            except _Wrong as wrong:
                self._note(wrong.path, wrong.message, severity="error", cure=wrong.cure)
        errors = [p for p in self.problems if p.severity == "error"]
        if errors:
            raise ConfigError("\n".join(str(p) for p in errors))
        config = Config(**values)
        if config.tls.enable and not (config.tls.cert and config.tls.key):
            line = self._lines.get("tls")
            at = f":{line}" if line else ""
            raise ConfigError(f"{self._file}{at}: tls is enabled and needs both cert and key.")
        return Loaded(config, self.problems)

    def _credentials(self, key: str, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            self._note(key, "must be a list", severity="error", cure="start each entry with '-'")
            return ()
        kind: type[Section] = schema.Compat if key == "openai-compatibility" else schema.Entry
        entries: list[Any] = []
        for index, item in enumerate(value):
            path = f"{key}[{index}]"
            bare = isinstance(item, str) and kind is schema.Entry
            try:
                entry = self._section({"api-key": item} if bare else item, kind, path)
                self._check_entry(key, entry, path)
            except _Wrong as wrong:
                self._note(wrong.path, f"{wrong.message}; this entry is left out", cure=wrong.cure)
                continue
            entries.append(entry)
        if entries and key in NOT_SERVED:
            self._note(key, "is understood but not served yet")
        return tuple(entries)

    def _check_entry(self, key: str, entry: Any, path: str) -> None:
        if isinstance(entry, schema.Compat):
            if not entry.name.strip():
                raise _Wrong(path, "has no name")
            if not entry.base_url.strip():
                raise _Wrong(path, "has no base-url")
            weights = [e.weight for e in entry.api_key_entries]
        else:
            if key in ("codex-api-key", "xai-api-key") and not entry.base_url.strip():
                raise _Wrong(path, "has no base-url, which this kind needs")
            if not entry.api_key.strip() and not entry.base_url.strip():
                raise _Wrong(path, "has neither api-key nor base-url")
            weights = [entry.weight]
        if any(weight > _MAX_WEIGHT for weight in weights):
            self._note(f"{path}.weight", "is larger than 1000000", severity="error")

    def _section(self, value: Any, kind: type[Section], path: str) -> Any:
        if not isinstance(value, Mapping):
            raise _Wrong(path, "must be a mapping of keys")
        hints = _hints(kind)
        fields: dict[str, Any] = {}
        for key, item in value.items():
            if key not in hints:
                self._unknown(f"{path}.{key}", str(key), hints)
                continue
            if item is None:
                continue
            if key in NO_EFFECT and item:
                self._disguise(f"{path}.{key}")
            name, inner = hints[key]
            fields[name] = self._value(item, inner, f"{path}.{key}")
        for field in msgspec.structs.fields(kind):
            if field.required and field.name not in fields:
                raise _Wrong(path, f"has no {field.encode_name}")
        return kind(**fields)

    def _value(self, value: Any, kind: Any, path: str) -> Any:
        if kind is Any:
            return value
        origin = get_origin(kind)
        if origin in (Union, UnionType):
            return self._either(value, get_args(kind), path)
        if origin is Literal:
            if value in get_args(kind):
                return value
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
            return {str(k): self._value(v, inner, f"{path}.{k}") for k, v in value.items()}
        if isinstance(kind, type) and issubclass(kind, Section):
            if kind is schema.Model and isinstance(value, str):
                return schema.Model(name=value)
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

    def _unknown(self, path: str, key: str, known: Mapping[str, Any]) -> None:
        near = difflib.get_close_matches(key, known, n=1)
        cure = f"did you mean {near[0]}?" if near else "it is ignored"
        self._note(path, "is not a known key", cure=cure)

    def _disguise(self, path: str) -> None:
        if not self._warned_disguise:
            self._warned_disguise = True
            self._note(path, "has no effect: cliproxy does not imitate other clients")

    def _note(
        self,
        path: str,
        message: str,
        *,
        severity: Literal["error", "warning"] = "warning",
        cure: str = "",
    ) -> None:
        line, place = None, path
        while line is None and place:
            line = self._lines.get(place)
            # A key that is not in the file (a missing one) is shown where its parent stands.
            place = place[: max(place.rfind("."), place.rfind("["), 0)]
        self.problems.append(Problem(path, message, severity, line, cure, self._file))


class _Wrong(Exception):
    def __init__(self, path: str, message: str, cure: str = "") -> None:
        super().__init__(message)
        self.path = path
        self.message = message
        self.cure = cure


def _scalar(value: Any, kind: Any, path: str) -> Any:
    text = str(value).strip()
    if kind is bool:
        if isinstance(value, bool):
            return value
        if text.lower() in _TRUE | _FALSE:
            return text.lower() in _TRUE
        raise _Wrong(path, f"must be true or false, not {text!r}")
    if isinstance(value, list | dict):
        raise _Wrong(path, "must be a single value")
    if kind is str:
        return text if not isinstance(value, bool) else text.lower()
    if kind is int:
        if not isinstance(value, bool) and re.fullmatch(r"[+-]?\d+", text):
            return int(text)
        seconds = _seconds(value)
        if seconds is not None and seconds == int(seconds) and not isinstance(value, float):
            return int(seconds)
        raise _Wrong(path, f"must be a whole number, not {text!r}")
    if kind is float:
        seconds = _seconds(value)
        if seconds is None:
            raise _Wrong(path, f"must be a number or a duration such as 30s, not {text!r}")
        return seconds
    return value


def _seconds(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    text = str(value).strip().lower()
    if re.fullmatch(r"[+-]?\d+(\.\d+)?", text):
        return float(text)
    pieces = _DURATION.findall(text)
    if not pieces or "".join(n + u for n, u in pieces) != text:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in pieces)


def _hints(kind: type[Section]) -> dict[str, tuple[str, Any]]:
    """Return YAML key → (attribute, type)."""
    types = get_type_hints(kind, vars(schema))
    return {f.encode_name: (f.name, types[f.name]) for f in msgspec.structs.fields(kind)}


def _plain(node: Any) -> Any:
    """Return ordinary dicts, lists and scalars of a round-trip tree."""
    if isinstance(node, dict):
        return {str(k): _plain(v) for k, v in node.items()}
    if isinstance(node, list):
        return [_plain(v) for v in node]
    if isinstance(node, bool) or node is None:
        return node
    if isinstance(node, int):
        return int(node)
    if isinstance(node, float):
        return float(node)
    return str(node)


def _index_lines(node: Any, path: str, lines: dict[str, int]) -> None:
    if isinstance(node, dict):
        for key, value in node.items():
            inner = f"{path}.{key}" if path else str(key)
            place = node.lc.data.get(key) if hasattr(node, "lc") else None
            if place:
                lines[inner] = place[0] + 1
            _index_lines(value, inner, lines)
    elif isinstance(node, list):
        for index, value in enumerate(node):
            inner = f"{path}[{index}]"
            place = node.lc.data.get(index) if hasattr(node, "lc") and node.lc.data else None
            if place:
                lines[inner] = place[0] + 1
            _index_lines(value, inner, lines)

"""`config.example.yaml` against the schema: each must know every key of the other."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest

from cliproxy.config import schema
from cliproxy.config.legacy import IGNORED, NO_EFFECT, OLD
from cliproxy.config.load import PLACEHOLDER, load_text
from cliproxy.config.schema import NOT_BUILT, Config, Section
from cliproxy.config.tree import parse

TEXT = Path(__file__, "../../../../config.example.yaml").resolve().read_text("utf-8")
SETTING = re.compile(r"#(\S|  +\S)")
ROOT_KEY = re.compile(r"#?([a-z][a-z0-9-]*):")


def uncommented() -> str:
    return "\n".join(line[1:] if SETTING.match(line) else line for line in TEXT.splitlines())


def load(text: str):
    return load_text(text, path=Path("config.example.yaml"))


def tree() -> dict[str, Any]:
    return parse(uncommented()).value


def sections(hint: Any) -> Iterator[type[Section]]:
    """The sections that a type annotation mentions."""
    if isinstance(hint, type) and issubclass(hint, Section):
        yield hint
    for inner in get_args(hint):
        yield from sections(inner)


def documented(kind: type[Section], values: list[Any]) -> Iterator[tuple[type[Section], str, bool]]:
    """Every key of a section and of the sections below it, and whether the example has it."""
    hints = get_type_hints(kind, vars(schema))
    for field in msgspec.structs.fields(kind):
        found = [v[field.encode_name] for v in values if field.encode_name in v]
        yield kind, field.encode_name, bool(found)
        below = [x for v in found for x in (v if isinstance(v, list) else [v])]
        if get_origin(hints[field.name]) is dict:
            # Sections by names of the owner's choosing.
            below = [x for v in below for x in v.values()]
        for inner in sections(hints[field.name]):
            if inner is not schema.Entry:
                yield from documented(inner, [x for x in below if isinstance(x, dict)])


def all_keys() -> list[tuple[type[Section], str, bool]]:
    whole = tree()
    entries = [
        entry
        for field, hint in get_type_hints(Config, vars(schema)).items()
        if schema.Entry in sections(hint)
        for entry in whole.get(field.replace("_", "-"), [])
    ]
    found: dict[tuple[type[Section], str], bool] = {}
    for kind, key, here in [*documented(Config, [whole]), *documented(schema.Entry, entries)]:
        found[kind, key] = found.get((kind, key), False) or here
    return [(*names, here) for names, here in found.items()]


def test_it_loads_without_a_problem_as_it_stands():
    loaded = load(TEXT)
    assert loaded.problems == []
    assert loaded.config.host == "127.0.0.1"
    assert loaded.config.api_keys == ()


@pytest.mark.parametrize(
    ("kind", "key", "found"), all_keys(), ids=lambda v: getattr(v, "__name__", str(v))
)
def test_every_key_of_the_schema_is_in_it(kind, key, found):
    assert found, f"{kind.__name__}.{key} is not explained"


@pytest.mark.parametrize("key", sorted(IGNORED | NO_EFFECT | OLD))
def test_every_old_spelling_is_in_it(key):
    assert re.search(rf"(?m)^#? *{key}:", TEXT)


def test_with_every_setting_uncommented_it_loads_and_every_key_is_known():
    messages = {str(p.path): p.message for p in load(uncommented()).problems}
    honest = ("not built yet", "not served yet", "has no effect", "placeholder")
    assert [m for m in messages.items() if not any(word in m[1] for word in honest)] == []


def test_its_client_key_opens_nothing_even_when_it_is_uncommented():
    config = load(uncommented()).config
    assert PLACEHOLDER in TEXT
    assert PLACEHOLDER not in config.api_keys
    assert len(config.api_keys) == 1, "an empty list would let everybody in"


def marked(word: str) -> set[str]:
    """The top-level keys on whose line a remark stands."""
    lines = (line for line in TEXT.splitlines() if word in line)
    return {m[1] for line in lines if (m := ROOT_KEY.match(line))}


def test_it_says_of_every_unbuilt_key_that_it_is_not_built():
    assert marked("# not built yet") == NOT_BUILT[Config]


@pytest.mark.parametrize(
    ("kind", "key"),
    [(kind, key) for kind in NOT_BUILT if kind is not Config for key in sorted(NOT_BUILT[kind])],
    ids=lambda v: getattr(v, "__name__", v),
)
def test_it_says_of_every_unbuilt_nested_key_that_it_is_not_built(kind, key):
    lines = [line for line in TEXT.splitlines() if re.match(rf"#[ -]+{key}:", line)]
    assert lines
    assert all("not built yet" in line for line in lines)


PLAIN = [
    (path, field)
    for path, kind in [
        ("", Config),
        ("tls", schema.Tls),
        ("remote-management", schema.RemoteManagement),
        ("pprof", schema.Pprof),
        ("quota-exceeded", schema.QuotaExceeded),
        ("routing", schema.Routing),
        ("streaming", schema.Streaming),
        ("timeouts", schema.Timeouts),
        ("local-model", schema.LocalModel),
    ]
    for field in msgspec.structs.fields(kind)
    if isinstance(field.default, bool | int | float | str)
]


@pytest.mark.parametrize(("path", "field"), PLAIN, ids=[f"{p}.{f.encode_name}" for p, f in PLAIN])
def test_the_value_it_shows_is_the_default(path, field):
    config = load(uncommented()).config
    section = getattr(config, path.replace("-", "_")) if path else config
    assert getattr(section, field.name) == field.default

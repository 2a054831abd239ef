"""What the documents name exists: files, headings, commands, options, paths."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from cliproxy.cli.main import app
from cliproxy.manage.app import ENDPOINTS

ROOT = Path(__file__).parent.parent.parent
DOCS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
COMMAND = re.compile(r"^(?:\S*/)?cliproxy(?: +(?P<words>.*))?$")
GLOBAL = {"--help", "-h", "--version"}
MANAGED = re.compile(r"^(?:(?:GET|PUT|PATCH|POST|DELETE)[, ]*)+ (/\S+)$")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def anchor(heading: str) -> str:
    """Return what a heading is linked by."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors(path: Path) -> set[str]:
    text = CODE.sub("", path.read_text())
    return {anchor(line) for line in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


LINKS = [
    (doc, target)
    for doc in DOCS
    for target in dict.fromkeys(LINK.findall(CODE.sub("", doc.read_text())))
    if "://" not in target
]


@pytest.mark.parametrize(
    ("doc", "target"), LINKS, ids=[f"{name_of(doc)}->{target}" for doc, target in LINKS]
)
def test_links_lead_somewhere(doc: Path, target: str) -> None:
    path, _, part = target.partition("#")
    found = doc.parent / path if path else doc
    assert found.exists()
    assert not part or part in anchors(found)


def shown(text: str) -> Iterator[str]:
    """Yield every command line of ours in a document, without what follows it."""
    lines = [line for _, block in CODE.findall(text) for line in block.splitlines()]
    for line in [*lines, *INLINE.findall(CODE.sub("", text))]:
        plain = re.sub(r"\s+#.*$|\s{2,}.*$", "", line.strip())
        plain = re.sub(r"^(?:\w+=\S* +)+", "", plain)
        for single in plain.split(" && "):
            if COMMAND.match(single.strip()):
                yield single.strip()


COMMANDS = [
    (doc, line) for doc in DOCS for line in dict.fromkeys(shown(doc.read_text().replace("…", "x")))
]


def options_of(command: str) -> set[str]:
    """Return the options that a command of ours takes."""
    arguments = app[command].assemble_argument_collection()
    return GLOBAL | {name for argument in arguments for name in argument.names}


@pytest.mark.parametrize(
    ("doc", "line"), COMMANDS, ids=[f"{name_of(doc)}: {line}" for doc, line in COMMANDS]
)
def test_commands_that_are_shown_exist(doc: Path, line: str) -> None:
    words = shlex.split(line)[1:]
    if not words or words[0] in GLOBAL:
        return
    command, *rest = words
    assert command in set(app) - GLOBAL, f"there is no command {command}"
    for word in rest:
        if word.startswith("--"):
            assert word.partition("=")[0] in options_of(command)


@pytest.mark.parametrize("command", sorted(name for name in app if not name.startswith("-")))
def test_every_command_is_shown_somewhere(command: str) -> None:
    assert command in {line.split()[1] for _, line in COMMANDS if " " in line}


MANAGEMENT = ROOT / "docs" / "management.md"


def named_paths(text: str) -> Iterator[str]:
    for code in INLINE.findall(CODE.sub("", text)):
        if found := MANAGED.match(code):
            yield found[1].partition("?")[0].removeprefix("/v0/management")


@pytest.mark.parametrize("path", sorted(set(named_paths(MANAGEMENT.read_text()))))
def test_management_paths_that_are_shown_exist(path: str) -> None:
    assert path in {endpoint.path for endpoint in ENDPOINTS} | {"/openapi.json"}


def test_the_documents_were_read() -> None:
    # Patterns that find nothing would agree with everything.
    assert len(LINKS) > 15
    assert len(set(named_paths(MANAGEMENT.read_text()))) > 5

"""The command-line clients of tests/node, for tests marked `needs_node`."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "node" / "node_modules" / ".bin"


@pytest.fixture
def node_client() -> Callable[[str], Path]:
    """Give the path of an installed client (`claude`, `codex`); skip where there is no npm."""

    def find(name: str) -> Path:
        program = PROGRAMS / name
        if program.exists():
            return program
        if shutil.which("npm") is None:
            pytest.skip(f"{name} is installed by npm, and npm is not on PATH")
        return pytest.fail(f"{name} is not installed: run scripts/node_clients")

    return find

"""The pinned command-line clients start, and their lock names no registry."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cliproxy.base import json
from tests.node_clients import node_client  # noqa: F401  # fixture

NODE = Path(__file__).parent.parent / "node"


@pytest.mark.needs_node
@pytest.mark.parametrize(
    ("client", "package"), [("claude", "@anthropic-ai/claude-code"), ("codex", "@openai/codex")]
)
def test_the_pinned_client_is_the_one_that_starts(
    client: str,
    package: str,
    tmp_path: Path,
    node_client: Callable[[str], Path],  # noqa: F811
) -> None:
    pinned = json.loads((NODE / "package.json").read_bytes())["dependencies"][package]
    answer = subprocess.run(
        [node_client(client), "--version"],
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert pinned in answer.stdout.split()


def test_the_lock_of_the_clients_holds_for_any_registry() -> None:
    lock = (NODE / "package-lock.json").read_text()
    assert "://" not in lock
    packages = json.loads(lock.encode())["packages"]
    assert all(entry.get("integrity") for path, entry in packages.items() if path)

"""The vectors are complete: every pair of dialects, in both directions, and every edge case."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
FOLDERS = ("anthropic", "gemini", "interactions", "openai_chat", "openai_responses")
EDGES = range(1, 171)
ENOUGH = 300


def read(pattern: str) -> list[dict[str, Any]]:
    return [vector for path in HERE.glob(pattern) for vector in json.loads(path.read_bytes())]


def test_there_are_enough_of_them() -> None:
    assert len(read("*__*/*.json")) >= ENOUGH


@pytest.mark.parametrize("direction", ["requests", "answers"])
@pytest.mark.parametrize(("client", "upstream"), list(permutations(FOLDERS, 2)))
def test_every_pair_has_both_directions(client: str, upstream: str, direction: str) -> None:
    assert read(f"{client}__{upstream}/{direction}*.json")


def test_every_edge_case_is_proved_here_or_known_to_be_proved_elsewhere() -> None:
    elsewhere = {
        int(n): why for n, why in json.loads((HERE / "edges_elsewhere.json").read_bytes()).items()
    }
    assert all(elsewhere.values()), "say where, or why not"
    named = {edge for vector in read("*__*/*.json") for edge in vector.get("edges", ())}
    assert named <= set(EDGES)
    assert not set(EDGES) - named - elsewhere.keys()

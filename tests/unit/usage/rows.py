"""Records for tests: each field has a plain value unless the test says otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cliproxy.base.clock import SystemClock
from cliproxy.usage.record import Record, Tokens, Who
from cliproxy.usage.store import Store

NOON = 1_780_000_000.0


class Noon(SystemClock):
    """A clock that shows the moment of the records."""

    def now(self) -> float:
        return NOON


def store_at(path: Path) -> Store:
    return Store(path, gather=0, clock=Noon())


def record(number: int = 0, **changed: Any) -> Record:
    fields: dict[str, Any] = {
        "id": f"r{number}",
        "at": NOON + number,
        "seconds": 1.5,
        "client": "sk-a…cdef#01234567",
        "who": Who("claude:1", "claude", "me@example.com", "0123456789abcdef", "oauth"),
        "model": "sonnet",
        "served": "claude-sonnet-4-5-20250929",
        "dialect": "openai-chat",
        "upstream": "anthropic",
        "endpoint": "POST /v1/chat/completions",
        "operation": "generate",
        "stream": True,
        "status": 200,
        "attempts": 1,
        "fidelity": "exact",
        "tokens": Tokens(input=100, cached=20, cache_write=10, output=50, quality="complete"),
        "first_seconds": 0.5,
    }
    return Record(**fields | changed)

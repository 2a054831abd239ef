"""The lists of models, in each vendor's shape."""

from __future__ import annotations

from typing import Any

Json = Any


def listing(dialect: str, names: list[str]) -> dict[str, Json]:
    """Return a complete list: one page."""
    found = [shown(dialect, name) for name in names]
    match dialect:
        case "gemini":
            return {"models": found}
        case "anthropic":
            ends = {
                "first_id": names[0] if names else None,
                "last_id": names[-1] if names else None,
            }
            return {"data": found, "has_more": False, **ends}
        case _:
            return {"object": "list", "data": found}


def shown(dialect: str, name: str) -> dict[str, Json]:
    """Return one model."""
    match dialect:
        case "gemini":
            return {
                "name": f"models/{name}",
                "version": "001",
                "displayName": name,
                "inputTokenLimit": 1_048_576,
                "outputTokenLimit": 65_536,
                "supportedGenerationMethods": ["generateContent", "countTokens"],
            }
        case "anthropic":
            return {
                "type": "model",
                "id": name,
                "display_name": name,
                "created_at": "2025-09-29T00:00:00Z",
                "lifecycle": "active",
            }
        case _:
            return {"id": name, "object": "model", "created": 1_700_000_000, "owned_by": "sim"}

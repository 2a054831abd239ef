"""`cliproxy models`."""

from __future__ import annotations

import sys

from cliproxy.app.runtime import Runtime
from cliproxy.base import json
from cliproxy.cli.config import loaded
from cliproxy.cli.tables import plain
from cliproxy.routing.resolve import ListedModel


def command(config_path: str | None, *, as_json: bool) -> None:
    """Print every model the configuration serves. Raises `ConfigError`."""
    _, config = loaded(config_path)
    models = Runtime(config).app.generation.gateway.registry.list_models()
    if as_json:
        sys.stdout.write(json.dumps_str([_entry(model) for model in models]) + "\n")
        return
    if not models:
        sys.stdout.write("There is no model: the configuration has no account.\n")
        return
    rows = [("MODEL", "OWNER", "CONTEXT", "OUTPUT", "THINKS"), *map(_row, models)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write(plain(line.rstrip()) + "\n")


def _row(model: ListedModel) -> tuple[str, ...]:
    return (
        model.id,
        model.owned_by,
        f"{model.context_length:,}" if model.context_length else "-",
        f"{model.max_output:,}" if model.max_output else "-",
        "yes" if model.thinking is not None else "-",
    )


def _entry(model: ListedModel) -> json.Obj:
    return {
        "id": model.id,
        "owned_by": model.owned_by,
        "display_name": model.display_name or None,
        "context_length": model.context_length or None,
        "max_output": model.max_output or None,
        "thinking": model.thinking is not None,
    }

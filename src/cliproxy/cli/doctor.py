"""`cliproxy doctor`."""

from __future__ import annotations

import asyncio
import sys
from typing import Final

import msgspec

from cliproxy.app.doctor import examine
from cliproxy.app.source import source_at_hand
from cliproxy.base import json
from cliproxy.base.errors import ConfigError
from cliproxy.cli.tables import plain

_MARKS: Final = {"ok": "ok     ", "note": "note   ", "warning": "WARNING", "error": "ERROR  "}


def command(config_path: str | None, *, as_json: bool) -> None:
    """Print what was found; exit with status 1 when something is wrong. Raises `ConfigError`."""
    source = source_at_hand(config_path)
    if source is None:
        raise ConfigError("There is no configuration yet; `cliproxy` writes a first one.")
    found = asyncio.run(examine(source.load(), source.path, mirror=source.mirror))
    if as_json:
        sys.stdout.write(json.dumps_str(msgspec.to_builtins(found)) + "\n")
    else:
        for finding in found:
            sys.stdout.write(f"{_MARKS[finding.level]}  {plain(finding.what)}\n")
            if finding.cure:
                sys.stdout.write(f"         → {plain(finding.cure)}\n")
    if any(finding.level == "error" for finding in found):
        sys.exit(1)

"""One thing that was looked at, and its cure."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Finding(Struct, frozen=True):
    """One thing that was looked at."""

    level: Literal["ok", "note", "warning", "error"]
    what: str
    cure: str = ""

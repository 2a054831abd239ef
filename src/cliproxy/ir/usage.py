"""Token counts and their arithmetic.

`input_total` includes cache reads and writes; `output_total` includes reasoning. A dialect
converts to and from these on its own border (translation table (g)).
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct, structs


class IRUsage(Struct, frozen=True):
    """Tokens of one answer. None = the upstream did not say."""

    input_total: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    cache_write_5m: int | None = None
    cache_write_1h: int | None = None
    output_total: int | None = None
    reasoning: int | None = None
    tool_prompt: int | None = None
    audio_input: int | None = None
    audio_output: int | None = None
    web_searches: int | None = None
    tier: str | None = None
    """Which service the answer was given: `default`, `priority`, `flex`, `batch`, or the
    upstream's own word."""
    details: dict[str, Any] | None = None
    """Splits that only one dialect has, by dialect id."""

    @property
    def total(self) -> int:
        """Input plus output; unknown parts count as 0."""
        return (self.input_total or 0) + (self.output_total or 0)

    @property
    def known(self) -> bool:
        """Whether the upstream reported anything."""
        return self.input_total is not None or self.output_total is not None

    def merge(self, later: IRUsage) -> IRUsage:
        """Overwrite field by field with what `later` knows. Snapshots are cumulative: never add."""
        if self is NOTHING:
            return later
        changes = {
            name: value
            for name in self.__struct_fields__
            if (value := getattr(later, name)) is not None
        }
        return structs.replace(self, **changes) if changes else self


NOTHING: Final = IRUsage()
"""What is known before anything was said."""

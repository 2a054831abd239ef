"""What several commands ask of the configuration."""

from __future__ import annotations

from pathlib import Path

from cliproxy.app.source import source_at_hand
from cliproxy.base.errors import ConfigError
from cliproxy.config.schema import Config


def loaded_or_empty(given: str | None) -> Config:
    """Load the configuration; without one, what holds without one. Raises `ConfigError`."""
    source = source_at_hand(given)
    return source.load().config if source is not None else Config()


def loaded(given: str | None) -> tuple[Path, Config]:
    """Find and load the configuration. Raises `ConfigError`."""
    source = source_at_hand(given)
    if source is None:
        raise ConfigError("There is no configuration yet; `cliproxy serve` writes one.")
    return source.path, source.load().config

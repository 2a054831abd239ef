"""What several commands ask of the configuration."""

from __future__ import annotations

from pathlib import Path

from cliproxy.app.start import find_config
from cliproxy.base.errors import ConfigError
from cliproxy.config.load import load
from cliproxy.config.schema import Config


def loaded_or_empty(given: str | None) -> Config:
    """Load the configuration; without one, what holds without one. Raises `ConfigError`."""
    path = find_config(given)
    return load(path).config if path is not None else Config()


def loaded(given: str | None) -> tuple[Path, Config]:
    """Find and load the configuration. Raises `ConfigError`."""
    path = find_config(given)
    if path is None:
        raise ConfigError("There is no configuration yet; `cliproxy serve` writes one.")
    return path, load(path).config

"""`cliproxy login`."""

from __future__ import annotations

import sys
from getpass import getpass
from pathlib import Path

from msgspec import structs

from cliproxy import login
from cliproxy.app.logging_in import Wish, add_file, log_in
from cliproxy.app.start import ensure_config, find_config, first_words, home_config
from cliproxy.base.errors import ConfigError
from cliproxy.cli.tables import plain
from cliproxy.config.load import load
from cliproxy.config.schema import Config
from cliproxy.login.flow import Problem
from cliproxy.login.vertex import imported


def command(config_path: str | None, provider: str, file: Path | None, wish: Wish) -> None:
    """Add an account. Raises `ConfigError`."""
    found = login.named(provider)
    if found is None:
        raise ConfigError(
            f"There is no login of {provider!r}; there are {', '.join(login.providers())}."
        )
    config = _config(config_path)
    if found == "vertex":
        _vertex(config, file, wish)
        return
    if file is not None:
        raise ConfigError(f"{found} logs in without a file; leave {file} out.")
    ways = login.get(found).ways
    if wish.way and wish.way not in ways:
        raise ConfigError(f"{found} cannot log in by {wish.way}; it can by {' or '.join(ways)}.")
    if wish.secret:
        wish = structs.replace(wish, options={**wish.options, wish.secret: _hidden(wish.secret)})
    credential = log_in(config, wish, _say)
    _say(f"Logged in: {credential.label} ({credential.provider}), kept as {credential.name}.")
    _say("A running server uses it at once.")


def _vertex(config: Config, file: Path | None, wish: Wish) -> None:
    if file is None:
        raise ConfigError("Name the service account's key: cliproxy login vertex KEY.json")
    try:
        new = imported(
            file.read_bytes(),
            location=wish.options.get("location", ""),
            prefix=wish.options.get("prefix", ""),
        )
    except OSError as err:
        raise ConfigError(f"{file} cannot be read: {err}") from err
    except Problem as err:
        raise ConfigError(f"{file}: {err.message}") from err
    path = add_file(config, new.name, new.fields)
    _say(f"Added {new.fields.get('email')} (vertex), kept as {path}.")


def _config(given: str | None) -> Config:
    """Return the configuration; on the very first use one is written."""
    path = find_config(given)
    if path is None:
        path, _ = ensure_config(home_config())
        told = load(path).config
        for line in first_words(path, told):
            _say(line)
        return told
    return load(path).config


def _hidden(what: str) -> str:
    """Ask for something that must not show."""
    try:
        return getpass({"cookie": "Cookie (BXAuth=…): "}.get(what, "Setup token: "))
    except EOFError:
        raise ConfigError(f"The {what.replace('_', ' ')} is read from the terminal.") from None


def _say(line: str) -> None:
    sys.stderr.write(plain(line) + "\n")
    sys.stderr.flush()

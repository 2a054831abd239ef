"""`cliproxy login`."""

from __future__ import annotations

import sys
from getpass import getpass
from pathlib import Path

from msgspec import structs

from cliproxy import login
from cliproxy.app.logging_in import Wish, add_file, log_in
from cliproxy.app.source import Source, found_or_made
from cliproxy.app.start import first_words
from cliproxy.base.errors import ConfigError
from cliproxy.cli.tables import plain
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
    source = _source(config_path)
    config = source.load().config
    if found == "vertex":
        _vertex(config, file, wish)
        _sent(source)
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
    _sent(source)
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


def _source(given: str | None) -> Source:
    """Return where the configuration is; on the very first use one is written."""
    source = found_or_made(given)
    if source.fresh:
        for line in first_words(source.path, source.load().config):
            _say(line)
    return source


def _sent(source: Source) -> None:
    if told := source.send():
        _say(told)


def _hidden(what: str) -> str:
    """Ask for something that must not show."""
    try:
        return getpass({"cookie": "Cookie (BXAuth=…): "}.get(what, "Setup token: "))
    except EOFError:
        raise ConfigError(f"The {what.replace('_', ' ')} is read from the terminal.") from None


def _say(line: str) -> None:
    sys.stderr.write(plain(line) + "\n")
    sys.stderr.flush()

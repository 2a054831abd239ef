"""Where the configuration is, and what to do on the very first start."""

from __future__ import annotations

import logging
import os
import secrets
from pathlib import Path
from typing import Final

from cliproxy.base.errors import ConfigError
from cliproxy.base.files import private_folder
from cliproxy.config.edit import NotEditable, set_value
from cliproxy.config.load import load_text
from cliproxy.config.schema import Config
from cliproxy.config.tree import NotYaml
from cliproxy.config.write import atomic_write, starter
from cliproxy.server.gate import hashed, is_hashed

_log: Final = logging.getLogger(__name__)


def find_config(given: str | None) -> Path | None:
    """Return the configuration to use: the flag, `CONFIG_PATH`, `./config.yaml`, then the home one.

    None when there is none anywhere. Raises `ConfigError` when a named file is missing.
    """
    named = given or os.environ.get("CONFIG_PATH")
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise ConfigError(f"There is no configuration file {path}.")
        return path
    for path in (Path("config.yaml"), home_config()):
        if path.is_file():
            return path
    return None


def home_config() -> Path:
    """Return the place of the configuration in the user's home."""
    return Path("~/.cli-proxy-api/config.yaml").expanduser()


def ensure_config(path: Path) -> tuple[Path, bool]:
    """Write a first configuration with fresh keys unless the file exists; say whether it is new."""
    if path.is_file():
        return path, False
    private_folder(path.parent)
    text = starter(f"sk-{secrets.token_urlsafe(24)}", f"mk-{secrets.token_urlsafe(24)}")
    atomic_write(path, text.encode())
    return path, True


def first_words(path: Path, config: Config) -> list[str]:
    """Return what is said once of a configuration that was just written."""
    lines = [f"Wrote a first configuration: {path}"]
    if config.api_keys:
        lines.append(f"Your client key (shown once; it is in that file): {config.api_keys[0]}")
        key = config.remote_management.secret_key
        lines.append(f"The management key (shown once; the file keeps its hash): {key}")
    return lines


def hash_management_key(path: Path, key: str) -> bool:
    """Put the hash of a plain management key in its place in the file; tell whether it was done.

    Everything else in the file stays as it is. A file that cannot be written keeps the plain key,
    which works as well. Another key that has come into the file since then stays.
    """
    key = key.strip()
    if not key or is_hashed(key):
        return False
    try:
        # Bytes, so that line ends and a byte order mark stay too.
        text = path.read_bytes().decode("utf-8")
        loaded = load_text(text.removeprefix("\ufeff"), path=path)
        if loaded.config.remote_management.secret_key.strip() != key:
            return False
        edited = set_value(text, ("remote-management", "secret-key"), hashed(key))
        atomic_write(path, edited.encode("utf-8"))
    except (OSError, NotEditable, NotYaml, ValueError, ConfigError) as err:
        _log.warning("the management key stays in %s as it is: %s", path, err)
        return False
    return True

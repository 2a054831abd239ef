"""The file `.env` of the working directory."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from pathlib import Path
from typing import Final

from cliproxy.base.errors import ConfigError

_LINE: Final = re.compile(
    r"""\s*(?:export\s+)?(?P<name>[A-Za-z_][\w.]*)\s*=\s*
        (?:"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>[^']*)'|(?P<bare>[^#\n]*?(?:\S\#[^\n]*?)*))
        \s*(?:\s\#.*)?""",
    re.VERBOSE,
)
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t"}


def read_env_file(path: Path, env: MutableMapping[str, str]) -> None:
    """Set the variables of a file; those that are set already stay. Raises `ConfigError`.

    What is no assignment is left out, as are comments.
    """
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as err:
        raise ConfigError(f"{path.absolute()} cannot be read: {err}") from err
    for line in text.splitlines():
        found = _LINE.fullmatch(line)
        if found is None or found["name"] in env:
            continue
        if found["double"] is not None:
            value = re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), found["double"])
        else:
            value = found["single"] if found["single"] is not None else found["bare"].strip()
        env[found["name"]] = value

"""The file `.env` of the working directory: where accounts are kept, and nothing else.

Whoever made that folder need not be who runs the command. So nothing is taken from it that starts
programs, opens doors, or takes the place of a store that the environment asks for.
"""

from __future__ import annotations

import re
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Final

from cliproxy.base.files import read_file

_LINE: Final = re.compile(
    r"""\s*(?:export\s+)?(?P<name>[A-Za-z_][\w.]*)\s*=\s*
        (?:"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>[^']*)'|(?P<bare>[^#\n]*?(?:\S\#[^\n]*?)*))
        \s*(?:\s\#.*)?""",
    re.VERBOSE,
)
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t"}
_OURS: Final = re.compile(
    r"(?:PGSTORE|OBJECTSTORE|GITSTORE)_\w+|STORE_POLL_SECONDS|WRITABLE_PATH", re.IGNORECASE
)
_MOST: Final = 1024 * 1024


def read_env_file(path: Path, env: MutableMapping[str, str]) -> str:
    """Set what a file says of stores; return what its user should know, "" = nothing.

    Variables that are set already stay. What is no assignment, or of something else, is left out.
    """
    try:
        if not path.is_file():
            return ""
        text = read_file(path, _MOST).decode("utf-8-sig", "replace")
    except OSError as err:
        return f"{path.absolute()} is not used: {err.strerror or err}"
    found = {
        name: value
        for name, value in reversed(_assignments(text))
        if _OURS.fullmatch(name) and not {name.upper(), name.lower()} & env.keys()
    }
    if not found:
        return ""
    from cliproxy.stores import choice  # noqa: PLC0415  # only where there is such a file
    from cliproxy.stores.base import StoreError  # noqa: PLC0415

    if choice.asked(env):
        # One store is not made of two descriptions.
        found = {name: value for name, value in found.items() if "STORE_" not in name.upper()}
    elif not choice.asked(found):
        # Without a store nothing is to be elsewhere than without the file.
        found = {name: value for name, value in found.items() if "STORE_" in name.upper()}
    env.update(found)
    if not choice.asked(found):
        return ""
    try:
        store = choice.chosen(env)
    except StoreError:
        return ""  # told by whoever wants to use it
    title = store.make().title if store is not None else ""
    return f"accounts are kept in {title}, as {path.absolute()} says"


def tell(what: str) -> None:
    """Say what the user should know of the file."""
    if what:
        sys.stderr.write(f"cliproxy: {''.join(c for c in what if c.isprintable())}\n")


def _assignments(text: str) -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    for line in text.splitlines():
        found = _LINE.fullmatch(line)
        if found is None:
            continue
        if found["double"] is not None:
            value = re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), found["double"])
        else:
            value = found["single"] if found["single"] is not None else found["bare"].strip()
        # No variable can hold that character.
        if "\0" not in value:
            out.append((found["name"], value))
    return out

"""Logins that belong to another program: read where it keeps them, never refreshed behind its back.

Such a file says `linked_cli` and `linked_file` instead of holding tokens. Whenever the program has
refreshed its login, the new tokens are taken from there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cliproxy.base.json import Obj
from cliproxy.keeper import clis

CLI: Final = "linked_cli"
FILE: Final = "linked_file"
_TAKEN: Final = frozenset(
    {"access_token", "refresh_token", "id_token", "expired", "token", "last_refresh", "api_key",
     "token_type", "scope"}
)  # fmt: skip
"""What is read from the other file and not written into ours."""


def linked_file(fields: Obj) -> Path | None:
    """Return the file a login is read from; None when it is our own."""
    named = fields.get(FILE)
    return Path(named) if isinstance(named, str) and named else None


def with_link(fields: Obj) -> Obj:
    """Return a file's fields with the tokens of the login that it is linked to."""
    return (read_linked(fields) or fields) if linked_file(fields) is not None else fields


def read_linked(fields: Obj) -> Obj | None:
    """Return a linked login's fields as they are now; None when there is nothing to read."""
    path, name = linked_file(fields), fields.get(CLI)
    cli = clis.of_name(name) if isinstance(name, str) else None
    found = clis.read_login(cli, path) if cli is not None and path is not None else None
    if found is None:
        return None
    # What the owner wrote into our file wins over what the other program calls things.
    own = {key: value for key, value in fields.items() if key not in _TAKEN}
    return {**found, **own}


def without_tokens(fields: Obj) -> Obj:
    """Return what of a linked login is written into our own file."""
    if linked_file(fields) is None:
        return fields
    return {key: value for key, value in fields.items() if key not in _TAKEN}

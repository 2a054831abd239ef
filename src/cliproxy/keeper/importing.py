"""Finding the logins of other programs on this machine, and adding them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct

from cliproxy.account.credential import Credential, expiry_of
from cliproxy.base.json import Obj
from cliproxy.base.redact import Hidden
from cliproxy.keeper.clis import CLIS, Cli, read_login
from cliproxy.keeper.linked import CLI, FILE

Mode = Literal["link", "copy"]


class Found(Hidden, Struct, frozen=True):
    """A login of another program."""

    cli: Cli
    path: Path
    fields: Obj
    label: str
    expires: float | None
    known: str = ""
    """The account here that is this login already."""

    @property
    def mode(self) -> Mode:
        """How it is best added: linked where a copy would log the program out."""
        return "link" if self.cli.shared else "copy"


def find(
    home: Path, env: Mapping[str, str], known: Iterable[Credential], only: Iterable[str] = ()
) -> list[Found]:
    """Look for logins. Reads, and changes nothing."""
    wanted, have = set(only), list(known)
    found: list[Found] = []
    for cli in CLIS:
        if wanted and cli.name not in wanted and cli.provider not in wanted:
            continue
        path = cli.path(home, env)
        fields = read_login(cli, path)
        if fields is None:
            continue
        fields = {"type": cli.provider, **fields}
        label = Credential("", fields).text("email") or str(path)
        found.append(Found(cli, path, fields, label, expiry_of(fields), _same(fields, path, have)))
    return found


def entry(found: Found, mode: Mode) -> tuple[str, Obj]:
    """Return the name and the content of the file that adds a login."""
    email = Credential("", found.fields).text("email")
    plain = re.sub(r"[^A-Za-z0-9@._-]+", "-", email).strip("-.") if email else ""
    if mode == "copy":
        return f"{found.cli.provider}-{plain or found.cli.name}.json", found.fields
    fields: Obj = {"type": found.cli.provider, CLI: found.cli.name, FILE: str(found.path)}
    if email:
        fields["email"] = email
    return f"{found.cli.provider}-{plain + '-' if plain else ''}linked.json", fields


def _same(fields: Obj, path: Path, have: list[Credential]) -> str:
    new = Credential("", fields)
    for credential in have:
        if credential.fields.get(FILE) == str(path) or (
            new.refresh_token and credential.refresh_token == new.refresh_token
        ):
            return credential.name
    return ""

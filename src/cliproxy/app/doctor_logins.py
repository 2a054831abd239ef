"""What is wrong with the logins of a set-up, or will be."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from cliproxy import login, providers
from cliproxy.account.credential import Credential
from cliproxy.app.finding import Finding
from cliproxy.keeper.keeper import Keeper, refreshable
from cliproxy.keeper.linked import linked_file

_NEEDS_SECRET: Final = frozenset({"gemini-cli", "antigravity", "iflow"})


async def logins(keeper: Keeper, folder: Path, now: float) -> list[Finding]:
    """Look at the folder and at every login; asks nobody. `now` is in Unix seconds."""
    found = _folder(folder)
    for credential in keeper.credentials():
        problem = await _one(keeper, credential, now)
        found.append(problem or Finding("ok", f"The login {credential.name} holds what it needs."))
    return found


def _folder(folder: Path) -> list[Finding]:
    if os.name != "posix" or not folder.is_dir():
        return []
    found: list[Finding] = []
    if stat.S_IMODE(folder.stat().st_mode) & 0o077:
        what = f"{folder} holds logins and others can look into it."
        found.append(Finding("warning", what, f"chmod 700 {folder}"))
    open_ones = [
        path
        for path in sorted(folder.rglob("*.json"))
        if path.is_file() and stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
    if open_ones:
        what = f"{len(open_ones)} of the files in {folder} can be read by others."
        found.append(Finding("warning", what, f"chmod 600 {folder}/*.json"))
    if not os.access(folder, os.W_OK):
        what = f"{folder} cannot be written: new tokens would be lost at the next stop."
        found.append(
            Finding("error", what, f"Give its owner the right to write: chmod u+w {folder}")
        )
    return found


async def _one(keeper: Keeper, credential: Credential, now: float) -> Finding | None:
    name, provider = credential.name, credential.provider
    again = f"cliproxy login {provider}"
    if credential.flag("disabled"):
        return Finding("note", f"The login {name} is disabled.")
    if not providers.known(provider):
        what = f"The login {name} is of a type that is not known: {provider or 'none'}."
        return Finding("warning", what, "Remove the file, or correct its type.")
    ended = credential.expires is not None and credential.expires <= now
    path = linked_file(credential.fields)
    if path is not None:
        if not credential.token:
            what = f"The login {name} is linked to {path}, and there is none."
            return Finding("error", what, "Log in with that program, or remove the file.")
        if ended:
            what = f"The login {name} has ended; the program it belongs to renews it."
            return Finding("warning", what, "Run that program once.")
        return None
    if not credential.token and not refreshable(credential):
        return Finding("error", f"The login {name} holds no token.", again)
    if ended and not refreshable(credential):
        return Finding("error", f"The login {name} has ended and cannot be renewed.", again)
    if provider in _NEEDS_SECRET and login.known(provider) and refreshable(credential):
        await keeper.know(provider)
        if not keeper.setting(provider).client.secret and not _own_secret(credential):
            what = (
                f"The login {name} cannot be renewed: the client secret of {provider} is missing."
            )
            return Finding("error", what, f"Set oauth-clients.{provider}.secret.")
    return None


def _own_secret(credential: Credential) -> bool:
    token = credential.fields.get("token")
    nested = token.get("client_secret") if isinstance(token, dict) else None
    return bool(nested or credential.text("client_secret"))

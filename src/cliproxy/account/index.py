"""The sixteen hex digits that management clients know an account by.

They stand for facts that outlive a restart: the type and the path of a credential file, or the
list, the address and the key of an entry of the configuration.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from cliproxy.account.credential import Credential
from cliproxy.account.model import Account

_LISTS: Final = {
    "gemini": "gemini-api-key",
    "gemini-interactions": "interactions-api-key",
    "claude": "claude-api-key",
    "codex": "codex-api-key",
    "xai": "xai-api-key",
}
_HOSTS: Final = "openai-compatible"


def auth_index(account: Account, folder: Path | str | None) -> str:
    """Return the index of an account; `folder` is that of the credential files."""
    if account.credential is not None:
        return index_of_file(account.credential, folder)
    name = "openai-compatibility" if account.provider.startswith(_HOSTS) else None
    name = name or _LISTS.get(account.provider)
    if name is None:
        return index_of(f"id:{account.id}")
    return index_of_key(name, account.base_url, account.token)


def index_of_file(credential: Credential, folder: Path | str | None) -> str:
    """Return the index of a credential file."""
    if not folder:
        return index_of(f"id:{credential.name}")
    written = credential.text("type").lower()
    return index_of(f"{written}:{Path(folder).absolute() / credential.name}")


def index_of_key(name: str, base: str, key: str) -> str:
    """Return the index of a key in one of the configuration's lists."""
    return index_of(f"{name}:{base}+{key}")


def index_of(seed: str) -> str:
    """Return the digits that stand for some facts."""
    return hashlib.sha256(seed.encode("utf-8", "surrogatepass")).hexdigest()[:16]

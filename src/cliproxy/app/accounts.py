"""The keeper of logins, as the configuration wants it."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cliproxy import login
from cliproxy.base.clock import Clock
from cliproxy.base.errors import ConfigError
from cliproxy.base.json import text_in
from cliproxy.config.schema import Config
from cliproxy.keeper.client_secrets import find_client_secret, usual_roots
from cliproxy.keeper.directory import PRIVATE, DirectoryStore
from cliproxy.keeper.keeper import AT_ONCE, Keeper, Settings
from cliproxy.login.flow import Client
from cliproxy.transport.client import Transport

if TYPE_CHECKING:
    from cliproxy.stores.mirror import Mirror

_log: Final = logging.getLogger("cliproxy.accounts")
SECRETS: Final = {
    "gemini-cli": "GEMINI_OAUTH_CLIENT_SECRET",
    "antigravity": "ANTIGRAVITY_OAUTH_CLIENT_SECRET",
    "iflow": "IFLOW_OAUTH_CLIENT_SECRET",
}
"""Environment variables with the secrets of OAuth clients that need one."""


def auth_folder(config: Config) -> Path:
    """Return the folder of the credential files. Raises `ConfigError` when there can be none."""
    try:
        return Path(config.auth_dir).expanduser()
    except RuntimeError as err:
        raise ConfigError(f"auth-dir: {config.auth_dir!r} cannot be found: {err}") from err


def _mirrored(mirror: Mirror) -> DirectoryStore:
    from cliproxy.keeper.mirrored import MirroredDirectory  # noqa: PLC0415  # only with a store

    return MirroredDirectory(mirror)


def keeper_of(
    config: Config, transport: Transport, clock: Clock, mirror: Mirror | None = None
) -> Keeper:
    """Return the keeper of the logins in the configured folder, which may be a store's mirror."""
    folder = auth_folder(config)
    return Keeper(
        DirectoryStore(folder) if mirror is None else _mirrored(mirror),
        transport,
        clock=clock,
        settings=settings_of(config, os.environ),
        journal=folder / PRIVATE,
    )


def settings_of(config: Config, env: Mapping[str, str]) -> Settings:
    """Return what the configuration and the environment say about logins."""
    endpoints: dict[str, dict[str, str]] = {}
    for word, written in config.endpoints.items():
        provider = login.named(word) or word
        if isinstance(written, Mapping):
            endpoints[provider] = {
                str(k): v.strip().rstrip("/") for k, v in written.items() if isinstance(v, str)
            }
    clients: dict[str, Client] = {}
    for provider, variable in SECRETS.items():
        clients[provider] = Client("", env.get(variable, "").strip())
    for word, written in config.oauth_clients.items():
        provider = login.named(word) or word
        if isinstance(written, Mapping):
            known = clients.get(provider, Client(""))
            clients[provider] = Client(
                text_in(written, "id", "client-id") or known.id,
                text_in(written, "secret", "client-secret") or known.secret,
            )
    workers = config.auth_auto_refresh_workers
    return Settings(
        endpoints,
        clients,
        config.proxy_url or None,
        lambda provider: found_secret(provider, env),
        workers if workers > 0 else AT_ONCE,
        config.models_refresh,
    )


def found_secret(provider: str, env: Mapping[str, str]) -> str:
    """Return the secret of an OAuth client as the official program on this machine has it."""
    secret = find_client_secret(usual_roots(provider, Path.home(), env), provider)
    if secret:
        _log.info("the OAuth client of %s was found in its official program", provider)
    return secret or ""

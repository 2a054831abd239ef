"""`cliproxy connect`."""

from __future__ import annotations

import sys

from cliproxy.app.runtime import Runtime
from cliproxy.app.snippets import snippet
from cliproxy.base.errors import ConfigError
from cliproxy.cli.config import loaded


def command(client: str, config_path: str | None, model: str | None, url: str | None) -> None:
    """Print the settings that point a client here. Raises `ConfigError`."""
    path, config = loaded(config_path)
    if not config.api_keys and not config.allow_unauthenticated:
        raise ConfigError(f"{path} has no client key (api-keys).")
    key = config.api_keys[0] if config.api_keys else "any"
    base = url or f"{'https' if config.tls.enable else 'http'}://{_host(config.host)}:{config.port}"
    if model is None:
        models = Runtime(config).app.generation.gateway.registry.list_models()
        if not models:
            raise ConfigError(f"{path} has no account, so there is no model to use.")
        model = models[0].id
    sys.stdout.write(snippet(client, base.rstrip("/"), key, model))


def _host(host: str) -> str:
    # An address to listen on that means "all" is none to connect to.
    if host in ("", "0.0.0.0", "::"):  # noqa: S104  # compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host

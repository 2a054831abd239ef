"""Asking a running proxy, here or elsewhere, through its management API."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from typing import Any, Final

from cliproxy.base import json
from cliproxy.base.errors import ConfigError
from cliproxy.base.json import Obj
from cliproxy.config.schema import Config

_PATIENCE: Final = 30.0
_ANYWHERE: Final = ("", "0.0.0.0", "::")  # noqa: S104  # compared


class NoServer(Exception):
    """Nobody listens there."""


def key_or_environment(key: str | None) -> str:
    """Return the management key: the one that was given, else `MANAGEMENT_PASSWORD`."""
    return key or os.environ.get("MANAGEMENT_PASSWORD", "").strip()


def local_url(config: Config) -> str:
    """Return where the proxy of a configuration listens, as this machine reaches it."""
    scheme = "https" if config.tls.enable else "http"
    host = config.host if config.host not in _ANYWHERE else "127.0.0.1"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{config.port}"


def ask(url: str, key: str, path: str, *, holding: str) -> Obj:
    """Return what a proxy answers on `/v0/management/<path>`: an object that holds a field.

    Raises `NoServer` when nobody is there, `ConfigError` when it refuses.
    """
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"{url} is no address: it must begin with http:// or https://.")
    base = url.rstrip("/").removesuffix("/v0/management")
    request = urllib.request.Request(  # noqa: S310  # its scheme was checked
        f"{base}/v0/management/{path}", headers={"Authorization": f"Bearer {key}"}
    )
    # Not through a proxy of the environment: the key is for this server alone.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_PATIENCE) as response:
            body = response.read()
    except urllib.error.HTTPError as err:
        with err:
            raise ConfigError(_refused(err.code, err.read())) from err
    except (OSError, ValueError) as err:
        raise NoServer(getattr(err, "reason", err)) from err
    try:
        found = json.loads(body)
    except json.InvalidJson as err:
        raise ConfigError(f"{base} did not answer as cliproxy does.") from err
    if not isinstance(found, dict) or holding not in found:
        raise ConfigError(f"{base} did not answer as cliproxy does.")
    return found


def _refused(status: int, body: bytes) -> str:
    if status == 404:
        return "The proxy has no management API: set remote-management.secret-key."
    try:
        told: Any = json.loads(body)["error"]
    except (json.InvalidJson, KeyError, TypeError):
        told = ""
    if status == 401:
        cure = "give the right one with --key or MANAGEMENT_PASSWORD"
        return f"The proxy refused the management key ({told or 'no reason given'}): {cure}."
    return f"The proxy answered {status}{f': {told}' if told else ''}."

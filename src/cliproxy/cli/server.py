"""Asking a running proxy, here or elsewhere, through its management API."""

from __future__ import annotations

import http.client
import os
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, Any, Final

from cliproxy.base import json, redact
from cliproxy.base.errors import ConfigError
from cliproxy.base.json import Obj
from cliproxy.config.schema import Config

_PATIENCE: Final = 30.0
_ANYWHERE: Final = ("", "0.0.0.0", "::")  # noqa: S104  # compared
_NO_API: Final = (
    "The proxy has no management API: set remote-management.secret-key in its configuration."
)
_CURES: Final = {
    "remote management disabled": "it answers to its own machine alone; set "
    "remote-management.allow-remote there, or reach it by `ssh -L 8317:localhost:8317 HOST`",
    "unknown host": "call it by localhost or 127.0.0.1, or set remote-management.allow-remote",
}


class NoServer(Exception):
    """Nobody listens there."""


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows nobody elsewhere: the key is for the server that was named."""

    def redirect_request(  # noqa: PLR0917  # the base class's
        self,
        req: urllib.request.Request,  # noqa: ARG002
        fp: IO[bytes],  # noqa: ARG002
        code: int,  # noqa: ARG002
        msg: str,  # noqa: ARG002
        headers: http.client.HTTPMessage,  # noqa: ARG002
        newurl: str,
    ) -> None:
        raise ConfigError(
            f"That address leads to {redact.url(newurl)}; give the proxy's own, as --url."
        )


def key_or_environment(key: str | None) -> str:
    """Return the management key: the one that was given, else `MANAGEMENT_PASSWORD`."""
    return (key or os.environ.get("MANAGEMENT_PASSWORD", "")).strip()


def local_url(config: Config) -> str:
    """Return where the proxy of a configuration listens, as this machine reaches it."""
    scheme = "https" if config.tls.enable else "http"
    host = config.host if config.host not in _ANYWHERE else "127.0.0.1"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{config.port}"


def ask(url: str, key: str, path: str, *, holding: str, trusted: str = "") -> Obj:
    """Return what a proxy answers on `/v0/management/<path>`: an object that holds a field.

    Args:
        url: Where the proxy, its panel or its management API is.
        key: The management key.
        path: What is asked.
        holding: The field.
        trusted: The file of a certificate that is believed in place of all usual ones.

    Raises:
        NoServer: Nobody is there.
        ConfigError: It cannot be asked so, or it refuses.
    """
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"{url} is no address: it must begin with http:// or https://.")
    if not key:
        raise ConfigError(
            f"Asking {url} takes its management key: give it with --key or MANAGEMENT_PASSWORD."
        )
    base = url.partition("#")[0].rstrip("/")
    base = base.removesuffix("/management.html").removesuffix("/v0/management")
    try:
        body = _get(base, key, path, trusted)
    except urllib.error.HTTPError as err:
        with err:
            told = _refused(err.code, err.read())
        if err.code == 404 and _has_api(base, key, trusted):
            told = (
                f"The server at {base} knows no /{path.partition('?')[0]}: it is CLIProxyAPI, or "
                "a cliproxy older than this command."
            )
        raise ConfigError(told) from err
    try:
        found = json.loads(body)
    except json.InvalidJson as err:
        raise ConfigError(f"{base} did not answer as cliproxy does.") from err
    if not isinstance(found, dict) or not isinstance(found.get(holding), list | dict):
        raise ConfigError(f"{base} did not answer as cliproxy does.")
    return found


def certificate(config: Config) -> str:
    """Return the file of the certificate that the proxy of a configuration shows."""
    return config.tls.cert if config.tls.enable and Path(config.tls.cert).is_file() else ""


def _get(base: str, key: str, path: str, trusted: str) -> bytes:
    # A header carries bytes, and the server reads them as UTF-8.
    sent = f"Bearer {key}".encode().decode("latin-1")
    handlers: list[urllib.request.BaseHandler] = [
        # Not through a proxy of the environment: the key is for this server alone.
        urllib.request.ProxyHandler({}),
        _Stay(),
    ]
    try:
        if trusted:
            context = ssl.create_default_context(cafile=trusted)
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            # It is for the name that others call this machine by.
            context.check_hostname = False
            handlers.append(urllib.request.HTTPSHandler(context=context))
        request = urllib.request.Request(  # noqa: S310  # its scheme was checked
            f"{base}/v0/management/{path}", headers={"Authorization": sent}
        )
        with urllib.request.build_opener(*handlers).open(request, timeout=_PATIENCE) as response:
            body: bytes = response.read()
            return body
    except urllib.error.HTTPError:
        raise
    except (OSError, ValueError, http.client.HTTPException) as err:
        reason = getattr(err, "reason", err)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise ConfigError(
                f"The certificate of {base} is not to be trusted "
                f"({reason.verify_message.rstrip('.')}). If it is the right one, name its file, "
                "or its authority's, in SSL_CERT_FILE."
            ) from err
        if isinstance(reason, ssl.SSLError):
            raise ConfigError(
                f"{base} does not speak TLS as it should; does it answer to http://?"
            ) from err
        if isinstance(reason, http.client.HTTPException | ConnectionResetError):
            raise ConfigError(
                f"{base} does not answer in HTTP"
                f"{'; does it answer to https://?' if base.startswith('http:') else '.'}"
            ) from err
        raise NoServer(reason) from err


def _has_api(base: str, key: str, trusted: str) -> bool:
    """Tell whether a server has a management API that knows the oldest question of all."""
    try:
        return b"debug" in _get(base, key, "debug", trusted)
    except (NoServer, ConfigError, urllib.error.HTTPError):
        return False


def _refused(status: int, body: bytes) -> str:
    if status == 404:
        return _NO_API
    try:
        told: Any = json.loads(body)["error"]
    except (json.InvalidJson, KeyError, TypeError):
        told = ""
    if status == 401:
        cure = "give the right one with --key or MANAGEMENT_PASSWORD"
        return f"The proxy refused the management key ({told or 'no reason given'}): {cure}."
    if isinstance(told, str) and told in _CURES:
        return f"The proxy refused ({told}): {_CURES[told]}."
    return f"The proxy answered {status}{f': {told}' if told else ''}."

"""`cliproxy serve`."""

from __future__ import annotations

import sys

from msgspec import structs

from cliproxy.app.serve import log_by, serve
from cliproxy.app.start import (
    ensure_config,
    find_config,
    hash_management_key,
    home_config,
)
from cliproxy.config.load import load


def command(config_path: str | None, host: str | None, port: int | None) -> None:
    """Find or write the configuration, then serve. Raises `ConfigError`."""
    path = find_config(config_path)
    fresh = path is None
    if path is None:
        path, _ = ensure_config(home_config())
    loaded = load(path)
    config = loaded.config
    if host is not None:
        config = structs.replace(config, host=host)
    if port is not None:
        config = structs.replace(config, port=port)
    log_by(config)
    for problem in loaded.problems:
        _say(f"{problem.severity}: {problem}")
    if fresh:
        _say(f"Wrote a first configuration: {path}")
        if config.api_keys:
            _say(f"Your client key (shown once; it is in that file): {config.api_keys[0]}")
            key = config.remote_management.secret_key
            _say(f"The management key (shown once; the file keeps its hash): {key}")
    hash_management_key(path, config.remote_management.secret_key)
    serve(
        config,
        announce=lambda url: _say(f"cliproxy is listening on {url} (config: {path})"),
        watched=path,
    )


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()

"""`cliproxy serve`."""

from __future__ import annotations

import sys

from msgspec import structs

from cliproxy.app.serve import log_by, serve
from cliproxy.app.start import (
    ensure_config,
    find_config,
    first_words,
    hash_management_key,
    home_config,
)
from cliproxy.config.load import load


def command(
    config_path: str | None, host: str | None, port: int | None, password: str = ""
) -> None:
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
        for line in first_words(path, config):
            _say(line)
    hash_management_key(path, config.remote_management.secret_key)
    serve(
        config,
        announce=lambda url: _say(f"cliproxy is listening on {url} (config: {path})"),
        watched=path,
        password=password,
    )


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()

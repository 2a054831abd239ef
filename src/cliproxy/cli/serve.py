"""`cliproxy serve`."""

from __future__ import annotations

import sys

from msgspec import structs

from cliproxy.app.serve import log_by, serve
from cliproxy.app.source import found_or_made
from cliproxy.app.start import first_words, hash_management_key


def command(
    config_path: str | None, host: str | None, port: int | None, password: str = ""
) -> None:
    """Find or write the configuration, then serve. Raises `ConfigError`."""
    source = found_or_made(config_path)
    path, loaded = source.path, source.load()
    config = loaded.config
    if host is not None:
        config = structs.replace(config, host=host)
    if port is not None:
        config = structs.replace(config, port=port)
    log_by(config)
    for problem in loaded.problems:
        _say(f"{problem.severity}: {problem}")
    if source.fresh:
        for line in first_words(path, config):
            _say(line)
    hash_management_key(path, config.remote_management.secret_key)
    serve(
        config,
        announce=lambda url: _say(f"cliproxy is listening on {url} (config: {path})"),
        source=source,
        password=password,
    )


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()

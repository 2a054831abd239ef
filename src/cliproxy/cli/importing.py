"""`cliproxy import`."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from cliproxy.app.accounts import keeper_of
from cliproxy.app.logging_in import add_file
from cliproxy.app.source import find_source
from cliproxy.base.clock import SYSTEM_CLOCK
from cliproxy.base.errors import ConfigError
from cliproxy.cli.tables import table
from cliproxy.config.schema import Config
from cliproxy.keeper.clis import CLIS
from cliproxy.keeper.importing import Found, Mode, entry, find
from cliproxy.transport.client import Transport


def command(
    config_path: str | None, only: tuple[str, ...], mode: Mode | None, *, dry_run: bool
) -> None:
    """Add the logins that other programs on this machine have. Raises `ConfigError`."""
    names = {word for cli in CLIS for word in (cli.name, cli.provider)}
    unknown = [word for word in only if word not in names]
    if unknown:
        raise ConfigError(
            f"There is no program {unknown[0]!r} to import from; there are "
            f"{', '.join(cli.name for cli in CLIS)}."
        )
    source = find_source(config_path, make=not dry_run)
    config = source.load().config if source is not None else Config()
    keeper = keeper_of(config, Transport(), SYSTEM_CLOCK)
    found = find(Path.home(), os.environ, keeper.credentials(), only)
    if not found:
        sys.stdout.write("No logins of other programs were found on this machine.\n")
        return
    sys.stdout.write(
        table(
            ("PROGRAM", "ACCOUNT", "ENDS", "WILL BE", "FILE"),
            [_row(item, mode or item.mode) for item in found],
        )
    )
    if dry_run:
        sys.stdout.write("Nothing was changed. Run it without --dry-run to add them.\n")
        return
    for item in found:
        if item.known:
            continue
        how = mode or item.mode
        if how == "copy" and item.cli.shared:
            sys.stdout.write(
                f"{item.cli.title} and cliproxy now share a refresh token that is good for one "
                "use: whoever refreshes first logs the other one out.\n"
            )
        name, fields = entry(item, how)
        sys.stdout.write(f"Added {add_file(config, name, dict(fields))}\n")
    if source is not None and (told := source.send()):
        sys.stdout.write(told + "\n")


def _row(item: Found, mode: Mode) -> tuple[str, ...]:
    ends = "-"
    if item.expires is not None:
        ends = f"{datetime.fromtimestamp(item.expires, UTC):%Y-%m-%d %H:%M} UTC"
    will = (
        f"there already ({item.known})" if item.known else "linked" if mode == "link" else "copied"
    )
    return item.cli.title, item.label, ends, will, str(item.path)

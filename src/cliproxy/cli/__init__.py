"""The command line."""

from __future__ import annotations


def main() -> None:
    """Run the command in `sys.argv`."""
    from cliproxy.cli.main import run  # noqa: PLC0415  # importing the package must stay cheap

    run()

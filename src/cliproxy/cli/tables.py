"""Plain tables for terminals and pipes."""

from __future__ import annotations

from collections.abc import Sequence


def plain(text: str) -> str:
    """Return text without what a terminal would obey: some of it comes from files and servers."""
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return columns as wide as they need to be."""
    rows = [[plain(cell).replace("\n", " ") for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    )
    return "\n".join(lines) + "\n"

"""Write docs/compatibility.md: what becomes of every request field, for every pair of dialects.

Usage: compatibility.py [--check]. With --check nothing is written; the exit status is 1 when the
file is not what would be written.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cliproxy.dialects._compat import TARGETS, Row, rows

FILE = Path(__file__).resolve().parent.parent / "docs" / "compatibility.md"

TITLES = {
    "openai-chat": "OpenAI Chat Completions",
    "openai-responses": "OpenAI Responses",
    "anthropic": "Anthropic Messages",
    "gemini": "Gemini generateContent",
}

INTRO = """\
# What becomes of each field

A request goes to an upstream verbatim when both sides speak the same dialect. Otherwise, or when
something in it has to change, it is built anew. These tables say what that does to every request
field of the official SDKs. The upstream is taken to be the vendor's own; what a single model
cannot take (a thinking budget, an image) is not in them.

| word | meaning |
|---|---|
| kept | sent under the same name, with the same meaning |
| mapped | sent in the other dialect's own form |
| adapted | sent in part; what is missing is reported |
| dropped | not sent, and reported |
| refused | the request fails, and the error says why |
| ignored | neither sent nor reported, because nothing is lost; the note says why |

Reported means named in the answer's `X-Cliproxy-Dropped` header. In a field's name brackets hold
the `type` or `role` of an object, `*` any ending, and `.**` stands for everything inside; lists
are written like what they hold.

This file is generated: `scripts/compatibility.py` writes it from `src/cliproxy/dialects/_compat/`.
"""


def page() -> str:
    """Return the whole file."""
    return INTRO + "".join(_section(source) for source in TARGETS)


def _section(source: str) -> str:
    table = rows(source)
    out = f"\n## From {TITLES[source]}\n\n" + _table([row for row in table if row.listed])
    beyond = [row for row in table if not row.listed]
    if beyond:
        out += "\nFields the SDK does not list, or no longer:\n\n" + _table(beyond)
    return out


def _table(table: list[Row]) -> str:
    head = "| field | to chat | to responses | to anthropic | to gemini | note |\n"
    lines = [_line(row) for row in table]
    return head + "|---|---|---|---|---|---|\n" + "".join(lines)


def _line(row: Row) -> str:
    field = row.path.replace("|", "\\|")
    words = " | ".join(row.word(target) for target in TARGETS)
    return f"| `{field}` | {words} | {row.note} |\n"


def main() -> int:
    """Write the file, or compare it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="only compare")
    if parser.parse_args().check:
        return int(not FILE.exists() or FILE.read_text(encoding="utf-8") != page())
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

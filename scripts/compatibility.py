"""Write docs/compatibility.md: what becomes of every field, for every pair of dialects.

Usage: compatibility.py [--check]. With --check nothing is written; the exit status is 1 when the
file is not what would be written.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cliproxy.dialects._compat import TARGETS, TOLD, Row, answer_rows, made_rows, rows

FILE = Path(__file__).resolve().parent.parent / "docs" / "compatibility.md"

TITLES = {
    "openai-chat": "OpenAI Chat Completions",
    "openai-responses": "OpenAI Responses",
    "anthropic": "Anthropic Messages",
    "gemini": "Gemini generateContent",
    "interactions": "Gemini Interactions",
}

INTRO = """\
# What becomes of each field

First what becomes of the fields of [requests](#requests), then of those of [answers](#answers),
for every pair of dialects and for every field of the official SDKs. In a field's name brackets
hold the `type` or `role` of an object, `*` any ending, `.**` stands for everything inside and
`**.` for any place; lists are written like what they hold.

This file is generated: `scripts/compatibility.py` writes it from `src/cliproxy/dialects/_compat/`.

## Requests

A request goes to an upstream verbatim when both sides speak the same dialect. Otherwise, or when
something in it has to change, it is built anew. The upstream is taken to be the vendor's own; what
a single model cannot take (a thinking budget, an image) is not in these tables.

| word | meaning |
|---|---|
| kept | sent under the same name, with the same meaning |
| mapped | sent in the other dialect's own form |
| adapted | sent in part; what is missing is reported |
| dropped | not sent, and reported |
| refused | the request fails, and the error says why |
| ignored | neither sent nor reported, because nothing is lost; the note says why |

Reported means named in the answer's `X-Cliproxy-Dropped` header.
"""

ANSWERS = """
## Answers

An answer reaches a client of the upstream's own dialect as it came. Any other client is told what
its dialect has words for, whole or streamed alike. Nothing of an answer is reported: it is already
on its way.

| word | meaning |
|---|---|
| kept | told under the same name, with the same meaning |
| mapped | told in the client's own form |
| dropped | not told |
| made | the client is told what is true here, whatever the upstream said |
| ignored | not told, because nothing is lost; the note says why |

Fields without a prefix are those of a whole answer. `chunk` is a piece of a streamed one, `event`
an event of a stream with its type in brackets, `failure` the body of an error. An answer, an item
or a block that an event holds is one field here. A second table says what a client of the dialect
is told that no upstream of another dialect has said. Answers of and to the Interactions API are
not in these tables yet.
"""


def page() -> str:
    """Return the whole file."""
    requests = "".join(_section(source, "Requests from", rows(source)) for source in TARGETS)
    return INTRO + requests + ANSWERS + "".join(_answers(source) for source in TOLD)


def _answers(source: str) -> str:
    made = "".join(f"| {_name(row)} | {row.note} |\n" for row in made_rows(source))
    told = f"\nWhat clients of {TITLES[source]} are told beside that:\n\n"
    head = "| field | what it is |\n|---|---|\n"
    return _section(source, "Answers of", answer_rows(source)) + told + head + made


def _section(source: str, title: str, table: tuple[Row, ...]) -> str:
    out = f"\n### {title} {TITLES[source]}\n\n" + _table([row for row in table if row.listed])
    beyond = [row for row in table if not row.listed]
    if beyond:
        out += "\nFields the SDK does not list, or no longer:\n\n" + _table(beyond)
    return out


def _table(table: list[Row]) -> str:
    names = [f"to {target.removeprefix('openai-')}" for target in table[0].targets]
    head = f"| field | {' | '.join(names)} | note |\n" + "|---" * (len(names) + 2) + "|\n"
    return head + "".join(_line(row) for row in table)


def _line(row: Row) -> str:
    words = " | ".join(row.word(target) for target in row.targets)
    return f"| {_name(row)} | {words} | {row.note} |\n"


def _name(row: Row) -> str:
    return "`" + row.path.replace("|", "\\|") + "`"


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

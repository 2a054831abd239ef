"""What is measured: the rows as data, and the bounds they are held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

VERBATIM: Final = tuple(
    (dialect, dialect) for dialect in ("chat", "anthropic", "responses", "gemini")
)
TRANSLATED: Final = tuple(
    (client, upstream)
    for client in ("anthropic", "chat", "responses", "gemini")
    for upstream in ("chat", "anthropic", "responses", "gemini")
    if client != upstream
)
"""Pairs of the client's and the upstream's dialect."""

CONNECTIONS: Final = {"whole": 32, "100KB": 8, "400KB": 4, "burst": 16, "paced": 50}
SIZES: Final = {"100KB": 100_000, "400KB": 400_000}
"""Bytes of the prompt in loads of long conversations; it is about 1,000 in all others."""
WHOLE: Final = frozenset({"whole", *SIZES})
"""Loads whose answers are not streamed."""
RATE: Final = 200


@dataclass(frozen=True)
class Row:
    """One measurement."""

    load: str
    """whole, 100KB and 400KB (whole, after a long conversation), burst (a stream of 200 events in
    one piece), paced (5 ms apart) or latency."""
    target: str
    """direct, baseline, pass (the baseline, handing bytes through) or cliproxy."""
    client: str = "chat"
    upstream: str = "chat"

    @property
    def kind(self) -> str:
        """Say whether cliproxy translates in this row."""
        if self.target != "cliproxy":
            return "reference"
        return "verbatim" if self.client == self.upstream else "translated"

    @property
    def words(self) -> set[str]:
        """Give what ROWS can choose this row by."""
        streamed = set() if self.load in WHOLE else {"streamed"}
        return {self.load, self.target, self.kind, self.client, self.upstream} | streamed

    @property
    def label(self) -> str:
        """Name the row in the report."""
        match self.target:
            case "direct":
                return "direct, no proxy"
            case "baseline":
                return "minimal proxy"
            case "pass":
                return "minimal proxy, bytes unread"
            case _ if self.client == self.upstream:
                return f"cliproxy, {self.client} verbatim"
            case _:
                return f"cliproxy, {self.client} → {self.upstream}"


def _with_references(load: str, pairs: tuple[tuple[str, str], ...], *targets: str) -> list[Row]:
    references = [Row(load, target) for target in ("direct", "baseline", *targets)]
    return [*references, *(Row(load, "cliproxy", *pair) for pair in pairs)]


ROWS: Final = [
    *_with_references("whole", VERBATIM + TRANSLATED, "pass"),
    *_with_references("100KB", VERBATIM + TRANSLATED),
    *_with_references("400KB", VERBATIM + TRANSLATED),
    *_with_references("burst", VERBATIM + TRANSLATED, "pass"),
    *_with_references("paced", (VERBATIM[0], TRANSLATED[0])),
    *_with_references("latency", (VERBATIM[0], TRANSLATED[0])),
]
OTHERS: Final = ("memory", "start")
"""Measured once, not as load: chosen by these words."""


def chosen(words: list[str]) -> tuple[list[Row], set[str]]:
    """Choose rows that have all words; the references of their loads come along."""
    others = {word for word in words if word in OTHERS}
    wanted = set(words) - others
    if not words:
        return ROWS, set(OTHERS)
    if not wanted:
        return [], others
    rows = [row for row in ROWS if wanted <= row.words]
    loads = {row.load for row in rows}
    return [
        row
        for row in ROWS
        if row in rows or (row.load in loads and row.target in ("direct", "baseline"))
    ], others


@dataclass(frozen=True)
class Bound:
    """A promise about a figure."""

    what: str
    figure: str
    """The key of a figure that `report.figures` derives."""
    limit: float
    unit: str
    at_least: bool = False

    def met(self, value: float) -> bool:
        """Judge a value."""
        return value >= self.limit if self.at_least else value <= self.limit


BOUNDS: Final = (
    Bound(
        "verbatim, whole: requests/s of the minimal proxy's",
        "verbatim.whole",
        0.6,
        "×",
        at_least=True,
    ),
    Bound(
        "translated, whole: requests/s of the minimal proxy's",
        "translated.whole",
        0.4,
        "×",
        at_least=True,
    ),
    Bound(
        "verbatim: CPU per event of the minimal proxy's, events in bursts", "verbatim.burst", 2, "×"
    ),
    Bound("verbatim: the same, events 5 ms apart", "verbatim.paced", 2, "×"),
    Bound(
        "translated: CPU per event of the minimal proxy's, events in bursts",
        "translated.burst",
        4,
        "×",
    ),
    Bound("translated: the same, events 5 ms apart", "translated.paced", 4, "×"),
    Bound("verbatim: first event later than direct, p50", "verbatim.latency.p50", 2, "ms"),
    Bound("verbatim: first event later than direct, p99", "verbatim.latency.p99", 10, "ms"),
    Bound("translated: first event later than direct, p50", "translated.latency.p50", 2, "ms"),
    Bound("translated: first event later than direct, p99", "translated.latency.p99", 10, "ms"),
    Bound("import cliproxy", "import", 150, "ms"),
    Bound("start to first answer", "ready", 700, "ms"),
    Bound("memory, idle", "memory.idle", 70, "MB"),
    Bound("memory, 1,000 open streams", "memory.streams", 180, "MB"),
    Bound("memory, 2,000 accounts", "memory.accounts", 110, "MB"),
)

"""The measurements as one table in docs/routing.md."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tests.simulation.accounts import SCENARIOS
from tests.simulation.play import Score, oracle, play
from tests.simulation.week import week

PAGE = Path(__file__).parents[2] / "docs" / "routing.md"
BEGIN = "<!-- simulated week: begin -->"
END = "<!-- simulated week: end -->"
POLICIES = (
    "round-robin",
    "weighted-round-robin",
    "fill-first",
    "least-in-flight",
    "quota-aware",
)
_HEAD = """\
| pool | chosen by | turns served | work lost | refused calls | turns delayed | cache | fairness |
|---|---|---|---|---|---|---|---|"""


@cache
def measured(scenario: str) -> dict[str, Score]:
    """Play one week to everybody; the oracle comes first."""
    talks = week()
    scores = {"oracle": oracle(scenario, talks)}
    for name in POLICIES:
        scores[name] = play(scenario, name, talks)
    scores["round-robin, no affinity"] = play(scenario, "round-robin", talks, affinity=False)
    return scores


def table() -> str:
    """Return the whole table."""
    rows = [_HEAD]
    for scenario in SCENARIOS:
        scores = measured(scenario)
        best = scores["oracle"]
        rows += [_row(scenario, name, score, best) for name, score in scores.items()]
    return "\n".join(rows)


def _row(scenario: str, name: str, score: Score, best: Score) -> str:
    delayed = sum(n > 1 for n in score.attempts) / len(score.attempts)
    cells = (
        scenario,
        name,
        f"{score.served} of {score.turns}",
        f"{1 - score.work / best.work:.1%}",
        f"{score.waste:.1%}",
        f"{delayed:.1%}",
        f"{score.cache:.1%}",
        f"{score.fairness:.2f}",
    )
    return f"| {' | '.join(cells)} |".replace("-0.0%", "0.0%")


def written(page: str, rows: str) -> str:
    """Return the page with the table between its marks."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{rows}\n{END}{after}"

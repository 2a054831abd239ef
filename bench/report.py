"""Turns measurements into tables and verdicts; measures nothing itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from bench.rows import BOUNDS, Row


@dataclass
class Measured:
    """The figures of one row; None where the load has no such figure."""

    row: Row
    rate: float | None = None
    """Answers per second."""
    request_us: float | None = None
    """Processor microseconds of the proxy per request."""
    event_us: float | None = None
    """The same per streamed event, the request's own cost spread over its events."""
    p50: float | None = None
    p99: float | None = None
    """Milliseconds to the first event (latency) or on the way (paced)."""
    failed: int = 0
    error: str = ""
    of_minimal: float | None = None
    cpu_of_minimal: float | None = None
    """Rate and processor time over the minimal proxy's, measured by turns with it: a machine whose
    speed changes in mid-run changes both alike. Medians of the turns."""

    def as_json(self) -> dict[str, object]:
        """Give the row for results.json."""
        return {"label": self.row.label, "kind": self.row.kind, **asdict(self)}


def percentile(values: Iterable[float], share: float) -> float:
    """Give the value below which that share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


HEADINGS = {
    "whole": "Whole answers: 1 KB requests, 32 connections, saturated",
    "100KB": "Whole answers after a conversation of 100 KB, 8 connections, saturated",
    "400KB": "Whole answers after a conversation of 400 KB, 4 connections, saturated",
    "burst": "Streams: 200 events at once, 16 connections, saturated",
    "paced": "Streams: an event each 5 ms, 50 streams at a time",
    "latency": "First event: 200 requests/s, an upstream that takes 20 ms",
}
_WHOLE = ("requests/s", "of direct", "of minimal proxy", "CPU µs/request", "× minimal proxy")
COLUMNS = {
    "whole": _WHOLE,
    "100KB": _WHOLE,
    "400KB": _WHOLE,
    "burst": ("events/s", "of direct", "of minimal proxy", "CPU µs/event", "× minimal proxy"),
    "paced": ("events/s", "CPU µs/event", "× minimal proxy", "on the way p50 ms", "p99 ms"),
    "latency": ("p50 ms", "p99 ms", "added p50 ms", "added p99 ms", "CPU µs/request"),
}


def tables(measured: list[Measured], events: int) -> str:
    """Write one Markdown table for each load."""
    parts: list[str] = []
    for load, heading in HEADINGS.items():
        rows = [item for item in measured if item.row.load == load]
        if not rows:
            continue
        reference = {item.row.target: item for item in rows if item.row.kind == "reference"}
        lines = [_line(("", *COLUMNS[load])), _line(("---", *("--:" for _ in COLUMNS[load])))]
        lines += [_line((item.row.label, *_cells(item, reference, events))) for item in rows]
        parts.append(f"### {heading}\n\n" + "\n".join(lines))
    return "\n\n".join(parts)


def _cells(item: Measured, reference: Mapping[str, Measured], events: int) -> tuple[str, ...]:
    if item.error:
        return (f"failed: {item.error}",)
    direct, minimal = reference.get("direct"), reference.get("baseline")
    times = events if item.row.load in {"burst", "paced"} else 1
    rate = _number(item.rate and item.rate * times, 0)
    of_direct = _ratio(item.rate, direct and direct.rate)
    of_minimal = _own(item.of_minimal) or _ratio(item.rate, minimal and minimal.rate)
    event_us = _number(item.event_us, 2)
    by_turns = _own(item.cpu_of_minimal)
    event_ratio = by_turns or _ratio(item.event_us, minimal and minimal.event_us)
    request_us = _number(item.request_us, 0)
    match item.row.load:
        case "whole" | "100KB" | "400KB":
            ratio = by_turns or _ratio(item.request_us, minimal and minimal.request_us)
            return (rate, of_direct, of_minimal, request_us, ratio)
        case "burst":
            return (rate, of_direct, of_minimal, event_us, event_ratio)
        case "paced":
            return (rate, event_us, event_ratio, _number(item.p50, 2), _number(item.p99, 2))
        case _:
            added = [
                _number(_difference(mine, theirs), 2)
                for mine, theirs in (
                    (item.p50, direct and direct.p50),
                    (item.p99, direct and direct.p99),
                )
            ]
            return (_number(item.p50, 2), _number(item.p99, 2), *added, request_us)


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def _own(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _ratio(mine: float | None, theirs: float | None) -> str:
    return "–" if mine is None or not theirs else f"{mine / theirs:.2f}"


def _difference(mine: float | None, theirs: float | None) -> float | None:
    return None if mine is None or theirs is None else mine - theirs


def figures(measured: list[Measured], others: Mapping[str, float]) -> dict[str, float]:
    """Derive what the bounds speak of; of several rows the worst counts."""
    found = dict(others)
    by_load: dict[str, dict[str, Measured]] = {}
    for item in measured:
        if item.row.kind == "reference":
            by_load.setdefault(item.row.load, {})[item.row.target] = item
    for item in measured:
        reference = by_load.get(item.row.load, {})
        direct = reference.get("direct")
        if item.row.kind == "reference" or item.error:
            continue
        name = f"{item.row.kind}.{item.row.load}"
        if item.row.load == "whole" and item.of_minimal is not None:
            found[name] = min(found.get(name, float("inf")), item.of_minimal)
        elif item.row.load in {"burst", "paced"} and item.cpu_of_minimal is not None:
            found[name] = max(found.get(name, 0.0), item.cpu_of_minimal)
        elif item.row.load == "latency" and direct:
            for share in ("p50", "p99"):
                added = _difference(getattr(item, share), getattr(direct, share))
                if added is not None:
                    found[f"{name}.{share}"] = max(found.get(f"{name}.{share}", 0.0), added)
    return found


def bounds(found: Mapping[str, float]) -> str:
    """Write the table of promises and verdicts."""
    lines = [_line(("bound", "promised", "measured", "")), _line(("---", "--:", "--:", "---"))]
    for bound in BOUNDS:
        value = found.get(bound.figure)
        promised = f"{'≥' if bound.at_least else '≤'} {bound.limit:g} {bound.unit}"
        verdict = "not measured" if value is None else "met" if bound.met(value) else "NOT MET"
        seen = "–" if value is None else f"{value:.2f} {bound.unit}"
        lines.append(_line((bound.what, promised, seen, verdict)))
    return "### Bounds\n\n" + "\n".join(lines)


def all_met(found: Mapping[str, float]) -> bool:
    """Whether no measured figure breaks its bound."""
    return all(bound.met(found[bound.figure]) for bound in BOUNDS if bound.figure in found)

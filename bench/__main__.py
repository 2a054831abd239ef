"""`make bench`: measure, print tables, write bench/results.json.

python -m bench [--rows "translated whole"] [--seconds 2] [--check]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import uvloop

from bench import driver, processes, report, wire
from bench.report import Measured, percentile
from bench.rows import CONNECTIONS, RATE, SIZES, WHOLE, Row, chosen

WARM = 0.4
TURNS = 3
"""How often a row and the minimal proxy change places."""
STREAMS = 1000
ACCOUNTS = 2000
RESULTS = Path(__file__).with_name("results.json")


def main() -> int:
    """Run the chosen measurements; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rows", default="", help="only rows that have all these words")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of each measurement")
    parser.add_argument("--check", action="store_true", help="fail when a bound is not met")
    options = parser.parse_args()
    if sys.platform != "linux":
        print("bench: reads processor time and memory from /proc, so it needs Linux")
        return 1
    rows, others = chosen(options.rows.replace(",", " ").split())
    if not rows and not others:
        print(f"bench: no row has all of the words {options.rows!r}")
        return 1

    processes.prepare()
    began = time.monotonic()
    cores = os.cpu_count() or 1
    print(
        f"cliproxy bench · {platform.python_implementation()} {platform.python_version()}", end=""
    )
    if processes.PROXY_CORE == processes.LOAD_CORE:
        print(f" · {cores} cores, only one usable: proxy, driver and upstream share it")
    else:
        print(f" · {cores} cores: proxy on {processes.PROXY_CORE}, rest on {processes.LOAD_CORE}")
    with tempfile.TemporaryDirectory(prefix="cliproxy-bench-") as folder:
        bench = Bench(Path(folder), options.seconds)
        try:
            measured = [bench.measure(row) for row in rows]
            extra = bench.once(others)
        finally:
            bench.close()

    found = report.figures(measured, extra)
    print(
        "\n"
        + "\n\n".join(filter(None, [report.tables(measured, wire.EVENTS), report.bounds(found)]))
    )
    print(f"\n{time.monotonic() - began:.0f} s in all")
    RESULTS.write_text(
        json.dumps({"rows": [item.as_json() for item in measured], "figures": found}, indent=1)
    )
    broken = [item for item in measured if item.error] or bench.problems
    for problem in bench.problems:
        print(f"bench: {problem}")
    return 1 if broken or (options.check and not report.all_met(found)) else 0


class Bench:
    """The servers of one run; each proxy is started when a row first needs it."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self.folder = folder
        self.seconds = seconds
        self.upstream = processes.start_upstream(folder)
        self.running: dict[str, processes.Server] = {}
        self.broken: dict[str, str] = {}
        self.problems: list[str] = []

    def close(self) -> None:
        """Stop every server."""
        for server in (*self.running.values(), self.upstream):
            server.stop()

    def server(self, target: str) -> processes.Server:
        """Give the server of a target. Raises RuntimeError when it cannot be started."""
        if target == "direct":
            return self.upstream
        name = "baseline" if target == "pass" else target
        if name in self.broken:
            raise RuntimeError(self.broken[name])
        if name not in self.running:
            start = processes.start_baseline if name == "baseline" else processes.start_cliproxy
            try:
                self.running[name] = start(self.folder, self.upstream)
            except RuntimeError as error:
                self.broken[name] = f"{name} did not start"
                self.problems.append(str(error))
                raise RuntimeError(self.broken[name]) from error
        return self.running[name]

    def measure(self, row: Row) -> Measured:
        """Prove that a row's answers are right, then measure it."""
        print(f"  {row.load}: {row.label}", file=sys.stderr, flush=True)
        try:
            server = self.server(row.target)
            job = self.job(row, server, stream=row.load not in WHOLE)
            uvloop.run(prove(row, job))
            if row.target != "cliproxy" or row.load == "latency":
                return uvloop.run(self.load(row, job, server, self.seconds))
            return self.by_turns(row, job, server)
        except (RuntimeError, OSError, TimeoutError, AssertionError) as error:
            return Measured(row, error=str(error) or type(error).__name__)

    def job(
        self, row: Row, server: processes.Server, *, stream: bool, profile: str = ""
    ) -> driver.Job:
        """Build what a row sends."""
        profile = profile or {"paced": "paced", "latency": "late"}.get(row.load, "fast")
        model = f"{row.upstream}-{profile}"
        if row.target == "direct":
            model = wire.MODEL.format(profile=profile)
        request = wire.request(
            row.client, model, stream=stream, key=processes.KEY, size=SIZES.get(row.load, 0)
        )
        if row.target == "pass":
            request.headers["x-bench-pass"] = "1"
        return driver.Job(
            server.port, request, row.client, streamed=stream, stamped=row.load == "paced"
        )

    def by_turns(self, row: Row, job: driver.Job, server: processes.Server) -> Measured:
        """Measure a row in turns with the minimal proxy under the same load."""
        other = Row(row.load, "baseline")
        minimal = self.server("baseline")
        theirs = self.job(other, minimal, stream=row.load not in WHOLE)
        # A paced stream takes a second, and a turn has to see some end.
        seconds = max(self.seconds / TURNS, 1.2 if row.load == "paced" else 0.0)
        pairs: list[tuple[Measured, Measured]] = []
        for _ in range(TURNS):
            base = uvloop.run(self.load(other, theirs, minimal, seconds))
            mine = uvloop.run(self.load(row, job, server, seconds))
            pairs.append((mine, base))
        found = Measured(row)
        for name in ("rate", "request_us", "event_us", "p50", "p99"):
            values = [v for mine, _ in pairs if (v := getattr(mine, name)) is not None]
            if values:
                setattr(found, name, statistics.median(values))
        found.of_minimal = _median_ratio((mine.rate, base.rate) for mine, base in pairs)
        found.cpu_of_minimal = _median_ratio(
            (mine.request_us, base.request_us) for mine, base in pairs
        )
        return found

    async def load(
        self, row: Row, job: driver.Job, server: processes.Server, seconds: float
    ) -> Measured:
        """Put a row's load on its server and work out the figures."""
        edges: list[float] = []

        def window() -> None:
            edges.append(server.cpu())

        if row.load == "latency":
            window()
            tally = await driver.at_rate(job, rate=RATE, warm=WARM, seconds=seconds * 2)
            window()
            requests: float = RATE * (seconds * 2 + WARM)
        else:
            tally = await driver.saturate(
                job,
                connections=CONNECTIONS[row.load],
                # Streams that take a second each need one to be under way.
                warm=1.2 if row.load == "paced" else WARM,
                seconds=seconds,
                window=window,
            )
            requests = tally.done
        if tally.failed:
            raise RuntimeError(f"{tally.failed} of {tally.failed + tally.done} failed: {tally.why}")
        if not tally.done:
            raise RuntimeError("no answer in time")
        cpu = (edges[1] - edges[0]) / requests * 1e6
        measured = Measured(row, rate=tally.done / tally.seconds)
        if row.target != "direct":
            measured.request_us = cpu
            if row.load in {"burst", "paced"}:
                measured.event_us = cpu / wire.EVENTS
        times = {"latency": tally.first, "paced": tally.delays}.get(row.load)
        if times:
            measured.p50 = percentile(times, 0.50) * 1e3
            measured.p99 = percentile(times, 0.99) * 1e3
        return measured

    def once(self, others: set[str]) -> dict[str, float]:
        """Measure memory and starting, on processes of their own."""
        found: dict[str, float] = {}
        for word, measure in (("memory", self.memory), ("start", self.start)):
            if word in others:
                print(f"  {word}", file=sys.stderr, flush=True)
                try:
                    found |= measure()
                except (RuntimeError, OSError, TimeoutError, AssertionError) as error:
                    self.problems.append(f"{word}: {error}")
        return found

    def memory(self) -> dict[str, float]:
        """Measure resident memory: idle, with many streams open, with many accounts."""
        found: dict[str, float] = {}
        pair = Row("burst", "cliproxy"), Row("burst", "cliproxy", "anthropic", "chat")
        with Fresh(self) as server:
            jobs = [self.job(row, server, stream=True, profile="fast") for row in pair]
            for row, job in zip(pair, jobs, strict=True):
                uvloop.run(prove(row, job))
            time.sleep(0.5)
            found["memory.idle"] = server.memory()
            jobs = [self.job(row, server, stream=True, profile="hold") for row in pair]
            found["memory.streams"] = uvloop.run(held(jobs, server.memory))
        with Fresh(self, accounts=ACCOUNTS) as server:
            for row in pair:
                uvloop.run(prove(row, self.job(row, server, stream=True, profile="fast")))
            time.sleep(0.5)
            found["memory.accounts"] = server.memory()
        return found

    def start(self) -> dict[str, float]:
        """Measure how long importing takes, and starting until the first answer."""
        program = (
            "import time; t = time.perf_counter(); import cliproxy; print(time.perf_counter() - t)"
        )
        seconds = [
            float(
                subprocess.run(
                    [sys.executable, "-c", program], capture_output=True, text=True, check=True
                ).stdout
            )
            for _ in range(5)
        ]
        ready: list[float] = []
        for _ in range(5):
            with Fresh(self) as server:
                ready.append(server.ready)
        return {
            "import": statistics.median(seconds) * 1e3,
            "ready": statistics.median(ready) * 1e3,
        }


def _median_ratio(pairs: Iterable[tuple[float | None, float | None]]) -> float | None:
    ratios = [mine / theirs for mine, theirs in pairs if mine is not None and theirs]
    return statistics.median(ratios) if ratios else None


class Fresh:
    """A cliproxy process that no other row has touched."""

    def __init__(self, bench: Bench, *, accounts: int = 0) -> None:
        self.bench = bench
        self.accounts = accounts

    def __enter__(self) -> processes.Server:
        if "cliproxy" in self.bench.broken:
            raise RuntimeError(self.bench.broken["cliproxy"])
        self.server = processes.start_cliproxy(
            self.bench.folder, self.bench.upstream, accounts=self.accounts
        )
        return self.server

    def __exit__(self, *_exc: object) -> None:
        self.server.stop()


async def prove(row: Row, job: driver.Job) -> None:
    """Raise RuntimeError unless the answer is, as a client reads it, the upstream's whole text."""
    status, body = await driver.probe(job)
    if status != 200:
        raise RuntimeError(f"status {status}: {body[:160].decode(errors='replace')}")
    text = wire.text_of(row.client, body, streamed=job.streamed)
    if row.load == "latency":
        expected = wire.DELTA * wire.LATE_EVENTS
    elif job.streamed:
        expected = wire.DELTA * wire.EVENTS
    else:
        expected = wire.ANSWER
    if row.load == "paced":
        if text.count("~") != wire.EVENTS:
            raise RuntimeError(f"{text.count('~')} of {wire.EVENTS} events arrived")
    elif text != expected:
        raise RuntimeError(f"{len(text)} of {len(expected)} characters of text arrived")
    job.restart()


async def held(jobs: list[driver.Job], read: Callable[[], float]) -> float:
    """Read a figure while many streams are open."""
    connections = await driver.hold(jobs, streams=STREAMS, patience=30)
    figure = read()
    for connection in connections:
        connection.close()
    return figure


if __name__ == "__main__":
    sys.exit(main())

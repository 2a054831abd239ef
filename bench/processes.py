"""Starts the servers a measurement needs, each in a process of its own, and reads their cost.

Linux only: processor time and memory come from /proc. The proxy under test gets one core, the
driver and the upstream share another; on a machine with one core they share that, and the report
says so.
"""

from __future__ import annotations

import http.client
import os
import resource
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench import wire

ROOT = Path(__file__).resolve().parent.parent
KEY = f"sk-bench-{secrets.token_hex(12)}"
_CORES = sorted(os.sched_getaffinity(0))
PROXY_CORE = _CORES[0]
LOAD_CORE = _CORES[-1]
PAGE = resource.getpagesize()


def prepare() -> None:
    """Take the load's core for this process and allow as many sockets as the machine does."""
    os.sched_setaffinity(0, {LOAD_CORE})
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def free_port() -> int:
    """Ask the kernel for a port nobody uses."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Server:
    """A server process, ready when it answers HTTP."""

    def __init__(
        self, name: str, command: Sequence[str], port: int, *, folder: Path, core: int
    ) -> None:
        self.name = name
        self.port = port
        self.log = folder / f"{name}.log"
        environment = {
            **{name: value for name, value in os.environ.items() if "KEY" not in name},
            # Logins of the person who measures are none of its business.
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "",
        }
        started = time.perf_counter()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=lambda: os.sched_setaffinity(0, {core}),  # noqa: PLW1509  # no threads
            )
        self.wait(started)

    def wait(self, started: float) -> None:
        """Wait for the first answer, whatever its status."""
        while True:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended at once:\n{self.said()}")
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            try:
                connection.request("GET", "/v1/models", headers={"authorization": f"Bearer {KEY}"})
                connection.getresponse().read()
            except OSError:
                if time.perf_counter() - started > 30:
                    self.stop()
                    raise RuntimeError(f"{self.name} does not answer:\n{self.said()}") from None
                time.sleep(0.002)
            else:
                self.ready = time.perf_counter() - started
                return
            finally:
                connection.close()

    def said(self) -> str:
        """Give the last lines the process wrote."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])

    def cpu(self) -> float:
        """Give the processor seconds used so far by all threads."""
        total = 0
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            try:
                total += int((task / "schedstat").read_text().split()[0])
            except FileNotFoundError:
                continue  # the thread ended while we looked
        return total / 1e9

    def memory(self) -> float:
        """Give the resident memory in megabytes."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * PAGE / 1e6

    def stop(self) -> None:
        """End the process and wait for it."""
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start_upstream(folder: Path) -> Server:
    """Start the canned provider beside the driver."""
    port = free_port()
    command = ["-m", "bench.upstream", str(port)]
    return Server("upstream", command, port, folder=folder, core=LOAD_CORE)


def start_baseline(folder: Path, upstream: Server) -> Server:
    """Start the minimal proxy."""
    port = free_port()
    command = ["-m", "bench.baseline", str(port), str(upstream.port), KEY]
    return Server("baseline", command, port, folder=folder, core=PROXY_CORE)


def start_cliproxy(folder: Path, upstream: Server, *, accounts: int = 0) -> Server:
    """Start the product with an account of each kind, and more accounts when asked for."""
    port = free_port()
    config = folder / f"config-{port}.yaml"
    config.write_text(configuration(port, upstream.port, folder, accounts))
    command = ["-m", "cliproxy", "serve", "--config", str(config)]
    return Server("cliproxy", command, port, folder=folder, core=PROXY_CORE)


def configuration(port: int, upstream: int, folder: Path, accounts: int) -> str:
    """Write a configuration whose every account leads to the canned provider.

    Clients call models DIALECT-PROFILE, after the upstream's dialect; the upstream calls them
    bench-PROFILE, so that every request has its model's name rewritten.
    """
    base = f"http://127.0.0.1:{upstream}"

    def models(dialect: str) -> str:
        return "".join(
            f"\n      - {{name: {wire.MODEL.format(profile=profile)}, alias: {dialect}-{profile}}}"
            for profile in ("fast", "late", "paced", "hold")
        )

    lines = [
        'host: "127.0.0.1"',
        f"port: {port}",
        f'auth-dir: "{folder / "auth"}"',
        f'api-keys: ["{KEY}"]',
        "openai-compatibility:",
        "  - name: bench",
        f"    base-url: {base}/v1",
        "    api-key-entries:",
        "      - api-key: upstream-chat",
        *(f"      - api-key: upstream-chat-{number}" for number in range(accounts // 2)),
        f"    models:{models('chat')}",
        "codex-api-key:",
        "  - api-key: upstream-responses",
        f"    base-url: {base}/v1",
        f"    models:{models('responses')}",
        "gemini-api-key:",
        "  - api-key: upstream-gemini",
        f"    base-url: {base}",
        f"    models:{models('gemini')}",
        "claude-api-key:",
    ]
    for number in range(accounts - accounts // 2 + 1):
        lines += [
            f"  - api-key: upstream-anthropic-{number}",
            f"    base-url: {base}",
            f"    models:{models('anthropic')}",
        ]
    return "\n".join(lines) + "\n"

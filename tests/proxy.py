"""A proxy in a background thread, as a user's process would run it."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvicorn

from cliproxy.app.first_byte import by_first_byte
from cliproxy.app.runtime import Runtime
from cliproxy.app.serve import _options
from cliproxy.config.load import load_text
from tests.witness import Witness

KEY = "test-client-key"


class Proxy:
    """Serves `config` on a free loopback port; every stream's event grammar is asserted."""

    def __init__(self, config: str, *, checked: bool = True, websockets: bool = True) -> None:
        if "api-keys" not in config:
            config = f"api-keys: [{KEY}]\n{config}"
        self.folder = tempfile.mkdtemp(prefix="auth-")
        if "auth-dir" not in config:
            config = f"auth-dir: {self.folder}\n{config}"
        self.loaded = load_text(config, path=Path("config.yaml"))
        self._checked = checked
        self._websockets = websockets
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self.url = ""
        self.key = KEY

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()
        assert self._ready.wait(20), "the proxy did not start"
        if self._error is not None:
            raise self._error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.url:
            self.stop()
            self._thread.join(20)
            shutil.rmtree(self.folder, ignore_errors=True)
            assert not self._thread.is_alive(), "the proxy did not stop"
            assert not self.witness.faults, "\n\n".join(self.witness.faults)

    def stop(self) -> None:
        """Begin to stop, as after a signal."""
        with contextlib.suppress(RuntimeError):  # its loop is closed: it did already
            self.loop.call_soon_threadsafe(self._stopping.set)

    @property
    def connections(self) -> list[Any]:
        """Return the server's open connections."""
        return list(self._server.server_state.connections)

    def settle(self) -> None:
        """Wait until the server is done with every request, also with what follows its answer."""

        async def over() -> None:
            await asyncio.gather(*self._server.server_state.tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(over(), self.loop).result(20)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as err:  # handed to the test
            self._error = err
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self.runtime = Runtime(self.loaded.config, checked=self._checked)
        self.loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        options = {**_options(self.loaded.config), "host": "127.0.0.1", "port": 0}
        options["timeout_graceful_shutdown"] = 1
        if not self._websockets:
            options["ws"] = "none"
        options["http"] = by_first_byte(lambda: self.runtime.control)
        self.witness = Witness(self.runtime.app)
        self._server = uvicorn.Server(uvicorn.Config(self.witness, **options))
        self._server.config.load()
        self._server.lifespan = self._server.config.lifespan_class(self._server.config)
        try:
            await self._server.startup()
            scheme = "https" if self._server.config.is_ssl else "http"
            port = self._server.servers[0].sockets[0].getsockname()[1]
            self.url = f"{scheme}://127.0.0.1:{port}"
            self._ready.set()
            ticks = asyncio.ensure_future(self._server.main_loop())
            await self._stopping.wait()
            ticks.cancel()
            await self._shut_down()
        finally:
            await self.runtime.close()

    async def _shut_down(self) -> None:
        # The server's own way has pauses of a tenth of a second, which thousands of tests would
        # wait for with nothing left to do.
        for listener in self._server.servers:
            listener.close()
        for connection in self.connections:
            connection.shutdown()
        for _ in range(5):
            await asyncio.sleep(0)
        if self.connections or self._server.server_state.tasks:
            await self._server.shutdown()
            # Connections that a browser opened and never used.
            for connection in self.connections:
                connection.transport.abort()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        else:
            await self._server.lifespan.shutdown()

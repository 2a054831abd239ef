"""The listener: uvicorn around the application, TLS, signals, the start-up line."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Any, Final

import uvicorn

from cliproxy.app.debug import DebugServer
from cliproxy.app.first_byte import by_first_byte
from cliproxy.app.runtime import Runtime, check_binding, log_folder
from cliproxy.app.source import Source
from cliproxy.app.start import hash_management_key
from cliproxy.app.watch import ConfigWatch
from cliproxy.app.web_socket import WebSocket
from cliproxy.base.errors import ConfigError
from cliproxy.base.tasks import spawn
from cliproxy.config.load import Loaded
from cliproxy.config.schema import Config
from cliproxy.observe import logs
from cliproxy.server.gate import is_hashed

_log: Final = logging.getLogger(__name__)
GRACE: Final = 30
"""Seconds that running requests may take to finish after a stop was asked for."""
LAST_WORDS: Final = 2.0
"""Seconds of these in which those that still run are told that they will not finish."""

POLITE: Final = 1.0
"""Seconds in which connections on which nothing runs may close as they should."""
LEAVING: Final = 2.0
"""Seconds that requests may take to end which were cancelled."""


def abort_idle(connections: Iterable[Any]) -> None:
    """End connections on which no answer is under way."""
    for connection in list(connections):
        if isinstance(connection, WebSocket):
            if connection.idle:
                connection.transport.abort()
            continue
        cycle = getattr(connection, "cycle", None)
        if cycle is None or cycle.response_complete:
            connection.transport.abort()


def serve(
    config: Config,
    *,
    announce: Callable[[str], None],
    source: Source | None = None,
    password: str = "",
) -> None:
    """Serve until a signal; edits of the file of `source` take effect. Raises `ConfigError`.

    `password` opens the management API for this machine. Whoever has it may keep the proxy alive
    by `GET /keep-alive`: once they have begun to, it ends when they no longer do.
    """
    check_binding(config)
    mirror = source.mirror() if source is not None else None
    runtime = Runtime(config, checked=config.debug, mirror=mirror)
    if password:
        runtime.control.local_key = password
        runtime.apply_usage()
    options = {**_options(config), "http": by_first_byte(lambda: runtime.control)}
    server = _Server(uvicorn.Config(runtime.app, **options), announce)
    server.cliproxy, server.runtime = config, runtime
    if source is not None:
        if mirror is not None:
            runtime.control.alone = mirror.local.config.exclusive

        def hash_key(key: str) -> None:
            with runtime.control.alone():
                hash_management_key(source.path, key)

        def apply(loaded: Loaded) -> None:
            config = source.placed(loaded.config)
            runtime.reload(config)
            log_by(config)
            key = config.remote_management.secret_key.strip()
            if key and not is_hashed(key):
                # Others may be writing; nobody's answer waits for them.
                spawn(asyncio.to_thread(hash_key, key), name="hash-key")
            spawn(server.debug_by(config), name="debug-endpoint")

        server.watch = watch = ConfigWatch(source.path, apply)
        runtime.control.config_path = source.path
        runtime.control.apply = watch.took
    if not server.config.loaded:
        try:
            server.config.load()
        except OSError as err:
            raise ConfigError(f"The TLS certificate or key cannot be used: {err}") from err
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        try:
            runner.run(server.serve())
        finally:
            runner.run(server.leave())
            runner.run(runtime.close())
    if server.caught:
        # Whoever waits for this process is to see what ended it; no line of the log waits longer.
        logging.shutdown()
        signal.raise_signal(server.caught[-1])
    if not server.started:
        raise ConfigError(f"Cannot listen on {config.host or '*'}:{config.port}; is it in use?")


def log_by(config: Config) -> None:
    """Log as the configuration says."""
    logs.configure(
        debug=config.debug,
        folder=log_folder(config),
        max_bytes=config.logs_max_total_size_mb * 1024 * 1024,
    )


class _Server(uvicorn.Server):
    """uvicorn, saying once when it is ready."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[str], None]) -> None:
        super().__init__(config)
        self._announce = announce
        self.watch: ConfigWatch | None = None
        self.cliproxy: Config = Config()
        self.runtime: Runtime | None = None
        self.caught: list[int] = []
        """The signals that ended it, for whoever ends the process."""
        self._debug = DebugServer()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Take signals while it serves, and keep them."""
        with super().capture_signals():
            try:
                yield
            finally:
                # uvicorn would send them again at once: SIGTERM ends a process before anything
                # that waits is written.
                self.caught, self._captured_signals = self._captured_signals, []

    async def leave(self) -> None:
        """End the requests that still run, so that they are noted like all others."""
        left = set(self.server_state.tasks)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=LEAVING)

    async def debug_by(self, config: Config) -> None:
        """Serve the debug endpoint as the configuration says."""
        await self._debug.apply(enable=config.pprof.enable, address=config.pprof.addr)

    async def _end_when_abandoned(self, runtime: Runtime) -> None:
        while True:
            await asyncio.sleep(1.0)
            if runtime.control.abandoned:
                _log.info("nobody has asked for /keep-alive for a while; the proxy ends")
                self.should_exit = True
                return

    async def shutdown(self, sockets: Any = None) -> None:
        await self._debug.close()
        loop = asyncio.get_running_loop()
        # Before the time is over: what is cut after it ends without a word.
        last = loop.call_later(max(0.0, GRACE - LAST_WORDS), self._interrupt)
        # A client that does not read never learns that its idle TLS connection is being closed.
        idle = loop.call_later(POLITE, abort_idle, self.server_state.connections)
        try:
            await super().shutdown(sockets)
        finally:
            last.cancel()
            idle.cancel()

    def _interrupt(self) -> None:
        if self.runtime is not None:
            self.runtime.interrupt()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self.started:
            _settle_memory()
            if self.watch is not None:
                spawn(self.watch.run(), name="config-watch")
            if self.runtime is not None:
                if self.runtime.mirror is not None:
                    self.runtime.mirror.start()
                spawn(self.runtime.run(), name="logins")
                if self.runtime.control.local_key:
                    spawn(self._end_when_abandoned(self.runtime), name="keep-alive")
            await self.debug_by(self.cliproxy)
            scheme = "https" if self.config.is_ssl else "http"
            host = self.config.host or "127.0.0.1"
            port = self.servers[0].sockets[0].getsockname()[1]
            self._announce(f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}")


def _settle_memory() -> None:
    # What is loaded now stays; requests make few cycles. Looking through everything after each
    # 700 new objects, Python's default, would cost a tenth of every translated request.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


def _options(config: Config) -> dict[str, Any]:
    options: dict[str, Any] = {
        "host": config.host or None,
        "port": config.port,
        "log_config": None,
        "access_log": False,
        "lifespan": "off",
        "ws": WebSocket,
        # A message is a request; the limit counts what comes out of decompression.
        "ws_max_size": int(config.max_body_size * 1024 * 1024),
        "ws_ping_interval": 20.0,
        # Long enough for a client that is slow to read a long answer.
        "ws_ping_timeout": 60.0,
        "server_header": False,
        # Forwarding headers are believed from nobody: anyone on this machine could send them.
        "proxy_headers": False,
        "date_header": True,
        "timeout_graceful_shutdown": GRACE,
        "timeout_keep_alive": 75,
        "h11_max_incomplete_event_size": 256 * 1024,
        "backlog": 2048,
    }
    if config.tls.enable:
        options |= {"ssl_certfile": config.tls.cert, "ssl_keyfile": config.tls.key}
    return options


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    try:
        import uvloop  # noqa: PLC0415  # not on every platform
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory

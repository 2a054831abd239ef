"""Places that stores can be at, each with a real server behind it."""

from __future__ import annotations

import asyncio
import http.client
import secrets
from pathlib import Path
from typing import Protocol

from cliproxy.stores.base import Store
from cliproxy.stores.git import GitStore
from cliproxy.stores.local import LocalStore
from cliproxy.stores.postgres import PostgresStore
from cliproxy.stores.s3 import S3Store
from tests.stores.servers import (
    ACCESS_KEY,
    PASSWORD,
    SECRET_KEY,
    TOKEN,
    GitHttp,
    Postgres,
    Process,
)


class Place(Protocol):
    """One empty place, and as many stores at it as a test wants."""

    secrets: tuple[str, ...]
    port: int
    """Of its server; 0 = it has none."""
    compares: bool
    """Whether it makes read-compare-write one step."""

    def store(self, port: int | None = None) -> Store: ...

    def env(self, port: int | None = None) -> dict[str, str]: ...

    async def plant(self, store: Store, name: str, content: bytes) -> None:
        """Put a file under a name that no store of ours would use."""
        ...


class Folder:
    secrets = ()
    port = 0
    compares = True

    def __init__(self, root: Path) -> None:
        self._root = root

    def store(self, port: int | None = None) -> Store:
        return LocalStore(self._root, look=0.02)

    def env(self, port: int | None = None) -> dict[str, str]:
        return {}

    async def plant(self, store: Store, name: str, content: bytes) -> None:
        raise NotImplementedError


class PostgresPlace:
    secrets = (PASSWORD,)
    compares = True

    def __init__(self, server: Postgres) -> None:
        self.server = server
        self.port = server.port
        self.schema = f"s_{secrets.token_hex(6)}"

    def store(self, port: int | None = None) -> Store:
        return PostgresStore(self.server.dsn(port), self.schema, poll=0.2)

    def env(self, port: int | None = None) -> dict[str, str]:
        return {"PGSTORE_DSN": self.server.dsn(port), "PGSTORE_SCHEMA": self.schema}

    async def plant(self, store: Store, name: str, content: bytes) -> None:
        await store.put(name, content, if_version=None)


class GitPlace:
    secrets = (TOKEN,)
    compares = True

    def __init__(self, server: GitHttp) -> None:
        self.server = server
        self.port = server.port
        self.name = f"{secrets.token_hex(6)}.git"
        server.make(self.name)

    def url(self, port: int | None = None) -> str:
        return f"http://127.0.0.1:{port or self.port}/{self.name}"

    def store(self, port: int | None = None) -> Store:
        return GitStore(self.url(port), "", TOKEN, poll=0.2)

    def env(self, port: int | None = None) -> dict[str, str]:
        return {"GITSTORE_GIT_URL": self.url(port), "GITSTORE_GIT_TOKEN": TOKEN}

    async def plant(self, store: Store, name: str, content: bytes) -> None:
        # As a tree with the entries "..", which git itself would not make.
        await store.put(name, content, if_version=None)


class S3Place:
    secrets = (SECRET_KEY,)

    def __init__(self, server: Process, *, compares: bool) -> None:
        self.server = server
        self.port = server.port
        self.compares = compares
        self.bucket = f"b-{secrets.token_hex(6)}"

    def store(self, port: int | None = None) -> Store:
        endpoint = f"http://127.0.0.1:{port or self.port}"
        return S3Store(endpoint, self.bucket, ACCESS_KEY, SECRET_KEY, poll=0.2)

    def env(self, port: int | None = None) -> dict[str, str]:
        return {
            "OBJECTSTORE_ENDPOINT": f"http://127.0.0.1:{port or self.port}",
            "OBJECTSTORE_BUCKET": self.bucket,
            "OBJECTSTORE_ACCESS_KEY": ACCESS_KEY,
            "OBJECTSTORE_SECRET_KEY": SECRET_KEY,
        }

    def remove(self) -> None:
        """Remove the bucket, which has to be empty."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("DELETE", f"/{self.bucket}")
        assert connection.getresponse().status == 204
        connection.close()

    async def plant(self, store: Store, name: str, content: bytes) -> None:
        # Its own library would not send such a name.
        def send() -> None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
            connection.request("PUT", f"/{self.bucket}/{name}", content)
            assert connection.getresponse().status == 200
            connection.close()

        await asyncio.to_thread(send)

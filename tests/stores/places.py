"""Places that stores can be at, each with a real server behind it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from cliproxy.stores.base import Store
from cliproxy.stores.local import LocalStore
from cliproxy.stores.postgres import PostgresStore
from tests.stores.servers import PASSWORD, Postgres


class Place(Protocol):
    """One empty place, and as many stores at it as a test wants."""

    secrets: tuple[str, ...]
    port: int
    """Of its server; 0 = it has none."""
    compares: bool
    """Whether it makes read-compare-write one step."""

    def store(self, port: int | None = None) -> Store: ...

    def env(self, port: int | None = None) -> dict[str, str]: ...


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


Make = Callable[[], Place]

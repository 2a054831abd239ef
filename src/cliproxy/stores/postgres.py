"""Accounts and configuration in PostgreSQL, in the tables of CLIProxyAPI.

A version is a digest of the content, so that rows others write need no column of ours. asyncpg is
imported when a store is opened, and here alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import re
from collections.abc import AsyncGenerator, Iterator
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from cliproxy.base import json
from cliproxy.stores.base import (
    AUTHS,
    CONFIG,
    PATIENCE,
    SHORT,
    Away,
    Blob,
    Conflict,
    MissingExtra,
    Refused,
    StoreError,
    Unstorable,
)

_log: Final = logging.getLogger("cliproxy.stores")
POLL: Final = 5.0
"""Seconds after which changes are looked for of which nobody told us."""
_CHANNEL: Final = "cliproxy_store"
_VERSION: Final = "left(encode(sha256(convert_to(content::text, 'UTF8')), 'hex'), 32)"
_CONFIG_ID: Final = "config"
_LEASES: Final = 8
"""Connections that may wait for the end of a refresh, beside those that carry data."""
_OTHERS: Final = re.compile(
    r"pool_\w+|default_query_exec_mode|statement_cache_\w+|description_cache_\w+|channel_binding|connect_timeout"
)
"""Parameters of other drivers, which a server would refuse to know."""
_PAIR: Final = re.compile(r"\s*(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s\\]|\\.)*))\s*")
_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS {name} (id TEXT PRIMARY KEY, content {kind} NOT NULL, "
    "created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(), updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW())"
)


class PostgresStore:
    """Two tables, `config_store` and `auth_store`, in an optional schema of their own."""

    def __init__(self, dsn: str, schema: str = "", *, poll: float = POLL) -> None:
        self._arguments, where = arguments(dsn)
        self._schema = schema
        self._poll = poll
        self.title = f"PostgreSQL at {where}"
        self.identity = f"{place_of(self._arguments['dsn'])} {schema}"
        self.at_once = 8
        prefix = f"{_quoted(schema)}." if schema else ""
        self._config, self._auths = f"{prefix}config_store", f"{prefix}auth_store"
        self._pool: Any = None
        self._leases: Any = None
        self._listening: Any = None
        self._news: asyncio.Event | None = None
        self._turns: asyncio.Semaphore | None = None
        self._make = True

    async def open(self, *, make: bool = True) -> None:
        """Connect, and make schema and tables where they are missing."""
        driver = _driver()
        self._make = make
        with _mapped(self.title):
            async with asyncio.timeout(PATIENCE):
                self._pool = await self._connected(driver, 4)
                self._leases = await self._connected(driver, _LEASES)
                with _readable():
                    async with self._pool.acquire() as connection:
                        await self._prepare(driver, connection)
            self._news = asyncio.Event()
            self._turns = asyncio.Semaphore(_LEASES)

    async def _connected(self, driver: Any, most: int) -> Any:
        return await driver.create_pool(
            **self._arguments,
            min_size=0,
            max_size=most,
            timeout=PATIENCE,
            command_timeout=PATIENCE,
            # A pooler between us and the server knows no prepared statements.
            statement_cache_size=0,
        )

    async def _prepare(self, driver: Any, connection: Any) -> None:
        there = await connection.fetchval(
            "SELECT to_regclass($1) IS NOT NULL AND to_regclass($2) IS NOT NULL",
            self._config,
            self._auths,
        )
        # Whoever may only use the tables need not be allowed to make them.
        if there:
            return
        if not self._make:
            raise Refused(
                f"{self.title} has no tables for accounts"
                + (f" in the schema {self._schema}." if self._schema else "."),
                "`cliproxy serve` makes them; else correct PGSTORE_DSN or PGSTORE_SCHEMA.",
            )
        statements = [
            _TABLE.format(name=self._config, kind="TEXT"),
            _TABLE.format(name=self._auths, kind="JSONB"),
        ]
        if self._schema:
            statements.insert(0, f"CREATE SCHEMA IF NOT EXISTS {_quoted(self._schema)}")
        for statement in statements:
            # Another one may be making them at this moment.
            with contextlib.suppress(
                driver.exceptions.UniqueViolationError,
                driver.exceptions.DuplicateTableError,
                driver.exceptions.DuplicateObjectError,  # the type that belongs to a table
                driver.exceptions.DuplicateSchemaError,
            ):
                await connection.execute(statement)

    async def close(self) -> None:
        """Let go of connections."""
        pools = [pool for pool in (self._pool, self._leases) if pool is not None]
        listening, self._listening = self._listening, None
        self._pool = self._leases = None
        if listening is not None:
            listening.terminate()
        try:
            async with asyncio.timeout(SHORT):
                await asyncio.gather(*(pool.close() for pool in pools))
        except TimeoutError:
            pass  # one that is silent is not waited for
        finally:
            for pool in pools:
                pool.terminate()

    async def list(self) -> dict[str, str]:
        """Return the version of every file by its name."""
        rows = await self._ask(
            f"SELECT id, {_VERSION} AS version, TRUE AS auth FROM {self._auths} "  # noqa: S608  # names of ours
            f"UNION ALL SELECT id, {_VERSION}, FALSE FROM {self._config} WHERE id = $1",
            _CONFIG_ID,
        )
        return {f"{AUTHS}{row['id']}" if row["auth"] else CONFIG: row["version"] for row in rows}

    async def get(self, name: str, *, fresh: bool = True) -> Blob | None:
        """Return one file."""
        del fresh
        table, key = self._of(name)
        rows = await self._ask(
            f"SELECT content::text AS content, {_VERSION} AS version FROM {table} WHERE id = $1",  # noqa: S608
            key,
        )
        return Blob(rows[0]["content"].encode(), rows[0]["version"]) if rows else None

    async def put(self, name: str, data: bytes, *, if_version: str | None) -> str:
        """Write a file; see `Store.put`."""
        table, key = self._of(name)
        kind = "TEXT" if name == CONFIG else "JSONB"
        text = _text(name, data)
        if if_version is None:
            write = (
                f"INSERT INTO {table} (id, content) VALUES ($1, $2::{kind}) "  # noqa: S608
                f"ON CONFLICT (id) DO NOTHING RETURNING {_VERSION} AS version"
            )
        else:
            write = (
                f"UPDATE {table} SET content = $2::{kind}, updated_at = NOW() "  # noqa: S608
                f"WHERE id = $1 AND {_VERSION} = $4 RETURNING {_VERSION} AS version"
            )
        rows = await self._ask(
            f"WITH written AS ({write}) "  # noqa: S608
            f"SELECT version, pg_notify('{_CHANNEL}', $3)::text FROM written",
            key,
            text,
            self._schema,
            *([] if if_version is None else [if_version]),
        )
        if not rows:
            raise Conflict
        version: str = rows[0]["version"]
        return version

    async def delete(self, name: str) -> bool:
        """Remove a file; tell whether there was one."""
        table, key = self._of(name)
        rows = await self._ask(
            f"WITH gone AS (DELETE FROM {table} WHERE id = $1 RETURNING id) "  # noqa: S608
            f"SELECT pg_notify('{_CHANNEL}', $2)::text FROM gone",
            key,
            self._schema,
        )
        return bool(rows)

    async def watch(self) -> None:
        """Return once somebody told of a change, or after the pause between two looks."""
        news = self._news
        if news is None:
            raise Away(f"{self.title} is not connected")
        await self._listen(news)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(news.wait(), self._poll)
        news.clear()

    async def _listen(self, news: asyncio.Event) -> None:
        if self._listening is not None and not self._listening.is_closed():
            return

        def heard(_connection: Any, _pid: int, _channel: str, schema: str) -> None:
            if schema == self._schema:
                news.set()

        try:
            with _mapped(self.title):
                async with asyncio.timeout(PATIENCE):
                    connection = await _driver().connect(
                        **self._arguments, timeout=PATIENCE, statement_cache_size=0
                    )
                    try:
                        await connection.add_listener(_CHANNEL, heard)
                    except BaseException:
                        connection.terminate()
                        raise
        except StoreError as err:
            _log.debug("changes are looked for, as nobody can tell of them: %s", err)
            return
        self._listening = connection

    @contextlib.asynccontextmanager
    async def lease(self, name: str) -> AsyncGenerator[None, None]:
        """Hold an advisory lock of the server, within a transaction: poolers keep these whole."""
        key = int.from_bytes(
            hashlib.sha256(f"cliproxy\0{self._schema}\0{name}".encode()).digest()[:8],
            signed=True,
        )
        pool, turns = self._leases, self._turns
        if pool is None or turns is None:
            raise Away(f"{self.title} is not connected")
        async with contextlib.AsyncExitStack() as held:
            try:
                # Two machines that refresh the same login may end it: it is worth a wait.
                async with asyncio.timeout(PATIENCE):
                    await turns.acquire()
            except TimeoutError:
                _log.warning("so many logins are refreshed at once that %s goes without", name)
                yield
                return
            held.callback(turns.release)
            with _mapped(self.title):
                connection = await pool.acquire(timeout=SHORT)
            try:
                with _mapped(self.title):
                    await self._lock(connection, key)
                yield
            finally:
                try:
                    with _mapped(self.title):
                        await connection.execute("ROLLBACK", timeout=SHORT)
                        await pool.release(connection)
                except StoreError as err:
                    _log.debug("a lease ended with its connection: %s", err)
                    with contextlib.suppress(_driver().exceptions.InterfaceError):
                        connection.terminate()  # unless it is let go of already

    async def _lock(self, connection: Any, key: int) -> None:
        # A server that says nothing is noticed here; below one waits for another machine.
        await connection.execute(
            f"BEGIN; SET LOCAL lock_timeout = '{int(PATIENCE) - 5}s'", timeout=SHORT
        )
        try:
            await connection.fetchval("SELECT pg_advisory_xact_lock($1)::text", key)
        except _driver().exceptions.LockNotAvailableError:
            _log.warning("another machine has been refreshing the same login for long; going on")

    async def _ask(self, statement: str, *values: str) -> Any:
        pool = self._pool
        if pool is None:
            raise Away(f"{self.title} is not connected")
        driver = _driver()
        known = driver.exceptions
        with _mapped(self.title):
            async with asyncio.timeout(PATIENCE), pool.acquire() as connection:
                try:
                    return await connection.fetch(statement, *values)
                except (known.UndefinedTableError, known.InvalidSchemaNameError):
                    # Somebody has dropped them: they are empty then, as any that are new.
                    await self._prepare(driver, connection)
                    return await connection.fetch(statement, *values)

    def _of(self, name: str) -> tuple[str, str]:
        if name == CONFIG:
            return self._config, _CONFIG_ID
        return self._auths, name.removeprefix(AUTHS)


def arguments(dsn: str) -> tuple[dict[str, Any], str]:
    """Return what asyncpg is told, and a name of the place without secrets. Raises `Refused`."""
    if dsn.startswith(("postgres://", "postgresql://")):
        try:
            parts = urlsplit(dsn)
            auth, at, host = parts.netloc.rpartition("@")
            where = host or "localhost"
            for one in where.split(","):
                urlsplit(f"//{one}").port  # noqa: B018  # raises where it is none
            if not at and "@" in parts.path + parts.query + parts.fragment:
                # What looks like host and port may be a part of the password.
                raise _unreadable()
        except ValueError:
            raise _unreadable() from None
        query = [
            (key, value)
            for key, value in parse_qsl(parts.query, keep_blank_values=True)
            if not _OTHERS.fullmatch(key)
        ]
        netloc = f"{auth.removesuffix(':')}{at}{host}"
        cleaned = urlunsplit(("postgresql", netloc, parts.path, urlencode(query), ""))
        return {"dsn": cleaned}, f"{where}{parts.path.rstrip('/')}"
    found: dict[str, Any] = {}
    place = 0
    while place < len(dsn):
        pair = _PAIR.match(dsn, place)
        if pair is None:
            raise _unreadable()
        place = pair.end()
        key, quoted, plain = pair.groups()
        if not _OTHERS.fullmatch(key):
            found[key] = re.sub(r"\\(.)", r"\1", quoted if quoted is not None else plain)
    if not found:
        raise _unreadable()
    query = list(found.items())
    where = f"{found.get('host', 'localhost')}/{found.get('dbname', '')}"
    if "@" in where or "://" in where:
        raise _unreadable()  # an address within the address may hold a password
    # As a URL, in which asyncpg understands all of them.
    return {"dsn": f"postgresql://?{urlencode(query)}"}, where


def place_of(dsn: str) -> str:
    """Return what differs between two databases, as far as an address says it; without secrets."""
    parts = urlsplit(dsn)
    query = dict(parse_qsl(parts.query))
    user, _, _ = parts.netloc.rpartition("@")[0].partition(":")
    user = unquote(user) or query.get("user", "") or os.environ.get("PGUSER", "")
    host = parts.netloc.rpartition("@")[2] or query.get("host") or os.environ.get("PGHOST", "")
    port = query.get("port") or os.environ.get("PGPORT", "")
    # A database that is not named is called as its user.
    name = parts.path.strip("/") or query.get("dbname") or query.get("database")
    name = name or os.environ.get("PGDATABASE") or user
    where = f"{host or 'localhost'}:{port}".removesuffix(":")
    return f"PostgreSQL at {re.sub(r':5432(?=,|$)', '', where)}/{name}"


def _unreadable() -> Refused:
    return Refused(
        "PGSTORE_DSN cannot be read.",
        "Write it as postgresql://USER:PASSWORD@HOST:PORT/DATABASE, "
        "and of a password / as %2F, ? as %3F, # as %23, @ as %40.",
    )


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    """Turn what the driver cannot make out in an address into an error that repeats none of it."""
    known = _driver().exceptions
    try:
        yield
    except (known.PostgresError, known.InterfaceError):
        raise
    except ValueError:
        raise _unreadable() from None


def _driver() -> Any:
    try:
        import asyncpg  # noqa: PLC0415  # only where it is configured
    except ImportError as err:
        raise MissingExtra("postgres", "PGSTORE_DSN") from err
    return asyncpg


@contextlib.contextmanager
def _mapped(title: str) -> Iterator[None]:
    """Turn what the driver raises into errors of ours; its words may hold what was sent."""
    driver = _driver()
    known = driver.exceptions
    try:
        yield
    except (known.InvalidAuthorizationSpecificationError, known.InvalidPasswordError) as err:
        raise Refused(
            f"{title} refuses the user or the password.", "Correct PGSTORE_DSN."
        ) from _bare(err)
    except known.InvalidCatalogNameError as err:
        raise Refused(
            f"{title}: there is no such database.", "Create it, or correct PGSTORE_DSN."
        ) from _bare(err)
    except known.InsufficientPrivilegeError as err:
        raise Refused(
            f"{title} does not let this user make or use the tables.",
            "Grant the rights to create in the schema, or create config_store and auth_store.",
        ) from _bare(err)
    except known.ClientConfigurationError as err:
        raise _unreadable() from _bare(err)
    except known.DataError as err:
        raise Unstorable(f"{title} cannot hold it ({type(err).__name__}).") from _bare(err)
    except (OSError, TimeoutError, known.PostgresError, known.InterfaceError) as err:
        why = "no answer in time" if isinstance(err, TimeoutError) else _why(err)
        raise Away(
            f"{title} cannot be reached ({why}).", "Start it, or correct PGSTORE_DSN."
        ) from _bare(err)


def _why(err: Exception) -> str:
    return (isinstance(err, OSError) and err.strerror) or type(err).__name__


def _bare(err: BaseException) -> BaseException:
    """Return a stand-in for an error of the driver, with its type alone."""
    return RuntimeError(type(err).__name__)


def _text(name: str, data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Unstorable(f"{name} is not UTF-8 text.") from None
    if "\0" in text:
        raise Unstorable(f"{name} holds a character that PostgreSQL does not take.")
    if name == CONFIG:
        return text.replace("\r\n", "\n")
    try:
        json.loads(data)
    except json.InvalidJson:
        raise Unstorable(f"{name} is not JSON.") from None
    return text


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'

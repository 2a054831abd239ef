"""What is special about PostgreSQL."""

from __future__ import annotations

import asyncio
import json

import asyncpg
import pytest

from cliproxy.stores import postgres as module
from cliproxy.stores.base import CONFIG, Refused, Unstorable
from cliproxy.stores.postgres import PostgresStore, arguments
from tests.stores.test_contract import NAME, data, read

REFERENCE = """
CREATE SCHEMA {schema};
CREATE TABLE {schema}.config_store (id TEXT PRIMARY KEY, content TEXT NOT NULL,
  created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(), updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW());
CREATE TABLE {schema}.auth_store (id TEXT PRIMARY KEY, content JSONB NOT NULL,
  created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(), updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW());
INSERT INTO {schema}.config_store VALUES ('config', 'port: 1');
INSERT INTO {schema}.auth_store VALUES ('claude-me@example.com.json', '{{"type": "claude"}}');
"""


@pytest.fixture
async def connection(postgres):
    connection = await asyncpg.connect(postgres.server.dsn())
    yield connection
    await connection.close()


async def test_tables_that_are_there_are_used_as_they_are(postgres, opened, connection) -> None:
    await connection.execute(REFERENCE.format(schema=postgres.schema))
    store = await opened(postgres.store())
    listed = await store.list()
    assert listed.keys() == {CONFIG, NAME}
    assert read(await store.get(NAME)) == {"type": "claude"}
    await store.put(NAME, data(), if_version=listed[NAME])
    row = await connection.fetchrow(
        f"SELECT content->>'access_token' AS token, updated_at > created_at AS newer "
        f"FROM {postgres.schema}.auth_store WHERE id = 'claude-me@example.com.json'"
    )
    assert tuple(row) == ("at-1", True)
    # Whoever writes past us is seen as well.
    before = await store.list()
    await connection.execute(f"UPDATE {postgres.schema}.auth_store SET content = '{{}}'")
    assert (await store.list())[NAME] != before[NAME]


async def test_who_may_only_use_the_tables_needs_no_more(postgres, opened, connection) -> None:
    await connection.execute(REFERENCE.format(schema=postgres.schema))
    user = f"u_{postgres.schema}"
    await connection.execute(
        f"CREATE ROLE {user} LOGIN PASSWORD 'x'; GRANT USAGE ON SCHEMA {postgres.schema} TO {user};"
        f"GRANT ALL ON ALL TABLES IN SCHEMA {postgres.schema} TO {user}"
    )
    dsn = f"postgresql://{user}:x@127.0.0.1:{postgres.port}/postgres"
    store = await opened(PostgresStore(dsn, postgres.schema))
    assert len(await store.list()) == 2
    other = PostgresStore(dsn, f"{postgres.schema}_x")
    with pytest.raises(Refused, match="does not let this user"):
        await other.open()
    await other.close()


async def test_many_that_start_at_once_make_the_tables_once(postgres, opened) -> None:
    stores = [postgres.store() for _ in range(6)]
    await asyncio.gather(*(opened(store) for store in stores))
    assert await stores[0].list() == {}


async def test_a_lease_is_held_by_one_machine_at_a_time(postgres, opened) -> None:
    one, other = await opened(postgres.store()), await opened(postgres.store())
    inside: list[str] = []
    waits = asyncio.Event()

    async def second() -> None:
        waits.set()
        async with other.lease("a.json"):
            inside.append("second")

    async with one.lease("a.json"):
        task = asyncio.ensure_future(second())
        await waits.wait()
        # It asks the server meanwhile, which answers others.
        for _ in range(5):
            await one.list()
        inside.append("first")
    await task
    assert inside == ["first", "second"]


async def test_a_change_is_told_at_once(postgres, opened) -> None:
    one = await opened(PostgresStore(postgres.server.dsn(), postgres.schema, poll=3600))
    other = await opened(postgres.store())
    waiting = asyncio.ensure_future(one.watch())
    async with asyncio.timeout(20):
        while one._listening is None:
            await asyncio.sleep(0.01)
        await other.put(NAME, data(), if_version=None)
        await waiting


@pytest.mark.parametrize(
    ("name", "content"),
    [(NAME, rb'{"type": "x", "a": "\u0000"}'), (NAME, b"{"), (CONFIG, b"a: \0"), (CONFIG, b"\xff")],
)
async def test_what_it_cannot_hold_is_refused_alone(postgres, opened, name, content) -> None:
    store = await opened(postgres.store())
    with pytest.raises(Unstorable):
        await store.put(name, content, if_version=None)
    await store.put("auths/other.json", data(), if_version=None)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda dsn: dsn.replace("never-shown", "wrong"), "refuses the user or the password"),
        (lambda dsn: dsn.removesuffix("/postgres") + "/none", "there is no such database"),
    ],
    ids=["password", "database"],
)
async def test_what_a_server_refuses_is_said_with_its_cure(postgres, change, told) -> None:
    store = PostgresStore(change(postgres.server.dsn()), postgres.schema)
    with pytest.raises(Refused, match=told) as caught:
        await store.open()
    await store.close()
    assert "PGSTORE_DSN" in caught.value.cure
    assert not [s for s in postgres.secrets if s in f"{caught.value!r}{caught.value.__cause__!r}"]


@pytest.mark.parametrize(
    "form",
    [
        "host=127.0.0.1 port={port} user=postgres password='{password}' dbname=postgres sslmode=disable",
        "postgres://postgres:{password}@127.0.0.1:{port}/postgres?sslmode=disable&pool_max_conns=5",
        "postgresql://postgres:{password}@127.0.0.1:{port}/postgres?channel_binding=prefer&connect_timeout=5",
        "postgresql://postgres:{password}@127.0.0.1:{port}/postgres?application_name=x&default_query_exec_mode=exec",
    ],
)
async def test_addresses_of_other_programs_work(postgres, opened, form) -> None:
    (password,) = postgres.secrets
    dsn = form.format(port=postgres.port, password=password)
    store = await opened(PostgresStore(dsn, postgres.schema))
    assert await store.list() == {}
    assert password not in store.title


@pytest.mark.parametrize(
    "dsn",
    [
        "nonsense", "=x", "postgres://h:port/db", "a b", "postgres://u:pw@[::1/db",
        "postgresql://u:2024/pw@db/x", "postgresql://u:pa,ss/pw@127.0.0.1/db",
        "postgresql://u:12?pw@127.0.0.1/db", "postgresql://u:12#pw@127.0.0.1/db",
        "postgresql://u:p@h:1,h2:x/d", "postgresql://u:p@h:99999/d",
        "host=h dbname=postgresql://u:pw@h/d",
    ],
)  # fmt: skip
def test_what_is_no_address_is_said_without_repeating_it(dsn) -> None:
    with pytest.raises(Refused, match="PGSTORE_DSN cannot be read") as caught:
        arguments(dsn)
    assert dsn not in f"{caught.value}{caught.value.__cause__}"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("host=h port=5432 dbname=x", "host=h port=5433 dbname=x"),
        ("postgresql:///x?host=h1", "postgresql:///x?host=h2"),
        ("postgresql://alice@h", "postgresql://bob@h"),
        ("postgresql://u@h/x", "postgresql://u@h/y"),
        ("host=h user=alice", "host=h user=bob"),
    ],
)
def test_two_databases_are_never_taken_for_one(one, other) -> None:
    assert PostgresStore(one).identity != PostgresStore(other).identity


def test_one_database_is_one_however_it_is_written() -> None:
    written = [
        "postgresql://u:p@h/x", "postgres://v@h:5432/x?sslmode=require", "host=h dbname=x",
        "host=h port=5432 dbname=x user=u", "postgresql:///x?host=h",
    ]  # fmt: skip
    assert {PostgresStore(dsn).identity for dsn in written} == {"PostgreSQL at h/x "}


@pytest.mark.parametrize("dsn", ["postgresql://u:never-shown@h/x", "host=h password=never-shown"])
def test_another_password_makes_no_other_database(dsn) -> None:
    store = PostgresStore(dsn)
    assert store.identity == PostgresStore(dsn.replace("never-shown", "new")).identity
    assert "never-shown" not in store.identity


def test_the_configuration_has_the_line_ends_of_unix() -> None:
    from cliproxy.stores.postgres import _text

    assert _text(CONFIG, b"a: 1\r\nb: 2\r\n") == "a: 1\nb: 2\n"
    assert json.loads(_text(NAME, b'{"a": "\\r\\n"}')) == {"a": "\r\n"}


@pytest.mark.parametrize(
    "dsn",
    [
        "host=127.0.0.1 port=abc password=never-shown",
        "postgresql://?host=127.0.0.1&port=never-shown",
    ],
)
async def test_what_the_driver_cannot_read_is_said_without_repeating_it(dsn) -> None:
    store = PostgresStore(dsn)
    with pytest.raises(Refused, match="PGSTORE_DSN cannot be read") as caught:
        await store.open()
    await store.close()
    assert "never-shown" not in f"{caught.value!r}{caught.value.__cause__!r}"


async def test_more_leases_than_there_may_be_go_without(postgres, opened, monkeypatch) -> None:
    monkeypatch.setattr(module, "_LEASES", 1)
    store = await opened(postgres.store())
    async with asyncio.timeout(20), store.lease("a.json"):
        with monkeypatch.context() as hurry:
            hurry.setattr(module, "PATIENCE", 0.01)
            async with store.lease("b.json"):
                pass
    monkeypatch.undo()
    # Nothing of it is left behind.
    async with asyncio.timeout(20), store.lease("b.json"):
        pass


async def test_whoever_only_looks_makes_no_tables(postgres, connection) -> None:
    store = postgres.store()
    with pytest.raises(Refused, match="has no tables for accounts in the schema"):
        await store.open(make=False)
    await store.close()
    assert not await connection.fetchval(
        "SELECT count(*) FROM pg_namespace WHERE nspname = $1", postgres.schema
    )


@pytest.mark.parametrize("what", ["TABLE {}.auth_store", "SCHEMA {} CASCADE"])
async def test_tables_that_are_dropped_meanwhile_are_made_again(
    postgres, opened, connection, what
) -> None:
    store = await opened(postgres.store())
    await connection.execute("DROP " + what.format(postgres.schema))
    assert await store.list() == {}
    await store.put(NAME, data(), if_version=None)
    assert (await store.list()).keys() == {NAME}

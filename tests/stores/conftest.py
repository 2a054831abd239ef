from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from cliproxy.stores.base import Store
from tests.stores import places
from tests.stores.servers import Postgres


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture
def postgres(postgres_server: Postgres) -> places.PostgresPlace:
    return places.PostgresPlace(postgres_server)


REMOTE = ["postgres"]


@pytest.fixture(params=["folder", *REMOTE])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> places.Place:
    """Every kind of place there is."""
    if request.param == "folder":
        return places.Folder(tmp_path / "folder")
    found: places.Place = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=REMOTE)
def remote(request: pytest.FixtureRequest) -> places.Place:
    """Every kind of place with a server."""
    found: places.Place = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def opened() -> AsyncIterator[Callable[[Store], object]]:
    """Open stores; all are closed at the end."""
    stores: list[Store] = []

    async def open_(store: Store) -> Store:
        await store.open()
        stores.append(store)
        return store

    yield open_
    for store in stores:
        await store.close()
